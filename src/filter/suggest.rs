//! Finds the key that somebody may have meant.

/// Keys that need nothing before a dot, in the order in which they are listed to the user.
pub(super) const ATTRIBUTES: [&str; 13] = [
    "status",
    "name",
    "timestamp_ms",
    "timestamp",
    "execution_time_ms",
    "execution_time",
    "end_time_ms",
    "end_time",
    "request_id",
    "client_request_id",
    "run_id",
    "prompt",
    "text",
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
    ("state", "status"),
    ("trace_id", "request_id"),
    ("latency", "execution_time_ms"),
    ("latency_ms", "execution_time_ms"),
    ("duration", "execution_time_ms"),
    ("duration_ms", "execution_time_ms"),
    ("execution_duration", "execution_time_ms"),
    ("execution_duration_ms", "execution_time_ms"),
    ("elapsed", "execution_time_ms"),
    ("request_time", "timestamp_ms"),
    ("start_time", "timestamp_ms"),
    ("start_time_ms", "timestamp_ms"),
    ("time", "timestamp_ms"),
    ("created", "timestamp_ms"),
    ("created_at", "timestamp_ms"),
    ("finish_time", "end_time_ms"),
    ("id", "request_id"),
    ("traceid", "request_id"),
    ("trace_name", "name"),
    ("tracename", "name"),
    ("run", "run_id"),
    ("source_run", "run_id"),
    ("session", "metadata.`mlflow.trace.session`"),
    ("session_id", "metadata.`mlflow.trace.session`"),
    ("thread_id", "metadata.`mlflow.trace.session`"),
    ("conversation_id", "metadata.`mlflow.trace.session`"),
    ("user", "metadata.`mlflow.trace.user`"),
    ("user_id", "metadata.`mlflow.trace.user`"),
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
    ("type", "span.type"),
    ("kind", "span.type"),
    ("model", "span.attributes.`mlflow.llm.model`"),
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
