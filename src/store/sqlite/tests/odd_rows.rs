//! Rows whose values are not what their columns should hold: never a default instead.

use super::*;

/// Three traces with a tag, a span and an assessment each, of which the second one is
/// changed by a statement. No rule of the schema stands in its way.
fn fixture(change: &str) -> Fixture {
    let fixture = Fixture::new(&NEWEST.replace("NOT NULL", ""));
    fixture.traces(3).sql(
        "INSERT INTO trace_tags (request_id, key, value) \
         SELECT request_id, 'mlflow.trace.spansLocation', 'TRACKING_STORE' FROM trace_info; \
         INSERT INTO spans (trace_id, experiment_id, span_id, name, type, status, \
         start_time_unix_nano, end_time_unix_nano, content) \
         SELECT request_id, 1, '0000000000000001', 'n', 'TOOL', 'OK', 1, 9, \
         '{\"span_id\": \"0000000000000001\", \"name\": \"n\", \"start_time_unix_nano\": 1}' \
         FROM trace_info; \
         INSERT INTO assessments (assessment_id, trace_id, name, assessment_type, value, \
         created_timestamp, last_updated_timestamp, source_type, valid) \
         SELECT 'a-' || request_id, request_id, 'q', 'feedback', '1', 1, 2, 'HUMAN', 1 FROM trace_info",
    );
    fixture.sql(&format!("PRAGMA foreign_keys = OFF; {change}"));
    fixture
}

const SECOND: &str = "tr-00000000000000000000000000000001";

#[test]
fn a_trace_with_an_odd_value_is_unreadable_and_the_column_is_named() {
    for (change, column, message) in [
        (
            "trace_info SET timestamp_ms = NULL",
            "trace_info.timestamp_ms",
            "found nothing",
        ),
        (
            "trace_info SET timestamp_ms = 'soon'",
            "trace_info.timestamp_ms",
            "found a text",
        ),
        (
            "trace_info SET timestamp_ms = 1.5",
            "trace_info.timestamp_ms",
            "found another one",
        ),
        (
            "trace_info SET status = NULL",
            "trace_info.status",
            "found nothing",
        ),
        (
            "trace_info SET status = ''",
            "trace_info.status",
            "found an empty one",
        ),
        (
            "trace_info SET execution_time_ms = x'00'",
            "trace_info.execution_time_ms",
            "found bytes",
        ),
        (
            "trace_info SET total_tokens = 'many'",
            "trace_info.total_tokens",
            "found a text",
        ),
        (
            "trace_tags SET key = NULL",
            "trace_tags.key",
            "found nothing",
        ),
        (
            "assessments SET name = NULL",
            "assessments.name",
            "found nothing",
        ),
        (
            "assessments SET assessment_id = ''",
            "assessments.assessment_id",
            "found an empty one",
        ),
        (
            "assessments SET assessment_type = NULL",
            "assessments.assessment_type",
            "found nothing",
        ),
        (
            "assessments SET value = NULL",
            "assessments.value",
            "found nothing",
        ),
        (
            "assessments SET created_timestamp = NULL",
            "assessments.created_timestamp",
            "found nothing",
        ),
        (
            "assessments SET source_type = NULL",
            "assessments.source_type",
            "found nothing",
        ),
        (
            "assessments SET valid = NULL",
            "assessments.valid",
            "found nothing",
        ),
    ] {
        let key = match change.split(' ').next().unwrap() {
            "assessments" => "trace_id",
            _ => "request_id",
        };
        let fixture = fixture(&format!("UPDATE {change} WHERE {key} = '{SECOND}'"));
        let store = fixture.store();
        let page = store.search(&Query::default(), 10, None).unwrap();
        assert_eq!(page.traces.len(), 2, "{change}");
        let odd = &page.unreadable[0];
        assert_eq!(odd.trace_id.as_deref(), Some(SECOND), "{change}");
        assert_eq!(odd.member.as_deref(), Some(column), "{change}");
        assert!(odd.message.contains(message), "{change}: {}", odd.message);
        let error = store.info(SECOND).unwrap_err();
        assert!(
            matches!(error, StoreError::Unreadable(_)),
            "{change}: {error}"
        );
    }
}

#[test]
fn a_trace_without_an_id_is_said_and_left_out() {
    let fixture = fixture(&format!(
        "UPDATE trace_info SET request_id = NULL WHERE request_id = '{SECOND}'"
    ));
    let store = fixture.store();
    let mut search = Search::new(&store, Query::default(), None);
    let mut found = 0;
    while let Some(page) = search.next_page().unwrap() {
        found += page.len();
    }
    assert_eq!(found, 2);
    let odd = search.take_unreadable().remove(0);
    assert_eq!(odd.member.as_deref(), Some("trace_info.request_id"));
}

#[test]
fn a_trace_with_an_odd_span_is_unreadable_and_the_column_is_named() {
    for (change, column) in [
        ("start_time_unix_nano = NULL", "spans.start_time_unix_nano"),
        ("end_time_unix_nano = 'late'", "spans.end_time_unix_nano"),
        ("status = NULL", "spans.status"),
        ("status = 'FINE'", "spans.status"),
        ("span_id = NULL", "spans.span_id"),
        ("span_id = ''", "spans.span_id"),
        ("name = 7", "spans.name"),
    ] {
        // Columns have no kind in it, so that a number stays one.
        let fixture = fixture(&format!(
            "ALTER TABLE spans DROP COLUMN name; ALTER TABLE spans ADD COLUMN name; \
             UPDATE spans SET {change} WHERE trace_id = '{SECOND}'"
        ));
        let store = fixture.store();
        let infos: Vec<_> = ["0", "1", "2"]
            .map(|n| TraceInfo::new(format!("tr-{n:0>32}")))
            .into();
        let all = store.complete_all(&infos, Detail::Times);
        let mut swept = Vec::new();
        store
            .sweep(infos, Detail::Times, &mut |id, trace| {
                swept.push((id.to_owned(), trace));
                ControlFlow::Continue(())
            })
            .unwrap();
        swept.sort_by(|(a, _), (b, _)| a.cmp(b));
        for answers in [all, swept.into_iter().map(|(_, trace)| trace).collect()] {
            assert!(
                answers[0].is_ok() && answers[2].is_ok(),
                "{change}: {answers:?}"
            );
            let Err(StoreError::Unreadable(odd)) = &answers[1] else {
                panic!("{change}: {:?}", answers[1]);
            };
            assert_eq!(odd.member.as_deref(), Some(column), "{change}");
        }
    }
}

#[test]
fn experiments_have_no_defaults_either() {
    let fixture = fixture(
        "UPDATE experiments SET lifecycle_stage = NULL WHERE experiment_id = 1; \
         UPDATE trace_info SET timestamp_ms = 'soon' WHERE request_id LIKE '%1'",
    );
    let store = fixture.store();
    let one = store.experiments(Scope::Named("shop")).unwrap().remove(0);
    assert!(!one.active);
    assert!(
        store
            .experiments(Scope::WithId("1 and more"))
            .unwrap()
            .is_empty()
    );
    let overview = store.overview(vec![one]).unwrap().remove(0);
    assert_eq!(overview.traces, 3);
    assert_eq!(overview.last.unwrap().millis(), 1_795_000_000_002);
    fixture.sql("UPDATE experiments SET name = NULL WHERE experiment_id = 0");
    let error = store.experiments(Scope::Active).unwrap_err().to_string();
    assert!(
        error.ends_with("`experiments.name`: expected a text, found nothing"),
        "{error}"
    );
}
