//! `mlt check`: verdicts and their exit codes, on the demo store, on real servers,
//! and in a real script whose traces arrive while it waits.

use std::fs;
use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::mlflow::{current, growing, python, script};
use crate::support::{Mlt, Outcome, mlt};

fn demo(rules: &[&str]) -> Mlt {
    on("demo:", rules).args(["--all"])
}

fn on(uri: &str, rules: &[&str]) -> Mlt {
    let required = rules.iter().flat_map(|rule| ["--require", rule]);
    mlt().on(uri).args(["check"]).args(required)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn path(dir: &tempfile::TempDir, name: &str) -> String {
    dir.path().join(name).to_str().unwrap().to_owned()
}

#[test]
fn each_rule_has_a_line() {
    let outcome = demo(&[
        "p95(duration) <= 2s",
        "count() >= 20",
        "error_rate(where name = 'checkout') <= 1%",
        "max(self where span.type = 'TOOL') <= 300ms",
        "sum(tokens) <= 10k",
        "avg(feedback.csat) >= 4.5",
    ])
    .run("");
    assert_eq!(outcome.code, Some(1));
    assert_snapshot!(outcome, @"
            AGGREGATE                             VALUE  LIMIT      N  TO BLAME
    FAILED  p95(duration)                        3.15 s  <= 2s     38  tr-70dde14f0ca5e5a4e4a3dd94cfa2b841 (6.94 s), tr-ef6704a938c2cc9fb15e84357695f479 (4.51 s), tr-1094d893a682a30c228d5e85252db12e (2.91 s)
    passed  count()                                  38  >= 20     38
    FAILED  error_rate(where name = 'checkout')  33.3 %  <= 1%      6  tr-e116e0e30cbf156c02097b4ee771a2ea, tr-b5c74d8dcbaf7cdc8fe284b1ba598083
    FAILED  max(self where span.type = 'TOOL')   1.90 s  <= 300ms  27  tr-5bf19981fb6127edc1649c7b6e011f66 checkout > payment > charge-card (1.90 s), tr-b5c74d8dcbaf7cdc8fe284b1ba598083 checkout > payment > charge-card (904 ms), tr-7d4e67b28e5c025fd69b66e4c8d86025 checkout > payment > charge-card (902 ms)
    passed  sum(tokens)                           3,848  <= 10000  24
    FAILED  avg(feedback.csat)                        4  >= 4.5     2  tr-e54e190f0f56c34bd9e4b0f59301096d (3)

    4 of 6 rules failed on 38 traces
    TO BLAME: 3 at the most, the worst first
    --- exit 1
    ");
}

#[test]
fn what_failed_says_why_however_narrow_the_terminal_is() {
    let rules = [
        "p95(duration) <= 2s",
        "error_rate(where name = 'checkout') <= 1%",
        "max(self where span.type = 'TOOL') <= 300ms",
    ];
    let at = |width| demo(&rules).terminal(width).env("NO_COLOR", "1").run("");
    assert_snapshot!(at(80), @"
            AGGREGATE                   VALUE  LIMIT      N  TO BLAME
    FAILED  p95(duration)              3.15 s  <= 2s     38  tr-70dde14f (6.94 s) +2
    FAILED  error_rate(where name =…   33.3 %  <= 1%      6  tr-e116e0e3 +1
    FAILED  max(self where span.type…  1.90 s  <= 300ms  27  tr-5bf19981 (1.90 s) +2

    3 of 3 rules failed on 38 traces
    TO BLAME: 3 at the most, the worst first
    --- exit 1
    ");
    assert_snapshot!(at(160), @"
            AGGREGATE                             VALUE  LIMIT      N  TO BLAME
    FAILED  p95(duration)                        3.15 s  <= 2s     38  tr-70dde14f (6.94 s), tr-ef6704a9 (4.51 s), tr-1094d893 (2.91 s)
    FAILED  error_rate(where name = 'checkout')  33.3 %  <= 1%      6  tr-e116e0e30cbf156c02097b4ee771a2ea, tr-b5c74d8dcbaf7cdc8fe284b1ba598083
    FAILED  max(self where span.type = 'TOOL')   1.90 s  <= 300ms  27  tr-5bf19981 checkout > payment > charge-card (1.90 s) +2

    3 of 3 rules failed on 38 traces
    TO BLAME: 3 at the most, the worst first
    --- exit 1
    ");
    assert_snapshot!(at(60), @"
            AGGREGATE                            VALUE  LIMIT
    FAILED  p95(duration)                       3.15 s  <= 2s
            to blame: tr-70dde14f (6.94 s) +2
    FAILED  error_rate(where name = 'checkout…  33.3 %  <= 1%
            to blame: tr-e116e0e3, tr-b5c74d8d
    FAILED  max(self where span.type = 'TOOL')  1.90 s  <= 300ms
            to blame: tr-5bf19981 (1.90 s) +2

    3 of 3 rules failed on 38 traces
    TO BLAME: 3 at the most, the worst first
    --- stderr
    note: there is no room for N; `-o json` has all
    --- exit 1
    ");
    for width in (60..260).step_by(7) {
        let outcome = at(width);
        let widest = outcome.lines().into_iter().map(|line| line.chars().count());
        assert!(widest.max() <= Some(width), "{width}: {outcome}");
        let head = outcome.lines()[0];
        let in_lines = outcome.stdout.matches("        to blame: tr-").count();
        let expected = if head.contains("TO BLAME") { 0 } else { 3 };
        assert_eq!(in_lines, expected, "{outcome}");
        assert_eq!(outcome.lines().len(), 7 + in_lines, "{outcome}");
        let notes_n = outcome.stderr.contains("no room for N;");
        assert_ne!(head.contains("  N"), notes_n, "{outcome}");
    }
    // What is shown of an id is enough to look the trace up.
    let short = mlt().on("demo:").run("get tr-70dde14f -o json").json();
    assert_eq!(
        short["info"]["trace_id"],
        "tr-70dde14f0ca5e5a4e4a3dd94cfa2b841"
    );
}

#[test]
fn what_the_baseline_does_not_have_is_said() {
    let dir = folder();
    let file = path(&dir, "values.json");
    demo(&["p95(duration)"])
        .args(["--save", &file])
        .run("")
        .ok();
    let check = |format: &str| {
        demo(&["max(cost)", "count() >= 1"])
            .args(["--baseline", &file, "--max-regression", "5%"])
            .args(["-o", format])
            .run("")
    };
    assert_snapshot!(check("table"), @r"
            AGGREGATE     VALUE  LIMIT   N  BEFORE               TO BLAME
    FAILED  max(cost)  $0.00238         24  not in the baseline  tr-1094d893a682a30c228d5e85252db12e ($0.00238), tr-841e90c13557b064b065370372d7f218 ($0.00144), tr-d1b491b4e0b9f8d311c94f38ccd03be0 ($0.000998)
    passed  count()          38  >= 1   38  not in the baseline

    1 of 2 rules failed on 38 traces
    TO BLAME: 3 at the most, the worst first
    --- stderr
    note: `max(cost)`, `count()` are not in the baseline, and not compared
    --- exit 1
    ");
    let json: Value = serde_json::from_str(&check("json").stdout).unwrap();
    assert_eq!(json["rules"][0]["reason"], "not in the baseline");
    assert_eq!(json["rules"][1]["reason"], Value::Null);
    for format in ["junit", "github"] {
        let text = check(format).stdout;
        assert!(
            text.contains("$0.00238, not in the baseline, n = 24"),
            "{text}"
        );
        assert!(text.contains("38, not in the baseline, n = 38"), "{text}");
    }
}

#[test]
fn a_check_that_passes_is_quiet_and_done() {
    let outcome = demo(&["count() >= 20", "max(duration) <= 1m"]).run("");
    assert_snapshot!(outcome.ok(), @"
            AGGREGATE       VALUE  LIMIT    N
    passed  count()            38  >= 20   38
    passed  max(duration)  6.94 s  <= 60s  38

    2 rules passed on 38 traces
    ");
}

#[test]
fn mistakes_are_shown_where_they_are() {
    let dir = folder();
    let file = path(&dir, "traces.rules");
    fs::write(
        &file,
        "# times\ncount() >= 1 # some\n\np95(durtion) <= 2s\n",
    )
    .unwrap();
    let outcome = mlt()
        .on("demo:")
        .within(dir.path())
        .run("check --all --rules traces.rules");
    assert_snapshot!(outcome.fails(2), @"
    error: traces.rules:4: `durtion` is not a measure
      p95(durtion) <= 2s
          ^^^^^^^ expected `duration`, `tokens`, `cost`, `spans`, `feedback.<name>`, `span.duration`, `self`, `critical` or another measure, found `durtion`
    hint: did you mean `duration`?
    ");
    assert_snapshot!(demo(&["p95(duration) <= 2 parsecs"]).run("").fails(2), @"
    error: there is something after the rule
      p95(duration) <= 2 parsecs
                         ^^^^^^^ expected the end of the rule, found `parsecs`
    hint: a unit follows its number without a space: 2s, 10k, 1%
    ");
    assert_snapshot!(demo(&["p95(duration)"]).run("").fails(2), @"
    error: the aggregate `p95(duration)` is compared with nothing
    hint: write a comparator and a value after it, or compare it with --baseline FILE
    ");
    assert_snapshot!(demo(&[]).run("").fails(2), @"
    error: expected a rule, found none
    hint: write for example --require 'p95(duration) <= 2s', or --rules FILE
    ");
    let outcome = demo(&["count() >= 1"]).run("-o csv");
    assert!(
        outcome.fails(2).contains("`mlt check` has no `-o csv`"),
        "{outcome}"
    );
    let outcome = on("demo:", &["count() >= 1"]).run("");
    assert!(
        outcome.fails(2).contains("expected trace ids or a filter"),
        "{outcome}"
    );
}

#[test]
fn rules_come_from_files_and_from_the_command_line() {
    let dir = folder();
    let file = path(&dir, "traces.rules");
    fs::write(
        &file,
        "\u{feff}# of the shop\r\ncount(where name LIKE '%#%') <= 0\r\nerror_rate() <= 50%\r\n",
    )
    .unwrap();
    let outcome = demo(&["count() >= 1"])
        .args(["--rules", &file])
        .run("-o json");
    let json = outcome.json();
    let rules: Vec<&str> = json["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["rule"].as_str().unwrap())
        .collect();
    assert_eq!(
        rules,
        [
            "count() >= 1",
            "count(where name LIKE '%#%') <= 0",
            "error_rate() <= 50%"
        ]
    );
    let missing = demo(&[]).args(["--rules", &path(&dir, "none")]).run("");
    assert!(
        missing.fails(6).contains("cannot read the rules in"),
        "{missing}"
    );
}

#[test]
fn nothing_to_look_at_fails_unless_it_may() {
    let none = || on("demo:", &["count() <= 5", "max(duration) <= 1s"]).args(["--name", "none"]);
    let outcome = none().run("");
    assert_eq!(outcome.code, Some(1));
    assert_snapshot!(outcome, @"
            AGGREGATE      VALUE  LIMIT  N
    passed  count()            0  <= 5   0
    FAILED  max(duration)      -  <= 1s  0

    1 of 2 rules failed on 0 traces
    --- stderr
    error: no traces match
    hint: wait for the first with --wait 60s, or pass all the same with --allow-empty
    hint: `--name none` finds none of 38 traces; values are checkout (6), rag-answer (6), order-helper (5), summarise-ticket (5), grade-answer (3) and 5 more
    --- exit 1
    ");
    let outcome = none().run("--allow-empty");
    assert_snapshot!(outcome.ok(), @"
             AGGREGATE      VALUE  LIMIT  N
    passed   count()            0  <= 5   0
    skipped  max(duration)      -  <= 1s  0

    1 rule passed, 1 skipped on 0 traces
    ");
}

#[test]
fn an_empty_list_of_ids_is_no_trace() {
    let on_none = |words: &str| mlt().on("demo:").stdin("").run(words);
    let outcome = on_none("check - --require count()>=0");
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("no traces match"), "{outcome}");
    let outcome = on_none("check - --require count()>=0 --allow-empty");
    assert_eq!(outcome.code, Some(0), "{outcome}");
    // Whatever asks for them, nothing is said of the store, which has some.
    for words in ["latency -", "export - -o jsonl", "get -"] {
        let outcome = on_none(words);
        assert_eq!(
            outcome.stderr.matches("no ids on standard input").count(),
            1,
            "{words}: {outcome}"
        );
        assert!(
            !outcome.stderr.contains("there are no traces in"),
            "{words}: {outcome}"
        );
    }
}

#[test]
fn a_later_check_compares_with_an_earlier_one() {
    let dir = folder();
    let file = path(&dir, "values.json");
    let saved = demo(&["p95(duration)", "error_rate() <= 50%"])
        .args(["--save", &file])
        .run("");
    assert_eq!(saved.code, Some(0), "{saved}");
    let compare = |uri_args: &[&str], max: &str| {
        on("demo:", &["p95(duration)", "error_rate() <= 50%"])
            .args(uri_args)
            .args(["--baseline", &file, "--strict", "--max-regression", max])
    };
    let same = compare(&["--all"], "0%").run("");
    assert_eq!(same.code, Some(0), "{same}");
    let slower = compare(&["--min-duration", "1s"], "10%").run("");
    assert_eq!(slower.code, Some(1), "{slower}");
    assert_snapshot!(slower, @"
            AGGREGATE        VALUE  LIMIT    N  BEFORE                        TO BLAME
    FAILED  p95(duration)  ~4.87 s          18  3.15 s, +54.9 % (max 10.0 %)  tr-70dde14f0ca5e5a4e4a3dd94cfa2b841 (6.94 s), tr-ef6704a938c2cc9fb15e84357695f479 (4.51 s), tr-1094d893a682a30c228d5e85252db12e (2.91 s)
    passed  error_rate()    11.1 %  <= 50%  18  21.1 %, -47.2 %

    1 of 2 rules failed on 18 traces
    ~ a percentile of few samples: it stands for little more than the largest
    TO BLAME: 3 at the most, the worst first
    --- exit 1
    ");
    // The values of a check that failed do not become those that it failed by.
    let before = fs::read_to_string(&file).unwrap();
    let kept = compare(&["--min-duration", "1s"], "10%")
        .args(["--save", &file])
        .run("");
    assert!(
        kept.stderr.contains("the baseline stays as it is"),
        "{kept}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), before);

    let unknown = demo(&["max(cost)"])
        .args(["--baseline", &file, "--max-regression", "5%"])
        .run("-o json");
    assert_eq!(
        serde_json::from_str::<Value>(&unknown.stdout).unwrap()["rules"][0]["failures"][0],
        "no_baseline"
    );
    fs::write(&file, "{}").unwrap();
    let broken = compare(&["--all"], "0%").run("");
    assert!(
        broken.fails(6).contains("cannot read the baseline"),
        "{broken}"
    );
}

#[test]
fn a_rule_that_fails_beside_a_limit_that_holds_says_why() {
    let dir = folder();
    let file = path(&dir, "values.json");
    let rules = ["max(duration) <= 10s", "error_rate()"];
    let earlier = on("demo:", &rules)
        .args(["--status", "OK", "--max-duration", "1s", "--save", &file])
        .run("");
    assert_eq!(earlier.code, Some(0), "{earlier}");
    let later = || demo(&rules).args(["--baseline", &file, "--strict", "--max-regression", "50%"]);
    let table = later().run("");
    assert_eq!(table.code, Some(1), "{table}");
    let lines = table.lines();
    let (slower, worse) = (lines[1], lines[2]);
    assert!(
        slower.contains("<= 10s") && slower.contains(" % (max 50.0 %)  tr-"),
        "{table}"
    );
    assert!(worse.contains("  0.0 % (allows no rise)  "), "{table}");
    let json: Value = serde_json::from_str(&later().run("-o json").stdout).unwrap();
    let reason = |at: usize| json["rules"][at]["reason"].as_str().unwrap();
    assert!(reason(0).ends_with(" %, at most 50.0 % allowed"), "{json}");
    assert_eq!(
        reason(1),
        "the baseline had 0.0 %, a percentage of 0 allows no rise"
    );
    let reference = mlt().run("help rules");
    assert!(
        reference.ok().contains("from a baseline of 0"),
        "{reference}"
    );
    let narrow = later().terminal(50).env("NO_COLOR", "1").run("");
    assert_snapshot!(narrow, @"
            AGGREGATE       VALUE  LIMIT
    FAILED  max(duration)  6.94 s  <= 10s
            before: 951 ms, +629.4 % (max 50.0 %)
            to blame: tr-70dde14f (6.94 s) +2
    FAILED  error_rate()   21.1 %
            before: 0.0 % (allows no rise)
            to blame: tr-6495b93d +2

    2 of 2 rules failed on 38 traces
    TO BLAME: 3 at the most, the worst first
    --- stderr
    note: there is no room for N; `-o json` has all
    --- exit 1
    ");
}

#[test]
fn servers_databases_and_exports_give_the_same_values() {
    let rules = [
        "p95(duration) >= 0",
        "error_rate(where tags.env = 'prod') >= 0",
        "max(spans) >= 0",
        "sum(tokens) >= 0",
        "sum(cost) >= 0",
        "avg(feedback.relevance) >= 0",
        "p90(span.duration where span.type IN ('LLM', 'CHAT_MODEL')) >= 0",
        "sum(self where span.type IS NULL) >= 0",
        "sum(critical where span.status = 'ERROR') >= 0",
        "count(span where span.model LIKE '%mini%') >= 0",
        "sum(span.tokens) >= 0",
        "count(span where span.content LIKE '%kettle%') >= 0",
    ];
    let words = "-x shop-assistant --all --ignore-in-progress -o json";
    let values = |uri: &str, rules: &[&str]| {
        let outcome = on(uri, rules).run(words);
        let json: Value =
            serde_json::from_str(&outcome.stdout).unwrap_or_else(|e| panic!("{e}: {outcome}"));
        json["rules"].clone()
    };
    let database = format!("sqlite:///{}", current().database().display());
    let there = values(current().uri(), &rules);
    assert_eq!(there, values(&database, &rules));
    // One by one, less of the spans is fetched.
    for (at, rule) in rules.iter().enumerate() {
        assert_eq!(values(current().uri(), &[rule])[0], there[at], "{rule}");
        assert!(there[at]["n"].as_u64().unwrap() > 0, "{rule}");
    }
}

#[test]
fn traces_in_progress_fail_a_check_unless_they_are_left_out() {
    let id = current().case("in-progress");
    let check = || on(current().uri(), &["count() <= 5"]).args([id]);
    let outcome = check().run("");
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(
        outcome
            .stderr
            .contains(&format!("error: 1 trace is still in progress: {id}")),
        "{outcome}"
    );
    assert!(outcome.stderr.contains("--ignore-in-progress"), "{outcome}");
    let outcome = check().run("--wait 300ms -o json");
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let json: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(json["in_progress"][0], id);
    let outcome = check().run("--ignore-in-progress --allow-empty");
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(
        outcome.stderr.contains("left out 1 trace in progress"),
        "{outcome}"
    );
    let unknown = on(current().uri(), &["count() <= 5"]).run("tr-00000000000000000000000000000000");
    assert_eq!(unknown.code, Some(3), "{unknown}");
}

/// What Python's own reader finds in a JUnit report: names and messages.
fn read_junit(xml: &str) -> Vec<(String, Option<String>)> {
    let program = "\
import json, sys, xml.etree.ElementTree as tree
cases = tree.parse(sys.argv[1]).getroot().iter('testcase')
failures = ((case, case.find('failure')) for case in cases)
print(json.dumps([(c.get('name'), None if f is None else f.get('message')) for c, f in failures]))";
    let dir = folder();
    let file = path(&dir, "report.xml");
    fs::write(&file, xml).unwrap();
    let output = Command::new(python())
        .args(["-c", program, &file])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{xml}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn hostile_names_stay_names_in_every_format() {
    let mut looked_at = 0;
    for (name, id) in current()
        .cases
        .iter()
        .filter(|(name, _)| name.starts_with("hostile-"))
    {
        let dir = folder();
        let summary = path(&dir, "summary.md");
        let check = |format: &str| -> Outcome {
            on(
                current().uri(),
                &["max(span.duration) <= 1ns", "count(span) <= 0"],
            )
            .args([id.as_str(), "-o", format, "--summary", &summary])
            .run("")
        };
        for format in ["table", "json", "jsonl", "junit", "github"] {
            let outcome = check(format);
            assert_eq!(outcome.code, Some(1), "{name}: {outcome}");
            let text = format!("{}{}", outcome.stdout, outcome.stderr);
            let bad =
                |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
            assert!(!text.contains(bad), "{name}: {text:?}");
        }
        for line in check("github").stdout.lines() {
            assert!(line.starts_with("::error title="), "{name}: {line}");
        }
        let cases = read_junit(&check("junit").stdout);
        assert_eq!(cases.len(), 2, "{name}");
        assert!(
            cases
                .iter()
                .all(|(_, message)| message.as_ref().is_some_and(|m| m.contains(id.as_str()))),
            "{cases:?}"
        );
        let summary = fs::read_to_string(&summary).unwrap();
        let rows = summary.lines().filter(|line| line.starts_with("| ❌"));
        assert_eq!(rows.clone().count(), 2 * 7, "{summary}");
        assert!(
            rows.clone().all(|row| row.matches('|').count() == 7),
            "{summary}"
        );
        looked_at += 1;
    }
    assert!(looked_at > 3, "{looked_at}");
}

#[test]
fn a_report_goes_to_a_file_beside_the_table() {
    let dir = folder();
    let file = path(&dir, "report.xml");
    let outcome = demo(&["count() >= 1", "count() <= 1"])
        .args(["-o", &file])
        .run("");
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stdout.contains("1 of 2 rules failed"), "{outcome}");
    let cases = read_junit(&fs::read_to_string(&file).unwrap());
    assert_eq!(cases[0], ("count() >= 1".to_owned(), None));
    assert!(
        cases[1]
            .1
            .as_ref()
            .unwrap()
            .starts_with("38, expected <= 1"),
        "{cases:?}"
    );
}

/// A job: a program records a trace while the check waits for it.
const JOB: &str = r#"
set -eu
"$PYTHON" "$SCRIPT" job-1 3 > started.txt 2> log.txt &
program=$!
"$MLT" check -x arriving --wait 90s \
    --require 'count() >= 1' \
    --require "error_rate() <= 0%" \
    --require "count(span where span.name = 'fetch') = 1" \
    --require 'min(duration) >= 3s' \
    -o jsonl > check.jsonl
wait "$program"
"#;

#[test]
fn a_script_waits_for_traces_that_arrive_and_end() {
    let dir = folder();
    let server = growing().uri();
    let made = Command::new(python())
        .args(["-c", "import mlflow; mlflow.set_experiment('arriving')"])
        .env("MLFLOW_TRACKING_URI", server)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let output = Command::new("sh")
        .args(["-c", JOB])
        .current_dir(dir.path())
        .env("MLFLOW_TRACKING_URI", server)
        .env("PYTHON", python())
        .env("SCRIPT", script("slow_trace.py"))
        .env("MLT", assert_cmd::cargo::cargo_bin("mlt"))
        .output()
        .unwrap();
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{stderr}\n{}\n{}",
        read("check.jsonl"),
        read("log.txt")
    );
    assert!(stderr.contains("note: waiting for traces"), "{stderr}");
    let rules: Vec<Value> = read("check.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rules.len(), 4);
    assert!(rules.iter().all(|rule| rule["passed"] == true), "{rules:?}");
}

#[test]
fn the_examples_of_the_reference_do_what_it_says() {
    let reference = mlt().run("help rules").ok().to_owned();
    let mut looked_at = 0;
    for line in reference.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        let Some((rule, said)) = line.strip_prefix("    ").and_then(|l| l.split_once("-> ")) else {
            continue;
        };
        let outcome = demo(&[rule.trim()]).run("");
        let code = i32::from(said != "passes");
        assert_eq!(outcome.code, Some(code), "{rule}: {outcome}");
        assert_eq!(outcome.stderr, "", "{rule}");
        looked_at += 1;
    }
    assert!(looked_at >= 12, "{looked_at}");
}

#[test]
fn rules_may_follow_one_another_and_ids_may_follow_rules() {
    let rules = ["count() = 1", "count(span) > 0"];
    let each = on("demo:", &rules).run("latest");
    assert_eq!(each.code, Some(0), "{each}");
    let at_once = |words: &str| {
        let mut words: Vec<&str> = words.split(' ').collect();
        let place = words.iter().position(|word| *word == "RULES").unwrap();
        words.splice(place..=place, rules);
        mlt().on("demo:").args(["check"]).args(words).run("")
    };
    for words in ["latest --require RULES", "--require RULES latest"] {
        assert_eq!(at_once(words).ok(), each.stdout, "{words}");
    }
    let all = at_once("--all --require RULES");
    assert!(all.stdout.contains("failed"), "{all}");
}
