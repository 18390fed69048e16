//! Failures, a line for each group of the same.

use super::budget::{Again, Budget, Share};
use super::{some, tokens};
use crate::analysis::{FailureGroup, FailureKind, FailureReport};
use crate::render::short_id::ShortIds;
use crate::text::Clean;
use crate::units::{self, Zone};

/// The commonest of the groups, at most so many; `again` lists all of them.
pub fn brief(tokens: usize, report: &FailureReport, most: usize, again: &str) -> Clean {
    let mut budget = Budget::new(tokens);
    let groups = report.groups.iter().take(most);
    let mut ids = ShortIds::among(groups.clone().map(|group| group.trace_id.as_str()));
    let rest = budget.rest(report.groups.len(), more_groups, Again::new(again));
    let mut block = budget.block();
    block.level(0);
    let failed = some(report.failed_traces, "failed trace").unwrap_or("no failed traces".into());
    let others = match report.without_error_state {
        0 => String::new(),
        count => format!(" ({} not in the state ERROR)", units::whole(count)),
    };
    let head = format!(
        "{}, {failed} of {}{others}",
        units::counted(report.failures, "failure"),
        units::whole(report.traces)
    );
    block.line(0, 0, Clean::line(head), None);
    for (at, group) in groups.enumerate() {
        let id = ids.short(&group.trace_id);
        let of = Some(Share { of: rest, count: 1 });
        if !block.line(1, at, line(group, id), of) {
            break;
        }
    }
    budget.finish()
}

fn line(group: &FailureGroup, id: &str) -> Clean {
    let mut line = Clean::line(format!("- {}×", units::whole(group.count)));
    // A refusal, and often an answer that is too long, has its kind for its type.
    if group.kind != FailureKind::Error && group.class.as_deref() != Some(group.kind.as_str()) {
        line = line.then(format!(" {}", group.kind.as_str()));
    }
    if let Some(class) = &group.class {
        line = line.then(" ").then(tokens::fit(class, super::NAME));
    }
    if let Some(message) = &group.message {
        let colon = if group.class.is_some() { ": " } else { " " };
        line = line.then(colon).then(tokens::fit(message, super::ERROR));
    }
    if let Some(span) = &group.span {
        line = line.then(" in ").then(tokens::fit(span, super::NAME));
    }
    if group.other_spans > 0 {
        line = line.then(format!(" +{}", units::whole(group.other_spans)));
    }
    line = line.then(format!(", {}", units::counted(group.traces, "trace")));
    line = line.then(", last ").then(tokens::fit(id, 40));
    match group.last {
        Some(time) => line.then(format!(" {}", units::time(time, Zone::Utc))),
        None => line,
    }
}

fn more_groups(left: usize) -> String {
    format!("{} of failures", units::counted(left, "more group"))
}
