//! Tools: a row for each that a trace's models were offered or called.

use serde_json::{Value, json};

use crate::analysis::ToolUse;
use crate::model::{ToolDefinition, Trace};
use crate::render::cell::Cell;
use crate::table::{Column, Columns, Datum, Kind, Room, Rows};
use crate::units;

/// Tools.
#[derive(Debug)]
pub enum Tools {}

/// A tool of a trace.
#[derive(Debug)]
pub struct ToolRow<'a> {
    /// The trace.
    pub trace: &'a Trace,
    /// What is known of the tool.
    pub tool: &'a ToolUse,
}

impl Rows for Tools {
    type Row<'a> = ToolRow<'a>;
}

/// What people are shown of one trace.
pub const SHOWN: [&str; 7] = [
    "tool",
    "offered",
    "called",
    "failed",
    "duration_ns",
    "arguments",
    "note",
];

/// The columns of tools; all of them are told to machines, in this order.
pub fn tools() -> Columns<Tools> {
    type C = Column<Tools>;
    Columns::new(vec![
        C::new("trace_id", Kind::Id, |row| {
            Datum::text(&row.trace.info.trace_id)
        })
        .in_room(Room::Id),
        C::new("tool", Kind::Text, |row| Datum::text(&row.tool.name))
            .shown_as(|row, layout| Cell::new(layout.style.name(), &row.tool.name)),
        C::new("offered", Kind::Count, |row| {
            Datum::some(Datum::count, row.tool.offered)
        }),
        C::new("called", Kind::Count, |row| {
            Datum::count(row.tool.calls.len())
        }),
        C::new("failed", Kind::Count, |row| Datum::count(row.tool.failed)),
        C::new("duration_ns", Kind::Duration, |row| {
            Datum::some(Datum::Duration, row.tool.duration_ns)
        })
        .titled("TIME"),
        C::new("arguments", Kind::Text, |row| {
            Datum::cow(signature(row.tool.definition.as_ref()).map(Into::into))
        })
        .in_room(Room::Preview { at_least: 12 }),
        C::new("note", Kind::Text, |row| {
            Datum::cow(note(row.tool).map(Into::into))
        })
        .shown_as(|row, layout| {
            let style = layout.style;
            match note(row.tool) {
                Some(note) if row.tool.calls.is_empty() => Cell::new(style.muted(), note),
                Some(note) => Cell::new(style.error(), note),
                None => Cell::new(style.muted(), units::NONE),
            }
        }),
        C::new("description", Kind::Text, |row| {
            let definition = row.tool.definition.as_ref();
            Datum::maybe(definition.and_then(|one| one.description.as_deref()))
        }),
        C::new("parameters", Kind::Json, |row| {
            let definition = row.tool.definition.as_ref();
            let schema = definition.and_then(|one| one.parameters.clone());
            Datum::some(
                Datum::Json,
                schema.map(|schema| Value::Object(schema).to_string().into()),
            )
        }),
        C::new("calls", Kind::Json, |row| Datum::Json(calls(row).into())),
    ])
}

/// The calls with their arguments and what is wrong with these, as JSON.
fn calls(row: &ToolRow<'_>) -> String {
    let calls = row.tool.calls.iter().map(|used| {
        let span = used.span.and_then(|at| row.trace.spans.get(at));
        json!({
            "id": used.call.id,
            "span_id": span.map(|span| span.span_id.as_str()),
            "arguments": used.call.arguments,
            "problems": used.problems,
        })
    });
    Value::Array(calls.collect()).to_string()
}

/// `article: string, count?: integer`
fn signature(definition: Option<&ToolDefinition>) -> Option<String> {
    let schema = definition?.parameters.as_ref()?;
    let properties = schema.get("properties")?.as_object()?;
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| {
        let mut names = required.into_iter().flatten();
        names.any(|one| one.as_str() == Some(name))
    };
    let arguments: Vec<String> = properties
        .iter()
        .map(|(name, property)| {
            let mark = if is_required(name) { "" } else { "?" };
            match property.get("type").and_then(Value::as_str) {
                Some(kind) => format!("{name}{mark}: {}", kind.to_ascii_lowercase()),
                None => format!("{name}{mark}"),
            }
        })
        .collect();
    Some(arguments.join(", "))
}

/// What is odd about the use of a tool.
fn note(tool: &ToolUse) -> Option<String> {
    let bad = tool.bad_calls();
    if tool.calls.is_empty() {
        Some("never called".to_owned())
    } else if tool.made_up {
        Some("not offered".to_owned())
    } else if bad > 0 {
        Some(format!(
            "{} with bad arguments",
            units::counted(bad, "call")
        ))
    } else {
        let alike = tool.alike();
        (alike >= MANY_ALIKE)
            .then(|| format!("{} with the same arguments", units::counted(alike, "call")))
    }
}

/// So many calls with the same arguments look like a loop.
const MANY_ALIKE: usize = 3;
