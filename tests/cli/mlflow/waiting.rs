//! `mlt get --wait` and `--follow`: traces that are not there yet or have not finished, in
//! databases of either kind of journal, on a server, and on a terminal.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::mlflow::{empty, python, slow_client, store_copy};
use crate::support::writer::{New, Writer, id, just_now};
use crate::support::{Mlt, mlt};

struct Store {
    dir: TempDir,
    uri: String,
}

impl Store {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        store_copy(dir.path());
        let uri = format!("sqlite:///{}", dir.path().join("mlflow.db").display());
        Self { dir, uri }
    }

    fn mlt(&self) -> Mlt {
        mlt().on(&self.uri)
    }

    fn writer(&self) -> Writer {
        Writer::open(self.dir.path())
    }

    /// Does something a second from now.
    fn soon(&self, act: impl FnOnce(&mut Writer) + Send + 'static) -> thread::JoinHandle<()> {
        let mut writer = self.writer();
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(1));
            act(&mut writer);
        })
    }
}

fn running(number: usize) -> New {
    New {
        state: "IN_PROGRESS",
        ..just_now([number])[0]
    }
}

#[test]
fn a_trace_is_waited_for_until_it_is_there_and_has_finished() {
    for journal in ["delete", "wal"] {
        let store = Store::new();
        let sql = format!("PRAGMA journal_mode = {journal}");
        store.writer().0.execute_batch(&sql).unwrap();
        // A reader keeps the log there, as a server does.
        let _reader = store.writer();
        let write = store.soon(|writer| {
            writer.write(&[running(4)]);
            thread::sleep(Duration::from_secs(1));
            writer.end(4, "ERROR", 40);
        });
        let begun = Instant::now();
        let waited = store
            .mlt()
            .run(&format!("get {} --wait 60s -o json", id(4)));
        assert_eq!(waited.json()["info"]["state"], "ERROR", "{journal}");
        assert_eq!(
            waited.stderr,
            "note: waiting for traces to arrive and to finish\n"
        );
        assert!(begun.elapsed() < Duration::from_secs(30));
        write.join().unwrap();
        let checked = store.soon(|writer| writer.write(&just_now([6])));
        let rule = "check --name made-0 --since 1m --require count()>=1 --wait 60s -q";
        assert_eq!(store.mlt().run(rule).code, Some(0), "{journal}");
        checked.join().unwrap();
    }
}

#[test]
fn time_that_is_over_is_said() {
    let store = Store::new();
    store.writer().write(&[running(4)]);
    let on = |words: &str| store.mlt().args(["-q"]).run(words);
    let open = on(&format!("get {} --wait 300ms", id(4)));
    insta::assert_snapshot!(open.fails(1), @"
    error: trace tr-00000000000000000000000000000004 is still in progress after 300 ms
    hint: without --wait it is shown as far as it goes
    ");
    let gone = on(&format!("get {} --wait 300ms", id(6)));
    assert_eq!(gone.code, Some(3), "{gone}");
    let none = on("get --name none --wait 300ms");
    assert_eq!(none.code, Some(3), "{none}");
    // What has finished is shown at once.
    let begun = Instant::now();
    let done = on("get --status OK -n 2 --wait 60s -o jsonl");
    assert_eq!(done.json_lines().len(), 2);
    assert!(begun.elapsed() < Duration::from_secs(20));
    let write = store.soon(|writer| writer.write(&just_now([8])));
    let named = on("get --name made-2 --wait 60s -o json");
    assert_eq!(named.json()["info"]["trace_id"], id(8).as_str());
    write.join().unwrap();
}

#[test]
fn a_client_of_mlflow_is_waited_for() {
    let seeded = empty();
    let mut client = slow_client(&seeded, &["slow", "3"]);
    let followed = mlt().on(seeded.uri()).run("get latest --follow -o json");
    let trace: Value = followed.json();
    assert_eq!(trace["info"]["state"], "OK");
    assert_eq!(trace["data"]["spans"].as_array().unwrap().len(), 2);
    assert!(client.wait().unwrap().success());
}

#[test]
fn a_trace_in_progress_is_drawn_in_place() {
    let store = Store::new();
    let mut writer = store.writer();
    writer.write(&[running(4)]);
    let span = |name: &str, number: usize| {
        format!(
            "INSERT INTO spans (trace_id, experiment_id, span_id, parent_span_id, name, type, \
             status, start_time_unix_nano, end_time_unix_nano, content) \
             SELECT '{0}', 0, '{number:016x}', '00000000000000ff', '{name}', 'TOOL', 'OK', \
             timestamp_ms * 1000000, timestamp_ms * 1000000 + 1000000, \
             json_object('name', '{name}', 'span_id', '{number:016x}', \
             'parent_span_id', '00000000000000ff', 'trace_id', '{0}', \
             'start_time_unix_nano', timestamp_ms * 1000000, \
             'end_time_unix_nano', timestamp_ms * 1000000 + 1000000, \
             'attributes', json_object(), 'events', json_array(), \
             'status', json_object('code', 'STATUS_CODE_OK', 'message', '')) \
             FROM trace_info WHERE request_id = '{0}'",
            id(4)
        )
    };
    writer.0.execute_batch(&span("first", 1)).unwrap();
    let second = span("second", 2);
    let write = store.soon(move |writer| {
        writer.0.execute_batch(&second).unwrap();
        thread::sleep(Duration::from_secs(2));
        writer.end(4, "OK", 40);
    });
    let program = "import os, pty, sys\n\
         pid, fd = pty.fork()\n\
         if pid == 0: os.execv(sys.argv[1], ['mlt'] + sys.argv[2].split())\n\
         import fcntl, struct, termios\n\
         fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 50, 120, 0, 0))\n\
         text = b''\n\
         try:\n\
         \x20   while True:\n\
         \x20       part = os.read(fd, 4096)\n\
         \x20       if not part: break\n\
         \x20       text += part\n\
         except OSError: pass\n\
         print(text.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))";
    let output = Command::new(python())
        .args(["-c", program])
        .arg(assert_cmd::cargo::cargo_bin("mlt"))
        .arg(format!("get {} --follow -q --no-pager", id(4)))
        .env("MLFLOW_TRACKING_URI", &store.uri)
        .env("NO_COLOR", "1")
        .env("TERM", "xterm")
        .output()
        .unwrap();
    write.join().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let pictures: Vec<&str> = text.split("\x1b[J").collect();
    assert!(pictures.len() >= 3, "{text:?}");
    let has = |at: usize, words: &[&str]| words.iter().all(|word| pictures[at].contains(word));
    assert!(has(0, &["IN_PROGRESS", "first"]), "{text}");
    assert!(!pictures[0].contains("second"), "{text}");
    let drawn_anew = pictures[1..pictures.len() - 1].iter();
    assert!(
        drawn_anew.clone().any(|picture| picture.contains("second")),
        "{text}"
    );
    let last = pictures.len() - 1;
    assert!(has(last, &["OK", "first", "second"]), "{text}");
    assert!(!pictures[last].contains("IN_PROGRESS"), "{text}");
    assert!(text.trim_end().ends_with(" 0"), "{text}");
    // As many lines are taken away as were drawn.
    for pair in pictures.windows(2) {
        let up: usize = pair[0]
            .rsplit("\x1b[")
            .next()
            .and_then(|up| up.strip_suffix('A'))
            .and_then(|up| up.parse().ok())
            .unwrap();
        let drawn = pair[0].rsplit_once("\r\x1b[").unwrap().0;
        assert_eq!(drawn.matches('\n').count(), up, "{drawn:?}");
    }
}

#[test]
fn what_cannot_be_read_or_is_not_shown_is_said_though_somebody_waited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.jsonl");
    let lines = mlt()
        .on("demo:")
        .run("search -n 3 --include-spans -o jsonl");
    let broken = r#"{"info": {"trace_id": "tr-1", "state": 5}}"#;
    std::fs::write(&path, format!("{}{broken}\n", lines.ok())).unwrap();
    let get = |more: &str| {
        let on = mlt().on(path.to_str().unwrap());
        on.run(&format!("get --since 2026-01-01 -n 2 -o json {more}"))
    };
    let (at_once, waited) = (get(""), get("--wait 60s"));
    assert_eq!(at_once.code, Some(7), "{at_once}");
    assert!(at_once.stdout.contains("\"truncated\": true"), "{at_once}");
    assert_eq!(waited.to_string(), at_once.to_string());
}
