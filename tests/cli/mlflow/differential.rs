//! Random questions to a real MLflow server, to its database read directly, in
//! SQLite, PostgreSQL and MariaDB, and to mlt's own evaluator over an export: all must find the same traces in the
//! same order.
//!
//! `MLT_DIFFERENTIAL` sets how many filters are tried, `MLT_DIFFERENTIAL_SEED`
//! with which of them to begin; a failure says with which seed it comes again.

mod backends;
mod chance;
mod extended;
mod grammar;
mod named;
mod rules;
mod sides;
mod vocabulary;

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mlt::filter::{self, Filter};
use mlt::model::Trace;

use chance::Chance;
use extended::Tree;
use grammar::Candidate;
use sides::{Answer, Question, Sides, sides};
use vocabulary::Vocabulary;

const SEED: u64 = 1;
const FILTERS: usize = 2_000;
/// Failures that are reported at most.
const MOST: usize = 25;

fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name}: a number"))
    })
}

/// Tries so many seeds on several threads; each gives a report when it fails.
fn try_seeds(count: usize, check: impl Fn(u64) -> Option<String> + Sync) {
    let first = setting("MLT_DIFFERENTIAL_SEED", SEED);
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count || failures.lock().unwrap().len() >= MOST {
                        break;
                    }
                    let seed = first + at as u64;
                    if let Some(report) = check(seed) {
                        failures
                            .lock()
                            .unwrap()
                            .push(format!("MLT_DIFFERENTIAL_SEED={seed}\n{report}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{} disagreements:\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}

fn scope(sides: &Sides, chance: &mut Chance) -> Question {
    // Long answers take the server long, so they are few.
    let experiments = match chance.below(20) {
        0 => sides.experiments.clone(),
        1..=5 => vec![sides.rich.clone()],
        _ => vec![chance.of(&sides.experiments).clone()],
    };
    Question {
        experiments,
        ..Question::default()
    }
}

/// A question whose sides do not agree.
struct Disagreement {
    /// In which way.
    kind: &'static str,
    report: String,
}

/// Asks all sides for a filter in the server's language; gives how many traces it chooses.
fn ask_all(sides: &Sides, question: &Question, text: &str) -> Result<usize, Disagreement> {
    let raw = question.raw(&*sides.server, text);
    let filter = match filter::parse(text) {
        Ok(filter) => filter,
        Err(error)
            if matches!(raw, Answer::Refused(_)) || rules::stricter(text, &error).is_some() =>
        {
            return Ok(0);
        }
        Err(error) => {
            return Err(Disagreement {
                kind: "mlt refuses what the server takes",
                report: format!("mlt: {:?} {error}\nserver: {}", error.kind, raw.show()),
            });
        }
    };
    if let Answer::Refused(why) = &raw
        && rules::extension(text, &filter, why).is_none()
    {
        return Err(Disagreement {
            kind: "mlt takes what the server refuses",
            report: format!("read as: {filter}\nserver: {why}"),
        });
    }
    let mut answers = Vec::new();
    let printed = filter.to_string();
    if matches!(raw, Answer::Refused(_)) || rules::difference(text, &filter).is_some() {
        answers.push((
            "server through mlt",
            question.parsed(&*sides.server, &filter),
        ));
    } else {
        answers.push(("server", raw));
        // Most filters are printed in another spelling; some of these will do.
        if printed != text && text.len().is_multiple_of(5) {
            answers.push((
                "server through mlt",
                question.parsed(&*sides.server, &filter),
            ));
        }
    }
    agree(sides, question, &filter, answers)
}

/// Asks all but the server, whose answers are given, and compares; leaves out
/// what a side cannot know.
fn agree(
    sides: &Sides,
    question: &Question,
    filter: &Filter,
    mut answers: Vec<(&'static str, Answer)>,
) -> Result<usize, Disagreement> {
    let planned = sides.is_foreign || filter.server_conditions().is_none();
    let links: &[String] = if rules::asks_for_links(filter) {
        &sides.linked
    } else {
        &[]
    };
    let judged: &[String] = if rules::asks_for_assessments_in_another_way(filter) {
        &sides.judged_with_others
    } else {
        &[]
    };
    let those = |test: fn(&Filter, &Trace) -> bool| -> Vec<String> {
        let traces = sides.traces.iter().filter(|trace| test(filter, trace));
        traces.map(|trace| trace.info.trace_id.clone()).collect()
    };
    let better_known = those(rules::better_known_from_an_export);
    let is_own_answer = answers.iter().any(|(side, _)| *side == "server");
    let unseen = if is_own_answer {
        those(rules::unseen_by_the_server)
    } else {
        Vec::new()
    };
    let say = |report| Disagreement {
        kind: "the sides disagree",
        report: format!("read as: {filter}\n{report}"),
    };
    if filter.needs_server().is_some() {
        return compare(&answers).map_err(say);
    }
    answers.push(("sqlite", question.parsed(&*sides.sqlite, filter)));
    for (side, store) in [("postgres", &sides.postgres), ("mysql", &sides.mysql)] {
        if let Some(store) = store {
            answers.push((side, question.parsed(&**store, filter)));
        }
    }
    for (_, answer) in &mut answers {
        answer.leave_out(&[&unseen]);
        if planned {
            answer.leave_out(&[links, judged, &better_known]);
        }
    }
    compare(&answers).map_err(say)?;
    answers.push(("here", question.evaluate(&sides.traces, filter)));
    // A file is read anew for every question, which takes its time.
    if filter.to_string().len().is_multiple_of(10) {
        answers.push(("file", question.parsed(&*sides.file, filter)));
    }
    for (_, answer) in &mut answers {
        let judged = if planned { judged } else { &[] };
        answer.leave_out(&[links, judged, &better_known, &unseen]);
    }
    compare(&answers).map_err(say)
}

/// How many traces all have found; otherwise a report.
fn compare(answers: &[(&str, Answer)]) -> Result<usize, String> {
    let (_, first) = &answers[0];
    if let Answer::Found(ids, _) = first
        && answers.iter().all(|(_, answer)| answer == first)
    {
        return Ok(ids.len());
    }
    let mut report = String::new();
    for (side, answer) in answers {
        writeln!(report, "{side}: {}", answer.show()).unwrap();
        if let (Answer::Found(ids, _), Answer::Found(others, _)) = (answer, first) {
            let more: Vec<_> = ids
                .iter()
                .filter(|id| !others.contains(id))
                .take(5)
                .collect();
            let less: Vec<_> = others
                .iter()
                .filter(|id| !ids.contains(id))
                .take(5)
                .collect();
            if !more.is_empty() || !less.is_empty() {
                writeln!(report, "    more: {more:?} less: {less:?}").unwrap();
            }
        }
    }
    Err(report)
}

/// Makes a failing candidate as small as it fails in the same way.
fn shrink<C>(
    mut candidate: C,
    mut failure: Disagreement,
    smaller: impl Fn(&C) -> Vec<C>,
    ask: impl Fn(&C) -> Result<usize, Disagreement>,
) -> (C, Disagreement) {
    while let Some(less) = smaller(&candidate).into_iter().find_map(|smaller| {
        let other = ask(&smaller).err()?;
        (other.kind == failure.kind).then_some((smaller, other))
    }) {
        (candidate, failure) = less;
    }
    (candidate, failure)
}

#[test]
fn random_filters_find_the_same_on_the_server_in_its_database_and_here() {
    let sides = sides();
    let words = Vocabulary::of(&sides.traces);
    let selective = AtomicUsize::new(0);
    let count = setting("MLT_DIFFERENTIAL", FILTERS);
    try_seeds(count, |seed| {
        let mut chance = Chance::new(seed);
        let candidate = Candidate::random(&words, &mut chance);
        let question = scope(sides, &mut chance);
        let ask = |candidate: &Candidate| ask_all(sides, &question, &candidate.text());
        match ask(&candidate) {
            Ok(found) => {
                selective.fetch_add(usize::from((1..100).contains(&found)), Ordering::Relaxed);
                None
            }
            Err(failure) => {
                let (candidate, failure) = shrink(candidate, failure, Candidate::smaller, ask);
                Some(format!(
                    "{}: {:?}\n{}",
                    failure.kind,
                    candidate.text(),
                    failure.report
                ))
            }
        }
    });
    let selective = selective.into_inner();
    assert!(
        count < 100 || selective > count / 10,
        "only {selective} of {count} filters choose some traces"
    );
}

/// Asks all sides for a filter in mlt's own language.
fn ask_all_extended(sides: &Sides, question: &Question, text: &str) -> Result<usize, Disagreement> {
    let mut filter = filter::parse(text).map_err(|error| Disagreement {
        kind: "mlt refuses what it should take",
        report: format!("{:?} {error}", error.kind),
    })?;
    if filter.names_experiments() {
        filter.resolve_experiments(&sides.names);
    }
    let server = question.parsed(&*sides.server, &filter);
    agree(
        sides,
        question,
        &filter,
        vec![("server through mlt", server)],
    )?;
    let everywhere = Question {
        experiments: sides.experiments.clone(),
        ..Question::default()
    };
    agree(sides, &everywhere, &filter, Vec::new())
}

#[test]
fn random_extended_filters_find_the_same_everywhere() {
    let sides = sides();
    let words = Vocabulary::of(&sides.traces);
    let selective = AtomicUsize::new(0);
    let count = setting("MLT_DIFFERENTIAL", FILTERS) / 20;
    try_seeds(count, |seed| {
        let mut chance = Chance::new(seed);
        let tree = Tree::random(&words, &mut chance);
        // A server sends the spans of one trace at a time, so it is asked about few traces.
        let share = chance.below(20);
        let experiments = match share {
            0 => vec![sides.rich.clone()],
            1 => sides.experiments[2..].to_vec(),
            _ => vec![sides.experiments[if share.is_multiple_of(2) { 1 } else { 4 }].clone()],
        };
        let question = Question {
            experiments,
            ..Question::default()
        };
        let ask = |tree: &Tree| ask_all_extended(sides, &question, &tree.text());
        match ask(&tree) {
            Ok(found) => {
                selective.fetch_add(usize::from((1..100).contains(&found)), Ordering::Relaxed);
                None
            }
            Err(failure) => {
                let (tree, failure) = shrink(tree, failure, Tree::smaller, ask);
                Some(format!(
                    "{}: {:?}\nin {:?}\n{}",
                    failure.kind,
                    tree.text(),
                    question.experiments,
                    failure.report
                ))
            }
        }
    });
    let selective = selective.into_inner();
    assert!(
        count < 100 || selective > count / 10,
        "only {selective} of {count} filters choose some traces"
    );
}

const ORDER_KEYS: &[&str] = &[
    "timestamp",
    "timestamp_ms",
    "execution_time",
    "execution_time_ms",
    "status",
    "request_id",
    "name",
    "run_id",
    "experiment_id",
    "trace.status",
    "time",
    "latency",
    "duration",
    "trace_id",
    "state",
    "tag.name",
    "tag.run_id",
    "tag.in",
    "tag.1x",
    "tag.NAME",
    "tag.timestamp_ms",
    "tag.`service.name`",
    "tag.`team name`",
    "tags.\"a-b/c:d\"",
    "metadata.`mlflow.trace.session`",
];

fn random_order(words: &Vocabulary, chance: &mut Chance) -> String {
    let count = *chance.of(&[1, 1, 2, 2, 3]);
    let items: Vec<String> = (0..count)
        .map(|_| {
            let key = match chance.below(5) {
                0 => format!("tag.`{}`", chance.of(&words.tags)),
                1 => format!("metadata.`{}`", chance.of(&words.metadata)),
                _ => (*chance.of(ORDER_KEYS)).to_owned(),
            };
            match chance.below(6) {
                0 => format!("-{key}"),
                1 | 2 => key,
                3 => format!("{key} ASC"),
                4 => format!("{key}  desc"),
                _ => format!("{key} DESC"),
            }
        })
        .collect();
    items.join(chance.pick(&[", ", ",", " , "]))
}

#[test]
fn random_orders_are_the_same_on_the_server_in_its_database_and_here() {
    let sides = sides();
    let words = Vocabulary::of(&sides.traces);
    let asked = AtomicUsize::new(0);
    let count = setting("MLT_DIFFERENTIAL", FILTERS) / 20;
    try_seeds(count, |seed| {
        let mut chance = Chance::new(seed);
        let text = random_order(&words, &mut chance);
        // What the server fails on is refused, which is the unit tests' subject.
        let order_by = filter::parse_order_by(&text).ok()?;
        if !order_by.is_of_stores() {
            return None;
        }
        asked.fetch_add(1, Ordering::Relaxed);
        let question = Question {
            order_by,
            ..scope(sides, &mut chance)
        };
        let all = Filter::default();
        let answers: Vec<_> = sides
            .all(&*sides.file)
            .map(|(side, store)| (side, question.parsed(store, &all)))
            .collect();
        let report = compare(&answers).err()?;
        Some(format!("{text:?} read as {}\n{report}", question.order_by))
    });
    assert!(asked.into_inner() > count / 3);
}

#[test]
fn pages_of_any_size_are_the_same_on_the_server_in_its_database_and_here() {
    let sides = sides();
    for (text, order) in [
        ("", ""),
        ("status != 'ERROR'", "-execution_time_ms"),
        ("", "tag.team, -name"),
    ] {
        let filter = filter::parse(text).unwrap();
        for limit in [
            Some(1),
            Some(499),
            Some(500),
            Some(501),
            Some(1000),
            Some(1001),
            None,
        ] {
            let question = Question {
                experiments: vec![sides.many.clone()],
                order_by: filter::parse_order_by(order).unwrap(),
                limit,
            };
            let answers: Vec<_> = sides
                .all(&*sides.many_file)
                .map(|(side, store)| (side, question.parsed(store, &filter)))
                .collect();
            let found = compare(&answers)
                .unwrap_or_else(|report| panic!("{text:?} by {order:?}, {limit:?}:\n{report}"));
            assert!(
                limit.is_none_or(
                    |limit| found == limit.min(if text.is_empty() { 1200 } else { 1002 })
                ),
                "{found} of {limit:?}"
            );
        }
    }
}
