//! Words for what people write instead of an aggregate or a rule.

use std::ops::Range;

use super::super::error::{ParseError, ParseErrorKind as Kind, quote, shorten};
use super::super::lexer::{Token, TokenKind};
use super::super::mistakes::{describe, duration_is_written};
use super::super::parser::{KeyText, Parser};
use super::super::readable;
use super::super::terms::Condition;
use super::{Aggregate, Function, Measure, Unit};
use crate::field::{Comparator, Field, FieldDef, Subject, Uses, suggest};

const FUNCTIONS: [&str; 11] = [
    "count",
    "error_rate",
    "min",
    "max",
    "avg",
    "sum",
    "median",
    "p50",
    "p90",
    "p95",
    "p99",
];
const EXPECTED_FUNCTION: &str =
    "`count`, `error_rate`, `min`, `max`, `avg`, `sum`, `median` or a percentile such as `p95`";

/// What can be measured, as far as it has a name of its own.
fn measures() -> impl Iterator<Item = &'static str> {
    let of_fields = FieldDef::with(Uses::MEASURE)
        .filter(|def| def.prefix().is_none() || def.of == Subject::Span)
        .map(|def| def.beginning().trim_end_matches('.'));
    of_fields.chain(["span", "self", "critical"])
}

const EXPECTED_MEASURE: &str = "`duration`, `tokens`, `cost`, `spans`, `feedback.<name>`, \
     `span.duration`, `self`, `critical` or another measure";

/// What a token is called in a message about a rule.
fn found(token: Token<'_>) -> String {
    match token.kind {
        TokenKind::End => "the end".to_owned(),
        _ => describe(token),
    }
}

fn error(kind: Kind, token: Token<'_>, message: impl Into<String>) -> ParseError {
    ParseError::new(kind, token.span(), message).found(found(token))
}

/// What cannot be the name of a function.
pub(super) fn expected_function(token: Token<'_>) -> ParseError {
    let error = if token.kind == TokenKind::End {
        error(Kind::ExpectedAggregate, token, "there is no aggregate")
    } else {
        let message = format!("{} is not an aggregate", describe(token));
        error(Kind::ExpectedAggregate, token, message)
    };
    error
        .expected(EXPECTED_FUNCTION)
        .hint("for example p95(duration) or count(span where span.type = 'TOOL')")
}

pub(super) fn unknown_function(parser: &Parser<'_, '_>, word: Token<'_>) -> ParseError {
    let lower = word.text.to_ascii_lowercase();
    let error = error(
        Kind::UnknownAggregate,
        word,
        format!("unknown aggregate {}", quote(word.text)),
    )
    .expected(EXPECTED_FUNCTION);
    let meant = match lower.as_str() {
        "mean" | "average" => Some("avg"),
        "total" => Some("sum"),
        "minimum" | "least" => Some("min"),
        "maximum" | "most" => Some("max"),
        "n" | "number" | "num" | "len" | "size" => Some("count"),
        "errors" | "error" | "err_rate" | "errorrate" | "failure_rate" | "errors_rate" => {
            Some("error_rate")
        }
        "percentile" | "quantile" | "perc" | "pct" => {
            return error.hint("a percentile is written p95(…), p99.9(…)");
        }
        // `duration <= 2s`
        _ if parser.peek().kind != TokenKind::OpenParen => {
            return match suggest::attribute(&lower) {
                Some(meant) if meant == lower => {
                    error.hint(format!("say what of it: max({meant}) or p95({meant})"))
                }
                _ => nearest(error, &lower),
            };
        }
        _ => return nearest(error, &lower),
    };
    error.maybe_hint(meant.map(did_you_mean))
}

fn nearest(error: ParseError, word: &str) -> ParseError {
    error.maybe_hint(suggest::nearest(word, FUNCTIONS.into_iter()).map(did_you_mean))
}

fn did_you_mean(meant: &str) -> String {
    format!("did you mean {}?", quote(meant))
}

pub(super) fn bad_percentile(text: &str, span: Range<usize>) -> ParseError {
    let written = quote(&text[span.clone()]);
    ParseError::new(
        Kind::UnknownAggregate,
        span,
        format!("{written} is not a percentile"),
    )
    .expected("`p` and a number from 0 to 100 with at most two decimals")
    .found(written)
}

/// A function without its parentheses.
pub(super) fn no_parenthesis(parser: &Parser<'_, '_>, written: Range<usize>) -> ParseError {
    let name = &parser.text[written];
    let example = match name.to_ascii_lowercase().as_str() {
        "count" | "error_rate" => format!("write {name}()"),
        _ => format!("write {name}(duration)"),
    };
    error(
        Kind::ExpectedMeasure,
        parser.peek(),
        format!("what {} is about goes in parentheses", quote(name)),
    )
    .expected("`(`")
    .hint(example)
}

pub(super) fn unclosed(open: Token<'_>) -> ParseError {
    ParseError::new(
        Kind::UnclosedParenthesis,
        open.span(),
        "the parenthesis is not closed",
    )
    .expected("`)` after the measure or the last condition")
}

/// `max()`.
pub(super) fn no_measure(function: Function, open: Token<'_>, token: Token<'_>) -> ParseError {
    let at = if token.kind == TokenKind::CloseParen {
        open.start..token.end()
    } else {
        token.span()
    };
    ParseError::new(
        Kind::ExpectedMeasure,
        at,
        format!(
            "{} needs something to measure",
            quote(&function.to_string())
        ),
    )
    .expected(EXPECTED_MEASURE)
    .hint(format!("for example {function}(duration)"))
}

/// `max(span)`.
pub(super) fn span_has_no_value(function: Function, span: Range<usize>) -> ParseError {
    ParseError::new(
        Kind::ExpectedMeasure,
        span,
        "spans are counted; they have no value of their own",
    )
    .expected("`span.duration`, `self`, `critical` or another measure of spans")
    .found("`span`")
    .hint(format!("did you mean `{function}(span.duration …)`?"))
}

/// `count(duration)`.
pub(super) fn not_countable(
    parser: &Parser<'_, '_>,
    function: Function,
    measure: &Measure,
    span: Range<usize>,
) -> ParseError {
    let written = quote(&parser.text[span.clone()]);
    let verb = match function {
        Function::Count => "counts",
        _ => "is a share of",
    };
    let error = ParseError::new(
        Kind::UnexpectedMeasure,
        span,
        format!("`{function}` {verb} traces or spans, not {written}"),
    )
    .expected("`span`, `where` or `)`")
    .found(written);
    if parser.peek().kind == TokenKind::Operator {
        return condition_first(error, function);
    }
    if *measure == Measure::Of(Field::SpanCount) {
        return error.hint(format!("did you mean `{function}(span)`?"));
    }
    let subject = if measure.is_of_spans() { "span" } else { "" };
    error.hint(format!("write {function}({subject})"))
}

/// `count(status = 'ERROR')`.
fn condition_first(error: ParseError, function: Function) -> ParseError {
    error.hint(format!(
        "a condition stands after `where`: {function}(where …), {function}(span where …)"
    ))
}

pub(super) fn unknown_measure(parser: &Parser<'_, '_>, key: &KeyText<'_>) -> ParseError {
    let written = &parser.text[key.span.clone()];
    let error = ParseError::new(
        Kind::UnknownMeasure,
        key.span.clone(),
        format!("{} is not a measure", quote(written)),
    )
    .expected(EXPECTED_MEASURE)
    .found(quote(written));
    let next = parser.peek();
    let is_condition = next.kind == TokenKind::Operator
        || ["LIKE", "ILIKE", "RLIKE", "IN", "NOT", "IS", "BETWEEN"]
            .iter()
            .any(|word| next.is_keyword(word));
    if is_condition {
        let subject = if written.starts_with("span.") {
            "span where"
        } else {
            "where"
        };
        return error.hint(format!(
            "a condition stands after `where`: count({subject} {written} …)"
        ));
    }
    let lower = written.to_ascii_lowercase();
    let meant = match lower.as_str() {
        "span.self" | "self_time" | "span.self_time" | "selftime" => Some("self"),
        "span.critical" | "critical_time" | "critical_path" | "span.critical_path" => {
            Some("critical")
        }
        "trace" | "traces" => return error.hint("traces are counted by count()"),
        "span.latency" | "span.execution_time" | "span.duration_ms" => Some("span.duration"),
        _ => suggest::nearest(&lower, measures()).or_else(|| {
            suggest::attribute(&lower).filter(|meant| measures().any(|known| known == *meant))
        }),
    };
    match (meant, key.entity.map(|entity| entity.unquoted().to_owned())) {
        (Some(meant), _) => error.hint(did_you_mean(meant)),
        (None, Some(entity)) if entity == "span" => error.hint(format!(
            "an attribute is written {}",
            quote(&format!("span.attributes.{}", key.name))
        )),
        (None, Some(entity)) if matches!(entity.as_str(), "tags" | "tag" | "metadata") => error
            .hint("tags and metadata are text, which has no measure; they can stand after `where`"),
        (None, Some(entity)) => error.maybe_hint(
            suggest::entity(&entity)
                .filter(|meant| matches!(*meant, "feedback" | "expectation" | "span"))
                .map(|meant| did_you_mean(&format!("{meant}.{}", key.name))),
        ),
        (None, None) => error,
    }
}

/// What stands where `where` or `)` should.
pub(super) fn after_measure(
    parser: &Parser<'_, '_>,
    measure: &Measure,
    open: Token<'_>,
) -> ParseError {
    let token = parser.peek();
    if token.kind == TokenKind::End {
        return unclosed(open);
    }
    let error = error(
        Kind::ExpectedWhere,
        token,
        "after the measure come `where` and conditions, or `)`",
    )
    .expected("`where` or `)`");
    match token.kind {
        TokenKind::Operator => error.hint("the comparison stands after `)`"),
        TokenKind::Comma => error.hint("an aggregate has one measure"),
        TokenKind::Word if token.is_keyword("AND") || token.is_keyword("if") => {
            error.hint(format!("write `where` for {}", quote(token.text)))
        }
        TokenKind::Word
            if suggest::nearest(&token.text.to_ascii_lowercase(), ["where"].into_iter())
                .is_some() =>
        {
            error.hint("did you mean `where`?")
        }
        _ => error.hint(format!("for example {measure} where span.type = 'LLM'")),
    }
}

/// `count(where)`.
pub(super) fn no_condition(token: Token<'_>) -> ParseError {
    error(
        Kind::EmptyParentheses,
        token,
        "there is no condition after `where`",
    )
    .expected("a condition")
    .hint("leave `where` out, or write for example where status = 'OK'")
}

/// A condition that only a server can decide.
pub(super) fn needs_server(condition: &Condition, span: Range<usize>) -> ParseError {
    ParseError::new(
        Kind::NeedsServer,
        span,
        format!(
            "only a server can decide {}, and aggregates are computed here",
            quote(&readable::condition(condition))
        ),
    )
    .hint("write the pattern without look-around and references back")
}

/// What stands where a comparator should.
pub(super) fn no_comparator(parser: &Parser<'_, '_>, aggregate: &Aggregate) -> ParseError {
    let token = parser.peek();
    let error = error(
        Kind::ExpectedComparator,
        token,
        format!(
            "{} is compared with {}",
            quote(&aggregate.to_string()),
            noun(aggregate.unit())
        ),
    )
    .expected("`=`, `!=`, `<`, `<=`, `>` or `>=`");
    match token.text {
        "==" | "===" => error.hint("write `=`"),
        "<>" => error.hint("write `!=`"),
        "=<" => error.hint("write `<=`"),
        "=>" => error.hint("write `>=`"),
        "," => error.hint("each rule stands for itself: one `--require`, or one line of a file"),
        _ if token.is_keyword("BETWEEN") => {
            error.hint("write two rules, one with >= and one with <=")
        }
        _ if token.is_keyword("is") || token.is_keyword("below") || token.is_keyword("under") => {
            error.hint("write `<`")
        }
        _ => error,
    }
}

fn noun(unit: Unit) -> &'static str {
    match unit {
        Unit::Time => "a duration",
        Unit::Share => "a share",
        Unit::Dollars => "an amount of dollars",
        Unit::Amount | Unit::Number => "a number",
    }
}

fn expected_limit(unit: Unit) -> &'static str {
    match unit {
        Unit::Time => "a duration such as `2s`",
        Unit::Share => "a percentage such as `1%`",
        Unit::Dollars => "dollars such as `0.05`",
        Unit::Amount => "a number such as `20` or `10k`",
        Unit::Number => "a number",
    }
}

fn written_like(unit: Unit) -> String {
    let text = match unit {
        Unit::Time => return duration_is_written(),
        Unit::Share => "a share is written 1%, or as a number below 1: 0.01",
        Unit::Dollars => "dollars are plain numbers: 0.05",
        Unit::Amount => "large numbers may be written 10k or 2.5M",
        Unit::Number => "true and false count as 1 and 0; 90% is 0.9",
    };
    text.to_owned()
}

/// A comparator with nothing to compare with.
pub(super) fn no_limit(
    parser: &Parser<'_, '_>,
    aggregate: &Aggregate,
    comparator: Comparator,
) -> ParseError {
    let token = parser.peek();
    let unit = aggregate.unit();
    let quoted = matches!(
        token.kind,
        TokenKind::SingleQuoted | TokenKind::DoubleQuoted
    );
    let error = if token.kind == TokenKind::End {
        let message = format!("there is no value after `{comparator}`");
        error(Kind::ExpectedValue, token, message)
    } else {
        let message = format!(
            "{} is compared with {}",
            quote(&aggregate.to_string()),
            noun(unit)
        );
        error(Kind::BadLimit, token, message)
    }
    .expected(expected_limit(unit));
    if quoted {
        return error.hint(format!(
            "write {} without quotes",
            shorten(token.unquoted())
        ));
    }
    error.hint(written_like(unit))
}

/// A number that is none, or in a unit that the measure does not have.
pub(super) fn bad_limit(
    parser: &Parser<'_, '_>,
    aggregate: &Aggregate,
    span: Range<usize>,
    is_percent: bool,
) -> ParseError {
    let unit = aggregate.unit();
    let written = quote(&parser.text[span.clone()]);
    let error = ParseError::new(
        Kind::BadLimit,
        span.clone(),
        format!("{written} is not {}", noun(unit)),
    )
    .expected(expected_limit(unit))
    .found(written);
    if unit == Unit::Share
        && !is_percent
        && let Ok(number) = parser.text[span].parse::<f64>()
    {
        return error.hint(format!("write {number}% for {number} in a hundred"));
    }
    error.hint(written_like(unit))
}

pub(super) fn negative_limit(text: &str, aggregate: &Aggregate, span: Range<usize>) -> ParseError {
    let written = quote(&text[span.clone()]);
    ParseError::new(
        Kind::BadLimit,
        span,
        format!("{} is never negative", quote(&aggregate.to_string())),
    )
    .expected(expected_limit(aggregate.unit()))
    .found(written)
}

/// What stands after a whole rule.
pub(super) fn after_rule(parser: &Parser<'_, '_>) -> ParseError {
    let token = parser.peek();
    let error = error(Kind::AfterRule, token, "there is something after the rule")
        .expected("the end of the rule");
    match token.kind {
        TokenKind::Word if token.is_keyword("AND") || token.is_keyword("OR") => error.hint(
            "each rule stands for itself and all must hold: one `--require`, or one line of a file",
        ),
        TokenKind::Comma | TokenKind::Semicolon => {
            error.hint("each rule stands for itself: one `--require`, or one line of a file")
        }
        TokenKind::Word | TokenKind::Unknown => {
            error.hint("a unit follows its number without a space: 2s, 10k, 1%")
        }
        _ => error,
    }
}

/// What stands after an aggregate in a list of them.
pub(super) fn after_aggregate(parser: &Parser<'_, '_>) -> ParseError {
    let token = parser.peek();
    let error = error(
        Kind::AfterRule,
        token,
        "there is something after the aggregate",
    )
    .expected("`,` or the end");
    match token.kind {
        TokenKind::Operator => error.hint("aggregates are shown here; `mlt check` compares them"),
        TokenKind::Word => error.hint(format!("write a comma before {}", quote(token.text))),
        _ => error,
    }
}
