//! Which traces a command is about: a filter, and shorthands that become one.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde::Serialize;

use crate::complete;
use crate::units::{Period, TimePoint};

/// Which traces: a filter, and shorthands that become one.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize)]
#[command(next_help_heading = "Which traces")]
pub struct FilterArgs {
    /// A filter (repeatable; all must hold)
    #[arg(short, long = "filter", alias = "filter-string", value_name = "FILTER", add = ArgValueCompleter::new(complete::filter))]
    pub filters: Vec<String>,

    /// Send this filter unchecked, for servers that know more than mlt
    #[arg(long, value_name = "FILTER")]
    pub raw_filter: Option<String>,

    /// In this state: OK, ERROR or IN_PROGRESS (repeatable; any may hold)
    #[arg(long, value_name = "STATE", ignore_case = true, value_parser = ["OK", "ERROR", "IN_PROGRESS"])]
    pub status: Vec<String>,

    /// With this name; with a % in it, % stands for any text and _ for any character
    #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(complete::trace_names))]
    pub name: Option<String>,

    /// With this tag (repeatable)
    #[arg(long = "tag", value_name = "KEY=VALUE", add = ArgValueCompleter::new(complete::tags))]
    pub tags: Vec<String>,

    /// With this metadata (repeatable)
    #[arg(long, value_name = "KEY=VALUE", add = ArgValueCompleter::new(complete::metadata_pairs))]
    pub metadata: Vec<String>,

    /// Of this session (conversation)
    #[arg(long, value_name = "ID", add = ArgValueCompleter::new(complete::sessions))]
    pub session: Option<String>,

    /// Of this end user
    #[arg(long, value_name = "ID", add = ArgValueCompleter::new(complete::users))]
    pub user: Option<String>,

    /// Of this run
    #[arg(long, value_name = "ID", add = ArgValueCompleter::new(complete::run_ids))]
    pub run_id: Option<String>,

    /// Of this logged model
    #[arg(long, value_name = "ID")]
    pub model_id: Option<String>,

    /// With this client request id
    #[arg(long, value_name = "ID")]
    pub client_request_id: Option<String>,

    /// With a span of this name
    #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(complete::span_names))]
    pub span_name: Option<String>,

    /// With a span of this type, such as LLM or TOOL
    #[arg(long, value_name = "TYPE", add = ArgValueCompleter::new(complete::span_types))]
    pub span_type: Option<String>,

    /// With this text in a span, in any case; a trace id is looked up; % and _ stand for any text and character
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,

    /// That took at least this long, such as 500ms or 2s
    #[arg(long, value_name = "TIME")]
    pub min_duration: Option<Period>,

    /// That took at most this long
    #[arg(long, value_name = "TIME")]
    pub max_duration: Option<Period>,

    /// That began at or after: 1h (ago), 1h30m, yesterday, 2026-11-22 or 2026-11-22T08:00Z
    ///
    /// A date without a time is midnight in the local time zone.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<TimePoint>,

    /// That began before: as for --since
    ///
    /// A time to the second, as tables show it, includes that second.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<TimePoint>,
}
