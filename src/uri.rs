//! URIs as people and MLflow write them: percent escapes, paths of files, and logins
//! that nobody is to see.

use std::path::PathBuf;

/// Percent escapes decoded; anything that is not an escape stays.
pub(crate) fn percent_decode(text: &str) -> String {
    String::from_utf8_lossy(&percent_decoded(text)).into_owned()
}

/// The same, which may be no text.
pub(crate) fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escape = (first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = escape {
            decoded.push(byte);
            rest = &tail[2..];
        } else {
            decoded.push(first);
            rest = tail;
        }
    }
    decoded
}

/// The path of a `file:` URI: `file:///a`, `file://localhost/a`, `file:/a` or
/// `file:a`. `None` for other schemes and for files of other hosts.
pub(crate) fn file_uri_path(uri: &str) -> Option<PathBuf> {
    let scheme = uri.get(..5)?;
    if !scheme.eq_ignore_ascii_case("file:") {
        return None;
    }
    let rest = uri[5..].split(['?', '#']).next().unwrap_or_default();
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(with_host) => {
            let (host, path) = with_host.split_at(with_host.find('/').unwrap_or(with_host.len()));
            // MLflow takes `file://./a` for a file below the current directory.
            match host {
                "" | "localhost" | "127.0.0.1" => path,
                "." => path.trim_start_matches('/'),
                _ => return None,
            }
        }
    };
    let path = percent_decode(path);
    let drive = path
        .strip_prefix('/')
        .filter(|rest| cfg!(windows) && rest.as_bytes().get(1) == Some(&b':'));
    let path = drive.unwrap_or(&path);
    (!path.is_empty()).then(|| PathBuf::from(path))
}

/// What stands between `//` and `@` is left out, and what looks like it where
/// the scheme was forgotten, and so are options that hold secrets.
pub(crate) fn without_credentials(uri: &str) -> String {
    without_login(&without_secrets(uri))
}

/// The same, but for the user of a database, who is no secret and without whom it is
/// another place. Where else a login stands alone, it may be a token.
pub(crate) fn without_password(uri: &str) -> String {
    let bare = without_credentials(uri);
    let Some((scheme, rest)) = uri.split_once("://") else {
        return bare;
    };
    let kind = scheme.split('+').next().unwrap_or_default();
    let is_database = ["postgres", "postgresql", "mysql", "mariadb"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known));
    let user = rest.rsplit_once('@').map(|(login, _)| login);
    let user = user.and_then(|login| login.split(':').next());
    match (user, bare.strip_prefix(&format!("{scheme}://"))) {
        (Some(user), Some(place))
            if is_database && !user.is_empty() && !user.contains(['@', '/', '?', '#']) =>
        {
            format!("{scheme}://{user}@{place}")
        }
        _ => bare,
    }
}

/// Whether a URI or a connection string has a password among its options.
pub(crate) fn has_secret_option(uri: &str) -> bool {
    without_secrets(uri) != uri
}

/// Without options such as `password=…`: behind `?`, and in the connection strings of
/// PostgreSQL's own programs.
fn without_secrets(uri: &str) -> String {
    let is_secret = |option: &str| {
        option.split_once('=').is_some_and(|(name, _)| {
            let name = name.to_ascii_lowercase();
            let parts = ["pass", "pwd", "secret", "token"];
            parts.iter().any(|part| name.contains(part))
        })
    };
    let parts = |options: &str, between: char| -> (Vec<String>, Vec<String>) {
        let all = options.split(between).map(str::to_owned);
        all.partition(|option| is_secret(option))
    };
    let Some(scheme) = uri.find("://") else {
        if uri.split(' ').any(|option| option.starts_with("password=")) {
            return parts(uri, ' ').1.join(" ");
        }
        return uri.to_owned();
    };
    let Some((place, options)) = uri.split_once('?') else {
        return uri.to_owned();
    };
    let (secret, kept) = parts(options, '&');
    if secret.iter().any(|option| option.contains('@')) {
        // What is a login and what is an option, nobody can tell.
        return format!("{}://…", &uri[..scheme]);
    }
    match kept.join("&") {
        none if none.is_empty() => place.to_owned(),
        some => format!("{place}?{some}"),
    }
}

fn without_login(uri: &str) -> String {
    match (uri.find("://"), uri.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}{}", &uri[..scheme + 3], &uri[at + 1..])
        }
        (None, Some(at)) if uri[..at].contains(':') => uri[at + 1..].to_owned(),
        _ => uri.to_owned(),
    }
}

/// Everything but letters, digits and `-._~` as `%XX`.
pub(crate) fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_other_percent_signs_stay() {
        assert_eq!(percent_decode("a%20b%C3%A9"), "a bé");
        assert_eq!(percent_decode("100% %zz %+5 %4"), "100% %zz %+5 %4");
    }

    #[test]
    fn no_secret_is_left_in_a_uri() {
        for (uri, shown) in [
            ("postgresql://ann:pw@h/db", "postgresql://h/db"),
            ("postgresql://ann@h/db?password=pw", "postgresql://h/db"),
            (
                "postgresql://h/db?a=1&PassWrd=pw&b=2",
                "postgresql://h/db?a=1&b=2",
            ),
            ("postgresql://h/db?sslpassword=p@w&a=1", "postgresql://…"),
            ("postgresql://ann:p?pass=w@h/db", "postgresql://…"),
            ("postgresql://ann:p?w@h/db?a=1", "postgresql://h/db?a=1"),
            ("host=h password=pw user=ann", "host=h user=ann"),
            ("http://h/a?b", "http://h/a?b"),
            ("my token=3.jsonl", "my token=3.jsonl"),
            ("ann:pw@h/db", "h/db"),
        ] {
            assert_eq!(without_credentials(uri), shown);
        }
    }

    #[test]
    fn the_user_of_a_database_is_told_and_no_password() {
        for (uri, told) in [
            (
                "postgresql://ann:secret@db/mlflow",
                "postgresql://ann@db/mlflow",
            ),
            (
                "mysql+pymysql://ann@db/mlflow",
                "mysql+pymysql://ann@db/mlflow",
            ),
            ("postgresql://ann:se@cr/et@db/x", "postgresql://ann@db/x"),
            ("postgresql://:secret@db/x", "postgresql://db/x"),
            ("postgresql://db/x?user=ann&password=p@ss", "postgresql://…"),
            (
                "postgresql://ann:x@db/x?password=secret",
                "postgresql://ann@db/x",
            ),
            ("http://ann:secret@host/", "http://host/"),
            ("https://token@host/", "https://host/"),
            ("traces.jsonl", "traces.jsonl"),
        ] {
            assert_eq!(without_password(uri), told, "{uri}");
        }
    }

    #[test]
    fn file_uris_become_paths() {
        for (uri, path) in [
            ("file:///a/b%20c", Some("/a/b c")),
            ("file://localhost/a", Some("/a")),
            ("file:/a", Some("/a")),
            ("FILE:rel/b", Some("rel/b")),
            ("file:./rel", Some("./rel")),
            ("file://./rel", Some("rel")),
            ("file://server/a", None),
            ("file://", None),
            ("files:a", None),
        ] {
            assert_eq!(file_uri_path(uri), path.map(PathBuf::from), "{uri}");
        }
    }
}
