//! Statements as SQLite takes them: the values bound to their parameters, and the tests
//! that only this program can make, which SQL calls as functions.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Statement};

use crate::filter::{AssessmentMatcher, Test};
use crate::model::{Assessment, Cost, Source, TokenUsage};
use crate::store::Detail;
use crate::store::sql::info::assessment_kind;
use crate::store::sql::{Function, Parameters, Value};
use crate::store::wire::{span_from_slice, tells_more};

/// The bound values of a statement, in the order of their numbers.
pub(super) fn values_of<'p>(
    parameters: &'p Parameters,
    statement: &Statement<'_>,
) -> impl Iterator<Item = ToSqlOutput<'p>> + use<'p> {
    let values = parameters.values().iter().take(statement.parameter_count());
    values.map(|value| {
        ToSqlOutput::Borrowed(match value {
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
        })
    })
}

/// Makes the tests callable on a connection.
pub(super) fn register(parameters: &Parameters, connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_DIRECTONLY;
    let tests: Arc<[Test]> = parameters.tests().into();
    let shared = Arc::clone(&tests);
    connection.create_scalar_function(name(Function::Text), 2, flags, move |context| {
        let text = context.get_raw(1).as_str_or_null()?;
        Ok(at(&shared, context)?.matches_text(text))
    })?;
    connection.create_scalar_function(name(Function::Type), 1, flags, |context| {
        let content = context.get_raw(0).as_bytes_or_null()?;
        let span = content.and_then(|json| span_from_slice(json, Detail::Times).ok());
        Ok(span.and_then(|span| span.own_type().map(Cow::into_owned)))
    })?;
    connection.create_scalar_function(name(Function::Model), 1, flags, |context| {
        let content = context.get_raw(0).as_bytes_or_null()?;
        let content = content.filter(|json| tells_more(json, Detail::Measures));
        let span = content.and_then(|json| span_from_slice(json, Detail::Measures).ok());
        Ok(span.and_then(|span| span.model().map(Cow::into_owned)))
    })?;
    let shared = Arc::clone(&tests);
    connection.create_scalar_function(name(Function::Span), 2, flags, move |context| {
        let content = context.get_raw(1).as_bytes()?;
        // A span that cannot be read has nothing that a condition could look for.
        Ok(span_from_slice(content, Detail::Whole)
            .ok()
            .map(|span| at(&shared, context).map(|test| test.matches_span(&span)))
            .transpose()?
            .unwrap_or(false))
    })?;
    connection.create_scalar_function(name(Function::Assessment), 2, flags, move |context| {
        let json = context.get_raw(1).as_str()?;
        let value = serde_json::from_str(json)
            .unwrap_or_else(|_| serde_json::Value::String(json.to_owned()));
        Ok(at(&tests, context)?.matches_assessment_value(&value))
    })?;
    let judges: Arc<[AssessmentMatcher]> = parameters.judges().into();
    connection.create_scalar_function(name(Function::Judged), 8, flags, move |context| {
        Ok(at(&judges, context)?.matches(&judged(context)?))
    })?;
    connection.create_scalar_function(name(Function::Tokens), 2, flags, |context| {
        let usage = context
            .get_raw(1)
            .as_str_or_null()?
            .and_then(TokenUsage::parse)
            .filter(TokenUsage::is_reported);
        Ok(usage.and_then(|usage| match context.get_raw(0).as_str() {
            Ok("input") => usage.input_tokens,
            Ok("output") => usage.output_tokens,
            _ => usage.total(),
        }))
    })?;
    connection.create_scalar_function(name(Function::Cost), 1, flags, |context| {
        let cost = context.get_raw(0).as_str_or_null()?.and_then(Cost::parse);
        Ok(cost.and_then(|cost| cost.total()))
    })
}

/// What SQL calls a function of this program.
pub(super) const fn name(function: Function) -> &'static str {
    match function {
        Function::Text => "mlt_text",
        Function::Span => "mlt_span",
        Function::Type => "mlt_type",
        Function::Model => "mlt_model",
        Function::Assessment => "mlt_assessment",
        Function::Judged => "mlt_judged",
        Function::Tokens => "mlt_tokens",
        Function::Cost => "mlt_cost",
    }
}

/// As much of an assessment as tests of assessments speak of.
fn judged(context: &Context<'_>) -> rusqlite::Result<Assessment> {
    let text = |at: usize| -> rusqlite::Result<Option<String>> {
        let bytes = context.get_raw(at).as_bytes_or_null()?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    };
    let value = text(3)?.unwrap_or_default();
    let kind = assessment_kind(&text(2)?.unwrap_or_default(), &value, text(4)?.as_deref());
    Ok(Assessment {
        id: None,
        name: text(1)?.unwrap_or_default(),
        span_id: None,
        source: Source {
            kind: text(7)?.unwrap_or_default(),
            id: text(6)?,
        },
        create_time: None,
        last_update_time: None,
        kind,
        rationale: text(5)?,
        metadata: BTreeMap::new(),
        overrides: None,
        valid: true,
    })
}

fn at<'t, T>(tests: &'t [T], context: &Context<'_>) -> rusqlite::Result<&'t T> {
    let number: i64 = context.get(0)?;
    usize::try_from(number)
        .ok()
        .and_then(|number| tests.get(number))
        .ok_or(rusqlite::Error::InvalidParameterCount(0, tests.len()))
}
