//! Traces that cannot be read, in files, databases, folders and on servers: the
//! others are shown, these are named and counted, and the exit code says so. Traces
//! without spans are traces all the same.

use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::fake::{
    ARTIFACT, Fake, GET_TRACE, Reply, SEARCH, artifact, info, info_path, info_reply, page, trace_id,
};
use crate::support::mlflow::{file_store, store_copy};
use crate::support::postgres::on_postgres;
use crate::support::{Mlt, Outcome, mlt};

/// A file of traces of one span each; `change` may damage the lines.
fn file(change: impl FnOnce(&mut Vec<String>)) -> (TempDir, PathBuf) {
    let mut lines: Vec<String> = (1..4)
        .map(|n| json!({"info": info(n), "data": artifact(n)}).to_string())
        .collect();
    change(&mut lines);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("traces.jsonl");
    fs::write(&path, lines.join("\n")).unwrap();
    (dir, path)
}

fn odd(line: &str) -> String {
    let mut trace: Value = serde_json::from_str(line).unwrap();
    trace["info"]["tags"] = json!("hunter2");
    trace.to_string()
}

fn on(path: &std::path::Path) -> Mlt {
    mlt().on(path.to_str().unwrap())
}

/// Checks that the others were shown, and that it was said once which was not.
#[track_caller]
fn partly<'o>(outcome: &'o Outcome, named: &str) -> &'o str {
    assert_eq!(outcome.code, Some(7), "{outcome}");
    let lines = outcome.stderr.lines();
    let naming = lines.filter(|line| line.contains("cannot read") && line.contains(named));
    assert_eq!(naming.count(), 1, "{outcome}");
    assert_eq!(
        outcome.stderr.matches("could not be read").count(),
        1,
        "{outcome}"
    );
    assert!(!outcome.stderr.contains("hunter2"), "{outcome}");
    assert!(!outcome.stderr.contains("proxy"), "{outcome}");
    &outcome.stdout
}

/// Standard output as JSON, whatever the exit code.
fn document(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap()
}

/// What commands over many traces make of three, the second of which has spans that
/// cannot be read.
fn every_command(on: impl Fn() -> Mlt, named: &str) {
    for words in [
        "latency --all",
        "latency --all --slowest 3 -o csv",
        "stats p95(span.duration) --by span.name",
        "export --all -o otlp",
        "export --all -o csv",
        "export --all -o chrome",
        "report --all",
    ] {
        let outcome = on().run(words);
        assert!(!partly(&outcome, named).is_empty(), "{words}: {outcome}");
    }
    let lines = on().run("export --all -o jsonl");
    assert_eq!(partly(&lines, named).lines().count(), 2, "{lines}");
    assert!(!lines.stdout.contains("unreadable"), "{lines}");
    for words in [
        "latency --all -o json",
        "stats p95(span.duration) -o json",
        "export --all -o json",
        "search --include-spans -o json",
    ] {
        let outcome = on().run(words);
        let document: Value = serde_json::from_str(partly(&outcome, named)).unwrap();
        let list = document["unreadable"].as_array().unwrap();
        assert_eq!(list.len(), 1, "{words}: {outcome}");
        let keys: Vec<&String> = list[0].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["trace_id", "file", "line", "member", "message"]);
        assert_eq!(document["truncated"], true, "{words}");
    }
    let rule = ["check", "--all", "--require", "count(span) >= 1"];
    let check = on().args(rule).run("");
    assert_eq!(check.code, Some(1), "{check}");
    assert!(
        check.stderr.contains("1 trace could not be read"),
        "{check}"
    );
    let check = on().args(rule).run("--ignore-unreadable");
    assert_eq!(check.code, Some(0), "{check}");
    assert!(check.stderr.contains(named), "{check}");
    let sides = [
        "diff",
        "--base-filter",
        "name LIKE '%'",
        "-f",
        "name LIKE '%'",
    ];
    let diff = on().args(sides).run("-o json");
    assert_eq!(diff.code, Some(7), "{diff}");
    assert_eq!(
        document(&diff)["unreadable"].as_array().unwrap().len(),
        2,
        "{diff}"
    );
}

#[test]
fn one_odd_line_does_not_take_the_others() {
    let (_dir, path) = file(|lines| lines[1] = "2026/11/26 WARNING hunter2".to_owned());
    let found = on(&path).run("search -o ids");
    let ids = partly(&found, "line 2 of ");
    assert_eq!(ids.lines().count(), 2, "{found}");
    assert!(
        found.stderr.contains("2 traces; 1 could not be read"),
        "{found}"
    );
    assert_eq!(partly(&on(&path).run("search --count"), "line 2"), "2\n");
    let counted = document(&on(&path).run("search --count -o json"));
    assert_eq!(counted["count"], 2);
    assert_eq!(counted["unreadable"][0]["line"], 2);
    every_command(|| on(&path), "line 2 of ");

    let (_dir, path) = file(|lines| lines[1] = odd(&lines[1]));
    let found = on(&path).args(["search", "-o", "ids", "-f", "any(span.duration > 0ms)"]);
    let found = found.run("");
    assert_eq!(partly(&found, &trace_id(2)).lines().count(), 2, "{found}");
    every_command(|| on(&path), &trace_id(2));
    let alone = on(&path).run(&format!("get {}", trace_id(2)));
    let said = alone.fails(6);
    assert!(
        said.contains("line 2") && !said.contains("hunter2"),
        "{alone}"
    );
    let several = on(&path).run(&format!("get {} {} -o json", trace_id(1), trace_id(2)));
    partly(&several, &trace_id(2));
    assert_eq!(
        document(&several)["unreadable"][0]["trace_id"],
        trace_id(2).as_str()
    );
    assert_eq!(
        document(&several)["unreadable"][0]["file"],
        path.to_str().unwrap()
    );

    let (_dir, path) = file(|lines| lines[2].truncate(300));
    let found = on(&path).run("search -o ids");
    assert_eq!(partly(&found, &trace_id(3)).lines().count(), 2, "{found}");
    assert!(!found.stderr.contains("changed"), "{found}");
}

#[test]
fn a_file_in_which_nothing_can_be_read_is_refused() {
    let (_dir, path) = file(|lines| lines.iter_mut().for_each(|line| *line = odd(line)));
    let outcome = on(&path).run("search");
    assert!(!outcome.fails(6).contains("hunter2"), "{outcome}");
}

#[test]
fn many_are_named_up_to_a_bound() {
    let (_dir, path) = file(|lines| {
        let more = vec![lines[1].clone(); 30];
        lines.extend(more.iter().map(|line| odd(line)));
    });
    let outcome = on(&path).run("search -o ids");
    assert_eq!(outcome.code, Some(7), "{outcome}");
    assert_eq!(
        outcome.stderr.matches("cannot read").count(),
        10,
        "{outcome}"
    );
    assert!(outcome.stderr.contains("and 20 more"), "{outcome}");
    assert!(
        outcome.stderr.contains("3 traces; 30 could not be read"),
        "{outcome}"
    );
}

#[test]
fn an_export_tries_them_again() {
    let (dir, path) = file(|lines| lines[1] = odd(&lines[1]));
    let (_whole, whole) = file(|_| ());
    let to = dir.path().join("backup.jsonl");
    let export = || {
        let to = to.to_str().unwrap();
        on(&path)
            .args(["export", "--all", "-o", "jsonl", "--to", to, "--resume"])
            .run("")
    };
    partly(&export(), &trace_id(2));
    assert_eq!(fs::read_to_string(&to).unwrap().lines().count(), 2);
    fs::copy(whole, &path).unwrap();
    assert_eq!(export().code, Some(0));
    assert_eq!(fs::read_to_string(&to).unwrap().lines().count(), 3);
}

#[test]
fn a_trace_without_spans_is_a_trace() {
    let (dir, path) = file(|lines| {
        let mut bare: Value = serde_json::from_str(&lines[1]).unwrap();
        bare.as_object_mut().unwrap().remove("data");
        bare["info"]["trace_metadata"] = json!({});
        lines[1] = bare.to_string();
    });
    let get = on(&path).run(&format!("get {}", trace_id(2)));
    assert_eq!(get.code, Some(0), "{get}");
    assert!(
        get.stdout.contains("no spans") && get.stdout.contains("OK"),
        "{get}"
    );
    let to = dir.path().join("backup.jsonl");
    let backup = on(&path).args([
        "export",
        "--all",
        "-o",
        "jsonl",
        "--to",
        to.to_str().unwrap(),
    ]);
    let backup = backup.run("");
    assert_eq!(backup.code, Some(0), "{backup}");
    assert_eq!(
        backup.stderr.matches("1 trace has no spans").count(),
        1,
        "{backup}"
    );
    assert_eq!(on(&to).run("search --count").ok(), "3\n");
    let latency = on(&path).run("latency --all");
    assert_eq!(latency.code, Some(0), "{latency}");
    assert_eq!(
        latency.stderr.matches("1 trace has no spans").count(),
        1,
        "{latency}"
    );
}

/// A database with three traces at least, of which these were damaged.
fn database(sql: &str) -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    store_copy(dir.path());
    fs::rename(dir.path().join("artifacts"), dir.path().join("mlartifacts")).unwrap();
    let path = dir.path().join("mlflow.db");
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let uri = format!("sqlite:///{}", path.display());
    (dir, uri)
}

#[test]
fn one_odd_row_of_a_database_does_not_take_the_others() {
    let newest = "(SELECT request_id FROM trace_info WHERE request_id IN (SELECT trace_id FROM spans) \
                  ORDER BY timestamp_ms DESC LIMIT 1)";
    let (_dir, uri) = database(&format!(
        "UPDATE spans SET content = '{{\"name\": hunter2' WHERE trace_id = {newest}"
    ));
    let lines = mlt().on(&uri).run("export --all -o jsonl");
    partly(&lines, "tr-");
    let listed = mlt().on(&uri).run("search --all -o ids");
    let path = uri.strip_prefix("sqlite:///").unwrap();
    let id: String = Connection::open(path)
        .unwrap()
        .query_row(&format!("SELECT {newest}"), [], |row| row.get(0))
        .unwrap();
    assert_eq!(
        lines.stdout.lines().count() + 1,
        listed.stdout.lines().count()
    );
    let alone = mlt().on(&uri).run(&format!("get {id}"));
    assert!(!alone.fails(6).contains("hunter2"), "{alone}");

    let (_dir, uri) = database(&format!(
        "UPDATE spans SET start_time_unix_nano = 'hunter2' WHERE trace_id = {newest}"
    ));
    let latency = mlt().on(&uri).run("latency --all");
    partly(&latency, &id);
    assert!(latency.stderr.contains("start_time_unix_nano"), "{latency}");

    let (_dir, uri) = database(&format!(
        "UPDATE trace_info SET execution_time_ms = 'hunter2' WHERE request_id = {newest}"
    ));
    let found = mlt().on(&uri).run("search --all -o csv");
    assert!(partly(&found, &id).lines().count() > 3, "{found}");
    assert!(found.stderr.contains("execution_time_ms"), "{found}");
    let named = mlt().on(&uri).run(&format!("get {id}"));
    named.fails(6);
}

#[test]
fn tokens_that_only_unread_spans_have_are_missed() {
    let newest = "(SELECT request_id FROM trace_info WHERE request_id IN (SELECT trace_id FROM spans) \
                  ORDER BY timestamp_ms DESC LIMIT 1)";
    let (_dir, uri) = database(&format!(
        "UPDATE spans SET content = '{{\"mlflow.chat.tokenUsage\": hunter2' \
         WHERE trace_id = {newest};\
         DELETE FROM trace_request_metadata WHERE request_id = {newest}"
    ));
    for words in [
        "stats sum(tokens)",
        "search",
        "search --columns trace_id,tokens -o json",
        "check --all --ignore-in-progress --require sum(tokens)>=0",
    ] {
        let outcome = mlt().on(&uri).run(words);
        assert_eq!(outcome.code, Some(7), "{words}: {outcome}");
        let said =
            "1 trace without tokens or cost in their metadata: their spans could not be read";
        assert!(outcome.stderr.contains(said), "{words}: {outcome}");
    }
}

#[test]
fn tokens_that_a_client_did_not_find_are_not_looked_for_in_spans() {
    let (_dir, uri) = database(
        "UPDATE spans SET content = 'hunter2' WHERE trace_id IN (SELECT request_id \
         FROM trace_request_metadata WHERE key = 'mlflow.trace_schema.version')",
    );
    for on in [|uri: &str| mlt().on(uri), |_: &str| on_postgres()] {
        for words in ["stats -q", "sessions --all -q", "search --all -o csv -q"] {
            let outcome = on(&uri).run(words);
            assert_eq!(outcome.code, Some(0), "{words}: {outcome}");
            assert!(!outcome.stderr.contains("tokens"), "{words}: {outcome}");
        }
    }
}

#[test]
fn a_broken_artifact_stops_neither_folder_nor_server() {
    let store = file_store("3.17.2");
    let id = store.case("shop-5").to_owned();
    let whole = mlt().on(&store.uri()).run("search --all -o ids");
    let artifact = store.trace("shop-5").join("artifacts/traces.json");
    fs::write(&artifact, "{\"spans\": [{\"name\": \"hunter2").unwrap();
    // The copy's own, and not those of the folder that it was copied from.
    let tag = store.trace("shop-5").join("tags/mlflow.artifactLocation");
    fs::write(tag, artifact.parent().unwrap().to_str().unwrap()).unwrap();
    let server = store.serve();
    for uri in [store.uri(), server.uri.clone()] {
        let on = || mlt().on(&uri);
        let lines = on().run("export --all -o jsonl");
        let found = partly(&lines, &id).lines().count();
        assert_eq!(found + 1, whole.stdout.lines().count(), "{lines}");
        for words in ["latency --all", "stats p95(span.duration)", "report --all"] {
            partly(&on().run(words), &id);
        }
        let any = [
            "search",
            "--all",
            "-o",
            "ids",
            "-f",
            "any(span.duration > 0ms)",
        ];
        partly(&on().args(any).run(""), &id);
        let alone = on().run(&format!("get {id}"));
        assert!(!alone.fails(6).contains("hunter2"), "{alone}");
    }
}

#[test]
fn one_odd_trace_of_a_page_does_not_take_the_others() {
    let mut odd = info(2);
    odd["tags"] = json!("hunter2");
    let page = json!({"traces": [info(1), odd, info(3), {"state": "OK"}]});
    let fake = Fake::with_traces().on("POST", SEARCH, Reply::json(&page));
    let found = mlt().on(&fake.uri()).run("search -x 1 -o ids");
    assert_eq!(partly(&found, &trace_id(2)).lines().count(), 2, "{found}");
    assert!(
        found.stderr.contains("2 traces; 2 could not be read"),
        "{found}"
    );
}

#[test]
fn a_server_that_fails_at_one_trace_gives_the_others() {
    let fails = |at: &str| at.contains(&trace_id(2));
    let reply = move |request: &crate::support::fake::Request, _| {
        if fails(&request.target) {
            Reply::error(500, "INTERNAL_ERROR", "it cannot be decoded")
        } else {
            Reply::text("text/plain", artifact(1).to_string())
        }
    };
    let fake = Fake::with_traces()
        .on("POST", SEARCH, page(1..4, None))
        .on("GET", &info_path(2), info_reply(2))
        .on_call("GET", ARTIFACT, reply)
        .on_call("GET", GET_TRACE, reply);
    let lines = mlt().on(&fake.uri()).run("export --all -x 1 -o jsonl");
    assert_eq!(partly(&lines, &trace_id(2)).lines().count(), 2, "{lines}");
    let alone = mlt().on(&fake.uri()).run(&format!("get {}", trace_id(2)));
    assert!(alone.fails(6).contains("500"), "{alone}");
}

#[test]
fn what_was_deleted_meanwhile_is_not_unreadable() {
    let gone = || Reply::error(404, "RESOURCE_DOES_NOT_EXIST", "Trace not found");
    let fake = Fake::with_traces()
        .on("POST", SEARCH, page([1, 2], None))
        .on("GET", &info_path(1), gone())
        .on("GET", &info_path(2), gone())
        .on("GET", ARTIFACT, gone())
        .on("GET", GET_TRACE, gone());
    let outcome = mlt().on(&fake.uri()).run("export --all -x 1 -o jsonl");
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(
        outcome.stderr.contains("2 traces deleted meanwhile"),
        "{outcome}"
    );
}

#[test]
fn the_others_are_tagged() {
    let store = file_store("3.17.2");
    let broken = store.case("shop-5").to_owned();
    fs::write(store.trace("shop-5").join("trace_info.yaml"), "state: [").unwrap();
    let on = || mlt().on(&store.uri());
    let tagged = on().run("tag --status OK --yes seen=yes -o json");
    partly(&tagged, &broken);
    let document = document(&tagged);
    let changed = document["changed"].as_u64().unwrap();
    assert!(changed > 1, "{tagged}");
    assert_eq!(document["unreadable"][0]["trace_id"], json!(broken));
    let found = on().run("search --tag seen=yes --count -q");
    assert_eq!(found.stdout.trim(), changed.to_string(), "{found}");
}
