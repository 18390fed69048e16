//! Reads a filter: `condition (AND condition)*`. Mistakes that have a name get
//! their own message; `mistakes` knows what people write instead.

use std::ops::Range;

use super::ast::Filter;
use super::condition::ConditionError;
use super::diagnostics::Warning;
use super::error::{ParseError, ParseErrorKind, quote};
use super::lexer::{Token, TokenKind, lex};
use super::resolve::{Resolved, resolve};
use super::terms::{Comparator, Condition, Field, Number};
use super::{keys, mistakes, python, warn};

/// The server gives up on filters of more than 10 000 tokens, counting the
/// spaces that are printed between these.
pub(super) const MAX_SERVER_TOKENS: usize = 6_000;
/// What is read at all.
const MAX_TOKENS: usize = MAX_SERVER_TOKENS;
/// More conditions on tags, metadata and assessments are more joins than SQLite takes.
pub(super) const MAX_JOINED: usize = 60;
/// More conditions of other kinds are a deeper expression than SQLite takes.
pub(super) const MAX_CONDITIONS: usize = 200;

/// Reads a filter; text that is empty or blank is the filter that matches everything.
///
/// # Errors
///
/// The first mistake in the text.
pub fn parse(text: &str) -> Result<Filter, ParseError> {
    let tokens: Vec<_> = lex(text)
        .into_iter()
        .filter(|token| token.kind != TokenKind::Whitespace)
        .collect();
    if let Some(token) = tokens.get(MAX_TOKENS) {
        return Err(too_long(
            token.span(),
            "the filter is too long for the server",
        ));
    }
    Parser {
        text,
        tokens: &tokens,
        at: 0,
    }
    .filter()
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
#[derive(Debug)]
pub(super) struct Clause<'t> {
    pub(super) condition: Condition,
    pub(super) key: Range<usize>,
    /// The value, where it is one token.
    pub(super) value: Option<Token<'t>>,
}

#[derive(Debug, Clone)]
pub(super) struct Parser<'a, 't> {
    pub(super) text: &'t str,
    tokens: &'a [Token<'t>],
    at: usize,
}

impl<'t> Parser<'_, 't> {
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
        self.at > 0 && self.tokens[self.at - 1].end() == self.peek().start
    }

    fn filter(mut self) -> Result<Filter, ParseError> {
        let mut conditions: Vec<Condition> = Vec::new();
        let mut warnings: Vec<Warning> = Vec::new();
        let mut joined = 0;
        if self.peek().kind == TokenKind::End {
            return Ok(Filter::default());
        }
        loop {
            if let Some(error) = mistakes::before_condition(&self) {
                return Err(error);
            }
            let start = self.peek().start;
            let (clause, resolved) = self.clause()?;
            warn::about(self.text, &clause, &resolved, &conditions, &mut warnings);
            joined += usize::from(clause.condition.is_joined());
            if joined > MAX_JOINED || conditions.len() == MAX_CONDITIONS {
                return Err(too_long(
                    start..self.text.len(),
                    "the filter has more conditions than the server can take",
                ));
            }
            conditions.push(clause.condition.clone());
            let next = self.peek();
            if next.kind == TokenKind::End {
                return Ok(Filter {
                    warnings,
                    ..conditions.into_iter().collect()
                });
            }
            if !next.is_keyword("AND") {
                return Err(mistakes::after_condition(&self, &clause));
            }
            self.next();
            if self.peek().kind == TokenKind::End {
                return Err(mistakes::dangling_and(next.span(), "ends"));
            }
        }
    }

    /// One condition.
    pub(super) fn clause(&mut self) -> Result<(Clause<'t>, Resolved), ParseError> {
        let key = self.key()?;
        let resolved = resolve(&key)?;
        let field = resolved.field.clone();
        let comparator_start = self.peek().start;
        let comparator = self.comparator(&key, &field)?;
        let comparator_span = comparator_start..self.previous_end();
        if !keys::comparators(&field).contains(&comparator) {
            return Err(mistakes::unsupported(
                self,
                &self.text[key.span.clone()],
                &field,
                comparator,
                comparator_span,
            ));
        }
        let token = self.peek();
        let (made, value) = match comparator {
            Comparator::IsNull | Comparator::IsNotNull => {
                (Condition::null(field.clone(), comparator), None)
            }
            Comparator::In | Comparator::NotIn => {
                let values = self.list(comparator)?;
                (Condition::list(field.clone(), comparator, values), None)
            }
            _ => (self.comparison(field.clone(), comparator)?, Some(token)),
        };
        let value_span = token.start..self.previous_end().max(token.start);
        let condition = made
            .map_err(|error| mistakes::refused(&error, &field, comparator, &token, value_span))?;
        let clause = Clause {
            condition,
            key: key.span,
            value,
        };
        Ok((clause, resolved))
    }

    fn previous_end(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |at| self.tokens[at].end())
    }

    fn key(&mut self) -> Result<KeyText<'t>, ParseError> {
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
            TokenKind::Operator => match token.text {
                "=" => Some(Comparator::Equal),
                "!=" => Some(Comparator::NotEqual),
                "<" => Some(Comparator::Less),
                "<=" => Some(Comparator::LessOrEqual),
                ">" => Some(Comparator::Greater),
                ">=" => Some(Comparator::GreaterOrEqual),
                _ => None,
            },
            TokenKind::Word => match token.text.to_ascii_uppercase().as_str() {
                "LIKE" => Some(Comparator::Like),
                "ILIKE" => Some(Comparator::Ilike),
                "RLIKE" => Some(Comparator::Rlike),
                "IN" => Some(Comparator::In),
                "NOT" if self.peek().is_keyword("IN") => {
                    self.next();
                    Some(Comparator::NotIn)
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

    /// The value after a comparator that takes one value.
    fn comparison(
        &mut self,
        field: Field,
        comparator: Comparator,
    ) -> Result<Result<Condition, ConditionError>, ParseError> {
        let token = self.peek();
        match token.kind {
            TokenKind::SingleQuoted | TokenKind::DoubleQuoted => {
                self.next();
                if field.is_numeric() {
                    return quoted_number(field, comparator, token);
                }
                Ok(Condition::text(field, comparator, token.unquoted()))
            }
            TokenKind::Number => {
                self.next();
                let number = parse_number(token.text)
                    .ok_or_else(|| mistakes::bad_number(token, &field, comparator))?;
                Ok(Condition::number(field, comparator, number))
            }
            TokenKind::OpenParen => {
                let start = token.start;
                let mut values = self.list(comparator)?;
                match values.pop() {
                    Some(only) if values.is_empty() && !field.is_numeric() => {
                        Ok(Condition::text(field, comparator, only))
                    }
                    _ => {
                        let span = start..self.previous_end();
                        Err(mistakes::unwanted_list(self.text, span, &field, comparator))
                    }
                }
            }
            // JSON's booleans, which MLflow stores without quotes as well.
            TokenKind::Word
                if field.is_assessment()
                    && matches!(comparator, Comparator::Equal | Comparator::NotEqual)
                    && (token.is_keyword("true") || token.is_keyword("false")) =>
            {
                self.next();
                Ok(Condition::text(
                    field,
                    comparator,
                    token.text.to_ascii_lowercase(),
                ))
            }
            _ => Err(mistakes::no_value(self, token, &field, comparator)),
        }
    }

    /// The list that comes next, if it is one.
    pub(super) fn list_ahead(mut self) -> Option<Vec<String>> {
        self.list(Comparator::In).ok()
    }

    /// A list in parentheses.
    fn list(&mut self, comparator: Comparator) -> Result<Vec<String>, ParseError> {
        let open = self.next();
        if open.kind != TokenKind::OpenParen {
            return Err(mistakes::no_list(open, comparator));
        }
        let mut values = Vec::new();
        loop {
            let token = self.next();
            match token.kind {
                TokenKind::SingleQuoted | TokenKind::DoubleQuoted => {
                    values.push(python::unescape(token)?);
                }
                TokenKind::CloseParen if !values.is_empty() => return Ok(values),
                TokenKind::CloseParen => {
                    return Err(ParseError::new(
                        ParseErrorKind::BadListMember,
                        open.start..token.end(),
                        "the list is empty",
                    )
                    .expected("at least one text in quotes"));
                }
                _ => return Err(mistakes::bad_member(open, token)),
            }
            let separator = self.next();
            match separator.kind {
                TokenKind::Comma => {}
                TokenKind::CloseParen => return Ok(values),
                _ => return Err(mistakes::bad_separator(open, separator)),
            }
        }
    }
}

fn too_long(span: Range<usize>, message: &str) -> ParseError {
    ParseError::new(ParseErrorKind::TooLong, span, message).hint("split the search into several")
}

/// A number as the server reads it; `None` for what overflows or has letters in it.
pub(super) fn parse_number(text: &str) -> Option<Number> {
    let unsigned = text.trim_start_matches(['+', '-']);
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().map(Number::Integer);
    }
    let value: f64 = text.parse().ok()?;
    (value.is_finite() && unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
        .then_some(Number::Float(value))
}

/// A number in quotes. SQLite turns it into a number for columns, but not for
/// the end time, which is a sum.
fn quoted_number(
    field: Field,
    comparator: Comparator,
    token: Token<'_>,
) -> Result<Result<Condition, ConditionError>, ParseError> {
    let text = token.unquoted().trim();
    match parse_number(text) {
        Some(_) if field == Field::EndTime => {
            Ok(Condition::quoted_end_time(comparator, token.unquoted()))
        }
        Some(number) => Ok(Condition::number(field, comparator, number)),
        None => Err(mistakes::needs_number(token, &field, comparator).found(quote(token.text))),
    }
}
