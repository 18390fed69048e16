//! Reads a filter: conditions under `AND`, `OR`, `NOT` and parentheses, and
//! tests of how many spans pass. Mistakes that have a name get their own
//! message; `mistakes` knows what people write instead.

use std::ops::Range;

use super::ast::{Assessed, Expr, Filter, Quantifier};
use super::diagnostics::Warning;
use super::error::{ParseError, ParseErrorKind};
use super::lexer::{Token, TokenKind, lex};
use super::resolve::{resolve, resolve_of_assessment};
use super::terms::Condition;
use super::value::parse_number;
use super::{mistakes, warn};
use crate::field::{Comparator, Field};
use crate::units::{Moment, Number, scaled};

/// The server gives up on filters of more than 10 000 tokens, counting the
/// spaces that are printed between these.
pub(super) const MAX_SERVER_TOKENS: usize = 6_000;
/// More conditions on tags, metadata and assessments are more joins than SQLite takes.
pub(super) const MAX_JOINED: usize = 60;
/// More conditions of other kinds are a deeper expression than SQLite takes.
pub(super) const MAX_CONDITIONS: usize = 200;
/// What is read at all.
const MAX_TOKENS: usize = 30_000;
/// How deep parentheses and `NOT` may be nested.
const MAX_DEPTH: usize = 64;

/// Reads a filter; text that is empty or blank is the filter that matches everything.
///
/// Times without a zone are in universal time; [`parse_in`] takes another.
///
/// # Errors
///
/// The first mistake in the text.
pub fn parse(text: &str) -> Result<Filter, ParseError> {
    parse_in(text, &Moment::utc())
}

/// Reads a filter at a time and in a place, which times without a date or a zone need.
///
/// # Errors
///
/// The first mistake in the text.
pub fn parse_in(text: &str, moment: &Moment) -> Result<Filter, ParseError> {
    let tokens = tokens_of(text)?;
    Parser::new(text, &tokens, moment).filter()
}

/// The tokens of `text` but for the spaces between them.
pub(super) fn tokens_of(text: &str) -> Result<Vec<Token<'_>>, ParseError> {
    let tokens: Vec<_> = lex(text)
        .into_iter()
        .filter(|token| token.kind != TokenKind::Whitespace)
        .collect();
    match tokens.get(MAX_TOKENS) {
        Some(token) => Err(ParseError::new(
            ParseErrorKind::TooLong,
            token.span(),
            "the filter is too long",
        )
        .hint("split the search into several")),
        None => Ok(tokens),
    }
}

/// The left side of a condition as it was written.
#[derive(Debug)]
pub(super) struct KeyText<'t> {
    /// The whole left side.
    pub(super) span: Range<usize>,
    /// What stands before the first dot.
    pub(super) entity: Option<Token<'t>>,
    /// What stands after it, without quotes; the whole where there is no dot.
    pub(super) name: String,
    pub(super) name_span: Range<usize>,
}

/// A condition with the places that it was read from.
#[derive(Debug, Clone)]
pub(super) struct Clause<'t> {
    pub(super) condition: Condition,
    pub(super) key: Range<usize>,
    /// The value, where it is one token.
    pub(super) value: Option<Token<'t>>,
    /// The whole right side; empty where there is none.
    pub(super) value_span: Range<usize>,
}

pub(super) struct Parser<'a, 't> {
    pub(super) text: &'t str,
    tokens: &'a [Token<'t>],
    at: usize,
    pub(super) moment: &'a Moment,
    /// The quantifier within whose parentheses this is.
    inside: Option<Token<'t>>,
    depth: usize,
    /// The condition before the next token.
    pub(super) last: Option<Clause<'t>>,
    warnings: Vec<Warning>,
    pub(super) notes: Vec<String>,
    /// How the times of the condition that is being read count from the present.
    pub(super) since_now: Vec<Option<String>>,
    /// The conditions on run ids, of which several are not what they seem.
    run_ids: Vec<Clause<'t>>,
}

impl<'a, 't> Parser<'a, 't> {
    pub(super) fn new(text: &'t str, tokens: &'a [Token<'t>], moment: &'a Moment) -> Self {
        Self {
            text,
            tokens,
            at: 0,
            moment,
            inside: None,
            depth: 0,
            last: None,
            warnings: Vec::new(),
            notes: Vec::new(),
            since_now: Vec::new(),
            run_ids: Vec::new(),
        }
    }

    pub(super) fn peek(&self) -> Token<'t> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Token<'t> {
        let last = self.tokens.len() - 1;
        self.tokens[(self.at + ahead).min(last)]
    }

    pub(super) fn next(&mut self) -> Token<'t> {
        let token = self.peek();
        self.at += 1;
        token
    }

    /// Whether the next token follows the one before without a space.
    pub(super) fn is_adjacent(&self) -> bool {
        self.at > 0
            && self.at < self.tokens.len()
            && self.tokens[self.at - 1].end() == self.peek().start
    }

    /// Whether a closing parenthesis is awaited.
    pub(super) fn is_nested(&self) -> bool {
        self.depth > 0
    }

    fn filter(mut self) -> Result<Filter, ParseError> {
        if self.peek().kind == TokenKind::End {
            return Ok(Filter::default());
        }
        let expr = self.any_of()?;
        if self.peek().kind != TokenKind::End {
            return Err(mistakes::after_condition(&self));
        }
        Ok(self.finish(expr))
    }

    /// The filter up to the `)` that belongs to `open`, and that parenthesis.
    pub(super) fn filter_within(&mut self, open: Token<'t>) -> Result<Filter, ParseError> {
        self.descend(open)?;
        let expr = self.closed(open)?;
        Ok(self.finish(expr))
    }

    /// A filter with what there is to say about its text.
    fn finish(&mut self, expr: Expr) -> Filter {
        let mut filter = Filter::from(expr);
        let run_ids = std::mem::take(&mut self.run_ids);
        warn::about_runs(&filter, &run_ids, &mut self.warnings);
        self.warnings.sort_by_key(|warning| warning.span.start);
        filter.warnings = std::mem::take(&mut self.warnings);
        filter.notes = std::mem::take(&mut self.notes);
        filter
    }

    /// What `OR` joins.
    fn any_of(&mut self) -> Result<Expr, ParseError> {
        self.joined("OR", Self::all_of).map(Expr::or)
    }

    /// What `AND` joins, which binds tighter.
    fn all_of(&mut self) -> Result<Expr, ParseError> {
        self.joined("AND", Self::operand).map(Expr::and)
    }

    fn joined(
        &mut self,
        word: &str,
        mut part: impl FnMut(&mut Self) -> Result<Expr, ParseError>,
    ) -> Result<Vec<Expr>, ParseError> {
        let mut parts = vec![part(self)?];
        while self.peek().is_keyword(word) {
            let joint = self.next();
            if matches!(self.peek().kind, TokenKind::End | TokenKind::CloseParen) {
                return Err(mistakes::dangling(joint, "ends"));
            }
            parts.push(part(self)?);
        }
        Ok(parts)
    }

    /// A condition, or something in parentheses or after `NOT`.
    fn operand(&mut self) -> Result<Expr, ParseError> {
        if let Some(error) = mistakes::before_condition(self) {
            return Err(error);
        }
        let token = self.peek();
        if token.is_keyword("NOT") {
            self.next();
            self.descend(token)?;
            let inner = self.operand()?;
            self.depth -= 1;
            return Ok(inner.negated());
        }
        if token.kind == TokenKind::OpenParen {
            return self.parentheses(token);
        }
        if let Some(name) = quantifier(token)
            && self.peek_at(1).kind == TokenKind::OpenParen
        {
            return self.spans(token, name);
        }
        self.clause().map(Expr::Condition)
    }

    fn descend(&mut self, token: Token<'t>) -> Result<(), ParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ParseError::new(
                ParseErrorKind::TooDeep,
                token.span(),
                format!("more than {MAX_DEPTH} parentheses and NOTs are within each other"),
            ));
        }
        Ok(())
    }

    /// What stands between `(` and `)`.
    fn parentheses(&mut self, owner: Token<'t>) -> Result<Expr, ParseError> {
        let open = self.next();
        self.descend(open)?;
        if self.peek().kind == TokenKind::CloseParen {
            return Err(mistakes::empty_parentheses(
                owner,
                open.start..self.peek().end(),
            ));
        }
        self.closed(open)
    }

    /// What stands between `open` and its `)`, and that parenthesis.
    fn closed(&mut self, open: Token<'t>) -> Result<Expr, ParseError> {
        if self.peek().kind == TokenKind::End {
            return Err(mistakes::unclosed_parenthesis(open));
        }
        let inner = self.any_of()?;
        match self.peek().kind {
            TokenKind::CloseParen => {
                self.next();
                self.depth -= 1;
                self.last = None;
                Ok(inner)
            }
            TokenKind::End => Err(mistakes::unclosed_parenthesis(open)),
            _ => Err(mistakes::after_condition(self)),
        }
    }

    /// `any(…)`, `all(…)`, `count(…) > 3`, `any_feedback(…)` or `any_expectation(…)`.
    fn spans(&mut self, word: Token<'t>, name: &str) -> Result<Expr, ParseError> {
        if let Some(outer) = self.inside {
            return Err(mistakes::nested_quantifier(outer, word));
        }
        self.next();
        self.inside = Some(word);
        let expr = self.parentheses(word)?;
        self.inside = None;
        if let Some(of) = assessed(name) {
            return Ok(Expr::assessed(of, expr));
        }
        let quantifier = match name {
            "any" => Quantifier::Any,
            "all" => Quantifier::All,
            _ => self.count(word)?,
        };
        Ok(Expr::spans(quantifier, expr))
    }

    fn count(&mut self, word: Token<'t>) -> Result<Quantifier, ParseError> {
        let token = self.peek();
        let Some(comparator) = sign(token) else {
            return Err(mistakes::no_count_comparison(self, word));
        };
        self.next();
        let value = self.peek();
        let number = match value.kind {
            TokenKind::Number => parse_number(value.text).or_else(|| scaled(value.text)),
            TokenKind::SingleQuoted | TokenKind::DoubleQuoted => {
                parse_number(value.unquoted().trim())
            }
            _ => None,
        };
        match number {
            Some(number @ Number::Integer(0..)) => {
                self.next();
                Ok(Quantifier::Count(comparator, number))
            }
            _ => Err(mistakes::bad_count(value)),
        }
    }

    /// One condition.
    fn clause(&mut self) -> Result<Condition, ParseError> {
        let key = self.key()?;
        let of_assessment = self
            .inside
            .filter(|word| quantifier(*word).and_then(assessed).is_some());
        let resolved = match of_assessment {
            Some(word) => resolve_of_assessment(&key, word, &self.text[key.span.clone()])?,
            None => resolve(&key)?,
        };
        let field = resolved.field.clone();
        if let Some(quantifier) = self.inside
            && of_assessment.is_none()
            && !field.is_span()
        {
            return Err(mistakes::trace_key_within_spans(
                quantifier,
                &key,
                &self.text[key.span.clone()],
            ));
        }
        let comparator_start = self.peek().start;
        let comparator = self.comparator(&key, &field)?;
        let comparator_span = comparator_start..self.previous_end();
        if !field.comparators().contains(&comparator) {
            return Err(mistakes::unsupported(
                &self.text[key.span.clone()],
                &field,
                comparator,
                comparator_span,
            ));
        }
        let token = self.peek();
        self.since_now.clear();
        let (made, value) = match comparator {
            Comparator::IsNull | Comparator::IsNotNull => {
                (Condition::null(field.clone(), comparator), None)
            }
            Comparator::In | Comparator::NotIn => {
                let values = self.list(comparator, &field)?;
                (Condition::list(field.clone(), comparator, values), None)
            }
            Comparator::Between | Comparator::NotBetween => {
                (self.range(field.clone(), comparator)?, None)
            }
            _ => (self.comparison(field.clone(), comparator)?, Some(token)),
        };
        let value_span = token.start..self.previous_end().max(token.start);
        let mut condition = made.map_err(|error| {
            mistakes::refused(&error, &field, comparator, &token, value_span.clone())
        })?;
        if self.since_now.iter().any(Option::is_some) {
            condition.since_now = std::mem::take(&mut self.since_now);
        }
        let clause = Clause {
            condition,
            key: key.span,
            value,
            value_span,
        };
        warn::about(&clause, &resolved, &mut self.warnings);
        self.note_milliseconds(&clause);
        self.last = Some(clause.clone());
        let condition = clause.condition.clone();
        if condition.field == Field::RunId && comparator == Comparator::Equal {
            self.run_ids.push(clause);
        }
        Ok(condition)
    }

    /// Says how durations without a unit are read; a key of MLflow's own names its unit.
    fn note_milliseconds(&mut self, clause: &Clause<'_>) {
        let is_duration = matches!(
            clause.condition.field,
            Field::ExecutionTime | Field::SpanDuration
        );
        if !is_duration || self.text[clause.key.clone()].contains("execution_time") {
            return;
        }
        for token in self.tokens {
            let is_value = clause.value_span.contains(&token.start);
            if is_value && parse_number(token.text).is_some_and(|number| number.as_f64() != 0.0) {
                let note = format!("`{0}` is read as {0} ms", token.text);
                if !self.notes.contains(&note) {
                    self.notes.push(note);
                }
            }
        }
    }

    pub(super) fn previous_end(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |at| self.tokens[at].end())
    }

    pub(super) fn key(&mut self) -> Result<KeyText<'t>, ParseError> {
        use TokenKind::{Backquoted, Dot, DoubleQuoted, SingleQuoted, Word};
        let first = self.next();
        if !matches!(first.kind, Word | Backquoted | DoubleQuoted) {
            return Err(mistakes::expected_key(self, first));
        }
        let mut parts = vec![first];
        while self.peek().kind == Dot && self.is_adjacent() {
            let dot = self.next();
            let part = self.peek();
            if !self.is_adjacent()
                || !matches!(part.kind, Word | Backquoted | DoubleQuoted | SingleQuoted)
            {
                return Err(mistakes::after_dot(self, first, dot));
            }
            parts.push(self.next());
        }
        let last = parts[parts.len() - 1];
        let span = first.start..last.end();
        if let Some(error) = mistakes::after_key(self, &parts) {
            return Err(error);
        }
        let (entity, names) = match parts.as_slice() {
            [only] if only.kind == Backquoted || only.kind == DoubleQuoted => {
                if only.unquoted().contains('.') {
                    return Err(mistakes::quoted_whole_key(*only));
                }
                (None, parts.as_slice())
            }
            [entity, names @ ..] if !names.is_empty() => (Some(*entity), names),
            _ => (None, parts.as_slice()),
        };
        let quoted = names.iter().filter(|part| part.kind != Word).count();
        let attribute = entity.is_some_and(|e| e.unquoted() == "span")
            && names.len() == 2
            && names[0].text == "attributes";
        if quoted > 0 && names.len() > 1 && !attribute {
            return Err(mistakes::partly_quoted(self, &parts));
        }
        let name = names
            .iter()
            .map(Token::unquoted)
            .collect::<Vec<_>>()
            .join(".");
        if name.is_empty() || name == "attributes." {
            return Err(ParseError::new(
                ParseErrorKind::BadKey,
                last.span(),
                "the key is empty",
            ));
        }
        Ok(KeyText {
            span,
            entity,
            name,
            name_span: names[0].start..last.end(),
        })
    }

    fn comparator(&mut self, key: &KeyText<'t>, field: &Field) -> Result<Comparator, ParseError> {
        let token = self.next();
        let comparator = match token.kind {
            TokenKind::Operator => sign(token),
            TokenKind::Word => match token.text.to_ascii_uppercase().as_str() {
                "LIKE" => Some(Comparator::Like),
                "ILIKE" => Some(Comparator::Ilike),
                "RLIKE" => Some(Comparator::Rlike),
                "IN" => Some(Comparator::In),
                "BETWEEN" => Some(Comparator::Between),
                "NOT" => {
                    let negated = match self.peek().text.to_ascii_uppercase().as_str() {
                        "LIKE" => Some(Comparator::NotLike),
                        "ILIKE" => Some(Comparator::NotIlike),
                        "RLIKE" => Some(Comparator::NotRlike),
                        "IN" => Some(Comparator::NotIn),
                        "BETWEEN" => Some(Comparator::NotBetween),
                        _ => None,
                    };
                    if negated.is_some() {
                        self.next();
                    }
                    negated
                }
                "IS" if self.peek().is_keyword("NULL") => {
                    self.next();
                    Some(Comparator::IsNull)
                }
                "IS" if self.peek().is_keyword("NOT") && self.peek_at(1).is_keyword("NULL") => {
                    self.next();
                    self.next();
                    Some(Comparator::IsNotNull)
                }
                _ => None,
            },
            _ => None,
        };
        comparator.ok_or_else(|| {
            mistakes::no_comparator(self, token, &self.text[key.span.clone()], field)
        })
    }
}

/// The name of a quantifier, in lower case.
fn quantifier(token: Token<'_>) -> Option<&'static str> {
    mistakes::QUANTIFIERS
        .into_iter()
        .find(|name| token.is_keyword(name))
}

/// The assessments that a quantifier in lower case speaks of.
fn assessed(name: &str) -> Option<Assessed> {
    [Assessed::Feedback, Assessed::Expectation]
        .into_iter()
        .find(|of| of.word() == name)
}

/// A comparator that is written with signs.
pub(super) fn sign(token: Token<'_>) -> Option<Comparator> {
    match token.text {
        "=" => Some(Comparator::Equal),
        "!=" => Some(Comparator::NotEqual),
        "<" => Some(Comparator::Less),
        "<=" => Some(Comparator::LessOrEqual),
        ">" => Some(Comparator::Greater),
        ">=" => Some(Comparator::GreaterOrEqual),
        _ => None,
    }
}
