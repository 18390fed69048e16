//! Trace ids cut to what tells the rows of a list apart, which is also what may
//! be typed for them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What every id of a trace begins with.
const PREFIX: &str = "tr-";
/// Hex digits that are always shown.
const LEAST: usize = 8;
/// Hex digits of a whole id; others are no ids that can be cut.
const WHOLE: usize = 32;

/// How far ids are cut, and those that were.
#[derive(Debug, Clone, Default)]
pub(crate) struct ShortIds {
    digits: usize,
    /// The beginnings that were shown, and what each stands for, as hashes: a list may be long.
    shown: HashMap<u64, u64>,
}

impl ShortIds {
    /// As short as all of these are still different.
    pub(crate) fn among<'i>(ids: impl Iterator<Item = &'i str>) -> Self {
        let mut digits: Vec<&str> = ids.filter_map(digits_of).collect();
        digits.sort_unstable();
        digits.dedup();
        let common = digits.windows(2).map(|pair| {
            let same = pair[0].bytes().zip(pair[1].bytes());
            same.take_while(|(a, b)| a == b).count()
        });
        Self {
            digits: common.max().map_or(LEAST, |common| (common + 1).max(LEAST)),
            ..Self::default()
        }
    }

    /// The beginning of an id that stands for no other of the ids until now; the whole
    /// of it where there is none.
    pub(crate) fn short<'i>(&mut self, id: &'i str) -> &'i str {
        let Some(digits) = digits_of(id) else {
            return id;
        };
        let start = &digits[..self.digits.min(digits.len())];
        let whole = hash(digits);
        if *self.shown.entry(hash(start)).or_insert(whole) != whole {
            return id;
        }
        &id[..id.len() - digits.len() + start.len()]
    }
}

/// The hex digits of an id that can be cut.
fn digits_of(id: &str) -> Option<&str> {
    let digits = id.strip_prefix(PREFIX).unwrap_or(id);
    let hex = digits.len() == WHOLE && digits.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then_some(digits)
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "tr-0123456789abcdef0123456789abcdef";
    const B: &str = "tr-0123456789abcdff0123456789abcdef";
    const C: &str = "tr-fedcba98765432100123456789abcdef";

    #[test]
    fn ids_are_as_long_as_they_have_to_be() {
        let short = |ids: &[&'static str]| {
            let mut short = ShortIds::among(ids.iter().copied());
            ids.iter().map(|id| short.short(id)).collect::<Vec<_>>()
        };
        assert_eq!(short(&[A, C]), ["tr-01234567", "tr-fedcba98"]);
        assert_eq!(
            short(&[A, C, B]),
            [
                "tr-0123456789abcde",
                "tr-fedcba987654321",
                "tr-0123456789abcdf"
            ]
        );
        assert_eq!(short(&[A, A]), ["tr-01234567", "tr-01234567"]);
        assert_eq!(short(&[&A[3..]]), ["01234567"]);
        for whole in [
            "trace:/a.b/0123456789abcdef0123456789abcdef",
            "tr-1",
            "-",
            "日本",
        ] {
            assert_eq!(ShortIds::among([whole].into_iter()).short(whole), whole);
        }
    }

    #[test]
    fn what_comes_later_does_not_stand_for_what_was_shown() {
        let mut ids = ShortIds::among([A, C].into_iter());
        assert_eq!(ids.short(A), "tr-01234567");
        assert_eq!(ids.short(B), B);
        assert_eq!(ids.short(A), "tr-01234567");
    }
}
