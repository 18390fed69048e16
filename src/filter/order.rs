//! The order of search results: reading it, printing it for the server, and
//! sorting as the server sorts.

use std::cmp::Ordering;
use std::fmt;

use super::error::{ParseError, ParseErrorKind as Kind, quote, shorten};
use super::lexer::{Token, TokenKind, is_word, lex};
use super::suggest;
use crate::model::{Timestamp, TraceInfo, metadata, tag};

/// How to sort traces: by the first item, then the second, and so on; at last
/// by time, the newest first, and by trace id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderBy {
    items: Vec<OrderItem>,
}

/// One key to sort by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderItem {
    /// What is compared.
    pub key: OrderKey,
    /// Whether large values come first. Missing ones always come last.
    pub descending: bool,
}

/// What traces can be sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OrderKey {
    /// When the request began.
    Timestamp,
    /// How long it took.
    ExecutionTime,
    /// The state of the trace, as text.
    Status,
    /// The trace id.
    RequestId,
    /// The trace's name.
    Name,
    /// The run that the trace was made in.
    RunId,
    /// The experiment.
    ExperimentId,
    /// A tag.
    Tag(String),
    /// A metadata entry.
    Metadata(String),
}

impl OrderBy {
    /// The keys, the most important first.
    pub fn items(&self) -> &[OrderItem] {
        &self.items
    }

    /// Each key in the server's dialect, as its interface takes them.
    pub fn clauses(&self) -> Vec<String> {
        self.items.iter().map(ToString::to_string).collect()
    }

    /// Which of two traces the server would list first.
    pub fn compare(&self, a: &TraceInfo, b: &TraceInfo) -> Ordering {
        let tie_breaks = [(OrderKey::Timestamp, true), (OrderKey::RequestId, false)];
        let tie_breaks = tie_breaks
            .into_iter()
            .filter(|(key, _)| self.items.iter().all(|item| item.key != *key));
        self.items
            .iter()
            .map(|item| item.key.compare(a, b, item.descending))
            .chain(tie_breaks.map(|(key, descending)| key.compare(a, b, descending)))
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl FromIterator<OrderItem> for OrderBy {
    /// A key that comes again is dropped: it can change nothing, and the server fails on it.
    fn from_iter<I: IntoIterator<Item = OrderItem>>(items: I) -> Self {
        let mut order = Self::default();
        for item in items {
            if order.items.iter().all(|known| known.key != item.key) {
                order.items.push(item);
            }
        }
        order
    }
}

impl fmt::Display for OrderBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.clauses().join(", "))
    }
}

impl fmt::Display for OrderItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.descending { "DESC" } else { "ASC" };
        write!(f, "{} {direction}", self.key)
    }
}

impl fmt::Display for OrderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timestamp => f.write_str("timestamp_ms"),
            Self::ExecutionTime => f.write_str("execution_time_ms"),
            Self::Status => f.write_str("status"),
            Self::RequestId => f.write_str("request_id"),
            Self::Name => f.write_str("name"),
            Self::RunId => f.write_str("run_id"),
            Self::ExperimentId => f.write_str("experiment_id"),
            Self::Tag(key) => write!(f, "tag.`{key}`"),
            Self::Metadata(key) => write!(f, "metadata.`{key}`"),
        }
    }
}

impl OrderKey {
    fn compare(&self, a: &TraceInfo, b: &TraceInfo, descending: bool) -> Ordering {
        match self {
            Self::Timestamp => {
                let ms = |info: &TraceInfo| info.request_time.map(Timestamp::millis);
                compare(ms(a), ms(b), descending)
            }
            Self::ExecutionTime => {
                let ms = |info: &TraceInfo| {
                    info.execution_duration_ns
                        .map(|ns| ns.div_euclid(1_000_000))
                };
                compare(ms(a), ms(b), descending)
            }
            Self::ExperimentId => {
                // Ids are numbers, but those of file stores exceed 64 bits in digits' terms.
                let number = |info: &TraceInfo| {
                    info.experiment_id
                        .as_deref()
                        .map(|id| (id.len(), id.to_owned()))
                };
                compare(number(a), number(b), descending)
            }
            _ => compare(self.text(a), self.text(b), descending),
        }
    }

    fn text<'a>(&self, info: &'a TraceInfo) -> Option<&'a str> {
        match self {
            Self::Status => Some(info.state.as_str()),
            Self::RequestId => Some(&info.trace_id),
            Self::Name => info.name(),
            Self::RunId => info.run_id(),
            Self::Tag(key) => info.tags.get(key).map(String::as_str),
            Self::Metadata(key) => info.metadata.get(key).map(String::as_str),
            Self::Timestamp | Self::ExecutionTime | Self::ExperimentId => None,
        }
    }
}

fn compare<T: Ord>(a: Option<T>, b: Option<T>, descending: bool) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) if descending => b.cmp(&a),
        (Some(a), Some(b)) => a.cmp(&b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    }
}

/// Reads `key [ASC|DESC]`, several of them separated by commas; a `-` before a
/// key is short for `DESC`. Blank text is the default order.
///
/// # Errors
///
/// The first mistake in the text; `diagnostics::render` draws it.
pub fn parse_order_by(text: &str) -> Result<OrderBy, ParseError> {
    let tokens: Vec<_> = lex(text)
        .into_iter()
        .filter(|token| token.kind != TokenKind::Whitespace)
        .collect();
    let mut rest = tokens.as_slice();
    let mut items: Vec<OrderItem> = Vec::new();
    if rest[0].kind == TokenKind::End {
        return Ok(OrderBy::default());
    }
    loop {
        let item = item(text, &mut rest)?;
        if items.iter().any(|known| known.key == item.0.key) {
            return Err(ParseError::new(
                Kind::RepeatedKey,
                item.1,
                format!("{} is sorted by twice", quote(&item.0.key.to_string())),
            )
            .hint("leave the second one out: it cannot change the order"));
        }
        items.push(item.0);
        let separator = next(&mut rest);
        match separator.kind {
            TokenKind::End => return Ok(OrderBy { items }),
            TokenKind::Comma => {}
            _ => return Err(after_item(separator)),
        }
    }
}

fn next<'t>(rest: &mut &[Token<'t>]) -> Token<'t> {
    let token = rest[0];
    if rest.len() > 1 {
        *rest = &rest[1..];
    }
    token
}

fn item(
    text: &str,
    rest: &mut &[Token<'_>],
) -> Result<(OrderItem, std::ops::Range<usize>), ParseError> {
    let minus = (rest[0].text == "-").then(|| next(rest));
    let first = next(rest);
    if !matches!(
        first.kind,
        TokenKind::Word | TokenKind::Backquoted | TokenKind::DoubleQuoted
    ) {
        let found = if first.kind == TokenKind::End {
            "the end".to_owned()
        } else {
            quote(first.text)
        };
        return Err(ParseError::new(
            Kind::ExpectedKey,
            first.span(),
            "there is no key to sort by",
        )
        .expected("a key")
        .found(found)
        .maybe_hint(
            (first.text == "--" || first.kind == TokenKind::Comment)
                .then(|| "one `-` before a key sorts downwards".to_owned()),
        ));
    }
    let mut parts = vec![first];
    while rest[0].kind == TokenKind::Dot && rest[0].start == parts[parts.len() - 1].end() {
        let dot = next(rest);
        let part = rest[0];
        let is_name = matches!(
            part.kind,
            TokenKind::Word
                | TokenKind::Backquoted
                | TokenKind::DoubleQuoted
                | TokenKind::SingleQuoted
        );
        if part.start != dot.end() || !is_name {
            return Err(
                ParseError::new(Kind::BadKey, dot.span(), "there is no key after the dot")
                    .expected("a key"),
            );
        }
        parts.push(next(rest));
    }
    let last = parts[parts.len() - 1];
    let span = first.start..last.end();
    if rest[0].start == last.end()
        && !matches!(
            rest[0].kind,
            TokenKind::End | TokenKind::Comma | TokenKind::Semicolon
        )
    {
        let end = text[last.end()..]
            .find(|c: char| c.is_whitespace() || c == ',')
            .map_or(text.len(), |len| last.end() + len);
        let whole = &text[first.start..end];
        let hint = match whole.split_once('.') {
            Some((entity, name)) => format!(
                "write {}.`{}`",
                shorten(entity),
                shorten(&name.replace('`', ""))
            ),
            None => format!("a tag is written tag.`{}`", shorten(whole)),
        };
        return Err(ParseError::new(
            Kind::KeyNeedsQuotes,
            first.start..end,
            format!("the key {} needs quotes", quote(whole)),
        )
        .expected("back quotes round it")
        .hint(hint));
    }
    let key = key(&parts, &span)?;
    let mut descending = minus.is_some();
    let direction = rest[0];
    if direction.is_keyword("DESC") || direction.is_keyword("ASC") {
        next(rest);
        if let Some(minus) = minus {
            return Err(ParseError::new(
                Kind::UnexpectedToken,
                minus.start..direction.end(),
                "the direction is given twice",
            )
            .hint("leave the `-` or the word out"));
        }
        descending = direction.is_keyword("DESC");
    }
    Ok((OrderItem { key, descending }, span))
}

fn after_item(token: Token<'_>) -> ParseError {
    let error = ParseError::new(
        Kind::UnexpectedToken,
        token.span(),
        format!("{} is not a direction", quote(token.text)),
    )
    .expected("`ASC`, `DESC`, a comma or the end")
    .found(quote(token.text));
    match token.text.to_ascii_uppercase().as_str() {
        "DESCENDING" | "DOWN" | "REVERSE" => error.hint("write `DESC`"),
        "ASCENDING" | "UP" => error.hint("write `ASC`"),
        "NULLS" => error.hint("missing values come last in any case"),
        ";" => error.hint("leave it out"),
        _ => error.hint("several keys are separated by commas"),
    }
}

fn key(parts: &[Token<'_>], span: &std::ops::Range<usize>) -> Result<OrderKey, ParseError> {
    let names: Vec<_> = parts.iter().map(Token::unquoted).collect();
    let (entity, name) = match names.as_slice() {
        [name] => ("trace", (*name).to_owned()),
        [entity, rest @ ..] => (*entity, rest.join(".")),
        [] => ("trace", String::new()),
    };
    let make: fn(String) -> OrderKey = match entity {
        "trace" | "attribute" | "attributes" => return attribute(&name, span),
        "tag" | "tags" => OrderKey::Tag,
        "metadata" | "request_metadata" => OrderKey::Metadata,
        "span" | "feedback" | "expectation" | "issue" => {
            return Err(unsortable(span, &format!("{entity}.{name}"))
                .hint("traces are sorted by their own keys, tags and metadata"));
        }
        other => {
            let error = ParseError::new(
                Kind::UnknownEntity,
                parts[0].span(),
                format!("unknown kind of key {}", quote(other)),
            )
            .expected("`tag`, `metadata` or `trace`")
            .found(quote(other));
            return Err(match suggest::entity(other) {
                Some(meant) => error.hint(format!(
                    "did you mean {}?",
                    quote(&format!("{meant}.{name}"))
                )),
                None => error.hint(format!(
                    "a tag is written tag.`{}`",
                    shorten(&names.join("."))
                )),
            });
        }
    };
    match name.to_lowercase().as_str() {
        "name" => return Ok(OrderKey::Name),
        "run_id" => return Ok(OrderKey::RunId),
        "prompt" | "text" => return Err(unsortable(span, &format!("{entity}.{name}"))),
        "timestamp" | "execution_time" | "end_time" => {
            return Ok(make(format!("{}_ms", name.to_lowercase())));
        }
        _ => {}
    }
    let speakable =
        |c: char| is_word(c) || matches!(c, '-' | '.' | ' ' | ':' | '/' | '@' | '%' | '+');
    if name.is_empty() || !name.chars().all(speakable) || name.trim() != name {
        return Err(ParseError::new(
            Kind::BadKey,
            span.clone(),
            format!("the server cannot sort by the key {}", quote(&name)),
        )
        .hint("letters, digits, inner spaces and - . : / work"));
    }
    let key = make(name);
    match &key {
        OrderKey::Tag(name) if name == tag::NAME => Ok(OrderKey::Name),
        OrderKey::Metadata(name) if name == metadata::SOURCE_RUN => Ok(OrderKey::RunId),
        OrderKey::Metadata(name) if name == metadata::TOKEN_USAGE || name == metadata::COST => {
            Err(unsortable(span, name).hint("it consists of several numbers"))
        }
        _ => Ok(key),
    }
}

/// The trace's own keys, by all their names.
fn known(name: &str) -> Option<OrderKey> {
    Some(match name {
        "timestamp" | "timestamp_ms" | "time" => OrderKey::Timestamp,
        "execution_time" | "execution_time_ms" | "duration" | "latency" => OrderKey::ExecutionTime,
        "status" | "state" => OrderKey::Status,
        "request_id" | "trace_id" | "id" => OrderKey::RequestId,
        "name" => OrderKey::Name,
        "run_id" => OrderKey::RunId,
        "experiment_id" | "experiment" => OrderKey::ExperimentId,
        "session" => OrderKey::Metadata(metadata::SESSION.to_owned()),
        "user" => OrderKey::Metadata(metadata::USER.to_owned()),
        _ => return None,
    })
}

fn attribute(name: &str, span: &std::ops::Range<usize>) -> Result<OrderKey, ParseError> {
    if let Some(key) = known(name) {
        return Ok(key);
    }
    match name {
        "end_time" | "end_time_ms" => {
            return Err(unsortable(span, name)
                .hint("servers fail on it; sort by `timestamp_ms` or `execution_time_ms`"));
        }
        "client_request_id" | "prompt" | "text" | "tokens" | "input_tokens" | "output_tokens"
        | "cost" | "spans" | "model" | "error" => return Err(unsortable(span, name)),
        _ => {}
    }
    let error = ParseError::new(
        Kind::UnknownKey,
        span.clone(),
        format!("unknown key {}", quote(name)),
    )
    .expected(SORTABLE)
    .found(quote(name));
    Err(match suggest::attribute(name) {
        Some(meant) if known(meant).is_some() => error.hint(format!("did you mean `{meant}`?")),
        _ => error.hint(format!("a tag is written tag.`{}`", shorten(name))),
    })
}

const SORTABLE: &str = "`time`, `duration`, `status`, `name`, `trace_id`, `run_id`, `experiment`, `session`, `user`, `tags.<key>` or `metadata.<key>`";

fn unsortable(span: &std::ops::Range<usize>, name: &str) -> ParseError {
    ParseError::new(
        Kind::UnsortableKey,
        span.clone(),
        format!("traces cannot be sorted by {}", quote(name)),
    )
    .expected(SORTABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> String {
        parse_order_by(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .to_string()
    }

    fn refused(text: &str) -> (std::ops::Range<usize>, Kind) {
        let error = parse_order_by(text).expect_err(text);
        (error.span, error.kind)
    }

    #[test]
    fn keys_are_printed_in_the_servers_spelling() {
        assert_eq!(printed(""), "");
        assert_eq!(printed("timestamp"), "timestamp_ms ASC");
        assert_eq!(
            printed("-latency, name desc, tags.`a b`"),
            "execution_time_ms DESC, name DESC, tag.`a b` ASC"
        );
        assert_eq!(printed("trace_id ASC,state"), "request_id ASC, status ASC");
        assert_eq!(printed("tags.mlflow.traceName"), "name ASC");
        assert_eq!(printed("session"), "metadata.`mlflow.trace.session` ASC");
        assert_eq!(
            parse_order_by("a, b").map_err(|e| e.kind),
            Err(Kind::UnknownKey)
        );
    }

    #[test]
    fn what_the_server_fails_on_is_refused() {
        assert_eq!(refused("end_time"), (0..8, Kind::UnsortableKey));
        assert_eq!(
            refused("name, timestamp, -name"),
            (18..22, Kind::RepeatedKey)
        );
        assert_eq!(refused("span.name"), (0..9, Kind::UnsortableKey));
        assert_eq!(refused("tokens"), (0..6, Kind::UnsortableKey));
        assert_eq!(refused("STATUS"), (0..6, Kind::UnknownKey));
        assert_eq!(refused("name DOWN"), (5..9, Kind::UnexpectedToken));
        assert_eq!(refused("-name DESC"), (0..10, Kind::UnexpectedToken));
        assert_eq!(refused("tag.a-b"), (0..7, Kind::KeyNeedsQuotes));
        assert_eq!(refused("tag.`a\"b`"), (0..9, Kind::BadKey));
        assert_eq!(refused("name,"), (5..5, Kind::ExpectedKey));
    }

    #[test]
    fn missing_values_come_last_in_both_directions() {
        let trace = |id: &str, ms: i64, team: Option<&str>| {
            let mut info = TraceInfo::new(id);
            info.request_time = Some(Timestamp::from_millis(ms));
            info.tags
                .extend(team.map(|team| ("team".to_owned(), team.to_owned())));
            info
        };
        let traces = [
            trace("tr-a", 1, Some("x")),
            trace("tr-b", 2, None),
            trace("tr-c", 2, Some("y")),
            trace("tr-d", 2, Some("x")),
        ];
        let sorted = |order: &str| {
            let order = parse_order_by(order).unwrap();
            let mut traces: Vec<_> = traces.iter().collect();
            traces.sort_by(|a, b| order.compare(a, b));
            let last = traces.iter().map(|info| &info.trace_id[3..]);
            last.collect::<String>()
        };
        assert_eq!(sorted(""), "bcda");
        assert_eq!(sorted("tag.team"), "dacb");
        assert_eq!(sorted("-tag.team"), "cdab");
        assert_eq!(sorted("timestamp, -request_id"), "adcb");
    }
}
