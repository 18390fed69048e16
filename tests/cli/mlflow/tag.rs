//! `mlt tag` on a real MLflow server. Each test has tags of its own, so that
//! they can run side by side.

use serde_json::{Value, json};

use crate::support::mlflow::current;
use crate::support::{Mlt, mlt};

fn on_server() -> Mlt {
    mlt().on(current().uri())
}

fn tags(id: &str) -> Value {
    on_server().run(&format!("get {id} -o json")).json()["info"]["tags"].clone()
}

fn some_ids(count: usize, skip: usize) -> Vec<String> {
    let list = on_server()
        .run("search -x many --all --order-by trace_id -o ids")
        .stdout;
    list.lines()
        .skip(skip)
        .take(count)
        .map(str::to_owned)
        .collect()
}

#[test]
fn tags_are_set_replaced_and_deleted() {
    let id = &some_ids(1, 0)[0];
    let set = on_server()
        .args([
            "tag",
            id,
            "t1.a=one",
            "t1 b=two = 2 'q' \"Q\" é🛒",
            "t1:c/d=",
        ])
        .run("");
    assert_eq!(set.ok().lines().count(), 1);
    let now = tags(id);
    assert_eq!(
        (&now["t1.a"], &now["t1 b"], &now["t1:c/d"]),
        (&json!("one"), &json!("two = 2 'q' \"Q\" é🛒"), &json!(""))
    );
    on_server()
        .args([
            "tag",
            id,
            "t1.a=three",
            "--delete",
            "t1 b",
            "--delete",
            "t1:c/d",
        ])
        .run("")
        .ok();
    let now = tags(id);
    assert_eq!(
        (&now["t1.a"], &now["t1 b"], &now["t1:c/d"]),
        (&json!("three"), &Value::Null, &Value::Null)
    );
    let again = on_server().args(["tag", id, "--delete", "t1 b"]).run("");
    assert_eq!(
        again.ok(),
        format!("{id}  nothing to change: -t1 b (not there)\n")
    );
    let partly = on_server()
        .args(["tag", id, "t1.a=three", "t1.d=new", "--delete", "t1 b"])
        .run("");
    assert_eq!(
        partly.ok(),
        format!("{id}  t1.a=three (as it is), t1.d=new, -t1 b (not there)\n")
    );
}

#[test]
fn a_dry_run_changes_nothing() {
    let id = &some_ids(1, 1)[0];
    let env = tags(id)["env"].as_str().unwrap().to_owned();
    let outcome = on_server().run(&format!("tag {id} t2=x --delete env --dry-run"));
    assert_eq!(
        outcome.ok(),
        format!("{id}  would change: t2=x (new), -env (was {env})\n")
    );
    assert_eq!(tags(id)["t2"], Value::Null);
    assert_ne!(tags(id)["env"], Value::Null);
}

#[test]
fn a_dry_run_looks_the_traces_up() {
    let run = |words: &str| mlt().on("demo:").run(&format!("tag {words} --dry-run"));
    let read_only = "note: without --dry-run this fails: the demo store has no tags to change: it is read-only\n";
    let latest = run("latest env=dev team=support new=1 --delete release --delete gone");
    assert_eq!((latest.code, latest.stderr.as_str()), (Some(0), read_only));
    assert_eq!(
        latest.stdout,
        "tr-3934c478c5bc2986bd6071d4c2c32e3e  would change: env=dev (was prod), \
         team=support (as it is), new=1 (new), -release (was 2026.11.2), -gone (not there)\n"
    );
    let same = run("latest env=prod");
    assert!(
        same.stdout
            .ends_with("  nothing to change: env=prod (as it is)\n"),
        "{same}"
    );

    let unknown = "tr-00000000000000000000000000000000";
    let alone = run(&format!("{unknown} a=b"));
    insta::assert_snapshot!(alone.fails(3), @"
    note: without --dry-run this fails: the demo store has no tags to change: it is read-only
    error: no trace `tr-00000000000000000000000000000000` in the demo store
    hint: `mlt search` lists traces
    ");
    let among_others = run(&format!("nosuch latest tr-00000 {unknown} a=b"));
    insta::assert_snapshot!(among_others, @"
    tr-3934c478c5bc2986bd6071d4c2c32e3e  would change: a=b (new)
    --- stderr
    note: without --dry-run this fails: the demo store has no tags to change: it is read-only
    warning: tr-00000: no trace `tr-00000` in the demo store
    warning: nosuch: no trace `nosuch` in the demo store
    warning: tr-00000000000000000000000000000000: no trace `tr-00000000000000000000000000000000` in the demo store
    error: 3 of 4 traces cannot be tagged
    hint: `mlt search` lists traces
    --- exit 3
    ");

    let found = run("--name checkout env=dev -o jsonl").json_lines();
    assert_eq!(found.len(), 6);
    for line in found {
        assert_eq!(line["status"], "would_change");
        let env = line["before"]["env"].as_str().unwrap();
        assert!(["prod", "staging"].contains(&env), "{line}");
    }
    let csv = run("--name checkout env=dev -o csv");
    assert_eq!(csv.lines()[0], "trace_id,status,error,changes");
    assert!(
        csv.stdout.contains(",would_change,,env=dev (was prod)\n"),
        "{csv}"
    );
    let none = run("--name nobody env=dev");
    assert_eq!(none.code, Some(0), "{none}");
    assert!(none.stderr.contains("note: no traces match\n"), "{none}");
}

#[test]
fn results_come_one_for_each_trace() {
    let ids = some_ids(30, 10);
    let lines = on_server()
        .stdin(ids.join("\n"))
        .run("tag - t3=x -o jsonl")
        .json_lines();
    let told: Vec<&str> = lines
        .iter()
        .map(|line| line["trace_id"].as_str().unwrap())
        .collect();
    assert_eq!(told, ids);
    assert!(
        lines
            .iter()
            .all(|line| line["status"] == "changed" && line["set"] == json!({"t3": "x"}))
    );
    let found = on_server().run("search -x many --tag t3=x --all -o ids");
    assert_eq!(found.lines().len(), 30);
    let csv = on_server().run(&format!("tag {} --delete t3 -o csv", ids.join(" ")));
    assert_eq!(csv.lines()[0], "trace_id,status,error");
    assert_eq!(csv.lines().len(), 31);
    let none = on_server().run("search -x many --tag t3=x --count");
    assert_eq!(none.stdout, "0\n");
    let json = on_server()
        .run(&format!("tag {} t3=y -o json", ids[0]))
        .json();
    assert_eq!((&json["changed"], &json["failed"]), (&json!(1), &json!(0)));
}

#[test]
fn a_filter_chooses_the_traces() {
    let before = on_server()
        .run("search -x many --status ERROR --tag team=search --all -o ids")
        .stdout;
    let outcome = on_server().run("tag -x many --status ERROR --tag team=search t4=seen --yes");
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let tagged = on_server()
        .run("search -x many --tag t4=seen --all -o ids")
        .stdout;
    assert_eq!(tagged, before);
    let count = before.lines().count();
    assert_eq!(outcome.stderr, format!("note: changed {count} traces\n"));
    let again = on_server().run("tag -x many --tag t4=seen t4=seen --yes -o json");
    let said = format!("note: changed 0 of {count} traces ({count} had it already)\n");
    assert_eq!(again.stderr, said);
    let again = again.json();
    assert_eq!(
        (&again["changed"], &again["unchanged"], &again["failed"]),
        (&json!(0), &json!(count), &json!(0))
    );
    assert_eq!(again["results"][0]["status"], "unchanged");
    assert_eq!(again["results"][0]["before"], json!({"t4": "seen"}));
    let gone = on_server().run("tag -x many --tag t4=seen --delete t4.gone --yes");
    let said = format!("note: changed 0 of {count} traces ({count} did not have it)\n");
    assert_eq!(gone.stderr, said);
    let first = gone.stdout.lines().next().unwrap();
    assert!(
        first.ends_with("  nothing to change: -t4.gone (not there)"),
        "{gone}"
    );
    // Nobody can be asked here, and tags can be taken back.
    let unasked = on_server().run("tag -x many --tag t4=seen t4.b=x");
    assert_eq!(unasked.code, Some(0), "{unasked}");
    let tagged = on_server().run("search -x many --tag t4.b=x --count");
    assert_eq!(tagged.stdout, format!("{count}\n"));
    let nothing = on_server().run("tag -x many --name nobody t4=x --yes");
    assert_eq!(nothing.code, Some(0), "{nothing}");
    assert!(
        nothing.stderr.starts_with("note: no traces match\n"),
        "{nothing}"
    );
}

#[test]
fn a_failure_does_not_stop_the_rest_and_a_repetition_finishes_it() {
    let ids = some_ids(2, 50);
    let unknown = "tr-00000000000000000000000000000000";
    let words = format!("tag {} {unknown} {} t5=x -o jsonl", ids[0], ids[1]);
    for (state, said) in [
        ("changed", "changed 2 traces"),
        ("unchanged", "changed 0 of 2 traces (2 had it already)"),
    ] {
        let outcome = on_server().run(&words);
        assert_eq!(outcome.code, Some(3), "{outcome}");
        let states: Vec<Value> = outcome
            .lines()
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["status"].clone())
            .collect();
        assert_eq!(states, [state, "failed", state]);
        let said = format!("note: {said}\nerror: 1 of 3 traces cannot be tagged\n");
        assert!(outcome.stderr.starts_with(&said), "{outcome}");
    }
    assert_eq!(tags(&ids[1])["t5"], "x");
    let alone = on_server().run(&format!("tag {unknown} t5=x"));
    assert_eq!(alone.code, Some(3), "{alone}");
    let delete = on_server().run(&format!("tag {unknown} --delete t5"));
    assert_eq!(delete.code, Some(3), "{delete}");
}

#[test]
fn however_an_unknown_id_looks_the_others_are_tagged() {
    let good = &some_ids(1, 55)[0];
    let whole = "tr-00000000000000000000000000000000";
    let unknown = ["nope", "tr-00000", "0000000", whole];
    for (at, word) in unknown.iter().enumerate() {
        let tag = format!("t7.{at}=x");
        let outcome = on_server().args(["tag", word, &tag, good]).run("");
        assert_eq!(outcome.code, Some(3), "{outcome}");
        assert_eq!(outcome.stdout, format!("{good}  {tag}\n"));
        assert_eq!(outcome.stderr.matches("no trace `").count(), 1, "{outcome}");
        assert!(
            outcome.stderr.ends_with(
                "error: 1 of 2 traces cannot be tagged\nhint: `mlt search` lists traces\n"
            ),
            "{outcome}"
        );
        assert_eq!(tags(good)[format!("t7.{at}")], "x", "{word}");
        let alone = on_server().args(["tag", word, &tag]).run("");
        assert_eq!(alone.code, Some(3), "{alone}");
        let said = format!("{}{}", alone.stdout, alone.stderr);
        assert_eq!(said.matches("no trace `").count(), 1, "{alone}");
    }
    let lines = on_server()
        .args(["tag", unknown[0], unknown[1], good, "t7=x", "-o", "jsonl"])
        .run("");
    assert_eq!((lines.code, lines.lines().len()), (Some(3), 3), "{lines}");
    assert!(!lines.stderr.contains("no trace"), "{lines}");
}

#[test]
fn what_cannot_be_a_tag_is_refused_before_anything_is_sent() {
    let id = &some_ids(1, 60)[0];
    let long = format!("{}=x", "k".repeat(251));
    let huge = format!("t6={}", "v".repeat(8001));
    for (words, code, said) in [
        (vec!["tag", id, "a\"b=x"], 2, "holds `\"`"),
        (vec!["tag", id, "a/../b=x"], 2, "looks like a path"),
        (vec!["tag", id, "=x"], 2, "expected KEY=VALUE"),
        (vec!["tag", id, &long], 2, "251 characters"),
        (vec!["tag", id, &huge], 2, "8001 characters"),
        (
            vec!["tag", id, "mlflow.artifactLocation=x"],
            2,
            "MLflow's own",
        ),
        (vec!["tag", id, "a=1", "a=2"], 2, "named twice"),
        (vec!["tag", id, "a=1", "--delete", "a"], 2, "named twice"),
        (vec!["tag", id], 2, "expected a tag"),
        (
            vec!["tag", "a=1"],
            2,
            "expected trace ids or a filter, found neither",
        ),
        (vec!["tag", id, "a=1", "--status", "OK"], 2, "found both"),
        (
            vec!["tag", "-f", "", "a=1", "-y"],
            2,
            "would match every trace",
        ),
        (
            vec!["tag", id, "feedback.x=1"],
            2,
            "`feedback.x` is feedback, which is no tag",
        ),
        (
            vec!["tag", id, "feedback.x=1"],
            2,
            "write `mlt assess TRACE x=…`",
        ),
        (vec!["tag", id, "tags.env=prod"], 2, "write env=…"),
    ] {
        let outcome = on_server().args(&words).run("");
        assert!(outcome.fails(code).contains(said), "{words:?}: {outcome}");
    }
    assert_eq!(tags(id)["a"], Value::Null);
}

#[test]
fn the_demo_store_says_that_it_is_read_only() {
    let outcome = mlt().on("demo:").run("tag latest a=b");
    insta::assert_snapshot!(outcome.fails(2), @r"
    error: the demo store has no tags to change: it is read-only
    hint: set a tracking URI to change real traces
    ");
}
