//! What may be typed after `mlt errors`.

use std::collections::BTreeSet;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use super::SelectionArgs;
use super::values::at_least_one;
use crate::analysis::{CountedPer, FailureKind};
use crate::complete;

pub(super) const HELP: &str = "\
Failures:
  Each is told by the span in which it began: one that failed, and none below it. Those above it,
  which pass it on, do not count again. A trace in the state ERROR without such a span is one, too;
  one that ended well all the same counts here, while --status ERROR leaves it out.
  Two are the same where type and message are. In messages <n> stands for numbers, <id> for ids,
  <time>, <url>, <path>, <email> for such, and <…> for quoted words; of several lines the first
  counts. Without a type, what stands before the first `: ` is one where it looks like a class.
--kinds:
  error    spans and traces with the status ERROR
  tool     results of tools that say that they failed, where the span does not
  http     http.status_code or http.response.status_code from 400 on, of spans without ERROR
  refusal  models that declined, or were kept from an answer (content_filter, SAFETY …)
  length   answers that ended for want of tokens (length, max_tokens …)
Columns:
  share      of the failures, or with --per trace of the failed traces
  span       the commonest name of the span in which they began, and how many others there are
  first_time and last_time are those of the failures, trace_id is the trace with the last";

/// Count failures: which there are, how often, and where they began.
#[derive(Debug, Args)]
pub struct ErrorsArgs {
    // A doc comment here would become the help text of the whole command.
    #[allow(missing_docs)]
    #[command(flatten)]
    pub selection: SelectionArgs,

    /// What counts: each failure, or each failed trace once, by the first in it
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub per: Per,

    /// What is a failure: error, tool, http, refusal, length, with commas between, or all
    #[arg(
        long,
        default_value = "error",
        value_name = "KIND,…",
        value_delimiter = ',',
        add = ArgValueCompleter::new(complete::failure_kinds)
    )]
    pub kinds: Vec<Kinds>,

    /// Which columns, separated by commas: count,type,message,trace_id
    #[arg(long, value_name = "COLUMN,…", add = ArgValueCompleter::new(complete::error_columns))]
    pub columns: Vec<String>,

    /// Only the first so many rows [default: 20 in tables, else all]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub top: Option<u64>,
}

impl ErrorsArgs {
    /// What is a failure.
    pub fn kinds(&self) -> BTreeSet<FailureKind> {
        self.kinds
            .iter()
            .flat_map(|kinds| kinds.0.clone())
            .collect()
    }
}

/// What counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Per {
    /// Each failure
    #[default]
    Failure,
    /// Each failed trace
    Trace,
}

impl From<Per> for CountedPer {
    fn from(per: Per) -> Self {
        match per {
            Per::Failure => Self::Failure,
            Per::Trace => Self::Trace,
        }
    }
}

/// One kind of failures, or all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kinds(Vec<FailureKind>);

impl FromStr for Kinds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("all") {
            return Ok(Self(FailureKind::ALL.to_vec()));
        }
        let kind = FailureKind::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(text));
        kind.map(|kind| Self(vec![kind])).ok_or_else(|| {
            let names = FailureKind::ALL.map(FailureKind::as_str);
            format!("expected {} or all", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_or_all() {
        assert_eq!("Tool".parse(), Ok(Kinds(vec![FailureKind::Tool])));
        assert_eq!("all".parse(), Ok(Kinds(FailureKind::ALL.to_vec())));
        for kind in FailureKind::ALL {
            assert!(
                HELP.contains(&format!("\n  {} ", kind.as_str())),
                "{kind:?}"
            );
        }
        assert_eq!(
            "eror".parse::<Kinds>().unwrap_err(),
            "expected error, tool, http, refusal, length or all"
        );
    }
}
