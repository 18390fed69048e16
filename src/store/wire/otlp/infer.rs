//! What MLflow's server makes of the attributes by which others say what a span does:
//! its type, inputs and outputs, tokens, model and tools. Whoever says it first in the
//! order of this list is believed, as there. What needs a list of prices is left out.

use serde_json::Value;

use super::Keys;
use crate::filter::write_text;
use crate::json::parse_value;
use crate::model::attribute;

/// A convention for attributes.
struct Convention {
    kind: &'static str,
    kinds: &'static [(&'static str, &'static str)],
    /// Input, output and total tokens, and those read from and written to a cache.
    tokens: [&'static str; 5],
    inputs: &'static [&'static str],
    outputs: &'static [&'static str],
    models: &'static [&'static str],
    provider: &'static str,
    tools: &'static str,
}

const NONE: Convention = Convention {
    kind: "",
    kinds: &[],
    tokens: [""; 5],
    inputs: &[],
    outputs: &[],
    models: &[],
    provider: "",
    tools: "",
};

const CONVENTIONS: [Convention; 7] = [
    // OpenInference.
    Convention {
        kind: "openinference.span.kind",
        kinds: &[
            ("TOOL", "TOOL"),
            ("CHAIN", "CHAIN"),
            ("LLM", "LLM"),
            ("RETRIEVER", "RETRIEVER"),
            ("EMBEDDING", "EMBEDDING"),
            ("AGENT", "AGENT"),
            ("RERANKER", "RERANKER"),
            ("UNKNOWN", "UNKNOWN"),
            ("GUARDRAIL", "GUARDRAIL"),
            ("EVALUATOR", "EVALUATOR"),
        ],
        tokens: [
            "llm.token_count.prompt",
            "llm.token_count.completion",
            "llm.token_count.total",
            "llm.token_count.prompt_details.cache_read",
            "llm.token_count.prompt_details.cache_write",
        ],
        inputs: &["input.value"],
        outputs: &["output.value"],
        models: &[
            "llm.response.model_name",
            "llm.model_name",
            "llm.request.model_name",
            "embedding.model_name",
        ],
        provider: "llm.provider",
        tools: "",
    },
    // OpenTelemetry's own.
    Convention {
        kind: "gen_ai.operation.name",
        kinds: &[
            ("chat", "CHAT_MODEL"),
            ("create_agent", "AGENT"),
            ("embeddings", "EMBEDDING"),
            ("execute_tool", "TOOL"),
            ("generate_content", "LLM"),
            ("invoke_agent", "AGENT"),
            ("text_completion", "LLM"),
            ("response", "LLM"),
        ],
        tokens: [
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.output_tokens",
            "",
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_write.input_tokens",
        ],
        inputs: &["gen_ai.input.messages", "gen_ai.tool.call.arguments"],
        outputs: &["gen_ai.output.messages", "gen_ai.tool.call.result"],
        models: &["gen_ai.response.model", "gen_ai.request.model"],
        provider: "gen_ai.provider.name",
        tools: "gen_ai.tool.definitions",
    },
    // Traceloop.
    Convention {
        kind: "traceloop.span.kind",
        kinds: &[
            ("workflow", "WORKFLOW"),
            ("task", "TASK"),
            ("agent", "AGENT"),
            ("tool", "TOOL"),
            ("unknown", "UNKNOWN"),
        ],
        tokens: [
            "gen_ai.usage.prompt_tokens",
            "gen_ai.usage.completion_tokens",
            "llm.usage.total_tokens",
            "",
            "",
        ],
        inputs: &["traceloop.entity.input"],
        outputs: &["traceloop.entity.output"],
        provider: "gen_ai.system",
        ..NONE
    },
    // Google's Agent Development Kit.
    Convention {
        inputs: &[
            "gcp.vertex.agent.llm_request",
            "gcp.vertex.agent.tool_call_args",
        ],
        outputs: &[
            "gcp.vertex.agent.llm_response",
            "gcp.vertex.agent.tool_response",
        ],
        ..NONE
    },
    // Vercel's AI SDK.
    Convention {
        kind: "ai.operationId",
        kinds: &[
            ("ai.generateText", "LLM"),
            ("ai.generateText.doGenerate", "LLM"),
            ("ai.toolCall", "TOOL"),
            ("ai.streamText", "LLM"),
            ("ai.streamText.doStream", "LLM"),
            ("ai.generateObject", "LLM"),
            ("ai.generateObject.doGenerate", "LLM"),
            ("ai.streamObject", "LLM"),
            ("ai.streamObject.doStream", "LLM"),
            ("ai.embed", "EMBEDDING"),
            ("ai.embed.doEmbed", "EMBEDDING"),
            ("ai.embedMany", "EMBEDDING"),
        ],
        inputs: &["ai.prompt", "ai.toolCall.args", "ai.value", "ai.values"],
        outputs: &[
            "ai.response.text",
            "ai.toolCall.result",
            "ai.response.object",
            "ai.embedding",
            "ai.embeddings",
        ],
        ..NONE
    },
    // Laminar.
    Convention {
        kind: "lmnr.span.type",
        kinds: &[
            ("LLM", "LLM"),
            ("TOOL", "TOOL"),
            ("DEFAULT", "CHAIN"),
            ("PIPELINE", "CHAIN"),
            ("EXECUTOR", "AGENT"),
            ("EVALUATOR", "EVALUATOR"),
            ("HUMAN_EVALUATOR", "EVALUATOR"),
            ("EVALUATION", "EVALUATOR"),
            ("CACHED", "LLM"),
        ],
        inputs: &["lmnr.span.input"],
        outputs: &["lmnr.span.output"],
        provider: "gen_ai.system",
        ..NONE
    },
    // Langfuse.
    Convention {
        kind: "langfuse.observation.type",
        kinds: &[
            ("generation", "LLM"),
            ("embedding", "EMBEDDING"),
            ("tool", "TOOL"),
            ("retriever", "RETRIEVER"),
            ("agent", "AGENT"),
            ("chain", "CHAIN"),
            ("evaluator", "EVALUATOR"),
            ("guardrail", "GUARDRAIL"),
            ("span", "UNKNOWN"),
        ],
        inputs: &["langfuse.observation.input"],
        outputs: &["langfuse.observation.output"],
        ..NONE
    },
];

/// The key under which OpenTelemetry had the tokens written to a cache before.
const OLD_CACHE_KEY: &str = "gen_ai.usage.cache_creation.input_tokens";

/// Adds what MLflow's server adds when spans come in.
pub(super) fn infer(keys: &mut Keys) {
    infer_type(keys);
    for (key, list) in [
        (attribute::INPUTS, CONVENTIONS.map(|c| c.inputs)),
        (attribute::OUTPUTS, CONVENTIONS.map(|c| c.outputs)),
    ] {
        add(keys, key, |keys| first(keys, &list));
    }
    add(keys, attribute::TOKEN_USAGE, usage);
    add(keys, "mlflow.chat.tools", |keys| {
        first(keys, &CONVENTIONS.map(|c| [c.tools]))
    });
    add(keys, attribute::MODEL, model);
    add(keys, "mlflow.llm.provider", |keys| {
        first(keys, &CONVENTIONS.map(|c| [c.provider]))
    });
}

fn add(keys: &mut Keys, key: &str, value: impl FnOnce(&Keys) -> Option<String>) {
    if keys.get(key).is_none()
        && let Some(value) = value(keys)
    {
        keys.set(key.to_owned(), value);
    }
}

fn infer_type(keys: &mut Keys) {
    let known = keys.get(attribute::TYPE);
    if known.is_some_and(|json| !matches!(json, "null" | "\"UNKNOWN\"" | "\"\"")) {
        return;
    }
    let found = CONVENTIONS.iter().find_map(|convention| {
        let said = parse_value(keys.get(convention.kind)?)?;
        let (_, kind) = convention
            .kinds
            .iter()
            .find(|(name, _)| said.as_str() == Some(name))?;
        Some(*kind)
    });
    if let Some(kind) = found {
        keys.set(attribute::TYPE.to_owned(), quoted(kind));
    }
}

/// The first attribute that says something.
fn first<L: AsRef<[&'static str]>>(keys: &Keys, names: &[L]) -> Option<String> {
    let mut names = names.iter().flat_map(AsRef::as_ref);
    names
        .find_map(|name| keys.get(name).filter(|json| says_something(json)))
        .map(str::to_owned)
}

/// Whether Python takes a value for true.
fn says_something(json: &str) -> bool {
    !matches!(
        json,
        "" | "null" | "false" | "0" | "0.0" | "\"\"" | "[]" | "{}"
    )
}

fn usage(keys: &Keys) -> Option<String> {
    const NAMES: [&str; 5] = [
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
    ];
    CONVENTIONS.iter().find_map(|convention| {
        let mut counts = convention.tokens.map(|key| integer(keys.get(key)?));
        if let [Some(input), Some(output), total @ None, ..] = &mut counts {
            *total = input.checked_add(*output);
        }
        if convention.kind == CONVENTIONS[1].kind && counts[4].is_none() {
            counts[4] = keys.get(OLD_CACHE_KEY).and_then(integer);
        }
        if counts[..3].iter().all(Option::is_none) {
            return None;
        }
        let members: Vec<String> = NAMES
            .iter()
            .zip(counts)
            .filter_map(|(name, count)| Some(format!("\"{name}\": {}", count?)))
            .collect();
        Some(format!("{{{}}}", members.join(", ")))
    })
}

/// A number, or its digits in a text.
fn integer(json: &str) -> Option<i64> {
    match parse_value(json)? {
        Value::Number(number) => number.as_i64(),
        Value::String(digits) => digits.trim().parse().ok(),
        _ => None,
    }
}

fn model(keys: &Keys) -> Option<String> {
    first(keys, &CONVENTIONS.map(|c| c.models)).or_else(|| {
        [attribute::INPUTS, attribute::OUTPUTS]
            .into_iter()
            .find_map(|key| {
                let value = parse_value(keys.get(key)?)?;
                let model = value.get("model")?.as_str()?;
                (!model.is_empty()).then(|| quoted(model))
            })
    })
}

pub(super) fn quoted(text: &str) -> String {
    let mut json = String::new();
    write_text(&mut json, text, false);
    json
}
