//! What tables are of, and the columns of each: a column is here and nowhere else.

pub mod assessments;
pub mod diff;
pub mod errors;
pub mod experiments;
pub mod keys;
pub mod latency;
pub mod many;
pub mod reports;
pub mod sessions;
pub mod spans;
pub mod stats;
pub mod stretches;
pub mod tools;
pub mod totals;
pub mod traces;
