//! What a Parquet file holds, as its own crate reads it.

use bytes::Bytes;
use insta::assert_snapshot;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;

use super::*;
use crate::analysis::analyse;
use crate::model::{Timestamp, Trace, TraceInfo};
use crate::render::sample::{chain, hostile, info, trace};
use crate::table::delimited::{self, Delimited};
use crate::table::rows::{spans, traces};

fn read(traces: &[Trace]) -> SerializedFileReader<Bytes> {
    let mut out = Vec::new();
    let columns = spans::spans().plain().to_vec();
    let mut table = ParquetTable::new(&mut out, "spans", columns).unwrap();
    for trace in traces {
        spans::each(&analyse(trace), |row| table.push(row)).unwrap();
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

fn without_spans(info: TraceInfo) -> Trace {
    let spans = Vec::new();
    Trace { info, spans }
}

#[test]
fn a_span_is_a_row() {
    let mut trace = trace();
    trace.spans.drain(5..);
    trace.spans.drain(..4);
    let reader = read(&[trace]);
    let row = reader.get_row_iter(None).unwrap().next().unwrap().unwrap();
    let cells: Vec<String> = row
        .get_column_iter()
        .map(|(n, f)| format!("{n}: {f}"))
        .collect();
    assert_snapshot!(cells.join("\n"), @r#"
    trace_id: "tr-b6df45fdeeac3d7f64f3de29e167bcbd"
    trace_name: "agent"
    session: "s-1"
    user: "anna"
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
    start_offset_ns: 0
    duration_ns: 370000000
    total_ratio: 1.0
    self_ns: 370000000
    critical_ns: 370000000
    model: null
    input_tokens: null
    output_tokens: null
    total_tokens: null
    cost_usd: null
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
    let columns = traces::in_files();
    let mut table = ParquetTable::new(&mut out, "traces", columns).unwrap();
    let mut bare = TraceInfo::new("tr-2");
    bare.request_preview = Some("</script>\u{0}\n".into());
    table.push(&without_spans(info())).unwrap();
    table.push(&without_spans(bare)).unwrap();
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
    cost_usd: Double(0.0123)
    spans: Null
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
    cost_usd: Null
    spans: Null
    request: Str("</script>\0\n")
    response: Null
    tags: MapInternal(Map { entries: [] })
    metadata: MapInternal(Map { entries: [] })
    assessments: Null
    "#);
}

#[test]
fn what_a_span_in_progress_will_be_is_not_known() {
    let reader = read(&[hostile()]);
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
    let reader = read(&[chain(60_000), chain(60_000)]);
    assert!(reader.metadata().num_row_groups() > 1);
    assert_eq!(reader.metadata().file_metadata().num_rows(), 120_000);
    let depths = column(&reader, "depth");
    assert_eq!(depths[59_999], Field::Long(59_999));
    assert_eq!(depths[60_000], Field::Long(0));
    assert_eq!(read(&[]).metadata().file_metadata().num_rows(), 0);
}

/// A value as delimited text has it.
fn as_text(field: &Field) -> String {
    match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        Field::Long(n) => n.to_string(),
        Field::Double(n) => n.to_string(),
        Field::Bool(flag) => flag.to_string(),
        Field::TimestampMicros(micros) => Timestamp::from_nanos(micros * 1000).to_string(),
        Field::MapInternal(map) => {
            let text = |field: &Field| match field {
                Field::Str(text) => text.clone(),
                other => panic!("{other}"),
            };
            let pairs = map.entries().iter().map(|(k, v)| (text(k), text(v).into()));
            serde_json::Value::Object(pairs.collect()).to_string()
        }
        other => panic!("{other}"),
    }
}

/// Checks that both files have the same heads, and the same text in every cell.
fn agree(parquet: Vec<u8>, csv: &[u8]) -> usize {
    let reader = SerializedFileReader::new(Bytes::from(parquet)).unwrap();
    let rows: Vec<Vec<(String, String)>> = reader
        .get_row_iter(None)
        .unwrap()
        .map(|row| {
            let row = row.unwrap();
            let cells = row.get_column_iter();
            cells
                .map(|(name, field)| (name.clone(), as_text(field)))
                .collect()
        })
        .collect();
    let mut csv = csv::Reader::from_reader(csv);
    let heads: Vec<String> = csv.headers().unwrap().iter().map(str::to_owned).collect();
    for (row, record) in rows.iter().zip(csv.records()) {
        let record = record.unwrap();
        let there: Vec<(String, String)> = heads
            .iter()
            .zip(&record)
            .map(|(head, cell)| (head.clone(), cell.to_owned()))
            .collect();
        assert_eq!(*row, there);
    }
    rows.len()
}

#[test]
fn spans_are_the_same_in_delimited_text() {
    let mut known = spans::spans().plain().to_vec();
    known.extend(
        spans::spans()
            .choose(&[
                "tags.env",
                "metadata.`mlflow.trace.user`",
                "attributes.mlflow.spanType",
            ])
            .unwrap(),
    );
    let (mut parquet, mut text) = (Vec::new(), Vec::new());
    let mut table = ParquetTable::new(&mut parquet, "spans", known.clone()).unwrap();
    let mut rows = delimited::DelimitedTable::new(&mut text, Delimited::Csv, known).unwrap();
    for trace in [trace(), chain(3)] {
        let report = analyse(&trace);
        spans::each(&report, |row| table.push(row).and_then(|()| rows.push(row))).unwrap();
    }
    table.finish().unwrap();
    rows.finish().unwrap();
    assert_eq!(agree(parquet, &text), 10);
}

#[test]
fn traces_are_the_same_in_delimited_text() {
    let mut known = traces::traces().plain().to_vec();
    known.extend(
        traces::traces()
            .choose(&["tags.team", "tags.`no = {name};`"])
            .unwrap(),
    );
    let (mut parquet, mut text) = (Vec::new(), Vec::new());
    let mut table = ParquetTable::new(&mut parquet, "traces", known.clone()).unwrap();
    let mut rows = delimited::DelimitedTable::new(&mut text, Delimited::Csv, known).unwrap();
    for info in [info(), TraceInfo::new("tr-2")] {
        let row = without_spans(info);
        table.push(&row).unwrap();
        rows.push(&row).unwrap();
    }
    table.finish().unwrap();
    rows.finish().unwrap();
    assert_eq!(agree(parquet, &text), 2);
}
