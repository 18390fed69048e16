//! `mlt latency` over many traces: a row for each group of spans, and pictures.

use anyhow::Result;

use super::super::form::Form;
use super::super::gather::{Need, gather, parts_of, with_usage};
use super::super::{Context, IN_TABLES, columns, too_many_intervals};
use crate::analysis::{
    By, GroupKey, Histogram, Interval, Many, ManyReport, Question, Sort, Unit, analyse, over_time,
};
use crate::cli::{LatencyArgs, WITH_BRIEF, WITH_IDS};
use crate::error::{CommandError, Exit};
use crate::export::many::{self as export, ManyParts};
use crate::export::{Delimited, JsonForm, json};
use crate::model::Trace;
use crate::render::{LeftOut, brief, many as render, plot};
use crate::store::{Detail, InfoParts};
use crate::table;
use crate::table::rows::latency::{groups_of_many, of_many};
use crate::terminal::Output;
use crate::text::Sheet;
use crate::units;

pub(super) fn run(context: &Context, args: &LatencyArgs) -> Result<Exit> {
    check(context, args)?;
    let question = question(args)?;
    let columns = columns::chosen(&args.columns, &groups_of_many(&question))?;
    let mut many = Many::new(question.clone());
    let mut oddities = Oddities::default();
    let keys = || std::iter::once(&question.key).chain(&question.second);
    let usage = keys().any(GroupKey::is_usage);
    let detail = keys().filter_map(GroupKey::detail).max();
    let parts = parts_of(keys());
    let need = Need {
        spans: with_usage(detail.max(Some(Detail::Times)), usage),
        info: parts.is_none(),
        parts: InfoParts {
            span_count: true,
            ..parts.unwrap_or_default()
        },
        usage,
        any_order: true,
    };
    let gathered = gather(
        context,
        &args.selection,
        need,
        "fetching traces",
        |trace: Trace| {
            let report = analyse(&trace);
            many.add(&report);
            if let Some(warning) = report.warnings().first() {
                oddities.push(&trace.info.trace_id, &warning.to_string());
            }
            Ok(())
        },
    )?;
    let mut durations: Vec<i64> = many.plotted().iter().map(|&(_, ns)| ns).collect();
    durations.sort_unstable();
    let histogram = args
        .plot
        .as_ref()
        .and_then(|_| Histogram::of_sorted(&durations));
    let intervals = intervals(&many, args)?;
    let sort = args.sort.map_or(Sort::Critical, Sort::from);
    let mut report = many.into_report(sort);
    let all = report.rows.len();
    if let Some(top) = args.top {
        report
            .rows
            .truncate(usize::try_from(top).unwrap_or(usize::MAX));
    }
    let parts = ManyParts {
        columns: columns.as_deref(),
        histogram: histogram.as_ref(),
        intervals: intervals.as_deref(),
        slowest: args.slowest.is_some(),
        truncated: gathered.truncated() || report.rows.len() < all,
        unreadable: &gathered.unreadable,
    };
    let mut out = context.terminal.output();
    let left_out = if context.is_brief() {
        let again = context.again();
        let text = brief::latency::many(context.tokens(), &report, all, &again);
        out.text().put(text)?;
        LeftOut::new()
    } else {
        write(context, args, &mut out, &report, &question, parts)?
    };
    out.finish()?;
    if report.traces == 0 && !gathered.is_short() {
        context.note_no_match(&args.selection.filter);
    }
    oddities.warn(context);
    if !context.is_brief() {
        context.note_top(report.rows.len(), all);
    }
    context.note_left_out(left_out, IN_TABLES);
    gathered.finish(context)
}

/// Options that do not go together.
fn check(context: &Context, args: &LatencyArgs) -> Result<()> {
    let known = match args.slowest {
        Some(_) => WITH_IDS,
        None => WITH_BRIEF,
    };
    context.formats("latency", known)?;
    super::only_brief(context, args)?;
    for (given, flag) in [
        (args.critical_path, "--critical-path"),
        (args.gaps, "--gaps"),
    ] {
        if given {
            return Err(for_one_trace(args, flag)
                .hint("`--slowest 5` names traces to look into")
                .into());
        }
    }
    let tables = [
        args.plot.is_some() && args.over_time.every.is_none(),
        args.over_time.every.is_some(),
        args.slowest.is_some(),
    ];
    let delimited = matches!(Form::of(&context.flags.output), Some(Form::Delimited(_)));
    if delimited && tables.iter().filter(|wanted| **wanted).count() > 1 {
        return Err(CommandError::usage(
            "`-o csv` and `-o tsv` hold one table: choose --plot, --every or --slowest",
        )
        .into());
    }
    let others = ["--plot", "--every", "--slowest"].into_iter().zip(tables);
    let mut other = others.filter(|(_, wanted)| *wanted).map(|(flag, _)| flag);
    let is_table = Form::of(&context.flags.output).is_none() || delimited;
    columns::only_of_rows(&args.columns, other.next().filter(|_| is_table))
}

/// Why what is for one trace cannot be had: there are several, or what else is
/// asked is about many, even where they are one.
fn for_one_trace(args: &LatencyArgs, what: &str) -> CommandError {
    let of_many = [
        (args.per.is_some(), "--per"),
        (args.plot.is_some(), "--plot"),
        (args.over_time.every.is_some(), "--every"),
        (args.slowest.is_some(), "--slowest"),
        (args.what_if.is_some(), "--what-if"),
    ];
    let named = args.selection.traces.as_slice();
    let is_one = matches!(named, [only] if only != "-") && !args.selection.is_search();
    match of_many.iter().find(|(given, _)| *given && is_one) {
        Some((_, other)) => CommandError::usage(format!(
            "{what} is for one trace, and {other} looks at traces as a set"
        )),
        None => CommandError::usage(format!("{what} is for one trace, and here are several")),
    }
}

fn question(args: &LatencyArgs) -> Result<Question> {
    let mut keys = args.by.iter().map(|by| by.0.clone());
    let key = keys.next().unwrap_or(GroupKey::Span(By::Name));
    let second = keys.next();
    let all = || std::iter::once(&key).chain(second.as_ref());
    if keys.next().is_some() || second.as_ref() == Some(&key) {
        return Err(CommandError::usage("--by takes one key or two different ones").into());
    }
    if all().any(|key| *key == GroupKey::Span(By::Span)) {
        return Err(for_one_trace(args, "`--by span`")
            .hint("`--by path` tells spans apart by their names from the root down")
            .into());
    }
    let only_traces = all().all(|key| matches!(key, GroupKey::Trace(_)));
    let unit = match args.per {
        Some(unit) => unit.into(),
        None if only_traces => Unit::Trace,
        None => Unit::Call,
    };
    let what_if = args.what_if.as_ref().map(|what_if| what_if.0.clone());
    Ok(Question {
        key,
        second,
        unit,
        slowest: args
            .slowest
            .map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX)),
        what_if,
        plotted: args.plot.clone().filter(|name| !name.is_empty()),
    })
}

fn intervals(many: &Many, args: &LatencyArgs) -> Result<Option<Vec<Interval>>> {
    let Some(every) = args.over_time.buckets() else {
        return Ok(None);
    };
    over_time(many.plotted().to_vec(), every)
        .map(Some)
        .map_err(too_many_intervals)
}

fn write(
    context: &Context,
    args: &LatencyArgs,
    out: &mut Output,
    report: &ManyReport,
    question: &Question,
    parts: ManyParts<'_>,
) -> Result<LeftOut> {
    match Form::of(&context.flags.output) {
        None => {
            for slow in &report.slowest {
                out.text().line(&slow.trace_id)?;
            }
        }
        Some(Form::Json(JsonForm::Lines)) if let Some(columns) = parts.columns => {
            json::write_lines(out.data(), columns, &of_many(report))?;
        }
        Some(Form::Json(form)) => export::write_json(out.data(), report, question, parts, form)?,
        Some(Form::Delimited(format)) => write_table(args, out, report, question, parts, format)?,
        Some(Form::Text) => {
            return write_text(context, args, &mut out.text(), report, question, parts);
        }
    }
    Ok(LeftOut::new())
}

fn write_table(
    args: &LatencyArgs,
    out: &mut Output,
    report: &ManyReport,
    question: &Question,
    parts: ManyParts<'_>,
    format: Delimited,
) -> Result<()> {
    if let Some(intervals) = parts.intervals {
        export::write_over_time(out.data(), intervals, format)?;
    } else if args.plot.is_some() {
        let bins = parts.histogram.map_or(&[][..], |h| &h.bins);
        export::write_histogram(out.data(), bins, format)?;
    } else if args.slowest.is_some() {
        export::write_slowest(out.data(), &report.slowest, format)?;
    } else if let Some(columns) = parts.columns {
        table::delimited::write(out.data(), format, columns.to_vec(), &of_many(report))?;
    } else {
        export::write_rows(out.data(), report, question, format)?;
    }
    Ok(())
}

fn write_text(
    context: &Context,
    args: &LatencyArgs,
    out: &mut Sheet<'_>,
    report: &ManyReport,
    question: &Question,
    parts: ManyParts<'_>,
) -> Result<LeftOut> {
    let layout = context.layout();
    let what = match &question.plotted {
        None => "Durations of traces".to_owned(),
        Some(name) => format!("Durations of {name}"),
    };
    let mut left_out = LeftOut::new();
    if let Some(columns) = parts.columns {
        render::write_chosen(out, report, question, columns.to_vec(), &layout)?;
    } else {
        left_out = render::write(out, report, question, &layout)?;
    }
    if let Some(what_if) = &report.what_if {
        out.blank()?;
        render::write_what_if(out, what_if, report, &layout)?;
    }
    if args.plot.is_some() {
        match parts.histogram {
            Some(histogram) => {
                out.blank()?;
                left_out.extend(plot::write_histogram(out, &what, histogram, &layout)?);
            }
            None if report.traces > 0 => {
                context.note(&format!("{what}: there is none to draw"));
            }
            None => {}
        }
    }
    if let Some(intervals) = parts.intervals.filter(|intervals| !intervals.is_empty()) {
        out.blank()?;
        let title = format!("{what} over time");
        left_out.extend(plot::write_over_time(
            out,
            &title,
            intervals,
            args.over_time.buckets(),
            &layout,
        )?);
    }
    if !report.slowest.is_empty() {
        out.blank()?;
        left_out.extend(render::write_slowest(out, &report.slowest, &layout)?);
    }
    Ok(left_out)
}

/// What is odd about traces: how many there are, and the one with the least id.
#[derive(Default)]
struct Oddities {
    count: usize,
    least: Option<(String, String)>,
}

impl Oddities {
    fn push(&mut self, trace_id: &str, warning: &str) {
        self.count += 1;
        if self
            .least
            .as_ref()
            .is_none_or(|(id, _)| trace_id < id.as_str())
        {
            self.least = Some((trace_id.to_owned(), warning.to_owned()));
        }
    }

    fn warn(&self, context: &Context) {
        let Some((trace_id, warning)) = &self.least else {
            return;
        };
        let more = match self.count {
            1 => String::new(),
            count => format!("; {} in all are odd", units::counted(count, "trace")),
        };
        context.warn(format!("{trace_id}: {warning}{more}"));
    }
}
