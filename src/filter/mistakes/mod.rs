//! Words for what people write instead of a filter: SQL that MLflow's small
//! dialect lacks, other tools' habits, and slips of quoting.

mod comparator;
mod key;
mod value;

use std::ops::Range;

pub(super) use self::comparator::{no_comparator, unsupported};
pub(super) use self::key::{after_dot, after_key, expected_key, partly_quoted, quoted_whole_key};
pub(super) use self::value::{
    bad_member, bad_number, bad_separator, needs_number, no_list, no_value, refused, unwanted_list,
};
use super::error::{ParseError, ParseErrorKind as Kind, quote, shorten};
use super::keys;
use super::lexer::{Token, TokenKind};
use super::parser::{Clause, Parser};
use super::print::quoted_text;
use super::terms::{Comparator, Condition, Field, Value};

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
        if token.is_keyword("AND") {
            let place = if token.start == 0 { "begins" } else { "has" };
            return Some(dangling_and(token.span(), place));
        }
        if token.is_keyword("OR") {
            return Some(or(token, None));
        }
        if token.is_keyword("NOT") {
            return Some(not(token));
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
    }
    match token.kind {
        TokenKind::Operator if token.text == "!" => Some(not(token)),
        TokenKind::OpenParen => Some(parentheses(token)),
        TokenKind::Semicolon | TokenKind::Comment => Some(stray(token)),
        _ => None,
    }
}

/// What stands where `AND` or the end should.
pub(super) fn after_condition(parser: &Parser<'_, '_>, clause: &Clause<'_>) -> ParseError {
    let token = parser.peek();
    let after_text = clause
        .value
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
        TokenKind::Word if token.is_keyword("OR") => {
            return or(token, either(parser, &clause.condition));
        }
        TokenKind::Unknown if token.text.starts_with('|') => {
            return or(token, either(parser, &clause.condition));
        }
        TokenKind::Semicolon | TokenKind::Comment => return stray(token),
        TokenKind::OpenParen | TokenKind::CloseParen => return parentheses(token),
        _ => {}
    }
    let error = |kind, message: &str| {
        ParseError::new(kind, token.span(), message)
            .expected("`AND` or the end of the filter")
            .found(describe(token))
    };
    match token.kind {
        TokenKind::Unknown if token.text.starts_with('&') => {
            error(Kind::UnexpectedToken, "conditions are joined by `AND`")
                .hint(format!("write `AND` for {}", quote(token.text)))
        }
        TokenKind::Comma => {
            let error = error(
                Kind::UnexpectedToken,
                "conditions are joined by `AND`, not by commas",
            );
            match &clause.condition.value {
                Value::Text(text) if takes(&clause.condition.field, Comparator::In) => {
                    let list = format!("{} IN ({}, …)", clause.condition.field, quoted_text(text));
                    error.hint(format!("several values are written {}", shorten(&list)))
                }
                _ => error.hint("write `AND` for the comma"),
            }
        }
        TokenKind::Word | TokenKind::Backquoted => {
            error(Kind::MissingAnd, "there is no `AND` between two conditions")
                .hint(format!("write `AND` before {}", quote(token.text)))
        }
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

pub(super) fn dangling_and(span: Range<usize>, place: &str) -> ParseError {
    let message = match place {
        "has" => "there is an `AND` too many".to_owned(),
        place => format!("the filter {place} with `AND`"),
    };
    ParseError::new(Kind::DanglingAnd, span, message)
        .expected("a condition on both sides")
        .hint("leave the `AND` out, or complete it")
}

fn or(token: Token<'_>, hint: Option<String>) -> ParseError {
    ParseError::new(Kind::Or, token.span(), "the server has no `OR`")
        .expected("`AND` or the end of the filter")
        .found(quote(token.text))
        .hint(hint.unwrap_or_else(|| "run one search for each side".to_owned()))
}

/// How to say `a OR b` without `OR`, where both sides are about the same key.
fn either(parser: &Parser<'_, '_>, left: &Condition) -> Option<String> {
    let mut ahead = parser.clone();
    ahead.next();
    let (right, _) = ahead.clause().ok()?;
    let right = right.condition;
    if left.field != right.field
        || (left.comparator, right.comparator) != (Comparator::Equal, Comparator::Equal)
    {
        return None;
    }
    let (Value::Text(a), Value::Text(b)) = (&left.value, &right.value) else {
        return None;
    };
    let joined = if takes(&left.field, Comparator::In) {
        Condition::list(left.field.clone(), Comparator::In, [a, b]).ok()?
    } else {
        let pattern = format!("^({}|{})$", regex::escape(a), regex::escape(b));
        Condition::text(left.field.clone(), Comparator::Rlike, pattern).ok()?
    };
    Some(format!("write {}", shorten(&joined.to_string())))
}

fn not(token: Token<'_>) -> ParseError {
    ParseError::new(
        Kind::Not,
        token.span(),
        "the server has no `NOT` before a condition",
    )
    .expected("a key")
    .found(quote(token.text))
    .hint("turn the comparator round: `!=`, `NOT IN`, `IS NOT NULL`")
}

fn parentheses(token: Token<'_>) -> ParseError {
    ParseError::new(
        Kind::Parentheses,
        token.span(),
        "conditions take no parentheses",
    )
    .found(quote(token.text))
    .hint("all conditions must hold, so leave the parentheses out")
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
    .expected("`AND` or the end of the filter")
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
    keys::comparators(field).contains(&comparator)
}
