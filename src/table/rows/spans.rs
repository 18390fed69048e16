//! Spans, with what they have of their traces.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::io;

use serde_json::Value;

use crate::analysis::{LatencyReport, Node, NodeId};
use crate::model::{Span, SpanId, StatusCode, Timestamp, TokenUsage};
use crate::render::cell::Cell;
use crate::render::summary::at_least;
use crate::render::{Layout, trace};
use crate::table::parts::{EventJson, LinkJson, json_list, shortened};
use crate::table::{Column, Columns, Datum, Keyed, Kind, Room, Rows};

/// Spans.
#[derive(Debug)]
pub enum Spans {}

/// A span of a trace.
#[derive(Debug)]
pub struct SpanRow<'a> {
    report: &'a LatencyReport<'a>,
    id: NodeId,
    /// The number of characters that inputs, outputs and attributes may have.
    max_chars: Option<usize>,
    /// Read once, since several columns are made of them.
    tokens: OnceCell<Option<TokenUsage>>,
}

impl Rows for Spans {
    type Row<'a> = SpanRow<'a>;
}

impl<'a> SpanRow<'a> {
    /// A span with inputs, outputs and attributes of at most so many characters.
    pub fn new(report: &'a LatencyReport<'a>, id: NodeId, max_chars: Option<usize>) -> Self {
        Self {
            report,
            id,
            max_chars,
            tokens: OnceCell::new(),
        }
    }

    fn span(&self) -> &'a Span {
        self.report.span(self.id)
    }

    fn node(&self) -> &'a Node {
        self.report.tree.node(self.id)
    }

    fn tokens(&self) -> Option<&TokenUsage> {
        let tokens = || self.report.tokens(self.id);
        self.tokens.get_or_init(tokens).as_ref()
    }

    /// A lower bound is no duration: a span in progress has none.
    fn duration_ns(&self) -> Option<i64> {
        (!self.node().in_progress).then(|| self.node().duration_ns())
    }

    fn text(&self, text: Option<&'a str>) -> Datum<'a> {
        let Some(text) = text else {
            return Datum::Missing;
        };
        let cut = self.max_chars.and_then(|limit| shortened(text, limit));
        Datum::Json(cut.map_or(Cow::Borrowed(text), Cow::Owned))
    }
}

/// Does something with each span of a trace, parents before children.
pub fn each(
    report: &LatencyReport<'_>,
    mut with: impl FnMut(&SpanRow<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut ids = report.nodes().map(|(id, _)| id);
    ids.try_for_each(|id| with(&SpanRow::new(report, id, None)))
}

/// Whether a column needs all that a span has, and not just how it went.
pub fn is_of_payload(column: &Column<Spans>) -> bool {
    matches!(column.kind(), Kind::Json | Kind::Map)
}

/// The columns of spans.
pub fn spans() -> Columns<Spans> {
    let plain = of_trace().into_iter().chain(of_tree()).chain(of_span());
    Columns::new(plain.collect())
        .below("span.")
        .with_keyed(vec![
            Keyed {
                prefix: "tags",
                aliases: &["tag"],
                placeholder: "key",
                column: |key| {
                    let of = key.to_owned();
                    Column::new(
                        format!("tags.{key}"),
                        Kind::Text,
                        move |row: &SpanRow<'_>| Datum::of_key(&row.report.trace.info.tags, &of),
                    )
                    .titled(key.to_uppercase())
                },
            },
            Keyed {
                prefix: "metadata",
                aliases: &["request_metadata", "trace_metadata"],
                placeholder: "key",
                column: |key| {
                    let of = key.to_owned();
                    Column::new(
                        format!("metadata.{key}"),
                        Kind::Text,
                        move |row: &SpanRow<'_>| {
                            Datum::of_key(&row.report.trace.info.metadata, &of)
                        },
                    )
                    .titled(key.to_uppercase())
                },
            },
            Keyed {
                prefix: "attributes",
                aliases: &["attribute"],
                placeholder: "key",
                column: |key| {
                    let of = key.to_owned();
                    Column::new(
                        format!("attributes.{key}"),
                        Kind::Json,
                        move |row: &SpanRow<'_>| row.text(row.span().attribute(&of)),
                    )
                    .titled(key.to_uppercase())
                },
            },
        ])
}

type C = Column<Spans>;

fn of_trace() -> [C; 5] {
    [
        C::new("trace_id", Kind::Id, |row| {
            Datum::text(&row.report.trace.info.trace_id)
        })
        .also(["request_id"])
        .in_room(Room::Id),
        C::new("trace_name", Kind::Text, |row| {
            Datum::maybe(row.report.trace.info.name())
        })
        .titled("TRACE"),
        C::new("session", Kind::Text, |row| {
            Datum::maybe(row.report.trace.info.session())
        })
        .also(["session_id"]),
        C::new("user", Kind::Text, |row| {
            Datum::maybe(row.report.trace.info.user())
        })
        .also(["user_id"]),
        C::new("experiment_id", Kind::Text, |row| {
            Datum::cow(row.report.trace.info.place())
        })
        .titled("EXPERIMENT")
        .in_room(Room::Rigid)
        .also(["experiment"]),
    ]
}

fn of_tree() -> [C; 9] {
    [
        C::new("span_id", Kind::Id, |row| {
            Datum::text(row.span().span_id.as_str())
        }),
        C::new("parent_span_id", Kind::Id, |row| {
            Datum::maybe(row.span().parent_id.as_ref().map(SpanId::as_str))
        })
        .also(["parent_id"]),
        C::new("depth", Kind::Count, |row| Datum::count(row.node().depth)),
        C::new("name", Kind::Text, |row| Datum::text(&row.span().name))
            .titled("SPAN")
            .in_room(Room::Text { at_least: 14 })
            .also(["span_name"])
            .shown_as(name_cell),
        C::new("type", Kind::Text, |row| {
            Datum::Text(row.span().span_type())
        })
        .in_room(Room::Rigid)
        .also(["span_type"])
        .shown_as(|row, layout| {
            let kind = row.span().span_type();
            Cell::new(layout.style.span_type(&kind), kind)
        }),
        C::new("status", Kind::State, |row| {
            Datum::State(row.span().status.as_str())
        })
        .in_room(Room::Rigid)
        .also(["state", "status_code"])
        .shown_as(|row, layout| {
            let (look, word) = trace::status(row.span(), row.node(), layout);
            Cell::new(look, word)
        }),
        C::new("error", Kind::Text, |row| {
            let failed = row.span().status == StatusCode::Error;
            let text = || row.span().error_text();
            Datum::cow(failed.then(text).flatten().map(Cow::Owned))
        })
        .also(["status_message"]),
        C::new("start_time", Kind::Time, |row| {
            Datum::Time(Timestamp::from_nanos(row.span().start_ns))
        })
        .titled("STARTED")
        .also(["time"]),
        C::new("start_time_unix_nano", Kind::Count, |row| {
            Datum::Integer(row.span().start_ns)
        })
        .also(["start_time_ns"]),
    ]
}

fn of_span() -> [C; 16] {
    [
        C::new("end_time_unix_nano", Kind::Count, |row| {
            let end = row.span().end_ns;
            Datum::some(Datum::Integer, row.duration_ns().and(end))
        })
        .also(["end_time_ns"]),
        C::new("start_offset_ns", Kind::Duration, |row| {
            Datum::Duration(row.report.tree.start_offset_ns(row.id))
        })
        .titled("START")
        .also(["start_offset", "start"]),
        C::new("duration_ns", Kind::Duration, |row| {
            Datum::some(Datum::Duration, row.duration_ns())
        })
        .titled("DURATION")
        .also(["duration", "latency"])
        .shown_as(|row, layout| {
            let node = row.node();
            let shown = at_least(node.duration_ns(), node.in_progress);
            Cell::new(layout.style.text(), shown)
        }),
        C::new("total_ratio", Kind::Share, |row| {
            let part = |ns| Datum::Part(ns, row.report.total_ns());
            Datum::some(part, row.duration_ns())
        })
        .titled("%"),
        C::new("self_ns", Kind::Duration, |row| {
            Datum::Duration(row.report.self_ns(row.id))
        })
        .titled("SELF")
        .also(["self"]),
        C::new("critical_ns", Kind::Duration, |row| {
            Datum::Duration(row.report.critical_ns(row.id))
        })
        .titled("CRITICAL")
        .also(["critical"]),
        C::new("model", Kind::Text, |row| Datum::cow(row.span().model())),
        C::new("input_tokens", Kind::Count, |row| {
            let tokens = row.tokens().and_then(|tokens| tokens.input_tokens);
            Datum::some(Datum::Integer, tokens)
        })
        .titled("INPUT"),
        C::new("output_tokens", Kind::Count, |row| {
            let tokens = row.tokens().and_then(|tokens| tokens.output_tokens);
            Datum::some(Datum::Integer, tokens)
        })
        .titled("OUTPUT"),
        C::new("total_tokens", Kind::Count, |row| {
            Datum::some(Datum::Integer, row.tokens().and_then(TokenUsage::total))
        })
        .titled("TOKENS")
        .also(["tokens"]),
        C::new("cost_usd", Kind::Money, |row| {
            let cost = row.report.cost(row.id).and_then(|cost| cost.total());
            Datum::some(Datum::Money, cost)
        })
        .titled("COST")
        .also(["cost", "total_cost"]),
        C::new("inputs", Kind::Json, |row| row.text(row.span().inputs())),
        C::new("outputs", Kind::Json, |row| row.text(row.span().outputs())),
        C::new("attributes", Kind::Map, attributes),
        C::new("events", Kind::Json, |row| {
            let list = json_list(row.span().events.iter().map(EventJson::from));
            Datum::some(Datum::Json, list.map(Cow::Owned))
        }),
        C::new("links", Kind::Json, |row| {
            let list = json_list(row.span().links.iter().map(LinkJson::from));
            Datum::some(Datum::Json, list.map(Cow::Owned))
        }),
    ]
}

fn name_cell(row: &SpanRow<'_>, layout: &Layout) -> Cell {
    let span = row.span();
    let look = match span.status {
        StatusCode::Error => layout.style.error(),
        _ => layout.style.text(),
    };
    Cell::new(look, crate::text::named(&span.name))
}

fn attributes<'a>(row: &'a SpanRow<'a>) -> Datum<'a> {
    let pairs = &row.span().attributes;
    let is_cut = |limit| {
        let mut values = pairs.iter().map(|(_, value)| value);
        values.any(|value| shortened(value, limit).is_some())
    };
    let Some(limit) = row.max_chars.filter(|limit| is_cut(*limit)) else {
        return Datum::Pairs(pairs);
    };
    let cut = pairs.iter().map(|(key, value)| {
        let value = shortened(value, limit).unwrap_or_else(|| value.clone());
        (key.clone(), Value::String(value))
    });
    let text = Value::Object(cut.collect()).to_string();
    Datum::Json(Cow::Owned(text))
}
