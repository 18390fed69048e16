//! What errors of MySQL and of the way to it mean here, in plain sentences: nothing of its
//! own words, which may quote values.

use std::io;

use rustls::Error as TlsError;

use super::client::Fault;
use crate::store::database::tls::certificate_fault;
use crate::store::{
    ConnectionFault, DatabaseFault, DatabasePlace, StoreError, Stranger, plain_io_reason,
};

/// Why nobody can log in here: it may be no such server at all.
pub(super) fn of_beginning(place: &DatabasePlace, fault: &Fault) -> StoreError {
    let failed = of(place, fault, false);
    let may_be_another = matches!(
        failed,
        StoreError::Timeout { .. }
            | StoreError::Unreachable { .. }
            | StoreError::Database {
                reason: DatabaseFault::Answer,
                ..
            }
    );
    if may_be_another
        && let Some((host, port)) = place.hosts.first()
        && let Some(stranger) = Stranger::at(host, *port).filter(|it| *it != Stranger::Mysql)
    {
        return StoreError::Unreachable {
            host: place.host(),
            reason: ConnectionFault::Stranger(stranger),
        };
    }
    failed
}

/// What a fault means for the database in this place; `is_open` once somebody is logged in.
pub(super) fn of(place: &DatabasePlace, fault: &Fault, is_open: bool) -> StoreError {
    let refused = |reason| StoreError::Database {
        store: place.name(),
        reason,
    };
    match fault {
        Fault::Refused(1969 | 3024) => too_slow(place),
        Fault::Refused(number) => refused(by_number(place, *number, is_open)),
        Fault::TooLong(column) => refused(DatabaseFault::TooLong {
            column: Some(column.clone()),
            limit: None,
        }),
        Fault::Characters(column) => refused(DatabaseFault::Characters(column.clone())),
        Fault::NoTls => refused(DatabaseFault::NoTls),
        Fault::OtherLogin => refused(DatabaseFault::OtherLogin),
        Fault::Malformed => refused(DatabaseFault::Answer),
        Fault::Io(error) => of_way(place, error, is_open),
    }
}

fn too_slow(place: &DatabasePlace) -> StoreError {
    StoreError::TooSlow {
        host: place.host(),
        seconds: place.max_time.as_secs_f64(),
    }
}

fn of_way(place: &DatabasePlace, error: &io::Error, is_open: bool) -> StoreError {
    use io::ErrorKind as Kind;
    let refused = |reason| StoreError::Database {
        store: place.name(),
        reason,
    };
    let unreachable = |reason| StoreError::Unreachable {
        host: place.host(),
        reason,
    };
    let within = error
        .get_ref()
        .and_then(|within| within.downcast_ref::<TlsError>());
    match (within, error.kind()) {
        (Some(TlsError::InvalidCertificate(error)), _) => {
            refused(DatabaseFault::Certificate(certificate_fault(error)))
        }
        (Some(_), _) => unreachable(ConnectionFault::HandshakeBrokenOff),
        (None, Kind::TimedOut | Kind::WouldBlock) if is_open => too_slow(place),
        (None, Kind::TimedOut | Kind::WouldBlock) => StoreError::Timeout {
            host: place.host(),
            seconds: place.connect_timeout.as_secs_f64(),
        },
        // It says nothing, or something else than such a server.
        (None, Kind::InvalidData) => refused(DatabaseFault::Answer),
        (None, Kind::UnexpectedEof) if !is_open => refused(DatabaseFault::Answer),
        (
            None,
            Kind::UnexpectedEof
            | Kind::BrokenPipe
            | Kind::ConnectionReset
            | Kind::ConnectionAborted,
        ) if is_open => refused(DatabaseFault::Ended),
        // The standard library has no kind for it.
        (None, _) if error.to_string().starts_with("failed to lookup address") => {
            unreachable(ConnectionFault::NoAddress)
        }
        (None, _) => unreachable(ConnectionFault::Other(plain_io_reason(error))),
    }
}

fn by_number(place: &DatabasePlace, number: u16, is_open: bool) -> DatabaseFault {
    match number {
        1045 | 1698 if place.password.is_none() => DatabaseFault::NoPassword,
        1045 | 1698 => DatabaseFault::Login,
        1129 | 1130 | 3159 => DatabaseFault::NotFromHere,
        1251 | 2059 => DatabaseFault::OtherLogin,
        1049 => DatabaseFault::NoDatabase,
        // One that is not there is refused like this, too, where the user may enter no other.
        1044 if !is_open => DatabaseFault::MayNotEnter,
        1044 | 1142 | 1143 | 1227 | 1370 => DatabaseFault::MayNotRead,
        1290 | 1792 | 1836 => DatabaseFault::MayOnlyRead,
        1205 | 1213 => DatabaseFault::Conflict,
        1040 | 1203 | 1226 => DatabaseFault::NotNow,
        1053 | 1077 | 1317 | 1927 => DatabaseFault::Ended,
        number => DatabaseFault::Code(number.to_string()),
    }
}
