//! `mlt latency` on a real MLflow server: the contract of its JSON, and that the
//! numbers add up on real traces.

use serde_json::Value;

use crate::support::mlflow::{current, on_server};

fn case(name: &str) -> &'static str {
    current().case(name)
}

fn rows(document: &Value) -> &Vec<Value> {
    document["rows"].as_array().unwrap()
}

fn sum(document: &Value, key: &str) -> i64 {
    rows(document)
        .iter()
        .map(|row| row[key].as_i64().unwrap())
        .sum()
}

#[test]
fn the_json_has_the_keys_that_scripts_rely_on() {
    let document = on_server()
        .run(&format!(
            "latency {} -o json --critical-path",
            case("detached")
        ))
        .json();
    for key in [
        "trace_id",
        "total_ns",
        "total_basis",
        "concurrency",
        "unaccounted_ns",
        "warnings",
        "rows",
        "critical_path",
    ] {
        assert!(document.get(key).is_some(), "{key}");
    }
    let keys: Vec<&str> = rows(&document)[0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    for key in [
        "name",
        "type",
        "count",
        "errors",
        "total_ns",
        "total_ratio",
        "self_ns",
        "self_ratio",
        "critical_ns",
        "critical_ratio",
    ] {
        assert!(keys.contains(&key), "{key} in {keys:?}");
    }
    let section = &document["critical_path"][0];
    for key in ["span_id", "name", "start_offset_ns", "duration_ns"] {
        assert!(section.get(key).is_some(), "{key}");
    }
    assert_eq!(document["trace_id"], case("detached"));
    assert_eq!(document["total_basis"], "root");
}

#[test]
fn critical_time_adds_up_to_the_total_however_it_is_grouped() {
    let list = on_server()
        .run("search -x shop-assistant -x nightly-evals -x edges --all -o ids")
        .stdout;
    let mut looked_at = 0;
    for id in list.lines().filter(|id| *id != case("no-spans")) {
        let mut self_sums = Vec::new();
        for by in ["name", "type", "status", "span", "path"] {
            let document = on_server()
                .run(&format!("latency {id} -o json --by {by} --critical-path"))
                .stdout;
            let document: Value =
                serde_json::from_str(&document).unwrap_or_else(|e| panic!("{id}: {e}"));
            let total = document["total_ns"].as_i64().unwrap();
            assert_eq!(sum(&document, "critical_ns"), total, "{id} by {by}");
            self_sums.push(sum(&document, "self_ns"));
            let sections = document["critical_path"].as_array().unwrap();
            let mut at = 0;
            for section in sections {
                assert_eq!(section["start_offset_ns"].as_i64().unwrap(), at, "{id}");
                at += section["duration_ns"].as_i64().unwrap();
            }
            assert_eq!(at, total, "{id}");
        }
        assert!(
            self_sums.windows(2).all(|pair| pair[0] == pair[1]),
            "{id}: {self_sums:?}"
        );
        looked_at += 1;
    }
    assert!(looked_at > 60, "{looked_at}");
}

#[test]
fn rows_that_are_spans_can_be_told_apart_in_every_format() {
    let id = case("recursion");
    let whole = on_server().run(&format!("get {id} -o json")).json();
    let mut spans: Vec<&str> = whole["data"]["spans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|span| span["span_id"].as_str().unwrap())
        .collect();
    spans.sort_unstable();
    assert!(spans.len() > 2);

    let document = on_server()
        .run(&format!("latency {id} --by span -o json"))
        .json();
    let mut found: Vec<&str> = rows(&document)
        .iter()
        .map(|row| row["span_id"].as_str().unwrap())
        .collect();
    found.sort_unstable();
    assert_eq!(found, spans);

    let csv = on_server().run(&format!("latency {id} --by span -o csv"));
    let tsv = on_server().run(&format!("latency {id} --by span -o tsv"));
    for (text, separator) in [(csv.ok(), ','), (tsv.ok(), '\t')] {
        let mut ids: Vec<&str> = text
            .lines()
            .map(|line| line.split(separator).next().unwrap())
            .collect();
        assert_eq!(ids.remove(0), "span_id");
        ids.sort_unstable();
        assert_eq!(ids, spans);
    }
    let table = on_server().run(&format!("latency {id} --by span")).stdout;
    assert!(spans.iter().all(|id| table.contains(id)), "{table}");

    for words in ["", "--by path", "-o csv", "-o json", "-o json --by path"] {
        let other = on_server().run(&format!("latency {id} {words}")).stdout;
        assert!(
            !other.to_lowercase().replace('_', " ").contains("span id"),
            "{other}"
        );
    }
}

#[test]
fn rows_are_sorted_and_the_rest_is_said() {
    let id = on_server()
        .run("search -x shop-assistant --name support-agent -n 1 -o ids")
        .stdout;
    let id = id.trim();
    for (sort, key) in [
        ("self", "self_ns"),
        ("total", "total_ns"),
        ("critical", "critical_ns"),
        ("count", "count"),
    ] {
        let document = on_server()
            .run(&format!("latency {id} -o json --sort {sort}"))
            .json();
        let values: Vec<i64> = rows(&document)
            .iter()
            .map(|r| r[key].as_i64().unwrap())
            .collect();
        assert!(values.is_sorted_by(|a, b| a >= b), "{sort}: {values:?}");
    }
    let names = on_server()
        .run(&format!("latency {id} -o json --sort name"))
        .json();
    assert!(rows(&names).is_sorted_by_key(|row| row["name"].as_str().unwrap().to_owned()));
    let all = rows(&names).len();
    let top = on_server().run(&format!("latency {id} --top 2"));
    assert_eq!(top.stderr, format!("note: showing 2 of {all} rows\n"));
    let json = on_server().run(&format!("latency {id} --top 2 -o json"));
    let document: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(
        (rows(&document).len(), &document["truncated"]),
        (2, &Value::Bool(true))
    );
}

#[test]
fn every_view_and_format_is_printed() {
    let id = on_server()
        .run("search -x shop-assistant --name rag-answer -n 1 -o ids")
        .stdout;
    let id = id.trim();
    for words in [
        "",
        "--by type",
        "--by path",
        "--critical-path --gaps",
        "-o csv",
        "-o tsv --gaps",
        "-o csv --critical-path",
        "-o jsonl",
    ] {
        let outcome = on_server().run(&format!("latency {id} {words}"));
        assert!(outcome.ok().lines().count() >= 1, "{words}");
    }
    let table = on_server().run(&format!("latency {id}")).stdout;
    for title in ["TOTAL %", "SELF %", "CRIT %"] {
        assert!(table.contains(title), "{table}");
    }
    let both = on_server().run(&format!("latency {id} -o csv --critical-path --gaps"));
    assert!(both.fails(2).contains("hold one table"), "{both}");
    let ids = on_server().run(&format!("latency {id} -o ids"));
    assert!(ids.fails(2).contains("has no `-o ids`"), "{ids}");
}

#[test]
fn parallel_work_shows_as_concurrency() {
    let list = on_server()
        .run("search -x shop-assistant --name checkout --all -o ids")
        .stdout;
    let busiest = list
        .lines()
        .map(|id| {
            on_server().run(&format!("latency {id} -o json")).json()["concurrency"]
                .as_f64()
                .unwrap()
        })
        .fold(0.0, f64::max);
    assert!(busiest > 1.2, "{busiest}");
}

#[test]
fn oddities_are_said_on_standard_error_and_in_json() {
    for (name, word) in [
        ("orphans", "parent"),
        ("cycle", "cycle"),
        ("skewed-clock", "parent"),
    ] {
        let outcome = on_server().run(&format!("latency {}", case(name)));
        assert_eq!(outcome.code, Some(0), "{outcome}");
        assert!(
            outcome.stderr.starts_with("warning: ") && outcome.stderr.contains(word),
            "{name}: {outcome}"
        );
        let json: Value = serde_json::from_str(
            &on_server()
                .run(&format!("latency {} -o json", case(name)))
                .stdout,
        )
        .unwrap();
        assert!(!json["warnings"].as_array().unwrap().is_empty());
    }
}
