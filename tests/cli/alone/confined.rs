//! A store that comes from anywhere: nothing outside of it is read or written
//! through links, and what is no file makes nobody wait. Its neighbours are read.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::{Outcome, mlt};

const SPANS: &str = r#"{"spans": [{"name": "root", "span_id": "0000000000000001",
    "trace_id": "3934c478c5bc2986bd6071d4c2c32e3e", "start_time_unix_nano": 1, "end_time_unix_nano": 5}]}"#;

/// What an attacker does to a store.
type Change = fn(&Store);

/// A folder with `mlruns` in it, and beside it what is nobody's business.
struct Store(TempDir);

impl Store {
    /// Two traces.
    fn new() -> Self {
        let store = Self(TempDir::new().unwrap());
        fs::create_dir_all(store.at("mlruns/1/traces")).unwrap();
        store.experiment("mlruns/1", "1");
        store.trace("mlruns/1/traces/tr-a", "tr-a");
        store.trace("mlruns/1/traces/tr-b", "tr-b");
        fs::create_dir_all(store.at("private/artifacts")).unwrap();
        fs::write(store.at("private/key"), "hunter2").unwrap();
        fs::write(store.at("private/artifacts/traces.json"), SPANS).unwrap();
        store
    }

    fn experiment(&self, folder: &str, id: &str) {
        let text = format!("experiment_id: '{id}'\nlifecycle_stage: active\nname: e{id}\n");
        fs::write(self.at(folder).join("meta.yaml"), text).unwrap();
    }

    fn trace(&self, folder: &str, id: &str) {
        let folder = self.at(folder);
        for part in ["tags", "request_metadata", "artifacts", "assessments"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        let text = format!(
            "trace_id: {id}\ntrace_location:\n  type: MLFLOW_EXPERIMENT\n  mlflow_experiment:\n    \
             experiment_id: '1'\nrequest_time: '2026-11-22T22:39:24.667Z'\nexecution_duration: 1s\nstate: OK\n"
        );
        fs::write(folder.join("trace_info.yaml"), text).unwrap();
        fs::write(folder.join("artifacts/traces.json"), SPANS).unwrap();
    }

    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(path)
    }

    fn a(&self, path: impl AsRef<Path>) -> PathBuf {
        self.at("mlruns/1/traces/tr-a").join(path)
    }

    fn run(&self, words: &str) -> Outcome {
        mlt().within(self.0.path()).run(words)
    }

    /// Only the other trace is read, the reason is told, and nothing private.
    #[track_caller]
    fn refuses(&self, reason: &str) {
        let all = self.run("get tr-a tr-b -o jsonl");
        assert_eq!(all.code, Some(7), "{all}");
        assert_eq!(all.lines().len(), 1, "{all}");
        assert!(all.stdout.contains("tr-b"), "{all}");
        assert!(
            all.stderr.contains("tr-a") && all.stderr.contains(reason),
            "{all}"
        );
        assert!(!all.to_string().contains("hunter2"), "{all}");
    }

    /// The same, and a search finds the other one alone.
    #[track_caller]
    fn passes_over(&self, reason: &str) {
        self.refuses(reason);
        let found = self.run("search -o ids");
        assert_eq!(found.code, Some(7), "{found}");
        assert_eq!(found.lines(), ["tr-b"], "{found}");
        assert!(found.stderr.contains(reason), "{found}");
    }
}

#[test]
fn links_in_a_trace_make_it_unreadable() {
    for (place, target) in [
        ("tags/x", "private/key"),
        ("tags/x", "private"),
        ("tags/loop", "mlruns/1/traces/tr-a/tags"),
        ("request_metadata/x", "private/key"),
        ("assessments/x.yaml", "private/key"),
    ] {
        let store = Store::new();
        symlink(store.at(target), store.a(place)).unwrap();
        store.passes_over("symbolic link");
    }
    for part in ["tags", "request_metadata", "assessments", "trace_info.yaml"] {
        let store = Store::new();
        let moved = store.at("moved");
        fs::rename(store.a(part), &moved).unwrap();
        symlink(&moved, store.a(part)).unwrap();
        store.passes_over("symbolic link");
    }
    let store = Store::new();
    fs::rename(store.a(""), store.at("moved")).unwrap();
    symlink(store.at("moved"), store.a("").components().as_path()).unwrap();
    store.passes_over("symbolic link");
}

#[test]
fn what_is_no_file_makes_a_trace_unreadable_at_once() {
    for (place, device) in [
        ("trace_info.yaml", None),
        ("tags/x", None),
        ("assessments/x.yaml", None),
        ("trace_info.yaml", Some("/dev/zero")),
    ] {
        let store = Store::new();
        let path = store.a(place);
        let _ = fs::remove_file(&path);
        match device {
            Some(device) => symlink(device, &path).unwrap(),
            None => assert!(
                Command::new("mkfifo")
                    .arg(&path)
                    .status()
                    .unwrap()
                    .success()
            ),
        }
        store.passes_over(place);
    }
    let store = Store::new();
    let path = store.a("tags/x");
    fs::File::create(&path).unwrap().set_len(6 << 30).unwrap();
    store.passes_over("larger than 64 MiB");
}

#[test]
fn spans_are_read_within_the_store_alone() {
    let spans = || -> [(Change, &str); 5] {
        [
            (
                |store| {
                    let file = store.a("artifacts/traces.json");
                    fs::remove_file(&file).unwrap();
                    symlink(store.at("private/artifacts/traces.json"), file).unwrap();
                },
                "--allow-artifacts",
            ),
            (
                |store| {
                    fs::remove_dir_all(store.a("artifacts")).unwrap();
                    symlink(store.at("private/artifacts"), store.a("artifacts")).unwrap();
                },
                "--allow-artifacts",
            ),
            (
                |store| {
                    fs::remove_dir_all(store.a("artifacts")).unwrap();
                    let place = store.at("private/artifacts");
                    let place = place.to_str().unwrap();
                    fs::write(store.a("tags/mlflow.artifactLocation"), place).unwrap();
                },
                "--allow-artifacts",
            ),
            (
                |store| {
                    let file = store.a("artifacts/traces.json");
                    fs::remove_file(&file).unwrap();
                    assert!(Command::new("mkfifo").arg(file).status().unwrap().success());
                },
                "a named pipe",
            ),
            (
                |store| {
                    let file = fs::File::create(store.a("artifacts/traces.json")).unwrap();
                    file.set_len(6 << 30).unwrap();
                },
                "larger than 1024 MiB",
            ),
        ]
    };
    for (change, reason) in spans() {
        let store = Store::new();
        change(&store);
        store.refuses(reason);
        let judged = store.run("search -f span.name='root' -o ids");
        assert_eq!(judged.lines(), ["tr-b"], "{judged}");
        assert!(judged.stderr.contains(reason), "{judged}");
    }
    // Where the user says so, they are.
    for (change, reason) in &spans()[..3] {
        let store = Store::new();
        change(&store);
        let refused = store.run("get tr-a");
        let (_, flag) = refused.stderr.split_once('`').unwrap();
        let (flag, _) = flag.split_once('`').unwrap();
        assert!(flag.starts_with(reason), "{refused}");
        let told = store.run(&format!("get tr-a tr-b -o jsonl {flag}"));
        assert_eq!(told.json_lines().len(), 2, "{told}");
        let named = mlt()
            .within(store.0.path())
            .env("MLT_ALLOW_ARTIFACTS", "/nonexistent:private")
            .run("get tr-a tr-b -o jsonl");
        assert_eq!(named.ok(), told.ok());
    }
}

#[test]
fn links_to_experiments_are_told() {
    let store = Store::new();
    fs::create_dir_all(store.at("other/2/traces")).unwrap();
    store.experiment("other/2", "2");
    store.trace("other/2/traces/tr-c", "tr-c");
    symlink(store.at("other/2"), store.at("mlruns/2")).unwrap();
    let found = store.run("search -o ids");
    assert_eq!(found.stdout.lines().count(), 2, "{found}");
    assert!(
        found.stderr.contains("mlruns/2: it is a symbolic link"),
        "{found}"
    );
    store.run("get tr-c").fails(3);
    store.run("tag tr-c x=1 --yes").fails(3);

    fs::remove_file(store.at("mlruns/2")).unwrap();
    fs::create_dir(store.at("mlruns/2")).unwrap();
    store.experiment("mlruns/2", "2");
    symlink(store.at("other/2/traces"), store.at("mlruns/2/traces")).unwrap();
    let found = store.run("search -o ids");
    assert_eq!(found.stdout.lines().count(), 2, "{found}");
    assert!(
        found
            .stderr
            .contains("mlruns/2/traces: it is a symbolic link"),
        "{found}"
    );
    store.run("get tr-c").fails(3);
}

#[test]
fn a_store_may_be_reached_by_a_link() {
    let store = Store::new();
    symlink(store.at("mlruns"), store.at("linked")).unwrap();
    let found = store.run("-u linked get tr-a tr-b -o jsonl");
    assert_eq!(found.json_lines().len(), 2, "{found}");
    store.run("-u linked tag tr-a x=1").ok();
    assert_eq!(fs::read_to_string(store.a("tags/x")).unwrap(), "1");
}

#[test]
fn tags_are_not_written_through_links() {
    let store = Store::new();
    symlink(store.at("private"), store.a("tags/x")).unwrap();
    let outcome = store.run("tag tr-a x/new=1");
    assert_ne!(outcome.code, Some(0), "{outcome}");
    let outcome = store.run("tag tr-a --delete x/key");
    assert_ne!(outcome.code, Some(0), "{outcome}");
    fs::remove_file(store.a("tags/x")).unwrap();
    fs::remove_dir(store.a("tags")).unwrap();
    symlink(store.at("private"), store.a("tags")).unwrap();
    let outcome = store.run("tag tr-a new=1");
    assert_ne!(outcome.code, Some(0), "{outcome}");
    assert_eq!(
        fs::read_to_string(store.at("private/key")).unwrap(),
        "hunter2"
    );
    assert!(!store.at("private/new").exists());
}

#[test]
fn names_and_texts_that_are_not_utf8_are_no_end() {
    let store = Store::new();
    fs::write(store.a("tags/text"), b"a\xffb").unwrap();
    let trace = store.run("get tr-a -o json").json();
    assert_eq!(trace["info"]["tags"]["text"], "a\u{fffd}b");
    let odd = OsStr::from_bytes(b"odd\xff");
    fs::write(store.a("tags").join(odd), "x").unwrap();
    store.passes_over("its name is not UTF-8");

    let store = Store::new();
    fs::rename(store.a(""), store.at("mlruns/1/traces").join(odd)).unwrap();
    let found = store.run("search -o ids");
    assert_eq!(
        (found.code, found.lines()),
        (Some(7), vec!["tr-b"]),
        "{found}"
    );
    assert!(found.stderr.contains("odd\u{fffd}"), "{found}");
    fs::rename(store.at("mlruns/1"), store.at("mlruns").join(odd)).unwrap();
    let found = store.run("-u mlruns search -o ids");
    assert!(found.stderr.contains("left out an experiment"), "{found}");
}

#[test]
fn an_assessment_that_cannot_be_read_is_named_with_its_member() {
    let store = Store::new();
    fs::write(
        store.a("assessments/a-1.yaml"),
        "assessment_id: a-1\nassessment_name: x\nfeedback: 7\n",
    )
    .unwrap();
    store.passes_over("assessments/a-1.yaml: feedback: ");
}

#[test]
fn settings_that_never_end_are_refused() {
    for (words, reason) in [
        ("check --all --rules /dev/zero", "it is larger than 16 MiB"),
        (
            "check --all --require count()>=1 --max-regression 5% --baseline /dev/zero",
            "it is larger than 64 MiB",
        ),
    ] {
        let outcome = mlt().run(&format!("-u demo: {words}"));
        assert!(outcome.fails(6).contains(reason), "{outcome}");
    }
}
