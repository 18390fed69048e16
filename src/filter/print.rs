//! Prints filters, in the server's dialect where it has what they say: upper-case
//! comparators, one space between tokens, no parentheses that are not needed, and
//! the quoting that the server's tokenizer gets right everywhere.

use std::fmt::{self, Write as _};

use super::ast::{Expr, Filter, Quantifier};
use super::readable;
use super::terms::{Condition, Number, Value};

/// For whom a filter is printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// A server, in its own dialect.
    Server,
    /// People, with units.
    People,
}

/// A filter for people to read, with units and with times as they were written. It
/// reads as the same filter.
#[derive(Clone, Copy)]
pub struct Readable<'a>(&'a Filter);

impl Filter {
    /// The filter as people read it.
    pub fn readable(&self) -> Readable<'_> {
        Readable(self)
    }

    /// Puts conditions into an order that does not depend on how they were written.
    pub(super) fn sort(&mut self) {
        sort(&mut self.conjuncts);
    }
}

fn sort(parts: &mut Vec<Expr>) {
    for part in parts.iter_mut() {
        match part {
            Expr::And(inner) | Expr::Or(inner) => sort(inner),
            Expr::Not(inner) => sort_within(inner),
            Expr::Spans(test) => sort_within(&mut test.expr),
            Expr::Assessed(test) => sort_within(&mut test.expr),
            Expr::Condition(condition) => {
                if let Value::List(texts) = &mut condition.value {
                    texts.sort_unstable();
                    texts.dedup();
                }
            }
        }
    }
    parts.sort_by_cached_key(|part| Text(part, Reader::People).to_string());
    parts.dedup();
}

fn sort_within(expr: &mut Expr) {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => sort(parts),
        Expr::Not(inner) => sort_within(inner),
        Expr::Spans(test) => sort_within(&mut test.expr),
        Expr::Assessed(test) => sort_within(&mut test.expr),
        Expr::Condition(_) => {}
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, self, Reader::Server)
    }
}

impl fmt::Display for Readable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, self.0, Reader::People)
    }
}

fn print(f: &mut fmt::Formatter<'_>, filter: &Filter, reader: Reader) -> fmt::Result {
    // An OR that stands alone needs no parentheses.
    if let [only] = filter.conjuncts.as_slice() {
        return write!(f, "{}", Text(only, reader));
    }
    joined(f, &filter.conjuncts, " AND ", reader)
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Text(self, Reader::Server))
    }
}

struct Text<'a>(&'a Expr, Reader);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(expr, reader) = *self;
        match expr {
            Expr::Condition(condition) if reader == Reader::People => {
                f.write_str(&readable::condition(condition))
            }
            Expr::Condition(condition) => condition.fmt(f),
            // What neither the parser nor `plan` makes, in words that mean the same.
            Expr::And(parts) if parts.is_empty() => f.write_str("spans >= 0"),
            Expr::Or(parts) if parts.is_empty() => f.write_str("spans < 0"),
            Expr::And(parts) => joined(f, parts, " AND ", reader),
            Expr::Or(parts) => joined(f, parts, " OR ", reader),
            Expr::Not(inner) => {
                f.write_str("NOT ")?;
                operand(f, inner, reader)
            }
            Expr::Assessed(test) => {
                write!(f, "{}({})", test.of.word(), Text(&test.expr, reader))
            }
            Expr::Spans(test) => {
                let expr = Text(&test.expr, reader);
                match test.quantifier {
                    Quantifier::Any => write!(f, "any({expr})"),
                    Quantifier::All => write!(f, "all({expr})"),
                    Quantifier::Count(comparator, number) => {
                        write!(f, "count({expr}) {comparator} {number}")
                    }
                }
            }
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Expr], word: &str, reader: Reader) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        match part {
            // AND binds tighter than OR, so only an OR within an AND needs them.
            Expr::And(_) if word == " OR " => write!(f, "{}", Text(part, reader))?,
            _ => operand(f, part, reader)?,
        }
    }
    Ok(())
}

fn operand(f: &mut fmt::Formatter<'_>, expr: &Expr, reader: Reader) -> fmt::Result {
    let text = Text(expr, reader);
    match expr {
        Expr::And(_) | Expr::Or(_) => write!(f, "({text})"),
        _ => write!(f, "{text}"),
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.field, self.comparator, self.value)
    }
}

/// With the space before it, where there is one.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Text(text) => write!(f, " {}", quoted_text(text)),
            Self::Number(number) => write!(f, " {number}"),
            Self::Range(low, high) => write!(f, " {low} AND {high}"),
            Self::Bool(value) => write!(f, " {value}"),
            Self::List(texts) => {
                f.write_str(" (")?;
                for (index, text) in texts.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    f.write_str(&python_text(text))?;
                }
                f.write_str(")")
            }
        }
    }
}

/// Rust's shortest form of a fraction is one that the server reads, too.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value:?}"),
        }
    }
}

/// Text in quotes that it does not hold itself.
pub(super) fn quoted_text(text: &str) -> String {
    if text.contains('\'') {
        format!("\"{text}\"")
    } else {
        format!("'{text}'")
    }
}

/// A member of a list, which the server reads as a Python literal.
///
/// Quotes and backslashes are written as numbers, because the tokenizer that
/// comes first would be led astray by a backslash before a quote.
fn python_text(text: &str) -> String {
    let quote = if text.contains('\'') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str(r"\x5c"),
            c if c == quote => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}
