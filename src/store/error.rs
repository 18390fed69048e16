//! What can go wrong between mlt and the traces, by kind: whoever wants to know what
//! happened matches, and reads no sentence. Hints and exit codes are not made here.

mod answer;
mod connection;
mod database;

use std::fmt;

pub use self::answer::{BadBody, Found, Refusal};
pub use self::connection::{CertificateFault, ConnectionFault, ProxyFault};
pub use self::database::DatabaseFault;

use super::artifact;
use super::close::Closed;
use crate::model::Unreadable;

/// A failure of a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection, or it broke.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// Why.
        reason: ConnectionFault,
    },
    /// The server's certificate was not accepted.
    #[error("cannot trust the certificate of {host}: {reason}")]
    Tls {
        /// Host and port.
        host: String,
        /// What is wrong with it.
        reason: CertificateFault,
    },
    /// Nothing came for too long.
    #[error("{host} did not answer within {seconds} s")]
    Timeout {
        /// Host and port.
        host: String,
        /// The time limit.
        seconds: f64,
    },
    /// The answer came, but not to its end in time.
    #[error("{host} did not give its whole answer within {seconds} s")]
    TooSlow {
        /// Host and port.
        host: String,
        /// The time limit.
        seconds: f64,
    },
    /// A proxy does not pass requests on.
    #[error("cannot use the proxy {proxy}: {reason}")]
    Proxy {
        /// Host and port.
        proxy: String,
        /// The variable that names it.
        variable: &'static str,
        /// Why not.
        reason: ProxyFault,
    },
    /// A body that is longer than is read.
    #[error("the answer of {host} to {path} is larger than {}", size(*limit))]
    TooLarge {
        /// Host and port.
        host: String,
        /// The URL's path.
        path: String,
        /// The most bytes that are read.
        limit: u64,
    },
    /// The connection ended before the answer did.
    #[error("the answer of {host} broke off after {received} bytes: {reason}")]
    BrokenOff {
        /// Host and port.
        host: String,
        /// Bytes of the body that had arrived.
        received: usize,
        /// Why.
        reason: ConnectionFault,
    },
    /// The server refused the request with an MLflow error.
    #[error("{host} answered {status}{}: {message}", code.as_ref().map(|c| format!(" {c}")).unwrap_or_default())]
    Refused {
        /// Host and port.
        host: String,
        /// HTTP status.
        status: u16,
        /// MLflow's error code.
        code: Option<String>,
        /// MLflow's message.
        message: String,
        /// What it means by that.
        meaning: Refusal,
        /// Seconds the server asked to wait, where it did.
        retry_after: Option<u64>,
    },
    /// 401.
    #[error("{host} wants a login")]
    Unauthorized {
        /// Host and port.
        host: String,
        /// Whether credentials had been sent.
        had_credentials: bool,
        /// The server's own message.
        message: String,
    },
    /// 403.
    #[error("{host} does not allow this: {message}")]
    Forbidden {
        /// Host and port.
        host: String,
        /// The server's own message.
        message: String,
        /// What it means by that.
        meaning: Refusal,
    },
    /// 404 without MLflow's JSON: no such path.
    #[error("{host} has no {path}")]
    NoSuchEndpoint {
        /// Host and port.
        host: String,
        /// The URL's path.
        path: String,
    },
    /// Something other than JSON.
    #[error("{host} answered {path} with {found} and not with JSON")]
    NotJson {
        /// Host and port.
        host: String,
        /// The URL's path.
        path: String,
        /// What came.
        found: Found,
    },
    /// JSON, but not what MLflow sends.
    #[error("cannot read the answer of {host} to {path}: {reason}")]
    BadAnswer {
        /// Host and port.
        host: String,
        /// The URL's path.
        path: String,
        /// What is wrong and where.
        reason: BadBody,
    },
    /// A redirect that is not followed.
    #[error("{host} redirects to {target}")]
    Redirect {
        /// Host and port.
        host: String,
        /// Scheme, host and port of the target.
        target: String,
        /// Why it was not followed, and what to do about it.
        hint: String,
    },
    /// The page token of a page is one that was used before.
    #[error("{store} repeats a page token; stopped after {received}")]
    RepeatedPage {
        /// The store.
        store: String,
        /// What had come until then.
        received: String,
    },
    /// Page after page without anything new.
    #[error("{store} gave {pages} pages in a row without anything new; stopped after {received}")]
    BarrenPages {
        /// The store.
        store: String,
        /// How many.
        pages: usize,
        /// What had come until then.
        received: String,
    },
    /// Another trace than the one asked for.
    #[error("{host} answered with trace `{found}` instead of `{id}`")]
    OtherTrace {
        /// Host and port.
        host: String,
        /// As asked for.
        id: String,
        /// As answered.
        found: String,
    },
    /// An id that cannot stand in a URL.
    #[error("cannot ask a server for trace `{id}`: {reason}")]
    TraceId {
        /// As given, perhaps cut.
        id: String,
        /// Why.
        reason: &'static str,
    },
    /// No such trace.
    #[error("no trace `{id}` in {store}")]
    UnknownTrace {
        /// As asked for.
        id: String,
        /// The store.
        store: String,
    },
    /// No such workspace.
    #[error("no workspace `{name}` in {store}")]
    UnknownWorkspace {
        /// As asked for.
        name: String,
        /// The store.
        store: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A trace that is not to be closed.
    #[error("trace `{id}` {reason}")]
    NotClosed {
        /// The trace.
        id: String,
        /// Why not.
        reason: String,
    },
    /// A trace that is there after it was to be deleted.
    #[error("{store} did not delete trace `{id}`")]
    Kept {
        /// The trace.
        id: String,
        /// The store.
        store: String,
    },
    /// A trace that a store does not take in.
    #[error("cannot take in trace `{id}`: {reason}")]
    NotTaken {
        /// The trace, perhaps cut.
        id: String,
        /// Why not.
        reason: String,
    },
    /// A trace that cannot be deleted without what is kept of it elsewhere.
    #[error("cannot delete trace `{id}`: its spans are archived at {location}, and {reason}")]
    ArchivedElsewhere {
        /// The trace.
        id: String,
        /// The location, without credentials.
        location: String,
        /// Why they are not deleted.
        reason: &'static str,
    },
    /// A trace's spans are not to be had.
    #[error("cannot get the spans of trace `{id}`: {}", list(tried))]
    NoSpans {
        /// The trace.
        id: String,
        /// Every way that was tried, with its outcome.
        tried: Vec<Attempt>,
    },
    /// A trace that is there and cannot be read.
    #[error("cannot read {0}")]
    Unreadable(Box<Unreadable>),
    /// Spans or attachments that are kept where only a server can read them.
    #[error("the {what} are kept at {location}, and {reason}")]
    RemoteArtifact {
        /// `spans` or `attachments`.
        what: &'static str,
        /// The location, without credentials.
        location: String,
        /// Why it is not read.
        reason: &'static str,
    },
    /// Spans or attachments that are kept in a folder that is not looked into unless the
    /// user says so.
    #[error(
        "the {what} are kept in {folder}, outside of {own}: `--allow-artifacts {allow}` lets mlt read them"
    )]
    OutsideArtifact {
        /// `spans` or `attachments`.
        what: &'static str,
        /// The folder.
        folder: String,
        /// The store's own folder.
        own: String,
        /// The folder to allow.
        allow: String,
    },
    /// An attachment that is not to be had.
    #[error("cannot get attachment `{id}`: {reason}")]
    NoAttachment {
        /// Its id, perhaps cut.
        id: String,
        /// Why not.
        reason: String,
    },
    /// A filter of which only a server can decide a part, in a place where it cannot be asked.
    #[error("{reason}")]
    FilterNeedsServer {
        /// Which part.
        reason: String,
    },
    /// Something that this store cannot do.
    #[error("{store} has no {what}")]
    Unsupported {
        /// The store.
        store: String,
        /// What it lacks.
        what: &'static str,
        /// The way round.
        instead: &'static str,
    },
    /// A file that cannot be opened or read.
    #[error("cannot read {path}: {reason}")]
    File {
        /// The path, or `standard input`.
        path: String,
        /// The operating system's words.
        reason: String,
    },
    /// A file that cannot be written.
    #[error("cannot write {path}: {reason}")]
    NotWritten {
        /// The path.
        path: String,
        /// The operating system's words.
        reason: String,
    },
    /// A tag key that this store does not take.
    #[error("cannot use the tag key `{key}`: {reason}")]
    TagKey {
        /// As given.
        key: String,
        /// Why.
        reason: &'static str,
    },
    /// Local data that is not what it should be.
    #[error("cannot read {path}: {reason}")]
    Data {
        /// The path, or `standard input`.
        path: String,
        /// What is wrong and where.
        reason: String,
    },
    /// A file in which nothing is a trace, from the first thing in it on.
    #[error("cannot read {path}: {reason}")]
    NotTraces {
        /// The path, or `standard input`.
        path: String,
        /// What is there instead and where.
        reason: String,
    },
    /// A folder that is no store of MLflow's.
    #[error(
        "cannot read {path}: it is a directory without experiments of MLflow (folders with a meta.yaml) and without files of traces{}",
        within.as_ref().map(|within| format!(", but with {within} in it")).unwrap_or_default()
    )]
    NoExperiments {
        /// The path.
        path: String,
        /// The file or folder in it that is one, or that holds files of traces.
        within: Option<String>,
    },
    /// A database that another program keeps to itself.
    #[error("cannot use {path}: another program has locked it for {seconds} s")]
    Locked {
        /// The database file.
        path: String,
        /// How long was waited.
        seconds: u64,
    },
    /// A database server that does not do what it is asked to.
    #[error("cannot use {store}: {reason}")]
    Database {
        /// The database, without the login.
        store: String,
        /// Why not.
        reason: DatabaseFault,
    },
    /// A file, or the folder that it is in, that cannot be written.
    #[error("cannot change {path}: it is read-only")]
    ReadOnly {
        /// The file.
        path: String,
    },
    /// A connection setting that cannot be used.
    #[error("{setting}: {reason}")]
    Setting {
        /// The variable or flag.
        setting: String,
        /// Why.
        reason: String,
    },
}

impl StoreError {
    /// Whether other traces may be had all the same.
    pub fn is_about_one_trace(&self) -> bool {
        matches!(
            self,
            Self::UnknownTrace { .. }
                | Self::NoSpans { .. }
                | Self::Unreadable(_)
                | Self::RemoteArtifact { .. }
                | Self::OutsideArtifact { .. }
                | Self::File { .. }
                | Self::Data { .. }
                | Self::NotTraces { .. }
                | Self::NoExperiments { .. }
                | Self::TooLarge { .. }
                | Self::OtherTrace { .. }
                | Self::TraceId { .. }
                | Self::NotTaken { .. }
        )
    }

    /// Whether the trace is there and only its spans are in a place that is not looked into.
    pub fn is_of_spans_elsewhere(&self) -> bool {
        match self {
            Self::RemoteArtifact { .. } | Self::OutsideArtifact { .. } => true,
            Self::NoSpans { tried, .. } => tried.iter().any(Attempt::is_of_a_file),
            _ => false,
        }
    }
}

impl StoreError {
    /// Why a trace is not closed.
    pub(super) fn not_closed(id: &str, why: &Closed) -> Self {
        Self::NotClosed {
            id: id.to_owned(),
            reason: why.refusal().unwrap_or_default(),
        }
    }

    /// Whether the same may work later, as after the start of a server.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::TooSlow { .. }
            | Self::Proxy { .. }
            | Self::BrokenOff { .. }
            | Self::NoSuchEndpoint { .. }
            | Self::NotJson { .. }
            | Self::BadAnswer { .. }
            | Self::RepeatedPage { .. }
            | Self::BarrenPages { .. }
            | Self::Locked { .. }
            | Self::File { .. }
            | Self::Data { .. } => true,
            Self::Refused {
                meaning: Refusal::OfDatabase(_),
                ..
            } => false,
            Self::Refused { status, .. } => matches!(status, 408 | 425 | 429 | 500..),
            Self::Database { reason, .. } => reason.may_pass(),
            _ => false,
        }
    }
}

/// Bytes in the unit that people think in.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    let unit = UNITS.iter().find(|(unit, _)| bytes.is_multiple_of(*unit));
    match unit {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

impl StoreError {
    /// What it says of the trace that it is about, where that is there.
    ///
    /// # Errors
    /// Itself, where it is not about one trace, or says that there is none.
    pub fn into_unreadable(self, trace_id: &str) -> Result<Unreadable, Self> {
        let unreadable = match self {
            Self::Unreadable(unreadable) => *unreadable,
            Self::File { path, reason }
            | Self::Data { path, reason }
            | Self::NotTraces { path, reason } => Unreadable {
                file: Some(path),
                ..Unreadable::trace(trace_id, reason)
            },
            Self::NoSpans { tried, .. } => Unreadable::trace(
                trace_id,
                format!("its spans are not to be had: {}", list(&tried)),
            ),
            Self::RemoteArtifact { .. } | Self::OutsideArtifact { .. } => {
                Unreadable::trace(trace_id, self.to_string())
            }
            other => return Err(other),
        };
        Ok(unreadable.of_trace(trace_id))
    }
}

impl From<Unreadable> for StoreError {
    fn from(unreadable: Unreadable) -> Self {
        Self::Unreadable(Box::new(unreadable))
    }
}

/// One way to a trace's spans, and how it ended.
#[derive(Debug)]
pub struct Attempt {
    /// The endpoint.
    pub way: &'static str,
    /// What came of it, in one clause.
    pub outcome: String,
}

impl Attempt {
    /// Whether a file on this machine was looked for.
    pub(crate) fn is_of_a_file(&self) -> bool {
        self.way == artifact::FILE_NAME
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.way, self.outcome)
    }
}

fn list(attempts: &[Attempt]) -> String {
    let texts: Vec<String> = attempts.iter().map(ToString::to_string).collect();
    format!("tried {}", texts.join(", "))
}
