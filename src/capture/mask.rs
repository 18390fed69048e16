//! Secrets in command lines and in what programs print: values behind names that tell, tokens
//! in the form that vendors give them, logins in URIs, and the values of variables of the
//! environment that are named like secrets. Whatever a pattern of the user's own finds is one, too.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

/// What stands in the place of a secret.
const MASK: &str = "[hidden]";
/// Values that are shorter are ordinary words.
const SHORTEST: usize = 6;

/// Names whose values are secrets.
const NAMES: &str = r"(?:[\w.-]*(?:passw(?:or)?d|passwd|passphrase|secret|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?token|token|credentials?|authorization|signature|cookie))";
/// Names that are so by themselves, or behind a hyphen or an underscore; before a colon they
/// may be ordinary words.
const SHORT_NAMES: &str = r"(?:(?:[\w.-]*[_.-])?(?:pass|pwd|auth|sig))";
/// Flags of logins: `USER:PASSWORD` follows.
const LOGIN_FLAGS: [&str; 4] = ["-u", "--user", "--proxy-user", "--creds"];
/// Programs whose `-p` is a password.
const WITH_P: [&str; 7] = [
    "mysql",
    "mysqldump",
    "mysqladmin",
    "mariadb",
    "mariadb-dump",
    "sshpass",
    "docker",
];

static NAME: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!("(?i)^-{{0,2}}(?:{NAMES}|{SHORT_NAMES})$")));
/// `NAME=VALUE` alone.
static SHORT_PAIRS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r#"(?i)(?P<name>(?:^|[\s?&;"'-]){SHORT_NAMES}=["']?)(?P<value>[^\s"',;&]+)"#
    ))
});
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
        let is_one = |word: &String| {
            let name = word.rsplit('/').next().unwrap_or(word);
            WITH_P.contains(&name)
        };
        // Also behind `sudo` and the like.
        let has_p = words.iter().any(is_one);
        let mut before = "";
        let words = words.iter().map(|word| {
            let flag = std::mem::replace(&mut before, word);
            let is_value = !word.starts_with('-');
            let names = flag.starts_with('-') && NAME.is_match(flag);
            if is_value && (names || has_p && flag == "-p") {
                return MASK.to_owned();
            }
            if is_value
                && LOGIN_FLAGS.contains(&flag)
                && let Some((user, _)) = word.split_once(':')
            {
                return format!("{user}:{MASK}");
            }
            if has_p && word.len() > 2 && word.starts_with("-p") {
                return format!("-p{MASK}");
            }
            self.text(word)
        });
        words.collect()
    }

    /// The value of something that is named like this.
    pub fn value(&self, name: &str, value: &str) -> String {
        if NAME.is_match(name) && !value.is_empty() {
            return MASK.to_owned();
        }
        self.text(value)
    }

    /// Hides secrets among the members of an object, and in their texts.
    pub fn hide(&self, object: &mut Map<String, Value>) {
        for (name, value) in object {
            match value {
                Value::Object(inner) => self.hide(inner),
                Value::Array(items) => items.iter_mut().for_each(|item| match item {
                    Value::String(text) => *text = self.text(text),
                    Value::Object(inner) => self.hide(inner),
                    _ => {}
                }),
                Value::String(text) => *text = self.value(name, text),
                other if NAME.is_match(name) && !other.is_null() => *other = MASK.into(),
                _ => {}
            }
        }
    }

    /// A text without its secrets.
    pub fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for value in &self.values {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), MASK);
            }
        }
        for (pattern, end) in [
            (&*LOGINS, "@"),
            (&*PAIRS, ""),
            (&*SHORT_PAIRS, ""),
            (&*SCHEMES, ""),
        ] {
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
            (
                "curl -u ann:pw --user bob:pw",
                "curl -u ann:[hidden] --user bob:[hidden]",
            ),
            ("sudo mysql -phunter db", "sudo mysql -p[hidden] db"),
            ("docker login -p hunter", "docker login -p [hidden]"),
            ("mkdir -p folder", "mkdir -p folder"),
            (
                "x --pass abc --auth abc",
                "x --pass [hidden] --auth [hidden]",
            ),
            (
                "env DB_PASS=abc MYSQL_PWD=abc x",
                "env DB_PASS=[hidden] MYSQL_PWD=[hidden] x",
            ),
            (
                "get http://h/x?a=1&sig=abc&b=2",
                "get http://h/x?a=1&sig=[hidden]&b=2",
            ),
            ("make compass=north", "make compass=north"),
            ("a internal-77 b", "a [hidden] b"),
            ("a sk-abcdefghijklmnopqrst b", "a [hidden] b"),
            ("score.py --max-tokens 5", "score.py --max-tokens 5"),
            ("say hello", "say hello"),
        ] {
            assert_eq!(masks.command(&words(line)).join(" "), hidden);
        }
    }

    #[test]
    fn secrets_among_the_members_of_an_object_are_hidden() {
        let mut object = serde_json::json!({
            "password": "x", "pin_token": 5, "tokens": 5, "url": "https://a:b@c/",
            "inner": {"api_key": "x"}, "list": ["Bearer abcdefgh", {"secret": "x"}],
        });
        Masks::default().hide(object.as_object_mut().unwrap());
        let hidden = serde_json::json!({
            "password": MASK, "pin_token": MASK, "tokens": 5, "url": "https://a:[hidden]@c/",
            "inner": {"api_key": MASK}, "list": ["Bearer [hidden]", {"secret": MASK}],
        });
        assert_eq!(object, hidden);
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
            (
                "2 tests pass: fine, auth: off",
                "2 tests pass: fine, auth: off",
            ),
            ("Cookie: session=abc; x", "Cookie: [hidden]; x"),
        ] {
            assert_eq!(masks.text(text), hidden);
        }
    }
}
