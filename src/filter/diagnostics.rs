//! Draws a mistake or a doubt under the filter that has it. The filter is
//! somebody's text: whatever could move a cursor or change a colour is shown as
//! an escape instead, and a long line is cut to what lies around the place.

use std::borrow::Cow;
use std::ops::Range;

use anstyle::{AnsiColor, Style};

use super::error::ParseError;
use crate::text::{Clean, sanitize, width};

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
/// And those of the `…` where it is cut.
const MARK: usize = 1;

/// Draws an error under the text that it was found in.
///
/// The first line is the message without `error: ` before it; hints come last.
pub fn render(text: &str, error: &ParseError, color: bool) -> Clean {
    let style = paint(AnsiColor::Red.on_default().bold(), color);
    let label = error.label();
    let drawn = Clean::line(&error.message).then(draw(text, &error.span, label.as_deref(), style));
    let hints = error.hints.iter();
    hints.fold(drawn, |drawn, hint| drawn.then(hint_line(hint, color)))
}

/// Draws a warning under the text that it is about, like [`render`].
pub fn render_warning(text: &str, warning: &Warning, color: bool) -> Clean {
    let style = paint(AnsiColor::Magenta.on_default().bold(), color);
    let drawn = Clean::line(&warning.message).then(draw(text, &warning.span, None, style));
    let hints = warning.hint.iter();
    hints.fold(drawn, |drawn, hint| drawn.then(hint_line(hint, color)))
}

fn paint(style: Style, color: bool) -> Style {
    if color { style } else { Style::new() }
}

fn hint_line(hint: &str, color: bool) -> Clean {
    let style = paint(Style::new().bold(), color);
    let hint = Clean::line(hint).labelled(style, "hint:");
    Clean::default().end().then(hint)
}

fn draw(text: &str, span: &Range<usize>, label: Option<&str>, style: Style) -> Clean {
    let start = floor_char_boundary(text, span.start);
    let end = floor_char_boundary(text, span.end).max(start);
    let line_start = text[..start].rfind(['\n', '\r']).map_or(0, |i| i + 1);
    let line_end = text[start..]
        .find(['\n', '\r'])
        .map_or(text.len(), |i| start + i);

    let before = on_one_line(&text[line_start..start]);
    let before = width::fit_end(&before, CONTEXT / 2 + MARK);
    let marked = on_one_line(&text[start..end.min(line_end)]);
    let marked = width::fit(&marked, CONTEXT + MARK);
    let after = match &marked {
        Cow::Borrowed(_) => on_one_line(&text[end.min(line_end)..line_end]),
        Cow::Owned(_) => String::new(),
    };
    let after = width::fit(&after, CONTEXT / 2 + MARK);

    let indent = " ".repeat(width::width(&before));
    let carets = "^".repeat(width::width(&marked).max(1));
    let label = label.map(|label| format!(" {label}")).unwrap_or_default();
    Clean::default()
        .end()
        .then(format!("  {before}{marked}{after}"))
        .end()
        .then(format!("  {indent}"))
        .and(style, format!("{carets}{label}"))
}

fn floor_char_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// Text that may be shown, with spaces for tabs and line ends.
pub(super) fn on_one_line(text: &str) -> String {
    sanitize::line(&text.replace(['\t', '\n', '\r'], " ")).into_owned()
}
