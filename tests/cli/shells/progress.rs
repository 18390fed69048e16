//! A sign of life on a terminal: whoever waits sees that something is going on,
//! and nothing of it is left when the answer comes.

use std::process::Command;
use std::time::Duration;

use crate::support::fake::{EXPERIMENTS, Fake, SEARCH, experiments, page};

/// Runs a command line on a terminal of its own, 80 columns wide.
const ON_A_TERMINAL: &str = "\
import fcntl, os, pty, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
    os.execv(sys.argv[1], sys.argv[1:])
try:
    while output := os.read(terminal, 65536):
        sys.stdout.buffer.write(output)
except OSError:
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";

/// What is written to the terminal, escapes included.
fn on_a_terminal(words: &[&str], uri: &str) -> String {
    let output = Command::new("python3")
        .args(["-c", ON_A_TERMINAL, env!("CARGO_BIN_EXE_mlt")])
        .args(words)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", "/nonexistent")
        .env("TERM", "xterm")
        .env("TZ", "UTC")
        .env("PAGER", "cat")
        .env("MLFLOW_TRACKING_URI", uri)
        .output()
        .expect("python3 is there");
    let text = String::from_utf8(output.stdout).expect("it is UTF-8");
    assert!(output.status.success(), "{words:?}: {text}");
    text
}

/// Longer than anybody waits without a doubt.
const PAUSE: Duration = Duration::from_millis(2500);

#[test]
fn waiting_is_shown_and_leaves_nothing_behind() {
    for (words, said) in [
        (&["search", "-x", "1"][..], "searching"),
        (&["search", "-x", "1", "--count"], "counting"),
        (&["latency", "-x", "1", "--all"], "fetching traces"),
    ] {
        let fake = Fake::with_traces().on("POST", SEARCH, page(1..2, None).late(PAUSE));
        let text = on_a_terminal(words, &fake.uri());
        let (_, after) = text
            .rsplit_once(said)
            .unwrap_or_else(|| panic!("{words:?}: {text:?}"));
        assert!(after.contains("\x1b[2K"), "the line is cleared: {text:?}");
        assert!(after.contains('1'), "the answer comes then: {text:?}");
    }
}

#[test]
fn what_comes_before_the_traces_is_waited_for_with_a_sign_too() {
    let late = experiments(&[("1", "shop")]).late(PAUSE);
    let fake = Fake::with_traces().on("POST", EXPERIMENTS, late);
    let text = on_a_terminal(&["search"], &fake.uri());
    assert!(text.contains("searching"), "{text:?}");
}
