//! What a trace contains is somebody else's text. Whatever it is, no terminal,
//! spreadsheet or shell gets to obey it.

use unicode_width::UnicodeWidthStr;

use crate::support::mlflow::{current, on_cases, on_server};
use crate::support::{is_dangerous, mlt};

fn cases() -> impl Iterator<Item = (&'static String, &'static String)> {
    current().cases.iter()
}

#[test]
fn nothing_dangerous_reaches_a_terminal_or_a_pipe() {
    for (name, id) in cases() {
        for words in [
            format!("get {id} --color never"),
            format!("get {id} --io --color never"),
            format!("latency {id} --critical-path --gaps --color never"),
            format!(
                "search {id} --columns time,trace_id,name,tags.hostile,metadata.hostile,request,response,assessments --color never"
            ),
            format!("get {id} -o json"),
            format!("get {id} -o csv"),
            format!("get {id} -o tsv"),
        ] {
            let piped = on_cases().run(&words);
            let drawn = on_cases().terminal(80).run(&words);
            for outcome in [&piped, &drawn] {
                let text = format!("{}{}", outcome.stdout, outcome.stderr);
                // Cells of delimited text keep what belongs to the data; tabs part them.
                let delimited = words.contains("-o csv") || words.contains("-o tsv");
                let found: Vec<char> = text
                    .chars()
                    .filter(|c| is_dangerous(*c) && !(delimited && matches!(c, '\t' | '\r')))
                    .collect();
                assert!(found.is_empty(), "{name}: {words}: {found:?}");
            }
        }
    }
}

#[test]
fn lines_fit_at_every_width() {
    for (name, id) in cases() {
        for width in [40, 80, 200] {
            for words in [
                format!("get {id}"),
                format!("latency {id}"),
                format!("search {id}"),
            ] {
                let outcome = on_cases()
                    .terminal(width)
                    .run(&format!("{words} --color never"));
                for line in outcome.lines() {
                    let is_id = line.contains("tr-");
                    assert!(
                        line.width() <= width || is_id,
                        "{name} at {width}: {words}\n{line}\n{outcome}"
                    );
                }
            }
        }
    }
}

#[test]
fn spreadsheets_get_no_formulas() {
    let list = on_server()
        .run("search -x edges --all -o csv --columns trace_id,name,tags.hostile,request");
    let mut reader = csv::Reader::from_reader(list.stdout.as_bytes());
    let mut seen = 0;
    for row in reader.records().map(Result::unwrap) {
        for cell in &row {
            let first = cell.trim_start().chars().next();
            let number = cell.parse::<f64>().is_ok();
            assert!(
                !matches!(first, Some('=' | '+' | '-' | '@')) || number,
                "{cell:?}"
            );
            seen += usize::from(cell.starts_with('\''));
        }
    }
    assert!(seen >= 4, "the formulas of the traces are in the list");
    let tsv = on_server()
        .run("search -x edges --all -o tsv --columns trace_id,name,tags.hostile,request");
    assert!(
        tsv.lines().iter().all(|line| line.split('\t').count() == 4),
        "{tsv}"
    );
}

#[test]
fn json_keeps_every_character() {
    let id = current().case("hostile-bidi");
    let trace = on_server().run(&format!("get {id} -o json")).json();
    assert!(
        trace["info"]["tags"]["hostile"]
            .as_str()
            .unwrap()
            .contains('\u{202e}')
    );
}

/// A file with one trace, which has this name and these outputs.
fn trace(name: &str, outputs: &str) -> tempfile::NamedTempFile {
    use std::io::Write as _;
    let trace = serde_json::json!({
        "info": {"trace_id": "tr-1", "state": "OK", "tags": {"mlflow.traceName": name}},
        "data": {"spans": [{
            "span_id": "0000000000000001",
            "trace_id": "3934c478c5bc2986bd6071d4c2c32e3e",
            "name": name,
            "start_time_unix_nano": 1,
            "end_time_unix_nano": 5,
            "attributes": {"mlflow.spanOutputs": outputs},
        }]},
    });
    let mut file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    write!(file, "{trace}").unwrap();
    file
}

#[test]
fn the_log_of_a_build_gets_no_commands() {
    let outputs =
        r#""ok\n::set-output name=deploy::yes\n  ::error::x\n##vso[task.setvariable]y\na ##[x]""#;
    let file = trace("::stop-commands::x", outputs);
    let run = |words: &str| {
        mlt()
            .on(file.path().to_str().unwrap())
            .args(words.split(' '))
    };
    for words in [
        "get tr-1 --io",
        "get tr-1 --span ::stop-commands::x",
        "search",
        "latency tr-1",
        "get tr-1",
    ] {
        for (variable, value) in [("GITHUB_ACTIONS", "true"), ("TF_BUILD", "True")] {
            let outcome = run(words).env(variable, value).run("");
            for line in outcome.lines() {
                let commands = line.trim_start().starts_with("::")
                    || line.contains("##[")
                    || line.contains("##vso[");
                assert!(!commands, "{words}: {line}");
            }
        }
    }
    let outcome = run("get tr-1 --io").run("");
    assert!(outcome.stdout.contains("\n  ::set-output") || outcome.stdout.contains("::set-output"));
}

#[test]
fn a_quote_at_the_beginning_of_a_cell_swallows_no_rows() {
    let file = trace("\"=HYPERLINK(1)\"", "1");
    let outcome = mlt()
        .on(file.path().to_str().unwrap())
        .run("search -o tsv --columns name,trace_id");
    assert_eq!(outcome.lines()[1], "'\"=HYPERLINK(1)\"\ttr-1", "{outcome}");
}

#[test]
fn a_payload_that_is_nested_deeply_takes_no_more_room_than_it_has() {
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let file = trace("deep", &deep);
    for words in ["get tr-1 --io", "get tr-1 --span deep", "report tr-1"] {
        let outcome = mlt().on(file.path().to_str().unwrap()).run(words);
        assert_eq!(outcome.code, Some(0), "{words}: {}", outcome.stderr);
        assert!(
            outcome.stdout.len() < 400_000,
            "{words}: {}",
            outcome.stdout.len()
        );
    }
}

#[test]
fn without_threads_one_does_it_all() {
    // No system has room for the stack of such a thread.
    let none = || mlt().env("RUST_MIN_STACK", &(1_u64 << 60).to_string());
    let folder = tempfile::tempdir().unwrap();
    for words in [
        "latency --all",
        "stats p95(duration) --by trace",
        "export --all -o jsonl",
        "export --all -o json --to traces.json --force",
        "report --all -o page.html",
        "search -f any(span.type='TOOL')",
        "diff tr-5bf tr-b5c7",
    ] {
        let run = |run: crate::support::Mlt| run.on("demo:").within(folder.path()).run(words);
        let (with, without) = (run(mlt()), run(none()));
        assert_eq!(without.code, Some(0), "{words}: {without}");
        assert_eq!(with.stdout, without.stdout, "{words}");
    }
    let store = current().database_uri();
    for words in [
        "search --all -o ids",
        "get latest -o json",
        "latency --all --by type -o csv",
        "export --all -o jsonl",
        "search --all -f any(span.type='TOOL') -o ids",
    ] {
        let run = |run: crate::support::Mlt| run.on(&store).run(words);
        let (with, without) = (run(mlt()), run(none()));
        assert_eq!(without.code, Some(0), "{words}: {without}");
        assert_eq!(with.stdout, without.stdout, "{words}");
    }
    let outcome = none().on("http://127.0.0.1:1").run("search");
    assert!(
        outcome
            .fails(2)
            .contains("no thread to wait for the server with"),
        "{outcome}"
    );
}
