//! Fields of `trace_info t` and of what hangs on it as SQL: columns where the
//! schema has them, and rows of tags and metadata where it does not.

use super::{Function, Parameters, Schema};
use crate::field::Field;
use crate::model::{metadata, tag};

/// The value that a trace has of a field, or null; `None` for fields that are no value
/// of its own in the database.
pub(super) fn value(
    schema: &Schema,
    parameters: &mut Parameters,
    field: &Field,
    outside: bool,
) -> Option<String> {
    Some(match field {
        Field::Status => "t.status".to_owned(),
        Field::RequestId => "t.request_id".to_owned(),
        Field::ClientRequestId if schema.has_trace_column("client_request_id") => {
            "t.client_request_id".to_owned()
        }
        Field::ClientRequestId => "NULL".to_owned(),
        Field::Experiment => parameters.dialect.as_text("t.experiment_id"),
        Field::Timestamp => "t.timestamp_ms".to_owned(),
        Field::ExecutionTime => "t.execution_time_ms".to_owned(),
        Field::EndTime => "(t.timestamp_ms + coalesce(t.execution_time_ms, 0))".to_owned(),
        Field::Name => tag_value(schema, parameters, tag::NAME),
        Field::Tag(key) => tag_value(schema, parameters, key),
        Field::RunId => metadata_value(schema, parameters, "t", metadata::SOURCE_RUN),
        Field::Metadata(key) => metadata_value(schema, parameters, "t", key),
        Field::Tokens => tokens(schema, parameters, "total"),
        Field::InputTokens => tokens(schema, parameters, "input"),
        Field::OutputTokens => tokens(schema, parameters, "output"),
        Field::Cost => cost(schema, parameters),
        Field::SpanCount if outside => parameters.dialect.count_outside(),
        Field::SpanCount => {
            "(SELECT count(*) FROM spans c WHERE c.trace_id = t.request_id)".to_owned()
        }
        Field::Prompt
        | Field::IssueId
        | Field::Feedback(_)
        | Field::Expectation(_)
        | Field::SpanName
        | Field::SpanType
        | Field::SpanStatus
        | Field::SpanContent
        | Field::SpanAttribute(_)
        | Field::SpanDuration
        | Field::SpanTokens
        | Field::SpanCost
        | Field::SpanError
        | Field::SpanModel
        | Field::Models
        | Field::Error
        | Field::Failed
        | Field::Request
        | Field::Response
        | Field::Assessments
        | Field::Assessment(_)
        | Field::OfAssessment(_) => return None,
    })
}

/// The value of a tag, or null.
fn tag_value(schema: &Schema, parameters: &mut Parameters, key: &str) -> String {
    if key == tag::NAME && schema.has_trace_column("trace_name") {
        return "t.trace_name".to_owned();
    }
    let key = parameters.bind(key.to_owned());
    let is_key = parameters.dialect.equal("g.key", &key);
    format!("(SELECT g.value FROM trace_tags g WHERE g.request_id = t.request_id AND {is_key})")
}

/// The value of a metadata entry of the trace with this table alias, or null.
pub(super) fn metadata_value(
    schema: &Schema,
    parameters: &mut Parameters,
    trace: &str,
    key: &str,
) -> String {
    if key == metadata::SESSION && schema.has_trace_column("session_id") {
        return format!("{trace}.session_id");
    }
    let key = parameters.bind(key.to_owned());
    let is_key = parameters.dialect.equal("m.key", &key);
    format!(
        "(SELECT m.value FROM trace_request_metadata m \
         WHERE m.request_id = {trace}.request_id AND {is_key})"
    )
}

/// A number of tokens, `input`, `output` or `total`, or null.
fn tokens(schema: &Schema, parameters: &mut Parameters, which: &str) -> String {
    if !schema.has_trace_column("total_tokens") {
        let usage = metadata_value(schema, parameters, "t", metadata::TOKEN_USAGE);
        let which = format!("'{which}'");
        return parameters.dialect.call(Function::Tokens, &[&which, &usage]);
    }
    let value = match which {
        "input" => "t.input_tokens".to_owned(),
        "output" => "t.output_tokens".to_owned(),
        _ => total("t.total_tokens", "t.input_tokens", "t.output_tokens"),
    };
    // Zeros say that nothing was counted.
    let columns = ["t.total_tokens", "t.input_tokens", "t.output_tokens"];
    let counted = columns.map(|column| format!("{column} <> 0")).join(" OR ");
    format!("(CASE WHEN {counted} THEN {value} END)")
}

/// The whole cost in dollars, or null.
fn cost(schema: &Schema, parameters: &mut Parameters) -> String {
    if schema.has_trace_column("total_cost") {
        return total("t.total_cost", "t.input_cost", "t.output_cost");
    }
    let cost = metadata_value(schema, parameters, "t", metadata::COST);
    parameters.dialect.call(Function::Cost, &[&cost])
}

/// The reported total, else the sum of its parts, else null.
fn total(total: &str, input: &str, output: &str) -> String {
    format!(
        "coalesce({total}, CASE WHEN {input} IS NULL AND {output} IS NULL THEN NULL \
         ELSE coalesce({input}, 0) + coalesce({output}, 0) END)"
    )
}
