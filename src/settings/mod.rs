//! What the flags and MLflow's environment come to. A pure function of both and
//! of what a [`Disk`] answers: flags win over variables, variables over files of
//! credentials, and the defaults are chosen so that a command at a terminal
//! never hangs for minutes.

mod credentials;
mod database;
mod databricks;
mod disk;
mod env;
mod error;
mod location;
mod mysql;
mod proxy;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use crate::store::{Connection, Credentials, Location, RetryPolicy, Tls};
use crate::units::read_bytes;
use crate::uri::{has_secret_option, without_credentials};

pub use disk::{Disk, Found, RealDisk};
pub use env::Env;
pub use error::SettingsError;

/// The variable that says where the traces are.
const URI: &str = "MLFLOW_TRACKING_URI";
/// Zero means "at once" to the client, and "no limit" to nobody.
const SHORTEST: Duration = Duration::from_millis(1);
/// No wait that makes sense is longer, and clocks do not overflow.
const LONGEST: Duration = Duration::from_secs(86_400 * 365);
/// The most bytes of one answer of a server, unless `MLT_MAX_BODY` says otherwise.
pub(crate) const MAX_BODY: u64 = 512_000_000;
/// The longest that one request takes, unless `--max-time` says otherwise.
pub(crate) const MAX_TIME: Duration = Duration::from_secs(600);

/// What was said on the command line, which wins over all else.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// Where the traces are.
    pub tracking_uri: Option<OsString>,
    /// Experiments, by id or name.
    pub experiments: Vec<String>,
    /// The longest wait for a sign of life.
    pub timeout: Option<Duration>,
    /// The longest time for one request as a whole.
    pub max_time: Option<Duration>,
    /// How often a request is repeated.
    pub retries: Option<u32>,
    /// Folders that artifacts may be read in.
    pub allow_artifacts: Vec<PathBuf>,
}

/// Resolved settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the traces are.
    pub location: Location,
    /// Nothing named the place: it is what MLflow itself would use in the
    /// current directory.
    pub by_default: bool,
    /// Experiments as named by the user, ids or names; empty for all.
    pub experiments: Vec<String>,
    /// Folders outside of the store that artifacts may be read in.
    pub artifacts: Vec<PathBuf>,
    /// What is not as it should be, and does not stand in the way.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Resolves flags over environment over defaults.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn resolve(flags: &Flags, env: &Env, disk: &dyn Disk) -> Result<Self, SettingsError> {
        let flag = flags.tracking_uri.as_deref();
        let odd = match flag {
            Some(uri) if uri.to_str().is_none() => Some(Path::new(uri)),
            Some(uri) if !uri.is_empty() => None,
            _ => env.odd_uri.as_deref(),
        };
        let flag = flag.and_then(OsStr::to_str);
        let named = [flag, env.get(URI)]
            .into_iter()
            .flatten()
            .map(str::trim)
            .find(|uri| !uri.is_empty());
        let mut warnings = Vec::new();
        if let Some(uri) = flag.filter(|uri| has_password(uri) || has_secret_option(uri)) {
            let own = database::password_variable(uri).unwrap_or("MLFLOW_TRACKING_PASSWORD");
            warnings.push(format!(
                "everybody on this machine can see the password in --tracking-uri; \
                 MLFLOW_TRACKING_URI and {own} are not seen"
            ));
        }
        Ok(Self {
            location: match (odd, named) {
                // What is no text is a path.
                (Some(path), _) => location::of_file(path, disk),
                (None, Some(uri)) => named_location(uri, flags, env, disk, &mut warnings)?,
                (None, None) => location::default(disk).ok_or(SettingsError::NoTrackingUri)?,
            }
            .in_workspace(env.get("MLFLOW_WORKSPACE")),
            by_default: odd.is_none() && named.is_none(),
            experiments: experiments(flags, env)?,
            artifacts: artifacts(flags, env),
            warnings,
        })
    }
}

fn artifacts(flags: &Flags, env: &Env) -> Vec<PathBuf> {
    let variable = env.get("MLT_ALLOW_ARTIFACTS").unwrap_or_default();
    let listed = std::env::split_paths(variable).filter(|path| !path.as_os_str().is_empty());
    flags
        .allow_artifacts
        .iter()
        .cloned()
        .chain(listed)
        .collect()
}

/// Whether a URL holds a password, which the list of processes shows.
fn has_password(uri: &str) -> bool {
    let uri = uri.trim();
    // In the URI of a database, a `#` is part of the password.
    let of_database = || {
        database::password_variable(uri)?;
        let (_, rest) = uri.split_once("://")?;
        let place = rest.split('?').next()?;
        let (login, _) = place.rsplit_once('@')?;
        login.split_once(':').filter(|(_, word)| !word.is_empty())
    };
    of_database().is_some() || Url::parse(uri).is_ok_and(|url| url.password().is_some())
}

fn experiments(flags: &Flags, env: &Env) -> Result<Vec<String>, SettingsError> {
    if !flags.experiments.is_empty() {
        return Ok(flags.experiments.clone());
    }
    let name = env.get("MLFLOW_EXPERIMENT_NAME");
    let id = env.get("MLFLOW_EXPERIMENT_ID");
    if name.is_some() && id.is_some() && name != id {
        return Err(SettingsError::Conflict {
            one: "MLFLOW_EXPERIMENT_NAME",
            other: "MLFLOW_EXPERIMENT_ID",
        });
    }
    Ok(name.or(id).map(str::to_owned).into_iter().collect())
}

fn named_location(
    uri: &str,
    flags: &Flags,
    env: &Env,
    disk: &dyn Disk,
    warnings: &mut Vec<String>,
) -> Result<Location, SettingsError> {
    let server = |connection| Location::Server(Box::new(connection));
    if matches!(location::scheme(uri).as_str(), "http" | "https") && uri.contains("://") {
        let (base, in_url) = base_url(uri)?;
        let credentials = match in_url {
            Some(found) => Some(found),
            None => credentials::from_environment(env, disk, warnings)?,
        };
        return connection(base, credentials, flags, env).map(server);
    }
    if let Some(workspace) = databricks::workspace(uri, env, disk)? {
        let (base, _) = base_url(&workspace.host)?;
        return connection(base, Some(workspace.credentials), flags, env).map(server);
    }
    if let Some(database) = database::of_uri(uri, flags, env, disk)? {
        return Ok(database);
    }
    location::of_uri(uri, disk)
}

/// The URL without what only a browser needs, and the login that it held.
fn base_url(uri: &str) -> Result<(Url, Option<Credentials>), SettingsError> {
    let wrong = |reason: String| SettingsError::Uri {
        uri: without_credentials(uri),
        reason,
    };
    let unescaped = || {
        wrong("a `/`, `?`, `#` or `@` in a password is written as %2F, %3F, %23 or %40".to_owned())
    };
    // The host would be the user, and the password a port and what no server is sent.
    let rest = uri.split_once("://").map_or("", |(_, rest)| rest);
    if let Some(end) = rest.find(['/', '?', '#'])
        && !rest[..end].contains('@')
        && !rest[end..].starts_with('/')
        && !rest[end..].starts_with("#/")
        && rest[end..].contains('@')
    {
        return Err(unescaped());
    }
    let mut base = Url::parse(uri).map_err(|error| wrong(error.to_string()))?;
    // Or the path.
    let first = base.path_segments().and_then(|mut parts| parts.next());
    if base.port().is_some() && first.is_some_and(|part| part.contains('@')) {
        return Err(unescaped());
    }
    let in_url = credentials::from_url(&base);
    // Both setters only fail for URLs without a host, which http URLs have.
    let _ = base.set_username("");
    let _ = base.set_password(None);
    base.set_fragment(None);
    base.set_query(None);
    let path = base.path().trim_end_matches('/').to_owned();
    base.set_path(&path);
    Ok((base, in_url))
}

fn connection(
    base: Url,
    credentials: Option<Credentials>,
    flags: &Flags,
    env: &Env,
) -> Result<Connection, SettingsError> {
    Ok(Connection {
        max_time: match flags.max_time {
            Some(time) => time.clamp(SHORTEST, LONGEST),
            None => MAX_TIME,
        },
        max_body: max_body(env)?,
        proxies: proxy::find(&base, env)?,
        base,
        credentials,
        workspace: env.get("MLFLOW_WORKSPACE").map(str::to_owned),
        tls: tls(env)?,
        timeout: match flags.timeout {
            Some(time) => time,
            None => seconds(env, "MLFLOW_HTTP_REQUEST_TIMEOUT", 30.0)?,
        }
        .clamp(SHORTEST, LONGEST),
        connect_timeout: Duration::from_secs(5),
        retry: retry_policy(flags, env)?,
        follow_redirects: env.flag("MLFLOW_ALLOW_HTTP_REDIRECTS")?.unwrap_or(true),
    })
}

fn tls(env: &Env) -> Result<Tls, SettingsError> {
    const BUNDLE: &str = "MLFLOW_TRACKING_SERVER_CERT_PATH";
    let insecure = env.flag("MLFLOW_TRACKING_INSECURE_TLS")?.unwrap_or(false);
    if insecure && env.get(BUNDLE).is_some() {
        return Err(SettingsError::Conflict {
            one: "MLFLOW_TRACKING_INSECURE_TLS",
            other: BUNDLE,
        });
    }
    Ok(Tls {
        insecure,
        authorities: [BUNDLE, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]
            .into_iter()
            .find_map(|name| env.get(name).map(|path| (name, PathBuf::from(path)))),
        client_certificate: env
            .get("MLFLOW_TRACKING_CLIENT_CERT_PATH")
            .map(PathBuf::from),
    })
}

fn retry_policy(flags: &Flags, env: &Env) -> Result<RetryPolicy, SettingsError> {
    const RETRIES: &str = "MLFLOW_HTTP_REQUEST_MAX_RETRIES";
    let max_retries = match (flags.retries, env.get(RETRIES)) {
        (Some(count), _) => count,
        (None, None) => 3,
        (None, Some(text)) => text.parse().map_err(|_| SettingsError::Variable {
            name: RETRIES,
            expected: "a whole number",
            found: text.to_owned(),
        })?,
    };
    Ok(RetryPolicy {
        max_retries,
        backoff: seconds(env, "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", 0.25)?,
        jitter: seconds(env, "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", 0.1)?,
        longest_wait: Duration::from_secs(30),
        respect_retry_after: env
            .flag("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER")?
            .unwrap_or(true),
    })
}

fn max_body(env: &Env) -> Result<u64, SettingsError> {
    const NAME: &str = "MLT_MAX_BODY";
    let Some(text) = env.get(NAME) else {
        return Ok(MAX_BODY);
    };
    let size = read_bytes(text).filter(|size| *size > 0);
    size.ok_or_else(|| SettingsError::Variable {
        name: NAME,
        expected: "a size such as 2GB",
        found: text.to_owned(),
    })
}

fn seconds(env: &Env, name: &'static str, default: f64) -> Result<Duration, SettingsError> {
    let number = env.number(name)?.unwrap_or(default);
    // A day is longer than any wait that makes sense, and always fits.
    Ok(Duration::from_secs_f64(number.min(86_400.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(uri: &str) -> Flags {
        Flags {
            tracking_uri: Some(uri.into()),
            ..Flags::default()
        }
    }

    fn server(uri: &str, env: &[(&str, &str)]) -> Connection {
        let env: Env = env.iter().copied().collect();
        match Settings::resolve(&flags(uri), &env, &RealDisk)
            .unwrap()
            .location
        {
            Location::Server(connection) => *connection,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn base_paths_stay_and_trailing_slashes_go() {
        for (uri, base) in [
            ("http://h:5000", "http://h:5000/"),
            ("http://h:5000/", "http://h:5000/"),
            ("https://h/mlflow/", "https://h/mlflow"),
            ("https://h/a/b#/experiments/1", "https://h/a/b"),
        ] {
            assert_eq!(server(uri, &[]).base.as_str(), base);
        }
    }

    #[test]
    fn credentials_in_the_url_are_used_and_removed() {
        let found = server("http://ann:s%40crt@h/x", &[("MLFLOW_TRACKING_TOKEN", "t")]);
        assert_eq!(found.base.as_str(), "http://h/x");
        let Some(Credentials::Basic { username, password }) = &found.credentials else {
            panic!("{found:?}");
        };
        assert_eq!((username.as_str(), password.expose()), ("ann", "s@crt"));
        assert!(!format!("{found:?}").contains("crt"));
    }

    #[test]
    fn a_password_that_is_not_escaped_is_told_of_and_never_shown() {
        let resolve = |uri: &str| {
            let settings = Settings::resolve(&flags(uri), &Env::default(), &RealDisk);
            settings.map_err(|error| error.to_string())
        };
        for uri in [
            "http://ann:s3#cret@h:5000",
            "http://ann:12#s3cret@h",
            "http://ann:s3?cret@h/x",
            "https://12#s3cret@h",
            "http://ann:5/s3cret@h",
        ] {
            let said = resolve(uri).unwrap_err();
            assert!(
                said.contains("is written as %2F, %3F, %23"),
                "{uri}: {said}"
            );
            assert!(!said.contains("cret"), "{said}");
        }
        for uri in ["http://h:5000/#/experiments/1?by=a@b", "http://h/a@b"] {
            assert!(resolve(uri).is_ok(), "{uri}");
        }
        for (uri, is_seen) in [
            ("postgresql://ann:s3#cret@h/db", true),
            ("mysql+pymysql://ann:#@h/db?charset=utf8mb4", true),
            ("mysql://ann:@h/db", false),
            ("mysql://ann@h/db", false),
            ("postgresql://ann@h:5432/db", false),
        ] {
            let warnings = resolve(uri).unwrap().warnings;
            assert_eq!(warnings.len(), usize::from(is_seen), "{uri}: {warnings:?}");
        }
    }

    #[test]
    fn a_user_name_and_password_win_over_a_token() {
        let all = [
            ("MLFLOW_TRACKING_USERNAME", "ann"),
            ("MLFLOW_TRACKING_PASSWORD", "pw"),
            ("MLFLOW_TRACKING_TOKEN", "t"),
        ];
        let found = server("http://h", &all).credentials;
        assert!(matches!(found, Some(Credentials::Basic { .. })));
        let found = server("http://h", &all[2..]).credentials;
        assert!(matches!(found, Some(Credentials::Token(_))));
    }

    #[test]
    fn flags_win_over_variables() {
        let env = [
            ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "7"),
            ("MLFLOW_HTTP_REQUEST_TIMEOUT", "120"),
            ("MLFLOW_EXPERIMENT_ID", "4"),
        ];
        let found = server("http://h", &env);
        assert_eq!(found.retry.max_retries, 7);
        assert_eq!(found.timeout, Duration::from_secs(120));
        let mut given = flags("http://h");
        given.retries = Some(0);
        given.timeout = Some(Duration::from_secs(2));
        given.experiments = vec!["shop".to_owned()];
        let settings = Settings::resolve(&given, &env.into_iter().collect(), &RealDisk).unwrap();
        assert_eq!(settings.experiments, ["shop"]);
        let Location::Server(found) = settings.location else {
            panic!();
        };
        assert_eq!(
            (found.retry.max_retries, found.timeout),
            (0, Duration::from_secs(2))
        );
    }

    #[test]
    fn contradictions_are_errors() {
        let env: Env = [
            ("MLFLOW_EXPERIMENT_ID", "4"),
            ("MLFLOW_EXPERIMENT_NAME", "shop"),
        ]
        .into_iter()
        .collect();
        let error = Settings::resolve(&flags("http://h"), &env, &RealDisk).unwrap_err();
        assert!(matches!(error, SettingsError::Conflict { .. }));
        let env: Env = [
            ("MLFLOW_TRACKING_INSECURE_TLS", "true"),
            ("MLFLOW_TRACKING_SERVER_CERT_PATH", "x"),
        ]
        .into_iter()
        .collect();
        let error = Settings::resolve(&flags("http://h"), &env, &RealDisk).unwrap_err();
        assert!(matches!(error, SettingsError::Conflict { .. }));
    }
}
