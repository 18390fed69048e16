//! Which redirects are followed. Credentials stay with the server that they were
//! meant for, and are never sent less safely than the user asked for.

use reqwest::blocking::Response;
use reqwest::header::LOCATION;
use url::Url;

/// Where a redirect leads, without a login that it brings along: whose page it
/// is has no say in who mlt is.
pub(super) fn target(from: &Url, response: &Response) -> Option<Url> {
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let mut target = from.join(location).ok()?;
    // Both only fail for URLs without a host, which are not followed.
    let _ = target.set_username("");
    let _ = target.set_password(None);
    Some(target)
}

/// Why a redirect is not followed; `None` where it is.
pub(super) fn objection(from: &Url, to: &Url) -> Option<&'static str> {
    let same_host = from.host() == to.host();
    let same_server =
        from.port_or_known_default() == to.port_or_known_default() && from.scheme() == to.scheme();
    let upgrade = is(from, "http", 80) && is(to, "https", 443);
    if !is_web(to) {
        Some("that is no address of a server")
    } else if same_host && (same_server || upgrade) {
        None
    } else if looks_like_login(to) {
        Some("that seems to be a login page, where mlt cannot log in")
    } else if same_host {
        Some("it is another server on the same host, which mlt does not follow")
    } else {
        Some("it is another host, which mlt does not follow")
    }
}

/// What to do about a redirect that was not followed, beside the objection.
pub(super) fn advice(from: &Url, to: &Url) -> Option<String> {
    if !is_web(to) || origin(from) == origin(to) {
        return None;
    }
    if looks_like_login(to) {
        return Some(
            "set MLFLOW_TRACKING_TOKEN, or ask for an address of the server that takes one"
                .to_owned(),
        );
    }
    Some(format!(
        "if you trust it, use {} as the tracking URI",
        origin(to)
    ))
}

/// Scheme, host and port; of what is no address, the scheme.
pub(super) fn origin(url: &Url) -> String {
    if is_web(url) {
        format!("{}://{}", url.scheme(), host_of(url))
    } else {
        format!("a `{}:` address", url.scheme())
    }
}

/// Host and port.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn is(url: &Url, scheme: &str, port: u16) -> bool {
    url.scheme() == scheme && url.port_or_known_default() == Some(port)
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|h| !h.is_empty())
}

/// Whether a page for people is meant, who prove there who they are.
fn looks_like_login(url: &Url) -> bool {
    const WORDS: [&str; 11] = [
        "login",
        "signin",
        "sign_in",
        "sign-in",
        "logon",
        "oauth",
        "oauth2",
        "openid",
        "sso",
        "saml",
        "authorize",
    ];
    const KEYS: [&str; 6] = [
        "client_id",
        "redirect_uri",
        "response_type",
        "samlrequest",
        "returnurl",
        "next_url",
    ];
    let lower = url.path().to_ascii_lowercase();
    let in_path = lower
        .split(['/', '.', ';'])
        .any(|part| WORDS.contains(&part));
    let host = url.host_str().unwrap_or_default();
    let first = host.split('.').next().unwrap_or_default();
    in_path
        || WORDS.contains(&first)
        || url
            .query_pairs()
            .any(|(key, _)| KEYS.contains(&key.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn only_the_same_server_is_followed_to() {
        for (from, to) in [
            ("http://h:5000/a", "http://h:5000/b"),
            ("http://h/a", "http://h:80/b"),
            ("http://h/a", "https://h/a"),
            ("https://h/a", "https://h:443/login"),
        ] {
            assert_eq!(objection(&url(from), &url(to)), None, "{to}");
        }
        for (from, to) in [
            ("http://h:5000/a", "https://h:5000/a"),
            ("http://h:5000/a", "https://h/a"),
            ("http://h/a", "https://h:8443/a"),
            ("https://h/a", "http://h/a"),
            ("http://h/a", "http://h./a"),
            ("http://127.0.0.1/a", "http://[::ffff:127.0.0.1]/a"),
            ("http://h/a", "http://evil/a"),
            ("http://h/a", "ftp://h/a"),
            ("http://h/a", "file:///etc/passwd"),
        ] {
            assert!(objection(&url(from), &url(to)).is_some(), "{to}");
        }
    }

    #[test]
    fn nobody_is_told_to_use_what_is_no_server() {
        let from = url("http://h:5000/a");
        for to in [
            "javascript:alert(1)",
            "data:application/json,{}",
            "file:///etc/passwd",
            "https://sso.example.com/",
            "https://h/oauth2/authorize?client_id=x",
            "https://h/users/login.html",
        ] {
            let advice = advice(&from, &url(to)).unwrap_or_default();
            assert!(!advice.contains("tracking URI"), "{to}: {advice}");
        }
        let advice = advice(&from, &url("https://other/x")).unwrap();
        assert!(advice.contains("use https://other as"), "{advice}");
        assert_eq!(
            origin(&url("javascript:alert(1)")),
            "a `javascript:` address"
        );
    }
}
