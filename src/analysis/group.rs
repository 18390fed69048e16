//! What spans are grouped by, and how a group is called.

use std::collections::HashMap;
use std::fmt;

use super::LatencyReport;

/// Paths longer than this are shown without their middle: the text of every path
/// of a chain would otherwise grow with the square of its length.
const MAX_PATH_NAMES: usize = 24;

/// How many names are kept at the start of such a path.
const PATH_HEAD_NAMES: usize = 3;

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

/// What a row stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKey {
    /// The name, type, status, model or path that its spans share. A path is
    /// joined by ` > `, and very deep ones have their middle left out.
    Text(String),
    /// Spans without a model, when grouped by model.
    NoModel,
    /// Time in which no span was running; only where the total is an extent.
    NoSpan,
}

impl RowKey {
    /// The text to show.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::NoModel => "(no model)",
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
    by: By,
    texts: Texts,
    keys: Vec<Key>,
    no_model: Option<usize>,
    /// Groups by their text and, for paths, the group of the parent.
    found: HashMap<(Option<usize>, usize), usize>,
}

/// What a group's key is made from; texts and groups are numbers.
#[derive(Debug)]
enum Key {
    Text(usize),
    NoModel,
    Path {
        name: usize,
        parent: Option<usize>,
        depth: usize,
        /// The group of the last name that is kept at the start of a shortened path.
        head: Option<usize>,
    },
}

impl Grouper {
    pub(super) fn new(by: By) -> Self {
        Self {
            by,
            texts: Texts::default(),
            keys: Vec::new(),
            no_model: None,
            found: HashMap::new(),
        }
    }

    /// How many groups there are so far.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The group of every node of a trace, by [`NodeId::index`](super::NodeId::index).
    pub(super) fn assign(&mut self, report: &LatencyReport<'_>) -> Vec<usize> {
        let mut groups = Vec::with_capacity(report.tree.len());
        for (id, node) in report.nodes() {
            let span = report.span(id);
            groups.push(match self.by {
                By::Name => self.text(&span.name),
                By::Type => self.text(&span.span_type()),
                By::Status => self.text(span.status.as_str()),
                By::Model => match span.model() {
                    Some(model) => self.text(&model),
                    None => self.no_model(),
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

    fn no_model(&mut self) -> usize {
        if let Some(group) = self.no_model {
            return group;
        }
        let group = self.push(Key::NoModel);
        self.no_model = Some(group);
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

    /// The keys of all groups by their numbers.
    pub(super) fn row_keys(&self) -> Vec<RowKey> {
        let texts = self.texts.in_order();
        let row_key = |key: &Key| match *key {
            Key::Text(text) => RowKey::Text(texts[text].to_owned()),
            Key::NoModel => RowKey::NoModel,
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
