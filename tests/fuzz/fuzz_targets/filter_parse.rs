//! Any text is either refused with a place inside it, or printed as a filter
//! that reads back equal. Run with `cargo fuzz run --fuzz-dir tests/fuzz filter_parse`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mlt::filter::diagnostics::{render, render_warning};
use mlt::filter::parse;

fuzz_target!(|text: &str| {
    match parse(text) {
        Ok(filter) => {
            for warning in filter.warnings() {
                assert!(text.get(warning.span.clone()).is_some());
                render_warning(text, warning, true);
            }
            assert_eq!(parse(&filter.to_string()), Ok(filter));
        }
        Err(error) => {
            assert!(text.get(error.span.clone()).is_some());
            render(text, &error, true);
        }
    }
});
