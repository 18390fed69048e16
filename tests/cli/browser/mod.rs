//! What needs a browser.

mod report;
