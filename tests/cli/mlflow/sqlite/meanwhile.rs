//! A database that is written to while it is read: by MLflow itself, in both of SQLite's
//! modes, and where nothing can be made beside it.

use std::collections::HashMap;

use super::*;

/// Traces with the number of their spans and their tag `env`.
fn contents(json_lines: &str) -> HashMap<String, (usize, Option<String>)> {
    json_lines
        .lines()
        .map(|line| {
            let trace: serde_json::Value = serde_json::from_str(line).unwrap();
            let info = &trace["info"];
            let env = info["tags"]["env"].as_str().map(str::to_owned);
            let spans = trace["data"]["spans"].as_array().unwrap().len();
            (info["trace_id"].as_str().unwrap().to_owned(), (spans, env))
        })
        .collect()
}

/// A database in which each of many traces has a span.
fn database(mode: &str) -> Database {
    Database::new().change(&format!(
        "PRAGMA journal_mode = {mode}; \
         INSERT INTO spans (trace_id, experiment_id, span_id, name, status, start_time_unix_nano, content) \
         SELECT request_id, 4, '0000000000000001', 'n', 'OK', 1, \
         '{{\"span_id\": \"0000000000000001\", \"name\": \"n\", \"start_time_unix_nano\": 1}}' \
         FROM trace_info WHERE experiment_id = 4"
    ))
}

fn names(store: &Database) -> Vec<String> {
    let files = store.files();
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.keys().map(name).collect()
}

#[test]
fn mlflow_goes_on_writing_and_what_is_exported_is_whole() {
    for mode in ["DELETE", "WAL"] {
        let store = database(mode);
        let files = names(&store);
        let before = contents(store.mlt().run("export -x many --all -o jsonl").ok());
        assert_eq!(before.len(), 1200);
        let mut writer = store.python(
            "import select, time\n\
             from mlflow.entities import TraceInfo, TraceLocation, TraceState\n\
             from mlflow.tracking._tracking_service.utils import _get_store\n\
             store = _get_store()\n\
             ids = [t.trace_id for t in store.search_traces(['4'], max_results=50)[0]]\n\
             print('begun')\n\
             n, longest = 0, 0\n\
             while not select.select([sys.stdin], [], [], 0)[0]:\n\
             \x20   start = time.time()\n\
             \x20   store.set_trace_tag(ids[n % 50], 'round', str(n))\n\
             \x20   store.start_trace(TraceInfo(trace_id=f'tr-{n:032x}', request_time=4000000000000 + n, state=TraceState.OK,\n\
             \x20       trace_location=TraceLocation.from_experiment_id('4'), tags={'env': 'late'}))\n\
             \x20   n, longest = n + 1, max(longest, time.time() - start)\n\
             print(n, longest)",
        );
        assert_eq!(writer.line(), "begun");
        for round in 0..4 {
            let file = store.dir.path().join(format!("{round}.out"));
            let words = format!("export -x many --all -o jsonl --to {}", file.display());
            let told = store.mlt().run(&words);
            assert_eq!(told.code, Some(0), "{told}");
            assert!(
                mode == "DELETE" || !told.stderr.contains("changed while"),
                "{told}"
            );
            let now = contents(&fs::read_to_string(&file).unwrap());
            for (id, content) in &before {
                assert_eq!(now.get(id), Some(content), "{mode}: {id}");
            }
            let late = now.iter().filter(|(id, _)| !before.contains_key(*id));
            for (id, (spans, env)) in late {
                assert_eq!((*spans, env.as_deref()), (0, Some("late")), "{mode}: {id}");
            }
            fs::remove_file(file).unwrap();
        }
        let said = writer.end();
        let said: Vec<f64> = said
            .split_whitespace()
            .map(|n| n.parse().unwrap())
            .collect();
        assert!(said[0] > 3.0 && said[1] < 5.0, "{mode}: {said:?}");
        let sound: String = store
            .sql()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(sound, "ok", "{mode}");
        assert_eq!(names(&store), files, "{mode}");
    }
}

#[test]
fn a_checkpoint_amid_an_export_takes_nothing_away() {
    let store = database("WAL");
    let before = contents(store.mlt().run("export -x many --all -o jsonl").ok());
    let mut writer = store.python(
        "import sqlite3\n\
         print('begun')\n\
         for n in range(30):\n\
         \x20   db = sqlite3.connect(database, isolation_level=None, timeout=60)\n\
         \x20   db.execute('BEGIN')\n\
         \x20   for k in range(50):\n\
         \x20       db.execute('INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, status) VALUES (?, 4, ?, ?)',\n\
         \x20           (f'tr-{n * 50 + k:032x}', 4000000000000 + n * 50 + k, 'OK'))\n\
         \x20   db.execute('COMMIT')\n\
         \x20   db.execute('PRAGMA wal_checkpoint(TRUNCATE)')\n\
         \x20   db.close()",
    );
    assert_eq!(writer.line(), "begun");
    for _ in 0..4 {
        let now = store.mlt().run("export -x many --all -o jsonl");
        assert_eq!(now.code, Some(0), "{}", now.stderr);
        assert!(!now.stderr.contains("changed"), "{}", now.stderr);
        let now = contents(&now.stdout);
        assert_eq!((now.len() - before.len()) % 50, 0, "whole transactions");
        assert!(
            before
                .iter()
                .all(|(id, content)| now.get(id) == Some(content))
        );
    }
    writer.end();
}

#[test]
fn a_log_that_cannot_be_made_is_done_without_and_said() {
    if Command::new("id").arg("-u").output().unwrap().stdout != b"0\n" {
        return;
    }
    let store = Database::new().change("PRAGMA journal_mode = WAL");
    for (file, folder) in [(0o666, 0o555), (0o444, 0o777), (0o444, 0o555)] {
        protect(&store.path(), file);
        protect(store.dir.path(), folder);
        let before = store.files();
        let (code, said) = as_somebody_else(&store, "search -x many --count");
        assert_eq!(code, Some(0), "{said}");
        assert!(
            said.contains("is read as a file that nobody changes"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(before == store.files());
    }
    // What is in a log can be read only by it.
    protect(store.dir.path(), 0o755);
    protect(&store.path(), 0o644);
    let writer = store.sql();
    writer
        .execute_batch(
            "PRAGMA wal_autocheckpoint = 0; DELETE FROM trace_info WHERE experiment_id = 4",
        )
        .unwrap();
    let path = |ending: &str| store.dir.path().join(format!("mlflow.db{ending}"));
    let log = fs::read(path("-wal")).unwrap();
    let data = fs::read(path("")).unwrap();
    drop(writer);
    fs::write(path("-wal"), log).unwrap();
    fs::write(path(""), data).unwrap();
    protect(&path("-wal"), 0o644);
    protect(store.dir.path(), 0o555);
    let (code, said) = as_somebody_else(&store, "search -x many --count");
    protect(store.dir.path(), 0o755);
    assert_eq!(code, Some(6), "{said}");
    assert!(
        said.contains("it has changes in a write-ahead log"),
        "{said}"
    );
    // Whoever may make the files sees them, and leaves the database as it is.
    assert_eq!(store.mlt().run("search -x many --count").ok(), "0\n");
}

#[test]
fn a_search_that_is_cut_short_leaves_no_files() {
    let store = Database::new().change("PRAGMA journal_mode = WAL");
    let before = names(&store);
    for words in [
        "search -x many -n 600 -o ids",
        "search -x many --all -o ids",
        "latency -x many --all",
        "search -x many -f nonsense=1",
        "get tr-00000000000000000000000000000000",
        "tag latest a=b",
    ] {
        let _ = store.mlt().run(words);
        assert_eq!(names(&store), before, "{words}");
    }
}
