//! Why a filter finds nothing: on every kind of store, in every command that says
//! so, and never in the way of the answer itself.

use serde_json::json;

use crate::support::fake::{self, ANY, EXPERIMENTS, Fake, Reply, SEARCH, experiments};
use crate::support::mlflow::{on_database, on_server};
use crate::support::{Outcome, mlt};

fn demo(words: &[&str]) -> Outcome {
    mlt().on("demo:").args(words).run("")
}

/// The hints behind the note.
#[track_caller]
fn hints(outcome: &Outcome) -> Vec<String> {
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let (_, after) = outcome
        .stderr
        .split_once("note: no traces match\n")
        .unwrap_or_else(|| panic!("{outcome}"));
    let hint = |line: &str| line.strip_prefix("hint: ").map(str::to_owned);
    after.lines().filter_map(hint).collect()
}

#[test]
fn the_values_that_there_are_are_named_with_the_nearest() {
    for (words, expected) in [
        (
            &["-f", "tags.env = 'production'"][..],
            "`tags.env = 'production'` finds none of 38 traces; values are prod (28), staging (7); did you mean 'prod'?",
        ),
        (
            &["--tag", "env=production"],
            "`--tag env=production` finds none of 38 traces; values are prod (28), staging (7); did you mean 'prod'?",
        ),
        (
            &["--session", "chat-5f22"],
            "`--session chat-5f22` finds none of 38 traces; values are chat-5f21 (3), chat-81c4 (3), gw-3d90 (3); did you mean 'chat-5f21'?",
        ),
        (
            &["-f", "tags.evn = 'prod'"],
            "`tags.evn = 'prod'` finds none of 38 traces; nothing has tags.evn; keys are tags.env, tags.release, tags.team, tags.job, tags.channel and 5 more; did you mean `tags.env`?",
        ),
        (&["-f", "metadata.env = 'prod'"], "did you mean `tags.env`?"),
        (
            &["-f", "span.name = 'lokup_order'"],
            "did you mean 'lookup_order'?",
        ),
        (
            &["-f", "any(span.name = 'lokup_order')"],
            "did you mean 'lookup_order'?",
        ),
        (
            &["--span-type", "robot"],
            "`--span-type robot` finds none of 38 traces; values are CHAT_MODEL (27),",
        ),
        (
            &["-f", "span.attributes.gen_ai.sytem = 'openai'"],
            "did you mean `span.attributes.gen_ai.system`?",
        ),
        (
            &["-f", "feedback.toen = 'friendly'"],
            "did you mean `feedback.tone`?",
        ),
        (
            &["--min-duration", "100s"],
            "`--min-duration 1m 40s` finds none of 38 traces; values are from 6 ms to 6.94 s",
        ),
        (
            &["-f", "tokens > 1M"],
            "`tokens > 1000000` finds none of 38 traces; values are from 30 to 739",
        ),
        (
            &["--since", "2026-11-22T22:39:24.800Z"],
            "`--since 2026-11-22T22:39:24.800Z` finds none of 38 traces; the newest is of 2026-11-22T22:39:24.667Z",
        ),
        (
            &["--since", "2026-11-23T00:00:00Z"],
            "`--since 2026-11-23T00:00:00Z` finds none of 38 traces; the newest is of 2026-11-22T22:39:24Z",
        ),
        (
            &["--until", "2020-01-01T00:00:00Z"],
            "`--until 2020-01-01T00:00:00Z` finds none of 38 traces; the oldest is of 2026-11-22T22:38:55Z",
        ),
        (
            &["-f", "experiment = 'shop'"],
            "did you mean 'shop-assistant'?",
        ),
    ] {
        let outcome = demo(&[&["search"], words].concat());
        let hints = hints(&outcome);
        assert_eq!(hints.len(), 1, "{outcome}");
        assert!(
            hints[0].ends_with(expected) || hints[0].starts_with(expected),
            "{outcome}"
        );
    }
}

#[test]
fn each_condition_is_left_out_in_turn() {
    let words = [
        "search", "--name", "supprt", "--status", "OK", "--tag", "env=prod",
    ];
    let found = hints(&demo(&words));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("without `--name supprt`, 22 traces match; values are "),
        "{found:?}"
    );
    assert!(
        found[0].ends_with("did you mean 'support-agent'?"),
        "{found:?}"
    );

    let two = ["search", "-f", "name = 'checkout' AND tags.job = 'grading'"];
    let found = hints(&demo(&two));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("without `name = 'checkout'`, 3 traces match; "),
        "{found:?}"
    );
    assert!(
        found[1].starts_with("without `tags.job = 'grading'`, 6 traces match; "),
        "{found:?}"
    );

    let none = ["search", "-f", "name = 'a' AND tags.env = 'b'"];
    let found = hints(&demo(&none));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("`name = 'a'` finds none of 38 traces"),
        "{found:?}"
    );
    assert!(
        found[1].starts_with("`tags.env = 'b'` finds none of 38 traces"),
        "{found:?}"
    );
}

#[test]
fn what_other_experiments_have_is_told() {
    let outcome = demo(&["search", "-x", "nightly-evals", "--name", "checkout"]);
    let found = hints(&outcome).join("\n");
    assert!(
        found
            .contains("outside the experiment `nightly-evals`, 6 traces match: shop-assistant (6)"),
        "{outcome}"
    );
}

#[test]
fn every_command_that_finds_nothing_says_why() {
    let told = "tags.env = 'production'` finds none of 38 traces; values are prod (28), staging (7); did you mean 'prod'?";
    let filter = "tags.env = 'production'";
    for (words, code) in [
        (&["search", "-f", filter][..], 0),
        (&["search", "-o", "json", "-f", filter], 0),
        (&["search", "--fail-empty", "-f", filter], 1),
        (&["stats", "-f", filter], 0),
        (&["latency", "-f", filter], 0),
        (&["keys", "-f", filter], 0),
        (&["export", "-o", "jsonl", "-f", filter], 0),
        (&["tag", "a=b", "--dry-run", "-f", filter], 0),
        (&["check", "--require", "count() >= 0", "-f", filter], 1),
        (&["report", "-f", filter], 3),
        (&["diff", "--base-filter", filter, "-f", "status = 'OK'"], 3),
        (&["diff", "--base-filter", "status = 'OK'", "-f", filter], 3),
    ] {
        let outcome = demo(words);
        assert_eq!(outcome.code, Some(code), "{outcome}");
        assert_eq!(outcome.stderr.matches(told).count(), 1, "{outcome}");
    }
    let counted = demo(&["search", "--count", "-f", filter]);
    assert_eq!(counted.ok(), "0\n");
    let passed = demo(&[
        "check",
        "--allow-empty",
        "--require",
        "count() >= 0",
        "-f",
        filter,
    ]);
    assert!(!passed.stderr.contains("did you mean"), "{passed}");
}

#[test]
fn servers_and_databases_give_the_same_reasons() {
    for words in [
        &["-x", "many", "--tag", "team=serach"][..],
        &["-x", "many", "--status", "OK", "--name", "nobody"],
        &["-x", "many", "-f", "span.name = 'nothing'"],
        &["-x", "many", "--since", "2100-01-01"],
    ] {
        let words = [&["search"], words].concat();
        let (server, database) = (
            on_server().args(&words).run(""),
            on_database().args(&words).run(""),
        );
        assert!(!hints(&server).is_empty(), "{server}");
        assert_eq!(hints(&server), hints(&database), "{words:?}");
    }
}

#[test]
fn a_store_without_traces_says_so() {
    let empty = Fake::start()
        .on("POST", EXPERIMENTS, experiments(&[("1", "shop")]))
        .on("POST", SEARCH, fake::page([], None))
        .on(
            "GET",
            "/api/2.0/mlflow/experiments/get",
            Reply::json(&json!({"experiment": {"experiment_id": "1", "name": "shop"}})),
        );
    for words in ["search", "search --name x", "search -x 1 --name x"] {
        let found = hints(&mlt().on(&empty.uri()).run(words)).join("\n");
        assert!(
            found.starts_with("there are no traces in "),
            "{words}: {found}"
        );
    }
}

#[test]
fn a_server_that_is_slow_or_fails_costs_little_and_changes_nothing() {
    for bad in [
        Reply::silence(),
        Reply::html(200),
        Reply::error(500, "INTERNAL_ERROR", "boom"),
    ] {
        let server = Fake::start()
            .on("POST", EXPERIMENTS, experiments(&[("1", "shop")]))
            .on_each("POST", SEARCH, vec![fake::page([], None), bad]);
        let outcome = mlt()
            .on(&server.uri())
            .env("MLT_PATIENCE", "500")
            .run("search --name nobody");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""));
        assert_eq!(outcome.stderr, "note: no traces match\n");
    }
}

#[test]
fn what_traces_hold_does_not_reach_the_terminal() {
    let mut info = fake::info(1);
    info["tags"] = json!({"env": "pr\u{1b}]0;x\u{7}od", "k\u{202e}": "x"});
    let server = Fake::start()
        .on("POST", EXPERIMENTS, experiments(&[("1", "shop")]))
        .on_call("POST", SEARCH, move |request, _| {
            let filter = request.json()["filter"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            if filter.is_empty() {
                Reply::json(&json!({"traces": [info.clone()]}))
            } else {
                fake::page([], None)
            }
        })
        .on(ANY, ANY, Reply::status(Reply::html(404), 404));
    for filter in ["tags.env = 'prod'", "tags.z = 'x'"] {
        let outcome = mlt()
            .on(&server.uri())
            .args(["search", "-f", filter])
            .run("");
        assert!(!hints(&outcome).is_empty(), "{outcome}");
        assert!(
            !outcome.stderr.contains(['\u{1b}', '\u{7}', '\u{202e}']),
            "{outcome}"
        );
    }
}
