//! Regular expressions for other engines than Python's: those that mean the same there,
//! or what means the same. `PostgreSQL` has an engine of its own, and `MySQL` and `MariaDB`
//! look at bytes; what either might read in another way is left to this program.

use std::iter::Peekable;
use std::str::Chars;

use super::backend::Backend;

/// The same pattern for a database, where there is such a one. Patterns that Python
/// refuses have none.
pub(super) fn portable(pattern: &str, backend: Backend) -> Option<String> {
    let mut writer = Writer {
        chars: pattern.chars().peekable(),
        out: String::with_capacity(pattern.len() + 8),
        is_postgres: match backend {
            Backend::Postgres => true,
            Backend::Mysql => false,
            _ => return None,
        },
        before: Before::Nothing,
        open: Vec::new(),
        captures: 0,
        has: Has::default(),
    };
    while let Some(c) = writer.chars.next() {
        writer.next(c)?;
    }
    // Engines differ in what a group is that took no part, and in groups of a look around.
    let is_plain = !writer.has.references || !(writer.has.looks_around || writer.has.choices);
    // Some want a pattern to be there.
    let is_there = writer.is_postgres || !writer.out.is_empty();
    (writer.open.is_empty() && is_plain && is_there).then_some(writer.out)
}

struct Writer<'p> {
    chars: Peekable<Chars<'p>>,
    out: String,
    is_postgres: bool,
    before: Before,
    /// The groups that are open: whether each looks around.
    open: Vec<bool>,
    captures: usize,
    has: Has,
}

/// What a pattern has so far.
#[derive(Default)]
struct Has {
    looks_around: bool,
    choices: bool,
    references: bool,
}

/// What a repetition would repeat.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Atom,
    /// Several bytes, and one character.
    Character,
}

impl Writer<'_> {
    fn next(&mut self, c: char) -> Option<()> {
        match c {
            '\\' => self.escape()?,
            '[' => self.class()?,
            '(' => self.group()?,
            ')' => {
                let looked_around = self.open.pop()?;
                self.put(
                    ")",
                    if looked_around {
                        Before::Nothing
                    } else {
                        Before::Atom
                    },
                );
            }
            '|' => {
                self.has.choices = true;
                self.put("|", Before::Nothing);
            }
            '^' => self.put("^", Before::Nothing),
            // The other engine's end is not before a last line feed.
            '$' if self.is_postgres => self.put(r"(?=\n?\Z)", Before::Nothing),
            '.' if self.is_postgres => self.put(r"[^\n]", Before::Atom),
            '*' | '+' | '?' => {
                self.has.choices |= c != '+';
                self.repetition(c.encode_utf8(&mut [0; 4]))?;
            }
            '{' => self.counted()?,
            '$' | '.' | ']' | '}' | '\0' => return None,
            c => self.literal(c),
        }
        Some(())
    }

    fn put(&mut self, text: &str, before: Before) {
        self.out.push_str(text);
        self.before = before;
    }

    fn literal(&mut self, c: char) {
        let before = if c.is_ascii() || self.is_postgres {
            Before::Atom
        } else {
            Before::Character
        };
        self.put(c.encode_utf8(&mut [0; 4]), before);
    }

    fn escape(&mut self) -> Option<()> {
        match self.chars.next()? {
            'A' => self.put(r"\A", Before::Nothing),
            'Z' if self.is_postgres => self.put(r"\Z", Before::Nothing),
            'Z' => self.put(r"\z", Before::Nothing),
            'u' => {
                let digits: String = self.chars.by_ref().take(4).collect();
                let is_hex = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                let c = is_hex.then(|| u32::from_str_radix(&digits, 16).ok())??;
                let c = char::from_u32(c).filter(|c| *c != '\0')?;
                if c.is_ascii_punctuation() {
                    self.out.push('\\');
                }
                self.literal(c);
            }
            c @ '1'..='9' => {
                let number = c.to_digit(10)? as usize;
                let is_longer = self.chars.peek().is_some_and(char::is_ascii_digit);
                if number > self.captures || !self.open.is_empty() || is_longer {
                    return None;
                }
                self.has.references = true;
                self.out.push('\\');
                self.put(c.encode_utf8(&mut [0; 4]), Before::Nothing);
            }
            c if c.is_ascii_punctuation() && c != '_' => {
                self.out.push('\\');
                self.literal(c);
            }
            _ => return None,
        }
        Some(())
    }

    fn group(&mut self) -> Option<()> {
        let looks_around = match self.chars.next_if_eq(&'?') {
            None => {
                self.captures += 1;
                self.out.push('(');
                false
            }
            Some(_) => match (self.chars.next()?, self.chars.peek()) {
                (':', _) => {
                    self.out.push_str("(?:");
                    false
                }
                ('P', Some('<')) => {
                    let mut name = self.chars.by_ref().skip(1).take_while(|c| *c != '>');
                    let is_name = name.next().is_some_and(|c| c.is_ascii_alphabetic())
                        && name.all(|c| c.is_ascii_alphanumeric() || c == '_');
                    if !is_name {
                        return None;
                    }
                    self.captures += 1;
                    self.out.push('(');
                    false
                }
                (c @ ('=' | '!'), _) => {
                    self.out.extend(['(', '?', c]);
                    true
                }
                ('<', Some(&c @ ('=' | '!'))) => {
                    self.chars.next();
                    self.out.extend(['(', '?', '<', c]);
                    true
                }
                _ => return None,
            },
        };
        self.has.looks_around |= looks_around;
        self.open.push(looks_around);
        self.before = Before::Nothing;
        Some(())
    }

    /// How often something is repeated. Whether it is as often or as seldom as possible
    /// does not change what there is to be found.
    fn repetition(&mut self, times: &str) -> Option<()> {
        let is_more = matches!(self.chars.peek(), Some('*' | '+' | '{'));
        if self.before != Before::Atom || is_more {
            return None;
        }
        self.chars.next_if_eq(&'?');
        if matches!(self.chars.peek(), Some('*' | '+' | '?' | '{')) {
            return None;
        }
        self.put(times, Before::Nothing);
        Some(())
    }

    fn counted(&mut self) -> Option<()> {
        let mut times = String::new();
        loop {
            match self.chars.next()? {
                '}' => break,
                c => times.push(c),
            }
        }
        let (low, high) = times.split_once(',').unwrap_or((&times, &times));
        let number = |text: &str| text.parse::<u8>().ok().filter(|_| !text.starts_with('+'));
        let low = number(low)?;
        if !high.is_empty() && number(high)? < low {
            return None;
        }
        self.has.choices |= low == 0;
        self.repetition(&format!("{{{times}}}"))
    }

    /// A set of characters that are named one by one, or letters and digits from one to
    /// another.
    fn class(&mut self) -> Option<()> {
        let mut out = "[".to_owned();
        if self.chars.next_if_eq(&'^').is_some() {
            if !self.is_postgres {
                return None;
            }
            out.push('^');
        }
        let mut is_empty = true;
        loop {
            match self.chars.next()? {
                ']' if is_empty => return None,
                ']' => break,
                '\\' => match self.chars.next()? {
                    c if c.is_ascii_punctuation() && c != '_' => out.extend(['\\', c]),
                    _ => return None,
                },
                c if c.is_ascii_alphanumeric() => {
                    out.push(c);
                    if self.chars.next_if_eq(&'-').is_some() {
                        let end = self.chars.next().filter(char::is_ascii_alphanumeric)?;
                        if end < c {
                            return None;
                        }
                        out.extend(['-', end]);
                    }
                }
                c @ ('_' | ' ' | '.' | ',' | ':' | ';' | '/' | '@' | '%' | '#' | '!' | '='
                | '<' | '>' | '"' | '\'' | '(' | ')' | '+' | '*' | '?') => out.push(c),
                c if self.is_postgres && c.is_alphabetic() => out.push(c),
                _ => return None,
            }
            is_empty = false;
        }
        out.push(']');
        self.put(&out, Before::Atom);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_is_sent_and_nothing_else() {
        for (pattern, postgres, mysql) in [
            ("^check", Some("^check"), Some("^check")),
            ("check|tie", Some("check|tie"), Some("check|tie")),
            (r"a\.b\-c", Some(r"a\.b\-c"), Some(r"a\.b\-c")),
            (
                "^[a-c1]+x{2,3}?y*$",
                Some(r"^[a-c1]+x{2,3}y*(?=\n?\Z)"),
                None,
            ),
            (r"^(?:a|é)\Z", Some(r"^(?:a|é)\Z"), Some(r"^(?:a|é)\z")),
            ("é+", Some("é+"), None),
            ("[é]", Some("[é]"), None),
            ("a.b", Some(r"a[^\n]b"), None),
            (r"(.)\1", Some(r"([^\n])\1"), None),
            (r"(a)\1", Some(r"(a)\1"), Some(r"(a)\1")),
            (r"(a)?\1", None, None),
            (r"(a|b)(?=c)\1", None, None),
            ("^(?!tie)", Some("^(?!tie)"), Some("^(?!tie)")),
            ("(?<=c)h", Some("(?<=c)h"), Some("(?<=c)h")),
            ("(?P<x>c)h", Some("(c)h"), Some("(c)h")),
            (r"it\u0027s", Some(r"it\'s"), Some(r"it\'s")),
            (r"\u65e5+", Some("日+"), None),
            ("", Some(""), None),
        ] {
            assert_eq!(
                portable(pattern, Backend::Postgres).as_deref(),
                postgres,
                "{pattern}"
            );
            assert_eq!(
                portable(pattern, Backend::Mysql).as_deref(),
                mysql,
                "{pattern}"
            );
        }
    }

    #[test]
    fn what_engines_read_otherwise_and_what_python_refuses_stays_here() {
        for pattern in [
            r"\bout\b",
            r"\d",
            r"\w+",
            r"\s",
            "(?i)a",
            "(?m)^a",
            "(?s)a",
            "[[:alpha:]]",
            "[^",
            "(",
            "[a-",
            "a{2,1}",
            "a)",
            "*a",
            "a**",
            "a++",
            "^*",
            "(?=a)*",
            "[z-a]",
            "[]",
            "a{",
            "a{x}",
            r"\q",
            "\\",
            "[a-é]",
            "[a&&b]",
            "(?P<>a)",
            "(?P=x)",
            "(?#x)",
            "(?>a)",
            r"\10",
            "]",
            "}",
            "***a",
            "a{,2}",
            "a{300}",
        ] {
            assert_eq!(portable(pattern, Backend::Postgres), None, "{pattern}");
            assert_eq!(portable(pattern, Backend::Mysql), None, "{pattern}");
        }
        assert_eq!(portable("[^a]", Backend::Mysql), None, "it is a byte there");
    }
}
