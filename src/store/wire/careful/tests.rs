//! Shapes of documents and members that the careful reader alone takes, that both
//! readers agree on what the quick one takes, and that nothing unreadable is passed over.

use serde_json::{Value, json};

use super::super::{DocumentSpans, DocumentTrace, Want};
use super::*;
use crate::model::{StatusCode, TraceState};

const START: i64 = 1_795_000_000_000_000_000;
const ID: &str = "tr-00000000000000000000000000000002";

fn span_json() -> Value {
    json!({
        "trace_id": "AAAAAAAAAAAAAAAAAAAAAg==", "span_id": "AAAAAAAAAAE=", "parent_span_id": null,
        "name": "root", "start_time_unix_nano": START, "end_time_unix_nano": START + 1_500_000_000,
        "events": [{"name": "e", "time_unix_nano": START, "attributes": {"k": 1}}],
        "status": {"code": "STATUS_CODE_OK", "message": ""},
        "attributes": {"mlflow.spanType": "\"CHAIN\""}, "links": [],
    })
}

fn trace_json() -> Value {
    json!({
        "info": {
            "trace_id": ID, "request_time": "2026-11-18T11:06:40Z", "state": "OK",
            "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "7"}},
            "trace_metadata": {}, "tags": {"mlflow.traceName": "job"}, "execution_duration_ms": 1500,
            "request_preview": "hi",
        },
        "data": {"spans": [span_json()]},
    })
}

fn read(document: &str) -> Result<Vec<DocumentTrace>, Flaw> {
    super::super::read_documents(document.as_bytes(), Want::Spans)
}

/// A trace with its spans as one line to compare.
fn told(trace: &DocumentTrace) -> String {
    let DocumentSpans::Read(spans) = &trace.spans else {
        panic!("no spans");
    };
    let root = &spans[0];
    format!(
        "{} {:?} {} {:?} {:?} {} {} {:?}",
        trace.info.trace_id,
        trace.info.experiment_id,
        trace.info.state,
        trace.info.request_time.map(crate::model::Timestamp::nanos),
        trace.info.execution_duration_ns,
        spans.len(),
        root.start_ns,
        root.end_ns,
    )
}

fn usual() -> String {
    told(&read(&trace_json().to_string()).unwrap()[0])
}

#[test]
fn documents_of_every_shape_hold_the_same_trace() {
    let trace = trace_json();
    let text = Value::from(trace.to_string());
    let (info, spans) = (&trace["info"], &trace["data"]["spans"]);
    let row = json!({
        "trace_id": ID, "trace": text, "state": "OK", "request_time": 1_795_000_000_000_i64,
        "execution_duration": 1500, "request": {"q": 1}, "spans": spans,
    });
    let column = |value: &Value| json!({"0": value});
    for document in [
        json!([row]),
        json!([text]),
        text.clone(),
        json!({"trace": column(&text), "trace_id": column(&json!(ID)), "state": column(&json!("OK"))}),
        json!({"columns": ["trace_id", "trace"], "index": [0], "data": [[ID, text]]}),
        json!({"schema": {"fields": []}, "data": [row]}),
        json!({"0": row}),
        json!({"system": {}, "info": {}, "mlflow": {"info": info, "data": spans}}),
        json!({"info": info, "data": Value::from(trace["data"].to_string())}),
        json!({"traceInfo": info, "spans": spans}),
        json!({"traces": [{"trace": trace}]}),
    ] {
        let traces =
            read(&document.to_string()).unwrap_or_else(|flaw| panic!("{flaw} for {document}"));
        assert_eq!(traces.len(), 1, "{document}");
        assert_eq!(told(&traces[0]), usual(), "{document}");
    }
    let without_trace = json!({
        "trace_id": {"0": ID}, "spans": {"0": spans}, "state": {"0": "OK"},
        "request_time": {"0": 1_795_000_000_000_i64}, "execution_duration": {"0": 1500.0},
    });
    let traces = read(&without_trace.to_string()).unwrap();
    assert_eq!(told(&traces[0]), usual().replace("Some(\"7\")", "None"));
}

/// The usual trace with one member replaced.
fn with(path: &str, value: Value) -> Value {
    let mut trace = trace_json();
    *trace.pointer_mut(path).unwrap() = value;
    trace
}

/// The usual trace with a member of another name.
fn renamed(object: &str, from: &str, to: &str, value: Option<Value>) -> Value {
    let mut trace = trace_json();
    let map = trace.pointer_mut(object).unwrap().as_object_mut().unwrap();
    let was = map.shift_remove(from).unwrap();
    map.insert(to.to_owned(), value.unwrap_or(was));
    trace
}

#[test]
fn members_are_read_however_they_are_spelt() {
    let span = "/data/spans/0";
    for trace in [
        with("/data/spans/0/start_time_unix_nano", json!(1.795e18)),
        with(
            "/data/spans/0/start_time_unix_nano",
            json!("2026-11-18T11:06:40"),
        ),
        with(
            "/data/spans/0/end_time_unix_nano",
            json!("1795000001500000000"),
        ),
        renamed(span, "start_time_unix_nano", "startTimeUnixNano", None),
        renamed(span, "end_time_unix_nano", "end_time_ns", None),
        renamed(
            span,
            "end_time_unix_nano",
            "end_time",
            Some(json!("2026-11-18 12:06:41.5+01:00")),
        ),
        renamed(span, "span_id", "spanId", None),
        with("/info/request_time", json!(1_795_000_000_000_i64)),
        renamed("/info", "request_time", "requestTime", None),
        renamed(
            "/info",
            "request_time",
            "timestamp_ms",
            Some(json!(1_795_000_000_000_i64)),
        ),
        with("/info/execution_duration_ms", json!(1500.0)),
        with("/info/execution_duration_ms", json!("1500")),
        renamed(
            "/info",
            "execution_duration_ms",
            "executionDuration",
            Some(json!("1.5s")),
        ),
        renamed("/info", "trace_id", "requestId", None),
        with(
            "/info/trace_location",
            json!({"mlflowExperiment": {"experimentId": 7}}),
        ),
        with("/info/request_preview", json!({"q": [1]})),
        with("/info/state", json!("TraceState.OK")),
        with("/info/state", json!(1)),
        with("/data/spans/0/status", json!("ok")),
        with(
            "/data/spans/0/attributes",
            json!("{\"mlflow.spanType\": \"\\\"CHAIN\\\"\"}"),
        ),
    ] {
        let traces = read(&trace.to_string()).unwrap_or_else(|flaw| panic!("{flaw} for {trace}"));
        assert_eq!(told(&traces[0]), usual(), "{trace}");
    }
    let both = trace_json().to_string().replacen(
        "\"trace_id\"",
        "\"request_id\":\"tr-old\",\"trace_id\"",
        1,
    );
    assert_eq!(told(&read(&both).unwrap()[0]), usual());
}

#[test]
fn what_cannot_be_read_is_never_taken_for_nothing() {
    let span = "/data/spans/0";
    for (trace, member) in [
        (
            with("/data/spans/0/start_time_unix_nano", json!("soon")),
            "data.spans[0].start_time_unix_nano",
        ),
        (
            with("/data/spans/0/start_time_unix_nano", Value::Null),
            "data.spans[0].start_time_unix_nano",
        ),
        (
            with("/data/spans/0/end_time_unix_nano", json!("late")),
            "data.spans[0].end_time_unix_nano",
        ),
        (
            with("/data/spans/0/end_time_unix_nano", json!(true)),
            "data.spans[0].end_time_unix_nano",
        ),
        (
            with("/data/spans/0/end_time_unix_nano", json!(u64::MAX)),
            "data.spans[0].end_time_unix_nano",
        ),
        (
            renamed(
                span,
                "end_time_unix_nano",
                "endTimeUnixNano",
                Some(json!("x")),
            ),
            "data.spans[0].endTimeUnixNano",
        ),
        (
            renamed(span, "span_id", "id", None),
            "data.spans[0].span_id",
        ),
        (
            with("/data/spans/0/span_id", json!([1])),
            "data.spans[0].span_id",
        ),
        (
            with("/data/spans/0/parent_span_id", json!({})),
            "data.spans[0].parent_span_id",
        ),
        (
            with("/data/spans/0/status/code", json!("STATUS_CODE_MAYBE")),
            "data.spans[0].status.code",
        ),
        (
            with("/data/spans/0/status/code", json!(7)),
            "data.spans[0].status.code",
        ),
        (
            with("/data/spans/0/status", json!([])),
            "data.spans[0].status",
        ),
        (
            with("/data/spans/0/attributes", json!(7)),
            "data.spans[0].attributes",
        ),
        (
            with("/data/spans/0/events/0/time_unix_nano", json!("x")),
            "data.spans[0].events[0].time_unix_nano",
        ),
        (
            with("/data/spans/0/events", json!("none")),
            "data.spans[0].events",
        ),
        (with("/data/spans/0", json!(7)), "data.spans[0]"),
        (with("/data", json!("x")), "data"),
        (
            with("/info/request_time", json!("yesterday")),
            "info.request_time",
        ),
        (
            with("/info/request_time", json!(1.0e300)),
            "info.request_time",
        ),
        (
            with("/info/execution_duration_ms", json!("1m")),
            "info.execution_duration_ms",
        ),
        (with("/info/state", json!([])), "info.state"),
        (with("/info/state", json!(9)), "info.state"),
        (with("/info/tags", json!("oops")), "info.tags"),
        (with("/info/trace_id", json!({})), "info.trace_id"),
        (with("/info/trace_id", json!("")), "info.trace_id"),
    ] {
        let text = trace.to_string();
        let Err(flaw) = read(&text) else {
            panic!("read {text}");
        };
        assert_eq!(flaw.member, member, "{flaw} for {text}");
        assert!(flaw.offset.is_some_and(|at| at > 0), "{flaw}");
        for quoted in ["soon", "late", "yesterday", "oops", "MAYBE"] {
            assert!(!flaw.reason.contains(quoted), "{flaw}");
        }
    }
}

#[test]
fn json_of_python_is_read_as_its_values() {
    let text = trace_json()
        .to_string()
        .replace("\"attributes\":{\"k\":1}", "\"attributes\":{\"loss\":NaN,\"n\":123456789012345678901,\"big\":1e400,\"half\":\"\\ud800\"}")
        .replace("\\\"CHAIN\\\"", "\\\"CHAIN \u{1}\\\"");
    let traces = read(&text).unwrap();
    let DocumentSpans::Read(spans) = &traces[0].spans else {
        panic!("no spans");
    };
    let attributes = Value::Object(spans[0].events[0].attributes.clone());
    assert_eq!(
        attributes,
        json!({"loss": "NaN", "n": "123456789012345678901", "big": "1e400", "half": "\u{fffd}"})
    );
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let text = trace_json().to_string().replace(
        "\"attributes\":{\"mlflow",
        &format!("\"attributes\":{{\"deep\":{deep},\"mlflow"),
    );
    let traces = read(&text).unwrap();
    let DocumentSpans::Read(spans) = &traces[0].spans else {
        panic!("no spans");
    };
    assert_eq!(spans[0].attribute("deep"), Some(deep.as_str()));
    assert_eq!(spans[0].status, StatusCode::Ok);
    assert_eq!(traces[0].info.state, TraceState::Ok);
}

#[test]
fn of_equal_keys_the_last_counts() {
    let text = trace_json().to_string().replace(
        "{\"mlflow.spanType\"",
        "{\"a\":\"1\",\"a\":\"2\",\"mlflow.spanType\"",
    );
    let traces = read(&text).unwrap();
    let DocumentSpans::Read(spans) = &traces[0].spans else {
        panic!("no spans");
    };
    assert_eq!(spans[0].attribute("a"), Some("2"));
    assert_eq!(spans[0].attributes.len(), 2);
}

#[test]
fn other_documents_are_refused_by_what_they_are() {
    for (document, said) in [
        (json!({"traceEvents": []}), "Chrome's or Perfetto's"),
        (
            json!({"$schema": "https://www.speedscope.app/file-format-schema.json", "profiles": []}),
            "speedscope",
        ),
        (
            json!({"info": {"run_id": "r", "status": "FINISHED"}, "data": {"metrics": []}}),
            "a run of MLflow",
        ),
        (json!({"log": {"version": "1.2", "entries": []}}), "HAR"),
        (
            json!({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "secret"}),
            "an error of an MLflow server",
        ),
        (json!({"data": [{"traceID": "1", "spans": []}]}), "Jaeger"),
        (json!({"resourceLogs": []}), "OpenTelemetry's logs"),
        (json!({"a": 1}), "no trace in this object"),
    ] {
        let Err(flaw) = read(&document.to_string()) else {
            panic!("read {document}");
        };
        assert!(flaw.reason.contains(said), "{flaw} for {document}");
        assert!(!flaw.reason.contains("secret"), "{flaw}");
    }
}

/// Both readers give the same for what MLflow writes.
#[test]
fn the_quick_reader_and_the_careful_one_agree() {
    let demo = include_str!("../../demo.jsonl");
    let mut count = 0;
    for line in demo.lines().take(200) {
        let quick = super::super::read_documents(line.as_bytes(), Want::Spans).unwrap();
        let careful = read_documents(line.as_bytes(), Want::Spans).unwrap();
        assert_eq!(quick.len(), careful.len());
        for (a, b) in quick.iter().zip(&careful) {
            assert_eq!(a.info, b.info);
            let (DocumentSpans::Read(a), DocumentSpans::Read(b)) = (&a.spans, &b.spans) else {
                panic!("no spans");
            };
            assert_eq!(a, b);
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
}
