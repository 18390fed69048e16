//! Bars that show when a span ran, to an eighth of a column. Spans that failed
//! or have not ended differ by the character itself, not only by colour.

use super::Glyphs;
use crate::units;

/// What a bar stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BarKind {
    Done,
    Failed,
    InProgress,
}

/// A stretch of time laid out over some columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    start_ns: i64,
    end_ns: i64,
    columns: usize,
    glyphs: Glyphs,
}

const LEFT_EIGHTHS: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

impl Scale {
    pub(crate) const fn new(start_ns: i64, end_ns: i64, columns: usize, glyphs: Glyphs) -> Self {
        Self {
            start_ns,
            end_ns,
            columns,
            glyphs,
        }
    }

    /// The blank before the bar in columns, and the bar. Nothing is too short to be seen.
    pub(crate) fn bar(&self, start_ns: i64, end_ns: i64, kind: BarKind) -> (usize, String) {
        let steps = self.columns * 8;
        if steps == 0 {
            return (0, String::new());
        }
        let from = self.position(start_ns, steps).min(steps - 1);
        let to = self.position(end_ns, steps).max(from + 1);
        let first = from / 8;
        let fill = match (kind, self.glyphs) {
            (BarKind::Done, Glyphs::Unicode) => return (first, eighths(from, to)),
            (BarKind::Done, Glyphs::Ascii) => '=',
            (BarKind::Failed, Glyphs::Unicode) => '▒',
            (BarKind::Failed, Glyphs::Ascii) => '!',
            (BarKind::InProgress, Glyphs::Unicode) => '░',
            (BarKind::InProgress, Glyphs::Ascii) => '~',
        };
        // Whole columns only: as many as the bar covers by at least a half, and at least one.
        let end = ((to + 4) / 8).clamp(first + 1, self.columns);
        (first, std::iter::repeat_n(fill, end - first).collect())
    }

    fn position(&self, at_ns: i64, steps: usize) -> usize {
        let length = i128::from(self.end_ns) - i128::from(self.start_ns);
        if length <= 0 {
            return 0;
        }
        let offset = (i128::from(at_ns) - i128::from(self.start_ns)).clamp(0, length);
        let steps_wide = i128::try_from(steps).unwrap_or(i128::MAX / 2);
        let position = units::divided(offset * steps_wide + length / 2, length);
        usize::try_from(position).unwrap_or(steps)
    }
}

/// Blocks that grow from the left, so a start within a column is rounded to the
/// column or, by the right half block, to its middle.
fn eighths(from: usize, to: usize) -> String {
    let (first, last) = (from / 8, to / 8);
    if first == last || (to.is_multiple_of(8) && first + 1 == last) {
        // Within one column: its true length, placed at the left or right.
        let length = to - from;
        let right_half = from % 8 >= 4 && length >= 3;
        return String::from(if right_half {
            '▐'
        } else {
            LEFT_EIGHTHS[length.clamp(1, 8)]
        });
    }
    let mut bar = String::from(if from % 8 >= 4 { '▐' } else { '█' });
    bar.extend(std::iter::repeat_n('█', last - first - 1));
    if !to.is_multiple_of(8) {
        bar.push(LEFT_EIGHTHS[to % 8]);
    }
    bar
}

/// A bar from the left for a share of a whole, for tables of shares.
pub(crate) fn share_bar(part: i64, whole: i64, columns: usize, glyphs: Glyphs) -> String {
    if part <= 0 || whole <= 0 {
        return String::new();
    }
    Scale::new(0, whole, columns, glyphs)
        .bar(0, part, BarKind::Done)
        .1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::text::width;
    use proptest::prelude::*;

    fn drawn(start: i64, end: i64, kind: BarKind) -> String {
        let (blank, bar) = Scale::new(0, 100, 10, Glyphs::Unicode).bar(start, end, kind);
        format!("{:blank$}{bar}", "")
    }

    #[test]
    fn bars_have_the_resolution_of_an_eighth() {
        for (start, end, bar) in [
            (0, 100, "██████████"),
            (0, 25, "██▌"),
            (25, 50, "  ▐██"),
            (50, 50, "     ▏"),
            (100, 100, "         ▏"),
            (30, 33, "   ▎"),
            (-50, 200, "██████████"),
        ] {
            assert_eq!(drawn(start, end, BarKind::Done), bar);
        }
    }

    #[test]
    fn failure_and_progress_need_no_colour() {
        assert_eq!(drawn(20, 60, BarKind::Failed), "  ▒▒▒▒");
        assert_eq!(drawn(99, 99, BarKind::Failed), "         ▒");
        assert_eq!(drawn(20, 100, BarKind::InProgress), "  ░░░░░░░░");
        let ascii = Scale::new(0, 100, 10, Glyphs::Ascii);
        assert_eq!(ascii.bar(20, 60, BarKind::Done), (2, "====".to_owned()));
    }

    proptest! {
        #[test]
        fn a_bar_is_seen_and_stays_in_its_columns(start in any::<i64>(), end in any::<i64>(), from in any::<i64>(), to in any::<i64>(), columns in 1usize..60) {
            for kind in [BarKind::Done, BarKind::Failed, BarKind::InProgress] {
                let (blank, bar) = Scale::new(start, end, columns, Glyphs::Unicode).bar(from, to, kind);
                prop_assert!(!bar.is_empty());
                prop_assert!(blank + width(&bar) <= columns, "{blank} {bar}");
            }
        }
    }
}
