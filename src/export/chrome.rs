//! Trace Event JSON, which Perfetto and chrome://tracing load. A trace is a
//! process that begins at 0, a lane is a thread, a span is a complete event, and
//! what happened within a span is an instant event. Arguments are text, since
//! viewers hold numbers as floating point.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::format::{Losses, Streamed};
use super::json;
use crate::analysis::{Lanes, Slot, SpanTree};
use crate::model::{Span, StatusCode, Trace, TraceInfo};

/// Writes traces as one document, as they come.
#[derive(Debug, Default)]
pub struct ChromeTrace {
    traces: usize,
    any: bool,
}

impl Streamed for ChromeTrace {
    fn push(&mut self, out: &mut dyn Write, trace: &Trace) -> io::Result<()> {
        self.traces += 1;
        let process = self.traces;
        let tree = SpanTree::build(trace);
        let lanes = Lanes::of(&tree);
        let id = &trace.info.trace_id;
        let name = match trace.info.name() {
            Some(name) => Cow::Owned(format!("{name} ({id})")),
            None => Cow::Borrowed(id.as_str()),
        };
        self.metadata(out, process, 0, "process_name", &Named { name: &name })?;
        let sorted = SortIndex {
            sort_index: process,
        };
        self.metadata(out, process, 0, "process_sort_index", &sorted)?;
        for lane in 1..=lanes.count {
            let name = format!("lane {lane}");
            self.metadata(out, process, lane, "thread_name", &Named { name: &name })?;
            let sorted = SortIndex { sort_index: lane };
            self.metadata(out, process, lane, "thread_sort_index", &sorted)?;
        }
        for slot in &lanes.slots {
            self.span(out, process, trace, &tree, slot)?;
        }
        Ok(())
    }

    fn finish(mut self, out: &mut dyn Write) -> io::Result<Losses> {
        if !self.any {
            self.open(out)?;
        }
        out.write_all(b"\n]}\n")?;
        Ok(Losses::default())
    }
}

impl ChromeTrace {
    fn open(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let before: &[u8] = if self.any {
            b",\n"
        } else {
            b"{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
        };
        self.any = true;
        out.write_all(before)
    }

    fn metadata(
        &mut self,
        out: &mut dyn Write,
        pid: usize,
        tid: usize,
        name: &str,
        args: &impl Serialize,
    ) -> io::Result<()> {
        let event = Metadata {
            ph: 'M',
            pid,
            tid,
            ts: 0,
            name,
            args,
        };
        self.open(out)?;
        json::write_compact(out, &event)
    }

    fn span(
        &mut self,
        out: &mut dyn Write,
        pid: usize,
        trace: &Trace,
        tree: &SpanTree,
        slot: &Slot,
    ) -> io::Result<()> {
        let (node, span) = (tree.node(slot.node), tree.span(slot.node, trace));
        let begin = tree.extent_ns.0;
        let tid = slot.lane + 1;
        let complete = Complete {
            ph: 'X',
            pid,
            tid,
            ts: Micros(node.start_ns.abs_diff(begin)),
            dur: Micros(node.end_ns.abs_diff(node.start_ns)),
            name: &span.name,
            cat: span.span_type(),
            args: Arguments {
                span_id: span.span_id.as_str(),
                status: span.status.as_str(),
                error: (span.status == StatusCode::Error)
                    .then(|| span.error_text())
                    .flatten(),
                in_progress: node.in_progress,
                detached: node.detached,
                attributes: Texts(&span.attributes),
                links: Links(span),
                trace: node.parent.is_none().then(|| Whole::of(&trace.info)),
            },
        };
        self.open(out)?;
        json::write_compact(out, &complete)?;
        for event in &span.events {
            let instant = Instant {
                ph: 'i',
                s: 't',
                pid,
                tid,
                // Events before the trace would move everything else aside.
                ts: Micros(event.time_ns.max(begin).abs_diff(begin)),
                name: &event.name,
                args: event.attributes.iter().map(text_of).collect(),
            };
            self.open(out)?;
            json::write_compact(out, &instant)?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Metadata<'a, A> {
    ph: char,
    pid: usize,
    tid: usize,
    /// Some readers miss it, though it means nothing here.
    ts: u64,
    name: &'a str,
    args: &'a A,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct SortIndex {
    sort_index: usize,
}

#[derive(Serialize)]
struct Complete<'a> {
    ph: char,
    pid: usize,
    tid: usize,
    ts: Micros,
    dur: Micros,
    name: &'a str,
    cat: Cow<'a, str>,
    args: Arguments<'a>,
}

#[derive(Serialize)]
struct Instant<'a> {
    ph: char,
    s: char,
    pid: usize,
    tid: usize,
    ts: Micros,
    name: &'a str,
    args: BTreeMap<&'a str, Cow<'a, str>>,
}

#[derive(Serialize)]
struct Arguments<'a> {
    span_id: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    in_progress: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    detached: bool,
    attributes: Texts<'a>,
    #[serde(skip_serializing_if = "Links::is_empty")]
    links: Links<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Whole<'a>>,
}

/// What is known of the trace as a whole; it goes with its roots.
#[derive(Serialize)]
struct Whole<'a> {
    trace_id: &'a str,
    state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_time: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
}

impl<'a> Whole<'a> {
    fn of(info: &'a TraceInfo) -> Self {
        Self {
            trace_id: &info.trace_id,
            state: info.state.as_str(),
            experiment_id: info.experiment_id.as_deref(),
            request_time: info.request_time.map(|time| time.to_string()),
            tags: &info.tags,
            metadata: &info.metadata,
        }
    }
}

/// Attributes with their values as text.
struct Texts<'a>(&'a [(String, String)]);

impl Serialize for Texts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, json)| {
            let text = serde_json::from_str::<String>(json);
            (key, text.map_or(Cow::Borrowed(json.as_str()), Cow::Owned))
        }))
    }
}

struct Links<'a>(&'a Span);

impl Links<'_> {
    fn is_empty(&self) -> bool {
        self.0.links.is_empty()
    }
}

impl Serialize for Links<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let links = self.0.links.iter();
        serializer.collect_seq(links.map(|link| format!("{} {}", link.trace_id, link.span_id)))
    }
}

fn text_of<'a>((key, value): (&'a String, &'a serde_json::Value)) -> (&'a str, Cow<'a, str>) {
    let text = match value {
        serde_json::Value::String(text) => Cow::Borrowed(text.as_str()),
        other => Cow::Owned(other.to_string()),
    };
    (key, text)
}

/// Nanoseconds, written as microseconds with as many digits as are needed.
struct Micros(u64);

impl Serialize for Micros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (whole, rest) = (self.0 / 1000, self.0 % 1000);
        if rest == 0 {
            return serializer.serialize_u64(whole);
        }
        // Not by way of floating point, which cannot hold every nanosecond.
        let digits = format!("{whole}.{rest:03}");
        RawValue::from_string(digits.trim_end_matches('0').to_owned())
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::Value;

    use super::*;
    use crate::render::sample::{chain, hostile, info, span, trace, written};

    fn chrome(traces: &[Trace]) -> String {
        written(|out| {
            let mut document = ChromeTrace::default();
            for trace in traces {
                document.push(out, trace)?;
            }
            document.finish(out).map(drop)
        })
    }

    fn events(json: &str) -> Vec<Value> {
        let document: Value = serde_json::from_str(json).unwrap();
        document["traceEvents"].as_array().unwrap().clone()
    }

    #[test]
    fn a_trace_is_a_process_and_a_lane_a_thread() {
        let mut trace = trace();
        trace.spans.truncate(5);
        trace.spans[3].end_ns = trace.spans[3].end_ns.map(|ns| ns + 30_000_050);
        assert_snapshot!(chrome(&[trace]), @r#"
        {"displayTimeUnit":"ms","traceEvents":[
        {"ph":"M","pid":1,"tid":0,"ts":0,"name":"process_name","args":{"name":"agent (tr-b6df45fdeeac3d7f64f3de29e167bcbd)"}},
        {"ph":"M","pid":1,"tid":0,"ts":0,"name":"process_sort_index","args":{"sort_index":1}},
        {"ph":"M","pid":1,"tid":1,"ts":0,"name":"thread_name","args":{"name":"lane 1"}},
        {"ph":"M","pid":1,"tid":1,"ts":0,"name":"thread_sort_index","args":{"sort_index":1}},
        {"ph":"M","pid":1,"tid":2,"ts":0,"name":"thread_name","args":{"name":"lane 2"}},
        {"ph":"M","pid":1,"tid":2,"ts":0,"name":"thread_sort_index","args":{"sort_index":2}},
        {"ph":"X","pid":1,"tid":1,"ts":0,"dur":1640000,"name":"agent","cat":"AGENT","args":{"span_id":"00000000000000a1","status":"OK","attributes":{"mlflow.spanType":"AGENT","mlflow.spanInputs":"{\"question\": \"How do I get my money back?\"}"},"trace":{"trace_id":"tr-b6df45fdeeac3d7f64f3de29e167bcbd","state":"ERROR","experiment_id":"1","request_time":"2026-11-22T20:56:36.791Z","tags":{"env":"prod","mlflow.trace.spansLocation":"TRACKING_STORE","mlflow.traceName":"agent","team":"search"},"metadata":{"mlflow.trace.cost":"{\"total_cost\": 0.0123}","mlflow.trace.session":"s-1","mlflow.trace.tokenUsage":"{\"input_tokens\": 1180, \"output_tokens\": 54, \"total_tokens\": 1234}","mlflow.trace.user":"anna"}}}},
        {"ph":"X","pid":1,"tid":1,"ts":12000,"dur":298000,"name":"retrieve","cat":"RETRIEVER","args":{"span_id":"00000000000000a2","status":"OK","attributes":{"mlflow.spanType":"RETRIEVER"}}},
        {"ph":"X","pid":1,"tid":1,"ts":13000,"dur":53000,"name":"embed","cat":"EMBEDDING","args":{"span_id":"00000000000000a5","status":"OK","attributes":{"mlflow.spanType":"EMBEDDING"}}},
        {"ph":"X","pid":1,"tid":2,"ts":66000,"dur":273000.05,"name":"search index","cat":"UNKNOWN","args":{"span_id":"00000000000000a6","status":"OK","attributes":{"mlflow.spanType":"UNKNOWN"}}},
        {"ph":"X","pid":1,"tid":1,"ts":320000,"dur":370000,"name":"lookup_order","cat":"TOOL","args":{"span_id":"00000000000000a3","status":"ERROR","error":"TimeoutError: the order service did not answer","attributes":{"mlflow.spanType":"TOOL","mlflow.spanInputs":"{\"order\": 12345}"},"links":["tr-77 00000000000000b1"]}},
        {"ph":"i","s":"t","pid":1,"tid":1,"ts":321000,"name":"exception","args":{"exception.message":"the order service did not answer","exception.stacktrace":"Traceback (most recent call last):\n  File \"tools.py\", line 12, in call\n    raise TimeoutError\nTimeoutError: the order service did not answer\n","exception.type":"TimeoutError"}}
        ]}
        "#);
    }

    #[test]
    fn every_trace_begins_at_zero() {
        let mut second = trace();
        second.info.trace_id = "tr-2".into();
        for span in &mut second.spans {
            span.start_ns += 1_000_000_000_000;
            span.end_ns = span.end_ns.map(|ns| ns + 1_000_000_000_000);
        }
        let events = events(&chrome(&[trace(), second]));
        let starts = |pid: u64| -> Vec<f64> {
            let of = events.iter().filter(|e| e["ph"] == "X" && e["pid"] == pid);
            of.map(|e| e["ts"].as_f64().unwrap()).collect()
        };
        assert_eq!(starts(1), starts(2));
        assert_eq!(starts(1).first(), Some(&0.0));
    }

    #[test]
    fn hostile_traces_make_json_without_anything_unseen() {
        let mut trace = hostile();
        trace.spans[0].name = "</script>\"\u{2028}\x07".into();
        let json = chrome(&[trace.clone()]);
        assert!(
            json.chars()
                .all(|c| c == '\n' || !crate::text::sanitize::is_unseen(c))
        );
        let events = events(&json);
        let names: Vec<&str> = events
            .iter()
            .filter(|e| e["ph"] == "X")
            .map(|e| e["name"].as_str().unwrap())
            .collect();
        assert_eq!(names.len(), trace.spans.len());
        assert!(names.contains(&"</script>\"\u{2028}\x07"));
        let running = events.iter().filter(|e| e["args"]["in_progress"] == true);
        assert_eq!(running.count(), 1);
    }

    #[test]
    fn traces_without_spans_deep_ones_and_none_at_all_are_documents() {
        let empty = Trace {
            info: info(),
            spans: Vec::new(),
        };
        assert_eq!(events(&chrome(&[empty])).len(), 2);
        assert_eq!(events(&chrome(&[])).len(), 0);
        let deep = events(&chrome(&[chain(30_000)]));
        assert_eq!(deep.iter().filter(|e| e["ph"] == "X").count(), 30_000);
        assert!(deep.iter().all(|e| e["tid"].as_u64() <= Some(1)));
    }

    #[test]
    fn nanoseconds_are_kept() {
        let mut one = span("1", "", "one", "LLM", 0, 0);
        one.end_ns = Some(one.start_ns + 2_000_000_000_000_000_001);
        let json = chrome(&[Trace {
            info: info(),
            spans: vec![one],
        }]);
        assert!(json.contains("\"dur\":2000000000000000.001,"), "{json}");
    }
}
