//! Traces deleted from the database itself: with all that is theirs, and nothing else.

use super::*;

const TABLES: [(&str, &str); 8] = [
    ("trace_info", "request_id"),
    ("trace_tags", "request_id"),
    ("trace_request_metadata", "request_id"),
    ("trace_metrics", "request_id"),
    ("spans", "trace_id"),
    ("span_metrics", "trace_id"),
    ("assessments", "trace_id"),
    ("review_queue_items", "item_id"),
];

/// Rows of a trace in each table, and those of all others.
fn rows(store: &Database, id: &str) -> (Vec<i64>, Vec<i64>) {
    let count = |how: &str| {
        let one = |(table, column): &(&str, &str)| {
            store.number(&format!(
                "SELECT count(*) FROM {table} WHERE {column} {how} '{id}'"
            ))
        };
        TABLES.iter().map(one).collect()
    };
    (count("="), count("<>"))
}

#[test]
fn all_rows_and_files_of_a_trace_go_and_no_others() {
    let store = Database::new();
    let assessed = "SELECT trace_id FROM assessments ORDER BY trace_id LIMIT 1";
    let id: String = store
        .sql()
        .query_row(assessed, [], |row| row.get(0))
        .unwrap();
    let other = store.ids().into_iter().find(|other| *other != id).unwrap();
    let store = store.change(&format!(
        "INSERT INTO trace_metrics (request_id, key, value) VALUES ('{id}', 'n', 1);\
         INSERT INTO span_metrics (trace_id, span_id, key, value) \
         SELECT trace_id, span_id, 'n', 1 FROM spans WHERE trace_id IN ('{id}', '{other}');\
         PRAGMA foreign_keys = OFF;\
         INSERT INTO review_queue_items (queue_id, item_type, item_id, status, creation_time_ms, \
         last_update_time_ms) VALUES ('q', 'trace', '{id}', 'PENDING', 1, 1), \
         ('q', 'session', '{id}-s', 'PENDING', 1, 1), ('q', 'trace', '{other}', 'PENDING', 1, 1)"
    ));
    let (own, others) = rows(&store, &id);
    assert!(own.iter().all(|rows| *rows > 0), "{own:?}");
    let place = |id: &str| {
        let sql = format!("SELECT experiment_id FROM trace_info WHERE request_id = '{id}'");
        let root = store.dir.path().join("mlartifacts");
        root.join(store.number(&sql).to_string())
            .join("traces")
            .join(id)
    };
    let (folder, kept) = (place(&id), place(&other));
    for folder in [&folder, &kept] {
        fs::create_dir_all(folder.join("artifacts")).unwrap();
        fs::write(folder.join("artifacts/traces.json"), "{}").unwrap();
    }
    for location in ["mlflow-artifacts:/../outside", "s3://bucket/x"] {
        let sql = format!(
            "UPDATE trace_tags SET value = '{location}' \
             WHERE request_id = '{other}' AND key = 'mlflow.artifactLocation'"
        );
        store.sql().execute_batch(&sql).unwrap();
    }
    let outcome = store.mlt().run(&format!("delete {id} --yes"));
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(outcome.stdout.starts_with(&format!("{id}  deleted: ")));
    assert_eq!(rows(&store, &id), (vec![0; TABLES.len()], others));
    assert!(!folder.exists() && kept.exists());
    assert_eq!(store.mlt().run(&format!("get {id}")).code, Some(3));
    let again = store.mlt().run(&format!("delete {id} --yes"));
    assert!(again.fails(3).contains("no trace"), "{again}");
    // Its artifacts are not where MLflow keeps them, so that nobody knows whose they are.
    store.mlt().run(&format!("delete {other} --yes -q")).lines();
    assert_eq!(rows(&store, &other).0, vec![0; TABLES.len()]);
    assert!(kept.exists());
}

#[test]
fn mlflow_deletes_the_same_rows() {
    let (ours, theirs) = (Database::new(), Database::new());
    let ids: Vec<String> = ours.ids().into_iter().step_by(3).collect();
    assert!(ids.len() > 300);
    ours.mlt()
        .stdin(ids.join("\n"))
        .run("delete - --yes -q")
        .ok();
    theirs
        .python(&format!(
            "import mlflow\n\
             n = mlflow.MlflowClient().delete_traces('4', trace_ids={ids:?})\n\
             assert n == {}, n",
            ids.len()
        ))
        .end();
    let dump = |store: &Database| {
        let all = |(table, _): &(&str, &str)| store.rows(&format!("SELECT * FROM {table}"));
        TABLES.iter().map(all).collect::<Vec<_>>()
    };
    assert!(dump(&ours) == dump(&theirs));
    let left = ours
        .python(
            "from mlflow.tracking._tracking_service.utils import _get_store\n\
             found, token = [], None\n\
             while True:\n\
             \x20   page = _get_store().search_traces(['4'], max_results=500, page_token=token)\n\
             \x20   found += page[0]; token = page[1]\n\
             \x20   if not token: break\n\
             print(len(found))",
        )
        .end();
    assert_eq!(left.trim(), (1200 - ids.len()).to_string());
}

#[test]
fn an_archive_goes_where_it_is_the_stores_own_and_else_keeps_its_trace() {
    let store = Database::new();
    let ids = store.ids();
    let outside = tempfile::tempdir().unwrap();
    let archive = |id: &str, root: &Path| {
        let folder = root.join("archive").join(id).join("artifacts");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("traces.pb"), "").unwrap();
        let sql = format!(
            "DELETE FROM trace_tags WHERE request_id = '{id}' AND key LIKE 'mlflow.trace.%Location';\
             INSERT INTO trace_tags (request_id, key, value) VALUES \
             ('{id}', 'mlflow.trace.spansLocation', 'ARCHIVE_REPO'), \
             ('{id}', 'mlflow.trace.archiveLocation', 'file://{}')",
            folder.display()
        );
        store.sql().execute_batch(&sql).unwrap();
        folder
    };
    let (own, elsewhere) = (
        archive(&ids[0], store.dir.path()),
        archive(&ids[1], outside.path()),
    );
    let words = format!("delete {} {} {} --yes", ids[0], ids[1], ids[2]);
    let outcome = store.mlt().run(&words);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(!own.exists() && elsewhere.join("traces.pb").exists());
    let said = "and that is not in a folder of the store's own";
    assert!(outcome.stderr.contains(said), "{outcome}");
    assert!(
        outcome.stderr.contains("note: deleted 2 traces\n"),
        "{outcome}"
    );
    let left = format!(
        "SELECT count(*) FROM trace_info WHERE request_id IN ('{}', '{}', '{}')",
        ids[0], ids[1], ids[2]
    );
    assert_eq!(store.number(&left), 1);
    fs::remove_file(elsewhere.join("traces.pb")).unwrap();
    let gone = store.mlt().run(&format!("delete {} --yes", ids[1]));
    assert_eq!(gone.code, Some(0), "{gone}");
}

#[test]
fn a_killed_deletion_leaves_whole_batches_and_two_at_once_count_each_trace_once() {
    let binary = assert_cmd::cargo::cargo_bin("mlt");
    let start = |store: &Database| {
        Command::new(&binary)
            .args([
                "delete",
                "-x",
                "many",
                "-f",
                "tags.number IS NOT NULL",
                "-y",
            ])
            .args(["-o", "json"])
            .env_clear()
            .env("MLFLOW_TRACKING_URI", store.uri())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let count = "SELECT count(*) FROM trace_info WHERE experiment_id = 4";
    let orphans = "SELECT (SELECT count(*) FROM spans WHERE trace_id NOT IN \
                   (SELECT request_id FROM trace_info)) + (SELECT count(*) FROM trace_tags \
                   WHERE request_id NOT IN (SELECT request_id FROM trace_info))";
    let store = Database::new();
    let timer = Instant::now();
    assert!(start(&store).wait_with_output().unwrap().status.success());
    let whole = timer.elapsed();
    assert_eq!(store.number(count), 0);
    for round in 1..=6 {
        let store = Database::new();
        let mut child = start(&store);
        std::thread::sleep(whole * round / 7);
        let _ = child.kill();
        let _ = child.wait();
        let left = store.number(count);
        assert!([0, 200, 700, 1200].contains(&left), "{left}");
        assert_eq!(store.number(orphans), 0);
        assert!(start(&store).wait_with_output().unwrap().status.success());
        assert_eq!((store.number(count), store.number(orphans)), (0, 0));
    }
    let store = Database::new();
    let both = [start(&store), start(&store)].map(|child| child.wait_with_output().unwrap());
    let mut deleted = 0;
    for output in both {
        assert!(output.status.success(), "{output:?}");
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        deleted += told["deleted"].as_u64().unwrap();
        assert_eq!(told["failed"], 0);
    }
    assert_eq!((deleted, store.number(count)), (1200, 0));
}

#[test]
fn a_schema_that_takes_more_with_a_trace_is_refused() {
    let store = Database::new();
    let id = store.ids().remove(0);
    let store = store.change(&format!(
        "CREATE TABLE hooked (id TEXT REFERENCES trace_info (request_id) ON DELETE CASCADE); \
         INSERT INTO hooked VALUES ('{id}'); \
         CREATE TRIGGER a AFTER DELETE ON trace_info BEGIN DELETE FROM spans; END"
    ));
    let refused = store.mlt().run(&format!("delete {id} --yes -q"));
    let said = "other rows than those of the traces; nothing was changed";
    assert!(refused.fails(6).contains(said), "{refused}");
    assert_eq!(store.number("SELECT count(*) FROM hooked"), 1);
    assert!(rows(&store, &id).0[0] == 1);
    let spans = store.number("SELECT count(*) FROM spans WHERE trace_id <> ''");
    let other = store.ids().remove(1);
    let own = rows(&store, &other).0[4];
    store.mlt().run(&format!("delete {other} --yes -q")).ok();
    let left = store.number("SELECT count(*) FROM spans WHERE trace_id <> ''");
    assert_eq!(left, spans - own);
}

#[test]
fn a_database_that_is_protected_loses_nothing() {
    let store = Database::new();
    let id = &store.ids()[0];
    protect(store.dir.path(), 0o755);
    protect(&store.path(), 0o444);
    let (code, said) = as_somebody_else(&store, &format!("delete {id} --yes"));
    assert_eq!(code, Some(6), "{said}");
    assert!(said.contains("read-only"), "{said}");
    let (code, said) = as_somebody_else(&store, &format!("delete {id} --dry-run"));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("without --dry-run this fails: "), "{said}");
    assert_eq!(rows(&store, id).0[0], 1);
}
