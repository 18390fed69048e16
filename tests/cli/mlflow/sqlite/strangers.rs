//! Databases that somebody else made or damaged: nothing that is written in their schema
//! is run, nothing is waited for forever, and no value is made up.

use super::*;

#[test]
fn what_is_written_in_a_schema_is_not_run() {
    let store = Database::new().change(
        "CREATE TRIGGER a AFTER INSERT ON trace_tags BEGIN DELETE FROM trace_info; DELETE FROM spans; END; \
         CREATE TRIGGER b BEFORE INSERT ON trace_tags BEGIN SELECT RAISE(IGNORE); END",
    );
    store.mlt().run("tag latest a=b -x many").ok();
    assert_eq!(store.mlt().run("search -x many --count").ok(), "1200\n");
    assert_eq!(
        store.mlt().run("search -x many --tag a=b --count").ok(),
        "1\n"
    );
    let store = Database::new().change(
        "PRAGMA legacy_alter_table = ON; ALTER TABLE trace_info RENAME TO ti0; \
         CREATE VIEW trace_info AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) \
         SELECT ti0.* FROM ti0, c",
    );
    for words in [
        "search",
        "search --count",
        "get latest",
        "tag tr-1 a=b",
        "experiments",
    ] {
        let refused = store.mlt().run(words);
        let said = refused.fails(6);
        assert!(
            said.contains("its `trace_info` is a view and not a table"),
            "{refused}"
        );
    }
}

#[test]
fn a_change_of_tags_that_takes_more_with_it_is_taken_back() {
    let store = Database::new();
    let id = store.ids().remove(0);
    let store = store.change(
        "CREATE UNIQUE INDEX both ON trace_tags (key, request_id); \
         CREATE TABLE hooked (key TEXT, id TEXT, \
         FOREIGN KEY (key, id) REFERENCES trace_tags (key, request_id) ON DELETE CASCADE); \
         INSERT INTO hooked SELECT key, request_id FROM trace_tags WHERE key = 'env'",
    );
    let refused = store.mlt().run(&format!("tag {id} --delete env"));
    let said = refused.fails(6);
    assert!(
        said.contains("other rows than those of the tags; nothing was changed"),
        "{refused}"
    );
    assert_eq!(
        store.number(&format!(
            "SELECT count(*) FROM trace_tags WHERE key = 'env' AND request_id = '{id}'"
        )),
        1
    );
}

#[test]
fn pipes_and_devices_are_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    for (path, what) in [
        (path.to_str().unwrap(), "a pipe"),
        ("/dev/zero", "a device"),
    ] {
        let refused = mlt().on(&format!("sqlite:///{path}")).run("search");
        let said = refused.fails(6);
        assert!(
            said.contains(&format!("it is {what}; expected a database file")),
            "{refused}"
        );
    }
}

#[test]
fn values_that_are_missing_make_a_trace_unreadable() {
    let store = Database::new();
    let ids = store.ids();
    let store = store.change(&format!(
        "PRAGMA writable_schema = ON; \
         UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL', '') WHERE type = 'table'; \
         PRAGMA writable_schema = RESET; \
         UPDATE trace_info SET timestamp_ms = NULL WHERE request_id = '{}'; \
         UPDATE trace_info SET status = NULL WHERE request_id = '{}'; \
         INSERT INTO spans (trace_id, experiment_id, span_id, name, status, start_time_unix_nano, content) \
         VALUES ('{}', 4, '0000000000000001', 'n', 'FINE', 1, '{{}}')",
        ids[0], ids[1], ids[2]
    ));
    let listed = store.mlt().run("search -x many --all -o ids");
    assert_eq!(listed.code, Some(7), "{listed}");
    assert_eq!(listed.stdout.lines().count(), 1198);
    for column in ["trace_info.timestamp_ms", "trace_info.status"] {
        assert!(listed.stderr.contains(column), "{listed}");
    }
    let times = store.mlt().run("latency -x many --all");
    assert_eq!(times.code, Some(7), "{times}");
    assert!(times.stderr.contains("spans.status"), "{times}");
}
