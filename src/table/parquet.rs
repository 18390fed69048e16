//! Parquet, for DuckDB, Spark and pandas. Rows are gathered into the columns of a file, and
//! a row group is written as soon as it is large enough, so that memory does not grow with
//! the rows.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{
    Compression, ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical,
};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};

use super::{Column, Datum, Kind, Rows};

/// A row group is written once it has so many bytes, as they are held here.
const GROUP_BYTES: usize = 16 << 20;
/// Or so many rows.
const GROUP_ROWS: usize = 100_000;

/// How the values of a column are stored. All but maps may lack a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    Text,
    Integer,
    Number,
    Flag,
    /// Microseconds since the Unix epoch, the finest that every reader knows.
    Time,
    /// From text to text.
    Map,
}

impl From<Kind> for Stored {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Text | Kind::Id | Kind::State | Kind::Json => Self::Text,
            Kind::Count | Kind::Duration => Self::Integer,
            Kind::Number | Kind::Money | Kind::Share | Kind::Score => Self::Number,
            Kind::Flag => Self::Flag,
            Kind::Time => Self::Time,
            Kind::Map => Self::Map,
        }
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
    flags: Vec<bool>,
    present: Vec<i16>,
    repeated: Vec<i16>,
}

/// A table on its way out.
pub struct ParquetTable<'a, R: Rows> {
    columns: Vec<Column<R>>,
    stored: Vec<Stored>,
    writer: SerializedFileWriter<Box<dyn Write + Send + 'a>>,
    held: Vec<Held>,
    rows: usize,
    bytes: usize,
}

impl<R: Rows> fmt::Debug for ParquetTable<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetTable")
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

impl<'a, R: Rows> ParquetTable<'a, R> {
    /// Writes the file's head. The name is that of the schema.
    pub fn new(
        out: impl Write + Send + 'a,
        name: &str,
        columns: Vec<Column<R>>,
    ) -> io::Result<Self> {
        let schema = schema(name, &columns).map_err(io_error)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("mlt version ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = SerializedFileWriter::new(Box::new(out) as _, schema, Arc::new(properties));
        Ok(Self {
            stored: columns.iter().map(|column| column.kind().into()).collect(),
            writer: writer.map_err(io_error)?,
            held: empty(columns.len()),
            columns,
            rows: 0,
            bytes: 0,
        })
    }

    /// Adds a row.
    pub fn push<'r>(&mut self, row: &'r R::Row<'r>) -> io::Result<()> {
        let cells = self.columns.iter().zip(&self.stored);
        for (held, (column, stored)) in self.held.iter_mut().zip(cells) {
            self.bytes += held.add(column.value(row), *stored);
        }
        self.rows += 1;
        if self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.write_group()?;
        }
        Ok(())
    }

    /// Writes what is held, and the file's end.
    pub fn finish(mut self) -> io::Result<()> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.writer.close().map_err(io_error)?;
        Ok(())
    }

    fn write_group(&mut self) -> io::Result<()> {
        let held = std::mem::replace(&mut self.held, empty(self.columns.len()));
        (self.rows, self.bytes) = (0, 0);
        write_group(&mut self.writer, &self.stored, &held).map_err(io_error)
    }
}

impl Held {
    /// Adds a value, and gives the bytes that it takes.
    fn add(&mut self, datum: Datum<'_>, stored: Stored) -> usize {
        let mut bytes = 8;
        let is_there = match stored {
            Stored::Map => {
                return match datum {
                    Datum::Map(map) => self.add_map(map.iter().map(|(k, v)| (&**k, &**v))),
                    Datum::Pairs(pairs) => self.add_map(pairs.iter().map(|(k, v)| (&**k, &**v))),
                    _ => self.add_map(std::iter::empty()),
                };
            }
            Stored::Text => {
                let text = match datum {
                    Datum::Missing => None,
                    Datum::Text(Cow::Owned(text)) | Datum::Json(Cow::Owned(text)) => {
                        Some(ByteArray::from(text.into_bytes()))
                    }
                    other => Some(ByteArray::from(&*other.raw())),
                };
                bytes += text.as_ref().map_or(0, ByteArray::len);
                put(&mut self.texts, text)
            }
            Stored::Integer => put(&mut self.integers, datum.integer()),
            Stored::Number => put(&mut self.numbers, datum.number()),
            Stored::Flag => match datum {
                Datum::Flag(flag) => put(&mut self.flags, Some(flag)),
                _ => false,
            },
            Stored::Time => match datum {
                Datum::Time(time) => put(&mut self.integers, Some(time.nanos().div_euclid(1000))),
                _ => false,
            },
        };
        self.present.push(i16::from(is_there));
        bytes
    }

    fn add_map<'m>(&mut self, pairs: impl Iterator<Item = (&'m str, &'m str)>) -> usize {
        let (mut bytes, mut at) = (8, 0);
        for (key, value) in pairs {
            self.texts.push(ByteArray::from(key));
            self.map_values.push(ByteArray::from(value));
            self.present.push(1);
            self.repeated.push(i16::from(at > 0));
            bytes += key.len() + value.len() + 32;
            at += 1;
        }
        if at == 0 {
            self.present.push(0);
            self.repeated.push(0);
        }
        bytes
    }
}

/// Adds a value where there is one, and says whether there was.
fn put<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
    let is_there = value.is_some();
    values.extend(value);
    is_there
}

fn empty(columns: usize) -> Vec<Held> {
    std::iter::repeat_with(Held::default)
        .take(columns)
        .collect()
}

fn schema<R: Rows>(name: &str, columns: &[Column<R>]) -> Result<TypePtr, ParquetError> {
    let fields = columns
        .iter()
        .map(|column| field(column.name(), column.kind().into()).map(Arc::new));
    let fields = fields.collect::<Result<_, _>>()?;
    let schema = Type::group_type_builder(name).with_fields(fields).build()?;
    Ok(Arc::new(schema))
}

/// Names may have any characters in them, so that the schema is no text that is parsed.
fn field(name: &str, stored: Stored) -> Result<Type, ParquetError> {
    let text = |name, repetition| {
        Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
            .with_repetition(repetition)
            .with_logical_type(Some(LogicalType::String))
            .build()
    };
    let plain = |physical, logical| {
        Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build()
    };
    match stored {
        Stored::Text => text(name, Repetition::OPTIONAL),
        Stored::Integer => plain(Physical::INT64, None),
        Stored::Number => plain(Physical::DOUBLE, None),
        Stored::Flag => plain(Physical::BOOLEAN, None),
        Stored::Time => plain(
            Physical::INT64,
            Some(LogicalType::timestamp(true, TimeUnit::MICROS)),
        ),
        Stored::Map => {
            let parts = ["key", "value"].map(|part| text(part, Repetition::REQUIRED));
            let [key, value] = parts;
            let pair = Type::group_type_builder("key_value")
                .with_repetition(Repetition::REPEATED)
                .with_fields(vec![Arc::new(key?), Arc::new(value?)])
                .build()?;
            Type::group_type_builder(name)
                .with_repetition(Repetition::REQUIRED)
                .with_logical_type(Some(LogicalType::Map))
                .with_converted_type(ConvertedType::MAP)
                .with_fields(vec![Arc::new(pair)])
                .build()
        }
    }
}

fn write_group<W: Write + Send>(
    writer: &mut SerializedFileWriter<W>,
    stored: &[Stored],
    held: &[Held],
) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for (stored, held) in stored.iter().zip(held) {
        let levels = Some(held.present.as_slice());
        let repeated = Some(held.repeated.as_slice());
        let parts: &[_] = match stored {
            Stored::Map => &[(&held.texts, repeated), (&held.map_values, repeated)],
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
                ColumnWriter::BoolColumnWriter(w) => {
                    w.write_batch(&held.flags, levels, None)?;
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

#[cfg(test)]
mod tests;
