//! The YAML that PyYAML writes, as JSON values. Plain scalars mean what they
//! mean to PyYAML (YAML 1.1: `1e3` is text), which later versions of YAML read
//! differently; forms that it never writes are taken for text.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

/// Nothing that MLflow writes is nested half as deep.
const MAX_DEPTH: usize = 100;

/// The first document of a YAML text; null when there is none.
///
/// # Errors
/// What is wrong and where, in one clause.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let text = join_lines(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut builder = Builder::default();
    for event in Parser::new_from_str(&text) {
        let (event, span) = event.map_err(|error| {
            let at = error.marker();
            format!(
                "{} at line {} column {}",
                error.info(),
                at.line(),
                at.col() + 1
            )
        })?;
        match event {
            Event::DocumentEnd => break,
            event => builder
                .take(event)
                .map_err(|reason| format!("{reason} at line {}", span.start.line()))?,
        }
    }
    Ok(builder.root.unwrap_or(Value::Null))
}

/// PyYAML takes three more characters for line ends, and indents after them.
fn join_lines(text: &str) -> std::borrow::Cow<'_, str> {
    const LINE_ENDS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];
    if !text.contains(LINE_ENDS) {
        return text.into();
    }
    let mut joined = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(LINE_ENDS) {
        let after = rest[at..].chars().next().map_or(0, char::len_utf8);
        joined.push_str(&rest[..at + after]);
        rest = rest[at + after..].trim_start_matches(' ');
    }
    joined.push_str(rest);
    joined.into()
}

/// Puts events together.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Value>,
}

enum Open {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), &'static str> {
        match event {
            Event::Scalar(text, style, _, tag) => {
                let is_text = tag.is_some_and(|tag| tag.suffix == "str");
                let value = if style == ScalarStyle::Plain && !is_text {
                    plain(&text)
                } else {
                    Value::String(text.into_owned())
                };
                self.add(value, Some(&style))
            }
            Event::SequenceStart(..) => self.open(Open::List(Vec::new())),
            Event::MappingStart(..) => self.open(Open::Map(Map::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => {
                let value = match self.open.pop() {
                    Some(Open::List(list)) => Value::Array(list),
                    Some(Open::Map(map, _)) => Value::Object(map),
                    None => Value::Null,
                };
                self.add(value, None)
            }
            // An alias could stand for itself many times over.
            Event::Alias(_) => Err("aliases are not read"),
            _ => Ok(()),
        }
    }

    fn open(&mut self, container: Open) -> Result<(), &'static str> {
        self.open.push(container);
        if self.open.len() > MAX_DEPTH {
            return Err("it is nested too deeply");
        }
        Ok(())
    }

    fn add(&mut self, value: Value, scalar: Option<&ScalarStyle>) -> Result<(), &'static str> {
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::List(list)) => list.push(value),
            Some(Open::Map(map, key)) => match key.take() {
                Some(key) => {
                    map.insert(key, value);
                }
                None if scalar.is_some() => {
                    *key = Some(match value {
                        Value::String(text) => text,
                        other => other.to_string(),
                    });
                }
                None => return Err("a key is a list or a map"),
            },
        }
        Ok(())
    }
}

/// A scalar without quotes, as PyYAML resolves it.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    let number = if is_integer(text) {
        integer(text.strip_prefix('+').unwrap_or(text))
    } else if is_float(text) {
        text.parse().ok().and_then(Number::from_f64)
    } else {
        None
    };
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn integer(text: &str) -> Option<Number> {
    text.parse::<i64>()
        .map(Number::from)
        .or_else(|_| text.parse::<u64>().map(Number::from))
        .ok()
        .or_else(|| text.parse().ok().and_then(Number::from_f64))
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Digits; a zero before others would be octal.
fn is_integer(text: &str) -> bool {
    let digits = unsigned(text);
    is_digits(digits) && (digits == "0" || !digits.starts_with('0'))
}

/// Digits with a point; the exponent, where there is one, has a sign.
fn is_float(text: &str) -> bool {
    let text = unsigned(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let Some((whole, fraction)) = mantissa.split_once('.') else {
        return false;
    };
    is_digits(whole)
        && (fraction.is_empty() || is_digits(fraction))
        && exponent.is_none_or(|e| e.starts_with(['+', '-']) && is_digits(unsigned(e)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_mean_what_they_mean_to_pyyaml() {
        for (text, expected) in [
            ("1e3", json!("1e3")),
            ("1.0e+3", json!(1000.0)),
            ("1.5e3", json!("1.5e3")),
            ("0o17", json!("0o17")),
            ("017", json!("017")),
            ("-12", json!(-12)),
            ("+7", json!(7)),
            ("9223372036854775808", json!(9_223_372_036_854_775_808_u64)),
            ("925135104370167901", json!(925_135_104_370_167_901_i64)),
            ("0.1", json!(0.1)),
            ("5.", json!(5.0)),
            (".inf", json!(".inf")),
            ("off", json!(false)),
            ("y", json!("y")),
            ("~", json!(null)),
            ("2026-11-23", json!("2026-11-23")),
        ] {
            assert_eq!(
                parse(&format!("a: {text}\n")).unwrap()["a"],
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn quoted_scalars_are_text() {
        let text = "a: 'it''s\n  one line\n\n  and another'\nb: \"\\e[31m\\u2028\\U0001F6D2 x\\\n  \\ y\\tz\"\n\
                    c: ''\nd: 'null'\ne: '12'\n'f g': [1, {h: null}]\ni: |-\n  two\n  lines\n";
        assert_eq!(
            parse(text).unwrap(),
            json!({"a": "it's one line\nand another", "b": "\u{1b}[31m\u{2028}\u{1f6d2} x y\tz",
                   "c": "", "d": "null", "e": "12", "f g": [1, {"h": null}], "i": "two\nlines"})
        );
    }

    #[test]
    fn line_ends_of_older_yaml_stay_in_text() {
        assert_eq!(
            parse("a: 'one\u{2028}  two\u{85}  three'\n").unwrap(),
            json!({"a": "one\u{2028}two\u{85}three"})
        );
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        for (text, said) in [
            ("a: 'x\n", "line"),
            ("a: &x [1]\nb: *x\n", "aliases are not read at line 2"),
            (&"[".repeat(200), "nested too deeply"),
            ("? [a]\n: b\n", "a key is a list"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        assert_eq!(parse("").unwrap(), Value::Null);
    }
}
