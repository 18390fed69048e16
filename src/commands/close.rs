//! `mlt close`: traces that are stuck in progress are finished, those that are named or
//! that a filter finds.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::Context;
use super::change::{self, Order, Plan, Task, Words};
use crate::cli::{CloseArgs, FilterArgs};
use crate::error::Exit;
use crate::model::{Detail, Timestamp, Trace, TraceInfo, TraceState};
use crate::store::{Change, Closed, Closing};
use crate::units::{self, Zone};

/// Without a sign of life for so long, a trace is taken to be stuck.
const QUIET: Duration = Duration::from_secs(3600);

pub(super) fn run(context: &Context, args: &CloseArgs) -> Result<Exit> {
    let form = context.form("close")?;
    let quiet = args.older_than.map_or(QUIET, units::Period::duration);
    let nanos = i64::try_from(quiet.as_nanos()).unwrap_or(i64::MAX);
    let task = Closure {
        closing: Closing {
            state: TraceState::parse(&args.state.to_ascii_uppercase()),
            quiet_since: Timestamp::from_nanos(context.now.nanos().saturating_sub(nanos)),
        },
        now: context.now,
        zone: context.layout().zone,
    };
    let order = Order {
        words: &args.traces,
        filter: &filter(args),
        dry_run: args.dry_run,
        yes: args.yes,
        most: None,
    };
    change::run(context, form, order, &task)
}

/// Where no traces are named, those in progress that match.
fn filter(args: &CloseArgs) -> FilterArgs {
    let mut filter = args.filter.clone();
    let chooses = filter != FilterArgs::default() || args.older_than.is_some();
    if args.traces.is_empty() && chooses && filter.status.is_empty() {
        filter.status = vec![TraceState::InProgress.to_string()];
    }
    filter
}

/// Traces end.
struct Closure {
    closing: Closing,
    now: Timestamp,
    zone: Zone,
}

impl Task for Closure {
    fn change(&self) -> Change {
        Change::Close(self.closing.clone())
    }

    fn detail(&self) -> Option<Detail> {
        Some(Detail::Times)
    }

    fn plan(&self, _id: &str, _info: Option<&TraceInfo>) -> Plan {
        // It is there and cannot be read here, which the store may see otherwise.
        Plan {
            changes: true,
            done: format!("closed: {}", self.closing.state),
            ..Plan::default()
        }
    }

    fn plan_trace(&self, trace: &Trace) -> Plan {
        let info = &trace.info;
        let before = Some(json!({
            "state": info.state.to_string(),
            "duration_ns": info.duration_ns(),
        }));
        let closed = self.closing.of(trace);
        let planned = match &closed {
            Closed::At { took_ms, .. } => {
                let took = units::server_duration(took_ms.saturating_mul(1_000_000));
                let parts = [
                    info.name().map(str::to_owned),
                    Some(self.closing.state.to_string()),
                ];
                let began = info.request_time.map(|time| units::time(time, self.zone));
                let all = parts.into_iter().chain([began, Some(took)]).flatten();
                all.collect::<Vec<_>>().join("  ")
            }
            Closed::Already(_) | Closed::Timeless => {
                format!("it {}", closed.refusal().unwrap_or_default())
            }
            Closed::Running { since } => {
                let ago = units::duration(self.now.nanos().saturating_sub(since.nanos()));
                format!("it may be running still, with a sign of life {ago} ago; see --older-than")
            }
        };
        Plan {
            changes: matches!(closed, Closed::At { .. }),
            done: format!("closed: {planned}"),
            planned,
            before,
            ..Plan::default()
        }
    }

    fn fields(&self, _id: &str) -> Map<String, Value> {
        [("state".to_owned(), json!(self.closing.state.to_string()))]
            .into_iter()
            .collect()
    }

    fn words(&self) -> Words {
        Words {
            verb: "close",
            doing: "closing",
            done: "closed",
            changed: "closed",
            would: "would close",
            nothing: "nothing to close",
            already: "had ended, may be running or has no start",
        }
    }
}
