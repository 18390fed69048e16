//! What holds of every file for viewers, whatever the traces in it: the files
//! are parsed, and compared with the trees of their traces.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value;

use super::chrome::ChromeTrace;
use super::folded::Folded;
use super::format::Streamed as _;
use super::sample::any_traces;
use super::speedscope::Speedscope;
use crate::analysis::{LatencyReport, Node, NodeId, SpanTree, TotalBasis, analyse};
use crate::model::Trace;
use crate::text::sanitize::is_unseen;

/// Name, start and end of a span, in nanoseconds since its trace's first start.
type Interval = (String, u64, u64);

fn written(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn begin(tree: &SpanTree) -> i64 {
    tree.preorder().map(|(_, n)| n.start_ns).min().unwrap_or(0)
}

fn extent(tree: &SpanTree) -> u64 {
    let end = tree.preorder().map(|(_, n)| n.end_ns).max().unwrap_or(0);
    end.abs_diff(begin(tree))
}

/// All spans of a tree, in order.
fn intervals(tree: &SpanTree, trace: &Trace) -> Vec<Interval> {
    let begin = begin(tree);
    let interval = |(id, node): (NodeId, &Node)| {
        let at = |ns: i64| ns.abs_diff(begin);
        let name = tree.span(id, trace).name.clone();
        (name, at(node.start_ns), at(node.end_ns))
    };
    let mut intervals: Vec<Interval> = tree.preorder().map(interval).collect();
    intervals.sort();
    intervals
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// What a profile of speedscope opens and closes, after the checks that each closing
/// fits the last opening and that time does not run backward.
fn opened(profile: &Value, frames: &[Value]) -> Result<Vec<Interval>, TestCaseError> {
    let (mut open, mut found, mut now) = (Vec::new(), Vec::new(), 0);
    for event in profile["events"].as_array().unwrap() {
        let (frame, at) = (number(&event["frame"]), number(&event["at"]));
        prop_assert!(at >= now, "{profile}");
        now = at;
        if event["type"] == "O" {
            open.push((frame, at));
            continue;
        }
        prop_assert_eq!(&event["type"], "C");
        let (opened, start) = open.pop().unwrap();
        prop_assert_eq!(opened, frame, "{}", profile);
        let name = &frames[usize::try_from(frame).unwrap()]["name"];
        found.push((name.as_str().unwrap().to_owned(), start, at));
    }
    prop_assert!(open.is_empty(), "{profile}");
    prop_assert!(now <= number(&profile["endValue"]));
    Ok(found)
}

fn check_speedscope(traces: &[Trace]) -> Result<(), TestCaseError> {
    let text = written(|out| {
        let mut document = Speedscope::default();
        traces.iter().try_for_each(|t| document.push(out, t))?;
        document.finish(out).map(drop)
    });
    prop_assert!(!text.contains(|c| c != '\n' && is_unseen(c)));
    let document: Value = serde_json::from_str(&text).unwrap();
    let frames = document["shared"]["frames"].as_array().unwrap();
    let distinct: BTreeSet<&str> = frames.iter().map(|f| f["name"].as_str().unwrap()).collect();
    prop_assert_eq!(distinct.len(), frames.len());

    let mut profiles = document["profiles"].as_array().unwrap().as_slice();
    for trace in traces {
        let tree = SpanTree::build(trace);
        let is_its = |profile: &&Value| {
            let name = profile["name"].as_str().unwrap();
            name.contains(&trace.info.trace_id)
        };
        let count = profiles.iter().take_while(is_its).count();
        let (its, rest) = profiles.split_at(count);
        profiles = rest;
        let mut found = Vec::new();
        for (at, profile) in its.iter().enumerate() {
            let lane = format!(" · lane {} of {count}", at + 1);
            let name = profile["name"].as_str().unwrap();
            prop_assert_eq!(name.ends_with(&lane), count > 1, "{}", name);
            prop_assert_eq!(number(&profile["startValue"]), 0);
            prop_assert_eq!(number(&profile["endValue"]), extent(&tree));
            found.extend(opened(profile, frames)?);
        }
        found.sort();
        prop_assert_eq!(&found, &intervals(&tree, trace));
        let total = tree.total_ns.unsigned_abs();
        let is_whole = match tree.root() {
            Some(root) => {
                let name = &tree.span(root, trace).name;
                let mut named = found.iter().filter(|(found, ..)| found == name);
                named.any(|(_, start, end)| end - start == total)
            }
            None => tree.total_basis == TotalBasis::Extent && total == extent(&tree),
        };
        prop_assert!(is_whole);
    }
    prop_assert!(profiles.is_empty());
    Ok(())
}

/// The first letters of the names from the root down, `(` for blank ones.
fn initials(report: &LatencyReport<'_>, id: NodeId) -> String {
    let mut found = Vec::new();
    let mut next = Some(id);
    while let Some(id) = next {
        let name = report.span(id).name.trim();
        found.push(name.chars().next().unwrap_or('('));
        next = report.tree.node(id).parent;
    }
    found.iter().rev().collect()
}

fn check_folded(traces: &[Trace]) -> Result<(), TestCaseError> {
    let text = written(|out| {
        let mut folded = Folded::default();
        traces.iter().try_for_each(|t| folded.push(out, t))
    });
    let mut found = BTreeMap::<String, i64>::new();
    let mut lines = 0;
    for line in text.lines() {
        let (path, value) = line.rsplit_once(' ').unwrap();
        let micros: i64 = value.parse().unwrap();
        prop_assert!(micros > 0 && !line.contains(is_unseen), "{line:?}");
        let initials = path.split(';').map(|name| name.chars().next().unwrap());
        *found.entry(initials.collect()).or_default() += micros;
        lines += 1;
    }
    prop_assert_eq!(lines, text.matches('\n').count());

    let mut expected = BTreeMap::<String, i64>::new();
    for trace in traces {
        let report = analyse(trace);
        for (id, _) in report.nodes() {
            *expected.entry(initials(&report, id)).or_default() += report.self_ns(id);
        }
    }
    prop_assert!(found.keys().all(|path| expected.contains_key(path)));
    let kept = expected.values().sum::<i64>() - found.values().sum::<i64>() * 1000;
    let bound = if traces.len() == 1 { 1000 } else { i64::MAX };
    prop_assert!((0..bound).contains(&kept), "{kept} ns are missing");
    for (path, ns) in expected {
        // Such a path may be two for each blank name, and each is off by less than a
        // microsecond.
        let kept = 1000 << path.matches('(').count();
        let micros = found.get(&path).copied().unwrap_or(0);
        prop_assert!(
            (1 - kept..kept).contains(&(ns - micros * 1000)),
            "{path}: {micros} for {ns}"
        );
    }
    Ok(())
}

/// Microseconds with a fraction as whole nanoseconds.
fn nanos(micros: &Value) -> u64 {
    let text = micros.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = format!("{fraction:0<3}");
    whole.parse::<u64>().unwrap() * 1000 + fraction.parse::<u64>().unwrap()
}

fn check_chrome(traces: &[Trace]) -> Result<(), TestCaseError> {
    let text = written(|out| {
        let mut document = ChromeTrace::default();
        traces.iter().try_for_each(|t| document.push(out, t))?;
        document.finish(out).map(drop)
    });
    prop_assert!(!text.contains(|c| c != '\n' && is_unseen(c)));
    let document: Value = serde_json::from_str(&text).unwrap();
    let all = document["traceEvents"].as_array().unwrap();
    let of_process = |pid: usize, phase: &str| -> Vec<&Value> {
        let its = |event: &&Value| event["pid"] == pid && event["ph"] == phase;
        all.iter().filter(its).collect()
    };
    let mut count = 0;
    for (at, trace) in traces.iter().enumerate() {
        let tree = SpanTree::build(trace);
        let complete = of_process(at + 1, "X");
        let instants = of_process(at + 1, "i");
        let named = of_process(at + 1, "M");
        count += complete.len() + instants.len() + named.len();

        let interval = |event: &&Value| {
            let (name, start) = (event["name"].as_str().unwrap(), nanos(&event["ts"]));
            (name.to_owned(), start, start + nanos(&event["dur"]))
        };
        let mut found: Vec<Interval> = complete.iter().map(interval).collect();
        found.sort();
        prop_assert_eq!(found, intervals(&tree, trace));
        let by_id: BTreeMap<&str, NodeId> = tree
            .preorder()
            .map(|(id, _)| (tree.span(id, trace).span_id.as_str(), id))
            .collect();
        let node_of = |event: &Value| by_id[event["args"]["span_id"].as_str().unwrap()];
        let ids: BTreeSet<NodeId> = complete.iter().map(|event| node_of(event)).collect();
        prop_assert_eq!(ids.len(), tree.len());
        let events = tree
            .preorder()
            .map(|(id, _)| tree.span(id, trace).events.len());
        prop_assert_eq!(instants.len(), events.sum::<usize>());

        for one in &complete {
            let is_beside = |event: &&&Value| event["tid"] == one["tid"];
            let its = named.iter().filter(is_beside);
            prop_assert_eq!(its.filter(|e| e["name"] == "thread_name").count(), 1);
            let (_, from, to) = interval(one);
            let span = node_of(one);
            for other in complete.iter().filter(is_beside) {
                let (_, other_from, other_to) = interval(other);
                let other = node_of(other);
                let is_apart = to <= other_from || other_to <= from;
                let is_around = from <= other_from && other_to <= to;
                let is_within = other_from <= from && to <= other_to;
                let (over, under) = (tree.subtree(span), tree.subtree(other));
                prop_assert!(
                    is_apart
                        || (is_around && over.contains(&other.index()))
                        || (is_within && under.contains(&span.index())),
                    "{one}"
                );
            }
        }
    }
    prop_assert_eq!(count, all.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn profiles_of_speedscope_open_and_close_every_span_once(traces in any_traces()) {
        check_speedscope(&traces)?;
    }

    #[test]
    fn folded_stacks_have_all_self_time_under_the_paths_of_the_tree(traces in any_traces()) {
        check_folded(&traces)?;
    }

    #[test]
    fn lanes_of_chrome_hold_every_span_once_and_only_within_its_ancestors(traces in any_traces()) {
        check_chrome(&traces)?;
    }
}
