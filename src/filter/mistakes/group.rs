//! Mistakes with parentheses and with tests of how many spans pass.

use std::ops::Range;

use super::super::error::{ParseError, ParseErrorKind as Kind, quote, shorten};
use super::super::lexer::{Token, TokenKind};
use super::super::parser::{KeyText, Parser};
use super::describe;
use crate::field::{Comparator, suggest};

/// The words that stand before conditions on spans or on assessments in parentheses.
pub(in crate::filter) const QUANTIFIERS: [&str; 5] =
    ["any", "all", "count", "any_feedback", "any_expectation"];

/// A word that is used like a quantifier and is none, or a quantifier without parentheses.
pub(super) fn quantifier_like(token: Token<'_>, next: Token<'_>) -> Option<ParseError> {
    let lower = token.text.to_ascii_lowercase();
    if next.kind != TokenKind::OpenParen {
        // `any span.name = 'x'`
        let is_key = next.kind == TokenKind::Word
            && !["IN", "IS", "NOT", "LIKE", "ILIKE", "RLIKE", "BETWEEN"]
                .iter()
                .any(|word| next.is_keyword(word));
        return (QUANTIFIERS.contains(&lower.as_str()) && is_key).then(|| {
            ParseError::new(
                Kind::QuantifierParentheses,
                token.span(),
                format!(
                    "the conditions after {} go in parentheses",
                    quote(token.text)
                ),
            )
            .expected("`(`")
            .found(describe(next))
            .hint(example(&lower))
        });
    }
    if QUANTIFIERS.contains(&lower.as_str()) || lower == "not" {
        return None;
    }
    let hint = match lower.as_str() {
        "some" | "exists" | "exist" | "has" | "span" | "spans" | "anyspan" | "any_span" => {
            example("any")
        }
        "every" | "each" | "forall" | "all_spans" => example("all"),
        "none" | "no" | "not_any" => "write NOT any(…)".to_owned(),
        "number" | "num" | "sum" | "n" | "len" => example("count"),
        "feedback" | "feedbacks" | "anyfeedback" | "assessment" | "any_assessment" => {
            example("any_feedback")
        }
        "expectation" | "expectations" | "anyexpectation" => example("any_expectation"),
        _ if next.start == token.end() => match suggest::nearest(&lower, QUANTIFIERS.into_iter()) {
            Some(meant) => format!("did you mean `{meant}(`?"),
            None => "the words before `(` are any, all, count, any_feedback and any_expectation"
                .to_owned(),
        },
        _ => return None,
    };
    Some(
        ParseError::new(
            Kind::UnknownQuantifier,
            token.span(),
            format!("{} takes no parentheses", quote(token.text)),
        )
        .expected("`any(`, `all(`, `count(` or a key")
        .found(quote(token.text))
        .hint(hint),
    )
}

fn example(name: &str) -> String {
    match name {
        "count" => "write count(span.type = 'TOOL') > 3".to_owned(),
        "any_feedback" | "any_expectation" => {
            format!("write {name}(name = 'correct' AND value = false)")
        }
        name => format!("write {name}(span.type = 'TOOL' AND span.status = 'ERROR')"),
    }
}

/// A closing parenthesis that closes nothing, or comes too early.
pub(super) fn stray_parenthesis(token: Token<'_>) -> ParseError {
    ParseError::new(
        Kind::Parentheses,
        token.span(),
        "nothing is open that this parenthesis could close",
    )
    .found(quote(token.text))
    .hint("leave it out, or write `(` where the group begins")
}

pub(in crate::filter) fn unclosed_parenthesis(open: Token<'_>) -> ParseError {
    ParseError::new(
        Kind::UnclosedParenthesis,
        open.span(),
        "the parenthesis is not closed",
    )
    .expected("`)` after the last condition")
}

/// `()`, after a quantifier or alone.
pub(in crate::filter) fn empty_parentheses(owner: Token<'_>, span: Range<usize>) -> ParseError {
    let error = ParseError::new(
        Kind::EmptyParentheses,
        span,
        "there is nothing in the parentheses",
    )
    .expected("a condition");
    match owner.text.to_ascii_lowercase().as_str() {
        "count" => error.hint("the number of all spans is `spans`: spans > 3"),
        "any" => error.hint("a trace with any span at all has spans > 0"),
        "all" => error.hint(example("all")),
        word @ ("any_feedback" | "any_expectation") => error.hint(format!(
            "a trace with any at all has {word}(name IS NOT NULL)"
        )),
        _ => error,
    }
}

/// `any(… any(…) …)`.
pub(in crate::filter) fn nested_quantifier(outer: Token<'_>, inner: Token<'_>) -> ParseError {
    let (article, what) = match outer.text.to_ascii_lowercase().as_str() {
        "any_feedback" | "any_expectation" => ("an", "assessment"),
        _ => ("a", "span"),
    };
    ParseError::new(
        Kind::NestedQuantifier,
        inner.span(),
        format!(
            "{} cannot stand within {}, which is about one {}",
            quote(inner.text),
            quote(outer.text),
            what
        ),
    )
    .expected(format!("a condition on {article} {what}"))
    .found(quote(inner.text))
    .hint("write them side by side, joined by `AND` or `OR`")
}

/// A key of the whole trace where one span is spoken of.
pub(in crate::filter) fn trace_key_within_spans(
    quantifier: Token<'_>,
    key: &KeyText<'_>,
    written: &str,
) -> ParseError {
    let error = ParseError::new(
        Kind::TraceKeyInSpans,
        key.span.clone(),
        format!("{} is about the trace and not about a span", quote(written)),
    )
    .expected("a key of spans, such as `span.name`")
    .found(quote(written));
    match key.name.as_str() {
        "name" | "status" => error.hint(format!("did you mean `span.{}`?", key.name)),
        "state" => error.hint("did you mean `span.status`?"),
        "duration" | "latency" | "execution_time" | "execution_time_ms" => {
            error.hint("did you mean `span.duration`?")
        }
        _ => error.hint(format!(
            "write it outside {}",
            shorten(&format!("{}(…)", quantifier.text))
        )),
    }
}

/// `count(…)` without a number to compare with.
pub(in crate::filter) fn no_count_comparison(
    parser: &Parser<'_, '_>,
    word: Token<'_>,
) -> ParseError {
    let token = parser.peek();
    let error = ParseError::new(
        Kind::CountComparison,
        token.span(),
        format!(
            "{} is compared with a number",
            quote(&format!("{}(…)", word.text))
        ),
    )
    .expected("`=`, `!=`, `<`, `<=`, `>` or `>=`")
    .found(describe(token));
    if token.is_keyword("BETWEEN") {
        return error.hint("write one count(…) >= … AND another count(…) <= …");
    }
    match token.text {
        "==" => error.hint("write `=`"),
        "<>" => error.hint("write `!=`"),
        _ => error.hint("write count(…) > 0, or any(…)"),
    }
}

/// A number of spans that is no whole number.
pub(in crate::filter) fn bad_count(value: Token<'_>) -> ParseError {
    let error = if value.kind == TokenKind::End {
        ParseError::new(
            Kind::ExpectedValue,
            value.span(),
            "there is no number after the comparator",
        )
    } else {
        ParseError::new(
            Kind::BadCount,
            value.span(),
            format!("{} is not a number of spans", quote(value.text)),
        )
    };
    let error = error
        .expected("a whole number from 0 on")
        .found(describe(value));
    match value.text.parse::<f64>() {
        Ok(number) if number >= 0.0 && number.fract() != 0.0 => error.hint(format!(
            "spans are counted in wholes: {} {}",
            Comparator::Greater,
            number.floor()
        )),
        _ => error,
    }
}
