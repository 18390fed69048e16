//! Trace files and standard input, in every form that MLflow and mlt write, and
//! the demo store.

use std::fs;

use serde_json::Value;

use crate::support::mlflow::current;
use crate::support::{mlt, without_link};

#[test]
fn what_mlt_writes_it_reads_again_byte_by_byte() {
    let dir = tempfile::tempdir().unwrap();
    let server = || mlt().on(current().uri());
    let id = server()
        .run("search -x shop-assistant --name support-agent -n 1 -o ids")
        .stdout;
    let id = id.trim();
    let json = without_link(&server().run(&format!("get {id} -o json")).stdout);
    let lines = server()
        .run("search -x shop-assistant --all --include-spans -o jsonl")
        .stdout;
    let list = server()
        .run("search -x shop-assistant --all --include-spans -o json")
        .stdout;
    for (name, text) in [
        ("one.json", &json),
        ("many.jsonl", &lines),
        ("list.json", &list),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        let again = mlt().on(path).run(&format!("get {id} -o json"));
        assert_eq!(again.ok(), json, "{name}");
        let piped = mlt()
            .stdin(text.as_str())
            .run(&format!("-u - get {id} -o json"));
        assert_eq!(piped.ok(), json, "{name} on standard input");
        let table = mlt().on(path).run(&format!("latency {id}"));
        assert_eq!(table.ok(), server().run(&format!("latency {id}")).ok());
    }
    let all = mlt()
        .stdin(lines.as_str())
        .run("-u - search --all --include-spans -o jsonl");
    assert_eq!(all.ok(), lines);
    let all = mlt()
        .stdin(list.as_str())
        .run("-u - search --all --include-spans -o json");
    assert_eq!(all.ok(), list);
}

#[test]
fn answers_of_the_rest_interface_are_read() {
    let get = |path: &str| {
        let output = std::process::Command::new("curl")
            .args(["-sf", &format!("{}{path}", current().uri())])
            .output()
            .unwrap();
        assert!(output.status.success(), "{path}");
        String::from_utf8(output.stdout).unwrap()
    };
    let id = current().case("recursion");
    let expected = mlt()
        .on(current().uri())
        .run(&format!("latency {id} -o json --by span"))
        .json();
    for (path, suffix) in [
        (
            format!("/api/3.0/mlflow/traces/get?trace_id={id}&allow_partial=true"),
            "get",
        ),
        (
            format!("/api/3.0/mlflow/traces/batchGet?trace_ids={id}"),
            "batchGet",
        ),
        (
            format!("/ajax-api/2.0/mlflow/get-trace-artifact?request_id={id}"),
            "artifact",
        ),
    ] {
        let found = mlt()
            .stdin(get(&path))
            .run(&format!("-u - latency {id} -o json --by span"));
        let mut found = found.json();
        let mut expected = expected.clone();
        // The artifact alone has no trace info to compare with.
        for side in [&mut found, &mut expected] {
            side.as_object_mut().unwrap().remove("warnings");
        }
        assert_eq!(found, expected, "{suffix}");
    }
    let info = get(&format!("/api/3.0/mlflow/traces/{id}"));
    let outcome = mlt().stdin(info).run(&format!("-u - get {id}"));
    assert!(
        outcome.fails(3).contains("it was written without spans"),
        "{outcome}"
    );
}

#[test]
fn filters_work_on_files_as_on_the_server() {
    let server = || mlt().on(current().uri());
    let export = server()
        .run("search -x shop-assistant --all --include-spans -o jsonl")
        .stdout;
    for filter in [
        "status = 'ERROR'",
        "name LIKE 'check%' AND tags.env = 'prod'",
        "span.type = 'TOOL' AND span.status = 'ERROR'",
        "trace.text ILIKE '%KETTLE%'",
        "execution_time_ms > 1000 AND execution_time_ms < 3000",
        "metadata.`mlflow.trace.session` IS NOT NULL",
        "name IS NULL",
        "feedback.correctness >= 0.5",
        "span.attributes.mlflow.spanType LIKE '%LLM%'",
    ] {
        let words = [
            "search",
            "-x",
            "shop-assistant",
            "--all",
            "-o",
            "ids",
            "-f",
            filter,
        ];
        let expected = server().args(words).run("").stdout;
        let words = ["-u", "-", "search", "--all", "-o", "ids", "-f", filter];
        let found = mlt().stdin(export.as_str()).args(words).run("").stdout;
        assert_eq!(found, expected, "{filter}");
    }
}

#[test]
fn unreadable_files_are_errors_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    for (path, said) in [
        (
            write("empty.json", b""),
            "it is empty; expected traces as JSON",
        ),
        (write("text.json", b"not json"), "at line 1 column"),
        (
            write("cut.json", br#"{"info": {"trace_id": "tr-1""#),
            "the text ends within",
        ),
        (
            write("other.json", b"{\"a\": 1}"),
            "no trace in this object",
        ),
        (write("binary.json", b"\x89PNG\r\n\x1a\n"), "line 1"),
        (
            dir.path().join("missing.json").to_str().unwrap().to_owned(),
            "no such file or directory",
        ),
        (
            {
                let path = dir.path().join("folder.json");
                fs::create_dir(&path).unwrap();
                path.to_str().unwrap().to_owned()
            },
            "is a directory",
        ),
    ] {
        let outcome = mlt().on(&path).run("search");
        assert!(outcome.fails(6).contains(said), "{path}: {outcome}");
        assert_eq!(outcome.stderr.matches("error:").count(), 1);
    }
    let second = write("second.jsonl", b"{\"trace_id\": \"tr-1\"}\n{\"a\": 1}\n");
    let outcome = mlt().on(&second).run("search -o ids");
    assert_eq!((outcome.code, &*outcome.stdout), (Some(7), "tr-1\n"));
    assert!(outcome.stderr.contains("line 2"), "{outcome}");
}

#[test]
fn both_traces_and_ids_on_standard_input_is_a_contradiction() {
    let outcome = mlt().stdin("{}").run("-u - get -");
    assert!(
        outcome.fails(2).contains("standard input cannot hold both"),
        "{outcome}"
    );
}

#[test]
fn files_cannot_be_tagged() {
    let outcome = mlt()
        .stdin(r#"{"trace_id":"tr-1"}"#)
        .run("-u - tag tr-1 a=b");
    assert!(outcome.fails(2).contains("read-only"), "{outcome}");
}

#[test]
fn every_command_works_on_the_demo_store() {
    let demo = || mlt().on("demo:");
    let lines = demo()
        .run("search --all --include-spans -o jsonl")
        .json_lines();
    assert!(lines.len() >= 35, "{}", lines.len());
    for trace in &lines {
        let id = trace["info"]["trace_id"].as_str().unwrap();
        assert_eq!(demo().run(&format!("get {id}")).code, Some(0));
        let latency: Value =
            serde_json::from_str(&demo().run(&format!("latency {id} -o json")).stdout).unwrap();
        let critical: i64 = latency["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["critical_ns"].as_i64().unwrap())
            .sum();
        assert_eq!(critical, latency["total_ns"].as_i64().unwrap(), "{id}");
    }
    let sessions: std::collections::BTreeSet<&str> = lines
        .iter()
        .filter_map(|trace| trace["info"]["trace_metadata"]["mlflow.trace.session"].as_str())
        .collect();
    assert!(sessions.len() >= 2);
    assert!(
        lines
            .iter()
            .any(|trace| trace["info"]["assessments"].is_array())
    );
    let experiments = demo().run("search -x shop-assistant --count").stdout;
    assert_ne!(experiments.trim(), "0");
    let unknown = demo().run("search -x shop-assistent");
    assert!(
        unknown.fails(3).contains("did you mean `shop-assistant`"),
        "{unknown}"
    );
}

#[test]
fn a_stream_that_is_no_traces_is_refused_by_how_it_begins() {
    for (stream, told) in [
        ("cat /dev/urandom", "it is binary data"),
        ("cat /dev/zero", "it is binary data"),
        ("yes garbage", "no line at its beginning is JSON"),
        ("yes '<html>'", "it is HTML"),
    ] {
        for place in ["- <&0", "<(cat)"] {
            // Nothing is kept of what has no end, so that no folder for it is needed.
            let script = format!("{stream} | TMPDIR=/nonexistent \"$MLT\" search -u {place}");
            let output = assert_cmd::Command::new("bash")
                .args(["-c", &script])
                .env("MLT", env!("CARGO_BIN_EXE_mlt"))
                .env_remove("MLFLOW_TRACKING_URI")
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(6), "{script}: {said}");
            assert!(said.contains(told), "{script}: {said}");
        }
    }
    // Without an end as well, and named as a file.
    let zero = crate::support::mlt().run("-u /dev/zero search");
    assert!(
        zero.fails(6).contains("/dev/zero: it is binary data"),
        "{zero}"
    );
}

#[test]
fn traces_come_through_pipes_with_and_without_a_name() {
    let lines = crate::support::mlt().run("-u demo: export --all -o jsonl");
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("a.jsonl");
    // More than what is looked at first, and a line before it that is no trace.
    let text = format!("starting up\n{}", lines.stdout.repeat(4));
    assert!(text.len() > 256 * 1024);
    std::fs::write(&file, text).unwrap();
    let found = |words: &str| {
        let output = assert_cmd::Command::new("bash")
            .args(["-c", &format!("\"$MLT\" search --all -o ids {words}")])
            .env("MLT", env!("CARGO_BIN_EXE_mlt"))
            .env("FILE", &file)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let expected = found("-u \"$FILE\"");
    assert!(expected.lines().count() > 5, "{expected}");
    for words in [
        "-u - <\"$FILE\"",
        "-u <(cat \"$FILE\")",
        "-u - < <(gzip -c \"$FILE\")",
    ] {
        assert_eq!(found(words), expected, "{words}");
    }
}
