//! Which of many traces are worth keeping: those that failed, the slowest, the newest of each
//! kind, and those that were chosen otherwise.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use crate::field::Field;
use crate::model::{Timestamp, TraceInfo, TraceState};

/// What makes a trace worth keeping.
#[derive(Debug, Clone, PartialEq)]
pub enum Keep {
    /// It is in the state ERROR.
    Failed,
    /// It is among the slowest.
    Slowest(Amount),
    /// It is among the newest with the same value of a field, which is known without the spans;
    /// those without a value are alike.
    Newest {
        /// So many of each.
        count: usize,
        /// The field.
        of: Field,
    },
    /// It is one of these, by id.
    Chosen(HashSet<String>),
}

/// How many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// So many.
    Count(usize),
    /// A share of all, from 0 to 1; what is left over of a trace is a whole one.
    Share(f64),
}

impl Amount {
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a number of traces is one, too"
    )]
    fn of(self, all: usize) -> usize {
        match self {
            Self::Count(count) => count,
            // 7 % of 100 are 7, though 0.07 is a little more than that as a float.
            Self::Share(share) => (((all as f64) * share * (1.0 - 1e-12)).ceil() as usize).min(all),
        }
    }
}

impl Keep {
    /// The places of those that it keeps. Of two that are equally slow, or equally new, the one
    /// whose id comes first is kept before the other, so that the answer is always the same.
    pub fn kept(&self, traces: &[TraceInfo]) -> Vec<usize> {
        let places = 0..traces.len();
        match self {
            Self::Failed => places
                .filter(|at| traces[*at].state == TraceState::Error)
                .collect(),
            Self::Chosen(ids) => places
                .filter(|at| ids.contains(&traces[*at].trace_id))
                .collect(),
            Self::Slowest(amount) => {
                let timed = places.filter_map(|at| Some((traces[at].duration_ns()?, at)));
                let mut timed: Vec<(i64, usize)> = timed.collect();
                timed.sort_by_key(|(ns, at)| (Reverse(*ns), newest_first(&traces[*at])));
                timed.truncate(amount.of(traces.len()));
                timed.into_iter().map(|(_, at)| at).collect()
            }
            Self::Newest { count, of } => {
                let mut groups: HashMap<Option<String>, Vec<usize>> = HashMap::new();
                for at in places {
                    let value = of.value_of_info(&traces[at]);
                    let value = value.map(|value| value.into_text().into_owned());
                    groups.entry(value).or_default().push(at);
                }
                let newest = groups.into_values().flat_map(|mut group| {
                    group.sort_by_key(|at| newest_first(&traces[*at]));
                    group.truncate(*count);
                    group
                });
                newest.collect()
            }
        }
    }
}

fn newest_first(info: &TraceInfo) -> (Reverse<Option<i64>>, &str) {
    let time = info.request_time.map(Timestamp::nanos);
    (Reverse(time), &info.trace_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tag;
    use proptest::prelude::*;

    /// A trace with an id, a name, a beginning and a duration in milliseconds.
    fn info(id: &str, name: &str, began: i64, took: Option<i64>) -> TraceInfo {
        let mut info = TraceInfo::new(id);
        info.tags.insert(tag::NAME.to_owned(), name.to_owned());
        info.request_time = Some(Timestamp::from_millis(began));
        info.execution_duration_ns = took.map(|ms| ms * 1_000_000);
        info
    }

    fn ids<'t>(traces: &'t [TraceInfo], keep: &Keep) -> Vec<&'t str> {
        let mut ids: Vec<&str> = keep
            .kept(traces)
            .into_iter()
            .map(|at| traces[at].trace_id.as_str())
            .collect();
        ids.sort_unstable();
        ids
    }

    fn sample() -> Vec<TraceInfo> {
        let mut all = vec![
            info("a", "x", 1, Some(50)),
            info("b", "x", 2, Some(10)),
            info("c", "y", 3, None),
            info("d", "x", 3, Some(50)),
            info("e", "x", 3, Some(20)),
        ];
        all[1].state = TraceState::Error;
        all
    }

    #[test]
    fn a_share_in_whole_traces_is_exact() {
        for percent in 0..=100_u32 {
            let share = format!("{percent}%")
                .parse::<crate::units::Fraction>()
                .unwrap();
            let share = Amount::Share(share.get());
            assert_eq!(share.of(100), percent as usize, "{percent}%");
            assert_eq!(share.of(300), 3 * percent as usize, "{percent}%");
        }
        assert_eq!(Amount::Share(0.01).of(50), 1);
        assert_eq!(Amount::Share(0.0).of(50), 0);
    }

    #[test]
    fn each_rule_keeps_its_own() {
        let all = sample();
        let newest = |count| Keep::Newest {
            count,
            of: Field::Name,
        };
        for (keep, kept) in [
            (Keep::Failed, vec!["b"]),
            (Keep::Slowest(Amount::Count(1)), vec!["d"]),
            (Keep::Slowest(Amount::Share(0.01)), vec!["d"]),
            (Keep::Slowest(Amount::Share(0.3)), vec!["a", "d"]),
            (Keep::Slowest(Amount::Count(9)), vec!["a", "b", "d", "e"]),
            (newest(1), vec!["c", "d"]),
            (newest(2), vec!["c", "d", "e"]),
            (newest(0), vec![]),
            (
                Keep::Newest {
                    count: 2,
                    of: Field::session(),
                },
                vec!["c", "d"],
            ),
            (Keep::Chosen(HashSet::from(["e".to_owned()])), vec!["e"]),
        ] {
            assert_eq!(ids(&all, &keep), kept, "{keep:?}");
        }
    }

    proptest! {
        #[test]
        fn the_order_of_traces_makes_no_difference(
            rows in proptest::collection::vec((0..3_i64, 0..3_i64, 0..2_u8), 0..12),
            count in 0..4_usize,
        ) {
            let mut all: Vec<TraceInfo> = rows
                .iter()
                .enumerate()
                .map(|(at, (began, took, name))| {
                    info(&format!("{at:02}"), &name.to_string(), *began, Some(*took))
                })
                .collect();
            let rules = [
                Keep::Slowest(Amount::Count(count)),
                Keep::Newest { count, of: Field::Name },
            ];
            let forwards = rules.clone().map(|rule| ids(&all, &rule).join(" "));
            all.reverse();
            prop_assert_eq!(forwards, rules.map(|rule| ids(&all, &rule).join(" ")));
        }
    }
}
