//! What is accepted, how it is printed, and what is known of it.

use crate::filter::ast::Filter;
use crate::filter::error::ParseErrorKind as Kind;
use crate::filter::{Moment, Zone, parse, parse_in};
use crate::model::Timestamp;

#[track_caller]
fn accepted(text: &str, printed: &str) {
    match parse(text) {
        Ok(filter) => assert_eq!(filter.to_string(), printed, "{text}"),
        Err(error) => panic!("{text}: {error}"),
    }
}

#[test]
fn the_servers_own_examples_are_accepted() {
    for text in [
        "status = 'ERROR'",
        "status IN ('ERROR', 'IN_PROGRESS')",
        "status NOT IN ('ERROR')",
        "name LIKE 'checkout%'",
        "name IS NOT NULL AND status = 'ERROR'",
        "execution_time_ms < 12.5",
        "timestamp_ms >= 1700000000000 AND timestamp_ms < 1800000000000",
        "tags.team = 'search'",
        "tags.`team name` = 'search'",
        "tags.team IS NULL",
        "metadata.mlflow.trace.session = 'chat-7'",
        "run_id = '0123456789abcdef0123456789abcdef'",
        "request_id LIKE 'tr-00%'",
        "prompt = 'greeting/4'",
        "span.type = 'RETRIEVER' AND span.status = 'ERROR'",
        "span.attributes.gen_ai.request.model LIKE '%4o%'",
        "feedback.quality >= 3",
        "feedback.`is safe` = 'true'",
        "expectation.answer IS NOT NULL",
        "issue.id = 'issue-9'",
    ] {
        accepted(text, text);
    }
}

#[test]
fn other_spellings_are_printed_in_the_servers() {
    for (text, printed) in [
        ("", ""),
        (" \n", ""),
        ("trace.status='OK'", "status = 'OK'"),
        ("`trace`.`status` = \"OK\"", "status = 'OK'"),
        ("attributes.state = 'OK'", "status = 'OK'"),
        ("trace_id = 'tr-1'", "request_id = 'tr-1'"),
        ("timestamp >= 1.5", "timestamp_ms >= 1.5"),
        ("timestamp > '5'", "timestamp_ms > 5"),
        (
            "timestamp >= 9300000000000000",
            "timestamp_ms >= 9300000000000000.0",
        ),
        ("execution_time > +1E+3", "execution_time_ms > 1000.0"),
        ("execution_time > .5", "execution_time_ms > 0.5"),
        ("duration > 1.5s", "execution_time_ms > 1500"),
        ("latency <= '250us'", "execution_time_ms <= 0.25"),
        (
            "session = 'a' AND user = 'b'",
            "metadata.mlflow.trace.session = 'a' AND metadata.mlflow.trace.user = 'b'",
        ),
        (
            "time >= '2026-11-22T08:00+01:00'",
            "timestamp_ms >= 1795330800000",
        ),
        ("end_time < '2026-11-22'", "end_time_ms < 1795305600000"),
        ("text LIKE '%x%'", "span.content LIKE '%x%'"),
        ("tags.\"a b\" = 'x'", "tags.`a b` = 'x'"),
        ("tags.'a' = 'x'", "tags.a = 'x'"),
        ("tag.in = 'x'", "tags.`in` = 'x'"),
        ("tags.`a`like'x'", "tags.a LIKE 'x'"),
        ("tags.1x = 'x'", "tags.`1x` = 'x'"),
        ("tags.größe = 'x'", "tags.`größe` = 'x'"),
        ("tags.mlflow.traceName = 'x'", "name = 'x'"),
        ("request_metadata.k is not  null", "metadata.k IS NOT NULL"),
        ("status not  in ('a',\n'b',)", "status NOT IN ('a', 'b')"),
        ("status = ('OK')", "status = 'OK'"),
        (
            r"status IN ('it\'s', '\u00e9\n')",
            r#"status IN ("it's", 'é\x0a')"#,
        ),
        ("span.name ilike 'a'", "span.name ILIKE 'a'"),
        (
            "span.`attributes.a-b` LIKE '%'",
            "span.attributes.`a-b` LIKE '%'",
        ),
        (
            "span.attributes.\"a-b\" LIKE '%'",
            "span.attributes.`a-b` LIKE '%'",
        ),
        ("feedback.a = TRUE", "feedback.a = 'true'"),
        ("name = 'it''s'", "name = \"it''s\""),
        ("status\u{a0}=\u{3000}'OK'", "status = 'OK'"),
    ] {
        accepted(text, printed);
    }
}

#[test]
fn the_extended_language_is_printed_as_it_is_written() {
    for text in [
        "status = 'OK' OR name = 'a'",
        "status = 'OK' AND (name = 'a' OR name = 'b')",
        "status = 'OK' AND name = 'a' OR name = 'b'",
        "NOT status = 'OK'",
        "NOT (status = 'OK' AND name = 'a')",
        "NOT NOT status = 'OK'",
        "NOT (NOT status = 'OK' OR name = 'a')",
        "name IN ('a', 'b') AND tags.k NOT IN ('c') AND run_id IN ('r')",
        "name NOT LIKE 'a%' AND name NOT ILIKE 'a%' AND name NOT RLIKE 'a'",
        "execution_time_ms BETWEEN 500 AND 3000",
        "execution_time_ms NOT BETWEEN 0.5 AND 1",
        "feedback.q = 3 AND feedback.q BETWEEN 1 AND 2.5",
        "feedback.q IN ('1', 'true')",
        "span.attributes.k = 'v' AND span.attributes.k != 3 AND span.attributes.b = true",
        "span.attributes.k IS NULL AND span.attributes.`a b` NOT IN ('x')",
        "any(span.type = 'LLM' AND span.duration > 1000)",
        "all(span.status = 'OK' OR NOT span.type = 'TOOL')",
        "count(span.type = 'TOOL') > 3",
        "NOT any(span.error IS NOT NULL) AND spans != 0",
        "tokens > 10000 AND input_tokens > 1 AND output_tokens <= 2 AND cost < 0.05",
        "experiment = 'shop' OR experiment NOT LIKE 'a%'",
        "span.model = 'gpt-4o' AND span.error ILIKE '%time%'",
        "span.tokens > 4000 AND any(span.cost >= 0.01 AND span.tokens IS NOT NULL)",
        "client_request_id IS NULL AND span.duration IS NOT NULL",
        "prompt IN ('greeting/1', 'greeting/2')",
    ] {
        accepted(text, text);
    }
}

#[test]
fn other_spellings_of_the_extended_language_are_understood() {
    for (text, printed) in [
        ("not(status='OK')", "NOT status = 'OK'"),
        ("((status = 'OK'))", "status = 'OK'"),
        (
            "(status = 'OK' and name = 'a')",
            "status = 'OK' AND name = 'a'",
        ),
        (
            "status = 'OK' or (name = 'a' and name = 'b')",
            "status = 'OK' OR name = 'a' AND name = 'b'",
        ),
        (
            "(name = 'a' OR name = 'b') OR name = 'c'",
            "name = 'a' OR name = 'b' OR name = 'c'",
        ),
        ("ANY (model='x')", "any(span.model = 'x')"),
        (
            "count(error is not null) >= 1k",
            "count(span.error IS NOT NULL) >= 1000",
        ),
        (
            "tokens > 2.5M OR tokens < '1'",
            "tokens > 2500000 OR tokens < 1",
        ),
        (
            "span.duration between 500ms and 1m",
            "span.duration BETWEEN 500 AND 60000",
        ),
        (
            "feedback.q in (1, true, 'a') ",
            "feedback.q IN ('1', 'true', 'a')",
        ),
        (
            "feedback.q > '0.5' OR feedback.q = true",
            "feedback.q > 0.5 OR feedback.q = 'true'",
        ),
        (r"tags.path = 'C:\'", r"tags.path IN ('C:\x5c')"),
        (
            "time between '2026-11-22' and '2026-11-23'",
            "timestamp_ms BETWEEN 1795305600000 AND 1795392000000",
        ),
    ] {
        accepted(text, printed);
    }
}

#[test]
fn times_are_read_at_the_moment_and_told() {
    let moment = Moment {
        now: Timestamp::from_millis(1_795_305_600_000),
        zone: Zone::Fixed(chrono::FixedOffset::east_opt(7_200).unwrap()),
    };
    let filter = parse_in(
        "time > -1h AND time < now AND end_time >= '2026-11-22' AND time > '2026-11-22'",
        &moment,
    )
    .unwrap();
    assert_eq!(
        filter.to_string(),
        "timestamp_ms > 1795302000000 AND timestamp_ms < 1795305600000 \
         AND end_time_ms >= 1795298400000 AND timestamp_ms > 1795298400000"
    );
    assert_eq!(
        filter.notes(),
        ["`2026-11-22` is read as 2026-11-22T00:00:00+02:00"]
    );
    let filter = parse_in("time > now -30m OR time = 'yesterday'", &moment).unwrap();
    assert_eq!(
        filter.to_string(),
        "timestamp_ms > 1795303800000 OR timestamp_ms = 1795212000000"
    );
}

#[test]
fn depth_is_limited_and_length_too() {
    let deep = format!("{}status = 'OK'{}", "(".repeat(64), ")".repeat(64));
    accepted(&deep, "status = 'OK'");
    for (text, kind) in [
        ("(".repeat(10_000), Kind::TooDeep),
        ("NOT ".repeat(10_000), Kind::TooDeep),
        ("(".repeat(100_000), Kind::TooLong),
    ] {
        assert_eq!(parse(&text).unwrap_err().kind, kind);
    }
    let many = vec!["tags.a = 'x'"; 2_000].join(" AND ");
    let filter = parse(&many).unwrap();
    assert_eq!(filter.conjuncts().len(), 2_000);
    assert_eq!(filter.server_conditions(), None);
}

#[test]
fn both_filters_hold_at_once() {
    let both = parse("status = 'OK'")
        .unwrap()
        .and(parse("name = 'a'").unwrap());
    assert_eq!(both, parse("status = 'OK' AND name = 'a'").unwrap());
    assert_eq!(Filter::default().and(both.clone()), both);
}

#[test]
fn the_filter_says_what_it_needs() {
    let needs = |text: &str| {
        let filter = parse(text).unwrap();
        (
            filter.needs_spans(),
            filter.needs_assessments(),
            filter.minimum_server(),
        )
    };
    assert_eq!(needs(""), (false, false, (2, 14)));
    assert_eq!(needs("status = 'OK'"), (false, false, (2, 14)));
    assert_eq!(needs("name LIKE 'a%'"), (false, false, (3, 6)));
    assert_eq!(needs("span.name = 'a'"), (true, false, (3, 4)));
    assert_eq!(needs("tags.text LIKE '%a%'"), (true, false, (3, 6)));
    assert_eq!(needs("prompt = 'a/1'"), (false, false, (3, 8)));
    assert_eq!(needs("feedback.a IS NULL"), (false, true, (3, 12)));
    assert_eq!(needs("issue.id = 'a'"), (false, true, (3, 12)));
    let around = parse("name RLIKE '(?!a)'").unwrap();
    assert_eq!(around.needs_server(), around.conditions().first().copied());
}

#[test]
fn conditions_that_cannot_do_what_they_say_are_pointed_at() {
    for (text, span) in [
        ("status = 'ok'", 9..13),
        ("span.status IN ('OK', 'bad')", 0..11),
        ("span.type = 'llm'", 12..17),
        ("span.attributes.a LIKE 'v'", 23..26),
        ("trace.text LIKE 'v'", 16..19),
        ("tags.name = 'x'", 0..9),
        ("name = 'it''s'", 7..14),
        (r"name = 'it\'s'", 7..14),
        ("feedback.a LIKE 'good'", 16..22),
        ("end_time > '0'", 11..14),
        ("name RLIKE '('", 11..14),
        ("name LIKE 'a*'", 10..14),
        ("timestamp > 1700000000", 12..22),
        ("run_id = ''", 9..11),
        ("run_id = 'a' AND run_id = 'b'", 26..29),
        ("duration BETWEEN 2 AND 1", 17..24),
        ("tags.a NOT LIKE 'a*'", 16..20),
        ("metadata.mlflow.trace.cost = '{}'", 29..33),
    ] {
        let filter = parse(text).unwrap();
        let spans: Vec<_> = filter.warnings().iter().map(|w| w.span.clone()).collect();
        assert_eq!(spans, [span], "{text}");
    }
    for text in [
        "status = 'OK'",
        "span.type = 'my type'",
        "feedback.a LIKE '\"good\"'",
        "feedback.a LIKE 'tr%'",
        "feedback.a = '0.8'",
        "feedback.a = '3'",
        "span.attributes.a = 'v'",
        "run_id = 'a' OR run_id = 'b'",
        "name RLIKE '(?!a)'",
        "timestamp > 1700000000000",
        "span.attributes.a LIKE '%v%'",
    ] {
        assert_eq!(parse(text).unwrap().warnings(), [], "{text}");
    }
}
