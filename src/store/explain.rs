//! What a search would take, for those who want to know beforehand.

use super::{FilterSource, Query, StoreError};

/// What is to be told of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explain {
    /// How it would be done; a server may be asked which release it is.
    Plan,
    /// The requests for its first page of so many traces, experiments being given as the
    /// user named them. Nothing is sent.
    Requests {
        /// Traces on the page.
        size: usize,
    },
}

/// How a search is done.
#[derive(Debug, Clone, Default)]
pub struct Explanation {
    /// Filters that are sent to the server, or the database's statement.
    pub sent: Vec<String>,
    /// The part of the filter that is evaluated by this program on what comes back.
    pub here: Option<String>,
    /// What it takes, in a few words.
    pub cost: String,
    /// The requests, where these are asked for.
    pub requests: Vec<DryRequest>,
}

/// An HTTP request that would be sent.
#[derive(Debug, Clone)]
pub struct DryRequest {
    /// `GET`, `POST` …
    pub method: String,
    /// The whole URL, without credentials.
    pub url: String,
    /// The JSON body.
    pub body: Option<serde_json::Value>,
}

impl Explain {
    /// # Errors
    /// Where requests are asked for, of which this store takes none.
    pub(super) fn without_requests(self, store: &str) -> Result<(), StoreError> {
        match self {
            Self::Plan => Ok(()),
            Self::Requests { .. } => Err(StoreError::Unsupported {
                store: store.to_owned(),
                what: "requests to show: it is read without any",
                instead: "drop `--dry-run`",
            }),
        }
    }
}

impl Explanation {
    /// Of a store that evaluates all filters itself.
    pub(super) fn all_here(query: &Query) -> Self {
        Self {
            here: Some(match &query.filter {
                FilterSource::Parsed(filter) => filter.readable().to_string(),
                FilterSource::Raw(text) => text.clone(),
            }),
            cost: "every trace is looked at".to_owned(),
            ..Self::default()
        }
    }
}
