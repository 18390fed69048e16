//! How fields are written: as MLflow's server spells them, and as people do.

use std::fmt;

use super::{Field, FieldDef};

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::SpanAttribute(key) = self {
            return f.write_str(&span_attribute(key));
        }
        let def = self.def();
        match self.key() {
            Some(key) if def.prefix().is_some() || def.server_name.is_empty() => {
                let kind = match self {
                    Self::Metadata(_) => "metadata",
                    _ => def.server_name,
                };
                write!(f, "{kind}.{}", key_text(key))
            }
            _ => f.write_str(def.server_name),
        }
    }
}

impl Field {
    /// What stands behind the kind of it: the name of a tag, an attribute or an assessment.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Tag(key)
            | Self::Metadata(key)
            | Self::SpanAttribute(key)
            | Self::Feedback(key)
            | Self::Expectation(key)
            | Self::Assessment(key) => Some(key),
            Self::Status
            | Self::RequestId
            | Self::ClientRequestId
            | Self::Timestamp
            | Self::ExecutionTime
            | Self::EndTime
            | Self::Name
            | Self::RunId
            | Self::Prompt
            | Self::SpanName
            | Self::SpanType
            | Self::SpanStatus
            | Self::SpanContent
            | Self::IssueId
            | Self::Experiment
            | Self::Tokens
            | Self::InputTokens
            | Self::OutputTokens
            | Self::Cost
            | Self::SpanCount
            | Self::SpanDuration
            | Self::SpanTokens
            | Self::SpanCost
            | Self::SpanError
            | Self::SpanModel
            | Self::Models
            | Self::Error
            | Self::Failed
            | Self::Request
            | Self::Response
            | Self::Assessments
            | Self::OfAssessment(_) => None,
        }
    }

    /// The shortest key that means it.
    pub fn spelling(&self) -> String {
        let def = self.def();
        match (def.prefix(), self) {
            (None, _) => def.name.to_owned(),
            (Some(_), Self::SpanAttribute(key)) => span_attribute(key),
            (Some(prefix), _) => format!("{prefix}{}", key_text(self.key().unwrap_or_default())),
        }
    }

    /// The head of a column for machines: the name, with the unit where it has one.
    pub fn machine_name(&self) -> String {
        self.headed(self.def())
    }

    fn headed(&self, def: &FieldDef) -> String {
        match (def.prefix(), self.key()) {
            (Some(prefix), Some(key)) => format!("{prefix}{key}"),
            _ => def.machine.to_owned(),
        }
    }

    /// The head of a column for people.
    pub fn title(&self) -> String {
        let def = self.def();
        match self.key() {
            Some(key) if def.title.is_empty() => key.to_uppercase(),
            _ => def.title.to_owned(),
        }
    }
}

/// A key as it stands after the dot; what cannot be quoted cannot be in a condition.
fn key_text(key: &str) -> String {
    quoted_key(key).unwrap_or_else(|| format!("`{key}`"))
}

/// A key in the quotes it needs, or `None` when no quotes will do.
pub(crate) fn quoted_key(key: &str) -> Option<String> {
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
