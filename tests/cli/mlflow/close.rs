//! `mlt close`: traces whose program is gone are finished as MLflow finishes them, on
//! servers of each generation, in a database and in a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::mlflow::{
    Seeded, empty, file_store, of_its_own, python, slow_client, store_copy,
};
use crate::support::{Mlt, mlt};

/// What a Python program prints that has MLflow's client of a place.
fn ask(uri: &str, program: &str) -> Value {
    let output = Command::new(python())
        .args(["-c", &format!("import json, mlflow\n{program}")])
        .env("MLFLOW_TRACKING_URI", uri)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

/// A trace whose program was killed after its first span.
fn killed(seeded: &Seeded) -> String {
    let mut client = slow_client(seeded, &["stuck", "60"]);
    client.kill().unwrap();
    client.wait().unwrap();
    let open = mlt()
        .on(seeded.uri())
        .run("search --status IN_PROGRESS -o ids");
    assert_eq!(open.lines().len(), 1, "{open}");
    open.lines()[0].to_owned()
}

#[test]
fn a_trace_of_a_killed_program_ends_with_its_last_span() {
    let seeded = empty();
    let id = killed(&seeded);
    let on = || mlt().on(seeded.uri());
    let hide = |text: &str| {
        let text = text.replace(&id, "ID");
        let varying = regex::Regex::new(r"\d{4}-\d\d-\d\d \S+Z|[\d.]+ m?s\b").unwrap();
        varying.replace_all(&text, "…").into_owned()
    };
    let young = on().run(&format!("close {id}"));
    assert_eq!(young.code, Some(0), "{young}");
    insta::assert_snapshot!(hide(&young.to_string()), @"
    ID  nothing to close: it may be running still, with a sign of life … ago; see --older-than
    --- exit 0
    ");
    let dry = on().run(&format!("close {id} --older-than 0s --dry-run"));
    insta::assert_snapshot!(hide(&dry.to_string()), @"
    ID  would close: ERROR  …  …
    --- exit 0
    ");
    let state = || {
        let one = on()
            .run(&format!("search {id} -o jsonl"))
            .json_lines()
            .remove(0);
        one["info"]["state"].clone()
    };
    assert_eq!(state(), "IN_PROGRESS");
    let done = on().run("close latest --older-than 0s -o json").json();
    assert_eq!(done["closed"], 1);
    let one = &done["results"][0];
    assert_eq!(
        (&one["status"], &one["state"], &one["before"]["state"]),
        (&json!("closed"), &json!("ERROR"), &json!("IN_PROGRESS"))
    );
    let read = ask(
        seeded.uri(),
        &format!(
            "t = mlflow.MlflowClient().get_trace('{id}')\n\
             s = t.data.spans\n\
             print(json.dumps([t.info.state.value, t.info.execution_duration, \
             s[0].end_time_ns // 1000000 - t.info.request_time, len(s)]))"
        ),
    );
    assert_eq!((&read[0], &read[3]), (&json!("ERROR"), &json!(1)), "{read}");
    assert_eq!(read[1], read[2], "{read}");
    let again = on().run(&format!("close {id} --older-than 0s"));
    assert_eq!(
        again.ok(),
        format!("{id}  nothing to close: it is ERROR already\n")
    );
}

/// Traces in progress by MLflow's own search, with how long they took.
fn states(uri: &str) -> BTreeMap<String, (String, Option<i64>)> {
    let found = ask(
        uri,
        "c = mlflow.MlflowClient()\n\
         all = {}\n\
         token = None\n\
         while True:\n\
         \x20   page = c.search_traces(experiment_ids=['4'], max_results=500, page_token=token, include_spans=False)\n\
         \x20   all.update({t.info.trace_id: [t.info.state.value, t.info.execution_duration] for t in page})\n\
         \x20   token = page.token\n\
         \x20   if not token: break\n\
         print(json.dumps(all))",
    );
    let found: BTreeMap<String, (String, Option<i64>)> = serde_json::from_value(found).unwrap();
    found
}

#[test]
fn all_that_are_stuck_are_closed_and_no_others() {
    let seeded = of_its_own("3.17.2");
    let on = || mlt().on(seeded.uri()).args(["-x", "many"]);
    let before = states(seeded.uri());
    let stuck = before.values().filter(|(state, _)| state == "IN_PROGRESS");
    let stuck = stuck.count();
    assert!(stuck > 30, "{stuck}");
    let dry = on().run("close --older-than 1ms --dry-run -o jsonl");
    assert_eq!(dry.json_lines().len(), stuck);
    assert_eq!(states(seeded.uri()), before);
    let none = on().run("close --older-than 9000d");
    assert!(
        none.stdout.lines().count() == stuck && none.stdout.contains("may be running still"),
        "{none}"
    );
    let some = on()
        .run("close --older-than 1ms --tag team=search --state ok -o json")
        .json();
    let some = some["closed"].as_u64().unwrap();
    assert!(some > 0, "{some}");
    let rest = on().run("close --older-than 1ms -o csv");
    assert_eq!(rest.code, Some(0), "{rest}");
    let after = states(seeded.uri());
    assert_eq!(after.len(), before.len());
    for (id, (state, took)) in &after {
        match before[id].0.as_str() {
            "IN_PROGRESS" => {
                assert!(matches!(state.as_str(), "OK" | "ERROR"), "{id}: {state}");
                assert_eq!(*took, Some(0), "{id}");
            }
            _ => assert_eq!((state, took), (&before[id].0, &before[id].1), "{id}"),
        }
    }
    let ok = after
        .iter()
        .filter(|(id, (state, _))| before[*id].0 == "IN_PROGRESS" && state == "OK");
    assert_eq!(ok.count() as u64, some);
    let nothing = on().run("close --older-than 1ms");
    assert!(
        nothing.stderr.starts_with("note: no traces match\n"),
        "{nothing}"
    );
    for (words, said) in [
        ("close", "found neither"),
        ("close latest --status IN_PROGRESS", "found both"),
        ("close latest --state IN_PROGRESS", "--state"),
    ] {
        let refused = mlt().on(seeded.uri()).run(words);
        assert!(refused.fails(2).contains(said), "{refused}");
    }
}

#[test]
fn a_database_gets_what_mlflow_writes() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    for dir in &dirs {
        store_copy(dir.path());
    }
    let [ours, theirs] = dirs.each_ref().map(|dir| dir.path().join("mlflow.db"));
    let [our_uri, their_uri] = [&ours, &theirs].map(|path| format!("sqlite:///{}", path.display()));
    let done = mlt().on(&our_uri).run("close --older-than 1ms -o jsonl -q");
    let ends: Vec<(String, i64)> = done
        .json_lines()
        .iter()
        // One has an end that is still to come.
        .filter(|line| line["status"] == "closed")
        .map(|line| line["trace_id"].as_str().unwrap().to_owned())
        .map(|id| {
            let end = mlt()
                .on(&our_uri)
                .run(&format!("search {id} -o csv --columns end_time"));
            let end = end.lines()[1].to_owned();
            let end = chrono::DateTime::parse_from_rfc3339(&end).unwrap();
            (id, end.timestamp_millis())
        })
        .collect();
    assert!(ends.len() > 30, "{}", ends.len());
    let ended = ask(
        &their_uri,
        &format!(
            "from mlflow.entities.trace_status import TraceStatus\n\
             from mlflow.tracking._tracking_service.utils import _get_store\n\
             store = _get_store()\n\
             for id, end in json.loads({:?}):\n\
             \x20   store.deprecated_end_trace_v2(id, end, TraceStatus.ERROR, {{}}, {{}})\n\
             print(1)",
            serde_json::to_string(&ends).unwrap()
        ),
    );
    assert_eq!(ended, json!(1));
    let rows = |path: &std::path::Path| {
        let connection = rusqlite::Connection::open(path).unwrap();
        let mut all = Vec::new();
        for table in [
            "trace_info",
            "trace_tags",
            "trace_request_metadata",
            "spans",
            "assessments",
        ] {
            let mut statement = connection
                .prepare(&format!("SELECT * FROM {table}"))
                .unwrap();
            let columns = statement.column_count();
            let found = statement.query_map([], |row| {
                let values = (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at));
                Ok(format!("{table} {:?}", values.collect::<Vec<_>>()))
            });
            all.extend(found.unwrap().map(Result::unwrap));
        }
        all.into_iter().collect::<BTreeSet<String>>()
    };
    let [ours, theirs] = [rows(&ours), rows(&theirs)];
    let only = |one: &BTreeSet<String>, other| one.difference(other).cloned().collect::<Vec<_>>();
    assert_eq!(
        (only(&ours, &theirs), only(&theirs, &ours)),
        (Vec::new(), Vec::new())
    );
    let id = &ends[0].0;
    let again = mlt().on(&our_uri).run(&format!("close {id}"));
    assert!(again.ok().contains("nothing to close"), "{again}");
}

#[test]
fn what_has_no_times_ends_when_it_began_or_not_at_all() {
    let seeded = empty();
    let ids = ["a", "b"].map(|c| format!("tr-{}", c.repeat(32)));
    let connection = rusqlite::Connection::open(seeded.database()).unwrap();
    for (id, began) in ids.iter().zip([1_700_000_000_000_i64, 0]) {
        let row = "INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, status) \
                   VALUES (?1, 0, ?2, 'IN_PROGRESS')";
        connection.execute(row, (id, began)).unwrap();
        let tag = "INSERT INTO trace_tags (request_id, key, value) \
                   VALUES (?1, 'mlflow.trace.spansLocation', 'TRACKING_STORE')";
        connection.execute(tag, [id]).unwrap();
        let content = json!({
            "trace_id": "qqqqqqqqqqqqqqqqqqqqqg==", "span_id": "AAAAAAAAAAE=", "trace_state": "",
            "parent_span_id": "", "name": "s", "start_time_unix_nano": 0, "end_time_unix_nano": null,
            "events": [], "status": {"code": "STATUS_CODE_UNSET", "message": ""},
            "attributes": {"mlflow.traceRequestId": format!("\"{id}\"")}, "links": [],
        });
        let row = "INSERT INTO spans (trace_id, experiment_id, span_id, name, status, \
                   start_time_unix_nano, content) VALUES (?1, 0, '0000000000000001', 's', 'UNSET', 0, ?2)";
        connection.execute(row, (id, content.to_string())).unwrap();
    }
    let close = |uri: &str| mlt().on(uri).run("close --older-than 1ms");
    let ended = |id: &str| {
        let row = "SELECT status, execution_time_ms FROM trace_info WHERE request_id = ?1";
        let read =
            |row: &rusqlite::Row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?));
        connection.query_row(row, [id], read).unwrap()
    };
    for uri in [seeded.uri().to_owned(), seeded.database_uri()] {
        let reset = "UPDATE trace_info SET status = 'IN_PROGRESS', execution_time_ms = NULL";
        connection.execute(reset, []).unwrap();
        let done = close(&uri);
        let refused = format!(
            "{}  nothing to close: it does not say when it began\n",
            ids[1]
        );
        assert!(done.stdout.contains(&refused), "{done}");
        let said = "note: closed 1 of 2 traces (1 had ended, may be running or has no start)\n";
        assert_eq!((done.code, &*done.stderr), (Some(0), said), "{done}");
        assert_eq!(ended(&ids[0]), ("ERROR".to_owned(), Some(0)), "{done}");
        assert_eq!(ended(&ids[1]), ("IN_PROGRESS".to_owned(), None), "{done}");
    }
}

#[test]
fn older_servers_close_too() {
    for version in ["2.22.5", "3.1.4"] {
        let seeded = of_its_own(version);
        let start = ask(
            seeded.uri(),
            &format!(
                "import time, urllib.request\n\
                 body = {{'experiment_id': '0', 'timestamp_ms': int(time.time() * 1000) - 7200000, \
                 'request_metadata': [{{'key': 'a', 'value': 'b'}}], 'tags': [{{'key': 'k', 'value': 'v'}}]}}\n\
                 r = urllib.request.Request('{}/api/2.0/mlflow/traces', json.dumps(body).encode(), \
                 {{'content-type': 'application/json'}})\n\
                 print(json.dumps(json.load(urllib.request.urlopen(r))['trace_info']['request_id']))",
                seeded.uri()
            ),
        );
        let id = start.as_str().unwrap();
        let on = || mlt().on(seeded.uri());
        let done = on().run(&format!("close {id}"));
        assert!(
            done.ok().starts_with(&format!("{id}  closed: ERROR  ")),
            "{done}"
        );
        let trace = on().run(&format!("search {id} -o json --all")).json();
        let info = &trace["traces"][0]["info"];
        assert_eq!(
            (&info["state"], &info["tags"]["k"]),
            (&json!("ERROR"), &json!("v")),
            "{version}"
        );
    }
}

#[test]
fn a_folder_keeps_the_words_of_the_release_that_wrote_it() {
    for (version, state, took) in [
        ("3.17.2", "state: OK", "execution_duration_ms"),
        ("2.22.5", "status: OK", "execution_time_ms"),
    ] {
        let store = file_store(version);
        let on = || -> Mlt { mlt().on(&store.uri()) };
        let id = on()
            .run("search --status OK -n 1 -o ids")
            .ok()
            .trim()
            .to_owned();
        let root = store.folder().join("mlruns");
        let folder = fs::read_dir(&root)
            .unwrap()
            .flatten()
            .map(|entry| entry.path().join("traces").join(&id))
            .find(|folder| folder.is_dir())
            .unwrap();
        let path = folder.join("trace_info.yaml");
        let whole = fs::read_to_string(&path).unwrap();
        let open: Vec<String> = whole
            .lines()
            .filter(|line| !line.starts_with(took))
            .map(|line| line.replace(state, &state.replace("OK", "IN_PROGRESS")))
            .collect();
        fs::write(&path, open.join("\n") + "\n").unwrap();
        let asked = on().run(&format!("close {id} --state OK --older-than 0s"));
        assert_eq!(asked.code, Some(0), "{asked}");
        let now = fs::read_to_string(&path).unwrap();
        assert!(now.contains(took) && !now.contains("IN_PROGRESS"), "{now}");
        let read = store.ask(&format!(
            "import mlflow\n\
             t = mlflow.MlflowClient().get_trace('{id}')\n\
             i = t.info\n\
             print(i.status, i.execution_time_ms is not None, len(t.data.spans) > 0, i.request_id)"
        ));
        let read = read
            .trim()
            .replace("TraceStatus.", "")
            .replace("TraceState.", "");
        assert_eq!(read, format!("OK True True {id}"), "{version}");
    }
}
