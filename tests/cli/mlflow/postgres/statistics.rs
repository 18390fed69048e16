//! Aggregates that PostgreSQL computes: they are what the traces give, to the nanosecond, and
//! where they would not be, the traces are asked.

use serde_json::Value;

use crate::support::mlt;
use crate::support::postgres::{on_postgres, postgres};

/// Every aggregate that it computes.
const ALL: &str = "count(span), error_rate(span), min(span.duration), max(span.duration), \
    avg(span.duration), sum(span.duration), p0(span.duration), p50(span.duration), \
    p95(span.duration), p99.9(span.duration), p33.33(span.duration), p100(span.duration)";

/// A database in which random spans take random times.
fn random(name: &str) -> String {
    let uri = postgres().copy(name);
    postgres().sql(
        name,
        "SELECT setseed(0.25); \
         DELETE FROM trace_info; \
         INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, execution_time_ms, status, trace_name) \
         SELECT 'tr-' || md5(n::text), 6, 1790000000000 + n, 7, \
         (ARRAY['OK', 'ERROR', 'IN_PROGRESS'])[1 + (n % 3)], (ARRAY['a', 'b', NULL])[1 + (n % 3)] \
         FROM generate_series(1, 400) n; \
         INSERT INTO trace_tags (request_id, key, value) \
         SELECT request_id, 'mlflow.trace.spansLocation', 'TRACKING_STORE' FROM trace_info; \
         INSERT INTO spans (trace_id, experiment_id, span_id, name, type, status, start_time_unix_nano, end_time_unix_nano, content) \
         SELECT trace_id, 6, span_id, name, type, status, start, \
         CASE WHEN kind < 0.02 THEN NULL WHEN kind < 0.04 THEN 0 WHEN kind < 0.06 THEN start - 5 \
         ELSE start + took END, '{}' FROM ( \
         SELECT t.request_id AS trace_id, substr(md5(t.request_id || k), 1, 16) AS span_id, \
         (ARRAY['agent', 'Agent', 'ågent', '', NULL, 'x y', 'rare' || (random() * 40)::int])[1 + (random() * 6.9)::int % 7] AS name, \
         (ARRAY['LLM', 'TOOL', 'AGENT'])[1 + (random() * 2.9)::int % 3] AS type, \
         (ARRAY['OK', 'ERROR', 'UNSET'])[1 + (random() * 2.9)::int % 3] AS status, \
         1790000000000000000 + (random() * 1e15)::bigint AS start, \
         CASE WHEN random() < 0.2 THEN 1000000 ELSE (power(10, random() * 13))::bigint END AS took, random() AS kind \
         FROM trace_info t, generate_series(0, 7) k WHERE random() < 0.7 OR k = 0) x",
    );
    uri
}

fn stats(uri: &str, words: &[&str]) -> Value {
    let all = mlt().on(uri).args(["stats", ALL, "-o", "json"]);
    all.args(words).run("").json()
}

/// Asks both ways; gives how many groups there are.
fn same(uri: &str, words: &[&str]) -> usize {
    let mut there = stats(uri, &[words, &["--via", "server"]].concat());
    let mut here = stats(uri, &[words, &["--via", "here"]].concat());
    assert_eq!(
        (&there["via"], &here["via"]),
        (&"server".into(), &"here".into())
    );
    for document in [&mut there, &mut here] {
        document.as_object_mut().unwrap().remove("via");
    }
    assert_eq!(there, here, "{words:?}");
    here["rows"].as_array().unwrap().len()
}

#[test]
fn the_database_and_mlt_give_the_very_same_numbers() {
    let uri = random("summed");
    assert!(same(&uri, &["--by", "name"]) > 30);
    assert_eq!(same(&uri, &[]), 1);
    assert_eq!(same(&uri, &["--by", "type", "--by", "status"]), 9);
    assert!(same(&uri, &["--by", "status", "--by", "name"]) > 60);
    for filter in [
        "status = 'ERROR'",
        "name = 'a' AND span.duration > 900ms",
        "span.name = 'x y' OR trace.name IS NULL",
        "NOT any(span.status = 'ERROR' AND span.type = 'LLM')",
    ] {
        assert!(same(&uri, &["--by", "name", "-f", filter]) > 5, "{filter}");
    }
    // It is what is done where nobody says how.
    assert_eq!(stats(&uri, &["--by", "name"])["via"], "server");
}

#[test]
fn what_the_database_would_sum_up_otherwise_is_summed_up_here() {
    let uri = random("not_summed");
    let some = "(SELECT trace_id FROM spans ORDER BY 1, span_id LIMIT 1)";
    let first = "(trace_id, span_id) = (SELECT trace_id, span_id FROM spans \
                 WHERE span_id <> upper(span_id) ORDER BY 1, 2 LIMIT 1)";
    for (change, undo, said) in [
        (
            format!("UPDATE spans SET content = '' WHERE trace_id = {some}"),
            "UPDATE spans SET content = '{}'",
            "traces without spans",
        ),
        (
            format!(
                "INSERT INTO spans (trace_id, experiment_id, span_id, name, type, status, start_time_unix_nano, content) \
                 SELECT trace_id, experiment_id, upper(span_id), name, type, status, start_time_unix_nano, content \
                 FROM spans WHERE {first}"
            ),
            "DELETE FROM spans WHERE span_id <> lower(span_id)",
            "spans that are not MLflow's",
        ),
    ] {
        postgres().sql("not_summed", &change);
        let asked = mlt()
            .on(&uri)
            .args(["stats", ALL, "-v", "-o", "json"])
            .run("");
        assert_eq!(asked.json()["via"], "here", "{change}");
        assert!(asked.stderr.contains(said), "{change}: {}", asked.stderr);
        postgres().sql("not_summed", undo);
        assert_eq!(stats(&uri, &[])["via"], "server", "{undo}");
    }
    let uri = random("other_questions");
    for words in [
        ["stats", "p95(self)", "--by", "name"],
        ["stats", "p95(span.duration)", "--by", "model"],
        ["stats", "p95(span.duration)", "--by", "trace"],
        [
            "stats",
            "count(span WHERE span.type = 'LLM')",
            "--by",
            "name",
        ],
        ["stats", "count(span)", "--limit", "10"],
        ["stats", "count(span)", "--every", "1d"],
    ] {
        let asked = mlt().on(&uri).args(words).run("-o json");
        assert_eq!(asked.json()["via"], "here", "{words:?}");
    }
}

#[test]
fn all_traces_are_summed_up_in_few_questions() {
    let asked = |words: &str| {
        let outcome = on_postgres().run(words);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let lines: Vec<String> = outcome.stderr.lines().map(str::to_owned).collect();
        let count = |what: &str| lines.iter().filter(|line| line.contains(what)).count();
        (
            count("the next rows"),
            count(" LEFT JOIN trace_request_metadata u "),
        )
    };
    let all = on_postgres().run("search --all --count -q").stdout;
    let all: usize = all.trim().parse().unwrap();
    assert!(all > 500, "more than a page: {all}");
    assert_eq!(asked("stats -v").0, 1, "{all} traces");
    assert_eq!(asked("sessions --all -v"), (1, 1), "{all} traces");
}

#[test]
fn a_table_without_assessments_is_not_asked_for_those_of_each_page() {
    let server = postgres();
    let uri = server.copy("unassessed");
    let asked = || {
        let outcome = mlt().on(&uri).run("search --all -o csv -v");
        outcome.stderr.matches(" FROM assessments WHERE ").count()
    };
    assert!(asked() > 1, "one for each page");
    server.sql("unassessed", "DELETE FROM assessments");
    assert_eq!(asked(), 0);
    let id = mlt().on(&uri).newest();
    mlt().on(&uri).run(&format!("assess {id} seen=true")).ok();
    let found = mlt()
        .on(&uri)
        .args(["search", "-f", "feedback.seen = true"]);
    assert_eq!(found.run("-o ids").ok().trim(), id);
}
