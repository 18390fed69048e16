//! Draws a mistake or a doubt under the filter that has it. The filter is
//! somebody's text: whatever could move a cursor or change a colour is shown as
//! an escape instead, and a long line is cut to what lies around the place.

use std::fmt::Write as _;
use std::ops::Range;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthChar;

use super::error::ParseError;

/// Something that is accepted but cannot do what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The place, in bytes of the filter.
    pub span: Range<usize>,
    /// What is wrong, in one line.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// The columns of the filter that are shown around the place.
const CONTEXT: usize = 72;

/// Draws an error under the text that it was found in.
///
/// The first line is the message without `error: ` before it; hints come last.
pub fn render(text: &str, error: &ParseError, color: bool) -> String {
    let style = AnsiColor::Red.on_default().bold();
    let mut out = error.message.clone();
    draw(
        &mut out,
        text,
        &error.span,
        error.label().as_deref(),
        paint(style, color),
    );
    for hint in &error.hints {
        push_hint(&mut out, hint, color);
    }
    out
}

/// Draws a warning under the text that it is about, like [`render`].
pub fn render_warning(text: &str, warning: &Warning, color: bool) -> String {
    let style = AnsiColor::Magenta.on_default().bold();
    let mut out = warning.message.clone();
    draw(&mut out, text, &warning.span, None, paint(style, color));
    if let Some(hint) = &warning.hint {
        push_hint(&mut out, hint, color);
    }
    out
}

fn paint(style: Style, color: bool) -> Style {
    if color { style } else { Style::new() }
}

fn push_hint(out: &mut String, hint: &str, color: bool) {
    let style = paint(Style::new().bold(), color);
    let _ = write!(out, "\n{style}hint:{style:#} {hint}");
}

fn draw(out: &mut String, text: &str, span: &Range<usize>, label: Option<&str>, style: Style) {
    let start = floor_char_boundary(text, span.start);
    let end = floor_char_boundary(text, span.end).max(start);
    let line_start = text[..start].rfind(['\n', '\r']).map_or(0, |i| i + 1);
    let line_end = text[start..]
        .find(['\n', '\r'])
        .map_or(text.len(), |i| start + i);

    let before = cells(&text[line_start..start]);
    let marked = cells(&text[start..end.min(line_end)]);
    let after = cells(&text[end.min(line_end)..line_end]);

    let marked_room = CONTEXT;
    let (marked, marked_cut) = take_front(&marked, marked_room);
    let (before, before_cut) = take_back(&before, CONTEXT / 2);
    let (after, after_cut) = if marked_cut {
        (String::new(), false)
    } else {
        take_front(&after, CONTEXT / 2)
    };

    let lead = if before_cut { "…" } else { "" };
    let trail = if marked_cut || after_cut { "…" } else { "" };
    let _ = write!(out, "\n  {lead}{before}{marked}{after}{trail}");
    let indent = width(lead) + width(&before);
    let carets = "^".repeat(width(&marked).max(1));
    let _ = write!(out, "\n  {:indent$}{style}{carets}", "");
    if let Some(label) = label {
        let _ = write!(out, " {label}");
    }
    let _ = write!(out, "{style:#}");
}

/// What a terminal shows for each character.
fn cells(text: &str) -> Vec<String> {
    text.chars()
        .map(|c| escape(c.encode_utf8(&mut [0; 4])))
        .collect()
}

fn take_front(cells: &[String], room: usize) -> (String, bool) {
    let mut used = 0;
    let fit = cells
        .iter()
        .take_while(|cell| {
            used += width(cell);
            used <= room
        })
        .count();
    (cells[..fit].concat(), fit < cells.len())
}

fn take_back(cells: &[String], room: usize) -> (String, bool) {
    let mut used = 0;
    let fit = cells
        .iter()
        .rev()
        .take_while(|cell| {
            used += width(cell);
            used <= room
        })
        .count();
    (cells[cells.len() - fit..].concat(), fit < cells.len())
}

fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

fn floor_char_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// Text in which nothing moves the cursor, hides or turns round: tabs and line
/// ends become spaces, every other character of that sort its code.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' | '\n' | '\r' => out.push(' '),
            c if c.is_control() || is_invisible(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Zero-width characters, direction overrides and line separators.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}
