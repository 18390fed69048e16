//! Traces that were analysed: a row for each in the list above a page of several.

use crate::analysis::{LatencyReport, UsageReport};
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

/// An analysed trace.
#[derive(Debug)]
pub struct ReportRow<'a> {
    report: &'a LatencyReport<'a>,
    usage: UsageReport,
    /// How many of its spans failed.
    failed: usize,
}

impl<'a> ReportRow<'a> {
    /// Of this one.
    pub fn new(report: &'a LatencyReport<'a>) -> Self {
        let failed = |id| report.span(id).status == StatusCode::Error;
        Self {
            report,
            usage: report.usage(),
            failed: report.nodes().filter(|(id, _)| failed(*id)).count(),
        }
    }
}

impl Rows for Reports {
    type Row<'a> = ReportRow<'a>;
}

/// The columns of analysed traces: figures are those of their spans where these are there.
pub fn reports() -> Columns<Reports> {
    type C = Column<Reports>;
    let user = Field::user();
    Columns::new(vec![
        of_trace(&Field::Name),
        of_trace(&Field::Status).shown_as(|row, layout| {
            let info = &row.report.trace.info;
            let look = layout.style.state(&info.state);
            Cell::new(look, marked_state(info, layout.glyphs))
        }),
        of_trace(&Field::Timestamp).titled("STARTED (UTC)"),
        C::new("duration_ns", Kind::Duration, |row| {
            Datum::some(Datum::Duration, duration(row.report))
        })
        .titled("DURATION")
        .shown_as(|row, layout| {
            let text = match duration(row.report) {
                _ if !row.report.tree.is_empty() => summary::total_text(row.report),
                Some(ns) => units::duration(ns),
                None => return Cell::new(layout.style.muted(), units::NONE),
            };
            Cell::new(layout.style.text(), text)
        }),
        C::new("spans", Kind::Count, |row| {
            Datum::count(row.report.tree.len())
        }),
        C::new("failed_spans", Kind::Count, |row| Datum::count(row.failed))
            .titled("FAILED")
            .shown_as(|row, layout| match row.failed {
                0 => Cell::new(layout.style.muted(), units::NONE),
                failed => {
                    let mark = state_mark("ERROR", layout.glyphs);
                    let text = format!("{mark} {}", units::whole(failed));
                    Cell::new(layout.style.error(), text)
                }
            }),
        C::new("total_tokens", Kind::Count, |row| {
            let tokens = row.usage.tokens.value().and_then(TokenUsage::total);
            Datum::some(Datum::Integer, tokens)
        })
        .titled("TOKENS"),
        C::new("cost_usd", Kind::Money, |row| {
            Datum::some(Datum::Money, row.usage.cost.value().and_then(Cost::total))
        })
        .titled("COST"),
        C::new("request", Kind::Text, |row| {
            let [request, _] = preview::of(&row.report.trace.info, Some(row.report));
            Datum::cow(request)
        }),
        of_trace(&user),
        C::new("error", Kind::Text, |row| {
            Datum::cow(error(row.report).map(Into::into))
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
    Column::new(name, column.kind(), move |row: &ReportRow<'_>| {
        column.value(row.report.trace)
    })
    .titled(title)
    .shown_as(move |row: &ReportRow<'_>, layout| shown.cell(row.report.trace, layout))
}

/// From the spans, else as the store has it, in nanoseconds.
fn duration(report: &LatencyReport<'_>) -> Option<i64> {
    if report.tree.is_empty() {
        return report.trace.info.duration_ns();
    }
    Some(report.total_ns())
}

/// The failure that came first, with the span in which it began.
fn error(report: &LatencyReport<'_>) -> Option<String> {
    let origins = report.tree.failure_origins(report.trace);
    let span = report.span(*origins.first()?);
    let name = crate::text::named(&span.name);
    Some(match span.failure() {
        Some(text) => format!("{name}: {text}"),
        None => name.to_owned(),
    })
}
