//! What a tool's span tells: the tool's name, the arguments, and what came back
//! without what frameworks wrap it in.

use serde_json::Value;

use super::value::{attribute, attribute_text, decoded, first, first_text, some};
use crate::json::parse_value;
use crate::model::{Span, ToolCall, ToolResult, attribute as keys};

/// What a tool is called: the conventions' name, else the span's without its prefix.
fn name_of(span: &Span) -> String {
    let named = [
        "gen_ai.tool.name",
        "tool_name",
        "tool.name",
        "haystack.tool.name",
        "traceloop.entity.name",
        "ai.toolCall.name",
        "name",
    ];
    if let Some(name) = named.iter().find_map(|key| attribute_text(span, key)) {
        return name;
    }
    let name = span.name.as_str();
    let prefixes = ["execute_tool ", "running tool: ", "tool_", "Tool."];
    let short = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix));
    short
        .filter(|short| !short.is_empty())
        .unwrap_or(name)
        .to_owned()
}

/// The id of the call that a tool's span ran.
fn id_of(span: &Span) -> Option<String> {
    let ids = [
        "tool_call_id",
        "gen_ai.tool.call.id",
        "tool_id",
        "ai.toolCall.id",
        "tool_call.id",
    ];
    ids.iter().find_map(|key| attribute_text(span, key))
}

/// The call that a tool's span ran.
pub fn tool_call(span: &Span) -> ToolCall {
    let arguments = [
        "gen_ai.tool.call.arguments",
        "ai.toolCall.args",
        "gcp.vertex.agent.tool_call_args",
        "haystack.agent.step.tool.input",
        "tool.parameters",
    ];
    let given = attribute(span, keys::INPUTS)
        .or_else(|| arguments.iter().find_map(|key| attribute(span, key)));
    ToolCall {
        id: id_of(span),
        name: name_of(span),
        arguments: given.map(unwrapped).unwrap_or_default(),
    }
}

/// Arguments without what a wrapper puts around them.
fn unwrapped(given: Value) -> Value {
    let Value::Object(object) = &given else {
        return given;
    };
    let known = |key: &String| {
        matches!(
            key.as_str(),
            "kwargs" | "kw" | "args" | "sanitize_inputs_outputs"
        )
    };
    if !object.keys().all(known) {
        return given;
    }
    let inner = first(object, &["kwargs", "kw"])
        .filter(|inner| inner.as_object().is_some_and(|inner| !inner.is_empty()));
    inner
        .or_else(|| some(object, "args"))
        .cloned()
        .unwrap_or(given)
}

/// What a tool's span gave back; `None` where that was not recorded.
pub fn tool_result(span: &Span) -> Option<ToolResult> {
    let keys = [
        "gen_ai.tool.call.result",
        "ai.toolCall.result",
        "gcp.vertex.agent.tool_response",
        "haystack.agent.step.tool.output",
    ];
    let raw = |key: &str| {
        let raw = span.attribute(key)?;
        Some(parse_value(raw).unwrap_or_else(|| Value::String(raw.to_owned())))
            .filter(|value| !value.is_null())
    };
    let output = raw(keys::OUTPUTS)
        .or_else(|| keys.iter().find_map(|key| raw(key)))
        .or_else(|| {
            let event = span
                .events
                .iter()
                .find(|event| event.name == "tool.output" || event.name == "gen_ai.choice")?;
            first(
                &event.attributes,
                &["tool.output", "output", "message", "content"],
            )
            .cloned()
        })?;
    let (response, is_error) = result_of(output);
    Some(ToolResult {
        id: id_of(span),
        name: Some(name_of(span)),
        response,
        is_error,
    })
}

/// The value within what frameworks wrap it in, and whether it is an error.
fn result_of(output: Value) -> (Value, Option<bool>) {
    if let Value::Array(items) = &output
        && let [Value::Object(one)] = items.as_slice()
        && one.len() == 1
        && let Some(text) = first_text(one, &["text"])
    {
        return (Value::from(text), None);
    }
    let decoded_output = decoded(&output);
    let Value::Object(object) = &*decoded_output else {
        return (output, None);
    };
    let is_error = object.get("is_error").and_then(Value::as_bool).or_else(|| {
        (first_text(object, &["status"]) == Some("error") && object.contains_key("tool_call_id"))
            .then_some(true)
    });
    let is_error = is_error.filter(|is_error| *is_error);
    // A tool message of LangChain or OpenAI, LlamaIndex' output, smolagents' value.
    for (mark, key) in [
        ("tool_call_id", "content"),
        ("raw_output", "content"),
        ("blocks", "raw_output"),
    ] {
        if object.contains_key(mark)
            && let Some(inner) = some(object, key)
        {
            return (inner.clone(), is_error);
        }
    }
    if object.len() == 1
        && let Some(inner) = first(object, &["_value", "result", "output"])
    {
        return (inner.clone(), is_error);
    }
    (output, is_error)
}
