//! What is learnt of a server: its release from what it says, and what keeps its traces
//! from how it refuses a pattern that is none. Neither is asked for before an answer
//! depends on it, nor twice in a run.

use super::http::Call;
use super::{Generation, LAST_V2, MAX_SEARCHES, NEWEST, RestStore};
use crate::field::Field;
use crate::filter::{Backend, Filter, Server, parse_order_by};
use crate::store::local::lock;
use crate::store::{FilterSource, Page, Query, Refusal, StoreError};

/// No regular expression: `SQLite` finds nothing with it, and others say what is wrong
/// with it in the words of their driver.
/// None is that late, so that it looks at none.
const NO_PATTERN: &str = "timestamp_ms > 9000000000000000 AND name RLIKE '('";
/// A list where there may be none, of which SQLite's driver complains in older releases.
const NO_LIST: &str = "status = ('OK')";
/// An escape of nothing, which `PostgreSQL` complains of.
const NO_ESCAPE: &str = r"name LIKE '\'";

impl RestStore {
    /// What the server is taken to understand, as far as anybody knows by now.
    pub(super) fn server(&self) -> Server {
        let version = match self.generation.get() {
            Some(Generation::V2) => LAST_V2,
            _ => self.release.get().copied().unwrap_or(NEWEST),
        };
        Server {
            version,
            backend: lock(&self.backend).unwrap_or(Backend::Sqlite),
            max_searches: MAX_SEARCHES,
        }
    }

    /// The same, with what has to be known for a filter.
    pub(super) fn server_for(&self, filter: &Filter, experiments: &[String]) -> Server {
        let is_v2 = self.generation.get() == Some(&Generation::V2);
        // Older releases mean something else by some of these, and do not refuse them.
        if !is_v2 && (filter.needs_assessments() || filter.needs_spans()) {
            self.ask_release();
        }
        if filter.depends_on_backend(&self.server()) {
            self.backend(experiments);
        }
        self.server()
    }

    /// Asks the server which release it is; one that does not say stays the newest.
    pub(super) fn ask_release(&self) {
        if self.release.get().is_some() {
            return;
        }
        let answer = self.http.send(&Call::text(self.http.url(&["version"])));
        let release = answer.ok().and_then(|body| {
            let text = String::from_utf8(body).ok()?;
            let mut numbers = text.trim().split('.').map(str::parse);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
        });
        let _ = self.release.set(release.unwrap_or(NEWEST));
    }

    /// Finds out what keeps the server's traces, by looking into one of the experiments.
    pub(super) fn backend(&self, experiments: &[String]) -> Backend {
        let mut known = lock(&self.backend);
        if let Some(backend) = *known {
            return backend;
        }
        let ask = |filter: &str| {
            let query = Query {
                experiments: vec![experiments.first().map_or("0", String::as_str).to_owned()],
                filter: FilterSource::Raw(filter.to_owned()),
                // Folders of files are not sorted by names, and say so.
                order_by: parse_order_by("name ASC").unwrap_or_default(),
                ..Query::default()
            };
            self.search_page(&query, 1, None)
        };
        let backend = match ask(NO_PATTERN) {
            Ok(_) => Backend::Sqlite,
            Err(error) => match told_by(&error) {
                Some(backend) => backend,
                None if is_refusal(&error) => of_older(ask),
                // Whatever it is, the search itself will tell.
                None => return Backend::Other,
            },
        };
        *known = Some(backend);
        backend
    }

    /// Whether a store sorts by a key as is done here.
    pub(super) fn sorts_by(&self, key: &Field, experiments: &[String]) -> bool {
        match key {
            Field::Timestamp | Field::ExecutionTime => true,
            Field::Status | Field::Experiment => *lock(&self.backend) != Some(Backend::Other),
            _ => self.backend(experiments).sorts_texts(),
        }
    }

    /// Whether the server is known better after it refused a search that was made for what
    /// was known `before`.
    pub(super) fn learn_from(&self, refusal: &StoreError, before: &Server, query: &Query) -> bool {
        let StoreError::Refused { meaning, .. } = refusal else {
            return false;
        };
        match meaning {
            Refusal::NoSpanFilters => *lock(&self.backend) = Some(Backend::Other),
            Refusal::OfDatabase(backend) => *lock(&self.backend) = Some(*backend),
            Refusal::Other => {
                self.ask_release();
                if self.server() == *before && before.backend == Backend::Sqlite {
                    self.backend(&query.experiments);
                }
            }
            _ => {}
        }
        self.server() != *before
    }
}

/// Whether the server does not take what it was asked for, which it may in other words.
pub(super) fn is_refusal(error: &StoreError) -> bool {
    match error {
        StoreError::Refused {
            status, meaning, ..
        } => match meaning {
            Refusal::OfDatabase(_) | Refusal::NoSpanFilters => true,
            Refusal::Other => matches!(status, 400 | 500 | 501),
            _ => false,
        },
        _ => false,
    }
}

/// Which database a server speaks of.
fn told_by(error: &StoreError) -> Option<Backend> {
    match error {
        StoreError::Refused {
            meaning: Refusal::OfDatabase(backend),
            ..
        } => Some(*backend),
        _ => None,
    }
}

/// What keeps the traces of a server that takes no regular expressions. One that takes
/// anything else may be whatever it likes.
fn of_older(ask: impl Fn(&str) -> Result<Page, StoreError>) -> Backend {
    [NO_LIST, NO_ESCAPE]
        .into_iter()
        .find_map(|filter| told_by(ask(filter).as_ref().err()?))
        .unwrap_or(Backend::Other)
}
