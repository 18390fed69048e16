//! What is sent again, how often, and after what wait.

use std::time::{Duration, Instant};

use insta::assert_snapshot;

use super::{fault, on};
use crate::support::fake::{EXPERIMENTS, Fake, Reply, SEARCH, info_path, page, trace_id};

fn busy() -> Reply {
    Reply::error(503, "TEMPORARILY_UNAVAILABLE", "Starting up")
}

fn always(reply: Reply) -> Fake {
    Fake::start().on("POST", SEARCH, reply)
}

fn tags_path() -> String {
    format!("/api/2.0/mlflow/traces/{}/tags", trace_id(1))
}

#[test]
fn a_fault_that_passes_is_not_noticed() {
    for fault in [busy(), Reply::html(502), Reply::html(408), Reply::closed()] {
        let fake = Fake::with_traces().on_each("POST", SEARCH, vec![fault, page(1..4, None)]);
        let outcome = on(&fake).run("search -x 1 -o ids");
        assert_eq!(outcome.ok().lines().count(), 3);
        assert_eq!(fake.requests().len(), 2);
    }
}

#[test]
fn a_fault_that_stays_is_told_after_the_last_try() {
    assert_snapshot!(fault(|| always(busy()), "search -x 1", 4), @"
    --- stderr
    error: HOST answered 503 TEMPORARILY_UNAVAILABLE: Starting up
    hint: the server cannot answer now; look after it, or try again with more `--retries`
    --- exit 4
    ");
    assert_snapshot!(fault(|| always(Reply::html(502)), "search -x 1", 4), @"
    --- stderr
    error: HOST answered 502: an HTML page
    --- exit 4
    ");
    assert_snapshot!(fault(|| always(Reply::html(504)), "search -x 1", 4), @"
    --- stderr
    error: HOST answered 504: an HTML page
    --- exit 4
    ");
    assert_snapshot!(fault(|| always(Reply::text("text/plain", "").status(408)), "search -x 1", 4), @"
    --- stderr
    error: HOST answered 408: an empty body
    --- exit 4
    ");
}

#[test]
fn the_number_of_tries_follows_the_flag_and_the_variable() {
    let tries = |variable: Option<&str>, words: &str| {
        let fake = always(busy());
        let run = match variable {
            Some(count) => on(&fake).env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", count),
            None => on(&fake),
        };
        run.run(&format!("search -x 1 {words}")).fails(4);
        fake.requests().len()
    };
    assert_eq!(tries(None, ""), 4);
    assert_eq!(tries(None, "--retries 0"), 1);
    assert_eq!(tries(None, "--retries 2"), 3);
    assert_eq!(tries(Some("1"), ""), 2);
    assert_eq!(tries(Some("5"), "--retries 1"), 2);
}

#[test]
fn an_unusable_number_of_tries_is_a_usage_error() {
    let fake = always(busy());
    let outcome = on(&fake)
        .env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "many")
        .run("search -x 1");
    assert_snapshot!(outcome, @"
    --- stderr
    error: $MLFLOW_HTTP_REQUEST_MAX_RETRIES: expected a whole number, found `many`
    --- exit 2
    ");
    assert_eq!(fake.requests().len(), 0);
}

#[test]
fn only_what_may_pass_is_sent_again() {
    for (status, tries) in [
        (400, 1),
        (401, 1),
        (403, 1),
        (409, 1),
        (500, 1),
        (501, 1),
        (408, 2),
        (429, 2),
        (502, 2),
        (503, 2),
        (504, 2),
    ] {
        let fake = always(Reply::error(status, "SOME_CODE", "Some message"));
        let outcome = on(&fake).run("search -x 1 --retries 1");
        assert!(matches!(outcome.code, Some(4 | 5)), "{outcome}");
        assert_eq!(fake.requests().len(), tries, "{status}");
    }
}

#[test]
fn a_tag_is_set_and_deleted_again_after_a_fault() {
    for (method, words) in [("PATCH", "env=prod"), ("DELETE", "-d env")] {
        let done = Reply::json(&serde_json::json!({}));
        let mut info = crate::support::fake::info(1);
        info["tags"]["env"] = "dev".into();
        let info = Reply::json(&serde_json::json!({"trace": {"trace_info": info}}));
        let fake = Fake::start().on("GET", &info_path(1), info).on_each(
            method,
            &tags_path(),
            vec![busy(), Reply::closed(), done],
        );
        let outcome = on(&fake).run(&format!("tag {} {words}", trace_id(1)));
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let changes = fake.requests().into_iter().filter(|r| r.method == method);
        let bodies: Vec<_> = changes.map(|r| r.body).collect();
        assert_eq!(bodies.len(), 3);
        assert!(bodies.iter().all(|body| *body == bodies[0]));
    }
}

#[test]
fn retry_after_replaces_the_wait() {
    let limited =
        Reply::error(429, "REQUEST_LIMIT_EXCEEDED", "Slow down").header("Retry-After", "1");
    let fake = Fake::with_traces().on_each("POST", SEARCH, vec![limited, page(1..4, None)]);
    let started = Instant::now();
    assert_eq!(on(&fake).run("search -x 1 -o ids").ok().lines().count(), 3);
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(fake.requests().len(), 2);
}

#[test]
fn retry_after_can_be_ignored_as_in_mlflow() {
    let limited =
        Reply::error(429, "REQUEST_LIMIT_EXCEEDED", "Slow down").header("Retry-After", "3600");
    let fake = Fake::with_traces().on_each("POST", SEARCH, vec![limited, page(1..4, None)]);
    let outcome = on(&fake)
        .env("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER", "false")
        .run("search -x 1 -o ids");
    assert_eq!(outcome.ok().lines().count(), 3);
}

#[test]
fn a_wait_of_an_hour_is_told_instead_of_waited_for() {
    let limited =
        Reply::error(429, "REQUEST_LIMIT_EXCEEDED", "Slow down").header("Retry-After", "3600");
    assert_snapshot!(fault(|| always(limited.clone()), "search -x 1", 4), @"
    --- stderr
    error: HOST answered 429 REQUEST_LIMIT_EXCEEDED: Slow down
    hint: the server asks to wait 3600 s
    --- exit 4
    ");
    let fake = always(limited);
    on(&fake).run("search -x 1").fails(4);
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn a_limit_without_a_time_is_told_after_the_last_try() {
    let limited = Reply::error(429, "REQUEST_LIMIT_EXCEEDED", "Slow down");
    assert_snapshot!(fault(|| always(limited.clone()), "search -x 1", 4), @"
    --- stderr
    error: HOST answered 429 REQUEST_LIMIT_EXCEEDED: Slow down
    hint: the server is busy; try again later, or with more `--retries`
    --- exit 4
    ");
    let past = limited.clone();
    let later = past.header("Retry-After", "Sun, 01 Nov 2026 21:00:00 GMT");
    assert_snapshot!(fault(|| always(later.clone()), "search -x 1", 4), @"
    --- stderr
    error: HOST answered 429 REQUEST_LIMIT_EXCEEDED: Slow down
    hint: the server is busy; try again later, or with more `--retries`
    --- exit 4
    ");
}

#[test]
fn a_limit_may_name_the_time_of_its_end() {
    let limited = Reply::error(429, "REQUEST_LIMIT_EXCEEDED", "Slow down")
        .header("Retry-After", "Fri, 31 Dec 2100 23:59:59 GMT");
    let fake = always(limited);
    let outcome = on(&fake).run("search -x 1");
    let said = outcome.fails(4);
    assert!(
        said.contains("hint: the server asks to wait 23"),
        "{outcome}"
    );
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn verbose_shows_each_try() {
    let fake = Fake::with_traces().on_each("POST", EXPERIMENTS, vec![busy(), Reply::html(400)]);
    let outcome = on(&fake).run("search -v");
    let tries: Vec<&str> = outcome
        .stderr
        .lines()
        .filter(|l| l.starts_with("POST "))
        .collect();
    assert_eq!(tries.len(), 2, "{outcome}");
    assert!(
        tries[0].contains("experiments/search -> 503 in "),
        "{outcome}"
    );
    assert!(
        tries[1].contains("-> 400 in ") && tries[1].ends_with("(retry 1)"),
        "{outcome}"
    );
}
