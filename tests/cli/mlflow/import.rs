//! Traces taken in from files and other stores: into databases and servers, where they are
//! what they were, are there once, and are read by MLflow's own client.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::{Value, json};

use crate::support::mlflow::{Seeded, empty, file_store, of_its_own, old, python, rich};
use crate::support::{Mlt, Outcome, mlt};

/// Experiments of [`rich`] with all kinds of traces, and few.
const FROM: &str = "-x nightly-evals -x shop-assistant -x edges -x rich -x rich-neighbour";

/// Those traces as mlt writes them.
fn exported() -> String {
    let export = mlt()
        .on(rich().uri())
        .run(&format!("export {FROM} -o jsonl"));
    assert_eq!(export.code, Some(0), "{export}");
    assert!(export.lines().len() > 150, "{}", export.lines().len());
    export.stdout
}

fn on_database(seeded: &Seeded) -> Mlt {
    mlt().on(&seeded.database_uri())
}

/// Traces by their ids, without what belongs to a store: the experiment, where it keeps
/// the spans, and the address of a page.
fn traces(lines: &str) -> BTreeMap<String, Value> {
    let parse = |line: &str| -> (String, Value) {
        let mut trace: Value = serde_json::from_str(line).unwrap();
        let id = trace["info"]["trace_id"].as_str().unwrap().to_owned();
        let members = trace.as_object_mut().unwrap();
        members.remove("link");
        let info = members["info"].as_object_mut().unwrap();
        info.remove("trace_location");
        let tags = info["tags"].as_object_mut().unwrap();
        tags.remove("mlflow.artifactLocation");
        tags.remove("mlflow.trace.spansLocation");
        // Stores give those that were made in one millisecond in any order.
        if let Some(Value::Array(all)) = info.get_mut("assessments") {
            all.sort_by_key(|one| one["assessment_id"].as_str().unwrap().to_owned());
        }
        let spans = members["data"]["spans"].as_array_mut().unwrap();
        // Stores give spans that begin at once in any order.
        spans.sort_by_key(|span| span["span_id"].as_str().unwrap().to_owned());
        (id, trace)
    };
    lines.lines().map(parse).collect()
}

/// All traces of a store.
fn all_of(uri: &str) -> BTreeMap<String, Value> {
    let export = mlt().on(uri).run("export --all -o jsonl");
    assert_eq!(export.code, Some(0), "{export}");
    traces(&export.stdout)
}

#[track_caller]
fn assert_same(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) {
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>()
    );
    for (id, trace) in before {
        let other = &after[id];
        let shown = |trace: &Value| serde_json::to_string_pretty(trace).unwrap();
        assert!(trace == other, "{id}: {}\n{}", shown(trace), shown(other));
    }
}

/// The note that says how many were imported.
fn note(outcome: &Outcome) -> &str {
    let mut lines = outcome.stderr.lines();
    lines
        .find(|line| line.starts_with("note: imported "))
        .unwrap_or_else(|| panic!("{outcome}"))
}

/// What a Python program prints.
fn ask(program: &str, args: &[&str]) -> String {
    // MLflow makes a database wherever it is.
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(python())
        .args(["-c", program])
        .args(args)
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Every trace of two stores as MLflow's client gives it, and how they differ.
const COMPARE: &str = "
import json, sys
import mlflow
from mlflow import MlflowClient
here, there, ids = sys.argv[1], sys.argv[2], sys.argv[3].split()
# Artifacts come from the server.
mlflow.set_tracking_uri(sys.argv[4])
one, other = MlflowClient(here), MlflowClient(there)
def plain(client, id):
    trace = json.loads(client.get_trace(id).to_json())
    trace['info'].pop('trace_location')
    for key in ('mlflow.artifactLocation', 'mlflow.trace.spansLocation'):
        trace['info']['tags'].pop(key, None)
    # Issues are not taken in, and spans that never ended have no end in JSON.
    all = [a for a in trace['info'].pop('assessments', []) if 'issue' not in a]
    trace['info']['assessments'] = sorted(all, key=lambda a: a['assessment_id'])
    trace['data']['spans'].sort(key=lambda s: s['span_id'])
    for span in trace['data']['spans']:
        span['end_time_unix_nano'] = span['end_time_unix_nano'] or None
    return trace
for id in ids:
    a, b = plain(one, id), plain(other, id)
    if a != b:
        parts = [(a[k][l], b[k][l]) for k in a for l in a[k] if a[k][l] != b[k].get(l)]
        print(id, json.dumps(parts)[:2000])
found = other.search_traces(locations=['0'], max_results=500, include_spans=False)
print('found', len(found))
";

#[test]
fn a_database_has_what_was_exported() {
    let (target, export) = (empty(), exported());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("traces.jsonl");
    fs::write(&file, &export).unwrap();
    let words = format!("import {}", file.display());

    let before = without_issues(traces(&export));
    let all = before.len();
    let dry = on_database(&target).run(&format!("{words} --dry-run -o jsonl"));
    let status = |line: &Value| line["status"] == "would_import" && line["experiment_id"] == "0";
    assert!(dry.json_lines().iter().all(status), "{dry}");
    assert_eq!(dry.lines().len(), all);
    assert!(all_of(&target.database_uri()).is_empty());

    let done = on_database(&target).run(&words);
    assert_eq!(done.code, Some(0), "{done}");
    assert_eq!(note(&done), format!("note: imported {all} traces"));
    let into_default = "note: traces of experiments that are not here by the same name go into \
                        Default; -x names another one\n";
    assert_eq!(done.stderr.matches(into_default).count(), 1, "{done}");
    assert!(done.stdout.contains("  into Default\n"), "{done}");
    assert_same(&before, &all_of(&target.database_uri()));
    // The server over the same database says the same.
    assert_same(&before, &all_of(target.uri()));

    let again = on_database(&target).run(&words);
    assert_eq!(again.code, Some(0), "{again}");
    assert_eq!(
        note(&again),
        format!("note: imported 0 of {all} traces ({all} there already)")
    );
    assert_same(&before, &all_of(&target.database_uri()));

    // Spans that a database does not have, MLflow's client looks for on a server.
    let has_spans = |(_, trace): &(&String, &Value)| trace["data"]["spans"] != json!([]);
    let with_spans = before.iter().filter(has_spans);
    let ids: Vec<&str> = with_spans.map(|(id, _)| id.as_str()).collect();
    assert!(ids.len() > 150, "{}", ids.len());
    // Both databases themselves: what goes through a server is typed anew there.
    let (here, there) = (rich().database_uri(), target.database_uri());
    let told = ask(COMPARE, &[&here, &there, &ids.join(" "), rich().uri()]);
    assert_eq!(told.trim(), format!("found {all}"));
}

#[test]
fn folders_keep_the_names_of_experiments() {
    let (store, target) = (file_store("3.17.2"), empty());
    let before = without_issues(all_of(&store.uri()));
    let done = on_database(&target).run(&format!("import {} -o json", store.uri()));
    let told = done.json();
    assert_eq!(told["imported"], json!(before.len()), "{done}");
    assert_same(&before, &all_of(&target.database_uri()));
}

/// What a server makes its own of a trace: its mark, and text of integers beyond 64 bits.
fn as_on_a_server(traces: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut traces = traces.clone();
    for trace in traces.values_mut() {
        let metadata = trace["info"]["trace_metadata"].as_object_mut().unwrap();
        metadata.insert("mlflow.trace.infoFinalized".to_owned(), json!("true"));
        for span in trace["data"]["spans"].as_array_mut().unwrap() {
            if span["attributes"]["big"] == json!("9223372036854775808") {
                span["attributes"]["big"] = json!("\"9223372036854775808\"");
            }
        }
    }
    traces
}

/// Without assessments of the kinds that mlt does not know.
fn without_issues(mut traces: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    for trace in traces.values_mut() {
        trace.as_object_mut().unwrap().remove("assessments");
    }
    traces
}

#[test]
fn a_server_has_what_another_one_exported() {
    let (target, export) = (empty(), exported());
    let before = without_issues(traces(&export));
    let all = before.len();
    let done = mlt()
        .on(target.uri())
        .stdin(export.as_str())
        .run("import -");
    assert_eq!(done.code, Some(0), "{done}");
    assert_eq!(note(&done), format!("note: imported {all} traces"));
    let after = as_on_a_server(&all_of(target.uri()));
    assert_same(&as_on_a_server(&before), &after);

    let again = mlt().on(target.uri()).stdin(export).run("import -");
    assert_eq!(
        note(&again),
        format!("note: imported 0 of {all} traces ({all} there already)")
    );
    assert_eq!(as_on_a_server(&all_of(target.uri())), after);
    // What was taken back by another assessment is not valid there either.
    let invalid = "import sqlite3, sys\n\
                   sql = 'SELECT count(*) FROM assessments WHERE NOT valid'\n\
                   print(sqlite3.connect(sys.argv[1]).execute(sql).fetchone()[0])";
    let number = ask(invalid, &[target.database().to_str().unwrap()]);
    assert_eq!(number.trim(), "7");
    // The server has the types of spans in a column, which it reads for itself.
    let tools = |on: Mlt, from: &str| {
        let on = on
            .args(from.split_whitespace())
            .args(["search", "--all", "--count"]);
        on.args(["-f", "span.type = 'TOOL'"])
            .run("")
            .ok()
            .to_owned()
    };
    let there = tools(mlt().on(rich().uri()), FROM);
    assert_ne!(there, "0\n");
    assert_eq!(tools(mlt().on(target.uri()), ""), there);
}

#[test]
fn what_was_broken_off_on_a_server_is_finished() {
    let (target, export) = (empty(), exported());
    let before = without_issues(traces(&export));
    // As far as an import comes before a trace gets what spans do not tell. What mlt has
    // written, MLflow reads.
    let program = "
import sys
from mlflow.entities import Trace
from mlflow.tracking._tracking_service.utils import _get_store
store = _get_store(sys.argv[1])
done = 0
for line in sys.stdin:
    trace = Trace.from_json(line)
    if trace.data.spans and done < 40:
        store.log_spans('0', trace.data.spans)
        done += 1
print(done)
";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("traces.jsonl");
    fs::write(&file, &export).unwrap();
    let output = Command::new(python())
        .args(["-c", program, target.uri()])
        .stdin(fs::File::open(&file).unwrap())
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "40\n",
        "{output:?}"
    );
    assert_eq!(all_of(target.uri()).len(), 40);

    // And killed, wherever it is.
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("mlt"))
        .args(["import", file.to_str().unwrap()])
        .env("MLFLOW_TRACKING_URI", target.uri())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..50 {
        lines.next().unwrap().unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let done = mlt()
        .on(target.uri())
        .run(&format!("import {}", file.display()));
    assert_eq!(done.code, Some(0), "{done}");
    assert!(
        note(&done).contains(&format!(" of {} traces (", before.len())),
        "{done}"
    );
    assert_same(
        &as_on_a_server(&before),
        &as_on_a_server(&all_of(target.uri())),
    );
}

#[test]
fn a_database_that_an_import_was_killed_on_is_whole_and_gone_on_with() {
    let (source, target) = (of_its_own("3.17.2"), empty());
    let from = source.database_uri();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("mlt"))
        .args(["import", &from])
        .env("MLFLOW_TRACKING_URI", target.database_uri())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let first = BufReader::new(child.stdout.take().unwrap()).lines().next();
    assert!(first.unwrap().unwrap().contains("  imported: "));
    child.kill().unwrap();
    child.wait().unwrap();
    let before = all_of(&from);
    let half = all_of(&target.database_uri());
    assert!(
        !half.is_empty() && half.len() < before.len(),
        "{}",
        half.len()
    );
    for (id, trace) in &half {
        assert_eq!(trace, &before[id]);
    }
    // Two at once take nothing in twice.
    let import = || on_database(&target).run(&format!("import {from} -q"));
    let (one, other) = thread::scope(|scope| {
        let other = scope.spawn(import);
        (import(), other.join().unwrap())
    });
    assert_eq!((one.code, other.code), (Some(0), Some(0)), "{one}{other}");
    assert_same(&before, &all_of(&target.database_uri()));
    let imported = |outcome: &Outcome| outcome.stdout.matches("  imported: ").count();
    assert_eq!(imported(&one) + imported(&other), before.len() - half.len());
}

#[test]
fn a_trace_that_is_refused_takes_no_other_along() {
    let target = empty();
    let trace = |id: &str, session: &str| {
        json!({
            "info": {
                "trace_id": id,
                "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}},
                "request_time": "2026-11-22T20:10:01.666Z",
                "state": "OK",
                "trace_metadata": {"mlflow.trace.session": session},
                "tags": {},
            },
            "data": {"spans": [{
                "trace_id": "tr-00000000000000000000000000000001", "span_id": "0000000000000001",
                "parent_span_id": null, "name": "a", "start_time_unix_nano": 1_795_380_000_000_000_000_i64,
                "end_time_unix_nano": 1_795_380_000_000_000_001_i64, "status": {"code": "STATUS_CODE_OK"},
                "attributes": {"mlflow.traceRequestId": format!("\"{id}\"")}, "events": [],
            }]},
        })
        .to_string()
    };
    let hex = |n: usize| format!("tr-{n:032x}");
    let lines = [
        trace(&hex(1), "s"),
        trace("../../x", "s"),
        trace(&"x".repeat(60), "s"),
        "{\"info\": {\"trace_id\": \"tr-broken\"".to_owned(),
        trace(&hex(2), &"s".repeat(251)),
        trace(&hex(3), "s"),
        trace("mine", "s"),
    ]
    .join("\n");
    for (uri, refused) in [
        (
            target.database_uri(),
            ["../../x", &"x".repeat(50), &hex(2)].as_slice(),
        ),
        (
            target.uri().to_owned(),
            &["../../x", &"x".repeat(50), &hex(2), "mine"],
        ),
    ] {
        let outcome = mlt()
            .on(&uri)
            .stdin(lines.as_str())
            .run("import - missing.jsonl");
        // The file that is not there comes last.
        assert_eq!(outcome.code, Some(6), "{outcome}");
        assert!(
            outcome.stderr.contains("cannot read missing.jsonl: "),
            "{outcome}"
        );
        for id in refused {
            let said = format!("cannot take in trace `{id}");
            assert_eq!(outcome.stderr.matches(&said).count(), 1, "{id}: {outcome}");
        }
        assert!(
            outcome
                .stderr
                .contains("cannot read tr-broken, line 4 of standard input"),
            "{outcome}"
        );
        let alone = mlt()
            .on(&uri)
            .stdin(lines.as_str())
            .run("import - -o jsonl -q");
        assert_eq!(alone.code, Some(1), "{alone}");
        let failed = alone.stdout.matches("\"status\":\"failed\"").count();
        assert_eq!(failed, refused.len(), "{alone}");
        let there = alone.stdout.matches("\"status\":\"unchanged\"").count();
        assert_eq!(there, 6 - refused.len(), "{alone}");
        let all = mlt().on(&uri).run("search --all -o ids");
        assert_eq!(all.ok().lines().count(), 6 - refused.len());
        let delete = mlt()
            .on(&uri)
            .stdin(all.stdout.as_str())
            .run("delete - --yes -q");
        assert_eq!(delete.code, Some(0), "{delete}");
    }
}

#[test]
fn traces_go_into_the_experiment_of_the_same_name_or_the_one_that_is_named() {
    let (source, target) = (of_its_own("3.17.2"), empty());
    let make = "import sys; from mlflow import MlflowClient\n\
                for name in sys.argv[2:]: MlflowClient(sys.argv[1]).create_experiment(name)";
    ask(make, &[target.uri(), "filler", "nightly-evals", "other"]);
    let ids = |uri: &str, words: &str| {
        let list = mlt().on(uri).run(&format!("search {words} --all -o ids"));
        assert_eq!(list.code, Some(0), "{list}");
        let mut ids: Vec<String> = list.stdout.lines().map(str::to_owned).collect();
        ids.sort();
        ids
    };
    let evals = ids(source.uri(), "-x nightly-evals");
    let from = source.database_uri();
    let delete = mlt()
        .on(source.uri())
        .run("delete -x many --name % --yes -q");
    assert_eq!(delete.code, Some(0), "{delete}");
    let done = on_database(&target).run(&format!("import {from}"));
    assert_eq!(done.stderr.matches("go into Default").count(), 1, "{done}");
    assert_eq!(ids(target.uri(), "-x nightly-evals"), evals);
    assert!(ids(target.uri(), "-x Default").len() > evals.len());
    let location = format!(
        "SELECT value FROM trace_tags WHERE key = 'mlflow.artifactLocation' AND request_id = '{}'",
        evals[0]
    );
    let sql = "import sqlite3, sys\nprint(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])";
    let location = ask(sql, &[target.database().to_str().unwrap(), &location]);
    let expected = format!("mlflow-artifacts:/2/traces/{}/artifacts\n", evals[0]);
    assert_eq!(location, expected);

    let all = ids(target.uri(), "");
    mlt().on(target.uri()).run("delete --name % --yes -q");
    let rest = ids(target.uri(), "").join("\n");
    mlt().on(target.uri()).stdin(rest).run("delete - --yes -q");
    assert!(ids(target.uri(), "").is_empty());
    let done = on_database(&target).run(&format!("import {from} -x other -q"));
    assert!(done.stdout.contains("  into other\n"), "{done}");
    assert_eq!(ids(target.uri(), "-x other"), all);
    for (words, code, said) in [
        ("-x nowhere", 3, "no experiment `nowhere`"),
        (
            "-x other -x filler",
            2,
            "expected one experiment to import into, found 2",
        ),
    ] {
        let refused = on_database(&target).run(&format!("import {from} {words}"));
        assert!(refused.fails(code).contains(said), "{refused}");
    }
    let itself = mlt().on(&from).run(&format!("import {from}"));
    assert!(
        itself.fails(2).contains("would be imported into itself"),
        "{itself}"
    );
    let server = on_database(&target).run(&format!("import {}", source.uri()));
    assert!(server.fails(2).contains("found a server"), "{server}");
}

#[test]
fn places_that_take_nothing_in_say_so_in_a_sentence() {
    let fixture = "tests/fixtures/collector.json";
    let folder = file_store("3.17.2");
    for (uri, said) in [
        (
            "demo:".to_owned(),
            "the demo store has no way to take in traces: it is read-only",
        ),
        (
            fixture.to_owned(),
            "has no way to take in traces: it is read-only",
        ),
        (
            folder.uri(),
            "has no way to take in traces: it is read-only",
        ),
        (
            old().uri().to_owned(),
            "has no way to take in spans and give them out: it is of a release of MLflow before 3.6",
        ),
        (
            old().database_uri(),
            "has no place for spans: it is of a release of MLflow before 3.4",
        ),
    ] {
        let refused = mlt().on(&uri).run(&format!("import {fixture}"));
        assert!(refused.fails(2).contains(said), "{uri}: {refused}");
    }
    let server = folder.serve();
    let refused = mlt().on(&server.uri).run(&format!("import {fixture}"));
    let said = "has no way to take in spans: it keeps its traces in files";
    assert!(refused.fails(2).contains(said), "{refused}");
}

/// Sends OpenTelemetry's JSON in a file to a server.
fn send(uri: &str, file: &Path) {
    let program = "
import requests, sys
body = open(sys.argv[2], 'rb').read()
headers = {'content-type': 'application/json', 'x-mlflow-experiment-id': '0'}
requests.post(sys.argv[1] + '/v1/traces', data=body, headers=headers).raise_for_status()
";
    ask(program, &[uri, file.to_str().unwrap()]);
}

#[test]
fn what_has_ended_on_a_server_since_it_was_exported_stays_as_it_is() {
    let target = empty();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("spans.json");
    // Their root spans have not arrived.
    let span = |n: usize| {
        json!({
            "traceId": format!("{n:032x}"),
            "spanId": format!("{n:016x}"),
            "parentSpanId": "00000000000000ff",
            "name": "step",
            "startTimeUnixNano": "1700000000000000000",
            "endTimeUnixNano": "1700000001000000000",
        })
    };
    let spans: Vec<Value> = (1..=3).map(span).collect();
    let body = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]});
    fs::write(&file, body.to_string()).unwrap();
    send(target.uri(), &file);
    let on = |words: &str| {
        let outcome = mlt().on(target.uri()).within(dir.path()).run(words);
        assert_eq!(outcome.code, Some(0), "{words}: {outcome}");
        outcome
    };
    on("export --all -o jsonl --to before.jsonl");
    let ids: Vec<String> = (1..=3).map(|n| format!("tr-{n:032x}")).collect();
    on(&format!("close {} --state OK --older-than 0s", ids[0]));
    on(&format!("close {} --state ERROR --older-than 0s", ids[1]));
    on(&format!("tag {} seen=yes", ids[2]));
    let states =
        || on("search --all --order-by trace_id -o tsv --columns trace_id,state,tags.seen");
    let before = states().stdout;
    for end in ["OK\t", "ERROR\t", "IN_PROGRESS\tyes"] {
        assert!(before.contains(&format!("\t{end}\n")), "{before}");
    }
    for words in ["import before.jsonl --dry-run", "import before.jsonl"] {
        let told = on(words).stdout;
        assert_eq!(told.matches("it is there already").count(), 3, "{told}");
        assert_eq!(states().stdout, before, "{words}");
    }
}

#[test]
fn spans_become_the_trace_that_a_server_makes_of_them() {
    let (asked, target) = (empty(), empty());
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/collector.json");
    send(asked.uri(), &fixture);
    // The server takes hex in links for base64.
    let mut expected = all_of(asked.uri());
    for trace in expected.values_mut() {
        for span in trace["data"]["spans"].as_array_mut().unwrap() {
            for link in span["links"].as_array_mut().unwrap() {
                link["trace_id"] = json!("tr-4bf92f3577b34da6a3ce929d0e0e4736");
                link["span_id"] = json!("00f067aa0ba902b8");
            }
        }
    }
    let words = format!("import {}", fixture.display());
    assert_eq!(mlt().on(target.uri()).run(&words).code, Some(0));
    assert_same(
        &as_on_a_server(&expected),
        &as_on_a_server(&all_of(target.uri())),
    );

    // The same in protobuf, which is told by what is in it.
    let dir = tempfile::tempdir().unwrap();
    let proto = dir.path().join("spans.binpb");
    let export = format!("export --all -o otlp-proto --to {}", proto.display());
    assert_eq!(
        mlt().on(fixture.to_str().unwrap()).run(&export).code,
        Some(0)
    );
    let other = empty();
    for source in [
        proto.display().to_string(),
        dir.path().display().to_string(),
    ] {
        let done = on_database(&other).run(&format!("import {source}"));
        assert_eq!(done.code, Some(0), "{done}");
    }
    assert_eq!(all_of(&other.database_uri()).len(), 1);
}

#[test]
fn a_copy_of_a_trace_has_assessments_of_its_own_in_the_experiment_of_the_name() {
    let seeded = of_its_own("3.17.2");
    let ids = regex::Regex::new("\"(a-[0-9a-f]{32}|tr-[0-9a-f]{32})\"").unwrap();
    for (at, uri) in [seeded.uri().to_owned(), seeded.database_uri()]
        .iter()
        .enumerate()
    {
        let on = || mlt().on(uri);
        let newest = on().run("-x shop-assistant search --name checkout -n 3 -o ids");
        let id = newest.lines()[at].to_owned();
        for words in [
            "helpful=false",
            "helpful=true --replace",
            "tone=odd",
            "tone=dry",
        ] {
            on().run(&format!("assess {id} {words}")).ok();
        }
        let said = |id: &str| {
            let lines = on()
                .run(&format!("assess {id} --list -o json"))
                .ok()
                .to_owned();
            // Ids are their own; values, and which of them are valid, are the same.
            let found: Vec<String> = ids
                .find_iter(&lines)
                .map(|id| id.as_str().to_owned())
                .collect();
            (ids.replace_all(&lines, "ID").into_owned(), found)
        };
        let before = said(&id);
        let copy = format!("tr-{:032x}", at + 1);
        let export = on().run(&format!("export {id} -o jsonl"));
        assert!(
            export
                .ok()
                .contains("\"experiment_name\":\"shop-assistant\""),
            "{export}"
        );
        let lines = export.stdout.replace(&id, &copy);
        // Another store has another id for the experiment.
        let lines = lines.replace("\"experiment_id\":\"2\"", "\"experiment_id\":\"77\"");
        let done = on().stdin(lines).run("import -");
        assert_eq!(done.code, Some(0), "{done}");
        assert!(done.stdout.ends_with("  into shop-assistant\n"), "{done}");
        assert_eq!(said(&id), before, "what is there stays as it is");
        let (texts, ids) = said(&copy);
        assert_eq!(texts, before.0);
        assert!(
            ids.iter()
                .filter(|id| id.starts_with("\"a-"))
                .all(|id| !before.1.contains(id))
        );
    }
}
