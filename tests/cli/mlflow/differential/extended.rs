//! Random filters in mlt's whole language: trees of conditions, of the server's
//! kind and of those that no server knows.

use super::chance::Chance;
use super::grammar::{Candidate, quoted};
use super::vocabulary::{Vocabulary, kind, pair, part};

/// A filter as a tree, so that a failing one can be made smaller.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Leaf(String),
    And(Vec<Tree>),
    Or(Vec<Tree>),
    Not(Box<Tree>),
    /// A quantifier before parentheses, with what stands after it.
    Quantified(&'static str, Box<Tree>, String),
}

impl Tree {
    pub(super) fn random(words: &Vocabulary, chance: &mut Chance) -> Self {
        Self::grow(words, chance, 3)
    }

    fn grow(words: &Vocabulary, chance: &mut Chance, depth: usize) -> Self {
        if depth == 0 {
            return Self::Leaf(leaf(words, chance));
        }
        match chance.below(11) {
            0..=2 => Self::And(several(chance, |chance| {
                Self::grow(words, chance, depth - 1)
            })),
            3..=5 => Self::Or(several(chance, |chance| {
                Self::grow(words, chance, depth - 1)
            })),
            6 => Self::Not(Box::new(Self::grow(words, chance, depth - 1))),
            7 => Self::quantified(words, chance),
            8 => Self::assessed(words, chance),
            _ => Self::Leaf(leaf(words, chance)),
        }
    }

    fn quantified(words: &Vocabulary, chance: &mut Chance) -> Self {
        let word = chance.pick(&["any", "any", "all", "count"]);
        let rest = if word == "count" {
            format!(
                " {} {}",
                chance.pick(&["=", "!=", "<", "<=", ">", ">="]),
                chance.below(4)
            )
        } else {
            String::new()
        };
        Self::Quantified(word, Box::new(Self::of_a_span(words, chance, 2)), rest)
    }

    fn assessed(words: &Vocabulary, chance: &mut Chance) -> Self {
        let word = chance.pick(&["any_feedback", "any_feedback", "any_expectation"]);
        let inner = Self::of_an_assessment(words, chance, 2);
        Self::Quantified(word, Box::new(inner), String::new())
    }

    fn of_an_assessment(words: &Vocabulary, chance: &mut Chance, depth: usize) -> Self {
        let inner = |chance: &mut Chance| Self::of_an_assessment(words, chance, depth - 1);
        match chance.below(if depth == 0 { 1 } else { 6 }) {
            3 => Self::And(several(chance, inner)),
            4 => Self::Or(several(chance, inner)),
            5 => Self::Not(Box::new(inner(chance))),
            _ => Self::Leaf(piece_leaf(words, chance)),
        }
    }

    fn of_a_span(words: &Vocabulary, chance: &mut Chance, depth: usize) -> Self {
        match chance.below(if depth == 0 { 1 } else { 6 }) {
            3 => Self::And(several(chance, |chance| {
                Self::of_a_span(words, chance, depth - 1)
            })),
            4 => Self::Or(several(chance, |chance| {
                Self::of_a_span(words, chance, depth - 1)
            })),
            5 => Self::Not(Box::new(Self::of_a_span(words, chance, depth - 1))),
            _ => Self::Leaf(span_leaf(words, chance)),
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Leaf(text) => text.clone(),
            Self::And(parts) => join(parts, " AND ", |part| matches!(part, Self::Or(_))),
            Self::Or(parts) => join(parts, " OR ", |_| false),
            Self::Not(inner) if matches!(**inner, Self::And(_) | Self::Or(_)) => {
                format!("NOT ({})", inner.text())
            }
            Self::Not(inner) => format!("NOT {}", inner.text()),
            Self::Quantified(word, inner, rest) => format!("{word}({}){rest}", inner.text()),
        }
    }

    /// Smaller ones, the smallest first.
    pub(super) fn smaller(&self) -> Vec<Self> {
        match self {
            Self::Leaf(_) => Vec::new(),
            Self::Not(inner) => {
                let mut all = vec![(**inner).clone()];
                all.extend(
                    inner
                        .smaller()
                        .into_iter()
                        .map(|less| Self::Not(Box::new(less))),
                );
                all
            }
            Self::Quantified(word, inner, rest) => {
                let less = inner.smaller().into_iter();
                less.map(|less| Self::Quantified(word, Box::new(less), rest.clone()))
                    .collect()
            }
            Self::And(parts) => smaller_parts(parts, Self::And),
            Self::Or(parts) => smaller_parts(parts, Self::Or),
        }
    }
}

fn several(chance: &mut Chance, mut one: impl FnMut(&mut Chance) -> Tree) -> Vec<Tree> {
    (0..2 + chance.below(2)).map(|_| one(chance)).collect()
}

fn join(parts: &[Tree], word: &str, in_parentheses: impl Fn(&Tree) -> bool) -> String {
    let texts: Vec<String> = parts
        .iter()
        .map(|part| {
            if in_parentheses(part) {
                format!("({})", part.text())
            } else {
                part.text()
            }
        })
        .collect();
    texts.join(word)
}

fn smaller_parts(parts: &[Tree], make: fn(Vec<Tree>) -> Tree) -> Vec<Tree> {
    let mut all = parts.to_vec();
    for at in 0..parts.len() {
        if parts.len() > 2 {
            let mut less = parts.to_vec();
            less.remove(at);
            all.push(make(less));
        }
        for smaller in parts[at].smaller() {
            let mut less = parts.to_vec();
            less[at] = smaller;
            all.push(make(less));
        }
    }
    all
}

/// A condition that mlt takes.
fn leaf(words: &Vocabulary, chance: &mut Chance) -> String {
    taken(chance, |chance| match chance.below(12) {
        0..=3 => Candidate::condition(words, chance),
        4 | 5 => number_leaf(words, chance),
        6 | 7 => text_leaf(words, chance),
        8 | 9 => assessment_leaf(words, chance),
        _ => any_span_leaf(words, chance),
    })
}

fn span_leaf(words: &Vocabulary, chance: &mut Chance) -> String {
    taken(chance, |chance| any_span_leaf(words, chance))
}

fn taken(chance: &mut Chance, make: impl Fn(&mut Chance) -> String) -> String {
    loop {
        let text = make(chance);
        // A backslash before the last quote would join the text to the next condition's.
        let open = text.ends_with("\\'") || text.ends_with("\\\"");
        if !open && mlt::filter::parse(&text).is_ok_and(|filter| filter.needs_server().is_none()) {
            return text;
        }
    }
}

fn comparison(chance: &mut Chance) -> &'static str {
    chance.pick(&["=", "!=", "<", "<=", ">", ">=", ">", "<"])
}

fn between(left: &str, low: &str, high: &str, chance: &mut Chance) -> String {
    let not = chance.pick(&["", "", "NOT "]);
    format!("{left} {not}BETWEEN {low} AND {high}")
}

fn number_leaf(words: &Vocabulary, chance: &mut Chance) -> String {
    let (left, own): (&str, &[i64]) = *chance.of::<(&str, &[i64])>(&[
        ("duration", &words.durations),
        ("execution_time_ms", &words.durations),
        ("time", &words.times),
        ("end_time", &words.times),
        ("tokens", &[]),
        ("input_tokens", &[]),
        ("output_tokens", &[]),
        ("cost", &[]),
        ("spans", &[]),
        ("span.duration", &[]),
    ]);
    let written: &[&str] = match left {
        "duration" | "execution_time_ms" | "span.duration" => &[
            "20ms", "1s", "0.5s", "1h30m", "300us", "0", "-1s", "1d", "1ms", "0.25",
        ],
        "time" | "end_time" => &[
            "-1h",
            "now",
            "-3d",
            "'2026-11-22'",
            "'2026-11-22T20:10:01.666Z'",
            "today",
            "'1970-01-01'",
        ],
        "cost" => &["0", "0.5", "0.512", "0.524", "0.0001", "1e-5", "1"],
        "spans" => &["0", "1", "2", "3", "4", "120", "0.4k"],
        _ => &["0", "5", "15", "20", "33", "60", "0.1k", "1k", "500"],
    };
    let value = |chance: &mut Chance| {
        if own.is_empty() || chance.percent(30) {
            chance.pick(written).to_owned()
        } else {
            chance.of(own).to_string()
        }
    };
    if chance.percent(30) {
        let (low, high) = (value(chance), value(chance));
        return between(left, &low, &high, chance);
    }
    let comparator = comparison(chance);
    format!("{left} {comparator} {}", value(chance))
}

fn text_leaf(words: &Vocabulary, chance: &mut Chance) -> String {
    let (left, value): (String, String) = match chance.below(6) {
        0 => ("name".to_owned(), words.stored(kind::NAME, chance)),
        1 => (
            chance.pick(&["session", "user", "run_id"]).to_owned(),
            chance
                .pick(&["s-0", "s-1", "s-2", "ann", "bob", "gw-3d90", "x"])
                .to_owned(),
        ),
        2 => (
            "experiment".to_owned(),
            chance
                .pick(&[
                    "rich",
                    "rich-neighbour",
                    "edges",
                    "shop-assistant",
                    "1",
                    "2",
                    "nope",
                ])
                .to_owned(),
        ),
        3 => ("state".to_owned(), words.stored(kind::STATE, chance)),
        which => {
            let (kind, entity) = if which == 4 {
                (pair::TAG, "tags")
            } else {
                (pair::METADATA, "metadata")
            };
            let (key, value) = words.pair(kind, chance).clone();
            (format!("{entity}.{}", back_quoted(&key)), value)
        }
    };
    textual(&left, &value, words, chance)
}

fn back_quoted(key: &str) -> String {
    if key.contains('`') {
        format!("\"{key}\"")
    } else {
        format!("`{key}`")
    }
}

fn textual(left: &str, value: &str, words: &Vocabulary, chance: &mut Chance) -> String {
    let some = part(value, chance);
    match chance.below(10) {
        0 => format!("{left} IS NULL"),
        1 => format!("{left} IS NOT NULL"),
        2 => {
            let other = words.value(chance);
            format!(
                "{left} {} ({}, {})",
                chance.pick(&["IN", "NOT IN"]),
                quoted(value, chance),
                quoted(&other, chance)
            )
        }
        3 => format!(
            "{left} {} {}",
            chance.pick(&["NOT LIKE", "NOT ILIKE", "LIKE"]),
            quoted(&format!("%{some}%"), chance)
        ),
        4 => format!(
            "{left} {} {}",
            chance.pick(&["NOT RLIKE", "RLIKE"]),
            quoted(&some, chance)
        ),
        5 | 6 => format!("{left} != {}", quoted(value, chance)),
        _ => format!("{left} = {}", quoted(value, chance)),
    }
}

/// A condition on a piece of one assessment.
fn piece_leaf(words: &Vocabulary, chance: &mut Chance) -> String {
    let kind = *chance.of(&[pair::FEEDBACK, pair::FEEDBACK, pair::EXPECTATION]);
    let (name, value) = words.pair(kind, chance).clone();
    match chance.below(8) {
        0 | 1 => textual("name", &name, words, chance),
        2 => textual("value", &value, words, chance),
        3 => format!(
            "value = {}",
            chance.pick(&["true", "false", "3", "0.8", "'good'"])
        ),
        4 => {
            let comparator = comparison(chance);
            format!(
                "value {comparator} {}",
                chance.pick(&["0", "0.5", "0.8", "1", "4"])
            )
        }
        5 => {
            let error = chance.pick(&["RATE_LIMIT", "timeout", ""]);
            textual("error", error, words, chance)
        }
        6 => {
            let judge = chance.pick(&["m.brandt", "gpt-4o-mini", "customer", "default"]);
            textual("source", judge, words, chance)
        }
        _ => {
            let kind = chance.pick(&["HUMAN", "CODE", "LLM_JUDGE"]);
            let piece = chance.pick(&["source_type", "rationale"]);
            textual(piece, kind, words, chance)
        }
    }
}

fn assessment_leaf(words: &Vocabulary, chance: &mut Chance) -> String {
    let (kind, entity) = *chance.of(&[
        (pair::FEEDBACK, "feedback"),
        (pair::FEEDBACK, "feedback"),
        (pair::EXPECTATION, "expectation"),
    ]);
    let (key, value) = words.pair(kind, chance).clone();
    let left = format!("{entity}.{}", back_quoted(&key));
    let number = chance
        .pick(&["0", "1", "0.8", "3", "2.5", "-2.5", "1e16", "5", "0.5", "4"])
        .to_owned();
    match chance.below(8) {
        0 => {
            let high = chance.pick(&["1", "3", "5", "1e17"]);
            between(&left, &number, high, chance)
        }
        1 => format!(
            "{left} {} {}",
            chance.pick(&["=", "!="]),
            chance.pick(&["true", "false", "'true'", "'1'", "'3.0'", "'null'"])
        ),
        2 | 3 => format!("{left} {} {number}", comparison(chance)),
        _ => textual(&left, &value, words, chance),
    }
}

fn any_span_leaf(words: &Vocabulary, chance: &mut Chance) -> String {
    match chance.below(8) {
        0 => textual(
            "span.name",
            &words.stored(kind::SPAN_NAME, chance),
            words,
            chance,
        ),
        1 => textual(
            "span.type",
            &words.stored(kind::SPAN_TYPE, chance),
            words,
            chance,
        ),
        2 => textual(
            "span.status",
            chance.pick(&["OK", "ERROR", "UNSET"]),
            words,
            chance,
        ),
        3 => {
            let value = chance.pick(&[
                "boom",
                "ValueError: boom é \"x\"",
                "RuntimeError",
                "m",
                "502 from model",
                "ToolError",
            ]);
            textual("span.error", value, words, chance)
        }
        4 => textual(
            "span.model",
            chance.pick(&["gpt-4o", "claude-5", "gpt-4o-mini", "nope"]),
            words,
            chance,
        ),
        5 => {
            let value = chance.pick(&["0", "1ms", "300us", "20ms", "1s", "100ms"]);
            format!("span.duration {} {value}", comparison(chance))
        }
        _ => {
            let (key, value) = words.pair(pair::ATTRIBUTE, chance).clone();
            let left = format!("span.attributes.{}", back_quoted(&key));
            match chance.below(6) {
                0 => format!(
                    "{left} {} {}",
                    comparison(chance),
                    chance.pick(&["0", "0.5", "7", "12", "1e20", "200"])
                ),
                1 => format!("{left} = {}", chance.pick(&["true", "false"])),
                2 => between(&left, "0", chance.pick(&["1", "10", "1e21"]), chance),
                _ => textual(&left, &value, words, chance),
            }
        }
    }
}
