//! Messages without what varies between two of the same kind: numbers, ids, quoted
//! words, addresses, paths and times become masks. It is the idea of mining templates
//! from logs, without its state: a message alone decides what becomes of it, so that
//! the same failure has the same template in every selection of traces.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Characters of a message that are looked at.
pub const MOST_CHARS: usize = 1_000;

/// What stands for a quoted word, and for any message.
pub(super) const ANY: &str = "<…>";

/// Patterns with the masks that take their places, in their order. What a mask is behind
/// or before stays: `pre` and `post`.
const RULES: [(&str, &str); 9] = [
    (
        r#"(?i)\b[a-z][a-z0-9+.-]*://[^\s'"`<>()\[\]{}]*[^\s'"`<>()\[\]{}.,;:!?]"#,
        "<url>",
    ),
    (r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+", "<email>"),
    (
        r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
        "<id>",
    ),
    (
        r"(?P<pre>^|[^\w-])\d{4}[-/]\d{2}[-/]\d{2}(?:(?:T| )\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?)?\b",
        "<time>",
    ),
    (r"\b\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?\b", "<time>"),
    (r"(?i)\b0x[0-9a-f]+\b", "<id>"),
    (
        r#"(?P<pre>^|[\s'"`(\[{=:,])(?:~|\.{1,2}|[A-Za-z]:)?(?:[/\\](?:[\w.@%+~$-]|<[a-z]+>)+)+[/\\]?"#,
        "<path>",
    ),
    (
        r#"(?P<pre>^|[\s'"`(\[{=:,])(?:[\w.@~$-]|<[a-z]+>)+(?:/(?:[\w.@~$-]|<[a-z]+>)+){2,}/?"#,
        "<path>",
    ),
    (
        r"(?P<pre>\b|_)\d+(?:[.,:]\d+)*(?:[eE][+-]?\d+)?(?P<post>(?:ns|us|µs|ms|s|sec|min|m|h|d|[kKMGTB]|[kKMGT]i?B|x)?)(?P<end>\b|_)",
        "<n>",
    ),
];

struct Rule {
    pattern: Regex,
    mask: &'static str,
}

static COMPILED: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rule = |(pattern, mask): &(&str, &'static str)| Rule {
        pattern: Regex::new(pattern).expect("a good pattern"),
        mask,
    };
    RULES.iter().map(rule).collect()
});
/// Words that may be ids: letters and digits without anything between.
static WORDS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("[A-Za-z0-9]{8,}").expect("a good pattern"));
/// What stands before the status of an HTTP response.
static BEFORE_STATUS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)\b(?:https?(?:/(?:[\d.]+|<n>))?|(?:status|error)?[_ ]?code|status)['"]?[:=\s]{1,3}$"#)
        .expect("a good pattern")
});
/// Long numbers within words.
static LONG_NUMBERS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\d{4,}").expect("a good pattern"));

/// The first line of a message with masks; empty where it says nothing. What is masked
/// already stays as it is.
pub fn template(message: &str) -> String {
    let line = message.lines().map(str::trim).find(|line| !line.is_empty());
    let line = line.unwrap_or_default();
    let mut masked = match line.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    };
    // Each turn takes characters that are in no mask, so that there is a last one.
    loop {
        let next = pass(&masked);
        if next == masked {
            return masked;
        }
        masked = next;
    }
}

fn pass(text: &str) -> String {
    let mut text = Cow::Borrowed(text);
    for (at, rule) in COMPILED.iter().enumerate() {
        // Ids come before the numbers in them, and behind what ids may be a part of.
        if at + 1 == COMPILED.len() {
            text = replace(&WORDS, &text, |found| {
                let word = &found[0];
                Cow::Borrowed(if is_id(word) { "<id>" } else { word }).into_owned()
            });
            text = replace(&LONG_NUMBERS, &text, |_| "<n>".to_owned());
        }
        let whole = text.clone();
        text = replace(&rule.pattern, &text, |found| {
            if is_status(&whole, found) {
                return found[0].to_owned();
            }
            let part = |name: &str| found.name(name).map_or("", |part| part.as_str());
            format!(
                "{}{}{}{}",
                part("pre"),
                rule.mask,
                part("post"),
                part("end")
            )
        });
    }
    quoted(&text)
}

/// Whether this is the status of an HTTP response, which tells one failure from another.
fn is_status(text: &str, found: &Captures<'_>) -> bool {
    let number = &found[0];
    let is_one = number.len() == 3
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && matches!(number.as_bytes()[0], b'1'..=b'5');
    is_one && BEFORE_STATUS.is_match(&text[..found.get_match().start()])
}

fn replace<'t>(
    pattern: &Regex,
    text: &str,
    with: impl Fn(&Captures<'_>) -> String,
) -> Cow<'t, str> {
    Cow::Owned(pattern.replace_all(text, with).into_owned())
}

/// Whether letters and digits are mixed as in hashes and random names, and not as in
/// `python3` and `sha256`.
fn is_id(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 || digits == word.len() {
        return false;
    }
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let runs = word.as_bytes().chunk_by(|a, b| is_digit(a) == is_digit(b));
    let runs = runs.filter(|run| run[0].is_ascii_digit()).count();
    word.bytes().all(|byte| byte.is_ascii_hexdigit()) || (word.len() >= 10 && runs >= 2)
}

/// Keys whose values say what went wrong.
const TELLING: [&str; 10] = [
    "code",
    "detail",
    "details",
    "error",
    "error_description",
    "message",
    "msg",
    "reason",
    "status",
    "type",
];

/// Masks quoted words. Keys stay, and so does what says what went wrong in an object that
/// somebody put into a message.
fn quoted(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    let mut key: Option<&str> = None;
    let whole = text.trim();
    while let Some(at) = rest.find(['\'', '"', '`', '“', '‘', '«']) {
        let (before, from) = rest.split_at(at);
        masked.push_str(before);
        let is_free = !masked.ends_with(|c: char| c.is_alphanumeric());
        let found = if is_free { quote(from) } else { None };
        let Some(quote) = found else {
            let open = from.chars().next().map_or(0, char::len_utf8);
            masked.push_str(&from[..open]);
            rest = &from[open..];
            continue;
        };
        let after = &from[quote.whole.len()..];
        let opens = masked.trim_end().ends_with(['{', ',']);
        let is_key = opens && after.trim_start().starts_with(':');
        let is_value = masked.trim_end().ends_with(':');
        let tells = is_value && key.is_some_and(|key| TELLING.contains(&key));
        let stays = quote.inner.is_empty()
            || is_key
            || tells
            || matches!(quote.inner, "<url>" | "<path>" | "<email>" | "<time>")
            || (quote.whole == whole && quote.inner.trim().contains(' '));
        masked.push_str(if stays { quote.whole } else { ANY });
        key = is_key.then_some(quote.inner);
        rest = after;
    }
    masked.push_str(rest);
    masked
}

struct Quote<'t> {
    whole: &'t str,
    inner: &'t str,
}

/// What stands in the quotes with which a text begins.
fn quote(text: &str) -> Option<Quote<'_>> {
    let open = text.chars().next()?;
    let close = match open {
        '“' => '”',
        '‘' => '’',
        '«' => '»',
        same => same,
    };
    let start = open.len_utf8();
    let ends = text[start..].match_indices(close);
    let end = ends.map(|(at, _)| start + at).find(|at| {
        let after = text[at + close.len_utf8()..].chars().next();
        !text[..*at].ends_with('\\') && !after.is_some_and(char::is_alphanumeric)
    })?;
    Some(Quote {
        whole: &text[..end + close.len_utf8()],
        inner: &text[start..end],
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_varies_is_masked() {
        for (message, masked) in [
            ("no answer within 900 ms", "no answer within <n> ms"),
            (
                "no answer within 1.5s, 3 times",
                "no answer within <n>s, <n> times",
            ),
            ("HTTP 502 from v1", "HTTP 502 from v1"),
            (
                "HTTP/1.1 429 Too Many, 3 left",
                "HTTP/<n> 429 Too Many, <n> left",
            ),
            (
                "status_code=503, code 12 at line 404",
                "status_code=503, code <n> at line <n>",
            ),
            ("grew by -1,234.50%", "grew by -<n>%"),
            ("user_12 and order20931", "user_<n> and order<n>"),
            (
                "utf-8 codec, python3, sha256",
                "utf-<n> codec, python3, sha256",
            ),
            ("gpt-4o-mini is overloaded", "gpt-4o-mini is overloaded"),
            (
                "return R-404 of tr-6495b93d25146b0127e6f91ead274b09",
                "return R-<n> of tr-<id>",
            ),
            ("req_011CSHoEeqs5C35K2UUqLTM failed", "req_<id> failed"),
            ("at 0x7f3a2b: 1F0E9ABC", "at <id>: <id>"),
            ("job 7f3a2b1c-0d4e-4f5a-8b6c-9d0e1f2a3b4c", "job <id>"),
            ("defaced facades", "defaced facades"),
            ("see https://example.com/a?b=1.", "see <url>."),
            ("redis://:pw@cache-1:6379/0 refused", "<url> refused"),
            (
                "mail to ann.b+x@example.co.uk bounced",
                "mail to <email> bounced",
            ),
            (
                "since 2026-11-27T13:31:00.123Z, 10:02:03",
                "since <time>, <time>",
            ),
            ("on 2026-11-27 13:31 UTC", "on <time>"),
            (
                "cannot open /srv/app/data.csv: gone",
                "cannot open <path>: gone",
            ),
            ("GET /orders/123/items", "GET <path>"),
            (r"C:\Temp\x.txt and src/app/main.py", "<path> and <path>"),
            (
                "use and/or text/plain of openai/gpt-4o",
                "use and/or text/plain of openai/gpt-4o",
            ),
            ("no tool 'refund'", "no tool <…>"),
            ("“Anna” isn't in “Graz”", "<…> isn't in <…>"),
            ("'x'", "<…>"),
            ("'no order Z-9999'", "'no order Z-<n>'"),
            ("cannot read '/etc/x' or `y`", "cannot read '<path>' or <…>"),
            (
                "Error code: 429 - {'error': {'message': 'Rate limit for org-7', 'param': 'x'}}",
                "Error code: 429 - {'error': {'message': 'Rate limit for org-<n>', 'param': <…>}}",
            ),
            (
                r#"{"detail": "say \"no\"", "user": "ann"}"#,
                r#"{"detail": "say \"no\"", "user": <…>}"#,
            ),
            ("\n  first line 1\nsecond", "first line <n>"),
            ("", ""),
        ] {
            assert_eq!(template(message), masked, "{message}");
        }
    }

    #[test]
    fn long_messages_are_cut() {
        let long = template(&"word ".repeat(MOST_CHARS));
        assert_eq!(long.chars().count(), MOST_CHARS + 1);
        assert!(long.ends_with('…'));
    }

    proptest! {
        #[test]
        fn what_is_masked_stays(
            message in r#"([a-z]{1,3}|[0-9a-f]{1,10}|[-_/:.,'"`@ {}<>\\=…]|<n>|<id>|<…>|<path>|http://|2026-11-27){0,14}"#
        ) {
            let masked = template(&message);
            prop_assert_eq!(template(&masked), masked);
        }

        #[test]
        fn any_text_has_a_template(message in any::<String>()) {
            let masked = template(&message);
            prop_assert_eq!(template(&masked), masked);
        }

        #[test]
        fn numbers_make_no_difference(a in any::<u32>(), b in any::<u32>(), word in "[a-z]{1,5}") {
            let [a, b] = [a, b].map(|n| template(&format!("{word} {n} {word}: {n}ms")));
            prop_assert_eq!(a, b);
        }
    }
}
