//! Rows gathered into the columns of a Parquet file. A row group is written as
//! soon as it is large enough, so that memory does not grow with the rows.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// A row group is written once it has so many bytes, as they are held here.
const GROUP_BYTES: usize = 16 << 20;
/// Or so many rows.
const GROUP_ROWS: usize = 100_000;

/// The kind of a column. All but maps may lack a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    Integer,
    Number,
    /// Microseconds since the Unix epoch, the finest that every reader knows.
    Time,
    /// From text to text.
    Map,
}

/// A column by name.
pub(super) type Column = (&'static str, Kind);

/// A value of a row.
#[derive(Debug, Clone)]
pub(super) enum Cell<'a> {
    Text(Option<&'a str>),
    Owned(Option<String>),
    Integer(Option<i64>),
    Number(Option<f64>),
    Map(Vec<(&'a str, &'a str)>),
}

impl<'a> Cell<'a> {
    /// A map in the order of its keys.
    pub(super) fn of_map(map: &'a BTreeMap<String, String>) -> Self {
        let pairs = map.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        Self::Map(pairs.collect())
    }

    /// A count.
    pub(super) fn count(n: usize) -> Self {
        Self::Integer(i64::try_from(n).ok())
    }
}

/// What is held of a column. `present` is 1 or 0 for a value that is there or
/// missing; for maps it is one per pair, and `repeated` is 0 where a row begins.
#[derive(Default)]
struct Held {
    texts: Vec<ByteArray>,
    map_values: Vec<ByteArray>,
    integers: Vec<i64>,
    numbers: Vec<f64>,
    present: Vec<i16>,
    repeated: Vec<i16>,
}

/// A Parquet file on its way out.
pub(super) struct Table<'a> {
    columns: &'static [Column],
    writer: SerializedFileWriter<&'a mut (dyn Write + Send)>,
    held: Vec<Held>,
    rows: usize,
    bytes: usize,
}

impl<'a> Table<'a> {
    /// Writes the file's head.
    pub(super) fn new(
        out: &'a mut (dyn Write + Send),
        name: &str,
        columns: &'static [Column],
    ) -> io::Result<Self> {
        let schema = parse_message_type(&schema(name, columns)).map_err(io_error)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("mlt version ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))
            .map_err(io_error)?;
        Ok(Self {
            columns,
            writer,
            held: empty(columns.len()),
            rows: 0,
            bytes: 0,
        })
    }

    /// Adds a row: a cell for each column, in their order.
    pub(super) fn row<'c>(&mut self, cells: impl IntoIterator<Item = Cell<'c>>) -> io::Result<()> {
        for (held, cell) in self.held.iter_mut().zip(cells) {
            self.bytes += held.add(cell);
        }
        self.rows += 1;
        if self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.write_group()?;
        }
        Ok(())
    }

    /// Writes what is held, and the file's end.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.writer.close().map_err(io_error)?;
        Ok(())
    }

    fn write_group(&mut self) -> io::Result<()> {
        let held = std::mem::replace(&mut self.held, empty(self.columns.len()));
        (self.rows, self.bytes) = (0, 0);
        write_group(&mut self.writer, self.columns, &held).map_err(io_error)
    }
}

impl Held {
    /// Adds a value, and gives the bytes that it takes.
    fn add(&mut self, cell: Cell<'_>) -> usize {
        let is_there = match cell {
            Cell::Map(pairs) => return self.add_map(&pairs),
            Cell::Text(text) => self.add_text(text.map(ByteArray::from)),
            Cell::Owned(text) => self.add_text(text.map(|t| ByteArray::from(t.into_bytes()))),
            Cell::Integer(integer) => {
                self.integers.extend(integer);
                integer.is_some()
            }
            Cell::Number(number) => {
                self.numbers.extend(number);
                number.is_some()
            }
        };
        self.present.push(i16::from(is_there));
        8 + self
            .texts
            .last()
            .filter(|_| is_there)
            .map_or(0, ByteArray::len)
    }

    fn add_text(&mut self, text: Option<ByteArray>) -> bool {
        let is_there = text.is_some();
        self.texts.extend(text);
        is_there
    }

    fn add_map(&mut self, pairs: &[(&str, &str)]) -> usize {
        if pairs.is_empty() {
            self.present.push(0);
            self.repeated.push(0);
        }
        for (at, (key, value)) in pairs.iter().enumerate() {
            self.texts.push(ByteArray::from(*key));
            self.map_values.push(ByteArray::from(*value));
            self.present.push(1);
            self.repeated.push(i16::from(at > 0));
        }
        8 + pairs
            .iter()
            .map(|(k, v)| k.len() + v.len() + 32)
            .sum::<usize>()
    }
}

fn empty(columns: usize) -> Vec<Held> {
    std::iter::repeat_with(Held::default)
        .take(columns)
        .collect()
}

fn schema(name: &str, columns: &[Column]) -> String {
    let field = |(name, kind): &Column| match kind {
        Kind::Text => format!("OPTIONAL BYTE_ARRAY {name} (STRING);"),
        Kind::Integer => format!("OPTIONAL INT64 {name};"),
        Kind::Number => format!("OPTIONAL DOUBLE {name};"),
        Kind::Time => format!("OPTIONAL INT64 {name} (TIMESTAMP(MICROS,true));"),
        Kind::Map => format!(
            "REQUIRED GROUP {name} (MAP) {{ REPEATED GROUP key_value {{ \
             REQUIRED BYTE_ARRAY key (STRING); REQUIRED BYTE_ARRAY value (STRING); }} }}"
        ),
    };
    let fields: Vec<String> = columns.iter().map(field).collect();
    format!("message {name} {{ {} }}", fields.join(" "))
}

fn write_group<W: Write + Send>(
    writer: &mut SerializedFileWriter<W>,
    columns: &[Column],
    held: &[Held],
) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for ((_, kind), held) in columns.iter().zip(held) {
        let levels = Some(held.present.as_slice());
        let repeated = Some(held.repeated.as_slice());
        let parts: &[_] = match kind {
            Kind::Map => &[(&held.texts, repeated), (&held.map_values, repeated)],
            _ => &[(&held.texts, None)],
        };
        for (texts, repeated) in parts {
            let Some(mut column) = group.next_column()? else {
                return Err(ParquetError::General("a column is missing".to_owned()));
            };
            match column.untyped() {
                ColumnWriter::ByteArrayColumnWriter(w) => {
                    w.write_batch(texts, levels, *repeated)?;
                }
                ColumnWriter::Int64ColumnWriter(w) => {
                    w.write_batch(&held.integers, levels, None)?;
                }
                ColumnWriter::DoubleColumnWriter(w) => {
                    w.write_batch(&held.numbers, levels, None)?;
                }
                _ => return Err(ParquetError::General("a column is of no kind".to_owned())),
            }
            column.close()?;
        }
    }
    group.close()?;
    Ok(())
}

/// An error of the writer below comes back as it was.
fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(io) => *io,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}
