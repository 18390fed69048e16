//! What is known of a model's call besides what was said: whether it is one, its
//! model, tokens, the id of its response, why it ended.

use std::borrow::Cow;

use serde_json::Value;

use super::usage::{self, CallUsage};
use super::value::{Object, attribute, attribute_text, first_text, list, object, some};
use crate::json::parse_value;
use crate::model::{Span, is_repr};

/// What is known of a call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct About {
    /// The model that answered, else the one that was asked.
    pub model: Option<String>,
    /// Tokens, where somebody reported any.
    pub usage: Option<CallUsage>,
    /// The vendor's id of the response.
    pub response_id: Option<String>,
    /// Why the model ended, where its message does not say so.
    pub finish_reason: Option<String>,
}

/// Operations, by OpenTelemetry's name, that are no calls of a model.
const NO_CALLS: [&str; 6] = [
    "embeddings",
    "invoke_agent",
    "create_agent",
    "execute_tool",
    "invoke_workflow",
    "retrieval",
];

/// Whether a span is the call of a model that says something.
pub fn is_call(span: &Span) -> bool {
    let operation = attribute_text(span, "gen_ai.operation.name");
    if operation.is_some_and(|operation| NO_CALLS.contains(&operation.as_str())) {
        return false;
    }
    match &*span.span_type() {
        "LLM" | "CHAT_MODEL" => !says_nothing(span),
        Span::NO_TYPE => has_message_attributes(span) && !says_nothing(span),
        _ => false,
    }
}

/// Whether a span is told of in other ways than as messages: a tool, a retrieval, an
/// embedding, a count of tokens.
pub fn is_silent(span: &Span) -> bool {
    matches!(
        &*span.span_type(),
        "TOOL" | "RETRIEVER" | "EMBEDDING" | "RERANKER"
    ) || says_nothing(span)
}

fn has_message_attributes(span: &Span) -> bool {
    const STARTS: [&str; 8] = [
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.prompt",
        "gen_ai.completion",
        "llm.input_messages.",
        "llm.output_messages.",
        "ai.prompt.messages",
        "gcp.vertex.agent.llm_request",
    ];
    let is_of_messages = |key: &str| STARTS.iter().any(|start| key.starts_with(start));
    span.attributes.iter().any(|(key, _)| is_of_messages(key))
        || span.events.iter().any(|event| {
            event.name.starts_with("gen_ai.") && event.name.ends_with(".message")
                || event.name == "gen_ai.choice"
                || event.name.starts_with("gen_ai.content.")
        })
}

/// Whether a span embeds texts.
pub fn embeds(span: &Span) -> bool {
    span.span_type() == "EMBEDDING" || is_embedding(span)
}

/// Embeddings and counts of tokens are typed as calls of a model by some clients.
fn says_nothing(span: &Span) -> bool {
    is_embedding(span) || is_count(span)
}

fn is_count(span: &Span) -> bool {
    span.outputs()
        .filter(|raw| raw.contains("total_tokens"))
        .is_some_and(|raw| {
            let value = parse_value(raw);
            let object = value.as_ref().and_then(Value::as_object);
            object.is_some_and(|object| {
                some(object, "total_tokens").is_some()
                    && ![
                        "candidates",
                        "choices",
                        "output",
                        "content",
                        "message",
                        "text",
                    ]
                    .iter()
                    .any(|key| object.contains_key(*key))
            })
        })
}

fn is_embedding(span: &Span) -> bool {
    if attribute_text(span, "llm.request.type").is_some_and(|kind| kind == "embedding") {
        return true;
    }
    // LiteLLM types its embeddings as calls of a language model.
    let has_vectors = |raw: &str| {
        raw.contains("\"embedding\"")
            && parse_value(raw).is_some_and(|value| {
                value["object"] == "list" && value["data"][0]["embedding"] != Value::Null
            })
    };
    attribute_text(span, "call_type").is_some_and(|kind| kind.ends_with("embedding"))
        || span.outputs().is_some_and(has_vectors)
}

/// What a span says of its call.
pub fn about(span: &Span) -> About {
    let outputs = attribute(span, crate::model::attribute::OUTPUTS);
    let outputs = outputs.as_ref().and_then(Value::as_object);
    About {
        model: span
            .model()
            .map(Cow::into_owned)
            .or_else(|| outputs.and_then(model_of)),
        usage: usage::of_call(span, outputs),
        response_id: span.response_id().map(Cow::into_owned).or_else(|| {
            Some(first_text(outputs?, &["id", "response_id", "responseId"])?.to_owned())
        }),
        finish_reason: finish(span),
    }
}

fn model_of(outputs: &Object) -> Option<String> {
    let reply = || list(outputs, "replies")?.first()?.as_object();
    let meta = || object(reply()?, "meta");
    first_text(outputs, &["model", "model_version", "modelVersion"])
        .or_else(|| first_text(meta()?, &["model"]))
        .or_else(|| first_text(object(outputs, "raw")?, &["model"]))
        .map(str::to_owned)
}

/// The attributes in which instrumentations keep why a call ended.
const REASONS: [&str; 6] = [
    "ai.response.finishReason",
    "llm.response.finish_reason",
    "llm.response.stop_reason",
    "llm.finish_reason",
    "gen_ai.response.finish_reason",
    "gen_ai.completion.0.finish_reason",
];

fn finish(span: &Span) -> Option<String> {
    let reasons = attribute(span, "gen_ai.response.finish_reasons");
    reasons
        .as_ref()
        .and_then(|reasons| reasons.as_array()?.first()?.as_str())
        .map(str::to_owned)
        .or_else(|| REASONS.iter().find_map(|key| attribute_text(span, key)))
        .map(|reason| match reason.strip_prefix("FinishReason.") {
            // As Python shows a member of an enumeration.
            Some(name) => name.to_lowercase(),
            None => reason,
        })
        .or_else(|| of_chunks(span))
}

/// The reason in the last chunk of a stream of LangChain that has one.
fn of_chunks(span: &Span) -> Option<String> {
    let chunks = span.events.iter().rev();
    let chunks = chunks.filter(|event| event.name == "new_token");
    let mut texts = chunks.filter_map(|event| event.attributes.get("chunk")?.as_str());
    let text = texts.find(|text| text.contains("\"finish_reason\": \""))?;
    let chunk = parse_value(text)?;
    let info = &chunk["kwargs"]["generation_info"];
    info["finish_reason"].as_str().map(str::to_owned)
}

/// The question in the inputs of a span that is no model's call: a text, or the one
/// member that is named like a question.
pub fn asks(span: &Span) -> Option<String> {
    let inputs = attribute(span, crate::model::attribute::INPUTS)?;
    let text = match &inputs {
        Value::String(text) => text.as_str(),
        Value::Object(object) => first_text(
            object,
            &[
                "prompt",
                "question",
                "query",
                "user_input",
                "user_message",
                "message",
                "q",
                "task",
                "input",
                "text",
            ],
        )?,
        _ => return None,
    };
    (!text.trim().is_empty()).then(|| text.to_owned())
}

/// The answer in the outputs of a span that is no model's call: a text, or the only
/// member where that is a text.
pub fn answers(span: &Span) -> Option<String> {
    let outputs = attribute(span, crate::model::attribute::OUTPUTS)?;
    let text = match &outputs {
        Value::String(text) => text.as_str(),
        Value::Object(object) if object.len() == 1 => object.values().next()?.as_str()?,
        _ => return None,
    };
    (!text.trim().is_empty() && !is_repr(text)).then(|| text.to_owned())
}
