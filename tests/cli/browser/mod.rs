//! What needs a browser.

mod report;
mod said;
