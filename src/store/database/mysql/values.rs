//! Values on their way to MySQL, and those of its rows.

use std::sync::Arc;

use mysql_common::Value;
use mysql_common::constants::ColumnType as Kind;
use mysql_common::io::BufMutExt as _;
use mysql_common::packets::Column;
use mysql_common::proto::Binary;
use mysql_common::row::RowDeserializer;
use mysql_common::value::ServerSide;

use super::packet::{self, Malformed};
use crate::store::database::link::{Arg, Odd};
use crate::store::sql::{self, Cell};

/// The character set of what is no text.
const BINARY: u16 = 63;

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
                Kind::MYSQL_TYPE_LONGLONG
            }
            Arg::Real(number) => {
                if let Some(digits) = decimal(*number) {
                    data.put_lenenc_str(digits.as_bytes());
                    Kind::MYSQL_TYPE_NEWDECIMAL
                } else {
                    data.extend_from_slice(&number.to_le_bytes());
                    Kind::MYSQL_TYPE_DOUBLE
                }
            }
            Arg::Text(text) => {
                data.put_lenenc_str(text.as_bytes());
                Kind::MYSQL_TYPE_VAR_STRING
            }
            // Several texts come one by one.
            Arg::Null | Arg::Texts(_) => {
                missing[at / 8] |= 1 << (at % 8);
                Kind::MYSQL_TYPE_NULL
            }
        };
        types.extend_from_slice(&[kind as u8, 0]);
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

/// A column of an answer, unless its values are of a type that none is sent in.
pub(super) fn column(packet: &[u8]) -> Result<Column, Malformed> {
    let column: Column = packet::read(packet, ())?;
    // `mysql_common` panics at their values.
    match column.column_type() {
        Kind::MYSQL_TYPE_TIMESTAMP2
        | Kind::MYSQL_TYPE_DATETIME2
        | Kind::MYSQL_TYPE_TIME2
        | Kind::MYSQL_TYPE_TYPED_ARRAY
        | Kind::MYSQL_TYPE_UNKNOWN => Err(Malformed),
        _ => Ok(column),
    }
}

/// A row of an answer.
#[derive(Debug)]
pub(in crate::store::database) struct Row(mysql_common::Row);

impl Row {
    pub(super) fn read(columns: &Arc<[Column]>, packet: &[u8]) -> Result<Self, Malformed> {
        let row: RowDeserializer<ServerSide, Binary> = packet::read(packet, Arc::clone(columns))?;
        Ok(Self(row.into_inner()))
    }
}

/// A sum of whole numbers is one.
fn number(digits: &[u8]) -> Option<Cell<'static>> {
    let digits = std::str::from_utf8(digits).ok()?;
    let whole = digits.parse().map(Cell::Integer);
    whole.or_else(|_| digits.parse().map(Cell::Real)).ok()
}

impl Row {
    /// A step of how the server goes about a statement, of a row of `EXPLAIN`.
    pub(super) fn step(&self) -> String {
        let said = |name: &str| {
            let is_it = |column: &Column| column.name_ref().eq_ignore_ascii_case(name.as_bytes());
            let at = self.0.columns_ref().iter().position(is_it)?;
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
        let (Some(value), Some(column)) = (self.0.as_ref(at), self.0.columns_ref().get(at)) else {
            return Err(self.odd("its answer", at, "expected a value, found none"));
        };
        Ok(match value {
            Value::NULL => Cell::Null,
            Value::Int(number) => Cell::Integer(*number),
            #[allow(clippy::cast_precision_loss)] // There are no such numbers in MLflow's tables.
            Value::UInt(number) => Cell::Real(*number as f64),
            Value::Float(number) => Cell::Real((*number).into()),
            Value::Double(number) => Cell::Real(*number),
            Value::Bytes(digits) if is_decimal(column) => number(digits)
                .ok_or_else(|| self.odd("its answer", at, "expected a number, found none"))?,
            Value::Bytes(text) if column.character_set() != BINARY => Cell::Text(text),
            Value::Bytes(bytes) => Cell::Bytes(bytes),
            Value::Date(..) | Value::Time(..) => {
                return Err(self.odd("its answer", at, "expected no time, found one"));
            }
        })
    }

    fn odd(&self, table: &str, at: usize, message: &'static str) -> Odd {
        let column = self.0.columns_ref().get(at);
        let column = column.map_or_else(String::new, |column| column.name_str().into_owned());
        Odd {
            column: format!("{table}.{column}"),
            message,
        }
    }
}

fn is_decimal(column: &Column) -> bool {
    matches!(
        column.column_type(),
        Kind::MYSQL_TYPE_DECIMAL | Kind::MYSQL_TYPE_NEWDECIMAL
    )
}

#[cfg(test)]
mod tests {
    use mysql_common::constants::ColumnFlags;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::login::Greeting;
    use super::*;
    use crate::store::sql::Row as _;

    fn column(kind: Kind, is_text: bool, is_unsigned: bool) -> Column {
        let flags = if is_unsigned {
            ColumnFlags::UNSIGNED_FLAG
        } else {
            ColumnFlags::empty()
        };
        Column::new(kind)
            .with_character_set(if is_text { 45 } else { BINARY })
            .with_flags(flags)
    }

    #[test]
    fn rows_are_read_by_the_types_of_their_columns() {
        let columns: Arc<[Column]> = [
            column(Kind::MYSQL_TYPE_TINY, false, false),
            column(Kind::MYSQL_TYPE_LONGLONG, false, true),
            column(Kind::MYSQL_TYPE_VAR_STRING, true, false),
            column(Kind::MYSQL_TYPE_LONG, false, false),
            column(Kind::MYSQL_TYPE_NEWDECIMAL, false, false),
            column(Kind::MYSQL_TYPE_NEWDECIMAL, false, false),
            column(Kind::MYSQL_TYPE_BLOB, false, false),
            column(Kind::MYSQL_TYPE_DOUBLE, false, false),
        ]
        .into();
        // The fourth is missing.
        let mut packet = vec![0, 1 << 5, 0, 0xff];
        packet.extend_from_slice(&7_u64.to_le_bytes());
        for text in ["né", "12", "1.5", "b"] {
            packet.put_lenenc_str(text.as_bytes());
        }
        packet.extend_from_slice(&0.5_f64.to_le_bytes());
        let row = Row::read(&columns, &packet).unwrap();
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
            assert!(Row::read(&columns, &packet[..length]).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_packet_is_too_odd_to_be_refused(packet in vec(any::<u8>(), 0..64)) {
            let _ = super::column(&packet);
            let _ = Greeting::read(&packet);
            let row = [&[0, 0], &packet[..]].concat();
            for kind in 0..=u8::MAX {
                let of_kind = *b"\x03def\0\0\0\x01c\0\x0c\x3f\0\0\0\0\0";
                let column = super::column(&[&of_kind[..], &[kind], &[0; 5]].concat());
                if let Ok(column) = column {
                    let row = Row::read(&[column].into(), &row);
                    prop_assert!(row.is_err() || row.unwrap().cell(1).is_err());
                }
            }
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
