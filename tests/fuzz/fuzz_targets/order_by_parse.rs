//! Any text is either refused with a place inside it, or printed as an order
//! that reads back equal. Run with `cargo fuzz run --fuzz-dir tests/fuzz order_by_parse`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mlt::filter::diagnostics::render;
use mlt::filter::parse_order_by;

fuzz_target!(|text: &str| {
    match parse_order_by(text) {
        Ok(order) => assert_eq!(parse_order_by(&order.to_string()), Ok(order)),
        Err(error) => {
            assert!(text.get(error.span.clone()).is_some());
            render(text, &error, true);
        }
    }
});
