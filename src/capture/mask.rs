//! Secrets in command lines and in what programs print: values behind names that tell, tokens
//! in the form that vendors give them, logins in URIs, and the values of variables of the
//! environment that are named like secrets. Whatever a pattern of the user's own finds is one, too.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What stands in the place of a secret.
const MASK: &str = "[hidden]";
/// Values that are shorter are ordinary words.
const SHORTEST: usize = 6;

/// Names whose values are secrets.
const NAMES: &str = r"(?:[\w.-]*(?:passw(?:or)?d|passwd|passphrase|secret|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?token|token|credentials?|authorization))";

static NAME: LazyLock<Regex> = LazyLock::new(|| pattern(&format!("(?i)^-{{0,2}}{NAMES}$")));
/// `NAME=VALUE` and `NAME: VALUE`.
static PAIRS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r#"(?i)(?P<name>{NAMES}["']?\s*[=:]\s*["']?)(?P<scheme>(?:bearer|basic)\s+)?(?P<value>[^\s"',;&]+)"#
    ))
});
/// What is a secret wherever it stands.
static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?x)
        \bsk-[\w-]{16,} | \bgh[pousr]_\w{20,} | \bgithub_pat_\w{20,} | \bglpat-[\w-]{16,}
        | \bAKIA[0-9A-Z]{12,} | \bxox[abprs]-[\w-]{10,} | \bdapi[0-9a-f]{16,} | \bhf_\w{20,}
        | \bAIza[\w-]{30,} | \beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
    )
});
static SCHEMES: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(?P<name>(?:bearer|basic)\s+)(?P<value>[\w.~+/=-]{8,})"));
/// The password in a URI.
static LOGINS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?P<name>\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/@:]*:)(?P<value>[^\s/@]+)@")
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a good pattern")
}

/// What is to be hidden.
#[derive(Debug, Default)]
pub struct Masks {
    own: Vec<Regex>,
    values: Vec<String>,
}

impl Masks {
    /// The user's own patterns, and the values of variables with names of secrets.
    pub fn new<'v>(
        own: Vec<Regex>,
        variables: impl IntoIterator<Item = (&'v str, &'v str)>,
    ) -> Self {
        let is_secret =
            |(name, value): &(&str, &str)| value.len() >= SHORTEST && NAME.is_match(name);
        let mut values: Vec<String> = variables
            .into_iter()
            .filter(is_secret)
            .map(|(_, value)| value.to_owned())
            .collect();
        // A longer one may hold a shorter one.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self { own, values }
    }

    /// A command line without its secrets.
    pub fn command(&self, words: &[String]) -> Vec<String> {
        let mut follows_name = false;
        let words = words.iter().map(|word| {
            let is_value = std::mem::replace(
                &mut follows_name,
                word.starts_with('-') && NAME.is_match(word),
            );
            if is_value && !word.starts_with('-') {
                MASK.to_owned()
            } else {
                self.text(word)
            }
        });
        words.collect()
    }

    /// A text without its secrets.
    pub fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for value in &self.values {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), MASK);
            }
        }
        for (pattern, end) in [(&*LOGINS, "@"), (&*PAIRS, ""), (&*SCHEMES, "")] {
            let hide = |found: &Captures<'_>| {
                let scheme = found.name("scheme").map_or("", |scheme| scheme.as_str());
                format!("{}{scheme}{MASK}{end}", &found["name"])
            };
            text = pattern.replace_all(&text, hide).into_owned();
        }
        for pattern in std::iter::once(&*TOKENS).chain(&self.own) {
            text = pattern.replace_all(&text, MASK).into_owned();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn secrets_in_command_lines_are_hidden() {
        let masks = Masks::new(
            vec![Regex::new("internal-\\d+").unwrap()],
            [
                ("OPENAI_API_KEY", "from-the-environment"),
                ("HOME", "/home/ann"),
                ("MY_TOKEN", "short"),
            ],
        );
        for (line, hidden) in [
            (
                "curl --token abc --verbose",
                "curl --token [hidden] --verbose",
            ),
            ("curl --token --verbose", "curl --token --verbose"),
            ("x --api-key=abc", "x --api-key=[hidden]"),
            ("env DB_PASSWORD=abc run", "env DB_PASSWORD=[hidden] run"),
            (
                "psql postgresql://ann:pw@host/db",
                "psql postgresql://ann:[hidden]@host/db",
            ),
            ("use from-the-environment here", "use [hidden] here"),
            ("ls /home/ann short", "ls /home/ann short"),
            ("a internal-77 b", "a [hidden] b"),
            ("a sk-abcdefghijklmnopqrst b", "a [hidden] b"),
            ("score.py --max-tokens 5", "score.py --max-tokens 5"),
            ("say hello", "say hello"),
        ] {
            assert_eq!(masks.command(&words(line)).join(" "), hidden);
        }
    }

    #[test]
    fn secrets_in_output_are_hidden() {
        let masks = Masks::default();
        for (text, hidden) in [
            (
                "Authorization: Bearer abc.def",
                "Authorization: Bearer [hidden]",
            ),
            ("{\"api_key\": \"abc\"}", "{\"api_key\": \"[hidden]\"}"),
            (
                "password = hunter2, user = ann",
                "password = [hidden], user = ann",
            ),
            ("sent bearer abcdefghij", "sent bearer [hidden]"),
            ("used 12 tokens: fine", "used 12 tokens: fine"),
            ("é no secret", "é no secret"),
        ] {
            assert_eq!(masks.text(text), hidden);
        }
    }
}
