//! Rows as JSON: an object for each, with the columns' names for machines as keys, in
//! their order.

use std::borrow::Cow;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Column, Datum, Rows};

/// A row.
pub struct RowJson<'a, R: Rows> {
    /// What is said of it.
    pub columns: &'a [Column<R>],
    /// The row itself.
    pub row: &'a R::Row<'a>,
}

impl<R: Rows> std::fmt::Debug for RowJson<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowJson").finish_non_exhaustive()
    }
}

impl<R: Rows> Serialize for RowJson<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for column in self.columns {
            map.serialize_entry(column.name(), &column.value(self.row))?;
        }
        map.end()
    }
}

/// Rows in a list.
pub struct RowsJson<'a, R: Rows> {
    /// What is said of each.
    pub columns: &'a [Column<R>],
    /// The rows themselves.
    pub rows: &'a [R::Row<'a>],
}

impl<R: Rows> std::fmt::Debug for RowsJson<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowsJson").finish_non_exhaustive()
    }
}

impl<R: Rows> Serialize for RowsJson<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = self.columns;
        serializer.collect_seq(self.rows.iter().map(|row| RowJson { columns, row }))
    }
}

impl Serialize for Datum<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Missing => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::State(word) => serializer.serialize_str(word),
            Self::Integer(n) | Self::Duration(n) => serializer.serialize_i64(*n),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Time(time) => serializer.collect_str(time),
            Self::Float(_) | Self::Money(_) | Self::Share(_) | Self::Part(..) | Self::Score(_) => {
                self.number().serialize(serializer)
            }
            Self::Map(map) => map.serialize(serializer),
            Self::Pairs(pairs) => serializer.collect_map(pairs.iter().map(|(k, v)| (k, v))),
            Self::List(texts) => texts.serialize(serializer),
            Self::Json(text) => {
                // In JSON text a line feed can only stand between values; JSON lines cannot have it there.
                let line = if text.contains(['\n', '\r']) {
                    Cow::Owned(text.replace(['\n', '\r'], " "))
                } else {
                    Cow::Borrowed(&**text)
                };
                match serde_json::from_str::<&RawValue>(&line) {
                    Ok(json) => json.serialize(serializer),
                    Err(_) => serializer.serialize_str(text),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TraceInfo;
    use crate::table::Kind;

    type C = Column<TraceInfo>;

    #[test]
    fn a_row_is_an_object_in_the_order_of_its_columns() {
        let mut info = TraceInfo::new("tr-1");
        info.tags.insert("env".into(), "prod".into());
        info.request_preview = Some("{\"a\":\n1}".into());
        info.response_preview = Some("not\njson".into());
        let columns = [
            C::new("z", Kind::Number, |_| Datum::Float(1.0)),
            C::new("trace_id", Kind::Id, |info| Datum::text(&info.trace_id)),
            C::new("none", Kind::Share, |_| Datum::Part(1, 0)),
            C::new("tags", Kind::Map, |info| Datum::Map(&info.tags)),
            C::new("request", Kind::Json, |info| {
                Datum::some(Datum::Json, info.previews().0.map(Cow::Borrowed))
            }),
            C::new("response", Kind::Json, |info| {
                Datum::some(Datum::Json, info.previews().1.map(Cow::Borrowed))
            }),
        ];
        let row = RowJson {
            columns: &columns,
            row: &info,
        };
        assert_eq!(
            serde_json::to_string(&row).unwrap(),
            r#"{"z":1.0,"trace_id":"tr-1","none":null,"tags":{"env":"prod"},"request":{"a": 1},"response":"not\njson"}"#
        );
    }
}
