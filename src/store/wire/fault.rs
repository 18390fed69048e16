//! What is wrong with JSON, and where, without quoting any of it.

use std::fmt;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::flaw::Flaw;

/// Ids are not longer; other texts by that name are no ids.
const LONGEST_ID: usize = 200;

/// Something wrong with JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Fault {
    /// The member that it is about, where that is known.
    pub(in crate::store) member: Option<String>,
    /// What was expected and found, without quoting anything.
    pub(in crate::store) reason: String,
    /// From one; zero where it is not known.
    pub(in crate::store) line: usize,
    /// From one; zero where it is not known.
    pub(in crate::store) column: usize,
    /// Whether the JSON ends too early.
    pub(in crate::store) cut: bool,
    /// Whether this is no JSON, or JSON of a kind in which no traces are.
    pub(in crate::store) is_alien: bool,
    /// Whether what follows is not read either.
    pub(in crate::store) is_end: bool,
}

impl Fault {
    /// What keeps a trace in a text from being read.
    pub(in crate::store) fn of_flaw(flaw: &Flaw, text: &[u8]) -> Self {
        let (lines, column) = flaw.place_in(text);
        Self {
            member: (!flaw.member.is_empty()).then(|| flaw.member.clone()),
            reason: flaw.reason.clone(),
            line: if column > 0 { lines + 1 } else { 0 },
            column,
            cut: flaw.is_cut,
            is_alien: flaw.is_alien && flaw.member.is_empty(),
            is_end: false,
        }
    }

    /// Whether what begins here is something else than traces, and not traces that are
    /// damaged.
    pub(in crate::store) fn begins_otherwise(&self) -> bool {
        self.is_alien && !self.cut && !self.is_end
    }

    /// The words and where, without the member and the line.
    pub(in crate::store) fn message(&self) -> String {
        let mut message = match (self.line, self.column) {
            (_, 0) => self.reason.clone(),
            (0 | 1, column) => format!("{} at column {column}", self.reason),
            (line, column) => format!("{} at line {line} column {column}", self.reason),
        };
        message.push_str(self.loss());
        message
    }

    fn loss(&self) -> &'static str {
        if self.is_end {
            "; nothing after that is read"
        } else {
            ""
        }
    }

    /// The same in a text of which this JSON is a part that begins at a line and,
    /// counted from zero, column.
    pub(in crate::store) fn within(mut self, line: usize, column: usize) -> Self {
        if self.line <= 1 {
            self.column += column;
        }
        self.line = line + self.line.saturating_sub(1);
        self
    }
}

/// `tags: expected keys with text values, found a text at line 2 column 7`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(member) = &self.member {
            write!(f, "{member}: ")?;
        }
        f.write_str(&self.reason)?;
        if self.line > 0 {
            write!(f, " at line {} column {}", self.line, self.column)?;
        }
        f.write_str(self.loss())
    }
}

/// The id of the trace that JSON is about, which may be broken anywhere.
pub(in crate::store) fn trace_id_in(json: &[u8]) -> Option<String> {
    static IDS: LazyLock<[Regex; 2]> = LazyLock::new(|| {
        [
            // What only traces are named like …
            r#""(?:trace_id|request_id)"\s*:\s*"(tr-[^"\\]+|trace:/[^"\\]+)""#,
            // … and where only their ids stand.
            r#"(?:"(?:trace_)?info"\s*:\s*\{\s*"(?:trace_id|request_id)"|"request_id")\s*:\s*"([^"\\]+)""#,
        ]
        .map(|pattern| Regex::new(pattern).expect("a good pattern"))
    });
    let found = IDS.iter().find_map(|ids| ids.captures(json))?;
    let id = std::str::from_utf8(found.get(1)?.as_bytes()).ok()?;
    (id.len() <= LONGEST_ID).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_that_in_the_whole() {
        let fault = |line, column| Fault {
            member: None,
            reason: String::new(),
            line,
            column,
            cut: false,
            is_alien: false,
            is_end: false,
        };
        let first = fault(1, 5).within(7, 10);
        assert_eq!((first.line, first.column), (7, 15));
        let second = fault(2, 6).within(7, 10);
        assert_eq!((second.line, second.column), (8, 6));
    }

    #[test]
    fn ids_are_made_out_of_broken_json() {
        for (json, expected) in [
            (r#"{"info": {"trace_id": "tr-1", "tags": {"#, Some("tr-1")),
            (
                r#"{"data": {"spans": [{"trace_id": "AAA="}]}, "info": {"trace_id": "tr-2""#,
                Some("tr-2"),
            ),
            (r#"{"trace_info":{"trace_id":"mine"}"#, Some("mine")),
            (r#"{"request_id" : "00ff", "status": 7"#, Some("00ff")),
            (r#"{"spans": [{"trace_id": "AAA="}]"#, None),
            ("2026/11/26 WARNING", None),
        ] {
            assert_eq!(trace_id_in(json.as_bytes()).as_deref(), expected, "{json}");
        }
        let long = format!(r#"{{"trace_id":"tr-{}"}}"#, "x".repeat(500));
        assert_eq!(trace_id_in(long.as_bytes()), None);
    }
}
