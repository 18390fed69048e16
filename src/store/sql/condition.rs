//! One condition of a filter as SQL: said in SQL where it can be, and tested by
//! functions of this program where it cannot, so that both always agree.

use super::dialect::{Function, Probes};
use super::expression::{Compiler, not};
use super::fields::{self, metadata_value};
use crate::filter::{
    AssessmentTest, Comparator, Condition, Expr, Field, Number, Value, record_columns,
    record_members,
};
use crate::model::{Span, metadata};

impl<P: Probes> Compiler<'_, P> {
    pub(super) fn trace_condition(&mut self, condition: &Condition) -> String {
        let field = condition.field();
        match field {
            Field::RunId => return self.run(condition),
            Field::Metadata(key) if field.is_record() => return self.record(key, condition),
            Field::Prompt => return self.prompt(condition),
            Field::IssueId => return self.issue(condition),
            Field::Feedback(name) => return self.assessment("feedback", name, condition),
            Field::Expectation(name) => return self.assessment("expectation", name, condition),
            _ => {}
        }
        match fields::value(self.schema, self.parameters, field, self.outside) {
            Some(value) if field.is_numeric() => self.number(&value, condition),
            Some(value) => self.text(&value, condition),
            // Those of spans are said of spans, and no filter has the others.
            None => self.truth(false),
        }
    }

    pub(super) fn span_condition(&mut self, condition: &Condition, s: &str) -> String {
        match condition.field() {
            Field::SpanName => self.text(&format!("{s}.name"), condition),
            Field::SpanType => self.span_type(condition, s),
            Field::SpanStatus => self.text(&format!("{s}.status"), condition),
            Field::SpanModel => self.span_model(condition, s),
            Field::SpanContent => self.text(&format!("{s}.content"), condition),
            Field::SpanDuration => self.duration(s, condition),
            Field::SpanAttribute(key) => self.attribute(key, condition, s),
            _ => self.call(Function::Span, condition, &format!("{s}.content")),
        }
    }

    /// A test that only this program makes.
    fn call(&mut self, function: Function, condition: &Condition, value: &str) -> String {
        let test = self.parameters.test(condition);
        self.dialect().call(function, &[&test, value])
    }

    /// Whether a column is there in the spans that are spoken of.
    fn has_span_column(&self, column: &str) -> bool {
        self.outside || self.schema.has("spans", column)
    }

    /// The type of a span is in its column, or else in its JSON: MLflow infers that of
    /// OpenTelemetry's spans too late for the column.
    fn span_type(&mut self, condition: &Condition, s: &str) -> String {
        let of_json = self
            .dialect()
            .call(Function::Type, &[&format!("{s}.content")]);
        let own = format!("nullif({s}.type, ''), {of_json}");
        let sql = match condition.comparator() {
            Comparator::IsNull | Comparator::IsNotNull => format!("coalesce({own})"),
            _ => format!("coalesce({own}, '{}')", Span::NO_TYPE),
        };
        let compared = self.text(&sql, condition);
        if self.dialect().has_types() {
            compared
        } else {
            format!("({compared} OR nullif({s}.type, '') IS NULL)")
        }
    }

    /// The model is in its column where MLflow found it, or else in an attribute.
    fn span_model(&mut self, condition: &Condition, s: &str) -> String {
        let content = format!("{s}.content");
        let of_json = self.dialect().call(Function::Model, &[&content]);
        let has_column = self.has_span_column("model_name");
        let sql = if has_column {
            format!("coalesce({s}.model_name, {of_json})")
        } else {
            of_json
        };
        let compared = self.text(&sql, condition);
        if self.dialect().can_call() {
            return compared;
        }
        let unknown = if has_column {
            format!("{s}.model_name IS NULL")
        } else {
            self.truth(true)
        };
        let named = self.mentions(&content, condition);
        format!("({compared} OR {unknown} AND {named})")
    }

    /// That the text of a span has one of the texts in it that a condition names.
    fn mentions(&mut self, content: &str, condition: &Condition) -> String {
        let texts = match condition.value() {
            Value::Text(text) => std::slice::from_ref(text),
            Value::List(texts) => texts.as_slice(),
            _ => &[],
        };
        let is_plain = |text: &String| stands_plainly(text);
        let names = matches!(condition.comparator(), Comparator::Equal | Comparator::In);
        if !names || texts.is_empty() || texts.len() > MANY || !texts.iter().all(is_plain) {
            return self.truth(true);
        }
        let parts: Vec<String> = texts
            .iter()
            .map(|text| {
                let part = self.parameters.bind(text.clone());
                self.dialect().contains(content, &part)
            })
            .collect();
        self.any_of(&parts)
    }

    /// A condition on a column of spans in a form for which there is an index, where
    /// it is not in that form anyway; it then leaves out spans without a type.
    pub(super) fn by_index(&mut self, expr: &Expr, s: &str) -> Option<String> {
        match expr {
            Expr::Condition(condition) if *condition.field() == Field::SpanType => {
                Some(self.text(&format!("{s}.type"), condition))
            }
            _ => None,
        }
    }

    /// A comparison of text that may be missing.
    fn text(&mut self, sql: &str, condition: &Condition) -> String {
        let dialect = self.dialect();
        let exact = || dialect.exact(sql);
        match (condition.comparator(), condition.value()) {
            (Comparator::Equal, Value::Text(text)) => {
                let value = self.parameters.bind(text.clone());
                dialect.equal(sql, &value)
            }
            (Comparator::NotEqual, Value::Text(text)) => {
                format!("({} <> {})", exact(), self.parameters.bind(text.clone()))
            }
            (Comparator::In, Value::List(texts)) => {
                let list = self.list(texts);
                dialect.is_in(sql, &list)
            }
            (Comparator::NotIn, Value::List(texts)) => {
                format!("({} NOT IN ({}))", exact(), self.list(texts))
            }
            (Comparator::Like, Value::Text(pattern)) => dialect
                .like(sql, pattern, self.parameters)
                .unwrap_or_else(|| self.call(Function::Text, condition, sql)),
            (Comparator::Ilike, Value::Text(pattern)) => {
                dialect.ilike(sql, pattern, self.parameters)
            }
            (Comparator::IsNull, _) => format!("({sql} IS NULL)"),
            (Comparator::IsNotNull, _) => format!("({sql} IS NOT NULL)"),
            _ => self.call(Function::Text, condition, sql),
        }
    }

    /// Texts for `IN`; many are one parameter, since databases have a limit for these.
    fn list(&mut self, texts: &[String]) -> String {
        if texts.len() > MANY {
            let all = serde_json::Value::from(texts).to_string();
            return self.dialect().many_texts(all, self.parameters);
        }
        let all: Vec<String> = texts
            .iter()
            .map(|text| self.parameters.bind(text.clone()))
            .collect();
        all.join(", ")
    }

    fn metadata(&mut self, trace: &str, key: &str) -> String {
        metadata_value(self.schema, self.parameters, trace, key)
    }

    /// A comparison of a number that may be missing.
    fn number(&mut self, sql: &str, condition: &Condition) -> String {
        self.scaled_number(sql, condition, |number| number)
    }

    /// A comparison of a number that may be missing, in another unit than the filter's.
    fn scaled_number(
        &mut self,
        sql: &str,
        condition: &Condition,
        scale: fn(Number) -> Number,
    ) -> String {
        let (comparator, value) = (condition.comparator(), condition.value());
        match value {
            Value::Number(number) => {
                let number = self.parameters.number(scale(*number));
                format!("({sql} {} {number})", comparator.as_str())
            }
            // As on the server: no number equals text, and all come before it.
            Value::Text(text) => {
                let text = self.parameters.bind(text.clone());
                let comparator = comparator.as_str();
                self.dialect().number_with_text(sql, comparator, &text)
            }
            Value::Range(low, high) => {
                let low = self.parameters.number(scale(*low));
                let high = self.parameters.number(scale(*high));
                format!("({sql} {} {low} AND {high})", comparator.as_str())
            }
            _ if comparator == Comparator::IsNull => format!("({sql} IS NULL)"),
            _ if comparator == Comparator::IsNotNull => format!("({sql} IS NOT NULL)"),
            _ => self.truth(false),
        }
    }

    fn duration(&mut self, s: &str, condition: &Condition) -> String {
        let sql = if self.has_span_column("duration_ns") {
            format!("{s}.duration_ns")
        } else {
            format!("({s}.end_time_unix_nano - {s}.start_time_unix_nano)")
        };
        // A span without an end is stored with an end of zero or none.
        let ended = format!("({s}.end_time_unix_nano > 0)");
        if condition.comparator() == Comparator::IsNull {
            return not(&ended);
        }
        let compared = self.scaled_number(&sql, condition, Number::millis_to_nanos);
        format!("({compared} AND {ended})")
    }

    /// An attribute: only the spans that mention it are read.
    fn attribute(&mut self, key: &str, condition: &Condition, s: &str) -> String {
        let content = format!("{s}.content");
        let passes = self.call(Function::Span, condition, &content);
        if stands_plainly(key) && needs_key(condition.comparator(), key) {
            let quoted = self.parameters.bind(format!("\"{key}\""));
            let mentioned = self.dialect().contains(&content, &quoted);
            format!("({mentioned} AND {passes})")
        } else {
            passes
        }
    }

    fn record(&mut self, key: &str, condition: &Condition) -> String {
        let columns = record_members(key);
        if !self.schema.has_trace_column(columns[0]) {
            let value = self.metadata("t", key);
            return self.text(&value, condition);
        }
        let exists: Vec<String> = columns
            .iter()
            .filter(|column| self.schema.has_trace_column(column))
            .map(|column| format!("t.{column} IS NOT NULL"))
            .collect();
        let exists = self.any_of(&exists);
        let matches = match condition.value() {
            Value::Text(text) => record_columns(key, text),
            _ => None,
        };
        let matches = match matches {
            None => self.truth(false),
            Some(numbers) => {
                let parts: Vec<String> = columns
                    .iter()
                    .zip(numbers)
                    .filter(|(column, _)| self.schema.has_trace_column(column))
                    .map(|(column, number)| match number {
                        None => format!("t.{column} IS NULL"),
                        Some(number) => format!("t.{column} = {}", self.parameters.bind(number)),
                    })
                    .collect();
                self.all_of(&parts)
            }
        };
        match condition.comparator() {
            Comparator::IsNull => not(&exists),
            Comparator::IsNotNull => exists,
            Comparator::Equal => matches,
            _ => format!("({exists} AND {})", not(&matches)),
        }
    }

    /// A run's traces are those made in it, and those linked to it.
    fn run(&mut self, condition: &Condition) -> String {
        // What is bound must also be asked for.
        if let (Comparator::Equal, Value::Text(run)) = (condition.comparator(), condition.value())
            && run.is_empty()
        {
            return self.truth(true);
        }
        let source = self.metadata("t", metadata::SOURCE_RUN);
        match (condition.comparator(), condition.value()) {
            (Comparator::Equal, Value::Text(run)) => {
                let run = self.parameters.bind(run.clone());
                let made = self.dialect().equal(&source, &run);
                if self.schema.has_links() {
                    let linked = linked("run", &self.dialect().equal(LINKED, &run));
                    format!("({made} OR {linked})")
                } else {
                    made
                }
            }
            (Comparator::In, Value::List(runs)) if self.schema.has_links() => {
                let runs = self.list(runs);
                let linked = linked("run", &self.dialect().is_in(LINKED, &runs));
                let made = self.dialect().is_in(&source, &runs);
                format!("({made} OR {linked})")
            }
            _ => self.text(&source, condition),
        }
    }

    fn prompt(&mut self, condition: &Condition) -> String {
        if !self.schema.has_links() {
            return self.truth(false);
        }
        let wanted = match (condition.comparator(), condition.value()) {
            (Comparator::Equal, Value::Text(prompt)) => {
                let prompt = self.parameters.bind(prompt.clone());
                self.dialect().equal(LINKED, &prompt)
            }
            (Comparator::In, Value::List(prompts)) => {
                let prompts = self.list(prompts);
                self.dialect().is_in(LINKED, &prompts)
            }
            _ => return self.truth(false),
        };
        linked("prompt_version", &wanted)
    }

    fn issue(&mut self, condition: &Condition) -> String {
        if !self.schema.has_assessments() {
            return self.truth(false);
        }
        let named = self.text("a.name", condition);
        let kind = self.dialect().without_index("a.assessment_type");
        format!(
            "EXISTS (SELECT 1 FROM assessments a WHERE a.trace_id = t.request_id \
             AND {kind} = 'issue' AND {named})"
        )
    }

    /// That an assessment of the trace passes a test of more than its value.
    pub(super) fn judged(&mut self, test: &AssessmentTest) -> String {
        if !self.schema.has_assessments() {
            return self.truth(false);
        }
        let columns = [
            "a.name",
            "a.assessment_type",
            "a.value",
            "a.error",
            "a.rationale",
            "a.source_id",
            "a.source_type",
        ];
        let number = self.parameters.judge(test);
        let mut arguments = vec![number.as_str()];
        arguments.extend(columns);
        format!(
            "EXISTS (SELECT 1 FROM assessments a WHERE a.trace_id = t.request_id \
             AND a.valid = {} AND {})",
            self.truth(true),
            self.dialect().call(Function::Judged, &arguments)
        )
    }

    /// What was said of the trace, or of the whole session that it belongs to.
    fn assessment(&mut self, kind: &str, name: &str, condition: &Condition) -> String {
        let absent = condition.comparator() == Comparator::IsNull;
        if !self.schema.has_assessments() {
            return self.truth(absent);
        }
        let name = self.parameters.bind(name.to_owned());
        // Found by the index on traces.
        let (of_kind, named) = (
            self.dialect().without_index("a.assessment_type"),
            self.dialect().exact("a.name"),
        );
        let mut wanted = format!(
            "{of_kind} = '{kind}' AND {named} = {name} AND a.valid = {}",
            self.truth(true)
        );
        if !matches!(
            condition.comparator(),
            Comparator::IsNull | Comparator::IsNotNull
        ) {
            let passes = self.call(Function::Assessment, condition, "a.value");
            wanted = self.all_of(&[wanted, passes]);
        }
        let session = self.metadata("t", metadata::SESSION);
        let theirs = self.metadata("o", metadata::SESSION);
        let [session, theirs] = [session, theirs].map(|id| self.dialect().exact(&id));
        let scope = self.scope;
        let of_session = self.dialect().contains(
            "a.assessment_metadata",
            &format!("'\"{}\":'", metadata::SESSION),
        );
        let found = format!(
            "(EXISTS (SELECT 1 FROM assessments a WHERE a.trace_id = t.request_id AND {wanted}) \
             OR {session} IN (SELECT {theirs} FROM assessments a JOIN trace_info o \
             ON o.request_id = a.trace_id WHERE {wanted} AND o.experiment_id IN {scope} \
             AND {theirs} IS NOT NULL AND {of_session}))"
        );
        if absent { not(&found) } else { found }
    }
}

/// More texts than these are not bound one by one.
const MANY: usize = 32;

/// What a trace is linked to.
const LINKED: &str = "e.destination_id";

fn linked(kind: &str, wanted: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM entity_associations e WHERE e.source_type = 'trace' \
         AND e.source_id = t.request_id AND e.destination_type = '{kind}' \
         AND {wanted})"
    )
}

/// Whether a text is written in JSON as it is.
fn stands_plainly(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
}

/// Whether a span that does not have the key in this very spelling cannot pass.
/// Patterns search the whole span, and the key is a part of them.
fn needs_key(comparator: Comparator, key: &str) -> bool {
    use Comparator::{Ilike, IsNull, Like, NotIlike, NotLike, NotRlike, Rlike};
    match comparator {
        IsNull | NotLike | NotIlike | NotRlike | Ilike | Rlike => false,
        Like => !key.contains(['%', '_']),
        _ => true,
    }
}
