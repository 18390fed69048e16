//! From what people type for a trace to its id: an id, the beginning of one, a
//! link copied from MLflow's pages, `latest`, or `-` for a list on standard input.

use std::io::BufRead;

use anyhow::Result;

use super::Context;
use super::selection::experiment_ids;
use crate::error::{CommandError, Exit};
use crate::filter::{Comparator, Condition, Field, Filter};
use crate::model::{CATALOG_PREFIX, looks_like_trace_id, normalize_trace_id, trace_id_digits};
use crate::store::{FilterSource, Location, Query, Search, StoreError};
use crate::units;
use crate::uri::percent_decode;

/// Traces, or what was typed for them, each with what went wrong.
pub(super) type Failures = Vec<(String, anyhow::Error)>;

/// The ids that `words` name, in their order, without repetitions.
///
/// # Errors
/// A word that names no trace, or more than one.
pub(super) fn trace_ids(context: &Context, words: &[String]) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for word in self::words(context, words)? {
        ids.push(trace_id(context, &word)?);
    }
    Ok(without_repetitions(ids))
}

/// The same where words that name no trace are no reason to stop: they come
/// apart from the ids, each with its error.
///
/// # Errors
/// A word that names more than one trace, or cannot name any; those of the store.
pub(super) fn known_and_missing(
    context: &Context,
    words: &[String],
) -> Result<(Vec<String>, Failures)> {
    let (mut ids, mut missing) = (Vec::new(), Vec::new());
    for word in without_repetitions(self::words(context, words)?) {
        match trace_id(context, &word) {
            Ok(id) => ids.push(id),
            Err(error) if is_missing(&error) => missing.push((word, error)),
            Err(error) => return Err(error),
        }
    }
    Ok((without_repetitions(ids), missing))
}

/// Whether something that was named is not there, or not yet.
pub(super) fn is_missing(error: &anyhow::Error) -> bool {
    let unknown = |error: &StoreError| matches!(error, StoreError::UnknownTrace { .. });
    error.downcast_ref::<StoreError>().is_some_and(unknown)
        || error
            .downcast_ref::<CommandError>()
            .is_some_and(|error| error.exit == Exit::NotFound)
}

fn without_repetitions(mut words: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    words.retain(|word| seen.insert(word.clone()));
    words
}

/// The words, with those on standard input in the place of `-`.
///
/// # Errors
/// Standard input that cannot be read.
pub(super) fn words(context: &Context, words: &[String]) -> Result<Vec<String>> {
    let mut all = Vec::with_capacity(words.len());
    for word in words {
        if word == "-" {
            all.extend(stdin_words(context)?);
        } else {
            all.push(word.clone());
        }
    }
    Ok(all)
}

/// Whether a word can only be meant for a trace, wherever it stands.
pub(super) fn names_a_trace(word: &str) -> bool {
    word == "-"
        || latest_of(word).is_some()
        || is_link(word)
        || looks_like_trace_id(word)
        || word.starts_with(CATALOG_PREFIX)
}

/// Whether it is meant for a link to one of MLflow's pages.
pub(super) fn is_link(word: &str) -> bool {
    word.starts_with("http://") || word.starts_with("https://")
}

/// The id that one word names.
///
/// # Errors
/// When it names no trace, or more than one.
pub(super) fn trace_id(context: &Context, word: &str) -> Result<String> {
    let word = word.trim();
    if let Some(before) = latest_of(word) {
        return latest(context, before);
    }
    if is_link(word) {
        note_other_host(context, word);
        return id_in_link(word).ok_or_else(|| {
            CommandError::usage(format!("no trace id in the link `{word}`"))
                .hint("open the trace in MLflow and copy the address from there")
                .into()
        });
    }
    if looks_like_trace_id(word) {
        let id = normalize_trace_id(word);
        if id.len() >= 32 {
            return whole_id(context, id);
        }
        return unique_prefix(context, word, &id);
    }
    if word.starts_with(CATALOG_PREFIX) {
        return if trace_id_digits(word).is_some_and(|digits| digits.len() == 32) {
            Ok(word.to_owned())
        } else {
            unique_prefix(context, word, word)
        };
    }
    if matches!(word, "tr" | "tr-") {
        return unique_prefix(context, word, "tr-");
    }
    if word.len() >= 4 && word.len() < 32 && word.bytes().all(|b| b.is_ascii_hexdigit()) {
        return unique_prefix(context, word, &word.to_ascii_lowercase());
    }
    if word.is_empty() {
        return Err(CommandError::usage("a trace id is empty").into());
    }
    // MLflow takes any text for an id, and other stores may make their own.
    Ok(word.to_owned())
}

/// 32 digits without `tr-` are an id of MLflow 2, or one of MLflow 3 cut short.
fn whole_id(context: &Context, id: String) -> Result<String> {
    if id.starts_with("tr-") {
        return Ok(id);
    }
    let store = context.store()?;
    let newer = format!("tr-{id}");
    match store.info(&newer) {
        Ok(info) => Ok(info.trace_id),
        Err(StoreError::UnknownTrace { .. }) => Ok(id),
        Err(error) => Err(error.into()),
    }
}

/// How many traces before the latest one: `latest` is 0 and `latest~1` is 1.
fn latest_of(word: &str) -> Option<usize> {
    match word.strip_prefix("latest")? {
        "" => Some(0),
        rest => rest.strip_prefix('~')?.parse().ok(),
    }
}

fn latest(context: &Context, before: usize) -> Result<String> {
    let store = context.store()?;
    let wanted = before.saturating_add(1);
    let query = Query {
        experiments: experiment_ids(store, &context.settings.experiments)?,
        ..Query::default()
    };
    let mut search = Search::new(store, query, Some(wanted));
    let mut unreadable = Vec::new();
    let mut seen = 0;
    let mut found = None;
    while found.is_none()
        && let Some(page) = search.next_page()?
    {
        unreadable.extend(search.take_unreadable());
        found = page.get(before - seen).map(|info| info.trace_id.clone());
        seen += page.len();
    }
    if !unreadable.is_empty() {
        context.name_unreadable(&unreadable);
    }
    if let Some(id) = found {
        if !unreadable.is_empty() {
            context.warn("the latest trace is that of those that can be read");
        }
        return Ok(id);
    }
    super::selection::check_experiments(store, &context.settings.experiments)?;
    let message = if seen == 0 {
        format!("there is no trace in {} yet", store.describe())
    } else {
        let traces = units::counted(seen, "trace");
        format!(
            "there is no `latest~{before}` among {traces} in {}",
            store.describe()
        )
    };
    Err(CommandError::new(Exit::NotFound, message).into())
}

/// The id that a word is, else the only one that begins so.
fn unique_prefix(context: &Context, word: &str, prefix: &str) -> Result<String> {
    const SHOWN: usize = 5;
    let is_on_server = matches!(context.settings.location, Location::Server(_));
    let digits = prefix.strip_prefix("tr-").unwrap_or(prefix);
    let mut beginnings = if prefix.starts_with(CATALOG_PREFIX) {
        vec![prefix.to_owned()]
    } else {
        vec![format!("tr-{digits}")]
    };
    if !prefix.starts_with(CATALOG_PREFIX) && !is_on_server && !digits.is_empty() {
        // In files there are traces of Unity Catalog, too.
        beginnings.push(format!("{CATALOG_PREFIX}%/{digits}"));
    }
    // An id without `tr-` is not among those that begin with it.
    if !is_on_server
        && !word.starts_with("tr")
        && let Some(id) = exact(context, &[word])?
    {
        return Ok(id);
    }
    let mut found = Vec::new();
    for beginning in beginnings {
        if found.is_empty() {
            found = with_ids_like(context, &beginning, SHOWN)?;
        }
    }
    let spellings = [word, prefix, &format!("tr-{digits}"), digits];
    if let Some(exact) = found.iter().find(|id| spellings.contains(&id.as_str())) {
        return Ok(exact.clone());
    }
    match found.as_slice() {
        [only] => Ok(only.clone()),
        several => {
            // It may be one of those that were not listed.
            if let Some(exact) = exact(context, &spellings)? {
                return Ok(exact);
            }
            if several.is_empty() {
                let store = context.store()?.describe();
                let id = prefix.to_owned();
                return Err(StoreError::UnknownTrace { id, store }.into());
            }
            let mut ids: Vec<&str> = several.iter().take(SHOWN).map(String::as_str).collect();
            if several.len() > SHOWN {
                ids.push("…");
            }
            Err(CommandError::usage(format!(
                "`{prefix}` is the beginning of more than one trace id"
            ))
            .hint(format!("type more of it: {}", ids.join(", ")))
            .into())
        }
    }
}

/// The first of these ids that a trace has, be it one that cannot be read.
fn exact(context: &Context, ids: &[&str]) -> Result<Option<String>> {
    let store = context.store()?;
    for (at, id) in ids.iter().enumerate() {
        if id.is_empty() || ids[..at].contains(id) {
            continue;
        }
        match store.info(id) {
            Err(StoreError::UnknownTrace { .. }) => {}
            Err(error) if !error.is_about_one_trace() => return Err(error.into()),
            _ => return Ok(Some((*id).to_owned())),
        }
    }
    Ok(None)
}

/// The ids that begin so, of traces that cannot be read too; one more than are asked for
/// where there are more.
fn with_ids_like(context: &Context, beginning: &str, most: usize) -> Result<Vec<String>> {
    let pattern = format!("{beginning}%");
    let store = context.store()?;
    let condition = Condition::text(Field::RequestId, Comparator::Like, pattern)?;
    let query = Query {
        experiments: experiment_ids(store, &context.settings.experiments)?,
        filter: FilterSource::Parsed(Filter::from(condition)),
        limit: Some(most),
        ..Query::default()
    };
    let page = store.search(&query, most + 1, None)?;
    let unreadable = page.unreadable.into_iter().filter_map(|one| one.trace_id);
    let mut ids: Vec<String> = page.traces.into_iter().map(|info| info.trace_id).collect();
    ids.extend(unreadable.filter(|id| id.starts_with(beginning)));
    Ok(ids)
}

/// A link says where the trace is, but credentials only go where the settings say.
fn note_other_host(context: &Context, link: &str) {
    let host = |url: &url::Url| Some((url.host_str()?.to_owned(), url.port_or_known_default()));
    if let (Location::Server(server), Ok(link)) =
        (&context.settings.location, url::Url::parse(link))
        && host(&server.base) != host(&link)
    {
        context.note(&format!(
            "the link points to {}, but traces are looked up on {}",
            link.host_str().unwrap_or_default(),
            server.base.host_str().unwrap_or_default()
        ));
    }
}

/// The trace id in a link to MLflow's pages, wherever it stands there.
fn id_in_link(link: &str) -> Option<String> {
    if let Some(id) = catalog_id_in(&percent_decode(link)) {
        return Some(id);
    }
    let mut bare = None;
    for part in link.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
        // A percent sign has cut `%22` before the id down to `22`.
        let part = part.find("tr-").map_or(part, |at| &part[at..]);
        if looks_like_trace_id(part) && part.len() >= 32 {
            if part.starts_with("tr-") {
                return Some(normalize_trace_id(part));
            }
            bare.get_or_insert_with(|| normalize_trace_id(part));
        }
    }
    bare
}

/// The id of a trace in Unity Catalog: its place, and 32 digits of hex behind it.
fn catalog_id_in(link: &str) -> Option<String> {
    let id = &link[link.find(CATALOG_PREFIX)?..];
    let (place, rest) = id[CATALOG_PREFIX.len()..].split_once('/')?;
    let digits = rest.get(..32)?;
    let is_place = !place.is_empty() && !place.contains(['&', '?', '#', '"']);
    (is_place && trace_id_digits(digits) == Some(digits))
        .then(|| id[..CATALOG_PREFIX.len() + place.len() + 1 + 32].to_owned())
}

fn stdin_words(context: &Context) -> Result<Vec<String>> {
    if matches!(context.settings.location, Location::Stdin) {
        return Err(CommandError::usage(
            "standard input cannot hold both the traces and the list of ids",
        )
        .into());
    }
    let mut words = Vec::new();
    context.terminal.leave_to_dialogue(true);
    for line in std::io::stdin().lock().lines() {
        words.extend(line?.split_whitespace().map(str::to_owned));
    }
    context.terminal.leave_to_dialogue(false);
    if words.is_empty() {
        context.note("there are no ids on standard input");
        context.names_none.set(true);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_and_those_before_it_have_names() {
        assert_eq!(latest_of("latest"), Some(0));
        assert_eq!(latest_of("latest~2"), Some(2));
        for word in ["latest~", "latest~x", "latest2", "late"] {
            assert_eq!(latest_of(word), None, "{word}");
        }
    }

    #[test]
    fn links_of_every_mlflow_page_hold_an_id() {
        let id = "tr-51a088e1d08df5c0638d48f2dcaad786";
        for link in [
            format!("http://h:5000/#/experiments/1/traces?selectedEvaluationId={id}&x=1"),
            format!("https://h/#/experiments/1/traces/{id}"),
            format!("https://h/ml/experiments/7?o=1&selectedTraceId={id}"),
            format!("https://h/#/experiments/1?compareRunsMode=TRACES&selectedTraceId=%22{id}%22"),
        ] {
            assert_eq!(id_in_link(&link).as_deref(), Some(id), "{link}");
        }
        assert_eq!(
            id_in_link("http://h/#/x?selectedTraceId=51a088e1d08df5c0638d48f2dcaad786").as_deref(),
            Some("51a088e1d08df5c0638d48f2dcaad786")
        );
        assert_eq!(id_in_link("http://h/#/experiments/1"), None);
        let catalog = "trace:/main.obs/51a088e1d08df5c0638d48f2dcaad786";
        for link in [
            format!("https://h/ml/experiments/1/traces?selectedEvaluationId={catalog}&x=1"),
            "https://h/ml/experiments/1/traces?selectedEvaluationId=trace%3A%2Fmain.obs%2F51a088e1d08df5c0638d48f2dcaad786&o=1".to_owned(),
        ] {
            assert_eq!(id_in_link(&link).as_deref(), Some(catalog), "{link}");
        }
    }
}
