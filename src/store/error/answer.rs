//! What can be wrong with a server's answer, and what it may mean by a refusal.

use std::fmt;

use crate::filter::Backend;

/// What came in the place of JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A body of no bytes.
    Nothing,
    /// A page for people.
    Html,
    /// Another document.
    Xml,
    /// The beginning of a text.
    Text(String),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("an empty body"),
            Self::Html => f.write_str("an HTML page"),
            Self::Xml => f.write_str("XML"),
            Self::Text(text) => write!(f, "the text `{text}`"),
        }
    }
}

/// What is wrong with a body that begins like JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// It ends before the JSON does.
    #[error("it is cut short ({0})")]
    CutShort(String),
    /// It is no JSON.
    #[error("it is no JSON from line {line}, column {column} on")]
    NotJson {
        /// From one.
        line: usize,
        /// From one.
        column: usize,
    },
    /// It is JSON, and not what MLflow sends.
    #[error("{0}")]
    OtherForm(String),
}

/// What a server means by a refusal, for as much as mlt knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such trace or experiment.
    NotThere,
    /// The trace that is to be changed is not there.
    NoSuchTrace,
    /// The server has no workspaces.
    NoWorkspaces,
    /// The server is not asked by a name that it knows itself by.
    UnknownHost,
    /// The server takes mlt for a web page of somebody else.
    CrossOrigin,
    /// The spans are not in the server's database.
    SpansElsewhere,
    /// The server's store cannot choose traces by their spans.
    NoSpanFilters,
    /// The server's database does not take what the server made of the request.
    OfDatabase(Backend),
    /// Whatever its message says.
    Other,
}
