//! Answers that would never end, or never fit: each meets its limit, and the limit
//! is named.

use std::time::Duration;

use insta::assert_snapshot;
use serde_json::json;

use super::{Fake, fault, on, without_port};
use crate::support::fake::{
    ARTIFACT, EXPERIMENTS, GET_TRACE, Reply, SEARCH, artifact_reply, experiments, info_path,
    info_reply, page, trace_id,
};

fn small() -> impl Fn(&Fake) -> super::Mlt {
    |fake| on(fake).env("MLT_MAX_BODY", "10kB")
}

#[test]
fn an_answer_that_never_ends_meets_its_limit() {
    let fake = Fake::with_traces().on("POST", SEARCH, Reply::endless("{\"traces\": [\""));
    let outcome = small()(&fake).run("search");
    assert_snapshot!(without_port(&outcome, &fake), @"
    --- stderr
    error: the answer of HOST to /api/3.0/mlflow/traces/search is larger than 10 kB
    hint: larger answers are read with a larger MLT_MAX_BODY, such as 2GB
    --- exit 4
    ");
    assert_eq!(fake.paths().len(), 2);
}

#[test]
fn what_counts_is_the_size_after_decompression() {
    let traces = json!({"traces": [], "filler": "a".repeat(20_000)});
    let fake = Fake::with_traces().on("POST", SEARCH, Reply::gzip(&traces));
    let said = small()(&fake).run("search");
    assert!(said.fails(4).contains("larger than 10 kB"), "{said}");
    let outcome = on(&fake).env("MLT_MAX_BODY", "1 MiB").run("search -o ids");
    assert_eq!(outcome.code, Some(0), "{outcome}");
}

#[test]
fn an_announced_length_beyond_the_limit_is_not_waited_for() {
    let long = Reply::long("{", "a", 2_000_000_000, "}");
    let fake = Fake::with_traces().on("POST", SEARCH, long);
    let outcome = on(&fake).run("search");
    let said = outcome.fails(4);
    assert!(said.contains("is larger than 512 MB"), "{outcome}");
}

#[test]
fn the_limit_is_a_size() {
    for size in ["0", "much", "-1", "1.5GB"] {
        let outcome = on(&Fake::with_traces())
            .env("MLT_MAX_BODY", size)
            .run("search");
        let said = outcome.fails(2);
        let expected = format!("$MLT_MAX_BODY: expected a size such as 2GB, found `{size}`");
        assert!(said.contains(&expected), "{outcome}");
    }
}

#[test]
fn the_body_of_an_error_is_read_no_farther_than_needed() {
    for status in [400, 404, 500] {
        let endless = Reply::endless("{\"message\":\"").status(status);
        let make = || Fake::with_traces().on("POST", SEARCH, endless.clone());
        let text = fault(make, "search", 4);
        assert!(text.len() < 600, "{text}");
    }
}

#[test]
fn a_long_message_is_cut() {
    let make = || {
        let long = "M".repeat(20_000);
        Fake::with_traces().on("POST", SEARCH, Reply::error(400, &"E".repeat(500), &long))
    };
    let text = fault(make, "search -x 1", 4);
    assert!(text.contains("MMM…\n") && text.contains("EEE…: "), "{text}");
    assert!(text.len() < 1500, "{}", text.len());
}

#[test]
fn a_byte_now_and_then_does_not_go_on_for_ever() {
    let drip = page(1..4, None).dripping(Duration::from_millis(50));
    let make = || Fake::with_traces().on("POST", SEARCH, drip.clone());
    assert_snapshot!(fault(make, "search --timeout 20s --max-time 300ms", 4), @"
    --- stderr
    error: HOST did not give its whole answer within 0.3 s
    hint: wait longer with `--max-time 1h`
    --- exit 4
    ");
}

#[test]
fn silence_counts_for_the_whole_time_too() {
    let make = || Fake::with_traces().on("POST", SEARCH, Reply::silence());
    let text = fault(make, "search --timeout 20s --max-time 200ms", 4);
    assert!(text.contains("whole answer within 0.2 s"), "{text}");
}

#[test]
fn pages_without_anything_end() {
    let empty =
        |asked: usize| Reply::json(&json!({"traces": [], "next_page_token": format!("t{asked}")}));
    let fake = Fake::with_traces().on_call("POST", SEARCH, move |_, asked| empty(asked));
    let outcome = on(&fake).run("search -x 1 --all");
    assert_snapshot!(without_port(&outcome, &fake), @"
    --- stderr
    error: HOST gave 100 pages in a row without anything new; stopped after 0 traces
    hint: a proxy may have changed the answer; see `--verbose`
    --- exit 4
    ");
    assert_eq!(fake.requests().len(), 100);
}

#[test]
fn pages_that_repeat_themselves_under_new_tokens_end() {
    let same = |asked: usize| page(1..4, Some(&format!("t{asked}")));
    for words in [
        "search -x 1 --all",
        // Evaluated here, on what the server finds.
        "search -x 1 --all -f any(span.name='x')",
    ] {
        let fake = Fake::with_traces().on_call("POST", SEARCH, move |_, asked| same(asked));
        let outcome = on(&fake).run(words);
        assert_eq!(outcome.code, Some(4), "{words}: {outcome}");
        assert!(outcome.stderr.contains("without anything new"), "{outcome}");
    }
}

#[test]
fn experiments_without_end_end() {
    for name in [None, Some("shop")] {
        let fake = Fake::with_traces().on_call("POST", EXPERIMENTS, move |_, asked| {
            let mut all = json!({"experiments": [], "next_page_token": format!("t{asked}")});
            if let Some(name) = name {
                all["experiments"] = json!([{"experiment_id": "1", "name": name}]);
            }
            Reply::json(&all)
        });
        let outcome = on(&fake).run("search");
        let said = outcome.fails(4);
        assert!(
            said.contains("pages in a row without anything new"),
            "{outcome}"
        );
        assert!(fake.requests().len() <= 101);
    }
}

#[test]
fn pages_that_are_empty_now_and_then_are_followed() {
    let fake = Fake::with_traces()
        .on("POST", EXPERIMENTS, experiments(&[("1", "shop")]))
        .on_call("POST", SEARCH, |_, asked| match asked {
            300 => page(1..4, None),
            _ if asked % 60 == 0 => page([asked + 10], Some(&asked.to_string())),
            _ => page([], Some(&asked.to_string())),
        });
    let outcome = on(&fake).run("search --all -o ids");
    assert_eq!(outcome.ok().lines().count(), 8);
}

#[test]
fn ids_that_would_lead_to_another_place_are_refused() {
    for id in ["..", ".", "../x", "a/../../b"] {
        let fake = Fake::with_traces();
        for words in [format!("get {id}"), format!("tag a=b {id}")] {
            let outcome = on(&fake).run(&words);
            let said = outcome.fails(2);
            assert!(
                said.contains("cannot ask a server for trace"),
                "{words}: {outcome}"
            );
        }
        assert_eq!(fake.paths(), Vec::<String>::new());
    }
    // Without its line break it is another trace's.
    let mut broken = trace_id(1);
    broken.insert(20, '\n');
    for id in [broken.as_str(), "x\ty", ""] {
        let fake = Fake::with_traces();
        let outcome = on(&fake).args(["tag", "a=b", id]).run("");
        assert_eq!(outcome.code, Some(2), "{id:?}: {outcome}");
        let changed = fake.requests().iter().any(|r| r.method == "PATCH");
        assert!(!changed, "{id:?}: {outcome}");
    }
    // As a server may give it.
    let fake = Fake::with_traces().on_call("POST", SEARCH, move |_, _| {
        let mut info = crate::support::fake::info(1);
        info["trace_id"] = json!(broken);
        Reply::json(&json!({"traces": [info]}))
    });
    let outcome = on(&fake).run("tag a=b -f name='checkout' -y");
    assert!(matches!(outcome.code, Some(1 | 2)), "{outcome}");
    assert!(outcome.stderr.contains("cannot ask a server"), "{outcome}");
    assert!(!fake.requests().iter().any(|r| r.method == "PATCH"));
}

#[test]
fn an_answer_about_another_trace_is_an_error() {
    let path = info_path(1);
    let make = || Fake::with_traces().on("GET", &path, info_reply(2));
    assert_snapshot!(fault(make, &format!("get {}", trace_id(1)), 4), @"
    --- stderr
    error: HOST answered with trace `tr-00000000000000000000000000000002` instead of `tr-00000000000000000000000000000001`
    hint: a proxy may have changed the answer; see `--verbose`
    --- exit 4
    ");
    let make = || {
        let other = json!({"trace": {"trace_info": {"trace_id": trace_id(2)}, "spans": []}});
        Fake::with_traces()
            .on("GET", ARTIFACT, Reply::html(404))
            .on("GET", GET_TRACE, Reply::json(&other))
    };
    let text = fault(make, &format!("get {}", trace_id(1)), 4);
    assert!(text.contains("instead of `tr-0"), "{text}");
}

#[test]
fn another_spelling_of_the_id_is_the_same_trace() {
    let info = crate::support::fake::info(1);
    for spelling in [
        trace_id(1).trim_start_matches("tr-").to_owned(),
        trace_id(1).to_uppercase().replace("TR-", "tr-"),
        format!("trace:/main.traces/{}", trace_id(1)),
    ] {
        let mut info = info.clone();
        info["trace_id"] = json!(spelling);
        let reply = Reply::json(&json!({"trace": {"trace_info": info}}));
        let fake = Fake::with_traces().on("GET", &info_path(1), reply).on(
            "GET",
            ARTIFACT,
            artifact_reply(1),
        );
        let outcome = on(&fake).run(&format!("get {}", trace_id(1)));
        assert_eq!(outcome.code, Some(0), "{spelling}: {outcome}");
    }
}
