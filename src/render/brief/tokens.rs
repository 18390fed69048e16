//! How many tokens a text is at most, for the tokenizer `o200k_base` and those like it.
//! Its merges of bytes are applied from the commonest on, so that the first of them by
//! themselves leave as many tokens as all of them or more: what a text has by these is
//! an upper bound, and near the truth for what most texts consist of.

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::text::{Clean, sanitize};

/// The first merges of `o200k_base`, of OpenAI's tiktoken (MIT licence), the commonest
/// first: a line each, in base64, as they stand there.
const MERGES: &str = include_str!("merges.txt");

static RANKS: LazyLock<HashMap<Vec<u8>, usize>> = LazyLock::new(|| {
    let tokens = MERGES.lines().enumerate();
    let tokens = tokens.filter_map(|(rank, token)| Some((STANDARD.decode(token).ok()?, rank)));
    tokens.collect()
});

/// Where `o200k_base` divides a text before it merges anything. The look-ahead after
/// blanks, which is not to be had here, is in [`pieces`].
static PIECE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let upper = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    let lower = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    let end = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";
    let word = r"[^\r\n\p{L}\p{N}]?";
    Regex::new(&format!(
        r"{word}{upper}*{lower}+{end}|{word}{upper}+{lower}*{end}|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+|\s+"
    ))
    .ok()
});

/// Pieces with more bytes than this are counted by the byte.
const LONGEST: usize = 2048;

/// Tokens of a text at most.
pub(super) fn at_most(text: &str) -> usize {
    let mut count = 0;
    pieces(text, |piece| {
        count += of_piece(piece);
        true
    });
    count
}

/// As much of a text from its beginning as has so many tokens at most, with a mark where
/// there was more. Its cut depends on nothing but the text and the number.
pub(super) fn fit(text: &str, tokens: usize) -> Clean {
    let start = start(text, tokens);
    let line = Clean::line(start);
    let ends = ends(line.as_str(), tokens);
    let shown = line.as_str().len();
    if start.len() == text.len() && ends.last().copied().unwrap_or(0) == shown {
        return line;
    }
    let cut = |end: usize| Clean::line(format!("{}…", line.as_str()[..end].trim_end()));
    let fits = |end: &usize| at_most(cut(*end).as_str()) <= tokens;
    let whole = ends.iter().rev().copied().find(|end| fits(end));
    // Not too much is to be lost to a long word.
    let whole = whole.filter(|end| 2 * at_most(&line.as_str()[..*end]) > tokens);
    let end = whole.unwrap_or_else(|| {
        let ends: Vec<usize> = line.as_str().char_indices().map(|(at, _)| at).collect();
        let fitting = ends.partition_point(fits);
        fitting.checked_sub(1).map_or(0, |at| ends[at])
    });
    cut(end)
}

/// As much of a text as has so many tokens at most once it is shown, by whole words where
/// these are not too long, and the rest. Something is taken in any case.
pub(super) fn split(text: &str, tokens: usize) -> (Clean, &str) {
    let text = text.trim_start();
    let start = start(text, tokens);
    let is_plain = sanitize::line(start) == start;
    let fits = |end: &usize| at_most(Clean::line(&text[..*end]).as_str()) <= tokens;
    let ends = if is_plain {
        ends(start, tokens)
    } else {
        Vec::new()
    };
    if ends.last() == Some(&text.len()) {
        return (Clean::line(text), "");
    }
    let whole = ends.iter().rev().copied().find(|end| fits(end));
    let whole = whole.filter(|end| 2 * at_most(&text[..*end]) > tokens);
    let end = whole.unwrap_or_else(|| {
        let ends = start.grapheme_indices(true).map(|(at, c)| at + c.len());
        let ends: Vec<usize> = ends.collect();
        let fitting = ends.partition_point(fits).max(1);
        ends.get(fitting - 1).copied().unwrap_or(0)
    });
    let (line, rest) = text.split_at(end);
    (Clean::line(line.trim_end()), rest.trim_start())
}

/// The beginning of a text that may have so many tokens.
fn start(text: &str, tokens: usize) -> &str {
    // Blanks alone have more characters to a token.
    let beyond = text.char_indices().nth(tokens * 8);
    &text[..beyond.map_or(text.len(), |(at, _)| at)]
}

/// Where the pieces end that have so many tokens together.
fn ends(text: &str, tokens: usize) -> Vec<usize> {
    let (mut used, mut at) = (0, 0);
    let mut ends = Vec::new();
    pieces(text, |piece| {
        used += of_piece(piece);
        at += piece.len();
        if used <= tokens {
            ends.push(at);
        }
        used <= tokens
    });
    ends
}

/// Gives each piece of a text to `with`, until that wants no more.
fn pieces(text: &str, mut with: impl FnMut(&str) -> bool) {
    let Some(pattern) = PIECE.as_ref() else {
        let mut chars = text.chars();
        chars.all(|c| with(c.encode_utf8(&mut [0; 4])));
        return;
    };
    let mut at = 0;
    while let Some(found) = pattern.find_at(text, at) {
        let piece = found.as_str();
        let mut end = found.end();
        // Of blanks before a word, the last one goes with the word.
        let is_blank = piece.chars().all(char::is_whitespace) && !piece.ends_with(['\r', '\n']);
        let last = piece.char_indices().next_back().map_or(0, |(at, _)| at);
        if is_blank && last > 0 && end < text.len() {
            end = found.start() + last;
        }
        if !with(&text[found.start()..end]) {
            return;
        }
        at = end;
    }
}

fn of_piece(piece: &str) -> usize {
    // All numbers of up to three digits are tokens.
    if piece.bytes().all(|byte| byte.is_ascii_digit()) && piece.len() <= 3 {
        return 1;
    }
    let bytes = piece.as_bytes();
    if RANKS.contains_key(bytes) {
        return 1;
    }
    if bytes.len() > LONGEST {
        return bytes.len();
    }
    merged(bytes)
}

/// How many parts are left when all that can be merged is.
fn merged(bytes: &[u8]) -> usize {
    let mut starts: Vec<usize> = (0..=bytes.len()).collect();
    let rank = |starts: &[usize], at: usize| {
        let part = bytes.get(*starts.get(at)?..*starts.get(at + 2)?)?;
        RANKS.get(part).copied()
    };
    let mut ranks: Vec<Option<usize>> = (0..bytes.len()).map(|at| rank(&starts, at)).collect();
    loop {
        let known = ranks.iter().enumerate();
        let least = known
            .filter_map(|(at, rank)| Some((rank.as_ref()?, at)))
            .min();
        let Some((_, at)) = least else {
            return starts.len() - 1;
        };
        starts.remove(at + 1);
        ranks.remove(at);
        ranks[at] = rank(&starts, at);
        if let Some(before) = at.checked_sub(1) {
            ranks[before] = rank(&starts, before);
        }
    }
}

/// Tokens that a text really has.
#[cfg(test)]
pub(super) fn real(text: &str) -> usize {
    static TOKENIZER: LazyLock<tiktoken_rs::CoreBPE> =
        LazyLock::new(|| tiktoken_rs::o200k_base().unwrap());
    TOKENIZER.encode_ordinary(text).len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOSTILE: [&str; 20] = [
        "",
        " ",
        "\n",
        "   \n  x",
        "don't I'LL we'Ve",
        "👩‍👩‍👧‍👦🏳️‍🌈🇦🇹👍🏽",
        "東京都は日本の首都です。한국어 텍스트",
        "e\u{301}\u{302}\u{303}\u{304}\u{305} Z͑ͫa̴l͇g͟o",
        "aGVsbG8gd29ybGQhIHRoaXMgaXMgYmFzZTY0IGRhdGE+/w==",
        "1234567890123456789012345678901234567890",
        "٣٤٥ ⅷ ½ 一二三",
        "\\n\\u{202e}\\x1b[2J \\\\\\\\\\\"\\\"",
        "{\"a\":[1,2,{\"b\":null}],\"c\":\"\\u00e4\"}",
        "////////\n\n\n////",
        "tr-3934c478c5bc2986bd6071d4c2c32e3e",
        "                                     x",
        "<|endoftext|><|im_start|>",
        "xqzjkvwpqxzjjkqwx QXZJKVW XqZjKv",
        "שלום עולם مرحبا بالعالم Привет мир Γειά",
        "a\u{a0}b\u{3000}c\u{2003}\u{2003}d",
    ];

    #[test]
    fn it_is_an_upper_bound_on_hostile_text() {
        for text in HOSTILE {
            assert!(at_most(text) >= real(text), "{text:?}");
        }
        for text in HOSTILE
            .iter()
            .flat_map(|a| HOSTILE.map(|b| format!("{a}{b}")))
        {
            assert!(at_most(&text) >= real(&text), "{text:?}");
        }
        for number in 0..1000 {
            for text in [
                format!("{number}"),
                format!("{number:03}"),
                format!("{number:02}"),
            ] {
                assert_eq!(real(&text), 1, "{text}");
            }
        }
    }

    #[test]
    fn it_is_an_upper_bound_on_every_trace_and_near_the_truth() {
        let text = std::fs::read_to_string("tests/fixtures/conversations/frameworks.jsonl");
        let readme = std::fs::read_to_string("README.md").unwrap();
        let text = text.unwrap();
        for line in text.lines().step_by(7).chain(readme.lines()) {
            let start = &line[..line.floor_char_boundary(20_000)];
            assert!(at_most(start) >= real(start), "{start}");
        }
        let (bound, real) = (at_most(&readme), real(&readme));
        assert!(bound * 10 < real * 14, "{bound} for {real}");
    }

    #[test]
    fn what_is_cut_fits_and_says_so() {
        for text in HOSTILE {
            for tokens in 1..30 {
                let cut = fit(text, tokens);
                let (cut, whole) = (cut.as_str(), crate::text::sanitize::line(text));
                assert!(at_most(cut) <= tokens.max(1), "{text:?} {tokens}: {cut}");
                assert!(
                    cut.ends_with('…') || cut == whole,
                    "{text:?} {tokens}: {cut}"
                );
            }
        }
        assert_eq!(fit("a long sentence", 3).as_str(), "a long…");
        assert!(at_most(fit(&"x".repeat(1 << 20), 40).as_str()) <= 40);
    }

    #[test]
    fn what_is_split_is_all_there() {
        let long = "many words of a text ".repeat(9) + &"aGVsbG8gd29ybGQ".repeat(40) + " \x1b end";
        for text in HOSTILE.into_iter().chain([long.as_str()]) {
            // Line feeds between two parts are not shown.
            let text = &text.replace('\n', " ");
            for tokens in [1, 8, 20] {
                let (mut left, mut whole) = (text.as_str(), String::new());
                while !left.is_empty() {
                    let (line, rest) = split(left, tokens);
                    assert!(rest.len() < left.len() && at_most(line.as_str()) <= tokens.max(64));
                    whole.push_str(line.as_str());
                    left = rest;
                }
                // Joined emoji may come apart.
                let bare = |text: &str| {
                    let text = text.replace("\\u{200d}", "");
                    text.replace(|c: char| c.is_whitespace() || c == '\u{200d}', "")
                };
                let shown = sanitize::line(text.trim());
                assert_eq!(bare(&whole), bare(&shown), "{text:?} {tokens}");
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_an_upper_bound(text in "\\PC{0,60}", ascii in "[ -~\n\r\t]{0,120}", letters in "[a-zA-Z]{0,60}") {
            for text in [&text, &ascii, &letters, &format!("{letters}{text}{ascii}")] {
                prop_assert!(at_most(text) >= real(text), "{:?}", text);
            }
        }

        #[test]
        fn lines_add_up(lines in prop::collection::vec("- [ -~]{0,60}|- \\PC{0,20}", 0..6)) {
            let whole: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
            let parts: usize = lines.iter().map(|line| at_most(&format!("{line}\n"))).sum();
            prop_assert_eq!(at_most(&whole), parts);
        }
    }
}
