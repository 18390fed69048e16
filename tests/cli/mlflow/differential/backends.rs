//! The same with other databases behind the server, whose filters mean something else
//! than those of `SQLite`: an export says what is right.

use mlt::filter;

use super::chance::Chance;
use super::extended::Tree;
use super::grammar::Candidate;
use super::sides::{Question, Sides};
use super::vocabulary::Vocabulary;
use super::{agree, ask_all_extended, scope, setting, shrink, try_seeds};
use crate::support::backends::{Backed, mariadb, postgres};

/// Random filters that are tried on each.
const RANDOM: usize = 200;

/// What databases read in their own ways.
const FILTERS: &[&str] = &[
    r"name LIKE '%\%'",
    r"name LIKE 'a\_%'",
    "name LIKE '_____'",
    "name LIKE '%é%'",
    "name ILIKE '%É%'",
    "name ILIKE '%k%'",
    "name ILIKE '%S%'",
    "name ILIKE 'a%'",
    "name = 'A'",
    "name != 'a'",
    "name = ''",
    "name IS NULL",
    "name IN ('a', 'A', 'b')",
    "name = 'a' OR name = \"it's\" OR status = 'ERROR'",
    r"name RLIKE '\bA'",
    r"name RLIKE '\w$'",
    r"name RLIKE '^[[:alpha:]]+$'",
    r"name RLIKE '^.{5}$'",
    "name RLIKE 'a.b'",
    "name RLIKE '^[a-m]'",
    "name RLIKE 'a|e'",
    "name RLIKE '(?P<x>e)'",
    "name RLIKE '(?i)E'",
    r"name RLIKE '\u00e9'",
    "name RLIKE '('",
    "name RLIKE '[a-'",
    "name RLIKE 'a{2,1}'",
    "NOT name RLIKE '('",
    "tags.team IS NULL",
    "tags.TEAM IS NULL",
    "tags.TEAM IS NOT NULL",
    "tags.team = 'Search'",
    "tags.team = 'search '",
    "tags.team != 'search'",
    "NOT tags.team = 'search'",
    "tags.team LIKE '_ea%'",
    "tags.team IN ('search', \"pay's\", 'Search')",
    "metadata.K IS NULL",
    "session LIKE 'chat_1'",
    "session = 'Chat-1' OR session = 'chat-1'",
    "status ILIKE 'e%'",
    "status RLIKE '^E'",
    "status = 'ok'",
    "execution_time_ms < 250.5",
    r"span.name LIKE '%\_%'",
    "span.name ILIKE '%A%'",
    "span.name = 'Retrieve' OR span.name = 'retrieve'",
    "NOT span.name = 'retrieve'",
    "span.type = 'llm'",
    "span.content ILIKE '%Ü%'",
    r"span.content LIKE '%\n%'",
    "span.content LIKE '%ü%'",
    "span.attributes.model RLIKE '^gpt'",
    "span.attributes.model RLIKE 'gpt.4'",
    "feedback.quality = 'good'",
    "feedback.QUALITY = 'good'",
    "feedback.quality IS NULL",
    "feedback.QUALITY IS NOT NULL",
    "feedback.quality > 0.4",
    r#"feedback.quality LIKE '%"%'"#,
    "tokens > 5 AND name ILIKE '%A%'",
];

fn random_filters_find_what_an_export_says(backed: &Backed) {
    let sides = Sides::of(backed.uri(), &backed.dir, None);
    let everywhere = Question {
        experiments: sides.experiments.clone(),
        ..Question::default()
    };
    let mut selective = 0;
    for text in FILTERS {
        let filter = filter::parse(text).unwrap();
        let server = everywhere.parsed(&*sides.server, &filter);
        match agree(&sides, &everywhere, &filter, vec![("server", server)]) {
            Ok(found) => selective += usize::from(found > 0),
            Err(failure) => panic!("{text}\n{}", failure.report),
        }
    }
    assert!(
        selective > FILTERS.len() / 2,
        "only {selective} find something"
    );
    let words = Vocabulary::of(&sides.traces);
    try_seeds(setting("MLT_DIFFERENTIAL_BACKENDS", RANDOM), |seed| {
        let mut chance = Chance::new(seed);
        let candidate = Candidate::random(&words, &mut chance);
        let question = scope(&sides, &mut chance);
        let ask = |candidate: &Candidate| {
            let Ok(filter) = filter::parse(&candidate.text()) else {
                return Ok(0);
            };
            if filter.needs_server().is_some() {
                return Ok(0);
            }
            let server = question.parsed(&*sides.server, &filter);
            agree(&sides, &question, &filter, vec![("server", server)])
        };
        let failure = ask(&candidate).err()?;
        let (candidate, failure) = shrink(candidate, failure, Candidate::smaller, ask);
        Some(format!("{:?}\n{}", candidate.text(), failure.report))
    });
    try_seeds(setting("MLT_DIFFERENTIAL_BACKENDS", RANDOM) / 4, |seed| {
        let mut chance = Chance::new(seed);
        let tree = Tree::random(&words, &mut chance);
        let mut question = scope(&sides, &mut chance);
        question.experiments.truncate(1);
        let ask = |tree: &Tree| ask_all_extended(&sides, &question, &tree.text());
        let failure = ask(&tree).err()?;
        let (tree, failure) = shrink(tree, failure, Tree::smaller, ask);
        Some(format!("{:?}\n{}", tree.text(), failure.report))
    });
}

#[test]
fn random_filters_find_the_same_on_postgresql_and_here() {
    random_filters_find_what_an_export_says(postgres());
}

#[test]
fn random_filters_find_the_same_on_mariadb_and_here() {
    random_filters_find_what_an_export_says(mariadb());
}
