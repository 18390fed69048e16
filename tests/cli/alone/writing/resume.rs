//! What an export that goes on keeps, and what it refuses to go on with.

use serde_json::Value;

use super::Folder;
use crate::support::mlt;

impl Folder {
    /// Leaves a part as a full disk does.
    fn stop(&self, words: &str) {
        let outcome = self.shell(&format!(
            "ulimit -f 400; $MLT export {words} -o jsonl --to out.jsonl"
        ));
        assert_eq!(outcome.code, Some(6), "{outcome}");
        assert!(
            self.names().contains(&"out.jsonl.part".to_owned()),
            "{outcome}"
        );
    }
}

#[test]
fn nothing_is_lost_or_repeated() {
    let folder = Folder::new();
    let whole = folder.done("export --all -o jsonl").stdout;
    folder.stop("--all");
    let part = folder.text("out.jsonl.part");
    assert!(
        whole.starts_with(&part) && !part.ends_with('\n'),
        "half a line"
    );
    let refused = folder.run("export --all -o jsonl --to out.jsonl");
    insta::assert_snapshot!(refused.fails(2), @"
    error: out.jsonl.part holds an export that was stopped
    hint: go on with it with --resume, or write anew with --force
    ");
    let resumed = folder.done("export --all -o jsonl --to out.jsonl --resume");
    let there = part.matches('\n').count();
    assert!(there > 1);
    assert!(
        resumed
            .stderr
            .contains(&format!("; {there} traces were there already")),
        "{resumed}"
    );
    assert_eq!(folder.text("out.jsonl"), whole);
    assert_eq!(folder.names(), ["out.jsonl"]);

    // A finished file gets what is new, in the place of half a line, too.
    let begin = whole.find('\n').unwrap() + 1;
    folder.put(
        "out.jsonl",
        &format!("{}{}", &whole[begin..], &whole[..100]),
    );
    let extended = folder.done("export --all -o jsonl --to out.jsonl --resume");
    assert!(extended.stderr.contains("wrote 1 trace to"), "{extended}");
    let text = folder.text("out.jsonl");
    assert_eq!(text, format!("{}{}", &whole[begin..], &whole[..begin]));
    let again = folder.run("export --all -o jsonl --to out.jsonl");
    assert!(
        again.fails(2).contains("go on with it with --resume"),
        "{again}"
    );
    assert_eq!(folder.names(), ["out.jsonl"]);
}

#[test]
fn only_the_export_that_was_stopped_is_gone_on_with() {
    let folder = Folder::new();
    folder.stop("--since 2020-01-01 --max-duration 1h");
    let part = folder.text("out.jsonl.part");
    let go_on = |words: &str| {
        let outcome = folder.run(&format!("export {words} -o jsonl --to out.jsonl --resume"));
        assert_eq!(folder.text("out.jsonl.part"), part, "{outcome}");
        let said = outcome.fails(2).to_owned();
        said.lines().next().unwrap().to_owned()
    };
    let said = [
        go_on("--all"),
        go_on("--since 2020-01-01 --max-duration 1h -n 5"),
        go_on("--since 2020-01-02 --max-duration 1h"),
        go_on("--since 2020-01-01 --max-duration 1h -x 2"),
        go_on("--since 2020-01-01 --max-duration 1h --what traces"),
        go_on("tr-3934"),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    error: out.jsonl.part is of another export: its all was not given, and this one's is true
    error: out.jsonl.part is of another export: its limit was not given, and this one's is 5
    error: out.jsonl.part is of another export: its since was "2020-01-01T00:00:00Z", and this one's is "2020-01-02T00:00:00Z"
    error: out.jsonl.part is of another export: its experiments was not given, and this one's is ["2"]
    error: out.jsonl.part is of another export: its what was "spans", and this one's is "traces"
    error: out.jsonl.part is of another export: its traces was not given, and this one's is ["tr-3934"]
    "#);
    folder.put("copy.jsonl", &folder.done("export --all -o jsonl").stdout);
    let other = mlt()
        .on("copy.jsonl")
        .within(folder.path())
        .run("export --since 2020-01-01 --max-duration 1h -o jsonl --to out.jsonl --resume");
    assert!(
        other
            .fails(2)
            .contains("its store was \"demo:\", and this one's is \"/"),
        "{other}"
    );
    folder.done("export --since 2020-01-01 --max-duration 1h -o jsonl --to out.jsonl --resume");
}

#[test]
fn lines_of_another_shape_are_no_backup() {
    let folder = Folder::new();
    folder.done("export --all -o jsonl --what traces --to traces.jsonl");
    folder.put("search.jsonl", &folder.done("search -o jsonl").stdout);
    folder.put(
        "cut.jsonl",
        &folder.done("get latest -o jsonl --max-chars 10").stdout,
    );
    folder.put("odd.jsonl", "{\"a\": 1}\n");
    folder.done("export --all -o jsonl --to spans.jsonl");
    let said: Vec<String> = ["traces", "search", "cut", "odd"]
        .map(|name| format!("--to {name}.jsonl"))
        .into_iter()
        .chain(["--what traces --to spans.jsonl".to_owned()])
        .map(|words| {
            let before = folder.names();
            let outcome = folder.run(&format!("export --all -o jsonl --resume {words}"));
            assert_eq!(folder.names(), before);
            outcome.fails(6).lines().next().unwrap().to_owned()
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"), @"
    error: line 1 of traces.jsonl is a trace without its spans
    error: line 1 of search.jsonl is a trace without its spans
    error: line 1 of cut.jsonl is a trace with texts that were cut
    error: line 1 of odd.jsonl is no trace
    error: line 1 of spans.jsonl is a trace with its spans
    ");
    let resumed = folder.done("export --all -o jsonl --what traces --to traces.jsonl --resume");
    assert!(resumed.stderr.contains("wrote 0 traces"), "{resumed}");
}

#[test]
fn what_is_kept_beside_a_part_has_no_password() {
    let folder = Folder::new();
    let slow = super::slow_server();
    let uri = slow.uri().replace("//", "//ann:pa55w0rd@");
    let mut child = folder.begin(&slow, &format!("-u {uri} export --all -o jsonl --to out"));
    let state = folder.text("out.part.state");
    super::send("TERM", &child);
    child.wait().unwrap();
    assert!(
        !state.contains("pa55w0rd") && !state.contains("ann"),
        "{state}"
    );
    let state: Value = serde_json::from_str(&state).unwrap();
    assert_eq!(state["of"]["store"], format!("{}/", slow.uri()));
}
