//! What may be typed after `mlt stats`.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use super::values::at_least_one;
use super::{FilterArgs, LimitArgs, OverTimeArgs};
use crate::analysis::{By, GroupKey};
use crate::complete;
use crate::field::Field;

pub(super) const HELP: &str = "\
Aggregates:
  count(), error_rate(), min(…), max(…), avg(…), sum(…), median(…), p95(…), p99.9(…)
  of duration, tokens, input_tokens, output_tokens, cost, spans, feedback.NAME, expectation.NAME;
  of each span: span.duration, self, critical, span.tokens, span.cost, span.attributes.KEY;
  a condition may follow: count(span where span.type = 'TOOL'), p95(duration where status = 'OK')
  The language is explained by `mlt help rules`.
Numbers:
  N   samples of the columns to its right: traces or spans that have the value; those in progress
      have no duration yet
  ~   a percentile of so few samples that it is little more than their maximum
  ERRORS  the share of traces in the state ERROR, or of spans with the status ERROR where spans
      alone are asked about; --by status likewise (mlt latency counts spans in both)
  The duration of a trace is the one that was recorded with it, in whole milliseconds, however the
  numbers are computed; durations of spans are nanoseconds, and so are those of mlt latency and diff.
  Intervals are multiples of --every in UTC, but days and weeks those of the calendar: they begin at
  midnight, local time or with --utc UTC. A trace and its spans are in the one in which it began.
--via:
  auto    by the server's metrics API (MLflow 3.10), or by PostgreSQL where that is read directly,
          where these give the very same numbers, else here
  here    from the traces, and from their spans where these are asked about
  server  by the metrics API or not at all; of spans, those in the server's database are counted:
          their durations are cut to whole milliseconds, N includes those that have not ended, and
          those for which it has no type or model are in no row of these
  JSON tells which of the two it was. On MySQL, the server's percentiles are off where values repeat.";

/// Sum traces up: counts, errors, durations, tokens, cost.
#[derive(Debug, Args)]
pub struct StatsArgs {
    /// What to compute, with commas between: 'p95(duration), sum(tokens)' [default: count, error
    /// rate, p50, p95 and p99 of the duration, tokens, cost; without --by also assessments]
    #[arg(value_name = "AGGREGATES")]
    pub aggregates: Option<String>,

    // A doc comment here would become the help text of the whole command.
    #[allow(missing_docs)]
    #[command(flatten)]
    pub filter: FilterArgs,

    #[allow(missing_docs)]
    #[command(flatten)]
    pub limit: LimitArgs,

    /// Every trace that matches, as without -n
    #[arg(long, help_heading = "Which traces", conflicts_with = "limit")]
    pub all: bool,

    /// What a row stands for: trace (its name), status, models (all that it used), session, user,
    /// experiment, error, tags.KEY or any other field; assessment or assessment.value, where a trace is
    /// in several rows; of spans name, type, status, model, path, span.error or span.attributes.KEY;
    /// two, separated by a comma
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "KEY",
        add = ArgValueCompleter::new(complete::stats_keys)
    )]
    pub by: Vec<StatsBy>,

    #[allow(missing_docs)]
    #[command(flatten)]
    pub over_time: OverTimeArgs,

    /// What rows are sorted by: one of the aggregates, largest first, or name [default: the first]
    #[arg(long, alias = "order-by", value_name = "AGGREGATE")]
    pub sort: Option<String>,

    /// Which columns of the rows, separated by commas, as they are headed: trace,count,p95,tokens
    #[arg(long, value_name = "COLUMN,…", add = ArgValueCompleter::new(complete::stats_columns))]
    pub columns: Vec<String>,

    /// Only the first so many rows
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub top: Option<u64>,

    /// Who computes the numbers
    #[arg(long, value_enum, default_value_t, value_name = "WHO")]
    pub via: Via,
}

/// Who computes the numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Via {
    /// The server where that makes no difference
    #[default]
    Auto,
    /// The server or nobody
    Server,
    /// This program
    #[value(alias = "spans")]
    Here,
}

/// What a row stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatsBy {
    /// Always the same.
    Key(GroupKey),
    /// The status of spans, where only spans are asked about, else of traces.
    Status,
}

impl FromStr for StatsBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, GroupKey::parse(text)) {
            ("status", _) => Ok(Self::Status),
            // The same for all spans of one trace, and there are many.
            (_, Some(GroupKey::Span(By::Span)) | None) => {
                Err(super::latency::EXPECTED_KEY.to_owned())
            }
            (_, Some(key)) => Ok(Self::Key(key)),
        }
    }
}

impl StatsBy {
    /// The key, given whether nothing but spans is asked about.
    pub fn key(&self, of_spans: bool) -> GroupKey {
        match (self, of_spans) {
            (Self::Key(key), _) => key.clone(),
            (Self::Status, true) => GroupKey::Span(By::Status),
            (Self::Status, false) => GroupKey::Trace(Field::Status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_that_of_what_is_asked_about() {
        let status: StatsBy = "status".parse().unwrap();
        assert_eq!(status.key(true), GroupKey::Span(By::Status));
        assert_eq!(status.key(false), GroupKey::Trace(Field::Status));
        let fixed: StatsBy = "span.status".parse().unwrap();
        assert_eq!(fixed.key(false), GroupKey::Span(By::Status));
        let key = |text: &str| text.parse::<StatsBy>().unwrap().key(false);
        assert_eq!(key("model"), GroupKey::Span(By::Model));
        assert_eq!(key("models"), GroupKey::Trace(Field::Models));
        let error = "tool".parse::<StatsBy>().unwrap_err();
        let named: Vec<&str> = error
            .split([' ', ',', ';'])
            .filter(|word| word.starts_with("span.") || word.starts_with("trace."))
            .collect();
        assert_eq!(named.len(), 10, "{error}");
        assert!(
            named.iter().all(|key| key.parse::<StatsBy>().is_ok()),
            "{error}"
        );
        for bad in ["tag:", "tags.", "Name", "span", ""] {
            assert!(bad.parse::<StatsBy>().is_err(), "{bad}");
        }
    }
}
