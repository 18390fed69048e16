//! Mistakes on the left of the comparator.

use std::ops::Range;

use super::super::error::{ParseError, ParseErrorKind as Kind, quote, shorten};
use super::super::lexer::{Token, TokenKind, is_word};
use super::super::parser::Parser;
use super::super::print::quoted_text;
use super::{describe, unclosed};
use crate::field::quoted_key;
use crate::field::suggest;

/// What stands where a key should.
pub(in crate::filter) fn expected_key(parser: &Parser<'_, '_>, token: Token<'_>) -> ParseError {
    if token.kind == TokenKind::Unterminated {
        return unclosed(token);
    }
    let error = ParseError::new(
        Kind::ExpectedKey,
        token.span(),
        format!("{} is not a key", describe(token)),
    )
    .expected("a key")
    .found(describe(token));
    let is_value = matches!(token.kind, TokenKind::SingleQuoted | TokenKind::Number);
    if !is_value {
        return match token.text {
            "‘" | "’" | "“" | "”" | "´" => {
                error.hint("use straight quotes, and none round the key")
            }
            "$" | "@" | ":" | "?" => error.hint("the key goes without any sign before it"),
            "{" => error.hint("a filter is not JSON: write `status = 'OK'`"),
            _ => error,
        };
    }
    let name = token.unquoted();
    if suggest::is_bare(name) || name.contains('.') {
        return error.hint(format!("keys go without quotes: {}", quote(name)));
    }
    if parser.peek().kind == TokenKind::Operator {
        return error.hint("the key comes first: `status = 'OK'`");
    }
    error
}

/// A dot with nothing to go with it.
pub(in crate::filter) fn after_dot(
    parser: &Parser<'_, '_>,
    first: Token<'_>,
    dot: Token<'_>,
) -> ParseError {
    let token = parser.peek();
    if token.kind == TokenKind::Unterminated {
        return unclosed(token);
    }
    if parser.is_adjacent() && token.kind != TokenKind::End {
        let span = first.start..sticky_end(parser.text, token.start);
        return needs_quotes(parser.text, span);
    }
    let error = ParseError::new(Kind::BadKey, dot.span(), "there is no key after the dot")
        .expected("a key")
        .found(describe(token));
    if matches!(token.kind, TokenKind::Word | TokenKind::Backquoted) {
        return error.hint("write the key without a space after the dot");
    }
    error
}

/// Something that sticks to a key and cannot be part of it without quotes.
pub(in crate::filter) fn after_key(
    parser: &Parser<'_, '_>,
    parts: &[Token<'_>],
) -> Option<ParseError> {
    let first = parts[0];
    let token = parser.peek();
    let sticks = parser.is_adjacent()
        && matches!(
            token.kind,
            TokenKind::Unknown
                | TokenKind::Number
                | TokenKind::Word
                | TokenKind::Backquoted
                | TokenKind::Comment
        )
        && !token.text.starts_with(['&', '|'])
        // After a closing quote, a comparator needs no space.
        && !(token.kind == TokenKind::Word && is_comparator_word(token.text));
    if sticks {
        if token.text == ":" && parts.len() == 1 {
            return Some(colon(parser, first, token));
        }
        let span = first.start..sticky_end(parser.text, token.start);
        return Some(needs_quotes(parser.text, span));
    }
    // `tags.team name = 'x'`
    let spaced = parts.len() > 1
        && token.kind == TokenKind::Word
        && parser.peek_at(1).kind == TokenKind::Operator
        && !is_comparator_word(token.text);
    if spaced {
        return Some(needs_quotes(parser.text, first.start..token.end()));
    }
    // `tags .team = 'x'`
    if token.kind == TokenKind::Dot {
        return Some(
            ParseError::new(
                Kind::BadKey,
                token.span(),
                "there is a space before the dot",
            )
            .hint("write the key without spaces round the dot"),
        );
    }
    None
}

fn is_comparator_word(word: &str) -> bool {
    [
        "LIKE", "ILIKE", "RLIKE", "IN", "IS", "NOT", "REGEXP", "BETWEEN", "CONTAINS",
    ]
    .iter()
    .any(|keyword| keyword.eq_ignore_ascii_case(word))
}

/// Where a key ends that should have been quoted: at a space or a comparator.
fn sticky_end(text: &str, from: usize) -> usize {
    text[from..]
        .find(|c: char| {
            c.is_whitespace() || matches!(c, '=' | '<' | '>' | '!' | '~' | '(' | ')' | '\'' | '"')
        })
        .map_or(text.len(), |len| from + len)
        .max(from)
}

fn needs_quotes(text: &str, span: Range<usize>) -> ParseError {
    let whole = &text[span.clone()];
    let unusual = whole
        .chars()
        .find(|c| !is_word(*c) && !matches!(c, '.' | '`' | '"'));
    let message = match unusual {
        Some(' ') => format!("the key {} has a space in it", quote(whole)),
        Some(c) => format!(
            "the key {} has a {} in it",
            quote(whole),
            quote(&c.to_string())
        ),
        None => format!("the key {} needs quotes", quote(whole)),
    };
    let error =
        ParseError::new(Kind::KeyNeedsQuotes, span, message).expected("back quotes round it");
    let bare = whole.replace(['`', '"'], "");
    match bare.split_once('.') {
        Some((entity, rest)) if suggest::entity(entity) == Some(entity) => {
            let (entity, rest) = match rest.strip_prefix("attributes.") {
                Some(attribute) if entity == "span" => ("span.attributes", attribute),
                _ => (entity, rest),
            };
            let name = quoted_key(rest).unwrap_or_else(|| rest.to_owned());
            error.hint(format!("write {entity}.{}", shorten(&name)))
        }
        _ => {
            let meant = bare.replace('-', "_").to_ascii_lowercase();
            if let Some(hint) = suggest::attribute_hint(&meant) {
                return error.hint(hint);
            }
            let name = quoted_key(&bare).unwrap_or(bare);
            error.hint(format!("a tag is written tags.{}", shorten(&name)))
        }
    }
}

/// `tag:x` and `status:ERROR`, as other search boxes have it.
fn colon(parser: &Parser<'_, '_>, first: Token<'_>, colon: Token<'_>) -> ParseError {
    let word = first.unquoted();
    let end = sticky_end(parser.text, colon.start);
    let rest = &parser.text[colon.end()..end];
    let error = ParseError::new(
        Kind::ForeignComparator,
        colon.span(),
        "a colon is not a comparator",
    )
    .expected("a comparator")
    .found("`:`");
    if matches!(
        word,
        "tag" | "tags" | "metadata" | "span" | "feedback" | "expectation"
    ) {
        let name = quoted_key(rest).unwrap_or_else(|| rest.to_owned());
        let entity = if word == "tag" { "tags" } else { word };
        return error.hint(format!(
            "keys are written with a dot: {entity}.{}",
            shorten(&name)
        ));
    }
    let value = if rest.is_empty() { "…" } else { rest };
    error.hint(format!(
        "write {} = {}",
        shorten(word),
        shorten(&quoted_text(value))
    ))
}

/// Quotes round the dot as well.
pub(in crate::filter) fn quoted_whole_key(token: Token<'_>) -> ParseError {
    let whole = token.unquoted();
    let error = ParseError::new(
        Kind::BadKey,
        token.span(),
        "the quotes go round the dot as well",
    )
    .expected("quotes after the dot only");
    match whole.split_once('.') {
        Some((entity, rest)) if suggest::ENTITIES.contains(&entity) => {
            let name = quoted_key(rest).unwrap_or_else(|| rest.to_owned());
            error.hint(format!("write {entity}.{}", shorten(&name)))
        }
        _ => error.hint(format!("a tag is written tags.{}", shorten(token.text))),
    }
}

/// Quotes round one part of several.
pub(in crate::filter) fn partly_quoted(parser: &Parser<'_, '_>, parts: &[Token<'_>]) -> ParseError {
    let last = parts[parts.len() - 1];
    let span = parts[1].start..last.end();
    let entity = parts[0].unquoted();
    let names: Vec<_> = parts[1..].iter().map(Token::unquoted).collect();
    let name = match names.as_slice() {
        ["attributes", rest @ ..] if entity == "span" => format!("attributes.`{}`", rest.join(".")),
        names => format!("`{}`", names.join(".")),
    };
    ParseError::new(
        Kind::BadKey,
        span.clone(),
        format!("only a part of {} is in quotes", quote(&parser.text[span])),
    )
    .expected("quotes round the whole key after the first dot")
    .hint(format!("write {entity}.{}", shorten(&name)))
}
