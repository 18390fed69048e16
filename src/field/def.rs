//! What a definition of a field says, and finding fields by their names.

use super::{Comparator, DEFS, Field};

/// A field as filters, tables, completions and the documentation know it.
#[derive(Debug)]
pub struct FieldDef {
    /// The key; what has to be filled in stands in angle brackets at the end.
    pub name: &'static str,
    /// Other names that mean it wherever it can be used.
    pub aliases: &'static [&'static str],
    /// What other tools and MLflow's data frames call it: taken for it in columns and
    /// orders, and hinted at in filters.
    pub foreign: &'static [&'static str],
    /// The field, given what stands in angle brackets.
    pub make: fn(String) -> Field,
    /// What has it.
    pub of: Subject,
    /// What its values are.
    pub unit: Unit,
    /// The comparators that work.
    pub comparators: &'static [Comparator],
    /// Those with which MLflow's server takes it and means the same.
    pub server: &'static [Comparator],
    /// The first release of which the server knows it.
    pub since: (u32, u32),
    /// The server's spelling; empty for an entry of the metadata with a name of its own.
    pub server_name: &'static str,
    /// The server's spelling in orders; empty where no store sorts by it.
    pub order: &'static str,
    /// What it can be used for.
    pub uses: Uses,
    /// The head for machines: the name with the unit, where it has one.
    pub machine: &'static str,
    /// The head for people; empty where it is what stands in angle brackets.
    pub title: &'static str,
    /// What it is, in a few words.
    pub help: &'static str,
    /// What a group without it is called.
    pub missing: &'static str,
}

/// What has a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A trace.
    Trace,
    /// A span.
    Span,
    /// An assessment.
    Assessment,
}

/// What the values of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Text.
    Text,
    /// Text that is copied and not read.
    Id,
    /// A time; in filters also milliseconds since 1970.
    Time,
    /// A duration; in filters also milliseconds.
    Duration,
    /// A whole number.
    Count,
    /// US dollars.
    Money,
    /// Whatever it is: text, a number, true or false.
    Anything,
    /// One of a few words.
    OneOf(&'static [&'static str]),
}

impl Unit {
    /// Whether the values are always numbers.
    pub const fn is_number(self) -> bool {
        matches!(
            self,
            Self::Time | Self::Duration | Self::Count | Self::Money
        )
    }
}

/// What a field can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uses(u8);

impl Uses {
    /// In filters.
    pub const FILTER: Self = Self(1);
    /// To sort by.
    pub const SORT: Self = Self(2);
    /// To group by.
    pub const GROUP: Self = Self(4);
    /// As a column.
    pub const COLUMN: Self = Self(8);
    /// In `stats` and `check`, as something to measure.
    pub const MEASURE: Self = Self(16);
    /// In filters, where a single assessment is spoken of.
    pub const OF_ASSESSMENT: Self = Self(32);
    /// Of spans: in filters and to group by.
    pub const FILTER_GROUP: Self = Self(1 | 4);
    /// For everything but filters.
    pub const SHOWN: Self = Self(2 | 4 | 8);
    /// For everything.
    pub const ALL: Self = Self(1 | 2 | 4 | 8);

    /// And these.
    #[must_use]
    pub const fn and(self, uses: Self) -> Self {
        Self(self.0 | uses.0)
    }

    /// Whether all of these are among them.
    pub const fn has(self, uses: Self) -> bool {
        self.0 & uses.0 == uses.0
    }
}

impl FieldDef {
    /// Whether it is the definition of a field.
    pub fn is_of(&self, field: &Field) -> bool {
        let own = (self.make)(String::new());
        match self.prefix() {
            Some(_) => std::mem::discriminant(&own) == std::mem::discriminant(field),
            None => own == *field,
        }
    }

    /// What stands before the angle brackets, with its dot.
    pub fn prefix(&self) -> Option<&'static str> {
        let at = self.name.find('<')?;
        Some(&self.name[..at])
    }

    /// The name, or as much of it as is the same for all that it defines.
    pub fn beginning(&self) -> &'static str {
        self.prefix().unwrap_or(self.name)
    }

    /// The name as a column, which is that of its head where machines have the same.
    pub fn column_name(&self) -> &'static str {
        if self.machine.eq_ignore_ascii_case(self.title) {
            return self.machine;
        }
        self.name
    }

    /// The definitions with a use, in their order.
    pub fn with(uses: Uses) -> impl Iterator<Item = &'static Self> {
        DEFS.iter().filter(move |def| def.uses.has(uses))
    }

    /// The field that a name means, if nothing has to be filled in; its foreign names count where they may.
    pub fn named(name: &str, uses: Uses, foreign: bool) -> Option<Field> {
        let defs = || Self::with(uses).filter(|def| def.prefix().is_none());
        let is_foreign = |def: &&Self| {
            let of_machines = def.machine == name && !name.is_empty();
            of_machines || def.foreign.contains(&name)
        };
        let def = defs()
            .find(|def| def.name == name)
            .or_else(|| defs().find(|def| def.aliases.contains(&name)))
            .or_else(|| defs().filter(|_| foreign).find(is_foreign))?;
        Some((def.make)(String::new()))
    }
}
