use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::*;
use crate::filter::{parse, parse_order_by};
use crate::store::TagChanges;
use crate::store::{FilterSource, Search};

mod long;
mod meanwhile;
mod odd_rows;
mod outside;
mod put;
mod strangers;
mod values;
mod whole;

const NEWEST: &str = include_str!("../../../tests/fixtures/schema-3.17.2.sql");
const OLDEST: &str = include_str!("../../../tests/fixtures/schema-2.22.5.sql");

struct Fixture {
    _folder: TempDir,
    path: PathBuf,
}

impl Fixture {
    fn new(schema: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mlflow.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(schema).unwrap();
        connection
            .execute_batch(
                "INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES \
                 (0, 'Default', 'active'), (1, 'shop', 'active'), (2, 'gone', 'deleted')",
            )
            .unwrap();
        Self {
            _folder: folder,
            path,
        }
    }

    fn sql(&self, sql: &str) -> &Self {
        let connection = Connection::open(&self.path).unwrap();
        // Other work on the machine must not decide who is first.
        connection
            .busy_timeout(std::time::Duration::from_secs(60))
            .unwrap();
        connection.execute_batch(sql).unwrap();
        self
    }

    fn traces(&self, count: i64) -> &Self {
        let mut connection = Connection::open(&self.path).unwrap();
        let transaction = connection.transaction().unwrap();
        for n in 0..count {
            transaction
                .execute(
                    "INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, \
                     execution_time_ms, status) VALUES (?1, 1, ?2, 10, 'OK')",
                    params![format!("tr-{n:032x}"), 1_795_000_000_000 + n],
                )
                .unwrap();
        }
        transaction.commit().unwrap();
        self
    }

    fn store(&self) -> SqliteStore {
        open(&self.path, None).unwrap()
    }
}

fn open(path: &Path, workspace: Option<&str>) -> Result<SqliteStore, StoreError> {
    super::open(path, workspace, Artifacts::of_database(path))
}

fn query(filter: &str, order: &str) -> Query {
    Query {
        filter: FilterSource::Parsed(parse(filter).unwrap()),
        order_by: parse_order_by(order).unwrap(),
        ..Query::default()
    }
}

fn ids(store: &SqliteStore, filter: &str, limit: Option<usize>) -> Vec<String> {
    let mut search = Search::new(store, query(filter, ""), limit);
    let mut ids = Vec::new();
    while let Some(page) = search.next_page().unwrap() {
        ids.extend(page.into_iter().map(|info| info.trace_id));
    }
    ids
}

/// The last digits of the traces that are found, in order.
fn found(store: &SqliteStore, filter: &str, limit: Option<usize>) -> String {
    let mut found: Vec<char> = ids(store, filter, limit)
        .iter()
        .filter_map(|id| id.chars().last())
        .collect();
    found.sort_unstable();
    found.into_iter().collect()
}

fn plan(fixture: &Fixture, filter: &str, order: &str) -> String {
    fixture
        .store()
        .explain(&query(filter, order), Explain::Plan)
        .unwrap()
        .cost
}

#[test]
fn filters_without_spans_never_touch_the_spans() {
    let fixture = Fixture::new(NEWEST);
    for filter in [
        "",
        "status = 'OK'",
        "tags.env = 'prod' AND name LIKE 'a%'",
        "metadata.`mlflow.trace.session` = 'x'",
        "feedback.q >= 0.5",
        "timestamp_ms > 5 AND execution_time_ms < 7",
        "run_id = 'r' AND prompt = 'p/1'",
    ] {
        let plan = plan(&fixture, filter, "");
        assert!(!plan.contains("spans"), "{filter}: {plan}");
        assert!(!plan.contains(" s1"), "{filter}: {plan}");
    }
}

#[test]
fn traces_come_by_an_index_in_the_order_of_their_time() {
    let fixture = Fixture::new(NEWEST);
    for filter in ["", "status = 'OK'", "tags.env = 'prod'", "span.name = 'x'"] {
        let all = plan(&fixture, filter, "");
        let index = "t USING INDEX index_trace_info_timestamp_ms_request_id";
        assert!(all.contains(index), "{filter}: {all}");
        let mut one = query(filter, "");
        one.experiments = vec!["1".to_owned()];
        let one = fixture.store().explain(&one, Explain::Plan).unwrap().cost;
        let index = "t USING INDEX index_trace_info_experiment_id_timestamp_ms";
        assert!(one.contains(index), "{filter}: {one}");
    }
}

#[test]
fn every_trace_is_of_the_run_without_an_id() {
    let fixture = Fixture::new(NEWEST);
    fixture.traces(2);
    assert_eq!(ids(&fixture.store(), "run_id = ''", None).len(), 2);
}

#[test]
fn what_hangs_on_a_trace_is_found_by_an_index() {
    let fixture = Fixture::new(NEWEST);
    for filter in [
        "tags.env = 'prod'",
        "metadata.k = 'v'",
        "run_id = 'r'",
        "prompt = 'p/1'",
        "issue.id = 'x'",
        "feedback.q = 'good'",
        "span.content LIKE '%x%'",
        "span.name = 'x'",
    ] {
        let plan = plan(&fixture, filter, "");
        for step in plan.split("; ").filter(|step| step.starts_with("SCAN")) {
            assert!(step.starts_with("SCAN t "), "{filter}: {plan}");
        }
        // Never all of a kind for each trace.
        assert!(
            !plan.contains("SEARCH s1 USING INDEX index_spans_experiment_id_type_status"),
            "{filter}: {plan}"
        );
    }
}

#[test]
fn few_spans_lead_to_their_traces() {
    let fixture = Fixture::new(NEWEST);
    for (filter, index) in [
        ("span.type = 'LLM'", "index_spans_experiment_id_type_status"),
        (
            "span.type = 'LLM' AND span.status = 'ERROR' AND span.name = 'x'",
            "index_spans_experiment_id_",
        ),
    ] {
        let plan = plan(&fixture, filter, "");
        assert!(
            plan.contains("SEARCH t USING INDEX sqlite_autoindex_trace_info_1"),
            "{plan}"
        );
        assert!(plan.contains(index), "{plan}");
    }
}

#[test]
fn spans_lead_to_their_traces_where_all_of_these_would_be_gone_through() {
    let fixture = Fixture::new(NEWEST);
    fixture.traces(4_000).sql(
        "INSERT INTO spans (trace_id, experiment_id, span_id, type, status, start_time_unix_nano, content) \
         SELECT request_id, 1, '1', iif(timestamp_ms % 4, 'LLM', 'TOOL'), 'OK', 1, '{}' FROM trace_info",
    );
    let leads = |filter: &str, limit| {
        let mut wanted = query(filter, "");
        wanted.limit = limit;
        let plan = fixture
            .store()
            .explain(&wanted, Explain::Plan)
            .unwrap()
            .cost;
        plan.contains("index_spans_experiment_id_type_status")
    };
    assert!(leads("span.type = 'LLM'", None));
    assert!(!leads("span.type = 'LLM'", Some(10)));
    assert!(leads("span.type = 'TOOL'", Some(10)));
    assert_eq!(
        ids(&fixture.store(), "span.type = 'LLM'", None).len(),
        3_000
    );
}

#[test]
fn long_searches_come_in_pages_from_one_snapshot() {
    let fixture = Fixture::new(NEWEST);
    fixture.traces(2_300);
    let store = fixture.store();
    let mut search = Search::new(&store, Query::default(), None);
    let mut seen = search.next_page().unwrap().unwrap();
    assert_eq!(seen.len(), 500);
    fixture.sql("PRAGMA busy_timeout = 5000; DELETE FROM trace_info WHERE request_id = 'tr-00000000000000000000000000000000'");
    while let Some(page) = search.next_page().unwrap() {
        seen.extend(page);
    }
    assert!(seen.len() >= 2_299, "{}", seen.len());
    let times: Vec<_> = seen.iter().map(|info| info.request_time).collect();
    assert!(times.is_sorted_by(|a, b| a >= b));
    for limit in [1, 499, 500, 501, 1_000, 2_299, 2_400] {
        assert_eq!(ids(&store, "", Some(limit)).len(), limit.min(2_299));
    }
}

#[test]
fn a_reader_that_stalls_lets_writers_in() {
    let fixture = Fixture::new(NEWEST);
    fixture.traces(5_000);
    let store = fixture.store();
    let mut search = Search::new(&store, Query::default(), None);
    let mut seen = search.next_page().unwrap().unwrap().len();
    let start = std::time::Instant::now();
    fixture.sql("PRAGMA busy_timeout = 4000; UPDATE trace_info SET status = 'ERROR'");
    assert!(start.elapsed() < std::time::Duration::from_secs(4));
    while let Some(page) = search.next_page().unwrap() {
        seen += page.len();
    }
    assert_eq!(seen, 5_000);
}

#[test]
fn old_schemas_are_read_by_what_they_have() {
    let fixture = Fixture::new(OLDEST);
    fixture.traces(3).sql(
        "INSERT INTO trace_tags (request_id, key, value) VALUES \
         ('tr-00000000000000000000000000000001', 'mlflow.traceName', 'chat'); \
         INSERT INTO trace_request_metadata (request_id, key, value) VALUES \
         ('tr-00000000000000000000000000000001', 'mlflow.trace.session', 's'), \
         ('tr-00000000000000000000000000000001', 'mlflow.trace.tokenUsage', '{\"input_tokens\": 2, \"output_tokens\": 3}')",
    );
    let store = fixture.store();
    for filter in [
        "name = 'chat'",
        "metadata.`mlflow.trace.session` = 's'",
        "name LIKE 'ch%'",
        "metadata.`mlflow.trace.tokenUsage` IS NOT NULL",
    ] {
        assert_eq!(
            ids(&store, filter, None),
            ["tr-00000000000000000000000000000001"],
            "{filter}"
        );
    }
    let info = store.info("tr-00000000000000000000000000000001").unwrap();
    assert_eq!((info.name(), info.session()), (Some("chat"), Some("s")));
    assert!(ids(&store, "feedback.q = 'x'", None).is_empty());
    assert_eq!(ids(&store, "feedback.q IS NULL", None).len(), 3);
}

#[test]
fn many_traces_are_completed_wherever_their_spans_are() {
    let fixture = Fixture::new(NEWEST);
    let folder = fixture.path.parent().unwrap().join("elsewhere");
    std::fs::create_dir(&folder).unwrap();
    let file = r#"{"spans": [{"span_id": "0000000000000001", "name": "in a file", "start_time_unix_nano": 1}]}"#;
    std::fs::write(folder.join("traces.json"), file).unwrap();
    fixture.traces(3).sql(&format!(
        "INSERT INTO trace_tags (request_id, key, value) VALUES \
         ('tr-00000000000000000000000000000000', 'mlflow.trace.spansLocation', 'TRACKING_STORE'), \
         ('tr-00000000000000000000000000000001', 'mlflow.trace.spansLocation', 'ARTIFACT_REPO'), \
         ('tr-00000000000000000000000000000001', 'mlflow.artifactLocation', '{}'), \
         ('tr-00000000000000000000000000000002', 'mlflow.trace.spansLocation', 'ARCHIVE_REPO'); \
         INSERT INTO trace_request_metadata (request_id, key, value) VALUES \
         ('tr-00000000000000000000000000000002', 'mlflow.trace.sizeStats', '{{\"num_spans\": 1}}'); \
         INSERT INTO spans (trace_id, experiment_id, span_id, name, type, status, \
         start_time_unix_nano, end_time_unix_nano, content) VALUES \
         ('tr-00000000000000000000000000000000', 1, '0000000000000002', 'in the table', NULL, 'OK', 1, 0, \
          '{{\"span_id\": \"0000000000000002\", \"name\": \"in the table\", \"start_time_unix_nano\": 1, \"attributes\": {{\"mlflow.spanType\": \"\\\"LLM\\\"\"}}}}'), \
         ('tr-00000000000000000000000000000000', 1, '0000000000000003', 'blank', 'LLM', 'OK', 1, 2, '')",
        folder.display()
    ));
    let store = fixture.store();
    let known: Vec<TraceInfo> = (0..3)
        .map(|n| store.info(&format!("tr-{n:032x}")).unwrap())
        .collect();
    let mut bare: Vec<TraceInfo> = known
        .iter()
        .map(|info| TraceInfo::new(&*info.trace_id))
        .collect();
    bare.push(TraceInfo::new("tr-unknown"));
    for detail in [Detail::Times, Detail::Measures, Detail::Whole] {
        for infos in [&known, &bare] {
            let found: Vec<String> = store
                .complete_all(infos, detail)
                .into_iter()
                .map(|answer| match answer {
                    Ok(trace) => {
                        let spans = trace.spans.iter();
                        let shown =
                            spans.map(|s| format!("{} {} {:?}", s.name, s.span_type(), s.end_ns));
                        shown.collect()
                    }
                    Err(StoreError::NoSpans { .. }) => "none".to_owned(),
                    Err(error) => error.to_string(),
                })
                .collect();
            assert_eq!(
                found[..3],
                ["in the table LLM None", "in a file UNKNOWN None", "none"]
            );
            assert!(found[3..].iter().all(|error| error.contains("tr-unknown")));
        }
    }
}

#[test]
fn what_is_missing_from_a_schema_is_named() {
    let fixture = Fixture::new(NEWEST);
    fixture.sql("ALTER TABLE trace_info RENAME COLUMN status TO outcome");
    let error = open(&fixture.path, None).err().unwrap().to_string();
    assert!(
        error.contains("`trace_info` has no column `status`"),
        "{error}"
    );
    let fixture = Fixture::new(NEWEST);
    fixture.sql("ALTER TABLE trace_info ADD COLUMN novelty TEXT; CREATE TABLE more (x)");
    assert!(open(&fixture.path, None).is_ok());
}

#[test]
fn tags_are_changed_in_whole_batches() {
    let fixture = Fixture::new(NEWEST);
    fixture.traces(2);
    let store = fixture.store();
    let known = "tr-00000000000000000000000000000001".to_owned();
    let changes = TagChanges {
        set: vec![
            ("env".to_owned(), "é".repeat(9_000)),
            ("mlflow.traceName".to_owned(), "new".to_owned()),
        ],
        delete: vec!["old".to_owned()],
    };
    let results = tags::change(
        &store.shared,
        &[known.clone(), "tr-unknown".to_owned()],
        &changes.clone(),
    )
    .unwrap();
    assert!(results[0].is_ok());
    assert!(matches!(results[1], Err(StoreError::UnknownTrace { .. })));
    let info = store.info(&known).unwrap();
    assert_eq!(info.tags["env"].chars().count(), 8_000);
    assert_eq!(info.name(), Some("new"));
    let nameless = TagChanges {
        set: Vec::new(),
        delete: vec!["mlflow.traceName".to_owned()],
    };
    let results = tags::change(
        &store.shared,
        std::slice::from_ref(&known),
        &nameless.clone(),
    )
    .unwrap();
    assert!(results[0].is_ok());
    assert_eq!(store.info(&known).unwrap().name(), None);
}

#[test]
fn what_is_no_database_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        open(&path, None).err().unwrap().to_string()
    };
    assert!(write("empty.db", b"").contains("it is empty"));
    assert!(write("text.db", b"hello").contains("not a SQLite database"));
    assert!(write("cut.db", b"SQLite format 3\0").contains("cut short"));
    let error = open(folder.path(), None).err().unwrap().to_string();
    assert!(error.contains("it is a folder"), "{error}");
}

/// Traces of three spans each: side by side, scattered over the table, and one
/// with all kinds of rows.
fn many_spans(fixture: &Fixture) {
    fixture.traces(60).sql(
        "INSERT INTO spans (trace_id, experiment_id, span_id, parent_span_id, name, type, status, \
         start_time_unix_nano, end_time_unix_nano, content) \
         SELECT t.request_id, 1, printf('%016x', n.value), iif(n.value = 1, NULL, printf('%016x', 1)), \
         'step ' || n.value, iif(n.value = 2, NULL, 'TOOL'), 'OK', n.value, 100 + n.value, \
         json_object('name', 'step', 'attributes', json_object('mlflow.spanType', '\"LLM\"')) \
         FROM json_each('[1, 2, 3]') n, trace_info t \
         WHERE t.request_id NOT IN ('tr-00000000000000000000000000000007') \
         ORDER BY iif(t.timestamp_ms % 2, n.value, 0), t.request_id, n.value DESC; \
         UPDATE spans SET content = '' WHERE trace_id LIKE '%5' AND name = 'step 3'; \
         UPDATE spans SET content = '' WHERE trace_id LIKE '%9'; \
         INSERT INTO trace_tags (request_id, key, value) \
         SELECT request_id, 'mlflow.trace.spansLocation', 'TRACKING_STORE' FROM trace_info \
         WHERE request_id NOT LIKE '%3'",
    );
}

fn shown(traces: Vec<Result<Trace, StoreError>>) -> Vec<String> {
    let mut shown: Vec<String> = traces
        .into_iter()
        .map(|trace| match trace {
            Ok(trace) => format!("{} {:?}", trace.info.trace_id, trace.spans),
            Err(error) => error.to_string(),
        })
        .collect();
    shown.sort();
    shown
}

fn swept(store: &SqliteStore, infos: Vec<TraceInfo>) -> Vec<String> {
    let mut traces = Vec::new();
    let done = store.sweep(infos, Detail::Times, &mut |id, trace| {
        assert!(trace.as_ref().is_ok_and(|trace| trace.info.trace_id == id) || trace.is_err());
        traces.push(trace);
        ControlFlow::Continue(())
    });
    traces.extend(done.err().map(Err));
    shown(traces)
}

#[test]
fn a_sweep_finds_what_looking_each_trace_up_finds() {
    for wal in [false, true] {
        let fixture = Fixture::new(NEWEST);
        if wal {
            fixture.sql("PRAGMA journal_mode = WAL");
        }
        many_spans(&fixture);
        let store = fixture.store();
        for ids_only in [true, false] {
            let mut wanted = query("name IS NOT NULL OR timestamp_ms > 1795000000010", "");
            wanted.ids_only = ids_only;
            let mut search = Search::new(&store, wanted, None);
            let mut infos = Vec::new();
            while let Some(page) = search.next_page().unwrap() {
                infos.extend(page);
            }
            assert_eq!(infos.len(), 49);
            let one_by_one = shown(store.complete_all(&infos, Detail::Times));
            assert_eq!(swept(&store, infos), one_by_one);
        }
    }
}

#[test]
fn a_sweep_whose_reader_stalls_lets_writers_in() {
    let fixture = Fixture::new(NEWEST);
    fixture.traces(2).sql(
        "INSERT INTO spans (trace_id, experiment_id, span_id, name, status, start_time_unix_nano, content) \
         WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 30000) \
         SELECT printf('tr-%032x', x > 1), 1, printf('%016x', x), 'n', 'OK', x, '{}' FROM n",
    );
    let infos = (0..2).map(|n| TraceInfo::new(format!("tr-{n:032x}")));
    let mut counts = Vec::new();
    fixture
        .store()
        .sweep(infos.collect(), Detail::Times, &mut |_, trace| {
            let connection = Connection::open(&fixture.path).unwrap();
            connection.busy_timeout(Duration::from_secs(2)).unwrap();
            connection
                .execute("UPDATE trace_info SET execution_time_ms = 5", [])
                .unwrap();
            counts.push(trace.unwrap().spans.len());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(counts, [1, 29_999]);
}

#[test]
fn a_sweep_ends_when_nobody_wants_more_or_nothing_can_be_read() {
    let fixture = Fixture::new(NEWEST);
    many_spans(&fixture);
    let store = fixture.store();
    let infos = || {
        (0..60)
            .map(|n| TraceInfo::new(format!("tr-{n:032x}")))
            .collect()
    };
    let mut seen = 0;
    store
        .sweep(infos(), Detail::Times, &mut |_, _| {
            seen += 1;
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(seen, 1);

    fixture.sql("PRAGMA foreign_keys = OFF; DROP TABLE spans");
    let answer = swept(&store, infos());
    assert_eq!(answer.len(), 1);
    assert!(
        answer[0].contains("its tables are not as they were"),
        "{answer:?}"
    );
}

#[test]
fn all_traces_in_any_order_are_read_without_an_index() {
    let fixture = Fixture::new(NEWEST);
    fixture.traces(3);
    let plan_of = |filter: &str, limit| {
        let mut wanted = query(filter, "");
        wanted.experiments = vec!["1".to_owned()];
        (wanted.any_order, wanted.limit) = (true, limit);
        fixture
            .store()
            .explain(&wanted, Explain::Plan)
            .unwrap()
            .cost
    };
    assert_eq!(plan_of("", None), "SCAN t");
    for (filter, limit) in [("status = 'OK'", None), ("", Some(2))] {
        assert!(plan_of(filter, limit).contains("INDEX"), "{filter}");
    }
}

#[test]
fn spans_that_must_be_somewhere_are_missed() {
    let fixture = Fixture::new(OLDEST);
    fixture.traces(4).sql(
        "UPDATE trace_info SET status = 'IN_PROGRESS' WHERE request_id LIKE '%1'; \
         INSERT INTO trace_tags (request_id, key, value) SELECT request_id, \
         'mlflow.artifactLocation', 'mlflow-artifacts:/1/' || request_id FROM trace_info; \
         INSERT INTO trace_request_metadata (request_id, key, value) SELECT request_id, \
         'mlflow.trace_schema.version', '2' FROM trace_info WHERE request_id NOT LIKE '%2'; \
         INSERT INTO trace_request_metadata (request_id, key, value) SELECT request_id, \
         'mlflow.trace.sizeStats', '{\"num_spans\": 0}' FROM trace_info WHERE request_id LIKE '%3'",
    );
    let store = fixture.store();
    let spans = |n: i64| store.trace(&format!("tr-{n:032x}"), Detail::Whole);
    let missed = spans(0).unwrap_err();
    let folder = fixture.path.with_file_name("mlartifacts").join("1");
    assert!(
        missed.to_string().contains(folder.to_str().unwrap()),
        "{missed}"
    );
    // One in progress, one by a program that writes none, one that says so.
    for n in 1..4 {
        assert!(spans(n).unwrap().spans.is_empty(), "{n}");
    }
    assert!(ids(&store, "span.name = 'x'", None).is_empty());
    let doubts = store.shared.doubts.take();
    assert_eq!(doubts.len(), 1, "{doubts:?}");
    assert!(doubts[0].contains(&missed.to_string()), "{doubts:?}");
}
