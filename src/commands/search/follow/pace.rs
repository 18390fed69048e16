//! How long to wait between two looks at a store: little while traces arrive, more while
//! none do, never so little that the store is kept busy, and longer and longer while it
//! cannot be asked.

use std::time::Duration;

/// While traces arrive.
const SHORTEST: Duration = Duration::from_millis(500);
/// While none do.
pub(super) const LONGEST: Duration = Duration::from_secs(5);
/// While the store cannot be asked.
const LONGEST_AFTER_FAILURES: Duration = Duration::from_secs(30);
/// However long a look takes.
const LONGEST_AFTER_A_LOOK: Duration = Duration::from_secs(60);
/// A look is followed by a pause of so many times its length.
const REST: u32 = 3;

/// The pauses between looks.
#[derive(Debug, Default)]
pub(super) struct Pace {
    idle: Option<Duration>,
    failures: u32,
}

impl Pace {
    /// The pause after a look that took so long.
    pub(super) fn after(&mut self, found_some: bool, took: Duration) -> Duration {
        self.failures = 0;
        let idle = match self.idle {
            Some(idle) if !found_some => (idle * 3 / 2).min(LONGEST),
            _ => SHORTEST,
        };
        self.idle = Some(idle);
        idle.max((took * REST).min(LONGEST_AFTER_A_LOOK))
    }

    /// The pause after a look that failed.
    pub(super) fn after_failure(&mut self) -> Duration {
        let pause = SHORTEST * 2_u32.saturating_pow(self.failures.min(10));
        self.failures += 1;
        self.idle = None;
        pause.min(LONGEST_AFTER_FAILURES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(1);

    #[test]
    fn nothing_new_is_asked_for_less_and_less_often() {
        let mut pace = Pace::default();
        let idle: Vec<u128> = (0..8)
            .map(|_| pace.after(false, QUICK).as_millis())
            .collect();
        assert_eq!(idle, [500, 750, 1125, 1687, 2531, 3796, 5000, 5000]);
        assert_eq!(pace.after(true, QUICK), SHORTEST);
        assert_eq!(pace.after(true, QUICK), SHORTEST);
    }

    #[test]
    fn a_slow_store_is_left_alone_for_most_of_the_time() {
        let mut pace = Pace::default();
        assert_eq!(
            pace.after(true, Duration::from_secs(4)),
            Duration::from_secs(12)
        );
        assert_eq!(
            pace.after(true, Duration::from_secs(400)),
            LONGEST_AFTER_A_LOOK
        );
    }

    #[test]
    fn failures_are_followed_by_longer_pauses() {
        let mut pace = Pace::default();
        let pauses: Vec<u128> = (0..9).map(|_| pace.after_failure().as_millis()).collect();
        assert_eq!(
            pauses,
            [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]
        );
        assert_eq!(pace.after(false, QUICK), SHORTEST);
    }
}
