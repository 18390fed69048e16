//! Reads aggregates and rules with the filter language's own parser, which reads
//! what stands after `where`.

use super::super::ast::Filter;
use super::super::error::ParseError;
use super::super::lexer::{Token, TokenKind, lex};
use super::super::parser::{KeyText, Parser, sign, tokens_of};
use super::limit::limit;
use super::{Aggregate, Bound, Function, Measure, Rule, mistakes};
use crate::field::{Field, FieldDef, Uses};
use crate::units::Moment;

/// Reads a rule such as `p95(duration) <= 2s`, or an aggregate alone.
///
/// # Errors
///
/// The first mistake in the text.
pub fn parse_rule(text: &str, moment: &Moment) -> Result<Rule, ParseError> {
    let tokens = tokens_of(text)?;
    let mut parser = Parser::new(text, &tokens, moment);
    let aggregate = aggregate(&mut parser)?;
    let bound = bound(&mut parser, &aggregate)?;
    if parser.peek().kind != TokenKind::End {
        return Err(mistakes::after_rule(&parser));
    }
    Ok(Rule { aggregate, bound })
}

/// Reads aggregates with commas between them, such as `p95(duration), sum(tokens)`.
///
/// # Errors
///
/// The first mistake in the text.
pub fn parse_aggregates(text: &str, moment: &Moment) -> Result<Vec<Aggregate>, ParseError> {
    let tokens = tokens_of(text)?;
    let mut parser = Parser::new(text, &tokens, moment);
    let mut aggregates = vec![aggregate(&mut parser)?];
    while parser.peek().kind == TokenKind::Comma {
        parser.next();
        aggregates.push(aggregate(&mut parser)?);
    }
    if parser.peek().kind != TokenKind::End {
        return Err(mistakes::after_aggregate(&parser));
    }
    Ok(aggregates)
}

/// A line of a file of rules without what stands after `#`, unless that is in quotes.
pub fn without_comment(line: &str) -> &str {
    let comment = lex(line)
        .into_iter()
        .find(|token| token.text.starts_with('#'));
    comment.map_or(line, |token| &line[..token.start])
}

fn aggregate(parser: &mut Parser<'_, '_>) -> Result<Aggregate, ParseError> {
    let start = parser.peek().start;
    let function = function(parser)?;
    let written = start..parser.previous_end();
    let open = parser.peek();
    if open.kind != TokenKind::OpenParen {
        return Err(mistakes::no_parenthesis(parser, written));
    }
    parser.next();
    let measure = measure(parser, function, open)?;
    let filter = if parser.peek().is_keyword("where") {
        parser.next();
        condition(parser, open)?
    } else if parser.peek().kind == TokenKind::CloseParen {
        parser.next();
        Filter::default()
    } else {
        return Err(mistakes::after_measure(parser, &measure, open));
    };
    Ok(Aggregate {
        function,
        measure,
        filter,
    })
}

/// The function's name, with the fraction of a percentile.
fn function(parser: &mut Parser<'_, '_>) -> Result<Function, ParseError> {
    let word = parser.peek();
    if word.kind != TokenKind::Word {
        return Err(mistakes::expected_function(word));
    }
    parser.next();
    let lower = word.text.to_ascii_lowercase();
    let known = match lower.as_str() {
        "count" => Some(Function::Count),
        "error_rate" => Some(Function::ErrorRate),
        "min" => Some(Function::Min),
        "max" => Some(Function::Max),
        "avg" => Some(Function::Avg),
        "sum" => Some(Function::Sum),
        "median" => Some(Function::Percentile(5_000)),
        _ => None,
    };
    if let Some(function) = known {
        return Ok(function);
    }
    let digits = lower.strip_prefix('p').filter(|digits| is_digits(digits));
    let Some(whole) = digits else {
        return Err(mistakes::unknown_function(parser, word));
    };
    let fraction = fraction(parser);
    let span = word.start..parser.previous_end();
    percentile(whole, fraction.map_or("", |token| token.text))
        .ok_or_else(|| mistakes::bad_percentile(parser.text, span))
}

/// `.9` after `p99`.
fn fraction<'t>(parser: &mut Parser<'_, 't>) -> Option<Token<'t>> {
    let dot = parser.peek();
    let digits = parser.peek_at(1);
    let sticks = dot.kind == TokenKind::Dot
        && parser.is_adjacent()
        && digits.start == dot.end()
        && is_digits(digits.text);
    sticks.then(|| {
        parser.next();
        parser.next()
    })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Hundredths of a percent; `None` for more than 100 or more than two decimals.
fn percentile(whole: &str, fraction: &str) -> Option<Function> {
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 2 {
        return None;
    }
    let parts: u16 = format!("{whole}{fraction:0<2}").parse().ok()?;
    (parts <= 10_000).then_some(Function::Percentile(parts))
}

fn measure(
    parser: &mut Parser<'_, '_>,
    function: Function,
    open: Token<'_>,
) -> Result<Measure, ParseError> {
    let first = parser.peek();
    let nothing = first.is_keyword("where") || first.kind == TokenKind::CloseParen;
    let counts = matches!(function, Function::Count | Function::ErrorRate);
    if nothing && counts {
        return Ok(Measure::Trace);
    }
    if nothing {
        return Err(mistakes::no_measure(function, open, first));
    }
    if first.kind == TokenKind::End {
        return Err(mistakes::unclosed(open));
    }
    let key = parser.key()?;
    let measure = known_measure(&key).ok_or_else(|| mistakes::unknown_measure(parser, &key))?;
    match measure {
        Measure::Span if !counts => Err(mistakes::span_has_no_value(function, key.span)),
        Measure::Span => Ok(measure),
        _ if counts => Err(mistakes::not_countable(
            parser, function, &measure, key.span,
        )),
        measure => Ok(measure),
    }
}

/// The names that filters know, as far as they can be measured.
fn known_measure(key: &KeyText<'_>) -> Option<Measure> {
    let name = key.name.as_str();
    let plain = |name: &str| FieldDef::named(name, Uses::MEASURE, false);
    let field = match key.entity.as_ref().map(Token::unquoted) {
        None => match name {
            "span" => return Some(Measure::Span),
            "self" => return Some(Measure::SelfTime),
            "critical" => return Some(Measure::CriticalTime),
            _ => plain(name),
        },
        Some("trace" | "attribute" | "attributes") => plain(name),
        Some("feedback") => Some(Field::Feedback(key.name.clone())),
        Some("expectation") => Some(Field::Expectation(key.name.clone())),
        Some("span") => match name.strip_prefix("attributes.") {
            Some(attribute) => Some(Field::SpanAttribute(attribute.to_owned())),
            None => plain(&format!("span.{name}")),
        },
        Some(_) => None,
    };
    field.map(Measure::Of)
}

/// What stands after `where`.
fn condition<'t>(parser: &mut Parser<'_, 't>, open: Token<'t>) -> Result<Filter, ParseError> {
    let first = parser.peek();
    if first.kind == TokenKind::CloseParen {
        return Err(mistakes::no_condition(first));
    }
    let filter = parser.filter_within(open)?;
    if let Some(condition) = filter.needs_server() {
        let span = first.start..parser.previous_end() - 1;
        return Err(mistakes::needs_server(condition, span));
    }
    Ok(filter)
}

/// The comparator and the limit, where there are any.
fn bound(parser: &mut Parser<'_, '_>, aggregate: &Aggregate) -> Result<Option<Bound>, ParseError> {
    let token = parser.peek();
    if token.kind == TokenKind::End {
        return Ok(None);
    }
    let Some(comparator) = (token.kind == TokenKind::Operator)
        .then(|| sign(token))
        .flatten()
    else {
        return Err(mistakes::no_comparator(parser, aggregate));
    };
    parser.next();
    let limit = limit(parser, aggregate, comparator)?;
    Ok(Some(Bound { comparator, limit }))
}
