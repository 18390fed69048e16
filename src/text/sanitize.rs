//! Makes text from a trace safe to show. A trace holds whatever users, models
//! and tools wrote, so it may carry terminal commands, text that reverses the
//! reading direction or characters that cannot be seen. All of those become
//! visible escapes such as `\n`, `\x1b` or `\u{202e}`; everything that can be
//! seen stays as it is.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

/// Marks that may be stacked on one letter. Written languages need up to about
/// five; more of them paint over the lines above and below.
const MAX_STACKED_MARKS: usize = 8;

/// Text for one line: line breaks and tabs are escaped as well.
pub fn line(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(escape(text, false))
}

/// Text for a block of lines: line feeds stay, `\r\n` counts as one, a tab
/// becomes four spaces.
pub fn block(text: &str) -> Cow<'_, str> {
    if text.split('\n').all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(escape(text, true))
}

/// Text for a quoted cell: line breaks and tabs stay as they are.
pub fn keeping_breaks(text: &str) -> Cow<'_, str> {
    let breaks = ['\n', '\r', '\t'];
    if text.split(breaks).all(is_plain) {
        return Cow::Borrowed(text);
    }
    let safe = text
        .split_inclusive(breaks)
        .map(|part| match part.strip_suffix(breaks) {
            Some(rest) => line(rest) + &part[rest.len()..],
            None => line(part),
        });
    Cow::Owned(safe.collect())
}

/// Whether nothing needs a closer look, which is the common case and worth a quick answer.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, 0x20..=0x7e)) || text.chars().all(is_plain_char)
}

/// Characters from blocks without marks and without anything unseen: Latin, kana, Chinese, Korean.
const fn is_plain_char(c: char) -> bool {
    matches!(c,
        '\x20'..='\x7e' | '\u{a0}'..='\u{ac}' | '\u{ae}'..='\u{2ff}' | '\u{2010}'..='\u{2027}'
        | '\u{2030}'..='\u{205e}' | '\u{20a0}'..='\u{20cf}' | '\u{2100}'..='\u{2bff}'
        | '\u{3000}'..='\u{3029}' | '\u{3041}'..='\u{3096}' | '\u{30a0}'..='\u{30ff}'
        | '\u{3400}'..='\u{a48f}' | '\u{ac00}'..='\u{d7a3}' | '\u{ff01}'..='\u{ff9f}'
        | '\u{1f000}'..='\u{1faff}' | '\u{20000}'..='\u{2fa1f}')
}

fn escape(text: &str, multi_line: bool) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut chars = text.chars().peekable();
    let mut previous = None;
    let mut marks = 0;
    while let Some(c) = chars.next() {
        if is_plain_char(c) {
            out.push(c);
            marks = 0;
            previous = Some(c);
            continue;
        }
        let next = chars.peek().copied();
        match c {
            '\n' if multi_line => out.push('\n'),
            '\r' if multi_line && next == Some('\n') => {}
            '\t' if multi_line => out.push_str("    "),
            '\u{200d}' if joins_emoji(previous, next) => out.push(c),
            '\u{fe0e}' | '\u{fe0f}' if previous.is_some_and(takes_variation) => out.push(c),
            _ if is_unseen(c) => push_escaped(&mut out, c),
            _ if c.width() == Some(0) => {
                marks += 1;
                if marks > MAX_STACKED_MARKS {
                    push_escaped(&mut out, c);
                } else {
                    out.push(c);
                }
                previous = Some(c);
                continue;
            }
            _ => out.push(c),
        }
        marks = 0;
        previous = Some(c);
    }
    out
}

fn push_escaped(out: &mut String, c: char) {
    // Writing to a string cannot fail.
    let _ = match c {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        '\0'..='\x7f' => write!(out, "\\x{:02x}", u32::from(c)),
        _ => write!(out, "\\u{{{:x}}}", u32::from(c)),
    };
}

/// Whether a character has no picture of its own, or changes that of others.
pub(crate) fn is_unseen(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}'
        // Joiners, fillers, spaces without width.
        | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        // Direction.
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        // Line and paragraph separators; invisible operators, isolates, old format characters.
        | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fff0}'..='\u{fffb}'
        // Non-characters, shorthand and music format characters, tags (which can hide whole texts).
        | '\u{fdd0}'..='\u{fdef}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// Whether a zero-width joiner between these two makes one emoji of them.
fn joins_emoji(before: Option<char>, after: Option<char>) -> bool {
    let before = before.is_some_and(|c| is_pictograph(c) || c == '\u{fe0f}');
    before && after.is_some_and(is_pictograph)
}

/// Blocks that hold every emoji which takes part in joined sequences.
const fn is_pictograph(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

/// Whether a request for text or emoji style can follow.
const fn takes_variation(c: char) -> bool {
    is_pictograph(c)
        || matches!(
            c,
            '#' | '*' | '0'
                ..='9'
                    | '\u{a9}'
                    | '\u{ae}'
                    | '\u{203c}'
                    | '\u{2049}'
                    | '\u{2122}'
                    | '\u{2139}'
                    | '\u{3030}'
                    | '\u{303d}'
                    | '\u{3297}'
                    | '\u{3299}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_can_be_seen_stays() {
        for text in [
            "plain",
            "héllo",
            "日本語",
            "שלום",
            "नमस्ते",
            "e\u{301}",
            "👩‍👩‍👧‍👦",
            "❤️‍🔥",
            "👍🏽",
            "🇩🇪",
            "1️⃣",
            "C:\\dir",
            "a\u{a0}b",
        ] {
            assert_eq!(line(text), text);
        }
    }

    #[test]
    fn what_cannot_be_seen_is_spelled_out() {
        for (text, shown) in [
            ("a\nb\r\n\tc", "a\\nb\\r\\n\\tc"),
            ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
            ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("gpj\u{202e}exe", "gpj\\u{202e}exe"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            (
                "a\u{200b}b\u{200d}c\u{feff}",
                "a\\u{200b}b\\u{200d}c\\u{feff}",
            ),
            ("line\u{2028}sep", "line\\u{2028}sep"),
            ("hi\u{e0041}\u{e0042}", "hi\\u{e0041}\\u{e0042}"),
            ("del\x7f", "del\\x7f"),
            ("x\u{fe0f}", "x\\u{fe0f}"),
        ] {
            assert_eq!(line(text), shown);
        }
    }

    #[test]
    fn stacked_marks_are_limited() {
        let shown = line(&format!("a{}", "\u{301}".repeat(10))).into_owned();
        assert_eq!(
            shown,
            format!("a{}\\u{{301}}\\u{{301}}", "\u{301}".repeat(8))
        );
    }

    #[test]
    fn a_block_keeps_its_lines() {
        assert_eq!(block("a\r\n\tb\n\x1bc\rd"), "a\n    b\n\\x1bc\\rd");
    }

    #[test]
    fn plain_characters_are_seen_and_no_marks() {
        for c in ('\0'..=char::MAX).filter(|c| is_plain_char(*c)) {
            assert!(!is_unseen(c), "{c:?}");
            assert_ne!(c.width(), Some(0), "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_unseen_is_left(text in any::<String>(), bits in prop::collection::vec(0u32..0xe1000, 0..20)) {
            let text: String = text.chars().chain(bits.into_iter().filter_map(char::from_u32)).collect();
            let shown = line(&text);
            for c in shown.chars() {
                prop_assert!(!c.is_control());
                let bidi = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
                    | '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{2028}' | '\u{2029}');
                prop_assert!(!bidi);
            }
            prop_assert!(block(&text).chars().all(|c| c == '\n' || !c.is_control()));
            prop_assert_eq!(line(&shown), shown.as_ref());
        }
    }
}
