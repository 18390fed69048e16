//! The filter language against a real server: whatever mlt accepts the server
//! accepts too, and finds the same traces as mlt's own evaluator on an export.

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

#[test]
fn what_the_server_refuses_or_cannot_mean_is_refused_before_it_is_sent() {
    for (filter, said) in [
        ("statsu = 'OK'", "did you mean `status`?"),
        ("STATUS = 'OK'", "`status`"),
        ("status == 'OK'", "`=`"),
        ("status <> 'OK'", "`!=`"),
        ("status = OK", "'OK'"),
        ("status = `OK`", "'OK'"),
        ("status = 'OK", "'"),
        ("name IN ('a', 'b')", "IN"),
        ("tags.team-name = 'x'", "tags.`team-name`"),
        ("tags.team > 'a'", ">"),
        ("tag:x = 'y'", "tag"),
        ("status = 'OK' OR status = 'ERROR'", "OR"),
        ("NOT status = 'OK'", "NOT"),
        ("(status = 'OK')", "("),
        ("status = 'OK' AND", "AND"),
        ("AND", "AND"),
        ("status = 'OK' name = 'x'", "AND"),
        ("status IN ('OK' 'ERROR')", ","),
        ("execution_time_ms BETWEEN 1 AND 2", "BETWEEN"),
        ("name NOT LIKE 'x'", "NOT LIKE"),
        ("name REGEXP 'x'", "RLIKE"),
        ("status = 'OK';", ";"),
        ("prompt = 'greeting'", "/"),
        ("status IN ()", "list"),
        ("status IN (OK)", "'OK'"),
        ("timestamp_ms > 99999999999999999999999", "number"),
        ("session_id = 'x'", "session"),
        ("feedback.quality = 3", "feedback.quality >= 3 AND"),
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
            "span.attributes.x = 'v'",
            "write span.attributes.x LIKE '%v%'",
        ),
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
