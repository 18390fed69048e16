//! `mlt search` on a real MLflow server: every flag, against what the server's
//! own endpoint answers.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::mlflow::{current, on_server};
use crate::support::{Mlt, mlt};

fn many() -> Mlt {
    on_server().args(["-x", "many"])
}

fn infos(search: Mlt, words: &str) -> Vec<Value> {
    search
        .run(&format!("search --all -o jsonl {words}"))
        .json_lines()
        .into_iter()
        .map(|trace| {
            let mut info = trace["info"].clone();
            info["duration_ns"] = trace["duration_ns"].clone();
            info
        })
        .collect()
}

fn ids(search: Mlt, words: &str) -> Vec<String> {
    let outcome = search.run(&format!("search --all -o ids {words}"));
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome.lines().into_iter().map(str::to_owned).collect()
}

#[test]
fn all_pages_are_followed_and_nothing_comes_twice() {
    let all = ids(many(), "");
    assert_eq!(all.len(), 1200);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 1200);
    assert_eq!(many().run("search --count").ok(), "1200\n");
    assert_eq!(many().run("search --count -o json").json()["count"], 1200);
}

#[test]
fn limits_around_the_page_size_are_exact() {
    let all = ids(many(), "");
    for limit in [1, 99, 100, 101, 499, 500, 501, 999, 1000, 1001, 1199] {
        let outcome = many().run(&format!("search -o ids -n {limit}"));
        assert_eq!(outcome.code, Some(0), "{outcome}");
        assert_eq!(outcome.lines(), all[..limit], "-n {limit}");
        assert_eq!(outcome.stderr, "", "-n {limit}");
    }
    for limit in [1200, 1201, 5000] {
        let outcome = many().run(&format!("search -o ids -n {limit}"));
        assert_eq!(outcome.ok().lines().count(), 1200, "-n {limit}");
    }
}

#[test]
fn json_says_whether_it_is_all() {
    let some = many().run("search -n 3 -o json");
    let document: Value = serde_json::from_str(&some.stdout).unwrap();
    assert_eq!(document["traces"].as_array().unwrap().len(), 3);
    assert_eq!(document["truncated"], true);
    assert_eq!(document["next_page_token"], Value::Null);
    let all = many().run("search -n 2000 -o json").json();
    assert_eq!(all["traces"].as_array().unwrap().len(), 1200);
    assert_eq!(all["truncated"], false);
}

#[test]
fn the_newest_come_first_and_other_orders_are_the_servers() {
    let times = |words: &str| -> Vec<String> {
        infos(many(), words)
            .iter()
            .map(|info| info["request_time"].as_str().unwrap().to_owned())
            .collect()
    };
    let millis = |text: &String| {
        chrono::DateTime::parse_from_rfc3339(text)
            .unwrap()
            .timestamp_millis()
    };
    assert!(times("").is_sorted_by_key(|t| -millis(t)));
    assert!(times("--order-by timestamp_ms").is_sorted_by_key(millis));
    let by_duration = infos(many(), "--order-by -duration --order-by name");
    let durations: Vec<Option<i64>> = by_duration
        .iter()
        .map(|info| info["duration_ns"].as_i64())
        .collect();
    assert!(durations.is_sorted_by_key(|d| std::cmp::Reverse(d.unwrap_or(-1))));
    let wrong = many().run("search --order-by durtion");
    insta::assert_snapshot!(wrong.fails(2), @"
    error: unknown key `durtion`
      durtion
      ^^^^^^^ expected a field of traces, such as `time`, `duration`, `cost`, `tokens`, `spans`, `name`, `model`, `tags.<key>` or `metadata.<key>`, found `durtion`
    hint: did you mean `duration`?
    ");
}

#[test]
fn a_trace_in_progress_took_at_least_what_is_recorded() {
    let filter = format!("trace_id='{}'", current().case("in-progress"));
    let search = || on_server().args(["search", "-x", "edges", "-f", &filter]);
    let recorded = search().run("-o json").json()["traces"][0]["duration_ns"].clone();
    assert!(recorded.is_i64(), "{recorded}");
    for width in [40, 80, 200] {
        let drawn = search().terminal(width).run("--color never");
        assert!(drawn.ok().contains(" >= "), "{drawn}");
    }
    let csv = search().run("-o csv --columns state,duration");
    let expected = format!("state,duration_ns\nIN_PROGRESS,{recorded}\n");
    assert_eq!(csv.ok(), expected);
}

type Test<'a> = Box<dyn Fn(&Value) -> bool + 'a>;

#[test]
fn every_shorthand_finds_what_it_says() {
    let all = infos(many(), "");
    let tag = |info: &Value, key: &str| info["tags"][key].as_str().map(str::to_owned);
    let meta = |info: &Value, key: &str| info["trace_metadata"][key].as_str().map(str::to_owned);
    let is = |found: Option<String>, wanted: &str| found.as_deref() == Some(wanted);
    let seconds = |info: &Value| info["duration_ns"].as_f64().map(|ns| ns / 1e9);
    let name = tag(&all[0], "mlflow.traceName").unwrap();
    let session = all
        .iter()
        .find_map(|i| meta(i, "mlflow.trace.session"))
        .unwrap();
    let user = meta(&all[0], "mlflow.trace.user").unwrap();
    let client = all
        .iter()
        .find_map(|i| i["client_request_id"].as_str())
        .unwrap();
    let middle = all[600]["request_time"].as_str().unwrap();
    let instant = |info: &Value| {
        chrono::DateTime::parse_from_rfc3339(info["request_time"].as_str().unwrap()).unwrap()
    };
    let cut = chrono::DateTime::parse_from_rfc3339(middle).unwrap();
    let cases: Vec<(String, Test)> = vec![
        ("--status ERROR".into(), Box::new(|i| i["state"] == "ERROR")),
        (
            "--status error --status in_progress".into(),
            Box::new(|i| i["state"] != "OK"),
        ),
        (
            format!("--name {name}"),
            Box::new(|i| is(tag(i, "mlflow.traceName"), &name)),
        ),
        (
            format!("--name {}%", &name[..2]),
            Box::new(|i| tag(i, "mlflow.traceName").unwrap().starts_with(&name[..2])),
        ),
        (
            "--tag env=staging".into(),
            Box::new(|i| is(tag(i, "env"), "staging")),
        ),
        (
            "--tag env=prod --tag team=search".into(),
            Box::new(|i| is(tag(i, "env"), "prod") && is(tag(i, "team"), "search")),
        ),
        (
            format!("--metadata mlflow.trace.user={user}"),
            Box::new(|i| is(meta(i, "mlflow.trace.user"), &user)),
        ),
        (
            format!("--user {user}"),
            Box::new(|i| is(meta(i, "mlflow.trace.user"), &user)),
        ),
        (
            format!("--session {session}"),
            Box::new(|i| is(meta(i, "mlflow.trace.session"), &session)),
        ),
        (
            format!("--client-request-id {client}"),
            Box::new(|i| i["client_request_id"] == client),
        ),
        (
            "--min-duration 1s".into(),
            Box::new(|i| seconds(i).is_some_and(|s| s >= 1.0)),
        ),
        (
            "--max-duration 250ms".into(),
            Box::new(|i| seconds(i).is_some_and(|s| s <= 0.25)),
        ),
        (format!("--since {middle}"), Box::new(|i| instant(i) >= cut)),
        (format!("--until {middle}"), Box::new(|i| instant(i) < cut)),
        (
            "--since 2000-01-01 --until 2000-01-02".into(),
            Box::new(|_| false),
        ),
    ];
    for (words, test) in cases {
        let expected: Vec<&str> = all
            .iter()
            .filter(|info| test(info))
            .map(|info| info["trace_id"].as_str().unwrap())
            .collect();
        assert_eq!(ids(many(), &words), expected, "{words}");
        assert!(
            !expected.is_empty() || words.contains("2000"),
            "{words} tests nothing"
        );
    }
}

#[test]
fn spans_runs_and_text_are_searched() {
    let shop = || on_server().args(["-x", "shop-assistant"]);
    let with_tools = ids(shop(), "--span-type TOOL");
    assert!(!with_tools.is_empty());
    let all = ids(shop(), "");
    assert!(with_tools.len() < all.len());
    assert!(with_tools.iter().all(|id| all.contains(id)));
    let named = shop()
        .args([
            "search",
            "--all",
            "-o",
            "ids",
            "-f",
            "span.type = 'TOOL' AND span.status = 'ERROR'",
        ])
        .run("");
    assert!(named.lines().len() < with_tools.len());
    assert!(!ids(shop(), "--text kettle").is_empty());
    assert_eq!(ids(shop(), "KETTLE"), ids(shop(), "--text kettle"));
    assert_eq!(ids(shop(), "no-such-text-anywhere"), Vec::<String>::new());
    let info = infos(on_server(), "")
        .into_iter()
        .find(|info| info["trace_metadata"]["mlflow.sourceRun"].is_string())
        .unwrap();
    let run = info["trace_metadata"]["mlflow.sourceRun"].as_str().unwrap();
    let in_run = ids(on_server(), &format!("--run-id {run}"));
    assert!(in_run.contains(&info["trace_id"].as_str().unwrap().to_owned()));
    assert_eq!(ids(on_server(), "--model-id m-none"), Vec::<String>::new());
}

#[test]
fn a_trace_id_is_looked_up() {
    let id = current().case("deep");
    for text in [
        id.to_owned(),
        id[..20].to_owned(),
        id[3..].to_owned(),
        id.to_uppercase().replace("TR-", "tr-"),
    ] {
        assert_eq!(ids(on_server(), &text), [id], "{text}");
    }
}

#[test]
fn filters_are_joined_and_raw_ones_are_sent_as_they_are() {
    let both = [
        "search",
        "--all",
        "-o",
        "ids",
        "-f",
        "tags.env = 'prod'",
        "-f",
        "status = 'ERROR'",
    ];
    let one = [
        "search",
        "--all",
        "-o",
        "ids",
        "-f",
        "tags.env = 'prod' AND status = 'ERROR'",
    ];
    let raw = [
        "search",
        "--all",
        "-o",
        "ids",
        "--raw-filter",
        "tags.env = 'prod' status = 'ERROR'",
    ];
    let expected = many().args(one).run("").ok().to_owned();
    assert!(!expected.is_empty());
    assert_eq!(many().args(both).run("").ok(), expected);
    assert_eq!(many().args(raw).run("").ok(), expected);
    let combined = [
        "search",
        "--all",
        "-o",
        "ids",
        "--raw-filter",
        "tags.env = 'prod'",
        "--status",
        "ERROR",
    ];
    assert_eq!(many().args(combined).run("").ok(), expected);
    let refused = many()
        .args(["search", "--raw-filter", "nonsense = 1"])
        .run("");
    assert!(
        refused
            .fails(4)
            .contains("Invalid attribute key 'nonsense'"),
        "{refused}"
    );
}

#[test]
fn samples_are_repeatable_and_said() {
    let one = many().run("search --all --sample 0.1 --seed 7 -o ids");
    let again = many().run("search --all --sample 10% --seed 7 -o ids");
    assert_eq!(one.stdout, again.stdout);
    let kept = one.lines().len();
    assert!((60..180).contains(&kept), "{kept}");
    assert_eq!(
        one.stderr,
        format!("note: kept {kept} traces of 1,200 with --seed 7\n")
    );
    let few = many().run("search -n 5 --sample 0.5 --seed 7 -o ids");
    assert_eq!(few.lines().len(), 5);
}

#[test]
fn an_empty_answer_is_said_and_can_fail() {
    let empty = many().run("search --name nobody");
    assert_eq!((empty.code, empty.stdout.as_str()), (Some(0), ""));
    assert!(
        empty.stderr.starts_with("note: no traces match\n"),
        "{empty}"
    );
    assert_eq!(
        many().run("search --name nobody --fail-empty").code,
        Some(1)
    );
    assert_eq!(
        many().run("search --name nobody --count --fail-empty").code,
        Some(1)
    );
    assert_eq!(many().run("search -n 1 --fail-empty -o ids").code, Some(0));
    let json = many().run("search --name nobody -o json");
    assert_eq!(json.code, Some(0));
    let document: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["traces"], Value::Array(Vec::new()));
}

#[test]
fn experiments_are_found_by_id_and_name_and_unknown_ones_are_errors() {
    let by_name = ids(many(), "--status ERROR");
    let experiment = infos(many(), "")[0]["trace_location"]["mlflow_experiment"]["experiment_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let errors = |search: Mlt, words: &str| ids(search, &format!("--status ERROR {words}"));
    let id = format!("-x {experiment}");
    assert_eq!(errors(on_server(), &id), by_name);
    let from_name = on_server().env("MLFLOW_EXPERIMENT_NAME", "many");
    assert_eq!(errors(from_name, ""), by_name);
    let from_id = on_server().env("MLFLOW_EXPERIMENT_ID", &experiment);
    assert_eq!(errors(from_id, ""), by_name);
    let both = errors(on_server(), "-x many -x edges");
    assert_eq!(
        both.len(),
        by_name.len() + errors(on_server(), "-x edges").len()
    );
    for name in ["mnay", "99999"] {
        let outcome = on_server().run(&format!("search -x {name}"));
        let said = outcome.fails(3);
        assert!(
            said.starts_with(&format!("error: no experiment `{name}` in 127.0.0.1:")),
            "{said}"
        );
        assert!(said.contains("hint: "), "{said}");
    }
    assert!(
        on_server()
            .run("search -x mnay")
            .stderr
            .contains("did you mean `many`")
    );
}

#[test]
fn spans_are_included_on_request() {
    let with = on_server().run("search -x shop-assistant --all --include-spans -o jsonl");
    let traces = with.json_lines();
    let ids: Vec<&str> = traces
        .iter()
        .map(|t| t["info"]["trace_id"].as_str().unwrap())
        .collect();
    let plain = on_server().run("search -x shop-assistant --all -o ids");
    assert_eq!(plain.lines(), ids);
    for trace in &traces {
        assert_eq!(trace["spans_included"], true);
        assert!(!trace["data"]["spans"].as_array().unwrap().is_empty());
    }
    let without = on_server().run("search -x shop-assistant -n 1 -o json");
    let document: Value = serde_json::from_str(&without.stdout).unwrap();
    assert_eq!(document["traces"][0]["spans_included"], false);
    let table = on_server().run("search --include-spans");
    assert!(
        table
            .fails(2)
            .contains("--include-spans needs `-o json` or `-o jsonl`")
    );
}

#[test]
fn columns_are_chosen_and_delimited_output_is_complete() {
    let columns = "trace_id,name,state,duration,tags.env,tags.team,metadata.mlflow.trace.user,tokens,client_request_id";
    let csv = many().run(&format!("search -n 20 -o csv --columns {columns}"));
    let mut reader = csv::Reader::from_reader(csv.stdout.as_bytes());
    let heads: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(heads[3], "duration_ns");
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let infos = infos(many(), "");
    assert_eq!(rows.len(), 20);
    for (row, info) in rows.iter().zip(&infos) {
        assert_eq!(row[0], info["trace_id"].as_str().unwrap()[..]);
        assert_eq!(row[2], info["state"].as_str().unwrap()[..]);
        assert_eq!(
            row[3],
            info["duration_ns"]
                .as_i64()
                .map(|ns| ns.to_string())
                .unwrap_or_default()[..]
        );
        assert_eq!(row[4], info["tags"]["env"].as_str().unwrap()[..]);
        assert_eq!(
            row[6],
            info["trace_metadata"]["mlflow.trace.user"]
                .as_str()
                .unwrap()[..]
        );
    }
    let tsv = many().run("search -n 20 -o tsv");
    assert!(tsv.lines().iter().all(|line| line.split('\t').count() == 7));
    let wrong = many().run("search --columns durtion");
    assert!(
        wrong.fails(2).contains("did you mean `duration`?"),
        "{wrong}"
    );
}

#[test]
fn tables_fit_the_terminal_and_ids_stay_what_finds_their_traces() {
    for width in [40, 80, 100, 120, 200] {
        let table = many().terminal(width).run("search -n 30 --color never");
        assert_eq!(table.code, Some(0));
        let ids = ids(many(), "");
        let shown: Vec<&str> = table
            .stdout
            .split_whitespace()
            .filter(|word| word.starts_with("tr-"))
            .collect();
        assert_eq!(shown.len(), 30, "{width}: {table}");
        for (short, id) in shown.into_iter().zip(&ids) {
            assert!(
                short.len() >= "tr-12345678".len() && id.starts_with(short),
                "{width}: {table}"
            );
            let same = ids[..30].iter().filter(|id| id.starts_with(short));
            assert_eq!(same.count(), 1, "{short} at {width}: {table}");
        }
        if (80..=100).contains(&width) {
            assert_eq!(table.lines().len(), 31, "{width}: {table}");
        }
        for line in table.lines() {
            assert!(
                unicode_width::UnicodeWidthStr::width(line) <= width,
                "{width}: {line}"
            );
        }
    }
}

#[test]
fn colour_is_for_terminals_and_can_be_asked_for() {
    let has_colour = |search: Mlt, words: &str| search.run(words).stdout.contains('\u{1b}');
    assert!(!has_colour(many(), "search -n 3"));
    assert!(has_colour(many().terminal(100), "search -n 3"));
    assert!(has_colour(many(), "search -n 3 --color always"));
    assert!(!has_colour(
        many().terminal(100),
        "search -n 3 --color never"
    ));
    assert!(!has_colour(
        many().terminal(100).env("NO_COLOR", "1"),
        "search -n 3"
    ));
    assert!(!has_colour(
        many().terminal(100).env("CLICOLOR", "0"),
        "search -n 3"
    ));
    assert!(has_colour(many().env("CLICOLOR_FORCE", "1"), "search -n 3"));
    assert!(!has_colour(
        many().terminal(100).env("TERM", "dumb"),
        "search -n 3"
    ));
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let script = format!(
        "'{}' search -x many --all -o jsonl | head -n 1 > /dev/null; echo ${{PIPESTATUS[0]}}",
        assert_cmd::cargo::cargo_bin("mlt").display()
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .env("MLFLOW_TRACKING_URI", current().uri())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn verbose_shows_each_request() {
    let outcome = many().run("search -n 1 -o ids -v");
    let said: Vec<&str> = outcome.stderr.lines().collect();
    assert!(said[0].starts_with("GET http://127.0.0.1:"), "{outcome}");
    assert!(
        said[0].contains("/experiments/get-by-name?experiment_name=many -> 200 in "),
        "{outcome}"
    );
    assert!(said[1].starts_with("POST http://127.0.0.1:"), "{outcome}");
    assert!(
        said[1].contains("/api/3.0/mlflow/traces/search -> 200 in "),
        "{outcome}"
    );
}

#[test]
fn a_server_without_tls_is_told_apart() {
    let uri = current().uri();
    let outcome = mlt()
        .on(&uri.replace("http://", "https://"))
        .run("search --retries 0");
    let said = outcome.fails(4);
    assert!(said.contains("with `http://` it may answer"), "{said}");
}
