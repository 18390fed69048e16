//! What columns and JSON say, and what filters find by that.

use super::*;

#[test]
fn columns_take_the_place_of_rows() {
    let fixture = Fixture::new(NEWEST);
    fixture.traces(1).sql(
        "UPDATE trace_info SET trace_name = 'chat', session_id = 's', input_tokens = 2, \
         total_tokens = 5, total_cost = 1e-05; \
         INSERT INTO trace_tags (request_id, key, value) VALUES \
         ('tr-00000000000000000000000000000000', 'mlflow.traceName', 'remainder')",
    );
    let info = fixture
        .store()
        .info("tr-00000000000000000000000000000000")
        .unwrap();
    assert_eq!((info.name(), info.session()), (Some("chat"), Some("s")));
    assert_eq!(
        info.metadata["mlflow.trace.tokenUsage"],
        r#"{"input_tokens": 2, "total_tokens": 5}"#
    );
    assert_eq!(
        info.metadata["mlflow.trace.cost"],
        r#"{"total_cost": 1e-05}"#
    );
}

#[test]
fn zeros_say_that_no_tokens_were_counted() {
    for (schema, update) in [
        (
            NEWEST,
            "UPDATE trace_info SET input_tokens = 0, output_tokens = 0, total_tokens = 0 \
             WHERE request_id LIKE '%0'; \
             UPDATE trace_info SET input_tokens = 0, output_tokens = 3 WHERE request_id LIKE '%1'",
        ),
        (
            OLDEST,
            r#"INSERT INTO trace_request_metadata (request_id, key, value) VALUES
             ('tr-00000000000000000000000000000000', 'mlflow.trace.tokenUsage',
              '{"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}'),
             ('tr-00000000000000000000000000000001', 'mlflow.trace.tokenUsage',
              '{"input_tokens": 0, "output_tokens": 3}')"#,
        ),
    ] {
        let fixture = Fixture::new(schema);
        fixture.traces(3).sql(update);
        let store = fixture.store();
        for (filter, expected) in [
            ("tokens IS NULL", "02"),
            ("input_tokens = 0", "1"),
            ("tokens < 10", "1"),
            ("NOT tokens > 1", "02"),
        ] {
            assert_eq!(found(&store, filter, None), expected, "{filter}");
        }
    }
}

#[test]
fn spans_without_an_end_have_no_duration() {
    let fixture = Fixture::new(NEWEST);
    fixture.traces(3).sql(
        "INSERT INTO spans (trace_id, experiment_id, span_id, name, status, \
         start_time_unix_nano, end_time_unix_nano, content) VALUES \
         ('tr-00000000000000000000000000000000', 1, 'a', 'ended', 'OK', 1, 5000001, '{}'), \
         ('tr-00000000000000000000000000000001', 1, 'b', 'zero', 'OK', 1, 0, '{}'), \
         ('tr-00000000000000000000000000000002', 1, 'c', 'none', 'OK', 1, NULL, '{}')",
    );
    let store = fixture.store();
    for (filter, expected) in [
        ("span.duration IS NULL", "12"),
        ("span.duration IS NOT NULL", "0"),
        ("span.duration = 5ms", "0"),
        ("span.duration < 1h", "0"),
        ("span.duration BETWEEN 4ms AND 6ms", "0"),
        ("span.duration NOT BETWEEN 4ms AND 6ms", ""),
        ("NOT span.duration >= 0", "12"),
    ] {
        assert_eq!(found(&store, filter, None), expected, "{filter}");
    }
}

#[test]
fn models_are_found_wherever_they_are_named() {
    let content = |kind: &str, key: &str, value: &str| {
        let attributes = serde_json::json!({
            "mlflow.spanType": format!("\"{kind}\""),
            "k": r#"{"gen_ai.request.model": "text"}"#,
            key: value,
        });
        serde_json::json!({"name": "x", "span_id": "AAAAAAAAAAE=", "start_time_unix_nano": 1,
            "attributes": attributes})
        .to_string()
    };
    let spans = [
        ("'m1'", content("LLM", "mlflow.llm.model", "\"m1\"")),
        ("NULL", content("UNKNOWN", "gen_ai.request.model", "\"m1\"")),
        ("NULL", content("CHAT_MODEL", "model", "\"m1\"")),
        ("NULL", content("AGENT", "model", "\"m1\"")),
        ("NULL", content("LLM", "x", "\"m1\"")),
    ];
    let fixture = Fixture::new(NEWEST);
    fixture.traces(5);
    for (n, (model, content)) in spans.iter().enumerate() {
        fixture.sql(&format!(
            "INSERT INTO spans (trace_id, experiment_id, span_id, name, status, \
             start_time_unix_nano, end_time_unix_nano, model_name, content) VALUES \
             ('tr-{n:032x}', 1, 'a', 'x', 'OK', 1, 2, {model}, '{content}')"
        ));
    }
    let store = fixture.store();
    for (filter, expected) in [
        ("span.model = 'm1'", "012"),
        ("span.model LIKE 'm%'", "012"),
        ("span.model != 'm1'", ""),
        ("span.model IS NULL", "34"),
    ] {
        assert_eq!(found(&store, filter, None), expected, "{filter}");
    }
}
