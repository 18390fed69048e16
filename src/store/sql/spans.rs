//! Rows of `spans` as spans of the model, and where a trace says that its spans are.

use super::Schema;
use super::info::json_object;
use super::row::{self, Row};
use crate::filter::record_members;
use crate::model::{Span, StatusCode, TraceInfo, Unreadable, attribute, metadata, tag};
use crate::store::wire::{Flaw, span_from_slice, span_id};
use crate::store::{Detail, StoreError};

/// Where a trace says that its spans are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Place {
    /// In the table of spans.
    Table,
    /// In a file named `traces.json`.
    Artifact,
    /// In an archive outside.
    Archive,
}

impl Place {
    pub(in crate::store) fn of(info: &TraceInfo) -> Self {
        Self::named(info.tags.get(tag::SPANS_LOCATION).map(String::as_str))
    }

    /// By the tag for it.
    pub(in crate::store) fn named(location: Option<&str>) -> Self {
        match location {
            Some("TRACKING_STORE") => Self::Table,
            Some("ARCHIVE_REPO") => Self::Archive,
            _ => Self::Artifact,
        }
    }
}

/// The table of spans.
pub(in crate::store) const TABLE: &str = "spans";

macro_rules! columns {
    () => {
        "span_id, parent_span_id, name, type, status, start_time_unix_nano, end_time_unix_nano, "
    };
}

/// What [`span`] takes, for a `SELECT`. Most spans' JSON is not even read from
/// the disk, where what is large lies on pages of its own.
pub(in crate::store) const COLUMNS: &str =
    concat!(columns!(), "CASE WHEN type IS NULL THEN content END");
/// The same, and the JSON in any case.
pub(in crate::store) const COLUMNS_AND_CONTENT: &str = concat!(columns!(), "content");
/// How many these are.
pub(in crate::store) const COLUMN_COUNT: usize = 8;

/// The span of a row with [`COLUMNS`] in front, as far as they tell.
pub(in crate::store) fn span<R: Row>(row: &R, otel_id: &str) -> Result<Span, R::Error> {
    let kind = match row::maybe_text(row, TABLE, 3)? {
        Some(kind) => Some(quoted(&kind)),
        // MLflow infers the type of OpenTelemetry's spans too late for the column.
        None => row::maybe_bytes(row, TABLE, 7)?
            .and_then(|content| span_from_slice(content, Detail::Times).ok())
            .and_then(|span| span.attribute(attribute::TYPE).map(str::to_owned)),
    };
    let kind = kind.map(|json| (attribute::TYPE.to_owned(), json));
    let id = span_id(&row::name(row, TABLE, 0)?);
    let status = StatusCode::from_name(&row::text(row, TABLE, 4)?);
    Ok(Span {
        span_id: id.ok_or_else(|| row.odd(TABLE, 0, "expected the id of a span"))?,
        parent_id: row::maybe_text(row, TABLE, 1)?.as_deref().and_then(span_id),
        trace_id: otel_id.to_owned(),
        // MLflow's schema lets it be missing.
        name: row::own_text(row, TABLE, 2)?.unwrap_or_default(),
        start_ns: row::number(row, TABLE, 5)?,
        // OpenTelemetry spans without an end are stored with an end of zero.
        end_ns: row::maybe_number(row, TABLE, 6)?.filter(|end| *end > 0),
        status: status
            .ok_or_else(|| row.odd(TABLE, 4, "expected OK, ERROR or UNSET, found another text"))?,
        status_message: String::new(),
        attributes: kind.into_iter().collect(),
        events: Vec::new(),
        links: Vec::new(),
        kind: None,
    })
}

/// What [`span_of_columns`] takes, for a `SELECT`.
pub(in crate::store) fn all_columns(schema: &Schema) -> String {
    let optional = |column| {
        if schema.has("spans", column) {
            column
        } else {
            "NULL"
        }
    };
    let [model, input, output, total] =
        ["model_name", "input_cost", "output_cost", "total_cost"].map(optional);
    format!("{COLUMNS}, {model}, {input}, {output}, {total}")
}

/// What all columns say of a span of an archived trace, whose JSON is in the archive.
pub(in crate::store) fn span_of_columns<R: Row>(row: &R, otel_id: &str) -> Result<Span, R::Error> {
    let mut span = span(row, otel_id)?;
    if let Some(model) = row::maybe_text(row, TABLE, COLUMN_COUNT)? {
        let model = (attribute::MODEL.to_owned(), quoted(&model));
        span.attributes.push(model);
    }
    let costs = record_members(metadata::COST);
    if let Some(cost) = json_object(row, TABLE, COLUMN_COUNT + 1, costs)? {
        span.attributes.push((attribute::COST.to_owned(), cost));
    }
    Ok(span)
}

/// That the JSON of a span of a trace is not what it should be.
pub(in crate::store) fn broken(store: &str, trace_id: &str, flaw: &Flaw) -> StoreError {
    Unreadable {
        file: Some(store.to_owned()),
        member: Some(flaw.member.clone()).filter(|member| !member.is_empty()),
        ..Unreadable::trace(
            trace_id,
            format!("a span is not what it should be: {}", flaw.reason),
        )
    }
    .into()
}

/// As the server orders them: roots first, then by start. Sorted here, since a database
/// would carry every span's text through its sorter.
pub(in crate::store) fn sort(spans: &mut [Span]) {
    spans.sort_unstable_by(|a, b| {
        let key = |span: &Span| (span.parent_id.is_some(), span.start_ns);
        key(a).cmp(&key(b)).then_with(|| a.span_id.cmp(&b.span_id))
    });
}

/// A text as JSON; types hardly ever hold what has to be escaped.
fn quoted(text: &str) -> String {
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return ["\"", text, "\""].concat();
    }
    serde_json::Value::from(text).to_string()
}
