//! Spans of any source that has the times of OpenTelemetry.

use super::super::depth::{Brief, Depth as _, Events, Timed, drop_hints, may_hint};
use super::super::flaw::Flaw;
use super::super::ids;
use super::members::{self, Members, senseless, unexpected};
use super::scalar::{id, nanos, text};
use super::{Dialect, attributes, inner};
use crate::json::{Kind, Node};
use crate::model::{Event, Link, Span, SpanId, SpanKind, StatusCode};
use crate::store::Detail;

pub(super) const START: [&str; 6] = [
    "start_time_unix_nano",
    "startTimeUnixNano",
    "start_time_ns",
    "startTimeNs",
    "start_time",
    "startTime",
];
const END: [&str; 6] = [
    "end_time_unix_nano",
    "endTimeUnixNano",
    "end_time_ns",
    "endTimeNs",
    "end_time",
    "endTime",
];
const EVENT_TIME: [&str; 7] = [
    "time_unix_nano",
    "timeUnixNano",
    "time_ns",
    "timestamp_ns",
    "timestamp",
    "time",
    "timeNs",
];
pub(super) const TRACE_ID: [&str; 2] = ["trace_id", "traceId"];
pub(super) const SPAN_ID: [&str; 2] = ["span_id", "spanId"];
const PARENT_ID: [&str; 4] = ["parent_span_id", "parentSpanId", "parent_id", "parentId"];

/// A list of spans, or the JSON text of one.
pub(super) fn list(node: Node<'_>, detail: Detail) -> Result<Vec<Span>, Flaw> {
    if node.kind() == Kind::Text {
        return inner(node, "a list of spans", &mut |node| list(node, detail));
    }
    members::list(node, "a list of spans", |node| {
        span(node, detail, Dialect::Mlflow)
    })
}

/// One span.
pub(super) fn span(node: Node<'_>, detail: Detail, dialect: Dialect) -> Result<Span, Flaw> {
    let members = Members::of(node)?;
    let context = members.read(&["context"], Members::of)?;
    let (trace_id, span_id) = match &context {
        Some(context) => {
            let trace_id = context.read(&TRACE_ID, id);
            let span_id = context.need(&SPAN_ID, named);
            (
                trace_id.map_err(|flaw| flaw.within("context"))?,
                span_id.map_err(|flaw| flaw.within("context"))?,
            )
        }
        None => (members.read(&TRACE_ID, id)?, members.need(&SPAN_ID, named)?),
    };
    let (status, status_message) = status(&members)?;
    let keeps = |key: &str| match detail {
        Detail::Times => Timed::keeps(key),
        Detail::Measures | Detail::Events => Brief::keeps(key),
        Detail::Whole => true,
    };
    let mut span = Span {
        span_id: ids::span_id(&span_id).unwrap_or_else(|| SpanId::new("")),
        parent_id: members
            .read(&PARENT_ID, id)?
            .and_then(|id| ids::parent_id(&id)),
        trace_id: ids::otel_trace_id(&trace_id.unwrap_or_default()),
        name: members
            .read(&["name"], |node| Ok(text(node)))?
            .unwrap_or_default(),
        kind: members
            .read(&["kind"], |node| Ok(SpanKind::of_json(&node.to_value())))?
            .flatten(),
        start_ns: members.need(&START, nanos)?,
        // OpenTelemetry spans without an end are stored with an end of zero.
        end_ns: members.read(&END, nanos)?.filter(|end| *end > 0),
        status,
        status_message,
        attributes: members
            .read(&["attributes"], |node| {
                attributes::of_span(node, dialect, keeps)
            })?
            .unwrap_or_default(),
        events: match detail {
            Detail::Events | Detail::Whole => members
                .read(&["events"], |node| members::list(node, "events", event))?
                .unwrap_or_default(),
            Detail::Times => Vec::new(),
            Detail::Measures => members
                .read(&["events"], |node| Ok(hints(node)))?
                .unwrap_or_default(),
        },
        links: match detail {
            Detail::Whole => members
                .read(&["links"], |node| members::list(node, "links", link))?
                .unwrap_or_default(),
            _ => Vec::new(),
        },
    };
    match detail {
        Detail::Measures => drop_hints(&mut span, Events::OfTokens),
        Detail::Events => drop_hints(&mut span, Events::All),
        Detail::Times | Detail::Whole => {}
    }
    Ok(span)
}

/// Those events that are chunks of a stream and may tell of tokens; what is no event is
/// left to those who read them all.
fn hints(node: Node<'_>) -> Vec<Event> {
    let is_hint = |event: &Event| {
        let mut chunks = Event::CHUNKS
            .iter()
            .filter_map(|key| event.attributes.get(*key));
        chunks.any(|chunk| may_hint(chunk.to_string().as_bytes()))
    };
    let elements = (node.kind() == Kind::List).then(|| node.elements());
    let events = elements
        .into_iter()
        .flatten()
        .filter_map(|node| event(node).ok());
    events.filter(is_hint).collect()
}

/// An id that says something.
fn named(node: Node<'_>) -> Result<String, Flaw> {
    let id = id(node)?;
    if id.is_empty() {
        return Err(Flaw::new("is empty").at(node.start()));
    }
    Ok(id)
}

/// The code and the message, in an object or beside each other.
fn status(members: &Members<'_>) -> Result<(StatusCode, String), Flaw> {
    let message = |members: &Members<'_>, names: &[&'static str]| {
        members
            .read(names, |node| Ok(text(node)))
            .map(Option::unwrap_or_default)
    };
    match members.find(&["status"]) {
        Some((name, node)) if node.kind() == Kind::Object => {
            let inner = Members::of(node)?;
            let code = inner.read(&["code", "status_code", "statusCode"], code);
            Ok((
                code.map_err(|flaw| flaw.within(name))?.unwrap_or_default(),
                message(&inner, &["message", "description"])?,
            ))
        }
        _ => Ok((
            members
                .read(&["status", "status_code", "statusCode"], code)?
                .unwrap_or_default(),
            message(members, &["status_message", "statusMessage"])?,
        )),
    }
}

/// A status by name or by OpenTelemetry's number.
fn code(node: Node<'_>) -> Result<StatusCode, Flaw> {
    let found = match (node.text(), node.number()) {
        (Some(name), _) => StatusCode::from_name(&name),
        (None, Some("0")) => Some(StatusCode::Unset),
        (None, Some("1")) => Some(StatusCode::Ok),
        (None, Some("2")) => Some(StatusCode::Error),
        (None, Some(_)) => None,
        (None, None) => return Err(unexpected(node, "a status")),
    };
    found.ok_or_else(|| senseless(node, "OK, ERROR or UNSET"))
}

fn event(node: Node<'_>) -> Result<Event, Flaw> {
    let members = Members::of(node)?;
    Ok(Event {
        name: members
            .read(&["name"], |node| Ok(text(node)))?
            .unwrap_or_default(),
        time_ns: members.need(&EVENT_TIME, nanos)?,
        attributes: members
            .read(&["attributes"], attributes::plain)?
            .unwrap_or_default(),
    })
}

fn link(node: Node<'_>) -> Result<Link, Flaw> {
    let members = Members::of(node)?;
    let context = members.read(&["context"], Members::of)?;
    let ids = context.as_ref().unwrap_or(&members);
    let trace_id = ids.need(&TRACE_ID, id)?;
    let span_id = ids.need(&SPAN_ID, id)?;
    Ok(Link {
        trace_id: ids::link_trace_id(trace_id),
        span_id: ids::span_id(&span_id).unwrap_or_else(|| SpanId::new("")),
        attributes: members
            .read(&["attributes"], attributes::plain)?
            .unwrap_or_default(),
    })
}
