//! Text as such: what of it may be shown, and how wide it is. Whatever comes from
//! outside reaches a person as [`Clean`], which only sanitising makes. This room
//! knows no other.

mod clean;
pub mod sanitize;
pub mod width;

pub use clean::Clean;
