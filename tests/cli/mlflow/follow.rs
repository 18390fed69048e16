//! `mlt search --follow`: traces as they finish, on a server that is started anew, in a
//! database and in a folder, while they are written.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::mlflow::{
    empty, empty_store_copy, file_store, of_its_own, python, script, serve, stop, store_copy,
};
use crate::support::mlt;
use crate::support::writer::{New, Writer, id, just_now, now_ms};

/// Longest wait for what is bound to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// mlt while it runs.
struct Follow {
    child: Child,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

impl Follow {
    /// Starts it, and waits until it has begun to look.
    fn start(uri: &str, words: &str) -> Self {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("mlt"))
            .args(["search", "--follow", "-v"])
            .args(words.split_whitespace())
            .env_clear()
            .env("MLFLOW_TRACKING_URI", uri)
            .env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        let errors = lines_of(child.stderr.take().unwrap());
        let follow = Self {
            child,
            lines,
            errors,
        };
        follow.said("looking again");
        follow
    }

    /// The next line that it prints.
    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line comes")
    }

    /// The id of the next trace, from JSON.
    #[track_caller]
    fn trace(&self) -> (String, String) {
        let trace: Value = serde_json::from_str(&self.line()).unwrap();
        let text = |name: &str| trace["info"][name].as_str().unwrap().to_owned();
        (text("trace_id"), text("state"))
    }

    /// Nothing comes for so long.
    #[track_caller]
    fn is_silent(&self, time: Duration) {
        assert_eq!(
            self.lines.recv_timeout(time),
            Err(RecvTimeoutError::Timeout)
        );
    }

    /// What it says on standard error, up to a line with these words.
    #[track_caller]
    fn said(&self, words: &str) -> String {
        let mut all = String::new();
        while !all.lines().last().unwrap_or_default().contains(words) {
            match self.errors.recv_timeout(PATIENCE) {
                Ok(line) => all = format!("{all}{line}\n"),
                Err(error) => panic!("{error} before `{words}`:\n{all}"),
            }
        }
        all
    }

    /// What it printed besides, its end, and what it said at last.
    fn end(mut self) -> (Vec<String>, ExitStatus, String) {
        let lines: Vec<String> = self.lines.iter().collect();
        let status = self.child.wait().unwrap();
        let said: Vec<String> = self.errors.iter().collect();
        (lines, status, said.join("\n"))
    }

    fn interrupt(&self) {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args(["-INT", &pid]).status();
        assert!(kill.unwrap().success());
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines_of(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            if line.is_ok_and(|line| sender.send(line).is_err()) {
                return;
            }
        }
    });
    receiver
}

#[test]
fn a_database_is_followed_and_each_line_comes_at_once() {
    let dir = tempfile::tempdir().unwrap();
    store_copy(dir.path());
    let uri = format!("sqlite:///{}", dir.path().join("mlflow.db").display());
    let mut writer = Writer::open(dir.path());
    let follow = Follow::start(&uri, "-o jsonl");
    follow.is_silent(Duration::from_secs(1));
    writer.write(&just_now([4]));
    assert_eq!(follow.trace(), (id(4), "OK".to_owned()));
    // Some began long ago, and one is in progress.
    let old = New {
        began: now_ms() - 23 * 3_600_000,
        took: 23 * 3_600_000,
        ..just_now([6])[0]
    };
    let late = New {
        began: now_ms() - 8 * 60_000,
        took: 1_000,
        ..just_now([8])[0]
    };
    let running = New {
        began: now_ms() - 2 * 3_600_000,
        state: "IN_PROGRESS",
        ..just_now([10])[0]
    };
    writer.write(&[old, late, running]);
    assert_eq!(follow.trace().0, id(8));
    assert_eq!(follow.trace().0, id(6));
    follow.is_silent(Duration::from_secs(2));
    // Closed with an end of long before.
    writer.end(10, "ERROR", 1_000);
    assert_eq!(follow.trace(), (id(10), "ERROR".to_owned()));
    follow.interrupt();
    let (rest, status, _) = follow.end();
    assert!(rest.is_empty(), "{rest:?}");
    assert_eq!(status.signal(), Some(2), "{status}");
}

#[test]
fn a_trace_that_matches_only_after_its_end_comes_then_and_once() {
    let dir = tempfile::tempdir().unwrap();
    empty_store_copy(dir.path());
    let uri = format!("sqlite:///{}", dir.path().join("mlflow.db").display());
    let mut writer = Writer::open(dir.path());
    let ended = |number: usize, ago: i64| New {
        began: now_ms() - ago - 20,
        ..just_now([number])[0]
    };
    // The time of a store is that of its newest trace.
    writer.write(&[ended(2, 15 * 60_000), ended(4, 9 * 60_000), ended(6, 0)]);
    let follow = Follow::start(&uri, "--tag reviewed=yes -o jsonl");
    follow.is_silent(Duration::from_secs(2));
    let tag = |number: usize| {
        let tagged = mlt()
            .on(&uri)
            .run(&format!("tag {} reviewed=yes", id(number)));
        assert_eq!(tagged.code, Some(0), "{tagged}");
    };
    for number in [6, 4] {
        tag(number);
        assert_eq!(follow.trace(), (id(number), "OK".to_owned()));
    }
    // So late that nobody looks.
    tag(2);
    tag(4);
    follow.is_silent(Duration::from_secs(6));
}

#[test]
fn tables_and_delimited_text_come_line_by_line() {
    let dir = tempfile::tempdir().unwrap();
    empty_store_copy(dir.path());
    let uri = format!("sqlite:///{}", dir.path().join("mlflow.db").display());
    let mut writer = Writer::open(dir.path()).with_another_experiment();
    let table = Follow::start(&uri, "--columns trace_id,state,name,duration --name made-1");
    let csv = Follow::start(&uri, "-o csv --columns trace_id,state");
    let ids = Follow::start(&uri, "-o ids -x other --until-count 2");
    assert_eq!(csv.line(), "trace_id,state");
    for (first, state) in [(1, "OK"), (4, "ERROR")] {
        let mut traces = just_now(first..first + 3);
        for new in &mut traces {
            new.state = state;
        }
        writer.write(&traces);
        for number in first..first + 3 {
            assert_eq!(csv.line(), format!("{},{state}", id(number)));
        }
    }
    let lines = [table.line(), table.line(), table.line()];
    insta::assert_snapshot!(lines.join("\n"), @"
    TRACE ID                             STATE  NAME                  DURATION
    tr-00000000000000000000000000000001  OK     made-1                   20 ms
    tr-00000000000000000000000000000004  ERROR  made-1                   20 ms
    ");
    let (lines, status, _) = ids.end();
    assert_eq!((lines, status.code()), (vec![id(1), id(3)], Some(0)));
}

#[test]
fn a_pipe_that_is_closed_ends_it_though_nothing_comes() {
    let dir = tempfile::tempdir().unwrap();
    store_copy(dir.path());
    let begun = Instant::now();
    let binary = assert_cmd::cargo::cargo_bin("mlt");
    let line = format!(
        "{{ {0} search --follow --since 2000-01-01 -o ids; echo $? > code; }} | head -1",
        binary.display()
    );
    let output = Command::new("sh")
        .args(["-c", &line])
        .current_dir(dir.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1);
    let code = std::fs::read_to_string(dir.path().join("code")).unwrap();
    assert_eq!((code.as_str(), output.stderr.len()), ("0\n", 0));
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn what_was_before_comes_first_and_the_time_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    store_copy(dir.path());
    let uri = format!("sqlite:///{}", dir.path().join("mlflow.db").display());
    let on = || mlt().on(&uri);
    let filter = "-x many --name checkout --status OK --status ERROR";
    let since = "--since 2000-01-01";
    let all = on().run(&format!(
        "search {filter} {since} --all -o ids --order-by time"
    ));
    let all: BTreeSet<&str> = all.ok().lines().collect();
    assert!(all.len() > 100, "{}", all.len());
    let followed = on().run(&format!("search --follow {filter} {since} --for 1s -o ids"));
    let lines: Vec<&str> = followed.ok().lines().collect();
    assert_eq!(lines.len(), all.len());
    assert_eq!(lines.iter().copied().collect::<BTreeSet<_>>(), all);
    let times = on().run(&format!(
        "search --follow {filter} {since} --until-count 150 -o csv --columns end_time"
    ));
    let times: Vec<&str> = times.ok().lines().skip(1).collect();
    assert_eq!(times.len(), 150);
    let sample = on().run(&format!(
        "search --follow {filter} {since} --sample 20% --seed 7 --for 1s -o ids"
    ));
    let same = on().run(&format!(
        "search {filter} {since} --sample 20% --seed 7 --all -o ids -q"
    ));
    let ids = |text: &str| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
    assert_eq!(ids(sample.ok()), ids(same.ok()));

    let none = on().run("search --follow --for 10ms");
    assert_eq!(none.ok(), "");
    assert_eq!(
        on().run("search --follow --for 10ms --fail-empty").code,
        Some(1)
    );
    let few = on().run("search --follow --for 10ms --until-count 2");
    insta::assert_snapshot!(few.fails(1), @"error: 0 of 2 traces finished in time");
}

#[test]
fn what_does_not_grow_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.jsonl");
    std::fs::write(&file, mlt().on("demo:").run("export latest -o jsonl").ok()).unwrap();
    let said = |uri: &str, words: &str| {
        let outcome = mlt().on(uri).run(&format!("search --follow {words}"));
        outcome.fails(2).to_owned()
    };
    insta::assert_snapshot!(said("demo:", ""), @"
    error: cannot follow the demo store: no traces arrive there
    hint: servers, databases and mlruns folders can be followed
    ");
    insta::assert_snapshot!(said("-", ""), @"
    error: cannot follow standard input: no traces arrive there
    hint: servers, databases and mlruns folders can be followed
    ");
    insta::assert_snapshot!(said("demo:", "-o json"), @"
    error: `mlt search --follow` has no `-o json`
    hint: it has `table`, `jsonl`, `csv`, `tsv`, `ids`
    ");
    insta::assert_snapshot!(said("demo:", "--all"), @"
    error: the argument '--follow' cannot be used with '--all'

    Usage: mlt search --follow [TEXT]

    For more information, try '--help'.
    ");
    for uri in [&file, &dir.path().to_path_buf()] {
        let said = said(&uri.display().to_string(), "");
        assert!(said.contains("no traces arrive there"), "{said}");
    }
    let gone = mlt()
        .on("http://127.0.0.1:9")
        .env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        .run("search --follow");
    assert_eq!(gone.code, Some(4), "{gone}");
}

#[test]
fn a_client_of_mlflow_is_followed_from_start_to_end() {
    let seeded = empty();
    let starts = Follow::start(seeded.uri(), "--in-progress -o jsonl --until-count 1");
    let ends = Follow::start(
        seeded.uri(),
        "--span-name fetch --include-spans -o jsonl --until-count 1",
    );
    let table = Follow::start(seeded.uri(), "--columns name,state --until-count 1");
    let mut client = Command::new(python())
        .arg(script("slow_trace.py"))
        .args(["slow", "12"])
        .env("MLFLOW_TRACKING_URI", seeded.uri())
        .spawn()
        .unwrap();
    let (id, state) = starts.trace();
    assert_eq!(state, "IN_PROGRESS");
    assert!(client.wait().unwrap().success());
    assert_eq!(starts.trace(), (id.clone(), "OK".to_owned()));
    let whole: Value = serde_json::from_str(&ends.line()).unwrap();
    assert_eq!(whole["info"]["trace_id"], id.as_str());
    assert_eq!(whole["data"]["spans"].as_array().unwrap().len(), 2);
    // The name comes behind the spans, and is waited for.
    let (lines, status, _) = table.end();
    assert_eq!(status.code(), Some(0));
    assert!(lines[1].starts_with("slow "), "{lines:?}");
}

#[test]
fn a_folder_of_mlflow_is_followed() {
    let store = file_store("3.17.2");
    let follow = Follow::start(&store.uri(), "-o jsonl --name followed --until-count 3");
    store.ask(
        "import mlflow\n\
         for n in range(3):\n\
         \x20   with mlflow.start_span('followed') as span: span.set_inputs({'n': n})\n\
         mlflow.flush_trace_async_logging()",
    );
    let (lines, status, said) = follow.end();
    assert_eq!(status.code(), Some(0), "{said}");
    let traces = lines.iter().map(|line| serde_json::from_str(line).unwrap());
    let traces: Vec<Value> = traces.collect();
    let ids: BTreeSet<&str> = traces
        .iter()
        .map(|trace| trace["info"]["trace_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 3);
    assert!(
        traces
            .iter()
            .all(|trace| trace["info"]["tags"]["mlflow.traceName"] == "followed")
    );
}

#[test]
fn older_servers_are_followed_too() {
    let seeded = of_its_own("2.22.5");
    let follow = Follow::start(seeded.uri(), "-o jsonl --in-progress --tag k=v");
    let program = "import json, sys, time, urllib.request as u\n\
         uri = sys.argv[1] + '/api/2.0/mlflow/traces'\n\
         def send(method, path, body):\n\
         \x20   body = json.dumps({**body, 'request_metadata': [], 'tags': [{'key': 'k', 'value': 'v'}]})\n\
         \x20   head = {'content-type': 'application/json'}\n\
         \x20   r = u.Request(uri + path, body.encode(), head, method=method)\n\
         \x20   return json.load(u.urlopen(r))['trace_info']['request_id']\n\
         now = lambda: int(time.time() * 1000)\n\
         id = send('POST', '', {'experiment_id': '0', 'timestamp_ms': now()})\n\
         time.sleep(10)\n\
         send('PATCH', '/' + id, {'timestamp_ms': now(), 'status': 'OK'})\n\
         print(id)";
    let output = Command::new(python())
        .args(["-c", program, seeded.uri()])
        .output()
        .unwrap();
    let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert_eq!(follow.trace(), (id.clone(), "IN_PROGRESS".to_owned()));
    assert_eq!(follow.trace(), (id, "OK".to_owned()));
}

#[test]
fn a_raw_filter_and_an_unknown_experiment_are_as_in_a_search() {
    let seeded = empty();
    let mut writer = Writer::open(&seeded.dir);
    writer.write(&just_now([2, 4, 6]));
    let on = || mlt().on(seeded.uri());
    let words = "search --follow --since 1h --for 1s -o ids --raw-filter";
    let raw = on().args(words.split(' ')).args(["trace.name = 'made-0'"]);
    let raw = raw.run("");
    assert_eq!(raw.ok().lines().collect::<Vec<_>>(), [id(6)]);
    let unknown = on().run("search --follow --for 1s -x 77");
    assert_eq!(unknown.code, Some(3), "{unknown}");
}

#[test]
fn arriving_traces_come_each_once_with_a_restart_of_the_server() {
    each_once(2_000, 20);
}

#[test]
#[ignore = "takes a minute"]
fn ten_thousand_arriving_traces_come_each_once_with_a_restart_of_the_server() {
    each_once(10_000, 50);
}

/// Writes traces into the database of a server, so many at a time, that is ended and
/// started anew in the middle.
fn each_once(all: usize, together: usize) {
    let dir = tempfile::tempdir().unwrap();
    empty_store_copy(dir.path());
    let server = serve(dir.path(), None);
    let (uri, port) = (server.uri.clone(), server.port());
    let follow = Follow::start(&uri, "-o ids --for 5m --until-count 999999");
    let begun = Instant::now();
    // An experiment that is made meanwhile is followed, too.
    let mut writer = Writer::open(dir.path()).with_another_experiment();
    let mut write = |numbers: std::ops::Range<usize>| {
        let mut open: Vec<usize> = Vec::new();
        for start in numbers.clone().step_by(together) {
            let numbers = start..(start + together).min(numbers.end);
            let mut traces = just_now(numbers);
            for new in &mut traces {
                match new.number % 50 {
                    // Some were long on their way, some take their time, and some
                    // began long before.
                    1 => (new.began, new.took) = (new.began - 300_000, 1_000),
                    2 => (new.began, new.took) = (new.began - 36_000_000, 36_000_000),
                    3 => {
                        new.state = "IN_PROGRESS";
                        open.push(new.number);
                    }
                    _ => {}
                }
            }
            writer.write(&traces);
            if open.len() > 20 {
                for number in open.drain(..) {
                    writer.end(number, "ERROR", 50);
                }
            }
            thread::sleep(Duration::from_millis(50));
        }
        for number in open {
            writer.end(number, "OK", 50);
        }
    };
    write(0..all / 2);
    stop(server);
    write(all / 2..all * 3 / 4);
    let server = serve(dir.path(), Some(port));
    write(all * 3 / 4..all);
    let mut seen = Vec::new();
    while seen.len() < all {
        seen.push(follow.line());
    }
    let took = begun.elapsed();
    // Nothing comes twice.
    follow.is_silent(Duration::from_secs(6));
    let said = follow.said("answers again");
    let failures = said.lines().filter(|line| line.starts_with("warning: "));
    assert_eq!(failures.count(), 1, "{said}");
    let unique: BTreeSet<&String> = seen.iter().collect();
    assert_eq!((unique.len(), seen.len()), (all, all));
    let expected: BTreeSet<String> = (0..all).map(id).collect();
    assert_eq!(unique, expected.iter().collect());
    assert!(took < Duration::from_secs(200), "{took:?}");
    stop(server);
}
