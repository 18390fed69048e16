//! Pictures of durations out of block characters: how they are spread, and how
//! their percentiles moved over time. They are read without colour.

use std::io;

use super::cell::Cell;
use super::figures::{Bars, Figure, Figures, figures};
use super::latency::write_note;
use super::many::{ROUGH_NOTE, is_marked};
use super::stats::write_days_note;
use super::waterfall::share_bar;
use super::{Glyphs, Layout, LeftOut};
use crate::analysis::{Buckets, Histogram, Interval};
use crate::table::rows::many as rows;
use crate::text::Sheet;

/// Writes a histogram; `what` says of which durations. Gives the columns left out.
pub fn write_histogram(
    out: &mut Sheet<'_>,
    what: &str,
    histogram: &Histogram,
    layout: &Layout,
) -> io::Result<LeftOut> {
    let style = layout.style;
    let scale = if histogram.log {
        "ranges grow 1-2-5"
    } else {
        "ranges of equal width"
    };
    let title = Cell::new(style.title(), what).and(style.muted(), format!("  {scale}"));
    out.line(title)?;
    let bins = &histogram.bins;
    let peak = wide(histogram.peak());
    let bar = |at: usize, width: usize| {
        let bar = share_bar(wide(bins[at].count), peak, width, layout.glyphs);
        Cell::new(style.text(), bar)
    };
    let (known, rows) = (rows::bins(), rows::of_bins(bins));
    let figures = |wanted: &[(&str, u8)]| figures(&known, wanted, &rows, layout);
    let shown = Figures {
        names: figures(&[("from_ns", 0)]),
        numbers: figures(&[("to_ns", 0), ("count", 0), ("ratio", 1)]),
        bars: Some(Bars {
            title: "",
            draw: &bar,
        }),
    }
    .write(out, layout)?;
    Ok(shown.left_out)
}

/// Writes statistics for each interval; the bar's full part is the median, its
/// light part reaches to the 95th percentile.
pub fn write_over_time(
    out: &mut Sheet<'_>,
    what: &str,
    intervals: &[Interval],
    every: Option<Buckets>,
    layout: &Layout,
) -> io::Result<LeftOut> {
    let style = layout.style;
    out.styled(style.title(), what)?;
    let p95 = |interval: &Interval| interval.stats.map_or(0, |s| s.p95_ns);
    let longest = intervals.iter().map(p95).max().unwrap_or(0);
    let bar = |at: usize, width: usize| {
        let Some(stats) = &intervals[at].stats else {
            return Cell::default();
        };
        let median = share_bar(stats.p50_ns, longest, width, layout.glyphs);
        let reach = share_bar(stats.p95_ns, longest, width, layout.glyphs);
        let light = reach.chars().count().saturating_sub(median.chars().count());
        let shade = layout.glyphs.pick("░", ".");
        Cell::new(style.text(), median).and(style.muted(), shade.repeat(light))
    };
    let known = rows::intervals();
    let figures = |wanted: &[(&str, u8)]| figures(&known, wanted, intervals, layout);
    let starts = figures(&[("start", 0)]).into_iter().map(|starts| Figure {
        least: usize::MAX,
        ..starts
    });
    let shown = Figures {
        names: starts.collect(),
        numbers: figures(&[
            ("n", 0),
            ("p50_ns", 1),
            ("p95_ns", 0),
            ("p99_ns", 2),
            ("max_ns", 3),
        ]),
        bars: Some(Bars {
            title: "P50, P95",
            draw: &bar,
        }),
    }
    .write(out, layout)?;
    out.blank()?;
    write_note(out, "Bars: up to the median, and on to the p95.", layout)?;
    write_days_note(out, every, layout)?;
    let samples = intervals
        .iter()
        .filter_map(|interval| interval.stats.as_ref());
    if is_marked(samples, &shown) {
        write_note(out, ROUGH_NOTE, layout)?;
    }
    Ok(shown.left_out)
}

/// A mark for each value, as high as it is next to the largest; values that do
/// not fit a mark of their own share one, and the largest of them is shown.
pub(super) fn sparkline(values: &[Option<f64>], width: usize, glyphs: Glyphs) -> String {
    const UNICODE: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const ASCII: [char; 8] = ['_', '.', ':', '-', '=', '+', '*', '#'];
    let marks = glyphs.pick(UNICODE, ASCII);
    let known = values.iter().copied().flatten();
    let most = known.fold(0.0, f64::max);
    let columns = values.len().min(width.max(1));
    let mark = |column: usize| {
        let shared =
            &values[column * values.len() / columns..(column + 1) * values.len() / columns];
        let Some(value) = shared.iter().copied().flatten().reduce(f64::max) else {
            return glyphs.pick('·', ' ');
        };
        let reached = (1_u8..).map(f64::from).zip(&marks[1..]);
        let reached = reached.take_while(|(step, _)| value * 8.0 > most * step);
        reached.last().map_or(marks[0], |(_, mark)| *mark)
    };
    (0..columns).map(mark).collect()
}

fn wide(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_shows_each_value_next_to_the_largest() {
        let values: Vec<Option<f64>> = (0..=8).map(|n| Some(f64::from(n))).collect();
        assert_eq!(sparkline(&values, 20, Glyphs::Unicode), "▁▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&values, 3, Glyphs::Ascii), ".=#");
        let holes = [None, Some(0.0), Some(-1.0), None, Some(3.0)];
        assert_eq!(sparkline(&holes, 20, Glyphs::Unicode), "·▁▁·█");
        assert_eq!(sparkline(&[Some(0.0)], 20, Glyphs::Unicode), "▁");
        assert_eq!(sparkline(&[], 20, Glyphs::Unicode), "");
    }
}
