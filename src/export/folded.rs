//! Folded stacks, which flamegraph.pl, inferno, speedscope and others read: for
//! each path of span names, joined by semicolons, its self time in whole
//! microseconds. A path may come again in another trace; readers add it up, so
//! what is too little for a whole microsecond waits until the path comes again,
//! but for as many microseconds as the fractions of all paths make together:
//! these go to the largest fractions, so that the lines add up, too.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::io::{self, Write};

use super::format::{Losses, Streamed};
use crate::analysis::{LatencyReport, NodeId, analyse};
use crate::model::Trace;
use crate::text::sanitize;

/// Names on a path. Self time of what lies deeper counts as that of the last
/// name, so that the output grows with the spans and not with their square.
const MAX_DEPTH: usize = 500;

/// Writes traces, one after the other.
#[derive(Debug, Default)]
pub struct Folded {
    /// Nanoseconds that were too few for a whole microsecond, or that a whole one was too
    /// many for, by the hash of their path: the names of all paths could be more than
    /// fits into memory.
    carried_ns: HashMap<u64, i64>,
    /// The sum of these.
    all_carried_ns: i64,
    /// Spans that lie deeper than a path may be long.
    deeper: usize,
}

impl Streamed for Folded {
    /// Writes the paths of one trace, in the order of its tree.
    fn push(&mut self, out: &mut dyn Write, trace: &Trace) -> io::Result<()> {
        let report = analyse(trace);
        let paths = Paths::of(&report);
        self.deeper += paths.deeper;
        let mut lines = Vec::new();
        for (at, path) in paths.list.iter().enumerate() {
            if path.self_ns == 0 {
                continue;
            }
            let carried_ns = self.carried_ns.entry(path.hash).or_default();
            self.all_carried_ns -= *carried_ns;
            let ns = carried_ns.saturating_add(path.self_ns);
            let micros = (ns / 1000).max(0);
            *carried_ns = ns - micros * 1000;
            self.all_carried_ns += *carried_ns;
            lines.push((at, micros, *carried_ns));
        }
        let mut by_fraction: Vec<usize> = (0..lines.len()).collect();
        by_fraction.sort_by_key(|&line| Reverse(lines[line].2));
        for line in by_fraction {
            let (at, micros, fraction_ns) = &mut lines[line];
            if self.all_carried_ns < 1000 || *fraction_ns <= 0 {
                break;
            }
            *micros += 1;
            self.all_carried_ns -= 1000;
            *self.carried_ns.entry(paths.list[*at].hash).or_default() -= 1000;
        }
        for (at, micros, _) in lines {
            if micros > 0 {
                paths.write_names(out, at)?;
                writeln!(out, " {micros}")?;
            }
        }
        Ok(())
    }

    fn finish(self, _: &mut dyn Write) -> io::Result<Losses> {
        let what = format!(
            "deeper than {MAX_DEPTH} levels: their self time counts as that of the span above"
        );
        Ok(Losses::of_spans(self.deeper, what))
    }
}

struct Path<'a> {
    parent: Option<usize>,
    /// Of its names.
    hash: u64,
    name: Cow<'a, str>,
    self_ns: i64,
}

/// The paths of one trace, a parent before its children.
struct Paths<'a> {
    list: Vec<Path<'a>>,
    deeper: usize,
}

impl<'a> Paths<'a> {
    fn of(report: &LatencyReport<'a>) -> Self {
        let mut paths = Self {
            list: Vec::new(),
            deeper: 0,
        };
        let mut known: HashMap<(Option<usize>, &'a str), usize> = HashMap::new();
        let mut path_of: Vec<usize> = Vec::with_capacity(report.tree.len());
        for (id, node) in report.nodes() {
            let parent = node.parent.map(|parent: NodeId| path_of[parent.index()]);
            let path = match parent {
                Some(parent) if node.depth >= MAX_DEPTH => {
                    paths.deeper += 1;
                    parent
                }
                _ => {
                    let name = report.span(id).name.as_str();
                    *known.entry((parent, name)).or_insert_with(|| {
                        let above = parent.map(|parent| paths.list[parent].hash);
                        let mut hasher = DefaultHasher::new();
                        (above, name).hash(&mut hasher);
                        paths.list.push(Path {
                            parent,
                            hash: hasher.finish(),
                            name: safe(name),
                            self_ns: 0,
                        });
                        paths.list.len() - 1
                    })
                }
            };
            path_of.push(path);
            let self_ns = &mut paths.list[path].self_ns;
            *self_ns = self_ns.saturating_add(report.self_ns(id));
        }
        paths
    }

    fn write_names(&self, out: &mut dyn Write, at: usize) -> io::Result<()> {
        let mut names = Vec::new();
        let mut next = Some(at);
        while let Some(at) = next {
            names.push(self.list[at].name.as_ref());
            next = self.list[at].parent;
        }
        names.reverse();
        out.write_all(names.join(";").as_bytes())
    }
}

/// A name that cannot be taken for two, nor for a line of its own.
fn safe(name: &str) -> Cow<'_, str> {
    if name.trim().is_empty() {
        return Cow::Borrowed("(unnamed)");
    }
    let name = sanitize::line(name);
    if name.contains(';') {
        Cow::Owned(name.replace(';', ":"))
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::analysis::analyse;
    use crate::model::Trace;
    use crate::render::sample::{chain, hostile, info, span, trace, written};

    fn folded(traces: &[Trace]) -> String {
        written(|out| {
            let mut folded = Folded::default();
            traces.iter().try_for_each(|t| folded.push(out, t))
        })
    }

    fn sum(text: &str) -> i64 {
        let value = |line: &str| line.rsplit_once(' ').unwrap().1.parse::<i64>().unwrap();
        text.lines().map(value).sum()
    }

    #[test]
    fn a_path_has_its_self_time() {
        assert_snapshot!(folded(&[trace()]), @r#"
        agent 42000
        agent;retrieve 2000
        agent;retrieve;embed 53000
        agent;retrieve;search index 243000
        agent;lookup_order 370000
        agent;chat 929000
        agent;chat;stream 1000
        "#);
    }

    #[test]
    fn names_cannot_be_taken_for_paths_or_lines() {
        let mut trace = hostile();
        trace.spans[0].name = "a;b\nc 12".into();
        trace.spans[2].name = " ".into();
        assert_snapshot!(folded(&[trace]), @r#"
        a:b\nc 12 32000
        a:b\nc 12;検索サービス\x1b[31m 2000
        a:b\nc 12;検索サービス\x1b[31m;(unnamed) 53000
        a:b\nc 12;検索サービス\x1b[31m;search index 243000
        a:b\nc 12;lookup_order 370000
        a:b\nc 12;chat 929000
        a:b\nc 12;chat;stream 1000
        a:b\nc 12;still running 740000
        lost \u{2066}child 100000
        "#);
    }

    #[test]
    fn a_path_that_comes_again_in_its_trace_is_added_up() {
        let spans = vec![
            span("1", "", "loop", "CHAIN", 0, 10),
            span("2", "1", "step", "TASK", 0, 4),
            span("3", "1", "step", "TASK", 5, 9),
        ];
        let twice = Trace {
            info: info(),
            spans,
        };
        assert_eq!(folded(&[twice]), "loop 2000\nloop;step 8000\n");
    }

    #[test]
    fn fractions_of_a_microsecond_are_kept_for_their_own_path() {
        let short = |name: &str, ns| {
            let mut one = span(name, "", name, "TASK", 0, 0);
            one.end_ns = Some(one.start_ns + ns);
            one
        };
        let trace = Trace {
            info: info(),
            spans: vec![short("a", 900), short("b", 600)],
        };
        let text = folded(&vec![trace; 1_000]);
        let of = |name: &str| {
            let lines = text.lines().filter(|line| line.starts_with(name));
            sum(&lines.collect::<Vec<_>>().join("\n"))
        };
        assert_eq!((of("a"), of("b")), (900, 600));
    }

    #[test]
    fn a_deep_trace_has_short_paths() {
        let deep = chain(100_000);
        let text = folded(std::slice::from_ref(&deep));
        assert_eq!(text.lines().count(), MAX_DEPTH);
        assert_eq!(sum(&text) * 1000, analyse(&deep).self_sum_ns);
        assert!(text.len() < 4_000_000, "{}", text.len());
    }
}
