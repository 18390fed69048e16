//! Answers that are errors, or not what they should be.

use insta::assert_snapshot;
use serde_json::json;

use super::{fault, on, without_port};
use crate::support::fake::{
    ANY, ARTIFACT, EXPERIMENTS, Fake, Reply, SEARCH, artifact, artifact_reply, info, info_path,
    page, trace_id,
};

fn search_gives(reply: &Reply) -> impl Fn() -> Fake + use<> {
    let reply = reply.clone();
    move || Fake::with_traces().on("POST", SEARCH, reply.clone())
}

#[test]
fn a_login_that_is_not_accepted_is_not_authorised() {
    let reply = Reply::error(401, "UNAUTHENTICATED", "Wrong password.");
    assert_snapshot!(fault(search_gives(&reply), "search", 5), @"
    --- stderr
    error: HOST wants a login
    hint: the user name, password or token was not accepted
    --- exit 5
    ");
}

#[test]
fn a_missing_login_names_the_variables_to_set() {
    let fake = Fake::start().on(ANY, ANY, Reply::html(401));
    assert_snapshot!(without_port(&on(&fake).run("search"), &fake), @"
    --- stderr
    error: HOST wants a login
    hint: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN
    --- exit 5
    ");
}

#[test]
fn what_is_not_allowed_is_not_authorised() {
    let reply = Reply::error(403, "PERMISSION_DENIED", "Permission denied.");
    assert_snapshot!(fault(search_gives(&reply), "search", 5), @"
    --- stderr
    error: HOST does not allow this: Permission denied
    hint: ask for permission, or log in as somebody else
    --- exit 5
    ");
}

#[test]
fn a_server_that_does_not_know_itself_by_the_name_in_the_uri_says_where_to_set_it() {
    let words = "Invalid Host header - possible DNS rebinding attack detected";
    let reply = Reply::text("text/plain", words).status(403);
    assert_snapshot!(fault(search_gives(&reply), "search", 5), @"
    --- stderr
    error: HOST does not allow this: the text `Invalid Host header - possible DNS rebinding attack detected`
    hint: the server does not know itself by this name; see its --allowed-hosts
    --- exit 5
    ");
}

#[test]
fn a_server_that_takes_mlt_for_a_web_page_says_where_to_set_it() {
    let reply = Reply::text("text/plain", "Cross-origin request blocked").status(403);
    assert_snapshot!(fault(search_gives(&reply), "search", 5), @"
    --- stderr
    error: HOST does not allow this: the text `Cross-origin request blocked`
    hint: the server takes mlt for a web page; check its allowed hosts
    --- exit 5
    ");
}

#[test]
fn a_tag_that_may_not_be_set_is_not_authorised() {
    let path = format!("/api/2.0/mlflow/traces/{}/tags", trace_id(1));
    let reply = Reply::error(403, "PERMISSION_DENIED", "Permission denied.");
    let fake = Fake::with_traces().on("PATCH", &path, reply);
    let outcome = on(&fake).run(&format!("tag {} a=b", trace_id(1)));
    assert_eq!(outcome.code, Some(5), "{outcome}");
}

#[test]
fn an_unknown_trace_is_not_found() {
    let message = format!("Trace with ID '{}' not found.", trace_id(9));
    let reply = Reply::error(404, "RESOURCE_DOES_NOT_EXIST", &message);
    let make = || Fake::start().on("GET", ANY, reply.clone());
    assert_snapshot!(fault(make, &format!("get {}", trace_id(9)), 3), @"
    --- stderr
    error: no trace `tr-00000000000000000000000000000009` in HOST
    hint: `mlt search` lists traces
    --- exit 3
    ");
}

#[test]
fn a_wrong_base_path_is_a_server_error() {
    assert_snapshot!(fault(Fake::start, "search -x 1", 4), @"
    --- stderr
    error: HOST has no /api/3.0/mlflow/traces/search
    hint: check the base path of the tracking URI; servers older than MLflow 2.14 have no traces
    --- exit 4
    ");
    assert_snapshot!(fault(Fake::start, "search -x shop", 4), @"
    --- stderr
    error: HOST has no /api/2.0/mlflow/experiments/get-by-name
    hint: check the base path of the tracking URI; servers older than MLflow 2.14 have no traces
    --- exit 4
    ");
    assert_snapshot!(fault(Fake::start, &format!("get {}", trace_id(1)), 4), @"
    --- stderr
    error: HOST has no /api/3.0/mlflow/traces/tr-00000000000000000000000000000001
    hint: check the base path of the tracking URI; servers older than MLflow 2.14 have no traces
    --- exit 4
    ");
}

#[test]
fn a_refused_filter_is_quoted_from_the_server() {
    let reply = Reply::error(
        400,
        "INVALID_PARAMETER_VALUE",
        "Invalid attribute key 'x' specified.",
    );
    assert_snapshot!(fault(search_gives(&reply), "search -x 1", 4), @"
    --- stderr
    error: HOST answered 400 INVALID_PARAMETER_VALUE: Invalid attribute key 'x' specified
    --- exit 4
    ");
}

#[test]
fn a_server_with_a_fault_of_its_own_is_a_server_error() {
    let reply = Reply::error(500, "INTERNAL_ERROR", "Internal server error");
    assert_snapshot!(fault(search_gives(&reply), "search", 4), @"
    --- stderr
    error: HOST answered 500 INTERNAL_ERROR: Internal server error
    --- exit 4
    ");
    assert_snapshot!(fault(search_gives(&Reply::html(501)), "search", 4), @"
    --- stderr
    error: HOST answered 501: an HTML page
    hint: check that the tracking URI is that of an MLflow server
    --- exit 4
    ");
    assert_snapshot!(fault(search_gives(&Reply::html(500)), "search", 4), @"
    --- stderr
    error: HOST answered 500: an HTML page
    --- exit 4
    ");
    assert_snapshot!(fault(search_gives(&Reply::text("text/plain", "").status(500)), "search", 4), @"
    --- stderr
    error: HOST answered 500: an empty body
    --- exit 4
    ");
}

#[test]
fn a_server_without_workspaces_says_which_variable_to_unset() {
    let reply = Reply::error(500, "FEATURE_DISABLED", "Workspaces are not enabled.");
    let make = search_gives(&reply);
    assert_snapshot!(fault(make, "search", 4), @"
    --- stderr
    error: HOST answered 500 FEATURE_DISABLED: Workspaces are not enabled
    hint: the server has no workspaces; unset MLFLOW_WORKSPACE
    --- exit 4
    ");
}

#[test]
fn errors_in_other_shapes_are_read_too() {
    let reply = Reply::json(&json!({"detail": "Not here"})).status(422);
    assert_snapshot!(fault(search_gives(&reply), "search", 4), @"
    --- stderr
    error: HOST answered 422: Not here
    --- exit 4
    ");
    let reply = Reply::json(&json!({"detail": [{"loc": ["body"], "msg": "missing"}]})).status(422);
    assert_snapshot!(fault(search_gives(&reply), "search", 4), @r#"
    --- stderr
    error: HOST answered 422: [{"loc":["body"],"msg":"missing"}]
    --- exit 4
    "#);
    let reply = Reply::text("text/plain", "upstream went away\nand more\n").status(500);
    assert_snapshot!(fault(search_gives(&reply), "search", 4), @"
    --- stderr
    error: HOST answered 500: the text `upstream went away…`
    --- exit 4
    ");
}

#[test]
fn an_error_from_outside_cannot_draw_on_the_terminal() {
    let reply = Reply::error(
        400,
        "BAD\u{1b}[2J",
        "\u{1b}]0;title\u{7}\nerror: \u{202e}gone",
    );
    let outcome = on(&search_gives(&reply)()).run("search -x 1");
    let stderr = outcome.fails(4);
    assert!(
        stderr
            .trim_end()
            .chars()
            .all(|c| !c.is_control() && c != '\u{202e}'),
        "{stderr:?}"
    );
}

#[test]
fn a_page_for_people_is_not_taken_for_traces() {
    assert_snapshot!(fault(search_gives(&Reply::html(200)), "search", 4), @"
    --- stderr
    error: HOST answered /api/3.0/mlflow/traces/search with an HTML page and not with JSON
    hint: this may be a login page or a proxy; check the tracking URI
    --- exit 4
    ");
}

#[test]
fn a_page_for_people_that_claims_to_be_json_is_not_taken_for_traces() {
    let reply = Reply::text("application/json", "<html><body>Sign in</body></html>");
    assert_snapshot!(fault(search_gives(&reply), "search", 4), @"
    --- stderr
    error: HOST answered /api/3.0/mlflow/traces/search with an HTML page and not with JSON
    hint: this may be a login page or a proxy; check the tracking URI
    --- exit 4
    ");
}

#[test]
fn what_is_no_json_at_all_is_described() {
    for (body, found) in [
        ("", "an empty body"),
        ("<?xml version='1.0'?><error/>", "XML"),
        ("OK", "the text `OK`"),
    ] {
        let make = search_gives(&Reply::text("application/json", body));
        let text = fault(make, "search", 4);
        assert!(
            text.contains(&format!("with {found} and not with JSON")),
            "{text}"
        );
    }
}

#[test]
fn json_counts_whatever_its_content_type_says() {
    for content_type in [
        "text/plain",
        "text/html; charset=utf-8",
        "application/octet-stream",
        "",
    ] {
        let body = json!({"traces": [info(1)]}).to_string();
        let fake = search_gives(&Reply::text(content_type, body))();
        assert_eq!(on(&fake).run("search -o ids").ok().trim_end(), trace_id(1));
    }
}

#[test]
fn json_that_is_cut_short_is_unreadable() {
    let body = json!({"traces": [info(1), info(2)]}).to_string();
    let make = search_gives(&Reply::text("application/json", &body[..300]));
    assert_snapshot!(fault(make, "search", 4), @"
    --- stderr
    error: cannot read the answer of HOST to /api/3.0/mlflow/traces/search: it is cut short (line 1, column 300)
    hint: a proxy may have changed the answer; see `--verbose`
    --- exit 4
    ");
}

#[test]
fn spans_that_are_cut_short_are_not_shown() {
    let body = artifact(1).to_string();
    let reply = Reply::text("text/plain", &body[..250]);
    let make = || Fake::with_traces().on("GET", ARTIFACT, reply.clone());
    assert_snapshot!(fault(make, &format!("get {}", trace_id(1)), 6), @"
    --- stderr
    error: cannot read tr-00000000000000000000000000000001: get-trace-artifact gives what is no list of spans: it is cut short (the text ends within a value)
    --- exit 6
    ");
}

#[test]
fn json_of_another_shape_is_unreadable() {
    assert_snapshot!(fault(search_gives(&Reply::json(&json!({"traces": 3}))), "search", 4), @"
    --- stderr
    error: cannot read the answer of HOST to /api/3.0/mlflow/traces/search: expected a list, found a number
    --- exit 4
    ");
    assert_snapshot!(fault(search_gives(&Reply::json(&json!([1, 2]))), "search", 4), @"
    --- stderr
    error: cannot read the answer of HOST to /api/3.0/mlflow/traces/search: expected a list, found a number
    --- exit 4
    ");
    let make = || Fake::with_traces().on("GET", &info_path(1), Reply::json(&json!({"trace": {}})));
    assert_snapshot!(fault(make, &format!("get {}", trace_id(1)), 4), @"
    --- stderr
    error: cannot read the answer of HOST to /api/3.0/mlflow/traces/tr-00000000000000000000000000000001: it lacks `trace_info`
    --- exit 4
    ");
}

#[test]
fn compressed_answers_are_read() {
    let fake = search_gives(&Reply::gzip(&json!({"traces": [info(1), info(2)]})))();
    assert_eq!(on(&fake).run("search -x 1 -o ids").ok().lines().count(), 2);
    let accepted = fake.only_request();
    assert!(
        accepted
            .header("accept-encoding")
            .is_some_and(|v| v.contains("gzip"))
    );
}

#[test]
fn a_compressed_answer_that_is_none_is_an_error() {
    let reply = page(1..3, None).header("Content-Encoding", "gzip");
    assert_snapshot!(fault(search_gives(&reply), "search", 4), @"
    --- stderr
    error: the answer of HOST broke off after 0 bytes: invalid gzip header
    hint: try again
    --- exit 4
    ");
}

#[test]
fn a_body_of_100_megabytes_is_read() {
    let spans = artifact(1).to_string();
    let (head, tail) = spans.split_once("a hat").unwrap();
    let reply = Reply::long(head, &"x".repeat(1 << 20), 100, tail);
    let fake = Fake::with_traces().on("GET", ARTIFACT, reply);
    let outcome = on(&fake).run(&format!("get {} -o json --max-chars 20", trace_id(1)));
    assert_eq!(outcome.json()["data"]["spans"][0]["name"], "pay");
    assert!(
        outcome.stdout.contains("xxx…") && outcome.stdout.len() < 5000,
        "{outcome}"
    );
}

#[test]
fn a_page_of_100_megabytes_is_not_repeated_in_the_message() {
    for status in [200, 500, 502] {
        let page = Reply::long("<html>", &"x".repeat(1 << 20), 100, "</html>").status(status);
        let fake = Fake::start().on("POST", EXPERIMENTS, page);
        let outcome = on(&fake).run("search --retries 0");
        assert!(
            outcome.fails(4).len() < 400,
            "{} bytes",
            outcome.stderr.len()
        );
    }
}

#[test]
fn one_bad_trace_among_several_is_told_apart() {
    let reply = Reply::error(404, "RESOURCE_DOES_NOT_EXIST", "Trace not found.");
    let fake = Fake::with_traces()
        .on("GET", ANY, reply)
        .on("GET", ARTIFACT, artifact_reply(1));
    let words = format!("get {} {} -o jsonl", trace_id(1), trace_id(9));
    let outcome = on(&fake).run(&words);
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert_eq!(outcome.lines().len(), 1, "{outcome}");
    assert!(outcome.stderr.contains(&trace_id(9)), "{outcome}");
}
