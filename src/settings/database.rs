//! Databases on servers, named by a URI of SQLAlchemy's, as MLflow's server takes it; what
//! the URI leaves out comes from the variables and files that PostgreSQL's own programs use.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use super::disk::{Disk, Found};
use super::location::scheme;
use super::{Env, Flags, LONGEST, MAX_TIME, SHORTEST, SettingsError, mysql};
use crate::store::{
    CertificateCheck, DatabaseKind, DatabasePlace, DatabaseTls, Encrypted, Location, Secret,
};
use crate::uri::{percent_decode, without_credentials};

const PORT: u16 = 5432;
/// Where PostgreSQL's sockets are.
const SOCKETS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// The schemes of PostgreSQL, with the drivers that Python has for it.
const SCHEMES: [&str; 5] = [
    "postgresql",
    "postgres",
    "postgresql+psycopg2",
    "postgresql+psycopg",
    "postgresql+asyncpg",
];

/// The variable for the password of a database.
pub(super) fn password_variable(uri: &str) -> Option<&'static str> {
    if mysql::is_named_by(uri) {
        return Some(mysql::PASSWORD);
    }
    SCHEMES
        .contains(&scheme(uri).as_str())
        .then_some("PGPASSWORD")
}

/// The database that a URI names; `None` where it names none that mlt reads.
///
/// # Errors
/// A URI of such a database that cannot be used.
pub(super) fn of_uri(
    uri: &str,
    flags: &Flags,
    env: &Env,
    disk: &dyn Disk,
) -> Result<Option<Location>, SettingsError> {
    let Some((_, rest)) = uri.split_once("://") else {
        return Ok(None);
    };
    let is_mysql = mysql::is_named_by(uri);
    if !is_mysql && !SCHEMES.contains(&scheme(uri).as_str()) {
        return Ok(None);
    }
    let wrong = |reason: &str| SettingsError::Uri {
        uri: without_credentials(uri),
        reason: reason.to_owned(),
    };
    let parts = Parts::of(rest).map_err(wrong)?;
    if is_mysql {
        let place = mysql::place(&parts, flags, env).map_err(|reason| wrong(&reason))?;
        return Ok(Some(Location::Database(Box::new(place))));
    }
    let option = |name: &str, variable: &str| {
        let given = parts.option(name).or_else(|| env.get(variable));
        given.map(str::to_owned)
    };
    if let Some(unknown) = parts.unknown(&KNOWN) {
        return Err(wrong(&format!("mlt does not know its option `{unknown}`")));
    }
    let port = match parts.port.clone().or_else(|| option("port", "PGPORT")) {
        None => PORT,
        Some(port) => number(&port).ok_or_else(|| wrong("its port is no number up to 65535"))?,
    };
    let hosts = hosts(&parts, port, env, disk).map_err(wrong)?;
    let user = parts
        .user
        .clone()
        .or_else(|| option("user", "PGUSER"))
        .or_else(|| env.get("USER").map(str::to_owned))
        .ok_or_else(|| wrong("it names no user"))?;
    let database = parts
        .database
        .clone()
        .or_else(|| option("dbname", "PGDATABASE"))
        .unwrap_or_else(|| user.clone());
    let password = match parts
        .password
        .clone()
        .or_else(|| option("password", "PGPASSWORD"))
    {
        Some(password) => Some(password),
        None => of_passfile(&hosts, &database, &user, env, disk)?,
    };
    let connect_timeout = option("connect_timeout", "PGCONNECT_TIMEOUT");
    let connect_timeout = patience(flags, connect_timeout.as_deref());
    let connect_timeout = connect_timeout.map_err(|reason| wrong(&reason))?;
    let place = DatabasePlace {
        kind: DatabaseKind::Postgres,
        hosts,
        user,
        password: password.map(Secret::new),
        database,
        options: option("options", "PGOPTIONS"),
        tls: tls(&option, env, disk).map_err(|reason| wrong(&reason))?,
        connect_timeout,
        max_time: flags.max_time.unwrap_or(MAX_TIME).clamp(SHORTEST, LONGEST),
        workspace: None,
    };
    Ok(Some(Location::Database(Box::new(place))))
}

/// Options that are taken, or that change nothing here.
const KNOWN: [&str; 19] = [
    "host",
    "port",
    "user",
    "password",
    "dbname",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "options",
    "connect_timeout",
    "application_name",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "target_session_attrs",
    "client_encoding",
];

/// What stands behind `://`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parts {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) host: Option<String>,
    pub(super) port: Option<String>,
    pub(super) database: Option<String>,
    options: HashMap<String, Vec<String>>,
}

impl Parts {
    /// An option, as it was named last.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        let all = self.options.get(name)?;
        all.last().map(String::as_str)
    }

    /// An option that is none of these.
    pub(super) fn unknown(&self, known: &[&str]) -> Option<&str> {
        let mut names = self.options.keys().map(String::as_str);
        names.find(|name| !known.contains(name))
    }

    fn of(rest: &str) -> Result<Self, &'static str> {
        const ESCAPE: &str =
            "a `/`, `?`, `#` or `@` in a password is written as %2F, %3F, %23 or %40";
        let mut parts = Self::default();
        let (rest, query) = match rest.split_once('?') {
            // A password may have one, too.
            Some((before, after)) if after.contains('@') && !before.contains('@') => {
                return Err(ESCAPE);
            }
            Some((before, after)) => (before, after),
            None => (rest, ""),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode(&value.replace('+', " "));
            parts
                .options
                .entry(percent_decode(name))
                .or_default()
                .push(value);
        }
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        if database.contains('@') {
            return Err(ESCAPE);
        }
        let text = |text: &str| Some(percent_decode(text)).filter(|text| !text.is_empty());
        parts.database = text(database);
        let place = match authority.rsplit_once('@') {
            Some((login, _)) if login.contains('@') => return Err(ESCAPE),
            Some((login, place)) => {
                let (user, password) = match login.split_once(':') {
                    Some((user, password)) => (user, text(password)),
                    None => (login, None),
                };
                parts.user = text(user);
                parts.password = password;
                place
            }
            None => authority,
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(address) => {
                let (host, port) = address.split_once(']').ok_or("its `[` has no `]`")?;
                (host, port.strip_prefix(':').unwrap_or(port))
            }
            None => place.split_once(':').unwrap_or((place, "")),
        };
        parts.host = text(host);
        parts.port = text(port);
        Ok(parts)
    }
}

/// How long a connection may take to be there: as the flag says, else the option; 5 s where
/// that does not say, or says none.
pub(super) fn patience(flags: &Flags, connect_timeout: Option<&str>) -> Result<Duration, String> {
    let given = match connect_timeout {
        None => 0,
        Some(text) => text
            .trim()
            .parse::<i64>()
            .map_err(|_| format!("its connect_timeout is a number of seconds, and not `{text}`"))?,
    };
    let seconds = u64::try_from(given).ok().filter(|seconds| *seconds > 0);
    let patience = flags
        .timeout
        .unwrap_or(Duration::from_secs(seconds.unwrap_or(5)));
    Ok(patience.clamp(SHORTEST, LONGEST))
}

pub(super) fn number(port: &str) -> Option<u16> {
    port.trim().parse().ok().filter(|port| *port > 0)
}

/// Hosts and ports: the URI's, or those of its option `host`, which may be several and have
/// ports of their own, or the variable's.
fn hosts(
    parts: &Parts,
    port: u16,
    env: &Env,
    disk: &dyn Disk,
) -> Result<Vec<(String, u16)>, &'static str> {
    if let Some(host) = &parts.host {
        return Ok(vec![(host.clone(), port)]);
    }
    let named: Vec<String> = match (parts.options.get("host"), env.get("PGHOST")) {
        (Some(all), _) => all.iter().flat_map(|some| list(some)).collect(),
        (None, Some(all)) => list(all),
        (None, None) => Vec::new(),
    };
    if named.is_empty() {
        let socket = |folder: &&str| {
            let path = format!("{folder}/.s.PGSQL.{port}");
            disk.look(path.as_ref()) != Found::Nothing
        };
        let folder = SOCKETS
            .into_iter()
            .find(|folder| cfg!(unix) && socket(folder));
        return Ok(vec![(folder.unwrap_or("localhost").to_owned(), port)]);
    }
    let with_port = |host: String| match host.rsplit_once(':') {
        Some((name, own)) if !name.contains(':') && !host.starts_with('/') => {
            let own = number(own).ok_or("its port is no number up to 65535")?;
            Ok((name.to_owned(), own))
        }
        _ => Ok((host, port)),
    };
    named.into_iter().map(with_port).collect()
}

fn list(hosts: &str) -> Vec<String> {
    let all = hosts.split(',').filter(|host| !host.is_empty());
    all.map(str::to_owned).collect()
}

fn home(env: &Env) -> Option<PathBuf> {
    env.get("HOME").map(PathBuf::from)
}

fn tls(
    option: &impl Fn(&str, &str) -> Option<String>,
    env: &Env,
    disk: &dyn Disk,
) -> Result<DatabaseTls, String> {
    let mode = option("sslmode", "PGSSLMODE");
    let file = |name: &str, variable: &str, own: &str| -> Option<PathBuf> {
        let usual = || {
            let path = home(env)?.join(".postgresql").join(own);
            (disk.look(&path) != Found::Nothing).then_some(path)
        };
        option(name, variable).map(PathBuf::from).or_else(usual)
    };
    let mut authorities = file("sslrootcert", "PGSSLROOTCERT", "root.crt");
    let of_system = authorities
        .as_ref()
        .is_some_and(|path| path.as_os_str() == "system");
    if of_system {
        authorities = None;
    }
    let client_certificate = file("sslcert", "PGSSLCERT", "postgresql.crt").zip(file(
        "sslkey",
        "PGSSLKEY",
        "postgresql.key",
    ));
    // Authorities of one's own are there to be trusted, and no others.
    let of_own = if of_system {
        CertificateCheck::AuthorityAndName
    } else if authorities.is_some() {
        CertificateCheck::Authority
    } else {
        CertificateCheck::Nothing
    };
    let (encrypted, checks) = match mode.as_deref() {
        Some("disable") => (Encrypted::Never, CertificateCheck::Nothing),
        None | Some("prefer" | "allow") if of_system => (Encrypted::Always, of_own),
        None | Some("prefer" | "allow") => (Encrypted::IfPossible, CertificateCheck::Nothing),
        Some("require") => (Encrypted::Always, of_own),
        Some("verify-ca") => (Encrypted::Always, of_own.max(CertificateCheck::Authority)),
        Some("verify-full") => (Encrypted::Always, CertificateCheck::AuthorityAndName),
        Some(other) => {
            return Err(format!(
                "its sslmode is one of disable, allow, prefer, require, verify-ca and \
                 verify-full, and not `{other}`"
            ));
        }
    };
    Ok(DatabaseTls {
        encrypted,
        checks,
        authorities,
        client_certificate,
    })
}

/// The password that `~/.pgpass` has for a database.
fn of_passfile(
    hosts: &[(String, u16)],
    database: &str,
    user: &str,
    env: &Env,
    disk: &dyn Disk,
) -> Result<Option<String>, SettingsError> {
    let usual = || Some(home(env)?.join(".pgpass"));
    let Some(path) = env.get("PGPASSFILE").map(PathBuf::from).or_else(usual) else {
        return Ok(None);
    };
    let text = disk
        .read(&path)
        .map_err(|error| SettingsError::CredentialsFile {
            path: path.display().to_string(),
            reason: crate::io_words::plain_io_reason(&error),
        })?;
    let Some((host, port)) = hosts.first() else {
        return Ok(None);
    };
    let host = if SOCKETS.contains(&host.as_str()) {
        "localhost"
    } else {
        host
    };
    let wanted = [host, &port.to_string(), database, user];
    let lines = text.as_deref().unwrap_or_default().lines();
    let password = lines
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| password_of_line(line, wanted));
    // As `psql`, which does without it then.
    if password.is_some() && !disk.is_private(&path) {
        return Err(SettingsError::CredentialsFile {
            path: path.display().to_string(),
            reason: "others may read it, and no password is taken from such a file; \
                     `chmod 600` makes it its owner's alone"
                .to_owned(),
        });
    }
    Ok(password)
}

/// `host:port:database:user:password`, in which `*` is anything and `\` escapes.
fn password_of_line(line: &str, wanted: [&str; 4]) -> Option<String> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => fields.last_mut()?.extend(chars.next()),
            ':' if fields.len() < 5 => fields.push(String::new()),
            c => fields.last_mut()?.push(c),
        }
    }
    let [host, port, database, user, password] = <[String; 5]>::try_from(fields).ok()?;
    let fits = [host, port, database, user]
        .iter()
        .zip(wanted)
        .all(|(own, wanted)| own == "*" || own == wanted);
    fits.then_some(password)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::*;

    struct Passfile;

    impl Disk for Passfile {
        fn look(&self, _path: &Path) -> Found {
            Found::Nothing
        }

        fn folders(&self, _path: &Path) -> Vec<String> {
            Vec::new()
        }

        fn read(&self, path: &Path) -> io::Result<Option<String>> {
            let text = "# h:1:*:*:no\nother:5432:*:*:no\nh:5432:db:ann:a\\:b\\\\c:d\n*:*:*:*:any\n";
            Ok(path.ends_with(".pgpass").then(|| text.to_owned()))
        }

        fn is_private(&self, path: &Path) -> bool {
            path.starts_with("/home/ann")
        }
    }

    fn place(uri: &str, env: &[(&str, &str)]) -> Result<DatabasePlace, String> {
        let env: Env = env.iter().copied().collect();
        match of_uri(uri, &Flags::default(), &env, &Passfile) {
            Ok(Some(Location::Database(place))) => Ok(*place),
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn uris_of_sqlalchemy_name_a_database_and_a_login() {
        for (uri, name, login) in [
            (
                "postgresql://ann:pw@h/db",
                "postgresql://h:5432/db",
                "ann pw",
            ),
            ("postgres://ann:pw@h:1/db", "postgresql://h:1/db", "ann pw"),
            (
                "POSTGRESQL+psycopg2://ann:a%40%2Fb@h/d%20b",
                "postgresql://h:5432/d b",
                "ann a@/b",
            ),
            (
                "postgresql+psycopg://ann:p:w@[::1]:7/db",
                "postgresql://[::1]:7/db",
                "ann p:w",
            ),
            (
                "postgresql://ann:pw@/db?host=/run/pg&port=9",
                "postgresql:///run/pg:9/db",
                "ann pw",
            ),
            (
                "postgresql://ann:pw@/db?host=a:1&host=b",
                "postgresql://a:1,b:5432/db",
                "ann pw",
            ),
            ("postgresql://ann:pw@h", "postgresql://h:5432/ann", "ann pw"),
        ] {
            let place = place(uri, &[]).unwrap();
            assert_eq!(place.name(), name, "{uri}");
            let password = place.password.as_ref().map_or("", Secret::expose);
            assert_eq!(format!("{} {password}", place.user), login, "{uri}");
        }
    }

    #[test]
    fn what_a_uri_leaves_out_comes_from_variables_and_files() {
        let env = [("HOME", "/home/ann"), ("USER", "ann")];
        let of_file = place("postgresql://h/db", &env).unwrap();
        assert_eq!(of_file.password.unwrap().expose(), "a:b\\c:d");
        let any = place("postgresql://bob@h/db", &env).unwrap();
        assert_eq!(any.password.unwrap().expose(), "any");
        let open = [("HOME", "/home/bob"), ("USER", "ann")];
        let refused = place("postgresql://h/db", &open).unwrap_err();
        assert!(
            refused.starts_with("cannot read /home/bob/.pgpass: others may read it"),
            "{refused}"
        );
        assert!(place("postgresql://ann:pw@h/db", &open).is_ok());
        let env = [
            ("PGPASSWORD", "v"),
            ("PGHOST", "p"),
            ("PGUSER", "u"),
            ("PGDATABASE", "d"),
        ];
        let of_variables = place("postgresql://", &env).unwrap();
        assert_eq!(of_variables.name(), "postgresql://p:5432/d");
        assert_eq!(of_variables.password.unwrap().expose(), "v");
        assert_eq!(of_variables.user, "u");
    }

    #[test]
    fn options_say_how_it_is_encrypted_and_what_is_looked_at() {
        use CertificateCheck::{Authority, AuthorityAndName, Nothing};
        let of = |query: &str| place(&format!("postgresql://a@h/d?{query}"), &[]).unwrap();
        assert_eq!(
            of("options=-csearch_path%3Dml").options.as_deref(),
            Some("-csearch_path=ml")
        );
        for (mode, encrypted, checks) in [
            ("disable", Encrypted::Never, Nothing),
            ("prefer", Encrypted::IfPossible, Nothing),
            ("require", Encrypted::Always, Nothing),
            ("require&sslrootcert=/ca.pem", Encrypted::Always, Authority),
            ("verify-ca", Encrypted::Always, Authority),
            ("verify-full", Encrypted::Always, AuthorityAndName),
            (
                "verify-ca&sslrootcert=system",
                Encrypted::Always,
                AuthorityAndName,
            ),
        ] {
            let tls = of(&format!("sslmode={mode}")).tls;
            assert_eq!((tls.encrypted, tls.checks), (encrypted, checks), "{mode}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_said_without_the_password() {
        for (uri, said) in [
            ("postgresql://ann:s3/cret@h/db", "written as %2F"),
            ("postgresql://ann:s3@cret@h/db", "written as %2F"),
            ("postgresql://ann:s3?cret@h/db", "written as %2F"),
            ("postgresql://ann:s3cret@h:x/db", "port"),
            ("postgresql://ann:s3cret@h/db?sslmode=maybe", "sslmode"),
            ("postgresql://ann:s3cret@h/db?colour=red", "`colour`"),
            ("postgresql://h/db", "no user"),
        ] {
            let error = place(uri, &[]).unwrap_err();
            assert!(error.contains(said), "{uri}: {error}");
            assert!(!error.contains("s3") && !error.contains("cret"), "{error}");
        }
    }
}
