//! The `mlt` binary: all of it is in the library.

use std::process::ExitCode;

// Spans are made in one thread and dropped in another, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(mlt::run(std::env::args_os()))
}
