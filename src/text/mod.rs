//! Text as such: what of it may be shown, and how wide it is. Whatever comes from
//! outside reaches a person as [`Clean`], which only sanitising makes: standard error
//! takes it from `terminal`, layouts for standard output write it to a [`Sheet`], and
//! cells and their tables are made of it. Formats for machines have escapes of their
//! own and write bytes. This room knows no other.

mod clean;
pub mod sanitize;
mod sheet;
pub mod width;

pub use clean::Clean;
pub use sheet::Sheet;

/// A name, or what stands for it where it is empty.
pub fn named(name: &str) -> &str {
    match name {
        "" => "(no name)",
        name => name,
    }
}
