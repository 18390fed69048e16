//! Databases of MySQL and MariaDB, named by a URI as SQLAlchemy takes it for the drivers that
//! Python has. Options of all these drivers are known by their names.

use super::database::{Parts, number, patience};
use super::location::scheme;
use super::{Env, Flags, LONGEST, MAX_TIME, SHORTEST};
use crate::store::{CertificateCheck, DatabaseKind, DatabasePlace, DatabaseTls, Encrypted, Secret};
use std::path::PathBuf;

const PORT: u16 = 3306;

/// The variable for the password, as the server's own programs have it.
pub(super) const PASSWORD: &str = "MYSQL_PWD";

/// Whether a URI names such a database, whichever driver it is for.
pub(super) fn is_named_by(uri: &str) -> bool {
    let scheme = scheme(uri);
    let kind = scheme.split_once('+').map_or(&*scheme, |(kind, _)| kind);
    matches!(kind, "mysql" | "mariadb")
}

/// Options that are taken, or that change nothing here.
const KNOWN: [&str; 27] = [
    "host",
    "port",
    "user",
    "password",
    "passwd",
    "db",
    "database",
    "unix_socket",
    "connect_timeout",
    "ssl_ca",
    "ssl_cert",
    "ssl_key",
    "ssl_mode",
    "ssl_disabled",
    "ssl_verify_cert",
    "ssl_verify_identity",
    "ssl_check_hostname",
    // Texts come and go in one way, and answers wait for `--max-time`.
    "charset",
    "collation",
    "use_unicode",
    "binary_prefix",
    "read_timeout",
    "write_timeout",
    "local_infile",
    "compress",
    "client_flag",
    "program_name",
];

/// # Errors
/// Why a URI cannot be used.
pub(super) fn place(parts: &Parts, flags: &Flags, env: &Env) -> Result<DatabasePlace, String> {
    if let Some(unknown) = parts.unknown(&KNOWN) {
        return Err(format!("mlt does not know its option `{unknown}`"));
    }
    let option = |name: &str| parts.option(name).map(str::to_owned);
    let port = match parts.port.clone().or_else(|| option("port")) {
        None => PORT,
        Some(port) => number(&port).ok_or("its port is no number up to 65535")?,
    };
    let host = option("unix_socket")
        .or_else(|| parts.host.clone())
        .or_else(|| option("host"))
        .unwrap_or_else(|| "localhost".to_owned());
    let user = parts
        .user
        .clone()
        .or_else(|| option("user"))
        .or_else(|| env.get("USER").map(str::to_owned))
        .ok_or("it names no user")?;
    let database = parts
        .database
        .clone()
        .or_else(|| option("database"))
        .or_else(|| option("db"))
        .ok_or("it names no database")?;
    let password = parts
        .password
        .clone()
        .or_else(|| option("password"))
        .or_else(|| option("passwd"))
        .or_else(|| env.get(PASSWORD).map(str::to_owned));
    Ok(DatabasePlace {
        kind: DatabaseKind::Mysql,
        hosts: vec![(host, port)],
        user,
        password: password.filter(|text| !text.is_empty()).map(Secret::new),
        database,
        options: None,
        tls: tls(&option)?,
        connect_timeout: patience(flags, parts.option("connect_timeout"))?,
        max_time: flags.max_time.unwrap_or(MAX_TIME).clamp(SHORTEST, LONGEST),
        workspace: None,
    })
}

/// Whoever names an authority wants certificates checked, and their names with them, unless
/// it is said otherwise.
fn tls(option: &impl Fn(&str) -> Option<String>) -> Result<DatabaseTls, String> {
    let truth = |name: &str| -> Result<Option<bool>, String> {
        let Some(value) = option(name) else {
            return Ok(None);
        };
        match value.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Some(true)),
            "false" | "0" | "no" | "off" => Ok(Some(false)),
            _ => Err(format!("its {name} is true or false, and not `{value}`")),
        }
    };
    let file = |name: &str| option(name).map(PathBuf::from);
    let authorities = file("ssl_ca");
    let client_certificate = match (file("ssl_cert"), file("ssl_key")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        // As Python has it, one file may hold both.
        (Some(both), None) => Some((both.clone(), both)),
        (None, Some(_)) => return Err("it names an ssl_key without an ssl_cert".to_owned()),
        (None, None) => None,
    };
    let mode = option("ssl_mode").map(|mode| mode.to_ascii_uppercase());
    let (mut encrypted, of_mode) = match mode.as_deref() {
        None | Some("PREFERRED") => (Encrypted::IfPossible, CertificateCheck::Nothing),
        Some("DISABLED") => (Encrypted::Never, CertificateCheck::Nothing),
        Some("REQUIRED") => (Encrypted::Always, CertificateCheck::Nothing),
        Some("VERIFY_CA") => (Encrypted::Always, CertificateCheck::Authority),
        Some("VERIFY_IDENTITY") => (Encrypted::Always, CertificateCheck::AuthorityAndName),
        Some(other) => {
            return Err(format!(
                "its ssl_mode is one of DISABLED, PREFERRED, REQUIRED, VERIFY_CA and \
                 VERIFY_IDENTITY, and not `{other}`"
            ));
        }
    };
    let (verify, identity) = (truth("ssl_verify_cert")?, truth("ssl_verify_identity")?);
    let of_name = identity.or(truth("ssl_check_hostname")?);
    let wants = authorities.is_some() || verify == Some(true) || of_name == Some(true);
    let of_options = match (wants, verify, of_name) {
        (true, Some(false), None | Some(false)) | (false, ..) => CertificateCheck::Nothing,
        (true, _, Some(false)) => CertificateCheck::Authority,
        (true, ..) => CertificateCheck::AuthorityAndName,
    };
    let checks = if mode.is_some() {
        of_mode.max(if verify == Some(true) || of_name == Some(true) {
            of_options
        } else {
            CertificateCheck::Nothing
        })
    } else {
        of_options
    };
    if encrypted == Encrypted::IfPossible && (wants || client_certificate.is_some()) {
        encrypted = Encrypted::Always;
    }
    if truth("ssl_disabled")? == Some(true) {
        encrypted = Encrypted::Never;
    }
    Ok(DatabaseTls {
        encrypted,
        checks,
        authorities,
        client_certificate,
    })
}

#[cfg(test)]
mod tests {
    use super::super::database::of_uri;
    use super::super::disk::RealDisk;
    use super::*;
    use crate::store::Location;

    fn place(uri: &str, env: &[(&str, &str)]) -> Result<DatabasePlace, String> {
        let env: Env = env.iter().copied().collect();
        match of_uri(uri, &Flags::default(), &env, &RealDisk) {
            Ok(Some(Location::Database(place))) => Ok(*place),
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn uris_of_every_driver_name_a_database_and_a_login() {
        for (uri, name, login) in [
            ("mysql://ann:pw@h/db", "mysql://h:3306/db", "ann pw"),
            (
                "mysql+pymysql://ann:a%40%2Fb@h:1/db?charset=utf8mb4",
                "mysql://h:1/db",
                "ann a@/b",
            ),
            ("MYSQL+mysqldb://ann@h/db", "mysql://h:3306/db", "ann "),
            (
                "mysql+mysqlconnector://ann@[::1]:7/db",
                "mysql://[::1]:7/db",
                "ann ",
            ),
            (
                "mariadb+pymysql://ann@/db",
                "mysql://localhost:3306/db",
                "ann ",
            ),
            (
                "mysql://ann@h/db?unix_socket=%2Frun%2Fmysqld%2Fmysqld.sock",
                "mysql:///db?unix_socket=/run/mysqld/mysqld.sock",
                "ann ",
            ),
        ] {
            let place = place(uri, &[]).unwrap();
            assert_eq!(place.name(), name, "{uri}");
            let password = place.password.as_ref().map_or("", Secret::expose);
            assert_eq!(format!("{} {password}", place.user), login, "{uri}");
        }
        let env = [("MYSQL_PWD", "v"), ("USER", "u")];
        let of_variables = place("mysql://h/db", &env).unwrap();
        assert_eq!(of_variables.password.unwrap().expose(), "v");
        assert_eq!(of_variables.user, "u");
    }

    #[test]
    fn options_say_how_it_is_encrypted_and_what_is_looked_at() {
        use CertificateCheck::{Authority, AuthorityAndName, Nothing};
        use Encrypted::{Always, IfPossible, Never};
        for (options, encrypted, checks) in [
            ("", IfPossible, Nothing),
            ("ssl_disabled=true", Never, Nothing),
            ("ssl_mode=DISABLED", Never, Nothing),
            ("ssl_mode=required", Always, Nothing),
            ("ssl_mode=VERIFY_CA", Always, Authority),
            (
                "ssl_mode=VERIFY_IDENTITY&ssl_ca=/ca",
                Always,
                AuthorityAndName,
            ),
            ("ssl_mode=VERIFY_CA&ssl_ca=/ca", Always, Authority),
            ("ssl_ca=/ca", Always, AuthorityAndName),
            ("ssl_ca=/ca&ssl_check_hostname=false", Always, Authority),
            ("ssl_ca=/ca&ssl_verify_identity=0", Always, Authority),
            ("ssl_ca=/ca&ssl_verify_cert=false", Always, Nothing),
            ("ssl_verify_cert=true", Always, AuthorityAndName),
            ("ssl_verify_identity=true", Always, AuthorityAndName),
            ("ssl_cert=/c&ssl_key=/k", Always, Nothing),
            ("ssl_cert=/both", Always, Nothing),
        ] {
            let tls = place(&format!("mysql://a@h/d?{options}"), &[]).unwrap().tls;
            assert_eq!(
                (tls.encrypted, tls.checks),
                (encrypted, checks),
                "{options}"
            );
        }
    }

    #[test]
    fn what_cannot_be_used_is_said_without_the_password() {
        for (uri, said) in [
            ("mysql://ann:s3/cret@h/db", "written as %2F"),
            ("mysql://ann:s3cret@h:x/db", "port"),
            ("mysql://ann:s3cret@h/db?ssl_mode=maybe", "ssl_mode"),
            (
                "mysql://ann:s3cret@h/db?ssl_verify_cert=maybe",
                "ssl_verify_cert",
            ),
            ("mysql://ann:s3cret@h/db?colour=red", "`colour`"),
            ("mysql://ann:s3cret@h/db?ssl_key=/k", "without an ssl_cert"),
            (
                "mysql://ann:s3cret@h/db?connect_timeout=soon",
                "connect_timeout is a number of seconds",
            ),
            ("mysql://ann:s3cret@h", "no database"),
            ("mysql://h/db", "no user"),
        ] {
            let error = place(uri, &[]).unwrap_err();
            assert!(error.contains(said), "{uri}: {error}");
            assert!(!error.contains("s3") && !error.contains("cret"), "{error}");
        }
    }
}
