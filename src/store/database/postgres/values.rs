//! Values on their way to PostgreSQL, and those of its rows.

use std::error::Error;

use bytes::BytesMut;
use postgres::types::{Format, FromSql, IsNull, ToSql, Type};

use crate::store::database::link::{Arg, Odd};
use crate::store::sql::{self, Cell};

type Fault = Box<dyn Error + Sync + Send>;

/// The type that a value is sent as.
pub(super) fn type_of(arg: &Arg<'_>) -> Type {
    match arg {
        Arg::Null | Arg::Text(_) => Type::TEXT,
        Arg::Integer(_) => Type::INT8,
        // Compared with whole numbers, a double would make doubles of these.
        Arg::Real(_) => Type::NUMERIC,
        Arg::Texts(_) => Type::TEXT_ARRAY,
    }
}

impl ToSql for Arg<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        match self {
            Arg::Null => Ok(IsNull::Yes),
            Arg::Integer(number) => number.to_sql(ty, out),
            Arg::Real(number) => {
                out.extend_from_slice(decimal(*number).as_bytes());
                Ok(IsNull::No)
            }
            Arg::Text(text) => text.to_sql(ty, out),
            Arg::Texts(texts) => texts.to_sql(ty, out),
        }
    }

    fn accepts(_ty: &Type) -> bool {
        true
    }

    fn encode_format(&self, _ty: &Type) -> Format {
        match self {
            Arg::Real(_) => Format::Text,
            _ => Format::Binary,
        }
    }

    postgres::types::to_sql_checked!();
}

/// The number itself: all digits of a large one, and not the fewest that tell it apart.
fn decimal(number: f64) -> String {
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    if number.is_infinite() {
        let sign = if number < 0.0 { "-" } else { "" };
        format!("{sign}Infinity")
    } else if number.abs() >= WHOLE {
        format!("{number:.0}")
    } else {
        number.to_string()
    }
}

/// A value as it came.
struct Raw<'a>(Cell<'a>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        Ok(Self(match *ty {
            Type::BOOL => Cell::Integer(bool::from_sql(ty, raw)?.into()),
            Type::INT2 => Cell::Integer(i16::from_sql(ty, raw)?.into()),
            Type::INT4 => Cell::Integer(i32::from_sql(ty, raw)?.into()),
            Type::INT8 => Cell::Integer(i64::from_sql(ty, raw)?),
            Type::FLOAT4 => Cell::Real(f32::from_sql(ty, raw)?.into()),
            Type::FLOAT8 => Cell::Real(f64::from_sql(ty, raw)?),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::JSON => {
                Cell::Text(raw)
            }
            _ => Cell::Bytes(raw),
        }))
    }

    fn from_sql_null(_ty: &Type) -> Result<Self, Fault> {
        Ok(Self(Cell::Null))
    }

    fn accepts(_ty: &Type) -> bool {
        true
    }
}

impl sql::Row for postgres::Row {
    type Error = Odd;

    fn cell(&self, at: usize) -> Result<Cell<'_>, Odd> {
        match self.try_get::<_, Raw<'_>>(at) {
            Ok(Raw(cell)) => Ok(cell),
            Err(_) => Err(self.odd("its answer", at, "expected a value, found none that is one")),
        }
    }

    fn odd(&self, table: &str, at: usize, message: &'static str) -> Odd {
        let column = self.columns().get(at).map_or("", |column| column.name());
        Odd {
            column: format!("{table}.{column}"),
            message,
        }
    }
}
