//! The tools of a trace: which were offered to its models, which of them were called, how
//! often they ran and failed, and whether the arguments are those that the definitions ask
//! for. Of JSON Schema the parts are looked at that models go wrong in: names, `required`,
//! `type` and `enum` of the arguments themselves.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::conversation::{Conversation, Said};
use super::{NodeId, SpanTree, conversation};
use crate::messages::offered;
use crate::model::{Part, Role, ToolCall, ToolDefinition, Trace};

/// A tool of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolUse {
    /// What it is called.
    pub name: String,
    /// The newest definition that it was offered with.
    pub definition: Option<ToolDefinition>,
    /// Calls of models that offer it.
    pub offered: usize,
    /// The calls of it, in their order.
    pub calls: Vec<UsedCall>,
    /// Whether a model called it though no call offers it, where calls say what they offer.
    pub made_up: bool,
    /// Runs that failed.
    pub failed: usize,
    /// Σ duration of the runs that have ended, in nanoseconds; `None` where none was recorded.
    pub duration_ns: Option<i64>,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct UsedCall {
    /// The call.
    pub call: ToolCall,
    /// The span that asks for it, by its place in the trace.
    pub span: Option<usize>,
    /// What is wrong with the arguments, a clause each.
    pub problems: Vec<String>,
}

impl ToolUse {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            definition: None,
            offered: 0,
            calls: Vec::new(),
            made_up: false,
            failed: 0,
            duration_ns: None,
        }
    }

    /// Calls whose arguments the definition does not allow.
    pub fn bad_calls(&self) -> usize {
        let bad = |call: &&UsedCall| !call.problems.is_empty();
        self.calls.iter().filter(bad).count()
    }
}

/// The tools of a trace: those that were offered in the order in which they were, then the
/// others that were called.
pub fn tool_uses(trace: &Trace, tree: &SpanTree) -> Vec<ToolUse> {
    let mut uses: Vec<ToolUse> = Vec::new();
    let calls = |id| crate::messages::is_call(tree.span(id, trace));
    let mut by_call: HashMap<NodeId, Vec<String>> = HashMap::new();
    for (id, _) in tree.preorder().filter(|(id, _)| calls(*id)) {
        let definitions = offered(tree.span(id, trace));
        let names = definitions.iter().map(|one| one.name.clone()).collect();
        by_call.insert(id, names);
        for definition in definitions {
            let tool = of_name(&mut uses, &definition.name);
            tool.offered = 1;
            tool.definition = Some(definition);
        }
    }
    // A client within a wrapper is one call, and either may say what was offered.
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for id in tree.lowest(calls) {
        let mut above = std::iter::successors(Some(id), |id| tree.node(*id).parent);
        let names = above.find_map(|id| by_call.get(&id).filter(|names| !names.is_empty()));
        for name in names.into_iter().flatten() {
            *counts.entry(name).or_default() += 1;
        }
    }
    for tool in &mut uses {
        tool.offered = tool
            .offered
            .max(counts.get(tool.name.as_str()).copied().unwrap_or(0));
    }
    let conversation = conversation(trace, tree);
    for said in &conversation.said {
        add(&mut uses, said, &conversation);
    }
    let any_offered = uses.iter().any(|tool| tool.offered > 0);
    for tool in &mut uses {
        tool.made_up &= any_offered && tool.offered == 0;
        if let Some(schema) = tool.definition.as_ref().and_then(|d| d.parameters.as_ref()) {
            for used in &mut tool.calls {
                used.problems = problems(schema, &used.call.arguments);
            }
        }
    }
    uses
}

fn of_name<'u>(uses: &'u mut Vec<ToolUse>, name: &str) -> &'u mut ToolUse {
    let known = uses.iter().position(|tool| tool.name == name);
    let at = known.unwrap_or_else(|| {
        uses.push(ToolUse::new(name));
        uses.len() - 1
    });
    &mut uses[at]
}

/// Adds the calls that a message asks for, and the run that it tells of. What a history has
/// of earlier traces is no call of this one.
fn add(uses: &mut Vec<ToolUse>, said: &Said, conversation: &Conversation) {
    for part in &said.message.parts {
        match part {
            Part::Call(call) if said.time_ns.is_some() || has_run(call, conversation) => {
                let tool = of_name(uses, &call.name);
                tool.made_up |= said.message.role == Role::Assistant;
                tool.calls.push(UsedCall {
                    call: call.clone(),
                    span: said.span,
                    problems: Vec::new(),
                });
            }
            Part::Result(result) if said.message.role == Role::Tool => {
                let Some(name) = &result.name else { continue };
                let ran = said.span.is_some();
                let failed = said.error.is_some() || result.is_error == Some(true);
                if ran || failed {
                    let tool = of_name(uses, name);
                    tool.failed += usize::from(failed);
                    if let Some(ns) = said.duration_ns {
                        tool.duration_ns = Some(tool.duration_ns.unwrap_or(0).saturating_add(ns));
                    }
                }
            }
            _ => {}
        }
    }
}

/// Whether a span of this trace ran a call.
fn has_run(call: &ToolCall, conversation: &Conversation) -> bool {
    call.id.is_some()
        && conversation.said.iter().any(|said| {
            said.span.is_some()
                && said.message.parts.iter().any(|part| match part {
                    Part::Result(result) => result.id == call.id,
                    _ => false,
                })
        })
}

/// What of the arguments a schema does not allow.
fn problems(schema: &Map<String, Value>, arguments: &Value) -> Vec<String> {
    let Some(given) = arguments.as_object() else {
        return match arguments {
            Value::Null => missing(schema, &Map::new()),
            _ => vec!["the arguments are no object".to_owned()],
        };
    };
    let mut found = missing(schema, given);
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return found;
    };
    let is_open = matches!(
        schema.get("additionalProperties"),
        Some(Value::Bool(true) | Value::Object(_))
    );
    for (name, value) in given {
        match properties.get(name) {
            Some(property) => found.extend(mismatch(name, property, value)),
            None if !is_open => found.push(format!("`{name}` is no argument of it")),
            None => {}
        }
    }
    found
}

fn missing(schema: &Map<String, Value>, given: &Map<String, Value>) -> Vec<String> {
    let required = schema.get("required").and_then(Value::as_array);
    let names = required.into_iter().flatten().filter_map(Value::as_str);
    names
        .filter(|name| !given.contains_key(*name))
        .map(|name| format!("`{name}` is missing"))
        .collect()
}

fn mismatch(name: &str, property: &Value, value: &Value) -> Option<String> {
    let types = match property.get("type")? {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    // Vertex AI spells them in capitals.
    let is_of = |wanted: &&str| match wanted.to_ascii_lowercase().as_str() {
        "string" => value.is_string(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    };
    if !types.iter().any(is_of) {
        return Some(format!(
            "`{name}` is {}, expected {}",
            kind_of(value),
            types.join(" or ").to_ascii_lowercase()
        ));
    }
    let allowed = property.get("enum").and_then(Value::as_array)?;
    (!allowed.is_empty() && !allowed.contains(value))
        .then(|| format!("`{name}` is {value}, expected one of {}", list(allowed)))
}

fn list(allowed: &[Value]) -> String {
    let texts: Vec<String> = allowed.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::analysis::sample::{SpanExt, span, trace};
    use crate::model::attribute;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn arguments_are_held_against_their_definition() {
        let schema = object(&json!({
            "properties": {
                "article": {"type": "string"},
                "count": {"type": ["integer", "null"]},
                "unit": {"type": "STRING", "enum": ["kg", "g"]},
            },
            "required": ["article"],
        }));
        for (arguments, expected) in [
            (json!({"article": "a", "count": 2, "unit": "g"}), vec![]),
            (json!({"article": "a", "count": 2.0}), vec![]),
            (json!({"article": "a", "count": null}), vec![]),
            (
                json!({"count": "2"}),
                vec![
                    "`article` is missing",
                    "`count` is a string, expected integer or null",
                ],
            ),
            (
                json!({"article": "a", "unit": "lb"}),
                vec![r#"`unit` is "lb", expected one of "kg", "g""#],
            ),
            (
                json!({"article": "a", "q": 1}),
                vec!["`q` is no argument of it"],
            ),
            (json!(null), vec!["`article` is missing"]),
            (json!("{broken"), vec!["the arguments are no object"]),
        ] {
            assert_eq!(problems(&schema, &arguments), expected, "{arguments}");
        }
        let open = object(&json!({"properties": {}, "additionalProperties": true}));
        assert!(problems(&open, &json!({"q": 1})).is_empty());
    }

    #[test]
    fn offered_called_and_run_are_counted_apart() {
        let inputs = json!({
            "messages": [{"role": "user", "content": "Is it there?"},
                {"role": "assistant", "tool_calls": [{"id": "old", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "old", "content": "no"}],
            "tools": [{"type": "function", "function": {"name": "look", "parameters": {"properties": {"a": {"type": "string"}}, "required": ["a"]}}},
                {"type": "function", "function": {"name": "idle"}}],
        });
        let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
        let outputs = json!({"choices": [{"message": {"role": "assistant", "content": null, "tool_calls":
            [call("1", "look", "{\"a\": \"x\"}"), call("2", "look", "{\"b\": 1}"), call("3", "made_up", "{}")]}}]});
        let trace = trace([
            span("root", "", 0, 100),
            span("llm", "root", 0, 10)
                .typed("CHAT_MODEL")
                .with(attribute::INPUTS, &inputs.to_string())
                .with(attribute::OUTPUTS, &outputs.to_string()),
            span("look", "root", 20, 50)
                .typed("TOOL")
                .with("tool_call_id", "\"1\"")
                .with(attribute::INPUTS, "{\"a\": \"x\"}")
                .with(attribute::OUTPUTS, "\"yes\""),
            span("look2", "root", 60, 70)
                .named("look")
                .typed("TOOL")
                .with("tool_call_id", "\"2\"")
                .with(attribute::INPUTS, "{\"b\": 1}")
                .failed(),
        ]);
        let uses = tool_uses(&trace, &SpanTree::build(&trace));
        let shown: Vec<_> = uses
            .iter()
            .map(|tool| {
                (
                    tool.name.as_str(),
                    tool.offered,
                    tool.calls.len(),
                    tool.failed,
                    tool.bad_calls(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("look", 1, 2, 1, 1),
                ("idle", 1, 0, 0, 0),
                ("made_up", 0, 1, 0, 0)
            ]
        );
        assert!(uses[2].made_up && !uses[0].made_up);
        assert_eq!(uses[0].duration_ns, Some(40_000_000));
    }
}
