//! What a Parquet file holds, as its own crate reads it.

use bytes::Bytes;
use insta::assert_snapshot;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;

use super::*;
use crate::analysis::analyse;
use crate::model::Trace;
use crate::render::sample::{chain, hostile, info, trace};

fn spans(traces: &[Trace]) -> SerializedFileReader<Bytes> {
    let mut out = Vec::new();
    let mut table = SpanTable::new(&mut out).unwrap();
    for trace in traces {
        table.push(&analyse(trace)).unwrap();
    }
    table.finish().unwrap();
    SerializedFileReader::new(Bytes::from(out)).unwrap()
}

fn column(reader: &SerializedFileReader<Bytes>, name: &str) -> Vec<Field> {
    let field = |row: parquet::record::Row| {
        let mut columns = row.get_column_iter();
        columns.find(|(n, _)| *n == name).unwrap().1.clone()
    };
    reader
        .get_row_iter(None)
        .unwrap()
        .map(|row| field(row.unwrap()))
        .collect()
}

#[test]
fn a_span_is_a_row() {
    let mut trace = trace();
    trace.spans.drain(5..);
    trace.spans.drain(..4);
    let reader = spans(&[trace]);
    let row = reader.get_row_iter(None).unwrap().next().unwrap().unwrap();
    let cells: Vec<String> = row
        .get_column_iter()
        .map(|(n, f)| format!("{n}: {f}"))
        .collect();
    assert_snapshot!(cells.join("\n"), @r#"
    trace_id: "tr-b6df45fdeeac3d7f64f3de29e167bcbd"
    trace_name: "agent"
    experiment_id: "1"
    span_id: "00000000000000a3"
    parent_span_id: "00000000000000a1"
    depth: 0
    name: "lookup_order"
    type: "TOOL"
    status: "ERROR"
    error: "TimeoutError: the order service did not answer"
    start_time: 2026-11-22 20:56:37.111000 +00:00
    start_time_unix_nano: 1795380997111000000
    end_time_unix_nano: 1795380997481000000
    duration_ns: 370000000
    self_ns: 370000000
    critical_ns: 370000000
    model: null
    input_tokens: null
    output_tokens: null
    total_tokens: null
    total_cost: null
    inputs: "{"order": 12345}"
    outputs: null
    attributes: {"mlflow.spanType" -> ""TOOL"", "mlflow.spanInputs" -> "{"order": 12345}"}
    events: "[{"name":"exception","time_unix_nano":1795380997112000000,"attributes":{"exception.type":"TimeoutError","exception.message":"the order service did not answer","exception.stacktrace":"Traceback (most recent call last):\n  File \"tools.py\", line 12, in call\n    raise TimeoutError\nTimeoutError: the order service did not answer\n"}}]"
    links: "[{"trace_id":"tr-77","span_id":"00000000000000b1","attributes":{}}]"
    "#);
}

#[test]
fn a_trace_is_a_row() {
    let mut out = Vec::new();
    let mut table = TraceTable::new(&mut out).unwrap();
    let mut bare = crate::model::TraceInfo::new("tr-2");
    bare.request_preview = Some("</script>\u{0}\n".into());
    table.push(&info()).unwrap();
    table.push(&bare).unwrap();
    table.finish().unwrap();
    let reader = SerializedFileReader::new(Bytes::from(out)).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(|row| {
        let row = row.unwrap();
        let cells: Vec<String> = row
            .get_column_iter()
            .map(|(n, f)| format!("{n}: {f:?}"))
            .collect();
        cells.join("\n")
    });
    assert_snapshot!(rows.collect::<Vec<_>>().join("\n\n"), @r#"
    trace_id: Str("tr-b6df45fdeeac3d7f64f3de29e167bcbd")
    experiment_id: Str("1")
    name: Str("agent")
    state: Str("ERROR")
    request_time: TimestampMicros(1795380996791000)
    duration_ns: Long(1640000000)
    session: Str("s-1")
    user: Str("anna")
    run_id: Null
    model_id: Null
    client_request_id: Null
    input_tokens: Long(1180)
    output_tokens: Long(54)
    total_tokens: Long(1234)
    total_cost: Double(0.0123)
    request: Str("{\"question\": \"How do I get my money back?\"}")
    response: Str("\"You can return it within 30 days.\"")
    tags: MapInternal(Map { entries: [(Str("env"), Str("prod")), (Str("mlflow.trace.spansLocation"), Str("TRACKING_STORE")), (Str("mlflow.traceName"), Str("agent")), (Str("team"), Str("search"))] })
    metadata: MapInternal(Map { entries: [(Str("mlflow.trace.cost"), Str("{\"total_cost\": 0.0123}")), (Str("mlflow.trace.session"), Str("s-1")), (Str("mlflow.trace.tokenUsage"), Str("{\"input_tokens\": 1180, \"output_tokens\": 54, \"total_tokens\": 1234}")), (Str("mlflow.trace.user"), Str("anna"))] })
    assessments: Str("[{\"assessment_id\":\"a-1\",\"assessment_name\":\"correctness\",\"trace_id\":\"tr-b6df45fdeeac3d7f64f3de29e167bcbd\",\"source\":{\"source_type\":\"LLM_JUDGE\",\"source_id\":\"gpt-5\"},\"feedback\":{\"value\":0.8},\"rationale\":\"The answer names the right period but says nothing about the condition of the goods.\",\"valid\":true}]")

    trace_id: Str("tr-2")
    experiment_id: Null
    name: Null
    state: Str("STATE_UNSPECIFIED")
    request_time: Null
    duration_ns: Null
    session: Null
    user: Null
    run_id: Null
    model_id: Null
    client_request_id: Null
    input_tokens: Null
    output_tokens: Null
    total_tokens: Null
    total_cost: Null
    request: Str("</script>\0\n")
    response: Null
    tags: MapInternal(Map { entries: [] })
    metadata: MapInternal(Map { entries: [] })
    assessments: Null
    "#);
}

#[test]
fn what_a_span_in_progress_will_be_is_not_known() {
    let reader = spans(&[hostile()]);
    let missing = |name: &str| {
        let values = column(&reader, name);
        values.iter().filter(|f| **f == Field::Null).count()
    };
    assert_eq!(missing("duration_ns"), 1);
    assert_eq!(missing("end_time_unix_nano"), 1);
    assert_eq!(missing("start_time"), 0);
}

#[test]
fn a_file_has_as_many_groups_as_it_needs() {
    let reader = spans(&[chain(60_000), chain(60_000)]);
    assert!(reader.metadata().num_row_groups() > 1);
    assert_eq!(reader.metadata().file_metadata().num_rows(), 120_000);
    let depths = column(&reader, "depth");
    assert_eq!(depths[59_999], Field::Long(59_999));
    assert_eq!(depths[60_000], Field::Long(0));
    assert_eq!(spans(&[]).metadata().file_metadata().num_rows(), 0);
}
