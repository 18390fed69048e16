//! Values on their way to MySQL, and those of its rows.

use std::ops::Range;
use std::sync::Arc;

use super::packet::{Bytes, Malformed, put_counted};
use crate::store::database::link::{Arg, Odd};
use crate::store::sql::{self, Cell};

/// Types of values, as the protocol numbers them.
mod of {
    pub(super) const TINY: u8 = 1;
    pub(super) const SHORT: u8 = 2;
    pub(super) const LONG: u8 = 3;
    pub(super) const FLOAT: u8 = 4;
    pub(super) const DOUBLE: u8 = 5;
    pub(super) const NULL: u8 = 6;
    pub(super) const LONGLONG: u8 = 8;
    pub(super) const INT24: u8 = 9;
    pub(super) const YEAR: u8 = 13;
    pub(super) const DECIMALS: [u8; 2] = [0, 0xf6];
    pub(super) const NEWDECIMAL: u8 = 0xf6;
    pub(super) const VAR_STRING: u8 = 0xfd;
    /// Dates and times, behind their length in a byte.
    pub(super) const TIMES: [u8; 4] = [7, 10, 11, 12];
}

/// The character set of what is no text.
const BINARY: u16 = 63;
/// The flag of a column without negative numbers.
const UNSIGNED: u16 = 0x20;

/// Adds the types and the values of a statement, as it is executed with them.
pub(super) fn put(out: &mut Vec<u8>, values: &[&Arg<'_>]) {
    if values.is_empty() {
        return;
    }
    let mut missing = vec![0_u8; values.len().div_ceil(8)];
    let (mut types, mut data) = (Vec::new(), Vec::new());
    for (at, value) in values.iter().enumerate() {
        let kind = match value {
            Arg::Integer(number) => {
                data.extend_from_slice(&number.to_le_bytes());
                of::LONGLONG
            }
            Arg::Real(number) => {
                if let Some(digits) = decimal(*number) {
                    put_counted(&mut data, digits.as_bytes());
                    of::NEWDECIMAL
                } else {
                    data.extend_from_slice(&number.to_le_bytes());
                    of::DOUBLE
                }
            }
            Arg::Text(text) => {
                put_counted(&mut data, text.as_bytes());
                of::VAR_STRING
            }
            // Several texts come one by one.
            Arg::Null | Arg::Texts(_) => {
                missing[at / 8] |= 1 << (at % 8);
                of::NULL
            }
        };
        types.extend_from_slice(&[kind, 0]);
    }
    out.extend_from_slice(&missing);
    out.push(1);
    out.extend_from_slice(&types);
    out.extend_from_slice(&data);
}

/// All digits of a number with which whole numbers cannot be compared as doubles without
/// some of them becoming equal to it.
fn decimal(number: f64) -> Option<String> {
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    const DIGITS: f64 = 1e60;
    let is_near = number.abs() >= WHOLE && number.abs() < DIGITS;
    is_near.then(|| format!("{number:.0}"))
}

/// A column of an answer.
#[derive(Debug)]
pub(super) struct Column {
    name: String,
    kind: u8,
    is_text: bool,
    is_unsigned: bool,
}

impl Column {
    pub(super) fn read(packet: &[u8]) -> Result<Self, Malformed> {
        let mut bytes = Bytes(packet);
        for _catalog_schema_table_and_its_own in 0..4 {
            bytes.counted()?;
        }
        let name = String::from_utf8_lossy(bytes.counted()?).into_owned();
        let _own_name = bytes.counted()?;
        let _length_of_the_rest = bytes.number()?;
        let charset = bytes.u16()?;
        let _width = bytes.u32()?;
        let kind = bytes.byte()?;
        let flags = bytes.u16()?;
        Ok(Self {
            name,
            kind,
            is_text: charset != BINARY,
            is_unsigned: flags & UNSIGNED != 0,
        })
    }
}

/// A row of an answer.
#[derive(Debug)]
pub(in crate::store::database) struct Row {
    columns: Arc<[Column]>,
    packet: Vec<u8>,
    values: Vec<Value>,
}

#[derive(Debug)]
enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(Range<usize>),
    Bytes(Range<usize>),
}

impl Row {
    pub(super) fn read(columns: &Arc<[Column]>, packet: Vec<u8>) -> Result<Self, Malformed> {
        let mut bytes = Bytes(&packet);
        let _head = bytes.byte()?;
        // The first two bits are of no column.
        let missing = bytes.take((columns.len() + 9) / 8)?;
        let is_missing = |at: usize| missing[(at + 2) / 8] & (1 << ((at + 2) % 8)) != 0;
        let mut values = Vec::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            values.push(if is_missing(at) {
                Value::Null
            } else {
                value(column, &mut bytes, packet.len())?
            });
        }
        Ok(Self {
            columns: Arc::clone(columns),
            values,
            packet,
        })
    }
}

/// The next value of the row, of so many bytes, of which these have not been read.
fn value(column: &Column, bytes: &mut Bytes<'_>, length: usize) -> Result<Value, Malformed> {
    let signed = |own: i64, unsigned: u64| {
        if column.is_unsigned {
            whole(unsigned)
        } else {
            Value::Integer(own)
        }
    };
    Ok(match column.kind {
        of::NULL => Value::Null,
        of::TINY => {
            let [byte] = bytes.array()?;
            signed(byte.cast_signed().into(), byte.into())
        }
        of::SHORT | of::YEAR => {
            let number = bytes.u16()?;
            signed(number.cast_signed().into(), number.into())
        }
        of::LONG | of::INT24 => {
            let number = bytes.u32()?;
            signed(number.cast_signed().into(), number.into())
        }
        of::LONGLONG => {
            let number = u64::from_le_bytes(bytes.array()?);
            signed(number.cast_signed(), number)
        }
        of::FLOAT => Value::Real(f32::from_le_bytes(bytes.array()?).into()),
        of::DOUBLE => Value::Real(f64::from_le_bytes(bytes.array()?)),
        kind if of::TIMES.contains(&kind) => {
            let count = bytes.byte()?;
            let read = bytes.take(count.into())?;
            let end = length - bytes.0.len();
            Value::Bytes(end - read.len()..end)
        }
        kind => {
            let read = bytes.counted()?;
            let end = length - bytes.0.len();
            let range = end - read.len()..end;
            if of::DECIMALS.contains(&kind) {
                // A sum of whole numbers is one.
                let digits = std::str::from_utf8(read).map_err(|_| Malformed)?;
                match digits.parse() {
                    Ok(number) => Value::Integer(number),
                    Err(_) => Value::Real(digits.parse().map_err(|_| Malformed)?),
                }
            } else if column.is_text {
                Value::Text(range)
            } else {
                Value::Bytes(range)
            }
        }
    })
}

#[allow(clippy::cast_precision_loss)] // There are no such numbers in MLflow's tables.
fn whole(number: u64) -> Value {
    match i64::try_from(number) {
        Ok(number) => Value::Integer(number),
        Err(_) => Value::Real(number as f64),
    }
}

impl Row {
    /// A step of how the server goes about a statement, of a row of `EXPLAIN`.
    pub(super) fn step(&self) -> String {
        let said = |name: &str| {
            let is_it = |column: &Column| column.name.eq_ignore_ascii_case(name);
            let at = self.columns.iter().position(is_it)?;
            Some(match sql::Row::cell(self, at).ok()? {
                Cell::Null => return None,
                Cell::Integer(number) => number.to_string(),
                Cell::Real(number) => number.to_string(),
                Cell::Text(bytes) | Cell::Bytes(bytes) => {
                    String::from_utf8_lossy(bytes).into_owned()
                }
            })
        };
        let part = |before: &str, name: &str| {
            let value = said(name).filter(|value| !value.is_empty());
            value.map_or(String::new(), |value| format!("{before}{value}"))
        };
        let parts = [
            said("table").unwrap_or_else(|| "no table".to_owned()),
            part(" by ", "type"),
            part(" of ", "key"),
            part(", rows: ", "rows"),
            part(", ", "Extra"),
        ];
        parts.concat()
    }
}

impl sql::Row for Row {
    type Error = Odd;

    fn cell(&self, at: usize) -> Result<Cell<'_>, Odd> {
        match self.values.get(at) {
            None => Err(self.odd("its answer", at, "expected a value, found none")),
            Some(Value::Null) => Ok(Cell::Null),
            Some(Value::Integer(number)) => Ok(Cell::Integer(*number)),
            Some(Value::Real(number)) => Ok(Cell::Real(*number)),
            Some(Value::Text(range)) => Ok(Cell::Text(&self.packet[range.clone()])),
            Some(Value::Bytes(range)) => Ok(Cell::Bytes(&self.packet[range.clone()])),
        }
    }

    fn odd(&self, table: &str, at: usize, message: &'static str) -> Odd {
        let column = self.columns.get(at).map_or("", |column| &column.name);
        Odd {
            column: format!("{table}.{column}"),
            message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::Row as _;

    fn column(kind: u8, is_text: bool, is_unsigned: bool) -> Column {
        let name = "c".to_owned();
        Column {
            name,
            kind,
            is_text,
            is_unsigned,
        }
    }

    #[test]
    fn rows_are_read_by_the_types_of_their_columns() {
        let columns: Arc<[Column]> = [
            column(of::TINY, false, false),
            column(of::LONGLONG, false, true),
            column(of::VAR_STRING, true, false),
            column(of::LONG, false, false),
            column(of::NEWDECIMAL, false, false),
            column(of::NEWDECIMAL, false, false),
            column(0xfc, false, false),
            column(of::DOUBLE, false, false),
        ]
        .into();
        // The fourth is missing.
        let mut packet = vec![0, 1 << 5, 0, 0xff];
        packet.extend_from_slice(&7_u64.to_le_bytes());
        for text in ["né", "12", "1.5", "b"] {
            put_counted(&mut packet, text.as_bytes());
        }
        packet.extend_from_slice(&0.5_f64.to_le_bytes());
        let row = Row::read(&columns, packet.clone()).unwrap();
        let cells: Vec<Cell<'_>> = (0..8).map(|at| row.cell(at).unwrap()).collect();
        let expected = [
            Cell::Integer(-1),
            Cell::Integer(7),
            Cell::Text("né".as_bytes()),
            Cell::Null,
            Cell::Integer(12),
            Cell::Real(1.5),
            Cell::Bytes(b"b"),
            Cell::Real(0.5),
        ];
        assert_eq!(cells, expected);
        assert!(row.cell(8).is_err());
        for length in 0..packet.len() {
            assert!(Row::read(&columns, packet[..length].to_vec()).is_err());
        }
    }

    #[test]
    fn only_what_is_no_whole_number_by_itself_is_sent_as_a_double() {
        assert_eq!(decimal(0.1), None);
        assert_eq!(decimal(-4.0), None);
        assert_eq!(decimal(1e300), None);
        assert_eq!(decimal(f64::INFINITY), None);
        assert_eq!(
            decimal(9_007_199_254_740_992.0).as_deref(),
            Some("9007199254740992")
        );
        assert_eq!(decimal(-1e22).as_deref(), Some("-10000000000000000000000"));
    }
}
