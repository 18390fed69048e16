//! Traces taken in by databases of several releases, and such as have rules of their own.

use super::*;
use crate::model::{Assessment, AssessmentError, AssessmentKind, SpanId, StatusCode, Timestamp};
use crate::store::{Put, PutMode};
use serde_json::json;

/// What a database was before names, sessions, tokens and cost had columns.
const BEFORE_COLUMNS: &str = "\
    DROP INDEX index_trace_info_experiment_id_session_id;\
    ALTER TABLE trace_info DROP COLUMN trace_name; ALTER TABLE trace_info DROP COLUMN session_id;\
    ALTER TABLE trace_info DROP COLUMN input_tokens;\
    ALTER TABLE trace_info DROP COLUMN output_tokens;\
    ALTER TABLE trace_info DROP COLUMN total_tokens;\
    ALTER TABLE trace_info DROP COLUMN cache_read_input_tokens;\
    ALTER TABLE trace_info DROP COLUMN cache_creation_input_tokens;\
    ALTER TABLE trace_info DROP COLUMN cache_creation_input_tokens_above_1hr;\
    ALTER TABLE trace_info DROP COLUMN input_cost; ALTER TABLE trace_info DROP COLUMN output_cost;\
    ALTER TABLE trace_info DROP COLUMN total_cost;\
    ALTER TABLE spans DROP COLUMN model_name; ALTER TABLE spans DROP COLUMN model_provider;\
    ALTER TABLE spans ADD COLUMN dimension_attributes JSON;\
    DROP INDEX idx_assessments_exp_trace_ts; DROP INDEX idx_assessments_exp_trace_ts_name;\
    DROP INDEX idx_assessments_exp_name_valid;\
    ALTER TABLE assessments DROP COLUMN experiment_id;\
    ALTER TABLE assessments DROP COLUMN is_numeric_value;\
    CREATE TABLE trace_metrics (request_id VARCHAR(50), key VARCHAR(250), value FLOAT)";

fn sample(n: i64) -> Trace {
    let mut info = TraceInfo::new(format!("tr-{n:032x}"));
    info.experiment_id = Some("1".to_owned());
    info.request_time = Some(Timestamp::from_millis(1_795_000_000_000 + n));
    info.execution_duration_ns = Some(-5_000_000);
    info.state = crate::model::TraceState::Error;
    info.client_request_id = Some("c".to_owned());
    info.request_preview = Some("é".to_owned());
    for (key, value) in [
        ("mlflow.trace.session", "s"),
        ("mlflow.trace.cost", r#"{"total_cost": 0.5}"#),
        (
            "mlflow.trace.tokenUsage",
            r#"{"input_tokens": 7, "output_tokens": 2, "total_tokens": 9}"#,
        ),
        ("k", "v"),
    ] {
        info.metadata.insert(key.to_owned(), value.to_owned());
    }
    for (key, value) in [("mlflow.traceName", "name"), ("t", "x")] {
        info.tags.insert(key.to_owned(), value.to_owned());
    }
    info.assessments = vec![Assessment {
        id: Some(format!("a-{n}")),
        create_time: Some(Timestamp::from_millis(3)),
        last_update_time: Some(Timestamp::from_millis(4)),
        overrides: Some("a-0".to_owned()),
        valid: false,
        source: crate::model::Source {
            kind: "CODE".to_owned(),
            id: Some("judge".to_owned()),
        },
        ..Assessment::sample(
            "score",
            AssessmentKind::Feedback {
                value: json!(null),
                error: Some(AssessmentError {
                    code: Some("RATE_LIMIT".to_owned()),
                    message: None,
                    stack_trace: None,
                }),
            },
        )
    }];
    let id = info.trace_id.clone();
    let text = |json: &str| json.to_owned();
    let span = Span {
        span_id: SpanId::new("00000000000000a1"),
        parent_id: None,
        trace_id: id["tr-".len()..].to_owned(),
        name: "a".to_owned(),
        start_ns: 5,
        end_ns: Some(9),
        status: StatusCode::Ok,
        status_message: String::new(),
        attributes: vec![
            (text("mlflow.traceRequestId"), format!("\"{id}\"")),
            (text("mlflow.spanType"), text("\"LLM\"")),
            (text("mlflow.llm.model"), text("\"gpt\"")),
            (text("mlflow.llm.cost"), text(r#"{"total_cost": 0.5}"#)),
        ],
        events: Vec::new(),
        links: Vec::new(),
        kind: None,
    };
    Trace {
        info,
        spans: vec![span],
    }
}

fn put(store: &SqliteStore, traces: &[Trace], mode: PutMode) -> Vec<Result<Put, String>> {
    let mut results = Vec::new();
    let put = store.put(traces, mode, &mut |_, result| {
        results.push(result.map_err(|error| error.to_string()));
        ControlFlow::Continue(())
    });
    put.unwrap();
    results
}

#[test]
fn what_is_taken_in_is_read_as_it_was_whatever_the_release() {
    for older in [None, Some(BEFORE_COLUMNS)] {
        let fixture = Fixture::new(NEWEST);
        if let Some(sql) = older {
            fixture.sql(sql);
        }
        let store = fixture.store();
        store.can_put().unwrap();
        let traces = [sample(1), sample(2), sample(1)];
        assert_eq!(put(&store, &traces[..1], PutMode::Try), [Ok(Put::Taken)]);
        assert_eq!(
            put(&store, &traces, PutMode::Write),
            [Ok(Put::Taken), Ok(Put::Taken), Ok(Put::Known)]
        );
        assert_eq!(put(&store, &traces[..1], PutMode::Try), [Ok(Put::Known)]);
        let store: &dyn Store = &store;
        for mut expected in traces {
            let read = store.trace(&expected.info.trace_id, Detail::Whole).unwrap();
            let location = ("mlflow.trace.spansLocation", "TRACKING_STORE");
            let tags = &mut expected.info.tags;
            tags.insert(location.0.to_owned(), location.1.to_owned());
            assert_eq!(read, expected);
        }
        let connection = Connection::open(&fixture.path).unwrap();
        let one =
            |sql: &str| -> String { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
        let beside = if older.is_some() {
            "SELECT dimension_attributes || (SELECT group_concat(key || value) FROM trace_metrics \
             WHERE request_id LIKE '%1') FROM spans"
        } else {
            "SELECT model_name || total_cost || type FROM spans"
        };
        let expected = if older.is_some() {
            r#"{"mlflow.llm.model": "gpt"}input_tokens7.0,output_tokens2.0,total_tokens9.0"#
        } else {
            "gpt0.5LLM"
        };
        assert_eq!(one(beside), expected);
        assert_eq!(
            one("SELECT error FROM assessments"),
            r#"{"error_code": "RATE_LIMIT", "error_message": null, "stack_trace": null}"#
        );
    }
    let fixture = Fixture::new(OLDEST);
    let refused = fixture.store().can_put().unwrap_err().to_string();
    assert!(refused.contains("before 3.4"), "{refused}");
}

#[test]
fn what_a_database_does_not_allow_takes_no_other_trace_along() {
    let fixture = Fixture::new(NEWEST);
    fixture.sql("CREATE UNIQUE INDEX one ON spans (name)");
    let store = fixture.store();
    let mut traces = [sample(1), sample(2), sample(3), sample(4)];
    traces[2].spans.clear();
    traces[2].info.experiment_id = Some("2".to_owned());
    traces[3].spans[0].name = "another".to_owned();
    // Its assessment has the id of that of the first, as in a copy.
    traces[3].info.assessments[0].id = Some("a-1".to_owned());
    let mut last = sample(5);
    last.spans.clear();
    let all: Vec<Trace> = traces.into_iter().chain([last]).collect();
    let results = put(&store, &all, PutMode::Write);
    assert_eq!(results[0], Ok(Put::Taken));
    for (at, said) in [
        (1, "a rule of the database does not allow the change"),
        (2, "there is no experiment `2`"),
    ] {
        let error = results[at].as_ref().unwrap_err();
        assert!(error.contains(said), "{error}");
    }
    assert_eq!(results[3..], [Ok(Put::Taken), Ok(Put::Taken)]);
    assert_eq!(ids(&store, "", None).len(), 3);
    let connection = Connection::open(&fixture.path).unwrap();
    for (table, count) in [
        ("trace_info", 3),
        ("trace_tags", 5),
        ("spans", 2),
        ("assessments", 3),
    ] {
        let sql = format!("SELECT count(*) FROM {table}");
        let rows: i64 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(rows, count, "{table}");
    }
    // Each trace has its own.
    let sql = "SELECT count(DISTINCT trace_id) FROM assessments";
    let owners: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(owners, 3);
}

#[test]
fn rules_of_strangers_are_not_run() {
    let fixture = Fixture::new(NEWEST);
    fixture.traces(3).sql(
        "CREATE TRIGGER t AFTER INSERT ON trace_info BEGIN DELETE FROM trace_info \
         WHERE request_id <> new.request_id; END",
    );
    let store = fixture.store();
    assert_eq!(put(&store, &[sample(9)], PutMode::Write), [Ok(Put::Taken)]);
    assert_eq!(ids(&store, "", None).len(), 4);
}
