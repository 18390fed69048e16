//! Numbers at the edges: what is shown is filtered and what is computed is not,
//! one meaning of "in progress" and "without spans", rows over traces, what-if,
//! days and weeks.

use serde_json::{Value, json};

use crate::support::{Mlt, mlt};

/// 2026-01-01, a Thursday.
const START_NS: i64 = 1_767_225_600_000_000_000;
const MS: i64 = 1_000_000;

/// A span by its name, its parent, and milliseconds from and to; without an end in progress.
type Span<'s> = (&'s str, &'s str, i64, Option<i64>);

/// A trace whose spans have their names as ids, but for what follows a slash.
fn trace(number: u64, state: &str, spans: &[Span<'_>]) -> Value {
    let id = |name: &str| {
        let hash = name.bytes().fold(7_u64, |h, b| h * 31 + u64::from(b));
        format!("{hash:016x}")
    };
    let trace_id = format!("{number:032x}");
    let spans = spans.iter().map(|&(name, parent, from, to)| {
        json!({
            "trace_id": trace_id,
            "span_id": id(name),
            "parent_span_id": (!parent.is_empty()).then(|| id(parent)),
            "name": name.split('/').next(),
            "start_time_unix_nano": START_NS + from * MS,
            "end_time_unix_nano": to.map(|to| START_NS + to * MS),
            "status": {"code": "STATUS_CODE_OK", "message": ""},
            "attributes": {},
            "events": [],
        })
    });
    json!({
        "info": {
            "trace_id": format!("tr-{trace_id}"),
            "request_time": "2026-01-01T00:00:00Z",
            "execution_duration_ms": 1011,
            "state": state,
            "tags": {"mlflow.traceName": "t"},
            "trace_metadata": {},
        },
        "data": {"spans": spans.collect::<Vec<_>>()},
    })
}

/// mlt on these traces.
fn on(traces: &[Value]) -> Mlt {
    let lines: Vec<String> = traces.iter().map(ToString::to_string).collect();
    mlt().on("-").stdin(lines.join("\n"))
}

const NESTED: [Span<'static>; 3] = [
    ("root", "", 0, Some(100)),
    ("retrieve", "root", 10, Some(90)),
    ("http", "retrieve", 12, Some(88)),
];

#[test]
fn what_is_filtered_is_shown_and_not_computed() {
    let demo = |words: &str| mlt().on("demo:").run(words);
    let figures = |words: &str| -> Vec<String> {
        let csv = demo(&format!("get latest {words} -o csv"));
        csv.ok().lines().skip(1).map(str::to_owned).collect()
    };
    let all = figures("");
    for (words, wanted) in [
        (
            "--depth 1",
            Box::new(|row: &str| row.split(',').nth(7) == Some("0")) as Box<dyn Fn(&str) -> bool>,
        ),
        (
            "--depth 2",
            Box::new(|row: &str| matches!(row.split(',').nth(7), Some("0" | "1"))),
        ),
        (
            "--type LLM",
            Box::new(|row: &str| row.split(',').nth(9) == Some("LLM")),
        ),
        (
            "--errors",
            Box::new(|row: &str| row.split(',').nth(10) == Some("ERROR")),
        ),
    ] {
        let expected: Vec<&String> = all.iter().filter(|row| wanted(row)).collect();
        assert_eq!(
            figures(words).iter().collect::<Vec<_>>(),
            expected,
            "{words}"
        );
    }
}

#[test]
fn in_progress_means_the_same_in_every_command() {
    let ended = trace(1, "IN_PROGRESS", &[("a", "", 0, Some(100))]);
    let open = trace(2, "OK", &[("a", "", 0, None), ("b", "a", 5, Some(50))]);
    let orphaned = trace(3, "OK", &[("b", "gone", 5, None)]);
    for trace in [ended, open, orphaned] {
        let on = || on(std::slice::from_ref(&trace));
        let many = on().run("latency --all -o json").json();
        assert_eq!(many["in_progress"], 1, "{trace}");
        assert_eq!(many["durations"]["n"], 0);
        let one = on().run("latency latest -o json").json();
        assert_eq!(one["in_progress"], true);
        let by_spans = "stats max(duration),count(span) -o json";
        let stats = on().run(by_spans).json();
        assert_eq!(stats["rows"][0]["values"]["max(duration)"]["n"], 0);
        let check = on().run("check --all --require count(span)>=0 -o json");
        assert_eq!(check.code, Some(1), "{check}");
        assert!(check.stdout.contains("in progress"), "{check}");
    }
}

#[test]
fn traces_without_spans_are_counted_apart() {
    let bare = trace(1, "OK", &[]);
    let begun = trace(2, "IN_PROGRESS", &[]);
    let alone = on(std::slice::from_ref(&bare)).run("latency --all --slowest 1 --every 1d");
    assert!(alone.stdout.contains("1 without spans"), "{alone}");
    for wrong in ["1970", "in progress", "total"] {
        assert!(!alone.stdout.contains(wrong), "{alone}");
    }
    let traces = [bare, begun, trace(3, "OK", &NESTED)];
    let many = on(&traces).run("latency --all --slowest 5 -o json").json();
    assert_eq!(many["traces"], 3);
    assert_eq!(many["without_spans"], 1);
    assert_eq!(many["in_progress"], 1);
    assert_eq!(many["durations"]["n"], 1);
    assert_eq!(many["slowest"].as_array().unwrap().len(), 1);
    let stats = on(&traces).run("stats max(duration),count(span) -o json");
    let stats = stats.json();
    assert_eq!(stats["without_spans"], 1);
    // What was recorded with a trace is known without its spans.
    assert_eq!(stats["rows"][0]["values"]["max(duration)"]["n"], 2);
    assert_eq!(
        stats["rows"][0]["values"]["max(duration)"]["value"],
        1011 * MS
    );
}

#[test]
fn a_row_over_traces_has_one_sample_a_trace() {
    let two_roots = trace(1, "OK", &[("a", "", 0, Some(100)), ("b", "", 0, Some(90))]);
    let orphan = trace(
        2,
        "OK",
        &[("a", "", 0, Some(100)), ("l", "gone", 50, Some(150))],
    );
    let rows = on(&[two_roots, orphan]).run("latency --all --by trace -o json");
    let row = &rows.json()["rows"][0];
    assert_eq!(row["durations"]["n"], 2);
    assert_eq!(row["durations"]["p50_ns"], 100 * MS);
    assert_eq!(row["durations"]["max_ns"], 100 * MS);
    assert_eq!(row["total_ns"], 200 * MS);
    assert_eq!(row["self_ns"], 390 * MS);
}

#[test]
fn sums_of_self_time_are_those_of_latency() {
    let open = [
        ("root", "", 0, Some(100)),
        ("c", "root", 2, None),
        ("late", "root", 200, Some(300)),
    ];
    let traces = [trace(1, "OK", &NESTED), trace(2, "OK", &open)];
    let latency = on(&traces).run("latency --all -o json").json();
    let stats = on(&traces).run("stats sum(self),sum(critical) --by span.name -o json");
    let stats = stats.json();
    for row in stats["rows"].as_array().unwrap() {
        let rows = latency["rows"].as_array().unwrap();
        let same = rows
            .iter()
            .find(|r| r["name"] == row["by"]["name"])
            .unwrap();
        let values = &row["values"];
        for (sum, figure) in [("sum(self)", "self_ns"), ("sum(critical)", "critical_ns")] {
            let value = values[sum]["value"].as_i64().unwrap_or(0);
            assert_eq!(value, same[figure].as_i64().unwrap(), "{sum} of {row}");
        }
    }
}

#[test]
fn rows_say_what_is_in_progress() {
    let open = trace(1, "OK", &[("r", "", 0, Some(100)), ("c", "r", 2, None)]);
    let on = || on(std::slice::from_ref(&open));
    let rows = on().run("latency latest --by span -o json").json();
    let of = |name: &str| {
        let rows = rows["rows"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap()["in_progress"].clone()
    };
    assert_eq!((of("c"), of("r")), (json!(1), json!(0)));
    let csv = on().run("latency latest --by span -o csv");
    assert!(
        csv.stdout.lines().next().unwrap().contains(",in_progress,"),
        "{csv}"
    );
    let many = on().run("latency --all -o csv");
    assert!(
        many.stdout
            .lines()
            .next()
            .unwrap()
            .contains(",in_progress,"),
        "{many}"
    );
}

#[test]
fn what_if_says_whether_what_spans_called_goes_with_them() {
    let nested = trace(1, "OK", &NESTED);
    let ask = |what_if: &str| {
        let on = || on(std::slice::from_ref(&nested));
        let text = on().run(&format!("latency --all --what-if {what_if}"));
        let json = on().run(&format!("latency --all --what-if {what_if} -o json"));
        (text.stdout, json.json()["what_if"].clone())
    };
    let (text, json) = ask("retrieve=0");
    assert!(
        text.contains("What if retrieve and what it called took no time\nat most 80.0 ms less"),
        "{text}"
    );
    assert_eq!(
        (&json["saved_at_most_ns"], &json["with_called"]),
        (&json!(80 * MS), &json!(true))
    );
    assert_eq!(ask("retrieve=25%").1["saved_at_most_ns"], 60 * MS);
    let (text, json) = ask("self:retrieve=0");
    assert!(
        text.contains(
            "What if retrieve itself, without what it called, took no time\nat most 4.00 ms less"
        ),
        "{text}"
    );
    assert_eq!(
        (&json["saved_at_most_ns"], &json["with_called"]),
        (&json!(4 * MS), &json!(false))
    );
    assert!(ask("nobody=0").0.contains("No span has this name"));
}

#[test]
fn the_gate_on_a_type_counts_the_spans_of_that_type() {
    let mut mixed = trace(
        1,
        "OK",
        &[
            ("root", "", 0, Some(100)),
            ("x/1", "root", 0, Some(10)),
            ("x/2", "root", 10, Some(90)),
            ("x/3", "root", 90, Some(91)),
        ],
    );
    for (at, kind) in [(1, "TOOL"), (2, "RETRIEVER"), (3, "TOOL")] {
        mixed["data"]["spans"][at]["attributes"]["mlflow.spanType"] = format!("\"{kind}\"").into();
    }
    let on = || on(std::slice::from_ref(&mixed));
    let by_name = on().run("latency latest -o json").json();
    let row = by_name["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["name"] == "x");
    assert_eq!(row.unwrap()["types"], json!(["TOOL", "RETRIEVER"]));
    // As the README's recipe asks, whose filter adds up the rows of the type.
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let line = readme
        .lines()
        .find_map(|line| line.strip_prefix("report=$(mlt "));
    let gate = line.and_then(|line| line.strip_suffix(')')).unwrap();
    assert!(readme.contains(r#"select(.type == "RETRIEVER") | .critical_ratio"#));
    let by_type = on().run(gate).json();
    let rows = by_type["rows"].as_array().unwrap().iter();
    let ratios = rows
        .filter(|row| row["type"] == "RETRIEVER")
        .map(|row| &row["critical_ratio"]);
    assert_eq!(ratios.collect::<Vec<_>>(), [&json!(0.8)]);
}

#[test]
fn folded_stacks_keep_what_is_less_than_a_microsecond_for_its_own_path() {
    let mut one = trace(1, "OK", &[("a", "", 0, Some(0)), ("b", "", 0, Some(0))]);
    let spans = one["data"]["spans"].as_array_mut().unwrap();
    for (span, ns) in spans.iter_mut().zip([900, 600]) {
        span["end_time_unix_nano"] = (START_NS + ns).into();
    }
    let traces: Vec<Value> = (0..1_000)
        .map(|number| {
            let mut trace = one.clone();
            trace["info"]["trace_id"] = format!("tr-{number:032x}").into();
            trace
        })
        .collect();
    let folded = on(&traces).run("export --all -o folded");
    let sum = |name: &str| -> i64 {
        let lines = folded
            .stdout
            .lines()
            .filter_map(|line| line.strip_prefix(name));
        lines
            .map(|micros| micros.trim().parse::<i64>().unwrap())
            .sum()
    };
    assert_eq!((sum("a "), sum("b ")), (900, 600));
}

#[test]
fn a_span_that_ends_before_it_starts_took_no_time_in_any_format() {
    let negative = trace(
        1,
        "OK",
        &[("a", "", 0, Some(100)), ("b", "a", 20, Some(10))],
    );
    for format in ["json", "jsonl", "csv"] {
        let outcome = on(std::slice::from_ref(&negative)).run(&format!("get latest -o {format}"));
        assert!(!outcome.stdout.contains("-10000000"), "{outcome}");
        assert!(outcome.stderr.starts_with("warning: "), "{outcome}");
        assert!(
            outcome.stderr.contains("ends before it starts"),
            "{outcome}"
        );
    }
}

/// Traces that began at these times.
fn began(times: &[&str]) -> Vec<Value> {
    let numbered = times.iter().zip(1..);
    numbered
        .map(|(time, number)| {
            let mut trace = trace(number, "OK", &[("a", "", 0, Some(100))]);
            trace["info"]["request_time"] = (*time).into();
            let start = chrono::DateTime::parse_from_rfc3339(time).unwrap();
            let start = start.timestamp_nanos_opt().unwrap();
            trace["data"]["spans"][0]["start_time_unix_nano"] = start.into();
            trace["data"]["spans"][0]["end_time_unix_nano"] = (start + 100 * MS).into();
            trace
        })
        .collect()
}

#[test]
fn days_are_those_of_the_calendar_also_when_clocks_are_changed() {
    let traces = began(&[
        "2026-03-28T22:59:59Z",
        "2026-03-28T23:00:00Z",
        "2026-03-29T21:59:59Z",
        "2026-03-29T22:00:00Z",
        "2026-10-25T22:59:59Z",
        "2026-10-25T23:00:00Z",
    ]);
    let counts = |words: &str| -> Vec<(String, i64)> {
        let words = format!("{words} -o json");
        let document = on(&traces).env("TZ", "Europe/Berlin").run(&words).json();
        let intervals = match &document["over_time"] {
            Value::Array(intervals) => intervals.clone(),
            _ => document["rows"][0]["over_time"].as_array().unwrap().clone(),
        };
        let counted = intervals.iter().map(|interval| {
            let n = match &interval["durations"] {
                Value::Null => interval["values"]["count()"]["value"].as_i64(),
                durations => durations["n"].as_i64(),
            };
            (interval["start"].as_str().unwrap().to_owned(), n.unwrap())
        });
        counted.filter(|(_, n)| *n > 0).collect()
    };
    let expected = [
        ("2026-03-28T00:00:00+01:00", 1),
        ("2026-03-29T00:00:00+01:00", 2),
        ("2026-03-30T00:00:00+02:00", 1),
        ("2026-10-25T00:00:00+02:00", 1),
        ("2026-10-26T00:00:00+01:00", 1),
    ];
    let expected = expected.map(|(start, n)| (start.to_owned(), n));
    for words in ["stats count() --every 1d", "latency --all --every 1d"] {
        assert_eq!(counts(words), expected, "{words}");
    }
    let weeks = [
        "2026-03-23T00:00:00+01:00",
        "2026-03-30T00:00:00+02:00",
        "2026-10-19T00:00:00+02:00",
        "2026-10-26T00:00:00+01:00",
    ];
    let found = counts("stats count() --every 1w");
    assert_eq!(
        found.iter().map(|(start, _)| start).collect::<Vec<_>>(),
        weeks
    );
    let utc = counts("stats count() --every 1d --utc");
    assert_eq!(utc[0], ("2026-03-28T00:00:00Z".to_owned(), 2));
    let table = on(&traces[..2])
        .env("TZ", "Europe/Berlin")
        .run("stats count() --every 1d");
    let expected = "2026-03-28      1";
    assert!(
        table.stdout.contains(expected) && !table.stdout.contains("00:00"),
        "{table}"
    );
    assert!(
        table.stdout.contains("Days begin at midnight, local time."),
        "{table}"
    );
    let csv = on(&traces[..2])
        .env("TZ", "Europe/Berlin")
        .run("stats count() --every 1d -o csv");
    assert_eq!(
        csv.lines()[1..],
        ["2026-03-28,1,1", "2026-03-29,1,1"],
        "{csv}"
    );
}

#[test]
fn conditions_on_spans_choose_traces_and_stats_says_so() {
    let stats = |words: &[&str]| mlt().on("demo:").args(words).run("");
    let whole = stats(&[
        "stats",
        "count(span)",
        "--by",
        "span.name",
        "-f",
        "span.status = 'ERROR'",
    ]);
    assert!(
        whole.stderr.contains("all their spans are measured"),
        "{whole}"
    );
    assert!(
        whole
            .stderr
            .contains("`count(span where span.status = 'ERROR')`"),
        "{whole}"
    );
    let narrow = stats(&[
        "stats",
        "count(span where span.status = 'ERROR')",
        "-f",
        "span.status = 'ERROR'",
    ]);
    assert!(!narrow.stderr.contains("all their spans"), "{narrow}");
}

#[test]
fn calls_are_grouped_by_their_model_and_traces_by_all_their_models() {
    let keys = |words: &str| {
        let document = mlt().on("demo:").run(&format!("{words} -o json")).json();
        (
            document["by"][0].clone(),
            document["aggregates"][0]["aggregate"].clone(),
        )
    };
    assert_eq!(
        keys("stats --by model"),
        (json!("model"), json!("count(span)"))
    );
    assert_eq!(
        keys("stats --by models"),
        (json!("models"), json!("count()"))
    );
    let refused = mlt().on("demo:").run("stats p95(duration) --by model");
    assert!(refused.fails(2).contains("--by models"), "{refused}");
}

#[test]
fn tokens_and_cost_are_the_same_in_every_command() {
    let mut counted = trace(1, "OK", &NESTED);
    let attributes = &mut counted["data"]["spans"][1]["attributes"];
    attributes["mlflow.chat.tokenUsage"] =
        r#"{"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}"#.into();
    attributes["mlflow.llm.cost"] = r#"{"total_cost": 0.25}"#.into();
    let on = || on(std::slice::from_ref(&counted));
    let listed = on().run("search --columns tokens,input_tokens,cost -o csv");
    assert_eq!(listed.lines()[1], "12,10,0.25", "{listed}");
    let stats = on().run("stats sum(tokens),sum(cost) -o csv");
    assert_eq!(stats.lines()[1], "12,1,0.25,1", "{stats}");
    let with_spans = on().run("stats sum(tokens),count(span) -o csv");
    assert_eq!(with_spans.lines()[1], "12,1,3,3", "{with_spans}");
    let check = on()
        .args([
            "check",
            "--all",
            "--require",
            "sum(tokens) = 12",
            "--require",
            "sum(cost) = 0.25",
        ])
        .run("");
    assert_eq!(check.code, Some(0), "{check}");
}

#[test]
fn tokens_that_only_a_vendor_reports_are_those_of_the_transcript_everywhere() {
    let on = || mlt().on("tests/fixtures/conversations/frameworks.jsonl");
    for (case, tokens) in [
        ("hay agent", "87 (66 in, 21 out)"),
        ("completions legacy", "22 (10 in, 12 out)"),
        ("agents responses stream", "90 (69 in, 21 out)"),
        ("resp stream incomplete", "45 (9 in, 36 out)"),
    ] {
        let filter = format!("tags.case = '{case}'");
        let head = on().args(["get", "-f", &filter]).run("");
        let line = head.ok().lines().find(|line| line.starts_with("tokens "));
        assert_eq!(line.unwrap_or_default()[6..].trim(), tokens, "{case}");
    }
    // A list tells the same, whatever spans are looked at for.
    let first = |words: &str| {
        let outcome = on().run(words);
        let line = outcome.ok().lines().next_back().unwrap_or_default();
        line.split(',').take(2).collect::<Vec<_>>().join(",")
    };
    let alone = first("stats sum(tokens) -o csv");
    assert_eq!(alone, first("stats sum(tokens),count(span) -o csv"));
    // The same of spans that are read in part and of those that are read whole.
    let sums = |filter: &str| {
        let args = ["stats", "sum(span.tokens)", "--by", "tags.case"];
        let args = args.into_iter().chain(["--all", "-o", "csv", "-f", filter]);
        let outcome = on().args(args).run("");
        assert_eq!(outcome.code, Some(0), "{outcome}");
        outcome.stdout
    };
    let brief = sums("time > '1970-01-01'");
    assert_eq!(brief, sums("span.content LIKE '%'"));
    assert!(brief.contains("resp stream incomplete,45,1"), "{brief}");
}
