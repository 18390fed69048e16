//! Traces assessed, closed and deleted in MariaDB: the rows are those that MLflow leaves,
//! whoever else changes them.

use std::process::{Child, Command, Stdio};

use crate::mlflow::said;
use crate::support::mlt;
use crate::support::mysql::mysql;

/// Tables with rows of traces.
const TABLES: [&str; 8] = [
    "trace_info",
    "trace_tags",
    "trace_request_metadata",
    "trace_metrics",
    "spans",
    "span_metrics",
    "assessments",
    "review_queue_items",
];

/// Every row of these tables.
fn rows(database: &str) -> Vec<String> {
    let all = |table: &&str| {
        let rows = mysql().sql(database, &format!("SELECT * FROM {table} ORDER BY 1, 2, 3"));
        format!("{table}\n{rows}")
    };
    TABLES.iter().map(all).collect()
}

fn count(database: &str, of: &str) -> u64 {
    let found = mysql().sql(database, &format!("SELECT count(*) FROM {of}"));
    found.trim().parse().unwrap()
}

#[test]
fn assessments_are_the_rows_that_mlflow_writes() {
    let server = mysql();
    let ours = server.copy("said_ours");
    server.copy("said_theirs");
    let first = server.sql("said_ours", said::FIRST);
    let (id, span) = first.trim().split_once('\t').unwrap();
    said::by_mlt(&|| mlt().on(&ours), id, span);
    server.python("said_theirs", &said::by_mlflow(id, span));
    let [left, right] = ["said_ours", "said_theirs"].map(|database| {
        let sql = format!(
            "SELECT {} FROM assessments WHERE trace_id = '{id}' ORDER BY 1, 2, 3, 10",
            said::COLUMNS
        );
        server.sql(database, &sql)
    });
    assert_eq!(left, right);
    // One of the ten goes on in a second line.
    assert_eq!(left.lines().count(), 11, "{left}");
}

#[test]
fn of_those_that_replace_an_assessment_at_once_none_is_lost() {
    let uri = mysql().copy("replacing");
    let id = mlt().on(&uri).newest();
    let start = |n: u32| -> Child {
        Command::new(env!("CARGO_BIN_EXE_mlt"))
            .args(["assess", &id, &format!("score={n}"), "--replace"])
            .env_clear()
            .env("MLFLOW_TRACKING_URI", &uri)
            .env("USER", "ann")
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let all: Vec<Child> = (1..=8).map(start).collect();
    for mut child in all {
        assert!(child.wait().unwrap().success());
    }
    let of = format!("assessments WHERE trace_id = '{id}' AND name = 'score'");
    assert_eq!(count("replacing", &of), 8);
    assert_eq!(count("replacing", &format!("{of} AND valid")), 1);
    // Each but the first took the place of another one.
    let replaced = format!("(SELECT DISTINCT overrides FROM {of} AND overrides IS NOT NULL) x");
    assert_eq!(count("replacing", &replaced), 7);
}

#[test]
fn closed_and_deleted_traces_are_as_mlflow_leaves_them() {
    let server = mysql();
    let ours = server.copy("gone_ours");
    server.copy("gone_theirs");
    let assessed = server.sql(
        "gone_ours",
        "SELECT DISTINCT a.trace_id FROM assessments a JOIN spans s ON s.trace_id = a.trace_id \
         JOIN trace_info t ON t.request_id = a.trace_id WHERE t.experiment_id = 6 \
         ORDER BY 1 LIMIT 3",
    );
    let ids: Vec<&str> = assessed.lines().collect();
    let [open, gone, other] = ids.as_slice() else {
        panic!("{ids:?}");
    };
    for database in ["gone_ours", "gone_theirs"] {
        server.sql(
            database,
            &format!(
                "UPDATE trace_info SET status = 'IN_PROGRESS', execution_time_ms = NULL, \
                 timestamp_ms = 1700000000001 WHERE request_id = '{open}'; \
                 UPDATE spans SET start_time_unix_nano = 1700000000001000000, \
                 end_time_unix_nano = 1700000001234999999 WHERE trace_id = '{open}'; \
                 INSERT INTO trace_metrics (request_id, `key`, value) VALUES ('{gone}', 'n', 1); \
                 INSERT INTO span_metrics (trace_id, span_id, `key`, value) \
                 SELECT trace_id, span_id, 'n', 1 FROM spans"
            ),
        );
    }
    let upper = mlt()
        .on(&ours)
        .run(&format!("delete {} --yes", gone.to_uppercase()));
    upper.fails(3);
    let before = rows("gone_ours");
    let here = |words: &str| mlt().on(&ours).run(words);
    assert_eq!(
        here(&format!("close {open} -o json -q")).json()["closed"],
        1
    );
    let deleted = here(&format!("delete {gone} {other} --yes -q -o json"));
    assert_eq!(deleted.json()["deleted"], 2, "{deleted}");
    server.python(
        "gone_theirs",
        &format!(
            "import mlflow\n\
             from mlflow.entities.trace_status import TraceStatus\n\
             from mlflow.tracking._tracking_service.utils import _get_store\n\
             _get_store().deprecated_end_trace_v2('{open}', 1700000001234, TraceStatus.ERROR, {{}}, {{}})\n\
             n = mlflow.MlflowClient().delete_traces('6', trace_ids=['{gone}', '{other}'])\n\
             assert n == 2, n"
        ),
    );
    let after = rows("gone_ours");
    assert_eq!(after, rows("gone_theirs"));
    let changed = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before != after);
    assert!(changed.count() >= 6);
}

#[test]
fn who_may_not_change_is_refused_in_a_sentence_before_anything_is() {
    let server = mysql();
    let uri = server.copy("rights");
    server.sql(
        "",
        "CREATE USER may_tag; GRANT SELECT ON rights.* TO may_tag; \
         GRANT INSERT, UPDATE, DELETE ON rights.trace_tags TO may_tag; \
         GRANT INSERT, UPDATE, DELETE ON rights.assessments TO may_tag",
    );
    let by = uri.replace("mlflow@", "may_tag@");
    let id = mlt().on(&uri).newest();
    let before = rows("rights");
    for words in ["assess ID a=1", "delete ID --yes", "close ID"] {
        let refused = mlt().on(&by).run(&words.replace("ID", &id));
        assert!(
            refused.fails(5).contains("this user may only read"),
            "{words}: {refused}"
        );
    }
    assert_eq!(rows("rights"), before);
    mlt().on(&by).run(&format!("tag {id} a=x --yes")).ok();
    server.sql("", "GRANT UPDATE ON rights.trace_info TO may_tag");
    mlt().on(&by).run(&format!("assess {id} a=1")).ok();
}
