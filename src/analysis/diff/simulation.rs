//! How often equal sets are called different, and how often different ones are:
//! at length by hand (`cargo test --lib simulation -- --ignored --nocapture`), and
//! briefly always. Durations and costs are lognormal, as those of services are.

use super::*;
use crate::analysis::bootstrap::SplitMix64;
use crate::analysis::sample::{SpanExt as _, span_ns, trace};
use crate::analysis::{Comparison, DEFAULT_SEED, Earlier, Ruling, Tally, Terms, analyse};
use crate::filter::Moment;
use crate::filter::aggregate::parse_rule;
use crate::model::{Trace, TraceState, metadata};

const SIZES: [(usize, usize); 4] = [(20, 20), (20, 200), (200, 20), (100, 100)];

struct Random(SplitMix64);

impl Random {
    fn uniform(&mut self) -> f64 {
        let bits = u32::try_from(self.0.next() >> 32).unwrap();
        (f64::from(bits) + 0.5) / 4_294_967_296.0
    }

    fn normal(&mut self) -> f64 {
        let (a, b) = (self.uniform(), self.uniform());
        (-2.0 * a.ln()).sqrt() * (2.0 * std::f64::consts::PI * b).cos()
    }

    fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }
}

/// What traces are like.
#[derive(Clone, Copy)]
struct World {
    sigma: f64,
    /// What all times, tokens and costs are multiplied by.
    factor: f64,
    failures: f64,
    rows: usize,
    /// The sigma of a factor that all times of a trace have in common.
    shared: f64,
}

const USUAL: World = World {
    sigma: 1.0,
    factor: 1.0,
    failures: 0.05,
    rows: 1,
    shared: 0.0,
};

#[expect(clippy::cast_possible_truncation, reason = "times of minutes at most")]
fn sample(world: World, random: &mut Random) -> Trace {
    let mut at = 0;
    let mut spans = Vec::new();
    let fails = random.uniform() < world.failures;
    let factor = world.factor * random.lognormal(1.0, world.shared);
    for row in 0..world.rows {
        // Half of the rows are not there in every trace.
        if row % 2 == 1 && random.uniform() < 0.3 {
            continue;
        }
        let took = (random.lognormal(1e8, world.sigma) * factor) as i64;
        let span = span_ns(&format!("s{row:02}"), "root", at, at + took);
        // What fails draws others along.
        let span = if fails && random.uniform() < 0.5 {
            span.failed()
        } else {
            span
        };
        spans.push(span);
        at += took;
    }
    let root = span_ns("root", "", 0, at);
    spans.push(if fails { root.failed() } else { root });
    let mut trace = trace(spans);
    trace.info.execution_duration_ns = Some(at);
    trace.info.state = if fails {
        TraceState::Error
    } else {
        TraceState::Ok
    };
    let tokens = (random.lognormal(500.0, world.sigma) * world.factor) as i64;
    let usage = format!(r#"{{"input_tokens": {tokens}, "output_tokens": 0}}"#);
    let cost = random.lognormal(0.002, world.sigma) * world.factor;
    let cost = format!(r#"{{"total_cost": {cost}}}"#);
    trace.info.metadata = [(metadata::TOKEN_USAGE, usage), (metadata::COST, cost)]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
    trace
}

fn set(n: usize, world: World, random: &mut Random) -> Vec<Trace> {
    (0..n).map(|_| sample(world, random)).collect()
}

fn compared(before: &[Trace], after: &[Trace]) -> Diff {
    let mut comparison = Comparison::new(By::Path);
    for (side, traces) in [(Side::Before, before), (Side::After, after)] {
        for trace in traces {
            comparison.add(side, &analyse(trace));
        }
    }
    comparison.finish(DiffSort::Critical, DEFAULT_SEED)
}

/// A part of so many.
#[expect(clippy::cast_precision_loss, reason = "thousands at most")]
fn part(hits: f64, of: u64) -> f64 {
    hits / of as f64
}

/// How often, of so many comparisons, each verdict is that something changed.
fn told(
    rounds: u64,
    (n, m): (usize, usize),
    worlds: [World; 2],
    seed: u64,
) -> Vec<(&'static str, f64)> {
    let mut random = Random(SplitMix64(seed));
    let mut told: Vec<(&'static str, f64)> = Vec::new();
    let mut count = |name: &'static str, is_told: bool| {
        let hit = if is_told { 1.0 } else { 0.0 };
        match told.iter_mut().find(|(known, _)| *known == name) {
            Some((_, hits)) => *hits += hit,
            None => told.push((name, hit)),
        }
    };
    for _ in 0..rounds {
        let before = set(n, worlds[0], &mut random);
        let after = set(m, worlds[1], &mut random);
        let diff = compared(&before, &after);
        for total in &diff.totals {
            let changed = |v| matches!(v, Verdict::Higher | Verdict::Lower);
            if let Some(verdict) = total.verdict {
                count(total.measure.as_str(), changed(verdict));
            }
        }
        count("any row", diff.found.beyond_noise > 0);
    }
    told.into_iter()
        .map(|(name, hits)| (name, part(hits, rounds)))
        .collect()
}

/// 5 %, and what chance adds to that in so many rounds at three standard errors.
fn most(rounds: u64) -> f64 {
    0.05 + 3.0 * part(0.05 * 0.95, rounds).sqrt()
}

/// Every test without the intervals that take long to draw.
fn assert_few(rounds: u64, sizes: (usize, usize), world: World, seed: u64) {
    let rates = told(rounds, sizes, [world; 2], seed);
    let text: Vec<String> = rates
        .iter()
        .map(|(n, r)| format!("{n} {:.1} %", r * 100.0))
        .collect();
    #[expect(clippy::print_stdout, reason = "for whoever runs it by hand")]
    {
        println!(
            "{sizes:?} sigma {:.1} rows {}: {}",
            world.sigma,
            world.rows,
            text.join(", ")
        );
    }
    for (name, rate) in rates {
        assert!(
            rate <= most(rounds),
            "{name}: {rate} at {sizes:?}, {}",
            world.sigma
        );
    }
}

#[test]
fn equal_sets_are_seldom_called_different() {
    assert_few(60, (20, 40), World { rows: 8, ..USUAL }, 11);
}

#[test]
fn sets_that_differ_by_half_are_told_apart() {
    let usual = World {
        sigma: 0.3,
        rows: 2,
        ..USUAL
    };
    let slower = World {
        factor: 1.5,
        ..usual
    };
    for (name, rate) in told(20, (40, 40), [usual, slower], 5) {
        let least = match name {
            "error_rate" | "output_tokens" => 0.0,
            "duration_p95" => 0.5,
            _ => 0.8,
        };
        assert!(rate >= least, "{name}: {rate}");
    }
}

#[test]
#[ignore = "takes minutes; run by hand"]
fn simulation_of_equal_sets() {
    for sizes in SIZES {
        for sigma in [0.3, 0.6, 1.0, 1.5] {
            assert_few(1_000, sizes, World { sigma, ..USUAL }, 1);
        }
    }
}

#[test]
#[ignore = "takes minutes; run by hand"]
fn simulation_of_rows() {
    for sizes in SIZES {
        for sigma in [0.3, 1.0, 1.5] {
            assert_few(
                500,
                sizes,
                World {
                    sigma,
                    rows: 20,
                    ..USUAL
                },
                2,
            );
        }
    }
}

#[test]
#[ignore = "takes minutes; run by hand"]
fn simulation_of_power() {
    for sizes in SIZES {
        for (sigma, factor) in [(0.3, 1.2), (0.3, 1.5), (1.0, 1.5), (1.0, 2.0)] {
            let world = World { sigma, ..USUAL };
            let worse = World {
                factor,
                failures: 0.2,
                ..world
            };
            let rates = told(300, sizes, [world, worse], 3);
            let text: Vec<String> = rates
                .iter()
                .map(|(n, r)| format!("{n} {:.0} %", r * 100.0))
                .collect();
            #[expect(clippy::print_stdout, reason = "for whoever runs it by hand")]
            {
                println!(
                    "power at {sizes:?} sigma {sigma} × {factor}, failures 20 %: {}",
                    text.join(", ")
                );
            }
        }
    }
}

/// How often a value of an equal set fails beside that of another one.
fn regressions(rounds: u64, (n, m): (usize, usize), world: World, rules: &[&str]) -> Vec<f64> {
    let mut random = Random(SplitMix64(7));
    let rules: Vec<_> = rules
        .iter()
        .map(|rule| parse_rule(rule, &Moment::utc()).unwrap())
        .collect();
    let aggregates: Vec<_> = rules.iter().map(|rule| rule.aggregate.clone()).collect();
    let empty = Tally::new(&aggregates).with_spread();
    let terms = Terms {
        max_regression: Some(0.2),
        ..Terms::default()
    };
    let mut failed = vec![0.0; rules.len()];
    for _ in 0..rounds {
        let mut measured = |n: usize| {
            let mut tally = empty.clone();
            for trace in &set(n, world, &mut random) {
                tally.add(trace);
            }
            tally.results()
        };
        let (before, after) = (measured(n), measured(m));
        for (at, (before, after)) in before.into_iter().zip(after).enumerate() {
            let earlier = Earlier {
                value: before.value,
                n: before.n,
                spread: before.spread,
            };
            let ruling = Ruling::new(&rules[at], after, Some(&earlier), terms);
            failed[at] += f64::from(u8::from(!ruling.passed()));
        }
    }
    failed
        .into_iter()
        .map(|failed| part(failed, rounds))
        .collect()
}

const RULES: [&str; 12] = [
    "p50(duration)",
    "p95(duration)",
    "avg(duration)",
    "sum(cost)",
    "avg(tokens)",
    "error_rate()",
    "count(where status = 'ERROR')",
    "max(duration)",
    "min(duration)",
    "p99(duration)",
    "avg(self where span.name = 's00')",
    "max(span.duration)",
];

/// Of spans, of which a trace has several.
const SPAN_RULES: [&str; 13] = [
    "max(span.duration)",
    "min(span.duration)",
    "p50(span.duration)",
    "p95(span.duration)",
    "p99(span.duration)",
    "p95(span.duration where span.name != 'root')",
    "p5(span.duration)",
    "avg(span.duration)",
    "avg(self)",
    "sum(critical where span.name = 's00')",
    "avg(span.duration where span.name != 'root')",
    "error_rate(span)",
    "count(span where span.status = 'ERROR')",
];

#[test]
fn equal_runs_seldom_regress() {
    assert_few_regress(100, (20, 30), USUAL, &RULES);
}

#[test]
fn runs_that_got_worse_regress() {
    let worse = World {
        factor: 2.0,
        failures: 0.5,
        sigma: 0.3,
        ..USUAL
    };
    let usual = World {
        sigma: 0.3,
        ..USUAL
    };
    let mut random = Random(SplitMix64(9));
    let (before, after) = (set(60, usual, &mut random), set(60, worse, &mut random));
    let terms = Terms {
        max_regression: Some(0.2),
        ..Terms::default()
    };
    for text in RULES.into_iter().chain(SPAN_RULES) {
        // Too few for a p99, and a single smallest value may be anything.
        let expected = !text.starts_with("p99");
        let rule = parse_rule(text, &Moment::utc()).unwrap();
        let measured = |traces: &[Trace]| {
            let mut tally = Tally::new(std::slice::from_ref(&rule.aggregate)).with_spread();
            for trace in traces {
                tally.add(trace);
            }
            tally.results().remove(0)
        };
        let before = measured(&before);
        let earlier = Earlier {
            value: before.value,
            n: before.n,
            spread: before.spread,
        };
        let ruling = Ruling::new(&rule, measured(&after), Some(&earlier), terms);
        if text.starts_with("min") {
            continue;
        }
        assert_eq!(!ruling.passed(), expected, "{text} {ruling:?}");
    }
}

/// No rule fails more often than it may. A sum grows with its parts, and so does a count.
fn assert_few_regress(rounds: u64, (n, m): (usize, usize), world: World, rules: &[&str]) {
    let rates = regressions(rounds, (n, m), world, rules);
    let each = rules.iter().zip(&rates);
    let text: Vec<String> = each
        .clone()
        .map(|(rule, rate)| format!("{rule} {:.1} %", rate * 100.0))
        .collect();
    #[expect(clippy::print_stdout, reason = "for whoever runs it by hand")]
    {
        println!(
            "regressions at ({n}, {m}) sigma {}, rows {}, shared {}: {}",
            world.sigma,
            world.rows,
            world.shared,
            text.join(", ")
        );
    }
    for (rule, rate) in each {
        let grows = n != m && (rule.starts_with("sum") || rule.starts_with("count"));
        assert!(grows || *rate <= most(rounds), "{rule}: {rate}");
    }
}

#[test]
#[ignore = "takes minutes; run by hand"]
fn simulation_of_regressions() {
    for sizes in SIZES {
        for sigma in [0.3, 1.0, 1.5] {
            assert_few_regress(1_000, sizes, World { sigma, ..USUAL }, &RULES);
        }
    }
}

/// Spans of a trace that have more or less in common.
fn bundled(rows: usize, shared: f64) -> World {
    World {
        rows,
        shared,
        sigma: 0.6,
        failures: 0.2,
        ..USUAL
    }
}

#[test]
fn equal_runs_of_many_spans_seldom_regress() {
    assert_few_regress(40, (20, 20), bundled(4, 1.0), &SPAN_RULES);
}

#[test]
#[ignore = "takes minutes; run by hand"]
fn simulation_of_regressions_of_spans() {
    for sizes in SIZES {
        for (rows, shared) in [(1, 0.0), (8, 0.0), (8, 1.0)] {
            assert_few_regress(1_000, sizes, bundled(rows, shared), &SPAN_RULES);
        }
        assert_few_regress(300, sizes, bundled(30, 1.0), &SPAN_RULES);
    }
}
