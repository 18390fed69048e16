//! What is said of traces that cannot be read, once the others are shown.

use crate::error::Exit;
use crate::model::Unreadable;

use super::Context;
use crate::units;

/// So many are named.
const NAMED: usize = 10;

impl Context<'_> {
    /// Names the traces that cannot be read beside so many that can, and says how to
    /// exit.
    pub(super) fn say_unreadable(&self, read: usize, unreadable: &[Unreadable]) -> Exit {
        if unreadable.is_empty() {
            return Exit::Success;
        }
        self.name_unreadable(unreadable);
        self.warn(format!(
            "{}; {} could not be read",
            units::counted(read, "trace"),
            units::whole(unreadable.len())
        ));
        if read == 0 {
            Exit::Data
        } else {
            Exit::Unreadable
        }
    }

    /// Says which traces are shown without their spans, and how to exit.
    pub(super) fn say_elsewhere(&self, exit: Exit, reasons: &[String]) -> Exit {
        for reason in reasons {
            self.warn(reason.as_str());
        }
        exit.but_incomplete(!reasons.is_empty())
    }

    /// Names them alone.
    pub(super) fn name_unreadable(&self, unreadable: &[Unreadable]) {
        for one in unreadable.iter().take(NAMED) {
            self.warn(format!("cannot read {one}"));
        }
        if unreadable.len() > NAMED {
            let more = units::whole(unreadable.len() - NAMED);
            self.warn(format!("and {more} more that cannot be read"));
        }
    }
}
