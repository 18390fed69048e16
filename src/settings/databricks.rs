//! `databricks` and `databricks://profile`: host and personal access token from
//! the environment or `~/.databrickscfg`, never mixed, so that no token goes to
//! the host of another workspace.

use std::path::PathBuf;

use ini::Properties;
use url::{Host, Url};

use super::disk::Disk;
use super::{Env, SettingsError, credentials};
use crate::store::{Credentials, Secret};
use crate::uri::without_credentials;

/// Where a workspace is and how to log in there.
#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) host: String,
    pub(super) credentials: Credentials,
}

/// `None` for the URI of another kind of place.
///
/// A profile, from the URI or else DATABRICKS_CONFIG_PROFILE, is the only
/// source where it is named, as in MLflow. Without one it is the environment,
/// and where that says nothing, the file's default profile.
///
/// # Errors
/// What keeps a host or a token from being found, and logins other than by token.
pub(super) fn workspace(
    uri: &str,
    env: &Env,
    disk: &dyn Disk,
) -> Result<Option<Workspace>, SettingsError> {
    let lower = uri.to_ascii_lowercase();
    let wrong = |reason: &str| {
        Err(SettingsError::Uri {
            uri: without_credentials(uri),
            reason: reason.to_owned(),
        })
    };
    if lower == "databricks-uc" || lower.starts_with("databricks-uc:") {
        return wrong(
            "Unity Catalog is a registry of models and has no traces; expected `databricks`",
        );
    }
    let named = match lower.strip_prefix("databricks") {
        Some("") => None,
        Some(rest) if rest.starts_with("://") => {
            let named = uri["databricks://".len()..]
                .split('/')
                .next()
                .unwrap_or_default();
            if named.contains(':') {
                return wrong(
                    "secret scopes only exist inside Databricks; expected `databricks://profile`",
                );
            }
            if named.is_empty() {
                return wrong("expected `databricks` or `databricks://profile`");
            }
            Some(named)
        }
        Some(rest) if rest.starts_with(':') => {
            return wrong("expected `databricks` or `databricks://profile`");
        }
        _ => return Ok(None),
    };
    match named.or(env.get("DATABRICKS_CONFIG_PROFILE")) {
        Some(profile) => from_file(Some(profile), env, disk),
        None => match from_environment(env)? {
            Some(workspace) => Ok(workspace),
            None => from_file(None, env, disk),
        },
    }
    .map(Some)
}

fn from_environment(env: &Env) -> Result<Option<Workspace>, SettingsError> {
    const HOST: &str = "DATABRICKS_HOST";
    const TOKEN: &str = "DATABRICKS_TOKEN";
    match (env.get(HOST), env.get(TOKEN)) {
        (Some(host), Some(token)) => Workspace::new(host, token, HOST).map(Some),
        (None, None) => Ok(None),
        (Some(_), None) => {
            let others = [
                "DATABRICKS_CLIENT_ID",
                "DATABRICKS_USERNAME",
                "DATABRICKS_AUTH_TYPE",
                "ARM_CLIENT_ID",
                "GOOGLE_CREDENTIALS",
            ];
            Err(
                match others.into_iter().find(|name| env.get(name).is_some()) {
                    Some(what) => SettingsError::DatabricksLogin {
                        what: what.to_owned(),
                    },
                    None => SettingsError::Databricks {
                        reason: format!("{HOST} is set, but {TOKEN} is not"),
                    },
                },
            )
        }
        (None, Some(_)) => Err(SettingsError::Databricks {
            reason: format!("{TOKEN} is set, but {HOST} is not"),
        }),
    }
}

fn from_file(
    profile: Option<&str>,
    env: &Env,
    disk: &dyn Disk,
) -> Result<Workspace, SettingsError> {
    let failed = |reason: String| Err(SettingsError::Databricks { reason });
    let Some(path) = file_path(env) else {
        return failed("neither DATABRICKS_HOST nor a home folder is set".to_owned());
    };
    let shown = path.display();
    let Some(file) = credentials::ini_file(&path, disk)? else {
        return failed(match profile {
            Some(profile) => format!("there is no {shown} to read profile `{profile}` from"),
            None => format!("neither DATABRICKS_HOST nor {shown} is there"),
        });
    };
    let profile = profile
        .or_else(|| value(file.section(Some("__settings__"))?, "default_profile"))
        .unwrap_or("DEFAULT");
    let Some(section) = file.section(Some(profile)) else {
        return failed(format!("{shown} has no profile `{profile}`"));
    };
    let other_login = value(section, "auth_type")
        .filter(|kind| *kind != "pat")
        .map(|kind| format!("auth_type `{kind}` of profile `{profile}`"));
    match (value(section, "host"), value(section, "token"), other_login) {
        (_, _, Some(what)) => Err(SettingsError::DatabricksLogin { what }),
        (Some(host), Some(token), None) => {
            let place = format!("host of profile `{profile}` in {shown}");
            Workspace::new(host, token, &place)
        }
        (None, _, None) => failed(format!("profile `{profile}` in {shown} has no host")),
        (Some(_), None, None) => {
            let other = section.iter().map(|(key, _)| key).find(|key| {
                !["host", "token", "account_id"].contains(&key.to_ascii_lowercase().as_str())
            });
            match other {
                Some(key) => Err(SettingsError::DatabricksLogin {
                    what: format!("`{key}` of profile `{profile}`"),
                }),
                None => failed(format!("profile `{profile}` in {shown} has no token")),
            }
        }
    }
}

/// A key that is there and not empty, in any case, as Python reads the file.
fn value<'a>(section: &'a Properties, key: &str) -> Option<&'a str> {
    section
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(key))
        .map(|(_, value)| value.trim())
        .filter(|value| !value.is_empty())
}

fn file_path(env: &Env) -> Option<PathBuf> {
    let home = || env.get("HOME").or(env.get("USERPROFILE"));
    match env.get("DATABRICKS_CONFIG_FILE") {
        Some(path) => Some(match (path.strip_prefix("~/"), home()) {
            (Some(rest), Some(home)) => [home, rest].iter().collect(),
            _ => PathBuf::from(path),
        }),
        None => Some([home()?, ".databrickscfg"].iter().collect()),
    }
}

impl Workspace {
    /// A token is not sent for everybody to read, but within one machine.
    fn new(host: &str, token: &str, place: &str) -> Result<Self, SettingsError> {
        let host = host.trim();
        let host = if host.contains("://") {
            host.to_owned()
        } else {
            format!("https://{host}")
        };
        let url = Url::parse(&host).ok();
        let is_safe = |url: &Url| url.scheme() == "https" || is_loopback(url);
        if !url.as_ref().is_some_and(is_safe) {
            return Err(SettingsError::Databricks {
                reason: format!("{place} has to be a host or begin with https://"),
            });
        }
        Ok(Self {
            host,
            credentials: Credentials::Token(Secret::new(token.trim())),
        })
    }
}

fn is_loopback(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::super::disk::RealDisk;
    use super::*;

    const FILE: &str = "\
[DEFAULT]
host = https://default.example.com/
token = dapi-default
; a comment
[prod]
HOST = prod.example.com
token = dapi-prod%1
[no-token]
host = https://x.example.com
[oauth]
host = https://x.example.com
client_id = abc
client_secret = hunter2
[cli]
host = https://x.example.com
auth_type = databricks-cli
token = dapi-x
";

    fn ask(uri: &str, variables: &[(&str, &str)]) -> Result<(String, String), String> {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join(".databrickscfg"), FILE).unwrap();
        let env: Env = variables
            .iter()
            .copied()
            .chain([("HOME", home.path().to_str().unwrap())])
            .collect();
        let found = workspace(uri, &env, &RealDisk)
            .map_err(|e| e.to_string())?
            .expect("a Databricks URI");
        let Credentials::Token(token) = found.credentials else {
            panic!("a token");
        };
        Ok((found.host, token.expose().to_owned()))
    }

    #[test]
    fn a_named_profile_is_the_only_source() {
        let all = [
            ("DATABRICKS_HOST", "https://env.example.com"),
            ("DATABRICKS_TOKEN", "dapi-env"),
        ];
        let profile = [("DATABRICKS_CONFIG_PROFILE", "prod")];
        for (uri, variables, host, token) in [
            (
                "databricks://prod",
                &all[..],
                "https://prod.example.com",
                "dapi-prod%1",
            ),
            (
                "databricks",
                &profile,
                "https://prod.example.com",
                "dapi-prod%1",
            ),
            ("databricks", &all, "https://env.example.com", "dapi-env"),
            (
                "databricks",
                &[],
                "https://default.example.com/",
                "dapi-default",
            ),
        ] {
            let found = ask(uri, variables).unwrap();
            assert_eq!((found.0.as_str(), found.1.as_str()), (host, token), "{uri}");
        }
    }

    #[test]
    fn host_and_token_never_come_from_different_places() {
        let error = ask("databricks", &[("DATABRICKS_HOST", "h")]).unwrap_err();
        assert!(error.contains("DATABRICKS_TOKEN is not"), "{error}");
        let error = ask("databricks", &[("DATABRICKS_TOKEN", "hunter2")]).unwrap_err();
        assert!(error.contains("DATABRICKS_HOST is not"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        let error = ask("databricks://no-token", &[("DATABRICKS_TOKEN", "t")]).unwrap_err();
        assert!(error.contains("has no token"), "{error}");
    }

    #[test]
    fn a_token_is_not_sent_in_the_open() {
        let ask = |host: &str| {
            ask(
                "databricks",
                &[("DATABRICKS_HOST", host), ("DATABRICKS_TOKEN", "hunter2")],
            )
        };
        for host in [
            "http://dbc.example.com",
            "HTTP://dbc",
            "ftp://dbc",
            "http://",
            "://",
        ] {
            let error = ask(host).unwrap_err();
            assert!(error.contains("DATABRICKS_HOST has to be"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        for host in [
            "dbc.example.com",
            "https://dbc",
            "http://127.0.0.1:5000",
            "http://[::1]",
        ] {
            assert!(ask(host).is_ok(), "{host}");
        }
    }

    #[test]
    fn what_mlt_cannot_log_in_with_is_named() {
        for (uri, said) in [
            ("databricks://oauth", "`client_id` of profile `oauth`"),
            ("databricks://cli", "auth_type `databricks-cli`"),
            ("databricks://gone", "has no profile `gone`"),
            ("databricks://scope:prefix", "secret scopes"),
            ("databricks-uc", "Unity Catalog"),
            ("databricks-uc://prod", "Unity Catalog"),
            ("databricks://", "expected `databricks`"),
            ("databricks:/prod", "expected `databricks`"),
        ] {
            let error = ask(uri, &[]).unwrap_err();
            assert!(error.contains(said), "{uri}: {error}");
            assert!(
                !error.contains("hunter2") && !error.contains("dapi"),
                "{error}"
            );
        }
        assert!(
            workspace("databricks.db", &Env::default(), &RealDisk)
                .unwrap()
                .is_none()
        );
    }
}
