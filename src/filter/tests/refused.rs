//! What is refused, and which part of it is pointed at.

use std::fmt::Debug;
use std::ops::Range;

use crate::filter::{ParseError, ParseErrorKind, parse};

/// Checks what was wrong with a text, and which part of it.
#[track_caller]
pub(in crate::filter) fn refused<T: Debug>(
    result: Result<T, ParseError>,
    text: &str,
    span: Range<usize>,
    kind: ParseErrorKind,
) {
    let error = result.expect_err(text);
    assert_eq!(
        (error.span.clone(), error.kind),
        (span, kind),
        "{text}: {error}"
    );
}

/// A test for each text that a parser refuses.
macro_rules! mistakes {
    ($parse:expr; $($name:ident: $text:expr, $span:expr, $kind:ident;)*) => {$(
        #[test]
        fn $name() {
            $crate::filter::tests::refused::refused(
                $parse($text),
                $text,
                $span,
                $crate::filter::ParseErrorKind::$kind,
            );
        }
    )*};
}

pub(in crate::filter) use mistakes;

mistakes! { parse;
    a_misspelt_key_is_unknown: "statsu = 'OK'", 0..6, UnknownKey;
    keys_keep_their_case: "name = 'a' AND STATUS = 'OK'", 15..21, UnknownKey;
    foreign_keys_are_unknown: "trace.elapsed > 5", 6..13, UnknownKey;
    unknown_span_keys_are_pointed_at: "span.foo = 'x'", 5..8, UnknownKey;
    pieces_of_assessments_are_few: "any_feedback(stars = 5)", 13..18, UnknownKey;
    pieces_of_assessments_stand_within: "value = 5", 0..5, UnknownKey;
    spans_are_not_spoken_of_among_assessments: "any_feedback(span.name = 'x')", 13..22, UnknownKey;
    one_assessment_is_spoken_of: "any_feedback(any(span.name = 'x'))", 13..16, NestedQuantifier;
    assessments_are_not_spoken_of_among_spans: "any(any_feedback(value = 1))", 4..16, NestedQuantifier;
    judgements_have_an_order_as_numbers: "any_feedback(value > 'good')", 21..27, NeedsNumber;
    a_test_of_assessments_tests_something: "any_feedback()", 12..14, EmptyParentheses;
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
