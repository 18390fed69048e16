//! The filter language against a real server: whatever mlt accepts finds the same
//! traces there as mlt's own evaluator finds on an export.

use std::sync::OnceLock;

use crate::support::mlflow::current;
use crate::support::mlt;

const EXPERIMENTS: [&str; 4] = ["-x", "shop-assistant", "-x", "edges"];

/// All traces of the experiments with their spans, as a file.
fn export() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let words = ["search", "--all", "--include-spans", "-o", "jsonl"];
        let outcome = mlt()
            .on(current().uri())
            .args(EXPERIMENTS)
            .args(words)
            .run("");
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("filters.jsonl");
        std::fs::write(&path, outcome.stdout).unwrap();
        path.to_str().unwrap().to_owned()
    })
}

const ACCEPTED: &[&str] = &[
    "",
    "trace.status = 'ERROR'",
    "attributes.status != 'ERROR'",
    "status IN ('ERROR', 'IN_PROGRESS')",
    "status NOT IN ('ERROR',)",
    "status like 'E%'",
    "state = 'OK'",
    "trace.name LIKE 'check%'",
    "name ILIKE '%CHECK%'",
    "name RLIKE '^rag'",
    "name IS NULL",
    "name IS NOT  NULL AND status = 'ERROR'",
    "trace.execution_time_ms >= 500",
    "execution_time_ms < 12.5",
    "execution_time_ms > '500'",
    "timestamp >= 1700000000000 AND timestamp < 1900000000000",
    "timestamp >= 1700000000000.0",
    "trace.end_time < 1900000000000",
    "tags.team = 'search'",
    "`tag`.team != 'search'",
    "tags.\"hostile\" LIKE '=%'",
    "tags.`case` = 'deep'",
    "tags.team IS NULL",
    "tags.team IS NOT  NULL ",
    "metadata.`mlflow.trace.session` LIKE 'chat%'",
    "request_metadata.mlflow.trace.user IS NOT NULL",
    "metadata.mlflow.trace.cost IS NOT NULL",
    "run_id = '0123456789abcdef0123456789abcdef'",
    "request_id LIKE 'tr-0%'",
    "trace_id LIKE 'tr-0%'",
    "client_request_id LIKE 'web%'",
    "trace.text ILIKE '%kettle%'",
    "text LIKE '%kettle%'",
    "prompt = 'greeting/4'",
    "span.name = 'lookup_order'",
    "span.type = 'RETRIEVER' AND span.status = 'OK'",
    "span.name ilike 'RETR%'",
    "span.status = 'ERROR' AND status = 'OK'",
    "span.content LIKE '%kettle%'",
    "span.attributes.mlflow.llm.model LIKE '%4o%'",
    "feedback.relevance >= 0.8",
    "feedback.relevance = '0.94'",
    "feedback.cites_source = 'true'",
    "feedback.tone LIKE '%friend%'",
    "feedback.csat IS NOT NULL",
    "expectation.answer IS NOT NULL",
    "issue.id = 'issue-9'",
    "tags.hostile = 'it''s'",
    "tags.hostile LIKE \"%it's%\"",
    "status='ERROR'   and\tname  IS NOT NULL",
];

#[test]
fn what_mlt_accepts_finds_the_same_on_the_server_and_here() {
    let mut selective = 0;
    for filter in ACCEPTED {
        let find = |uri: &str| {
            let words = ["search", "--all", "-o", "ids", "-f", filter];
            let outcome = mlt().on(uri).args(EXPERIMENTS).args(words).run("");
            assert_eq!(outcome.code, Some(0), "{filter}: {outcome}");
            outcome.stdout
        };
        let found = find(current().uri());
        selective += usize::from(!found.is_empty());
        // Experiments have no names in a file, so ids are asked for there.
        let words = ["search", "--all", "-o", "ids", "-f", filter];
        let here = mlt().on(export()).args(words).run("");
        assert_eq!(here.code, Some(0), "{filter}: {here}");
        assert_eq!(here.stdout, found, "{filter}");
    }
    assert!(selective > 30, "{selective} of the filters find something");
}

/// What only mlt understands, and a server is made to answer.
const EXTENDED: &[&str] = &[
    "status = 'ERROR' OR name LIKE 'rag%'",
    "NOT status = 'ERROR' AND (tags.team = 'search' OR tags.team = 'support')",
    "name IN ('checkout', 'rag-answer') AND tags.env NOT IN ('staging')",
    "name NOT LIKE '%checkout%'",
    "NOT tags.team = 'search'",
    "duration BETWEEN 500ms AND 2s",
    "duration NOT BETWEEN 500ms AND 2s",
    "tokens > 200 AND cost < 0.001",
    "spans >= 5",
    "any(span.type = 'TOOL') AND any(span.status = 'ERROR')",
    "count(span.type = 'CHAT_MODEL') >= 2",
    "all(span.duration < 1s)",
    "NOT span.type = 'TOOL'",
    "span.type = 'TOOL' AND span.duration > 100ms OR status = 'ERROR'",
    "model ILIKE '%4o%'",
    "error LIKE '%timeout%'",
    "span.attributes.mlflow.llm.model = 'gpt-4o-mini'",
    "feedback.relevance BETWEEN 0.5 AND 0.9",
    "feedback.csat = 5",
    "feedback.cites_source = true",
];

#[test]
fn what_only_mlt_understands_finds_the_same_on_the_server_and_here() {
    let mut selective = 0;
    for filter in EXTENDED {
        let words = ["search", "--all", "-o", "ids", "-f", filter];
        let there = mlt()
            .on(current().uri())
            .args(EXPERIMENTS)
            .args(words)
            .run("");
        assert_eq!(there.code, Some(0), "{filter}: {there}");
        let here = mlt().on(export()).args(words).run("");
        assert_eq!(here.code, Some(0), "{filter}: {here}");
        assert_eq!(here.stdout, there.stdout, "{filter}");
        selective += usize::from(!here.stdout.is_empty());
    }
    assert!(selective > 15, "{selective} of the filters find something");
}

#[test]
fn the_examples_of_the_reference_find_what_it_says() {
    let reference = include_str!("../../../src/filter/reference.txt");
    let mut counted = 0;
    for line in reference.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        let Some(example) = line.strip_prefix("    ").filter(|e| !e.starts_with(' ')) else {
            continue;
        };
        let (filter, expected) = match example.rsplit_once("-> ") {
            Some((filter, count)) => (filter.trim_end(), Some(count)),
            None => (example, None),
        };
        let words = ["search", "--all", "-o", "ids", "-f", filter];
        let outcome = mlt().on("demo:").args(words).run("");
        assert_eq!(outcome.code, Some(0), "{filter}: {outcome}");
        assert!(!outcome.stderr.contains("warning"), "{filter}: {outcome}");
        if let Some(expected) = expected {
            let found = outcome.stdout.lines().count();
            assert_eq!(found.to_string(), expected, "{filter}");
            assert!(found > 0, "{filter} shows nothing");
            counted += 1;
        }
    }
    assert!(counted > 25, "{counted} examples have a count");
}

#[test]
fn what_makes_no_sense_is_refused_before_it_is_sent() {
    for (filter, said) in [
        ("statsu = 'OK'", "did you mean `status`?"),
        ("STATUS = 'OK'", "`status`"),
        ("status == 'OK'", "`=`"),
        ("status <> 'OK'", "`!=`"),
        ("status = OK", "'OK'"),
        ("status = `OK`", "'OK'"),
        ("status = 'OK", "'"),
        ("tags.team-name = 'x'", "tags.`team-name`"),
        ("tags.team > 'a'", ">"),
        ("tag:x = 'y'", "tag"),
        ("status = 'OK' || status = 'ERROR'", "`OR`"),
        ("! status = 'OK'", "`NOT`"),
        ("(status = 'OK'", "not closed"),
        ("status = 'OK')", "open"),
        ("status = 'OK' AND", "AND"),
        ("AND", "AND"),
        ("status = 'OK' name = 'x'", "AND"),
        ("status IN ('OK' 'ERROR')", ","),
        ("duration BETWEEN 1", "AND"),
        ("duration > 2 seconds", "write 2s"),
        ("time > 2026-11-22", "'2026-11-22'"),
        ("any(status = 'OK')", "span.status"),
        ("count(span.name = 'x')", "number"),
        ("name REGEXP 'x'", "RLIKE"),
        ("status = 'OK';", ";"),
        ("prompt = 'greeting'", "/"),
        ("status IN ()", "list"),
        ("status IN (OK)", "'OK'"),
        ("timestamp_ms > 99999999999999999999999", "number"),
        ("session_id = 'x'", "session"),
    ] {
        let outcome = mlt()
            .on("http://127.0.0.1:1")
            .args(["search", "-f", filter])
            .run("");
        let text = outcome.fails(2);
        assert!(text.contains(said), "{filter}: {outcome}");
        assert!(text.contains('^'), "{filter}: {outcome}");
    }
}

#[test]
fn what_cannot_do_what_it_says_is_doubted() {
    for (filter, said) in [
        (
            "span.attributes.x LIKE 'v'",
            "write span.attributes.x LIKE '%v'",
        ),
        ("duration BETWEEN 2s AND 1s", "write BETWEEN 1000 AND 2000"),
        ("tags.name = 'x'", "name"),
        ("status = 'ok'", "write 'OK'"),
        ("name = 'it''s'", "\"it's\""),
        ("feedback.tone LIKE 'friendly'", "%"),
        ("name RLIKE '('", "regular expression"),
    ] {
        let outcome = mlt().on("demo:").args(["search", "-f", filter]).run("");
        assert_eq!(outcome.code, Some(0), "{filter}: {outcome}");
        assert!(
            outcome.stderr.starts_with("warning: "),
            "{filter}: {outcome}"
        );
        assert!(outcome.stderr.contains(said), "{filter}: {outcome}");
    }
}

#[test]
fn it_is_said_where_judgements_of_sessions_are_not_found_on_their_other_traces() {
    let on = |filter: &str| {
        let words = ["-x", "shop-assistant", "search", "--all", "-o", "ids", "-f"];
        mlt().on(current().uri()).args(words).args([filter]).run("")
    };
    let note = "warning: feedback and expectations of whole sessions were looked for on the traces \
                that hold them, and not on the other traces of these sessions\n";
    for (filter, is_said) in [
        ("feedback.csat > 2", false),
        ("NOT feedback.csat > 2", true),
        ("NOT any_feedback(name = 'csat')", false),
        ("NOT status = 'ERROR'", false),
    ] {
        let found = on(filter);
        assert_eq!(found.code, Some(0), "{found}");
        assert_eq!(found.stderr.contains(note), is_said, "{filter}: {found}");
    }
}
