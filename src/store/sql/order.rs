//! Orders as SQL.

use super::{Parameters, Schema, fields};
use crate::field::Field;
use crate::filter::OrderBy;

/// The server's order: missing values last in both directions, ties by time and id.
pub(in crate::store) fn order(
    schema: &Schema,
    order_by: &OrderBy,
    parameters: &mut Parameters,
) -> String {
    let mut terms = Vec::new();
    for item in order_by.items() {
        let direction = if item.descending { " DESC" } else { "" };
        let sql = match &item.key {
            // Ids are numbers, and sorted as such.
            Field::Experiment => Some("t.experiment_id".to_owned()),
            key => fields::value(schema, parameters, key, false).map(|sql| {
                if key.is_numeric() {
                    sql
                } else {
                    parameters.dialect.in_order(&sql)
                }
            }),
        };
        // What no store sorts by is sorted above the stores.
        let Some(sql) = sql else {
            continue;
        };
        let always_there = matches!(
            item.key,
            Field::Timestamp | Field::Status | Field::RequestId | Field::Experiment
        );
        if !always_there {
            terms.push(format!("{sql} IS NULL"));
        }
        terms.push(format!("{sql}{direction}"));
    }
    for (key, term) in [
        (Field::Timestamp, "t.timestamp_ms DESC".to_owned()),
        (
            Field::RequestId,
            parameters.dialect.in_order("t.request_id"),
        ),
    ] {
        if order_by.items().iter().all(|item| item.key != key) {
            terms.push(term);
        }
    }
    terms.join(", ")
}
