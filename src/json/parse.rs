//! From a text to the places of its values.

use std::borrow::Cow;

use super::{Item, Kind, Tape};

/// Why a text is no JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What was expected.
    pub(crate) reason: &'static str,
    /// Where, in bytes.
    pub(crate) offset: usize,
    /// The text ends too early.
    pub(crate) is_cut: bool,
}

/// Takes the value apart that begins at `from`, and says where it ends.
///
/// # Errors
/// What is no JSON, with its place.
pub(crate) fn parse_at(text: &[u8], from: usize) -> Result<(Tape<'_>, usize), Trouble> {
    let mut parser = Parser {
        text,
        at: from,
        items: Vec::new(),
        open: Vec::new(),
    };
    parser.document()?;
    let Parser { at, items, .. } = parser;
    Ok((Tape { text, items }, at))
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    items: Vec<Item>,
    /// The lists and objects that have not ended.
    open: Vec<usize>,
}

impl Parser<'_> {
    fn document(&mut self) -> Result<(), Trouble> {
        loop {
            if self.value()? {
                // A list or an object has begun, and is not empty.
                if self.is_in_object() {
                    self.key()?;
                }
                continue;
            }
            loop {
                let Some(container) = self.open.last().copied() else {
                    return Ok(());
                };
                let is_object = self.items[container].kind == Kind::Object;
                match (self.peek()?, is_object) {
                    (b',', true) => {
                        self.at += 1;
                        self.key()?;
                        break;
                    }
                    (b',', false) => {
                        self.at += 1;
                        break;
                    }
                    (b'}', true) | (b']', false) => self.close(),
                    (_, true) => return Err(self.wrong("expected `,` or `}`")),
                    (_, false) => return Err(self.wrong("expected `,` or `]`")),
                }
            }
        }
    }

    fn is_in_object(&self) -> bool {
        self.open
            .last()
            .is_some_and(|at| self.items[*at].kind == Kind::Object)
    }

    /// One value, or the beginning of one: whether there is something within it to read.
    fn value(&mut self) -> Result<bool, Trouble> {
        let first = self.peek()?;
        let start = self.at;
        let kind = match first {
            b'{' | b'[' => {
                let (kind, end) = if first == b'{' {
                    (Kind::Object, b'}')
                } else {
                    (Kind::List, b']')
                };
                self.open.push(self.items.len());
                self.push(kind, start);
                self.at += 1;
                if self.peek()? == end {
                    self.close();
                    return Ok(false);
                }
                return Ok(true);
            }
            b'"' => return self.text().map(|()| false),
            b'n' => self.word(b"null", Kind::Null)?,
            b't' => self.word(b"true", Kind::True)?,
            b'f' => self.word(b"false", Kind::False)?,
            b'N' => self.word(b"NaN", Kind::Number)?,
            b'I' => self.word(b"Infinity", Kind::Number)?,
            b'-' | b'0'..=b'9' => self.number()?,
            _ => return Err(self.wrong("expected a value")),
        };
        self.push(kind, start);
        Ok(false)
    }

    fn key(&mut self) -> Result<(), Trouble> {
        if self.peek()? != b'"' {
            return Err(self.wrong("expected a key"));
        }
        self.text()?;
        if self.peek()? != b':' {
            return Err(self.wrong("expected `:`"));
        }
        self.at += 1;
        Ok(())
    }

    fn text(&mut self) -> Result<(), Trouble> {
        let start = self.at;
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let Some(ahead) = rest.iter().position(|b| matches!(b, b'"' | b'\\' | b'\n')) else {
                return Err(self.cut());
            };
            self.at += ahead;
            match self.text[self.at] {
                b'"' => break,
                b'\\' if self.at + 1 < self.text.len() => self.escape()?,
                b'\\' => return Err(self.cut()),
                _ => {
                    self.at += 1;
                    return Err(self.wrong("a text goes over the end of the line"));
                }
            }
        }
        self.at += 1;
        self.push(Kind::Text, start);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Trouble> {
        match self.text[self.at + 1] {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.at += 2;
                Ok(())
            }
            b'u' => {
                let digits = &self.text[self.at + 2..self.text.len().min(self.at + 6)];
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(self.wrong("invalid escape"));
                }
                if digits.len() < 4 {
                    return Err(self.cut());
                }
                self.at += 6;
                Ok(())
            }
            _ => Err(self.wrong("invalid escape")),
        }
    }

    fn word(&mut self, word: &'static [u8], kind: Kind) -> Result<Kind, Trouble> {
        let rest = &self.text[self.at..];
        if rest.starts_with(word) {
            self.at += word.len();
            return Ok(kind);
        }
        if word.starts_with(rest) {
            return Err(self.cut());
        }
        Err(self.wrong("expected a value"))
    }

    fn number(&mut self) -> Result<Kind, Trouble> {
        if self.text[self.at] == b'-' {
            self.at += 1;
            if self.text.get(self.at) == Some(&b'I') {
                return self.word(b"Infinity", Kind::Number);
            }
        }
        let is_zero = self.text.get(self.at) == Some(&b'0');
        let whole = self.digits()?;
        if is_zero && whole > 1 {
            return Err(self.wrong("invalid number"));
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.text.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.text.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Kind::Number)
    }

    /// At least one.
    fn digits(&mut self) -> Result<usize, Trouble> {
        let rest = &self.text[self.at..];
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        match (count, rest.is_empty()) {
            (0, true) => Err(self.cut()),
            (0, false) => Err(self.wrong("invalid number")),
            _ => Ok(count),
        }
    }

    fn push(&mut self, kind: Kind, start: usize) {
        let next = self.items.len() + 1;
        self.items.push(Item {
            kind,
            start,
            end: self.at,
            next,
        });
    }

    fn close(&mut self) {
        self.at += 1;
        if let Some(container) = self.open.pop() {
            let next = self.items.len();
            let item = &mut self.items[container];
            (item.end, item.next) = (self.at, next);
        }
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Result<u8, Trouble> {
        let rest = &self.text[self.at..];
        let spaces = rest
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
            .count();
        self.at += spaces;
        self.text.get(self.at).copied().ok_or_else(|| self.cut())
    }

    fn wrong(&self, reason: &'static str) -> Trouble {
        Trouble {
            reason,
            offset: self.at,
            is_cut: false,
        }
    }

    fn cut(&self) -> Trouble {
        Trouble {
            reason: "the text ends within a value",
            offset: self.text.len(),
            is_cut: true,
        }
    }
}

/// What stands between the quotes of a text; what is no character becomes U+FFFD.
pub(super) fn unescape(raw: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(raw);
    if !text.contains('\\') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest: &str = &text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        rest = rest.get(at + 2..).unwrap_or_default();
        match escape {
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'u' => {
                let first = unit(rest);
                rest = rest.get(4..).unwrap_or_default();
                let second = rest.strip_prefix("\\u").map(unit);
                let pair = second.and_then(|second| {
                    char::decode_utf16([first, second])
                        .next()
                        .and_then(Result::ok)
                });
                match pair {
                    Some(c) => {
                        out.push(c);
                        if c.len_utf16() == 2 {
                            rest = rest.get(6..).unwrap_or_default();
                        }
                    }
                    None => out.push(
                        char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER),
                    ),
                }
            }
            other => out.push(char::from(other)),
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn unit(digits: &str) -> u16 {
    digits
        .get(..4)
        .and_then(|digits| u16::from_str_radix(digits, 16).ok())
        .unwrap_or(0xfffd)
}
