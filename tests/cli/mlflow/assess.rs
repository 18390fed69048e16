//! Feedback and expectations given to traces on a server and in MLflow's folders, as
//! MLflow reads them.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::mlflow::{file_store, of_its_own, old, python, rich};
use crate::support::mlt;

/// Prints the assessments of a trace that `t` stands for, a line of JSON each.
const TELL: &str = "
import json
for a in sorted(t.info.assessments, key=lambda a: (a.create_time_ms, a.name)):
    print(json.dumps([a.name, a.value, a.source.source_type, a.source.source_id, a.rationale,
                      a.metadata, a.span_id, a.valid is not False, bool(a.overrides)]))
";

fn told(text: &str) -> Vec<Value> {
    let lines = text.lines().filter(|line| line.starts_with('['));
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn values(told: &[Value], name: &str) -> Vec<(Value, bool)> {
    let named = told.iter().filter(|it| it[0] == name);
    named.map(|it| (it[1].clone(), it[7] == true)).collect()
}

#[test]
fn a_server_keeps_what_was_said() {
    let seeded = of_its_own("3.17.2");
    let on = || mlt().on(seeded.uri()).env("USER", "ann");
    let id = on()
        .run("search -x shop-assistant -n 1 -o ids")
        .ok()
        .trim()
        .to_owned();
    let mlflow = || {
        let program = format!(
            "import mlflow\nmlflow.set_tracking_uri('{}')\nt = mlflow.get_trace('{id}')\n{TELL}",
            seeded.uri()
        );
        let output = Command::new(python())
            .args(["-c", &program])
            .output()
            .unwrap();
        told(&String::from_utf8(output.stdout).unwrap())
    };
    let before = mlflow().len();
    let why = "because é\n'q'";
    let made = on()
        .args([
            "assess",
            &id,
            "helpful=0.7",
            "ok=true",
            "said=it's",
            "--rationale",
            why,
        ])
        .args([
            "--set-metadata",
            "a=b",
            "--source",
            "llm:gpt",
            "-o",
            "jsonl",
        ])
        .run("")
        .json_lines();
    assert_eq!(made[0]["status"], "changed");
    assert_eq!(made[0]["assessments"][0]["value"], 0.7);
    on().args([
        "assess",
        &id,
        "plan={\"days\": [3]}",
        "answer=30 days",
        "--expectation",
    ])
    .run("")
    .ok();
    let all = mlflow();
    assert_eq!(all.len(), before + 5);
    let helpful = all.iter().find(|it| it[0] == "helpful").unwrap();
    let expected = json!(["helpful", 0.7, "LLM_JUDGE", "gpt", why, {"a": "b"}, null, true, false]);
    assert_eq!(*helpful, expected);
    let plan = all.iter().find(|it| it[0] == "plan").unwrap();
    assert_eq!(
        (&plan[1], &plan[2], &plan[3]),
        (&json!({"days": [3]}), &json!("HUMAN"), &json!("ann"))
    );

    // Once more is one more, unless it takes the place of the other.
    on().run(&format!("assess {id} helpful=0.8 --source llm:gpt"))
        .ok();
    on().run(&format!(
        "assess {id} helpful=0.9 --source llm:gpt --replace"
    ))
    .ok();
    let same = on().run(&format!(
        "assess {id} helpful=0.9 --source llm:gpt --replace"
    ));
    assert_eq!(
        same.ok(),
        format!("{id}  nothing to change: helpful=0.9 (as it is)\n")
    );
    let now = values(&mlflow(), "helpful");
    let expected = [(json!(0.7), true), (json!(0.8), false), (json!(0.9), true)];
    assert_eq!(now, expected);
    let json = || {
        let words = ["assess", &id, r#"days={"n":[3]}"#, "--replace"];
        on().args(words).run("").ok().to_owned()
    };
    assert_eq!(json(), format!("{id}  days={{\"n\":[3]}} (new)\n"));
    let as_it_is = format!("{id}  nothing to change: days={{\"n\":[3]}} (as it is)\n");
    assert_eq!(json(), as_it_is);
    on().run(&format!("assess {id} --delete helpful --delete none"))
        .ok();
    assert_eq!(values(&mlflow(), "helpful"), [(json!(0.8), true)]);

    let unknown = "tr-00000000000000000000000000000000";
    let outcome = on().run(&format!("assess {id} {unknown} late=1"));
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert!(
        outcome.stderr.contains("1 of 2 traces cannot be assessed"),
        "{outcome}"
    );
    assert_eq!(values(&mlflow(), "late").len(), 1);
}

#[test]
fn a_folder_of_mlflow_keeps_what_was_said() {
    let store = file_store("3.17.2");
    let on = || mlt().on(&store.uri()).env("USER", "ann");
    let id = store.case("shop-3");
    let mlflow = || {
        told(&store.ask(&format!(
            "import mlflow\nt = mlflow.get_trace('{id}')\n{TELL}"
        )))
    };
    let before = mlflow().len();
    let why = "because é \u{2028}\u{1f6d2}\n'q': \"Q\" # \\ \u{7f}";
    let text = "1e3";
    on().args([
        "assess",
        id,
        "helpful=0.7",
        "large=1e20",
        "list=[1, [\"yes\", {}], null]",
    ])
    .args([&format!("text={text}"), "quoted=\"1e3\"", "date=2026-01-01"])
    .args([
        "--rationale",
        why,
        "--set-metadata",
        "yes=no: é",
        "--source",
        "code:x",
    ])
    .run("")
    .ok();
    on().args([
        "assess",
        id,
        "plan={\"days\": [3]}",
        "answer=null and void",
        "--expectation",
    ])
    .run("")
    .ok();
    let all = mlflow();
    assert_eq!(all.len(), before + 8);
    let helpful = all.iter().find(|it| it[0] == "helpful").unwrap();
    let expected = json!(["helpful", 0.7, "CODE", "x", why, {"yes": "no: é"}, null, true, false]);
    assert_eq!(*helpful, expected);
    for (name, value) in [
        ("large", json!(1e20)),
        ("list", json!([1.0, ["yes", {}], null])),
        ("text", json!(1000.0)),
        ("quoted", json!("1e3")),
        ("date", json!("2026-01-01")),
        ("plan", json!({"days": [3]})),
        ("answer", json!("null and void")),
    ] {
        assert_eq!(values(&all, name), [(value, true)], "{name}");
    }
    on().run(&format!(
        "assess {id} helpful=0.9 --source code:x --replace"
    ))
    .ok();
    assert_eq!(
        values(&mlflow(), "helpful"),
        [(json!(0.7), false), (json!(0.9), true)]
    );
    on().run(&format!("assess {id} --delete helpful")).ok();
    let all = mlflow();
    assert_eq!(values(&all, "helpful"), [(json!(0.7), true)]);
    // What mlt reads is what MLflow reads.
    let read = on().run(&format!("get {id} -o json")).json();
    assert_eq!(
        read["info"]["assessments"].as_array().unwrap().len(),
        all.len()
    );
}

#[test]
fn lines_of_a_scorer_are_assessments_of_their_traces() {
    let store = file_store("3.17.2");
    let on = || mlt().on(&store.uri()).env("USER", "ann");
    let (one, other) = (store.case("shop-3"), store.case("shop-4"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.jsonl");
    let path = path.to_str().unwrap();
    let span =
        on().run(&format!("get {one} -o json")).json()["data"]["spans"][0]["span_id"].clone();
    let lines = [
        json!({"trace_id": one, "name": "helpful", "value": 0.7, "rationale": "é"}),
        json!({"trace_id": other, "name": "helpful", "value": 0.2, "source": "human:eve", "odd": 1}),
        json!({"trace_id": one, "name": "answer", "value": {"days": 30}, "kind": "expectation",
               "metadata": {"n": 1}}),
    ];
    let text = lines.map(|line| line.to_string()).join("\n\n");
    std::fs::write(path, text).unwrap();
    let from = || on().args(["assess", "--from", path, "--source", "code:s.py"]);
    let dry = from().run("--dry-run");
    assert_eq!(
        dry.stdout,
        format!(
            "{one}  would change: helpful=0.7 (new), answer={{\"days\":30}} (new)\n\
             {other}  would change: helpful=0.2 (new)\n"
        )
    );
    assert!(dry.stderr.contains("left out of the lines: odd"), "{dry}");
    let made = from().run("");
    assert!(made.stderr.contains("changed 2 traces"), "{made}");
    let mlflow = |id: &str| {
        told(&store.ask(&format!(
            "import mlflow\nt = mlflow.get_trace('{id}')\n{TELL}"
        )))
    };
    let of = |id: &str, name: &str| mlflow(id).into_iter().find(|it| it[0] == name).unwrap();
    let source = |id: &str, name: &str| {
        let told = of(id, name);
        [2, 3].map(|at| told[at].as_str().unwrap().to_owned())
    };
    let expected = json!(["helpful", 0.7, "CODE", "s.py", "é", null, null, true, false]);
    assert_eq!(of(one, "helpful"), expected);
    assert_eq!(source(other, "helpful"), ["HUMAN", "eve"]);
    assert_eq!(of(one, "answer")[1], json!({"days": 30}));
    assert_eq!(of(one, "answer")[5], json!({"n": "1"}));

    // Again with --replace there is nothing to do, and named traces are the only ones.
    let again = from().run("--replace");
    assert!(
        again
            .stderr
            .contains("changed 0 of 2 traces (2 were so already)"),
        "{again}"
    );
    let narrowed = on()
        .args(["assess", "-", "--from", path])
        .stdin(other)
        .run("");
    assert!(
        narrowed.stderr.contains("left out 1 trace of the file"),
        "{narrowed}"
    );
    assert_eq!(values(&mlflow(other), "helpful").len(), 2);
    assert_eq!(values(&mlflow(one), "helpful").len(), 1);

    // What `--list` tells can be said again, of a span too, from standard input.
    let listed = json!({"trace_id": one, "name": "tone", "value": "calm", "kind": "feedback",
        "assessment_id": "a-1", "source_type": "LLM_JUDGE", "source_id": "gpt", "span_id": span,
        "time": "2026-11-22T00:00:00Z", "valid": true, "overrides": null, "error": null});
    let said = on().stdin(listed.to_string()).run("assess --from -");
    assert!(!said.stderr.contains("left out"), "{said}");
    assert_eq!(source(one, "tone"), ["LLM_JUDGE", "gpt"]);
    assert_eq!(of(one, "tone")[6], span);
}

#[test]
fn one_bad_line_of_a_scorer_changes_nothing() {
    let store = file_store("3.17.2");
    let on = || mlt().on(&store.uri());
    let id = store.case("shop-3");
    let good = json!({"trace_id": id, "name": "late", "value": 1}).to_string();
    for (line, said) in [
        (
            "nonsense",
            "standard input line 2: expected a JSON object, found `nonsense`",
        ),
        ("{\"a\": ", "standard input line 2: the line breaks off"),
        (r#"{"name": "x", "value": 1}"#, "missing field `trace_id`"),
        (
            r#"{"trace_id": "tr-1", "name": "x"}"#,
            "missing field `value`",
        ),
        (
            r#"{"trace_id": "latest", "name": "x", "value": 1}"#,
            "expected the id of a trace",
        ),
        (
            r#"{"trace_id": "tr-1", "name": "", "value": 1}"#,
            "is empty",
        ),
        (
            r#"{"trace_id": "tr-1", "name": "x", "value": null}"#,
            "null says nothing",
        ),
        (
            r#"{"trace_id": "tr-1", "name": "x", "value": 1, "kind": "y"}"#,
            "expected feedback or",
        ),
        (
            r#"{"trace_id": "tr-1", "name": "x", "value": 1, "source": "y"}"#,
            "expected human, code",
        ),
    ] {
        let outcome = on()
            .stdin(format!("{good}\n{line}\n"))
            .run("assess --from -");
        assert!(outcome.fails(2).contains(said), "{line}: {outcome}");
    }
    let listed = on()
        .run(&format!("assess --list {id} -o jsonl"))
        .json_lines();
    assert!(listed.iter().all(|row| row["name"] != "late"), "{listed:?}");
    // A trace that is not there is its own matter.
    let unknown = r#"{"trace_id": "tr-00000000000000000000000000000000", "name": "x", "value": 1}"#;
    let outcome = on()
        .stdin(format!("{unknown}\n{good}"))
        .run("assess --from -");
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert!(
        outcome.stderr.contains("1 of 2 traces cannot be assessed"),
        "{outcome}"
    );
    let nowhere = on().run("assess --from /nowhere/x.jsonl");
    assert!(
        nowhere.fails(6).contains("cannot read /nowhere/x.jsonl"),
        "{nowhere}"
    );
}

#[test]
fn the_assessments_there_are_are_listed() {
    let on = || mlt().on("demo:");
    insta::assert_snapshot!(on().run("assess --list latest").ok(), @"
    TRACE ID                             NAME  KIND      VALUE     SOURCE                 RATIONALE  NOTE
    tr-3934c478c5bc2986bd6071d4c2c32e3e  tone  feedback  friendly  LLM_JUDGE gpt-4o-mini  -          -
    ");
    let neither = on().run("assess --list");
    assert!(neither.fails(2).contains("found neither"), "{neither}");
    let listed = on().run("assess --list --session chat-5f21 -o json").json();
    let rows = listed["assessments"].as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        assert!(row["name"].is_string() && row["kind"].is_string(), "{row}");
        assert!(row["source_type"].is_string(), "{row}");
        assert!(!row["value"].is_null() || !row["error"].is_null(), "{row}");
    }
    let nothing = on().run("assess --list --name nothing");
    assert!(
        nothing.stderr.contains("no traces match") && nothing.code == Some(0),
        "{nothing}"
    );
}

#[test]
fn issues_are_called_by_their_names_on_every_store() {
    let seeded = rich();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rich.jsonl");
    let exported = mlt()
        .on(seeded.uri())
        .run("-x rich search --all --include-spans -o jsonl");
    std::fs::write(&path, exported.ok()).unwrap();
    let file = path.display().to_string();
    // A file knows no names of experiments.
    let places = [
        (seeded.uri(), "rich"),
        (&seeded.database_uri(), "rich"),
        (&file, "6"),
    ];
    for (uri, experiment) in places {
        let on = || mlt().on(uri).args(["-x", experiment]);
        let column = on().run("search --all -o csv --columns trace_id,assessments,issue.id");
        let line = column
            .lines()
            .into_iter()
            .find(|line| line.contains("issue="));
        let line = line.unwrap_or_else(|| panic!("{uri}: {column}")).to_owned();
        assert!(
            line.contains("issue=too slow") && !line.contains("=null"),
            "{line}"
        );
        let (trace, issue) = (&line[..35], line.rsplit(',').next().unwrap());
        let shown = on().run(&format!("get {trace}"));
        let wanted = format!("\nissue  too slow  LLM_JUDGE, judge/1, {issue}\n");
        assert!(shown.ok().contains(&wanted), "{shown}");
        let json = on().run(&format!("get {trace} -o json")).json();
        let all = json["info"]["assessments"].as_array().into_iter().flatten();
        let all = all.chain(json["assessments"].as_array().into_iter().flatten());
        let told: Vec<&Value> = all.filter(|one| one["assessment_name"] == issue).collect();
        assert_eq!(told.len(), 1, "{json}");
        assert_eq!(told[0]["issue"], json!({"issue_name": "too slow"}), "{uri}");
        let groups = on().run("stats count() --by assessment -o csv");
        assert!(groups.stdout.contains("\nissue,"), "{uri}: {groups}");
    }
}

#[test]
fn what_cannot_be_said_is_refused_before_anything_is_sent() {
    let on = || mlt().on("demo:");
    for (words, said) in [
        (vec!["latest"], "found none"),
        (vec!["a=1"], "found neither"),
        (vec!["latest", "=1"], "expected KEY=VALUE"),
        (vec!["latest", "a=1", "a=2"], "named twice"),
        (vec!["latest", "a=null"], "null says nothing"),
        (vec!["latest", "feedback.a=1"], "write a=…"),
        (
            vec!["latest", "a=1", "--source", "robot"],
            "expected human, code or llm",
        ),
        (vec!["latest", "a="], "`a` has no value"),
        (vec!["latest", " =1"], "is empty"),
        (
            vec!["latest", "-d", "a", "--source", "code"],
            "--source is about an assessment to make",
        ),
        (
            vec!["--name", "checkout", "a=1", "--span", "agent"],
            "--span is about one trace",
        ),
        (vec!["latest", "a=1", "--list"], "--list takes traces"),
        (
            vec!["latest", "a=1", "-d", "a"],
            "given and deleted at once",
        ),
        (
            vec!["latest", "a=1"],
            "has no assessments to change: it is read-only",
        ),
    ] {
        let outcome = on().args(["assess"]).args(&words).run("");
        assert!(outcome.fails(2).contains(said), "{words:?}: {outcome}");
    }
    let nowhere = on().run("assess latest a=1 --span nowhere");
    assert!(
        nowhere.fails(3).contains("no span `nowhere` in trace"),
        "{nowhere}"
    );
    let before = mlt().on(old().uri()).run("search -n 1 -o ids");
    let refused = mlt()
        .on(old().uri())
        .run(&format!("assess {} a=1", before.ok().trim()));
    assert!(
        refused.fails(2).contains("a release of MLflow before 3.2"),
        "{refused}"
    );
}
