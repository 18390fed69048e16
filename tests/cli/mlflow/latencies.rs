//! `mlt latency` over many traces: that rows add up whatever they stand for,
//! that every store and numpy give the same numbers, and what is drawn.

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::mlflow::{on_database, on_server};
use crate::support::{Mlt, mlt, venv};

const EXPERIMENT: &str = "-x shop-assistant";

fn demo() -> Mlt {
    mlt().on("demo:")
}

fn rows(document: &Value) -> &Vec<Value> {
    document["rows"].as_array().unwrap()
}

#[test]
fn the_server_its_database_and_numpy_give_the_same_numbers() {
    let question = format!("latency {EXPERIMENT} --all --by name -o json");
    let [from_server, from_database] =
        [on_server(), on_database()].map(|m| m.run(&question).json());
    assert_eq!(from_server, from_database);

    let whole = on_server().run(&format!(
        "search {EXPERIMENT} --all --include-spans -o jsonl"
    ));
    let numpy = venv::percentiles(whole.ok());

    assert_eq!(rows(&from_server).len(), numpy.as_object().unwrap().len());
    assert!(rows(&from_server).len() > 10);
    for row in rows(&from_server) {
        let (ours, theirs) = (&row["durations"], &numpy[row["name"].as_str().unwrap()]);
        assert_eq!(ours["n"], theirs["n"], "{row}");
        for figure in ["avg_ns", "p50_ns", "p95_ns", "p99_ns"] {
            // numpy interpolates in floating point.
            let (a, b) = (ours[figure].as_f64(), theirs[figure].as_f64());
            assert!(
                (a.unwrap() - b.unwrap()).abs() <= 1.0,
                "{figure}: {row} {theirs}"
            );
        }
    }
}

#[test]
fn critical_shares_add_up_whatever_rows_stand_for() {
    let total: i64 = demo()
        .run("search --all -o ids")
        .lines()
        .iter()
        .map(|id| demo().run(&format!("latency {id} -o json")).json()["total_ns"].as_i64())
        .map(Option::unwrap)
        .sum();
    for by in [
        "name",
        "type",
        "status",
        "model",
        "path",
        "trace",
        "session",
        "user",
        "tags.env",
        "metadata.mlflow.source.name",
        "name,tags.env",
        "type,model",
        "user,session",
    ] {
        for per in ["call", "trace"] {
            let report = demo()
                .run(&format!("latency --all --by {by} --per {per} -o json"))
                .json();
            assert_eq!(report["total_ns"], total);
            let critical: i64 = rows(&report)
                .iter()
                .map(|r| r["critical_ns"].as_i64().unwrap())
                .sum();
            assert_eq!(critical, total, "{by}");
            let spans: i64 = rows(&report)
                .iter()
                .map(|r| r["count"].as_i64().unwrap())
                .sum();
            assert_eq!(report["spans"], spans, "{by}");
            let by: Vec<&str> = by.split(',').collect();
            assert_eq!(report["by"], serde_json::json!(by));
        }
    }
}

#[test]
fn traces_are_named_read_from_standard_input_or_found() {
    let ids = demo().run("search --name rag-answer --all -o ids").stdout;
    let words = ids.split_whitespace().collect::<Vec<_>>().join(" ");
    let found = demo().run("latency --name rag-answer -o json").json();
    assert_eq!(
        demo().run(&format!("latency {words} -o json")).json(),
        found
    );
    assert_eq!(demo().stdin(ids).run("latency - -o json").json(), found);

    let some = demo().run("latency --name rag-answer -n 2 -o json");
    assert_eq!(some.stderr, "", "who says how many needs no note");
    assert_eq!(some.json()["truncated"], true);
    assert_eq!(some.json()["traces"], 2);

    let nothing = demo().run("latency --name nobody");
    assert_eq!(
        (nothing.code, nothing.stderr.contains("no traces match")),
        (Some(0), true)
    );
    let missing = demo().run(&format!("latency tr-{:032x} {words} -o json", 1));
    assert_eq!(missing.code, Some(3), "{missing}");
    let report: Value = serde_json::from_str(&missing.stdout).unwrap();
    assert_eq!(report["rows"], found["rows"]);
    assert_eq!(report["truncated"], true);
}

#[test]
fn slow_traces_are_ready_to_be_looked_into() {
    let ids = demo().run("latency --all --slowest 3 -o ids");
    let totals: Vec<i64> = demo()
        .stdin(ids.ok())
        .run("get - -o jsonl")
        .json_lines()
        .iter()
        .map(|trace| trace["data"]["spans"][0]["duration_ns"].as_i64().unwrap())
        .collect();
    assert_eq!(totals.len(), 3);
    assert!(totals.is_sorted_by(|a, b| a >= b));
    let report = demo().run("latency --all --slowest 3 -o json").json();
    assert_eq!(report["slowest"][0]["total_ns"], totals[0]);
    assert_eq!(report["durations"]["max_ns"], totals[0]);
}

#[test]
fn what_would_be_gained_is_bounded_by_the_critical_path() {
    let report = demo()
        .run("latency --all --what-if charge-card=0 -o json")
        .json();
    let row = rows(&report)
        .iter()
        .find(|r| r["name"] == "charge-card")
        .unwrap();
    assert_eq!(report["what_if"]["saved_at_most_ns"], row["critical_ns"]);
    assert_eq!(
        report["what_if"]["saved_at_most_ratio"],
        row["critical_ratio"]
    );
    let same = demo()
        .run("latency --all --what-if charge-card=100% -o json")
        .json();
    assert_eq!(same["what_if"]["saved_at_most_ns"], 0);
    assert_eq!(same["what_if"]["left_at_least"], same["durations"]);
    let nobody = demo().run("latency --all --what-if nobody=0");
    assert!(nobody.ok().contains("nothing would change"), "{nobody}");
}

#[test]
fn pictures_are_legible_at_eighty_columns_without_colour() {
    let drawn = demo()
        .terminal(80)
        .run("latency --name rag-answer --top 2 --plot --every 10s --slowest 2 --what-if vector-search=50% --color never");
    assert_snapshot!(drawn);
    for line in drawn.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let spans = demo().run("latency --all --plot=vector-search -o csv");
    assert!(spans.ok().starts_with("from_ns,to_ns,count\n"), "{spans}");
}

#[test]
fn what_is_for_one_trace_or_too_much_is_refused() {
    for (words, expected) in [
        ("latency", "expected trace ids or a filter, found neither"),
        ("latency latest --since 1h", "found both"),
        ("latency --all --gaps", "--gaps is for one trace"),
        ("latency --all --by span", "`--by span` is for one trace"),
        ("latency --all --by name,type,model", "one key or two"),
        ("latency --all --by tag:", "expected of spans name, type"),
        ("latency --all -o ids", "has no `-o ids`"),
        ("latency --all --every 1ms", "intervals, at most 1,000"),
        ("latency --all --plot --slowest 3 -o csv", "hold one table"),
        ("latency --all --what-if retrieve", "retrieve=50%"),
    ] {
        let outcome = demo().run(words);
        assert!(outcome.fails(2).contains(expected), "{words}: {outcome}");
    }
}
