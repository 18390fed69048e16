//! `--attachments`: images, sounds and files of what was said become files, whole or not
//! at all, within the folder that was named and nowhere else.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Mlt, mlt};

const FRAMEWORKS: &str = "tests/fixtures/conversations/frameworks.jsonl";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

fn frameworks() -> Mlt {
    mlt().on(FRAMEWORKS)
}

fn id_of(case: &str) -> String {
    let text = fs::read_to_string(FRAMEWORKS).unwrap();
    let traces = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut found = traces.filter(|trace| trace["info"]["tags"]["case"] == case);
    found.next().unwrap()["info"]["trace_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap_or_default())
        })
        .collect();
    files.sort();
    files
}

/// A file with a trace of one call, whose user says this.
fn said(folder: &Path, parts: &Value) -> String {
    let request = json!({"messages": [{"role": "user", "content": parts}]});
    let answer = json!({"choices": [{"message": {"role": "assistant", "content": "Yes."}}]});
    let line = json!({
        "info": {"trace_id": "tr-1", "state": "OK", "request_time": "2026-11-26T22:00:00Z",
            "trace_metadata": {"mlflow.trace.session": "s"}},
        "data": {"spans": [{"name": "call", "span_id": "00000000000000a1",
            "start_time_unix_nano": 1_800_000_000_000_000_000_u64,
            "end_time_unix_nano": 1_800_000_000_500_000_000_u64,
            "status": {"code": "STATUS_CODE_OK"}, "attributes": {
                "mlflow.spanType": "\"CHAT_MODEL\"",
                "mlflow.spanInputs": request.to_string(),
                "mlflow.spanOutputs": answer.to_string(),
        }}]},
    });
    let path = folder.join("traces.jsonl");
    fs::write(&path, format!("{line}\n")).unwrap();
    path.display().to_string()
}

fn image(url: &str) -> Value {
    json!({"type": "image_url", "image_url": {"url": url}})
}

#[test]
fn what_frameworks_record_is_saved_and_named() {
    let dir = tempfile::tempdir().unwrap();
    for (case, ending, starts, length) in [
        ("li image", ".1.png", PNG, 75),
        ("anth document pdf", ".1.bill.pdf", b"%PDF", 305),
        ("litellm otel flat", ".1.png", PNG, 8),
        ("openinference multimodal", ".1.png", PNG, 8),
    ] {
        let id = id_of(case);
        let folder = dir.path().join(&id);
        let args = [
            "get",
            &id,
            "--chat",
            "--attachments",
            folder.to_str().unwrap(),
        ];
        let page = frameworks().args(args).run("");
        let files = files(&folder);
        assert_eq!(files.len(), 1, "{case}: {page}");
        let (name, bytes) = &files[0];
        assert!(name.ends_with(ending), "{case}: {name}");
        assert!(
            bytes.starts_with(starts) && bytes.len() == length,
            "{case}: {bytes:?}"
        );
        let path = folder.join(name).display().to_string();
        assert!(page.ok().contains(&format!(": {path}]")), "{case}: {page}");
        for format in ["markdown", "json"] {
            let again = frameworks().args(args).run(&format!("-o {format}"));
            assert!(again.ok().contains(&path), "{case}: {again}");
        }
    }
}

#[test]
fn what_is_elsewhere_is_not_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let id = id_of("semconv image blob uri file");
    let folder = dir.path().to_str().unwrap();
    let page = frameworks()
        .args(["get", &id, "--chat", "--attachments", folder])
        .run("");
    assert_eq!(page.code, Some(0), "{page}");
    assert_eq!(
        page.stderr,
        "note: not fetched, since they are elsewhere: 2 attachments\n"
    );
    assert_eq!(files(dir.path()).len(), 1);
    assert!(
        page.stdout
            .contains("[image/png: https://example.org/c.png]"),
        "{page}"
    );
}

#[test]
fn attachments_without_their_bytes_are_said_and_the_rest_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    let id = id_of("gem image bytes");
    let page = frameworks()
        .args(["get", &id, "--chat", "--attachments", folder])
        .run("");
    assert_eq!(page.code, Some(7), "{page}");
    assert!(page.stdout.contains("The chain is worn"), "{page}");
    assert!(
        page.stderr.contains("frameworks.jsonl holds none"),
        "{page}"
    );
    assert!(
        page.stderr
            .ends_with("0 attachments saved; 1 could not be\n"),
        "{page}"
    );
    assert_eq!(files(dir.path()), []);
}

#[test]
fn no_other_file_is_replaced_and_equal_ones_stay() {
    let dir = tempfile::tempdir().unwrap();
    let file = said(
        dir.path(),
        &json!([image("data:image/png;base64,iVBORw0KGgo=")]),
    );
    let saved = dir.path().join("saved");
    let run = || {
        let args = ["--chat", "--attachments", saved.to_str().unwrap()];
        mlt().on(&file).args(["get", "tr-1"]).args(args).run("")
    };
    run().ok();
    let (name, _) = files(&saved).remove(0);
    let path = saved.join(name);
    let made = fs::metadata(&path).unwrap().modified().unwrap();
    run().ok();
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), made);
    fs::write(&path, "mine").unwrap();
    let refused = run();
    assert_eq!(refused.code, Some(7), "{refused}");
    assert!(refused.stderr.contains("is another file"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    #[cfg(unix)]
    {
        let elsewhere = dir.path().join("elsewhere");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        let refused = run();
        assert_eq!(refused.code, Some(7), "{refused}");
        assert!(refused.stderr.contains("symbolic link"), "{refused}");
        assert!(!elsewhere.exists());
    }
    fs::write(dir.path().join("file"), "").unwrap();
    let folder = dir.path().join("file");
    let args = [
        "get",
        "tr-1",
        "--chat",
        "--attachments",
        folder.to_str().unwrap(),
    ];
    mlt().on(&file).args(args).run("").fails(6);
}

#[test]
fn hostile_names_ids_and_data_lead_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let pdf = |name: &str| json!({"type": "file", "file": {"filename": name, "file_data": "data:application/pdf;base64,JVBERi0="}});
    let parts = json!([
        pdf("../../escape.pdf"),
        pdf("/etc/cron.d/x"),
        pdf("..\\..\\\u{1b}[2J\u{202e}x.exe"),
        pdf(&"long".repeat(200)),
        image("data:image/png;base64,iVBORw0K!!!"),
        image("mlflow-attachment://../../../etc/passwd?content_type=image%2Fpng&trace_id=tr-1"),
        image("file:///etc/passwd"),
        image("http://127.0.0.1:1/x.png"),
        image("data:image/svg+xml,%3Csvg%3E"),
    ]);
    let file = said(dir.path(), &parts);
    let saved = dir.path().join("a/b");
    let args = [
        "get",
        "tr-1",
        "--chat",
        "--attachments",
        saved.to_str().unwrap(),
    ];
    let page = mlt().on(&file).args(args).run("");
    assert_eq!(page.code, Some(7), "{page}");
    assert!(
        page.stderr.contains("5 attachments saved; 2 could not be"),
        "{page}"
    );
    assert!(page.stderr.contains("elsewhere: 2 attachments"), "{page}");
    assert!(
        !page.stdout.contains('\u{1b}') && !page.stderr.contains('\u{1b}'),
        "{page}"
    );
    let files = files(&saved);
    assert_eq!(files.len(), 5, "{files:?}");
    for (name, bytes) in &files {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.%".contains(&b);
        assert!(name.bytes().all(is_plain) && name.len() < 200, "{name}");
        assert!(bytes == b"%PDF-" || bytes == b"<svg>", "{name}: {bytes:?}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    assert_eq!(fs::read_dir(dir.path().join("a")).unwrap().count(), 1);
}

#[test]
fn sessions_save_those_of_the_turns_that_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = said(
        dir.path(),
        &json!([image("data:image/png;base64,iVBORw0KGgo=")]),
    );
    let first = fs::read_to_string(&file).unwrap();
    let second = first
        .replace("tr-1", "tr-2")
        .replace("22:00:00", "22:05:00")
        .replace("iVBORw0KGgo=", "iVBORw0KGgoA")
        .replace("Yes.", "No.");
    fs::write(&file, format!("{first}{second}")).unwrap();
    let saved = |words: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat");
        let args = ["session", "s", "--attachments", path.to_str().unwrap()];
        let page = mlt().on(&file).args(args).run(words);
        assert!(page.ok().contains(&path.display().to_string()), "{page}");
        files(&path)
            .into_iter()
            .map(|(_, bytes)| bytes.len())
            .collect::<Vec<_>>()
    };
    assert_eq!(saved(""), [8, 9]);
    assert_eq!(saved("--last 1"), [9]);
    assert_eq!(saved("--turn 1 -o json"), [8]);
    assert_eq!(saved("--last 5 -o markdown"), [8, 9]);
}
