//! Inputs, outputs and attribute values: JSON laid out for reading, or as it is
//! recorded. What is not JSON is shown as it is. Whatever the text, the lines take
//! memory in proportion to it, or to the limit where there is one.

mod fold;
mod layout;

use serde::de::IgnoredAny;

use crate::text::Clean;
use crate::units;

pub use layout::DEEPEST;
use layout::lay_out;

/// Columns that a line has at least, however far to the right it begins.
const NARROWEST: usize = 16;

/// How values are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// Shortened, without what clients left unset.
    #[default]
    Readable,
    /// The same where another command has the rest.
    ReadableElsewhere,
    /// All of it, as it is recorded.
    Raw,
}

impl Form {
    pub(crate) const fn of(raw: bool) -> Self {
        if raw { Self::Raw } else { Self::Readable }
    }

    /// Says that so many members were left out.
    pub(crate) fn note(self, unset: usize) -> Option<String> {
        let way = match self {
            Self::ReadableElsewhere => "mlt get --io --raw",
            Self::Readable | Self::Raw => "--raw",
        };
        let them = if unset == 1 { "it" } else { "them" };
        let members = units::counted(unset, "unset member");
        (unset > 0).then(|| format!("{members} ({way} has {them})"))
    }
}

/// Whether a value stands for an argument that was not given.
pub(crate) fn is_unset(value: &str) -> bool {
    fold::is_unset(value)
}

/// Whether a text reads best as it is, on one line.
pub(crate) fn is_plain(text: &str, form: Form) -> bool {
    !text.contains('\n')
        && (form == Form::Raw || !fold::is_container(text) && fold::shortened(text).is_none())
}

/// A line in lines of at most so many columns, all of which begin where it does.
pub(crate) fn wrapped(line: &Clean, room: Option<usize>) -> Vec<Clean> {
    let Some(room) = room.filter(|room| line.width() > *room) else {
        return vec![line.clone()];
    };
    let (lead, content) = line.clone().trim_start();
    let lead = lead.min(room.saturating_sub(NARROWEST));
    // A value that goes on is not to be taken for the next key.
    let is_value = content.as_str().starts_with('"');
    let hang = if is_value { 2 } else { 0 };
    let room = room.saturating_sub(lead + hang).max(NARROWEST);
    let lines = content.wrapped(Some(room)).into_iter().enumerate();
    lines
        .map(|(at, line)| line.indented(lead + if at == 0 { 0 } else { hang }))
        .collect()
}

/// The lines of a value, sanitised, up to `max_chars` characters, with a note of
/// what was left out; all of it where there is no limit.
pub(crate) fn limited_lines(
    json: &str,
    max_chars: Option<usize>,
    form: Form,
) -> (Vec<Clean>, Option<String>) {
    let mut shown = Shown::up_to(max_chars);
    let unset = each_line(json, form, &mut |line| shown.push(Clean::block(line)));
    shown.finish(form.note(unset))
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
        shown.push(line);
    }
    shown.finish(None)
}

/// The same for keys with their values, each key on the first line of its value.
pub(crate) fn limited_pairs<'p>(
    pairs: impl IntoIterator<Item = (&'p str, &'p str)>,
    max_chars: Option<usize>,
    form: Form,
) -> (Vec<Clean>, Option<String>) {
    let mut shown = Shown::up_to(max_chars);
    let mut unset = 0;
    for (key, value) in pairs {
        if form != Form::Raw && is_unset(value) {
            unset += 1;
            continue;
        }
        let mut first = true;
        unset += each_line(value, form, &mut |line| {
            let line = Clean::block(line).indented(2);
            shown.push(if std::mem::take(&mut first) {
                Clean::line(key).then(line)
            } else {
                line
            });
        });
    }
    shown.finish(form.note(unset))
}

/// A line, clean or not yet.
trait Line {
    fn text(&self) -> &str;
    /// Its first characters.
    fn start(&self, characters: usize) -> Self;
}

impl Line for Clean {
    fn text(&self) -> &str {
        self.as_str()
    }

    fn start(&self, characters: usize) -> Self {
        self.start(characters)
    }
}

impl Line for String {
    fn text(&self) -> &str {
        self
    }

    fn start(&self, characters: usize) -> Self {
        self.chars().take(characters).collect()
    }
}

/// Lines as far as they are shown; of the others only the characters are counted.
struct Shown<L> {
    lines: Vec<L>,
    left: Option<usize>,
    left_out: usize,
}

impl<L: Line> Shown<L> {
    fn up_to(max_chars: Option<usize>) -> Self {
        Self {
            lines: Vec::new(),
            left: max_chars,
            left_out: 0,
        }
    }

    fn push(&mut self, line: L) {
        let Some(left) = &mut self.left else {
            self.lines.push(line);
            return;
        };
        let length = line.text().chars().count();
        if self.left_out > 0 {
            self.left_out += length;
        } else if length <= *left {
            *left -= length;
            self.lines.push(line);
        } else {
            self.lines.push(line.start(*left));
            self.left_out = length - *left;
        }
    }

    fn finish(mut self, of_value: Option<String>) -> (Vec<L>, Option<String>) {
        let is_blank = |line: &L| line.text().trim().is_empty();
        if self.left_out > 0 {
            while self.lines.last().is_some_and(is_blank) {
                self.lines.pop();
            }
        }
        let cut = (self.left_out > 0).then(|| units::counted(self.left_out, "more character"));
        let notes: Vec<String> = cut.into_iter().chain(of_value).collect();
        let note = (!notes.is_empty()).then(|| format!("… {}", notes.join(", ")));
        (self.lines, note)
    }
}

/// Calls `each` with the lines of a value; gives how many unset members were left
/// out.
fn each_line(json: &str, form: Form, each: &mut dyn FnMut(&str)) -> usize {
    let is_raw = matches!(form, Form::Raw);
    if !is_raw && let Some(short) = fold::shortened(json) {
        each(&short);
    } else if let Some(text) = decoded_text(json)
        && (is_raw || !fold::is_container(&text))
    {
        split(&text, each);
    } else if serde_json::from_str::<IgnoredAny>(json).is_ok()
        || !is_raw && fold::is_container(json)
    {
        return lay_out(json, is_raw, each);
    } else {
        split(json, each);
    }
    0
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

#[cfg(test)]
mod tests;
