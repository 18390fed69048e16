//! `mlt get` on a real MLflow server, beside what MLflow's own client reads.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::support::mlflow::{Seeded, current, on_server};
use crate::support::venv;

fn case(name: &str) -> &'static str {
    current().case(name)
}

fn get(id: &str) -> Value {
    on_server().run(&format!("get {id} -o json")).json()
}

/// What `mlflow.get_trace` gives for each id.
fn through_python(seeded: &Seeded, version: &str, ids: &[&str]) -> Vec<Value> {
    let mut child = Command::new(venv::python(version))
        .arg(venv::scripts().join("dump_traces.py"))
        .args(["--tracking-uri", seeded.uri()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(ids.join("\n").as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn hex(text: &str) -> String {
    let raw = base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap();
    raw.iter()
        .flat_map(|b| [b >> 4, b & 15])
        .filter_map(|d| char::from_digit(d.into(), 16))
        .collect()
}

/// Python's form with hex ids, by whose prefix it reads them itself, without what a REST
/// client cannot know.
fn with_hex_ids(mut trace: Value) -> Value {
    for span in trace["data"]["spans"].as_array_mut().unwrap() {
        for key in ["trace_id", "span_id", "parent_span_id"] {
            if let Some(text) = span[key].as_str() {
                let prefix = if key == "trace_id" { "tr-" } else { "" };
                span[key] = json!(format!("{prefix}{}", hex(text)));
            }
        }
        if span["end_time_unix_nano"] == 0 {
            span["end_time_unix_nano"] = Value::Null;
        }
    }
    trace
}

/// mlt's form without the keys of its own.
fn without_own_keys(mut trace: Value) -> Value {
    for key in ["spans_included", "duration_ns", "link"] {
        trace.as_object_mut().unwrap().remove(key);
    }
    for span in trace["data"]["spans"].as_array_mut().unwrap() {
        for key in ["duration_ns", "type", "inputs", "outputs"] {
            span.as_object_mut().unwrap().remove(key);
        }
    }
    trace
}

#[test]
fn json_is_what_mlflows_own_client_reads_with_ids_in_hex() {
    let mut all: Vec<String> = Vec::new();
    for experiment in ["shop-assistant", "nightly-evals"] {
        let list = on_server().run(&format!("search -x {experiment} --all -o ids"));
        all.extend(list.ok().lines().map(str::to_owned));
    }
    all.push(case("detached").to_owned());
    all.push(case("recursion").to_owned());
    let ids: Vec<&str> = all.iter().map(String::as_str).collect();
    let ours = on_server()
        .stdin(ids.join("\n"))
        .run("get - -o jsonl")
        .json_lines();
    let theirs = through_python(current(), "3.17.2", &ids);
    assert_eq!(ours.len(), ids.len());
    for (ours, theirs) in ours.into_iter().zip(theirs) {
        let (mut ours, mut theirs) = (without_own_keys(ours), with_hex_ids(theirs));
        // Python's client adds what the server leaves out, and rewrites assessments.
        for side in [&mut ours, &mut theirs] {
            let info = side["info"].as_object_mut().unwrap();
            info.remove("assessments");
            info.retain(|_, value| !value.is_null());
        }
        assert_eq!(ours, theirs);
    }
}

#[test]
fn every_instrumentation_gives_a_whole_tree() {
    let list =
        on_server().run("search -x shop-assistant -x nightly-evals --all --include-spans -o jsonl");
    let traces = list.json_lines();
    let mut types = std::collections::BTreeSet::new();
    for trace in &traces {
        let id = trace["info"]["trace_id"].as_str().unwrap();
        let text = on_server().run(&format!("get {id}"));
        assert_eq!(text.code, Some(0), "{text}");
        for span in trace["data"]["spans"].as_array().unwrap() {
            types.insert(span["type"].as_str().unwrap().to_owned());
            assert!(
                text.stdout.contains(span["span_id"].as_str().unwrap()),
                "{text}"
            );
        }
    }
    for kind in [
        "CHAT_MODEL",
        "TOOL",
        "RETRIEVER",
        "CHAIN",
        "AGENT",
        "UNKNOWN",
    ] {
        assert!(types.contains(kind), "{kind} in {types:?}");
    }
}

#[test]
fn a_trace_is_found_by_whatever_people_have_of_it() {
    let id = case("wide");
    let link = format!("http://other:1/#/experiments/1/traces?selectedEvaluationId={id}&tab=2");
    for word in [id, &id[3..], &id[..14], &id[3..14], &link] {
        let found = on_server().args(["get", word, "-o", "json"]).run("").json();
        assert_eq!(found["info"]["trace_id"], id, "{word}");
    }
    let newest = on_server().run("search -n 1 -o ids").stdout;
    let latest = on_server().run("get latest -o json").json();
    assert_eq!(latest["info"]["trace_id"], newest.trim());
    let newest_of_many = on_server().run("search -x many -n 1 -o ids").stdout;
    let latest_of_many = on_server().run("get latest -x many -o json");
    assert!(
        latest_of_many.stdout.contains(newest_of_many.trim()),
        "{latest_of_many}"
    );
}

#[test]
fn what_names_no_trace_is_not_found() {
    let unknown = on_server().run("get tr-00000000000000000000000000000000");
    assert!(
        unknown
            .fails(3)
            .starts_with("error: no trace `tr-00000000000000000000000000000000` in 127.0.0.1:")
    );
    let prefix = on_server().run("get tr-0000000000");
    assert!(
        prefix.fails(3).contains("no trace `tr-0000000000`"),
        "{prefix}"
    );
    let link = on_server().run("get http://h/#/experiments/1");
    assert!(link.fails(2).contains("no trace id in the link"), "{link}");
    let ambiguous = on_server().run("get tr-");
    assert_ne!(ambiguous.code, Some(0));
}

#[test]
fn an_id_is_found_beside_those_that_begin_with_it() {
    let folder = tempfile::TempDir::new().unwrap();
    let ids = [
        "tr-abc",
        "tr-abcd",
        "tr-abcde",
        "tr-ab1",
        "abcd",
        "tr-AB",
        "trace:/c.s/abc",
        "tr-12",
    ];
    let line = |id: &&str| {
        format!("{{\"info\": {{\"trace_id\": \"{id}\"}}, \"data\": {{\"spans\": []}}}}\n")
    };
    let mut text: String = ids.iter().map(line).collect();
    // More than are listed, and one that cannot be read.
    text.extend((10..20).map(|n| line(&format!("tr-abc{n}").as_str())));
    text.push_str("{\"info\": {\"trace_id\": \"tr-1\"}, \"data\": {\"spans\": 7}}\n");
    let file = folder.path().join("a.jsonl");
    std::fs::write(&file, text).unwrap();
    let get = |id: &str| {
        crate::support::mlt()
            .args(["-u", file.to_str().unwrap(), "get", id, "-o", "json"])
            .run("")
    };
    for (typed, expected) in [
        ("tr-abc", "tr-abc"),
        ("tr-ABC", "tr-abc"),
        ("tr-abcd", "tr-abcd"),
        ("abcd", "abcd"),
        ("tr-AB", "tr-AB"),
        ("trace:/c.s/abc", "trace:/c.s/abc"),
        ("tr-ab1", "tr-ab1"),
    ] {
        assert_eq!(get(typed).json()["info"]["trace_id"], expected, "{typed}");
    }
    get("tr-a").fails(2);
    let broken = get("tr-1");
    assert!(broken.fails(6).contains("tr-1"), "{broken}");
}

#[test]
fn an_ambiguous_beginning_lists_candidates() {
    let list = on_server().run("search --all -o ids").stdout;
    let mut ids: Vec<&str> = list.lines().collect();
    ids.sort_unstable();
    let (one, two) = ids
        .windows(2)
        .map(|pair| (pair[0], pair[1]))
        .max_by_key(|(a, b)| a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count())
        .unwrap();
    let shared = one
        .bytes()
        .zip(two.bytes())
        .take_while(|(x, y)| x == y)
        .count();
    let outcome = on_server().run(&format!("get {}", &one[..shared]));
    let said = outcome.fails(2);
    assert!(
        said.contains("is the beginning of more than one trace id"),
        "{said}"
    );
    assert!(said.contains(one) && said.contains(two), "{said}");
}

#[test]
fn some_traces_may_be_missing_but_not_silently() {
    for unknown in ["tr-00000000000000000000000000000000", "tr-00000000"] {
        let (one, other) = (case("deep"), case("wide"));
        let outcome = on_server().run(&format!("get {one} {unknown} {other} -o json"));
        assert_eq!(outcome.code, Some(3), "{outcome}");
        let document: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(document["traces"].as_array().unwrap().len(), 2);
        assert_eq!(document["truncated"], true);
        assert!(outcome.stderr.contains(unknown), "{outcome}");
    }
}

#[test]
fn one_span_is_shown_in_full() {
    let list = on_server()
        .run("search -x shop-assistant --span-type RETRIEVER -n 1 -o ids")
        .stdout;
    let id = list.trim();
    let trace = get(id);
    let span = trace["data"]["spans"]
        .as_array()
        .unwrap()
        .iter()
        .find(|span| span["type"] == "RETRIEVER")
        .unwrap();
    let (name, span_id) = (
        span["name"].as_str().unwrap(),
        span["span_id"].as_str().unwrap(),
    );
    let by_id = on_server().args(["get", id, "--span", span_id]).run("");
    let by_name = on_server().args(["get", id, "--span", name]).run("");
    assert!(by_name.stdout.contains(by_id.ok().lines().next().unwrap()));
    let document = span["outputs"][0]["page_content"].as_str().unwrap();
    assert!(by_id.stdout.contains(document), "{by_id}");
    let json = on_server()
        .args(["get", id, "--span", span_id, "-o", "json"])
        .run("")
        .json();
    assert_eq!(json["data"]["spans"], json!([span]));
    let missing = on_server()
        .args(["get", id, "--span", &format!("{name}x")])
        .run("");
    assert!(
        missing
            .fails(3)
            .contains(&format!("did you mean `{name}`?")),
        "{missing}"
    );
}

#[test]
fn inputs_and_outputs_are_shown_whole_or_cut_with_a_note() {
    let list = on_server()
        .run("search -x shop-assistant --name rag-answer -n 1 -o ids")
        .stdout;
    let id = list.trim();
    let plain = on_server().run(&format!("get {id}")).stdout;
    let whole = on_server().run(&format!("get {id} --io")).stdout;
    let cut = on_server()
        .run(&format!("get {id} --io --max-chars 10"))
        .stdout;
    assert!(whole.len() > cut.len() && cut.len() > plain.len());
    assert!(cut.contains("more characters"), "{cut}");
    let json = on_server()
        .run(&format!("get {id} --max-chars 10 -o json"))
        .json();
    assert_eq!(json["truncated"], true);
    assert_eq!(get(id)["truncated"], Value::Null);
}

#[test]
fn spans_are_selected_by_error_type_and_depth() {
    let list = on_server()
        .run("search -x shop-assistant --name support-agent --status ERROR -n 1 -o ids")
        .stdout;
    let id = list.trim();
    let spans = |words: &str| {
        let trace = on_server().run(&format!("get {id} -o json {words}")).json();
        trace["data"]["spans"].as_array().unwrap().clone()
    };
    let all = spans("");
    let failed = spans("--errors");
    assert!(!failed.is_empty() && failed.len() < all.len());
    assert!(
        failed
            .iter()
            .all(|s| s["status"]["code"] == "STATUS_CODE_ERROR")
    );
    assert!(spans("--type tool").iter().all(|s| s["type"] == "TOOL"));
    assert_eq!(spans("--depth 1").len(), 1);
    assert_eq!(spans("--depth 99"), all);
    let shallow = on_server().run(&format!("get {id} --depth 1")).stdout;
    assert!(shallow.contains("below"), "{shallow}");
    let errors = on_server().run(&format!("get {id} --errors")).stdout;
    assert!(errors.contains("✗"), "{errors}");
}

#[test]
fn deep_and_wide_traces_are_drawn_whole() {
    for (name, spans) in [("deep", 120), ("wide", 401)] {
        let trace = get(case(name));
        let ids: Vec<&str> = trace["data"]["spans"]
            .as_array()
            .unwrap()
            .iter()
            .map(|span| span["span_id"].as_str().unwrap())
            .collect();
        assert!(ids.len() >= spans - 1, "{name} has {}", ids.len());
        let piped = on_server().run(&format!("get {}", case(name))).stdout;
        assert!(ids.iter().all(|id| piped.contains(id)), "{name}");
        for width in [40, 80, 200] {
            let drawn = on_server()
                .terminal(width)
                .run(&format!("get {} --color never", case(name)));
            for line in drawn.lines() {
                assert!(
                    unicode_width::UnicodeWidthStr::width(line) <= width,
                    "{name} {width}: {line}"
                );
            }
        }
    }
}

#[test]
fn traces_without_spans_in_progress_or_without_duration_are_shown() {
    let empty = on_server().run(&format!("get {}", case("no-spans")));
    assert!(empty.ok().contains("no spans"), "{empty}");
    assert_eq!(get(case("no-spans"))["data"]["spans"], json!([]));
    let latency = on_server().run(&format!("latency {}", case("no-spans")));
    assert!(latency.fails(3).contains("has no spans"), "{latency}");

    let progress = on_server().run(&format!("get {}", case("in-progress")));
    assert_eq!(progress.code, Some(0));
    assert!(progress.stdout.contains("IN_PROGRESS"), "{progress}");

    let zero = on_server()
        .run(&format!("latency {} -o json", case("zero-duration")))
        .json();
    assert_eq!(zero["total_ns"], 0);
    assert!(
        zero["rows"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["self_ratio"].is_null())
    );
}

#[test]
fn spans_that_only_the_artifact_holds_are_found() {
    let trace = get(case("odd-attributes"));
    assert_eq!(
        trace["info"]["tags"]["mlflow.trace.spansLocation"],
        Value::Null
    );
    assert!(!trace["data"]["spans"].as_array().unwrap().is_empty());
}

#[test]
fn values_that_are_not_json_stay_text() {
    let trace = get(case("not-a-number"));
    let text = serde_json::to_string(&trace).unwrap();
    assert!(text.contains("NaN"), "{text}");
}

#[test]
fn spans_come_as_csv_under_one_line_of_heads() {
    let outcome = on_server().run(&format!(
        "get {} {} -o csv",
        case("recursion"),
        case("detached")
    ));
    let mut reader = csv::Reader::from_reader(outcome.stdout.as_bytes());
    let heads = reader.headers().unwrap().clone();
    assert_eq!(heads.iter().next(), Some("trace_id"));
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert!(rows.iter().any(|row| &row[0] == case("recursion")));
    assert!(rows.iter().any(|row| &row[0] == case("detached")));
    assert!(rows.iter().all(|row| &row[0] != "trace_id"));
}
