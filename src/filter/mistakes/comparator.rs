//! Mistakes at the comparator.

use std::ops::Range;

use super::super::error::{ParseError, ParseErrorKind as Kind, quote, shorten};
use super::super::lexer::{Token, TokenKind};
use super::super::parser::Parser;
use super::super::print::quoted_text;
use super::{describe, unclosed};
use crate::field::suggest;
use crate::field::{Comparator, Field};

/// What stands where a comparator should; `written` is the key before it.
pub(in crate::filter) fn no_comparator(
    parser: &Parser<'_, '_>,
    token: Token<'_>,
    written: &str,
    field: &Field,
) -> ParseError {
    let foreign = match token.kind {
        TokenKind::Operator => Some(Foreign {
            span: token.span(),
            message: format!("{} is not a comparator", quote(token.text)),
            hint: foreign_sign(token.text, field),
        }),
        TokenKind::Word => foreign_word(parser, token, written),
        TokenKind::Unterminated => return unclosed(token),
        _ => None,
    };
    if let Some(foreign) = foreign {
        return ParseError::new(Kind::ForeignComparator, foreign.span, foreign.message)
            .expected(list_of(field))
            .hint(foreign.hint);
    }
    let hint = match token.kind {
        TokenKind::End | TokenKind::SingleQuoted | TokenKind::DoubleQuoted | TokenKind::Number => {
            Some(format!("write {} = …", shorten(written)))
        }
        TokenKind::Unknown => match token.text {
            ":" => Some("write `=`".to_owned()),
            "≠" => Some("write `!=`".to_owned()),
            "≥" => Some("write `>=`".to_owned()),
            "≤" => Some("write `<=`".to_owned()),
            _ => None,
        },
        TokenKind::Word => {
            let upper = token.text.to_ascii_uppercase();
            suggest::nearest(
                &upper,
                ["LIKE", "ILIKE", "RLIKE", "IN", "IS", "BETWEEN"].into_iter(),
            )
            .map(|meant| format!("did you mean `{meant}`?"))
        }
        _ => None,
    };
    ParseError::new(
        Kind::ExpectedComparator,
        token.span(),
        format!("there is no comparator after {}", quote(written)),
    )
    .expected(list_of(field))
    .found(describe(token))
    .maybe_hint(hint)
}

/// A comparator of another language, and what it is called here.
struct Foreign {
    span: Range<usize>,
    message: String,
    hint: String,
}

const REGULAR_EXPRESSION: &str = "regular expressions are matched with `RLIKE`";

fn foreign_sign(sign: &str, field: &Field) -> String {
    match sign {
        "==" | "===" | "<=>" => "write `=`".to_owned(),
        "<>" | "!==" | "!" | "=!" | "~=" => "write `!=`".to_owned(),
        "=>" => "write `>=`".to_owned(),
        "=<" => "write `<=`".to_owned(),
        "~" | "=~" => REGULAR_EXPRESSION.to_owned(),
        "!~" => "regular expressions are ruled out with `NOT RLIKE`".to_owned(),
        _ => format!("write one of {}", list_of(field)),
    }
}

fn foreign_word(parser: &Parser<'_, '_>, token: Token<'_>, written: &str) -> Option<Foreign> {
    let upper = token.text.to_ascii_uppercase();
    let next = parser.peek();
    let alone = |message: String, hint: String| Foreign {
        span: token.span(),
        message,
        hint,
    };
    let missing = format!("there is no comparator {}", quote(token.text));
    Some(match upper.as_str() {
        "NOT" => after_not(parser, token),
        "IS" => Foreign {
            span: token.start..next.end().max(token.end()),
            message: "`IS` compares with `NULL` alone".to_owned(),
            hint: after_is(parser, written),
        },
        "NOTNULL" | "ISNOTNULL" => alone(
            "`IS NOT NULL` is three words".to_owned(),
            "write `IS NOT NULL`".to_owned(),
        ),
        "ISNULL" => alone(
            "`IS NULL` is two words".to_owned(),
            "write `IS NULL`".to_owned(),
        ),
        "REGEXP" | "REGEX" | "MATCHES" | "MATCH" | "SIMILAR" => {
            alone(missing, REGULAR_EXPRESSION.to_owned())
        }
        "CONTAINS" | "HAS" | "INCLUDES" | "STARTSWITH" | "ENDSWITH" | "GLOB" => {
            alone(missing, pattern(&upper, next, written))
        }
        "EQ" | "EQUALS" | "NE" | "LT" | "LE" | "LTE" | "GT" | "GE" | "GTE" => {
            let sign = match upper.as_str() {
                "NE" => "!=",
                "LT" => "<",
                "LE" | "LTE" => "<=",
                "GT" => ">",
                "GE" | "GTE" => ">=",
                _ => "=",
            };
            alone(
                format!("{} is not a comparator", quote(token.text)),
                format!("write `{sign}`"),
            )
        }
        _ => return None,
    })
}

fn after_not(parser: &Parser<'_, '_>, token: Token<'_>) -> Foreign {
    let next = parser.peek();
    let span = token.start..next.end().max(token.end());
    let (message, hint) = if next.is_keyword("NULL") {
        (
            "`IS` is missing before `NOT NULL`".to_owned(),
            "write `IS NOT NULL`",
        )
    } else {
        let found = parser.text[span.clone()].to_ascii_uppercase();
        let hint = match next.text.to_ascii_uppercase().as_str() {
            "REGEXP" | "REGEX" | "MATCHES" | "MATCH" => "write `NOT RLIKE`",
            "CONTAINS" | "HAS" | "INCLUDES" => "write NOT LIKE '%…%'",
            _ => {
                "`NOT` stands before LIKE, ILIKE, RLIKE, IN or BETWEEN, or before the whole condition"
            }
        };
        (format!("there is no comparator {}", quote(&found)), hint)
    };
    Foreign {
        span,
        message,
        hint: hint.to_owned(),
    }
}

fn after_is(parser: &Parser<'_, '_>, written: &str) -> String {
    let (next, after) = (parser.peek(), parser.peek_at(1));
    match next.kind {
        TokenKind::SingleQuoted | TokenKind::DoubleQuoted | TokenKind::Number => {
            format!("write {} = {}", shorten(written), shorten(next.text))
        }
        _ if next.is_keyword("NOT") && after.kind != TokenKind::End => {
            format!("write {} != {}", shorten(written), shorten(after.text))
        }
        _ => "after `IS` comes `NULL` or `NOT NULL`".to_owned(),
    }
}

fn pattern(word: &str, value: Token<'_>, written: &str) -> String {
    let text = match value.kind {
        TokenKind::SingleQuoted | TokenKind::DoubleQuoted => value.unquoted().replace('*', "%"),
        _ => "…".to_owned(),
    };
    let pattern = match word {
        "STARTSWITH" => format!("{text}%"),
        "ENDSWITH" => format!("%{text}"),
        "GLOB" => text,
        _ => format!("%{text}%"),
    };
    format!(
        "write {} LIKE {}",
        shorten(written),
        shorten(&quoted_text(&pattern))
    )
}

/// The comparators of a field for a message: `` `=`, `!=` or `LIKE` ``.
fn list_of(field: &Field) -> String {
    let names: Vec<_> = field
        .comparators()
        .iter()
        .map(|comparator| format!("`{comparator}`"))
        .collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// A comparator that does not go with the field.
pub(in crate::filter) fn unsupported(
    written: &str,
    field: &Field,
    comparator: Comparator,
    span: Range<usize>,
) -> ParseError {
    let hint = match comparator {
        Comparator::In if field.is_numeric() => {
            let written = shorten(written);
            Some(format!("write {written} = … OR {written} = …"))
        }
        Comparator::IsNull | Comparator::IsNotNull => {
            matches!(field, Field::ExecutionTime | Field::EndTime)
                .then(|| "traces that have not ended have `status = 'IN_PROGRESS'`".to_owned())
        }
        _ if comparator.is_order() => Some("only numbers have an order".to_owned()),
        _ if *field == Field::SpanContent => {
            Some("search for a part of the text with `LIKE '%…%'` or `ILIKE '%…%'`".to_owned())
        }
        _ => None,
    };
    ParseError::new(
        Kind::UnsupportedComparator,
        span,
        format!(
            "{} does not work with {}",
            quote(comparator.as_str()),
            quote(written)
        ),
    )
    .expected(list_of(field))
    .maybe_hint(hint)
}
