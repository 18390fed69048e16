//! Prints filters, in the server's dialect where it has what they say: upper-case
//! comparators, one space between tokens, no parentheses that are not needed, and
//! the quoting that the server's tokenizer gets right everywhere.

use std::fmt::{self, Write as _};

use super::ast::{Expr, Filter, Quantifier};
use super::readable;
use super::terms::{Condition, Field, Number, Value};

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
        write!(f, "{} {}", self.field, self.comparator)?;
        match &self.value {
            Value::None => Ok(()),
            Value::Text(text) => write!(f, " {}", quoted_text(text)),
            Value::Number(number) => write!(f, " {number}"),
            Value::Range(low, high) => write!(f, " {low} AND {high}"),
            Value::Bool(value) => write!(f, " {value}"),
            Value::List(texts) => {
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

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("status"),
            Self::RequestId => f.write_str("request_id"),
            Self::ClientRequestId => f.write_str("client_request_id"),
            Self::Timestamp => f.write_str("timestamp_ms"),
            Self::ExecutionTime => f.write_str("execution_time_ms"),
            Self::EndTime => f.write_str("end_time_ms"),
            Self::Name => f.write_str("name"),
            Self::RunId => f.write_str("run_id"),
            Self::Prompt => f.write_str("prompt"),
            Self::Tag(key) => write!(f, "tags.{}", key_text(key)),
            Self::Metadata(key) => write!(f, "metadata.{}", key_text(key)),
            Self::SpanName => f.write_str("span.name"),
            Self::SpanType => f.write_str("span.type"),
            Self::SpanStatus => f.write_str("span.status"),
            Self::SpanContent => f.write_str("span.content"),
            Self::SpanAttribute(key) => f.write_str(&span_attribute(key)),
            Self::Feedback(key) => write!(f, "feedback.{}", key_text(key)),
            Self::Expectation(key) => write!(f, "expectation.{}", key_text(key)),
            Self::IssueId => f.write_str("issue.id"),
            Self::Experiment => f.write_str("experiment"),
            Self::Tokens => f.write_str("tokens"),
            Self::InputTokens => f.write_str("input_tokens"),
            Self::OutputTokens => f.write_str("output_tokens"),
            Self::Cost => f.write_str("cost"),
            Self::SpanCount => f.write_str("spans"),
            Self::SpanDuration => f.write_str("span.duration"),
            Self::SpanError => f.write_str("span.error"),
            Self::SpanModel => f.write_str("span.model"),
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

/// A key as it stands after the dot; what cannot be quoted cannot be in a condition.
fn key_text(key: &str) -> String {
    quoted_key(key).unwrap_or_else(|| format!("`{key}`"))
}

/// A key in the quotes it needs, or `None` when no quotes will do.
pub(super) fn quoted_key(key: &str) -> Option<String> {
    if is_plain(key) {
        return Some(key.to_owned());
    }
    if !key.contains('`') {
        return Some(format!("`{key}`"));
    }
    // The server takes back quotes off what was inside other quotes, too.
    if key.starts_with('`') && key.ends_with('`') || key.ends_with('\\') {
        return None;
    }
    if !key.contains('"') {
        return Some(format!("\"{key}\""));
    }
    (!key.contains('\'')).then(|| format!("'{key}'"))
}

fn span_attribute(key: &str) -> String {
    match quoted_key(key) {
        Some(quoted) if quoted == key || quoted.starts_with('`') => {
            format!("span.attributes.{quoted}")
        }
        // Other quotes than back quotes must go round the whole key.
        Some(quoted) => {
            let quote = &quoted[..1];
            format!("span.{quote}attributes.{key}{quote}")
        }
        None => format!("span.attributes.`{key}`"),
    }
}

/// Whether a key needs no quotes. Words that the tokenizer takes for keywords
/// even after a dot need them, and so does whatever starts unlike a name.
fn is_plain(key: &str) -> bool {
    const KEYWORDS: [&str; 6] = ["CASE", "IN", "VALUES", "USING", "FROM", "AS"];
    key.split('.').all(|part| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !KEYWORDS.iter().any(|k| k.eq_ignore_ascii_case(part))
    })
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
