//! Mistakes on the right of the comparator.

use std::ops::Range;

use super::super::condition::ConditionError;
use super::super::error::{ParseError, ParseErrorKind as Kind, quote, shorten};
use super::super::lexer::{Token, TokenKind};
use super::super::parser::Parser;
use super::super::print::quoted_text;
use super::{describe, sql, takes, unclosed};
use crate::field::{Comparator, Field};
use crate::units::{DURATIONS, TIMES};

/// What stands where a list should.
pub(in crate::filter) fn no_list(token: Token<'_>, comparator: Comparator) -> ParseError {
    if token.kind == TokenKind::Unterminated {
        return unclosed(token);
    }
    let error = ParseError::new(
        Kind::ExpectedValue,
        token.span(),
        format!("{} takes a list", quote(comparator.as_str())),
    )
    .expected("`(`")
    .found(describe(token));
    match token.kind {
        TokenKind::SingleQuoted | TokenKind::DoubleQuoted => {
            error.hint(format!("write {comparator} ({})", shorten(token.text)))
        }
        TokenKind::Unknown if matches!(token.text, "[" | "{") => {
            error.hint(format!("write {comparator} ('a', 'b') with round brackets"))
        }
        _ => error.hint(format!("write {comparator} ('a', 'b')")),
    }
}

/// What cannot be a member of a list.
pub(in crate::filter) fn bad_member(open: Token<'_>, token: Token<'_>) -> ParseError {
    match token.kind {
        TokenKind::End => return unclosed_list(open),
        TokenKind::Unterminated => return unclosed(token),
        _ => {}
    }
    let error = ParseError::new(
        Kind::BadListMember,
        token.span(),
        "a list holds texts in quotes and nothing else",
    )
    .expected("text in quotes")
    .found(describe(token));
    match token.kind {
        TokenKind::Word if token.is_keyword("NULL") => {
            error.hint("`NULL` cannot be a member of a list")
        }
        TokenKind::Word | TokenKind::Number | TokenKind::Backquoted => {
            error.hint(format!("write {}", shorten(&quoted_text(token.unquoted()))))
        }
        TokenKind::Comma => error.hint("there is a comma too many"),
        _ => error,
    }
}

/// What cannot stand between members of a list.
pub(in crate::filter) fn bad_separator(open: Token<'_>, token: Token<'_>) -> ParseError {
    match token.kind {
        TokenKind::End => return unclosed_list(open),
        TokenKind::Unterminated => return unclosed(token),
        _ => {}
    }
    let error = ParseError::new(
        Kind::BadListMember,
        token.span(),
        "there is no comma between two values of the list",
    )
    .expected("`,` or `)`")
    .found(describe(token));
    match token.kind {
        TokenKind::SingleQuoted | TokenKind::DoubleQuoted => {
            error.hint(format!("write a comma before {}", shorten(token.text)))
        }
        TokenKind::Word if token.is_keyword("AND") || token.is_keyword("OR") => {
            error.hint("values are separated by commas, and the list ends with `)`")
        }
        _ => error,
    }
}

fn unclosed_list(open: Token<'_>) -> ParseError {
    ParseError::new(Kind::UnclosedList, open.span(), "the list is not closed")
        .expected("`)` after the last value")
}

/// A list after a comparator that takes one value.
pub(in crate::filter) fn unwanted_list(
    text: &str,
    span: Range<usize>,
    field: &Field,
    comparator: Comparator,
) -> ParseError {
    let error = ParseError::new(
        Kind::BadValue,
        span.clone(),
        format!("{} takes one value, not a list", quote(comparator.as_str())),
    )
    .expected(value_of(field, comparator))
    .found("a list");
    let list = match comparator {
        Comparator::Equal => Comparator::In,
        Comparator::NotEqual => Comparator::NotIn,
        _ => return error,
    };
    if takes(field, list) {
        error.hint(format!("write {field} {list} {}", shorten(&text[span])))
    } else {
        error
    }
}

const TEXT: &str = "text in quotes";

fn value_of(field: &Field, comparator: Comparator) -> &'static str {
    match field {
        _ if field.is_numeric() => noun(field),
        _ if field.takes_numbers()
            && (comparator.is_order()
                || matches!(comparator, Comparator::Between | Comparator::NotBetween)) =>
        {
            "a number"
        }
        _ if field.takes_numbers() => "text in quotes, a number, true or false",
        _ => TEXT,
    }
}

fn noun(field: &Field) -> &'static str {
    match field {
        Field::Timestamp | Field::EndTime => "a time",
        Field::ExecutionTime | Field::SpanDuration => "a duration",
        _ => "a number",
    }
}

/// How values of a field are written.
fn written_like(field: &Field) -> Option<String> {
    match field {
        Field::Timestamp | Field::EndTime => Some(format!(
            "a time is written {TIMES}, dates in quotes, or in milliseconds since 1970"
        )),
        Field::ExecutionTime | Field::SpanDuration => Some(duration_is_written()),
        _ if field.is_numeric() => Some("large numbers may be written 10k or 2.5M".to_owned()),
        _ => None,
    }
}

/// How durations are written in filters and rules.
pub(in crate::filter) fn duration_is_written() -> String {
    format!("a duration is written {DURATIONS}; a number alone is milliseconds")
}

/// A bound of `BETWEEN` without the other.
pub(in crate::filter) fn no_upper_bound(
    low: Token<'_>,
    token: Token<'_>,
    comparator: Comparator,
) -> ParseError {
    let error = ParseError::new(
        Kind::BetweenAnd,
        token.span(),
        format!(
            "{} takes two bounds with `AND` between them",
            quote(comparator.as_str())
        ),
    )
    .expected("`AND` and the upper bound")
    .found(describe(token));
    if let Some(error) = sql::time_function(low, token) {
        return error;
    }
    match token.text.to_ascii_uppercase().as_str() {
        "," | "TO" | "-" | "&&" | "OR" => error.hint(format!("write {comparator} … AND …")),
        _ => error,
    }
}

/// A date or time that is not in quotes.
pub(in crate::filter) fn unquoted_time(text: &str, from: usize) -> ParseError {
    let end = text[from..]
        .find(|c: char| c.is_whitespace() || matches!(c, ',' | ')' | '(' | ';' | '\'' | '"'))
        .map_or(text.len(), |len| from + len);
    let written = &text[from..end];
    ParseError::new(
        Kind::UnquotedText,
        from..end,
        format!("the time {} is not in quotes", quote(written)),
    )
    .expected("a time")
    .found(quote(written))
    .hint(format!("write {}", shorten(&quoted_text(written))))
}

/// What stands where a value should.
pub(in crate::filter) fn no_value(
    parser: &Parser<'_, '_>,
    token: Token<'_>,
    field: &Field,
    comparator: Comparator,
) -> ParseError {
    let expected = value_of(field, comparator);
    let error = |kind, message: String| {
        ParseError::new(kind, token.span(), message)
            .expected(expected)
            .found(describe(token))
    };
    if matches!(field, Field::Timestamp | Field::EndTime)
        && let Some(error) = sql::time_function(token, parser.peek_at(1))
    {
        return error;
    }
    match token.kind {
        TokenKind::Unterminated => unclosed(token),
        TokenKind::Backquoted => error(
            Kind::WrongQuotes,
            "back quotes are for keys, not for values".to_owned(),
        )
        .hint(format!("write {}", shorten(&quoted_text(token.unquoted())))),
        TokenKind::Word if token.is_keyword("NULL") || token.is_keyword("NONE") => {
            let is = if comparator == Comparator::NotEqual {
                "IS NOT NULL"
            } else {
                "IS NULL"
            };
            let error = error(
                Kind::NullComparison,
                format!("nothing is equal to {}", quote(token.text)),
            );
            if takes(field, Comparator::IsNull) {
                error.hint(format!("write {field} {is}"))
            } else {
                error
            }
        }
        TokenKind::Word if expected != TEXT => error(
            Kind::NeedsNumber,
            format!("{} is compared with {expected}", quote(&field.to_string())),
        )
        .maybe_hint(written_like(field)),
        TokenKind::Word => {
            let end = unquoted_end(parser.text, token.start);
            let text = &parser.text[token.start..end];
            let mut error = error(
                Kind::UnquotedText,
                format!("the text {} is not in quotes", quote(text)),
            );
            error.span = token.start..end;
            error
                .found(quote(text))
                .hint(format!("write {}", shorten(&quoted_text(text))))
        }
        TokenKind::Unknown if matches!(token.text, "‘" | "’" | "“" | "”" | "´") => error(
            Kind::WrongQuotes,
            "these quotes are not straight".to_owned(),
        )
        .hint("write the text between ' and ' or between \" and \""),
        TokenKind::Unknown if token.text == "%" => {
            error(Kind::UnquotedText, "a pattern goes in quotes".to_owned()).hint("write '%…%'")
        }
        _ => error(
            Kind::ExpectedValue,
            format!("there is no value after {}", quote(comparator.as_str())),
        ),
    }
}

/// Where text without quotes ends: at a space, a comma or a bracket.
fn unquoted_end(text: &str, from: usize) -> usize {
    text[from..]
        .find(|c: char| c.is_whitespace() || matches!(c, ',' | ')' | '(' | ';' | '\'' | '"'))
        .map_or(text.len(), |len| from + len)
}

/// A number that is none, or too large.
pub(in crate::filter) fn bad_number(
    token: Token<'_>,
    field: &Field,
    comparator: Comparator,
) -> ParseError {
    let digits = token.text.trim_start_matches(['+', '-']);
    if digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') || digits.parse::<f64>().is_ok() {
        return ParseError::new(
            Kind::BadNumber,
            token.span(),
            format!("the number {} is out of range", quote(token.text)),
        )
        .hint("whole numbers have at most 63 bits");
    }
    let error = ParseError::new(
        Kind::BadNumber,
        token.span(),
        format!("{} is not {}", quote(token.text), noun(field)),
    )
    .expected(value_of(field, comparator))
    .found(quote(token.text));
    if value_of(field, comparator).starts_with("a ") {
        return error.maybe_hint(written_like(field));
    }
    error.hint(format!("write {}", shorten(&quoted_text(token.text))))
}

/// Text where a number is needed.
pub(in crate::filter) fn needs_number(
    token: Token<'_>,
    field: &Field,
    comparator: Comparator,
) -> ParseError {
    let expected = value_of(field, comparator);
    ParseError::new(
        Kind::NeedsNumber,
        token.span(),
        format!("{} is compared with {expected}", quote(&field.to_string())),
    )
    .expected(expected)
    .maybe_hint(written_like(field))
}

/// What the constructor of a condition had against it.
pub(in crate::filter) fn refused(
    error: &ConditionError,
    field: &Field,
    comparator: Comparator,
    token: &Token<'_>,
    span: Range<usize>,
) -> ParseError {
    let value = token.unquoted();
    let bad = |kind, message: String| {
        ParseError::new(kind, span.clone(), message).found(describe(*token))
    };
    match error {
        ConditionError::NeedsNumber { .. } => {
            needs_number(*token, field, comparator).found(quote(token.text))
        }
        ConditionError::NeedsText { .. } => bad(
            Kind::NeedsText,
            format!(
                "`{comparator}` compares {} with text",
                quote(&field.to_string())
            ),
        )
        .expected(TEXT)
        .hint(format!("write {}", shorten(&quoted_text(token.text)))),
        ConditionError::BothQuotes => bad(Kind::BadValue, error.to_string())
            .hint("`LIKE` with `_` in the place of one of the quotes comes close"),
        ConditionError::TrailingBackslash => bad(Kind::BadValue, error.to_string())
            .hint("`LIKE` with `_` in the place of the backslash comes close"),
        ConditionError::PromptFormat => bad(Kind::BadValue, error.to_string())
            .expected("text like 'name/version'")
            .maybe_hint((!value.contains('/')).then(|| {
                format!(
                    "for example {}",
                    shorten(&quoted_text(&format!("{value}/1")))
                )
            })),
        ConditionError::OutOfRange => bad(Kind::BadNumber, error.to_string()),
        ConditionError::PatternTooLong | ConditionError::LongList => {
            ParseError::new(Kind::TooLong, span, error.to_string())
        }
        ConditionError::EmptyKey
        | ConditionError::UnquotableKey { .. }
        | ConditionError::AliasedKey { .. } => {
            ParseError::new(Kind::BadKey, span, error.to_string())
        }
        other => ParseError::new(Kind::BadValue, span, other.to_string()),
    }
}
