use insta::assert_snapshot;
use serde_json::Value;

use super::*;
use crate::analysis::{Sort, analyse};
use crate::model::{Assessment, AssessmentError, AssessmentKind, Source, SpanId};
use crate::render::sample::{hostile, info, trace, with, written};

fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

/// MLflow reads no assessments without times.
fn timed(mut info: crate::model::TraceInfo) -> crate::model::TraceInfo {
    for assessment in &mut info.assessments {
        assessment.create_time = info.request_time;
        assessment.last_update_time = info.request_time;
    }
    info
}

#[test]
fn assessments_that_mlflow_does_not_read_stand_beside_the_info() {
    let json = written(|out| write_trace(out, &TraceParts::info_only(&info()), JsonForm::Lines));
    let trace = parse(&json);
    assert_eq!(trace["info"].get("assessments"), None);
    assert_eq!(trace["assessments"][0]["assessment_name"], "correctness");
}

#[test]
fn a_trace_has_the_shape_of_mlflow() {
    let mut trace = trace();
    trace.spans.drain(5..);
    trace.spans.drain(..4);
    trace.info = timed(trace.info);
    assert_snapshot!(written(|out| write_trace(out, &TraceParts::whole(&trace, None), JsonForm::Pretty)), @r#"
    {
      "info": {
        "trace_id": "tr-b6df45fdeeac3d7f64f3de29e167bcbd",
        "trace_location": {
          "type": "MLFLOW_EXPERIMENT",
          "mlflow_experiment": {
            "experiment_id": "1"
          }
        },
        "request_time": "2026-11-22T20:56:36.791Z",
        "state": "ERROR",
        "trace_metadata": {
          "mlflow.trace.cost": "{\"total_cost\": 0.0123}",
          "mlflow.trace.session": "s-1",
          "mlflow.trace.tokenUsage": "{\"input_tokens\": 1180, \"output_tokens\": 54, \"total_tokens\": 1234}",
          "mlflow.trace.user": "anna"
        },
        "tags": {
          "env": "prod",
          "mlflow.trace.spansLocation": "TRACKING_STORE",
          "mlflow.traceName": "agent",
          "team": "search"
        },
        "request_preview": "{\"question\": \"How do I get my money back?\"}",
        "response_preview": "\"You can return it within 30 days.\"",
        "assessments": [
          {
            "assessment_id": "a-1",
            "assessment_name": "correctness",
            "trace_id": "tr-b6df45fdeeac3d7f64f3de29e167bcbd",
            "source": {
              "source_type": "LLM_JUDGE",
              "source_id": "gpt-5"
            },
            "create_time": "2026-11-22T20:56:36.791Z",
            "last_update_time": "2026-11-22T20:56:36.791Z",
            "feedback": {
              "value": 0.8
            },
            "rationale": "The answer names the right period but says nothing about the condition of the goods.",
            "valid": true
          }
        ],
        "execution_duration_ms": 1640
      },
      "data": {
        "spans": [
          {
            "trace_id": "tr-b6df45fdeeac3d7f64f3de29e167bcbd",
            "span_id": "00000000000000a3",
            "parent_span_id": "00000000000000a1",
            "name": "lookup_order",
            "start_time_unix_nano": 1795380997111000000,
            "end_time_unix_nano": 1795380997481000000,
            "events": [
              {
                "name": "exception",
                "time_unix_nano": 1795380997112000000,
                "attributes": {
                  "exception.type": "TimeoutError",
                  "exception.message": "the order service did not answer",
                  "exception.stacktrace": "Traceback (most recent call last):\n  File \"tools.py\", line 12, in call\n    raise TimeoutError\nTimeoutError: the order service did not answer\n"
                }
              }
            ],
            "status": {
              "code": "STATUS_CODE_ERROR",
              "message": "TimeoutError: the order service did not answer"
            },
            "attributes": {
              "mlflow.spanType": "\"TOOL\"",
              "mlflow.spanInputs": "{\"order\": 12345}",
              "mlflow.traceRequestId": "\"tr-b6df45fdeeac3d7f64f3de29e167bcbd\""
            },
            "links": [
              {
                "trace_id": "tr-77",
                "span_id": "00000000000000b1",
                "attributes": {}
              }
            ],
            "duration_ns": 370000000,
            "type": "TOOL",
            "inputs": {"order": 12345},
            "outputs": null
          }
        ]
      },
      "spans_included": true,
      "duration_ns": 1640000000
    }
    "#);
}

#[test]
fn unseen_characters_are_escaped_and_mean_the_same() {
    let trace = hostile();
    for form in [JsonForm::Pretty, JsonForm::Lines] {
        let json = written(|out| write_trace(out, &TraceParts::whole(&trace, None), form));
        assert!(
            json.chars()
                .all(|c| c == '\n' || (!sanitize::is_unseen(c) && c != '␛'))
        );
        let parsed = parse(&json);
        assert_eq!(
            parsed["info"]["tags"]["mlflow.traceName"],
            trace.info.name().unwrap()
        );
        assert_eq!(
            parsed["info"]["response_preview"],
            trace.info.response_preview.clone().unwrap()
        );
    }
}

#[test]
fn payloads_are_embedded_only_where_they_are_json() {
    let mut trace = trace();
    let mut span = trace.spans.remove(1);
    span = with(
        span,
        "mlflow.spanInputs",
        "{\n  \"a\": [1, 1e999, \"\u{202e}x\"]\r\n}",
    );
    span = with(span, "mlflow.spanOutputs", "NaN");
    trace.spans = vec![span];
    let json = written(|out| write_trace(out, &TraceParts::whole(&trace, None), JsonForm::Lines));
    assert_eq!(json.lines().count(), 1);
    assert!(
        json.contains(r#""inputs":{   "a": [1, 1e999, "\u202ex"]  },"outputs":"NaN""#),
        "{json}"
    );
    assert_eq!(
        serde_json::from_str::<serde::de::IgnoredAny>(&json)
            .map(|_| ())
            .map_err(|e| e.to_string()),
        Ok(())
    );
}

#[test]
fn lists_say_whether_there_is_more() {
    let list = |count: usize, form: JsonForm, truncated: bool| {
        written(|out| {
            let mut list = TraceList::new(form);
            for _ in 0..count {
                list.push(out, &TraceParts::info_only(&info()))?;
            }
            list.finish(out, truncated.then_some("to\"ken"), truncated, &[])
        })
    };
    assert_snapshot!(list(0, JsonForm::Pretty, false), @r#"
    {
      "traces": [],
      "next_page_token": null,
      "truncated": false
    }
    "#);
    let two = list(2, JsonForm::Pretty, true);
    assert!(
        two.starts_with("{\n  \"traces\": [\n    {\n      \"info\": {\n        \"trace_id\": "),
        "{two}"
    );
    let parsed = parse(&two);
    assert_eq!(parsed["traces"].as_array().unwrap().len(), 2);
    assert_eq!(parsed["traces"][1]["spans_included"], false);
    assert_eq!(parsed["next_page_token"], "to\"ken");
    assert_eq!(parsed["truncated"], true);
    assert_eq!(list(2, JsonForm::Lines, true).lines().map(parse).count(), 2);
    assert_eq!(list(0, JsonForm::Lines, true), "");
}

#[test]
fn long_values_are_cut_on_request_and_say_so() {
    let trace = trace();
    let json =
        written(|out| write_trace(out, &TraceParts::whole(&trace, Some(20)), JsonForm::Lines));
    let parsed = parse(&json);
    assert_eq!(parsed["truncated"], true);
    assert_eq!(
        parsed["data"]["spans"][0]["inputs"],
        "{\"question\": \"How do… (23 more characters)"
    );
    assert_eq!(parsed["data"]["spans"][4]["inputs"]["order"], 12345);
    assert!(parsed["data"]["spans"][4].get("truncated").is_none());
}

#[test]
fn assessments_have_the_shape_of_the_rest_api() {
    let mut info = timed(info());
    let base = info.assessments.remove(0);
    info.assessments = vec![
        Assessment {
            kind: AssessmentKind::Feedback {
                value: Value::Null,
                error: Some(AssessmentError {
                    code: Some("RATE_LIMIT".into()),
                    message: Some("slow down".into()),
                    stack_trace: None,
                }),
            },
            span_id: Some(SpanId::new("00000000000000a4")),
            rationale: None,
            ..base.clone()
        },
        Assessment {
            id: None,
            name: "expected".into(),
            source: Source {
                kind: "HUMAN".into(),
                id: None,
            },
            kind: AssessmentKind::Expectation {
                value: parse(r#"{"facts": ["a"]}"#),
            },
            valid: false,
            ..base
        },
    ];
    let json = written(|out| write_trace(out, &TraceParts::info_only(&info), JsonForm::Pretty));
    assert_snapshot!(serde_json::to_string_pretty(&parse(&json)["info"]["assessments"]).unwrap(), @r#"
    [
      {
        "assessment_id": "a-1",
        "assessment_name": "correctness",
        "trace_id": "tr-b6df45fdeeac3d7f64f3de29e167bcbd",
        "span_id": "00000000000000a4",
        "source": {
          "source_type": "LLM_JUDGE",
          "source_id": "gpt-5"
        },
        "create_time": "2026-11-22T20:56:36.791Z",
        "last_update_time": "2026-11-22T20:56:36.791Z",
        "feedback": {
          "value": null,
          "error": {
            "error_code": "RATE_LIMIT",
            "error_message": "slow down"
          }
        },
        "valid": true
      },
      {
        "assessment_name": "expected",
        "trace_id": "tr-b6df45fdeeac3d7f64f3de29e167bcbd",
        "source": {
          "source_type": "HUMAN"
        },
        "create_time": "2026-11-22T20:56:36.791Z",
        "last_update_time": "2026-11-22T20:56:36.791Z",
        "expectation": {
          "value": {
            "facts": [
              "a"
            ]
          }
        },
        "rationale": "The answer names the right period but says nothing about the condition of the goods.",
        "valid": false
      }
    ]
    "#);
}

fn latency(trace: &crate::model::Trace, parts: LatencyParts) -> String {
    let report = analyse(trace);
    let rows = report.rows(parts.by, Sort::SelfTime);
    let rows = &rows[..rows.len().min(1)];
    written(|out| write_latency(out, &report, rows, None, parts, JsonForm::Pretty))
}

#[test]
fn a_latency_report_has_ratios_or_null() {
    let by_type = LatencyParts {
        by: By::Type,
        ..LatencyParts::default()
    };
    assert_snapshot!(latency(&trace(), by_type), @r#"
    {
      "trace_id": "tr-b6df45fdeeac3d7f64f3de29e167bcbd",
      "total_ns": 1640000000,
      "total_basis": "root",
      "in_progress": false,
      "concurrency": 1.0,
      "unaccounted_ns": 42000000,
      "warnings": [],
      "rows": [
        {
          "name": "CHAT_MODEL",
          "type": "CHAT_MODEL",
          "types": [
            "CHAT_MODEL"
          ],
          "count": 1,
          "errors": 0,
          "in_progress": 0,
          "total_ns": 930000000,
          "total_ratio": 0.5670731707317073,
          "self_ns": 929000000,
          "self_ratio": 0.5664634146341463,
          "critical_ns": 929000000,
          "critical_ratio": 0.5664634146341463
        }
      ],
      "truncated": false
    }
    "#);
    let mut empty = trace();
    empty.spans.clear();
    let parsed = parse(&latency(&empty, LatencyParts::default()));
    assert_eq!(parsed["concurrency"], Value::Null);
    assert!(parsed.get("gaps").is_none());
}

#[test]
fn rows_by_span_name_their_spans() {
    let by_span = LatencyParts {
        by: By::Span,
        ..LatencyParts::default()
    };
    let row = |trace, parts| parse(&latency(trace, parts))["rows"][0].clone();
    let (all, mut twins) = (trace(), trace());
    assert_eq!(row(&all, by_span)["span_id"], "00000000000000a4");
    assert!(row(&all, LatencyParts::default()).get("span_id").is_none());
    // Without a root, there may be time without a span.
    twins.spans.retain(|span| span.name == "embed");
    let mut later = twins.spans[0].clone();
    later.start_ns += 10_000_000_000;
    later.end_ns = later.end_ns.map(|end| end + 10_000_000_000);
    later.span_id = SpanId::new("00000000000000b5");
    twins.spans.push(later);
    let no_span = row(&twins, by_span);
    assert_eq!(no_span["name"], "(no span)");
    assert_eq!(no_span.get("span_id"), Some(&Value::Null));
}

#[test]
fn sections_and_gaps_name_their_spans() {
    let parts = LatencyParts {
        by: By::Type,
        critical_path: true,
        gaps: true,
        truncated: true,
    };
    let parsed = parse(&latency(&trace(), parts));
    assert_eq!(parsed["truncated"], true);
    assert_eq!(parsed["critical_path"].as_array().unwrap().len(), 11);
    assert_snapshot!(parsed["critical_path"][1], @r#"{"span_id":"00000000000000a2","name":"retrieve","start_offset_ns":12000000,"duration_ns":1000000}"#);
    assert_snapshot!(parsed["gaps"][0], @r#"{"start_offset_ns":0,"duration_ns":12000000,"before":null,"after":{"span_id":"00000000000000a2","name":"retrieve"}}"#);
}
