//! Searches as SQL, for any database in which MLflow keeps traces: filters and orders
//! over the tables that its migrations make. What one kind of database says in another
//! way than the next is its [`Dialect`]; what is best asked of it beforehand are its
//! [`Probes`]. Connections, rows and transactions are the business of its store.

mod condition;
mod dialect;
mod expression;
mod fields;
mod order;
mod parameters;
mod schema;
#[cfg(test)]
mod tests;

pub(super) use self::dialect::{Dialect, Function, Probes};
pub(super) use self::expression::{AMONG, Compiler, FEW_SPANS};
pub(super) use self::order::order;
pub(super) use self::parameters::{Parameters, Value};
pub(super) use self::schema::{Schema, TABLES, Tables};
