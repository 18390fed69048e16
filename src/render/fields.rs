//! A list of labelled values: muted labels in one column, values in the next.

use std::io;

use super::cell::Cell;
use super::{Layout, text};
use crate::text::{Clean, Sheet};

/// Labelled values, in the order in which they are added.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    layout: &'a Layout,
    rows: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    label: &'static str,
    value: Cell,
    /// Ids and times are of no use in part.
    whole: bool,
}

/// Between label and value.
const GAP: usize = 2;

impl<'a> Fields<'a> {
    pub(crate) const fn new(layout: &'a Layout) -> Self {
        Self {
            layout,
            rows: Vec::new(),
        }
    }

    /// Adds a value; one with an empty label continues the one before.
    pub(crate) fn add(&mut self, label: &'static str, value: Cell) {
        self.rows.push(Field {
            label,
            value,
            whole: false,
        });
    }

    /// Adds plain text, where there is some.
    pub(crate) fn add_text(&mut self, label: &'static str, value: Option<impl AsRef<str>>) {
        if let Some(value) = value.filter(|value| !value.as_ref().is_empty()) {
            self.add(label, Cell::new(self.layout.style.text(), value));
        }
    }

    /// Adds text that is never cut.
    pub(crate) fn add_whole(&mut self, label: &'static str, value: impl AsRef<str>) {
        let value = Cell::new(self.layout.style.text(), value);
        self.rows.push(Field {
            label,
            value,
            whole: true,
        });
    }

    /// Adds an id.
    pub(crate) fn add_id(&mut self, label: &'static str, id: impl AsRef<str>) {
        let value = Cell::new(self.layout.style.id(), id);
        self.rows.push(Field {
            label,
            value,
            whole: true,
        });
    }

    pub(crate) fn write(&self, out: &mut Sheet<'_>) -> io::Result<()> {
        let labels = self
            .rows
            .iter()
            .map(|field| text::width(field.label))
            .max()
            .unwrap_or(0);
        for Field {
            label,
            value,
            whole,
        } in &self.rows
        {
            let room = self
                .layout
                .width
                .map(|w| w.saturating_sub(labels + GAP).max(8));
            let room = room.filter(|_| !whole);
            let label = text::pad_end(label, labels);
            let label = Clean::styled(self.layout.style.muted(), label);
            let value = value.clone().fit_if(room);
            out.line(label.then(Clean::blank(GAP)).then(value))?;
        }
        Ok(())
    }
}
