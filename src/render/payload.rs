//! Inputs, outputs and attribute values: JSON laid out for reading. The text is
//! laid out again, not parsed and printed, so keys keep their order and numbers
//! their digits. What is not JSON is shown as it is. Whatever the text, the lines
//! take memory in proportion to it, or to the limit where there is one.

use serde::de::IgnoredAny;

use super::sanitize;
use crate::units;

/// A list or object that is no longer than this stays on one line.
const SHORT: usize = 60;
/// What is nested deeper than this stays on one line.
pub const DEEPEST: usize = 100;
/// So many bytes of indentation for each byte of a text, and some for good
/// measure; what goes beyond stays on one line.
const INDENTATION: usize = 8;
const ANYWAY: usize = 1 << 16;

/// The lines of a value, sanitised, up to `max_chars` characters, with a note of
/// what was left out; all of it where there is no limit.
pub(crate) fn limited_lines(json: &str, max_chars: Option<usize>) -> (Vec<String>, Option<String>) {
    let mut shown = Shown::up_to(max_chars);
    each_line(json, &mut |line| shown.push(&sanitize::block(line)));
    shown.finish()
}

/// The same for lines that are laid out already.
pub(crate) fn limited(
    lines: Vec<String>,
    max_chars: Option<usize>,
) -> (Vec<String>, Option<String>) {
    if max_chars.is_none() {
        return (lines, None);
    }
    let mut shown = Shown::up_to(max_chars);
    for line in lines {
        shown.push(&line);
    }
    shown.finish()
}

/// The same for keys with their values, each key on the first line of its value.
pub(crate) fn limited_pairs<'p>(
    pairs: impl IntoIterator<Item = (&'p str, &'p str)>,
    max_chars: Option<usize>,
) -> (Vec<String>, Option<String>) {
    let mut shown = Shown::up_to(max_chars);
    for (key, value) in pairs {
        let mut first = true;
        each_line(value, &mut |line| {
            let line = sanitize::block(line);
            if std::mem::take(&mut first) {
                shown.push(&format!("{}  {line}", sanitize::line(key)));
            } else {
                shown.push(&format!("  {line}"));
            }
        });
    }
    shown.finish()
}

/// Lines as far as they are shown; of the others only the characters are counted.
struct Shown {
    lines: Vec<String>,
    left: Option<usize>,
    left_out: usize,
}

impl Shown {
    fn up_to(max_chars: Option<usize>) -> Self {
        Self {
            lines: Vec::new(),
            left: max_chars,
            left_out: 0,
        }
    }

    fn push(&mut self, line: &str) {
        let Some(left) = &mut self.left else {
            self.lines.push(line.to_owned());
            return;
        };
        let length = line.chars().count();
        if self.left_out > 0 {
            self.left_out += length;
        } else if length <= *left {
            *left -= length;
            self.lines.push(line.to_owned());
        } else {
            self.lines.push(line.chars().take(*left).collect());
            self.left_out = length - *left;
        }
    }

    fn finish(mut self) -> (Vec<String>, Option<String>) {
        if self.left_out == 0 {
            return (self.lines, None);
        }
        while self.lines.last().is_some_and(|line| line.trim().is_empty()) {
            self.lines.pop();
        }
        let left_out = units::counted(self.left_out, "more character");
        (self.lines, Some(format!("… {left_out}")))
    }
}

/// Calls `each` with the lines of a value.
fn each_line(json: &str, each: &mut dyn FnMut(&str)) {
    if let Some(text) = decoded_text(json) {
        split(&text, each);
    } else if serde_json::from_str::<IgnoredAny>(json).is_ok() {
        lay_out(json, each);
    } else {
        split(json, each);
    }
}

fn split(text: &str, each: &mut dyn FnMut(&str)) {
    for line in text.split('\n') {
        each(line.strip_suffix('\r').unwrap_or(line));
    }
}

/// Text of several lines is easier to read without the quotes and escapes.
fn decoded_text(json: &str) -> Option<String> {
    let is_text = json.starts_with('"') && json.contains("\\n");
    serde_json::from_str::<String>(json)
        .ok()
        .filter(|text| is_text && text.contains('\n'))
}

/// JSON with line breaks and indentation.
fn lay_out(json: &str, each: &mut dyn FnMut(&str)) {
    let mut page = Page {
        line: String::new(),
        spaces: json.len().saturating_mul(INDENTATION) + ANYWAY,
        each,
    };
    let mut depth = 0usize;
    // The depth at which a list or object on one line began, as long as it lasts.
    let mut inline: Option<usize> = None;
    let mut rest = json.trim();
    while let Some(first) = rest.chars().next() {
        let token = token(rest, first);
        match first {
            '{' | '[' => {
                page.line.push(first);
                depth += 1;
                if inline.is_none() && (depth > DEEPEST || is_short(rest)) {
                    inline = Some(depth);
                }
                let empty = rest[1..].trim_start().starts_with(['}', ']']);
                if inline.is_none() && !empty {
                    page.new_line(depth);
                }
            }
            '}' | ']' => {
                if inline.is_none() && !page.line.ends_with(['{', '[']) {
                    page.new_line(depth - 1);
                }
                if inline == Some(depth) {
                    inline = None;
                }
                depth = depth.saturating_sub(1);
                page.line.push(first);
            }
            ',' => {
                page.line.push(',');
                match inline {
                    Some(_) => page.line.push(' '),
                    None => page.new_line(depth),
                }
            }
            ':' => page.line.push_str(": "),
            _ if first.is_ascii_whitespace() => {}
            _ => page.line.push_str(token),
        }
        rest = &rest[token.len()..];
    }
    (page.each)(&page.line);
}

/// Lines on their way out.
struct Page<'e> {
    line: String,
    /// How much indentation is still to be had.
    spaces: usize,
    each: &'e mut dyn FnMut(&str),
}

impl Page<'_> {
    fn new_line(&mut self, depth: usize) {
        let Some(left) = self.spaces.checked_sub(2 * depth) else {
            self.line.push(' ');
            return;
        };
        self.spaces = left;
        (self.each)(&self.line);
        self.line.clear();
        self.line.extend(std::iter::repeat_n("  ", depth));
    }
}

/// A string, a bracket, a space, or a number or word. The text is known to be JSON.
fn token(rest: &str, first: char) -> &str {
    let bytes = rest.as_bytes();
    let end = match first {
        '"' => string_end(bytes),
        '{' | '}' | '[' | ']' | ',' | ':' => 1,
        _ if first.is_ascii_whitespace() => 1,
        _ => bytes
            .iter()
            .position(|b| b"{}[],: \t\r\n".contains(b))
            .unwrap_or(bytes.len()),
    };
    &rest[..end]
}

fn string_end(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Whether the list or object that begins here ends soon.
fn is_short(rest: &str) -> bool {
    let bytes = rest.as_bytes();
    let (mut at, mut open) = (0, 0usize);
    while at < bytes.len().min(SHORT) {
        match bytes[at] {
            b'"' => {
                at += string_end(&bytes[at..bytes.len().min(SHORT + 1)]);
                continue;
            }
            b'{' | b'[' => open += 1,
            b'}' | b']' => open -= 1,
            _ => {}
        }
        at += 1;
        if open == 0 {
            return at <= SHORT;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pretty(json: &str) -> String {
        let mut lines = Vec::new();
        if serde_json::from_str::<IgnoredAny>(json).is_ok() {
            lay_out(json, &mut |line| lines.push(line.to_owned()));
        } else {
            lines.push(json.to_owned());
        }
        lines.join("\n")
    }

    fn lines(json: &str) -> Vec<String> {
        limited_lines(json, None).0
    }

    #[test]
    fn json_is_laid_out_in_its_own_order() {
        let json = r#"{"z":1e400,"messages":[{"role":"user","content":"a long question, that does not fit on a line of this table"},{"role":"assistant"}],"empty":{},"a":[1,2 , 3]}"#;
        insta::assert_snapshot!(pretty(json), @r#"
        {
          "z": 1e400,
          "messages": [
            {
              "role": "user",
              "content": "a long question, that does not fit on a line of this table"
            },
            {"role": "assistant"}
          ],
          "empty": {},
          "a": [1, 2, 3]
        }
        "#);
    }

    #[test]
    fn what_is_not_json_stays() {
        assert_eq!(pretty("NaN"), "NaN");
        assert_eq!(pretty("{'a': 1}"), "{'a': 1}");
        assert_eq!(lines(r#""two\nlines""#), ["two", "lines"]);
        assert_eq!(lines(r#""one""#), [r#""one""#]);
        assert_eq!(lines("\x1b[2J"), ["\\x1b[2J"]);
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let (lines, note) = limited_lines(r#""0123456789""#, Some(5));
        assert_eq!(
            (lines, note.as_deref()),
            (vec!["\"0123".to_owned()], Some("… 7 more characters"))
        );
        assert_eq!(limited_lines("\"x\"", Some(3)).1, None);
    }

    #[test]
    fn what_is_nested_deeply_takes_no_more_room_than_it_has() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[1,", "]")] {
            let json = format!("{}0{}", open.repeat(20_000), close.repeat(20_000));
            let shown = pretty(&json);
            assert!(shown.len() < 2 * json.len() + 50_000, "{}", shown.len());
            assert!(shown.lines().count() < 4 * DEEPEST);
            let (lines, note) = limited_lines(&json, Some(500));
            assert!(lines.len() < 50 && note.is_some());
        }
    }

    #[test]
    fn indentation_stays_in_proportion_to_the_text() {
        let numbers = "1,".repeat(50_000);
        let json = format!("{}{numbers}1{}", "[".repeat(90), "]".repeat(90));
        let shown = pretty(&json);
        assert!(shown.len() < 11 * json.len() + ANYWAY, "{}", shown.len());
    }

    #[test]
    fn pairs_have_their_keys_in_front() {
        let pairs = [("a", "1"), ("b", "\"x\\ny\"")];
        let (lines, note) = limited_pairs(pairs, None);
        assert_eq!(
            (lines, note),
            (vec!["a  1".into(), "b  x".into(), "  y".into()], None)
        );
        let note = limited_pairs(pairs, Some(5)).1;
        assert_eq!(note.as_deref(), Some("… 6 more characters"));
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z\"\\\\{,\n日]{0,30}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-z:\"]{0,9}", inner, 0..5)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn layout_changes_no_value(value in json(), spaced in any::<bool>()) {
            let text = if spaced { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let shown = pretty(&text.unwrap());
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }
}
