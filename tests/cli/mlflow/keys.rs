//! `mlt keys`: what can be filtered by, on the demo store, a server and a database.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::mlflow::{on_database, on_server};
use crate::support::{Outcome, mlt};

fn demo(words: &str) -> Outcome {
    mlt().on("demo:").run(words)
}

#[test]
fn keys_come_with_their_commonest_values() {
    assert_snapshot!(demo("keys tags.r").ok(), @"
    KEY                 TRACES  VALUES
    tags.release            35  2026.11.2 (28), 2026.12.0-rc1 (7)
    tags.`reviewed by`       1  m.brandt (1)
    ");
    assert_snapshot!(demo("keys tags.e -o csv").ok(), @"
    key,traces,value,value_traces
    tags.env,35,prod,28
    tags.env,35,staging,7
    ");
    let json = demo("keys tags.env -o json").json();
    assert_eq!(
        json,
        json!({
            "traces": 38,
            "keys": [{
                "key": "tags.env",
                "traces": 35,
                "values": [{"value": "prod", "traces": 28}, {"value": "staging", "traces": 7}],
                "more_values": false,
            }],
            "truncated": false,
        })
    );
}

#[test]
fn every_key_that_is_listed_filters() {
    let listed = demo("keys --values 1 -o json").json();
    let keys = listed["keys"].as_array().unwrap();
    assert!(keys.len() > 40, "{keys:?}");
    for key in keys {
        let name = key["key"].as_str().unwrap();
        let Some(value) = key["values"][0]["value"].as_str() else {
            continue;
        };
        // Feedback on one trace of a session counts for the others, too.
        if value.contains(['\'', '"', '\\']) || name.starts_with("feedback") {
            continue;
        }
        let filter = format!("{name} = '{value}'");
        let found = mlt()
            .on("demo:")
            .args(["search", "--count", "-f", &filter])
            .run("");
        // Numbers are compared as numbers, and empty text with nothing else.
        if found.code == Some(0) {
            let count = found.stdout.trim().to_owned();
            assert_eq!(count, key["values"][0]["traces"].to_string(), "{filter}");
        }
    }
}

#[test]
fn prefixes_choose_kinds_and_keys() {
    let keys = |prefix: &str| -> Vec<String> {
        let rows = demo(&format!("keys {prefix} --values 1 -o jsonl")).json_lines();
        let key = |row: serde_json::Value| row["key"].as_str().unwrap().to_owned();
        rows.into_iter().map(key).collect()
    };
    assert_eq!(keys("tags.en"), ["tags.env"]);
    assert_eq!(keys("tag.en"), ["tags.env"]);
    assert_eq!(keys("tags.reviewed"), ["tags.`reviewed by`"]);
    assert_eq!(keys("sess"), ["session"]);
    assert_eq!(keys("metadata.mlflow.trace.session"), ["session"]);
    assert_eq!(keys("span.n"), ["span.name"]);
    assert_eq!(
        keys("span.attributes.gen_ai.usage"),
        [
            "span.attributes.gen_ai.usage.input_tokens",
            "span.attributes.gen_ai.usage.output_tokens"
        ]
    );
    assert!(keys("feedback").len() > 4);
}

#[test]
fn only_the_newest_are_looked_at_and_that_is_said() {
    let some = on_server().run("keys tags -x many");
    assert_eq!(some.code, Some(0), "{some}");
    assert!(
        some.stderr.contains(
            "note: these are the keys of the newest 200 traces; --all looks at every one\n"
        ),
        "{some}"
    );
    let all = on_server().run("keys tags.t -x many --all -o json").json();
    assert_eq!(all["traces"], 1200);
    let database = on_database()
        .run("keys tags.t -x many --all -o json")
        .json();
    assert_eq!(all, database);
    let whole = on_server().run("keys -x many -n 20 -o csv");
    assert_eq!(
        whole.stdout,
        on_database().run("keys -x many -n 20 -o csv").stdout
    );
}

#[test]
fn a_prefix_without_keys_is_said() {
    assert_snapshot!(demo("keys tags.enviro").stderr, @"
    note: no key begins with `tags.enviro`
    hint: keys begin with tags, metadata, feedback, expectation, span or span.attributes; `mlt keys` lists all
    ");
    assert_snapshot!(demo("keys env").stderr, @"
    note: no key begins with `env`
    hint: there is `tags.env`
    ");
}

#[test]
fn lines_are_not_longer_than_the_terminal() {
    for width in [40, 80, 100] {
        let outcome = mlt()
            .on("demo:")
            .terminal(width)
            .env("NO_COLOR", "1")
            .run("keys");
        for line in outcome.ok().lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}
