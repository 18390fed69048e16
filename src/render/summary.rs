//! The head of a page about one trace: what it is called, how it ended, how long
//! it took, and everything else that is known without its spans.

use std::fmt::Write as _;
use std::io;

use super::cell::Cell;
use super::column::{assessment_value, state_word};
use super::fields::Fields;
use super::{Layout, payload, preview, text, usage};
use crate::analysis::{Figure, LatencyReport, TotalBasis};
use crate::field;
use crate::model::{Assessment, AssessmentKind, TraceInfo, TraceState};
use crate::text::{Clean, Sheet};
use crate::units;

/// A time with all its parts does not fit beside the labels in fewer columns.
const NARROW: usize = 50;

/// Writes title, id, fields, tags and assessments; request and response cut to
/// `max_chars` characters.
pub(crate) fn write(
    out: &mut Sheet<'_>,
    info: &TraceInfo,
    report: Option<&LatencyReport<'_>>,
    max_chars: Option<usize>,
    layout: &Layout,
) -> io::Result<()> {
    let report = report.filter(|r| !r.tree.is_empty());
    write_title(out, info, report, layout)?;
    let style = layout.style;
    out.line(Cell::new(style.id(), &info.trace_id))?;
    out.blank()?;
    let mut fields = Fields::new(layout);
    if let Some(time) = info.request_time {
        let narrow = layout.width.is_some_and(|width| width < NARROW);
        let show = if narrow {
            units::time
        } else {
            units::time_with_millis
        };
        fields.add_whole("started", show(time, layout.zone));
    }
    fields.add_text("duration", report.and_then(duration_note));
    fields.add_text("spans", spans(info, report));
    let usage = report.map(LatencyReport::usage);
    let tokens = match &usage {
        Some(usage) => figure(&usage.tokens, layout, usage::usage),
        None => info
            .usage()
            .and_then(|u| usage::usage(&u))
            .map(|t| Cell::new(style.text(), t)),
    };
    let cost = match &usage {
        Some(usage) => figure(&usage.cost, layout, |c| c.total().map(units::cost)),
        None => info
            .cost()
            .and_then(|c| c.total())
            .map(|usd| Cell::new(style.text(), units::cost(usd))),
    };
    for (label, cell) in [("tokens", tokens), ("cost", cost)] {
        if let Some(cell) = cell {
            fields.add(label, cell);
        }
    }
    fields.add_text("experiment", info.place().as_deref());
    fields.add_text("session", info.session());
    fields.add_text("user", info.user());
    for (label, id) in [
        ("run", info.run_id()),
        ("model", info.model_id()),
        ("client request", info.client_request_id.as_deref()),
    ] {
        if let Some(id) = id {
            fields.add_id(label, id);
        }
    }
    for (at, prompt) in field::prompts(info).iter().enumerate() {
        fields.add_text(if at == 0 { "prompts" } else { "" }, Some(prompt));
    }
    for (label, text) in ["request", "response"]
        .into_iter()
        .zip(preview::of(info, report))
    {
        if let Some(text) = text {
            fields.add(label, limited_preview(&text, max_chars, layout));
        }
    }
    let own_tags = info
        .tags
        .iter()
        .filter(|(key, _)| !key.starts_with("mlflow."));
    for (at, (key, value)) in own_tags.enumerate() {
        let tag = Cell::new(style.muted(), format!("{key}=")).and(style.text(), value);
        fields.add(if at == 0 { "tags" } else { "" }, tag);
    }
    fields.write(out)?;
    write_assessments(out, &info.assessments, layout)
}

/// A request or response of so many characters, and how many more there are.
fn limited_preview(preview: &str, max_chars: Option<usize>, layout: &Layout) -> Cell {
    let style = layout.style;
    let (shown, note) = payload::limited(vec![preview.to_owned()], max_chars);
    let cell = Cell::new(style.text(), shown.concat());
    match note {
        Some(note) => cell.and(style.muted(), format!(" {note}")),
        None => cell,
    }
}

/// How a trace ended, with a mark where it failed.
pub(super) fn state(info: &TraceInfo, layout: &Layout) -> Cell {
    let mark = match info.state {
        TraceState::Error => layout.glyphs.pick("✗ ", "x "),
        _ => "",
    };
    Cell::new(
        layout.style.state(&info.state),
        format!("{mark}{}", state_word(info)),
    )
}

/// Writes the name, how it ended and how long it took, on a line.
pub(super) fn write_title(
    out: &mut Sheet<'_>,
    info: &TraceInfo,
    report: Option<&LatencyReport<'_>>,
    layout: &Layout,
) -> io::Result<()> {
    let style = layout.style;
    let state = state(info, layout);
    let total = match report {
        Some(report) => Some(total_text(report)),
        None => info.execution_duration_ns.map(|ns| {
            lower_bound(
                units::server_duration(ns),
                info.state == TraceState::InProgress,
            )
        }),
    };
    let tail = match &total {
        Some(total) => 4 + state.width() + text::width(total),
        None => 2 + state.width(),
    };
    let room = layout.width.map(|w| w.saturating_sub(tail).max(12));
    let name = match info.name() {
        Some(name) => Cell::new(style.title(), name),
        None => Cell::new(style.muted(), "(no name)"),
    };
    let mut title = name.fit_if(room);
    if state.plain() != units::NONE {
        title = title.and(style.text(), "  ").then(&state);
    }
    if let Some(total) = total {
        title = title.and(style.text(), "  ").and(style.title(), total);
    }
    out.line(title)
}

/// `1.64 s`, or `>= 1.64 s` while it can still grow.
pub(crate) fn total_text(report: &LatencyReport<'_>) -> String {
    at_least(report.total_ns(), report.tree.total_in_progress)
}

/// A duration that may be a lower bound.
pub(crate) fn at_least(ns: i64, in_progress: bool) -> String {
    lower_bound(units::duration(ns), in_progress)
}

/// What is shown of a duration, marked where it can still grow.
pub(crate) fn lower_bound(shown: String, in_progress: bool) -> String {
    if in_progress {
        format!(">= {shown}")
    } else {
        shown
    }
}

/// What there is to say about the duration in the title.
pub(crate) fn duration_note(report: &LatencyReport<'_>) -> Option<String> {
    let total = total_text(report);
    let extent = (report.tree.total_basis == TotalBasis::Extent)
        .then(|| format!("{total} from first start to last end"));
    let server = report.tree.server_duration_ns.map(units::duration);
    match (extent, server) {
        (None, None) => None,
        (Some(extent), None) => Some(extent),
        (None, Some(server)) => Some(format!("{total} by the root span, {server} by the server")),
        (Some(extent), Some(server)) => Some(format!("{extent}, {server} by the server")),
    }
}

pub(crate) fn spans(info: &TraceInfo, report: Option<&LatencyReport<'_>>) -> Option<String> {
    let declared = info.declared_span_count();
    let Some(report) = report else {
        return declared.map(|n| n.to_string());
    };
    let found = report.tree.len();
    let failed = report
        .nodes()
        .filter(|(id, _)| report.span(*id).status == crate::model::StatusCode::Error)
        .count();
    // Writing to a string cannot fail.
    let mut shown = found.to_string();
    if failed > 0 {
        let _ = write!(shown, ", {failed} failed");
    }
    if let Some(declared) = declared.filter(|n| *n != found) {
        let _ = write!(shown, " ({declared} according to the metadata)");
    }
    Some(shown)
}

pub(crate) fn figure<T>(
    figure: &Figure<T>,
    layout: &Layout,
    show: impl Fn(&T) -> Option<String>,
) -> Option<Cell> {
    let cell = Cell::new(layout.style.text(), show(figure.value()?)?);
    let spans = figure.from_spans.as_ref().filter(|_| figure.differs);
    let notes = [
        spans
            .and_then(&show)
            .map(|sum| format!("the spans add up to {sum}")),
        figure
            .from_calls
            .as_ref()
            .and_then(&show)
            .map(|sum| format!("the calls within wrappers add up to {sum}")),
    ];
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    if notes.is_empty() {
        return Some(cell);
    }
    Some(cell.and(layout.style.muted(), format!("  ({})", notes.join("; "))))
}

/// One paragraph for each: value, who says so, and why.
pub(super) fn write_assessments(
    out: &mut Sheet<'_>,
    assessments: &[Assessment],
    layout: &Layout,
) -> io::Result<()> {
    if assessments.is_empty() {
        return Ok(());
    }
    let style = layout.style;
    out.blank()?;
    out.styled(style.heading(), "ASSESSMENTS")?;
    let (of_session, own): (Vec<_>, Vec<_>) = assessments.iter().partition(|a| a.is_of_session());
    for assessment in own.into_iter().chain(of_session) {
        let name = if assessment.valid {
            style.name()
        } else {
            style.muted()
        };
        let mut cell = Cell::new(name, assessment.title())
            .and(style.text(), "  ")
            .and(
                value_style(assessment, layout),
                assessment_value(assessment),
            );
        cell = cell.and(style.muted(), format!("  {}", assessment_notes(assessment)));
        out.line(cell.fit_if(layout.width))?;
        if let AssessmentKind::Feedback {
            error: Some(error), ..
        } = &assessment.kind
        {
            write_paragraph(out, error.message.as_deref(), style.error(), layout)?;
        }
        write_paragraph(out, assessment.rationale.as_deref(), style.muted(), layout)?;
    }
    Ok(())
}

/// Who made it, what it is about, and whether it still counts.
pub(crate) fn assessment_notes(assessment: &Assessment) -> String {
    let mut notes = vec![assessment.source.kind.clone()];
    notes.extend(assessment.source.id.clone());
    match assessment.kind {
        AssessmentKind::Expectation { .. } => notes.insert(0, "expected".to_owned()),
        AssessmentKind::Issue { .. } => notes.push(assessment.name.clone()),
        AssessmentKind::Feedback { .. } | AssessmentKind::Other => {}
    }
    if assessment.is_of_session() {
        notes.push("of the whole session".to_owned());
    }
    if let Some(span) = &assessment.span_id {
        notes.push(format!("on span {span}"));
    }
    if !assessment.valid {
        notes.push("replaced".to_owned());
    }
    notes.retain(|note| !note.is_empty());
    notes.join(", ")
}

fn value_style(assessment: &Assessment, layout: &Layout) -> anstyle::Style {
    match &assessment.kind {
        _ if !assessment.valid => layout.style.muted(),
        AssessmentKind::Feedback { error: Some(_), .. } => layout.style.error(),
        _ => layout.style.text(),
    }
}

fn write_paragraph(
    out: &mut Sheet<'_>,
    paragraph: Option<&str>,
    style: anstyle::Style,
    layout: &Layout,
) -> io::Result<()> {
    let Some(paragraph) = paragraph.filter(|p| !p.is_empty()) else {
        return Ok(());
    };
    let room = layout.width.map(|width| width.saturating_sub(2).max(16));
    for line in Clean::block(paragraph).lines() {
        for line in line.wrapped(room) {
            let mut text = Clean::blank(2);
            text.push(style, &line);
            out.line(text)?;
        }
    }
    Ok(())
}
