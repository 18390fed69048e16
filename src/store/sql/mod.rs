//! Searches as SQL, for any database in which MLflow keeps traces: filters and orders
//! over the tables that its migrations make. What one kind of database says in another
//! way than the next is its [`Dialect`]; what is best asked of it beforehand are its
//! [`Probes`]; what comes back are its [`Row`]s, from which traces, spans and assessments
//! are read here. Connections and transactions are the business of its store.

pub(super) mod assessed;
mod condition;
mod dialect;
mod expression;
mod fields;
pub(super) mod info;
mod order;
mod parameters;
pub(super) mod row;
mod schema;
pub(super) mod spans;
#[cfg(test)]
mod tests;
mod workspace;

pub(super) use self::dialect::{Dialect, Function, Probes};
pub(super) use self::expression::{AMONG, Compiler, FEW_SPANS};
pub(super) use self::order::order;
pub(super) use self::parameters::{Parameters, Value};
pub(super) use self::row::{Cell, Row};
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(super) use self::schema::ROLLUP_QUEUE;
pub(super) use self::schema::{BELONGING, Schema, TABLES, Tables};
pub(super) use self::workspace::Workspace;
