//! The proxies that the environment names. The HTTP library finds them by itself,
//! and passes over in silence what it cannot use; here that is an error, and who
//! is in between is known for messages.

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use super::{Env, SettingsError};
use crate::store::{Proxies, Proxy, Secret};
use crate::uri::{percent_decode, without_credentials};

/// Those that the environment names for a server.
///
/// # Errors
/// A proxy for the server's own scheme that cannot be used.
pub(super) fn find(server: &Url, env: &Env) -> Result<Proxies, SettingsError> {
    // What a CGI script finds in HTTP_PROXY is a header of whoever asks.
    if env.is_set("REQUEST_METHOD") || is_excepted(server, env) {
        return Ok(Proxies::default());
    }
    let http = named(["HTTP_PROXY", "http_proxy"], env);
    let https = named(["HTTPS_PROXY", "https_proxy"], env);
    Ok(if server.scheme() == "https" {
        Proxies::new(None, https?)
    } else {
        Proxies::new(http?, https.ok().flatten())
    })
}

/// Whether `NO_PROXY` lists the server.
fn is_excepted(server: &Url, env: &Env) -> bool {
    let list = first_set(["NO_PROXY", "no_proxy"], env).map_or("", |(_, list)| list);
    let matcher = Matcher::builder().all("http://proxy").no(list).build();
    let uri = server.as_str().parse();
    uri.is_ok_and(|uri| matcher.intercept(&uri).is_none())
}

/// The first of two variables that is set; empty, it says that there is no proxy.
fn first_set<'e>(names: [&'static str; 2], env: &'e Env) -> Option<(&'static str, &'e str)> {
    names
        .into_iter()
        .find(|name| env.is_set(name))
        .map(|name| (name, env.get(name).unwrap_or_default()))
}

fn named(names: [&'static str; 2], env: &Env) -> Result<Option<Proxy>, SettingsError> {
    let found = first_set(names, env)
        .filter(|(_, value)| !value.is_empty())
        .or_else(|| first_set(["ALL_PROXY", "all_proxy"], env))
        .filter(|(_, value)| !value.is_empty());
    found.map(|(name, value)| read(name, value)).transpose()
}

fn read(variable: &'static str, value: &str) -> Result<Proxy, SettingsError> {
    let unusable = || SettingsError::Variable {
        name: variable,
        expected: "a proxy as http://host:port",
        found: without_credentials(value),
    };
    let with_scheme = if value.contains("://") {
        value.to_owned()
    } else {
        format!("http://{value}")
    };
    // Some of what is a URL is none to the HTTP library.
    let matcher = Matcher::builder().http(value).build();
    let server = "http://server/".parse().map_err(|_| unusable())?;
    let url = Url::parse(&with_scheme)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .filter(|_| matcher.intercept(&server).is_some() && value.matches('@').count() < 2)
        .ok_or_else(unusable)?;
    let host = url.host_str().ok_or_else(unusable)?;
    let password = url.password().unwrap_or_default();
    Ok(Proxy {
        variable,
        place: match url.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        },
        login: (!url.username().is_empty() || !password.is_empty()).then(|| {
            let password = Secret::new(percent_decode(password));
            (percent_decode(url.username()), password)
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_of(server: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let env: Env = variables.iter().copied().collect();
        let url = Url::parse(server).unwrap();
        let proxies = find(&url, &env).map_err(|error| error.to_string())?;
        Ok(proxies.on_the_way_to(&url).map(|p| p.place.clone()))
    }

    #[test]
    fn a_proxy_is_found_as_the_http_library_finds_it() {
        let server = "http://h:5000/x";
        for (variables, place) in [
            (&[][..], None),
            (&[("HTTP_PROXY", "http://p:3128")], Some("p:3128")),
            (&[("http_proxy", "p:3128")], Some("p:3128")),
            (&[("ALL_PROXY", "https://p")], Some("p:443")),
            (&[("HTTPS_PROXY", "http://p:1")], None),
            (&[("HTTP_PROXY", "http://p:1"), ("NO_PROXY", "x, h")], None),
            (
                &[("HTTP_PROXY", "http://p:1"), ("NO_PROXY", "hh")],
                Some("p:1"),
            ),
            (
                &[("HTTP_PROXY", "http://p:1"), ("REQUEST_METHOD", "GET")],
                None,
            ),
            (&[("HTTP_PROXY", ""), ("http_proxy", "http://p:1")], None),
            (&[("HTTP_PROXY", "http://u:s3cret@p:1")], Some("p:1")),
        ] {
            let found = host_of(server, variables).unwrap();
            assert_eq!(found.as_deref(), place, "{variables:?}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_without_its_password() {
        for value in [
            "socks5://u:s3cret@p:1080",
            "ftp://u:s3cret@p",
            "http://u:s3cret@",
            "http://u:s3/cret@p:1",
            "http//u:s3cret@p:1",
            "http://u:s3@cret@p:1",
            "://",
            "http://p:x",
        ] {
            let error = host_of("http://h", &[("HTTP_PROXY", value)]).unwrap_err();
            assert!(
                error.starts_with("$HTTP_PROXY: expected a proxy"),
                "{error}"
            );
            assert!(!error.contains("s3") && !error.contains("cret"), "{error}");
            // Another scheme's proxy does not matter.
            assert_eq!(host_of("https://h", &[("HTTP_PROXY", value)]), Ok(None));
        }
    }
}
