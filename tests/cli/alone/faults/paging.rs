//! Long answers: pages are followed to the limit, and no part of one is passed
//! off as the whole.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{fault, on, without_port};
use crate::support::fake::{
    ARTIFACT, EXPERIMENTS, Fake, Reply, Request, SEARCH, artifact_reply, experiments, page,
};

/// A server with so many traces, which pages as MLflow does.
fn server_with(total: usize) -> Fake {
    Fake::with_traces().on_call("POST", SEARCH, move |request, _| {
        let body = request.json();
        let size = usize::try_from(body["max_results"].as_u64().unwrap()).unwrap();
        let start: usize = body["page_token"]
            .as_str()
            .map_or(0, |t| t.parse().unwrap());
        let end = (start + size).min(total);
        let next = (end - start == size).then(|| end.to_string());
        page(start..end, next.as_deref())
    })
}

fn bodies(fake: &Fake) -> Vec<Value> {
    fake.requests().iter().map(Request::json).collect()
}

#[test]
fn one_trace_more_than_the_limit_is_asked_for() {
    let fake = server_with(10);
    let outcome = on(&fake).run("search -x 1 -n 3 -o ids");
    assert_eq!(outcome.lines().len(), 3);
    assert_eq!(fake.only_request().json()["max_results"], 4);
    assert_eq!(outcome.stderr, "", "who says how many needs no note");
}

#[test]
fn a_limit_that_nobody_asked_for_is_noted() {
    let note = "note: more traces match than the 100 shown; see them with -n N or --all\n";
    for (words, said) in [("", note), ("-q", ""), ("-n 100", ""), ("--all", "")] {
        let fake = server_with(101);
        let outcome = on(&fake).run(&format!("search -x 1 -o ids {words}"));
        assert_eq!(outcome.code, Some(0), "{outcome}");
        assert_eq!(outcome.stderr, said, "{words}");
    }
}

#[test]
fn exactly_as_many_as_the_limit_are_all() {
    let fake = server_with(3);
    assert_eq!(
        on(&fake)
            .run("search -x 1 -n 3 -o ids")
            .ok()
            .lines()
            .count(),
        3
    );
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn pages_are_followed_to_the_limit() {
    let fake = server_with(2000);
    let outcome = on(&fake).run("search -x 1 -n 1200 -o ids");
    assert_eq!(outcome.lines().len(), 1200);
    let bodies = bodies(&fake);
    let sizes: Vec<u64> = bodies
        .iter()
        .map(|b| b["max_results"].as_u64().unwrap())
        .collect();
    assert_eq!(sizes, [500, 500, 201]);
    assert_eq!(bodies[2]["page_token"], "1000");
}

#[test]
fn pages_are_followed_to_the_end() {
    let fake = server_with(1000);
    assert_eq!(
        on(&fake)
            .run("search -x 1 --all -o ids")
            .ok()
            .lines()
            .count(),
        1000
    );
    assert_eq!(fake.requests().len(), 3);
    let fake = server_with(1000);
    assert_eq!(on(&fake).run("search -x 1 --count").ok(), "1000\n");
}

#[test]
fn traces_that_arrive_meanwhile_are_kept_out() {
    let fake = server_with(501);
    on(&fake).run("search -x 1 --all -o ids").ok();
    let bodies = bodies(&fake);
    assert_eq!(bodies[0].get("filter"), None);
    let filter = bodies[1]["filter"].as_str().unwrap();
    assert!(filter.contains("<= 1795378201666"), "{filter}");
}

#[test]
fn traces_that_come_twice_are_shown_once() {
    let fake = Fake::with_traces().on_each(
        "POST",
        SEARCH,
        vec![
            page(1..4, Some("a")),
            page(3..6, Some("b")),
            page(5..7, None),
        ],
    );
    let outcome = on(&fake).run("search -x 1 --all -o ids");
    assert_eq!(outcome.ok().lines().count(), 6);
}

#[test]
fn a_page_token_that_comes_again_ends_the_search_with_an_error() {
    let fake = Fake::with_traces().on("POST", SEARCH, page(1..4, Some("same")));
    let outcome = on(&fake).run("search -x 1 --all --count");
    assert_snapshot!(without_port(&outcome, &fake), @"
    --- stderr
    error: HOST repeats a page token; stopped after 3 traces
    hint: a proxy may have changed the answer; see `--verbose`
    --- exit 4
    ");
    assert_eq!(fake.requests().len(), 2);
}

#[test]
fn experiments_that_never_end_are_an_error() {
    let reply = Reply::json(&json!({
        "experiments": [{"experiment_id": "1", "name": "shop"}],
        "next_page_token": "same",
    }));
    let make = || Fake::with_traces().on("POST", EXPERIMENTS, reply.clone());
    assert_snapshot!(fault(make, "search", 4), @"
    --- stderr
    error: HOST repeats a page token; stopped after 1 experiment
    hint: a proxy may have changed the answer; see `--verbose`
    --- exit 4
    ");
}

#[test]
fn experiments_are_read_page_by_page() {
    let first = Reply::json(&json!({
        "experiments": [{"experiment_id": "1", "name": "shop"}],
        "next_page_token": "more",
    }));
    let fake =
        Fake::with_traces().on_each("POST", EXPERIMENTS, vec![first, experiments(&[("2", "b")])]);
    on(&fake).run("search -o ids").ok();
    let bodies = bodies(&fake);
    assert_eq!(bodies[1]["page_token"], "more");
    let ids: Vec<&str> = bodies[2]["locations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["mlflow_experiment"]["experiment_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["1", "2"]);
}

#[test]
fn a_fault_in_the_middle_leaves_no_document_that_could_be_taken_for_whole() {
    for second in [
        Reply::closed(),
        Reply::html(200),
        page(1..3, None).cut_after(40),
    ] {
        for format in ["table", "json", "jsonl", "csv", "ids"] {
            let replies = vec![page(1..501, Some("more")), second.clone()];
            let fake = Fake::with_traces().on_each("POST", SEARCH, replies);
            let outcome = on(&fake).run(&format!("search -x 1 --all -o {format} --retries 0"));
            assert_eq!(outcome.code, Some(4), "{outcome}");
            assert!(outcome.stderr.starts_with("error: "), "{outcome}");
            let whole = serde_json::from_str::<Value>(&outcome.stdout).is_ok();
            assert!(format != "json" || !whole, "{outcome}");
        }
    }
}

#[test]
fn a_fault_in_the_spans_of_one_match_ends_the_document_early() {
    let fake = Fake::with_traces().on_call("GET", ARTIFACT, |request, _| {
        if request.target.ends_with('2') {
            artifact_reply(2).cut_after(100)
        } else {
            artifact_reply(1)
        }
    });
    let outcome = on(&fake).run("search -x 1 --include-spans -o json --retries 0");
    assert_eq!(outcome.code, Some(4), "{outcome}");
    assert!(
        serde_json::from_str::<Value>(&outcome.stdout).is_err(),
        "{outcome}"
    );
}

#[test]
fn nothing_is_counted_when_a_page_is_missing() {
    let replies = vec![page(1..501, Some("more")), Reply::html(400)];
    let fake = Fake::with_traces().on_each("POST", SEARCH, replies);
    on(&fake).run("search -x 1 --count").fails(4);
}
