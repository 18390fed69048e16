//! SQL's `LIKE` as SQLite does it, with case told apart as MLflow asks it to.

/// A pattern: `%` stands for any text, `_` for one character, nothing escapes.
#[derive(Debug, Clone)]
pub(super) struct Like {
    pattern: String,
    ignore_case: bool,
}

impl Like {
    pub(super) fn new(pattern: &str, ignore_case: bool) -> Self {
        Self {
            pattern: if ignore_case {
                pattern.to_ascii_lowercase()
            } else {
                pattern.to_owned()
            },
            ignore_case,
        }
    }

    /// Whether the whole of `text` is like the pattern; letters outside ASCII always keep their case.
    pub(super) fn matches(&self, text: &str) -> bool {
        if self.ignore_case {
            like(&self.pattern, &text.to_ascii_lowercase())
        } else {
            like(&self.pattern, text)
        }
    }
}

/// Greedy matching that goes back to the last `%` alone, which is enough for `LIKE`.
fn like(mut pattern: &str, mut text: &str) -> bool {
    let mut retry: Option<(&str, &str)> = None;
    loop {
        let mut rest = pattern.chars();
        match (rest.next(), text.chars().next()) {
            (Some('%'), _) => {
                pattern = rest.as_str();
                if pattern.is_empty() {
                    return true;
                }
                retry = Some((pattern, text));
                continue;
            }
            (Some(p), Some(t)) if p == '_' || p == t => {
                pattern = rest.as_str();
                text = &text[t.len_utf8()..];
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((after, from)) = retry else {
            return false;
        };
        let Some(skipped) = from.chars().next() else {
            return false;
        };
        let mut from = &from[skipped.len_utf8()..];
        // The next character of the pattern says where it can go on at all.
        if let Some(next) = after.chars().next().filter(|c| !matches!(c, '%' | '_')) {
            match from.find(next) {
                Some(at) => from = &from[at..],
                None => return false,
            }
        }
        retry = Some((after, from));
        pattern = after;
        text = from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_and_underscore_are_the_only_wildcards() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("%", "", true),
            ("_", "", false),
            ("_", "é", true),
            ("%b%", "abc", true),
            ("a%c", "abcbc", true),
            ("a%c", "abcb", false),
            ("%aab", "aaab", true),
            ("a_c%", "abcd", true),
            ("50\\%", "50%", false),
            ("A%", "abc", false),
            ("%_", "", false),
            ("%_x%", "x", false),
            ("%_x%", "ax", true),
        ] {
            assert_eq!(
                Like::new(pattern, false).matches(text),
                expected,
                "{text} LIKE {pattern}"
            );
        }
    }

    #[test]
    fn only_ascii_loses_its_case() {
        assert!(Like::new("ABC%", true).matches("abcd"));
        assert!(!Like::new("É", true).matches("é"));
    }
}
