//! Traces of so many spans that several readers share the work.

use rusqlite::ErrorCode;

use super::*;
use crate::store::wire;

/// What MLflow stores of a span as JSON; of some, none.
fn content(n: i64) -> String {
    let usage = r#", "mlflow.chat.tokenUsage": "{\"input_tokens\": 3}""#;
    let quiet = r#""events": [], "status": {"code": "STATUS_CODE_OK", "message": ""}"#;
    let (told, more) = match n % 8 {
        0 => (quiet.to_owned(), usage.to_owned()),
        1 => (
            r#""events": [{"name": "exception", "time_unix_nano": 7, "attributes": {"exception.message": "boom"}}], "status": {"code": "STATUS_CODE_ERROR", "message": ""}"#
                .to_owned(),
            format!(r#", "mlflow.spanInputs": {}"#, serde_json::json!(quiet)),
        ),
        2 => (
            quiet.replace("OK\", \"message\": \"", "ERROR\", \"message\": \"no"),
            String::new(),
        ),
        3 => (
            quiet.to_owned(),
            format!(r#", "mlflow.spanInputs": {}"#, serde_json::json!(usage.repeat(99))),
        ),
        4 => return String::new(),
        _ => (quiet.to_owned(), r#", "n": "1""#.to_owned()),
    };
    let parent = if n > 1 { "\"AAAAAAAAAAE=\"" } else { "null" };
    format!(
        r#"{{"trace_id": "AAAAAAAAAAAAAAAAAAAAAA==", "span_id": "{n:016x}", "parent_span_id": {parent}, "name": "step {}", "start_time_unix_nano": {}, "end_time_unix_nano": {}, {told}, "attributes": {{"mlflow.spanType": "\"TOOL\""{more}}}, "links": []}}"#,
        n % 5,
        n / 3,
        n + 100
    )
}

/// A trace of 3,000 spans, among others.
fn long_trace(fixture: &Fixture) {
    fixture.traces(2);
    let mut connection = Connection::open(&fixture.path).unwrap();
    let transaction = connection.transaction().unwrap();
    for n in (1..=3000).rev() {
        let content = content(n);
        let json: serde_json::Value = serde_json::from_str(&content).unwrap_or_default();
        let status = json["status"]["code"]
            .as_str()
            .unwrap_or("")
            .replace("STATUS_CODE_", "");
        transaction
            .execute(
                "INSERT INTO spans (trace_id, experiment_id, span_id, parent_span_id, name, type, \
                 status, start_time_unix_nano, end_time_unix_nano, content) \
                 VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    format!("tr-{:032x}", i64::from(n % 100 == 0)),
                    format!("{n:016x}"),
                    (n > 1).then(|| format!("{:016x}", 1)),
                    json["name"].as_str(),
                    (n % 7 > 0).then_some("TOOL"),
                    status,
                    n / 3,
                    n + 100,
                    content
                ],
            )
            .unwrap();
    }
    transaction.commit().unwrap();
}

/// The spans of the long trace as their JSON tells them.
fn told(detail: Detail) -> String {
    let contents = (1..=3000).filter(|n| n % 100 > 0).map(content);
    let read = |json: String| wire::span_from_slice(json.as_bytes(), detail).unwrap();
    let mut spans: Vec<Span> = contents.filter(|json| !json.is_empty()).map(read).collect();
    for span in &mut spans {
        if detail == Detail::Times {
            span.attributes.truncate(1);
        }
        if detail <= Detail::Measures {
            span.status_message.clear();
        }
    }
    spans.sort_by_key(|span| {
        (
            span.parent_id.is_some(),
            span.start_ns,
            span.span_id.clone(),
        )
    });
    format!("{spans:#?}")
}

#[test]
fn several_readers_find_what_the_json_of_each_span_tells() {
    for wal in [false, true] {
        let fixture = Fixture::new(NEWEST);
        if wal {
            fixture.sql("PRAGMA journal_mode = WAL");
        }
        long_trace(&fixture);
        let store = fixture.store();
        for detail in [
            Detail::Times,
            Detail::Measures,
            Detail::Events,
            Detail::Whole,
        ] {
            let trace = store.trace(&format!("tr-{:032x}", 0), detail).unwrap();
            assert!(format!("{:#?}", trace.spans) == told(detail), "{detail:?}");
        }
    }
}

#[test]
fn one_reader_is_enough_where_a_writer_waits() {
    let fixture = Fixture::new(NEWEST);
    long_trace(&fixture);
    let store = fixture.store();
    let writer = Connection::open(&fixture.path).unwrap();
    writer.busy_timeout(Duration::ZERO).unwrap();
    let trace = store.shared.read(|connection| {
        let info = store.shared.info(connection, &format!("tr-{:032x}", 0))?;
        writer
            .execute_batch("BEGIN IMMEDIATE; DELETE FROM spans")
            .unwrap();
        let blocked = writer.execute_batch("COMMIT").unwrap_err();
        assert_eq!(blocked.sqlite_error_code(), Some(ErrorCode::DatabaseBusy));
        assert!(store.shared.database().reader_beside_another().is_err());
        store.shared.complete(connection, info, Detail::Whole)
    });
    assert!(format!("{:#?}", trace.unwrap().spans) == told(Detail::Whole));
    writer.execute_batch("COMMIT").unwrap();
}

#[test]
fn a_long_trace_is_of_one_moment_whoever_writes_meanwhile() {
    let fixture = Fixture::new(NEWEST);
    fixture.sql("PRAGMA journal_mode = WAL");
    let writer = Connection::open(&fixture.path).unwrap();
    long_trace(&fixture);
    let store = fixture.store();
    let trace = store.shared.read(|connection| {
        let info = store.shared.info(connection, &format!("tr-{:032x}", 0))?;
        writer.execute_batch("DELETE FROM spans").unwrap();
        store.shared.complete(connection, info, Detail::Whole)
    });
    assert!(format!("{:#?}", trace.unwrap().spans) == told(Detail::Whole));
}
