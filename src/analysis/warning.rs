//! What is odd about a trace. One warning per kind, with a count and an example,
//! however many spans it concerns.

use std::fmt;

use crate::model::SpanId;

/// Something about a trace that the numbers rest on. `Display` gives one
/// lower-case sentence without a full stop; ids are not escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Spans whose id an earlier span already had; they were dropped.
    DuplicateIds {
        /// Dropped spans.
        count: usize,
        /// The least id concerned.
        example: SpanId,
    },
    /// Parent cycles, each cut at its earliest span, which became a root.
    ParentCycles {
        /// Cycles, a span that is its own parent included.
        count: usize,
        /// The first span that became a root.
        example: SpanId,
    },
    /// Spans whose parent is not in the trace.
    Orphans {
        /// Spans concerned.
        count: usize,
        /// The first of them in tree order.
        example: SpanId,
    },
    /// Spans that end before they start; their duration counts as 0.
    NegativeDurations {
        /// Spans concerned.
        count: usize,
        /// The least id among them.
        example: SpanId,
    },
    /// Spans with a time before 1823 or after 2116, moved to that limit.
    TimesOutOfRange {
        /// Spans concerned.
        count: usize,
        /// The least id among them.
        example: SpanId,
    },
    /// Spans that start before their parent or end after it by more than 1 ms.
    /// Nothing was adjusted.
    OutsideParent {
        /// Spans that start too early.
        early: usize,
        /// Spans that end too late; one span may be both.
        late: usize,
        /// The largest distance in nanoseconds.
        worst_ns: i64,
        /// The span at that distance.
        example: SpanId,
    },
    /// The trace's metadata promises another number of spans.
    SpanCount {
        /// According to the metadata.
        declared: usize,
        /// Distinct spans that are here.
        found: usize,
    },
    /// The server's own duration differs from the total by more than 1 ms and 1 %.
    ServerDuration {
        /// The server's figure in nanoseconds.
        server_ns: i64,
        /// The total of the spans in nanoseconds.
        total_ns: i64,
    },
}

impl Warning {
    /// A short stable name for machine-readable output.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DuplicateIds { .. } => "duplicate_ids",
            Self::ParentCycles { .. } => "parent_cycles",
            Self::Orphans { .. } => "orphans",
            Self::NegativeDurations { .. } => "negative_durations",
            Self::TimesOutOfRange { .. } => "times_out_of_range",
            Self::OutsideParent { .. } => "outside_parent",
            Self::SpanCount { .. } => "span_count",
            Self::ServerDuration { .. } => "server_duration",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateIds { count, example } => match count {
                1 => write!(f, "a second span with the id `{example}` was left out"),
                _ => write!(
                    f,
                    "{count} spans with the id of an earlier span were left out, for example `{example}`"
                ),
            },
            Self::ParentCycles { count, example } => match count {
                1 => write!(f, "the parents form a cycle, which was cut at `{example}`"),
                _ => write!(
                    f,
                    "the parents form {count} cycles, which were cut, for example at `{example}`"
                ),
            },
            Self::Orphans { count, example } => match count {
                1 => write!(f, "the parent of `{example}` is not in the trace"),
                _ => write!(
                    f,
                    "{count} spans have a parent that is not in the trace, for example `{example}`"
                ),
            },
            Self::NegativeDurations { count, example } => match count {
                1 => write!(
                    f,
                    "`{example}` ends before it starts and counts as lasting 0 ns"
                ),
                _ => write!(
                    f,
                    "{count} spans end before they start and count as lasting 0 ns, for example `{example}`"
                ),
            },
            Self::TimesOutOfRange { count, example } => match count {
                1 => write!(
                    f,
                    "`{example}` has a time outside the years 1823 to 2116, which was moved to that range"
                ),
                _ => write!(
                    f,
                    "{count} spans have a time outside the years 1823 to 2116, which was moved to that range, for example `{example}`"
                ),
            },
            Self::OutsideParent {
                early,
                late,
                worst_ns,
                example,
            } => {
                match (early, late) {
                    (_, 0) => write!(f, "{} before {} parent", starts(*early), their(*early))?,
                    (0, _) => write!(f, "{} after {} parent", ends(*late), their(*late))?,
                    _ => write!(
                        f,
                        "{} before and {} after their parent",
                        starts(*early),
                        ends(*late)
                    )?,
                }
                write!(
                    f,
                    ", by up to {} ms at `{example}`: background work, or clocks that disagree",
                    worst_ns / 1_000_000
                )
            }
            Self::SpanCount { declared, found } => write!(
                f,
                "the trace's metadata speaks of {declared} span{}, but {found} {} here",
                if *declared == 1 { "" } else { "s" },
                if *found == 1 { "is" } else { "are" }
            ),
            Self::ServerDuration {
                server_ns,
                total_ns,
            } => write!(
                f,
                "the server gives the trace's duration as {} ms, the spans come to {} ms",
                server_ns / 1_000_000,
                total_ns / 1_000_000
            ),
        }
    }
}

fn starts(count: usize) -> String {
    match count {
        1 => "1 span starts".to_owned(),
        _ => format!("{count} spans start"),
    }
}

fn ends(count: usize) -> String {
    match count {
        1 => "1 span ends".to_owned(),
        _ => format!("{count} spans end"),
    }
}

const fn their(count: usize) -> &'static str {
    if count == 1 { "its" } else { "their" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_agree_with_their_nouns() {
        let example = || SpanId::new("a");
        let outside = |early, late| Warning::OutsideParent {
            early,
            late,
            worst_ns: 2_500_000,
            example: example(),
        };
        let tail = ", by up to 2 ms at `a`: background work, or clocks that disagree";
        for (warning, text) in [
            (outside(1, 0), "1 span starts before its parent"),
            (outside(2, 0), "2 spans start before their parent"),
            (outside(0, 1), "1 span ends after its parent"),
            (
                outside(3, 2),
                "3 spans start before and 2 spans end after their parent",
            ),
        ] {
            assert_eq!(warning.to_string(), format!("{text}{tail}"));
        }
        let count = Warning::SpanCount {
            declared: 1,
            found: 2,
        };
        assert_eq!(
            count.to_string(),
            "the trace's metadata speaks of 1 span, but 2 are here"
        );
    }
}
