//! Every field of traces sorts, groups and is a column, and tells the same on a
//! server, in its database, and in a file of the same traces.

use std::sync::OnceLock;

use serde_json::Value;

use crate::support::mlflow::{on_database, outside, rich};
use crate::support::mysql::mysql;
use crate::support::postgres::postgres;
use crate::support::{Mlt, mlt};

/// Experiments whose traces have their spans.
const EXPERIMENTS: &str = "-x rich -x shop-assistant -x nightly-evals";

/// The same traces behind a server, in its database, and in a file.
struct Everywhere {
    folder: tempfile::TempDir,
}

/// Written once for all tests.
fn everywhere() -> &'static Everywhere {
    static EVERYWHERE: OnceLock<Everywhere> = OnceLock::new();
    EVERYWHERE.get_or_init(Everywhere::new)
}

impl Everywhere {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("all.jsonl");
        let path = file.to_str().expect("the path is text");
        let exported = mlt()
            .on(rich().uri())
            .run(&format!("export --all {EXPERIMENTS} -o jsonl --to {path}"));
        assert_eq!(exported.code, Some(0), "{exported}");
        Self { folder }
    }

    fn file(&self) -> Mlt {
        let path = self.folder.path().join("all.jsonl");
        mlt().on(path.to_str().expect("the path is text"))
    }

    /// What a command prints, which has to be the same everywhere.
    #[track_caller]
    fn prints(&self, line: &str) -> String {
        let there = |mlt: Mlt| mlt.run(&format!("{line} {EXPERIMENTS}"));
        let server = there(mlt().on(rich().uri()));
        let database = there(mlt().on(&rich().database_uri()));
        let file = self.file().run(line);
        let on = |uri: String| {
            let artifacts = rich().dir.join("artifacts");
            let allowed = artifacts.to_str().expect("the path is text");
            there(mlt().on(&uri).env("MLT_ALLOW_ARTIFACTS", allowed))
        };
        for (name, outcome) in [
            ("database", database),
            ("file", file),
            ("PostgreSQL", on(postgres().uri())),
            ("MariaDB", on(mysql().uri())),
        ] {
            assert_eq!(outcome.code, Some(0), "{line} on the {name}: {outcome}");
            assert_eq!(server.stdout, outcome.stdout, "{line} on the {name}");
        }
        server.stdout
    }
}

#[test]
fn orders_that_no_store_has_are_the_same_everywhere() {
    let everywhere = everywhere();
    for order in [
        "tokens,-name",
        "-spans,trace_id",
        "-model,error",
        "failed,-end_time",
        "-feedback.quality,client_request_id",
    ] {
        let all = everywhere.prints(&format!("search --all -o ids --order-by={order}"));
        let first = everywhere
            .file()
            .run(&format!("search -n 7 -o ids --order-by={order}"));
        assert!(all.lines().count() > 20, "{all}");
        assert!(all.starts_with(&first.stdout), "{order}: {first}");
        assert_eq!(first.stdout.lines().count(), 7, "{first}");
    }
}

#[test]
fn values_go_down_and_missing_ones_come_last() {
    let everywhere = everywhere();
    let text = everywhere.prints("search --all --order-by -cost --columns cost,trace_id -o jsonl");
    let costs: Vec<Option<f64>> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"))
        .map(|row| row["cost_usd"].as_f64())
        .collect();
    let there: Vec<f64> = costs.iter().copied().flatten().collect();
    assert!(there.len() > 5 && there.len() < costs.len(), "{costs:?}");
    assert!(there.is_sorted_by(|a, b| a >= b), "{costs:?}");
    assert!(costs[there.len()..].iter().all(Option::is_none));
}

#[test]
fn columns_are_the_same_everywhere_and_in_every_format() {
    let everywhere = everywhere();
    let columns = "trace_id,cost,model,error,failed,spans,tags.env,request_time,latency";
    let ask = |form: &str| {
        everywhere.prints(&format!(
            "search --order-by -cost -n 5 --columns {columns} -o {form}"
        ))
    };
    let csv = ask("csv");
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let heads: Vec<String> = reader
        .headers()
        .expect("there is a head")
        .iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(
        heads.join(","),
        "trace_id,cost_usd,model,error,failed,spans,tags.env,request_time,duration_ns"
    );
    let json: Value = serde_json::from_str(&ask("json")).expect("it is JSON");
    assert_eq!(json["truncated"], true);
    let rows = json["traces"].as_array().expect("a list of traces");
    let records: Vec<csv::StringRecord> = reader.records().map(|r| r.expect("a row")).collect();
    assert_eq!((rows.len(), records.len()), (5, 5));
    for (row, record) in rows.iter().zip(&records) {
        let row = row.as_object().expect("an object a trace");
        assert_eq!(
            row.keys().collect::<Vec<_>>(),
            heads.iter().collect::<Vec<_>>()
        );
        for (value, cell) in row.values().zip(record) {
            match value {
                Value::Null => assert_eq!(cell, ""),
                Value::String(text) => assert_eq!(cell, text),
                Value::Number(number) => {
                    assert_eq!(cell.parse::<f64>().ok(), number.as_f64(), "{cell}");
                }
                other => panic!("{other}"),
            }
        }
    }
    let lines = ask("jsonl");
    assert_eq!(lines.lines().count(), 5);
}

#[test]
fn whatever_is_a_field_groups() {
    let everywhere = everywhere();
    for by in [
        "error", "tags.env", "models", "trace", "session", "user", "status",
    ] {
        let text = everywhere.prints(&format!("stats count() --by {by} -o csv"));
        assert!(text.lines().count() > 2, "{by}: {text}");
        everywhere.prints(&format!("latency --all --by {by} -o csv"));
        everywhere.prints(&format!("stats --by {by} --by assessment.value -o csv"));
    }
    let by = "span.error,span.attributes.mlflow.spanType";
    let text = everywhere.prints(&format!("stats count(span) --by {by} -o csv"));
    assert!(text.lines().count() > 2, "{text}");
    let by_tag = |by: &str| {
        everywhere
            .file()
            .run(&format!("stats count() --by {by} -o csv"))
    };
    assert_eq!(by_tag("tag:env").stdout, by_tag("tags.env").stdout);
}

#[test]
fn a_trace_whose_spans_are_not_to_be_had_stays_in_the_list_and_is_named() {
    // A copy leaves the artifacts behind.
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("mlflow.db");
    std::fs::copy(outside().database(), &copy).expect("the database can be copied");
    let uri = format!("sqlite:///{}", copy.display());
    for line in [
        "search --all --columns trace_id,model -o json",
        "search --all --columns trace_id,model --order-by -model -o json",
    ] {
        let outcome = mlt().on(&uri).run(line);
        assert_eq!(outcome.code, Some(7), "{line}: {outcome}");
        let document: Value = serde_json::from_str(&outcome.stdout).expect("it is JSON");
        let rows = document["traces"].as_array().unwrap();
        let unreadable = document["unreadable"].as_array().unwrap();
        let all = mlt()
            .on(&outside().database_uri())
            .run("search --count")
            .stdout;
        assert_eq!(rows.len().to_string(), all.trim(), "{line}: {outcome}");
        assert_eq!(unreadable.len(), 2, "{line}: {outcome}");
        for one in unreadable {
            let named = rows.iter().find(|row| row["trace_id"] == one["trace_id"]);
            assert_eq!(named.unwrap()["model"], Value::Null, "{outcome}");
        }
    }
}

#[test]
fn a_limit_of_traces_to_look_at_is_said_of_an_order_too() {
    let outcome = on_database().run("search --order-by -cost -n 2 --scan-limit 1 -o json");
    let document = outcome.json();
    assert_eq!(document["truncated"], true, "{outcome}");
    assert_eq!(document["traces"].as_array().unwrap().len(), 2);
    assert_eq!(
        outcome.stderr,
        "note: stopped after looking at 500 traces (--scan-limit); there may be more matches\n\
         note: sorted here by cost, after a look at 500 matching traces\n"
    );
}

#[test]
fn what_an_order_takes_is_said() {
    let outcome = mlt()
        .on(rich().uri())
        .run("search -x rich --order-by -cost --explain");
    assert!(
        outcome
            .ok()
            .contains("all that match are sorted here by cost, with the spans of those without"),
        "{outcome}"
    );
    let outcome = mlt()
        .on(rich().uri())
        .run("search -x rich --order-by -cost -n 1 -o ids");
    assert!(
        outcome.stderr.contains("sorted here by cost, after a look"),
        "{outcome}"
    );
}
