//! What went wrong on the way to a server or back, told from the types of the HTTP and
//! TLS libraries' errors. Only what none of them gives a kind to is shown in their words.

use std::error::Error;
use std::io;
use std::iter::successors;

use super::body::cut;
use super::{hidden, tls};
use crate::store::{ConnectionFault, Proxy, ProxyFault, StoreError};

/// Characters of a cause that are shown.
pub(super) const SHOWN: usize = 200;

/// Where a fault happened.
pub(super) struct Place<'p> {
    /// Host and port.
    pub(super) host: String,
    /// The proxy in between.
    pub(super) proxy: Option<&'p Proxy>,
    /// Bytes of the body that had arrived; `None` before the first.
    pub(super) received: Option<usize>,
}

/// A fault of the HTTP library, by what it means.
pub(super) fn transport(place: Place<'_>, error: &reqwest::Error) -> StoreError {
    let Place {
        host,
        proxy,
        received,
    } = place;
    if let Some(reason) = find::<rustls::Error>(error).and_then(tls::certificate) {
        return StoreError::Tls { host, reason };
    }
    let reason = if error.is_dns() && !is_of_this_machine(error) {
        ConnectionFault::NoAddress
    } else {
        connection(error)
    };
    if reason == ConnectionFault::WantsCertificate {
        return StoreError::Unreachable { host, reason };
    }
    if let Some(proxy) = proxy.filter(|_| error.is_connect()) {
        return StoreError::Proxy {
            proxy: proxy.place.clone(),
            variable: proxy.variable,
            reason: causes(error)
                .find_map(hidden::tunnel)
                .unwrap_or(ProxyFault::Connection(reason)),
        };
    }
    match received {
        Some(received) => StoreError::BrokenOff {
            host,
            received,
            reason,
        },
        None => StoreError::Unreachable { host, reason },
    }
}

/// Why a connection could not be used, or the body of an answer came to no end.
pub(super) fn connection(error: &(dyn Error + 'static)) -> ConnectionFault {
    let of_tls = || find::<rustls::Error>(error).and_then(tls::connection);
    let of_http = || find::<hyper::Error>(error).and_then(hidden::http);
    of_tls()
        .or_else(of_http)
        .unwrap_or_else(|| ConnectionFault::Other(innermost(error)))
}

/// An error and its causes, from the outermost on. An I/O error that holds another one
/// shows that one's causes for its own, and not itself.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(Some(error), |&error| {
        let held = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        match held {
            Some(held) => Some(held),
            None => error.source(),
        }
    })
}

fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// Whether a name was not looked up for want of files or memory, and not because it has
/// no address.
fn is_of_this_machine(error: &reqwest::Error) -> bool {
    // Windows numbers unknown names among its errors.
    const UNKNOWN_NAMES: std::ops::RangeInclusive<i32> = 11_001..=11_004;
    let code = causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .find_map(io::Error::raw_os_error);
    code.is_some_and(|code| !(cfg!(windows) && UNKNOWN_NAMES.contains(&code)))
}

/// The innermost cause, in lower case, without the system's error number and the TLS
/// library's link to its manual.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut text = causes(error).last().unwrap_or(error).to_string();
    for tail in [" (os error", ": https://"] {
        text.truncate(text.find(tail).unwrap_or(text.len()));
    }
    cut(&text.to_lowercase(), SHOWN)
}

#[cfg(test)]
mod tests;
