//! What errors of PostgreSQL and of the way to it mean here, in plain sentences: nothing of
//! its own words, which may quote values.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use postgres::Error;
use postgres::error::SqlState;

use rustls::Error as TlsError;

use crate::store::database::tls::certificate_fault;
use crate::store::{
    ConnectionFault, DatabaseFault, DatabasePlace, StoreError, Stranger, plain_io_reason,
};

/// Why nobody can log in here: it may be no such server at all.
pub(super) fn of_beginning(place: &DatabasePlace, error: &Error) -> StoreError {
    let failed = of(place, error);
    let may_be_another = matches!(
        failed,
        StoreError::Timeout { .. }
            | StoreError::Unreachable { .. }
            | StoreError::Database {
                reason: DatabaseFault::Answer | DatabaseFault::Ended,
                ..
            }
    );
    may_be_another
        .then(|| stranger(place))
        .flatten()
        .unwrap_or(failed)
}

/// That nobody has answered in so long.
pub(super) fn silence(place: &DatabasePlace, waited: Duration) -> StoreError {
    stranger(place).unwrap_or_else(|| StoreError::Timeout {
        host: place.host(),
        seconds: waited.as_secs_f64(),
    })
}

/// That somebody else answers there.
fn stranger(place: &DatabasePlace) -> Option<StoreError> {
    let (host, port) = place.hosts.first()?;
    let stranger = Stranger::at(host, *port).filter(|it| *it != Stranger::Postgres)?;
    Some(unreachable(place, ConnectionFault::Stranger(stranger)))
}

/// What an error means for the database in this place.
pub(super) fn of(place: &DatabasePlace, error: &Error) -> StoreError {
    let refused = |reason| StoreError::Database {
        store: place.name(),
        reason,
    };
    if let Some(code) = error.code() {
        if *code == SqlState::QUERY_CANCELED {
            return StoreError::TooSlow {
                host: place.host(),
                seconds: place.max_time.as_secs_f64(),
            };
        }
        let words = error.as_db_error().map_or("", |error| error.message());
        return refused(match code.code() {
            "22001" => DatabaseFault::TooLong {
                column: None,
                limit: limit_of(words).map(|most| format!("{most} characters")),
            },
            _ => by_code(place, code),
        });
    }
    for cause in causes(error) {
        if let Some(error) = cause.downcast_ref::<TlsError>() {
            let TlsError::InvalidCertificate(error) = error else {
                return unreachable(place, ConnectionFault::HandshakeBrokenOff);
            };
            return refused(DatabaseFault::Certificate(certificate_fault(error)));
        }
    }
    for cause in causes(error) {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            if error.kind() == io::ErrorKind::TimedOut {
                return StoreError::Timeout {
                    host: place.host(),
                    seconds: place.connect_timeout.as_secs_f64(),
                };
            }
            // The standard library has no kind for it.
            if error.to_string().starts_with("failed to lookup address") {
                return unreachable(place, ConnectionFault::NoAddress);
            }
            return unreachable(place, ConnectionFault::Other(plain_io_reason(error)));
        }
    }
    if error.is_closed() {
        return refused(DatabaseFault::Ended);
    }
    // The library has no types for these.
    let words = error.to_string();
    refused(if words.contains("TLS handshake") {
        DatabaseFault::NoTls
    } else if causes(error).any(|cause| cause.to_string() == "password missing") {
        DatabaseFault::NoPassword
    } else if words.contains("authentication") {
        DatabaseFault::OtherLogin
    } else {
        DatabaseFault::Answer
    })
}

/// The number in `value too long for type character varying(250)`: nothing else is told.
fn limit_of(words: &str) -> Option<&str> {
    let (_, number) = words.strip_suffix(')')?.rsplit_once('(')?;
    number
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(number)
}

fn causes(error: &Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let mut all = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        all.push(cause);
        // An error of the operating system may hold another one.
        let within = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match within {
            Some(within) => Some(within),
            None => cause.source(),
        };
    }
    all.into_iter()
}

fn unreachable(place: &DatabasePlace, reason: ConnectionFault) -> StoreError {
    StoreError::Unreachable {
        host: place.host(),
        reason,
    }
}

fn by_code(place: &DatabasePlace, code: &SqlState) -> DatabaseFault {
    match code.code() {
        "28P01" if place.password.is_none() => DatabaseFault::NoPassword,
        "28P01" => DatabaseFault::Login,
        "28000" => DatabaseFault::NotFromHere,
        "3D000" => DatabaseFault::NoDatabase,
        "42501" => DatabaseFault::MayNotRead,
        "25006" => DatabaseFault::MayOnlyRead,
        // Two added the same row.
        "40001" | "40P01" | "23505" => DatabaseFault::Conflict,
        "53300" | "57P03" => DatabaseFault::NotNow,
        "57P01" | "57P02" | "25P03" | "57P05" => DatabaseFault::Ended,
        "22021" => DatabaseFault::Nul,
        code => DatabaseFault::Code(code.to_owned()),
    }
}
