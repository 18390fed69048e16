//! Times, durations, money, shares, counts, scores and sizes: the one way to read each
//! from text, and the one way to print it. Flags, filters and rules read by it, and
//! everything that people see is printed by it, so that a value that was copied from one
//! place is understood in another. Arithmetic is on integers or on decimals as they were
//! written, so that `0.1s` is a tenth of a second and nothing near it. It knows nothing
//! of traces but what a point in time is.

mod count;
mod duration;
mod money;
mod number;
mod score;
mod share;
mod size;
mod time;
mod when;

pub(crate) use count::scaled;
pub use count::{amount, count, counted, whole};
pub use duration::{DURATIONS, Period, duration, exact_duration, server_duration};
pub(crate) use duration::{milliseconds, nanoseconds};
pub use money::cost;
pub use number::Number;
pub use score::score;
pub(crate) use share::divided;
pub(crate) use share::hundredths;
pub use share::{Fraction, Percent, change, change_beyond, exact_share, percent, share};
pub use size::bytes;
pub(crate) use size::read_bytes;
pub(crate) use time::without_seconds;
pub use time::{Zone, time, time_with_millis, time_with_nanos};
pub(crate) use when::Time;
pub use when::{Moment, TIMES, TimePoint};

/// Shown where there is no number.
pub const NONE: &str = "-";
