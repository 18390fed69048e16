//! Text measured in terminal columns: how wide it is, cut to fit, padded,
//! wrapped. Cuts fall between grapheme clusters, so that no letter loses its
//! accents and no emoji its parts. The text is expected to be sanitised.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Clean where text was cut.
pub const ELLIPSIS: &str = "…";

/// How many terminal columns the text takes.
pub fn width(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.width()
    }
}

/// The text, or its start and `…` where it is wider than `max` columns.
pub fn fit(text: &str, max: usize) -> Cow<'_, str> {
    let Some(mut end) = overflow(text, max) else {
        return Cow::Borrowed(text);
    };
    if max == 0 {
        return Cow::Borrowed("");
    }
    // Joined together clusters can be a little wider than one by one.
    while width(&text[..end]) > max - 1 {
        end = text[..end]
            .grapheme_indices(true)
            .next_back()
            .map_or(0, |(at, _)| at);
    }
    Cow::Owned(format!("{}{ELLIPSIS}", text[..end].trim_end()))
}

/// The text, or `…` and its end where it is wider than `max` columns.
pub fn fit_end(text: &str, max: usize) -> Cow<'_, str> {
    if width(text) <= max {
        return Cow::Borrowed(text);
    }
    let mut start = text.len();
    for (at, _) in text.grapheme_indices(true).rev() {
        if width(&text[at..]) >= max {
            break;
        }
        start = at;
    }
    Cow::Owned(format!("{ELLIPSIS}{}", &text[start..]))
}

/// Where to cut so that `…` still fits; `None` where the whole text does.
fn overflow(text: &str, max: usize) -> Option<usize> {
    if text.len() <= max && text.is_ascii() {
        return None;
    }
    let mut used = 0;
    let mut cut = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        let next = used + width(cluster);
        if next > max {
            return Some(cut);
        }
        used = next;
        if used < max {
            cut = at + cluster.len();
        }
    }
    (width(text) > max).then_some(cut)
}

/// The text with spaces after it, at least `columns` wide.
pub fn pad_end(text: &str, columns: usize) -> String {
    let fill = columns.saturating_sub(width(text));
    format!("{text}{:fill$}", "")
}

/// The text with spaces before it, at least `columns` wide.
pub fn pad_start(text: &str, columns: usize) -> String {
    let fill = columns.saturating_sub(width(text));
    format!("{:fill$}{text}", "")
}

/// Lines of at most `max` columns, broken at spaces, or within a word that is
/// wider than a line. Never empty; a single cluster wider than `max` stands alone.
pub fn wrap(text: &str, max: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let solid = word.trim_end_matches(' ');
        if used > 0 && used + width(solid) > max {
            lines.push(String::new());
            used = 0;
        }
        if width(solid) <= max {
            push(&mut lines, word);
            used += width(word);
            continue;
        }
        for cluster in solid.graphemes(true) {
            let columns = width(cluster);
            if used > 0 && used + columns > max {
                lines.push(String::new());
                used = 0;
            }
            used += columns;
            push(&mut lines, cluster);
        }
        push(&mut lines, &word[solid.len()..]);
        used += word.len() - solid.len();
    }
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    lines
}

fn push(lines: &mut [String], text: &str) {
    if let Some(last) = lines.last_mut() {
        last.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::super::sanitize;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cuts_fall_between_clusters() {
        assert_eq!(fit("hello", 5), "hello");
        assert_eq!(fit("hello", 4), "hel…");
        assert_eq!(fit("hello", 1), "…");
        assert_eq!(fit("hello", 0), "");
        assert_eq!(fit("日本語", 6), "日本語");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(fit("👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 3), "👩‍👩‍👧‍👦…");
        assert_eq!(fit("one two", 5), "one…");
        assert_eq!(fit_end("hello", 5), "hello");
        assert_eq!(fit_end("hello", 4), "…llo");
        assert_eq!(fit_end("日本語", 5), "…本語");
        assert_eq!(fit_end("日本語", 4), "…語");
    }

    #[test]
    fn padding_counts_columns() {
        assert_eq!(pad_start("日", 4), "  日");
        assert_eq!(pad_end("é", 3), "é  ");
        assert_eq!(pad_end("long", 2), "long");
    }

    #[test]
    fn wrapping_prefers_spaces() {
        assert_eq!(wrap("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(wrap("abcdefgh ij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
    }

    proptest! {
        #[test]
        fn fitted_text_fits(text in any::<String>(), max in 0usize..40) {
            let shown = sanitize::line(&text);
            let fitted = fit(&shown, max);
            prop_assert!(width(&fitted) <= max, "{fitted:?} is wider than {max}");
        }

        #[test]
        fn wrapping_loses_no_letters(text in "[a-z ]{0,60}", max in 1usize..20) {
            let lines = wrap(&text, max);
            prop_assert!(lines.iter().all(|l| width(l) <= max));
            let letters = |s: &str| s.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}
