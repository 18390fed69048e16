//! Mistakes on the right of the comparator.

use std::ops::Range;

use super::super::condition::ConditionError;
use super::super::error::{ParseError, ParseErrorKind as Kind, quote, shorten};
use super::super::lexer::{Token, TokenKind};
use super::super::parser::{Parser, parse_number};
use super::super::print::quoted_text;
use super::super::terms::{Comparator, Field};
use super::super::units;
use super::{describe, takes, unclosed};

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

fn value_of(field: &Field, comparator: Comparator) -> &'static str {
    let assessment = field.is_assessment();
    if field.is_numeric() || (assessment && comparator.is_order()) {
        "a number"
    } else {
        "text in quotes"
    }
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
        TokenKind::Word if expected == "a number" => units::explain(
            error(
                Kind::NeedsNumber,
                format!("{} is compared with a number", quote(&field.to_string())),
            ),
            token.text,
            field,
        ),
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
        format!("{} is not a number", quote(token.text)),
    )
    .expected(value_of(field, comparator))
    .found(quote(token.text));
    if value_of(field, comparator) == "a number" {
        units::explain(error, token.text, field)
    } else {
        error.hint(format!("write {}", shorten(&quoted_text(token.text))))
    }
}

/// Text where a number is needed.
pub(in crate::filter) fn needs_number(
    token: Token<'_>,
    field: &Field,
    comparator: Comparator,
) -> ParseError {
    let error = ParseError::new(
        Kind::NeedsNumber,
        token.span(),
        format!("{} is compared with a number", quote(&field.to_string())),
    )
    .expected(value_of(field, comparator));
    units::explain(error, token.unquoted(), field)
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
            let error = needs_number(*token, field, comparator).found(quote(token.text));
            match parse_number(value.trim()) {
                Some(_) => error.hint(format!("write {} without quotes", shorten(value.trim()))),
                None => error,
            }
        }
        ConditionError::NeedsText { .. } => {
            let error = bad(
                Kind::NeedsText,
                match comparator {
                    // The order of assessments is a matter of numbers.
                    Comparator::Equal | Comparator::NotEqual if field.is_assessment() => {
                        format!(
                            "`{comparator}` compares {} with text",
                            quote(&field.to_string())
                        )
                    }
                    _ => format!("{} is compared with text", quote(&field.to_string())),
                },
            )
            .expected("text in quotes");
            if field.is_assessment() {
                error.hint(format!(
                    "numbers are compared in order: {} >= {n} AND {} <= {n}",
                    shorten(&field.to_string()),
                    shorten(&field.to_string()),
                    n = shorten(token.text),
                ))
            } else {
                error.hint(format!("write {}", shorten(&quoted_text(token.text))))
            }
        }
        ConditionError::BothQuotes => bad(Kind::BadValue, error.to_string())
            .hint("`LIKE` with `_` in the place of one of the quotes comes close"),
        ConditionError::TrailingBackslash => {
            let hint = if takes(field, Comparator::Rlike) && comparator == Comparator::Equal {
                let pattern = format!("^{}$", regex::escape(value));
                format!("write {field} RLIKE {}", shorten(&quoted_text(&pattern)))
            } else {
                "`LIKE` with `_` in the place of the backslash comes close".to_owned()
            };
            bad(Kind::BadValue, error.to_string()).hint(hint)
        }
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
