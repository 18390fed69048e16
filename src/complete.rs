//! Candidates for the shell: fixed words, and names from the store that the
//! command line or the environment points to. The store gets a second to
//! answer; whatever goes wrong, the shell sees no candidates and no message.

mod known;
mod protocol;

use std::ffi::OsStr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::Parser;
use clap_complete::CompletionCandidate;

pub(crate) use protocol::answer;

use crate::analysis::{By, FailureKind, GroupKey};
use crate::cli::{Cli, GlobalArgs};
use crate::field::{self, FieldDef, Uses};
use crate::filter::Field;
use crate::model::{TraceInfo, metadata};
use crate::render::Column;
use crate::settings::{Env, RealDisk, Settings};
use crate::store::{self, Location, Query, Scope, Store};
use crate::table::{self, rows};
use crate::text::sanitize::is_unseen;

const PATIENCE: Duration = Duration::from_secs(1);
const RECENT: usize = 50;
/// Traces whose keys and values are offered.
const CENSUS: usize = 100;

/// A candidate with its help.
type Named = (String, Option<String>);

/// Experiment names, with their ids as help.
pub(crate) fn experiments(typed: &OsStr) -> Vec<CompletionCandidate> {
    from_store(typed, |store, _| {
        let all = store.experiments(Scope::Active).ok()?;
        Some(
            all.into_iter()
                .map(|e| (e.name, Some(format!("id {}", e.id))))
                .collect(),
        )
    })
}

/// `latest` and the newest trace ids, with their names as help.
pub(crate) fn trace_ids(typed: &OsStr) -> Vec<CompletionCandidate> {
    let mut all = starting_with(
        typed,
        [("latest".to_owned(), Some("the newest trace".to_owned()))],
    );
    all.extend(recent(typed, |info| {
        let name = info.name().unwrap_or("-");
        Some((
            info.trace_id.clone(),
            Some(format!("{name} {}", info.state)),
        ))
    }));
    all
}

/// Names of recent traces.
pub(crate) fn trace_names(typed: &OsStr) -> Vec<CompletionCandidate> {
    known::values_of(typed, &Field::Name, "")
}

/// Sessions of recent traces.
pub(crate) fn sessions(typed: &OsStr) -> Vec<CompletionCandidate> {
    known::values_of(typed, &Field::Metadata(metadata::SESSION.to_owned()), "")
}

/// End users of recent traces.
pub(crate) fn users(typed: &OsStr) -> Vec<CompletionCandidate> {
    known::values_of(typed, &Field::Metadata(metadata::USER.to_owned()), "")
}

/// Runs of recent traces.
pub(crate) fn run_ids(typed: &OsStr) -> Vec<CompletionCandidate> {
    known::values_of(typed, &Field::RunId, "")
}

/// Names of spans of recent traces.
pub(crate) fn span_names(typed: &OsStr) -> Vec<CompletionCandidate> {
    known::values_of(typed, &Field::SpanName, "")
}

/// `KEY=VALUE` of tags.
pub(crate) fn tags(typed: &OsStr) -> Vec<CompletionCandidate> {
    known::pairs(typed, Field::Tag)
}

/// `KEY=VALUE` of metadata.
pub(crate) fn metadata_pairs(typed: &OsStr) -> Vec<CompletionCandidate> {
    known::pairs(typed, Field::Metadata)
}

/// Traces, and once something else is typed, tags.
pub(crate) fn traces_and_tags(typed: &OsStr) -> Vec<CompletionCandidate> {
    let mut all = trace_ids(typed);
    if all.is_empty() {
        all = tags(typed);
    }
    all
}

/// Beginnings of keys, and keys.
pub(crate) fn key_prefixes(typed: &OsStr) -> Vec<CompletionCandidate> {
    let word = typed.to_string_lossy();
    let keys = FieldDef::with(Uses::FILTER).filter(|def| !def.unit.is_number());
    let beginnings = keys.map(FieldDef::beginning);
    let mut all = starting_with(typed, beginnings.map(|key| (key.to_owned(), None)));
    all.extend(known::keys(&word, ""));
    all.retain(|candidate| candidate.get_value() != typed);
    all
}

/// Keys of the filter language, after whatever conditions stand before.
pub(crate) fn filter(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(text) = typed.to_str() else {
        return Vec::new();
    };
    let start = text
        .rfind(|c: char| c == '(' || c.is_whitespace())
        .and_then(|at| Some(at + text[at..].chars().next()?.len_utf8()))
        .unwrap_or_default();
    if let Some(values) = known::filter_values(text) {
        return values;
    }
    let (before, word) = text.split_at(start);
    let mut all: Vec<CompletionCandidate> = FieldDef::with(Uses::FILTER)
        .map(|def| (def.beginning(), def.help))
        .filter(|(key, _)| key.starts_with(word))
        .map(|(key, help)| {
            CompletionCandidate::new(format!("{before}{key}")).help(Some(help.into()))
        })
        .collect();
    all.extend(known::keys(word, before));
    all.retain(|candidate| candidate.get_value() != typed);
    all
}

/// Keys to sort by.
pub(crate) fn order_keys(typed: &OsStr) -> Vec<CompletionCandidate> {
    let keys = FieldDef::with(Uses::SORT).map(|def| def.beginning().to_owned());
    let mut all = starting_with(typed, keys.map(|key| (key, None)));
    all.extend(known::keys(&typed.to_string_lossy(), ""));
    all.retain(|candidate| candidate.get_value() != typed);
    all
}

/// Commands and topics that there is help on.
pub(crate) fn help_topics(typed: &OsStr) -> Vec<CompletionCandidate> {
    use clap::CommandFactory as _;
    let command = crate::cli::Cli::command();
    let names = command
        .get_subcommands()
        .map(|command| command.get_name().to_owned());
    starting_with(
        typed,
        names
            .chain(["filter", "rules", "limits", "connection", "output"].map(str::to_owned))
            .map(|name| (name, None)),
    )
}

/// Span types that MLflow defines.
pub(crate) fn span_types(typed: &OsStr) -> Vec<CompletionCandidate> {
    starting_with(
        typed,
        field::SPAN_TYPES.iter().map(|t| ((*t).to_owned(), None)),
    )
}

/// Columns, after those that were typed already.
pub(crate) fn columns(typed: &OsStr) -> Vec<CompletionCandidate> {
    let names = Column::names().map(|name| name.split('<').next().unwrap_or(name));
    one_of_or_keys(typed, names)
}

/// Columns of rows of latency, likewise.
pub(crate) fn latency_columns(typed: &OsStr) -> Vec<CompletionCandidate> {
    one_of(typed, rows::latency::names())
}

/// Columns of rows of a comparison, likewise.
pub(crate) fn diff_columns(typed: &OsStr) -> Vec<CompletionCandidate> {
    one_of(typed, rows::diff::names())
}

/// Columns of rows of statistics, likewise.
pub(crate) fn stats_columns(typed: &OsStr) -> Vec<CompletionCandidate> {
    one_of(typed, rows::stats::names())
}

/// Columns of rows of failures, likewise.
pub(crate) fn error_columns(typed: &OsStr) -> Vec<CompletionCandidate> {
    one_of(typed, rows::errors::names())
}

/// Columns of sessions, likewise.
pub(crate) fn session_columns(typed: &OsStr) -> Vec<CompletionCandidate> {
    one_of(typed, rows::sessions::names())
}

/// Kinds of failures, likewise.
pub(crate) fn failure_kinds(typed: &OsStr) -> Vec<CompletionCandidate> {
    let kinds = FailureKind::ALL.map(FailureKind::as_str);
    one_of(typed, kinds.into_iter().chain(["all"]))
}

/// Columns of spans, likewise, and the tags of their traces.
pub(crate) fn span_columns(typed: &OsStr) -> Vec<CompletionCandidate> {
    let known = rows::spans::spans();
    let names = known.plain().iter().map(table::Column::name);
    let keyed = ["tags.", "metadata.", "attributes."];
    one_of_or_keys(typed, names.chain(keyed))
}

/// What rows of latency may stand for, after a key that was typed already.
pub(crate) fn row_keys(typed: &OsStr) -> Vec<CompletionCandidate> {
    one_of_or_keys(typed, GroupKey::beginnings())
}

/// What rows of statistics may stand for, likewise.
pub(crate) fn stats_keys(typed: &OsStr) -> Vec<CompletionCandidate> {
    let kept = |key: &&str| *key != By::Span.as_str();
    let own = [
        "span.status",
        "span.model",
        "assessment",
        "assessment.value",
    ];
    one_of_or_keys(typed, GroupKey::beginnings().filter(kept).chain(own))
}

/// Words of a list with commas between, after those that were typed already.
fn one_of<W: AsRef<str>>(
    typed: &OsStr,
    words: impl IntoIterator<Item = W>,
) -> Vec<CompletionCandidate> {
    let Some((before, word)) = last_of_list(typed) else {
        return Vec::new();
    };
    let words = words.into_iter();
    let mut all: Vec<CompletionCandidate> = words
        .filter(|name| name.as_ref().starts_with(word))
        .map(|name| CompletionCandidate::new(format!("{before}{}", name.as_ref())))
        .collect();
    all.retain(|candidate| candidate.get_value() != typed);
    all
}

/// The same, and keys such as `tags.env`.
fn one_of_or_keys<W: AsRef<str>>(
    typed: &OsStr,
    words: impl IntoIterator<Item = W>,
) -> Vec<CompletionCandidate> {
    let mut all = one_of(typed, words);
    if let Some((before, word)) = last_of_list(typed) {
        all.extend(known::keys(word, before));
        all.retain(|candidate| candidate.get_value() != typed);
    }
    all
}

/// What of a list is there, and what is being typed behind its last comma.
fn last_of_list(typed: &OsStr) -> Option<(&str, &str)> {
    let text = typed.to_str()?;
    Some(text.split_at(text.rfind(',').map_or(0, |at| at + 1)))
}

fn starting_with(
    typed: &OsStr,
    all: impl IntoIterator<Item = (String, Option<String>)>,
) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let mut seen = std::collections::BTreeSet::new();
    all.into_iter()
        .filter(|(value, _)| value.starts_with(typed.as_ref()))
        // A name must not become an option.
        .filter(|(value, _)| !value.starts_with('-') || typed.starts_with('-'))
        .filter(|(value, _)| seen.insert(value.clone()))
        .map(|(value, help)| CompletionCandidate::new(value).help(help.map(Into::into)))
        .collect()
}

/// Whether a text is one line of characters that are seen. A shell would run
/// escape sequences when it prints them.
fn is_visible(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || is_unseen(c))
}

fn recent(
    typed: &OsStr,
    pick: impl Fn(&TraceInfo) -> Option<(String, Option<String>)> + Send + 'static,
) -> Vec<CompletionCandidate> {
    from_store(typed, move |store, experiments| {
        let infos = recent_infos(store, experiments, RECENT)?;
        Some(infos.iter().filter_map(&pick).collect())
    })
}

fn recent_infos(store: &dyn Store, experiments: &[String], most: usize) -> Option<Vec<TraceInfo>> {
    let query = Query {
        experiments: experiments
            .iter()
            .map(|name| {
                let found = store.experiments(Scope::Named(name)).unwrap_or_default();
                let id = found.into_iter().next().map(|experiment| experiment.id);
                id.unwrap_or_else(|| name.clone())
            })
            .collect(),
        limit: Some(most),
        ..Query::default()
    };
    Some(store.search(&query, most, None).ok()?.traces)
}

fn from_store(
    typed: &OsStr,
    ask: impl FnOnce(&dyn Store, &[String]) -> Option<Vec<(String, Option<String>)>> + Send + 'static,
) -> Vec<CompletionCandidate> {
    let (sender, receiver) = mpsc::channel();
    let ask = thread::Builder::new().spawn(move || {
        let answer = open().and_then(|(store, experiments)| ask(store.as_ref(), &experiments));
        let _ = sender.send(answer.unwrap_or_default());
    });
    if ask.is_err() {
        return Vec::new();
    }
    starting_with(typed, receiver.recv_timeout(PATIENCE).unwrap_or_default())
}

fn open() -> Option<(Box<dyn Store>, Vec<String>)> {
    let settings =
        Settings::resolve(&typed_flags().settings(), &Env::from_process(), &RealDisk).ok()?;
    if matches!(settings.location, Location::Stdin) {
        return None;
    }
    let store = store::open_with(&settings.location, &settings.artifacts, None).ok()?;
    Some((store, settings.experiments))
}

/// The options that say where the traces are, from the line being completed.
fn typed_flags() -> GlobalArgs {
    let words: Vec<String> = std::env::args()
        .skip_while(|word| word != "--")
        .skip(2)
        .collect();
    let value_of = |short: &str, long: &str| {
        words.iter().enumerate().find_map(|(at, word)| {
            if word == short || word == long {
                return words.get(at + 1).cloned();
            }
            word.strip_prefix(&format!("{long}="))
                .or(word.strip_prefix(short).filter(|_| !word.starts_with("--")))
                .map(str::to_owned)
        })
    };
    let mut line = vec!["mlt".to_owned()];
    for (short, long) in [("-u", "--tracking-uri"), ("-x", "--experiment")] {
        if let Some(value) = value_of(short, long).filter(|v| !v.is_empty()) {
            line.push(format!("{long}={value}"));
        }
    }
    line.extend(["--retries=0", "--timeout=1s", "search"].map(str::to_owned));
    Cli::try_parse_from(line).map_or_else(
        |_| Cli::parse_from(["mlt", "search"]).global,
        |cli| cli.global,
    )
}
