//! Traces whose spans are kept where mlt does not look: what the table has of them is shown
//! and counted, and those in progress have none yet.

use super::{mlt, postgres};

/// Where the artifacts are said to be.
const PLACE: &str = "s3://u:s3cret@bucket/x?sig=s3cret";

/// A copy of the database in which the newest trace has ended and the one before has not,
/// the spans of both being elsewhere.
fn elsewhere(name: &str) -> (String, [String; 2]) {
    let server = postgres();
    let uri = server.copy(name);
    let ids = server.sql(
        name,
        "SELECT request_id FROM trace_info WHERE status = 'OK' AND request_id IN \
         (SELECT trace_id FROM spans) ORDER BY timestamp_ms DESC, request_id LIMIT 2",
    );
    let ids: Vec<String> = ids.lines().map(str::to_owned).collect();
    let [ended, open] = <[String; 2]>::try_from(ids).unwrap();
    let both = format!("IN ('{ended}', '{open}')");
    for sql in [
        format!("DELETE FROM spans WHERE trace_id {both}"),
        format!(
            "DELETE FROM trace_tags WHERE request_id {both} AND key IN \
             ('mlflow.trace.spansLocation', 'mlflow.artifactLocation')"
        ),
        format!(
            "INSERT INTO trace_tags (request_id, key, value) SELECT request_id, \
             'mlflow.artifactLocation', '{PLACE}' FROM trace_info WHERE request_id {both}"
        ),
        format!(
            "INSERT INTO trace_tags (request_id, key, value) SELECT request_id, \
             'away', 'yes' FROM trace_info WHERE request_id {both}"
        ),
        format!(
            "DELETE FROM trace_request_metadata WHERE request_id = '{open}' AND \
             key = 'mlflow.trace.sizeStats'"
        ),
        format!(
            "INSERT INTO trace_request_metadata (request_id, key, value) VALUES \
             ('{ended}', 'mlflow.trace_schema.version', '3') ON CONFLICT DO NOTHING"
        ),
        format!("UPDATE trace_info SET status = 'IN_PROGRESS' WHERE request_id = '{open}'"),
    ] {
        server.sql(name, &sql);
    }
    (uri, [ended, open])
}

#[test]
fn a_trace_is_shown_without_the_spans_that_are_kept_elsewhere() {
    let (uri, [ended, open]) = elsewhere("elsewhere_get");
    let on = || mlt().on(&uri);
    let shown = on().run(&format!("get {ended}"));
    assert_eq!(shown.code, Some(7), "{shown}");
    assert!(shown.stdout.contains("away=yes"), "{shown}");
    assert!(
        shown.stdout.ends_with("Its spans are kept elsewhere.\n"),
        "{shown}"
    );
    let said = format!("{ended} is shown without its spans: the spans are kept at s3://bucket/x");
    assert!(shown.stderr.contains(&said), "{shown}");
    let both = on().run(&format!("get {ended} {open}"));
    assert_eq!(both.code, Some(7), "{both}");
    assert!(
        both.stdout.contains(&ended) && both.stdout.contains(&open),
        "{both}"
    );
    // What is read by programs is whole or not there.
    let json = on().run(&format!("get {ended} -o json"));
    assert!(json.fails(6).contains("s3://bucket/x"), "{json}");
    let lines = on().run(&format!("get {ended} {open} -o jsonl"));
    assert_eq!((lines.code, lines.lines().len()), (Some(7), 1), "{lines}");
    for outcome in [shown, both, json] {
        assert!(!outcome.to_string().contains("s3cret"), "{outcome}");
    }
}

#[test]
fn a_trace_in_progress_has_no_spans_elsewhere_yet() {
    let (uri, [ended, open]) = elsewhere("elsewhere_open");
    let on = || mlt().on(&uri);
    let shown = on().run(&format!("get {open}"));
    assert!(shown.ok().contains("This trace has no spans."), "{shown}");
    let none = [
        "search",
        "-o",
        "ids",
        "-f",
        "NOT span.name = 'x' AND tags.away = 'yes'",
    ];
    let found = on().args(none).run("");
    assert_eq!(found.code, Some(7), "{found}");
    assert_eq!(found.lines(), [open.as_str()], "{found}");
    let errors = on().args(["errors", "--tag", "away=yes"]).run("");
    assert_eq!(errors.code, Some(7), "{errors}");
    assert!(
        errors.stderr.contains(&ended) && !errors.stderr.contains(&open),
        "{errors}"
    );
    let closed = on().run(&format!("close {open} --older-than 0s --yes"));
    assert!(closed.ok().contains("closed"), "{closed}");
    let sql =
        format!("SELECT status, execution_time_ms FROM trace_info WHERE request_id = '{open}'");
    assert_eq!(postgres().sql("elsewhere_open", &sql), "ERROR|0\n");
}

#[test]
fn keys_of_traces_count_whether_or_not_their_spans_are_had() {
    let (uri, [ended, _]) = elsewhere("elsewhere_keys");
    let keys = mlt()
        .on(&uri)
        .args(["keys", "--tag", "away=yes", "-o", "json"])
        .run("");
    assert_eq!(keys.code, Some(7), "{keys}");
    assert!(keys.stderr.contains(&ended), "{keys}");
    let document: serde_json::Value = serde_json::from_str(&keys.stdout).unwrap();
    assert_eq!(document["traces"], 2, "{keys}");
    let counted = document["keys"].as_array().unwrap();
    let away = counted.iter().find(|key| key["key"] == "tags.away");
    assert_eq!(away.unwrap()["traces"], 2, "{keys}");
}
