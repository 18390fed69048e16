//! Words for what people write instead of a filter: SQL that the language
//! lacks, other tools' habits, and slips of quoting and nesting.

mod comparator;
mod group;
mod key;
mod sql;
mod value;

pub(super) use self::comparator::{no_comparator, unsupported};
pub(super) use self::group::{
    QUANTIFIERS, bad_count, empty_parentheses, nested_quantifier, no_count_comparison,
    trace_key_within_spans, unclosed_parenthesis,
};
pub(super) use self::key::{after_dot, after_key, expected_key, partly_quoted, quoted_whole_key};
pub(super) use self::value::{
    bad_member, bad_number, bad_separator, duration_is_written, needs_number, no_list,
    no_upper_bound, no_value, refused, unquoted_time, unwanted_list,
};
use super::error::{ParseError, ParseErrorKind as Kind, quote, shorten};
use super::lexer::{Token, TokenKind};
use super::parser::Parser;
use super::print::quoted_text;
use super::terms::Value;
use crate::field::{Comparator, Field};

/// A token as a message names it.
pub(super) fn describe(token: Token<'_>) -> String {
    match token.kind {
        TokenKind::End => "the end of the filter".to_owned(),
        TokenKind::Unterminated => format!("{} without its closing quote", quote(token.text)),
        TokenKind::Comment => "a comment".to_owned(),
        _ => quote(token.text),
    }
}

/// What cannot stand where a condition begins.
pub(super) fn before_condition(parser: &Parser<'_, '_>) -> Option<ParseError> {
    let token = parser.peek();
    let next = parser.peek_at(1);
    let next_is_comparator = next.kind == TokenKind::Operator || next.kind == TokenKind::Dot;
    if token.kind == TokenKind::Word && !next_is_comparator {
        if let Some(error) = sql::clause(token, next) {
            return Some(error);
        }
        if token.is_keyword("AND") || token.is_keyword("OR") {
            let place = if token.start == 0 { "begins" } else { "has" };
            return Some(dangling(token, place));
        }
        if token.is_keyword("WHERE") || token.is_keyword("SELECT") {
            return Some(
                ParseError::new(
                    Kind::UnexpectedToken,
                    token.span(),
                    "a filter is the condition alone",
                )
                .expected("a key")
                .found(quote(token.text))
                .hint("leave the words of SQL around it out"),
            );
        }
        if let Some(error) = group::quantifier_like(token, next) {
            return Some(error);
        }
    }
    match token.kind {
        TokenKind::Operator if token.text == "!" => Some(
            ParseError::new(Kind::Not, token.span(), "a condition is negated by a word")
                .found(quote(token.text))
                .hint("write `NOT` for `!`"),
        ),
        TokenKind::CloseParen => Some(group::stray_parenthesis(token)),
        TokenKind::Semicolon | TokenKind::Comment => Some(stray(token)),
        _ => None,
    }
}

/// What stands where `AND`, `OR` or the end should.
pub(super) fn after_condition(parser: &Parser<'_, '_>) -> ParseError {
    let token = parser.peek();
    let last = parser.last.as_ref();
    let time = last.and_then(|clause| clause.value);
    if let Some(error) = sql::clause(token, parser.peek_at(1))
        .or_else(|| time.and_then(|time| sql::time_function(time, token)))
    {
        return error;
    }
    let after_text = last
        .and_then(|clause| clause.value)
        .filter(|v| matches!(v.kind, TokenKind::SingleQuoted | TokenKind::DoubleQuoted));
    if let Some(value) = after_text
        && parser.is_adjacent()
        && !matches!(
            token.kind,
            TokenKind::CloseParen | TokenKind::Semicolon | TokenKind::Comma
        )
    {
        return quote_in_text(parser.text, value, token);
    }
    match token.kind {
        TokenKind::Semicolon | TokenKind::Comment => return stray(token),
        TokenKind::CloseParen => return group::stray_parenthesis(token),
        _ => {}
    }
    let error = |kind, message: &str| {
        ParseError::new(kind, token.span(), message)
            .expected(if parser.is_nested() {
                "`AND`, `OR` or `)`"
            } else {
                "`AND`, `OR` or the end of the filter"
            })
            .found(describe(token))
    };
    if let (Some(number), Some(unit)) = (number_before(parser), unit(token.text)) {
        return error(Kind::BadNumber, "a unit follows its number without a space")
            .hint(format!("write {}{unit}", shorten(number)));
    }
    match token.kind {
        TokenKind::Unknown if token.text.starts_with(['&', '|']) => {
            let (kind, word) = if token.text.starts_with('&') {
                (Kind::UnexpectedToken, "AND")
            } else {
                (Kind::Or, "OR")
            };
            error(kind, "conditions are joined by words")
                .hint(format!("write `{word}` for {}", quote(token.text)))
        }
        TokenKind::Comma => {
            let error = error(
                Kind::UnexpectedToken,
                "conditions are joined by `AND` or `OR`, not by commas",
            );
            match last.map(|clause| &clause.condition) {
                Some(condition)
                    if takes(condition.field(), Comparator::In)
                        && matches!(condition.value(), Value::Text(_)) =>
                {
                    let Value::Text(text) = condition.value() else {
                        return error;
                    };
                    let values = format!("{} IN ({}, …)", condition.field(), quoted_text(text));
                    error.hint(format!("several values are written {}", shorten(&values)))
                }
                _ => error.hint("write `AND` for the comma"),
            }
        }
        TokenKind::Word | TokenKind::Backquoted | TokenKind::OpenParen => error(
            Kind::MissingAnd,
            "there is no `AND` or `OR` between two conditions",
        )
        .hint(format!("write `AND` before {}", quote(token.text))),
        TokenKind::SingleQuoted | TokenKind::DoubleQuoted if after_text.is_some() => {
            error(Kind::UnexpectedToken, "two texts stand side by side")
        }
        TokenKind::Unterminated => unclosed(token),
        _ => error(
            Kind::UnexpectedToken,
            "there is something after the condition",
        ),
    }
}

/// The number that ends the condition before, where numbers have units.
fn number_before<'t>(parser: &Parser<'_, 't>) -> Option<&'t str> {
    let clause = parser.last.as_ref()?;
    let value = clause.value.filter(|v| v.kind == TokenKind::Number)?;
    clause.condition.field().is_numeric().then_some(value.text)
}

/// The unit of time that a word stands for, short or in full.
fn unit(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "ns" | "nanosecond" | "nanoseconds" => "ns",
        "us" | "microsecond" | "microseconds" => "us",
        "ms" | "msec" | "millisecond" | "milliseconds" => "ms",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        "w" | "week" | "weeks" => "w",
        _ => return None,
    })
}

/// `AND` or `OR` with a condition missing on one side.
pub(super) fn dangling(token: Token<'_>, place: &str) -> ParseError {
    let word = token.text.to_ascii_uppercase();
    let message = match place {
        "has" => format!("there is an `{word}` too many"),
        "begins" => format!("the filter begins with `{word}`"),
        _ => format!("there is no condition after `{word}`"),
    };
    let kind = if word == "OR" {
        Kind::DanglingOr
    } else {
        Kind::DanglingAnd
    };
    ParseError::new(kind, token.span(), message)
        .expected("a condition on both sides")
        .hint(format!("leave the `{word}` out, or complete it"))
}

fn stray(token: Token<'_>) -> ParseError {
    let (kind, what) = if token.kind == TokenKind::Comment {
        (Kind::Comment, "comments")
    } else {
        (Kind::Semicolon, "`;`")
    };
    ParseError::new(kind, token.span(), format!("a filter has no {what}"))
        .found(describe(token))
        .hint("leave it out")
}

fn unclosed(token: Token<'_>) -> ParseError {
    let mark = &token.text[..1];
    let other = if mark == "'" { '"' } else { '\'' };
    let error = ParseError::new(Kind::UnclosedQuote, token.span(), "a quote is not closed")
        .expected(if mark == "`" {
            "a closing back quote".to_owned()
        } else {
            format!("a closing {mark}")
        });
    if mark == "`" {
        error
    } else {
        error.hint(format!(
            "text that holds {mark} goes between {other} and {other}"
        ))
    }
}

/// Text like `'it's'`, which ends too early.
fn quote_in_text(text: &str, value: Token<'_>, token: Token<'_>) -> ParseError {
    let mark = &value.text[..1];
    let end = text.trim_end().len().max(token.end());
    let whole = text[value.start + 1..end].strip_suffix(mark).unwrap_or("");
    let error = ParseError::new(
        Kind::QuoteInText,
        value.end() - 1..token.end(),
        "the text ends at this quote, and more follows",
    )
    .expected("`AND`, `OR` or the end of the filter")
    .found(describe(token));
    let single_word = whole.matches(mark).count() == 1;
    if single_word && !whole.contains(if mark == "'" { '"' } else { '\'' }) {
        error.hint(format!("write {}", shorten(&quoted_text(whole))))
    } else if value.text.ends_with(&format!("\\{mark}"))
        || value.text.contains(&format!("\\{mark}"))
    {
        error.hint("a backslash before a quote keeps the text open; use the other kind of quotes")
    } else {
        error.hint(format!(
            "text that holds {mark} goes between quotes of the other kind"
        ))
    }
}

fn takes(field: &Field, comparator: Comparator) -> bool {
    field.comparators().contains(&comparator)
}
