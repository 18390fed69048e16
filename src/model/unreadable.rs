//! Traces that are there and cannot be read: which they are, where they stand,
//! and what is wrong with them, in words that quote nothing of what is in them.

use std::fmt;

/// A trace that cannot be read. At least one of id and file is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Unreadable {
    /// Its id, as far as it could be made out.
    pub trace_id: Option<String>,
    /// The file that it is in.
    pub file: Option<String>,
    /// Its line there, counted from one.
    pub line: Option<usize>,
    /// The member that is not what it should be, as in `info.tags` or
    /// `spans[3].start_time_unix_nano`.
    pub member: Option<String>,
    /// What is wrong, in lower case.
    pub message: String,
}

impl Unreadable {
    /// The trace with this id.
    pub fn trace(id: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            trace_id: Some(id.into()),
            file: None,
            line: None,
            member: None,
            message: message.into(),
        }
    }

    /// With its id, where it was not known.
    #[must_use]
    pub fn of_trace(mut self, id: &str) -> Self {
        if self.trace_id.is_none() && !id.is_empty() {
            self.trace_id = Some(id.to_owned());
        }
        self
    }
}

/// `tr-1, line 2 of traces.jsonl: info.tags: expected keys with text values`.
impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match (&self.file, self.line) {
            (Some(file), Some(line)) => Some(format!("line {line} of {file}")),
            (Some(file), None) => Some(file.clone()),
            (None, _) => None,
        };
        let parts = [self.trace_id.as_deref(), place.as_deref()];
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        f.write_str(&parts.join(", "))?;
        if let Some(member) = &self.member {
            write!(f, ": {member}")?;
        }
        write!(f, ": {}", self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_which_and_where_and_what() {
        let mut odd = Unreadable::trace("tr-1", "expected a number");
        assert_eq!(odd.to_string(), "tr-1: expected a number");
        odd.file = Some("a.jsonl".to_owned());
        assert_eq!(odd.to_string(), "tr-1, a.jsonl: expected a number");
        odd.line = Some(2);
        odd.member = Some("tags".to_owned());
        assert_eq!(
            odd.to_string(),
            "tr-1, line 2 of a.jsonl: tags: expected a number"
        );
        odd.trace_id = None;
        let odd = odd.of_trace("");
        assert_eq!(
            odd.to_string(),
            "line 2 of a.jsonl: tags: expected a number"
        );
        assert_eq!(odd.of_trace("tr-2").trace_id.as_deref(), Some("tr-2"));
    }
}
