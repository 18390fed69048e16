//! A search as SQL: text with numbered parameters, the values bound to them,
//! and the tests that only this program can make, which SQL calls as functions.

use std::borrow::Cow;
use std::sync::Arc;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{Connection, Statement};

use crate::filter::{Condition, Number, Test};
use crate::model::{Cost, TokenUsage};
use crate::store::Detail;
use crate::store::wire::span_from_slice;

/// Pieces of SQL under construction share one list of parameters and tests.
#[derive(Default)]
pub(super) struct Parameters {
    values: Vec<Value>,
    tests: Vec<Test>,
}

impl Parameters {
    /// Binds a value; gives its placeholder.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    /// Binds a number; gives its placeholder.
    pub(super) fn number(&mut self, number: Number) -> String {
        self.bind(match number {
            Number::Integer(value) => Value::Integer(value),
            Number::Float(value) => Value::Real(value),
        })
    }

    /// Keeps a condition for a function to test; gives its number.
    pub(super) fn test(&mut self, condition: &Condition) -> usize {
        self.tests.push(Test::new(condition));
        self.tests.len() - 1
    }

    /// The bound values of a statement, in the order of their numbers. The last ones
    /// may be of a part that did not come into it.
    pub(super) fn values_of(
        &self,
        statement: &Statement<'_>,
    ) -> impl Iterator<Item = ToSqlOutput<'_>> + use<'_> {
        self.values
            .iter()
            .take(statement.parameter_count())
            .map(|value| ToSqlOutput::Borrowed(value.into()))
    }

    /// The number that a statement with some of the parameters gives.
    pub(super) fn query_number(&self, connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
        let mut statement = connection.prepare(sql)?;
        let values = self.values_of(&statement);
        statement.query_row(rusqlite::params_from_iter(values), |row| row.get(0))
    }

    /// The statement with its values in place, for people to read.
    pub(super) fn filled_in(&self, sql: &str) -> String {
        let mut text = sql.to_owned();
        for (at, value) in self.values.iter().enumerate().rev() {
            let literal = match value {
                Value::Null => "NULL".to_owned(),
                Value::Integer(number) => number.to_string(),
                Value::Real(number) => number.to_string(),
                Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
                Value::Blob(_) => "x''".to_owned(),
            };
            text = text.replace(&format!("?{}", at + 1), &literal);
        }
        text
    }

    /// Makes the tests callable on a connection.
    pub(super) fn register(&self, connection: &Connection) -> rusqlite::Result<()> {
        let flags = FunctionFlags::SQLITE_UTF8
            | FunctionFlags::SQLITE_DETERMINISTIC
            | FunctionFlags::SQLITE_DIRECTONLY;
        let tests: Arc<[Test]> = self.tests.clone().into();
        let shared = Arc::clone(&tests);
        connection.create_scalar_function(TEXT, 2, flags, move |context| {
            let text = context.get_raw(1).as_str_or_null()?;
            Ok(at(&shared, context)?.matches_text(text))
        })?;
        connection.create_scalar_function(TYPE, 1, flags, |context| {
            let content = context.get_raw(0).as_bytes_or_null()?;
            let span = content.and_then(|json| span_from_slice(json, Detail::Times).ok());
            Ok(span.and_then(|span| span.own_type().map(Cow::into_owned)))
        })?;
        let shared = Arc::clone(&tests);
        connection.create_scalar_function(SPAN, 2, flags, move |context| {
            let content = context.get_raw(1).as_bytes()?;
            // A span that cannot be read has nothing that a condition could look for.
            Ok(span_from_slice(content, Detail::Whole)
                .ok()
                .map(|span| at(&shared, context).map(|test| test.matches_span(&span)))
                .transpose()?
                .unwrap_or(false))
        })?;
        connection.create_scalar_function(ASSESSMENT, 2, flags, move |context| {
            let json = context.get_raw(1).as_str()?;
            let value = serde_json::from_str(json)
                .unwrap_or_else(|_| serde_json::Value::String(json.to_owned()));
            Ok(at(&tests, context)?.matches_assessment_value(&value))
        })?;
        connection.create_scalar_function(TOKENS, 2, flags, |context| {
            let usage = context
                .get_raw(1)
                .as_str_or_null()?
                .and_then(TokenUsage::parse);
            Ok(usage.and_then(|usage| match context.get_raw(0).as_str() {
                Ok("input") => usage.input_tokens,
                Ok("output") => usage.output_tokens,
                _ => usage.total(),
            }))
        })?;
        connection.create_scalar_function(COST, 1, flags, |context| {
            let cost = context.get_raw(0).as_str_or_null()?.and_then(Cost::parse);
            Ok(cost.and_then(|cost| cost.total()))
        })
    }
}

/// `mlt_text(test, text)`: whether a text passes; text may be missing.
pub(super) const TEXT: &str = "mlt_text";
/// `mlt_span(test, content)`: whether a span passes, given its JSON.
pub(super) const SPAN: &str = "mlt_span";
/// `mlt_type(content)`: the type of a span, given as JSON, or null.
pub(super) const TYPE: &str = "mlt_type";
/// `mlt_assessment(test, value)`: whether an assessment's value passes, given as JSON.
pub(super) const ASSESSMENT: &str = "mlt_assessment";
/// `mlt_tokens('input'|'output'|'total', json)`: a number of tokens, or null.
pub(super) const TOKENS: &str = "mlt_tokens";
/// `mlt_cost(json)`: the whole cost in dollars, or null.
pub(super) const COST: &str = "mlt_cost";

fn at<'t>(tests: &'t [Test], context: &Context<'_>) -> rusqlite::Result<&'t Test> {
    let number: i64 = context.get(0)?;
    usize::try_from(number)
        .ok()
        .and_then(|number| tests.get(number))
        .ok_or(rusqlite::Error::InvalidParameterCount(0, tests.len()))
}
