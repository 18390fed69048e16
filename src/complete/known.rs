//! Keys and values that traces have, as candidates: in filters, behind options,
//! and as parts of lists.

use std::ffi::OsStr;
use std::ops::ControlFlow;

use clap_complete::CompletionCandidate;

use super::{CENSUS, Named, from_store, recent_infos, starting_with};
use crate::analysis::Census;
use crate::filter::{self, Comparator, Field};
use crate::store::{Detail, Store, TraceRefs, Want};

/// Traces whose spans are looked at.
const WITH_SPANS: usize = 20;

/// Makes a key of its name.
type MakeField = fn(String) -> Field;

/// What recent traces have; of their spans, so much.
fn census(store: &dyn Store, experiments: &[String], detail: Option<Detail>) -> Option<Census> {
    let infos = recent_infos(store, experiments, CENSUS)?;
    let mut census = Census::default();
    let Some(detail) = detail else {
        for info in &infos {
            census.add(info, &[]);
        }
        return Some(census);
    };
    let mut infos = infos;
    infos.truncate(WITH_SPANS);
    let (infos, want) = (TraceRefs::Known(infos), Want::spans(detail));
    let fetched = store.fetch_all(infos, want, &mut |_, trace| {
        if let Ok(trace) = trace {
            census.add(&trace.info, &trace.spans);
        }
        ControlFlow::Continue(())
    });
    fetched.ok()?;
    Some(census)
}

/// Values of a key, as they are, behind what stands before them.
pub(crate) fn values_of(typed: &OsStr, field: &Field, before: &str) -> Vec<CompletionCandidate> {
    let (field, before) = (field.clone(), before.to_owned());
    from_store(typed, move |store, experiments| {
        let census = census(store, experiments, field.detail())?;
        let key = census.key_count(&field)?;
        let named = |(value, traces): (String, usize)| {
            (format!("{before}{value}"), Some(traces_told(traces)))
        };
        Some(key.values.into_iter().map(named).collect())
    })
}

fn traces_told(traces: usize) -> String {
    crate::units::counted(traces, "trace")
}

/// `KEY=` of a tag or metadata entry, and its values once the key is there.
pub(crate) fn pairs(typed: &OsStr, make: MakeField) -> Vec<CompletionCandidate> {
    let Some(text) = typed.to_str() else {
        return Vec::new();
    };
    if let Some((key, _)) = text.split_once('=') {
        return values_of(typed, &make(key.to_owned()), &format!("{key}="));
    }
    from_store(typed, move |store, experiments| {
        let census = census(store, experiments, None)?;
        let keys = census.key_counts().into_iter();
        Some(
            keys.filter_map(|key| {
                let name = name_of(&key.field)?;
                let same = make(name.to_owned()) == key.field && !name.starts_with("mlflow.");
                same.then(|| (format!("{name}="), Some(traces_told(key.traces))))
            })
            .collect(),
        )
    })
}

fn name_of(field: &Field) -> Option<&str> {
    match field {
        Field::Tag(key) | Field::Metadata(key) | Field::SpanAttribute(key) => Some(key),
        Field::Feedback(name) | Field::Expectation(name) => Some(name),
        _ => None,
    }
}

/// Keys of the kinds that `word` may begin, such as `tags.env`; nothing where it
/// does not go beyond the dot.
pub(super) fn keys(word: &str, before: &str) -> Vec<CompletionCandidate> {
    const KINDS: [(&str, MakeField); 7] = [
        ("tags.", Field::Tag),
        ("tag:", Field::Tag),
        ("metadata.", Field::Metadata),
        ("metadata:", Field::Metadata),
        ("feedback.", Field::Feedback),
        ("expectation.", Field::Expectation),
        ("span.attributes.", Field::SpanAttribute),
    ];
    let kind = KINDS.into_iter().find(|(kind, _)| word.starts_with(kind));
    let Some((kind, make)) = kind else {
        return Vec::new();
    };
    let typed = format!("{before}{word}");
    let before = before.to_owned();
    from_store(OsStr::new(&typed), move |store, experiments| {
        let census = census(store, experiments, make(String::new()).detail())?;
        let keys = census.key_counts().into_iter();
        Some(
            keys.filter_map(|key| {
                let name = name_of(&key.field)?;
                let same = make(name.to_owned()) == key.field;
                let plain = filter::parse(&format!("tags.{name} IS NULL")).is_ok();
                (same && (plain || kind.ends_with(':'))).then(|| {
                    (
                        format!("{before}{kind}{name}"),
                        Some(traces_told(key.traces)),
                    )
                })
            })
            .collect(),
        )
    })
}

/// Values behind a comparator, in the quotes of the filter language.
pub(super) fn filter_values(text: &str) -> Option<Vec<CompletionCandidate>> {
    let place = Place::of(text)?;
    let parsed = filter::parse(&format!("{} = 'x'", place.key)).ok()?;
    let field = parsed.conditions().first()?.field().clone();
    if let Some(fixed) = fixed(&field) {
        return Some(starting_with(OsStr::new(text), place.named(fixed)));
    }
    let (before, text) = (place.before, text.to_owned());
    let found = from_store(OsStr::new(&text), move |store, experiments| {
        let census = census(store, experiments, field.detail())?;
        let key = census.key_count(&field)?;
        let quoted = |(value, traces): (String, usize)| {
            let fits = !value.is_empty() && !value.contains('\'');
            fits.then(|| (format!("{before}'{value}'"), Some(traces_told(traces))))
        };
        Some(key.values.into_iter().filter_map(quoted).collect())
    });
    Some(found)
}

/// The values of a key that has no others.
fn fixed(field: &Field) -> Option<&'static [&'static str]> {
    match field {
        Field::Status => Some(&["OK", "ERROR", "IN_PROGRESS"]),
        Field::SpanStatus => Some(&["OK", "ERROR", "UNSET"]),
        _ => None,
    }
}

/// Where a value is about to be typed.
struct Place {
    key: String,
    /// What stands before the value and its quote.
    before: String,
}

impl Place {
    fn of(text: &str) -> Option<Self> {
        let head = match text.rfind('\'') {
            Some(quote) if text.matches('\'').count() % 2 == 1 => &text[..quote],
            _ if text.trim_end().ends_with('=') => text,
            _ => return None,
        };
        let mut left = head.trim_end();
        if let Some(list) = left.rfind('(').filter(|_| !left.ends_with('=')) {
            left = left[..list].trim_end();
        }
        left = left.trim_end_matches(['=', '!']).trim_end();
        for word in [Comparator::In, Comparator::Ilike, Comparator::Like] {
            let word = word.as_str();
            let cut = left.len().saturating_sub(word.len());
            if let Some(tail) = left.get(cut..)
                && tail.eq_ignore_ascii_case(word)
            {
                left = left[..cut].trim_end();
                break;
            }
        }
        left = left.strip_suffix("NOT").unwrap_or(left).trim_end();
        let key = left
            .rsplit(|c: char| c.is_whitespace() || c == '(')
            .next()?;
        (!key.is_empty()).then(|| Self {
            key: key.to_owned(),
            before: head.to_owned(),
        })
    }

    fn named(&self, values: &[&str]) -> Vec<Named> {
        let before = &self.before;
        let named = |value: &&str| (format!("{before}'{value}'"), None);
        values.iter().map(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_found_before_its_value() {
        for (text, expected) in [
            ("tags.env = 'pr", Some(("tags.env", "tags.env = "))),
            ("tags.env='", Some(("tags.env", "tags.env="))),
            ("tags.env =", Some(("tags.env", "tags.env ="))),
            ("name != 'a", Some(("name", "name != "))),
            (
                "status = 'OK' AND name LIKE 'c",
                Some(("name", "status = 'OK' AND name LIKE ")),
            ),
            ("(session IN ('a", Some(("session", "(session IN ("))),
            ("name NOT LIKE 'c", Some(("name", "name NOT LIKE "))),
            ("status = 'OK'", None),
            ("status", None),
            ("", None),
            ("'", None),
        ] {
            let place = Place::of(text);
            let found = place.as_ref().map(|p| (p.key.as_str(), p.before.as_str()));
            assert_eq!(found, expected, "{text}");
        }
    }
}
