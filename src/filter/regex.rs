//! Python's regular expressions by way of Rust's. The syntax is close; what
//! differs is rewritten, and what Rust lacks (looking around, references back)
//! is told apart from what Python refuses, too.

use regex::Regex;

/// What became of a pattern.
#[derive(Debug, Clone)]
pub(super) enum PythonRegex {
    /// Searched for as Python would.
    Compiled(Regex),
    /// Python may know it; nothing matches here.
    Unsupported,
    /// Python refuses it, and then nothing matches.
    Invalid,
}

impl PythonRegex {
    pub(super) fn new(pattern: &str) -> Self {
        if needs_backtracking(pattern) {
            return Self::Unsupported;
        }
        match Regex::new(&translate(pattern)) {
            Ok(regex) => Self::Compiled(regex),
            Err(regex::Error::CompiledTooBig(_)) => Self::Unsupported,
            Err(_) => Self::Invalid,
        }
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Compiled(regex) => regex.is_match(text),
            Self::Unsupported | Self::Invalid => false,
        }
    }
}

/// Whether a pattern uses what only a backtracking engine has.
fn needs_backtracking(pattern: &str) -> bool {
    let mut escaped = false;
    for (at, c) in pattern.char_indices() {
        if escaped {
            escaped = false;
            if matches!(c, '1'..='9') {
                return true;
            }
            continue;
        }
        escaped = c == '\\';
        let rest = &pattern[at..];
        if ["(?=", "(?!", "(?<=", "(?<!", "(?P=", "(?(", "(?>", "(?#"]
            .iter()
            .any(|group| rest.starts_with(group))
            || ["*+", "++", "?+", "}+"]
                .iter()
                .any(|run| rest.starts_with(run))
        {
            return true;
        }
    }
    false
}

/// What Python's words are made of.
const WORD: &str = r"\p{L}\p{N}_";

/// The same pattern in Rust's syntax.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    let mut class_start = false;
    while let Some(c) = chars.next() {
        let first_in_class = std::mem::take(&mut class_start);
        match c {
            '\\' => match chars.next() {
                Some('Z') if !in_class => out.push_str(r"\z"),
                // Words of Rust's own, which Python takes for the character.
                Some(c @ ('<' | '>')) => out.push(c),
                // Marks that combine with letters are of words in Rust, and not in Python.
                Some('w') if in_class => out.push_str(WORD),
                Some('w') => out.extend(["[", WORD, "]"]),
                Some('W') => out.extend(["[^", WORD, "]"]),
                // Python refuses letters without a meaning; some have one in Rust.
                Some(c @ ('z' | 'p' | 'P' | 'h' | 'H' | 'R' | 'K' | 'G' | 'Q' | 'E')) => {
                    out.push_str(r"\y");
                    out.push(c);
                }
                Some(c) if c.is_ascii_alphanumeric() || c == '_' => out.extend(['\\', c]),
                Some(c) => out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
                None => out.push('\\'),
            },
            '[' if in_class => out.push_str(r"\["),
            '[' => {
                in_class = true;
                class_start = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
            }
            ']' if first_in_class => out.push_str(r"\]"),
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => out.extend(['\\', c]),
            '-' if in_class && chars.peek() == Some(&'-') => out.push_str(r"\-"),
            '$' if !in_class => out.push_str(r"(?:\n?\z)"),
            '{' if !in_class => open_brace(&mut out, &mut chars),
            c => out.push(c),
        }
    }
    out
}

/// A brace begins a repetition only where numbers follow; Python allows `{,n}`.
fn open_brace(out: &mut String, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let ahead: String = chars.clone().take_while(|c| *c != '}').collect();
    let closed = chars.clone().any(|c| c == '}');
    let (low, high) = ahead.split_once(',').unwrap_or((&ahead, "0"));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !closed || ahead.is_empty() || ahead == "," || !digits(low) || !digits(high) {
        out.push_str(r"\{");
        return;
    }
    out.push('{');
    if low.is_empty() {
        out.push('0');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(pattern: &str, text: &str) -> bool {
        PythonRegex::new(pattern).is_match(text)
    }

    #[test]
    fn pythons_syntax_means_the_same() {
        assert!(search("^ab$", "ab\n"));
        assert!(!search("^ab\\Z", "ab\n"));
        assert!(search("[[]", "["));
        assert!(search("[]a]", "]"));
        assert!(search("a{,2}$", ""));
        assert!(search("{x}", "{x}"));
        assert!(search("a{", "a{"));
        assert!(search(r"\<b\>", "<b>"));
        assert!(search("(?i)É", "é"));
        assert!(search(r"\d", "٣"));
        assert!(search(r"a\-b\ c", "a-b c"));
        assert!(search(r"^\w\W$", "e\u{301}"));
        assert!(search(r"^[\w.]+[^\W]$", "a_1.é"));
        assert!(!search(r"^[^\w]$", "é"));
        assert!(!search("^b", "a\nb"));
    }

    #[test]
    fn what_rust_lacks_is_not_called_wrong() {
        assert!(matches!(
            PythonRegex::new("(?!a)b"),
            PythonRegex::Unsupported
        ));
        assert!(matches!(
            PythonRegex::new(r"(a)\1"),
            PythonRegex::Unsupported
        ));
        assert!(matches!(PythonRegex::new("("), PythonRegex::Invalid));
        assert!(matches!(PythonRegex::new("*a"), PythonRegex::Invalid));
        assert!(matches!(PythonRegex::new(r"\pL"), PythonRegex::Invalid));
    }
}
