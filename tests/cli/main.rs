//! End-to-end tests of the `mlt` binary.
