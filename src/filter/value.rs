//! Reads the right side of a condition: text, numbers with their units, times,
//! two bounds, and lists.

use super::condition::ConditionError;
use super::error::{ParseError, ParseErrorKind, quote};
use super::lexer::{Token, TokenKind};
use super::parser::Parser;
use super::terms::Condition;
use super::{mistakes, python};
use crate::field::{Comparator, Field};
use crate::units::{Number, Time, milliseconds, scaled};

impl Parser<'_, '_> {
    /// The value after a comparator that takes one value.
    pub(super) fn comparison(
        &mut self,
        field: Field,
        comparator: Comparator,
    ) -> Result<Result<Condition, ConditionError>, ParseError> {
        let token = self.peek();
        if token.kind == TokenKind::OpenParen {
            let mut values = self.list(comparator, &field)?;
            return match values.pop() {
                Some(only) if values.is_empty() && !field.is_numeric() => {
                    Ok(Condition::text(field, comparator, only))
                }
                _ => {
                    let span = token.start..self.previous_end();
                    Err(mistakes::unwanted_list(self.text, span, &field, comparator))
                }
            };
        }
        if field.is_numeric() {
            let quoted = matches!(
                token.kind,
                TokenKind::SingleQuoted | TokenKind::DoubleQuoted
            );
            let number = self.number(&field, comparator)?;
            // SQLite turns quoted numbers into numbers for columns, but not for the end
            // time, which is a sum.
            if quoted && field == Field::EndTime && parse_number(token.unquoted().trim()).is_some()
            {
                return Ok(Condition::quoted_end_time(comparator, token.unquoted()));
            }
            return Ok(Condition::number(field, comparator, number));
        }
        match token.kind {
            TokenKind::SingleQuoted | TokenKind::DoubleQuoted => {
                self.next();
                Ok(Condition::text(field, comparator, token.unquoted()))
            }
            TokenKind::Number => {
                self.next();
                let number = parse_number(token.text)
                    .ok_or_else(|| mistakes::bad_number(token, &field, comparator))?;
                Ok(Condition::number(field, comparator, number))
            }
            TokenKind::Word if field.takes_numbers() && boolean(token).is_some() => {
                self.next();
                Ok(Condition::boolean(
                    field,
                    comparator,
                    token.is_keyword("true"),
                ))
            }
            _ => Err(mistakes::no_value(self, token, &field, comparator)),
        }
    }

    /// Two numbers with `AND` between them.
    pub(super) fn range(
        &mut self,
        field: Field,
        comparator: Comparator,
    ) -> Result<Result<Condition, ConditionError>, ParseError> {
        let first = self.peek();
        let low = self.number(&field, comparator)?;
        if !self.peek().is_keyword("AND") {
            return Err(mistakes::no_upper_bound(first, self.peek(), comparator));
        }
        self.next();
        let high = self.number(&field, comparator)?;
        Ok(Condition::range(field, comparator, low, high))
    }

    /// A number in one of the forms that the field knows.
    fn number(&mut self, field: &Field, comparator: Comparator) -> Result<Number, ParseError> {
        let token = self.peek();
        let is_time = matches!(field, Field::Timestamp | Field::EndTime);
        match token.kind {
            TokenKind::Number => {
                self.next();
                if is_time && self.is_adjacent() && self.peek().kind == TokenKind::Number {
                    return Err(mistakes::unquoted_time(self.text, token.start));
                }
                self.quantity(field, token.text)
                    .ok_or_else(|| mistakes::bad_number(token, field, comparator))
            }
            TokenKind::SingleQuoted | TokenKind::DoubleQuoted => {
                self.next();
                self.quantity(field, token.unquoted().trim())
                    .ok_or_else(|| {
                        mistakes::needs_number(token, field, comparator).found(quote(token.text))
                    })
            }
            TokenKind::Word if is_time && self.moment.time(token.text).is_some() => {
                self.next();
                let ahead = self.peek();
                // `now -1h`
                if token.is_keyword("now")
                    && ahead.kind == TokenKind::Number
                    && ahead.text.starts_with(['-', '+'])
                {
                    self.next();
                    return self
                        .quantity(field, ahead.text)
                        .filter(|_| parse_number(ahead.text).is_none())
                        .ok_or_else(|| mistakes::bad_number(ahead, field, comparator));
                }
                self.quantity(field, token.text)
                    .ok_or_else(|| mistakes::bad_number(token, field, comparator))
            }
            _ => Err(mistakes::no_value(self, token, field, comparator)),
        }
    }

    fn quantity(&mut self, field: &Field, text: &str) -> Option<Number> {
        if let Some(number) = parse_number(text) {
            self.since_now.push(None);
            return Some(number);
        }
        match field {
            Field::Timestamp | Field::EndTime => {
                let Time {
                    ms,
                    note,
                    since_now,
                } = self.moment.time(text)?;
                self.since_now.push(since_now);
                if let Some(note) = note
                    && !self.notes.contains(&note)
                {
                    self.notes.push(note);
                }
                Some(ms)
            }
            Field::ExecutionTime | Field::SpanDuration => milliseconds(text),
            _ if field.is_numeric() => scaled(text),
            _ => None,
        }
    }

    /// A list in parentheses.
    pub(super) fn list(
        &mut self,
        comparator: Comparator,
        field: &Field,
    ) -> Result<Vec<String>, ParseError> {
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
                TokenKind::Number
                    if field.takes_numbers() && parse_number(token.text).is_some() =>
                {
                    values.push(token.text.to_owned());
                }
                TokenKind::Word if field.takes_numbers() && boolean(token).is_some() => {
                    values.push(token.text.to_ascii_lowercase());
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

fn boolean(token: Token<'_>) -> Option<bool> {
    match token.text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
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
