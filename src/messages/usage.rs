//! Tokens of a call, wherever its client reports them: MLflow's own attribute, the
//! vendor's counts in the outputs, an attribute of the client, the last chunk of a
//! stream, the attributes of OpenTelemetry.

use serde_json::Value;

use super::stream;
use super::value::{Object, attribute, first, list, object};
use crate::model::{Span, TokenUsage, attribute::OUTPUTS};

/// Tokens of a call, reasoning apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallUsage {
    /// Input, output and cached tokens.
    pub tokens: TokenUsage,
    /// Tokens of reasoning; part of the output but for Gemini's.
    pub reasoning_tokens: Option<i64>,
}

/// The tokens that a span tells of: in MLflow's words, else in those of its vendor where
/// it is the call of a model, or an agent that tells of a sum.
pub fn used(span: &Span) -> Option<TokenUsage> {
    let told = || {
        if !span.may_tell_usage() {
            return None;
        }
        if span.span_type() == Span::NO_TYPE {
            return of_attributes(span).map(|usage| usage.tokens);
        }
        let outputs = attribute(span, OUTPUTS);
        let outputs = outputs.as_ref().and_then(Value::as_object);
        if span.calls_model() {
            return of_call(span, outputs).map(|usage| usage.tokens);
        }
        // What else an agent gives back may be no more than its last answer's.
        of_vendor(object(outputs?, "token_usage")?).map(|usage| usage.tokens)
    };
    span.reported_usage().or_else(told)
}

/// The tokens of a call; `None` where nobody reports any.
pub(super) fn of_call(span: &Span, outputs: Option<&Object>) -> Option<CallUsage> {
    let told = outputs.and_then(of_outputs).or_else(|| {
        let usage = attribute(span, "usage")?;
        of_vendor(usage.as_object()?)
    });
    let own = span.reported_usage();
    let told = told.or_else(|| match own {
        Some(_) => None,
        None => of_chunks(span).or_else(|| of_attributes(span)),
    });
    let counted = |key: &str| count_attribute(span, key);
    let reasoning_tokens = told
        .and_then(|usage| usage.reasoning_tokens)
        .or_else(|| counted("llm.token_count.completion_details.reasoning"))
        .or_else(|| counted("gen_ai.usage.reasoning_tokens"));
    let tokens = own.or(told.map(|usage| usage.tokens))?;
    Some(CallUsage {
        tokens,
        reasoning_tokens,
    })
}

fn of_attributes(span: &Span) -> Option<CallUsage> {
    let count = |keys: [&str; 3]| keys.iter().find_map(|key| count_attribute(span, key));
    let tokens = TokenUsage {
        input_tokens: count([
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            "llm.token_count.prompt",
        ]),
        output_tokens: count([
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            "llm.token_count.completion",
        ]),
        total_tokens: count([
            "llm.usage.total_tokens",
            "gen_ai.usage.total_tokens",
            "llm.token_count.total",
        ]),
        ..TokenUsage::default()
    };
    tokens.is_reported().then_some(CallUsage {
        tokens,
        reasoning_tokens: None,
    })
}

fn count_attribute(span: &Span, key: &str) -> Option<i64> {
    let value = attribute(span, key)?;
    value
        .as_i64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}

/// The vendor's own counts, wherever its client puts them.
fn of_outputs(outputs: &Object) -> Option<CallUsage> {
    let direct = ["usage", "usage_metadata", "usageMetadata", "token_usage"];
    if let Some(usage) = direct
        .iter()
        .find_map(|key| of_vendor(object(outputs, key)?))
    {
        return Some(usage);
    }
    if let Some(reply) = list(outputs, "replies").and_then(|replies| replies.first()?.as_object()) {
        return of_vendor(object(object(reply, "meta")?, "usage")?);
    }
    let raw = object(outputs, "raw").or_else(|| object(outputs, "body"))?;
    of_vendor(object(raw, "usage").or_else(|| object(raw, "usage_metadata"))?)
}

/// The last chunk of a stream that has counts.
fn of_chunks(span: &Span) -> Option<CallUsage> {
    stream::chunks(span)
        .filter_map(|chunk| of_chunk(&chunk))
        .last()
}

fn of_chunk(chunk: &Value) -> Option<CallUsage> {
    let chunk = chunk.as_object()?;
    let inner = ["response", "message", "metadata"]
        .iter()
        .find_map(|key| object(chunk, key));
    let usage = object(chunk, "usage").or_else(|| object(inner?, "usage"))?;
    of_vendor(usage)
}

fn of_vendor(usage: &Object) -> Option<CallUsage> {
    let count = |keys: &[&str]| first(usage, keys).and_then(Value::as_i64);
    let detail = |keys: &[&str], name: &[&str]| {
        let inner = keys.iter().find_map(|key| object(usage, key))?;
        first(inner, name).and_then(Value::as_i64)
    };
    let tokens = TokenUsage {
        input_tokens: count(&[
            "prompt_tokens",
            "input_tokens",
            "inputTokens",
            "prompt_token_count",
            "promptTokenCount",
        ]),
        output_tokens: count(&[
            "completion_tokens",
            "output_tokens",
            "outputTokens",
            "candidates_token_count",
            "candidatesTokenCount",
        ]),
        total_tokens: count(&[
            "total_tokens",
            "totalTokens",
            "total_token_count",
            "totalTokenCount",
        ]),
        cache_read_input_tokens: count(&[
            "cache_read_input_tokens",
            "cached_content_token_count",
            "cacheReadInputTokens",
        ])
        .or_else(|| {
            detail(
                &["prompt_tokens_details", "input_tokens_details"],
                &["cached_tokens"],
            )
        }),
        cache_creation_input_tokens: count(&[
            "cache_creation_input_tokens",
            "cacheWriteInputTokens",
        ]),
    };
    tokens.is_reported().then_some(CallUsage {
        tokens,
        reasoning_tokens: count(&["thoughts_token_count", "thoughtsTokenCount"]).or_else(|| {
            detail(
                &["completion_tokens_details", "output_tokens_details"],
                &["reasoning_tokens"],
            )
        }),
    })
}
