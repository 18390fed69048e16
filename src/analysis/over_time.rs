//! Durations over time: statistics for each of the intervals in which traces
//! began, the empty ones between included.

use super::buckets::Numbering;
use super::{Buckets, Start, Summary};

/// More intervals than this say nothing to anybody.
pub const MOST_INTERVALS: usize = 1_000;

/// Traces that began in one interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// When it begins.
    pub start: Start,
    /// Of durations in nanoseconds; `None` where nothing began.
    pub stats: Option<Summary>,
}

/// Statistics of `(start, duration)`, both in nanoseconds, in intervals, in order
/// of time.
///
/// # Errors
/// The number of intervals, where there would be more than [`MOST_INTERVALS`].
pub fn over_time(mut values: Vec<(i64, i64)>, buckets: Buckets) -> Result<Vec<Interval>, i64> {
    let mut numbering = Numbering::new(buckets);
    for (start, _) in &mut values {
        *start = numbering.number(*start);
    }
    values.sort_unstable();
    let (Some(&(first, _)), Some(&(last, _))) = (values.first(), values.last()) else {
        return Ok(Vec::new());
    };
    let count = last - first + 1;
    if usize::try_from(count).is_ok_and(|count| count > MOST_INTERVALS) {
        return Err(count);
    }
    let mut rest = values.as_slice();
    let mut durations = Vec::new();
    let interval = |number: i64| {
        let own = rest.partition_point(|&(start, _)| start == number);
        durations.clear();
        durations.extend(rest[..own].iter().map(|&(_, ns)| ns));
        rest = &rest[own..];
        Interval {
            start: buckets.start(number),
            stats: Summary::of_sorted(&durations),
        }
    };
    Ok((first..=last).map(interval).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Zone;

    fn every(ns: i64) -> Buckets {
        Buckets::new(ns, Zone::Utc)
    }

    #[test]
    fn intervals_start_at_multiples_of_their_length_and_none_is_left_out() {
        let values = vec![(125, 7), (101, 1), (109, 3), (99, 2), (-1, 9)];
        let intervals = over_time(values, every(10)).unwrap();
        let shown: Vec<_> = intervals
            .iter()
            .map(|i| (i.start.ns, i.stats.map(|s| (s.n, s.max_ns))))
            .filter(|(start, stats)| stats.is_some() || *start > 90)
            .collect();
        assert_eq!(
            shown,
            [
                (-10, Some((1, 9))),
                (90, Some((1, 2))),
                (100, Some((2, 3))),
                (110, None),
                (120, Some((1, 7))),
            ]
        );
        assert_eq!(intervals.len(), 14);
    }

    #[test]
    fn too_many_intervals_are_refused() {
        assert_eq!(over_time(vec![(0, 1), (1_000, 1)], every(1)), Err(1_001));
        assert_eq!(over_time(Vec::new(), every(1)), Ok(Vec::new()));
    }
}
