//! `mlt diff` on the demo store, on files, and on a real MLflow server.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::mlflow::current;
use crate::support::{Mlt, mlt};

const OLD: &str = "tags.release = '2026.11.2'";
const NEW: &str = "tags.release = '2026.12.0-rc1'";

fn demo() -> Mlt {
    mlt().on("demo:")
}

/// Two releases of the demo store's application.
fn releases() -> Mlt {
    demo().args(["diff", "--base-filter", OLD, "-f", NEW])
}

/// A file of so many traces whose child `call` takes from 100 ms on, in steps of
/// one, and the given time more.
fn file(traces: i64, more_ms: i64, name: &str) -> tempfile::NamedTempFile {
    let at = |ms: i64| 1_795_380_996_791_000_000 + ms * 1_000_000;
    let lines = (0..traces).map(|i| {
        let span = |id: &str, parent: Value, name: &str, from: i64, to: i64| {
            json!({"span_id": id, "parent_span_id": parent, "name": name,
                "start_time_unix_nano": at(from), "end_time_unix_nano": at(to),
                "status": {"code": "STATUS_CODE_OK"}, "attributes": {}})
        };
        let took = 100 + i + more_ms;
        let spans = [
            span("00000000000000a1", Value::Null, "root", 0, took + 10),
            span(
                "00000000000000a2",
                json!("00000000000000a1"),
                name,
                5,
                took + 5,
            ),
        ];
        let info = json!({"trace_id": format!("tr-{i:032x}"), "state": "OK",
            "request_time": "2026-11-22T20:56:36.791Z"});
        format!("{}\n", json!({"info": info, "data": {"spans": spans}}))
    });
    let file = tempfile::Builder::new()
        .suffix(".jsonl")
        .tempfile()
        .unwrap();
    std::fs::write(file.path(), lines.collect::<String>()).unwrap();
    file
}

fn compared(before: &tempfile::NamedTempFile, after: &tempfile::NamedTempFile) -> Mlt {
    // No store is set: the files are all there is.
    mlt().args(["diff".as_ref(), before.path(), after.path()])
}

#[test]
fn two_traces_are_told_apart() {
    assert_snapshot!(demo().run("diff tr-5bf tr-b5c7"), @"
    before  checkout  tr-5bf19981fb6127edc1649c7b6e011f66
    after   checkout  tr-b5c74d8dcbaf7cdc8fe284b1ba598083

    TRACE         BEFORE   AFTER    CHANGE  CHANGE %
    duration      2.18 s  2.26 s  +80.5 ms      +3.7
    spans              8       8         0       0.0
    failed spans       0       4        +4         -

    PATH                              CALLS   BEFORE    AFTER    CHANGE  SHARE %  ERRORS  SELF BEFORE  SELF AFTER  SELF CHANGE
    checkout > payment                    1  1.16 ms   202 ms   +201 ms    250.1   0 → 1      1.16 ms      202 ms      +201 ms
    checkout > payment > charge-card  1 → 2   1.90 s   1.81 s  -95.6 ms   -118.8   0 → 2       1.90 s      1.81 s     -95.6 ms
    checkout > send-confirmation      1 → 0  25.0 ms      0 s  -25.0 ms    -31.1       -      25.0 ms         0 s     -25.0 ms
    checkout > validate-cart              1  11.2 ms  6.25 ms  -4.98 ms     -6.2       -      11.2 ms     6.25 ms     -4.98 ms
    checkout                              1  12.9 ms  17.5 ms  +4.66 ms      5.8   0 → 1      8.17 ms     12.2 ms     +4.00 ms
    checkout > fraud-score                1   231 ms   231 ms   +179 µs      0.2       -       231 ms      231 ms      +179 µs
    checkout > check-stock                1      0 s      0 s       0 s      0.0       -       151 ms     97.2 ms     -54.0 ms
    checkout > quote-prices               1      0 s      0 s       0 s      0.0       -       112 ms      111 ms      -887 µs

    BEFORE, AFTER: time on the critical path. The changes add up to that of the duration.
    SHARE %: the part of the change of the duration.
    ERRORS: calls that failed.
    7 spans in both traces, 1 only before, 1 only after.
    --- exit 0
    ");
}

#[test]
fn a_narrow_terminal_keeps_the_change_and_the_rest_is_said() {
    assert_snapshot!(demo().terminal(60).run("diff tr-5bf tr-b5c7 --top 3 --color never"), @"
    before  checkout  tr-5bf19981fb6127edc1649c7b6e011f66
    after   checkout  tr-b5c74d8dcbaf7cdc8fe284b1ba598083

    TRACE         BEFORE   AFTER    CHANGE  CHANGE %
    duration      2.18 s  2.26 s  +80.5 ms      +3.7
    spans              8       8         0       0.0
    failed spans       0       4        +4         -

    PATH               CALLS   BEFORE   AFTER    CHANGE  SHARE %
    … > payment            1  1.16 ms  202 ms   +201 ms    250.1
    … > charge-card    1 → 2   1.90 s  1.81 s  -95.6 ms   -118.8
    checkout > send-…  1 → 0  25.0 ms     0 s  -25.0 ms    -31.1

    BEFORE, AFTER: time on the critical path. The changes add up
    to that of the duration.
    SHARE %: the part of the change of the duration.
    7 spans in both traces, 1 only before, 1 only after.
    --- stderr
    note: showing 3 of 8 rows
    note: there is no room for ERRORS, SELF BEFORE, SELF AFTER, SELF CHANGE; `-o csv` and `-o json` have all
    --- exit 0
    ");
}

#[test]
fn two_releases_are_compared_by_their_means() {
    assert_snapshot!(releases().run("--name rag-answer"), @"
    before  5 traces  tags.release = '2026.11.2'
    after   1 trace  tags.release = '2026.12.0-rc1'

    PER TRACE                  BEFORE       AFTER       CHANGE  CHANGE %  TRACES  VERDICT
    typical duration           1.74 s      952 ms      -791 ms     -45.4   5 → 1  too few traces
    mean duration              2.03 s      952 ms      -1.08 s     -53.2   5 → 1  -
    p50 duration               1.55 s      952 ms      -603 ms     -38.8   5 → 1  too few traces
    p95 duration              ~3.99 s     ~952 ms      -3.04 s     -76.2   5 → 1  too few traces
    failed                     20.0 %       0.0 %     -20.0 pp         -   5 → 1  too few traces
    tokens                         96          76          -20     -20.8   4 → 1  too few traces
    input tokens                   62          63           +1      +1.6   4 → 1  too few traces
    output tokens                  35          13          -22     -62.9   4 → 1  too few traces
    cost                   $0.0000300  $0.0000172  -$0.0000127     -42.4   4 → 1  too few traces
    feedback.cites_source     100.0 %       0.0 %    -100.0 pp         -   3 → 1  too few
    feedback.csat                   3           -            -         -   1 → 0  too few
    feedback.faithful         100.0 %           -            -         -   1 → 0  too few
    feedback.relevance           0.86        0.21        -0.65     -75.6   3 → 1  too few

    PATH                           CALLS   BEFORE    AFTER    CHANGE  SHARE %      ERRORS  SELF BEFORE  SELF AFTER  SELF CHANGE
    rag-answer > vector-search         1   878 ms  72.4 ms   -805 ms     74.4  20.0 % → 0       878 ms     72.4 ms      -805 ms
    rag-answer > Completions    0.80 → 1   703 ms   560 ms   -143 ms     13.2           -       703 ms      560 ms      -143 ms
    rag-answer                         1   331 ms   219 ms   -112 ms     10.3  20.0 % → 0       331 ms      219 ms      -112 ms
    rag-answer > Embeddings            1  99.1 ms  70.4 ms  -28.6 ms      2.6           -      99.1 ms     70.4 ms     -28.6 ms
    rag-answer > rerank         0.80 → 1  23.8 ms  29.7 ms  +5.93 ms     -0.5           -      23.8 ms     29.7 ms     +5.93 ms

    BEFORE, AFTER: time on the critical path, the mean per trace. The changes add up to that of the mean duration.
    SHARE %: the part of the change of the duration.
    ERRORS: the share of calls that failed.
    feedback: its mean, or the share of what is true; TRACES counts assessments.
    Too few traces: to tell a change from chance takes 20 on each side.
    ~: a p95 from fewer than 20 samples, or a p99 from fewer than 100.
    --- exit 0
    ");
}

#[test]
fn a_trace_does_not_differ_from_itself() {
    assert_snapshot!(demo().run("diff latest latest"), @r#"
    before  support-agent  tr-3934c478c5bc2986bd6071d4c2c32e3e
    after   support-agent  tr-3934c478c5bc2986bd6071d4c2c32e3e

    TRACE             BEFORE      AFTER  CHANGE  CHANGE %
    duration          1.94 s     1.94 s     0 s       0.0
    spans                  9          9       0       0.0
    failed spans           0          0       0         -
    tokens               517        517       0       0.0
    input tokens         443        443       0       0.0
    output tokens         74         74       0       0.0
    cost           $0.000296  $0.000296      $0       0.0

    No difference.
    7 rows are the same on both sides and not shown.
    --- exit 0
    "#);
    let document = demo().run("diff latest latest -o json").json();
    assert_eq!(document["is_empty"], true);
    assert_eq!(document["rows"], json!([]));
}

#[test]
fn a_row_is_what_its_spans_come_to() {
    let document = releases().run("--name rag-answer -o json").json();
    let mean = |filter: &str, name: &str| {
        let found = demo()
            .args(["search", "-f", filter])
            .run("--name rag-answer --all --include-spans -o json")
            .json();
        let traces = found["traces"].as_array().unwrap();
        let spans = traces
            .iter()
            .flat_map(|trace| trace["data"]["spans"].as_array().unwrap());
        let time = |span: &Value, key: &str| span[key].as_i64().unwrap();
        let sum: i64 = spans
            .filter(|span| span["name"] == name)
            .map(|s| time(s, "end_time_unix_nano") - time(s, "start_time_unix_nano"))
            .sum();
        let n = i64::try_from(traces.len()).unwrap();
        (sum + n / 2) / n
    };
    // The spans of one trace follow each other here, and these have no children.
    for name in ["Completions", "vector-search", "Embeddings"] {
        let rows = document["rows"].as_array().unwrap();
        let path = format!("rag-answer > {name}");
        let row = rows.iter().find(|row| row["name"] == path).unwrap();
        let (before, after) = (mean(OLD, name), mean(NEW, name));
        assert_eq!(row["critical_before_ns"], before, "{name}");
        assert_eq!(row["critical_after_ns"], after, "{name}");
        assert_eq!(row["critical_change_ns"], after - before, "{name}");
    }
    let totals = &document["totals"];
    assert_eq!(totals["duration_typical_ns"]["verdict"], "too_few");
    assert_eq!(totals["duration_ns"]["verdict"], Value::Null);
}

#[test]
fn feedback_of_files_is_told_from_chance() {
    let side = |yes: i64| {
        let file = file(20, 0, "call");
        let lines = std::fs::read_to_string(file.path()).unwrap();
        let lines = (0..).zip(lines.lines()).map(|(i, line)| {
            let mut trace: Value = serde_json::from_str(line).unwrap();
            trace["info"]["assessments"] = json!([{"assessment_name": "correct",
                "source": {"source_type": "HUMAN"}, "feedback": {"value": i < yes}}]);
            format!("{trace}\n")
        });
        let lines: String = lines.collect();
        std::fs::write(file.path(), lines).unwrap();
        file
    };
    let (before, after) = (side(19), side(3));
    let outcome = compared(&before, &after).run("-o json");
    let total = &outcome.json()["totals"]["feedback.correct"];
    assert_eq!(total["before"], json!(0.95), "{total}");
    assert_eq!(total["change"], json!(-0.8), "{total}");
    assert_eq!(
        (&total["test"], &total["verdict"]),
        (&json!("newcombe"), &json!("lower")),
        "{total}"
    );
    let outcome = compared(&before, &after).run("");
    let line = outcome
        .stdout
        .lines()
        .find(|line| line.starts_with("feedback.correct"));
    let words: Vec<&str> = line.unwrap().split_whitespace().collect();
    assert_eq!(
        words[1..7],
        ["95.0", "%", "15.0", "%", "-80.0", "pp"],
        "{outcome}"
    );
    assert_eq!(words.last(), Some(&"lower"), "{outcome}");
}

#[test]
fn exchanged_sides_have_the_opposite_changes() {
    let there = releases().run("-o json").json();
    let back = demo()
        .args(["diff", "--base-filter", NEW, "-f", OLD])
        .run("-o json")
        .json();
    let changes = |document: &Value, sign: i64| -> Vec<(String, i64)> {
        let rows = document["rows"].as_array().unwrap();
        let change = |row: &Value| sign * row["critical_change_ns"].as_i64().unwrap();
        let name = |row: &Value| row["name"].as_str().unwrap().to_owned();
        rows.iter().map(|row| (name(row), change(row))).collect()
    };
    assert!(changes(&there, 1).len() > 20);
    assert_eq!(changes(&there, 1), changes(&back, -1));
    assert_eq!(there["before"]["traces"], back["after"]["traces"]);
}

#[test]
fn files_of_many_traces_say_whether_it_is_more_than_noise() {
    let (usual, again, slow) = (
        file(30, 0, "call"),
        file(30, 1, "call"),
        file(30, 60, "call"),
    );
    let verdicts = |outcome: Value| {
        let duration = &outcome["totals"]["duration_typical_ns"];
        let row = &outcome["rows"][0];
        (
            duration["verdict"].clone(),
            outcome["totals"]["duration_p95_ns"]["verdict"].clone(),
            row["name"].clone(),
            row["beyond_noise"].clone(),
        )
    };
    let slower = compared(&usual, &slow).run("-o json").json();
    let interval = slower["totals"]["duration_ns"]["interval"].clone();
    assert!(interval[0].as_i64().unwrap() > 50_000_000, "{interval}");
    assert!(interval[1].as_i64().unwrap() < 70_000_000, "{interval}");
    assert_eq!(
        verdicts(slower),
        (
            json!("higher"),
            json!("higher"),
            json!("root > call"),
            json!(true)
        )
    );
    let same = compared(&usual, &again).run("-o json").json();
    assert_eq!(
        verdicts(same),
        (
            json!("noise"),
            json!("noise"),
            json!("root > call"),
            json!(false)
        )
    );
    let other = compared(&usual, &slow).run("-o json --seed 7").json();
    assert_ne!(other["totals"]["duration_ns"]["interval"], interval);
    let table = compared(&usual, &slow).run("");
    assert!(!table.stdout.contains('~'), "{table}");
    let path = usual.path().display().to_string();
    assert!(
        table
            .ok()
            .starts_with(&format!("before  30 traces  {path}\n")),
        "{table}"
    );
    assert!(
        table.stdout.contains("slower")
            && table
                .stdout
                .contains("1 of 1 row with traces enough lies beyond noise"),
        "{table}"
    );
    let equal = compared(&usual, &again).run("");
    assert!(!equal.ok().contains("SHARE %"), "{equal}");
    let csv = compared(&usual, &slow).run("-o csv");
    let head = csv.ok().lines().next().unwrap_or_default().to_owned();
    for column in ["verdict", "test", "typical_change_ratio", "p_adjusted"] {
        assert!(head.split(',').any(|name| name == column), "{head}");
    }
}

#[test]
fn files_of_one_trace_each_are_a_pair() {
    let (one, other) = (file(1, 0, "call"), file(1, 7, "=cmd|\u{1b}[31m"));
    let document = compared(&one, &other).run("-o json").json();
    assert_eq!(document["compared"], "traces");
    assert_eq!(document["change_ns"], 7_000_000);
    let spans = json!({"matched": 1, "new": 1, "gone": 1, "matched_change_ns": 0});
    assert_eq!(document["spans"], spans);
    // Whatever a span is called does nothing to a terminal or a spreadsheet.
    for format in ["table", "json", "jsonl", "csv", "tsv"] {
        let outcome = compared(&one, &other)
            .terminal(60)
            .run(&format!("-o {format} --color never"));
        assert_eq!(outcome.code, Some(0), "{outcome}");
        assert!(!outcome.stdout.contains('\u{1b}'), "{format}: {outcome}");
    }
    let csv = compared(&one, &other).run("-o csv --by name");
    assert!(
        csv.ok().lines().any(|line| line.starts_with("'=cmd|")),
        "{csv}"
    );
}

#[test]
fn what_cannot_be_compared_is_said() {
    let two = "name two traces or two files, or choose two sets with --base-filter and -f";
    for (words, message) in [
        ("diff", "expected two things to compare, found none"),
        (
            "diff latest",
            "expected two things to compare, found only `latest`",
        ),
        (
            "diff -f status='OK'",
            "expected a filter for the base, found only that for the new side",
        ),
        (
            "diff --base-filter status='OK'",
            "expected a filter for the new side, found only that for the base",
        ),
        (
            "diff latest latest --name x",
            "expected traces or filters, found both: `latest` names a trace already",
        ),
    ] {
        let outcome = demo().run(words);
        let expected = format!("error: {message}\nhint: {two}\n");
        assert_eq!(outcome.fails(2), expected, "{words}");
    }
    let nothing = demo().run("diff --base-filter name='nobody' -f status='OK'");
    assert!(
        nothing.fails(3).contains("no traces match for the base"),
        "{nothing}"
    );
    let missing = demo().run("diff latest /nonexistent/after.json");
    assert!(
        missing.fails(6).contains("/nonexistent/after.json"),
        "{missing}"
    );
    let ids = demo().run("diff latest latest -o ids");
    assert!(ids.fails(2).contains("has no `-o ids`"), "{ids}");
}

#[test]
fn traces_on_both_sides_are_noted() {
    let outcome = demo().run("diff --base-filter status='OK' -f duration>=0s -n 20");
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(
        outcome.stderr.contains("on both sides: choose filters"),
        "{outcome}"
    );
}

#[test]
fn hard_cases_of_a_server_are_compared() {
    let server = current();
    let ids: Vec<&String> = server
        .cases
        .iter()
        .filter(|(name, _)| *name != "no-spans")
        .map(|(_, id)| id)
        .collect();
    for pair in ids.windows(2) {
        let run = |words: &str| {
            let words = format!("diff {} {} {words}", pair[0], pair[1]);
            mlt().on(server.uri()).run(&words)
        };
        let document = run("-o json").json();
        let rows = document["rows"].as_array().unwrap();
        let contributions: i64 = rows
            .iter()
            .map(|row| row["critical_change_ns"].as_i64().unwrap())
            .sum();
        assert_eq!(
            contributions,
            document["change_ns"].as_i64().unwrap(),
            "{pair:?}"
        );
        let table = run("--color never");
        let seen = format!("{}{}", table.stdout, table.stderr);
        assert_eq!(table.code, Some(0), "{table}");
        assert!(!seen.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{table}");
    }
    let without = mlt()
        .on(server.uri())
        .run(&format!("diff {} latest", server.case("no-spans")));
    assert!(
        without.fails(3).contains("no trace of the base has spans"),
        "{without}"
    );
}

#[test]
fn sets_of_a_server_are_compared() {
    let words = [
        "diff",
        "-x",
        "shop-assistant",
        "--base-filter",
        "status = 'ERROR'",
        "-f",
        "status = 'OK'",
    ];
    let document = mlt().on(current().uri()).args(words).run("-o json").json();
    assert_eq!(document["totals"]["error_rate"]["before"], 1.0);
    assert_eq!(document["totals"]["error_rate"]["after"], 0.0);
    let share: f64 = document["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["share"].as_f64().unwrap())
        .sum();
    assert!((share - 1.0).abs() < 1e-9, "{share}");
}
