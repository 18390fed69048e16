//! Traces assessed, closed and deleted in PostgreSQL: the rows are those that MLflow leaves,
//! whoever else changes them, and whenever it is broken off.

use std::process::{Command, Output, Stdio};
use std::time::Instant;

use serde_json::Value;

use super::role;
use crate::mlflow::said;
use crate::support::mlt;
use crate::support::postgres::postgres;

/// Tables with rows of traces, and the column of the trace.
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

/// Every row of these tables.
fn rows(database: &str) -> Vec<String> {
    let all = |(table, _): &(&str, &str)| {
        let sql = format!("SELECT t::text FROM {table} t ORDER BY 1");
        format!("{table}\n{}", postgres().sql(database, &sql))
    };
    TABLES.iter().map(all).collect()
}

fn ids(uri: &str, words: &str) -> Vec<String> {
    let found = mlt().on(uri).run(&format!("search --all -o ids {words}"));
    found.ok().lines().map(str::to_owned).collect()
}

/// A database with many traces of the experiment `rich` besides, all of them with a tag, a span
/// and an assessment.
fn many(name: &str, count: u32) -> String {
    let uri = postgres().copy(name);
    postgres().sql(
        name,
        &format!(
            "INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, execution_time_ms, status) \
             SELECT 'tr-e' || lpad(to_hex(n), 31, '0'), 6, 1700000000000 + n, 5, 'OK' \
             FROM generate_series(1, {count}) n; \
             INSERT INTO trace_tags SELECT 'many', 'x', request_id FROM trace_info \
             WHERE timestamp_ms BETWEEN 1700000000001 AND 1700000000000 + {count}; \
             INSERT INTO spans (trace_id, experiment_id, span_id, name, type, status, start_time_unix_nano, end_time_unix_nano, content) \
             SELECT request_id, 6, '0000000000000001', 'n', 'LLM', 'OK', 1, 2, '{{}}' FROM trace_tags WHERE key = 'many'; \
             INSERT INTO assessments (assessment_id, trace_id, name, assessment_type, value, created_timestamp, \
             last_updated_timestamp, source_type, valid, is_numeric_value) \
             SELECT 'a-' || request_id, request_id, 'x', 'feedback', '1', 1, 1, 'CODE', true, true FROM trace_tags WHERE key = 'many'"
        ),
    );
    uri
}

/// One of these, by its number.
fn id(n: u32) -> String {
    format!("tr-e{n:031x}")
}

fn count(database: &str, sql: &str) -> u64 {
    let found = postgres().sql(database, &format!("SELECT count(*) FROM {sql}"));
    found.trim().parse().unwrap()
}

fn start(uri: &str, words: &[&str]) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_mlt"))
        .args(words)
        .args(["-o", "json"])
        .env_clear()
        .env("MLFLOW_TRACKING_URI", uri)
        .env("USER", "ann")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn assessments_are_the_rows_that_mlflow_writes() {
    let server = postgres();
    let ours = server.copy("said_ours");
    server.copy("said_theirs");
    let first = server.sql("said_ours", said::FIRST);
    let (id, span) = first.trim().split_once('|').unwrap();
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
    let told = server.python("said_ours", &said::program_that_tells(id));
    assert_eq!(told.lines().next_back(), Some("0.9 True False"), "{told}");
    said::assess(&|| mlt().on(&ours), id, &["--delete", "helpful"]);
    let told = server.python("said_ours", &said::program_that_tells(id));
    assert_eq!(told.trim(), "0.7 True True");
}

#[test]
fn of_those_that_replace_an_assessment_at_once_none_is_lost() {
    let uri = postgres().copy("replacing");
    let id = ids(&uri, "").remove(0);
    let values: Vec<String> = (1..=8).map(|n| format!("score={n}")).collect();
    let all = values
        .iter()
        .map(|value| start(&uri, &["assess", &id, value, "--replace"]));
    let all: Vec<_> = all.collect();
    for child in all {
        assert_eq!(json(&child.wait_with_output().unwrap())["changed"], 1);
    }
    let of = format!("assessments WHERE trace_id = '{id}' AND name = 'score'");
    assert_eq!(count("replacing", &of), 8);
    assert_eq!(count("replacing", &format!("{of} AND valid")), 1);
    // Each but the first took the place of another one.
    let replaced = format!("(SELECT DISTINCT overrides FROM {of} AND overrides IS NOT NULL) x");
    assert_eq!(count("replacing", &replaced), 7);
}

#[test]
fn deleted_rows_are_those_that_mlflow_deletes() {
    let server = postgres();
    let ours = many("gone_ours", 700);
    many("gone_theirs", 700);
    let assessed = server.sql(
        "gone_ours",
        "SELECT a.trace_id FROM assessments a JOIN trace_info t ON t.request_id = a.trace_id \
         WHERE t.experiment_id = 6 AND a.trace_id IN (SELECT trace_id FROM spans) AND t.timestamp_ms > 1710000000000 LIMIT 1",
    );
    let one = assessed.trim();
    for database in ["gone_ours", "gone_theirs"] {
        server.sql(
            database,
            &format!(
                "INSERT INTO trace_metrics (request_id, key, value) VALUES ('{one}', 'n', 1); \
                 INSERT INTO span_metrics (trace_id, span_id, key, value) \
                 SELECT trace_id, span_id, 'n', 1 FROM spans; \
                 SET session_replication_role = replica; \
                 INSERT INTO review_queue_items (queue_id, item_type, item_id, status, creation_time_ms, last_update_time_ms) \
                 VALUES ('q', 'trace', '{one}', 'PENDING', 1, 1), ('other', 'session', '{one}', 'PENDING', 1, 1), \
                 ('q', 'trace', 'tr-other', 'PENDING', 1, 1)"
            ),
        );
    }
    let mut chosen = ids(&ours, "-x rich -f tags.many='x'");
    assert_eq!(chosen.len(), 700);
    chosen.truncate(650);
    chosen.push(one.to_owned());
    let before = rows("gone_ours");
    let done = mlt()
        .on(&ours)
        .stdin(chosen.join("\n"))
        .run("delete - --yes -q -o json");
    assert_eq!(done.json()["deleted"], chosen.len(), "{done}");
    server.python(
        "gone_theirs",
        &format!(
            "import mlflow\nn = mlflow.MlflowClient().delete_traces('6', trace_ids={chosen:?})\n\
             assert n == {}, n",
            chosen.len()
        ),
    );
    let after = rows("gone_ours");
    assert_eq!(after, rows("gone_theirs"));
    for (before, after) in before.iter().zip(&after) {
        assert!(
            before.len() > after.len(),
            "nothing was deleted of {after:.40}"
        );
    }
    let again = mlt().on(&ours).run(&format!("delete {one} --yes"));
    assert!(again.fails(3).contains("no trace"), "{again}");
}

#[test]
fn a_trace_whose_spans_are_archived_stays_with_them() {
    let uri = many("archived", 2);
    let [kept, gone] = [2, 1].map(id);
    postgres().sql(
        "archived",
        &format!(
            "INSERT INTO trace_tags (request_id, key, value) VALUES \
             ('{kept}', 'mlflow.trace.spansLocation', 'ARCHIVE_REPO'), \
             ('{kept}', 'mlflow.trace.archiveLocation', 's3://u:s3cret@bucket/x?sig=s3cret')"
        ),
    );
    let outcome = mlt()
        .on(&uri)
        .run(&format!("delete {kept} {gone} --yes -o jsonl"));
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(
        outcome
            .stdout
            .contains("archived at s3://bucket/x, and mlt deletes no files"),
        "{outcome}"
    );
    assert!(!outcome.to_string().contains("s3cret"), "{outcome}");
    assert_eq!(ids(&uri, "-f tags.many='x'"), [kept]);
}

#[test]
fn a_killed_deletion_leaves_whole_batches_and_two_at_once_count_each_trace_once() {
    let delete = ["delete", "-x", "rich", "-f", "tags.many = 'x'", "-y"];
    let orphans = "(SELECT trace_id FROM spans UNION ALL SELECT request_id FROM trace_tags \
                   UNION ALL SELECT trace_id FROM assessments) x \
                   WHERE trace_id NOT IN (SELECT request_id FROM trace_info)";
    let left = "trace_tags WHERE key = 'many'";
    let uri = many("killed", 2000);
    let timer = Instant::now();
    let done = start(&uri, &delete).wait_with_output().unwrap();
    assert_eq!(json(&done)["deleted"], 2000);
    let whole = timer.elapsed();
    for round in 1..=4 {
        let name = format!("killed_{round}");
        let uri = many(&name, 2000);
        let mut child = start(&uri, &delete);
        std::thread::sleep(whole * round / 5);
        let _ = child.kill();
        let _ = child.wait();
        // What the server was doing then ends one way or the other.
        let others =
            "pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        while count(&name, others) > 0 {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert_eq!(count(&name, left) % 500, 0);
        assert_eq!(count(&name, orphans), 0);
        let rest = start(&uri, &delete).wait_with_output().unwrap();
        assert!(rest.status.success(), "{rest:?}");
        assert_eq!((count(&name, left), count(&name, orphans)), (0, 0));
    }
    let uri = many("two", 2000);
    let both = [start(&uri, &delete), start(&uri, &delete)];
    let mut deleted = 0;
    for child in both {
        let output = child.wait_with_output().unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        deleted += told["deleted"].as_u64().unwrap();
    }
    assert_eq!((deleted, count("two", left)), (2000, 0));
}

#[test]
fn closed_traces_are_as_mlflow_closes_them() {
    let server = postgres();
    let ours = many("closed_ours", 3);
    many("closed_theirs", 3);
    for database in ["closed_ours", "closed_theirs"] {
        server.sql(
            database,
            "UPDATE trace_info SET status = 'IN_PROGRESS', execution_time_ms = NULL \
             WHERE request_id IN (SELECT request_id FROM trace_tags WHERE key = 'many'); \
             UPDATE spans SET start_time_unix_nano = 1700000000001000000, \
             end_time_unix_nano = 1700000001234999999 \
             WHERE trace_id IN (SELECT request_id FROM trace_tags WHERE key = 'many')",
        );
    }
    let done = mlt()
        .on(&ours)
        .run("close -f tags.many='x' --older-than 1ms -o json -q")
        .json();
    assert_eq!(done["closed"], 3, "{done}");
    server.python(
        "closed_theirs",
        "from mlflow.entities.trace_status import TraceStatus\n\
         from mlflow.tracking._tracking_service.utils import _get_store\n\
         for n in range(1, 4):\n\
         \x20   _get_store().deprecated_end_trace_v2(f'tr-e{n:031x}', 1700000001234, TraceStatus.ERROR, {}, {})",
    );
    assert_eq!(rows("closed_ours"), rows("closed_theirs"));
    let again = mlt().on(&ours).run(&format!("close {}", id(1)));
    assert!(again.ok().contains("it is ERROR already"), "{again}");
}

#[test]
fn sums_by_the_day_are_out_of_date_where_mlflow_says_so() {
    let server = postgres();
    let ours = many("sums_ours", 3);
    many("sums_theirs", 3);
    let [deleted, assessed] = [1, 2].map(id);
    let queue = |database: &str| {
        let queue = "SELECT * FROM sql_trace_rollup_rebuild_queue ORDER BY 1, 2, 3";
        server.sql(database, queue)
    };
    let sums = |table: &str| {
        format!(
            "INSERT INTO sql_{table}_daily_rollups (experiment_id, rollup_day, metric_name, grouping_set, sample_count) \
             SELECT e, d::date, 'm', 'g', 1 FROM generate_series(5, 6) e, \
             unnest(ARRAY['1970-01-01', '2023-11-14', '2023-11-15']) d; "
        )
    };
    let sums = ["trace_metric", "span_cost", "assessment"]
        .map(sums)
        .concat();
    for database in ["sums_ours", "sums_theirs"] {
        let dated = "UPDATE assessments a SET experiment_id = 6, trace_timestamp_ms = timestamp_ms \
                     FROM trace_info t WHERE t.request_id = a.trace_id AND a.name = 'x'";
        server.sql(database, &format!("{sums}{dated}"));
    }
    let by_mlflow = |program: &str| {
        let enabled =
            "import os\nos.environ['MLFLOW_SQL_TRACE_ROLLUPS_ENABLED'] = 'true'\nimport mlflow\n";
        server.python("sums_theirs", &format!("{enabled}{program}"));
    };
    mlt().on(&ours).run(&format!("assess {assessed} y=1")).ok();
    by_mlflow(&format!(
        "mlflow.log_feedback(trace_id='{assessed}', name='y', value=1)"
    ));
    assert_eq!(queue("sums_ours"), "6|2023-11-14|assessment\n");
    assert_eq!(queue("sums_ours"), queue("sums_theirs"));
    let done = mlt().on(&ours).run(&format!("delete {deleted} --yes -q"));
    assert_eq!(done.code, Some(0), "{done}");
    by_mlflow(&format!(
        "mlflow.MlflowClient().delete_traces('6', trace_ids=['{deleted}'])"
    ));
    assert_eq!(queue("sums_ours"), queue("sums_theirs"));
    assert_eq!(queue("sums_ours").lines().count(), 3);
}

#[test]
fn who_may_not_change_is_refused_in_a_sentence_before_anything_is() {
    let uri = many("rights", 2);
    role("may_tag", "");
    postgres().sql(
        "rights",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO may_tag; \
         GRANT INSERT, UPDATE, DELETE ON trace_tags, assessments TO may_tag",
    );
    let by = uri.replace("mlflow@", "may_tag@");
    let before = rows("rights");
    let id = id(1);
    for words in [
        "assess ID a=1",
        "delete ID --yes",
        "close ID",
        "prune --older-than 1d --keep errors --yes",
    ] {
        let refused = mlt().on(&by).run(&words.replace("ID", &id));
        assert!(
            refused.fails(5).contains("this user may only read"),
            "{words}: {refused}"
        );
    }
    assert_eq!(rows("rights"), before);
    mlt().on(&by).run(&format!("tag {id} a=x --yes")).ok();
    postgres().sql("rights", "GRANT UPDATE ON trace_info TO may_tag");
    mlt().on(&by).run(&format!("assess {id} a=1")).ok();
    let line =
        format!("{{\"trace_id\":\"{id}\",\"name\":\"n\",\"value\":1,\"rationale\":\"a\\u0000b\"}}");
    let nul = mlt().on(&uri).stdin(line).run("assess --from -");
    assert!(nul.stderr.contains("hold no character U+0000"), "{nul}");
    let import = mlt().on(&uri).stdin("").run("import -");
    assert!(
        import.stderr.contains("has no way to take in traces"),
        "{import}"
    );
}
