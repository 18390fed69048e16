//! Traces that were analysed: a row for each in the list above a page of several.

use crate::analysis::LatencyReport;
use crate::field::Field;
use crate::model::{Cost, StatusCode, TokenUsage};
use crate::render::cell::Cell;
use crate::render::column::{marked_state, state_mark};
use crate::render::{preview, summary};
use crate::table::{Column, Columns, Datum, Kind, Rows};
use crate::units;

use super::traces;

/// Analysed traces.
#[derive(Debug)]
pub enum Reports {}

impl Rows for Reports {
    type Row<'a> = LatencyReport<'a>;
}

/// The columns of analysed traces: figures are those of their spans where these are there.
pub fn reports() -> Columns<Reports> {
    type C = Column<Reports>;
    let user = Field::user();
    Columns::new(vec![
        of_trace(&Field::Name),
        of_trace(&Field::Status).shown_as(|report, layout| {
            let info = &report.trace.info;
            let look = layout.style.state(&info.state);
            Cell::new(look, marked_state(info, layout.glyphs))
        }),
        of_trace(&Field::Timestamp).titled("STARTED (UTC)"),
        C::new("duration_ns", Kind::Duration, |report| {
            Datum::some(Datum::Duration, duration(report))
        })
        .titled("DURATION")
        .shown_as(|report, layout| {
            let text = match duration(report) {
                _ if !report.tree.is_empty() => summary::total_text(report),
                Some(ns) => units::duration(ns),
                None => return Cell::new(layout.style.muted(), units::NONE),
            };
            Cell::new(layout.style.text(), text)
        }),
        C::new("spans", Kind::Count, |report| {
            Datum::count(report.tree.len())
        }),
        C::new("failed_spans", Kind::Count, |report| {
            Datum::count(failed(report))
        })
        .titled("FAILED")
        .shown_as(|report, layout| match failed(report) {
            0 => Cell::new(layout.style.muted(), units::NONE),
            failed => {
                let mark = state_mark("ERROR", layout.glyphs);
                let text = format!("{mark} {}", units::whole(failed));
                Cell::new(layout.style.error(), text)
            }
        }),
        C::new("total_tokens", Kind::Count, |report| {
            let usage = report.usage();
            let tokens = usage.tokens.value().and_then(TokenUsage::total);
            Datum::some(Datum::Integer, tokens)
        })
        .titled("TOKENS"),
        C::new("cost_usd", Kind::Money, |report| {
            let usage = report.usage();
            Datum::some(Datum::Money, usage.cost.value().and_then(Cost::total))
        })
        .titled("COST"),
        C::new("request", Kind::Text, |report| {
            let [request, _] = preview::of(&report.trace.info, Some(report));
            Datum::cow(request)
        }),
        of_trace(&user),
        C::new("error", Kind::Text, |report| {
            Datum::cow(error(report).map(Into::into))
        }),
        of_trace(&Field::RequestId),
    ])
}

/// A field of a trace, as in every other list of traces.
fn of_trace(field: &Field) -> Column<Reports> {
    let column = traces::column(field);
    let (shown, name, title) = (
        column.clone(),
        column.name().to_owned(),
        column.title().to_owned(),
    );
    Column::new(name, column.kind(), move |report: &LatencyReport<'_>| {
        column.value(report.trace)
    })
    .titled(title)
    .shown_as(move |report: &LatencyReport<'_>, layout| shown.cell(report.trace, layout))
}

/// From the spans, else as the store has it, in nanoseconds.
fn duration(report: &LatencyReport<'_>) -> Option<i64> {
    if report.tree.is_empty() {
        return report.trace.info.duration_ns();
    }
    Some(report.total_ns())
}

fn failed(report: &LatencyReport<'_>) -> usize {
    let failed = |id| report.span(id).status == StatusCode::Error;
    report.nodes().filter(|(id, _)| failed(*id)).count()
}

/// The failure that came first, with the span in which it began.
fn error(report: &LatencyReport<'_>) -> Option<String> {
    let origins = report.tree.failure_origins(report.trace);
    let span = report.span(*origins.first()?);
    let name = match span.name.as_str() {
        "" => "(no name)",
        name => name,
    };
    Some(match span.failure() {
        Some(text) => format!("{name}: {text}"),
        None => name.to_owned(),
    })
}
