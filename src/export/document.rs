//! A document of traces in any format, written trace by trace in memory that
//! does not grow with them.

use std::fmt;
use std::io::{self, Write};

use super::chrome::ChromeTrace;
use super::folded::Folded;
use super::json::{self, TraceList, TraceParts};
use super::otlp::{self, OtlpJson};
use super::speedscope::Speedscope;
use super::{Delimited, JsonForm};
use crate::analysis::analyse;
use crate::model::{Trace, Unreadable};
use crate::table::Column;
use crate::table::delimited::DelimitedTable;
#[cfg(feature = "parquet")]
use crate::table::parquet::ParquetTable;
use crate::table::rows::spans::{self, Spans};
use crate::table::rows::traces;

/// A format for documents of traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenTelemetry's JSON.
    Otlp,
    /// OpenTelemetry's protobuf.
    OtlpProto,
    /// Trace Event JSON.
    Chrome,
    /// speedscope's file format.
    Speedscope,
    /// Folded stacks.
    Folded,
    /// MLflow's JSON.
    Json(JsonForm),
    /// Comma- or tab-separated values.
    Delimited(Delimited),
    /// Parquet.
    #[cfg(feature = "parquet")]
    Parquet,
}

/// What is written of traces, in formats that have a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Spans, with their traces where there is a place for them.
    Spans,
    /// Traces without their spans.
    Traces,
}

/// The columns of tables.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// Of spans.
    pub spans: Vec<Column<Spans>>,
    /// Of traces.
    pub traces: Vec<Column<Trace>>,
}

/// All that there are without a key.
impl Default for Chosen {
    fn default() -> Self {
        Self {
            spans: spans::spans().plain().to_vec(),
            traces: traces::in_files(),
        }
    }
}

impl Format {
    /// How the names of its files end.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Otlp => "otlp.json",
            Self::OtlpProto => "otlp.pb",
            Self::Chrome => "chrome.json",
            Self::Speedscope => "speedscope.json",
            Self::Folded => "folded",
            Self::Json(JsonForm::Pretty) => "json",
            Self::Json(JsonForm::Lines) => "jsonl",
            Self::Delimited(Delimited::Csv) => "csv",
            Self::Delimited(Delimited::Tsv) => "tsv",
            #[cfg(feature = "parquet")]
            Self::Parquet => "parquet",
        }
    }

    /// Whether it is not for people's eyes.
    pub const fn is_binary(self) -> bool {
        match self {
            Self::OtlpProto => true,
            #[cfg(feature = "parquet")]
            Self::Parquet => true,
            _ => false,
        }
    }

    /// Whether it can hold traces without their spans.
    pub const fn has_traces_alone(self) -> bool {
        match self {
            Self::Json(_) | Self::Delimited(_) => true,
            #[cfg(feature = "parquet")]
            Self::Parquet => true,
            _ => false,
        }
    }

    /// Whether it is a table.
    pub const fn has_columns(self) -> bool {
        match self {
            Self::Delimited(_) => true,
            #[cfg(feature = "parquet")]
            Self::Parquet => true,
            _ => false,
        }
    }

    /// Whether it needs nothing of spans but names and times.
    pub const fn needs_times_only(self) -> bool {
        matches!(self, Self::Speedscope | Self::Folded)
    }
}

/// What a format had no place for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    /// Spans in progress that look as if they had ended at 0.
    pub without_end: usize,
    /// Spans that count as an ancestor of theirs, being too deep.
    pub too_deep: usize,
}

type Out<'a> = &'a mut (dyn Write + Send);

/// A document on its way out.
pub struct Document<'a> {
    kind: Kind<'a>,
    losses: Losses,
}

enum Kind<'a> {
    Otlp(Out<'a>, OtlpJson),
    OtlpProto(Out<'a>),
    Chrome(Out<'a>, ChromeTrace),
    Speedscope(Out<'a>, Box<Speedscope>),
    Folded(Out<'a>, Folded),
    Json(Out<'a>, TraceList, What),
    OneJson(Out<'a>, What),
    SpanRows(Box<DelimitedTable<'a, Spans>>),
    TraceRows(Box<DelimitedTable<'a, Trace>>),
    #[cfg(feature = "parquet")]
    SpanTable(Box<ParquetTable<'a, Spans>>),
    #[cfg(feature = "parquet")]
    TraceTable(Box<ParquetTable<'a, Trace>>),
}

impl<'a> Document<'a> {
    /// A document of any number of traces, in tables with these columns.
    pub fn new(out: Out<'a>, format: Format, what: What, columns: &Chosen) -> io::Result<Self> {
        let of_spans = || columns.spans.clone();
        let of_traces = || columns.traces.clone();
        let kind = match (format, what) {
            (Format::Otlp, _) => Kind::Otlp(out, OtlpJson::default()),
            (Format::OtlpProto, _) => Kind::OtlpProto(out),
            (Format::Chrome, _) => Kind::Chrome(out, ChromeTrace::default()),
            (Format::Speedscope, _) => Kind::Speedscope(out, Box::default()),
            (Format::Folded, _) => Kind::Folded(out, Folded::default()),
            (Format::Json(form), what) => Kind::Json(out, TraceList::new(form), what),
            (Format::Delimited(format), What::Spans) => {
                Kind::SpanRows(Box::new(DelimitedTable::new(out, format, of_spans())?))
            }
            (Format::Delimited(format), What::Traces) => {
                Kind::TraceRows(Box::new(DelimitedTable::new(out, format, of_traces())?))
            }
            #[cfg(feature = "parquet")]
            (Format::Parquet, What::Spans) => {
                Kind::SpanTable(Box::new(ParquetTable::new(out, "spans", of_spans())?))
            }
            #[cfg(feature = "parquet")]
            (Format::Parquet, What::Traces) => {
                Kind::TraceTable(Box::new(ParquetTable::new(out, "traces", of_traces())?))
            }
        };
        Ok(Self {
            kind,
            losses: Losses::default(),
        })
    }

    /// A document of one trace, which in JSON is no list.
    pub fn of_one(out: Out<'a>, format: Format, what: What, columns: &Chosen) -> io::Result<Self> {
        if format != Format::Json(JsonForm::Pretty) {
            return Self::new(out, format, what, columns);
        }
        Ok(Self {
            kind: Kind::OneJson(out, what),
            losses: Losses::default(),
        })
    }

    /// Writes one trace.
    pub fn push(&mut self, trace: &Trace) -> io::Result<()> {
        let parts = |what| match what {
            What::Spans => TraceParts::whole(trace, None),
            What::Traces => TraceParts::info_only(&trace.info),
        };
        if matches!(self.kind, Kind::Otlp(..) | Kind::OtlpProto(_)) {
            let running = trace.spans.iter().filter(|span| span.end_ns.is_none());
            self.losses.without_end += running.count();
        }
        match &mut self.kind {
            Kind::Otlp(out, document) => document.push(*out, trace),
            Kind::OtlpProto(out) => otlp::write_proto(*out, trace),
            Kind::Chrome(out, document) => document.push(*out, trace),
            Kind::Speedscope(out, document) => document.push(*out, trace),
            Kind::Folded(out, document) => document.push(*out, &analyse(trace)),
            Kind::Json(out, list, what) => list.push(*out, &parts(*what)),
            Kind::OneJson(out, what) => json::write_trace(*out, &parts(*what), JsonForm::Pretty),
            Kind::SpanRows(rows) => spans::each(&analyse(trace), |row| rows.push(row)),
            Kind::TraceRows(rows) => rows.push(trace),
            #[cfg(feature = "parquet")]
            Kind::SpanTable(table) => spans::each(&analyse(trace), |row| table.push(row)),
            #[cfg(feature = "parquet")]
            Kind::TraceTable(table) => table.push(trace),
        }
    }

    /// Ends the document. `truncated` says that traces are missing that were asked for,
    /// and some may be `unreadable`, which only some formats have a place for.
    pub fn finish(self, truncated: bool, unreadable: &[Unreadable]) -> io::Result<Losses> {
        let mut losses = self.losses;
        match self.kind {
            Kind::Otlp(out, document) => document.finish(out)?,
            Kind::Chrome(out, document) => document.finish(out)?,
            Kind::Speedscope(out, document) => document.finish(out)?,
            Kind::Json(out, list, _) => list.finish(out, None, truncated, unreadable)?,
            Kind::Folded(_, document) => losses.too_deep = document.deeper(),
            Kind::OtlpProto(_) | Kind::OneJson(..) => {}
            Kind::SpanRows(rows) => rows.finish()?,
            Kind::TraceRows(rows) => rows.finish()?,
            #[cfg(feature = "parquet")]
            Kind::SpanTable(table) => table.finish()?,
            #[cfg(feature = "parquet")]
            Kind::TraceTable(table) => table.finish()?,
        }
        Ok(losses)
    }
}

impl std::ops::AddAssign for Losses {
    fn add_assign(&mut self, other: Self) {
        self.without_end += other.without_end;
        self.too_deep += other.too_deep;
    }
}

impl fmt::Debug for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").finish_non_exhaustive()
    }
}
