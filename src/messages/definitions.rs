//! Which tools a call offers to its model, in the shapes of vendors, frameworks and
//! conventions. MLflow's own list loses parts of the definitions, so it comes last.

use serde_json::Value;

use super::sources::drawn;
use super::value::{Object, attribute, decoded, first, first_text, kind, object};
use crate::model::{Span, ToolDefinition, attribute as keys, is_repr};

/// The tools that a call offers, each name once.
pub fn offered(span: &Span) -> Vec<ToolDefinition> {
    let sources: [fn(&Span) -> Option<Value>; 8] = [
        |span| of_inputs(&attribute(span, keys::INPUTS)?),
        |span| attribute(span, "gen_ai.tool.definitions"),
        |span| drawn(span, "llm.tools").map(Value::Array),
        |span| drawn(span, "llm.request.functions").map(Value::Array),
        |span| attribute(span, "ai.prompt.tools"),
        |span| {
            let parameters = attribute(span, "model_request_parameters")?;
            parameters.as_object()?.get("function_tools").cloned()
        },
        |span| attribute(span, "tools"),
        |span| attribute(span, "mlflow.chat.tools"),
    ];
    let mut found = Vec::new();
    for source in sources {
        if let Some(value) = source(span) {
            read(&value, &mut found);
        }
        if !found.is_empty() {
            break;
        }
    }
    let mut known = Vec::new();
    found.retain(|tool: &ToolDefinition| {
        let is_new = !known.contains(&tool.name);
        known.push(tool.name.clone());
        is_new
    });
    found
}

/// What lists of tools are called.
const LISTS: [&str; 3] = ["tools", "functions", "function_tools"];

/// The list among the arguments of a client.
fn of_inputs(inputs: &Value) -> Option<Value> {
    let inputs = inputs.as_object()?;
    let own = first(inputs, &LISTS);
    let nested = [
        "config",
        "toolConfig",
        "body",
        "kwargs",
        "optional_params",
        "model_request_parameters",
    ];
    let nested = || nested.iter().find_map(|key| inner(inputs, key));
    own.cloned().or_else(nested)
}

fn inner(inputs: &Object, key: &str) -> Option<Value> {
    let value = decoded(inputs.get(key)?).into_owned();
    first(value.as_object()?, &LISTS).cloned()
}

fn read(value: &Value, found: &mut Vec<ToolDefinition>) {
    match decoded(value).as_ref() {
        Value::Array(items) => items.iter().for_each(|item| read(item, found)),
        Value::String(name) if !name.is_empty() && !is_repr(name) => {
            found.push(ToolDefinition {
                name: name.clone(),
                ..ToolDefinition::default()
            });
        }
        Value::Object(one) => read_object(one, found),
        _ => {}
    }
}

fn read_object(one: &Object, found: &mut Vec<ToolDefinition>) {
    let wrappers = [
        "function",
        "toolSpec",
        "functionDeclarations",
        "function_declarations",
        "tool",
        "json_schema",
    ];
    let wrapped = wrappers.iter().find_map(|key| one.get(*key));
    if let Some(inner) = wrapped.filter(|inner| !inner.is_null() && !one.contains_key("name")) {
        return read(inner, found);
    }
    let parameters = [
        "parameters",
        "input_schema",
        "inputSchema",
        "parameters_json_schema",
        "parametersJsonSchema",
        "args_schema",
    ];
    let parameters = first(one, &parameters).map(decoded);
    let parameters = parameters
        .as_deref()
        .and_then(Value::as_object)
        .map(|schema| object(schema, "json").unwrap_or(schema).clone());
    // What a vendor runs itself has a type and no name.
    let name = first_text(one, &["name"]).unwrap_or_else(|| kind(one));
    if name.is_empty() {
        return;
    }
    found.push(ToolDefinition {
        name: name.to_owned(),
        description: first_text(one, &["description"]).map(str::to_owned),
        parameters,
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn definitions_are_read_in_every_shape() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        for shape in [
            json!([{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": schema}}]),
            json!([{"type": "function", "name": "look", "description": "Looks.", "parameters": schema}]),
            json!([{"name": "look", "description": "Looks.", "input_schema": schema}]),
            json!([{"toolSpec": {"name": "look", "description": "Looks.", "inputSchema": {"json": schema}}}]),
            json!([{"function_declarations": [{"name": "look", "description": "Looks.", "parameters": schema}]}]),
            json!([{"tool": {"json_schema": {"type": "function", "function": {"type": "function", "name": "look", "description": "Looks.", "parameters": schema}}}}]),
            json!([serde_json::to_string(
                &json!({"name": "look", "description": "Looks.", "inputSchema": schema})
            )
            .unwrap()]),
        ] {
            let mut found = Vec::new();
            read(&shape, &mut found);
            assert_eq!(found.len(), 1, "{shape}");
            assert_eq!(found[0].name, "look");
            assert_eq!(found[0].description.as_deref(), Some("Looks."));
            assert_eq!(
                Value::from(found.remove(0).parameters.unwrap()),
                schema,
                "{shape}"
            );
        }
        let inputs = json!({"messages": [], "model_request_parameters": {"function_tools": [{"name": "look", "parameters_json_schema": schema}]}});
        assert!(of_inputs(&inputs).is_some_and(|tools| tools[0]["name"] == "look"));
        let mut found = Vec::new();
        let odd = json!(["look", "<function look at 0x7fc5>", {"type": "web_search"}, {}, 3, null]);
        read(&odd, &mut found);
        let names: Vec<&str> = found.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(names, ["look", "web_search"]);
    }
}
