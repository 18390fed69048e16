//! Inputs in all the shapes that MLflow, Python and OpenTelemetry give traces, end to end.

use std::fs;
use std::io::Write as _;

use serde_json::{Value, json};

use crate::support::{Outcome, mlt};

const START: i64 = 1_795_000_000_000_000_000;
const ID: &str = "tr-00000000000000000000000000000002";

/// A trace of two spans, of 1.5 s and 0.8 s.
fn trace() -> Value {
    let span = |id: &str, parent: Value, name: &str, from: i64, to: i64| {
        json!({
            "trace_id": "AAAAAAAAAAAAAAAAAAAAAg==", "span_id": id, "parent_span_id": parent, "name": name,
            "start_time_unix_nano": START + from, "end_time_unix_nano": START + to,
            "events": [], "status": {"code": "STATUS_CODE_OK", "message": ""},
            "attributes": {"mlflow.traceRequestId": format!("\"{ID}\""), "mlflow.spanType": "\"LLM\""},
            "links": [],
        })
    };
    json!({
        "info": {
            "trace_id": ID, "request_time": "2026-11-18T11:06:40Z", "state": "OK",
            "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "7"}},
            "trace_metadata": {}, "tags": {"mlflow.traceName": "job"}, "execution_duration_ms": 1500,
        },
        "data": {"spans": [
            span("AAAAAAAAAAE=", Value::Null, "root", 0, 1_500_000_000),
            span("AAAAAAAAAAI=", json!("AAAAAAAAAAE="), "llm", 100_000_000, 900_000_000),
        ]},
    })
}

/// What a command says of a file with this in it.
fn with_file(name: &str, bytes: &[u8], words: &str) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    mlt().on(path.to_str().unwrap()).run(words)
}

fn durations(outcome: &Outcome) -> Vec<i64> {
    let trace = outcome.json();
    let spans = trace["data"]["spans"].as_array().unwrap();
    spans
        .iter()
        .map(|span| span["duration_ns"].as_i64().unwrap())
        .collect()
}

fn otlp(trace: &str, span: &str, parent: &str, name: &str) -> Value {
    json!({
        "traceId": trace, "spanId": span, "parentSpanId": parent, "name": name,
        "startTimeUnixNano": START.to_string(), "endTimeUnixNano": (START + 1_000_000_000).to_string(),
        "attributes": [{"key": "n", "value": {"intValue": "7"}}],
    })
}

fn request(spans: &[Value]) -> Value {
    json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "svc"}}]},
        "scopeSpans": [{"scope": {"name": "lib"}, "spans": spans}],
    }]})
}

#[test]
fn a_trace_is_read_out_of_every_encoding() {
    let text = trace().to_string();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    let units = || std::iter::once(0xfeff).chain(text.encode_utf16());
    for (name, bytes) in [
        ("t.json", text.clone().into_bytes()),
        ("bom.json", format!("\u{feff}{text}").into_bytes()),
        ("t.json.gz", packed.finish().unwrap()),
        ("le.json", units().flat_map(u16::to_le_bytes).collect()),
        ("be.json", units().flat_map(u16::to_be_bytes).collect()),
    ] {
        let outcome = with_file(name, &bytes, "get latest -o json");
        assert_eq!(durations(&outcome), [1_500_000_000, 800_000_000], "{name}");
        let piped = mlt().on("-").stdin(bytes).run("search -o ids");
        assert_eq!(piped.ok().trim(), ID, "{name}");
    }
}

#[test]
fn what_is_no_trace_is_refused_by_what_it_is() {
    for (name, bytes, said) in [
        (
            "a.json.zst",
            &b"\x28\xb5\x2f\xfd...."[..],
            "compressed by zstd",
        ),
        ("page.json", b"<!doctype html><p>hi", "HTML or XML"),
        (
            "a.json",
            br#"{"traceEvents": []}"#,
            "Chrome's or Perfetto's viewer",
        ),
        ("b.json", br#"{"log": {"entries": []}}"#, "a HAR file"),
        (
            "c.json",
            br#"{"info": {"run_id": "r"}, "data": {}}"#,
            "a run of MLflow",
        ),
        ("d.json", b"PAR1....", "a Parquet file"),
        ("e.json", b"Trace(info=TraceInfo(...))", "how Python prints"),
    ] {
        let outcome = with_file(name, bytes, "search");
        assert!(outcome.fails(6).contains(said), "{name}: {outcome}");
    }
}

#[test]
fn spans_of_opentelemetry_become_traces() {
    let (a, b) = (
        "000000000000000000000000000000a1",
        "000000000000000000000000000000b2",
    );
    let lines = [
        request(&[
            otlp(a, "00000000000000a1", "", "serve"),
            otlp(b, "00000000000000b1", "", "other"),
        ]),
        request(&[otlp(a, "00000000000000a2", "00000000000000a1", "step")]),
    ]
    .map(|line| line.to_string() + "\n")
    .concat();
    let outcome = with_file("collector.jsonl", lines.as_bytes(), "export --all -o jsonl");
    let traces = outcome.json_lines();
    let mut told: Vec<(String, usize, String)> = traces
        .iter()
        .map(|trace| {
            (
                trace["info"]["trace_id"].as_str().unwrap().to_owned(),
                trace["data"]["spans"].as_array().unwrap().len(),
                trace["info"]["tags"]["service.name"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
            )
        })
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            (format!("tr-{a}"), 2, "svc".to_owned()),
            (format!("tr-{b}"), 1, "svc".to_owned())
        ]
    );
    let alone = [
        otlp(a, "00000000000000a1", "", "serve"),
        otlp(a, "00000000000000a2", "00000000000000a1", "step"),
    ]
    .map(|span| span.to_string() + "\n")
    .concat();
    let tempo =
        json!({"batches": request(&[otlp(a, "00000000000000a1", "", "serve")])["resourceSpans"]});
    let console = json!({
        "name": "serve", "context": {"trace_id": format!("0x{a}"), "span_id": "0x00000000000000a1", "trace_state": "[]"},
        "kind": "SpanKind.INTERNAL", "parent_id": null, "start_time": "2026-11-18T11:06:40.000000Z",
        "end_time": "2026-11-18T11:06:41.000000Z", "status": {"status_code": "UNSET"},
        "attributes": {"http.method": "GET"}, "events": [], "links": [],
        "resource": {"attributes": {"service.name": "svc"}, "schema_url": ""},
    });
    for (text, spans) in [
        (alone, 2),
        (tempo.to_string(), 1),
        (json!({"trace": tempo}).to_string(), 1),
        (serde_json::to_string_pretty(&console).unwrap(), 1),
    ] {
        let outcome = with_file("spans.json", text.as_bytes(), "get latest -o json");
        let trace = outcome.json();
        assert_eq!(trace["info"]["trace_id"], format!("tr-{a}"), "{text}");
        assert_eq!(durations(&outcome), vec![1_000_000_000; spans], "{text}");
    }
    let odd = otlp(b, "00000000000000b1", "", "x")
        .to_string()
        .replace("\"1795000001000000000\"", "\"later\"");
    let text = format!(
        "{}\n{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{odd}]}}]}}]}}\n",
        request(&[otlp(a, "00000000000000a1", "", "serve")])
    );
    let outcome = with_file("collector.jsonl", text.as_bytes(), "search -o ids");
    assert_eq!(outcome.code, Some(7), "{outcome}");
    assert_eq!(outcome.stdout.trim(), format!("tr-{a}"));
    for said in [
        format!("tr-{b}"),
        "endTimeUnixNano".to_owned(),
        "line 2".to_owned(),
    ] {
        assert!(outcome.stderr.contains(&said), "{outcome}");
    }
    assert!(!outcome.stderr.contains("later"), "{outcome}");
}

#[test]
fn what_mlt_exports_for_opentelemetry_it_reads_again() {
    let demo = mlt().on("demo:").run("export --all -o jsonl").json_lines();
    let spans = |traces: &[Value]| -> Vec<(String, Value)> {
        let mut all: Vec<(String, Value)> = traces
            .iter()
            .map(|trace| {
                let spans = trace["data"]["spans"].as_array().unwrap();
                let told = spans.iter().map(|span| {
                    json!([
                        span["span_id"],
                        span["parent_span_id"],
                        span["name"],
                        span["start_time_unix_nano"],
                        span["end_time_unix_nano"],
                        span["status"],
                        span["type"],
                        span["inputs"],
                        span["outputs"]
                    ])
                });
                let info = &trace["info"];
                let told: Vec<Value> = told
                    .chain([
                        info["tags"].clone(),
                        info["trace_metadata"].clone(),
                        info["state"].clone(),
                    ])
                    .collect();
                (
                    info["trace_id"].as_str().unwrap().to_owned(),
                    Value::from(told),
                )
            })
            .filter(|(_, told)| told.as_array().unwrap().len() > 3)
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    };
    let folder = tempfile::tempdir().unwrap();
    for (format, name) in [("otlp", "demo.json"), ("otlp-proto", "demo.pb")] {
        let path = folder.path().join(name);
        let to = path.to_str().unwrap();
        let written = mlt()
            .on("demo:")
            .run(&format!("export --all -o {format} --to {to}"));
        assert_eq!(written.code, Some(0), "{written}");
        let again = mlt().on(to).run("export --all -o jsonl").json_lines();
        assert_eq!(spans(&again), spans(&demo), "{format}");
    }
}

#[test]
fn a_folder_of_files_is_read_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("traces");
    let to = to.to_str().unwrap();
    let written = mlt()
        .on("demo:")
        .run(&format!("export --all -o json --to {to}/"));
    assert_eq!(written.code, Some(0), "{written}");
    let ids = |outcome: &Outcome| {
        let mut ids: Vec<String> = outcome.lines().into_iter().map(str::to_owned).collect();
        ids.sort();
        ids
    };
    let all = mlt().on("demo:").run("search --all -o ids");
    let found = mlt().on(to).run("search --all -o ids");
    assert_eq!(ids(&found), ids(&all));
    fs::write(
        format!("{to}/zz.json"),
        "{\n\"info\": {\"trace_id\": \"tr-9\", \"request_time\": \"noon\"}\n}\n",
    )
    .unwrap();
    let odd = mlt().on(to).run("search --all -o ids");
    assert_eq!(odd.code, Some(7), "{odd}");
    for said in ["zz.json", "line 2", "info.request_time"] {
        assert!(odd.stderr.contains(said), "{odd}");
    }
}

#[test]
fn a_trace_that_was_written_in_part_is_known_by_that() {
    let folder = tempfile::tempdir().unwrap();
    let here = |words: &str| mlt().within(folder.path()).run(words);
    let failed = here("-u demo: search --status ERROR -n 1 -o ids").stdout;
    let failed = failed.trim();
    for (choice, is_part) in [
        ("", false),
        ("--depth 99", false),
        ("--errors", true),
        ("--max-chars 5", true),
    ] {
        let words = format!("-u demo: get {failed} {choice} -o jsonl");
        let written = here(&words);
        let truncated = &written.json_lines()[0]["truncated"];
        assert_eq!(
            truncated,
            &if is_part { json!(true) } else { json!(null) },
            "{words}"
        );
        fs::write(folder.path().join("t.jsonl"), &written.stdout).unwrap();
        for words in ["search", "latency latest", "stats"] {
            let read = here(&format!("-u t.jsonl {words}"));
            assert_eq!(read.code, Some(0), "{choice} {read}");
            let said = "t.jsonl has traces of which a part was left out when they were written";
            assert_eq!(
                read.stderr.contains(said),
                is_part,
                "{choice} {words} {read}"
            );
        }
    }
}

#[test]
fn folders_of_files_within_a_folder_are_named_where_they_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let here = |words: &str| mlt().within(folder.path()).run(words);
    for place in ["runs/a", "runs/b.d"] {
        let written = here(&format!("-u demo: export --all -o jsonl --to {place}/"));
        assert_eq!(written.code, Some(0), "{written}");
    }
    for other in ["runs/empty", "runs/.git", "notes"] {
        fs::create_dir(folder.path().join(other)).unwrap();
        fs::write(folder.path().join(other).join("a.txt"), "{}").unwrap();
    }
    fs::write(folder.path().join("runs/.git/a.json"), "{}").unwrap();
    let runs = here("-u runs search");
    assert_eq!(
        runs.fails(6),
        "error: cannot read runs: it is a directory without experiments of MLflow (folders with \
         a meta.yaml) and without files of traces, but with a in it\n\
         hint: name that: `-u runs/a`\n"
    );
    let notes = here("-u notes search");
    assert_eq!(
        notes.fails(6),
        "error: cannot read notes: it is a directory without experiments of MLflow (folders \
         with a meta.yaml) and without files of traces\n\
         hint: files of traces end in .json, .jsonl or .ndjson, perhaps with .gz, in .pb or .binpb\n"
    );
    let trace = trace().to_string();
    fs::write(folder.path().join("runs/one.jsonl"), trace + "\n").unwrap();
    let short = here("-u runs search --count");
    assert_eq!(
        (short.code, short.stdout.as_str()),
        (Some(7), "1\n"),
        "{short}"
    );
    for place in ["runs/a", "runs/b.d"] {
        let said = format!("{place}: its files are read where it is named itself");
        assert!(short.stderr.contains(&said), "{short}");
    }
    assert!(!short.stderr.contains(".git"), "{short}");
}

#[test]
fn traces_of_unity_catalog_are_found_by_their_digits() {
    let mut trace = trace();
    let id = "trace:/main.obs/00000000000000000000000000000002";
    trace["info"]["trace_id"] = json!(id);
    trace["info"]["trace_location"] =
        json!({"type": "UC_SCHEMA", "uc_schema": {"catalog_name": "main", "schema_name": "obs"}});
    let text = trace.to_string();
    for word in [
        id,
        "tr-00000000000000000000000000000002",
        "00000000000000000000000000000002",
        "00000000",
        "trace:/main",
        "https://h/ml/experiments/1/traces?selectedEvaluationId=trace%3A%2Fmain.obs%2F00000000000000000000000000000002",
    ] {
        let outcome = with_file("t.json", text.as_bytes(), &format!("get {word} -o json"));
        let found = outcome.json();
        assert_eq!(found["info"]["trace_id"], id, "{word}");
        assert_eq!(
            found["info"]["trace_location"],
            trace["info"]["trace_location"]
        );
    }
    let csv = with_file(
        "t.json",
        text.as_bytes(),
        "search -o csv --columns experiment",
    );
    assert_eq!(csv.lines(), ["experiment_id", "main.obs"]);
}

#[test]
fn an_end_before_the_start_is_a_duration_of_zero_in_every_format() {
    let mut trace = trace();
    trace["data"]["spans"][1]["end_time_unix_nano"] = json!(START);
    let text = trace.to_string();
    let outcome = with_file("t.json", text.as_bytes(), "get latest -o json");
    assert_eq!(durations(&outcome), [1_500_000_000, 0]);
    let csv = with_file("t.json", text.as_bytes(), "get latest -o csv");
    let mut reader = csv::Reader::from_reader(csv.stdout.as_bytes());
    let at = reader
        .headers()
        .unwrap()
        .iter()
        .position(|head| head == "duration_ns")
        .unwrap();
    let column: Vec<String> = reader
        .records()
        .map(|row| row.unwrap()[at].to_owned())
        .collect();
    assert_eq!(column, ["1500000000", "0"]);
    for outcome in [outcome, csv] {
        assert!(outcome.stderr.contains("before"), "{outcome}");
    }
}

/// The kinds of the spans of an answer in OTLP's JSON, by their ids.
fn kinds(outcome: &Outcome) -> Vec<(String, i64)> {
    let document = outcome.json();
    let spans = &document["resourceSpans"][0]["scopeSpans"][0]["spans"];
    let mut kinds: Vec<(String, i64)> = spans
        .as_array()
        .unwrap()
        .iter()
        .map(|span| {
            let id = span["spanId"].as_str().unwrap();
            (id.to_owned(), span["kind"].as_i64().unwrap())
        })
        .collect();
    kinds.sort();
    kinds
}

#[test]
fn the_kind_of_a_span_is_kept_from_one_format_to_the_next() {
    let a = "000000000000000000000000000000a1";
    let mut spans: Vec<Value> = (1..=3)
        .map(|n| otlp(a, &format!("00000000000000a{n}"), "", "x"))
        .collect();
    spans[0]["kind"] = json!(2);
    spans[1]["kind"] = json!(5);
    let collected = request(&spans).to_string();
    let as_json = with_file(
        "collector.json",
        collected.as_bytes(),
        "export --all -o jsonl",
    );
    let told = as_json.json();
    let of = |at: usize| told["data"]["spans"][at]["kind"].clone();
    assert_eq!(
        [of(0), of(1), of(2)],
        [
            json!("SPAN_KIND_SERVER"),
            json!("SPAN_KIND_CONSUMER"),
            Value::Null
        ],
        "{told}"
    );
    let expected =
        [("a1", 2), ("a2", 5), ("a3", 1)].map(|(id, kind)| (format!("00000000000000{id}"), kind));
    let again = with_file(
        "again.jsonl",
        as_json.stdout.as_bytes(),
        "export --all -o otlp",
    );
    assert_eq!(kinds(&again), expected);
    // As MLflow writes it since 3.18, and as nobody should.
    let mut trace = trace();
    trace["data"]["spans"][0]["kind"] = json!("SPAN_KIND_CLIENT");
    trace["data"]["spans"][1]["kind"] = json!({"odd": 1});
    let found = with_file(
        "t.json",
        trace.to_string().as_bytes(),
        "export --all -o otlp",
    );
    let found: Vec<i64> = kinds(&found).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(found, [3, 1]);
}
