//! What errors of SQLite mean here, in plain sentences: nothing of its own words, which
//! may quote what is in the file.

use std::path::Path;

use rusqlite::{Error, ErrorCode, ffi};

use super::connection::BUSY_TIMEOUT;
use super::odd;
use crate::store::StoreError;

/// What an error of SQLite means for the database in this file.
pub(super) fn of(path: &Path, error: &Error) -> StoreError {
    let path = path.display().to_string();
    let (Error::SqliteFailure(failure, _) | Error::SqlInputError { error: failure, .. }) = error
    else {
        return StoreError::Data {
            path,
            reason: odd::sentence(error),
        };
    };
    let file = |path: String, reason: &str| StoreError::File {
        path,
        reason: reason.to_owned(),
    };
    let data = |path: String, reason: &str| StoreError::Data {
        path,
        reason: reason.to_owned(),
    };
    match (failure.code, failure.extended_code) {
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => StoreError::Locked {
            path,
            seconds: BUSY_TIMEOUT.as_secs(),
        },
        // A journal that a killed writer left must be rolled back first, which is writing.
        (ErrorCode::ReadOnly, ffi::SQLITE_READONLY_ROLLBACK) => file(
            path,
            "a program ended in the middle of a change; open it once with MLflow to undo that",
        ),
        (ErrorCode::ReadOnly, _) => StoreError::ReadOnly { path },
        (ErrorCode::CannotOpen, _) => file(path, "it cannot be opened"),
        (ErrorCode::PermissionDenied, _) => file(path, "permission denied"),
        (ErrorCode::SystemIoFailure, _) => file(path, "reading or writing failed"),
        (ErrorCode::DiskFull, _) => file(path, "the disk is full"),
        (ErrorCode::NotADatabase, _) => data(path, "it is not a SQLite database"),
        (ErrorCode::DatabaseCorrupt, _) => data(path, "the database is corrupt"),
        (ErrorCode::OperationInterrupted, _) => data(
            path,
            "an answer took more steps than so large a database can need (`mlt help limits`); \
             it may be damaged, or the filter too involved",
        ),
        (ErrorCode::TooBig, _) => data(path, "a value or question is larger than SQLite takes"),
        (ErrorCode::OutOfMemory, _) => data(path, "there is not enough memory for the answer"),
        (ErrorCode::ConstraintViolation, _) => {
            data(path, "a rule of the database does not allow the change")
        }
        (ErrorCode::SchemaChanged, _) => data(
            path,
            "its tables were changed meanwhile; run the command again",
        ),
        (_, code) => data(
            path,
            &format!(
                "its tables are not as they were when it was opened, or not as MLflow makes \
                 them (SQLite's error {code})"
            ),
        ),
    }
}
