//! The sides that are asked the same question: the real server, by text and
//! through mlt, its database in SQLite, PostgreSQL and MariaDB, and mlt's own evaluator over an export.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use mlt::filter::{Filter, OrderBy};
use mlt::model::{Assessment, Trace, TraceInfo};
use mlt::settings::{Env, Flags, RealDisk, Settings};
use mlt::store::{
    self, Detail, FilterSource, Location, Query, Scope, Search, SearchEnd, Store, StoreError,
};

use crate::support::mlflow::{connect, rich};
use crate::support::mlt;
use crate::support::mysql::mysql;
use crate::support::postgres::postgres;

/// What a side says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// The ids that it finds, in its order, and whether there are more.
    Found(Vec<String>, SearchEnd),
    /// Why it does not want to answer.
    Refused(String),
}

impl Answer {
    /// Takes these traces out.
    pub(super) fn leave_out(&mut self, known: &[&[String]]) {
        if let Self::Found(ids, _) = self {
            ids.retain(|id| !known.iter().any(|known| known.contains(id)));
        }
    }

    /// How it reads in a report.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Found(ids, end) if ids.len() <= 3 => format!("{} {end:?} {ids:?}", ids.len()),
            Self::Found(ids, end) => format!("{} {end:?} {:?} …", ids.len(), &ids[..3]),
            Self::Refused(why) => format!("refused: {why}"),
        }
    }
}

/// All sides over one store, which nobody changes.
pub(super) struct Sides {
    pub(super) server: Box<dyn Store>,
    pub(super) sqlite: Box<dyn Store>,
    /// Whether the server's database means something else than `SQLite` by some filters,
    /// which are evaluated here.
    pub(super) is_foreign: bool,
    /// PostgreSQL with the same rows, read directly, where there is one.
    pub(super) postgres: Option<Box<dyn Store>>,
    /// MariaDB likewise.
    pub(super) mysql: Option<Box<dyn Store>>,
    /// Over an export of `experiments`.
    pub(super) file: Box<dyn Store>,
    /// Over an export of `many`.
    pub(super) many_file: Box<dyn Store>,
    /// The experiments with traces that have spans.
    pub(super) experiments: Vec<String>,
    /// One of them.
    pub(super) rich: String,
    /// That with many small traces.
    pub(super) many: String,
    /// Ids and names of all experiments.
    pub(super) names: Vec<(String, String)>,
    /// Traces that were linked to a run after the fact.
    pub(super) linked: Vec<String>,
    /// Traces of sessions that something is said of, by way of one of their traces.
    pub(super) judged_with_others: Vec<String>,
    /// Every trace of the experiments.
    pub(super) traces: Vec<Trace>,
}

const EXPERIMENTS: [&str; 5] = [
    "rich",
    "rich-neighbour",
    "edges",
    "shop-assistant",
    "nightly-evals",
];

pub(super) fn sides() -> &'static Sides {
    static SIDES: OnceLock<Sides> = OnceLock::new();
    SIDES.get_or_init(|| {
        let seeded = rich();
        let database = Location::sqlite(seeded.database());
        let (postgres, mysql) = (location(&postgres().uri()), location(&mysql().uri()));
        let artifacts = [seeded.dir.join("artifacts")];
        let [postgres, mysql] =
            [postgres, mysql].map(|one| store::open_with(&one, &artifacts, None).unwrap());
        let mut sides = Sides::of(seeded.uri(), &seeded.dir, Some(&database));
        sides.postgres = Some(postgres);
        sides.mysql = Some(mysql);
        sides
    })
}

impl Sides {
    /// All stores, with one of the files.
    pub(super) fn all<'s>(
        &'s self,
        file: &'s dyn Store,
    ) -> impl Iterator<Item = (&'static str, &'s dyn Store)> {
        let sides = [
            ("server", Some(&*self.server)),
            ("sqlite", Some(&*self.sqlite)),
            ("postgres", self.postgres.as_deref()),
            ("mysql", self.mysql.as_deref()),
            ("file", Some(file)),
        ];
        sides
            .into_iter()
            .filter_map(|(side, store)| Some((side, store?)))
    }

    /// Of the same traces on some server, and in the database that it has, where mlt reads it.
    pub(super) fn of(uri: &str, dir: &Path, database: Option<&Location>) -> Self {
        let server = connect(uri);
        let exported = Location::File(export(uri, &EXPERIMENTS, dir, "--include-spans"));
        let sqlite = open(database.unwrap_or(&exported));
        let file = open(&exported);
        let many_file = open(&Location::File(export(uri, &["many"], dir, "")));
        let id = |name: &str| server.experiments(Scope::Named(name)).unwrap().remove(0).id;
        let experiments: Vec<String> = EXPERIMENTS.iter().map(|name| id(name)).collect();
        let query = Query {
            experiments: experiments.clone(),
            ..Query::default()
        };
        let mut search = Search::new(&*file, query, None);
        let mut traces = Vec::new();
        while let Some(page) = search.next_page().unwrap() {
            traces.extend(page.into_iter().map(|info| {
                let bare = Trace {
                    info: info.clone(),
                    spans: Vec::new(),
                };
                file.trace(&info.trace_id, Detail::Whole).unwrap_or(bare)
            }));
        }
        let run = rich().case("run");
        let (rich, many) = (id("rich"), id("many"));
        let all = server.experiments(Scope::Active).unwrap();
        let names = all.into_iter().map(|e| (e.id, e.name)).collect();
        let question = Question {
            experiments: experiments.clone(),
            ..Question::default()
        };
        let link = format!("run_id = '{run}'");
        let Answer::Found(linked, _) = question.raw(&*server, &link) else {
            panic!("{link} is refused");
        };
        assert_eq!(linked.len(), 3);
        let judged: Vec<&str> = traces
            .iter()
            .filter(|trace| judges_a_session(&trace.info))
            .filter_map(|trace| trace.info.session())
            .collect();
        let judged_with_others = traces
            .iter()
            .filter(|trace| {
                trace
                    .info
                    .session()
                    .is_some_and(|session| judged.contains(&session))
            })
            .map(|trace| trace.info.trace_id.clone())
            .collect();
        Sides {
            server,
            is_foreign: database.is_none(),
            sqlite,
            postgres: None,
            mysql: None,
            file,
            many_file,
            experiments,
            rich,
            many,
            names,
            linked,
            judged_with_others,
            traces,
        }
    }
}

fn speaks_of_a_session(assessment: &Assessment) -> bool {
    assessment.is_judgement() && assessment.is_of_session()
}

fn judges_a_session(info: &TraceInfo) -> bool {
    info.assessments.iter().any(speaks_of_a_session)
}

/// A trace with what is said of its session elsewhere.
fn judged(info: &TraceInfo, of_sessions: &[&TraceInfo]) -> Option<TraceInfo> {
    let session = info.session()?;
    let elsewhere = of_sessions
        .iter()
        .filter(|other| other.session() == Some(session) && other.trace_id != info.trace_id)
        .flat_map(|other| other.assessments.iter().filter(|a| speaks_of_a_session(a)));
    let mut whole = info.clone();
    whole.of_session.extend(elsewhere.cloned());
    Some(whole)
}

/// The traces of experiments as JSON lines, perhaps with their spans.
fn export(uri: &str, experiments: &[&str], dir: &Path, spans: &str) -> PathBuf {
    let path = dir.join(format!("{}.jsonl", experiments[0]));
    let outcome = mlt()
        .on(uri)
        .args(experiments.iter().flat_map(|name| ["-x", name]))
        .run(&format!("search --all -o jsonl {spans}"));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    std::fs::write(&path, outcome.stdout).unwrap();
    path
}

/// What a URI names.
fn location(uri: &str) -> Location {
    let flags = Flags {
        tracking_uri: Some(uri.into()),
        ..Flags::default()
    };
    Settings::resolve(&flags, &Env::default(), &RealDisk)
        .unwrap()
        .location
}

fn open(location: &Location) -> Box<dyn Store> {
    store::open(location, None).unwrap()
}

/// A question.
#[derive(Clone, Default)]
pub(super) struct Question {
    pub(super) experiments: Vec<String>,
    pub(super) order_by: OrderBy,
    pub(super) limit: Option<usize>,
}

impl Question {
    pub(super) fn raw(&self, store: &dyn Store, text: &str) -> Answer {
        self.ask(store, FilterSource::Raw(text.to_owned()))
    }

    pub(super) fn parsed(&self, store: &dyn Store, filter: &Filter) -> Answer {
        self.ask(store, FilterSource::Parsed(filter.clone()))
    }

    /// What mlt's evaluator says of traces in memory.
    pub(super) fn evaluate(&self, traces: &[Trace], filter: &Filter) -> Answer {
        let matcher = filter.matcher();
        let asked: Vec<&Trace> = traces
            .iter()
            .filter(|trace| {
                let experiment = trace.info.experiment_id.as_ref();
                experiment.is_some_and(|id| self.experiments.contains(id))
            })
            .collect();
        let of_sessions: Vec<&TraceInfo> = asked
            .iter()
            .map(|trace| &trace.info)
            .filter(|info| filter.needs_assessments() && judges_a_session(info))
            .collect();
        let mut found: Vec<&TraceInfo> = asked
            .into_iter()
            .filter(|trace| match judged(&trace.info, &of_sessions) {
                Some(info) => matcher.matches(&info, &trace.spans),
                None => matcher.matches(&trace.info, &trace.spans),
            })
            .map(|trace| &trace.info)
            .collect();
        found.sort_by(|a, b| self.order_by.compare(a, b));
        let ids = found.into_iter().map(|info| info.trace_id.clone());
        Answer::Found(ids.collect(), SearchEnd::Complete)
    }

    fn ask(&self, store: &dyn Store, filter: FilterSource) -> Answer {
        let query = Query {
            experiments: self.experiments.clone(),
            filter,
            order_by: self.order_by.clone(),
            ..Query::default()
        };
        let mut search = Search::new(store, query, self.limit);
        let mut ids = Vec::new();
        loop {
            match search.next_page() {
                Ok(Some(page)) => ids.extend(page.into_iter().map(|info| info.trace_id)),
                Ok(None) => return Answer::Found(ids, search.end().unwrap()),
                Err(error @ (StoreError::Refused { .. } | StoreError::Unsupported { .. })) => {
                    return Answer::Refused(error.to_string());
                }
                Err(error) => panic!("{}: {error:?}", store.describe()),
            }
        }
    }
}
