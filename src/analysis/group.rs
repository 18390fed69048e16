//! What spans are grouped by, and how a group is called.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use crate::field::{Field, FieldDef, Uses, Value, assessment_text};
use crate::model::{Assessment, Detail, Span, Trace};

use super::{NodeId, SpanTree};

/// Paths longer than this are shown without their middle: the text of every path
/// of a chain would otherwise grow with the square of its length.
pub(super) const MAX_PATH_NAMES: usize = 24;

/// How many names are kept at the start of such a path.
pub(super) const PATH_HEAD_NAMES: usize = 3;

/// What the spans of one row have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum By {
    /// The span name.
    #[default]
    Name,
    /// The span type; `UNKNOWN` for spans without one.
    Type,
    /// The status: `OK`, `ERROR` or `UNSET`.
    Status,
    /// The model that was called.
    Model,
    /// All names from the root down.
    Path,
    /// Nothing: each span is a row of its own.
    Span,
}

impl By {
    /// All groupings.
    pub const ALL: [Self; 6] = [
        Self::Name,
        Self::Type,
        Self::Status,
        Self::Model,
        Self::Path,
        Self::Span,
    ];

    /// `name`, `type`, `status`, `model`, `path` or `span`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Type => "type",
            Self::Status => "status",
            Self::Model => "model",
            Self::Path => "path",
            Self::Span => "span",
        }
    }
}

/// What the spans of one row, over many traces, have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GroupKey {
    /// Something of the spans themselves.
    Span(By),
    /// A field of the spans.
    SpanField(Field),
    /// A field of their traces.
    Trace(Field),
    /// The names of the assessments of a trace, which is in a row for each.
    Assessment,
    /// The same with their values, `name=value`.
    AssessmentValue,
}

impl GroupKey {
    /// The key that a text means: of spans `name`, `type`, `status`, `model`, `path`,
    /// `span`, `span.error` and `span.attributes.KEY`, of traces `trace` (the name) and
    /// every other field, by any of its names; `trace.` before it says so; `assessment`
    /// and `assessment.value` tell traces apart by all of their assessments.
    pub fn parse(text: &str) -> Option<Self> {
        let own = text.strip_prefix("span.").unwrap_or(text);
        if let Some(by) = By::ALL.into_iter().find(|by| by.as_str() == own) {
            return Some(Self::Span(by));
        }
        if let Some(key) = own.strip_prefix("attributes.").filter(|_| own != text) {
            return (!key.is_empty())
                .then(|| Self::SpanField(Field::SpanAttribute(key.to_owned())));
        }
        match text {
            "span.error" => return Some(Self::SpanField(Field::SpanError)),
            "assessment" | "assessment.name" => return Some(Self::Assessment),
            "assessment.value" => return Some(Self::AssessmentValue),
            _ => {}
        }
        Self::of_traces(text).map(Self::Trace)
    }

    /// The field of traces that a text means where nothing of spans is meant.
    pub fn of_traces(text: &str) -> Option<Field> {
        if text == "trace" {
            return Some(Field::Name);
        }
        FieldDef::named(text, Uses::GROUP, true).or_else(|| Field::with_key(text, Uses::GROUP))
    }

    /// Beginnings of all that can be grouped by.
    pub fn beginnings() -> impl Iterator<Item = &'static str> {
        let own = |name: &&str| By::ALL.iter().any(|by| by.as_str() == *name);
        let fields = FieldDef::with(Uses::GROUP).map(FieldDef::beginning);
        By::ALL
            .iter()
            .map(|by| by.as_str())
            .chain(["trace", "models"])
            .chain(fields.filter(move |name| !own(name)))
    }

    /// Whether it tells spans apart.
    pub const fn is_of_spans(&self) -> bool {
        matches!(self, Self::Span(_) | Self::SpanField(_))
    }

    /// Whether a trace may be in several rows.
    pub const fn is_of_assessments(&self) -> bool {
        matches!(self, Self::Assessment | Self::AssessmentValue)
    }

    /// How much of the spans it needs; `None` where it needs none.
    pub fn detail(&self) -> Option<Detail> {
        match self {
            Self::Span(By::Model) => Some(Detail::Measures),
            Self::Span(_) | Self::Trace(Field::SpanCount) => Some(Detail::Times),
            Self::SpanField(field) | Self::Trace(field) => field.detail(),
            Self::Assessment | Self::AssessmentValue => None,
        }
    }

    /// Whether it is something of the traces that is known without their spans.
    pub fn is_of_infos(&self) -> bool {
        match self {
            Self::Trace(field) => field.detail().is_none(),
            other => other.is_of_assessments(),
        }
    }

    /// Whether it is tokens or cost.
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Trace(field) if field.is_usage())
    }

    fn missing(&self) -> RowKey {
        RowKey::Missing(match self {
            Self::Span(_) => "(no model)",
            Self::SpanField(field) | Self::Trace(field) => field.def().missing,
            Self::Assessment | Self::AssessmentValue => Field::Assessments.def().missing,
        })
    }
}

/// `name`, `trace`, `session`, `tags.K` and so on, as it is asked for.
impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Span(by) => f.write_str(by.as_str()),
            Self::Trace(Field::Name) => f.write_str("trace"),
            Self::Trace(Field::Models) => f.write_str("models"),
            Self::Assessment => f.write_str("assessment"),
            Self::AssessmentValue => f.write_str("assessment.value"),
            Self::SpanField(field) | Self::Trace(field) => f.write_str(&field.spelling()),
        }
    }
}

/// What a row stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKey {
    /// The name, type, status, model or path that its spans share. A path is
    /// joined by ` > `, and very deep ones have their middle left out.
    Text(String),
    /// Spans without what they are grouped by; the text says what that is.
    Missing(&'static str),
    /// Time in which no span was running; only where the total is an extent.
    NoSpan,
}

impl RowKey {
    /// The text to show.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Missing(what) => what,
            Self::NoSpan => "(no span)",
        }
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Numbers groups from 0, over any number of traces.
#[derive(Debug)]
pub(super) struct Grouper {
    first: Partition,
    second: Option<Partition>,
    /// Groups by the numbers that the two keys give them, where there are two.
    found: HashMap<(usize, usize), usize>,
    pairs: Vec<(usize, usize)>,
}

impl Grouper {
    pub(super) fn new(key: GroupKey, second: Option<GroupKey>) -> Self {
        Self {
            first: Partition::new(key),
            second: second.map(Partition::new),
            found: HashMap::new(),
            pairs: Vec::new(),
        }
    }

    /// Whether every key is one of traces.
    pub(super) fn is_of_traces(&self) -> bool {
        let of_traces = |partition: &Partition| !partition.by.is_of_spans();
        of_traces(&self.first) && self.second.as_ref().is_none_or(of_traces)
    }

    /// How many groups there are so far.
    pub(super) fn len(&self) -> usize {
        match self.second {
            Some(_) => self.pairs.len(),
            None => self.first.keys.len(),
        }
    }

    /// The group of every node of a trace, by [`NodeId::index`](super::NodeId::index).
    pub(super) fn assign(&mut self, trace: &Trace, tree: &SpanTree) -> Vec<usize> {
        let mut groups = self.first.assign(trace, tree);
        if let Some(second) = &mut self.second {
            let others = second.assign(trace, tree);
            for (group, other) in groups.iter_mut().zip(others) {
                *group = self.pair(*group, other);
            }
        }
        groups
    }

    /// The groups of a whole trace, at least one; `None` where a key is one of spans.
    pub(super) fn assign_trace(&mut self, trace: &Trace) -> Option<Vec<usize>> {
        let first = self.first.assign_trace(trace)?;
        let Some(second) = &mut self.second else {
            return Some(first);
        };
        let second = second.assign_trace(trace)?;
        let mut pairs = Vec::new();
        for first in first {
            pairs.extend(second.iter().map(|second| self.pair(first, *second)));
        }
        Some(pairs)
    }

    fn pair(&mut self, first: usize, second: usize) -> usize {
        let pairs = &mut self.pairs;
        *self.found.entry((first, second)).or_insert_with(|| {
            pairs.push((first, second));
            pairs.len() - 1
        })
    }

    /// An order of groups that does not depend on their numbers, also of paths
    /// that are shown alike: the name, then the parent's, and so on up.
    pub(super) fn compare(&self, a: usize, b: usize) -> Ordering {
        match &self.second {
            None => self.first.compare(a, b),
            Some(second) => {
                let (a, b) = (self.pairs[a], self.pairs[b]);
                let first = self.first.compare(a.0, b.0);
                first.then_with(|| second.compare(a.1, b.1))
            }
        }
    }

    /// The keys of all groups by their numbers.
    pub(super) fn row_keys(&self) -> Vec<(RowKey, Option<RowKey>)> {
        let first = self.first.row_keys();
        let Some(second) = &self.second else {
            return first.into_iter().map(|key| (key, None)).collect();
        };
        let second = second.row_keys();
        let keys = |&(a, b): &(usize, usize)| (first[a].clone(), Some(second[b].clone()));
        self.pairs.iter().map(keys).collect()
    }
}

/// Groups by one key.
#[derive(Debug)]
struct Partition {
    by: GroupKey,
    texts: Texts,
    keys: Vec<Key>,
    missing: Option<usize>,
    /// Groups by their text and, for paths, the group of the parent.
    found: HashMap<(Option<usize>, usize), usize>,
}

/// What a group's key is made from; texts and groups are numbers.
#[derive(Debug)]
enum Key {
    Text(usize),
    Missing(RowKey),
    Path {
        name: usize,
        parent: Option<usize>,
        depth: usize,
        /// The group of the last name that is kept at the start of a shortened path.
        head: Option<usize>,
    },
}

/// The models that spans name, and behind them what such a span is to the call: what wraps a
/// call mostly names the model, too, as does a second instrumentation.
fn models(trace: &Trace, tree: &SpanTree) -> Vec<Option<String>> {
    let nodes = tree.preorder().map(|(id, _)| tree.span(id, trace));
    let named: Vec<Option<Cow<'_, str>>> = nodes.map(Span::model).collect();
    let calls = tree.lowest(|id| named[id.index()].is_some());
    let calls: HashSet<NodeId> = calls.into_iter().collect();
    let mut told = HashSet::new();
    let mut role = |id: NodeId| {
        if !calls.contains(&id) {
            return " (wrapper)";
        }
        let response = tree.span(id, trace).response_id();
        let is_new = response.is_none_or(|response| told.insert(response));
        if is_new { "" } else { " (told again)" }
    };
    let told = tree.preorder().zip(&named);
    told.map(|((id, _), model)| Some(format!("{}{}", model.as_ref()?, role(id))))
        .collect()
}

/// Those that were not replaced.
fn assessments(trace: &Trace) -> impl Iterator<Item = &Assessment> {
    trace.info.assessments.iter().filter(|a| a.valid)
}

impl Partition {
    fn new(by: GroupKey) -> Self {
        Self {
            by,
            texts: Texts::default(),
            keys: Vec::new(),
            missing: None,
            found: HashMap::new(),
        }
    }

    fn assign_trace(&mut self, trace: &Trace) -> Option<Vec<usize>> {
        let texts: BTreeSet<Cow<'_, str>> = match &self.by {
            GroupKey::Trace(field) => field
                .value(trace)
                .map(Value::into_text)
                .into_iter()
                .collect(),
            GroupKey::Assessment => assessments(trace).map(|a| a.title().into()).collect(),
            GroupKey::AssessmentValue => assessments(trace)
                .map(|a| format!("{}={}", a.title(), assessment_text(a)).into())
                .collect(),
            GroupKey::Span(_) | GroupKey::SpanField(_) => return None,
        };
        if texts.is_empty() {
            return Some(vec![self.missing()]);
        }
        Some(texts.iter().map(|text| self.text(text)).collect())
    }

    fn assign(&mut self, trace: &Trace, tree: &SpanTree) -> Vec<usize> {
        if let Some([group, ..]) = self.assign_trace(trace).as_deref() {
            return vec![*group; tree.len()];
        }
        if let GroupKey::SpanField(field) = self.by.clone() {
            let nodes = tree.preorder();
            let of = |(id, _)| match field.value_of_span(tree.span(id, trace)) {
                Some(text) => self.text(&text),
                None => self.missing(),
            };
            return nodes.map(of).collect();
        }
        let GroupKey::Span(by) = self.by else {
            return Vec::new();
        };
        let mut groups = Vec::with_capacity(tree.len());
        let models = match by {
            By::Model => models(trace, tree),
            _ => Vec::new(),
        };
        for (id, node) in tree.preorder() {
            let span = tree.span(id, trace);
            groups.push(match by {
                By::Name => self.text(&span.name),
                By::Type => self.text(&span.span_type()),
                By::Status => self.text(span.status.as_str()),
                By::Model => match &models[id.index()] {
                    Some(model) => self.text(model),
                    None => self.missing(),
                },
                By::Path => self.path(&span.name, node.parent.map(|p| groups[p.index()])),
                By::Span => {
                    let text = self.texts.number(&span.name);
                    self.push(Key::Text(text))
                }
            });
        }
        groups
    }

    fn push(&mut self, key: Key) -> usize {
        self.keys.push(key);
        self.keys.len() - 1
    }

    fn text(&mut self, text: &str) -> usize {
        let text = self.texts.number(text);
        if let Some(&group) = self.found.get(&(None, text)) {
            return group;
        }
        let group = self.push(Key::Text(text));
        self.found.insert((None, text), group);
        group
    }

    fn missing(&mut self) -> usize {
        if let Some(group) = self.missing {
            return group;
        }
        let group = self.push(Key::Missing(self.by.missing()));
        self.missing = Some(group);
        group
    }

    fn path(&mut self, name: &str, parent: Option<usize>) -> usize {
        let name = self.texts.number(name);
        if let Some(&group) = self.found.get(&(parent, name)) {
            return group;
        }
        let (depth, head) = match parent.map(|p| (p, &self.keys[p])) {
            Some((p, Key::Path { depth, head, .. })) => {
                let head = if depth + 1 == PATH_HEAD_NAMES {
                    Some(p)
                } else {
                    *head
                };
                (depth + 1, head)
            }
            _ => (0, None),
        };
        let group = self.push(Key::Path {
            name,
            parent,
            depth,
            head,
        });
        self.found.insert((parent, name), group);
        group
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        let names = |group: usize| {
            let mut at = Some(group);
            std::iter::from_fn(move || {
                let (text, parent) = match self.keys[at?] {
                    Key::Path { name, parent, .. } => (Some(name), parent),
                    Key::Text(text) => (Some(text), None),
                    Key::Missing(_) => (None, None),
                };
                at = parent;
                Some(text)
            })
        };
        let texts = self.texts.in_order();
        let shown = |text: Option<usize>| text.map(|text| texts[text]);
        names(a).map(shown).cmp(names(b).map(shown))
    }

    fn row_keys(&self) -> Vec<RowKey> {
        let texts = self.texts.in_order();
        let row_key = |key: &Key| match *key {
            Key::Text(text) => RowKey::Text(texts[text].to_owned()),
            Key::Missing(ref key) => key.clone(),
            Key::Path { depth, head, .. } if depth >= MAX_PATH_NAMES => {
                let tail = MAX_PATH_NAMES - PATH_HEAD_NAMES;
                let omitted = depth + 1 - MAX_PATH_NAMES;
                let mut names = match head {
                    Some(head) => self.names_up(&self.keys[head], PATH_HEAD_NAMES, &texts),
                    None => Vec::new(),
                };
                let gap = format!("({omitted} more)");
                names.push(&gap);
                names.extend(self.names_up(key, tail, &texts));
                RowKey::Text(names.join(" > "))
            }
            Key::Path { .. } => {
                RowKey::Text(self.names_up(key, MAX_PATH_NAMES, &texts).join(" > "))
            }
        };
        self.keys.iter().map(row_key).collect()
    }

    /// The last `limit` names of a path.
    fn names_up<'t>(&self, key: &Key, limit: usize, texts: &[&'t str]) -> Vec<&'t str> {
        let mut names = Vec::new();
        let mut at = Some(key);
        while let Some(&Key::Path { name, parent, .. }) = at
            && names.len() < limit
        {
            names.push(texts[name]);
            at = parent.map(|p| &self.keys[p]);
        }
        names.reverse();
        names
    }
}

/// Texts by number, each kept once.
#[derive(Debug, Default)]
pub(super) struct Texts {
    numbers: HashMap<String, usize>,
}

impl Texts {
    pub(super) fn number(&mut self, text: &str) -> usize {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = self.numbers.len();
        self.numbers.insert(text.to_owned(), number);
        number
    }

    pub(super) fn in_order(&self) -> Vec<&str> {
        let mut texts = vec![""; self.numbers.len()];
        for (text, &number) in &self.numbers {
            texts[number] = text;
        }
        texts
    }
}
