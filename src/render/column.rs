//! What a list of traces can show: every field of a trace, with a cell for people
//! and a value for machines.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use serde_json::Value as Json;

use super::cell::Cell;
use super::summary::lower_bound;
use super::{Glyphs, Layout, preview, text};
use crate::field::{self, Field, FieldDef, Unit, Uses, Value, suggest};
use crate::model::{Assessment, Trace, TraceInfo, TraceState};
use crate::table::{self, UnknownColumn, rows::traces};
use crate::units;

/// One column of a list of traces.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Column(Field);

impl Column {
    /// What `search` shows unless told otherwise.
    pub fn default_ones() -> Vec<Self> {
        [
            Field::Timestamp,
            Field::RequestId,
            Field::Name,
            Field::Status,
            Field::ExecutionTime,
            Field::Tokens,
            Field::Request,
        ]
        .map(Self)
        .to_vec()
    }

    /// What `search` shows of traces that all failed.
    pub fn of_failed_ones() -> Vec<Self> {
        [
            Field::Timestamp,
            Field::RequestId,
            Field::Name,
            Field::ExecutionTime,
            Field::Failed,
            Field::Error,
        ]
        .map(Self)
        .to_vec()
    }

    /// These, or those by default where there are none; each once, whatever it was called.
    pub fn chosen(typed: &[Self]) -> Vec<Self> {
        if typed.is_empty() {
            return Self::default_ones();
        }
        let mut seen = HashSet::new();
        let distinct = typed.iter().filter(|column| seen.insert(*column));
        distinct.cloned().collect()
    }

    /// The names of all columns, for help texts and completions; those that take a key
    /// have it in angle brackets.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FieldDef::with(Uses::COLUMN).map(FieldDef::column_name)
    }

    /// What it shows.
    pub const fn field(&self) -> &Field {
        &self.0
    }

    /// The column of a table.
    pub fn in_table(&self) -> table::Column<Trace> {
        traces::column(&self.0)
    }
}

/// The value for people, not yet cut to a width.
pub(crate) fn cell(field: &Field, trace: &Trace, layout: &Layout) -> Cell {
    let style = layout.style;
    let info = &trace.info;
    let look = match field {
        Field::Status => style.state(&info.state),
        _ if field.def().unit == Unit::Id => style.id(),
        _ => style.text(),
    };
    let Some(shown) = shown(field, trace, layout) else {
        return Cell::new(style.muted(), units::NONE);
    };
    let cell = Cell::new(look, shown);
    match (field, layout.width) {
        (Field::Request, None) => cell.fit(PIPED_REQUEST),
        _ => cell,
    }
}

fn shown(field: &Field, trace: &Trace, layout: &Layout) -> Option<String> {
    let info = &trace.info;
    let listed = |texts: Vec<String>| (!texts.is_empty()).then(|| texts.join(", "));
    match field {
        Field::Status => return Some(state_word(info).to_owned()),
        Field::Request | Field::Response => return shown_preview(field, info, layout),
        Field::Assessments => {
            let valid = info.assessments.iter().filter(|a| a.valid);
            return listed(
                valid
                    .map(|a| format!("{}={}", a.title(), assessment_value(a)))
                    .collect(),
            );
        }
        Field::Feedback(_) | Field::Expectation(_) | Field::Assessment(_) => {
            let named = info.assessments.iter().filter(|a| field.names(a));
            return listed(named.map(assessment_value).collect());
        }
        _ => {}
    }
    let shown = match field.value(trace)? {
        Value::Time(time) => units::time(time, layout.zone),
        Value::Duration(ns) => lower_bound(
            units::server_duration(ns),
            info.state == TraceState::InProgress,
        ),
        Value::Count(n) => units::count(n),
        Value::Money(usd) => units::cost(usd),
        other => other.into_text().into_owned(),
    };
    (!shown.is_empty()).then_some(shown)
}

/// A request or a response as people read it. Previews can be long and there may be many: a line in a pipe says which request it is, and on a terminal the part
/// beyond its edge is not worth escaping and measuring.
fn shown_preview(field: &Field, info: &TraceInfo, layout: &Layout) -> Option<String> {
    let (request, response) = info.previews();
    let is_request = *field == Field::Request;
    let full = if is_request {
        preview::asked(request?)
    } else {
        preview::answered(response?)
    };
    // Most characters take a column or two; where they take none, less is shown.
    let most = match (layout.width, is_request) {
        (Some(width), _) => width.saturating_mul(2),
        (None, true) => 2 * PIPED_REQUEST,
        (None, false) => return Some(full.into_owned()),
    };
    let kept: String = full.chars().take(most).collect();
    if kept.len() < full.len() {
        return Some(kept + text::ELLIPSIS);
    }
    Some(kept)
}

/// Columns of a request in a table that goes to a pipe.
const PIPED_REQUEST: usize = 80;

/// `IN_PROGRESS` and so on; `-` where the store does not say.
pub(crate) fn state_word(info: &TraceInfo) -> &str {
    match &info.state {
        crate::model::TraceState::Unspecified => units::NONE,
        known => known.as_str(),
    }
}

/// The state behind its mark where it says that something is amiss or still running.
pub(crate) fn marked_state(info: &TraceInfo, glyphs: Glyphs) -> String {
    let word = state_word(info);
    match info.state {
        TraceState::Error | TraceState::InProgress => {
            format!("{} {word}", state_mark(word, glyphs))
        }
        _ => word.to_owned(),
    }
}

/// A state in one column: `✓`, `✗`, `…` while in progress, `?` for any other.
pub(crate) fn state_mark(word: &str, glyphs: Glyphs) -> &'static str {
    match word {
        "OK" => glyphs.pick("✓", "+"),
        "ERROR" => glyphs.pick("✗", "x"),
        "IN_PROGRESS" => glyphs.pick("…", "~"),
        units::NONE => units::NONE,
        _ => "?",
    }
}

/// The value in one line as people read it: numbers without the dust of their arithmetic.
pub(crate) fn assessment_value(assessment: &Assessment) -> String {
    match assessment.value() {
        Json::Number(n) => match n.as_f64().filter(|_| n.is_f64()) {
            Some(score) => units::score(score),
            None => n.to_string(),
        },
        _ => field::assessment_text(assessment),
    }
}

/// As it is asked for.
impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.spelling())
    }
}

fn unknown(name: &str) -> UnknownColumn {
    let keyed = || {
        let (prefix, key) = name.split_once('.')?;
        let near = ["tags", "metadata", "assessments", "feedback", "expectation"]
            .into_iter()
            .find(|known| strsim::damerau_levenshtein(prefix, known) <= 2)?;
        (!key.is_empty()).then(|| format!("{near}.{key}"))
    };
    UnknownColumn {
        name: name.to_owned(),
        suggestion: keyed().or_else(|| suggest::column(name).map(str::to_owned)),
        known: Column::names().collect::<Vec<_>>().join(", "),
    }
}

impl FromStr for Column {
    type Err = UnknownColumn;

    /// Case does not matter, `-` is as good as `_`, and a key may stand in backticks, as in filters.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        Field::with_key(text, Uses::COLUMN)
            .or_else(|| {
                let name = text.to_ascii_lowercase().replace('-', "_");
                FieldDef::named(&name, Uses::COLUMN, true)
            })
            .map(Self)
            .ok_or_else(|| unknown(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as JsonValue, json};

    #[test]
    fn every_name_asks_for_its_column() {
        for def in FieldDef::with(Uses::COLUMN).filter(|def| def.prefix().is_none()) {
            let column = Column((def.make)(String::new()));
            let names = [def.name, def.machine].into_iter();
            for spelt in names.chain(def.aliases.iter().chain(def.foreign).copied()) {
                assert_eq!(spelt.parse().as_ref(), Ok(&column), "{spelt}");
            }
        }
        assert_eq!("Trace-ID".parse(), Ok(Column(Field::RequestId)));
        assert_eq!("tags.a.b".parse(), Ok(Column(Field::Tag("a.b".into()))));
        assert_eq!("tag:a.b".parse(), Ok(Column(Field::Tag("a.b".into()))));
        assert_eq!("tag.`a b`".parse(), Ok(Column(Field::Tag("a b".into()))));
        assert_eq!(
            "metadata.k".parse(),
            Ok(Column(Field::Metadata("k".into())))
        );
        assert_eq!(
            "assessments.score"
                .parse::<Column>()
                .unwrap()
                .field()
                .machine_name(),
            "assessments.score"
        );
    }

    #[test]
    fn errors_suggest_near_names() {
        for (text, message) in [
            (
                "durtion",
                "unknown column `durtion`, did you mean `duration`?",
            ),
            ("statsu", "unknown column `statsu`, did you mean `state`?"),
            (
                "tgs.env",
                "unknown column `tgs.env`, did you mean `tags.env`?",
            ),
            (
                "metdata.a",
                "unknown column `metdata.a`, did you mean `metadata.a`?",
            ),
        ] {
            assert_eq!(text.parse::<Column>().unwrap_err().to_string(), message);
        }
        let message = "x\n".repeat(9).parse::<Column>().unwrap_err().to_string();
        assert!(message.starts_with("unknown column `x\\nx"));
        assert!(message.ends_with("expected one of state, name, time, duration, end_time, experiment, session, user, tokens, input_tokens, output_tokens, cost, spans, trace_id, client_request_id, run_id, model_id, model, error, failed, request, response, prompt, tags.<key>, metadata.<key>, feedback.<name>, expectation.<name>, assessments, assessments.<name>, issue.id"));
    }

    fn feedback(name: &str, value: JsonValue, valid: bool) -> Assessment {
        Assessment {
            valid,
            ..Assessment::sample_feedback(name, value)
        }
    }

    #[test]
    fn raw_values_are_not_rounded() {
        let mut info = TraceInfo::new("tr-1");
        info.execution_duration_ns = Some(1_640_000_000);
        info.request_time = crate::model::Timestamp::parse_rfc3339("2026-11-22T20:56:36.791Z");
        info.metadata.insert(
            "mlflow.trace.tokenUsage".into(),
            r#"{"input_tokens":1200}"#.into(),
        );
        info.assessments = vec![
            feedback("score", json!(1.0), true),
            feedback("score", json!(0.5), false),
            feedback("tone", json!("kind"), true),
        ];
        let trace = Trace {
            info,
            spans: Vec::new(),
        };
        let raw = |name: &str| {
            let column = name.parse::<Column>().unwrap().in_table();
            column.value(&trace).raw().into_owned()
        };
        assert_eq!(raw("duration"), "1640000000");
        assert_eq!(raw("time"), "2026-11-22T20:56:36.791Z");
        assert_eq!(raw("tokens"), "1200");
        assert_eq!(raw("output_tokens"), "");
        assert_eq!(raw("name"), "");
        assert_eq!(raw("assessments"), "score=1, tone=kind");
        assert_eq!(raw("assessments.tone"), "kind");
    }
}
