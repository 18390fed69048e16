//! What went wrong on the way to a server or back, told from the HTTP and TLS
//! libraries' own words, of which only those are kept that help a person.

use std::error::Error as _;
use std::io;

use chrono::DateTime;

use super::body::cut;
use crate::store::Proxy;
use crate::store::StoreError;

/// Why a proxy passes nothing on, where it only wants to know who asks.
pub(super) const WANTS_LOGIN: &str = "it wants a login";

/// Characters of a cause that are shown.
const SHOWN: usize = 200;

/// Where a fault happened.
pub(super) struct Place<'p> {
    /// Host and port.
    pub(super) host: String,
    /// The proxy in between.
    pub(super) proxy: Option<&'p Proxy>,
    /// Bytes of the body that had arrived; `None` before the first.
    pub(super) received: Option<usize>,
}

/// The innermost cause, in lower case, without the system's error number and
/// the TLS library's link to its manual.
fn cause(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(cause) = inner {
        text = cause.to_string();
        inner = cause.source();
    }
    for tail in [" (os error", ": https://"] {
        text.truncate(text.find(tail).unwrap_or(text.len()));
    }
    cut(&text.to_lowercase(), SHOWN)
}

/// A fault of the HTTP library, by what it means.
pub(super) fn transport(place: Place<'_>, error: &reqwest::Error) -> StoreError {
    let reason = cause(error);
    let connecting = error.is_connect();
    told(place, &reason, connecting)
}

fn told(place: Place<'_>, reason: &str, connecting: bool) -> StoreError {
    let Place {
        host,
        proxy,
        received,
    } = place;
    if reason.contains("certificaterequired") {
        let reason = "it wants a client certificate".to_owned();
        return StoreError::Unreachable { host, reason };
    }
    let about_certificate = reason.contains("invalid peer certificate")
        || reason.contains("certificate") && !reason.contains("alert");
    if about_certificate {
        let reason = certificate(reason);
        return StoreError::Tls { host, reason };
    }
    if let Some(proxy) = proxy.filter(|_| connecting) {
        return StoreError::Proxy {
            proxy: proxy.place.clone(),
            variable: proxy.variable,
            reason: tunnel(reason),
        };
    }
    let reason = in_words(reason);
    match received {
        Some(received) => StoreError::BrokenOff {
            host,
            received,
            reason,
        },
        None => StoreError::Unreachable { host, reason },
    }
}

/// Why a proxy did not pass a connection on.
fn tunnel(reason: &str) -> String {
    let Some(rest) = reason.strip_prefix("tunnel error: ") else {
        return in_words(reason);
    };
    if rest.contains("authorization required") {
        WANTS_LOGIN.to_owned()
    } else if rest.contains("unsuccessful") {
        "it does not connect to the server".to_owned()
    } else {
        "it did not answer as a proxy does".to_owned()
    }
}

/// Why a connection could not be used.
fn in_words(reason: &str) -> String {
    const WORDS: [(&str, &str); 14] = [
        (
            "invalidcontenttype",
            "it does not answer by TLS; with `http://` it may answer",
        ),
        (
            "handshakefailure",
            "it and mlt have no way of TLS in common",
        ),
        (
            "protocolversion",
            "it and mlt have no version of TLS in common",
        ),
        (
            "peer is incompatible",
            "it and mlt have no way of TLS in common",
        ),
        ("unrecognisedname", "it serves no such name"),
        ("unrecognizedname", "it serves no such name"),
        ("fatal alert", "it broke off the TLS handshake"),
        ("received corrupt message", "it does not answer by TLS"),
        (
            "message head is too large",
            "the head of its answer is too large",
        ),
        ("content-length", "it announces an impossible length"),
        (
            "transfer-encoding",
            "the form of its answer is not one of HTTP",
        ),
        ("invalid http", "it does not answer by HTTP"),
        ("unexpected message", "it sends what was not asked for"),
        (
            "failed to lookup address information",
            "there is no address for this name",
        ),
    ];
    let known = WORDS.iter().find(|(known, _)| reason.contains(known));
    known.map_or_else(|| reason.to_owned(), |(_, words)| (*words).to_owned())
}

/// What is wrong with a certificate.
fn certificate(reason: &str) -> String {
    const WORDS: [(&str, &str); 6] = [
        ("unknownissuer", "its authority is not a known one"),
        (
            "causedasendentity",
            "it is the certificate of an authority and not of a server",
        ),
        ("revoked", "it was revoked"),
        ("badsignature", "its signature is wrong"),
        ("badencoding", "it is not in the form of a certificate"),
        ("unsupported", "it is of a kind that mlt does not know"),
    ];
    let known = WORDS.iter().find(|(known, _)| reason.contains(known));
    if let Some((_, words)) = known {
        return (*words).to_owned();
    }
    if let Some(date) = date_behind(reason, "not valid after ") {
        return format!("it expired on {date}");
    }
    if let Some(date) = date_behind(reason, "not valid before ") {
        return format!("it is not valid before {date}");
    }
    let plain = reason.trim_start_matches("invalid peer certificate: ");
    if plain.starts_with("certificate not valid for name") {
        return plain.to_owned();
    }
    "it is not one that a server may have".to_owned()
}

/// The day of the seconds that follow `words`.
fn date_behind(reason: &str, words: &str) -> Option<String> {
    let (_, rest) = reason.split_once(words)?;
    let digits: &str = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    let time = DateTime::from_timestamp(digits.parse().ok()?, 0)?;
    Some(time.format("%Y-%m-%d").to_string())
}

/// Why the body of an answer came to no end, where the HTTP library has no say.
pub(super) fn broken_body(error: &io::Error) -> String {
    let text = error.to_string().to_lowercase();
    let text = text.split(" (os error").next().unwrap_or_default();
    in_words(&cut(text, SHOWN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(reason: &str, proxy: bool) -> String {
        let between = Proxy {
            variable: "HTTPS_PROXY",
            place: "p:2".to_owned(),
            login: None,
        };
        let place = Place {
            host: "h:1".to_owned(),
            proxy: proxy.then_some(&between),
            received: None,
        };
        told(place, reason, true).to_string()
    }

    #[test]
    fn the_libraries_words_become_words_for_people() {
        for (reason, said) in [
            (
                "invalid peer certificate: certificate expired: verification time 1795000000 (unix), but certificate is not valid after 1790000000 (5000000 seconds ago)",
                "cannot trust the certificate of h:1: it expired on 2026-09-21",
            ),
            (
                "invalid peer certificate: badsignature",
                "cannot trust the certificate of h:1: its signature is wrong",
            ),
            (
                "invalid peer certificate: other(othererror(x))",
                "cannot trust the certificate of h:1: it is not one that a server may have",
            ),
            (
                "received fatal alert: handshakefailure",
                "cannot reach h:1: it and mlt have no way of TLS in common",
            ),
            (
                "invalid http version parsed",
                "cannot reach h:1: it does not answer by HTTP",
            ),
            ("connection refused", "cannot reach h:1: connection refused"),
        ] {
            assert_eq!(words(reason, false), said);
        }
    }

    #[test]
    fn a_fault_of_a_proxy_is_not_the_servers() {
        assert_eq!(
            words("connection refused", true),
            "cannot use the proxy p:2: connection refused"
        );
        assert_eq!(
            words("tunnel error: unsuccessful", true),
            "cannot use the proxy p:2: it does not connect to the server"
        );
        assert_eq!(
            words("invalid peer certificate: unknownissuer", true),
            "cannot trust the certificate of h:1: its authority is not a known one"
        );
    }
}
