//! The list of traces.

use std::io;

use super::Layout;
use super::list::List;
use crate::model::Trace;
use crate::table::Column;
use crate::text::Sheet;

/// Prints traces as they come.
#[derive(Debug)]
pub struct SearchTable(List<Trace>);

impl SearchTable {
    /// A list with these columns.
    pub fn new(columns: Vec<Column<Trace>>, layout: Layout) -> Self {
        Self(List::new(columns, layout))
    }

    /// Rows come one by one and wait for none: widths are decided by the first of them, and
    /// by what others usually need.
    pub fn stream(&mut self) {
        self.0.stream();
    }

    /// Takes one trace; prints it, or keeps it until enough were seen to decide the widths.
    pub fn push(&mut self, out: &mut Sheet<'_>, trace: &Trace) -> io::Result<()> {
        self.0.push(out, trace)
    }

    /// Prints what was kept. To be called at the end; in between it decides the widths early.
    pub fn flush(&mut self, out: &mut Sheet<'_>) -> io::Result<()> {
        self.0.flush(out)
    }
}

#[cfg(test)]
mod tests;
