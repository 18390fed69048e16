//! A line on standard error that says what a command is doing, once nothing was
//! written for a second: a spinner, or a bar where the end is known. It goes
//! away before anything else is written.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::units;

/// Nothing is shown of what is silent for less.
const SILENCE: Duration = Duration::from_secs(1);
/// Between two pictures of the spinner.
const TICK: Duration = Duration::from_millis(100);
/// What is done where nobody says so.
const WORKING: &str = "working";

/// Shows a sign of life in silence.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spinner {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// What is shown; `None` before the silence has lasted.
    bar: Option<ProgressBar>,
    phase: Phase,
    /// When something was written last.
    quiet_since: Instant,
    /// While the line belongs to others: a prompt, a pager, a line that was begun.
    blocked: bool,
    /// Whether a thread watches already.
    is_watched: bool,
    over: bool,
}

/// What a command is doing, and how far it has come.
#[derive(Debug, Clone, Default)]
struct Phase {
    message: String,
    position: Option<u64>,
    total: Option<u64>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            bar: None,
            phase: Phase::default(),
            quiet_since: Instant::now(),
            blocked: false,
            is_watched: false,
            over: false,
        }
    }
}

impl Spinner {
    /// Watches for silence from now on.
    pub(crate) fn start(&self) {
        let mut state = self.state();
        state.quiet_since = Instant::now();
        if std::mem::replace(&mut state.is_watched, true) {
            return;
        }
        drop(state);
        let shared = Arc::clone(&self.shared);
        // Without the thread there is no spinner, which is no reason to fail.
        let _ = std::thread::Builder::new().spawn(move || shared.watch());
    }

    /// To be called before anything is written to the terminal.
    pub(crate) fn make_way(&self) {
        self.state().hide();
    }

    /// After something was written that may have left a line open.
    pub(crate) fn line_is_open(&self, open: bool) {
        self.state().blocked = open;
    }

    /// Leaves the terminal to others, or takes it back.
    pub(crate) fn block(&self, blocked: bool) {
        let mut state = self.state();
        state.hide();
        state.blocked = blocked;
    }

    /// Ends it for good.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.hide();
        state.over = true;
        self.shared.changed.notify_all();
    }

    /// Says what is done from now on.
    pub(crate) fn progress(&self, message: &str) -> Progress {
        let progress = Progress {
            spinner: self.clone(),
            phase: Phase {
                message: message.to_owned(),
                ..Phase::default()
            },
        };
        progress.tell();
        progress
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) {
        let mut state = self.lock();
        while !state.over {
            if state.is_due(Instant::now()) {
                state.show(ProgressDrawTarget::stderr());
            }
            state = self
                .changed
                .wait_timeout(state, TICK)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl State {
    fn is_due(&self, now: Instant) -> bool {
        self.bar.is_none() && !self.blocked && now.duration_since(self.quiet_since) >= SILENCE
    }

    fn show(&mut self, target: ProgressDrawTarget) {
        // Nothing is drawn before it has its look.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        self.phase.dress(&bar);
        bar.set_draw_target(target);
        bar.enable_steady_tick(TICK);
        self.bar = Some(bar);
    }

    fn hide(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.quiet_since = Instant::now();
    }
}

impl Phase {
    /// Whether no more than the position differs.
    fn looks_like(&self, other: &Self) -> bool {
        let counts = |phase: &Self| phase.position.is_some_and(|position| position > 0);
        self.message == other.message && self.total == other.total && counts(self) == counts(other)
    }

    /// Gives the bar its look, message and position.
    fn dress(&self, bar: &ProgressBar) {
        let message = match self.message.as_str() {
            "" => WORKING.to_owned(),
            message => message.to_owned(),
        };
        bar.set_message(message);
        let template = match (self.total, self.position) {
            (Some(_), _) => "{msg} {wide_bar} {human_pos}/{human_len}",
            (None, Some(position)) if position > 0 => "{spinner} {msg} {human_pos}",
            _ => "{spinner} {msg}",
        };
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        if let Some(total) = self.total {
            bar.set_length(total);
        }
        bar.set_position(self.position.unwrap_or_default());
    }
}

/// How far one thing that a command does has come.
#[derive(Debug)]
pub(crate) struct Progress {
    spinner: Spinner,
    phase: Phase,
}

impl Progress {
    /// With a known end, a bar is drawn.
    #[must_use]
    pub(crate) fn of(mut self, total: usize) -> Self {
        self.phase.total = u64::try_from(total).ok();
        self.tell();
        self
    }

    /// Says how far it has come.
    pub(crate) fn at(&mut self, position: usize) {
        self.phase.position = u64::try_from(position).ok();
        self.tell();
    }

    /// Says how many were looked at to find those that match.
    pub(crate) fn found(&mut self, scanned: usize, matched: usize) {
        if scanned > matched {
            self.phase.message = format!("scanned {}, matched", units::whole(scanned));
        }
        self.at(matched);
    }

    /// Takes the line away: this is done.
    pub(crate) fn clear(&mut self) {
        let mut state = self.spinner.state();
        state.hide();
        state.phase = Phase::default();
    }

    fn tell(&self) {
        let mut state = self.spinner.state();
        let State { bar, phase, .. } = &mut *state;
        if let Some(bar) = bar {
            if phase.looks_like(&self.phase) {
                bar.set_position(self.phase.position.unwrap_or_default());
            } else {
                self.phase.dress(bar);
            }
        }
        phase.clone_from(&self.phase);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later() -> Instant {
        Instant::now() + SILENCE
    }

    #[test]
    fn silence_is_due_for_a_spinner() {
        let spinner = Spinner::default();
        assert!(!spinner.state().is_due(Instant::now()));
        assert!(spinner.state().is_due(later()));
        spinner.block(true);
        assert!(!spinner.state().is_due(later()), "a prompt has the line");
        spinner.block(false);
        spinner.line_is_open(true);
        assert!(!spinner.state().is_due(later()), "half a line is there");
        spinner.line_is_open(false);
        assert!(spinner.state().is_due(later()));
    }

    #[test]
    fn what_is_shown_follows_what_is_done_and_makes_way() {
        let spinner = Spinner::default();
        spinner.state().show(ProgressDrawTarget::hidden());
        let shown = || {
            let state = spinner.state();
            let bar = state.bar.as_ref()?;
            Some((bar.message(), bar.position(), bar.length()))
        };
        assert_eq!(shown(), Some((WORKING.into(), 0, None)));
        let mut progress = spinner.progress("fetching").of(5);
        progress.at(2);
        assert_eq!(shown(), Some(("fetching".into(), 2, Some(5))));
        spinner.make_way();
        assert_eq!(shown(), None);
        progress.found(1200, 3);
        spinner.state().show(ProgressDrawTarget::hidden());
        assert_eq!(shown(), Some(("scanned 1,200, matched".into(), 3, Some(5))));
        drop(progress);
        assert_eq!(shown(), None);
        assert_eq!(spinner.state().phase.message, "");
    }
}
