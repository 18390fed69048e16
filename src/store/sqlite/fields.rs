//! Fields of `trace_info t` and of what hangs on it as SQL: columns where the
//! schema has them, and rows of tags and metadata where it does not.

use super::schema::Schema;
use super::statement::{COST, Parameters, TOKENS};
use crate::model::{metadata, tag};

/// The value of a tag, or null.
pub(super) fn tag_value(schema: &Schema, parameters: &mut Parameters, key: &str) -> String {
    if key == tag::NAME && schema.has_trace_column("trace_name") {
        return "t.trace_name".to_owned();
    }
    let key = parameters.bind(key.to_owned());
    format!(
        "(SELECT g.value FROM trace_tags g WHERE g.request_id = t.request_id AND g.key = {key})"
    )
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
    format!(
        "(SELECT m.value FROM trace_request_metadata m \
         WHERE m.request_id = {trace}.request_id AND m.key = {key})"
    )
}

/// A number of tokens, `input`, `output` or `total`, or null.
pub(super) fn tokens(schema: &Schema, parameters: &mut Parameters, which: &str) -> String {
    if !schema.has_trace_column("total_tokens") {
        let usage = metadata_value(schema, parameters, "t", metadata::TOKEN_USAGE);
        return format!("{TOKENS}('{which}', {usage})");
    }
    match which {
        "input" => "t.input_tokens".to_owned(),
        "output" => "t.output_tokens".to_owned(),
        _ => total("t.total_tokens", "t.input_tokens", "t.output_tokens"),
    }
}

/// The whole cost in dollars, or null.
pub(super) fn cost(schema: &Schema, parameters: &mut Parameters) -> String {
    if schema.has_trace_column("total_cost") {
        return total("t.total_cost", "t.input_cost", "t.output_cost");
    }
    let cost = metadata_value(schema, parameters, "t", metadata::COST);
    format!("{COST}({cost})")
}

/// The reported total, else the sum of its parts, else null.
fn total(total: &str, input: &str, output: &str) -> String {
    format!(
        "coalesce({total}, CASE WHEN {input} IS NULL AND {output} IS NULL THEN NULL \
         ELSE coalesce({input}, 0) + coalesce({output}, 0) END)"
    )
}
