//! What the tests run mlt with: a clean environment, real MLflow servers, and a
//! server that misbehaves.

pub(crate) mod backends;
pub(crate) mod browser;
pub(crate) mod databases;
pub(crate) mod env;
pub(crate) mod fake;
pub(crate) mod mlflow;
pub(crate) mod mysql;
pub(crate) mod postgres;
pub(crate) mod venv;
pub(crate) mod writer;

pub(crate) use env::{Mlt, Outcome, line_on_the_demo, mlt, without_link};

/// Characters that move a cursor, hide, or turn text around.
pub(crate) fn is_dangerous(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(
            c,
            '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{feff}' | '\u{2028}' | '\u{2029}'
        )
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2060}'..='\u{206f}').contains(&c)
}
