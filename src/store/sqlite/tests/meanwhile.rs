//! Databases that somebody writes to while they are read.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

/// Traces whose tag and three spans all say the same round of changes.
fn rounds(fixture: &Fixture, count: i64) {
    fixture.traces(count).sql(
        "INSERT INTO trace_tags (request_id, key, value) \
         SELECT request_id, 'round', '0' FROM trace_info; \
         INSERT INTO trace_tags (request_id, key, value) \
         SELECT request_id, 'mlflow.trace.spansLocation', 'TRACKING_STORE' FROM trace_info; \
         INSERT INTO spans (trace_id, experiment_id, span_id, name, type, status, \
         start_time_unix_nano, end_time_unix_nano, content) \
         SELECT t.request_id, 1, printf('%016x', n.value), '0', 'TOOL', 'OK', n.value, 9, \
         json_object('span_id', printf('%016x', n.value), 'name', '0', 'start_time_unix_nano', 1) \
         FROM trace_info t, json_each('[1, 2, 3]') n",
    );
}

const NEXT_ROUND: &str = "BEGIN IMMEDIATE; \
     UPDATE trace_tags SET value = value + 1 WHERE key = 'round'; \
     UPDATE spans SET name = name + 1, content = json_set(content, '$.name', CAST(name + 1 AS TEXT)); \
     COMMIT";

/// The round that a trace is of.
fn round(trace: &Trace) -> String {
    let tag = &trace.info.tags["round"];
    assert_eq!(trace.spans.len(), 3, "{}", trace.info.trace_id);
    assert!(
        trace.spans.iter().all(|span| span.name == *tag),
        "{trace:?}"
    );
    tag.clone()
}

fn beside(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path.parent().unwrap()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "mlflow.db").collect()
}

/// Reads all traces, and calls `meanwhile` after the first page.
fn export(store: &SqliteStore, mut meanwhile: impl FnMut()) -> Vec<Trace> {
    let mut search = Search::new(store, Query::default(), None);
    let mut traces = Vec::new();
    while let Some(page) = search.next_page().unwrap() {
        if traces.is_empty() {
            meanwhile();
        }
        for detail in [Detail::Times, Detail::Whole] {
            let all = store.complete_all(&page, detail);
            traces.extend(all.into_iter().map(Result::unwrap));
        }
    }
    traces
}

#[test]
fn all_of_a_database_with_a_log_is_of_one_moment() {
    let fixture = Fixture::new(NEWEST);
    rounds(&fixture, 1_200);
    fixture.sql("PRAGMA journal_mode = WAL");
    assert!(beside(&fixture.path).is_empty());
    let store = fixture.store();
    let traces = export(&store, || {
        fixture.sql(NEXT_ROUND);
        fixture.sql(
            "INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, status) \
             VALUES ('tr-new', 1, 4000000000000, 'OK'); PRAGMA wal_checkpoint(TRUNCATE)",
        );
    });
    assert_eq!(traces.len(), 2_400);
    assert!(traces.iter().all(|trace| round(trace) == "0"));
    assert!(store.info("tr-new").is_err());
    assert!(store.shared.doubts.take().is_empty());
    drop(store);
    assert!(
        beside(&fixture.path).is_empty(),
        "{:?}",
        beside(&fixture.path)
    );
    let later = export(&fixture.store(), || ());
    assert!(
        later
            .iter()
            .filter(|t| t.info.tags.contains_key("round"))
            .all(|t| round(t) == "1")
    );
    assert_eq!(later.len(), 2_402);
}

#[test]
fn several_readers_of_a_log_see_the_same_whoever_writes() {
    let fixture = Fixture::new(NEWEST);
    rounds(&fixture, 40);
    fixture.sql("PRAGMA journal_mode = WAL");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let writer = Connection::open(&fixture.path).unwrap();
            writer.busy_timeout(Duration::from_secs(20)).unwrap();
            while !stop.load(Ordering::Relaxed) {
                writer.execute_batch(NEXT_ROUND).unwrap();
            }
        });
        for _ in 0..5 {
            let store = fixture.store();
            let read = || {
                let traces = (0..40).map(|n| store.trace(&format!("tr-{n:032x}"), Detail::Whole));
                let mut rounds: Vec<_> = traces.map(|trace| round(&trace.unwrap())).collect();
                rounds.dedup();
                rounds
            };
            let found = thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(read)).collect();
                let found = threads
                    .into_iter()
                    .flat_map(|thread| thread.join().unwrap());
                found.collect::<Vec<_>>()
            });
            assert!(found.iter().all(|round| *round == found[0]), "{found:?}");
            assert!(store.shared.doubts.take().is_empty());
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn what_a_killed_writer_left_in_the_log_is_read_and_stays() {
    let fixture = Fixture::new(NEWEST);
    rounds(&fixture, 2);
    let writer = Connection::open(&fixture.path).unwrap();
    let script = "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0";
    writer.execute_batch(script).unwrap();
    writer.execute_batch(NEXT_ROUND).unwrap();
    writer
        .execute_batch("BEGIN; UPDATE trace_tags SET value = 'x'; PRAGMA cache_spill = 1")
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mlflow.db");
    for ending in ["", "-wal"] {
        let name = |path: &Path| format!("{}{ending}", path.display());
        fs::copy(name(&fixture.path), name(&path)).unwrap();
    }
    let before = fs::read(&path).unwrap();
    let log = fs::read(folder.path().join("mlflow.db-wal")).unwrap();
    let store = open(&path, None).unwrap();
    assert!(
        export(&store, || ())
            .iter()
            .all(|trace| round(trace) == "1")
    );
    drop(store);
    assert!(before == fs::read(&path).unwrap());
    assert!(log == fs::read(folder.path().join("mlflow.db-wal")).unwrap());
}

#[test]
fn each_trace_without_a_log_is_of_one_moment() {
    let fixture = Fixture::new(NEWEST);
    rounds(&fixture, 1_200);
    let store = fixture.store();
    let traces = export(&store, || {
        fixture.sql("PRAGMA busy_timeout = 5000").sql(NEXT_ROUND);
    });
    assert_eq!(traces.len(), 2_400);
    assert!(traces.iter().all(|trace| round(trace) == "1"));
    let doubts = store.shared.doubts.take();
    assert!(
        doubts.len() == 1 && doubts[0].contains("changed while it was read"),
        "{doubts:?}"
    );
    // One that is deleted meanwhile is said to be unknown, whatever was found of it.
    let mut found = store.info(&format!("tr-{:032x}", 7)).unwrap();
    fixture.sql(&format!(
        "DELETE FROM trace_info WHERE request_id = '{}'",
        found.trace_id
    ));
    for info in [
        found.clone(),
        TraceInfo::new(std::mem::take(&mut found.trace_id)),
    ] {
        let answer = store.complete_all(&[info], Detail::Whole).remove(0);
        assert!(matches!(answer, Err(StoreError::UnknownTrace { .. })));
    }
}

#[test]
fn a_quiet_database_raises_no_doubts() {
    let fixture = Fixture::new(NEWEST);
    rounds(&fixture, 600);
    let store = fixture.store();
    // What is changed and taken back is no change.
    let writer = Connection::open(&fixture.path).unwrap();
    writer
        .execute_batch("BEGIN IMMEDIATE; UPDATE trace_tags SET value = 'x'; ROLLBACK")
        .unwrap();
    assert_eq!(export(&store, || ()).len(), 1_200);
    let changes = TagChanges {
        set: vec![("env".to_owned(), "x".to_owned())],
        delete: Vec::new(),
    };
    let id = format!("tr-{:032x}", 1);
    tags::change(&store.shared, std::slice::from_ref(&id), &changes.clone()).unwrap();
    assert_eq!(store.info(&id).unwrap().tags["env"], "x");
    assert_eq!(export(&store, || ()).len(), 1_200);
    assert!(store.shared.doubts.take().is_empty());
}

#[test]
fn a_sweep_hands_over_each_trace_as_it_was_at_one_moment() {
    let fixture = Fixture::new(NEWEST);
    // More slices of the table than may wait.
    rounds(&fixture, 6_000);
    let store = fixture.store();
    let mut search = Search::new(&store, Query::default(), None);
    let mut infos = Vec::new();
    while let Some(page) = search.next_page().unwrap() {
        infos.extend(page);
    }
    let mut seen = [0; 2];
    store
        .sweep(infos, Detail::Times, &mut |_, trace| {
            if seen == [0, 0] {
                // By now the reader waits for this one.
                thread::sleep(std::time::Duration::from_millis(500));
                fixture.sql(&format!("PRAGMA busy_timeout = 5000; {NEXT_ROUND}"));
            }
            seen[round(&trace.unwrap()).parse::<usize>().unwrap()] += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen[0] + seen[1], 6_000);
    assert!(seen[1] > 0, "{seen:?}");
    assert_eq!(store.shared.doubts.take().len(), 1);
}

#[test]
fn what_is_deleted_while_a_reader_stalls_takes_no_other_trace_with_it() {
    let fixture = Fixture::new(NEWEST);
    fixture.traces(6_000);
    let store = fixture.store();
    let mut search = Search::new(&store, Query::default(), None);
    let mut seen = search.next_page().unwrap().unwrap();
    // Those that were handed over, and a whole page of the last ones.
    fixture.sql(
        "PRAGMA busy_timeout = 4000; DELETE FROM trace_info \
         WHERE timestamp_ms >= 1795000005500 OR timestamp_ms < 1795000001000; \
         INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, status) \
         VALUES ('tr-new', 1, 1795000003000, 'OK')",
    );
    while let Some(page) = search.next_page().unwrap() {
        seen.extend(page);
    }
    let mut left: Vec<_> = seen.iter().map(|info| info.trace_id.clone()).collect();
    for n in 1_000..5_500 {
        let id = format!("tr-{n:032x}");
        assert!(left.contains(&id), "{id}");
    }
    left.dedup();
    assert_eq!(left.len(), seen.len());
    assert!(!left.contains(&"tr-new".to_owned()));
}

#[test]
fn a_change_that_a_killed_writer_left_half_done_is_said() {
    let fixture = Fixture::new(NEWEST);
    rounds(&fixture, 3_000);
    let writer = Connection::open(&fixture.path).unwrap();
    writer
        .execute_batch(
            "PRAGMA cache_size = 10; PRAGMA cache_spill = 1; BEGIN IMMEDIATE; \
             UPDATE spans SET name = 'torn'",
        )
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mlflow.db");
    for ending in ["", "-journal"] {
        let name = |path: &Path| format!("{}{ending}", path.display());
        fs::copy(name(&fixture.path), name(&path)).unwrap();
    }
    let before = fs::read(&path).unwrap();
    let torn = b"torn";
    assert!(before.windows(torn.len()).any(|part| part == torn));
    let error = open(&path, None).err().unwrap().to_string();
    assert!(error.contains("ended in the middle of a change"), "{error}");
    assert!(before == fs::read(&path).unwrap());
    // Undone by whoever may write, it can be read.
    Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM spans", [], |_| Ok(()))
        .unwrap();
    assert!(
        export(&open(&path, None).unwrap(), || ())
            .iter()
            .all(|trace| round(trace) == "0")
    );
}
