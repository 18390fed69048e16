//! Files that commands write: whole or not at all, whatever stands at their place,
//! stops the program or fills the disk, and what of them can be gone on with.

#[cfg(target_os = "linux")]
mod faults;
mod places;
mod resume;
mod signals;
mod stdout;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::fake::{ARTIFACT, Fake, Reply, artifact, artifact_reply, trace_id};
use crate::support::{Mlt, Outcome, mlt};

/// A folder that commands write into.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// mlt on the demo store, in this folder.
    fn demo(&self) -> Mlt {
        mlt().on("demo:").within(self.path())
    }

    fn run(&self, words: &str) -> Outcome {
        self.demo().run(words)
    }

    #[track_caller]
    fn done(&self, words: &str) -> Outcome {
        let outcome = self.run(words);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        outcome
    }

    /// Runs a line of a shell here, in which `$MLT` is what is tested.
    fn shell(&self, script: &str) -> Outcome {
        // Nothing is to wait for ever for the other end of a pipe.
        let output = Command::new("timeout")
            .args(["60", "sh", "-c", script])
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", "/nonexistent")
            .env("TZ", "UTC")
            .env("MLT", assert_cmd::cargo::cargo_bin("mlt"))
            .env("MLFLOW_TRACKING_URI", "demo:")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts mlt on a server, and waits until that was asked for its third trace,
    /// about which it says nothing.
    fn begin(&self, slow: &Fake, words: &str) -> Child {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("mlt"))
            .args(words.split_whitespace())
            .current_dir(self.path())
            .env_clear()
            .env("HOME", "/nonexistent")
            .env("MLFLOW_TRACKING_URI", slow.uri())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let asked = || {
            let mut requests = slow.requests().into_iter();
            requests.any(|one| one.target.contains(ARTIFACT) && one.target.contains(&trace_id(3)))
        };
        wait_for(|| {
            assert!(child.try_wait().unwrap().is_none(), "it ended too soon");
            asked()
        });
        child
    }
}

/// Waits for something that comes soon.
#[track_caller]
fn wait_for(mut is_there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_there() {
        assert!(start.elapsed() < Duration::from_secs(60), "nothing came");
        sleep(Duration::from_millis(5));
    }
}

/// What a command that has ended had to say.
fn errors_of(child: &mut Child) -> String {
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
    said
}

fn send(signal: &str, child: &Child) {
    let kill = Command::new("kill")
        .args([format!("-{signal}"), child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
}

/// A server with three traces, two of which are larger than what is held back.
fn server_whose_third_trace_is(reply: Reply) -> Fake {
    Fake::with_traces().on_call("GET", ARTIFACT, move |request, _| {
        let of = |n: usize| request.target.contains(&trace_id(n));
        if of(3) {
            return reply.clone();
        }
        let mut spans = artifact(if of(1) { 1 } else { 2 });
        spans["spans"][0]["attributes"]["filler"] = "x".repeat(150_000).into();
        Reply::text("text/plain", spans.to_string())
    })
}

fn slow_server() -> Fake {
    server_whose_third_trace_is(Reply::silence())
}

fn well_server() -> Fake {
    server_whose_third_trace_is(artifact_reply(3))
}

/// Every command that writes one file over another, with the file's name.
const WRITERS: [(&str, &str); 6] = [
    ("export --all -o json --force --to", "out.json"),
    ("export --all -o jsonl --force --to", "out.jsonl"),
    ("export --all -o csv --force --to", "out.csv"),
    ("report --all -o", "out.html"),
    ("check --all --require count()>=1 --save", "base.json"),
    ("check --all --require count()>=1 -o", "junit.xml"),
];
