//! Which spans of a tree are shown, and the lines that connect them. The guides
//! are worked out among the shown spans, so that leaving some out leaves no
//! loose ends, and the deepest levels of a chain are counted instead of drawn.

use super::{Glyphs, text};
use crate::analysis::{Node, NodeId, SpanTree};

/// Columns of one level.
const LEVEL: usize = 3;
/// Levels whose place the mark for levels left out takes.
const MARK_LEVELS: usize = 2;

/// The spans to show, in pre-order.
#[derive(Debug)]
pub(crate) struct Selection {
    shown: Vec<bool>,
    last: Vec<bool>,
    has_children: Vec<bool>,
    /// For each shown span, how many spans below it are hidden by the limit of depth.
    cut_below: Vec<usize>,
}

impl Selection {
    /// The spans that `wanted` picks and their ancestors, down to `max_depth` levels.
    pub(crate) fn new(
        tree: &SpanTree,
        max_depth: Option<usize>,
        wanted: impl Fn(NodeId, &Node) -> bool,
    ) -> Self {
        let mut picked: Vec<bool> = tree.preorder().map(|(id, node)| wanted(id, node)).collect();
        let mut selection = Self {
            shown: vec![false; tree.len()],
            last: vec![false; tree.len()],
            has_children: vec![false; tree.len()],
            cut_below: vec![0; tree.len()],
        };
        let mut last_root_seen = false;
        for (id, node) in tree.preorder().rev() {
            let at = id.index();
            if !picked[at] {
                continue;
            }
            if let Some(parent) = node.parent {
                picked[parent.index()] = true;
            }
            if max_depth.is_some_and(|max| node.depth >= max) {
                if let Some(parent) = node.parent {
                    selection.cut_below[parent.index()] += selection.cut_below[at] + 1;
                }
                continue;
            }
            selection.shown[at] = true;
            let sibling_seen = match node.parent {
                Some(parent) => &mut selection.has_children[parent.index()],
                None => &mut last_root_seen,
            };
            selection.last[at] = !*sibling_seen;
            *sibling_seen = true;
        }
        selection
    }

    pub(crate) fn shows(&self, id: NodeId) -> bool {
        self.shown[id.index()]
    }

    /// How many spans are shown.
    pub(crate) fn len(&self) -> usize {
        self.shown.iter().filter(|shown| **shown).count()
    }

    /// How many spans below this one the limit of depth hides.
    pub(crate) fn cut_below(&self, id: NodeId) -> usize {
        self.cut_below[id.index()]
    }
}

/// Draws the lines left of the names, going through the shown spans in pre-order.
#[derive(Debug, Clone)]
pub(crate) struct GuideLines<'a> {
    selection: &'a Selection,
    glyphs: Glyphs,
    max_levels: usize,
    /// For each level from 1 down to the current span's, whether its branch ends there.
    ended: Vec<bool>,
}

impl<'a> GuideLines<'a> {
    /// Guides that take no more than `columns` columns.
    pub(crate) fn new(selection: &'a Selection, glyphs: Glyphs, columns: usize) -> Self {
        let max_levels = (columns / LEVEL).max(MARK_LEVELS + 1);
        Self {
            selection,
            glyphs,
            max_levels,
            ended: Vec::new(),
        }
    }

    /// The same at the place before those spans, as if all before them had been entered.
    pub(crate) fn before(&self, spans: &[NodeId], tree: &SpanTree) -> Self {
        let mut ended = Vec::new();
        let mut next = spans.first().and_then(|id| tree.node(*id).parent);
        while let Some(id) = next.filter(|id| tree.node(*id).depth > 0) {
            ended.push(self.selection.last[id.index()]);
            next = tree.node(id).parent;
        }
        ended.reverse();
        Self {
            ended,
            ..self.clone()
        }
    }

    /// The guide before the name of the next span.
    pub(crate) fn enter(&mut self, id: NodeId, node: &Node) -> String {
        self.ended.truncate(node.depth.saturating_sub(1));
        if node.depth > 0 {
            self.ended.push(self.selection.last[id.index()]);
        }
        self.draw(self.ended.len(), true)
    }

    /// Columns that the guide before the name of a span at that depth takes.
    pub(crate) fn width(&self, depth: usize) -> usize {
        match self.left_out(depth) {
            0 => LEVEL * depth,
            from => LEVEL * (depth - from) + text::width(&self.mark(from)),
        }
    }

    /// The guide before a line that belongs to the current span.
    pub(crate) fn below(&self, id: NodeId) -> String {
        let mut guide = self.draw(self.ended.len(), false);
        let goes_on = self.selection.has_children[id.index()] || self.selection.cut_below(id) > 0;
        guide.push_str(if goes_on {
            self.glyphs.pick("│  ", "|  ")
        } else {
            "   "
        });
        guide
    }

    /// The guide before a note that stands in the place of the current span's children.
    pub(crate) fn note(&self) -> String {
        let mut guide = self.draw(self.ended.len(), false);
        guide.push_str(self.glyphs.pick("└─ ", "`- "));
        guide
    }

    /// The outer levels of so many that are counted instead of drawn.
    const fn left_out(&self, levels: usize) -> usize {
        if levels > self.max_levels {
            return levels - (self.max_levels - MARK_LEVELS);
        }
        0
    }

    fn mark(&self, left_out: usize) -> String {
        let mark = format!("{}{left_out}", self.glyphs.pick("⋯", "."));
        text::pad_end(&mark, LEVEL * MARK_LEVELS)
    }

    fn draw(&self, levels: usize, branch: bool) -> String {
        let from = self.left_out(levels);
        let mut guide = String::with_capacity(LEVEL * levels.min(self.max_levels) * '│'.len_utf8());
        if from > 0 {
            guide.push_str(&self.mark(from));
        }
        for (at, ended) in self.ended[..levels].iter().enumerate().skip(from) {
            let last_level = at + 1 == levels;
            guide.push_str(match (last_level && branch, ended) {
                (true, true) => self.glyphs.pick("└─ ", "`- "),
                (true, false) => self.glyphs.pick("├─ ", "|- "),
                (false, true) => "   ",
                (false, false) => self.glyphs.pick("│  ", "|  "),
            });
        }
        guide
    }
}
