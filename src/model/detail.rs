//! How much of a trace there is.

/// How much of its spans a trace is wanted with. A store may give more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Ids, names, types, states and times.
    Times,
    /// Those, and the attributes that say model, token usage and cost.
    Measures,
    /// Those, the events and the text of the state, which tell what went wrong.
    Events,
    /// Everything.
    Whole,
}
