//! `mlt export`, read by programs that are not mlt: MLflow's own server, the
//! published definitions of OpenTelemetry, and what others wrote for the formats.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::mlflow::current;
use crate::support::{Mlt, mlt, venv};

/// All traces of the server, fetched once and read from a file from then on.
fn fetched() -> Mlt {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fetched.jsonl");
        let words = format!("export --all -o jsonl --force --to {}", file.display());
        let outcome = mlt().on(current().uri()).run(&words);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        file
    });
    mlt().on(text(file))
}

/// A folder, and the file in it that `mlt export WORDS` wrote.
fn exported(from: Mlt, words: &str, name: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(name);
    let outcome = from.run(&format!("export {words} --to {}", file.display()));
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert_eq!(outcome.stdout, "");
    (dir, file)
}

/// What another program reads in a file.
fn read(environment: &str, words: &[&str]) -> Value {
    let output = Command::new(venv::python(environment))
        .arg(venv::scripts().join("read_exports.py"))
        .args(words)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Sends a body to the server as OpenTelemetry's exporters do.
fn send(uri: &str, experiment: &str, content_type: &str, body: Vec<u8>) {
    let response = reqwest::blocking::Client::new()
        .post(format!("{uri}/v1/traces"))
        .header("content-type", content_type)
        .header("x-mlflow-experiment-id", experiment)
        .body(body)
        .send()
        .unwrap();
    let status = response.status();
    assert!(
        status.is_success(),
        "{status}: {}",
        response.text().unwrap()
    );
}

/// An experiment of its own.
fn new_experiment(uri: &str, name: &str) -> String {
    let answer: Value = reqwest::blocking::Client::new()
        .post(format!("{uri}/api/2.0/mlflow/experiments/create"))
        .json(&json!({"name": name}))
        .send()
        .unwrap()
        .json()
        .unwrap();
    answer["experiment_id"].as_str().unwrap().to_owned()
}

/// A trace's spans by id, without what a server adds on the way in.
fn spans(from: Mlt, id: &str) -> Vec<Value> {
    let trace = from.run(&format!("get {id} -o json")).json();
    let mut spans = trace["data"]["spans"].as_array().unwrap().clone();
    for span in &mut spans {
        let attributes = span["attributes"].as_object_mut().unwrap();
        attributes.retain(|key, _| !key.starts_with("mlflow.traceRequestId"));
        // The text is whatever JSON writer it went through last.
        for value in attributes.values_mut() {
            *value = serde_json::from_str(value.as_str().unwrap()).unwrap_or(value.clone());
        }
    }
    spans.sort_by_key(|span| span["span_id"].to_string());
    spans
}

#[test]
fn mlflow_reads_what_was_exported_for_opentelemetry() {
    // Not the shared server: what is sent keeps its trace ids.
    let target = crate::support::mlflow::empty();
    for (format, content_type) in [
        ("otlp", "application/json"),
        ("otlp-proto", "application/x-protobuf"),
    ] {
        let experiment = new_experiment(target.uri(), format);
        let list = mlt().on("demo:").run("search --all -o ids");
        let mut compared = 0;
        for (at, id) in list.ok().lines().enumerate() {
            // Every trace once, by one way or the other.
            if (at % 2 == 0) == (format == "otlp") {
                continue;
            }
            let ours = spans(mlt().on("demo:"), id);
            let has_root = ours.iter().any(|span| span["parent_span_id"].is_null());
            if ours.is_empty()
                || !has_root
                || ours.iter().any(|s| s["end_time_unix_nano"].is_null())
            {
                continue;
            }
            let (_dir, file) = exported(mlt().on("demo:"), &format!("{id} -o {format}"), "trace");
            send(
                target.uri(),
                &experiment,
                content_type,
                fs::read(file).unwrap(),
            );
            let mut theirs = spans(mlt().on(target.uri()), id);
            if format == "otlp" {
                // The server takes the hex of links in JSON for base64.
                for (theirs, ours) in theirs.iter_mut().zip(&ours) {
                    theirs["links"] = ours["links"].clone();
                }
            }
            assert_eq!(theirs, ours, "{id} by {format}");
            compared += 1;
        }
        assert!(compared > 10, "{compared} by {format}");
    }
}

#[test]
fn the_published_definitions_of_opentelemetry_read_protobuf_as_json() {
    let (_dir, proto) = exported(fetched(), "--all -o otlp-proto", "all.pb");
    let (_other, json) = exported(fetched(), "--all -o otlp", "all.json");
    let theirs = read("3.17.2", &["otlp", text(&proto)]);
    let ours: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    let (theirs, ours) = (without_defaults(theirs), without_defaults(ours));
    let count = |document: &Value| document["resourceSpans"].as_array().unwrap().len();
    assert!(count(&ours) > 1200);
    for at in 0..count(&ours) {
        assert_eq!(theirs["resourceSpans"][at], ours["resourceSpans"][at]);
    }
    assert_eq!(count(&theirs), count(&ours));
}

/// Protobuf does not tell an empty list, 0 or "" from none where there is no choice of kinds.
fn without_defaults(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let is_choice = |key: &str| key.ends_with("Value");
            let kept = map.into_iter().filter_map(|(key, value)| {
                let value = without_defaults(value);
                let is_default = value == json!([]) || value == json!("") || value == json!(0.0);
                let is_default = is_default || (value == json!("0") && key.ends_with("Nano"));
                let is_default = is_default || (value == json!({}) && key == "status");
                (is_choice(&key) || !is_default).then_some((key, value))
            });
            Value::Object(kept.collect())
        }
        Value::Array(list) => list.into_iter().map(without_defaults).collect(),
        // 1.0 and 1 are one double.
        Value::Number(number) => json!(number.as_f64()),
        other => other,
    }
}

#[test]
fn a_parser_of_trace_events_reads_chrome_files_and_their_events_nest() {
    let (_dir, file) = exported(fetched(), "--all -o chrome", "chrome.json");
    let events = read("viewers", &["chrome", text(&file)]);
    let events = events.as_array().unwrap();
    let spans = fetched().run("export --all -o csv");
    let rows = csv::Reader::from_reader(spans.stdout.as_bytes())
        .records()
        .count();
    let complete: Vec<&Value> = events.iter().filter(|event| event["ph"] == "X").collect();
    assert_eq!(complete.len(), rows);

    // In whole nanoseconds, so that nothing is lost to rounding.
    let ns = |value: &Value| {
        #[allow(clippy::cast_possible_truncation, reason = "times of a test")]
        let ns = (value.as_f64().unwrap() * 1000.0).round() as i64;
        ns
    };
    let mut open = std::collections::HashMap::<String, Vec<(i64, i64)>>::new();
    for event in complete {
        let lane = format!("{} {}", event["pid"], event["tid"]);
        let (start, end) = (ns(&event["ts"]), ns(&event["ts"]) + ns(&event["dur"]));
        let open = open.entry(lane).or_default();
        while open
            .last()
            .is_some_and(|(_, until)| *until <= start && *until < end)
        {
            open.pop();
        }
        if let Some((from, until)) = open.last() {
            assert!(
                *from <= start && (end <= *until || *until <= start),
                "{event}"
            );
        }
        open.push((start, end));
    }
    let concurrent = open.keys().any(|lane| !lane.ends_with(" 1"));
    assert!(concurrent, "no trace has a second lane");
}

#[test]
fn speedscope_files_are_as_its_schema_wants_them() {
    let schema = venv::scripts().join("../fixtures/speedscope-1.25.0.schema.json");
    let (_dir, file) = exported(fetched(), "--all -o speedscope", "all.json");
    let profiles = read("viewers", &["speedscope", text(&file), text(&schema)]);
    assert!(profiles.as_u64() > Some(1200), "{profiles}");
}

#[cfg(feature = "parquet")]
#[test]
fn duckdb_and_pandas_read_parquet() {
    let (_dir, spans) = exported(fetched(), "--all -o parquet", "spans.parquet");
    let (_other, traces) = exported(
        fetched(),
        "--all -o parquet --what traces",
        "traces.parquet",
    );
    let ask = |file: &Path, query: &str| read("viewers", &["duckdb", text(file), query]);

    let rows = fetched().run("export --all -o csv").stdout;
    let mut rows = csv::Reader::from_reader(rows.as_bytes());
    let heads = rows.headers().unwrap().clone();
    let at = heads.iter().position(|head| head == "self_ns").unwrap();
    let (mut count, mut self_ns) = (0_i64, 0_i64);
    for row in rows.records().map(Result::unwrap) {
        count += 1;
        self_ns += row[at].parse::<i64>().unwrap();
    }
    assert_eq!(
        ask(&spans, "SELECT count(*), sum(self_ns)::BIGINT FROM FILE"),
        json!([[count, self_ns]])
    );
    let failed = fetched().run("search --status ERROR --count").stdout;
    let failed: i64 = failed.trim().parse().unwrap();
    assert_eq!(
        ask(&traces, "SELECT count(*) FROM FILE WHERE state = 'ERROR'"),
        json!([[failed]])
    );
    let id = current().case("wide");
    let list = fetched().run(&format!("get {id} -o json")).json();
    let info = &list["info"];
    assert_eq!(
        ask(
            &traces,
            &format!(
                "SELECT tags['mlflow.traceName'], strftime(request_time, '%Y-%m-%dT%H:%M:%S') FROM FILE WHERE trace_id = '{id}'"
            )
        ),
        json!([[
            info["tags"]["mlflow.traceName"],
            info["request_time"].as_str().unwrap()[..19]
        ]])
    );

    let table = read("3.17.2", &["pyarrow", text(&spans)]);
    assert_eq!(table["rows"], count);
    assert_eq!(table["types"]["start_time"], "timestamp[us, tz=UTC]");
    assert_eq!(table["types"]["duration_ns"], "int64");
    assert_eq!(
        table["types"]["attributes"],
        "map<string, string ('attributes')>"
    );
}

#[cfg(feature = "parquet")]
#[test]
fn parts_are_the_whole_and_are_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let to = format!("{}/spans/", text(dir.path()));
    let export = |words: &str, rest: &str| {
        fetched().run(&format!("export {words} -o parquet --to {to} {rest}"))
    };
    let all = format!("{to}**/*.parquet");
    let ask = |query: &str| read("viewers", &["duckdb", &all, query]);
    // What is in progress will change, and is left out.
    let spans = fetched()
        .args(["export", "-f", "status != 'IN_PROGRESS'"])
        .run("-o csv")
        .stdout;
    let mut rows = csv::Reader::from_reader(spans.as_bytes());
    let ids = rows.records().map(|row| row.unwrap()[0].to_owned());
    let ids: Vec<String> = ids.collect();
    let distinct: std::collections::HashSet<&String> = ids.iter().collect();
    let whole = json!([[ids.len(), distinct.len()]]);

    // First those that failed, then the others.
    let rest = "--partition-by date --rows-per-file 50";
    let said = export("--status ERROR", rest).stderr;
    let failed: usize = fetched()
        .run("search --status ERROR --count")
        .ok()
        .trim()
        .parse()
        .unwrap();
    assert!(
        said.contains(&format!("wrote {failed} traces to ")),
        "{said}"
    );
    let said = export("--all", rest).stderr;
    assert!(
        said.contains(&format!("{failed} traces were there already")),
        "{said}"
    );
    let count = "SELECT count(*), count(DISTINCT trace_id) FROM FILE";
    assert_eq!(ask(count), whole);
    // No trace is in two parts, and none in the folder of another day.
    assert_eq!(
        ask(
            "SELECT count(*) FROM (SELECT trace_id FROM read_parquet(FILE, filename = true) \
             GROUP BY trace_id HAVING count(DISTINCT filename) > 1)"
        ),
        json!([[0]])
    );
    assert_eq!(
        ask(
            "SELECT count(*) FROM (SELECT trace_id, any_value(date) AS date, \
             min(start_time)::DATE AS began FROM FILE WHERE parent_span_id IS NULL \
             GROUP BY trace_id) WHERE began <> date"
        ),
        json!([[0]])
    );
    // A part that was lost is written again, and nothing else.
    let lost = ask("SELECT any_value(filename) FROM read_parquet(FILE, filename = true)");
    fs::remove_file(lost[0][0].as_str().unwrap()).unwrap();
    assert_ne!(ask(count), whole);
    assert_eq!(export("--all", rest).code, Some(0));
    assert_eq!(ask(count), whole);
    let again = export("--all", rest).stderr;
    assert!(again.contains(" wrote 0 traces to "), "{again}");
    assert!(
        again.contains(" in progress: parts are not written again"),
        "{again}"
    );
    // Single files beside parts would be read with them.
    let beside = fetched().run(&format!("export --all -o parquet --to {to}"));
    assert!(
        beside.fails(2).contains("holds an export in parts"),
        "{beside}"
    );
    // Parts of another kind are refused.
    for (words, what) in [
        (
            "--all",
            "their partition is \"date\", and this one's is not given",
        ),
        (
            "--all --what traces --partition-by date",
            "their content is \"spans\", and this one's is \"traces\"",
        ),
        (
            "--all --columns trace_id --partition-by date",
            "their columns is",
        ),
    ] {
        let refused = export(words, "--rows-per-file 50");
        assert_eq!(refused.code, Some(2), "{refused}");
        assert!(refused.stderr.contains(what), "{refused}");
    }
}

#[test]
fn folded_stacks_add_up_to_the_self_time() {
    let id = current().case("wide");
    let folded = fetched().run(&format!("export {id} -o folded"));
    let micros: i64 = folded
        .ok()
        .lines()
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<i64>().unwrap())
        .sum();
    let rows = fetched()
        .run(&format!("latency {id} --by span -o json"))
        .json();
    let self_ns: i64 = rows["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["self_ns"].as_i64().unwrap())
        .sum();
    assert_eq!(micros, self_ns / 1000);
}

#[test]
fn a_folder_has_a_file_for_each_trace_and_is_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let folder = format!("{}/out/", dir.path().display());
    let export = |words: &str| {
        mlt()
            .on("demo:")
            .run(&format!("export {words} -o json --to {folder}"))
    };
    let first = export("-n 5");
    assert!(first.stderr.contains("wrote 5 traces to"), "{first}");
    let all: Vec<String> = mlt()
        .on("demo:")
        .run("search --all -o ids")
        .lines()
        .iter()
        .map(ToString::to_string)
        .collect();
    let kept = dir.path().join("out").join(format!("{}.json", all[0]));
    let left = dir.path().join("out").join(format!("{}.json", all[1]));
    fs::write(&kept, "touched").unwrap();
    fs::remove_file(&left).unwrap();
    let second = export("--all");
    let wanted = format!(
        "wrote {} traces to {folder}; 4 traces were there already",
        all.len() - 4
    );
    assert!(second.stderr.contains(&wanted), "{second}");
    assert_eq!(fs::read_to_string(&kept).unwrap(), "touched");
    let names = fs::read_dir(dir.path().join("out")).unwrap().count();
    assert_eq!(names, all.len(), "nothing but a file for each trace");
    let forced = export("--all --force");
    assert!(
        forced
            .stderr
            .contains(&format!("wrote {} traces", all.len())),
        "{forced}"
    );
    let one = mlt().on("demo:").run(&format!("get {} -o json", all[0]));
    let text = fs::read_to_string(&kept).unwrap();
    // Besides, the file says what the experiment is called.
    let mut file: Value = serde_json::from_str(&text).unwrap();
    let place = &mut file["info"]["trace_location"]["mlflow_experiment"];
    let name = place.as_object_mut().unwrap().remove("experiment_name");
    assert_eq!(name, Some(json!("shop-assistant")));
    assert_eq!(file, one.json());
}

#[test]
fn ids_that_are_paths_stay_in_their_folder() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("odd.jsonl");
    let line = |id: &str| {
        json!({"info": {"trace_id": id, "state": "OK"}, "data": {"spans": []}}).to_string()
    };
    fs::write(
        &source,
        [line("../../escape"), line(".."), line("a/b")].join("\n"),
    )
    .unwrap();
    let folder = dir.path().join("in/out");
    let outcome = mlt()
        .on(source.to_str().unwrap())
        .run(&format!("export --all -o jsonl --to {}/", folder.display()));
    assert!(outcome.stderr.contains("wrote 3 traces"), "{outcome}");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["%2e.%2f..%2fescape.jsonl", "%2e..jsonl", "a%2fb.jsonl"]
    );
}

#[test]
fn what_cannot_be_done_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x");
    let run = |words: &str| mlt().on("demo:").within(dir.path()).run(words);
    for (words, said) in [
        ("export latest", "expected a format with -o"),
        (
            "export -o chrome",
            "expected trace ids or a filter, found neither",
        ),
        ("export latest -o ids", "has no `-o ids`"),
        ("export latest -o folded --what traces", "is made of spans"),
        (
            "export --all -o chrome --resume --to x",
            "cannot be gone on with",
        ),
        ("get latest -o parquet", "has no `-o parquet`"),
    ] {
        let outcome = run(words);
        assert!(outcome.fails(2).contains(said), "{outcome}");
    }
    let terminal = mlt()
        .on("demo:")
        .terminal(80)
        .run("export latest -o otlp-proto");
    assert!(
        terminal.fails(2).contains("not for a terminal"),
        "{terminal}"
    );
    let unknown = run("export tr-00000000000000000000000000000000 -o chrome --to x");
    assert_eq!(unknown.code, Some(3), "{unknown}");
    fs::write(&file, "mine").unwrap();
    assert!(
        run("export latest -o chrome --to x")
            .fails(2)
            .contains("x exists already")
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        1,
        "nothing is left behind"
    );
    assert_eq!(run("export latest -o chrome --to x --force").code, Some(0));
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_build_without_parquet_says_so() {
    let outcome = mlt().on("demo:").run("export latest -o parquet");
    let said = outcome.fails(2);
    assert!(
        said.contains("this mlt was built without Parquet"),
        "{said}"
    );
    assert!(said.contains("hint: "), "{said}");
}
