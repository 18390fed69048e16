//! Spans that a server's own filters do not see, or not all of them: a real server
//! and its database, read directly, find the same traces all the same.

use crate::support::mlflow::{current, on_outside_database, outside};
use crate::support::{Mlt, mlt};

/// Filters with the cases that they find.
const FILTERS: &[(&str, &[&str])] = &[
    (
        "span.name = 'inner'",
        &[
            "table",
            "artifact",
            "artifact-tool",
            "otel",
            "archived",
            "archived-failed",
        ],
    ),
    ("NOT span.name = 'inner'", &["table-failed"]),
    ("span.type = 'LLM'", &["table", "artifact", "archived"]),
    (
        "NOT span.type = 'LLM'",
        &["table-failed", "artifact-tool", "otel", "archived-failed"],
    ),
    ("span.type = 'CHAT_MODEL'", &["otel"]),
    ("span.type = 'UNKNOWN'", &["otel"]),
    (
        "span.type IN ('TOOL', 'UNKNOWN')",
        &["table-failed", "artifact-tool", "otel", "archived-failed"],
    ),
    ("span.type LIKE 'CH%' AND span.name = 'otel'", &["otel"]),
    ("span.type != 'CHAIN' AND span.name = 'root'", &[]),
    ("any(span.duration > 1s)", &["artifact", "artifact-tool"]),
    ("all(span.duration > 500ms)", &["artifact", "artifact-tool"]),
    (
        "count(span.status = 'ERROR') = 0",
        &["table", "artifact", "artifact-tool", "otel", "archived"],
    ),
    (
        "error LIKE '%no answer%'",
        &["table-failed", "archived-failed"],
    ),
    (
        "span.attributes.size = 7",
        &[
            "table",
            "table-failed",
            "artifact",
            "artifact-tool",
            "archived",
            "archived-failed",
        ],
    ),
    ("NOT span.attributes.size = 7", &["otel"]),
    (
        "span.content LIKE '%\"size\"%' AND status = 'OK'",
        &["table", "artifact", "artifact-tool", "archived"],
    ),
    (
        "spans = 2",
        &[
            "table",
            "table-failed",
            "artifact",
            "artifact-tool",
            "otel",
            "archived",
            "archived-failed",
        ],
    ),
    ("spans > 2 OR span.name = 'other'", &["table-failed"]),
];

/// mlt, asking the server and reading its database.
const SIDES: [fn() -> Mlt; 2] = [|| mlt().on(outside().uri()), on_outside_database];

#[test]
fn a_server_and_its_database_find_the_same_wherever_spans_are() {
    for (filter, expected) in FILTERS {
        let mut expected: Vec<&str> = expected.iter().map(|case| outside().case(case)).collect();
        expected.sort_unstable();
        for side in SIDES {
            for all in ["--all", "-n50"] {
                let found = side().args(["search", all, "-f", filter]).run("-o ids");
                let mut ids: Vec<&str> = found.stdout.lines().collect();
                ids.sort_unstable();
                assert_eq!(ids, expected, "{filter}: {found}");
                assert!(!found.stderr.contains("warning"), "{filter}: {found}");
            }
        }
    }
}

#[test]
fn spans_are_the_same_wherever_they_are_kept() {
    let same = |words: &str| {
        let [server, database] = SIDES.map(|side| side().run(words).ok().to_owned());
        assert_eq!(server, database, "{words}");
    };
    for id in outside().cases.values() {
        same(&format!("get {id} -o csv"));
    }
    same("latency --all -o json");
    same("stats max(span.duration) --by span.type -o csv");
}

#[test]
fn a_search_that_the_server_can_answer_takes_one_round_trip() {
    let found = mlt()
        .on(current().uri())
        .args(["search", "-n", "5", "-f", "span.name = 'step-1'"])
        .run("-v -x many --columns trace_id");
    // The search itself, and at the same time one for each place where spans are not seen;
    // behind the note, why it finds none is looked into.
    let (search, _) = found.stderr.split_once("note: ").expect("it finds none");
    assert!(!search.contains("get-trace-artifact"), "{found}");
    assert_eq!(search.matches("/traces/search").count(), 3, "{found}");
}

#[test]
fn what_is_judged_here_is_explained() {
    let shown = SIDES[0]()
        .args(["search", "-f", "span.type = 'LLM'"])
        .run("--explain");
    let text = shown.ok();
    for words in [
        "tags.mlflow.trace.spansLocation IS NULL",
        "metadata.mlflow.trace_schema.version IS NULL",
        "here:   span.type = 'LLM'",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_trace_that_is_lost_is_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("mlflow.db");
    std::fs::copy(outside().database(), &database).unwrap();
    let found = mlt()
        .on(database.to_str().unwrap())
        .args(["search", "-f", "NOT span.name = 'inner'"])
        .run("-o ids");
    assert_eq!(
        found.stdout.trim(),
        outside().case("table-failed"),
        "{found}"
    );
    let warnings: Vec<&str> = found.stderr.lines().collect();
    assert!(
        warnings.len() == 1 && warnings[0].contains("leave out 2 traces"),
        "{found}"
    );
    assert_eq!(found.code, Some(7), "{found}");
    // What a filter cannot judge may be worth keeping.
    let pruned = mlt()
        .on(database.to_str().unwrap())
        .args(["prune", "--keep", "NOT span.name = 'inner'"])
        .run("--older-than 0s --dry-run -o csv");
    assert_eq!(pruned.code, Some(7), "{pruned}");
    let all = mlt().on(database.to_str().unwrap()).run("search --count");
    let all: usize = all.ok().trim().parse().unwrap();
    let doomed = pruned.stdout.matches(",would_delete,").count();
    assert!(0 < doomed && doomed + 3 == all, "{all} {pruned}");
}
