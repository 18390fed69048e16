//! What is wrong with a filter, and where.

use std::fmt;
use std::ops::Range;

use super::diagnostics::on_one_line;

/// Why a filter or a sort order is not accepted.
///
/// Its `Display` is one line; `diagnostics::render` draws the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The place, in bytes of the text; empty at the end of the text.
    pub span: Range<usize>,
    /// What kind of mistake it is.
    pub kind: ParseErrorKind,
    /// The message.
    pub message: String,
    /// What could have stood there.
    pub expected: Option<String>,
    /// What stood there.
    pub found: Option<String>,
    /// What to write instead.
    pub hints: Vec<String>,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ParseError {}

/// The kinds of mistakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum ParseErrorKind {
    UnknownKey,
    UnknownEntity,
    UnexpectedToken,
    ExpectedKey,
    ExpectedComparator,
    ExpectedValue,
    ForeignComparator,
    UnsupportedComparator,
    KeyNeedsQuotes,
    BadKey,
    UnquotedText,
    WrongQuotes,
    UnclosedQuote,
    UnclosedList,
    QuoteInText,
    BadListMember,
    BadNumber,
    NeedsNumber,
    NeedsText,
    BadValue,
    NullComparison,
    Or,
    Not,
    Parentheses,
    MissingAnd,
    DanglingAnd,
    DanglingOr,
    UnclosedParenthesis,
    EmptyParentheses,
    UnknownQuantifier,
    QuantifierParentheses,
    NestedQuantifier,
    TraceKeyInSpans,
    CountComparison,
    BadCount,
    BetweenAnd,
    TooDeep,
    Comment,
    Semicolon,
    TooLong,
    RepeatedKey,
    UnsortableKey,
    UnknownAggregate,
    UnknownMeasure,
    ExpectedMeasure,
    UnexpectedMeasure,
    ExpectedWhere,
    ExpectedAggregate,
    BadLimit,
    AfterRule,
    NeedsServer,
}

impl ParseError {
    pub(super) fn new(
        kind: ParseErrorKind,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            span,
            kind,
            message: message.into(),
            expected: None,
            found: None,
            hints: Vec::new(),
        }
    }

    pub(super) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub(super) fn found(mut self, found: impl Into<String>) -> Self {
        self.found = Some(found.into());
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(super) fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hints.extend(hint);
        self
    }

    /// The line under the caret: what was expected there, and what was found.
    pub(super) fn label(&self) -> Option<String> {
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => Some(format!("expected {expected}, found {found}")),
            (Some(expected), None) => Some(format!("expected {expected}")),
            (None, Some(found)) => Some(format!("found {found}")),
            (None, None) => None,
        }
    }
}

/// A piece of the filter for a message: cut short, harmless to a terminal,
/// and in back quotes unless it has some itself.
pub(super) fn quote(text: &str) -> String {
    let short = cut(text, 40);
    if short.contains('`') {
        short
    } else {
        format!("`{short}`")
    }
}

/// A piece of the filter for a hint, long enough to be copied, and harmless to a terminal.
pub(super) fn shorten(text: &str) -> String {
    cut(text, 160)
}

fn cut(text: &str, keep: usize) -> String {
    let mut short = on_one_line(&text.chars().take(keep).collect::<String>());
    if text.chars().nth(keep).is_some() {
        short.push('…');
    }
    short
}
