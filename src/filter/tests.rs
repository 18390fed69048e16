//! The language as a whole, by subject.

mod accepted;
mod drawn;
mod random;
pub(super) mod refused;
mod units;
