//! Random filters in the server's own language: every entity and comparator, in
//! every spelling of keys, values, spaces and keywords, with a few slips.

use super::chance::Chance;
use super::vocabulary::{Vocabulary, kind, pair, part};

/// A filter in parts, so that a failing one can be made smaller.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) clauses: Vec<String>,
    joiner: &'static str,
    slip: Option<Slip>,
}

/// What is done to the finished text.
#[derive(Clone, Debug)]
enum Slip {
    Before(&'static str),
    After(&'static str),
    Insert(usize, &'static str),
    Delete(usize),
}

impl Candidate {
    pub(super) fn text(&self) -> String {
        let text = self.clauses.join(self.joiner);
        let boundary = |at: usize| {
            (0..=at % (text.len() + 1))
                .rev()
                .find(|&i| text.is_char_boundary(i))
                .unwrap_or(0)
        };
        match self.slip {
            None => text,
            Some(Slip::Before(word)) => format!("{word}{text}"),
            Some(Slip::After(word)) => format!("{text}{word}"),
            Some(Slip::Insert(at, what)) => {
                let (before, after) = text.split_at(boundary(at));
                format!("{before}{what}{after}")
            }
            Some(Slip::Delete(at)) => {
                let (before, after) = text.split_at(boundary(at));
                let mut rest = after.chars();
                rest.next();
                format!("{before}{}", rest.as_str())
            }
        }
    }

    /// Smaller ones, to be tried in this order.
    pub(super) fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        if self.slip.is_some() {
            all.push(Self {
                slip: None,
                ..self.clone()
            });
        }
        if self.clauses.len() > 1 {
            for at in 0..self.clauses.len() {
                let mut less = self.clone();
                less.clauses.remove(at);
                all.push(less);
            }
        }
        if self.joiner != " AND " {
            all.push(Self {
                joiner: " AND ",
                ..self.clone()
            });
        }
        all
    }

    /// One condition, perhaps a wrong one.
    pub(super) fn condition(words: &Vocabulary, chance: &mut Chance) -> String {
        clause(words, chance)
    }

    pub(super) fn random(words: &Vocabulary, chance: &mut Chance) -> Self {
        let count = *chance.of(&[1, 1, 1, 2, 2, 3]);
        let joiner = chance.pick(&[" AND ", " AND ", " AND ", " and ", "\nAND\n", " And\t"]);
        let clauses = (0..count).map(|_| clause(words, chance)).collect();
        let slip = match chance.below(100) {
            0 => Some(Slip::After(chance.pick(&[
                " AND",
                " AND ",
                ";",
                " -- x",
                " OR status = 'OK'",
                " x",
            ]))),
            1 => Some(Slip::Before(chance.pick(&["AND ", "NOT ", "(", " "]))),
            2 | 3 => {
                let what = chance.pick(&["'", "\"", "`", "\\", "(", ")", ".", "-", " ", "0", ","]);
                Some(Slip::Insert(chance.below(1000), what))
            }
            4 => Some(Slip::Delete(chance.below(1000))),
            _ => None,
        };
        Self {
            clauses,
            joiner,
            slip,
        }
    }
}

/// A key in one of the spellings that the server reads.
fn key(name: &str, chance: &mut Chance) -> String {
    let plain = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    if plain && chance.percent(50) {
        return name.to_owned();
    }
    match chance.below(20) {
        0 | 1 if !name.contains('\'') => format!("'{name}'"),
        2..=5 if !name.contains('"') => format!("\"{name}\""),
        6 => name.to_owned(),
        _ if name.contains('`') => format!("\"{name}\""),
        _ => format!("`{name}`"),
    }
}

fn entity(names: &[&'static str], chance: &mut Chance) -> String {
    let name = chance.pick(names);
    if chance.percent(8) {
        format!("`{name}`")
    } else if chance.percent(1) {
        name.to_uppercase()
    } else {
        name.to_owned()
    }
}

/// A quoted text; now and then not.
pub(super) fn quoted(text: &str, chance: &mut Chance) -> String {
    if chance.percent(1) {
        return match chance.below(3) {
            0 => text.to_owned(),
            1 => format!("`{text}`"),
            _ => format!("‘{text}’"),
        };
    }
    let single = match (text.contains('\''), text.contains('"')) {
        (true, false) => chance.percent(5),
        (false, true) => chance.percent(95),
        _ => chance.percent(70),
    };
    if single {
        format!("'{text}'")
    } else {
        format!("\"{text}\"")
    }
}

fn text(words: &Vocabulary, stored: usize, chance: &mut Chance) -> String {
    let value = if chance.percent(50) {
        words.stored(stored, chance)
    } else {
        words.value(chance)
    };
    quoted(&value, chance)
}

fn list(words: &Vocabulary, stored: usize, chance: &mut Chance) -> String {
    let count = *chance.of(&[0, 1, 1, 2, 2, 3, 4]);
    let count = if count == 0 && chance.percent(80) {
        1
    } else {
        count
    };
    let members: Vec<String> = (0..count)
        .map(|_| match chance.below(60) {
            0 => chance.pick(&["OK", "5", "NULL", "('a')"]).to_owned(),
            _ => text(words, stored, chance),
        })
        .collect();
    let separator = chance.pick(&[", ", ", ", ",", " , "]);
    let end = chance.pick(&["", "", "", ",", " "]);
    format!("({}{end})", members.join(separator))
}

fn cased(word: &str, chance: &mut Chance) -> String {
    match chance.below(12) {
        0 => word.to_lowercase(),
        1 => word
            .chars()
            .enumerate()
            .map(|(i, c)| {
                if i % 2 == 0 {
                    c
                } else {
                    c.to_ascii_lowercase()
                }
            })
            .collect(),
        2 => word.replace(' ', "  "),
        _ => word.to_owned(),
    }
}

fn joined(left: &str, comparator: &str, right: &str, chance: &mut Chance) -> String {
    let space = if comparator.chars().all(|c| !c.is_alphabetic()) {
        chance.pick(&[" ", " ", " ", "", "  ", "\n", "\t", "\u{a0}"])
    } else {
        chance.pick(&[" ", " ", " ", "  ", "\t"])
    };
    format!("{left}{space}{comparator}{space}{right}")
}

const TEXTUAL: &[&str] = &["=", "=", "=", "!=", "!=", "LIKE", "LIKE", "ILIKE", "RLIKE"];
const ORDERED: &[&str] = &["=", "!=", "<", "<=", ">", ">="];
const FOREIGN: &[&str] = &[
    "==", "<>", "~", "REGEXP", "<", ">=", "IN", "NOT IN", "NOT LIKE", "IS",
];

fn is_null(left: &str, chance: &mut Chance) -> String {
    let word = chance.pick(&["IS NULL", "IS NOT NULL"]);
    format!("{left} {}", cased(word, chance))
}

fn textual(
    left: &str,
    words: &Vocabulary,
    stored: usize,
    nullable: bool,
    listed: bool,
    chance: &mut Chance,
) -> String {
    if (nullable || chance.percent(1)) && chance.percent(15) {
        return is_null(left, chance);
    }
    if (listed || chance.percent(1)) && chance.percent(35) {
        let word = chance.pick(&["IN", "NOT IN"]);
        return format!(
            "{left} {} {}",
            cased(word, chance),
            list(words, stored, chance)
        );
    }
    let comparator = if chance.percent(3) {
        chance.pick(FOREIGN)
    } else {
        chance.pick(TEXTUAL)
    };
    let comparator = cased(comparator, chance);
    let right = if chance.percent(1) {
        number(words, chance)
    } else {
        text(words, stored, chance)
    };
    joined(left, &comparator, &right, chance)
}

fn number(words: &Vocabulary, chance: &mut Chance) -> String {
    match chance.below(12) {
        0..=4 => chance.of(&words.times).to_string(),
        5 => (chance.of(&words.times) + [-1, 1, 10_000, -10_000][chance.below(4)]).to_string(),
        6 => format!("{}.5", chance.of(&words.times)),
        7 => format!("'{}'", chance.of(&words.times)),
        8 => chance
            .pick(&[
                "0", "-1", "1e3", "-.5", "5.", "0.5", "1E+3", "1e300", "-0", "00", "007",
            ])
            .to_owned(),
        9 => chance
            .pick(&[
                "9223372036854775807",
                "9223372036854775808",
                "-9223372036854775808",
                "99999999999999999",
                "1e400",
                "0x10",
                "1_000",
                "2s",
            ])
            .to_owned(),
        10 => chance
            .pick(&["'abc'", "' 5 '", "'1e3'", "''", "NULL", "'5.0'", "+5"])
            .to_owned(),
        _ => chance.of(&words.durations).to_string(),
    }
}

fn duration(words: &Vocabulary, chance: &mut Chance) -> String {
    match chance.below(8) {
        0..=3 => chance.of(&words.durations).to_string(),
        4 => format!("{}.5", chance.of(&words.durations)),
        5 => format!("'{}'", chance.of(&words.durations)),
        6 => (chance.of(&words.durations) + 1).to_string(),
        _ => number(words, chance),
    }
}

fn attribute_key(name: &str, chance: &mut Chance) -> String {
    match chance.below(14) {
        0 => format!("{}.{name}", entity(&["attributes", "attribute"], chance)),
        1..=3 => format!("{}.{name}", entity(&["trace"], chance)),
        4 => format!("`{name}`"),
        5 => format!("\"{name}\""),
        6 => format!("trace.`{name}`"),
        _ => name.to_owned(),
    }
}

/// A condition that some trace is likely to meet: on a key with its own value.
fn likely(words: &Vocabulary, chance: &mut Chance) -> String {
    let (kind, entities): (usize, &[&'static str]) = *chance.of::<(usize, &[&str])>(&[
        (pair::TAG, &["tag", "tags"]),
        (pair::METADATA, &["metadata", "request_metadata"]),
        (pair::ATTRIBUTE, &["span.attributes"]),
        (pair::FEEDBACK, &["feedback"]),
        (pair::FEEDBACK, &["feedback"]),
        (pair::EXPECTATION, &["expectation"]),
    ]);
    let (name, value) = words.pair(kind, chance).clone();
    let entity = chance.pick(entities);
    let left = format!("{entity}.{}", key(&name, chance));
    let some = part(&value, chance);
    let (comparator, right) = match chance.below(6) {
        0 => ("LIKE", format!("%{some}%")),
        1 => ("ILIKE", format!("%{}%", some.to_uppercase())),
        2 if kind == pair::ATTRIBUTE => (
            "RLIKE",
            format!("^{}", value.chars().take(4).collect::<String>()),
        ),
        2 => ("RLIKE", some),
        _ if kind == pair::ATTRIBUTE => ("LIKE", format!("%{value}%")),
        3 => ("!=", value),
        _ => ("=", value),
    };
    joined(&left, comparator, &quoted(&right, chance), chance)
}

#[allow(clippy::too_many_lines, reason = "one arm for each kind of key")]
fn clause(words: &Vocabulary, chance: &mut Chance) -> String {
    if chance.percent(30) {
        return likely(words, chance);
    }
    match chance.below(100) {
        0..=9 => {
            let name = chance.pick(&[
                "timestamp_ms",
                "timestamp",
                "execution_time_ms",
                "execution_time",
                "end_time_ms",
                "end_time",
            ]);
            let left = attribute_key(name, chance);
            let comparator = if chance.percent(2) {
                chance.pick(FOREIGN)
            } else {
                chance.pick(ORDERED)
            };
            let right = if name.starts_with("execution") {
                duration(words, chance)
            } else {
                number(words, chance)
            };
            joined(&left, comparator, &right, chance)
        }
        10..=20 => {
            let (name, stored) = *chance.of(&[
                ("status", kind::STATE),
                ("request_id", kind::ID),
                ("client_request_id", kind::ID),
                ("state", kind::STATE),
            ]);
            let name = if name == "state" && chance.percent(90) {
                "status"
            } else {
                name
            };
            textual(
                &attribute_key(name, chance),
                words,
                stored,
                false,
                true,
                chance,
            )
        }
        21..=30 => {
            let (name, stored) = *chance.of(&[
                ("name", kind::NAME),
                ("name", kind::NAME),
                ("run_id", kind::METADATA),
            ]);
            textual(
                &attribute_key(name, chance),
                words,
                stored,
                true,
                false,
                chance,
            )
        }
        31..=42 => {
            let name = chance.of(&words.tags).clone();
            let left = format!(
                "{}.{}",
                entity(&["tag", "tags"], chance),
                key(&name, chance)
            );
            textual(&left, words, kind::TAG, true, false, chance)
        }
        43..=52 => {
            let name = chance.of(&words.metadata).clone();
            let left = format!(
                "{}.{}",
                entity(&["metadata", "request_metadata"], chance),
                key(&name, chance)
            );
            textual(&left, words, kind::METADATA, true, false, chance)
        }
        53..=65 => {
            let (name, stored) = *chance.of(&[
                ("name", kind::SPAN_NAME),
                ("type", kind::SPAN_TYPE),
                ("status", kind::STATE),
                ("`name`", kind::SPAN_NAME),
            ]);
            textual(&format!("span.{name}"), words, stored, false, true, chance)
        }
        66..=72 => {
            let left = chance.pick(&[
                "trace.text",
                "span.content",
                "attributes.text",
                "text",
                "tags.text",
            ]);
            let wanted = words.value(chance);
            let wanted = if chance.percent(80) {
                format!("%{}%", wanted.trim_matches('%'))
            } else {
                wanted
            };
            let right = quoted(&wanted, chance);
            joined(left, chance.pick(&["LIKE", "ILIKE"]), &right, chance)
        }
        73..=80 => {
            let name = chance.of(&words.attributes).clone();
            let left = format!("span.attributes.{}", key(&name, chance));
            let prefix = chance.pick(&["", "%", "%", "^", "%\\\""]);
            let wanted = if chance.percent(60) {
                words.stored(kind::ATTRIBUTE, chance)
            } else {
                words.value(chance)
            };
            let right = quoted(&format!("{prefix}{wanted}"), chance);
            joined(
                &left,
                chance.pick(&["LIKE", "ILIKE", "RLIKE", "RLIKE"]),
                &right,
                chance,
            )
        }
        81..=94 => assessment(words, chance),
        95 | 96 => {
            let wanted = if chance.percent(70) {
                chance
                    .pick(&["greeting/1", "greeting/2", "fare.well/1", "nope/1"])
                    .to_owned()
            } else {
                words.value(chance)
            };
            joined(
                chance.pick(&["prompt", "trace.prompt", "tags.prompt"]),
                "=",
                &quoted(&wanted, chance),
                chance,
            )
        }
        97 | 98 => {
            let wanted = chance.of(&words.issues).clone();
            joined(
                "issue.id",
                chance.pick(&["=", "=", "=", "!=", "LIKE"]),
                &quoted(&wanted, chance),
                chance,
            )
        }
        _ => {
            let left = chance.pick(&[
                "issue.name",
                "spans.name",
                "run.status",
                "mlflow.x",
                "traces.status",
                "session_id",
                "STATUS",
                "span.foo",
                "Tags.a",
            ]);
            textual(left, words, kind::TAG, true, true, chance)
        }
    }
}

fn assessment(words: &Vocabulary, chance: &mut Chance) -> String {
    let (entities, names) = if chance.percent(65) {
        ("feedback", &words.feedback)
    } else {
        ("expectation", &words.expectations)
    };
    let name = chance.of(names).clone();
    let left = format!("{entities}.{}", key(&name, chance));
    match chance.below(10) {
        0..=3 => {
            let wanted = match chance.below(4) {
                0 => chance
                    .pick(&["0", "0.8", "1", "-2.5", "1e16", "1e-7", "3", "2.5", "0.5"])
                    .to_owned(),
                1 => number(words, chance),
                _ => chance.of(&words.numbers).clone(),
            };
            joined(&left, chance.pick(&["<", "<=", ">", ">="]), &wanted, chance)
        }
        4 => is_null(&left, chance),
        _ => textual(&left, words, kind::ASSESSMENT, true, false, chance),
    }
}
