//! A column: its names, its kind, and what it says of a row.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::Datum;
use crate::model::{Detail, TraceInfo};
use crate::render::Layout;
use crate::render::cell::Cell;

/// What tables are of. A row may borrow, as a span does from its trace, and then
/// the rows of one table do so from many.
pub trait Rows {
    /// One of them.
    type Row<'a>;
}

impl Rows for TraceInfo {
    type Row<'a> = Self;
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// [`Datum::Text`] and [`Datum::List`].
    Text,
    /// Text that is copied.
    Id,
    /// [`Datum::State`].
    State,
    /// [`Datum::Integer`].
    Count,
    /// [`Datum::Float`] or [`Datum::Integer`].
    Number,
    /// [`Datum::Flag`].
    Flag,
    /// [`Datum::Time`].
    Time,
    /// [`Datum::Duration`].
    Duration,
    /// [`Datum::Money`].
    Money,
    /// [`Datum::Share`] and [`Datum::Part`].
    Share,
    /// [`Datum::Score`].
    Score,
    /// [`Datum::Map`] and [`Datum::Pairs`].
    Map,
    /// [`Datum::Json`].
    Json,
}

impl Kind {
    /// Whether values of the kind are flush right.
    pub const fn is_number(self) -> bool {
        matches!(
            self,
            Self::Count | Self::Number | Self::Duration | Self::Money | Self::Share | Self::Score
        )
    }

    /// The room of a column that says nothing else.
    const fn room(self) -> Room {
        match self {
            Self::Time => Room::Time,
            Self::State => Room::State,
            Self::Text => Room::Text { at_least: 10 },
            Self::Map | Self::Json => Room::Preview { at_least: 10 },
            _ => Room::Rigid,
        }
    }
}

/// How a column may be laid out where space is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Never cut.
    Rigid,
    /// Never cut, but there is a shorter form.
    Time,
    /// Never cut, but there is a mark for it.
    State,
    /// Never cut, but the beginning may do.
    Id,
    /// Cut to no less than that many columns.
    Text {
        /// The columns.
        at_least: usize,
    },
    /// Cut before any other.
    Preview {
        /// The columns.
        at_least: usize,
    },
}

type Value<R> = dyn for<'a> Fn(&'a <R as Rows>::Row<'a>) -> Datum<'a> + Send + Sync;
type Shown<R> = dyn for<'a> Fn(&'a <R as Rows>::Row<'a>, &Layout) -> Cell + Send + Sync;

/// A column of a table of `R`.
pub struct Column<R: Rows> {
    name: Cow<'static, str>,
    aliases: Vec<Cow<'static, str>>,
    title: Cow<'static, str>,
    kind: Kind,
    room: Room,
    value: Arc<Value<R>>,
    shown: Option<Arc<Shown<R>>>,
    detail: Option<Detail>,
}

impl<R: Rows> Column<R> {
    /// A column with its name for machines, which has the unit where there is one:
    /// `duration_ns`, `cost_usd`. For people it is called the same in capitals.
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        kind: Kind,
        value: impl for<'a> Fn(&'a R::Row<'a>) -> Datum<'a> + Send + Sync + 'static,
    ) -> Self {
        let name = name.into();
        Self {
            title: Cow::Owned(name.to_uppercase().replace('_', " ")),
            name,
            aliases: Vec::new(),
            kind,
            room: kind.room(),
            value: Arc::new(value),
            shown: None,
            detail: None,
        }
    }

    /// With other names that ask for it.
    #[must_use]
    pub fn also(mut self, aliases: impl IntoIterator<Item = impl Into<Cow<'static, str>>>) -> Self {
        self.aliases.extend(aliases.into_iter().map(Into::into));
        self
    }

    /// With a head for people.
    #[must_use]
    pub fn titled(mut self, title: impl Into<Cow<'static, str>>) -> Self {
        self.title = title.into();
        self
    }

    /// With another room than that of its kind.
    #[must_use]
    pub const fn in_room(mut self, room: Room) -> Self {
        self.room = room;
        self
    }

    /// With the need of so much of the spans of a trace.
    #[must_use]
    pub const fn needing(mut self, detail: Option<Detail>) -> Self {
        self.detail = detail;
        self
    }

    /// How much of the spans of a trace it needs; `None` where it needs none.
    pub const fn detail(&self) -> Option<Detail> {
        self.detail
    }

    /// With a cell for people that says more than the value.
    #[must_use]
    pub(crate) fn shown_as(
        mut self,
        cell: impl for<'a> Fn(&'a R::Row<'a>, &Layout) -> Cell + Send + Sync + 'static,
    ) -> Self {
        self.shown = Some(Arc::new(cell));
        self
    }

    /// The name for machines.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The other names that ask for it.
    pub fn aliases(&self) -> impl Iterator<Item = &str> {
        self.aliases.iter().map(AsRef::as_ref)
    }

    /// The head for people.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What its values are.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// How it may be laid out where space is short.
    pub const fn room(&self) -> Room {
        self.room
    }

    /// What it says of a row.
    pub fn value<'a>(&self, row: &'a R::Row<'a>) -> Datum<'a> {
        (self.value)(row)
    }

    /// The same for people, not yet cut to a width.
    pub(crate) fn cell<'a>(&self, row: &'a R::Row<'a>, layout: &Layout) -> Cell {
        match &self.shown {
            Some(shown) => shown(row, layout),
            None => super::text::cell(&self.value(row), self.kind, layout),
        }
    }

    /// Both, for those who want both.
    pub(crate) fn told<'a>(&self, row: &'a R::Row<'a>, layout: &Layout) -> (Datum<'a>, Cell) {
        let value = self.value(row);
        let cell = match &self.shown {
            Some(shown) => shown(row, layout),
            None => super::text::cell(&value, self.kind, layout),
        };
        (value, cell)
    }
}

// Derived, these would ask the same of `R`.
impl<R: Rows> Clone for Column<R> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            aliases: self.aliases.clone(),
            title: self.title.clone(),
            kind: self.kind,
            room: self.room,
            value: Arc::clone(&self.value),
            shown: self.shown.clone(),
            detail: self.detail,
        }
    }
}

impl<R: Rows> fmt::Debug for Column<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Column")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
