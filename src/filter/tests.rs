//! The language as a whole: what is accepted, what is refused and where, and
//! what is drawn for it.

use std::ops::Range;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::ast::Filter;
use super::diagnostics::{render, render_warning};
use super::error::ParseErrorKind as Kind;
use super::lexer::lex;
use super::terms::{Comparator, Condition, Field};
use super::{Moment, Zone, parse, parse_in, parse_order_by};
use crate::model::Timestamp;

#[track_caller]
fn accepted(text: &str, printed: &str) {
    match parse(text) {
        Ok(filter) => assert_eq!(filter.to_string(), printed, "{text}"),
        Err(error) => panic!("{text}: {error}"),
    }
}

#[track_caller]
fn refused(text: &str, span: Range<usize>, kind: Kind) {
    let error = parse(text).expect_err(text);
    assert_eq!(
        (error.span.clone(), error.kind),
        (span, kind),
        "{text}: {error}"
    );
}

macro_rules! mistakes {
    ($($name:ident: $text:expr, $span:expr, $kind:ident;)*) => {$(
        #[test]
        fn $name() {
            refused($text, $span, Kind::$kind);
        }
    )*};
}

mistakes! {
    a_misspelt_key_is_unknown: "statsu = 'OK'", 0..6, UnknownKey;
    keys_keep_their_case: "name = 'a' AND STATUS = 'OK'", 15..21, UnknownKey;
    foreign_keys_are_unknown: "trace.elapsed > 5", 6..13, UnknownKey;
    unknown_span_keys_are_pointed_at: "span.foo = 'x'", 5..8, UnknownKey;
    issues_have_an_id_only: "issue.title = 'x'", 6..11, UnknownKey;
    entities_keep_their_case: "Tags.a = 'x'", 0..4, UnknownEntity;
    plural_entities_are_unknown: "spans.name = 'x'", 0..5, UnknownEntity;
    double_equals_is_foreign: "status == 'OK'", 7..9, ForeignComparator;
    angle_brackets_are_foreign: "status <> 'OK'", 7..9, ForeignComparator;
    tilde_is_foreign: "name ~ 'x'", 5..6, ForeignComparator;
    regexp_is_foreign: "name REGEXP 'x'", 5..11, ForeignComparator;
    a_colon_is_foreign: "tag:x", 3..4, ForeignComparator;
    is_takes_null_alone: "name IS 'x'", 5..11, ForeignComparator;
    a_key_alone_lacks_a_comparator: "status", 6..6, ExpectedComparator;
    a_comparator_alone_lacks_a_value: "status =", 8..8, ExpectedValue;
    text_needs_quotes: "status = OK", 9..11, UnquotedText;
    back_quotes_are_for_keys: "status = `OK`", 9..13, WrongQuotes;
    curly_quotes_are_no_quotes: "status = ‘OK’", 9..12, WrongQuotes;
    quotes_are_closed: "status = 'OK", 9..12, UnclosedQuote;
    text_ends_at_its_quote: "name = 'it's'", 10..12, QuoteInText;
    a_dash_needs_quotes: "tags.team-name = 'x'", 0..14, KeyNeedsQuotes;
    a_space_needs_quotes: "tags.team name = 'x'", 0..14, KeyNeedsQuotes;
    quotes_go_after_the_dot: "`tags.team` = 'x'", 0..11, BadKey;
    all_of_the_key_is_quoted: "tags.a.`b c` = 'x'", 5..12, BadKey;
    no_space_comes_after_a_dot: "tags. a = 'x'", 4..5, BadKey;
    no_space_comes_before_a_dot: "tags .a = 'x'", 5..6, BadKey;
    keys_are_not_empty: "tags.`` = 'x'", 5..7, BadKey;
    the_key_comes_first: "5 < execution_time", 0..1, ExpectedKey;
    two_bars_are_or: "status = 'OK' || name = 'x'", 14..16, Or;
    a_mark_is_not: "! status = 'OK'", 0..1, Not;
    or_does_not_begin: "OR status = 'OK'", 0..2, DanglingOr;
    or_does_not_end: "(status = 'OK' OR) AND name = 'x'", 15..17, DanglingOr;
    or_is_not_doubled: "status = 'OK' OR OR name = 'x'", 17..19, DanglingOr;
    not_alone_is_nothing: "NOT", 3..3, ExpectedKey;
    parentheses_are_closed: "(status = 'OK' AND (name = 'x')", 0..1, UnclosedParenthesis;
    parentheses_hold_something: "status = 'OK' AND ()", 18..20, EmptyParentheses;
    a_parenthesis_is_opened_first: "status = 'OK')", 13..14, Parentheses;
    groups_need_and: "(status = 'OK') (name = 'x')", 16..17, MissingAnd;
    groups_within_need_and: "(status = 'OK' name = 'x')", 15..19, MissingAnd;
    any_needs_parentheses: "any span.name = 'x'", 0..3, QuantifierParentheses;
    any_holds_something: "any()", 3..5, EmptyParentheses;
    any_is_closed: "any(span.name = 'x'", 3..4, UnclosedParenthesis;
    any_is_about_spans: "any(status = 'OK')", 4..10, TraceKeyInSpans;
    any_is_about_one_span: "any(span.name = 'x' AND any(span.name = 'y'))", 24..27, NestedQuantifier;
    keys_in_any_keep_their_prefix: "any(type = 'LLM')", 4..8, UnknownKey;
    some_is_no_quantifier: "some(span.name = 'x')", 0..4, UnknownQuantifier;
    counts_are_compared: "count(span.name = 'x')", 22..22, CountComparison;
    counts_are_compared_by_signs: "count(span.name = 'x') BETWEEN 1 AND 2", 23..30, CountComparison;
    counts_are_compared_with_something: "count(span.name = 'x') >", 24..24, ExpectedValue;
    counts_are_whole: "count(span.name = 'x') > 1.5", 25..28, BadCount;
    counts_are_not_negative: "count(span.name = 'x') > -1", 25..27, BadCount;
    between_takes_two_bounds: "duration BETWEEN 1", 18..18, BetweenAnd;
    between_takes_and: "duration BETWEEN 1, 2", 18..19, BetweenAnd;
    between_is_for_numbers: "name BETWEEN 1 AND 2", 5..12, UnsupportedComparator;
    between_takes_numbers: "feedback.a BETWEEN 'x' AND 2", 19..22, NeedsNumber;
    units_are_known: "duration > 2x", 11..13, BadNumber;
    times_are_signed: "time > 1h", 7..9, BadNumber;
    times_are_quoted: "time > 2026-11-22", 7..17, UnquotedText;
    times_are_times: "time > 'noon'", 7..13, NeedsNumber;
    tokens_are_numbers: "tokens > 'many'", 9..15, NeedsNumber;
    and_does_not_begin: "AND status = 'OK'", 0..3, DanglingAnd;
    and_does_not_end: "status = 'OK' AND ", 14..17, DanglingAnd;
    and_is_not_doubled: "status = 'OK' AND AND name = 'x'", 18..21, DanglingAnd;
    and_alone_is_nothing: "AND", 0..3, DanglingAnd;
    and_is_not_left_out: "status = 'OK' name = 'x'", 14..18, MissingAnd;
    a_semicolon_is_refused: "status = 'OK';", 13..14, Semicolon;
    comments_are_refused: "status = 'OK' -- x", 14..18, Comment;
    times_take_no_list: "timestamp IN ('1')", 10..12, UnsupportedComparator;
    lists_are_no_patterns: r"name LIKE 'C:\'", 10..15, BadValue;
    tags_have_no_order: "tags.a > 'x'", 7..8, UnsupportedComparator;
    the_status_is_never_null: "status IS NULL", 7..14, UnsupportedComparator;
    text_is_searched_by_pattern: "trace.text = 'x'", 11..12, UnsupportedComparator;
    usage_is_compared_as_a_whole: "metadata.mlflow.trace.cost LIKE '%'", 27..31, UnsupportedComparator;
    lists_are_closed: "status IN ('OK'", 10..11, UnclosedList;
    lists_are_not_empty: "status IN ()", 10..12, BadListMember;
    lists_hold_no_null: "status IN (NULL)", 11..15, BadListMember;
    lists_hold_no_numbers: "status IN ('a', 1)", 16..17, BadListMember;
    lists_need_commas: "status IN ('O' 'K')", 15..18, BadListMember;
    doubled_quotes_split_list_members: "status IN ('O''K')", 11..17, BadListMember;
    lists_need_parentheses: "status IN 'OK'", 10..14, ExpectedValue;
    one_value_is_no_list: "status = ('a', 'b')", 9..19, BadValue;
    nothing_equals_null: "name = NULL", 7..11, NullComparison;
    numbers_fit_into_63_bits: "timestamp > 9223372036854775808", 12..31, BadNumber;
    numbers_are_finite: "execution_time < 1e999", 17..22, BadNumber;
    prompts_have_one_slash: "prompt = 'greeting'", 9..19, BadValue;
    the_second_line_is_read_too: "status = 'OK'\nAND naem = 'x'", 18..22, UnknownKey;
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

fn drawn(text: &str) -> String {
    match parse(text) {
        Err(error) => render(text, &error, false),
        Ok(filter) => render_warning(text, &filter.warnings()[0], false),
    }
}

#[test]
fn a_mistake_is_drawn_under_the_filter() {
    assert_snapshot!(drawn("statsu = 'OK'"), @r"
    unknown key `statsu`
      statsu = 'OK'
      ^^^^^^ expected a trace attribute, found `statsu`
    hint: did you mean `status`?
    ");
    assert_snapshot!(drawn("any(status = 'OK')"), @r"
    `status` is about the trace and not about a span
      any(status = 'OK')
          ^^^^^^ expected a key of spans, such as `span.name`, found `status`
    hint: did you mean `span.status`?
    ");
    assert_snapshot!(drawn("status = 'OK' AND (name = 'x' OR"), @r"
    there is no condition after `OR`
      status = 'OK' AND (name = 'x' OR
                                    ^^ expected a condition on both sides
    hint: leave the `OR` out, or complete it
    ");
    assert_snapshot!(drawn("duration > 2 minutes"), @r"
    a unit follows its number without a space
      duration > 2 minutes
                   ^^^^^^^ expected `AND`, `OR` or the end of the filter, found `minutes`
    hint: write 2m
    ");
    assert_snapshot!(drawn("time > 1h"), @r"
    `1h` is not a time
      time > 1h
             ^^ expected a time, found `1h`
    hint: a time before now has a sign: write -1h
    ");
    assert_snapshot!(drawn("count() > 3"), @r"
    there is nothing in the parentheses
      count() > 3
           ^^ expected a condition
    hint: the number of all spans is `spans`: spans > 3
    ");
    assert_snapshot!(drawn("duration BETWEEN 3s AND 1s"), @r"
    the lower bound is above the upper one, so nothing lies between them
      duration BETWEEN 3s AND 1s
                       ^^^^^^^^^
    hint: write BETWEEN 1000 AND 3000
    ");
    assert_snapshot!(drawn("status = 'failed'"), @r"
    no trace has the status `failed`
      status = 'failed'
               ^^^^^^^^
    hint: write 'ERROR'
    ");
}

#[test]
fn wide_characters_tabs_and_lines_keep_the_caret_in_place() {
    assert_snapshot!(drawn("name\t=\t'日本'\nAND tags.x\t== '日本'"), @r"
    `==` is not a comparator
      AND tags.x == '日本'
                 ^^ expected `=`, `!=`, `IN`, `NOT IN`, `LIKE`, `NOT LIKE`, `ILIKE`, `NOT ILIKE`, `RLIKE`, `NOT RLIKE`, `IS NULL` or `IS NOT NULL`
    hint: write `=`
    ");
    assert_snapshot!(drawn("name = '日本語' ANDD"), @r"
    there is no `AND` or `OR` between two conditions
      name = '日本語' ANDD
                      ^^^^ expected `AND`, `OR` or the end of the filter, found `ANDD`
    hint: write `AND` before `ANDD`
    ");
}

#[test]
fn a_long_filter_is_cut_around_the_place() {
    let text = format!(
        "name = '{0}' AND naem = 'x' AND tags.a = '{0}'",
        "a".repeat(200)
    );
    let drawing = drawn(&text);
    let widest = drawing.lines().map(|line| line.chars().count()).max();
    assert!(widest < Some(100), "{drawing}");
    assert!(drawing.contains("AND naem = 'x' AND"), "{drawing}");
}

#[test]
fn nothing_in_a_filter_reaches_the_terminal_raw() {
    let hostile = "\u{1b}[2J\u{7}\u{202e}\u{9b}1m\u{200b}\r\n";
    for text in [
        format!("{hostile} = 'x'"),
        format!("statsu{hostile} = 'x'"),
        format!("status = {hostile}"),
        format!("status = '{hostile}"),
        format!("`{hostile}` = 'x'"),
        format!("tags.`{hostile}` > '{hostile}'"),
        format!("status = '{hostile}'"),
        format!("name = 'x' {hostile}"),
    ] {
        let drawing = drawn(&text);
        let raw = drawing
            .chars()
            .any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{200b}'));
        assert!(!raw, "{drawing:?}");
    }
}

#[test]
fn colours_come_only_when_asked_for() {
    let error = parse("statsu = 'OK'").unwrap_err();
    assert!(!render("statsu = 'OK'", &error, false).contains('\u{1b}'));
    assert!(render("statsu = 'OK'", &error, true).contains('\u{1b}'));
}

/// Text that looks enough like a filter to get past the first token.
fn filter_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "status", "name", "tags.", "span.", "metadata.", "feedback.", "timestamp", "text",
            "attributes.", "`a b`", "a-b", "=", "!=", "==", "LIKE", "rlike", "IN", "NOT", "IS",
            "NULL", "AND", "OR", "(", ")", ",", "'OK'", "\"x\"", "'it''s'", r"'\'", "1", "-2.5",
            "1e3", "99999999999999999999", ".", ";", "--", "/*", "'", "\"", "`", "\\", "é",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let gap = prop::sample::select(vec![" ", " ", "", "\n", "\u{a0}"]);
    prop::collection::vec((piece, gap), 0..12)
        .prop_map(|pieces| pieces.into_iter().map(|(piece, gap)| piece + gap).collect())
}

/// Any condition on text that can be made at all.
fn text_condition() -> impl Strategy<Value = Condition> {
    let field = (0..10, any::<String>()).prop_map(|(kind, key)| match kind {
        0 => Field::Status,
        1 => Field::Name,
        2 => Field::SpanName,
        3 => Field::SpanContent,
        4 => Field::Metadata(key),
        5 => Field::Feedback(key),
        6 => Field::Expectation(key),
        7 => Field::SpanAttribute(key),
        _ => Field::Tag(key),
    });
    let comparator = prop::sample::select(vec![
        Comparator::Equal,
        Comparator::NotEqual,
        Comparator::Like,
        Comparator::Ilike,
        Comparator::Rlike,
    ]);
    (field, comparator, any::<String>()).prop_filter_map(
        "the server cannot express it",
        |(field, comparator, value)| Condition::text(field, comparator, value).ok(),
    )
}

proptest! {
    #[test]
    fn the_tokens_are_the_input(text in prop_oneof![any::<String>(), filter_like()]) {
        let joined: String = lex(&text).iter().map(|token| token.text).collect();
        prop_assert_eq!(joined, text);
    }

    #[test]
    fn no_text_is_too_strange(text in prop_oneof![any::<String>(), filter_like()]) {
        match parse(&text) {
            Ok(filter) => {
                let printed = filter.to_string();
                let again = parse(&printed);
                prop_assert_eq!(again.as_ref(), Ok(&filter), "{}", printed);
                for warning in filter.warnings() {
                    prop_assert!(text.get(warning.span.clone()).is_some());
                    render_warning(&text, warning, true);
                }
            }
            Err(error) => {
                prop_assert!(text.get(error.span.clone()).is_some());
                prop_assert!(!error.to_string().contains('\n'));
                render(&text, &error, true);
            }
        }
    }

    #[test]
    fn no_order_is_too_strange(text in prop_oneof![any::<String>(), filter_like(), "-?tags?\\.`?[a-z .:/é-]{0,6}`?( desc)?"]) {
        match parse_order_by(&text) {
            Ok(order) => prop_assert_eq!(parse_order_by(&order.to_string()), Ok(order)),
            Err(error) => {
                prop_assert!(text.get(error.span.clone()).is_some());
                render(&text, &error, true);
            }
        }
    }

    #[test]
    fn what_is_built_can_be_read_again(conditions in prop::collection::vec(text_condition(), 0..4)) {
        let filter: Filter = conditions.into_iter().collect();
        prop_assert_eq!(parse(&filter.to_string()), Ok(filter));
    }

    #[test]
    fn lists_take_any_text(values in prop::collection::vec("[^\0]*", 1..4)) {
        let filter: Filter = Condition::list(Field::Status, Comparator::In, values).unwrap().into();
        prop_assert_eq!(parse(&filter.to_string()), Ok(filter));
    }

    #[test]
    fn numbers_keep_their_value(value in any::<f64>()) {
        prop_assume!(value.is_finite());
        let filter: Filter = Condition::number(Field::ExecutionTime, Comparator::Less, value).unwrap().into();
        prop_assert_eq!(parse(&filter.to_string()), Ok(filter));
    }
}
