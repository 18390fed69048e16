//! Commands as traces, on a server and in a database, as MLflow reads them.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::mlflow::{of_its_own, python};
use crate::support::mlt;

/// The newest trace of a place.
fn latest(uri: &str) -> Value {
    mlt().on(uri).run("get latest -o json").json()
}

fn span<'t>(trace: &'t Value, name: &str) -> &'t Value {
    let spans = trace["data"]["spans"].as_array().unwrap();
    spans
        .iter()
        .find(|span| span["name"] == name)
        .unwrap_or_else(|| panic!("{trace}"))
}

/// A shell line with mlt on its path.
fn sh(uri: &str, line: &str) -> Command {
    let binary = assert_cmd::cargo::cargo_bin("mlt");
    let path = format!(
        "{}:{}",
        binary.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .env("PATH", path)
        .env("MLFLOW_TRACKING_URI", uri)
        .env_remove("TRACEPARENT")
        .env_remove("MLT_RUN_SPOOL");
    command
}

#[test]
fn a_command_is_a_trace_with_all_that_ran_within_it() {
    let seeded = of_its_own("3.17.2");
    for uri in [seeded.uri().to_owned(), seeded.database_uri()] {
        let line = "mlt run --name build --tag env=ci -x shop-assistant -- sh -c '\
                    mlt event fetched n=3 cached=true; mlt run --name inner --span-type TOOL -- true; \
                    mlt run --name broken -- sh -c \"echo oops >&2; exit 3\" || true; echo said'";
        let output = sh(&uri, line).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "said\n");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "oops\n");
        let trace = latest(&uri);
        let info = &trace["info"];
        assert_eq!(
            (&info["state"], &info["tags"]["env"]),
            (&json!("OK"), &json!("ci")),
            "{info}"
        );
        assert_eq!(info["tags"]["mlflow.traceName"], "build");
        let root = span(&trace, "build");
        assert_eq!(root["events"][0]["name"], "fetched", "{root}");
        assert_eq!(
            root["events"][0]["attributes"],
            json!({"n": 3, "cached": true})
        );
        for (name, kind, status) in [
            ("inner", "TOOL", "STATUS_CODE_OK"),
            ("broken", "TASK", "STATUS_CODE_ERROR"),
        ] {
            let one = span(&trace, name);
            assert_eq!(one["parent_span_id"], root["span_id"], "{one}");
            assert_eq!(
                (&one["type"], &one["status"]["code"]),
                (&json!(kind), &json!(status)),
                "{one}"
            );
        }
        let broken = span(&trace, "broken");
        assert_eq!(
            broken["status"]["message"], "exit status 3: oops",
            "{broken}"
        );
        let found = mlt()
            .on(&uri)
            .run("search -x shop-assistant -n 1 --columns failed,error -o json")
            .json();
        assert_eq!(found["traces"][0]["failed"], "broken", "{found}");
    }
}

#[test]
fn exit_status_signals_and_streams_pass_through() {
    let seeded = of_its_own("3.17.2");
    let uri = seeded.database_uri();
    let status = |line: &str| {
        let output = sh(&uri, line).output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    assert_eq!(status("mlt run -- sh -c 'exit 41'").0, Some(41));
    let killed = status("mlt run -- sh -c 'kill -TERM $$'; echo $? >&2; exit 5");
    // Some shells say of what a command died.
    assert!(
        killed.0 == Some(5) && killed.1.ends_with("143\n"),
        "{killed:?}"
    );
    let missing = status("mlt run -- no-such-command-here");
    assert_eq!(missing.0, Some(127), "{missing:?}");
    assert!(
        missing
            .1
            .contains("cannot run no-such-command-here: there is no such command"),
        "{missing:?}"
    );
    let trace = latest(&uri);
    assert_eq!(trace["info"]["state"], "ERROR", "{trace}");
    let output = sh(&uri, "printf 'in\\0put' | mlt run -- cat")
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"in\0put");

    // What is sent to mlt alone reaches the command, which may end as it likes.
    let mut child = sh(&uri, "exec mlt run -- sh -c 'trap \"echo got; exit 7\" TERM; echo ready; while :; do sleep 0.1; done'")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
    Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), &*output.stdout),
        (Some(7), &b"got\n"[..])
    );
}

#[test]
fn a_server_that_is_down_costs_a_warning_and_a_spool_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let down = "http://127.0.0.1:9";
    let lost = sh(down, "mlt run -- sh -c 'exit 4'").output().unwrap();
    assert_eq!(lost.status.code(), Some(4));
    let said = String::from_utf8_lossy(&lost.stderr).into_owned();
    assert!(
        said.contains("the trace of this command is lost: cannot reach"),
        "{said}"
    );
    assert_eq!(said.matches("warning:").count(), 1, "{said}");
    let line = format!("mlt run --name kept --spool {} -- true", spool.display());
    let kept = sh(down, &line).output().unwrap();
    assert_eq!(kept.status.code(), Some(0), "{kept:?}");
    assert_eq!(fs::read_dir(&spool).unwrap().count(), 1);

    let seeded = of_its_own("3.17.2");
    let uri = seeded.database_uri();
    let imported = mlt().on(&uri).run(&format!("import {}", spool.display()));
    assert_eq!(imported.code, Some(0), "{imported}");
    assert_eq!(latest(&uri)["info"]["tags"]["mlflow.traceName"], "kept");

    // A server that accepts and never answers is not waited for.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", mute.local_addr().unwrap());
    let started = std::time::Instant::now();
    let output = sh(&uri, "mlt run --wait 300ms -- true").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(20), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("is lost"),
        "{output:?}"
    );
}

#[test]
fn secrets_are_hidden_and_samples_are_whole() {
    let seeded = of_its_own("3.17.2");
    let uri = seeded.database_uri();
    let count = || {
        mlt()
            .on(&uri)
            .run("search --all --count")
            .ok()
            .trim()
            .parse::<usize>()
            .unwrap()
    };
    let line = "SOME_API_KEY=from-the-env mlt run --mask 'order-[0-9]+' -- sh -c \
                'echo failed with --password=hunter22 from-the-env order-17 >&2; exit 1' x --token abcdef";
    sh(&uri, line).output().unwrap();
    let trace = mlt().on(&uri).run("get latest -o json");
    for secret in ["hunter22", "from-the-env", "order-17", "abcdef"] {
        assert!(!trace.ok().contains(secret), "{secret}: {trace}");
    }
    assert!(trace.ok().contains("[hidden]"), "{trace}");

    let before = count();
    let nested = "mlt run --sample 0 -- sh -c 'mlt run -- true; mlt event x; echo $TRACEPARENT'";
    let output = sh(&uri, nested).output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    assert!(output.stdout.ends_with(b"-00\n"), "{output:?}");
    assert_eq!(count(), before);
    let rooted = "mlt run -- sh -c 'mlt run --root --name own -- true'";
    assert!(sh(&uri, rooted).status().unwrap().success());
    assert_eq!(count(), before + 2);
}

#[test]
fn what_cannot_be_a_trace_is_said_before_anything_runs() {
    for (uri, words, said) in [
        ("demo:", "run -- echo ran", "found the demo store"),
        ("-", "run -- echo ran", "found standard input"),
        (
            "http://h",
            "-x a -x b run -- echo ran",
            "found 2 experiments",
        ),
        (
            "http://h",
            "run --tag novalue -- echo ran",
            "expected KEY=VALUE",
        ),
        ("http://h", "run --mask ( -- echo ran", "--mask"),
        ("http://h", "run", "COMMAND"),
        ("http://h", "event x", "found none"),
    ] {
        let outcome = mlt().on(uri).run(words);
        assert!(outcome.fails(2).contains(said), "{words}: {outcome}");
        assert!(outcome.stdout.is_empty(), "{words}: {outcome}");
    }
}

#[test]
fn programs_with_opentelemetry_are_told_of_the_server_and_of_the_trace() {
    let seeded = of_its_own("3.17.2");
    let program = "
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
import os
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
context = extract({'traceparent': os.environ['TRACEPARENT']})
with provider.get_tracer('app').start_as_current_span('joined', context=context):
    pass
";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program.py");
    fs::write(&path, program).unwrap();
    let line = format!(
        "mlt run -x 1 --wait 60s --name outer -- {} {}",
        crate::support::venv::clients().display(),
        path.display()
    );
    let output = sh(seeded.uri(), &line).output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let trace = latest(seeded.uri());
    assert_eq!(
        span(&trace, "joined")["parent_span_id"],
        span(&trace, "outer")["span_id"],
        "{trace}"
    );
    assert_eq!(trace["info"]["state"], "OK", "{trace}");
}

#[test]
fn what_runs_within_needs_no_place_and_keeps_no_secret() {
    let seeded = of_its_own("3.17.2");
    let uri = seeded.database_uri();
    let line = format!(
        "unset MLFLOW_TRACKING_URI; mlt -u {uri} run --mask 'cust-[0-9]+' --tag note=cust-1 -- sh -c \
         'cd /; mlt run --name step -- sh -c \"echo cust-4711 >&2; exit 1\" cust-4712; \
          mlt event e password=hunter2 n=3 said=cust-4713'"
    );
    let output = sh(&uri, &line).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let trace = mlt().on(&uri).run("get latest -o json");
    for secret in ["cust-", "hunter2"] {
        assert!(!trace.ok().contains(secret), "{secret}: {trace}");
    }
    let trace = trace.json();
    assert_eq!(
        span(&trace, "step")["status"]["message"],
        "exit status 1: [hidden]",
        "{trace}"
    );
    let noted = &span(&trace, "sh")["events"][0]["attributes"];
    let expected = json!({"password": "[hidden]", "n": 3, "said": "[hidden]"});
    assert_eq!(*noted, expected);
}

#[test]
fn a_program_with_mlflows_own_client_traces_as_it_does_by_itself() {
    let seeded = of_its_own("3.17.2");
    let program = "
import mlflow
mlflow.set_experiment('own-client')
@mlflow.trace(name='answer')
def answer():
    mlflow.update_current_trace(tags={'k': 'v'}, session_id='s')
answer()
mlflow.flush_trace_async_logging()
";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program.py");
    fs::write(&path, program).unwrap();
    let line = format!("mlt run -- {} {}", python().display(), path.display());
    let output = sh(seeded.uri(), &line).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let found = mlt()
        .on(seeded.uri())
        .run("-x own-client search --columns name,session,tags.k -o tsv");
    assert_eq!(found.ok(), "name\tsession\ttags.k\nanswer\ts\tv\n");

    let told = |login: &str| {
        let line = format!("{login} mlt run --wait 1ms -- env; exit 0");
        let output = sh("http://127.0.0.1:9", &line).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let open = told("");
    assert!(
        open.contains("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:9/v1/traces\n"),
        "{open}"
    );
    assert!(
        open.contains("MLFLOW_ENABLE_OTLP_EXPORTER=false\n"),
        "{open}"
    );
    assert!(!told("MLFLOW_TRACKING_TOKEN=secret").contains("OTEL_"));
}

#[test]
fn a_part_of_a_trace_that_another_program_begins_joins_it_and_changes_nothing_else() {
    let seeded = of_its_own("3.17.2");
    let id = mlt()
        .on(seeded.uri())
        .run("search --name rag-answer -n 1 -o ids")
        .ok()
        .trim()
        .to_owned();
    let get = |uri: &str, id: &str| mlt().on(uri).run(&format!("get {id} -o json")).json();
    let before = get(seeded.uri(), &id);
    let root = before["data"]["spans"][0]["span_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let parent = format!("00-{}-{root}-01", id.trim_start_matches("tr-"));
    let line = format!("TRACEPARENT={parent} mlt run --name part --tag k=v -- true");
    let joined = sh(seeded.uri(), &line).output().unwrap();
    assert!(joined.status.success(), "{joined:?}");
    let said = String::from_utf8_lossy(&joined.stderr).into_owned();
    assert!(
        said.contains("--tag is left out") && !said.contains("is lost"),
        "{said}"
    );
    let after = get(seeded.uri(), &id);
    assert_eq!(span(&after, "part")["parent_span_id"], root, "{after}");
    for key in [
        "state",
        "tags",
        "request_preview",
        "response_preview",
        "assessments",
    ] {
        assert_eq!(after["info"][key], before["info"][key], "{key}");
    }

    // A database has no place for parts, and the other trace stays as it is.
    let uri = seeded.database_uri();
    let count = || {
        mlt()
            .on(&uri)
            .run("search --all --count")
            .ok()
            .trim()
            .parse::<usize>()
            .unwrap()
    };
    let traces = count();
    let alone = sh(&uri, &line).output().unwrap();
    let said = String::from_utf8_lossy(&alone.stderr).into_owned();
    assert!(said.contains("this command begins its own"), "{said}");
    assert_eq!(count(), traces + 1);
    let own = latest(&uri);
    assert_eq!(
        (
            &own["info"]["tags"]["k"],
            &span(&own, "part")["parent_span_id"]
        ),
        (&json!("v"), &Value::Null)
    );
    assert_eq!(get(&uri, &id)["data"], after["data"]);
}

#[test]
fn an_error_is_told_though_something_else_still_runs() {
    let seeded = of_its_own("3.17.2");
    let uri = seeded.database_uri();
    let line = "mlt run --name outer -- sh -c 'sleep 20 & mlt run --tag k=v -- true; echo oops >&2; exit 3'";
    let output = sh(&uri, line)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("--tag is left out: it is about a trace"),
        "{said}"
    );
    let trace = latest(&uri);
    assert_eq!(
        span(&trace, "outer")["status"]["message"],
        "exit status 3: oops",
        "{trace}"
    );
}

#[test]
fn a_trace_of_its_own_goes_where_the_surrounding_one_does() {
    let seeded = of_its_own("3.17.2");
    let folder = tempfile::tempdir().unwrap();
    let names = |experiment: &str| {
        let found = mlt().on(seeded.uri()).run(&format!(
            "-x {experiment} search --name own-% --columns name -o tsv"
        ));
        found.ok().lines().skip(1).collect::<Vec<_>>().join(" ")
    };
    let database = seeded.database_uri();
    let lines = [
        format!("-u {} -x shop-assistant run --wait 60s", seeded.uri()),
        // Within another folder, the same words would name another file.
        "-u mlflow.db -x shop-assistant run --sample 0".to_owned(),
        "-x shop-assistant run --wait 60s".to_owned(),
    ];
    for (at, line) in lines.iter().enumerate() {
        let inner = format!(
            "cd {}; mlt run --root --wait 60s --name own-a{at} -- true; mlt run --root --wait 60s -x Default --name own-b{at} -- \
             mlt run --root --wait 60s --name own-c{at} -- true",
            folder.path().display()
        );
        let line = format!("unset MLFLOW_TRACKING_URI; mlt {line} -- sh -c '{inner}'");
        let output = sh("", &line).current_dir(&seeded.dir).output().unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{line}: {output:?}"
        );
    }
    assert_eq!(names("shop-assistant"), "own-a2 own-a1 own-a0");
    assert_eq!(
        names("Default"),
        "own-c2 own-b2 own-c1 own-b1 own-c0 own-b0",
        "outer ones are sent last"
    );

    // What the surrounding trace leaves out, it says.
    let line = "mlt run -- mlt run -x Default --name own-d -- true";
    let output = sh(&database, line).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("-x is left out"), "{said}");
}

#[test]
fn an_experiment_that_is_not_there_is_said_while_the_command_runs() {
    let seeded = of_its_own("3.17.2");
    for uri in [seeded.uri().to_owned(), seeded.database_uri()] {
        for name in ["no-such-one", "4711"] {
            // The command ends when it has been said.
            let line = format!("mlt -x {name} run --name unseen -- cat");
            let mut child = sh(&uri, &line)
                .stdin(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut stderr = BufReader::new(child.stderr.take().unwrap());
            let mut said = String::new();
            stderr.read_line(&mut said).unwrap();
            let expected = format!("warning: no experiment `{name}` in ");
            assert!(said.starts_with(&expected), "{said}");
            assert!(said.contains("will be lost, unless"), "{said}");
            drop(child.stdin.take());
            let mut rest = String::new();
            stderr.read_to_string(&mut rest).unwrap();
            assert!(rest.contains("is lost: no experiment"), "{rest}");
            assert_eq!(child.wait().unwrap().code(), Some(0));
        }
        let found = mlt().on(&uri).run("search --name unseen --count");
        assert_eq!(found.ok(), "0\n");
    }
}
