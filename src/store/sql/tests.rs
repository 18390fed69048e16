//! A dialect that shares nothing with SQLite's: whatever of SQLite's stands in what is
//! made with it was not asked of the dialect.

use std::cell::Cell;
use std::collections::HashSet;
use std::convert::Infallible;

use super::*;
use crate::filter::{Filter, parse, parse_order_by};

struct Other;

impl Dialect for Other {
    fn placeholder(&self, number: usize) -> String {
        format!("${number}")
    }

    fn truth(&self, holds: bool) -> &'static str {
        if holds { "TRUE" } else { "FALSE" }
    }

    fn exact(&self, text: &str) -> String {
        format!("{text} COLLATE \"C\"")
    }

    fn as_text(&self, value: &str) -> String {
        format!("{value}::text")
    }

    fn like(&self, text: &str, pattern: &str, parameters: &mut Parameters) -> Option<String> {
        let pattern = parameters.bind(pattern.to_owned());
        Some(format!("({text} LIKE {pattern})"))
    }

    fn ilike(&self, text: &str, pattern: &str, parameters: &mut Parameters) -> String {
        format!("({text} ILIKE {})", parameters.bind(pattern.to_owned()))
    }

    fn contains(&self, text: &str, part: &str) -> String {
        format!("strpos({text}, {part}) > 0")
    }

    fn many_texts(&self, json_list: String, parameters: &mut Parameters) -> String {
        let list = parameters.bind(json_list);
        format!("SELECT jsonb_array_elements_text({list}::jsonb)")
    }

    fn number_with_text(&self, number: &str, comparator: &str, _text: &str) -> String {
        format!(
            "({number} IS NOT NULL AND {})",
            self.truth(comparator.starts_with('<'))
        )
    }

    fn call(&self, function: Function, arguments: &[&str]) -> String {
        format!("own_{function:?}({})", arguments.join(", "))
    }

    fn spans_outside(&self) -> String {
        "outside_spans(t.request_id)".to_owned()
    }

    fn count_outside(&self) -> String {
        "outside_count(t.request_id)".to_owned()
    }

    fn outside_is_known(&self, _filter: &Filter) -> String {
        "outside_is_known(t.request_id)".to_owned()
    }

    fn is_outside(&self, _schema: &Schema, _filter: &Filter) -> String {
        "is_outside(t.request_id)".to_owned()
    }
}

/// A database of which nothing is known but how often it was asked.
struct Asked {
    all_are_in_table: bool,
    times: Cell<usize>,
}

impl Probes for Asked {
    type Error = Infallible;

    fn number(&self, sql: &str, _parameters: &Parameters) -> Result<i64, Infallible> {
        assert!(sql.starts_with("SELECT count(*) FROM"), "{sql}");
        self.times.set(self.times.get() + 1);
        Ok(7)
    }

    fn all_are_in_table(&self, _schema: &Schema) -> Result<bool, Infallible> {
        Ok(self.all_are_in_table)
    }

    fn is_most(&self, _scope: &str) -> Result<bool, Infallible> {
        Ok(false)
    }

    fn among_all_spans(&self, _: &str, _: &str, _: &Parameters) -> Option<String> {
        None
    }
}

/// The columns of MLflow 3.17, or those that there have always been.
fn schema(newest: bool) -> Schema {
    let mut tables = Tables::default();
    for (table, columns) in schema::NEEDED.into_iter().chain(schema::OPTIONAL) {
        let columns = columns.iter().map(|column| (*column).to_owned());
        let mut columns: HashSet<String> = columns.collect();
        if newest && table == "trace_info" {
            let more = ["trace_name", "session_id", "total_tokens", "input_tokens"];
            columns.extend(more.map(str::to_owned));
        }
        if newest && table == "spans" {
            columns.extend(["duration_ns", "model_name"].map(str::to_owned));
        }
        tables.stored.insert(table.to_owned(), columns);
    }
    Schema::new(tables).unwrap()
}

fn compiled(filter: &str, schema: &Schema, probes: &Asked) -> String {
    let mut parameters = Parameters::new(&Other);
    let filter = parse(filter).unwrap();
    let compiled = Compiler::new(schema, probes, &mut parameters, "(1)", FEW_SPANS, true)
        .filter(&filter)
        .unwrap();
    compiled.unwrap().conjuncts.join(" AND ")
}

const FILTERS: [&str; 13] = [
    "status = 'OK' AND name LIKE 'a%' AND tags.k ILIKE '%b%'",
    "session = 's' OR user != 'u' OR name RLIKE '^x'",
    "time > '2026-01-01' AND duration > 5s AND end_time < 7",
    "tokens > 5 AND input_tokens BETWEEN 1 AND 2 AND cost > 0.1",
    "run_id = 'r' AND run_id IN ('a', 'b') AND prompt = 'p/1' AND issue.id = 'i'",
    "feedback.q = 'yes' AND NOT expectation.e IS NULL",
    "span.name = 'a' AND span.type = 'LLM' AND span.duration > 1s",
    "span.type = 'UNKNOWN' OR span.status = 'ERROR'",
    "span.attributes.k = 'v' AND span.content LIKE '%x%'",
    "any(span.model = 'm') AND all(span.status = 'OK') AND count(span.type = 'LLM') > 2",
    "spans > 3 AND NOT (span.name = 'a' AND status = 'OK')",
    "time > 5 AND span.error LIKE '%x%'",
    "metadata.k IN ('a', 'b') AND experiment NOT IN ('c')",
];

#[test]
fn nothing_of_one_database_stands_in_the_sql_of_another() {
    for newest in [true, false] {
        for all_are_in_table in [true, false] {
            let probes = Asked {
                all_are_in_table,
                times: Cell::default(),
            };
            for filter in FILTERS {
                let sql = compiled(filter, &schema(newest), &probes);
                for own in [
                    "GLOB",
                    "INDEXED",
                    "?",
                    "mlt_",
                    "json_each",
                    "instr(",
                    "+a.",
                    "+s",
                    "THEN 0",
                    "THEN 1",
                    "WHERE 1",
                    "valid = 1",
                    "AND 0",
                    "AND 1",
                    "OR 0",
                    "OR 1",
                ] {
                    assert!(!sql.contains(own), "{own} in {sql}");
                }
            }
            assert!(probes.times.get() > 0);
        }
    }
}

#[test]
fn a_dialect_says_each_thing_in_its_own_way() {
    let probes = Asked {
        all_are_in_table: true,
        times: Cell::default(),
    };
    for (filter, expected) in [
        ("status = 'OK'", "(t.status COLLATE \"C\" = $1)"),
        ("name LIKE 'a%'", "(t.trace_name LIKE $1)"),
        ("name ILIKE 'a%'", "(t.trace_name ILIKE $1)"),
        ("name RLIKE 'a'", "own_Text(0, t.trace_name)"),
        (
            "experiment = 'a'",
            "(t.experiment_id::text COLLATE \"C\" = $1)",
        ),
        ("run_id = ''", "TRUE"),
        (
            "any(span.attributes.k = 'v')",
            "EXISTS (SELECT 1 FROM spans s3 WHERE s3.trace_id = t.request_id \
             AND (strpos(s3.content, $2) > 0 AND own_Span(1, s3.content)))",
        ),
    ] {
        assert_eq!(
            compiled(filter, &schema(true), &probes),
            expected,
            "{filter}"
        );
    }
    let by = parse_order_by("name DESC").unwrap();
    assert_eq!(
        order(&schema(true), &by, &mut Parameters::new(&Other)),
        "t.trace_name COLLATE \"C\" IS NULL, t.trace_name COLLATE \"C\" DESC, \
         t.timestamp_ms DESC, t.request_id COLLATE \"C\""
    );
}

#[test]
fn values_are_shown_in_their_places() {
    let mut parameters = Parameters::new(&Other);
    let places: Vec<String> = (0..11)
        .map(|number| parameters.bind(format!("it's {number}")))
        .collect();
    let shown = parameters.filled_in(&places.join(" "));
    assert!(shown.starts_with("'it''s 0' 'it''s 1' "), "{shown}");
    assert!(shown.ends_with(" 'it''s 9' 'it''s 10'"), "{shown}");
}

#[test]
fn what_a_database_lacks_is_named() {
    let empty = Schema::new(Tables::default()).unwrap_err();
    assert_eq!(empty, "it has no table `experiments`");
    let tables: HashSet<&str> = TABLES.into_iter().collect();
    for (table, _) in schema::NEEDED.into_iter().chain(schema::OPTIONAL) {
        assert!(tables.contains(table), "{table}");
    }
    assert_eq!(tables.len(), schema::NEEDED.len() + schema::OPTIONAL.len());
}
