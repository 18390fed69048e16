//! What a format of traces is: its name and what it is for, what it can hold, and
//! what writes it, trace by trace, in memory that does not grow with them.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

use crate::model::{Detail, Trace, Unreadable};
use crate::table::Column;
use crate::table::rows::spans::{self, Spans};
use crate::table::rows::traces;
use crate::units;

/// A format for documents of traces.
pub struct Format {
    /// What it is called after `-o`.
    pub name: &'static str,
    /// What it is for, in a few words.
    pub purpose: &'static str,
    /// What is in it, for the help. Formats next to each other that say the same are
    /// told together.
    pub about: &'static str,
    /// How the names of its files may end; those that are made end in the first.
    pub endings: &'static [&'static str],
    /// What it can be made of.
    pub holds: &'static [What],
    /// How much of the spans it needs, where it is made of them.
    pub spans: Detail,
    /// Whether it is a table, the columns of which may be chosen.
    pub has_columns: bool,
    /// Whether it is not for people's eyes.
    pub is_binary: bool,
    /// Whether a file that lacks traces can be gone on with.
    pub resumes: bool,
    /// Begins a document; else what this program was built without.
    pub begin: Result<Begin, &'static str>,
}

/// Begins a document of traces.
pub type Begin = for<'a> fn(Out<'a>, &Order<'_>) -> io::Result<Box<dyn Document + 'a>>;

/// Where a document goes.
pub type Out<'a> = Box<dyn Write + Send + 'a>;

/// A document of traces on its way out.
pub trait Document {
    /// Writes one trace.
    ///
    /// # Errors
    /// It cannot be written.
    fn push(&mut self, trace: &Trace) -> io::Result<()>;

    /// Ends the document, and says what it had no place for.
    ///
    /// # Errors
    /// It cannot be written.
    fn finish(self: Box<Self>, end: &End<'_>) -> io::Result<Losses>;
}

/// What a document is to have in it.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// What is written of traces.
    pub what: What,
    /// The columns, where it is a table.
    pub columns: &'a Chosen,
    /// Whether it is of one trace, and need not be a list.
    pub of_one: bool,
}

/// What is known of a document when all traces are written.
#[derive(Debug, Clone, Copy, Default)]
pub struct End<'a> {
    /// Whether traces are missing that were asked for.
    pub truncated: bool,
    /// Traces that could not be read, which only some formats have a place for.
    pub unreadable: &'a [Unreadable],
}

/// What is written of traces, in formats that have a choice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum What {
    /// Spans, with their traces where there is a place for them.
    #[default]
    Spans,
    /// Traces without their spans.
    Traces,
}

impl What {
    /// As it is typed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spans => "spans",
            Self::Traces => "traces",
        }
    }
}

/// The columns of tables.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// Of spans.
    pub spans: Vec<Column<Spans>>,
    /// Of traces.
    pub traces: Vec<Column<Trace>>,
}

/// All that there are without a key.
impl Default for Chosen {
    fn default() -> Self {
        Self {
            spans: spans::spans().plain().to_vec(),
            traces: traces::in_files(),
        }
    }
}

impl Format {
    /// How the names of the files that are made of it end.
    pub fn extension(&self) -> &'static str {
        self.endings.first().copied().unwrap_or(self.name)
    }

    /// Whether files of it are one as well as many: rows or lines, one after the other.
    pub const fn goes_in_parts(&self) -> bool {
        self.has_columns || self.resumes
    }

    /// Whether it can hold traces without their spans.
    pub fn has_traces_alone(&self) -> bool {
        self.holds.contains(&What::Traces)
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Format {}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Of how many spans a format lost something, and what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses(Vec<(usize, Cow<'static, str>)>);

impl Losses {
    /// None, or so many spans of which this is to be told.
    pub fn of_spans(count: usize, what: impl Into<Cow<'static, str>>) -> Self {
        Self(match count {
            0 => Vec::new(),
            _ => vec![(count, what.into())],
        })
    }

    /// A sentence about each.
    pub fn sentences(&self) -> impl Iterator<Item = String> + '_ {
        let sentence = |(count, what): &(usize, Cow<'_, str>)| {
            format!("{} {what}", units::counted(*count, "span"))
        };
        self.0.iter().map(sentence)
    }
}

impl std::ops::AddAssign for Losses {
    fn add_assign(&mut self, other: Self) {
        for (count, what) in other.0 {
            match self.0.iter_mut().find(|(_, known)| *known == what) {
                Some((known, _)) => *known += count,
                None => self.0.push((count, what)),
            }
        }
    }
}

/// A format that is written as it comes, without columns or a choice.
pub(super) trait Streamed: Default + 'static {
    fn push(&mut self, out: &mut dyn Write, trace: &Trace) -> io::Result<()>;

    fn finish(self, out: &mut dyn Write) -> io::Result<Losses>;
}

/// Begins a document of such a format.
pub(super) fn streamed<'a, S: Streamed>(out: Out<'a>) -> Box<dyn Document + 'a> {
    Box::new(Stream(out, S::default()))
}

struct Stream<'a, S>(Out<'a>, S);

impl<S: Streamed> Document for Stream<'_, S> {
    fn push(&mut self, trace: &Trace) -> io::Result<()> {
        self.1.push(&mut self.0, trace)
    }

    fn finish(mut self: Box<Self>, _: &End<'_>) -> io::Result<Losses> {
        self.1.finish(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_of_several_documents_are_told_together() {
        let mut losses = Losses::of_spans(0, "never told");
        losses += Losses::of_spans(2, "too deep");
        losses += Losses::of_spans(1, "in progress");
        losses += Losses::of_spans(3, "too deep");
        let told: Vec<String> = losses.sentences().collect();
        assert_eq!(told, ["5 spans too deep", "1 span in progress"]);
    }
}
