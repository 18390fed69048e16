//! Where mlt and the server differ on purpose. Every rule has a name and a
//! reason; `named.rs` shows each of them with an example of its own.

use std::sync::OnceLock;

use mlt::filter::{Condition, Field, Filter, ParseError, ParseErrorKind as Kind};
use mlt::model::{AssessmentKind, Trace};
use regex::Regex;
use serde_json::Value;

/// What mlt takes and the server refuses: a name, what stands in the text, and
/// what stands in the server's refusal. The server is then asked in mlt's own
/// spelling, and has to find the same.
const EXTENSIONS: &[(&str, &str, &str)] = &[
    (
        "SQL's words and numbers are keys after a dot",
        r"\.\w",
        "Invalid clause(s)",
    ),
    (
        "a bare timestamp compares with any number",
        r#"(?i)(^|\W)"?timestamp"?\s*(=|!=|<|<=|>|>=)\s*['"\-+.0-9]"#,
        "Invalid clause(s)",
    ),
    ("a number may have a plus", r"[=<>]\s*\+|\d[eE]\+", ""),
    (
        "comparators of spans are read in any case",
        r"(?i)span\.[^=<>!]*\s(like|ilike|rlike|in|not\s+in)\s",
        "comparator",
    ),
    (
        "attributes have their names in JSON too",
        r"\b(state|trace_id)\b",
        "Invalid attribute key",
    ),
    ("a bare text is an attribute", r#"(^|\s)"?text"?\s"#, ""),
    (
        "any space may stand between words",
        r"(?i)(IS\s+NOT|NOT)\s\s+(NULL|IN)|(?i)IS\s+NOT\s+NULL\s*$",
        "",
    ),
    (
        "one text in parentheses is that text",
        r"(?i)(=|like)\s*\(",
        "",
    ),
    ("lists may have line ends", r"(?s)\(.*[\n\r]", ""),
    (
        "a quoted time may stand beside a condition on spans",
        r#"(?is)timestamp.*['"]"#,
        "unsupported operand type(s) for -",
    ),
    (
        "a time of any size may stand beside a condition on spans",
        r"(?i)timestamp",
        "too large to convert to SQLite INTEGER",
    ),
    (
        "a duration may have a unit",
        r"\d(ms|s|m|h)\b",
        "unidentified quote types",
    ),
    (
        "a quoted number is a number for assessments",
        r#"(?is)(feedback|expectation)\..*[<>]=?\s*['"]"#,
        "Expected a numeric value",
    ),
    (
        "true and false are values of assessments",
        r"(?is)(feedback|expectation)\..*=\s*(true|false)",
        "",
    ),
];

/// Why mlt takes what the server refuses.
pub(super) fn extension(text: &str, filter: &Filter, refusal: &str) -> Option<&'static str> {
    static PATTERNS: OnceLock<Vec<Regex>> = OnceLock::new();
    let patterns = PATTERNS.get_or_init(|| {
        EXTENSIONS
            .iter()
            .map(|(_, pattern, _)| Regex::new(pattern).unwrap())
            .collect()
    });
    if filter.server_conditions().is_none() {
        return Some("the extended language is evaluated here");
    }
    let mut rules = EXTENSIONS.iter().zip(patterns);
    rules
        .find(|((_, _, said), pattern)| pattern.is_match(text) && refusal.contains(said))
        .map(|((name, ..), _)| *name)
}

/// What mlt refuses and the server takes: a name, mlt's reason, and what stands in the text.
const STRICTER: &[(&str, &[Kind], &str)] = &[
    (
        "conditions are joined by one AND",
        &[Kind::MissingAnd, Kind::DanglingAnd],
        "",
    ),
    (
        "no part of a key is empty",
        &[Kind::KeyNeedsQuotes, Kind::BadKey],
        r"\.",
    ),
    (
        "a key has no second name",
        &[Kind::ExpectedComparator],
        r"\w\s+\w",
    ),
    (
        "a text does not end with a backslash",
        &[Kind::BadValue],
        r#"\\['"]"#,
    ),
    ("no number is infinite", &[Kind::BadNumber], r"(?i)\de\d{3}"),
    (
        "a time is not compared with what is no number",
        &[Kind::NeedsNumber],
        r#"(?is)time.*['"]"#,
    ),
    (
        "lists have commas between texts and no parentheses in them",
        &[Kind::BadListMember, Kind::UnclosedList],
        r"(?i)\bIN\s*\(",
    ),
    (
        "no text in a list has a NUL character",
        &[Kind::BadValue],
        r"(?is)\bIN\s*\(.*\\(0|x00|u0000|U0{8})",
    ),
];

/// Why mlt refuses what the server takes.
pub(super) fn stricter(text: &str, error: &ParseError) -> Option<&'static str> {
    let mut rules = STRICTER.iter();
    rules
        .find(|(_, kinds, pattern)| {
            kinds.contains(&error.kind) && Regex::new(pattern).unwrap().is_match(text)
        })
        .map(|(name, ..)| *name)
}

/// Why mlt finds something else than the server.
pub(super) fn difference(text: &str, filter: &Filter) -> Option<&'static str> {
    static QUOTED: OnceLock<Regex> = OnceLock::new();
    let quoted = QUOTED.get_or_init(|| Regex::new(r#"span\.attributes\.['"]"#).unwrap());
    if filter.server_conditions().is_none() {
        return Some("the extended language is evaluated here");
    }
    quoted
        .is_match(text)
        .then_some("quotes round an attribute's key are no part of it")
}

/// Whether a filter asks for links between traces and runs, which are made after
/// the fact and known to databases and servers alone.
pub(super) fn asks_for_links(filter: &Filter) -> bool {
    uses(filter, &|c| *c.field() == Field::RunId)
}

/// Whether a filter asks for assessments in a way that no server understands. A
/// server extends what is said of a session to all of its traces, but does not
/// tell so when mlt decides itself.
pub(super) fn asks_for_assessments_in_another_way(filter: &Filter) -> bool {
    filter.needs_assessments() && filter.server_conditions().is_none()
}

/// Whether an export tells more of a trace than the server's database, so that
/// a filter may find it in the one and not in the other.
pub(super) fn better_known_from_an_export(filter: &Filter, trace: &Trace) -> bool {
    // The server gives the keys of an object in any order, but searches what it keeps.
    let has_keys_in_any_order = trace.info.assessments.iter().any(|assessment| {
        matches!(
            &assessment.kind,
            AssessmentKind::Feedback { value, .. } | AssessmentKind::Expectation { value }
                if has_keys(value)
        )
    });
    has_keys_in_any_order && filter.needs_assessments()
}

/// Whether the server's own filters do not see what a filter asks for of a trace's spans,
/// where mlt does, wherever it looks.
pub(super) fn unseen_by_the_server(filter: &Filter, trace: &Trace) -> bool {
    // Spans that OTLP cannot express are kept as an artifact, which no filter reads.
    let not_in_the_database = trace
        .info
        .tags
        .get("mlflow.trace.spansLocation")
        .is_none_or(|place| place != "TRACKING_STORE");
    // MLflow works out the types of OpenTelemetry's spans after it has filled the column.
    let untyped = trace
        .spans
        .iter()
        .any(|span| span.own_type().is_none() || span.attribute("gen_ai.operation.name").is_some());
    (filter.needs_spans() && not_in_the_database && !trace.spans.is_empty())
        || (untyped && uses(filter, &|c| *c.field() == Field::SpanType))
}

fn has_keys(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.len() > 1 || members.values().any(has_keys),
        Value::Array(items) => items.iter().any(has_keys),
        _ => false,
    }
}

fn uses(filter: &Filter, test: &dyn Fn(&Condition) -> bool) -> bool {
    filter.conditions().into_iter().any(test)
}
