//! JSON to a writer, as it comes: no document is ever held in memory. Characters
//! that cannot be seen are written as `\u` escapes, which means the same to every
//! reader and does no harm to a terminal.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use super::What;
use super::format::{Document, End, Losses, Order, Out};
use super::latency::LatencyJson;
pub use super::trace::TraceParts;
use super::{trace, unreadable};
use crate::analysis::{By, LatencyReport, Row};
use crate::model::{Trace, Unreadable};
use crate::table::json::RowJson;
use crate::table::rows::latency::Groups;
use crate::table::{Column, Rows};
use crate::text::sanitize;

/// How JSON is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonForm {
    /// One document, indented by two spaces.
    Pretty,
    /// JSON lines: one document on each line.
    Lines,
}

/// Writes one trace.
pub fn write_trace(out: &mut dyn Write, parts: &TraceParts<'_>, form: JsonForm) -> io::Result<()> {
    match form {
        JsonForm::Pretty => trace::write(out, parts, form, Safe(PrettyFormatter::new()))?,
        JsonForm::Lines => trace::write(out, parts, form, Safe(CompactFormatter))?,
    }
    out.write_all(b"\n")
}

/// Which parts a latency report has besides its rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LatencyParts {
    /// What a row stands for: where it is a span, the row has its id.
    pub by: By,
    /// The sections of the critical path.
    pub critical_path: bool,
    /// Time in which only the root was running.
    pub gaps: bool,
    /// Whether there are more rows than those given.
    pub truncated: bool,
}

/// Writes the latency analysis of one trace, with the columns of its rows that were chosen.
pub fn write_latency(
    out: &mut dyn Write,
    report: &LatencyReport<'_>,
    rows: &[Row],
    columns: Option<&[Column<Groups>]>,
    parts: LatencyParts,
    form: JsonForm,
) -> io::Result<()> {
    write(
        out,
        &LatencyJson {
            report,
            rows,
            columns,
            parts,
        },
        form,
    )
}

/// Writes each row as a document on a line of its own.
pub fn write_lines<'r, R: Rows>(
    out: &mut dyn Write,
    columns: &'r [Column<R>],
    rows: &'r [R::Row<'r>],
) -> io::Result<()> {
    let mut rows = rows.iter().map(|row| RowJson { columns, row });
    rows.try_for_each(|row| write(out, &row, JsonForm::Lines))
}

/// Writes anything else that can be serialised, with the same safety.
pub fn write(out: &mut dyn Write, value: &impl Serialize, form: JsonForm) -> io::Result<()> {
    match form {
        JsonForm::Pretty => {
            value.serialize(&mut serde_json::Serializer::with_formatter(
                &mut *out,
                Safe(PrettyFormatter::new()),
            ))?;
        }
        JsonForm::Lines => write_compact(out, value)?,
    }
    out.write_all(b"\n")
}

/// Writes a value on one line that goes on.
pub(super) fn write_compact(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(
        out,
        Safe(CompactFormatter),
    ))?;
    Ok(())
}

/// A list of traces, written as they come.
#[derive(Debug)]
pub struct TraceList(Items);

impl TraceList {
    /// An empty list; nothing is written yet.
    pub const fn new(form: JsonForm) -> Self {
        Self(Items::new(form, "traces"))
    }

    /// Writes one more trace.
    pub fn push(&mut self, out: &mut dyn Write, trace: &TraceParts<'_>) -> io::Result<()> {
        let form = self.0.form;
        if form == JsonForm::Lines {
            return write_trace(out, trace, form);
        }
        let formatter = self.0.begin_item(out)?;
        trace::write(out, trace, form, formatter)
    }

    /// Ends the list. `truncated` says that the store has more traces than were
    /// written; some may be `unreadable`.
    pub fn finish(
        self,
        out: &mut dyn Write,
        next_page_token: Option<&str>,
        truncated: bool,
        unreadable: &[Unreadable],
    ) -> io::Result<()> {
        let token = serde_json::to_string(&next_page_token)?;
        let token = format!(",\n  \"next_page_token\": {token}");
        self.0.finish(out, &token, truncated, unreadable)
    }
}

/// A document of traces: lines, a list, or the trace itself where there is one.
pub(super) fn exported<'a>(
    out: Out<'a>,
    order: &Order<'_>,
    form: JsonForm,
) -> Box<dyn Document + 'a> {
    let is_list = form == JsonForm::Lines || !order.of_one;
    Box::new(Exported {
        out,
        list: is_list.then(|| TraceList::new(form)),
        what: order.what,
    })
}

struct Exported<'a> {
    out: Out<'a>,
    list: Option<TraceList>,
    what: What,
}

impl Document for Exported<'_> {
    fn push(&mut self, trace: &Trace) -> io::Result<()> {
        let parts = match self.what {
            What::Spans => TraceParts::whole(trace, None),
            What::Traces => TraceParts::info_only(&trace.info),
        };
        match &mut self.list {
            Some(list) => list.push(&mut self.out, &parts),
            None => write_trace(&mut self.out, &parts, JsonForm::Pretty),
        }
    }

    fn finish(mut self: Box<Self>, end: &End<'_>) -> io::Result<Losses> {
        if let Some(list) = self.list {
            list.finish(&mut self.out, None, end.truncated, end.unreadable)?;
        }
        Ok(Losses::default())
    }
}

/// A list of documents of one kind, written as they come.
#[derive(Debug)]
pub struct DocumentList(Items);

impl DocumentList {
    /// An empty list of that name; nothing is written yet.
    pub const fn new(form: JsonForm, name: &'static str) -> Self {
        Self(Items::new(form, name))
    }

    /// Writes one more.
    pub fn push(&mut self, out: &mut dyn Write, document: &impl Serialize) -> io::Result<()> {
        if self.0.form == JsonForm::Lines {
            return write(out, document, JsonForm::Lines);
        }
        let formatter = self.0.begin_item(out)?;
        document.serialize(&mut serde_json::Serializer::with_formatter(out, formatter))?;
        Ok(())
    }

    /// Ends the list, as [`TraceList::finish`] does.
    pub fn finish(
        self,
        out: &mut dyn Write,
        truncated: bool,
        unreadable: &[Unreadable],
    ) -> io::Result<()> {
        self.0.finish(out, "", truncated, unreadable)
    }
}

/// A list of rows, written as they come.
#[derive(Debug)]
pub struct RowList<R: Rows> {
    list: DocumentList,
    columns: Vec<Column<R>>,
}

impl<R: Rows> RowList<R> {
    /// An empty list of that name, with these columns; nothing is written yet.
    pub const fn new(form: JsonForm, name: &'static str, columns: Vec<Column<R>>) -> Self {
        Self {
            list: DocumentList::new(form, name),
            columns,
        }
    }

    /// Writes one more row.
    pub fn push<'r>(&'r mut self, out: &mut dyn Write, row: &'r R::Row<'r>) -> io::Result<()> {
        let columns = &self.columns;
        self.list.push(out, &RowJson { columns, row })
    }

    /// Ends the list, as [`TraceList::finish`] does.
    pub fn finish(
        self,
        out: &mut dyn Write,
        truncated: bool,
        unreadable: &[Unreadable],
    ) -> io::Result<()> {
        self.list.finish(out, truncated, unreadable)
    }
}

/// What a document is a list of, one after the other.
#[derive(Debug)]
struct Items {
    form: JsonForm,
    name: &'static str,
    any: bool,
}

impl Items {
    const fn new(form: JsonForm, name: &'static str) -> Self {
        Self {
            form,
            name,
            any: false,
        }
    }

    /// Writes what stands before an item, and gives the formatter to write it with.
    fn begin_item(&mut self, out: &mut dyn Write) -> io::Result<Safe<PrettyFormatter<'static>>> {
        if self.any {
            out.write_all(b",\n    ")?;
        } else {
            write!(out, "{{\n  \"{}\": [\n    ", self.name)?;
        }
        self.any = true;
        let mut formatter = PrettyFormatter::new();
        formatter.begin_object(&mut io::sink())?;
        formatter.begin_array(&mut io::sink())?;
        Ok(Safe(formatter))
    }

    fn finish(
        self,
        out: &mut dyn Write,
        more: &str,
        truncated: bool,
        unreadable: &[Unreadable],
    ) -> io::Result<()> {
        if self.form == JsonForm::Lines {
            return Ok(());
        }
        if self.any {
            out.write_all(b"\n  ]")?;
        } else {
            write!(out, "{{\n  \"{}\": []", self.name)?;
        }
        write!(out, "{more},\n  \"truncated\": {truncated}")?;
        if let Some(list) = unreadable::list(unreadable, self.form) {
            write!(out, ",\n  \"{}\": ", unreadable::KEY)?;
            let mut formatter = PrettyFormatter::new();
            formatter.begin_object(&mut io::sink())?;
            list.serialize(&mut serde_json::Serializer::with_formatter(
                &mut *out,
                Safe(formatter),
            ))?;
        }
        out.write_all(b"\n}\n")
    }
}

/// A formatter that escapes what cannot be seen.
#[derive(Clone)]
struct Safe<F>(F);

impl<F> Safe<F> {
    fn write_safe<W: ?Sized + Write>(writer: &mut W, fragment: &str) -> io::Result<()> {
        // Without a way out on the way, which makes it several times as quick.
        if fragment.bytes().fold(0, u8::max) < 0x7f {
            return writer.write_all(fragment.as_bytes());
        }
        let mut written = 0;
        for (at, c) in fragment
            .char_indices()
            .filter(|(_, c)| *c >= '\x7f' && sanitize::is_unseen(*c))
        {
            writer.write_all(&fragment.as_bytes()[written..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            written = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[written..])
    }
}

/// Passes everything on to the formatter inside, but for what is in strings.
macro_rules! forward {
    ($($name:ident($($arg:ident: $kind:ty),*);)*) => {
        $(fn $name<W: ?Sized + Write>(&mut self, writer: &mut W $(, $arg: $kind)*) -> io::Result<()> {
            self.0.$name(writer $(, $arg)*)
        })*
    };
}

impl<F: Formatter> Formatter for Safe<F> {
    forward! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        Self::write_safe(writer, fragment)
    }

    // Outside strings JSON is ASCII, so what is escaped here is within one.
    fn write_raw_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        Self::write_safe(writer, fragment)
    }
}

#[cfg(test)]
mod tests;
