//! The filter language: reading, checking and printing filters, deciding whether
//! a trace matches, and planning what to ask a server for. It is MLflow's trace
//! search language with more to say; [`REFERENCE`] explains it to people.
//!
//! ```text
//! filter     = [ any-of ]
//! any-of     = all-of { "OR" all-of }
//! all-of     = operand { "AND" operand }
//! operand    = "NOT" operand | "(" any-of ")" | spans | condition
//! spans      = ( "any" | "all" ) "(" any-of ")"
//!            | "count" "(" any-of ")" sign whole-number
//! condition  = key sign value
//!            | key [ "NOT" ] ( "LIKE" | "ILIKE" | "RLIKE" ) text
//!            | key [ "NOT" ] "BETWEEN" value "AND" value
//!            | key [ "NOT" ] "IN" list
//!            | key "IS" [ "NOT" ] "NULL"
//! key        = attribute | entity "." name
//! entity     = "tag" | "tags" | "metadata" | "request_metadata" | "span" | "feedback"
//!            | "expectation" | "issue" | "trace" | "attribute" | "attributes"
//! name       = word { "." word } | quoted text
//! sign       = "=" | "!=" | "<" | "<=" | ">" | ">="
//! value      = text | number | duration | time | "true" | "false"
//! list       = "(" member { "," member } [ "," ] ")"
//! member     = text | number | "true" | "false"
//! text       = "'" … "'" | '"' … '"'
//! ```
//!
//! Keywords are read in any case, keys only as they are. There is no escape in
//! text: the outer quotes come off and the rest is taken as it is, except in
//! lists, which are Python literals. A doubled quote, and a quote after a
//! backslash, does not end the text and stays in it.
//!
//! What the server accepts is accepted here with the same meaning, with these
//! exceptions, which are refused because they hide a mistake: a bare, leading,
//! doubled or trailing `AND`; conditions without `AND` between them; a word
//! after a key (in SQL, another name for it); spaces beside the dot; texts
//! without a comma between them, nested parentheses, comments, prefixes such as
//! `r''` and triple quotes in a list; text that is no number and no time for a
//! time; an empty key; quotes round only a part of a key; text with a NUL
//! character; several texts in parentheses after a pattern on a span attribute;
//! infinite numbers; and operands that make the server fail. Quotes round the key
//! of a span attribute are quotes here, where the server takes all but back
//! quotes for a part of the key. Two conditions mean more than on the server,
//! which compares JSON text: equality of an assessment with a whole number, and
//! of a span attribute with anything.
//!
//! What the server refuses for no good reason is accepted here and printed as
//! the server likes it: comparators of `span.*` in lower case, any space
//! between tokens, `state` and `trace_id`, a bare `text`, fractions after a bare
//! `timestamp`, a plus before a number or in its exponent, one text in
//! parentheses after `=`, `true` and `false` for assessments, line ends in
//! lists, and blank filters.

pub mod aggregate;
mod ast;
mod backend;
mod compiled;
mod condition;
pub mod content;
pub mod diagnostics;
mod dialect;
mod error;
mod eval;
mod lexer;
mod like;
mod mistakes;
pub mod order;
mod parser;
mod plan;
mod portable;
mod print;
mod python;
mod readable;
mod regex;
mod resolve;
mod span_value;
mod spelling;
mod terms;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
mod usage;
mod value;
mod warn;

/// All there is to know about the language, for people: at most 80 columns, with
/// examples that are indented by four spaces.
pub const REFERENCE: &str = include_str!("reference.txt");

pub use crate::field::{Comparator, Field};
pub use crate::units::{Moment, Zone};
pub use ast::{Assessed, AssessmentTest, Expr, Filter, Quantifier, SpanTest};
pub use backend::{Backend, folded};
pub use compiled::Test;
pub use condition::ConditionError;
pub use diagnostics::Warning;
pub use error::{ParseError, ParseErrorKind};
pub use eval::{AssessmentMatcher, Matcher, SpanJudge, SpanMatcher};
pub use order::{OrderBy, parse_order_by};
pub use parser::{parse, parse_in};
pub use plan::{Capability, Nothing, Outside, Plan, PlanError, Server, Support};
pub(crate) use python::{write_float, write_json, write_text};
pub use span_value::span_error;
pub use terms::{Condition, Number, Value};

pub use usage::{canonical as record_columns, record_members};
