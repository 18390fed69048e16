//! What interrupts, hang-ups and termination do beside ending the program: files in
//! the making and questions that others work at are given up first, what is left is said,
//! and while a pager runs, an interrupt is the pager's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use crate::file::give_up_all;

/// Whether a pager has the terminal.
static PAGED: AtomicBool = AtomicBool::new(false);

/// From now on unfinished files are given up when the program is told to end. Where
/// that cannot be had, signals end it at once.
pub(crate) fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(begin);
}

/// Whether an interrupt is left to a pager; mlt ends when that does.
pub(crate) fn leave_to_pager(there_is_one: bool) {
    PAGED.store(there_is_one, Ordering::Relaxed);
    watch();
}

type Act = Box<dyn Fn() + Send>;

/// What is done before the program is ended by a signal.
static ACTS: Mutex<Vec<(u64, Act)>> = Mutex::new(Vec::new());

/// Something that is done then, for as long as this is there.
pub(crate) struct AtEnd(u64);

/// Does something before the program is ended by a signal, which waits for it.
pub(crate) fn at_end(act: impl Fn() + Send + 'static) -> AtEnd {
    watch();
    let mut acts = ACTS.lock().unwrap_or_else(PoisonError::into_inner);
    let number = acts.last().map_or(0, |(last, _)| last + 1);
    acts.push((number, Box::new(act)));
    AtEnd(number)
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        let mut acts = ACTS.lock().unwrap_or_else(PoisonError::into_inner);
        acts.retain(|(number, _)| *number != self.0);
    }
}

fn act() {
    for (_, act) in &*ACTS.lock().unwrap_or_else(PoisonError::into_inner) {
        act();
    }
}

#[cfg(unix)]
fn begin() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::low_level::emulate_default_handler;

    let wanted = [SIGINT, SIGTERM, SIGHUP, SIGXFSZ];
    let wanted = wanted.into_iter().filter(|signal| !is_ignored(*signal));
    let Ok(mut signals) = signal_hook::iterator::Signals::new(wanted) else {
        return;
    };
    let wait = move || {
        for signal in signals.forever() {
            // That a file may not grow is told to whoever writes it, too.
            if signal == SIGXFSZ || (signal == SIGINT && PAGED.load(Ordering::Relaxed)) {
                continue;
            }
            // Held to the end, lest a file be begun in between.
            let _held = give_up_all();
            act();
            let _ = emulate_default_handler(signal);
        }
    };
    let _ = std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(wait);
}

/// Whether the program was started with a signal turned off, as `nohup` does, and
/// shells do for what runs in the background.
#[cfg(unix)]
pub(crate) fn is_ignored(signal: i32) -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        // Where that cannot be found out, a hang-up ends the program or does not, as it
        // would have.
        return signal == signal_hook::consts::SIGHUP;
    };
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(not(unix))]
fn begin() {
    let _ = ctrlc::set_handler(|| {
        if !PAGED.load(Ordering::Relaxed) {
            let _held = give_up_all();
            act();
            std::process::exit(130);
        }
    });
}
