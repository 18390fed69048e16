//! What the operating system says went wrong, as it is told to people.

use std::io;

/// The operating system's words without Rust's `(os error 2)`.
pub(crate) fn plain_io_reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}
