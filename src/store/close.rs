//! Finishing traces that are stuck in progress, as far as that is the same in every store.
//! MLflow's clients write the end of a trace when it ends; one whose program was killed is
//! in progress for ever.

use crate::model::{Timestamp, Trace, TraceState};

/// How traces in progress are finished.
#[derive(Debug, Clone)]
pub struct Closing {
    /// The state that they get.
    pub state: TraceState,
    /// Those that gave a sign of life after that may be running still, and stay as they are.
    pub quiet_since: Timestamp,
}

/// What becomes of a trace by that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// It ends.
    At {
        /// When its last span ended, or where none has an end, when it began.
        end: Timestamp,
        /// How long it took by that, in milliseconds, as MLflow counts them.
        took_ms: i64,
    },
    /// It is in this state already.
    Already(TraceState),
    /// It may be running still.
    Running {
        /// Its last sign of life.
        since: Timestamp,
    },
    /// It does not say when it began, and ends are kept as so much later.
    Timeless,
}

impl Closing {
    /// What becomes of this trace.
    pub fn of(&self, trace: &Trace) -> Closed {
        if trace.info.state != TraceState::InProgress {
            return Closed::Already(trace.info.state.clone());
        }
        let starts = trace.spans.iter().map(|span| span.start_ns);
        let ends = trace.spans.iter().filter_map(|span| span.end_ns);
        // What was never set is zero.
        let began = trace.info.request_time.filter(|time| time.nanos() > 0);
        let Some(began) = began else {
            return Closed::Timeless;
        };
        let end = ends.max().map_or(began, Timestamp::from_nanos).max(began);
        let last = starts.max().map_or(end, Timestamp::from_nanos).max(end);
        if last > self.quiet_since {
            return Closed::Running { since: last };
        }
        Closed::At {
            end,
            took_ms: end.millis() - began.millis(),
        }
    }
}

impl Closed {
    /// Why it is not closed.
    pub fn refusal(&self) -> Option<String> {
        match self {
            Self::At { .. } => None,
            Self::Already(state) => Some(format!("is {state} already")),
            Self::Running { since } => Some(format!(
                "may be running still: its last sign of life was at {since}"
            )),
            Self::Timeless => Some("does not say when it began".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TraceInfo;
    use crate::render::sample;

    const BEGAN: i64 = 1_800_000_000_000;

    fn trace(spans: &[(i64, Option<i64>)]) -> Trace {
        let mut info = TraceInfo::new("tr-1");
        info.state = TraceState::InProgress;
        info.request_time = Some(Timestamp::from_millis(BEGAN));
        let nanos = |ms: i64| (BEGAN + ms) * 1_000_000 + 999_999;
        let model = sample::trace().spans.remove(0);
        let spans = spans.iter().map(|(start, end)| crate::model::Span {
            start_ns: nanos(*start),
            end_ns: end.map(nanos),
            ..model.clone()
        });
        Trace {
            info,
            spans: spans.collect(),
        }
    }

    fn closing(quiet_ms: i64) -> Closing {
        Closing {
            state: TraceState::Error,
            quiet_since: Timestamp::from_millis(BEGAN + quiet_ms),
        }
    }

    #[test]
    fn a_trace_ends_with_its_last_span() {
        let took = |spans: &[(i64, Option<i64>)]| match closing(100_000).of(&trace(spans)) {
            Closed::At { took_ms, end } => {
                assert_eq!(end.millis(), BEGAN + took_ms);
                took_ms
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(took(&[]), 0);
        assert_eq!(took(&[(5, Some(1_200)), (7, Some(300))]), 1_200);
        assert_eq!(took(&[(5, None)]), 0, "one that has not ended");
        assert_eq!(took(&[(-9, Some(-5))]), 0, "none ends before it begins");
        assert_eq!(took(&[(-BEGAN, Some(-BEGAN))]), 0, "one without times");
    }

    #[test]
    fn what_may_be_running_stays_open() {
        let open = closing(1_000).of(&trace(&[(5, Some(900)), (1_500, None)]));
        let since = Timestamp::from_nanos((BEGAN + 1_500) * 1_000_000 + 999_999);
        assert_eq!(open, Closed::Running { since });
        assert!(matches!(
            closing(1_000).of(&trace(&[(5, Some(900))])),
            Closed::At { .. }
        ));
        let mut ended = trace(&[]);
        ended.info.state = TraceState::Ok;
        assert_eq!(closing(1_000).of(&ended), Closed::Already(TraceState::Ok));
    }

    #[test]
    fn what_does_not_say_when_it_began_has_no_end() {
        for time in [None, Some(Timestamp::from_millis(0))] {
            let mut timeless = trace(&[(5, Some(900))]);
            timeless.info.request_time = time;
            assert_eq!(closing(100_000).of(&timeless), Closed::Timeless);
        }
    }
}
