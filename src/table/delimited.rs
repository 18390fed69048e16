//! Comma- and tab-separated values. Cells that a spreadsheet would run as a
//! formula get an apostrophe in front (in tab-separated text those that begin with a
//! quote, too), and characters that cannot be seen are
//! escaped. In tab-separated text there is no quoting: a tab or line break
//! inside a cell is written as `\t` or `\n`, so a row is always one line.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, Write};

use csv::{QuoteStyle, Terminator, WriterBuilder};

use super::{Column, Datum, Rows};
use crate::text::sanitize;

/// Which separator, and how cells are quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimited {
    /// RFC 4180, with line feeds as line ends.
    Csv,
    /// Tabs, no quotes.
    Tsv,
}

/// Rows on their way out.
pub struct RowWriter<'a> {
    format: Delimited,
    writer: csv::Writer<Box<dyn Write + 'a>>,
    /// For values that are made into text, one after the other.
    text: String,
}

impl fmt::Debug for RowWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowWriter")
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl<'a> RowWriter<'a> {
    /// Writes to `out`; nothing is written yet.
    pub fn new(out: impl Write + 'a, format: Delimited) -> Self {
        let mut builder = WriterBuilder::new();
        builder.terminator(Terminator::Any(b'\n')).flexible(true);
        if format == Delimited::Tsv {
            builder.delimiter(b'\t').quote_style(QuoteStyle::Never);
        }
        Self {
            format,
            writer: builder.from_writer(Box::new(out)),
            text: String::new(),
        }
    }

    /// Writes one row.
    pub fn row<'c>(&mut self, cells: impl IntoIterator<Item = Cow<'c, str>>) -> io::Result<()> {
        for cell in cells {
            self.field(&cell)?;
        }
        self.end_row()
    }

    /// Writes one value of a row, which [`Self::end_row`] ends.
    fn datum(&mut self, datum: &Datum<'_>) -> io::Result<()> {
        match datum {
            Datum::Missing => self.writer.write_field("")?,
            Datum::Text(text) | Datum::Json(text) => self.field(text)?,
            Datum::State(word) => self.field(word)?,
            made => {
                let mut text = std::mem::take(&mut self.text);
                text.clear();
                // Writing to a string cannot fail.
                let _ = write!(text, "{made}");
                self.field(&text)?;
                self.text = text;
            }
        }
        Ok(())
    }

    fn field(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_field(safe(text, self.format).as_ref())?;
        Ok(())
    }

    fn end_row(&mut self) -> io::Result<()> {
        self.writer.write_record(None::<&[u8]>)?;
        Ok(())
    }

    /// Hands everything to the writer below.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    /// The same at the end.
    pub fn finish(mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// A table on its way out.
pub struct DelimitedTable<'a, R: Rows> {
    rows: RowWriter<'a>,
    columns: Vec<Column<R>>,
}

impl<R: Rows> fmt::Debug for DelimitedTable<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelimitedTable")
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

impl<'a, R: Rows> DelimitedTable<'a, R> {
    /// Writes the heads.
    pub fn new(
        out: impl Write + 'a,
        format: Delimited,
        columns: Vec<Column<R>>,
    ) -> io::Result<Self> {
        let mut rows = RowWriter::new(out, format);
        let heads = columns.iter().map(|column| Cow::Borrowed(column.name()));
        rows.row(heads)?;
        Ok(Self { rows, columns })
    }

    /// Writes one row.
    pub fn push<'r>(&mut self, row: &'r R::Row<'r>) -> io::Result<()> {
        for column in &self.columns {
            self.rows.datum(&column.value(row))?;
        }
        self.rows.end_row()
    }

    /// Hands everything to the writer below.
    pub fn flush(&mut self) -> io::Result<()> {
        self.rows.flush()
    }

    /// The same at the end.
    pub fn finish(self) -> io::Result<()> {
        self.rows.finish()
    }
}

/// Writes all of a table.
pub fn write<'r, R: Rows>(
    out: &mut dyn Write,
    format: Delimited,
    columns: Vec<Column<R>>,
    rows: &'r [R::Row<'r>],
) -> io::Result<()> {
    let mut table = DelimitedTable::new(out, format, columns)?;
    rows.iter().try_for_each(|row| table.push(row))?;
    table.finish()
}

/// A cell that neither a spreadsheet nor a terminal will act upon.
fn safe(cell: &str, format: Delimited) -> Cow<'_, str> {
    let shown = match format {
        Delimited::Csv => sanitize::keeping_breaks(cell),
        Delimited::Tsv => sanitize::line(cell),
    };
    // Some readers of tab-separated text take quotes off, and what is behind one for
    // a formula, or for the beginning of a cell that goes on for many rows.
    let is_quoted = format == Delimited::Tsv && cell.starts_with('"');
    if is_quoted || is_formula(cell) {
        Cow::Owned(format!("'{shown}"))
    } else {
        shown
    }
}

/// Whether a spreadsheet would take the text for a formula. Numbers are none.
fn is_formula(cell: &str) -> bool {
    let text = cell.trim_start_matches([' ', '\n', '\u{a0}']);
    // The wide forms count in East Asian editions.
    let starts = text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
    let is_number = || {
        let digits_only = |c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-' | 'e' | 'E');
        text.chars().all(digits_only) && text.parse::<f64>().is_ok()
    };
    starts && !is_number()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TraceInfo;
    use crate::table::Kind;

    type C = Column<TraceInfo>;

    #[test]
    fn formulas_are_defused_and_numbers_are_not() {
        for (cell, shown) in [
            ("=1+1", "'=1+1"),
            ("  =1", "'  =1"),
            ("+A1", "'+A1"),
            ("-cmd|x", "'-cmd|x"),
            ("@SUM(1)", "'@SUM(1)"),
            ("＝1", "'＝1"),
            ("\t=1", "'\\t=1"),
            ("\r=1", "'\\r=1"),
            ("\n=1", "'\\n=1"),
            ("-5", "-5"),
            ("+1.5e-3", "+1.5e-3"),
            ("-inf", "'-inf"),
            ("-", "'-"),
            ("a=b", "a=b"),
            ("\"=1+1\"", "'\"=1+1\""),
            ("\"open", "'\"open"),
            (" \"x\"", " \"x\""),
            ("{\"q\": 1}", "{\"q\": 1}"),
            ("a\tb\nc", "a\\tb\\nc"),
            ("", ""),
        ] {
            assert_eq!(safe(cell, Delimited::Tsv), shown);
        }
    }

    #[test]
    fn values_are_written_as_they_are_and_texts_defused() {
        let mut info = TraceInfo::new("=1");
        info.execution_duration_ns = Some(-5);
        info.tags.insert("k".into(), "v".into());
        let columns = vec![
            C::new("trace_id", Kind::Id, |info| Datum::text(&info.trace_id)),
            C::new("ns", Kind::Duration, |info| {
                Datum::some(Datum::Duration, info.execution_duration_ns)
            }),
            C::new("+head", Kind::Number, |_| Datum::Float(-0.5)),
            C::new("tags", Kind::Map, |info| Datum::Map(&info.tags)),
            C::new("none", Kind::Text, |_| Datum::Missing),
        ];
        let mut out = Vec::new();
        write(&mut out, Delimited::Csv, columns, &[info]).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "trace_id,ns,'+head,tags,none\n'=1,-5,-0.5,\"{\"\"k\"\":\"\"v\"\"}\",\n"
        );
    }
}
