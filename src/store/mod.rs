//! Where traces come from. A store answers questions in terms of the model and
//! says in typed errors what went wrong; it knows nothing of tables, terminals
//! or command lines. [`open`] picks the store that a location names.

mod artifact;
mod assess;
mod attachment;
mod change;
mod close;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod database;
mod demo;
mod error;
mod explain;
mod fetch;
mod file;
mod judge;
pub(crate) mod links;
mod local;
mod metrics;
mod mlruns;
mod overview;
mod place;
mod put;
mod rest;
mod search;
mod sql;
mod sqlite;
mod stranger;
mod wire;

use std::path::{Path, PathBuf};

use crate::field::Field;
use crate::filter::order::is_of_stores;
use crate::filter::{Filter, OrderBy};
use crate::io_words::plain_io_reason;
use crate::model::{Experiment, ExperimentOverview, SessionLevels, Trace, TraceInfo, Unreadable};

pub use crate::model::Detail;
pub use assess::{AssessmentChanges, AssessmentPlan};
pub use change::{Change, OnChange, TagChanges, TraceRef};
pub use close::{Closed, Closing};
pub use error::{
    Attempt, BadBody, CertificateFault, ConnectionFault, DatabaseFault, Found, ProxyFault, Refusal,
    StoreError,
};
pub use explain::{DryRequest, Explain, Explanation};
pub(crate) use fetch::going_on;
pub use fetch::{OnTrace, Pages, TraceRefs, Want};
pub use metrics::{MetricAnswer, MetricKey, MetricQuestion, MetricRow};
pub use place::{
    CertificateCheck, Connection, Credentials, DatabaseKind, DatabasePlace, DatabaseTls, Encrypted,
    Location, Proxies, Proxy, RetryPolicy, Secret, Tls,
};
pub use put::{OnPut, Put, PutMode};
pub use rest::{Logged, RequestLog, RequestRecord};
use search::Barren;
pub use search::MAX_BARREN_PAGES;
pub use search::{Search, SearchEnd};
pub use stranger::Stranger;

/// The most traces that one page may hold; MLflow servers refuse more.
pub const MAX_PAGE: usize = 500;

/// What to search for. Experiments are ids; an empty list means every active one.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Experiment ids.
    pub experiments: Vec<String>,
    /// Which traces.
    pub filter: FilterSource,
    /// In which order; empty means newest first.
    pub order_by: OrderBy,
    /// How many traces are wanted at all; `None` for every one.
    pub limit: Option<usize>,
    /// Whether ids, states and times will do; the store may then leave out the rest.
    pub ids_only: bool,
    /// Where it is given, these parts are wanted besides, from stores that leave out the rest.
    pub parts: Option<InfoParts>,
    /// Whether the number of spans is wanted, from stores that can count them.
    pub counts_spans: bool,
    /// Whether any order will do, where nothing is said of it and all are wanted.
    pub any_order: bool,
}

/// What of a trace is wanted besides its id, state and times.
#[allow(clippy::struct_excessive_bools, reason = "each is a part of its own")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InfoParts {
    /// Tokens and cost.
    pub usage: bool,
    /// Assessments.
    pub assessments: bool,
    /// The session, with the user and the experiment.
    pub session: bool,
    /// The name.
    pub name: bool,
    /// How many spans the trace should have.
    pub span_count: bool,
}

impl InfoParts {
    /// Nothing.
    pub const NONE: Self = Self {
        usage: false,
        assessments: false,
        session: false,
        name: false,
        span_count: false,
    };
    /// How many spans the trace should have, and nothing else.
    pub const SPAN_COUNT: Self = Self {
        span_count: true,
        ..Self::NONE
    };
}

impl Query {
    /// The parts that will do besides ids, states and times; `None` where all is wanted.
    fn parts_that_do(&self) -> Option<InfoParts> {
        self.parts.or(self.ids_only.then_some(InfoParts::NONE))
    }

    /// Whether a trace is in one of the experiments.
    fn covers(&self, info: &TraceInfo) -> bool {
        self.experiments.is_empty()
            || info
                .experiment_id
                .as_ref()
                .is_some_and(|id| self.experiments.contains(id))
    }
}

/// A filter, understood or not.
#[derive(Debug, Clone)]
pub enum FilterSource {
    /// Parsed and checked here.
    Parsed(Filter),
    /// Sent as it is, for servers that know more than this version of mlt.
    Raw(String),
}

impl std::fmt::Display for FilterSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Parsed(filter) => filter.fmt(f),
            Self::Raw(text) => f.write_str(text),
        }
    }
}

impl Default for FilterSource {
    fn default() -> Self {
        Self::Parsed(Filter::default())
    }
}

/// Some traces of an answer, and the way to the next ones.
#[derive(Debug, Default)]
pub struct Page {
    /// Traces without spans, in the query's order.
    pub traces: Vec<TraceInfo>,
    /// What to pass to get the next page; `None` at the end. A page may be empty
    /// and yet not be the last.
    pub next: Option<String>,
    /// How many traces were looked at for this page.
    pub scanned: usize,
    /// Those that cannot be read, so that nobody knows whether they match.
    pub unreadable: Vec<Unreadable>,
}

/// Something that did not stop an answer: one clause, in lower case, with text from
/// traces and files that is not to reach a terminal as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    text: String,
    leaves_out: bool,
}

impl Notice {
    /// What it says, as it is.
    pub fn untrusted(&self) -> &str {
        &self.text
    }

    /// Whether traces are missing from the answer that may belong there.
    pub const fn leaves_out(&self) -> bool {
        self.leaves_out
    }
}

/// Which experiments are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'s> {
    /// All that are active.
    Active,
    /// All that are deleted, where the store knows any.
    Deleted,
    /// The one with this exact name, active or not.
    Named(&'s str),
    /// The one with this id, active or not.
    WithId(&'s str),
}

/// A source of traces.
pub trait Store: Send + Sync {
    /// What to call this store in a message, for example `the demo store`.
    fn describe(&self) -> String;

    /// The experiments of a scope, those that are active by id.
    fn experiments(&self, scope: Scope<'_>) -> Result<Vec<Experiment>, StoreError>;

    /// What the levels of sessions are called, the outermost first, of each experiment in
    /// which they have names, by its id.
    ///
    /// # Errors
    /// Those of asking.
    fn session_levels(&self) -> Result<SessionLevels, StoreError> {
        Ok(SessionLevels::new())
    }

    /// What is in each of these experiments, in any order.
    fn overview(&self, experiments: Vec<Experiment>)
    -> Result<Vec<ExperimentOverview>, StoreError>;

    /// One page of at most `size` traces (1 to [`MAX_PAGE`]). `token` is the
    /// previous page's [`Page::next`].
    fn search(&self, query: &Query, size: usize, token: Option<&str>) -> Result<Page, StoreError>;

    /// Fetches traces: `each` gets a result for each of them, in the order in which they
    /// are named unless any will do. What is wrong with one is its own result, and never
    /// stops the others; `each` breaks off where it is the store's.
    ///
    /// # Errors
    /// Those of the pages, and what is no single trace's.
    fn fetch(&self, traces: Pages<'_>, want: Want, each: OnTrace<'_>) -> Result<(), StoreError>;

    /// The bytes of an attachment of a trace, by its id: MLflow takes images, sounds and
    /// files out of payloads and keeps them among the trace's artifacts.
    ///
    /// # Errors
    /// [`StoreError::NoAttachment`] where there is none, and those of reading it.
    fn attachment(&self, _trace: &TraceInfo, id: &str) -> Result<Vec<u8>, StoreError> {
        let reason = format!("{} holds none", self.describe());
        Err(attachment::missing(id, reason))
    }

    /// Changes traces: `each` gets a result for each of them, in their order. What is wrong
    /// with one never keeps the others from being changed; `each` breaks off.
    ///
    /// # Errors
    /// When nothing can be changed any more: those that `each` was not told of are as they
    /// were, or nobody knows.
    fn change(
        &self,
        traces: &[TraceRef],
        change: &Change,
        each: OnChange<'_>,
    ) -> Result<(), StoreError>;

    /// `Err` when no trace can be changed like this here.
    ///
    /// # Errors
    /// Why not.
    fn can(&self, _change: &Change) -> Result<(), StoreError> {
        Ok(())
    }

    /// Takes in whole traces, each into the experiment that it names: `each` gets a result
    /// for each of them, in their order. What is wrong with one never keeps the others from
    /// being taken in; `each` breaks off.
    ///
    /// # Errors
    /// When nothing can be taken in any more: those that `each` was not told of are not
    /// there, or nobody knows.
    fn put(&self, traces: &[Trace], mode: PutMode, each: OnPut<'_>) -> Result<(), StoreError> {
        match mode {
            PutMode::Try => put::try_by_asking(self, traces, |_, _| true, each),
            PutMode::Write => self.can_put(),
        }
    }

    /// Takes in the spans of a trace that is begun elsewhere, and of which these are a part.
    ///
    /// # Errors
    /// A store that has no place for parts of traces, and those of the server.
    fn join(&self, _part: &Trace) -> Result<(), StoreError> {
        Err(StoreError::Unsupported {
            store: self.describe(),
            what: "way to take in parts of traces",
            instead: "name a tracking server with -u",
        })
    }

    /// `Err` when no trace can be taken in here.
    ///
    /// # Errors
    /// Why not.
    fn can_put(&self) -> Result<(), StoreError> {
        Err(StoreError::Unsupported {
            store: self.describe(),
            what: "way to take in traces: it is read-only",
            instead: "name a tracking server or a SQLite database with -u",
        })
    }

    /// Aggregates that the store computes by itself.
    fn metrics(&self, _question: &MetricQuestion<'_>) -> Result<MetricAnswer, StoreError> {
        Ok(MetricAnswer::Cannot(format!(
            "{} computes none",
            self.describe()
        )))
    }

    /// From here on, answers are of the present: what an earlier one had to agree with is
    /// forgotten.
    fn refresh(&self) {}

    /// Whether traces arrive in it while it is open.
    fn grows(&self) -> bool {
        true
    }

    /// How a search would be done, or which requests it would take.
    ///
    /// # Errors
    /// When the filter cannot be decided here, and when there are no requests.
    fn explain(&self, query: &Query, what: Explain) -> Result<Explanation, StoreError> {
        what.without_requests(&self.describe())?;
        Ok(Explanation::all_here(query))
    }

    /// Whether two keys of tags are the same to it, one of which takes the other's place.
    fn same_key(&self, one: &str, other: &str) -> bool {
        one == other
    }

    /// Whether the query's traces come sorted by a key as they are sorted here.
    fn sorts_by(&self, key: &Field, _query: &Query) -> bool {
        is_of_stores(key)
    }

    /// The ids of the traces that no filter could judge so far, for want of their spans.
    fn unjudged(&self) -> Vec<String> {
        Vec::new()
    }

    /// What could not be read and did not stop an answer, since the last call.
    fn notices(&self) -> Vec<Notice> {
        Vec::new()
    }
}

/// Whether a folder is none of MLflow's nor holds such a one, and has files of traces in it.
fn is_of_files(folder: &Path) -> bool {
    !mlruns::is_store(folder)
        && !mlruns::is_store(&folder.join("mlruns"))
        && !folder.join("mlflow.db").is_file()
        && file::folder::files_in(folder).is_ok_and(|files| !files.is_empty())
}

/// Opens the store that `location` names.
///
/// # Errors
/// When a file cannot be read, or a certificate cannot be used.
pub fn open(location: &Location, log: RequestLog) -> Result<Box<dyn Store>, StoreError> {
    open_with(location, &[], log)
}

/// The same, with folders in which artifacts are read too, besides the store's own.
///
/// # Errors
/// Those of [`open`].
pub fn open_with(
    location: &Location,
    artifacts: &[PathBuf],
    log: RequestLog,
) -> Result<Box<dyn Store>, StoreError> {
    let allowed = |mut places: artifact::Artifacts| {
        places.allow(artifacts);
        places
    };
    Ok(match location {
        Location::Server(connection) => Box::new(rest::RestStore::new(connection, log)?),
        Location::Sqlite { path, workspace } => {
            let places = allowed(artifact::Artifacts::of_database(path));
            Box::new(sqlite::open(path, workspace.as_deref(), places)?)
        }
        Location::Database(place) => {
            let places = allowed(artifact::Artifacts::of_server(artifacts));
            open_database(place, places, log)?
        }
        Location::Mlruns(path) if is_of_files(path) => Box::new(file::FileStore::open(path)?),
        Location::Mlruns(path) => {
            if let Some(format) = file::folder::other_parts_in(path) {
                return Err(StoreError::Data {
                    path: path.display().to_string(),
                    reason: format!(
                        "it has parts of an export as {format}, and only those of `mlt export -o \
                         jsonl` are read"
                    ),
                });
            }
            let places = allowed(artifact::Artifacts::of_mlruns(path));
            Box::new(mlruns::Mlruns::open(path, places)?)
        }
        Location::File(path) => Box::new(file::FileStore::open(path)?),
        Location::Stdin => Box::new(file::FileStore::stdin()?),
        Location::Demo => Box::new(demo::open()?),
    })
}

#[cfg_attr(
    not(all(feature = "mysql", feature = "postgres")),
    allow(unused_variables, clippy::needless_pass_by_value)
)]
fn open_database(
    place: &DatabasePlace,
    artifacts: artifact::Artifacts,
    log: RequestLog,
) -> Result<Box<dyn Store>, StoreError> {
    match place.kind {
        #[cfg(feature = "mysql")]
        DatabaseKind::Mysql => database::open_mysql(place, artifacts, log),
        #[cfg(feature = "postgres")]
        DatabaseKind::Postgres => database::open_postgres(place, artifacts, log),
        #[cfg(not(all(feature = "mysql", feature = "postgres")))]
        _ => Err(StoreError::Unsupported {
            store: place.name(),
            what: "driver in this build of mlt",
            instead: "build mlt with its default features",
        }),
    }
}
