//! `mlt errors`: which failures there are, and that their counts are those of the traces.

use std::collections::BTreeMap;
use std::fs;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Mlt, mlt};

fn demo() -> Mlt {
    mlt().on("demo:")
}

fn frameworks() -> Mlt {
    mlt().on("tests/fixtures/conversations/frameworks.jsonl")
}

fn document(on: Mlt, words: &str) -> Value {
    on.run(&format!("{words} -o json")).json()
}

/// What stands on a terminal of that many columns, without its colours.
fn seen(on: Mlt, width: usize, words: &str) -> String {
    let outcome = on.terminal(width).run(words);
    anstream::adapter::strip_str(&outcome.stdout).to_string()
}

fn counts(document: &Value) -> i64 {
    let rows = document["errors"].as_array().unwrap().iter();
    rows.map(|row| row["count"].as_i64().unwrap()).sum()
}

#[test]
fn failures_are_counted_where_they_began() {
    let columns = "errors --columns count,share,type,message,span,traces";
    assert_snapshot!(seen(demo(), 100, columns), @r"
    COUNT     %  TYPE              MESSAGE                                      SPAN              TRACES
        3  27.3  PaymentTimeout    payment provider: no answer within <n> ms    charge-card            2
        1   9.1  LookupError       return R-<n> is locked by another clerk      refund_status          1
        1   9.1  RateLimitError    Error code: 429 - Rate limit reached for r…  Completions            1
        1   9.1  ValueError        Streaming is required for operations that…   Messages.create        1
        1   9.1  -                 upstream closed the connection               chat gpt-4o-mini       1
        1   9.1  ValueError        more than <n> pieces of one article need a…  validate-cart          1
        1   9.1  IndexUnavailable  help-center: no shard answered within <n>…   vector-search          1
        1   9.1  KeyError          'no order Z-<n>'                             lookup_order           1
        1   9.1  ValueError        empty review                                 classify-review        1
    ");
    assert_snapshot!(frameworks().run(columns).ok(), @r"
    COUNT     %  TYPE             MESSAGE                                   SPAN            TRACES
        1  12.5  TimeoutError     no answer                                 execute_tool x       1
        1  12.5  KeyError         <…>                                       get_price            1
        1  12.5  ValidationError  <n> validation error for broken           broken               1
        1  12.5  GraphInterrupt   (Interrupt(value={'question': <…>}, id=<…>, response_schema=None),)  ask                  1
        1  12.5  -                Error running tool (non-fatal)            boom                 1
        1  12.5  -                Guardrail tripwire triggered              Unknown              1
        1  12.5  APIError         The server had an error                   Completions          1
        1  12.5  RateLimitError   Error code: 429 - {'error': {'message': 'Rate limit reached for requests', 'type': 'requests', 'param': None, 'code': 'rate_limit_exceeded'}}  Completions          1
    ");
}

#[test]
fn a_table_fits_the_terminal() {
    assert_snapshot!(seen(demo(), 120, "errors --status OK"), @r"
    COUNT     %  TYPE          MESSAGE               SPAN          TRACES  FIRST              LAST               EXAMPLE
        1  50.0  PaymentTime…  payment provider: n…  charge-card        1  2026-11-22 22:39Z  2026-11-22 22:39Z  tr-7d4e67b2
        1  50.0  KeyError      'no order Z-<n>'      lookup_order       1  2026-11-22 22:39Z  2026-11-22 22:39Z  tr-366cddcb
    ");
    for width in [60, 80, 100, 160] {
        let plain = seen(demo(), width, "errors --kinds all");
        assert!(
            plain.lines().all(|line| line.chars().count() <= width),
            "{plain}"
        );
    }
}

#[test]
fn counts_sum_up_to_what_failed() {
    for on in [demo, frameworks] {
        for words in [
            "errors",
            "errors --kinds all",
            "errors --status ERROR",
            "errors -n 20",
        ] {
            let each = document(on(), words);
            assert_eq!(counts(&each), each["failures"], "{words}");
            let once = document(on(), &format!("{words} --per trace"));
            assert_eq!(counts(&once), once["failed_traces"], "{words}");
            for key in ["failures", "failed_traces", "traces"] {
                assert_eq!(each[key], once[key], "{words}: {key}");
            }
            let rows = once["errors"].as_array().unwrap().iter();
            let shares: f64 = rows.map(|row| row["share"].as_f64().unwrap()).sum();
            assert!((shares - 1.0).abs() < 1e-9, "{words}: {shares}");
        }
    }
}

/// `mlt search` tells of each trace where its failure began.
#[test]
fn traces_fail_where_search_says_so() {
    for on in [demo, frameworks] {
        let found = on().run("search --all --columns trace_id,failed,status -o json");
        let found: Value = serde_json::from_str(found.ok()).unwrap();
        let mut failed: BTreeMap<&str, i64> = BTreeMap::new();
        for trace in found["traces"].as_array().unwrap() {
            match trace["failed"].as_str() {
                Some(span) => *failed.entry(span).or_default() += 1,
                None => assert_ne!(trace["status"], "ERROR"),
            }
        }
        let errors = document(on(), "errors --per trace");
        let mut told: BTreeMap<&str, i64> = BTreeMap::new();
        for row in errors["errors"].as_array().unwrap() {
            assert_eq!(row["other_spans"], 0);
            *told.entry(row["span"].as_str().unwrap()).or_default() +=
                row["count"].as_i64().unwrap();
        }
        assert_eq!(told, failed);
    }
}

#[test]
fn other_kinds_are_asked_for() {
    let kinds = |words: &str| {
        let found = document(frameworks(), words);
        let mut kinds: BTreeMap<String, i64> = BTreeMap::new();
        for row in found["errors"].as_array().unwrap() {
            let kind = row["kind"].as_str().unwrap_or("one").to_owned();
            *kinds.entry(kind).or_default() += row["count"].as_i64().unwrap();
        }
        kinds
    };
    let all = kinds("errors --kinds all");
    assert_snapshot!(format!("{all:?}"), @r#"{"error": 8, "length": 2, "refusal": 3, "tool": 2}"#);
    for kind in ["error", "tool", "refusal", "length"] {
        let alone = kinds(&format!("errors --kinds {kind}"));
        assert_eq!(alone.get("one"), all.get(kind), "{kind}");
    }
    let two = kinds("errors --kinds tool,length");
    assert_eq!(two.values().sum::<i64>(), all["tool"] + all["length"]);
    let refused = frameworks().run("errors --kinds eror");
    assert!(
        refused
            .fails(2)
            .contains("expected error, tool, http, refusal, length or all"),
        "{refused}"
    );
}

#[test]
fn every_format_has_the_same_rows() {
    let rows = document(demo(), "errors");
    let rows = rows["errors"].as_array().unwrap();
    let lines = demo().run("errors -o jsonl");
    let lines: Vec<Value> = lines
        .ok()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(&lines, rows);
    let csv = demo().run("errors -o csv");
    assert_eq!(csv.ok().lines().count(), rows.len() + 1);
    let head = "count,share,type,message,span,other_spans,traces,first_time,last_time,trace_id";
    assert_eq!(csv.lines()[0], head);
    let tsv = demo().run("errors --columns example,error,first_seen --top 1 -o tsv");
    assert_eq!(
        tsv.stdout,
        "trace_id\tmessage\tfirst_time\n\
         tr-b5c74d8dcbaf7cdc8fe284b1ba598083\tpayment provider: no answer within <n> ms\t\
         2026-11-22T22:39:11.479986688Z\n"
    );
    assert_eq!(tsv.stderr, "note: showing 1 of 9 rows\n");
    let top = document(demo(), "errors --top 1");
    assert_eq!(
        (&top["truncated"], &top["failures"]),
        (&json!(true), &json!(11))
    );
}

#[test]
fn traces_are_chosen_as_everywhere() {
    assert_eq!(
        demo().run("errors").stdout,
        demo().run("errors --all").stdout
    );
    let one = document(demo(), "errors tr-b5c74d8dcbaf7cdc8fe284b1ba598083");
    assert_eq!(
        (&one["failures"], &one["failed_traces"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(document(demo(), "errors -n 1")["traces"], 1);
    let ids = demo().run("search --status ERROR -o ids");
    let piped = demo().stdin(ids.ok()).run("errors - -o json");
    let piped: Value = serde_json::from_str(piped.ok()).unwrap();
    assert_eq!(
        piped["errors"],
        document(demo(), "errors --status ERROR")["errors"]
    );
    let both = demo().run("errors latest --status ERROR");
    assert!(both.fails(2).contains("found both"), "{both}");
}

#[test]
fn nothing_failed_is_no_failure() {
    let none = demo().run("errors --name grade-answer");
    assert_snapshot!(none, @"
    --- stderr
    note: no failures in 3 traces
    --- exit 0
    ");
    let none = document(demo(), "errors --name grade-answer");
    assert_eq!(none["errors"], json!([]));
    assert_eq!(none["failures"], 0);
}

#[test]
fn other_names_of_the_command_lead_to_it() {
    let outcome = mlt().run("failures");
    assert!(
        outcome.fails(2).contains("mlt errors counts failures"),
        "{outcome}"
    );
}

/// Twenty-five failures that differ by words, and what a terminal must not get.
#[test]
fn untrusted_text_stays_text_and_long_tables_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.jsonl");
    let trace = |at: usize| {
        let word: String = "abcdefghijklmnopqrstuvwxy"[..=at].to_owned();
        let id = format!("{at:032x}");
        let nanos = (1_795_380_996_791_000_000_u64 + u64::try_from(at).unwrap()).to_string();
        let trace = json!({
            "info": {
                "trace_id": format!("tr-{id}"),
                "trace_location": {
                    "type": "MLFLOW_EXPERIMENT",
                    "mlflow_experiment": {"experiment_id": "0"},
                },
                "request_time": "2026-11-22T20:56:36.791Z",
                "state": "ERROR",
            },
            "data": {"spans": [{
                "trace_id": "AAAAAAAAAAAAAAAAAAAAAA==",
                "span_id": "AAAAAAAAAAE=",
                "name": "\u{1b}[31mred\u{202e}",
                "start_time_unix_nano": nanos,
                "end_time_unix_nano": nanos,
                "status": {"code": "STATUS_CODE_ERROR", "message": format!("={word}\u{1b}[2J\u{7}")},
                "attributes": {},
            }]},
        });
        format!("{trace}\n")
    };
    fs::write(&path, (0..25).map(trace).collect::<String>()).unwrap();
    let on = || mlt().on(path.to_str().unwrap());
    let table = on().run("errors");
    assert_eq!(table.lines().len(), 21);
    assert_eq!(table.stderr, "note: showing 20 of 25 rows\n");
    for format in ["table", "json", "jsonl", "csv", "tsv"] {
        let outcome = on().run(&format!("errors -o {format} --top 100"));
        assert!(
            !outcome.ok().contains(['\u{1b}', '\u{7}', '\u{202e}']),
            "{format}"
        );
    }
    let csv = on().run("errors -o csv --columns message");
    assert_eq!(csv.lines().len(), 26);
    assert_eq!(document(on(), "errors")["truncated"], false);
}
