//! `mlt delete`: traces go for good, those that are named or that a filter finds.

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::Context;
use super::change::{self, Order, Plan, Task, Words};
use crate::cli::DeleteArgs;
use crate::error::Exit;
use crate::model::TraceInfo;
use crate::store::Change;
use crate::units::Zone;

pub(super) fn run(context: &Context, args: &DeleteArgs) -> Result<Exit> {
    let form = context.form("delete")?;
    let order = Order {
        words: &args.traces,
        filter: &args.filter,
        dry_run: args.belt.dry_run,
        yes: args.belt.yes,
        most: args.belt.max,
    };
    change::run(context, form, order, &Deletion::new(context))
}

/// Traces go.
pub(super) struct Deletion {
    zone: Zone,
}

impl Deletion {
    pub(super) fn new(context: &Context) -> Self {
        let zone = context.layout().zone;
        Self { zone }
    }
}

impl Task for Deletion {
    fn change(&self) -> Change {
        Change::Delete
    }

    fn plan(&self, _id: &str, info: Option<&TraceInfo>) -> Plan {
        let Some(info) = info else {
            return Plan {
                changes: true,
                done: "deleted".to_owned(),
                ..Plan::default()
            };
        };
        let described = change::described(info, self.zone);
        Plan {
            changes: true,
            done: format!("deleted: {described}"),
            planned: described,
            before: Some(json!({
                "name": info.name(),
                "state": info.state.as_str(),
                "request_time": info.request_time.map(|time| time.to_string()),
                "experiment_id": info.experiment_id,
            })),
            ..Plan::default()
        }
    }

    fn fields(&self, _id: &str) -> Map<String, Value> {
        Map::new()
    }

    fn words(&self) -> Words {
        Words {
            verb: "delete",
            doing: "deleting",
            done: "deleted",
            changed: "deleted",
            would: "would delete",
            nothing: "nothing to delete",
            already: "gone already",
        }
    }

    fn is_final(&self) -> bool {
        true
    }
}
