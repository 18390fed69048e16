//! Finds the key that somebody may have meant.

use super::error::quote;

/// Keys that need nothing before a dot, in the order in which they are listed to the user.
pub(super) const ATTRIBUTES: [&str; 28] = [
    "status",
    "name",
    "time",
    "duration",
    "experiment",
    "session",
    "user",
    "tokens",
    "input_tokens",
    "output_tokens",
    "cost",
    "spans",
    "model",
    "error",
    "trace_id",
    "client_request_id",
    "run_id",
    "prompt",
    "text",
    "end_time",
    "latency",
    "state",
    "request_id",
    "timestamp_ms",
    "timestamp",
    "execution_time_ms",
    "execution_time",
    "end_time_ms",
];

/// Names that stand before a dot.
pub(super) const ENTITIES: [&str; 11] = [
    "tags",
    "metadata",
    "span",
    "feedback",
    "expectation",
    "trace",
    "issue",
    "tag",
    "request_metadata",
    "attribute",
    "attributes",
];

/// What other tools and MLflow's own fields call things, and what filters call them.
const FOREIGN_KEYS: &[(&str, &str)] = &[
    ("latency_ms", "duration"),
    ("duration_ms", "duration"),
    ("execution_duration", "duration"),
    ("execution_duration_ms", "duration"),
    ("elapsed", "duration"),
    ("request_time", "time"),
    ("start_time", "time"),
    ("start_time_ms", "time"),
    ("date", "time"),
    ("created", "time"),
    ("created_at", "time"),
    ("finish_time", "end_time"),
    ("id", "trace_id"),
    ("traceid", "trace_id"),
    ("trace_name", "name"),
    ("tracename", "name"),
    ("run", "run_id"),
    ("source_run", "run_id"),
    ("session_id", "session"),
    ("thread_id", "session"),
    ("conversation_id", "session"),
    ("user_id", "user"),
    ("experiment_name", "experiment"),
    ("total_tokens", "tokens"),
    ("token_count", "tokens"),
    ("prompt_tokens", "input_tokens"),
    ("completion_tokens", "output_tokens"),
    ("total_cost", "cost"),
    ("price", "cost"),
    ("count", "spans"),
    ("span_count", "spans"),
    ("num_spans", "spans"),
    ("exception", "error"),
    ("error_message", "error"),
    ("status_message", "error"),
    ("llm", "model"),
    ("model_name", "model"),
    ("content", "trace.text"),
    ("request", "trace.text"),
    ("response", "trace.text"),
    ("input", "trace.text"),
    ("inputs", "trace.text"),
    ("output", "trace.text"),
    ("outputs", "trace.text"),
    ("message", "trace.text"),
    ("span", "span.name"),
    ("span_name", "span.name"),
    ("span_type", "span.type"),
    ("span_status", "span.status"),
    ("span_duration", "span.duration"),
    ("type", "span.type"),
    ("kind", "span.type"),
    ("issue", "issue.id"),
    ("issue_id", "issue.id"),
];

const FOREIGN_ENTITIES: &[(&str, &str)] = &[
    ("traces", "trace"),
    ("attr", "trace"),
    ("attrs", "trace"),
    ("info", "trace"),
    ("spans", "span"),
    ("meta", "metadata"),
    ("trace_metadata", "metadata"),
    ("label", "tags"),
    ("labels", "tags"),
    ("assessment", "feedback"),
    ("assessments", "feedback"),
    ("feedbacks", "feedback"),
    ("score", "feedback"),
    ("scores", "feedback"),
    ("expectations", "expectation"),
    ("issues", "issue"),
    ("run", "run_id"),
];

/// What `key` may be meant for, as it is to be written.
pub(super) fn attribute(key: &str) -> Option<&'static str> {
    let lower = key.to_ascii_lowercase();
    exact(&ATTRIBUTES, &lower)
        .or_else(|| translate(FOREIGN_KEYS, &lower))
        .or_else(|| nearest(&lower, ATTRIBUTES.iter().copied()))
        .or_else(|| {
            nearest(&lower, FOREIGN_KEYS.iter().map(|(foreign, _)| *foreign))
                .and_then(|foreign| translate(FOREIGN_KEYS, foreign))
        })
        .map(|key| if key == "text" { "trace.text" } else { key })
}

/// A hint at what `key` may be meant for, with the way to write it.
pub(super) fn attribute_hint(key: &str) -> Option<String> {
    let meant = attribute(key)?;
    let foreign = translate(FOREIGN_KEYS, &key.to_ascii_lowercase());
    Some(match foreign {
        // These are keys of no trace, but what they are about can be searched.
        Some("trace.text") => {
            "requests, responses and all other texts of the spans are searched with `trace.text`"
                .to_owned()
        }
        _ => format!("did you mean {}?", quote(meant)),
    })
}

/// What `entity` may be meant for.
pub(super) fn entity(entity: &str) -> Option<&'static str> {
    let lower = entity.to_ascii_lowercase();
    exact(&ENTITIES, &lower)
        .or_else(|| translate(FOREIGN_ENTITIES, &lower))
        .or_else(|| nearest(&lower, ENTITIES.iter().copied()))
}

fn exact(known: &[&'static str], lower: &str) -> Option<&'static str> {
    known.iter().copied().find(|name| *name == lower)
}

fn translate(table: &[(&str, &'static str)], lower: &str) -> Option<&'static str> {
    table
        .iter()
        .find(|(foreign, _)| *foreign == lower)
        .map(|(_, ours)| *ours)
}

/// The nearest of `known`, if it is only a slip or two away.
pub(super) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let reach = if word.chars().count() < 4 { 1 } else { 2 };
    known
        .map(|name| (strsim::osa_distance(word, name), name))
        .filter(|(distance, _)| *distance <= reach)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
