//! Commands as a trace: the outermost one is its root, those that ran within it are below.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::spool::{Noted, Record, Recorded};
use crate::model::{
    Event, Span, SpanId, StatusCode, Timestamp, Trace, TraceInfo, TraceState, attribute, metadata,
    tag,
};

/// The version of the format that MLflow 3's clients write.
const SCHEMA: &str = "3";
/// MLflow keeps so many characters of a preview.
const PREVIEW: usize = 1_000;

/// The trace of a command with what belongs to it. Spans without a parent in it stay where
/// they are.
pub fn trace(
    id: &str,
    root: Recorded,
    records: Vec<Record>,
    experiment_id: &str,
    tags: &[(String, String)],
) -> Trace {
    let trace_id = format!("tr-{id}");
    let mut events: HashMap<String, Vec<Noted>> = HashMap::new();
    let mut commands = vec![root];
    for record in records {
        match record {
            Record::Span(command) => commands.push(command),
            Record::Event(note) => events.entry(note.span_id.clone()).or_default().push(note),
        }
    }
    commands[1..].sort_by(|a, b| (a.start_ns, &a.span_id).cmp(&(b.start_ns, &b.span_id)));
    let info = info(&trace_id, &commands[0], experiment_id, tags);
    let spans = commands.into_iter().map(|command| {
        let notes = events.remove(&command.span_id).unwrap_or_default();
        span(id, &trace_id, command, notes)
    });
    Trace {
        spans: spans.collect(),
        info,
    }
}

fn info(
    trace_id: &str,
    root: &Recorded,
    experiment_id: &str,
    tags: &[(String, String)],
) -> TraceInfo {
    let mut info = TraceInfo::new(trace_id);
    info.experiment_id = Some(experiment_id.to_owned());
    info.request_time = Some(Timestamp::from_nanos(root.start_ns));
    info.execution_duration_ns = Some(root.end_ns.saturating_sub(root.start_ns));
    info.state = match root.failure {
        None => TraceState::Ok,
        Some(_) => TraceState::Error,
    };
    info.tags.extend(tags.iter().cloned());
    info.tags.insert(tag::NAME.to_owned(), root.name.clone());
    info.metadata
        .insert(metadata::SCHEMA_VERSION.to_owned(), SCHEMA.to_owned());
    let preview = |key: &str| {
        let text = root.attributes.get(key)?.to_string();
        Some(text.chars().take(PREVIEW).collect())
    };
    info.request_preview = preview(attribute::INPUTS);
    info.response_preview = preview(attribute::OUTPUTS);
    info
}

fn span(id: &str, trace_id: &str, command: Recorded, notes: Vec<Noted>) -> Span {
    let mut attributes = vec![(
        attribute::REQUEST_ID.to_owned(),
        json!(trace_id).to_string(),
    )];
    let own = command.attributes.into_iter();
    attributes.extend(own.map(|(key, value)| (key, value.to_string())));
    let mut events: Vec<Event> = notes
        .into_iter()
        .map(|note| Event {
            name: note.name,
            time_ns: note.time_ns,
            attributes: note.attributes,
        })
        .collect();
    events.sort_by_key(|event| event.time_ns);
    if let (Some(failure), Some(tail)) = (&command.failure, &command.tail) {
        let mut attributes = Map::new();
        attributes.insert("exception.type".to_owned(), json!(failure));
        attributes.insert("exception.message".to_owned(), json!(last_line(tail)));
        attributes.insert("exception.stacktrace".to_owned(), json!(tail));
        events.push(Event {
            name: "exception".to_owned(),
            time_ns: command.end_ns,
            attributes,
        });
    }
    Span {
        span_id: SpanId::new(command.span_id),
        parent_id: command.parent_id.map(SpanId::new),
        trace_id: id.to_owned(),
        name: command.name,
        start_ns: command.start_ns,
        end_ns: Some(command.end_ns),
        status: match command.failure {
            None => StatusCode::Ok,
            Some(_) => StatusCode::Error,
        },
        status_message: match (command.failure, command.tail.as_deref().map(last_line)) {
            (Some(failure), Some(line)) if !line.is_empty() => format!("{failure}: {line}"),
            (failure, _) => failure.unwrap_or_default(),
        },
        attributes,
        events,
        links: Vec::new(),
        kind: None,
    }
}

/// The last line that says anything.
fn last_line(text: &str) -> &str {
    let mut lines = text.lines().rev().map(str::trim);
    lines.find(|line| !line.is_empty()).unwrap_or_default()
}

/// What a command was given and gave back.
pub fn attributes(words: &[String], kind: &str, exit: &Value) -> Map<String, Value> {
    let all = [
        (attribute::TYPE, Some(json!(kind))),
        (attribute::INPUTS, Some(json!({"command": words}))),
        (attribute::OUTPUTS, Some(exit.clone())),
        ("process.command_args", Some(json!(words))),
        ("process.exit.code", exit.get("exit_code").cloned()),
    ];
    let there = all
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)));
    there.map(|(key, value)| (key.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(id: &str, parent: Option<&str>, failure: Option<&str>) -> Recorded {
        Recorded {
            span_id: id.to_owned(),
            parent_id: parent.map(str::to_owned),
            name: "make".to_owned(),
            start_ns: 1_000,
            end_ns: 9_000,
            failure: failure.map(str::to_owned),
            tail: failure.map(|_| "first\nno such file\n\n".to_owned()),
            attributes: attributes(&["make".to_owned()], "TASK", &json!({"exit_code": 2})),
        }
    }

    #[test]
    fn the_outermost_command_is_the_root_and_tells_how_it_ended() {
        let note = Noted {
            span_id: "b".to_owned(),
            name: "cached".to_owned(),
            time_ns: 2_000,
            attributes: Map::new(),
        };
        let tags = [("env".to_owned(), "ci".to_owned())];
        let inner = Record::Span(command("b", Some("a"), None));
        let failed = command("a", None, Some("exit status 2"));
        let trace = trace("0f", failed, vec![Record::Event(note), inner], "3", &tags);
        assert_eq!(trace.info.trace_id, "tr-0f");
        assert_eq!(trace.info.state, TraceState::Error);
        assert_eq!(trace.info.execution_duration_ns, Some(8_000));
        assert_eq!(trace.info.tags["env"], "ci");
        assert_eq!(trace.info.name(), Some("make"));
        let [root, inner] = trace.spans.as_slice() else {
            panic!("{:?}", trace.spans);
        };
        assert_eq!(root.status_message, "exit status 2: no such file");
        assert_eq!(root.exception().unwrap().message, Some("no such file"));
        assert_eq!(inner.parent_id.as_ref(), Some(&root.span_id));
        assert_eq!((inner.status, inner.events.len()), (StatusCode::Ok, 1));
        assert_eq!(root.inputs(), Some("{\"command\":[\"make\"]}"));
    }
}
