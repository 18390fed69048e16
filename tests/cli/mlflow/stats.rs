//! `mlt stats`: that the server and mlt give the same numbers, and numpy too,
//! what is asked of the server, and what is drawn.

use std::fmt::Write as _;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::fake::{Fake, Reply};
use crate::support::mlflow::{early_v3, old, on_database, on_server};
use crate::support::{Mlt, mlt, venv};

const METRICS: &str = "/api/3.0/mlflow/traces/metrics";

fn demo() -> Mlt {
    mlt().on("demo:")
}

/// Runs `mlt stats` with aggregates that may hold spaces.
fn stats(on: Mlt, aggregates: &str, flags: &str) -> Value {
    let document = on
        .args(["stats", aggregates])
        .run(&format!("{flags} -o json"));
    document.json()
}

fn rows(document: &Value) -> &Vec<Value> {
    document["rows"].as_array().unwrap()
}

/// All but who computed it.
fn numbers(mut document: Value) -> Value {
    document.as_object_mut().unwrap().remove("via");
    document
}

#[test]
fn the_server_and_mlt_give_the_very_same_numbers() {
    const DURATIONS: &str = "count(), error_rate(), avg(duration), sum(duration), min(duration), \
        max(duration), p0(duration), p50(duration), p95(duration), p99.9(duration), p33.33(duration)";
    const TOKENS: &str = "sum(tokens), avg(tokens), min(tokens), max(tokens), p50(tokens), \
        p99.99(tokens), sum(input_tokens), p95(input_tokens), avg(output_tokens)";
    let some_user = "-x many --user dora";
    for (aggregates, flags, least) in [
        (DURATIONS, "-x many", 1),
        (DURATIONS, "-x many --by trace", 5),
        (DURATIONS, "-x many --every 1d", 1),
        (DURATIONS, "-x many --by trace --every 2d", 5),
        (DURATIONS, "-x many --status ERROR --by trace", 2),
        (DURATIONS, "-x many --name rag-answer", 1),
        (DURATIONS, some_user, 1),
        (DURATIONS, "-x shop-assistant", 1),
        (
            DURATIONS,
            "-x many --since 2026-11-01T00:00:00Z --until 2026-11-10T07:08:09.010Z",
            1,
        ),
        (TOKENS, "-x many", 1),
        ("count(), sum(cost)", "-x many --by trace", 5),
        (TOKENS, "-x many --by trace --every 100h", 5),
        (TOKENS, "-x nightly-evals -f timestamp>1000", 1),
        ("count(), error_rate()", "-x many --by status,trace", 5),
        ("count(), error_rate()", "-x many --by status --every 1d", 2),
        ("count(), error_rate()", "-x edges --by status", 3),
        ("count()", "-x many --name nobody", 1),
    ] {
        let server = stats(on_server(), aggregates, &format!("{flags} --via server"));
        let auto = stats(on_server(), aggregates, flags);
        assert_eq!(auto["via"], "server", "{flags}");
        assert_eq!(server, auto, "{flags}");
        let here = stats(on_server(), aggregates, &format!("{flags} --via here"));
        assert_eq!(here["via"], "here");
        let database = stats(on_database(), aggregates, flags);
        assert_eq!(here, database, "{flags}");
        assert!(rows(&here).len() >= least, "{flags}: {here}");
        assert_eq!(numbers(server), numbers(here), "{flags}");
    }
}

#[test]
fn a_figure_that_asks_for_runs_says_what_it_does_not_know() {
    const SAID: &str = "the traces that were linked to a run later are found by -f alone";
    for (on, knows_links) in [(on_server(), true), (on_database(), true), (demo(), false)] {
        let stats = on.args(["stats", "count(where run_id = 'x')"]).run("");
        assert_eq!(stats.code, Some(0), "{stats}");
        assert_eq!(stats.stderr.contains(SAID), knows_links, "{stats}");
    }
    let rule = [
        "check",
        "--all",
        "--require",
        "count(where run_id = 'x') <= 0",
    ];
    let check = on_server().args(rule).run("");
    assert!(check.stderr.contains(SAID), "{check}");
}

#[test]
fn traces_on_the_edge_of_a_time_are_counted_alike() {
    let times: Vec<i64> = on_server()
        .run("search -x many -n 20 -o jsonl")
        .json_lines()
        .iter()
        .map(|trace| trace["info"]["request_time"].as_str().unwrap().to_owned())
        .map(|time| chrono::DateTime::parse_from_rfc3339(&time).unwrap())
        .map(|time| time.timestamp_millis())
        .collect();
    let (last, first) = (times[3], times[15]);
    for condition in [
        format!("timestamp >= {first} AND timestamp < {last}"),
        format!("timestamp > {first} AND timestamp <= {last}"),
    ] {
        let count = |via: &str| {
            on_server()
                .args([
                    "stats", "count()", "-x", "many", "-o", "json", "--via", via, "-f", &condition,
                ])
                .run("")
                .json()["rows"][0]["values"]["count()"]["value"]
                .as_i64()
                .unwrap()
        };
        let expected = times
            .iter()
            .filter(|&&time| {
                if condition.contains(">=") {
                    time >= first && time < last
                } else {
                    time > first && time <= last
                }
            })
            .count();
        assert_eq!(count("server"), i64::try_from(expected).unwrap());
        assert_eq!(count("here"), i64::try_from(expected).unwrap());
    }
}

/// Durations as the server has them.
fn whole_milliseconds(value: &Value) -> Value {
    match value.as_i64() {
        Some(ns) => json!(ns / 1_000_000 * 1_000_000),
        None => value.clone(),
    }
}

#[test]
fn durations_of_spans_come_from_the_server_in_whole_milliseconds() {
    const EXTREMES: &str = "count(span), error_rate(span), min(span.duration), max(span.duration)";
    let question = "-x shop-assistant --by span.name,span.status";
    let server = stats(on_server(), EXTREMES, &format!("{question} --via server"));
    let here = stats(on_server(), EXTREMES, question);
    assert_eq!(
        (&server["via"], &here["via"]),
        (&json!("server"), &json!("here"))
    );
    assert_eq!(server["whole_milliseconds"], true);
    assert_eq!(rows(&server).len(), rows(&here).len());
    assert!(rows(&here).len() > 20);
    for (server, here) in rows(&server).iter().zip(rows(&here)) {
        assert_eq!(server["by"], here["by"]);
        for (aggregate, here) in here["values"].as_object().unwrap() {
            let server = &server["values"][aggregate];
            assert_eq!(server["n"], here["n"], "{aggregate}");
            let expected = if aggregate.contains("duration") {
                whole_milliseconds(&here["value"])
            } else {
                here["value"].clone()
            };
            assert_eq!(server["value"], expected, "{aggregate}");
        }
    }
    let said = on_server().run("stats p95(span.duration) -x shop-assistant --by name --via server");
    assert!(said.stderr.contains("whole milliseconds"), "{said}");
    let costs = "sum(span.cost), avg(span.cost), max(span.cost)";
    let [server, here] = ["server", "here"].map(|via| {
        stats(
            on_server(),
            costs,
            &format!("-x shop-assistant --by model --via {via}"),
        )
    });
    assert!(!rows(&server).is_empty());
    for row in rows(&server) {
        let same = rows(&here).iter().find(|other| other["by"] == row["by"]);
        let same = &same.unwrap()["values"];
        for (aggregate, server) in row["values"].as_object().unwrap() {
            assert_eq!(server["n"], same[aggregate]["n"], "{row}");
            let [a, b] = [server, &same[aggregate]].map(|s| s["value"].as_f64().unwrap());
            assert!((a - b).abs() <= 1e-12, "{row} {same}");
        }
    }
}

/// What numpy makes of the durations of spans, cut to a multiple of a unit.
fn numpy(unit_ns: i64) -> Value {
    let whole = on_server().run("search -x shop-assistant --all --include-spans -o jsonl");
    let mut cut = String::new();
    for mut trace in whole.json_lines() {
        for span in trace["data"]["spans"].as_array_mut().unwrap() {
            let start = span["start_time_unix_nano"].as_i64().unwrap();
            if let Some(end) = span["end_time_unix_nano"].as_i64() {
                let ns = (end - start) / unit_ns * unit_ns;
                span["end_time_unix_nano"] = json!(start + ns);
            }
        }
        cut.push_str(&trace.to_string());
        cut.push('\n');
    }
    venv::percentiles(&cut)
}

#[test]
fn percentiles_of_spans_are_those_of_numpy_however_they_are_computed() {
    const WANTED: &str =
        "avg(span.duration), p50(span.duration), p95(span.duration), p99(span.duration)";
    for (on, via, unit_ns) in [
        (on_server(), "here", 1),
        (on_database(), "auto", 1),
        (on_server(), "server", 1_000_000),
    ] {
        let report = stats(
            on,
            WANTED,
            &format!("-x shop-assistant --by name --via {via}"),
        );
        let numpy = numpy(unit_ns);
        assert_eq!(rows(&report).len(), numpy.as_object().unwrap().len());
        for row in rows(&report) {
            let theirs = &numpy[row["by"]["name"].as_str().unwrap()];
            for figure in ["avg", "p50", "p95", "p99"] {
                let ours = &row["values"][format!("{figure}(span.duration)")];
                assert_eq!(ours["n"], theirs["n"], "{via}: {row}");
                let (a, b) = (
                    ours["value"].as_f64(),
                    theirs[format!("{figure}_ns")].as_f64(),
                );
                assert!(
                    (a.unwrap() - b.unwrap()).abs() <= 1.0,
                    "{via} {figure}: {row} {theirs}"
                );
            }
        }
    }
}

#[test]
fn what_the_server_would_answer_otherwise_is_computed_here() {
    for (aggregates, flags, reason) in [
        // Traces in progress with a duration, and traces without a name.
        ("p95(duration)", "-x edges", "in progress"),
        ("count()", "-x edges --by trace", "without a name"),
        ("sum(cost)", "-x shop-assistant", "costs"),
        (
            "p95(span.duration)",
            "-x shop-assistant --by name",
            "milliseconds",
        ),
        ("count()", "-x many --by user", "in this way"),
        ("p95(duration)", "-x many --by status", "by trace status"),
        ("avg(feedback.quality)", "-x many", "does not compute"),
        (
            "count(where status = 'OK')",
            "-x many",
            "condition of its own",
        ),
        ("count()", "-x many --min-duration 1s", "does not take"),
        ("count()", "-x many -n 5", "number of traces"),
        (
            "count()",
            "-x many --every 500ms --since 1m",
            "whole seconds",
        ),
    ] {
        let run = |on: Mlt, more: &str| {
            on.args(["stats", aggregates])
                .run(&format!("{flags} -o json {more}"))
        };
        let auto = run(on_server(), "");
        assert_eq!(auto.json()["via"], "here", "{flags}");
        assert_eq!(auto.json(), run(on_database(), "").json(), "{flags}");
        let said = run(on_server(), "-v");
        let note = said
            .stderr
            .lines()
            .find(|line| line.contains("computed here"));
        assert!(note.is_some_and(|note| note.contains(reason)), "{said}");
    }
    let refused = on_server().run("stats p95(duration) -x edges --via server");
    assert!(refused.fails(2).contains("cannot be asked"), "{refused}");
    let local = demo().run("stats --via server");
    assert!(local.fails(2).contains("computes none"), "{local}");
}

#[test]
fn a_question_takes_one_request_once_it_is_known_what_keeps_the_traces() {
    let fake = Fake::with_traces().on(
        "POST",
        METRICS,
        Reply::json(&json!({"data_points": [
            {"dimensions": {"trace_status": "OK"}, "values": {"COUNT": 41.0}},
            {"dimensions": {"trace_status": "ERROR"}, "values": {"COUNT": 1.0}},
        ]})),
    );
    let report = stats(
        mlt().on(&fake.uri()),
        "count(), error_rate()",
        "-x 7 --tag env=prod --since 2026-11-22T00:00:00Z",
    );
    assert_eq!(report["rows"][0]["values"]["count()"]["value"], 42);
    let requests = fake.requests();
    assert_eq!(
        requests.len(),
        2,
        "some databases compare tags in another way"
    );
    assert_eq!(
        requests[1].json(),
        json!({
            "experiment_ids": ["7"],
            "view_type": "TRACES",
            "metric_name": "trace_count",
            "aggregations": [{"aggregation_type": "COUNT"}],
            "dimensions": ["trace_status"],
            "filters": ["trace.tag.env = \"prod\""],
            "start_time_ms": 1_795_305_600_000_i64,
            "max_results": 10_000,
        })
    );
}

#[test]
fn servers_without_the_metrics_api_are_not_asked_twice_and_not_spoken_of() {
    let wrong = [
        Reply::html(404),
        Reply::error(400, "INVALID_PARAMETER_VALUE", "Found invalid dimension(s)"),
        Reply::error(501, "NOT_IMPLEMENTED", "no metrics here"),
        Reply::json(&json!({"data_points": [{"dimensions": {}, "values": {"COUNT": 1.0}}]})),
    ];
    for reply in wrong {
        let fake = Fake::with_traces().on("POST", METRICS, reply);
        let outcome = mlt().on(&fake.uri()).run("stats count() -x 1 -o json");
        assert_eq!(outcome.stderr, "", "{outcome}");
        let report = outcome.json();
        assert_eq!(report["via"], "here");
        assert_eq!(
            report["rows"][0]["values"]["count()"]["value"],
            report["traces"]
        );
        assert!(report["traces"].as_i64() > Some(0));
        let asked = fake
            .paths()
            .iter()
            .filter(|path| path.contains("metrics"))
            .count();
        assert_eq!(asked, 1);
    }
    let fake = Fake::with_traces().on(
        "POST",
        METRICS,
        Reply::error(403, "PERMISSION_DENIED", "Permission denied."),
    );
    let refused = mlt().on(&fake.uri()).run("stats count() -x 1");
    refused.fails(5);
}

#[test]
fn old_servers_leave_the_work_to_mlt() {
    for server in [old(), early_v3()] {
        let outcome = mlt()
            .on(server.uri())
            .run("stats count(),max(duration),error_rate() --by trace -o json");
        assert_eq!(outcome.stderr, "", "{outcome}");
        let database = server.database_uri();
        let local = mlt()
            .on(&database)
            .run("stats count(),max(duration),error_rate() --by trace -o json");
        assert_eq!(outcome.json(), local.json());
        assert!(outcome.json()["traces"].as_i64() > Some(0));
    }
}

#[test]
fn groups_add_up_to_the_whole() {
    let whole = stats(demo(), "count(), sum(tokens), count(span)", "");
    let total = |document: &Value, aggregate: &str| -> i64 {
        let values = rows(document).iter();
        values
            .map(|row| row["values"][aggregate]["value"].as_i64().unwrap_or(0))
            .sum()
    };
    for by in [
        "trace",
        "status",
        "models",
        "session",
        "user",
        "experiment",
        "tag:env",
        "metadata:mlflow.trace.user",
        "trace,status",
        "user,session",
    ] {
        let parts = stats(
            demo(),
            "count(), sum(tokens), count(span)",
            &format!("--by {by} --every 10s"),
        );
        for aggregate in ["count()", "sum(tokens)", "count(span)"] {
            assert_eq!(total(&parts, aggregate), total(&whole, aggregate), "{by}");
            for row in rows(&parts) {
                let intervals = row["over_time"].as_array().unwrap().iter();
                let sum: i64 = intervals
                    .map(|part| part["values"][aggregate]["value"].as_i64().unwrap_or(0))
                    .sum();
                assert_eq!(sum, row["values"][aggregate]["value"].as_i64().unwrap_or(0));
            }
        }
    }
    for by in [
        "name",
        "type",
        "path",
        "span.status",
        "span.model",
        "name,tag:env",
        "user,type",
    ] {
        let parts = stats(demo(), "count(span), sum(self)", &format!("--by {by}"));
        assert_eq!(
            total(&parts, "count(span)"),
            total(&whole, "count(span)"),
            "{by}"
        );
    }
}

#[test]
fn traces_are_told_apart_by_their_assessments() {
    let by_name = mlt()
        .on("demo:")
        .run("stats count() --by assessment -o json");
    for row in by_name.json()["rows"].as_array().unwrap() {
        let name = row["by"]["assessment"]
            .as_str()
            .unwrap_or("(no assessment)");
        let filter = match name {
            "(no assessment)" => {
                "NOT any_feedback(name IS NOT NULL) AND NOT any_expectation(name IS NOT NULL)"
                    .to_owned()
            }
            name => format!("any_feedback(name = '{name}') OR any_expectation(name = '{name}')"),
        };
        let found = mlt()
            .on("demo:")
            .args(["search", "--count", "-f", &filter])
            .run("");
        let count = row["values"]["count()"]["value"].to_string();
        assert_eq!(found.ok().trim(), count, "{filter}");
    }
}

#[test]
fn assessments_are_summed_up_by_name() {
    let report = demo().run("stats -o json").json();
    let named = report["assessments"].as_array().unwrap();
    assert!(named.len() > 5);
    for row in named.iter().filter(|row| row["kind"] == "feedback") {
        let aggregate = format!("avg(feedback.{})", row["name"].as_str().unwrap());
        let same = stats(demo(), &aggregate, "");
        let value = &same["rows"][0]["values"][&aggregate];
        assert_eq!(value["n"], row["n"], "{row}");
        assert_eq!(value["value"].as_f64(), row["avg"].as_f64(), "{row}");
    }
    let without = demo().run("stats -o csv");
    assert!(without.stderr.contains("assessments"), "{without}");
}

#[test]
fn tables_are_legible_at_eighty_columns_without_colour() {
    let mut all = String::new();
    for words in [
        "--by trace --top 3",
        "p95(duration),sum(tokens) --by trace --every 10s --top 4 --sort tokens",
        "--by status,trace --every 10s --top 2",
        "--every 10s --name rag-answer",
        "--name rag-answer",
        "p95(span.duration),max(self) --by name,status --top 3",
        "p95(duration),error_rate() --by trace --every 20s -o csv --top 2",
    ] {
        let outcome = demo()
            .terminal(80)
            .run(&format!("stats {words} --color never"));
        assert_eq!(outcome.code, Some(0), "{outcome}");
        for line in outcome.lines().iter().filter(|_| !words.contains("csv")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
        writeln!(all, "$ mlt stats {words}\n{outcome}\n").unwrap();
    }
    assert_snapshot!(all);
}

#[test]
fn a_time_ago_may_have_a_minus_sign() {
    let ago = |since: &str| {
        demo()
            .run(&format!("stats count() --since {since} -o json"))
            .json()
    };
    assert_eq!(ago("-87600h"), ago("87600h"));
    assert_eq!(ago("-1s")["traces"], 0);
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (words, expected) in [
        ("stats p95(durtion)", "did you mean `duration`?"),
        ("stats p95(duration) --by name", "is about traces"),
        ("stats --by trace,status,user", "one key or two"),
        ("stats --by trace,trace", "one key or two"),
        ("stats --by tag:", "expected of spans name, type"),
        ("stats --sort p90(duration)", "none of the columns"),
        ("stats --sort nonsense", "unknown aggregate"),
        ("stats --every 1ms", "intervals, at most 1,000"),
        ("stats --every 0s", "longer than nothing"),
        ("stats -o ids", "has no `-o ids`"),
    ] {
        let outcome = demo().run(words);
        assert!(outcome.fails(2).contains(expected), "{words}: {outcome}");
    }
    let missing = on_server().run("stats count() -x 987654");
    assert!(missing.fails(3).contains("no experiment"), "{missing}");
}
