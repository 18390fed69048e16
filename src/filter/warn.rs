//! Conditions that the server takes and that cannot do what they say.

use std::ops::Range;

use super::ast::{Expr, Filter};
use super::diagnostics::Warning;
use super::error::{quote, shorten};
use super::lexer::TokenKind;
use super::parser::Clause;
use super::print::quoted_text;
use super::regex::PythonRegex;
use super::resolve::Resolved;
use super::terms::{Condition, Number, Value};
use crate::field::{AssessmentPart, Comparator, Field};
use crate::field::{SOURCE_TYPES, SPAN_STATES, SPAN_TYPES, STATES};
use crate::model::metadata;

/// Adds what there is to say about a condition by itself.
pub(super) fn about(clause: &Clause<'_>, resolved: &Resolved, warnings: &mut Vec<Warning>) {
    let condition = &clause.condition;
    let mut warn = |span: &Range<usize>, message: String, hint: Option<String>| {
        warnings.push(Warning {
            span: span.clone(),
            message,
            hint,
        });
    };
    if let Some(misread) = &resolved.misread {
        warn(
            &clause.key,
            format!("the server reads this key as {}", misread.meaning),
            Some(format!(
                "{} says so; nothing else can be filtered by that name",
                quote(&misread.spelling)
            )),
        );
    }
    let value_span = clause
        .value
        .map_or(clause.value_span.clone(), |token| token.span());
    if let Some((message, hint)) = doubt(condition) {
        let span = match &condition.value {
            Value::List(_) => &clause.key,
            _ => &value_span,
        };
        warn(span, message, hint);
    }
    if let Some(token) = clause.value
        && let Some((message, hint)) = kept_escape(token.kind, token.unquoted())
    {
        warn(&value_span, message, hint);
    }
}

type Doubt = (String, Option<String>);

/// Adds what there is to say about several run ids that must all hold, of which the
/// last alone counts.
pub(super) fn about_runs(filter: &Filter, run_ids: &[Clause<'_>], warnings: &mut Vec<Warning>) {
    let at_the_top = |clause: &&Clause<'_>| {
        let conjuncts = filter.conjuncts().iter();
        conjuncts
            .filter(|expr| matches!(expr, Expr::Condition(c) if *c == clause.condition))
            .count()
            > 0
    };
    let mut earlier: Option<&Condition> = None;
    for clause in run_ids.iter().filter(at_the_top) {
        if let Some(earlier) = earlier
            && *earlier != clause.condition
        {
            warnings.push(Warning {
                span: clause.value_span.clone(),
                message: "of several run ids, the last alone is looked at".to_owned(),
                hint: None,
            });
        }
        earlier = Some(&clause.condition);
    }
}

fn doubt(condition: &Condition) -> Option<Doubt> {
    match &condition.value {
        Value::Text(text) => text_doubt(condition, text),
        Value::List(texts) => texts
            .iter()
            .find_map(|text| unknown_word(&condition.field, text)),
        Value::Number(number) => number_doubt(&condition.field, *number),
        Value::Range(low, high) if low.as_f64() > high.as_f64() => Some((
            "the lower bound is above the upper one, so nothing lies between them".to_owned(),
            Some(format!("write {} {high} AND {low}", condition.comparator)),
        )),
        Value::Range(low, high) => {
            number_doubt(&condition.field, *low).or_else(|| number_doubt(&condition.field, *high))
        }
        Value::Bool(_) | Value::None => None,
    }
}

fn text_doubt(condition: &Condition, text: &str) -> Option<Doubt> {
    use Comparator::{Equal, Ilike, Like, NotEqual, NotIlike, NotLike, NotRlike, Rlike};
    let (field, comparator) = (&condition.field, condition.comparator);
    let write = |text: &str| {
        Some(format!(
            "write {field} {comparator} {}",
            shorten(&quoted_text(text))
        ))
    };
    if matches!(comparator, Rlike | NotRlike)
        && matches!(PythonRegex::new(text), PythonRegex::Invalid)
    {
        let message = "this is not a regular expression of Python's, and so matches nothing";
        return Some((message.to_owned(), None));
    }
    match (field, comparator) {
        (Field::EndTime, _) => Some((
            "the end time never equals text, not even a number in quotes".to_owned(),
            Some(format!("write {} without quotes", shorten(text.trim()))),
        )),
        (
            Field::Status
            | Field::SpanStatus
            | Field::SpanType
            | Field::OfAssessment(AssessmentPart::SourceType),
            Equal | NotEqual,
        ) => {
            unknown_word(field, text)
        }
        (Field::SpanAttribute(_), Like | Ilike | NotLike | NotIlike) if !text.starts_with(['%', '_', ':']) => Some((
            "the pattern follows the key directly, where a colon stands, so it never matches".to_owned(),
            write(&format!("%{text}")),
        )),
        (Field::SpanContent, Like | Ilike | NotLike | NotIlike) if !text.starts_with(['%', '_', '{']) => Some((
            "the pattern must match the whole JSON text of a span".to_owned(),
            write(&format!("%{text}%")),
        )),
        (Field::Feedback(_) | Field::Expectation(_), Like | Ilike | NotLike | NotIlike) => quoted_json(text).then(|| (
            "text is stored as JSON, with its quotes, so this pattern does not begin where it does".to_owned(),
            write(&format!("%{text}%")),
        )),
        (Field::Metadata(key), Equal | NotEqual)
            if (key == metadata::TOKEN_USAGE || key == metadata::COST)
                && super::usage::canonical(key, text).is_none() =>
        {
            Some((
                "only the server's own JSON text with all of its numbers is equal here".to_owned(),
                None,
            ))
        }
        (Field::RunId, Equal) if text.is_empty() => Some((
            "an empty run id is not looked at, so every trace matches".to_owned(),
            Some("write run_id IS NULL for traces without a run".to_owned()),
        )),
        (_, Like | Ilike | NotLike | NotIlike) if text.contains('*') && !text.contains('%') => Some((
            "`*` stands for itself in a pattern".to_owned(),
            write(&text.replace('*', "%")),
        )),
        _ => None,
    }
}

/// A word where only a few make sense.
fn unknown_word(field: &Field, text: &str) -> Option<Doubt> {
    let (known, what) = match field {
        Field::Status => (STATES, "trace has the status"),
        Field::SpanStatus => (SPAN_STATES, "span has the status"),
        Field::OfAssessment(AssessmentPart::SourceType) => {
            (SOURCE_TYPES, "assessment has the source type")
        }
        Field::SpanType => {
            // Types are free text, but nobody spells MLflow's own in lower case.
            let upper = text.to_ascii_uppercase();
            let meant = SPAN_TYPES
                .iter()
                .find(|known| **known == upper && upper != text)?;
            return Some((
                format!("span types are compared with case, and MLflow's is `{meant}`"),
                Some(format!("write '{meant}'")),
            ));
        }
        _ => return None,
    };
    if known.contains(&text) || text.ends_with("_UNSPECIFIED") {
        return None;
    }
    let upper = text.trim().to_ascii_uppercase().replace([' ', '-'], "_");
    let meant = match upper.as_str() {
        "SUCCESS" | "SUCCEEDED" | "FINISHED" | "COMPLETED" | "DONE" => Some("OK"),
        "FAILED" | "FAILURE" | "FAIL" | "ERRORED" => Some("ERROR"),
        "RUNNING" | "PENDING" | "STARTED" | "INPROGRESS" if *field == Field::Status => {
            Some("IN_PROGRESS")
        }
        _ => crate::field::suggest::nearest(&upper, known.iter().copied()),
    };
    let hint = match meant {
        Some(meant) => format!("write '{meant}'"),
        None => format!("it is one of {}", known.join(", ")),
    };
    Some((format!("no {what} {}", quote(text)), Some(hint)))
}

fn number_doubt(field: &Field, number: Number) -> Option<Doubt> {
    if !matches!(field, Field::Timestamp | Field::EndTime) {
        return None;
    }
    let value = number.as_f64();
    let (unit, factor) = if (1e8..1e11).contains(&value) {
        ("seconds", 1e3)
    } else if (1e14..1e17).contains(&value) {
        ("microseconds", 1e-3)
    } else if (1e17..1e20).contains(&value) {
        ("nanoseconds", 1e-6)
    } else {
        return None;
    };
    Some((
        format!("times are in milliseconds, and this looks like {unit}"),
        Some(format!("write {:.0}", value * factor)),
    ))
}

/// Whether a pattern can only be meant for text, which JSON keeps in quotes.
fn quoted_json(pattern: &str) -> bool {
    let literal = ["true", "false", "null"].iter().any(|word| {
        let stem = pattern.split(['%', '_']).next().unwrap_or_default();
        !stem.is_empty() && word.starts_with(&stem.to_ascii_lowercase())
    });
    !literal && pattern.starts_with(char::is_alphabetic)
}

/// Escapes that the writer believes in and the server does not.
fn kept_escape(kind: TokenKind, text: &str) -> Option<Doubt> {
    let mark = match kind {
        TokenKind::SingleQuoted => '\'',
        TokenKind::DoubleQuoted => '"',
        _ => return None,
    };
    let doubled = format!("{mark}{mark}");
    let escaped = format!("\\{mark}");
    let (message, meant) = if text.contains(&escaped) {
        (
            "a backslash escapes nothing: it stays in the text",
            text.replace(&escaped, &mark.to_string()),
        )
    } else if text.contains(&doubled) {
        (
            "a doubled quote stays doubled in the text",
            text.replace(&doubled, &mark.to_string()),
        )
    } else {
        return None;
    };
    let other = if mark == '\'' { '"' } else { '\'' };
    let hint = (!meant.contains(other)).then(|| format!("write {other}{}{other}", shorten(&meant)));
    Some((message.to_owned(), hint))
}
