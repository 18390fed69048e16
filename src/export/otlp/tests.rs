//! What OpenTelemetry gets, on literal traces.

use insta::assert_snapshot;
use serde_json::Value;

use super::*;
use crate::render::sample::{chain, hostile, info, trace, with, written};

fn otlp(traces: &[Trace]) -> String {
    written(|out| {
        let mut document = OtlpJson::default();
        traces.iter().try_for_each(|t| document.push(out, t))?;
        document.finish(out).map(drop)
    })
}

fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

#[test]
fn a_trace_is_a_resource_with_spans() {
    let mut trace = trace();
    trace.spans.drain(5..);
    trace.spans.drain(1..4);
    assert_snapshot!(otlp(&[trace]), @r#"
    {"resourceSpans":[
    {"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"mlflow"}},{"key":"mlflow.trace.id","value":{"stringValue":"tr-b6df45fdeeac3d7f64f3de29e167bcbd"}},{"key":"mlflow.trace.name","value":{"stringValue":"agent"}},{"key":"mlflow.trace.state","value":{"stringValue":"ERROR"}},{"key":"mlflow.trace.experiment_id","value":{"stringValue":"1"}},{"key":"mlflow.trace.tag.env","value":{"stringValue":"prod"}},{"key":"mlflow.trace.tag.mlflow.trace.spansLocation","value":{"stringValue":"TRACKING_STORE"}},{"key":"mlflow.trace.tag.mlflow.traceName","value":{"stringValue":"agent"}},{"key":"mlflow.trace.tag.team","value":{"stringValue":"search"}},{"key":"mlflow.trace.metadata.mlflow.trace.cost","value":{"stringValue":"{\"total_cost\": 0.0123}"}},{"key":"mlflow.trace.metadata.mlflow.trace.session","value":{"stringValue":"s-1"}},{"key":"mlflow.trace.metadata.mlflow.trace.tokenUsage","value":{"stringValue":"{\"input_tokens\": 1180, \"output_tokens\": 54, \"total_tokens\": 1234}"}},{"key":"mlflow.trace.metadata.mlflow.trace.user","value":{"stringValue":"anna"}}]},"scopeSpans":[{"scope":{"name":"mlflow"},"spans":[{"traceId":"b6df45fdeeac3d7f64f3de29e167bcbd","spanId":"00000000000000a1","name":"agent","kind":1,"startTimeUnixNano":"1795380996791000000","endTimeUnixNano":"1795380998431000000","attributes":[{"key":"mlflow.spanType","value":{"stringValue":"AGENT"}},{"key":"mlflow.spanInputs","value":{"kvlistValue":{"values":[{"key":"question","value":{"stringValue":"How do I get my money back?"}}]}}}],"status":{"code":1}},{"traceId":"b6df45fdeeac3d7f64f3de29e167bcbd","spanId":"00000000000000a3","parentSpanId":"00000000000000a1","name":"lookup_order","kind":1,"startTimeUnixNano":"1795380997111000000","endTimeUnixNano":"1795380997481000000","attributes":[{"key":"mlflow.spanType","value":{"stringValue":"TOOL"}},{"key":"mlflow.spanInputs","value":{"kvlistValue":{"values":[{"key":"order","value":{"intValue":"12345"}}]}}}],"events":[{"timeUnixNano":"1795380997112000000","name":"exception","attributes":[{"key":"exception.type","value":{"stringValue":"TimeoutError"}},{"key":"exception.message","value":{"stringValue":"the order service did not answer"}},{"key":"exception.stacktrace","value":{"stringValue":"Traceback (most recent call last):\n  File \"tools.py\", line 12, in call\n    raise TimeoutError\nTimeoutError: the order service did not answer\n"}}]}],"links":[{"traceId":"088094ca18ab1be95aa07330556b67b3","spanId":"00000000000000b1"}],"status":{"message":"TimeoutError: the order service did not answer","code":2}}]}]}
    ]}
    "#);
}

#[test]
fn protobuf_and_json_hold_the_same() {
    let mut odd = hostile();
    odd.spans[0] = with(odd.spans[0].clone(), "nan", "NaN");
    let traces = [trace(), odd, chain(3)];
    let mut bytes = Vec::new();
    for trace in &traces {
        OtlpProto::default().push(&mut bytes, trace).unwrap();
    }
    let request = ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap();
    let decoded = serde_json::to_value(&request.resource_spans).unwrap();
    assert_eq!(parse(&otlp(&traces))["resourceSpans"], decoded);
}

#[test]
fn ids_that_are_not_in_hex_are_made_the_same_way_everywhere() {
    let mut trace = trace();
    trace.info.trace_id = "my/trace".into();
    trace.spans.truncate(2);
    trace.spans[0].trace_id = String::new();
    trace.spans[1].trace_id = "00000000000000000000000000000000".into();
    trace.spans[0].span_id = SpanId::new("root");
    trace.spans[1].parent_id = Some(SpanId::new("root"));
    let document = parse(&otlp(&[trace]));
    let spans = &document["resourceSpans"][0]["scopeSpans"][0]["spans"];
    assert_eq!(spans[0]["spanId"], spans[1]["parentSpanId"]);
    assert_eq!(spans[0]["spanId"].as_str().unwrap().len(), 16);
    assert_eq!(spans[0]["traceId"], spans[1]["traceId"]);
    assert_eq!(spans[0]["traceId"].as_str().unwrap().len(), 32);
    assert_eq!(from_hex("日本語日本語日本語日本", 16), None);
    assert_eq!(from_hex("+1+1+1+1+1+1+1+1", 8), None);
}

#[test]
fn a_span_in_progress_has_no_end() {
    let document = parse(&otlp(&[hostile()]));
    let spans = &document["resourceSpans"][0]["scopeSpans"][0]["spans"];
    let running: Vec<&Value> = spans
        .as_array()
        .unwrap()
        .iter()
        .filter(|span| span.get("endTimeUnixNano").is_none())
        .collect();
    assert_eq!(running.len(), 1);
    assert_eq!(running[0]["name"], "still running");
}

#[test]
fn traces_without_spans_and_none_at_all_are_documents() {
    let empty = Trace {
        info: info(),
        spans: Vec::new(),
    };
    let document = parse(&otlp(&[empty]));
    assert_eq!(
        document["resourceSpans"][0]["scopeSpans"][0]["spans"],
        serde_json::json!([])
    );
    assert_eq!(parse(&otlp(&[])), serde_json::json!({"resourceSpans": []}));
}
