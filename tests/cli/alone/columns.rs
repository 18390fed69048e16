//! `--columns`: the same columns, in the order in which they were asked for, whatever the
//! format.

use serde_json::Value;

use crate::support::{Mlt, mlt};

fn demo() -> Mlt {
    mlt().on("demo:")
}

/// The heads and cells of delimited text.
fn table(text: &str, delimiter: u8) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .quoting(delimiter == b',')
        .from_reader(text.as_bytes());
    let heads = reader.headers().unwrap().iter().map(str::to_owned);
    let heads = heads.collect();
    let cells = |row: csv::StringRecord| row.iter().map(str::to_owned).collect();
    (
        heads,
        reader.records().map(|row| cells(row.unwrap())).collect(),
    )
}

/// A value as it is in delimited text.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => number.as_f64().unwrap().to_string(),
        other => other.to_string(),
    }
}

/// Checks that every format has these columns under these names, and the same values.
#[track_caller]
fn all_formats_agree(command: &str, typed: &str, names: &[&str], rows_at: &str) {
    let run = |format: &str| {
        let outcome = demo()
            .args(
                [
                    command.split(' ').collect::<Vec<_>>(),
                    vec!["--columns", typed, "-o", format],
                ]
                .concat(),
            )
            .run("");
        outcome.ok().to_owned()
    };
    let (heads, rows) = table(&run("csv"), b',');
    assert_eq!(heads, names, "{command}");
    assert!(!rows.is_empty(), "{command}");
    let of_object = |row: &Value| -> Vec<String> {
        let object = row.as_object().unwrap();
        let keys: Vec<&String> = object.keys().collect();
        assert_eq!(keys, names, "{command}");
        object.values().map(cell).collect()
    };
    let document: Value = serde_json::from_str(&run("json")).unwrap();
    let listed = document[rows_at].as_array().unwrap();
    assert_eq!(
        listed.iter().map(of_object).collect::<Vec<_>>(),
        rows,
        "{command}"
    );
    let lines = run("jsonl");
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    assert_eq!(
        lines.map(|row| of_object(&row)).collect::<Vec<_>>(),
        rows,
        "{command}"
    );
    let (heads, in_tabs) = table(&run("tsv"), b'\t');
    assert_eq!(
        (heads.as_slice(), in_tabs.len()),
        (names.map_owned().as_slice(), rows.len())
    );
}

trait MapOwned {
    fn map_owned(&self) -> Vec<String>;
}

impl MapOwned for [&str] {
    fn map_owned(&self) -> Vec<String> {
        self.iter().map(|name| (*name).to_owned()).collect()
    }
}

#[test]
fn a_column_that_is_asked_for_by_two_names_is_there_once() {
    let typed = "cost,total_cost,time,request_time,tags.env,tag:env,cost_usd";
    let names = ["cost_usd", "request_time", "tags.env"];
    all_formats_agree("search --all", typed, &names, "traces");
    let json = demo().run(&format!("search -n 1 -o jsonl --columns {typed}"));
    assert_eq!(json.ok().matches("cost_usd").count(), 1, "{}", json.stdout);
    let drawn = demo().run(&format!("search -n 1 --columns {typed}"));
    assert_eq!(drawn.ok().matches("COST").count(), 1, "{}", drawn.stdout);
}

#[test]
fn rows_of_latency_have_the_columns_that_were_chosen() {
    all_formats_agree(
        "latency latest",
        "Self,name,critical-ratio",
        &["self_ns", "name", "critical_ratio"],
        "rows",
    );
    all_formats_agree(
        "latency latest --by span",
        "span_id,p95,type",
        &["span_id", "p95_ns", "type"],
        "rows",
    );
    all_formats_agree(
        "latency --all --by name,tag:env",
        "p95,tags.env,n,name",
        &["p95_ns", "tags.env", "n", "name"],
        "rows",
    );
    let drawn = demo().run("latency latest --columns critical_ratio,name,p95");
    let lines = drawn.lines();
    let head = lines.iter().find(|line| line.contains("NAME")).unwrap();
    let heads: Vec<&str> = head
        .split("  ")
        .map(str::trim)
        .filter(|h| !h.is_empty())
        .collect();
    assert_eq!(heads, ["CRIT %", "NAME", "P95"]);
    assert!(drawn.ok().contains("CRIT %: time on the critical path"));
    assert!(!drawn.ok().contains("SELF %:"), "{drawn}");
}

#[test]
fn spans_have_the_columns_that_were_chosen() {
    all_formats_agree(
        "get latest",
        "span_id,duration,tags.env,Session,tokens,critical_ns",
        &[
            "span_id",
            "duration_ns",
            "tags.env",
            "session",
            "total_tokens",
            "critical_ns",
        ],
        "spans",
    );
    let both = demo().run("search --name checkout -n 2 -o ids");
    let ids = both.lines().join(" ");
    let of_both = "trace_id,span.name,parent_id,span_type,metadata.mlflow.trace.user";
    all_formats_agree(
        &format!("get {ids}"),
        of_both,
        &[
            "trace_id",
            "name",
            "parent_span_id",
            "type",
            "metadata.mlflow.trace.user",
        ],
        "spans",
    );
    let one =
        demo().run("get latest --type TOOL --depth 4 -o json --columns name,inputs,depth,error");
    assert_eq!(
        one.json(),
        serde_json::json!({
            "spans": [
                {"name": "lookup_order", "inputs": one.json()["spans"][0]["inputs"], "depth": 3, "error": null},
                {"name": "create_return", "inputs": one.json()["spans"][1]["inputs"], "depth": 3, "error": null},
            ],
            "truncated": false,
        })
    );
    assert!(one.json()["spans"][0]["inputs"].is_object(), "{one}");
    let cut = demo()
        .run("get latest --span lookup_order --max-chars 5 -o csv --columns inputs,attributes");
    let second = cut.lines()[1];
    let inputs = r#""{""ord… (17 more characters)","#;
    assert!(second.starts_with(inputs), "{cut}");
    assert!(second.contains("(257 more characters)"), "{cut}");
}

#[test]
fn spans_are_listed_as_a_table() {
    let drawn = demo().run("get latest --columns name,duration,tokens,tags.env --depth 3");
    insta::assert_snapshot!(drawn.ok(), @r"
    SPAN           DURATION  TOKENS  ENV
    support-agent    1.94 s       -  prod
    LangGraph        1.92 s       -  prod
    agent            718 ms       -  prod
    tools            232 ms       -  prod
    agent            956 ms       -  prod
    ");
    for width in [40, 60, 80, 120] {
        let drawn = demo()
            .terminal(width)
            .run("get latest --color never --columns trace_id,name,status,started,duration,inputs,outputs");
        let wrong = drawn.fails(2);
        assert!(
            wrong.contains("unknown column `started`, did you mean"),
            "{wrong}"
        );
        let drawn = demo().terminal(width).run(
            "get latest --color never --columns trace_id,name,status,time,duration,inputs,outputs",
        );
        assert!(drawn.ok().contains("tr-3934c478"), "{drawn}");
        assert!(
            drawn
                .lines()
                .iter()
                .all(|line| line.chars().count() <= width),
            "{drawn}"
        );
    }
}

#[test]
fn files_have_the_columns_that_were_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let run = |what: &str, file: &str, columns: &str| {
        let file = folder.path().join(file);
        let command = format!("export --all {what} --to {}", file.display());
        let outcome = demo()
            .args(["--quiet"])
            .run(&format!("{command} --columns {columns}"));
        outcome.ok();
        file
    };
    let spans = run("", "spans.csv", "trace_id,name,tags.env,cost");
    let (heads, rows) = table(&std::fs::read_to_string(spans).unwrap(), b',');
    assert_eq!(heads, ["trace_id", "name", "tags.env", "cost_usd"]);
    assert!(rows.iter().any(|row| row[2] == "prod"));
    let traces = run(
        "--what traces",
        "traces.csv",
        "trace_id,timestamp_ms,execution_time_ms,request_metadata.mlflow.trace.user",
    );
    let (heads, rows) = table(&std::fs::read_to_string(traces).unwrap(), b',');
    assert_eq!(heads, ["trace_id", "request_time", "duration_ns", "user"]);
    assert!(rows.len() > 10);
    if cfg!(feature = "parquet") {
        let spans = run("", "spans.parquet", "trace_id,name,tags.env,cost");
        let text = String::from_utf8_lossy(&std::fs::read(spans).unwrap()).into_owned();
        assert!(text.contains("cost_usd") && text.contains("tags.env"));
        assert!(!text.contains("critical_ns"));
    }
    let json = demo().run("export latest -o json --columns name");
    assert!(
        json.fails(2)
            .contains("`-o json` has no columns to choose from")
    );
    let unknown = demo().run("export latest -o csv --columns durration");
    assert!(unknown.fails(2).contains("did you mean `duration_ns`?"));
}

#[test]
fn sums_have_the_columns_that_were_chosen() {
    all_formats_agree(
        "stats --by trace",
        "P95,trace,count(),sum(tokens) n,errors",
        &[
            "p95(duration) ns",
            "trace",
            "count()",
            "sum(tokens) n",
            "error_rate()",
        ],
        "rows",
    );
    all_formats_agree(
        "stats --by tag:env --every 1h --utc",
        "start,tags.env,tokens",
        &["start", "tags.env", "sum(tokens)"],
        "rows",
    );
    let narrow = "p95(duration where name IN ('checkout', 'rag-answer'))";
    let drawn = demo()
        .args([
            "stats",
            &format!("count(),{narrow}"),
            "--columns",
            narrow,
            "-o",
            "csv",
        ])
        .run("");
    assert_eq!(drawn.lines()[0], format!("\"{narrow} ns\""));
    let drawn = demo().run("stats --by trace --columns errors,p95,trace --top 2");
    insta::assert_snapshot!(drawn.stdout, @r"
    ERRORS      P95  TRACE
    33.3 %  ~2.24 s  checkout
    16.7 %  ~3.86 s  rag-answer

    ERRORS: the share of traces in the state ERROR.
    ~: a p95 from fewer than 20 samples, a p99 from fewer than 100 and the like.
    ");
}

#[test]
fn changes_have_the_columns_that_were_chosen() {
    all_formats_agree(
        "diff tr-5bf tr-b5c7",
        "change,path,matched,self-before,share,typical",
        &[
            "critical_change_ns",
            "name",
            "matched",
            "self_before_ns",
            "share",
            "typical_change_ratio",
        ],
        "rows",
    );
    let drawn = demo().run("diff tr-5bf tr-b5c7 --top 2 --columns change,name,share,calls_after");
    insta::assert_snapshot!(drawn.stdout, @r"
    before  checkout  tr-5bf19981fb6127edc1649c7b6e011f66
    after   checkout  tr-b5c74d8dcbaf7cdc8fe284b1ba598083

    TRACE         BEFORE   AFTER    CHANGE  CHANGE %
    duration      2.18 s  2.26 s  +80.5 ms      +3.7
    spans              8       8         0       0.0
    failed spans       0       4        +4         -

      CHANGE  PATH                              SHARE %  CALLS AFTER
     +201 ms  checkout > payment                  250.1            1
    -95.6 ms  checkout > payment > charge-card   -118.8            2

    BEFORE, AFTER: time on the critical path. The changes add up to that of the duration.
    SHARE %: the part of the change of the duration.
    7 spans in both traces, 1 only before, 1 only after.
    ");
    let usual = demo().run("diff tr-5bf tr-b5c7 -o json").json();
    assert!(usual["rows"][0].get("typical_interval_ratio").is_some());
    assert!(usual["rows"][0].get("typical_low_ratio").is_none());
}

#[test]
fn without_columns_json_stays_as_it_is() {
    let row = &demo().run("latency --all -o json").json()["rows"][0];
    assert!(row["durations"]["p95_ns"].is_i64(), "{row}");
    let lines = demo().run("latency --all -o jsonl");
    assert_eq!(lines.lines().len(), 1);
}

#[test]
fn what_is_no_column_is_told_with_what_is() {
    for (command, message) in [
        (
            "latency latest --columns slef",
            "unknown column `slef`, did you mean `self_ns`?",
        ),
        (
            "stats --columns p96",
            "unknown column `p96`, did you mean `p95(duration) ns`?",
        ),
        (
            "diff tr-5bf tr-b5c7 --columns veridct",
            "unknown column `veridct`, did you mean `verdict`?",
        ),
        (
            "get latest --columns span",
            "unknown column `span`, expected one of trace_id, trace_name, session",
        ),
        (
            "latency latest --columns name,",
            "unknown column ``, expected one of name, type, types, count,",
        ),
        (
            "latency --all --columns span_id",
            "unknown column `span_id`, expected one of name, type",
        ),
        (
            "latency latest --columns name --gaps -o csv",
            "--columns chooses from the columns of rows, and --gaps writes another table",
        ),
        (
            "latency --all --columns name --slowest 3 -o tsv",
            "--columns chooses from the columns of rows, and --slowest writes another table",
        ),
    ] {
        let outcome = demo().run(command);
        assert!(outcome.fails(2).contains(message), "{outcome}");
    }
}

#[test]
fn what_was_searched_for_is_shown_without_asking() {
    let failed = mlt().on("demo:").run("search --status ERROR -n 2");
    insta::assert_snapshot!(failed.stdout, @"
    TIME                  TRACE ID                             NAME           DURATION  FAILED         ERROR
    2026-11-22 22:39:23Z  tr-6495b93d25146b0127e6f91ead274b09  support-agent    745 ms  refund_status  LookupError: return R-404 is locked by another clerk
    2026-11-22 22:39:22Z  tr-773c0d89db676a1ce92b9f370bb1449b  Completions      101 ms  Completions    RateLimitError: Error code: 429 - Rate limit reached for requests per minute: limit 500, used 500. Try again in 120ms.
    ");
    let by_filter = mlt()
        .on("demo:")
        .args(["search", "-f", "state = 'ERROR'", "-n", "2"])
        .run("");
    assert_eq!(failed.stdout, by_filter.stdout);
    let found = mlt().on("demo:").run("search refund");
    insta::assert_snapshot!(found.ok(), @"
    TIME                  TRACE ID                             NAME              STATE  DURATION  TOKENS  MATCH
    2026-11-22 22:39:23Z  tr-6495b93d25146b0127e6f91ead274b09  support-agent     ERROR    745 ms      95  support-agent: What is the refund status R-404?
    2026-11-22 22:39:12Z  tr-3b3a0f735569c4f54c37a0703293b8e9  summarise-ticket  OK       1.07 s      64  summarise-ticket: …owl, wants a replacement, not a refund. Photos attached. Priority: nor…
    2026-11-22 22:39:08Z  tr-d1b491b4e0b9f8d311c94f38ccd03be0  order-helper      OK       1.56 s     267  cancel_order: refund
    ");
    // Ids are looked up, and who chooses columns gets these.
    let id = mlt().on("demo:").run("search tr-3934");
    assert!(!id.ok().contains("MATCH"), "{id}");
    let chosen = mlt()
        .on("demo:")
        .run("search refund --status ERROR --columns name");
    assert_eq!(chosen.ok(), "NAME\nsupport-agent\n");
    let json = mlt().on("demo:").run("search refund -n 1 -o json").json();
    assert!(json["traces"][0].get("match").is_none(), "{json}");
}
