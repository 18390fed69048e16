//! Spans whose traces are to be put together: OpenTelemetry's protocol in JSON, as
//! collectors, Tempo and exporters write it, and spans that stand alone.

use std::rc::Rc;

use super::super::flaw::Flaw;
use super::super::ids;
use super::super::otlp::{Part, Piece, Resource};
use super::members::Members;
use super::{Dialect, attributes, refused, span};
use crate::json::{Kind, Node, parse_at};
use crate::store::Detail;

const RESOURCES: [&str; 3] = ["resourceSpans", "resource_spans", "batches"];
const SCOPES: [&str; 4] = [
    "scopeSpans",
    "scope_spans",
    "instrumentationLibrarySpans",
    "instrumentation_library_spans",
];

/// Reads documents that follow each other, each with spans.
///
/// # Errors
/// What is no JSON, and a document without spans. A single span that cannot be read
/// is among the pieces.
pub(in crate::store::wire) fn read_parts(json: &[u8]) -> Result<Vec<Piece>, Flaw> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(ahead) = json[at..].iter().position(|b| !b.is_ascii_whitespace()) {
        let (tape, end) = parse_at(json, at + ahead)?;
        document(tape.root(), &mut pieces)?;
        at = end;
    }
    Ok(pieces)
}

fn document(node: Node<'_>, pieces: &mut Vec<Piece>) -> Result<(), Flaw> {
    if node.kind() == Kind::List {
        return each(node, "", |node| document(node, pieces));
    }
    let members = Members::of(node)?;
    if let Some(trace) = members.get("trace") {
        return document(trace, pieces).map_err(|flaw| flaw.within("trace"));
    }
    if let Some((name, resources)) = members.find(&RESOURCES) {
        return each(resources, name, |node| resource(node, pieces));
    }
    if members.find(&SCOPES).is_some() {
        return resource(node, pieces);
    }
    if members.has(&RESOURCES) {
        // No resources at all are no spans.
        return Ok(());
    }
    if refused::parts(&members).is_none() {
        return Err(Flaw::new("no spans in this object").at(node.start()));
    }
    let own = members.read(&["resource"], resource_of)?.map(Rc::new);
    pieces.push(piece(node, own.as_ref()));
    Ok(())
}

fn resource(node: Node<'_>, pieces: &mut Vec<Piece>) -> Result<(), Flaw> {
    let members = Members::of(node)?;
    let resource = Rc::new(
        members
            .read(&["resource"], resource_of)?
            .unwrap_or_default(),
    );
    let Some((name, scopes)) = members.find(&SCOPES) else {
        return Ok(());
    };
    each(scopes, name, |scope| {
        let Some(spans) = Members::of(scope)?.get("spans") else {
            return Ok(());
        };
        each(spans, "spans", |node| {
            pieces.push(piece(node, Some(&resource)));
            Ok(())
        })
    })
}

fn resource_of(node: Node<'_>) -> Result<Resource, Flaw> {
    let attributes = Members::of(node)?.read(&["attributes"], |node| {
        attributes::of_span(node, Dialect::OpenTelemetry, |_| true)
    })?;
    Ok(attributes.unwrap_or_default())
}

/// A span, or why it cannot be read.
fn piece(node: Node<'_>, resource: Option<&Rc<Resource>>) -> Piece {
    match span::span(node, Detail::Whole, dialect_of(node)) {
        Ok(span) => Piece::Span(Part {
            span,
            resource: resource.cloned().unwrap_or_default(),
        }),
        Err(flaw) => Piece::Odd {
            trace_id: trace_id_of(node),
            flaw: flaw.at(node.start()),
        },
    }
}

/// MLflow's own form has the trace's id as JSON text in a text.
fn dialect_of(node: Node<'_>) -> Dialect {
    let id = node
        .get("attributes")
        .and_then(|attributes| attributes.get(crate::model::attribute::REQUEST_ID));
    match id.and_then(Node::text) {
        Some(id) if id.starts_with('"') => Dialect::Mlflow,
        _ => Dialect::OpenTelemetry,
    }
}

fn trace_id_of(node: Node<'_>) -> Option<String> {
    let within = node.get("context").unwrap_or(node);
    let text = span::TRACE_ID
        .iter()
        .find_map(|name| within.get(name)?.text())?;
    Some(format!("tr-{}", ids::otel_trace_id(&text)))
}

fn each<'t>(
    node: Node<'t>,
    name: &str,
    mut read: impl FnMut(Node<'t>) -> Result<(), Flaw>,
) -> Result<(), Flaw> {
    super::members::list(node, "a list", &mut read)
        .map(drop)
        .map_err(|flaw| flaw.within(name))
}
