//! What a document is that holds no trace, so that it is refused by its name.

use super::members::Members;
use super::span::{SPAN_ID, START};
use crate::json::{Kind, Node};

/// Members that only groups of OpenTelemetry's spans have.
const GROUPS: [&str; 5] = [
    "resourceSpans",
    "resource_spans",
    "batches",
    "scopeSpans",
    "scope_spans",
];

/// What a document holds of traces that are to be put together from many documents.
pub(super) fn parts(members: &Members<'_>) -> Option<&'static str> {
    const OTLP: &str = "these are spans of OpenTelemetry's protocol";
    let is_group = |members: &Members<'_>| members.has(&GROUPS);
    if is_group(members) {
        return Some(OTLP);
    }
    let trace = members.get("trace").and_then(|node| Members::of(node).ok());
    if trace.is_some_and(|trace| is_group(&trace)) {
        return Some(OTLP);
    }
    let has_id = members.has(&SPAN_ID)
        || members
            .get("context")
            .is_some_and(|context| SPAN_ID.iter().any(|name| context.get(name).is_some()));
    (has_id && members.find(&START).is_some() && !members.has(&["spans", "data"]))
        .then_some("this is a span without its trace")
}

/// Why there is no trace, for as much as can be told.
pub(super) fn reason(members: &Members<'_>) -> String {
    what(members).unwrap_or_else(|| {
        "no trace in this object; expected `info` and `data`, `traces`, `spans` or a trace info"
            .to_owned()
    })
}

/// What it is instead, where that can be told.
pub(super) fn what(members: &Members<'_>) -> Option<String> {
    name(members).map(|name| format!("this is {name}, and no trace"))
}

fn name(members: &Members<'_>) -> Option<&'static str> {
    let object = |name: &'static str| members.get(name).filter(|node| node.kind() == Kind::Object);
    let has_member = |node: Node<'_>, name: &str| node.get(name).is_some();
    let schema = members.get("$schema").and_then(Node::text);
    if members.has(&["traceEvents"]) {
        return Some("a trace of Chrome's or Perfetto's viewer");
    }
    if schema.is_some_and(|schema| schema.contains("speedscope"))
        || (members.has(&["profiles"]) && members.has(&["shared"]))
    {
        return Some("a profile of speedscope");
    }
    if members.has(&["resourceLogs", "resource_logs"]) {
        return Some("OpenTelemetry's logs");
    }
    if members.has(&["resourceMetrics", "resource_metrics"]) {
        return Some("OpenTelemetry's metrics");
    }
    if object("log").is_some_and(|log| has_member(log, "entries")) {
        return Some("a HAR file, the traffic of a browser");
    }
    if object("info").or(object("run")).is_some_and(|info| {
        has_member(info, "run_id")
            || has_member(info, "run_uuid")
            || info
                .get("info")
                .is_some_and(|info| has_member(info, "run_id"))
    }) || members.has(&["runs"])
    {
        return Some("a run of MLflow");
    }
    if members.has(&["experiments", "experiment"]) {
        return Some("an experiment of MLflow");
    }
    if members.has(&["error_code"]) && members.has(&["message"]) {
        return Some("an error of an MLflow server");
    }
    let is_jaeger = |node: Node<'_>| has_member(node, "traceID");
    if members.has(&["traceID"])
        || members
            .get("data")
            .is_some_and(|data| data.elements().next().is_some_and(is_jaeger))
    {
        return Some("a trace of Jaeger");
    }
    if members.has(&["traceId"]) && members.has(&["timestamp"]) && members.has(&["duration"]) {
        return Some("a span of Zipkin");
    }
    None
}
