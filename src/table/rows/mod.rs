//! What tables are of, and the columns of each: a column is here and nowhere else.

pub mod latency;
pub mod spans;
pub mod stretches;
pub mod traces;
