//! The tools of a trace: which were offered to its models, which of them were called, how
//! often they ran and failed, and whether the arguments are those that the definitions ask
//! for. Of JSON Schema the parts are looked at that models go wrong in: names, `required`,
//! `type` and `enum` of the arguments themselves.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::{Conversation, NodeId, SpanTree, conversation};
use crate::messages::offered;
use crate::model::{Part, Role, ToolCall, ToolDefinition, Trace};

/// A tool of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolUse {
    /// What it is called.
    pub name: String,
    /// The newest definition that it was offered with.
    pub definition: Option<ToolDefinition>,
    /// Calls of models that offer it; `None` where no call of the trace tells what it offers.
    pub offered: Option<usize>,
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
            offered: None,
            calls: Vec::new(),
            made_up: false,
            failed: 0,
            duration_ns: None,
        }
    }

    /// The most calls with the same arguments.
    pub fn alike(&self) -> usize {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for used in &self.calls {
            let arguments = used.call.arguments.to_string();
            *counts.entry(arguments).or_default() += 1;
        }
        counts.into_values().max().unwrap_or(0)
    }

    /// Calls whose arguments the definition does not allow.
    pub fn bad_calls(&self) -> usize {
        let bad = |call: &&UsedCall| !call.problems.is_empty();
        self.calls.iter().filter(bad).count()
    }
}

/// Tools by their names, in the order in which they came up.
#[derive(Default)]
struct Uses {
    all: Vec<ToolUse>,
    at: HashMap<String, usize>,
}

impl Uses {
    fn of(&mut self, name: &str) -> &mut ToolUse {
        let at = *self.at.entry(name.to_owned()).or_insert_with(|| {
            self.all.push(ToolUse::new(name));
            self.all.len() - 1
        });
        &mut self.all[at]
    }
}

/// The tools of a trace: those that were offered in the order in which they were, then the
/// others that were called.
pub fn tool_uses(trace: &Trace, tree: &SpanTree) -> Vec<ToolUse> {
    let mut uses = Uses::default();
    add_offered(&mut uses, trace, tree);
    let any_offered = !uses.all.is_empty();
    add_calls(&mut uses, &conversation(trace, tree));
    for tool in &mut uses.all {
        if any_offered {
            let offered = *tool.offered.get_or_insert(0);
            tool.made_up &= offered == 0;
        } else {
            tool.made_up = false;
        }
        if let Some(schema) = tool.definition.as_ref().and_then(|d| d.parameters.as_ref()) {
            for used in &mut tool.calls {
                used.problems = problems(schema, &used.call.arguments);
            }
        }
    }
    uses.all
}

fn add_offered(uses: &mut Uses, trace: &Trace, tree: &SpanTree) {
    let is_call = |id| crate::messages::is_call(tree.span(id, trace));
    let mut by_call: HashMap<NodeId, Vec<String>> = HashMap::new();
    for (id, _) in tree.preorder().filter(|(id, _)| is_call(*id)) {
        let definitions = offered(tree.span(id, trace));
        if definitions.is_empty() {
            continue;
        }
        let names = definitions.iter().map(|one| one.name.clone()).collect();
        by_call.insert(id, names);
        for definition in definitions {
            let tool = uses.of(&definition.name);
            tool.definition = Some(definition);
        }
    }
    // A client within a wrapper is one call, and either may say what was offered.
    for id in tree.lowest(is_call) {
        let mut above = std::iter::successors(Some(id), |id| tree.node(*id).parent);
        for name in above.find_map(|id| by_call.get(&id)).into_iter().flatten() {
            *uses.of(name).offered.get_or_insert(0) += 1;
        }
    }
    for tool in &mut uses.all {
        tool.offered.get_or_insert(1);
    }
}

/// Adds the calls that were asked for, and the runs. What a history has of earlier traces
/// is neither a call nor a run of this one.
fn add_calls(uses: &mut Uses, conversation: &Conversation) {
    let parts = || {
        let said = conversation.said.iter();
        said.flat_map(|said| said.message.parts.iter().map(move |part| (said, part)))
    };
    let ran: HashSet<&str> = parts()
        .filter_map(|(said, part)| match part {
            Part::Result(result) if said.span.is_some() => result.id.as_deref(),
            _ => None,
        })
        .collect();
    let mut called: HashSet<&str> = HashSet::new();
    for (said, part) in parts() {
        let Part::Call(call) = part else { continue };
        let id = call.id.as_deref();
        if said.time_ns.is_none() && !id.is_some_and(|id| ran.contains(id)) {
            continue;
        }
        called.extend(id);
        let tool = uses.of(&call.name);
        tool.made_up |= said.message.role == Role::Assistant;
        tool.calls.push(UsedCall {
            call: call.clone(),
            span: said.span,
            problems: Vec::new(),
        });
    }
    for (said, part) in parts() {
        let Part::Result(result) = part else { continue };
        let id = result.id.as_deref();
        let is_here = said.span.is_some() || id.is_some_and(|id| called.contains(id));
        let Some(name) = result.name.as_deref().filter(|_| is_here) else {
            continue;
        };
        let tool = uses.of(name);
        tool.failed += usize::from(said.error.is_some() || result.is_error == Some(true));
        if let Some(ns) = said.duration_ns.filter(|_| said.message.role == Role::Tool) {
            tool.duration_ns = Some(tool.duration_ns.unwrap_or(0).saturating_add(ns));
        }
    }
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
                {"role": "tool", "tool_call_id": "old", "content": "no", "is_error": true}],
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
                ("look", Some(1), 2, 1, 1),
                ("idle", Some(1), 0, 0, 0),
                ("made_up", Some(0), 1, 0, 0)
            ]
        );
        assert_eq!(
            uses.iter().map(ToolUse::alike).collect::<Vec<_>>(),
            [1, 0, 1]
        );
        let mut loops = uses[0].clone();
        loops.calls = vec![
            loops.calls[0].clone(),
            loops.calls[1].clone(),
            loops.calls[0].clone(),
        ];
        assert_eq!(loops.alike(), 2);
        // Where nothing tells of offers, nobody knows whether there were any.
        let mut silent = trace.clone();
        let own = |key: &str| key == attribute::INPUTS;
        silent.spans[1].attributes.retain(|(key, _)| !own(key));
        let uses_of_silent = tool_uses(&silent, &SpanTree::build(&silent));
        assert!(
            uses_of_silent
                .iter()
                .all(|tool| tool.offered.is_none() && !tool.made_up)
        );
        assert!(uses[2].made_up && !uses[0].made_up);
        assert_eq!(uses[0].duration_ns, Some(40_000_000));
    }
}
