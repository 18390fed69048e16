//! The order of search results: reading it, printing it for the server, and
//! sorting as the server sorts.

use std::cmp::Ordering;
use std::fmt;

use super::error::{ParseError, ParseErrorKind as Kind, quote, shorten};
use super::lexer::{Token, TokenKind, is_word, lex};
use crate::field::{self, Field, FieldDef, Uses, suggest};
use crate::model::{Trace, TraceInfo};

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
    pub key: Field,
    /// Whether large values come first. Missing ones always come last.
    pub descending: bool,
}

impl OrderBy {
    /// The keys, the most important first.
    pub fn items(&self) -> &[OrderItem] {
        &self.items
    }

    /// Whether every store sorts by it; the others are sorted by here.
    pub fn is_of_stores(&self) -> bool {
        self.items.iter().all(|item| is_of_stores(&item.key))
    }

    /// Each key in the server's dialect, as its interface takes them.
    pub fn clauses(&self) -> Vec<String> {
        self.items.iter().map(ToString::to_string).collect()
    }

    /// Which of two traces the server would list first; keys that need more than is
    /// known without spans do not count.
    pub fn compare(&self, a: &TraceInfo, b: &TraceInfo) -> Ordering {
        let by = |item: &OrderItem| {
            let (a, b) = (value(&item.key, a), value(&item.key, b));
            compare(a.as_ref(), b.as_ref(), item.descending)
        };
        let first = self.items.iter().map(by).find(|ordering| ordering.is_ne());
        first.unwrap_or_else(|| self.compare_last(a, b))
    }

    /// The order of traces that are equal in every key: the newest first, then by id.
    pub fn compare_last(&self, a: &TraceInfo, b: &TraceInfo) -> Ordering {
        let tie_breaks = [(Field::Timestamp, true), (Field::RequestId, false)];
        tie_breaks
            .iter()
            .filter(|(key, _)| self.items.iter().all(|item| item.key != *key))
            .map(|(key, down)| compare(value(key, a).as_ref(), value(key, b).as_ref(), *down))
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    /// What a trace is sorted by, key by key. The spans have to be there as far as
    /// [`Field::detail`] says.
    pub fn values(&self, trace: &Trace) -> Vec<Option<field::Value<'static>>> {
        let of = |item: &OrderItem| {
            let value = match item.key.detail() {
                Some(_) => item.key.value(trace),
                None => value(&item.key, &trace.info),
            };
            value.map(field::Value::into_owned)
        };
        self.items.iter().map(of).collect()
    }

    /// The order of two traces by what [`OrderBy::values`] gives of them.
    pub fn compare_values(
        &self,
        a: &[Option<field::Value<'_>>],
        b: &[Option<field::Value<'_>>],
    ) -> Ordering {
        let pairs = self.items.iter().zip(a.iter().zip(b));
        pairs
            .map(|(item, (a, b))| compare(a.as_ref(), b.as_ref(), item.descending))
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
        let key = &self.key;
        match key.key() {
            _ if !is_of_stores(key) => f.write_str(&key.spelling())?,
            Some(name) => write!(f, "{}.`{name}`", key.def().order)?,
            None => f.write_str(key.def().order)?,
        }
        write!(f, " {direction}")
    }
}

/// Whether stores sort by a key. Servers take of tags and metadata only names of
/// letters, digits and a few signs.
pub(crate) fn is_of_stores(key: &Field) -> bool {
    let speakable = |name: &str| {
        let allowed =
            |c: char| is_word(c) || matches!(c, '-' | '.' | ' ' | ':' | '/' | '@' | '%' | '+');
        !name.is_empty() && name.chars().all(allowed) && name.trim() == name
    };
    !key.def().order.is_empty() && key.key().is_none_or(speakable) && !key.is_record()
}

/// What a trace is sorted by, as servers see it: times in milliseconds, ids of
/// experiments as numbers.
fn value<'t>(key: &Field, info: &'t TraceInfo) -> Option<field::Value<'t>> {
    match key {
        Field::Timestamp => info
            .request_time
            .map(|time| field::Value::Count(time.millis())),
        Field::ExecutionTime => info
            .execution_duration_ns
            .map(|ns| field::Value::Count(ns.div_euclid(1_000_000))),
        Field::Experiment => {
            let id = info.experiment_id.as_deref()?;
            let number = id.parse().ok().map(field::Value::Count);
            number.or_else(|| key.value_of_info(info))
        }
        _ => key.value_of_info(info),
    }
}

/// Missing values come last in both directions.
fn compare(
    a: Option<&field::Value<'_>>,
    b: Option<&field::Value<'_>>,
    descending: bool,
) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) if descending => b.compare(a),
        (Some(a), Some(b)) => a.compare(b),
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
                format!("{} is sorted by twice", quote(&item.0.key.spelling())),
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
            None => format!("a tag is written tags.`{}`", shorten(whole)),
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

fn key(parts: &[Token<'_>], span: &std::ops::Range<usize>) -> Result<Field, ParseError> {
    let names: Vec<_> = parts.iter().map(Token::unquoted).collect();
    let (entity, name) = match names.as_slice() {
        [name] => ("trace", (*name).to_owned()),
        [entity, rest @ ..] => (*entity, rest.join(".")),
        [] => ("trace", String::new()),
    };
    let make: fn(String) -> Field = match entity {
        "trace" | "attribute" | "attributes" => return attribute(&name, span),
        "tag" | "tags" => Field::Tag,
        "metadata" | "request_metadata" => Field::Metadata,
        "feedback" => Field::Feedback,
        "expectation" => Field::Expectation,
        "assessment" | "assessments" => Field::Assessment,
        "issue" if name == "id" => return Ok(Field::IssueId),
        "span" | "issue" => {
            return Err(unsortable(span, &format!("{entity}.{name}"))
                .hint("a trace has many of them; `model`, `error` and `failed` say what its spans come to"));
        }
        other => {
            let error = ParseError::new(
                Kind::UnknownEntity,
                parts[0].span(),
                format!("unknown kind of key {}", quote(other)),
            )
            .expected("`tags`, `metadata`, `feedback`, `expectation` or `trace`")
            .found(quote(other));
            return Err(match suggest::entity(other) {
                Some(meant) => error.hint(format!(
                    "did you mean {}?",
                    quote(&format!("{meant}.{name}"))
                )),
                None => error.hint(format!(
                    "a tag is written tags.`{}`",
                    shorten(&names.join("."))
                )),
            });
        }
    };
    // Servers take these for something else, where they take the kind at all.
    let is_misread = matches!(entity, "tag" | "tags" | "metadata" | "request_metadata");
    match name.to_lowercase().as_str() {
        _ if !is_misread => {}
        "name" => return Ok(Field::Name),
        "run_id" => return Ok(Field::RunId),
        "prompt" | "text" => return Err(unsortable(span, &format!("{entity}.{name}"))),
        "timestamp" | "execution_time" | "end_time" => {
            return Ok(make(format!("{}_ms", name.to_lowercase())));
        }
        _ => {}
    }
    if name.is_empty() {
        return Err(ParseError::new(
            Kind::BadKey,
            span.clone(),
            "the key is empty",
        ));
    }
    let key = make(name);
    if key.is_record() {
        return Err(unsortable(span, &key.spelling())
            .hint("it consists of several numbers; `tokens` and `cost` are sorted by"));
    }
    Ok(key.by_its_own_name())
}

fn attribute(name: &str, span: &std::ops::Range<usize>) -> Result<Field, ParseError> {
    if let Some(key) = FieldDef::named(name, Uses::SORT, true) {
        return Ok(key);
    }
    if name == "text" {
        return Err(unsortable(span, name));
    }
    let error = ParseError::new(
        Kind::UnknownKey,
        span.clone(),
        format!("unknown key {}", quote(name)),
    )
    .expected(SORTABLE)
    .found(quote(name));
    let meant = suggest::attribute(name);
    Err(match meant {
        Some(meant) if FieldDef::named(meant, Uses::SORT, false).is_some() => {
            error.hint(format!("did you mean `{meant}`?"))
        }
        _ => error.hint(format!("a tag is written tags.`{}`", shorten(name))),
    })
}

const SORTABLE: &str = "a field of traces, such as `time`, `duration`, `cost`, `tokens`, `spans`, `name`, `model`, `tags.<key>` or `metadata.<key>`";

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
    use crate::model::Timestamp;

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
    fn what_no_store_sorts_by_is_sorted_by_here() {
        for (text, shown) in [
            ("-cost", "cost DESC"),
            ("total_tokens", "tokens ASC"),
            ("end_time", "end_time ASC"),
            ("spans, -model", "spans ASC, model DESC"),
            ("feedback.score desc", "feedback.score DESC"),
            ("feedback.name", "feedback.name ASC"),
            ("-expectation.text", "expectation.text DESC"),
            ("tag.`a\"b`", "tags.`a\"b` ASC"),
        ] {
            let order = parse_order_by(text).unwrap();
            assert!(!order.is_of_stores(), "{text}");
            assert_eq!(order.to_string(), shown);
        }
        assert!(parse_order_by("-latency, name").unwrap().is_of_stores());
    }

    #[test]
    fn what_cannot_be_sorted_by_is_refused() {
        assert_eq!(refused("text"), (0..4, Kind::UnsortableKey));
        assert_eq!(
            refused("name, timestamp, -name"),
            (18..22, Kind::RepeatedKey)
        );
        assert_eq!(refused("span.name"), (0..9, Kind::UnsortableKey));
        assert_eq!(refused("STATUS"), (0..6, Kind::UnknownKey));
        assert_eq!(refused("name DOWN"), (5..9, Kind::UnexpectedToken));
        assert_eq!(refused("-name DESC"), (0..10, Kind::UnexpectedToken));
        assert_eq!(refused("tag.a-b"), (0..7, Kind::KeyNeedsQuotes));
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
