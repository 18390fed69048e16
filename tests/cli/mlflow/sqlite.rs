//! MLflow's database read and tagged directly, while it is damaged, locked,
//! written to, protected, older or newer than expected, and when mlt is killed.

mod assess;
mod delete;
mod meanwhile;
mod strangers;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::mlflow::store_copy;
use crate::support::{Mlt, mlt, venv};

/// A copy of a real store, which goes away with the test.
struct Database {
    dir: TempDir,
}

impl Database {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        store_copy(dir.path());
        fs::rename(dir.path().join("artifacts"), dir.path().join("mlartifacts")).unwrap();
        Self { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("mlflow.db")
    }

    fn uri(&self) -> String {
        format!("sqlite:///{}", self.path().display())
    }

    fn mlt(&self) -> Mlt {
        mlt().on(&self.uri())
    }

    fn sql(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    fn change(self, sql: &str) -> Self {
        self.sql().execute_batch(sql).unwrap();
        self
    }

    fn number(&self, sql: &str) -> i64 {
        self.sql().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// What a query finds, a text for each row, in the order of these.
    fn rows(&self, sql: &str) -> Vec<String> {
        let connection = self.sql();
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let mut rows: Vec<String> = statement
            .query_map([], |row| {
                let values = (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at));
                Ok(format!("{:?}", values.collect::<Vec<_>>()))
            })
            .unwrap()
            .map(Result::unwrap)
            .collect();
        rows.sort_unstable();
        rows
    }

    /// Runs Python with this MLflow and gives what it prints; `database` is the path.
    fn python(&self, script: &str) -> Python {
        let mut child = Command::new(venv::python("3.17.2"))
            .args([
                "-u",
                "-c",
                &format!("import sys\ndatabase = sys.argv[1]\n{script}"),
            ])
            .arg(self.path())
            .env("MLFLOW_TRACKING_URI", self.uri())
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Python { child, lines }
    }

    /// Every file of the folder with its bytes.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let list = fs::read_dir(self.dir.path()).unwrap().flatten();
        list.filter(|entry| entry.path().is_file())
            .map(|entry| (entry.path(), fs::read(entry.path()).unwrap()))
            .collect()
    }

    fn ids(&self) -> Vec<String> {
        let list = self.mlt().run("search -x many --all -o ids");
        list.ok().lines().map(str::to_owned).collect()
    }
}

/// A Python process that goes on until its standard input ends.
struct Python {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Python {
    /// Waits for the next line that it prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn end(mut self) -> String {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success());
        rest
    }
}

#[test]
fn what_is_no_database_is_refused_in_one_sentence() {
    let store = Database::new();
    let whole = fs::read(store.path()).unwrap();
    let mut corrupt = whole.clone();
    corrupt[8192..1_000_000].fill(0xA5);
    let dir = store.dir.path();
    for (name, bytes, said) in [
        ("truncated.db", &whole[..100_000], "the database is corrupt"),
        ("short.db", &whole[..50], "it is cut short"),
        ("corrupt.db", &corrupt, "the database is corrupt"),
        ("empty.db", b"", "it is empty; expected a SQLite database"),
        ("text.db", b"id,name\n1,x\n", "it is not a SQLite database"),
    ] {
        fs::write(dir.join(name), bytes).unwrap();
        for words in [
            "search --all -o ids",
            "search --count",
            "get latest",
            "latency latest",
            "tag tr-1 a=b",
        ] {
            let refused = mlt()
                .on(&format!("sqlite:///{}", dir.join(name).display()))
                .run(words);
            assert_eq!(refused.code, Some(6), "{name}: {words}: {refused}");
            assert!(
                refused.stderr.starts_with("error: cannot read ") && refused.stderr.contains(said),
                "{name}: {refused}"
            );
            assert_eq!(
                refused.stderr.matches("error: ").count(),
                1,
                "{name}: {refused}"
            );
        }
    }
    fs::create_dir(dir.join("folder.db")).unwrap();
    Connection::open(dir.join("other.db"))
        .unwrap()
        .execute_batch("CREATE TABLE fruit (name)")
        .unwrap();
    for (name, said) in [
        ("folder.db", "it is a folder; expected a database file"),
        ("none.db", "no such file or directory"),
        (
            "other.db",
            "it has no table `experiments`; expected the database of MLflow",
        ),
    ] {
        let refused = mlt()
            .on(&format!("sqlite:///{}", dir.join(name).display()))
            .run("search");
        assert!(refused.fails(6).contains(said), "{name}: {refused}");
    }
}

#[test]
fn a_database_that_is_locked_for_long_is_waited_for_and_then_reported() {
    let store = Database::new();
    let mut holder = store.python(
        "import sqlite3\n\
         db = sqlite3.connect(database, isolation_level=None)\n\
         db.execute('BEGIN EXCLUSIVE')\nprint('locked')\nsys.stdin.read()\ndb.execute('ROLLBACK')",
    );
    assert_eq!(holder.line(), "locked");
    for words in ["search --count", "tag tr-1 a=b"] {
        let start = Instant::now();
        let refused = store.mlt().run(words);
        let said = refused.fails(6);
        assert!(
            said.contains("locked") && said.contains("hint: "),
            "{refused}"
        );
        let waited = start.elapsed();
        assert!(
            waited > Duration::from_secs(4) && waited < Duration::from_secs(30),
            "{waited:?}"
        );
    }
    holder.end();
    assert_eq!(store.mlt().run("search -x many --count").ok(), "1200\n");
}

#[test]
fn a_short_lock_is_waited_out() {
    let store = Database::new();
    let mut holder = store.python(
        "import sqlite3, time\n\
         db = sqlite3.connect(database, isolation_level=None)\n\
         db.execute('BEGIN EXCLUSIVE')\nprint('locked')\ntime.sleep(1.5)\ndb.execute('ROLLBACK')",
    );
    assert_eq!(holder.line(), "locked");
    assert_eq!(store.mlt().run("search -x many --count").ok(), "1200\n");
    holder.end();
}

#[test]
fn rows_in_a_write_ahead_log_are_seen_and_stay_there() {
    let store = Database::new();
    let id = &store.ids()[0];
    let mut writer = store.python(&format!(
        "import sqlite3\n\
         db = sqlite3.connect(database, isolation_level=None)\n\
         db.execute('PRAGMA journal_mode=WAL')\ndb.execute('PRAGMA wal_autocheckpoint=0')\n\
         db.execute(\"INSERT INTO trace_tags (request_id, key, value) VALUES ('{id}', 'logged', 'yes')\")\n\
         print('written')\nsys.stdin.read()",
    ));
    assert_eq!(writer.line(), "written");
    let before = store.files();
    let found = store.mlt().run("search --tag logged=yes -o ids");
    assert_eq!(found.ok().trim(), id);
    let after = store.files();
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>()
    );
    assert_eq!(
        before[&store.path()],
        after[&store.path()],
        "no checkpoint was made"
    );
    // Tags can be written while the other connection is open.
    store.mlt().run(&format!("tag {id} beside=it")).ok();
    assert_eq!(
        store.mlt().run("search --tag beside=it --count").ok(),
        "1\n"
    );
    writer.end();
    assert_eq!(
        store
            .mlt()
            .run("search --tag logged=yes --tag beside=it --count")
            .ok(),
        "1\n"
    );
    assert_eq!(store.files().len(), 4, "{:?}", store.files().keys());
}

#[test]
fn traces_that_arrive_while_a_search_runs_do_no_harm() {
    let store = Database::new();
    let mut writer = store.python(
        "import sqlite3\n\
         db = sqlite3.connect(database, isolation_level=None, timeout=60)\n\
         print('begun')\n\
         for n in range(400):\n\
         \x20   db.execute('INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, status) VALUES (?, 4, ?, ?)',\n\
         \x20              (f'tr-{n:032x}', 4000000000000 + n, 'OK'))",
    );
    assert_eq!(writer.line(), "begun");
    let old = "search -x many --all -o ids -f `timestamp_ms<4000000000000`".replace('`', "");
    for _ in 0..5 {
        assert_eq!(store.mlt().run(&old).ok().lines().count(), 1200);
        let all = store.mlt().run("search -x many --all -o ids");
        let mut ids: Vec<&str> = all.ok().lines().collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "none twice");
    }
    writer.end();
    assert_eq!(store.mlt().run("search -x many --count").ok(), "1600\n");
}

#[test]
fn reading_changes_no_file() {
    for wal in [false, true] {
        let mut store = Database::new();
        if wal {
            store = store.change("PRAGMA journal_mode = WAL");
        }
        let before = store.files();
        assert_eq!(before.len(), 4, "{:?}", before.keys());
        for words in [
            "search --all --include-spans -o jsonl -x edges",
            "search --count",
            "search -f any(span.duration>1s) -o ids",
            "get latest -o json",
            "latency latest",
            "get tr-00000000000000000000000000000000",
        ] {
            let _ = store.mlt().run(words);
        }
        assert!(before == store.files(), "wal: {wal}");
    }
}

/// Runs a command line without the rights of the user who owns the store.
fn as_somebody_else(store: &Database, words: &str) -> (Option<i32>, String) {
    let binary = store.dir.path().join("mlt");
    fs::copy(assert_cmd::cargo::cargo_bin("mlt"), &binary).unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    // Root may write everywhere, whatever the mode says, so it becomes another user first.
    let script = "import os, sys\n\
                  if os.getuid() == 0:\n\
                  \x20   os.setgroups([]); os.setgid(65534); os.setuid(65534)\n\
                  os.execve(sys.argv[1], sys.argv[1:], {'MLFLOW_TRACKING_URI': os.environ['URI'], 'HOME': '/nonexistent'})";
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(&binary)
        .args(words.split_whitespace())
        .env("URI", store.uri())
        .output()
        .unwrap();
    fs::remove_file(&binary).unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn protect(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_protected_file_or_folder_can_be_read_but_not_tagged() {
    let store = Database::new();
    let id = &store.ids()[0];
    protect(store.dir.path(), 0o755);
    protect(&store.path(), 0o444);
    let (code, said) = as_somebody_else(&store, "search --count");
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let (code, said) = as_somebody_else(&store, &format!("tag {id} a=b"));
    assert_eq!(code, Some(6), "{said}");
    assert!(
        said.contains("read-only") || said.contains("written"),
        "{said}"
    );
    // The file may be written, but SQLite needs a journal beside it.
    protect(&store.path(), 0o666);
    protect(store.dir.path(), 0o555);
    let (code, said) = as_somebody_else(&store, "search --count");
    assert_eq!((code, said.as_str()), (Some(0), ""));
    if Command::new("id").arg("-u").output().unwrap().stdout == b"0\n" {
        let (code, said) = as_somebody_else(&store, &format!("tag {id} a=b"));
        assert_eq!(code, Some(6), "{said}");
        assert_eq!(said.matches("error: ").count(), 1, "{said}");
    }
    protect(store.dir.path(), 0o755);
    protect(&store.path(), 0o000);
    let (code, said) = as_somebody_else(&store, "search --count");
    assert_eq!(code, Some(6), "{said}");
    assert!(said.contains("permission denied"), "{said}");
    protect(&store.path(), 0o644);
    assert_eq!(
        store.number("SELECT count(*) FROM trace_tags WHERE key = 'a'"),
        0
    );
}

#[test]
fn mlflow_reads_the_tags_that_were_written() {
    let store = Database::new();
    let id = &store.ids()[0];
    let value = "Ünï 'q' \"Q\" \u{1f6d2}\nline";
    store
        .mlt()
        .args([
            "tag",
            id,
            &format!("a b/c={value}"),
            "empty=",
            "--delete",
            "team",
        ])
        .run("")
        .ok();
    let told = store
        .python(&format!(
            "import json\n\
             from mlflow.tracking._tracking_service.utils import _get_store\n\
             found = _get_store().search_traces(['4'], filter_string=\"tag.empty = ''\")[0]\n\
             print(json.dumps([trace.trace_id for trace in found]))\n\
             print(json.dumps(_get_store().get_trace_info('{id}').tags))"
        ))
        .end();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], format!("[\"{id}\"]"));
    let tags: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(tags["a b/c"], value);
    assert_eq!(tags["empty"], "");
    assert_eq!(tags.get("team"), None);
    assert!(tags.get("env").is_some(), "{tags}");
}

#[test]
fn a_killed_command_leaves_whole_batches_and_its_repetition_finishes_them() {
    let store = Database::new();
    let binary = assert_cmd::cargo::cargo_bin("mlt");
    let start = |tag: &str| {
        Command::new(&binary)
            .args([
                "tag",
                "-x",
                "many",
                "-f",
                "tags.number IS NOT NULL",
                "-y",
                tag,
            ])
            .env_clear()
            .env("MLFLOW_TRACKING_URI", store.uri())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let complete = |tag: &str| {
        let timer = Instant::now();
        assert!(start(tag).wait().unwrap().success());
        timer.elapsed()
    };
    let mut whole = complete("round=whole");
    let mut killed = 0;
    for round in 1..=16 {
        let tag = format!("round{round}=x");
        let count = format!("SELECT count(*) FROM trace_tags WHERE key = 'round{round}'");
        let mut child = start(&tag);
        std::thread::sleep(whole * round / 17);
        let _ = child.kill();
        killed += usize::from(!child.wait().unwrap().success());
        let tagged = store.number(&count);
        assert!([0, 500, 1000, 1200].contains(&tagged), "{tagged}");
        let sound: String = store
            .sql()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(sound, "ok");
        whole = whole.min(complete(&tag));
        assert_eq!(store.number(&count), 1200);
    }
    assert!(killed > 4, "{killed} of 16 were killed");
}

#[test]
fn a_span_that_is_missing_is_told_of_one_trace_and_of_many() {
    let store = Database::new();
    let several = "SELECT trace_id FROM spans JOIN trace_request_metadata ON request_id = trace_id \
                   WHERE key = 'mlflow.trace.sizeStats' GROUP BY trace_id, value \
                   HAVING count(*) > 2 AND count(*) = value ->> 'num_spans' LIMIT 1";
    let id: String = store
        .sql()
        .query_row(several, [], |row| row.get(0))
        .unwrap();
    let store = store.change(&format!(
        "DELETE FROM spans WHERE trace_id = '{id}' AND parent_span_id IS NOT NULL AND span_id = \
         (SELECT max(span_id) FROM spans WHERE trace_id = '{id}' AND parent_span_id IS NOT NULL)"
    ));
    for words in [
        format!("latency {id}"),
        format!("latency --all -f trace_id='{id}'"),
        format!("latency --all --by trace -f trace_id='{id}'"),
    ] {
        let told = store.mlt().run(&words);
        assert!(
            told.stderr.contains("the trace's metadata speaks of"),
            "{words}: {told}"
        );
    }
}

#[test]
fn what_a_newer_mlflow_adds_is_no_obstacle() {
    let store = Database::new();
    let before = store
        .mlt()
        .run("search --all --include-spans -o jsonl -x edges");
    let store = store.change(
        "ALTER TABLE trace_info ADD COLUMN mood TEXT DEFAULT 'fine';\
         ALTER TABLE spans ADD COLUMN colour TEXT;\
         ALTER TABLE assessments ADD COLUMN weight REAL;\
         CREATE TABLE trace_moods (request_id TEXT, mood TEXT);\
         UPDATE alembic_version SET version_num = 'ffffffffffff'",
    );
    let after = store
        .mlt()
        .run("search --all --include-spans -o jsonl -x edges");
    assert!(before.ok() == after.ok());
    store.mlt().run("tag latest a=b").ok();
}

#[test]
fn a_column_that_is_needed_and_missing_is_named() {
    for (change, name) in [
        (
            "ALTER TABLE trace_info RENAME COLUMN timestamp_ms TO began",
            "timestamp_ms",
        ),
        (
            "ALTER TABLE trace_tags RENAME COLUMN value TO content",
            "value",
        ),
        (
            "ALTER TABLE experiments RENAME COLUMN lifecycle_stage TO stage",
            "lifecycle_stage",
        ),
        ("ALTER TABLE trace_info RENAME TO traces", "trace_info"),
    ] {
        let store = Database::new()
            .change("PRAGMA legacy_alter_table = ON")
            .change(change);
        for words in ["search", "search --count", "get latest", "tag latest a=b"] {
            let refused = store.mlt().run(words);
            let said = refused.fails(6);
            assert!(said.contains(name), "{words}: {refused}");
            assert_eq!(said.matches("error: ").count(), 1, "{refused}");
        }
    }
}

#[test]
fn spans_in_a_remote_artifact_store_are_reported_with_their_place() {
    let store = Database::new();
    let id = store
        .mlt()
        .run("search -x edges -f tags.`case`='deep' -o ids")
        .ok()
        .trim()
        .to_owned();
    for place in [
        "s3://bucket/traces/artifacts",
        "dbfs:/traces/x",
        "https://example.com/artifacts",
        "gs://b/x",
    ] {
        let store = Database::new().change(&format!(
            "DELETE FROM spans WHERE trace_id = '{id}';\
             DELETE FROM trace_tags WHERE request_id = '{id}' AND key = 'mlflow.trace.spansLocation';\
             UPDATE trace_tags SET value = '{place}' WHERE request_id = '{id}' AND key = 'mlflow.artifactLocation'"
        ));
        let shown = store.mlt().run(&format!("get {id}"));
        assert_eq!(shown.code, Some(7), "{shown}");
        assert!(shown.stdout.contains(&id), "{shown}");
        assert!(shown.stderr.contains(place), "{shown}");
        assert_eq!(shown.stderr.matches("warning: ").count(), 1, "{shown}");
        let refused = store.mlt().run(&format!("get {id} -o json"));
        assert_eq!(refused.code, Some(6), "{refused}");
        assert!(refused.stderr.contains(place), "{refused}");
        assert_eq!(refused.stderr.matches("error: ").count(), 1, "{refused}");
        let listed = store
            .mlt()
            .run(&format!("search -x edges --all -o ids -f trace_id='{id}'"));
        assert_eq!(listed.ok().trim(), id, "the trace itself is found");
    }
}
