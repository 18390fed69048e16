//! Turns what stands on the left of a comparator into a field, by the server's
//! rules: the name before the first dot says where to look, except that some
//! keys mean the same thing whatever stands before them.

use super::error::{ParseError, ParseErrorKind, quote};
use super::lexer::{Token, TokenKind};
use super::parser::KeyText;
use crate::field::{Field, FieldDef, Uses, quoted_key, suggest};

/// A field, and what there is to say about how it was spelled.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) field: Field,
    /// What the server takes the key for, where that is not what it looks like.
    pub(super) misread: Option<Misread>,
}

/// A key that means something else than it says.
#[derive(Debug)]
pub(super) struct Misread {
    pub(super) meaning: String,
    /// The spelling that says what it means.
    pub(super) spelling: String,
}

impl From<Field> for Resolved {
    fn from(field: Field) -> Self {
        Self {
            field,
            misread: None,
        }
    }
}

/// The field that a key stands for.
pub(super) fn resolve(key: &KeyText<'_>) -> Result<Resolved, ParseError> {
    let Some(entity) = key.entity else {
        return attribute(key, &key.name).map(Resolved::from);
    };
    if entity.kind == TokenKind::DoubleQuoted {
        return Err(ParseError::new(
            ParseErrorKind::BadKey,
            entity.span(),
            format!(
                "the word before the dot takes no quotes, found {}",
                quote(entity.text)
            ),
        )
        .hint(format!(
            "write {}",
            quote(&format!("{}.…", entity.unquoted()))
        )));
    }
    match entity.unquoted() {
        "attribute" | "attributes" | "trace" => {
            return attribute(key, &key.name).map(Resolved::from);
        }
        "span" => return span(key).map(Resolved::from),
        _ => {}
    }
    let make: fn(String) -> Field = match entity.unquoted() {
        "tag" | "tags" => Field::Tag,
        "request_metadata" | "metadata" => Field::Metadata,
        "feedback" => Field::Feedback,
        "expectation" => Field::Expectation,
        "issue" => {
            return match misread(&key.name, |_| Field::IssueId) {
                Some(resolved) if !matches!(resolved.field, Field::IssueId) => Ok(resolved),
                _ if key.name == "id" => Ok(Field::IssueId.into()),
                _ => Err(unknown_key(key, "`id`").hint("issues are filtered by `issue.id` alone")),
            };
        }
        other => return Err(unknown_entity(key, other)),
    };
    if let Some(resolved) = misread(&key.name, make) {
        return Ok(resolved);
    }
    Ok(make(key.name.clone()).by_its_own_name().into())
}

fn misread(name: &str, make: impl Fn(String) -> Field) -> Option<Resolved> {
    let (field, meaning) = match name.to_lowercase().as_str() {
        "name" => (Field::Name, "the trace's name"),
        "run_id" => (Field::RunId, "the run id"),
        "prompt" => (Field::Prompt, "a linked prompt"),
        "text" => (Field::SpanContent, "the text of the spans"),
        "timestamp" => (make("timestamp_ms".to_owned()), "`timestamp_ms`"),
        "execution_time" => (make("execution_time_ms".to_owned()), "`execution_time_ms`"),
        "end_time" => (make("end_time_ms".to_owned()), "`end_time_ms`"),
        _ => return None,
    };
    let spelling = field.to_string();
    Some(Resolved {
        field,
        misread: Some(Misread {
            meaning: meaning.to_owned(),
            spelling,
        }),
    })
}

/// A key of the trace itself, with the names that its JSON uses for them.
fn attribute(key: &KeyText<'_>, name: &str) -> Result<Field, ParseError> {
    FieldDef::named(name, Uses::FILTER, false).ok_or_else(|| unknown_attribute(key, name))
}

fn unknown_attribute(key: &KeyText<'_>, name: &str) -> ParseError {
    let error = unknown_key(key, "a trace attribute");
    if let Some(hint) = suggest::attribute_hint(name) {
        return error.hint(hint);
    }
    let lower = name.to_ascii_lowercase();
    if let Some(entity) = suggest::entity(&lower).filter(|entity| *entity == lower) {
        return error.hint(format!("a dot and a key are missing: `{entity}.<key>`"));
    }
    let tag = quoted_key(name).unwrap_or_else(|| name.to_owned());
    error.hint(format!(
        "a tag is written {}",
        quote(&format!("tags.{tag}"))
    ))
}

fn span(key: &KeyText<'_>) -> Result<Field, ParseError> {
    if let Some(attribute) = key.name.strip_prefix("attributes.") {
        return Ok(Field::SpanAttribute(attribute.to_owned()));
    }
    let known = || {
        let defs = FieldDef::with(Uses::FILTER).filter(|def| def.prefix().is_none());
        defs.filter_map(|def| Some((def.name.strip_prefix("span.")?, def)))
    };
    if let Some((_, def)) = known().find(|(name, _)| *name == key.name) {
        return Ok((def.make)(String::new()));
    }
    let other = key.name.as_str();
    let lower = other.to_ascii_lowercase();
    let meant = match lower.as_str() {
        "text" | "inputs" | "outputs" | "input" | "output" => Some("content"),
        "span_type" | "kind" => Some("type"),
        "state" => Some("status"),
        "latency" | "execution_time" | "execution_time_ms" | "duration_ms" | "elapsed" => {
            Some("duration")
        }
        "exception" | "status_message" | "error_message" => Some("error"),
        "model_name" | "llm" => Some("model"),
        _ => suggest::nearest(&lower, known().map(|(name, _)| name)),
    };
    let hint = match meant {
        Some(meant) => format!("did you mean `span.{meant}`?"),
        None if lower.starts_with("attribute") => {
            "an attribute is written `span.attributes.<key>`".to_owned()
        }
        None => {
            let attribute = quoted_key(other).unwrap_or_else(|| other.to_owned());
            format!(
                "an attribute is written {}",
                quote(&format!("span.attributes.{attribute}"))
            )
        }
    };
    Err(unknown_key(
        key,
        "`name`, `type`, `status`, `duration`, `error`, `model`, `content` or `attributes.<key>`",
    )
    .hint(hint))
}

/// The piece of an assessment that a key within `any_feedback(…)` stands for.
pub(super) fn resolve_of_assessment(
    key: &KeyText<'_>,
    word: Token<'_>,
    written: &str,
) -> Result<Resolved, ParseError> {
    let named = |name: &str| FieldDef::named(name, Uses::OF_ASSESSMENT, false);
    if let Some(field) = named(written) {
        return Ok(field.into());
    }
    let error = ParseError::new(
        ParseErrorKind::UnknownKey,
        key.span.clone(),
        format!("{} is no part of an assessment", quote(written)),
    )
    .expected("`name`, `value`, `error`, `rationale`, `source` or `source_type`")
    .found(quote(written));
    let lower = key.name.to_ascii_lowercase();
    Err(match key.entity.as_ref().map(Token::unquoted) {
        Some("feedback" | "expectation") => error.hint(format!(
            "write {}(name = '{}' AND value = …)",
            word.text.to_ascii_lowercase(),
            key.name
        )),
        Some(_) if named(&lower).is_none() => error.hint(format!(
            "write it outside {}",
            quote(&format!("{}(…)", word.text))
        )),
        _ => match suggest::nearest(
            &lower,
            FieldDef::with(Uses::OF_ASSESSMENT).map(|def| def.name),
        ) {
            Some(meant) => error.hint(format!("did you mean `{meant}`?")),
            None => error.hint(format!(
                "what is not about an assessment goes outside {}",
                quote(&format!("{}(…)", word.text))
            )),
        },
    })
}

fn unknown_key(key: &KeyText<'_>, expected: &str) -> ParseError {
    ParseError::new(
        ParseErrorKind::UnknownKey,
        key.name_span.clone(),
        format!("unknown key {}", quote(&key.name)),
    )
    .expected(expected)
    .found(quote(&key.name))
}

fn unknown_entity(key: &KeyText<'_>, entity: &str) -> ParseError {
    let span = key.entity.map_or(key.span.clone(), |token| token.span());
    let error = ParseError::new(
        ParseErrorKind::UnknownEntity,
        span,
        format!("unknown kind of key {}", quote(entity)),
    )
    .expected("`tags`, `metadata`, `span`, `feedback`, `expectation`, `issue` or `trace`")
    .found(quote(entity));
    let whole = format!("{entity}.{}", key.name);
    if entity == "mlflow" || entity == "gen_ai" {
        return error.hint(format!(
            "keys of MLflow's own stand after their kind: {}",
            quote(&format!("metadata.`{whole}`"))
        ));
    }
    match suggest::entity(entity) {
        Some("run_id") => {
            error.hint("the run is `run_id`; runs' own values are not part of a trace")
        }
        Some(meant) => error.hint(format!(
            "did you mean {}?",
            quote(&format!("{meant}.{}", key.name))
        )),
        None => error.hint(format!(
            "a tag is written {}",
            quote(&format!("tags.`{whole}`"))
        )),
    }
}
