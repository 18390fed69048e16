//! Which requests a command takes, in which order, and what follows from the
//! answers of older servers.

use insta::assert_snapshot;
use serde_json::json;

use super::{fault, on, quick, without_port};
use crate::support::fake::{
    ARTIFACT, BATCH_GET, EXPERIMENT, EXPERIMENT_BY_NAME, EXPERIMENTS, Fake, GET_TRACE, Reply,
    SEARCH, SEARCH_V2, artifact, artifact_reply, experiments, info, info_path, info_reply, page,
    trace_id,
};

fn not_there() -> Reply {
    Reply::error(404, "RESOURCE_DOES_NOT_EXIST", "Not found.")
}

/// Spans in the form of the trace endpoints.
fn typed_spans() -> serde_json::Value {
    json!([{
        "trace_id": "AAAAAAAAAAAAAAAAAAAAAQ==",
        "span_id": "AAAAAAAAAAE=",
        "name": "typed",
        "start_time_unix_nano": 1_795_378_201_666_000_000_u64,
        "end_time_unix_nano": 1_795_378_201_954_000_000_u64,
        "attributes": [{"key": "mlflow.spanType", "value": {"string_value": "TOOL"}}],
        "status": {"code": "STATUS_CODE_OK"},
    }])
}

#[test]
fn a_search_without_an_experiment_takes_two_requests() {
    let fake = Fake::with_traces();
    on(&fake).run("search -o ids").ok();
    assert_eq!(
        fake.paths(),
        [format!("POST {EXPERIMENTS}"), format!("POST {SEARCH}")]
    );
    let body = fake.requests()[1].json();
    assert_eq!(
        body,
        json!({
            "locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "1"}}],
            "max_results": 101,
        })
    );
}

/// A server that takes no conditions on spans, and says that it is this release.
fn without_span_filters(release: &'static str) -> Fake {
    Fake::with_traces()
        .on_call("POST", SEARCH, |request, _| {
            let filter = request.json()["filter"].as_str().unwrap_or("").to_owned();
            if filter.contains("span.") {
                let message = "Invalid attribute key 'span.name' specified.";
                return Reply::error(400, "INVALID_PARAMETER_VALUE", message);
            }
            page(1..2, None)
        })
        .on("GET", "/version", Reply::text("text/html", release))
}

#[test]
fn a_server_that_refuses_a_filter_is_asked_for_its_release() {
    let name = &artifact(1)["spans"][0]["name"];
    let filter = format!("span.name = {name}").replace('"', "'");
    let old = without_span_filters("3.3.1");
    let outcome = on(&old)
        .args(["search", "-x1", "-o", "ids", "-f", &filter])
        .run("");
    assert_eq!(outcome.ok().trim(), trace_id(1));
    let version = "GET /version".to_owned();
    assert_eq!(
        old.paths().iter().filter(|path| **path == version).count(),
        1
    );
    // One that refuses it for reasons of its own is asked for every trace, and says so
    // to those who want to know.
    let new = without_span_filters("3.17.2");
    let outcome = on(&new)
        .args(["search", "-x1", "-v", "-o", "ids", "-f", &filter])
        .run("");
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert_eq!(outcome.stdout.trim(), trace_id(1));
    assert!(
        outcome.stderr.contains("which is evaluated here")
            && outcome.stderr.contains("Invalid attribute key"),
        "{outcome}"
    );
}

#[test]
fn a_search_by_experiment_id_takes_one_request() {
    let fake = Fake::with_traces();
    on(&fake).run("search -x 1 -o ids").ok();
    assert_eq!(fake.paths(), [format!("POST {SEARCH}")]);
}

#[test]
fn a_search_by_experiment_name_looks_the_name_up() {
    let fake = Fake::with_traces();
    on(&fake)
        .env("MLFLOW_EXPERIMENT_NAME", "shop")
        .run("search -o ids")
        .ok();
    assert_eq!(
        fake.paths(),
        [
            format!("GET {EXPERIMENT_BY_NAME}"),
            format!("POST {SEARCH}")
        ]
    );
    assert!(fake.requests()[0].target.ends_with("?experiment_name=shop"));
}

#[test]
fn an_experiment_name_is_sent_whatever_is_in_it() {
    let named = |name: &str| {
        let of_that_name = serde_json::json!({"experiment_id": "1", "name": name});
        let answer = serde_json::json!({"experiment": of_that_name});
        Fake::with_traces().on("GET", EXPERIMENT_BY_NAME, Reply::json(&answer))
    };
    let name = "a b&c=é/?#";
    let fake = named(name);
    on(&fake).args(["-x", name]).run("search -o ids").ok();
    let target = &fake.requests()[0].target;
    assert!(
        target.ends_with("?experiment_name=a+b%26c%3D%C3%A9%2F%3F%23"),
        "{target}"
    );
    // Some databases take another case for the same name.
    let other = on(&named(&name.to_uppercase()))
        .args(["-x", name])
        .run("search -o ids");
    assert!(other.fails(3).contains("no experiment"), "{other}");
}

#[test]
fn an_experiment_with_odd_tags_is_there() {
    let tags = serde_json::json!([{"key": "a", "value": null}, {"value": 1}, 5, null]);
    let odd = serde_json::json!({"experiment_id": "1", "name": "shop", "tags": tags});
    let answer = serde_json::json!({"experiments": [odd]});
    let fake = Fake::with_traces().on("POST", EXPERIMENTS, Reply::json(&answer));
    let listed = on(&fake).run("experiments -o csv");
    assert!(listed.stdout.contains("1,shop,"), "{listed}");
}

#[test]
fn an_unknown_experiment_is_not_found_and_near_names_are_told() {
    let make = || {
        Fake::with_traces()
            .on("GET", EXPERIMENT_BY_NAME, not_there())
            .on(
                "POST",
                EXPERIMENTS,
                experiments(&[("1", "shop"), ("2", "evaluation")]),
            )
    };
    assert_snapshot!(fault(make, "search -x shpo", 3), @"
    --- stderr
    error: no experiment `shpo` in HOST
    hint: did you mean `shop` (id 1)?
    --- exit 3
    ");
    assert_snapshot!(fault(make, "latency latest -x zzz", 3), @"
    --- stderr
    error: no experiment `zzz` in HOST
    hint: there are `evaluation` (id 2), `shop` (id 1)
    --- exit 3
    ");
}

#[test]
fn an_id_in_capitals_is_no_trace_whatever_the_servers_database_makes_of_it() {
    let capitals = trace_id(1).to_uppercase();
    let path = info_path(1).replace(&trace_id(1), &capitals);
    let fake = Fake::with_traces().on("GET", &path, info_reply(1));
    for words in ["get", "tag a=b", "assess good=true", "delete --yes"] {
        let (command, rest) = words.split_once(' ').unwrap_or((words, ""));
        let outcome = on(&fake).run(&format!("{command} {capitals} {rest}"));
        let said = outcome.fails(3);
        assert!(
            said.contains(&format!("no trace `{capitals}`")),
            "{words}: {said}"
        );
    }
    let changes = fake.requests().into_iter().filter(|it| it.method != "GET");
    assert_eq!(changes.count(), 0);
}

#[test]
fn an_unknown_experiment_id_is_noticed_when_nothing_is_found() {
    let fake = Fake::with_traces()
        .on("POST", SEARCH, Reply::json(&json!({})))
        .on("GET", EXPERIMENT, not_there());
    let outcome = on(&fake).run("search -x 77 -o ids");
    assert_snapshot!(without_port(&outcome, &fake), @"
    --- stderr
    error: no experiment `77` in HOST
    hint: there are `shop` (id 1)
    --- exit 3
    ");
}

#[test]
fn a_dry_run_of_a_search_sends_nothing_and_that_of_tags_only_looks() {
    let fake = Fake::with_traces();
    let outcome = on(&fake).run("search -x shop --status ERROR -n 5 --dry-run");
    assert_snapshot!(without_port(&outcome, &fake), @r#"
    GET http://HOST/api/2.0/mlflow/experiments/get-by-name?experiment_name=shop
    POST http://HOST/api/3.0/mlflow/traces/search
    {
      "locations": [
        {
          "type": "MLFLOW_EXPERIMENT",
          "mlflow_experiment": {
            "experiment_id": "<id of shop>"
          }
        }
      ],
      "max_results": 6,
      "filter": "status IN ('ERROR')"
    }
    --- exit 0
    "#);
    assert_eq!(fake.paths(), Vec::<String>::new());
    let outcome = on(&fake).run(&format!("tag {} a=b --dry-run", trace_id(1)));
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert_eq!(fake.only_request().method, "GET");
}

#[test]
fn the_requests_of_a_dry_run_are_those_of_the_search() {
    let fake = Fake::with_traces();
    // The table of failures asks for spans besides.
    let words = "search -x 1 --status ERROR --order-by name -n 5 -o json";
    let dry = on(&fake).run(&format!("{words} --dry-run")).json();
    on(&fake).run(words);
    // By names, the server is asked first how it sorts them.
    let all = fake.requests();
    assert_eq!(all.len(), 2);
    let sent = &all[1];
    assert_eq!(dry[0]["method"], sent.method.as_str());
    assert_eq!(dry[0]["url"], format!("{}{}", fake.uri(), sent.target));
    assert_eq!(dry[0]["body"], sent.json());
}

#[test]
fn a_dry_run_shows_no_secret() {
    let fake = Fake::with_traces();
    let uri = fake
        .uri()
        .replace("//", &format!("//ann:{}@", super::SECRET));
    let outcome = quick().on(&uri).run("search --dry-run");
    super::assert_no_secret(&outcome);
    assert_eq!(outcome.code, Some(0), "{outcome}");
}

#[test]
fn a_trace_takes_two_requests() {
    let fake = Fake::with_traces();
    on(&fake).run(&format!("get {}", trace_id(1))).ok();
    let mut paths = fake.paths();
    paths.sort();
    assert_eq!(
        paths,
        [format!("GET {ARTIFACT}"), format!("GET {}", info_path(1))]
    );
}

#[test]
fn the_base_path_of_the_uri_is_kept() {
    let below = |path: &str| format!("/mlflow/prod{path}");
    for slash in ["", "/"] {
        let fake = Fake::start()
            .on("POST", &below(EXPERIMENTS), experiments(&[("1", "shop")]))
            .on("POST", &below(SEARCH), page(1..2, None))
            .on("GET", &below(&info_path(1)), info_reply(1))
            .on("GET", &below(ARTIFACT), artifact_reply(1));
        let uri = format!("{}/mlflow/prod{slash}", fake.uri());
        assert_eq!(
            quick().on(&uri).run("search -o ids").ok().lines().count(),
            1
        );
        quick().on(&uri).run(&format!("get {}", trace_id(1))).ok();
    }
}

#[test]
fn spans_that_are_no_artifact_are_asked_for_in_other_ways() {
    let fake = || {
        Fake::with_traces().on("GET", ARTIFACT, not_there()).on(
            "GET",
            GET_TRACE,
            Reply::json(&json!({"trace": {"spans": typed_spans()}})),
        )
    };
    let words = format!("get {} -o json", trace_id(1));
    let first = fake();
    assert_eq!(
        on(&first).run(&words).json()["data"]["spans"][0]["name"],
        "typed"
    );
    let spans: Vec<String> = first
        .paths()
        .into_iter()
        .filter(|p| !p.contains(&trace_id(1)))
        .collect();
    assert_eq!(
        spans,
        [format!("GET {ARTIFACT}"), format!("GET {GET_TRACE}")]
    );

    let second = fake()
        .on(
            "GET",
            GET_TRACE,
            Reply::error(
                404,
                "RESOURCE_DOES_NOT_EXIST",
                "Trace with ID 'get' not found.",
            ),
        )
        .on(
            "GET",
            BATCH_GET,
            Reply::json(&json!({"traces": [{"spans": typed_spans()}]})),
        );
    assert_eq!(
        on(&second).run(&words).json()["data"]["spans"][0]["name"],
        "typed"
    );
    // The request for what is known without spans runs beside, and may be the last.
    let spans: Vec<String> = second
        .paths()
        .into_iter()
        .filter(|p| !p.contains(&trace_id(1)))
        .collect();
    assert_eq!(spans.last(), Some(&format!("GET {BATCH_GET}")));
}

#[test]
fn spans_that_are_nowhere_are_told_with_all_that_was_tried() {
    let make = || {
        Fake::with_traces().on("GET", ARTIFACT, not_there()).on(
            "GET",
            GET_TRACE,
            Reply::error(
                500,
                "INTERNAL_ERROR",
                "Trace data not stored in tracking store",
            ),
        )
    };
    let words = format!("get {}", trace_id(1));
    assert_snapshot!(fault(make, &words, 3), @"
    --- stderr
    error: cannot get the spans of trace `tr-00000000000000000000000000000001`: tried get-trace-artifact (404: Not found), traces/get (500: Trace data not stored in tracking store), traces/batchGet (not offered by this server)
    --- exit 3
    ");
    let empty = || make().on("GET", BATCH_GET, Reply::json(&json!({})));
    assert_snapshot!(fault(empty, &words, 3), @"
    --- stderr
    error: cannot get the spans of trace `tr-00000000000000000000000000000001`: tried get-trace-artifact (404: Not found), traces/get (500: Trace data not stored in tracking store), traces/batchGet (not there)
    --- exit 3
    ");
}

#[test]
fn a_trace_without_spans_is_whole_as_it_is() {
    let mut bare = info(1);
    bare.as_object_mut().unwrap().remove("trace_metadata");
    let fake = Fake::with_traces()
        .on(
            "GET",
            &info_path(1),
            Reply::json(&json!({"trace": {"trace_info": bare}})),
        )
        .on("GET", ARTIFACT, not_there())
        .on("GET", GET_TRACE, not_there());
    let outcome = on(&fake).run(&format!("get {} -o json", trace_id(1)));
    assert_eq!(outcome.json()["data"]["spans"], json!([]));
}

#[test]
fn a_login_that_is_refused_for_spans_is_not_tried_in_other_ways() {
    let make = || Fake::with_traces().on("GET", ARTIFACT, Reply::html(403));
    assert_snapshot!(fault(make, &format!("get {}", trace_id(1)), 5), @"
    --- stderr
    error: HOST does not allow this: an HTML page
    hint: ask for permission, or log in as somebody else
    --- exit 5
    ");
}

/// A server of MLflow 2.14 to 3.1: no page under `/api/3.0/mlflow/traces`.
fn old_server() -> Fake {
    let id = "224170c677d04394b85776af91c3257b";
    let old = json!({
        "request_id": id,
        "experiment_id": "1",
        "timestamp_ms": 1_795_379_489_550_u64,
        "execution_time_ms": 12,
        "status": "OK",
        "request_metadata": [{"key": "mlflow.traceInputs", "value": "{\"x\": \"q\"}"}],
        "tags": [{"key": "mlflow.traceName", "value": "a"}],
    });
    let spans = json!({"spans": [{
        "name": "old", "context": {"span_id": "3c438e312c0a7f2e", "trace_id": "f562334f1ccf7972ec11fe386971e36f"},
        "parent_id": null, "start_time": 1_795_379_489_550_595_555_u64, "end_time": 1_795_379_489_551_287_073_u64,
        "status_code": "OK", "status_message": "", "attributes": {"mlflow.spanType": "\"LLM\""}, "events": [],
    }]});
    Fake::start()
        .on("POST", EXPERIMENTS, experiments(&[("1", "shop")]))
        .on(
            "GET",
            SEARCH_V2,
            Reply::json(&json!({"traces": [old.clone()]})),
        )
        .on(
            "GET",
            &format!("{SEARCH_V2}/{id}/info"),
            Reply::json(&json!({"trace_info": old})),
        )
        .on("GET", &format!("{SEARCH_V2}/tr-{id}/info"), not_there())
        .on(
            "GET",
            ARTIFACT,
            Reply::text("text/plain", spans.to_string()),
        )
}

#[test]
fn a_server_without_the_newer_endpoints_is_asked_on_the_older_ones() {
    let fake = old_server();
    let outcome = on(&fake).run("search --status OK -n 5 -o jsonl");
    assert_eq!(
        outcome.json_lines()[0]["info"]["trace_id"],
        "224170c677d04394b85776af91c3257b"
    );
    let paths = fake.paths();
    assert_eq!(
        paths,
        [
            format!("POST {EXPERIMENTS}"),
            format!("POST {SEARCH}"),
            format!("GET {SEARCH_V2}")
        ]
    );
    let target = &fake.requests()[2].target;
    assert!(
        target.contains("?experiment_ids=1&filter=") && target.ends_with("&max_results=6"),
        "{target}"
    );
}

#[test]
fn a_trace_of_an_old_server_has_its_spans() {
    let outcome = on(&old_server()).run("get 224170c677d04394b85776af91c3257b -o json");
    assert_eq!(outcome.json()["data"]["spans"][0]["name"], "old");
}

#[test]
fn a_fault_of_the_newer_endpoint_is_not_hidden_by_the_older_one() {
    let make = || old_server().on("POST", SEARCH, Reply::html(500));
    let text = fault(make, "search -x 1", 4);
    assert!(text.contains("HOST answered 500"), "{text}");
}
