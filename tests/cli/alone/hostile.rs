//! What people are shown by any subcommand, of traces of which every text is hostile:
//! nothing of it moves a cursor, hides, or is taken for a style of our own.

use std::io::Write as _;

use serde_json::Value;

use crate::support::{is_dangerous, mlt};

const EVIL: &str = "\x1b[2J\x1b[31m\u{202e}\u{9b}8m\r\n\t\u{200b}\x07";
/// How a terminal may show the middle of it.
const SHOWN: &str = "\\u{202e}\\u{9b}8m";
/// The same within JSON, where some of it is escaped already.
const SHOWN_IN_JSON: &str = "\\u{202e}\\u{9b}";

/// Texts with a form, without which there would be no trace, no time and no message.
const FORMED: [&str; 17] = [
    "trace_id",
    "span_id",
    "parent_span_id",
    "request_time",
    "create_time",
    "last_update_time",
    "state",
    "code",
    "role",
    "type",
    "mlflow.spanType",
    "mlflow.traceRequestId",
    "mlflow.spanLogLevel",
    "mlflow.message.format",
    "mlflow.trace_schema.version",
    "mlflow.artifactLocation",
    "mlflow.trace.spansLocation",
];

/// Makes every other text hostile, also where JSON stands in a text, and gives tags,
/// metadata and attributes hostile keys.
fn poison(value: &mut Value) {
    match value {
        Value::String(text) => match serde_json::from_str(text) {
            Ok(Value::Number(_)) => {}
            Ok(mut inner @ (Value::Object(_) | Value::Array(_) | Value::String(_))) => {
                poison(&mut inner);
                *text = inner.to_string();
            }
            _ => text.push_str(EVIL),
        },
        Value::Array(items) => items.iter_mut().for_each(poison),
        Value::Object(members) => {
            for (key, value) in members.iter_mut() {
                if !FORMED.contains(&key.as_str()) {
                    poison(value);
                }
                let named = ["tags", "trace_metadata", "attributes"].contains(&key.as_str());
                if let (true, Some(pairs)) = (named, value.as_object_mut()) {
                    pairs.insert(format!("a{EVIL}"), format!("b{EVIL}").into());
                }
            }
        }
        _ => {}
    }
}

/// A file with the traces of the demo and of conversations, hostile.
fn file() -> tempfile::NamedTempFile {
    let demo = mlt().on("demo:").run("export --all -o jsonl");
    let path = "tests/fixtures/conversations/frameworks.jsonl";
    let conversations = std::fs::read_to_string(path).unwrap();
    let mut file = tempfile::NamedTempFile::with_suffix(".jsonl").unwrap();
    for line in demo.ok().lines().chain(conversations.lines().step_by(3)) {
        let mut trace: Value = serde_json::from_str(line).unwrap();
        poison(&mut trace);
        writeln!(file, "{trace}").unwrap();
    }
    // One is in progress, for what finishes traces.
    let first = demo.ok().lines().next().unwrap_or_default();
    let mut open: Value = serde_json::from_str(first).unwrap();
    poison(&mut open);
    open["info"]["trace_id"] = "tr-00000000000000000000000000000001".into();
    open["info"]["state"] = "IN_PROGRESS".into();
    writeln!(file, "{open}").unwrap();
    file
}

/// Without our own styles, none of which hides or moves anything.
fn without_styles(text: &str) -> String {
    let style = regex::Regex::new("\x1b\\[(0|1|2|3[1-7])m").unwrap();
    style.replace_all(text, "").into_owned()
}

#[test]
fn no_subcommand_lets_anything_through_to_people() {
    let file = file();
    let run = |words: &[&str]| {
        let mlt = mlt().on(file.path().to_str().unwrap());
        mlt.args(words.iter().copied())
    };
    let all = "trace_id LIKE 'tr-%'";
    let path = file.path().to_str().unwrap();
    let named = format!("latest{EVIL}");
    for words in [
        &["search", "--all"][..],
        &[
            "search",
            "--all",
            "--columns",
            "name,user,session,model,error,failed,request,response,tags.env,assessments",
        ],
        &["search", "--explain", "-f", "name = 'a\u{202e}\u{9b}8m'"],
        &["get", "-f", all, "-n", "200", "--io"],
        &["get", "-f", all, "-n", "200", "--io", "--raw"],
        &["get", "-f", all, "-n", "200", "--errors"],
        &["get", "-f", all, "-n", "200", "--chat", "--reasoning"],
        &["get", "-f", all, "-n", "200", "--tools"],
        &["get", "-f", all, "-n", "200", "--chat", "-o", "markdown"],
        &[
            "get",
            "-f",
            all,
            "-n",
            "200",
            "--columns",
            "name,status,error",
        ],
        &["get", "tr-3934", "--span", "0eae93b8bb0fae0f"],
        &["latency", "tr-3934", "--critical-path", "--gaps"],
        &["latency", "tr-3934", "--by", "path"],
        &["latency", "--all", "--by", "model", "--slowest", "9"],
        &["latency", "--all", "--columns", "name,p95"],
        &["latency", "--all", "-o", "brief"],
        &["latency", "tr-3934", "-o", "brief"],
        &["search", "--all", "-o", "brief", "--budget", "9000"],
        &[
            "get", "-f", all, "-n", "200", "-o", "brief", "--budget", "99000",
        ],
        &["session", "gw-3d90", "-o", "brief"],
        &["errors", "--all", "-o", "brief"],
        &["stats", "p95(duration)", "--by", "trace"],
        &["stats", "count()", "--by", "tags.env", "--every", "1d"],
        &["stats"],
        &["errors", "--all"],
        &["sessions", "--all"],
        &["keys", "--all"],
        &["keys", "--all", "span."],
        &["session", "--latest", "--user", &format!("anna{EVIL}")],
        &["diff", "tr-3934", "tr-e54e"],
        &[
            "diff",
            "--base-filter",
            "state = 'OK'",
            "-f",
            "state = 'ERROR'",
        ],
        &[
            "check",
            "--all",
            "--require",
            "max(span.duration where name LIKE '%') < 1ms",
        ],
        &["tag", "tr-3934", "--dry-run", &format!("k=v{EVIL}")],
        &["assess", "tr-3934", "--dry-run", &format!("k=v{EVIL}")],
        &["close", "--older-than", "0s", "--dry-run"],
        &["delete", "-f", "state = 'ERROR'", "--dry-run"],
        &[
            "prune",
            "--older-than",
            "0s",
            "--keep",
            "1/name",
            "--dry-run",
        ],
        &["-u", "demo:", "import", path, "--dry-run"],
        &["get", &named],
        &["experiments"],
    ] {
        let piped = run(words).run("");
        let both = format!("{}{}", piped.stdout, piped.stderr);
        let shows = both.contains(SHOWN) || both.contains(SHOWN_IN_JSON);
        assert!(shows || words == ["experiments"], "{words:?}: {piped}");
        let narrow = run(words).terminal(80).run("--color never");
        let drawn = run(words).terminal(100).run("--color always");
        for outcome in [piped, narrow, drawn] {
            let text = without_styles(&format!("{}{}", outcome.stdout, outcome.stderr));
            let found: Vec<char> = text.chars().filter(|c| is_dangerous(*c)).collect();
            assert!(found.is_empty(), "{words:?}: {found:?}\n{text}");
        }
    }
}
