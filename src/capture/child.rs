//! A command that runs as if nobody watched: it has the terminal, the streams and the signals
//! of whoever started it. Where its errors go to no terminal, their end is remembered.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::process::{ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

/// So many bytes of what it says of errors are remembered.
const TAIL: usize = 8 * 1024;
/// What the command has started may write on when it has ended; nobody waits longer for it.
const GRACE: Duration = Duration::from_millis(100);

/// How a command ended, and the end of what it wrote to standard error, where that was seen.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status or signal.
    pub status: ExitStatus,
    /// The last lines.
    pub tail: Option<String>,
}

/// Runs a command to its end.
///
/// # Errors
/// That it cannot be started.
pub fn run(command: &mut Command, watches_errors: bool) -> io::Result<Ended> {
    if watches_errors {
        command.stderr(Stdio::piped());
    }
    let signals = signals::hold();
    let mut child = command.spawn()?;
    let tail = child.stderr.take().map(follow);
    signals.pass_on_to(&child);
    let status = child.wait()?;
    signals.let_go();
    Ok(Ended {
        status,
        tail: tail.map(Tail::text),
    })
}

/// The end of what a command writes to standard error, as far as it has come.
struct Tail {
    bytes: Arc<Mutex<VecDeque<u8>>>,
    /// Nothing comes once nothing more will be written.
    over: mpsc::Receiver<()>,
}

impl Tail {
    /// What there is of it; what others still write behind the command is not waited for.
    fn text(self) -> String {
        let _ = self.over.recv_timeout(GRACE);
        let bytes: Vec<u8> = lock(&self.bytes).iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn lock(bytes: &Mutex<VecDeque<u8>>) -> MutexGuard<'_, VecDeque<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes on what comes out of a pipe to standard error, and remembers its end.
fn follow(mut pipe: ChildStderr) -> Tail {
    let (ends, over) = mpsc::channel();
    let bytes = Arc::new(Mutex::new(VecDeque::with_capacity(TAIL)));
    let tail = Tail {
        bytes: Arc::clone(&bytes),
        over,
    };
    let follow = move || {
        let _ends: mpsc::Sender<()> = ends;
        let mut buffer = vec![0; 64 * 1024];
        #[expect(
            clippy::disallowed_methods,
            reason = "what a command writes is its own, byte for byte"
        )]
        let mut out = io::stderr();
        loop {
            let read = match pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => &buffer[..read],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            // Whoever does not listen any more is no reason for the command to fail.
            let _ = out.write_all(read).and_then(|()| out.flush());
            let kept = &read[read.len().saturating_sub(TAIL)..];
            let mut tail = lock(&bytes);
            let excess = (tail.len() + kept.len()).saturating_sub(TAIL);
            tail.drain(..excess);
            tail.extend(kept);
        }
    };
    let _ = thread::Builder::new()
        .name("errors".to_owned())
        .spawn(follow);
    tail
}

/// Ends this program by the signal that ended the command, if one did, and gives the exit status
/// otherwise.
pub fn end_like(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        if let Some(signal) = status.signal() {
            let _ = signal_hook::low_level::emulate_default_handler(signal);
            return u8::try_from(128 + signal).unwrap_or(u8::MAX);
        }
    }
    let code = status.code().unwrap_or(1);
    u8::try_from(code & 0xff).unwrap_or(1)
}

/// The name of the signal that ended a command.
pub fn signal(status: ExitStatus) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        let signal = status.signal()?;
        let name = signal_hook::low_level::signal_name(signal);
        Some(name.map_or_else(|| format!("signal {signal}"), str::to_owned))
    }
    #[cfg(not(unix))]
    {
        let _ = status;
        None
    }
}

#[cfg(unix)]
mod signals {
    //! While a command runs, signals are its own: those of a terminal reach it by themselves,
    //! and those that were sent to this program are passed on.

    use std::process::Child;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI32, Ordering};
    use std::thread;

    use rustix::process::{Pid, Signal, kill_process};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    use signal_hook::low_level::emulate_default_handler;

    use crate::signals::is_ignored;

    /// What is to become of a signal.
    pub(super) struct Held {
        /// The command; 0 where there is none.
        child: Arc<AtomicI32>,
    }

    pub(super) fn hold() -> Held {
        let child = Arc::new(AtomicI32::new(0));
        let wanted = [SIGINT, SIGQUIT, SIGTERM, SIGHUP];
        // What this program ignores, the command is to ignore, too.
        let wanted = wanted.into_iter().filter(|signal| !is_ignored(*signal));
        if let Ok(mut signals) = signal_hook::iterator::Signals::new(wanted) {
            let told = Arc::clone(&child);
            // Keys on a terminal reach all programs that it has in front.
            let has_terminal = std::fs::File::open("/dev/tty").is_ok();
            let wait = move || {
                for signal in signals.forever() {
                    let pid = Pid::from_raw(told.load(Ordering::SeqCst));
                    match (pid, Signal::from_named_raw(signal)) {
                        (Some(pid), Some(sent)) => {
                            if !(has_terminal && matches!(signal, SIGINT | SIGQUIT)) {
                                let _ = kill_process(pid, sent);
                            }
                        }
                        _ => {
                            let _ = emulate_default_handler(signal);
                        }
                    }
                }
            };
            let _ = thread::Builder::new()
                .name("signals".to_owned())
                .spawn(wait);
        }
        Held { child }
    }

    impl Held {
        pub(super) fn pass_on_to(&self, child: &Child) {
            let pid = i32::try_from(child.id()).unwrap_or(0);
            self.child.store(pid, Ordering::SeqCst);
        }

        /// From now on signals end this program.
        pub(super) fn let_go(&self) {
            self.child.store(0, Ordering::SeqCst);
        }
    }
}

#[cfg(not(unix))]
mod signals {
    use std::process::Child;

    pub(super) struct Held;

    pub(super) fn hold() -> Held {
        let _ = ctrlc::set_handler(|| {});
        Held
    }

    impl Held {
        pub(super) fn pass_on_to(&self, _: &Child) {}

        pub(super) fn let_go(&self) {}
    }
}
