//! The `mlt` binary.

fn main() {}
