//! Cuts a filter into tokens. The lexemes joined give back the input, and
//! nothing is an error here: what makes no sense becomes a token of its own
//! kind, so that the parser can say what it found. Strings end where MLflow's
//! SQL tokenizer ends them, because a filter must mean here what it means there.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    Whitespace,
    /// Letters, digits and underscores: a part of a key, or a keyword.
    Word,
    /// A number, with whatever letters stick to it (`2s`, `0x10`).
    Number,
    SingleQuoted,
    DoubleQuoted,
    Backquoted,
    /// A quote that is never closed, up to the end of the input.
    Unterminated,
    /// A run of `=`, `<`, `>`, `!` and `~`.
    Operator,
    Dot,
    Comma,
    OpenParen,
    CloseParen,
    Semicolon,
    Comment,
    /// A character that has no place outside quotes.
    Unknown,
    End,
}

/// A piece of the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: TokenKind,
    pub(super) text: &'t str,
    pub(super) start: usize,
}

impl Token<'_> {
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.start..self.end()
    }

    /// Whether the token is this keyword, in any case.
    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// The text between the quotes, taken as it is.
    pub(super) fn unquoted(&self) -> &str {
        match self.kind {
            TokenKind::SingleQuoted | TokenKind::DoubleQuoted | TokenKind::Backquoted => {
                &self.text[1..self.text.len() - 1]
            }
            _ => self.text,
        }
    }
}

/// All tokens of `text`; an `End` token of no length comes last.
pub(super) fn lex(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    let mut before = TokenKind::Whitespace;
    while let Some(first) = text[start..].chars().next() {
        let (kind, len) = next_token(&text[start..], first, before);
        tokens.push(Token {
            kind,
            text: &text[start..start + len],
            start,
        });
        before = kind;
        start += len;
    }
    tokens.push(Token {
        kind: TokenKind::End,
        text: "",
        start,
    });
    tokens
}

fn next_token(rest: &str, first: char, before: TokenKind) -> (TokenKind, usize) {
    use TokenKind as Kind;
    if is_space(first) {
        return (Kind::Whitespace, len_while(rest, is_space));
    }
    if let Some(len) = comment(rest) {
        return (Kind::Comment, len);
    }
    // After a word comes a dot, and after a dot a word, even if digits follow.
    let within_key = before == Kind::Dot
        || (first == '.' && matches!(before, Kind::Word | Kind::Backquoted | Kind::DoubleQuoted));
    if !within_key && let Some(len) = number(rest) {
        return (Kind::Number, len);
    }
    if is_word(first) {
        return (Kind::Word, len_while(rest, is_word));
    }
    match first {
        '\'' | '"' | '`' => match quoted_len(rest) {
            Some(len) => match first {
                '\'' => (Kind::SingleQuoted, len),
                '"' => (Kind::DoubleQuoted, len),
                _ => (Kind::Backquoted, len),
            },
            None => (Kind::Unterminated, rest.len()),
        },
        '=' | '<' | '>' | '!' | '~' => (
            Kind::Operator,
            len_while(rest, |c| matches!(c, '=' | '<' | '>' | '!' | '~')),
        ),
        '.' => (Kind::Dot, 1),
        ',' => (Kind::Comma, 1),
        '(' => (Kind::OpenParen, 1),
        ')' => (Kind::CloseParen, 1),
        ';' => (Kind::Semicolon, 1),
        '&' | '|' => (Kind::Unknown, len_while(rest, |c| c == first)),
        _ => (Kind::Unknown, first.len_utf8()),
    }
}

/// What separates tokens: Unicode spaces, and the four separators that Python counts as such.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// What a key may hold without quotes.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn len_while(text: &str, keep: impl Fn(char) -> bool) -> usize {
    text.find(|c| !keep(c)).unwrap_or(text.len())
}

fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("--") || rest.starts_with("# ") {
        return Some(rest.find(['\n', '\r']).unwrap_or(rest.len()));
    }
    let inner = rest.strip_prefix("/*")?;
    Some(inner.find("*/").map_or(rest.len(), |end| end + 4))
}

fn number(rest: &str) -> Option<usize> {
    let digits = |text: &str| len_while(text, |c| c.is_ascii_digit());
    let mut len = usize::from(rest.starts_with(['+', '-']));
    let whole = digits(&rest[len..]);
    len += whole;
    let mut fraction = 0;
    if rest[len..].starts_with('.') {
        fraction = digits(&rest[len + 1..]);
        len += 1 + fraction;
    }
    if whole + fraction == 0 {
        return None;
    }
    if rest[len..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[len + 1..].starts_with(['+', '-']));
        let exponent = digits(&rest[len + 1 + sign..]);
        if exponent > 0 {
            len += 1 + sign + exponent;
        }
    }
    Some(len + len_while(&rest[len..], is_word))
}

/// The length of the quoted text that `rest` starts with, or `None` when it is never closed.
///
/// A doubled quote does not end the text, and neither does one after a
/// backslash, unless the text could not end otherwise: the tokenizer is a
/// regular expression that gives way when it runs into the end of the input.
fn quoted_len(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let quote = bytes[0];
    let escapes = quote != b'`';
    let mut fallback = None;
    let mut at = 1;
    while at < bytes.len() {
        let next_is_quote = bytes.get(at + 1) == Some(&quote);
        match bytes[at] {
            byte if byte == quote && next_is_quote => {
                fallback = Some(at + 1);
                at += 2;
            }
            byte if byte == quote => return Some(at + 1),
            b'\\' if escapes && next_is_quote => {
                fallback = Some(at + 2);
                at += 2;
            }
            _ => at += 1,
        }
    }
    fallback
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(TokenKind, &str)> {
        lex(text)
            .into_iter()
            .filter(|t| !matches!(t.kind, TokenKind::Whitespace | TokenKind::End))
            .map(|t| (t.kind, t.text))
            .collect()
    }

    #[test]
    fn strings_end_where_the_server_ends_them() {
        use TokenKind::*;
        assert_eq!(kinds(r"'it''s'"), [(SingleQuoted, r"'it''s'")]);
        assert_eq!(kinds(r"'it\'s'"), [(SingleQuoted, r"'it\'s'")]);
        assert_eq!(kinds(r"'C:\'"), [(SingleQuoted, r"'C:\'")]);
        assert_eq!(kinds(r"'a\' 'b"), [(SingleQuoted, r"'a\' '"), (Word, "b")]);
        assert_eq!(kinds("'a''"), [(SingleQuoted, "'a'"), (Unterminated, "'")]);
        assert_eq!(kinds("''"), [(SingleQuoted, "''")]);
        assert_eq!(kinds("`a``b`"), [(Backquoted, "`a``b`")]);
        assert_eq!(kinds(r"`a\`"), [(Backquoted, r"`a\`")]);
    }

    #[test]
    fn numbers_keep_what_sticks_to_them() {
        use TokenKind::*;
        for text in [
            "5", "-5", "5.", ".5", "-.5", "1e3", "1.5E-7", "1E+3", "2s", "0x10", "1_000",
        ] {
            assert_eq!(kinds(text), [(Number, text)]);
        }
        assert_eq!(kinds("tags.1x"), [(Word, "tags"), (Dot, "."), (Word, "1x")]);
        assert_eq!(kinds("tags.1.5")[3..], [(Dot, "."), (Word, "5")]);
        assert_eq!(kinds("a-1"), [(Word, "a"), (Number, "-1")]);
    }
}
