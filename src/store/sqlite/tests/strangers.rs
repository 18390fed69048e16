//! Databases that somebody else made: their schema is never run.

use std::process::Command;

use super::*;

const TAGS: fn() -> TagChanges = || TagChanges {
    set: vec![("a".to_owned(), "b".to_owned())],
    delete: vec!["old".to_owned()],
};

fn id(n: i64) -> String {
    format!("tr-{n:032x}")
}

#[test]
fn views_and_virtual_tables_are_no_tables() {
    for (sql, said) in [
        (
            "ALTER TABLE trace_info RENAME TO t0; CREATE VIEW trace_info AS WITH RECURSIVE c(x) AS \
             (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT t0.* FROM t0, c",
            "its `trace_info` is a view and not a table",
        ),
        (
            "ALTER TABLE spans RENAME TO s0; CREATE VIEW Spans AS SELECT * FROM s0",
            "its `spans` is a view and not a table",
        ),
        (
            "DROP TABLE trace_tags; \
             CREATE VIRTUAL TABLE trace_tags USING fts5(request_id, key, value)",
            "its `trace_tags` is a virtual table and not a table",
        ),
    ] {
        let fixture = Fixture::new(NEWEST);
        fixture
            .sql("PRAGMA legacy_alter_table = ON; PRAGMA foreign_keys = OFF")
            .sql(sql);
        let error = open(&fixture.path, None).err().unwrap().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn columns_that_are_computed_are_not_read() {
    let fixture = Fixture::new(NEWEST);
    fixture.sql(
        "ALTER TABLE spans DROP COLUMN model_name; \
         ALTER TABLE spans ADD COLUMN model_name TEXT AS (hex(zeroblob(400000000)))",
    );
    let store = fixture.store();
    assert!(!store.shared.schema.has("spans", "model_name"));
    assert!(store.shared.schema.has("spans", "duration_ns"));
    fixture.sql(
        "ALTER TABLE trace_tags RENAME COLUMN value TO other; \
         ALTER TABLE trace_tags ADD COLUMN value TEXT AS (upper(other))",
    );
    let error = open(&fixture.path, None).err().unwrap().to_string();
    let said = "the column `value` of its table `trace_tags` is computed and not stored";
    assert!(error.contains(said), "{error}");
}

#[test]
fn triggers_do_not_run_when_tags_are_changed() {
    let fixture = Fixture::new(NEWEST);
    fixture.traces(3).sql(
        "CREATE TRIGGER a AFTER INSERT ON trace_tags BEGIN DELETE FROM trace_info; END; \
         CREATE TRIGGER b BEFORE INSERT ON trace_tags BEGIN SELECT RAISE(IGNORE); END",
    );
    let store = fixture.store();
    let results = tags::change(&store.shared, &[id(1)], &TAGS()).unwrap();
    assert!(results[0].is_ok());
    assert_eq!(store.info(&id(1)).unwrap().tags["a"], "b");
    assert_eq!(ids(&store, "", None).len(), 3);
}

#[test]
fn a_change_of_tags_that_would_change_more_is_taken_back() {
    for sql in [
        // A tag that takes its trace with it.
        "CREATE TABLE t0 (id TEXT REFERENCES trace_tags (value) ON DELETE CASCADE); \
         CREATE UNIQUE INDEX value ON trace_tags (value); INSERT INTO t0 VALUES ('x')",
        // Tags of which there may be two.
        "ALTER TABLE trace_tags RENAME TO t0; \
         CREATE TABLE trace_tags (key TEXT, value TEXT, request_id TEXT); \
         INSERT INTO trace_tags SELECT * FROM t0 UNION ALL SELECT * FROM t0; \
         CREATE UNIQUE INDEX one ON trace_tags (key, request_id) WHERE key <> 'old'",
    ] {
        let fixture = Fixture::new(NEWEST);
        fixture.traces(2).sql(&format!(
            "INSERT INTO trace_tags (request_id, key, value) VALUES ('{}', 'old', 'x')",
            id(1)
        ));
        fixture.sql(&format!("PRAGMA foreign_keys = OFF; {sql}"));
        let store = fixture.store();
        let only_delete = TagChanges {
            set: Vec::new(),
            ..TAGS()
        };
        let refused = tags::change(&store.shared, &[id(1)], &only_delete.clone()).unwrap_err();
        assert!(
            matches!(refused, StoreError::NotWritten { .. }),
            "{refused}"
        );
        assert!(
            refused.to_string().contains("nothing was changed"),
            "{refused}"
        );
        assert_eq!(store.info(&id(1)).unwrap().tags["old"], "x");
    }
    // A rule that replaces other tags.
    let fixture = Fixture::new(NEWEST);
    fixture.traces(2).sql(&format!(
        "PRAGMA foreign_keys = OFF; DROP TABLE trace_tags; CREATE TABLE trace_tags \
         (key TEXT, value TEXT UNIQUE ON CONFLICT REPLACE, request_id TEXT, PRIMARY KEY (key, request_id)); \
         INSERT INTO trace_tags VALUES ('k', 'b', '{}')",
        id(1)
    ));
    let store = fixture.store();
    let refused = tags::change(&store.shared, &[id(0)], &TAGS())
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("a rule of the database does not allow"),
        "{refused}"
    );
    assert_eq!(store.info(&id(1)).unwrap().tags["k"], "b");
}

#[test]
fn no_answer_takes_steps_without_end() {
    let fixture = Fixture::new(NEWEST);
    let store = fixture.store();
    let error = store
        .shared
        .read(|reader| {
            reader.open.strides().store(3, Ordering::Relaxed);
            reader
                .query_row(
                    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c",
                    [],
                    |_| Ok(()),
                )
                .map_err(|e| store.shared.database().error(&e))
        })
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("more steps than so large a database can need"),
        "{error}"
    );
    // The next one has as many as ever.
    assert!(ids(&store, "", None).is_empty());
}

#[test]
fn what_is_no_file_is_told_by_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = |name: &str| {
        let path = folder.path().join(name);
        assert!(
            Command::new("mkfifo")
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        path
    };
    let said = |path: &Path| open(path, None).err().unwrap().to_string();
    assert!(said(&pipe("a.db")).ends_with("it is a pipe; expected a database file"));
    assert!(said(Path::new("/dev/null")).ends_with("it is a device; expected a database file"));
    let fixture = Fixture::new(NEWEST);
    for ending in ["-wal", "-journal", "-shm"] {
        let path = folder.path().join(format!("{ending}.db"));
        std::fs::copy(&fixture.path, &path).unwrap();
        pipe(&format!("{ending}.db{ending}"));
        assert!(said(&path).ends_with(&format!("beside it, `{ending}` is a pipe")));
    }
}
