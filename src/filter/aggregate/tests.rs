//! What is accepted, what is refused and where, what is drawn for it, and that
//! what is printed reads the same.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::super::Moment;
use super::super::diagnostics::render;
use super::super::terms::Number;
use super::super::tests::refused::mistakes;
use super::*;
use crate::field::{Comparator, FieldDef, Uses};

fn rule(text: &str) -> Rule {
    parse_rule(text, &Moment::utc()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn drawn(text: &str) -> String {
    let error = parse_rule(text, &Moment::utc()).expect_err(text);
    render(text, &error, false).to_string()
}

mistakes! { |text| parse_rule(text, &Moment::utc());
    nothing_is_no_rule: "", 0..0, ExpectedAggregate;
    a_number_is_no_aggregate: "2s >= max(duration)", 0..2, ExpectedAggregate;
    functions_are_known: "p95x(duration) <= 2s", 0..4, UnknownAggregate;
    foreign_functions_are_unknown: "mean(duration) <= 2s", 0..4, UnknownAggregate;
    a_measure_alone_is_no_aggregate: "duration <= 2s", 0..8, UnknownAggregate;
    percentiles_end_at_100: "p101(duration) <= 2s", 0..4, UnknownAggregate;
    percentiles_have_two_decimals: "p99.999(duration) <= 2s", 0..7, UnknownAggregate;
    a_function_has_parentheses: "count <= 2", 6..8, ExpectedMeasure;
    a_value_is_measured: "max() <= 2", 3..5, ExpectedMeasure;
    a_value_is_measured_before_where: "max(where status = 'OK') <= 2", 4..9, ExpectedMeasure;
    spans_have_no_value: "max(span) <= 2", 4..8, ExpectedMeasure;
    durations_are_not_counted: "count(duration) <= 2", 6..14, UnexpectedMeasure;
    measures_are_known: "max(durtion) <= 2s", 4..11, UnknownMeasure;
    measures_keep_their_case: "max(Duration) <= 2s", 4..12, UnknownMeasure;
    conditions_stand_after_where: "count(status = 'ERROR') <= 2", 6..12, UnknownMeasure;
    span_names_are_no_measure: "max(span.name) <= 2s", 4..13, UnknownMeasure;
    tags_are_no_measure: "avg(tags.size) <= 2", 4..13, UnknownMeasure;
    where_is_written_out: "max(duration wher name = 'x') <= 2s", 13..17, ExpectedWhere;
    one_measure_is_enough: "max(duration, tokens) <= 2s", 12..13, ExpectedWhere;
    where_has_a_condition: "count(where) <= 2", 11..12, EmptyParentheses;
    conditions_are_filters: "count(where statsu = 'OK') <= 2", 12..18, UnknownKey;
    conditions_are_joined: "count(where status = 'OK' name = 'x') <= 2", 26..30, MissingAnd;
    aggregates_are_closed: "max(duration", 3..4, UnclosedParenthesis;
    conditions_are_closed: "max(duration where name = 'x'", 3..4, UnclosedParenthesis;
    nothing_is_closed_twice: "max(duration)) <= 2s", 13..14, ExpectedComparator;
    patterns_are_decided_here: "count(where name RLIKE '(?!a)b') <= 2", 12..31, NeedsServer;
    signs_are_those_of_filters: "max(duration) == 2s", 14..16, ExpectedComparator;
    between_is_two_rules: "max(duration) BETWEEN 1s AND 2s", 14..21, ExpectedComparator;
    a_limit_is_not_left_out: "max(duration) <=", 16..16, ExpectedValue;
    limits_are_not_quoted: "max(duration) <= '2s'", 17..21, BadLimit;
    units_are_known: "max(duration) <= 2x", 17..19, BadLimit;
    tokens_take_no_time: "sum(tokens) <= 2s", 15..17, BadLimit;
    durations_take_no_percentage: "max(duration) <= 2%", 17..19, BadLimit;
    dollars_have_no_sign: "sum(cost) <= $5", 13..14, BadLimit;
    one_is_no_error_rate: "error_rate() <= 1", 16..17, BadLimit;
    durations_are_not_negative: "max(duration) >= -2s", 17..20, BadLimit;
    a_rule_ends: "max(duration) <= 2s AND count() > 1", 20..23, AfterRule;
    units_stick_to_their_number: "max(duration) <= 2 s", 19..20, AfterRule;
}

#[test]
fn every_form_is_printed_as_it_is_read() {
    for (text, printed) in [
        ("p95(duration) <= 2s", "p95(duration) <= 2s"),
        ("P95( latency )<=2000", "p95(duration) <= 2s"),
        ("median(duration) < 1m30s", "p50(duration) < 90s"),
        ("p99.90(trace.duration) < 1.5ms", "p99.9(duration) < 1.5ms"),
        ("p5(self) < 250us", "p5(self) < 250us"),
        ("p0(critical) >= 0", "p0(critical) >= 0s"),
        ("max(duration) < 1.5", "max(duration) < 1.5ms"),
        ("max(duration) < 0.5ns", "max(duration) < 0.5ns"),
        ("max(duration) < 1s1ns", "max(duration) < 1.000000001s"),
        ("max(duration) < 1s1us", "max(duration) < 1.000001s"),
        ("count() >= 20", "count() >= 20"),
        (
            "count(WHERE status = 'OK') > 1k",
            "count(where status = 'OK') > 1000",
        ),
        (
            "max(span.duration where span.type = 'LLM') <= 1.5s",
            "max(span.duration where span.type = 'LLM') <= 1.5s",
        ),
        (
            "count(span where span.type = 'TOOL' or not span.name = 'x') <= 5",
            "count(span where span.type = 'TOOL' OR NOT span.name = 'x') <= 5",
        ),
        ("error_rate() <= 1%", "error_rate() <= 1%"),
        ("error_rate() <= 0.01", "error_rate() <= 1%"),
        ("error_rate() < 0.07%", "error_rate() < 0.07%"),
        ("error_rate() != 100%", "error_rate() != 100%"),
        ("error_rate(span) = 0", "error_rate(span) = 0%"),
        ("sum(tokens) <= 2.5M", "sum(tokens) <= 2500000"),
        ("sum(cost) <= 0.05", "sum(cost) <= 0.05"),
        (
            "avg(feedback.correctness) >= 90%",
            "avg(feedback.correctness) >= 0.9",
        ),
        ("min(feedback.`a b`) >= -1.5", "min(feedback.`a b`) >= -1.5"),
        ("avg(expectation.size)", "avg(expectation.size)"),
        ("max(span.attributes.top_k)", "max(span.attributes.top_k)"),
        ("max(span.attributes.`a b`)", "max(span.attributes.`a b`)"),
        ("sum(span.tokens)", "sum(span.tokens)"),
        ("max(spans) <= 40", "max(spans) <= 40"),
    ] {
        assert_eq!(rule(text).to_string(), printed, "{text}");
    }
}

#[test]
fn limits_are_in_the_unit_of_the_aggregate() {
    let limit = |text: &str| rule(text).bound.unwrap().limit;
    assert_eq!(limit("max(duration) < 2s"), Number::Integer(2_000_000_000));
    assert_eq!(limit("max(duration) < 2"), Number::Integer(2_000_000));
    assert_eq!(limit("max(self) < 1.5us"), Number::Integer(1_500));
    assert_eq!(limit("error_rate() < 7%"), Number::Float(0.07));
    assert_eq!(limit("sum(tokens) < 10k"), Number::Integer(10_000));
}

#[test]
fn a_bound_holds_of_exact_values() {
    let bound = rule("max(duration) <= 2s").bound.unwrap();
    assert!(bound.holds(Number::Integer(2_000_000_000)));
    assert!(!bound.holds(Number::Integer(2_000_000_001)));
    let bound = rule("error_rate() <= 7%").bound.unwrap();
    assert!(bound.holds(Number::Float(7.0 / 100.0)));
    assert!(!bound.holds(Number::Float(8.0 / 100.0)));
}

#[test]
fn several_aggregates_stand_between_commas() {
    let read = |text: &str| parse_aggregates(text, &Moment::utc());
    let two = read("p95(duration), sum(tokens where status = 'OK')").unwrap();
    assert_eq!(
        two.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["p95(duration)", "sum(tokens where status = 'OK')"]
    );
    for (text, start) in [
        ("count() max(cost)", 8),
        ("count(),", 8),
        ("count() > 2", 8),
    ] {
        assert_eq!(read(text).unwrap_err().span.start, start, "{text}");
    }
}

#[test]
fn comments_are_not_part_of_a_rule() {
    for (line, rest) in [
        ("count() > 2", "count() > 2"),
        ("count() > 2 # at least", "count() > 2 "),
        ("#count() > 2", ""),
        (
            "count(where name = '#1') > 2 #x",
            "count(where name = '#1') > 2 ",
        ),
        ("", ""),
    ] {
        assert_eq!(without_comment(line), rest);
    }
}

#[test]
fn what_is_needed_is_what_is_looked_at() {
    for (text, need) in [
        ("p95(duration where status = 'OK' AND tags.a = 'b')", None),
        ("avg(feedback.a)", None),
        ("sum(spans)", Some(Detail::Times)),
        ("p95(duration where span.type = 'LLM')", Some(Detail::Times)),
        (
            "p95(duration where any(span.model = 'x'))",
            Some(Detail::Measures),
        ),
        ("max(self where name = 'x')", Some(Detail::Times)),
        ("sum(span.cost)", Some(Detail::Measures)),
        ("count(span where span.model = 'x')", Some(Detail::Measures)),
        (
            "count(span where span.error LIKE '%x%')",
            Some(Detail::Events),
        ),
        ("avg(span.attributes.k)", Some(Detail::Whole)),
    ] {
        assert_eq!(rule(text).aggregate.detail(), need, "{text}");
    }
}

#[test]
fn doubts_about_conditions_are_kept() {
    let doubtful = rule("count(where status = 'ok') > 2");
    assert_eq!(doubtful.aggregate.filter.warnings()[0].span, 21..25);
}

#[test]
fn mistakes_are_drawn_like_those_of_filters() {
    assert_snapshot!(drawn("p95(durtion) <= 2s"), @"
    `durtion` is not a measure
      p95(durtion) <= 2s
          ^^^^^^^ expected `duration`, `tokens`, `cost`, `spans`, `feedback.<name>`, `span.duration`, `self`, `critical` or another measure, found `durtion`
    hint: did you mean `duration`?
    ");
    assert_snapshot!(drawn("mean(duration) <= 2s"), @"
    unknown aggregate `mean`
      mean(duration) <= 2s
      ^^^^ expected `count`, `error_rate`, `min`, `max`, `avg`, `sum`, `median` or a percentile such as `p95`, found `mean`
    hint: did you mean `avg`?
    ");
    assert_snapshot!(drawn("duration <= 2s"), @"
    unknown aggregate `duration`
      duration <= 2s
      ^^^^^^^^ expected `count`, `error_rate`, `min`, `max`, `avg`, `sum`, `median` or a percentile such as `p95`, found `duration`
    hint: say what of it: max(duration) or p95(duration)
    ");
    assert_snapshot!(drawn("count(status = 'ERROR') <= 2"), @"
    `status` is not a measure
      count(status = 'ERROR') <= 2
            ^^^^^^ expected `duration`, `tokens`, `cost`, `spans`, `feedback.<name>`, `span.duration`, `self`, `critical` or another measure, found `status`
    hint: a condition stands after `where`: count(where status …)
    ");
    assert_snapshot!(drawn("max(span where span.type = 'LLM') <= 2"), @"
    spans are counted; they have no value of their own
      max(span where span.type = 'LLM') <= 2
          ^^^^ expected `span.duration`, `self`, `critical` or another measure of spans, found `span`
    hint: did you mean `max(span.duration …)`?
    ");
    assert_snapshot!(drawn("sum(tokens) <= 2s"), @"
    `2s` is not a number
      sum(tokens) <= 2s
                     ^^ expected a number such as `20` or `10k`, found `2s`
    hint: large numbers may be written 10k or 2.5M
    ");
    assert_snapshot!(drawn("error_rate() <= 5"), @"
    `5` is not a share
      error_rate() <= 5
                      ^ expected a percentage such as `1%`, found `5`
    hint: write 5% for 5 in a hundred
    ");
    assert_snapshot!(drawn("p95(duration) <="), @"
    there is no value after `<=`
      p95(duration) <=
                      ^ expected a duration such as `2s`, found the end
    hint: a duration is written 2s, 500ms, 1.5h or 1h30m; the units are ns, us, ms, s, m, h, d, w; a number alone is milliseconds
    ");
    assert_snapshot!(drawn("count(where statsu = 'OK') <= 2"), @"
    unknown key `statsu`
      count(where statsu = 'OK') <= 2
                  ^^^^^^ expected a trace attribute, found `statsu`
    hint: did you mean `status`?
    ");
    assert_snapshot!(drawn("p95(duration) <= 2s AND count() > 1"), @"
    there is something after the rule
      p95(duration) <= 2s AND count() > 1
                          ^^^ expected the end of the rule, found `AND`
    hint: each rule stands for itself and all must hold: one `--require`, or one line of a file
    ");
    assert_snapshot!(drawn("p95(duration) ⩽ 2s"), @"
    `p95(duration)` is compared with a duration
      p95(duration) ⩽ 2s
                    ^ expected `=`, `!=`, `<`, `<=`, `>` or `>=`, found `⩽`
    ");
}

fn function() -> impl Strategy<Value = Function> {
    prop_oneof![
        Just(Function::Min),
        Just(Function::Max),
        Just(Function::Avg),
        Just(Function::Sum),
        (0_u16..=10_000).prop_map(Function::Percentile),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "a.b", "a b", "1x", "it's", "ä"]).prop_map(str::to_owned)
}

fn aggregate() -> impl Strategy<Value = Aggregate> {
    let fields: Vec<_> = FieldDef::with(Uses::MEASURE).map(|def| def.make).collect();
    let measured =
        (prop::sample::select(fields), name()).prop_map(|(make, name)| Measure::Of(make(name)));
    let measure = prop_oneof![
        10 => measured,
        1 => Just(Measure::SelfTime),
        1 => Just(Measure::CriticalTime),
    ];
    let counted = prop_oneof![Just(Function::Count), Just(Function::ErrorRate)];
    let counts = prop_oneof![Just(Measure::Trace), Just(Measure::Span)];
    prop_oneof![(function(), measure), (counted, counts)].prop_flat_map(|(function, measure)| {
        super::super::properties::filter().prop_map(move |filter| Aggregate {
            function,
            measure: measure.clone(),
            filter,
        })
    })
}

fn rules() -> impl Strategy<Value = Rule> {
    let number = prop_oneof![
        (0..i64::MAX).prop_map(Number::Integer),
        (0_i64..3_000_000).prop_map(Number::Integer),
        (0.0_f64..1e12).prop_map(Number::Float),
    ];
    let share = prop_oneof![
        (0_i32..10_000).prop_map(|n| f64::from(n) / 10_000.0),
        0.0_f64..1.0
    ];
    let signs = vec![
        Comparator::Equal,
        Comparator::NotEqual,
        Comparator::Less,
        Comparator::LessOrEqual,
        Comparator::Greater,
        Comparator::GreaterOrEqual,
    ];
    let bound = prop::option::of((prop::sample::select(signs), number, share));
    (aggregate(), bound).prop_map(|(aggregate, bound)| Rule {
        bound: bound.map(|(comparator, number, share)| Bound {
            comparator,
            limit: match aggregate.unit() {
                Unit::Share => Number::Float(share),
                _ => number,
            },
        }),
        aggregate,
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_as_the_same(rule in rules()) {
        let printed = rule.to_string();
        let read = parse_rule(&printed, &Moment::utc());
        let read = read.map_err(|e| TestCaseError::fail(format!("{printed}: {e}")))?;
        prop_assert_eq!(read.to_string(), printed.clone());
        prop_assert_eq!(&read.aggregate, &rule.aggregate, "{}", printed);
        if let (Some(read), Some(made)) = (read.bound, rule.bound) {
            prop_assert!(read.limit.compare(made.limit).is_eq(), "{}", printed);
        }
    }

    #[test]
    fn nothing_makes_the_parser_fail_otherwise(text in "(p95|max|count)?\\(?(span|duration|where|[a-z. '()<=0-9%,µ\u{202e}]){0,8}") {
        if let Err(error) = parse_rule(&text, &Moment::utc()) {
            prop_assert!(text.get(error.span.clone()).is_some());
            let _ = render(&text, &error, true);
        }
    }
}
