//! Spans that are found by reading all of them once, from one end of the table to the
//! other. Where few of them pass and all traces are searched, that takes a fraction of
//! looking the spans of one trace after the other up.

use rusqlite::Connection;

use super::{search, statement};
use crate::store::sql::{AMONG, Parameters, Probes as _};

/// Of fewer traces, nothing is worth the question.
const LEAST: i64 = 1_000;
/// Spans that are looked at to learn how many of them pass.
const SAMPLE: i64 = 500;
/// Of those, the most that may pass: the traces of all that do are kept in memory.
const FEW: i64 = 25;
/// The newest traces among which a few are looked for first.
const FIRST: i64 = 500;
/// How many times as many are looked at if there are not enough of them.
const GROWTH: i64 = 8;

/// Whether most traces are searched of enough of them.
pub(super) fn is_most(connection: &Connection, scope: &str) -> rusqlite::Result<bool> {
    let all = search::count(connection)?;
    if all < LEAST {
        return Ok(false);
    }
    let sql = format!("SELECT count(*) FROM trace_info WHERE experiment_id IN {scope}");
    let searched: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
    Ok(searched * 2 >= all)
}

/// How many of the newest traces are looked at before all spans are read.
pub(super) fn steps(connection: &Connection) -> rusqlite::Result<Vec<i64>> {
    let most = search::count(connection)? / GROWTH;
    let steps = std::iter::successors(Some(FIRST), |step| Some(step * GROWTH));
    Ok(steps.take_while(|step| *step <= most).collect())
}

/// When the last one of so many of the newest traces was, as SQL.
pub(super) fn newest(scope: &str, count: i64) -> String {
    format!(
        "t.timestamp_ms >= (SELECT n.timestamp_ms FROM trace_info n \
         WHERE +n.experiment_id IN {scope} ORDER BY n.timestamp_ms DESC LIMIT 1 OFFSET {count})"
    )
}

/// The condition that a trace has a span that passes, where all spans are read for it.
pub(super) fn among_all_spans(
    connection: &Connection,
    alias: &str,
    condition: &str,
    parameters: &Parameters,
) -> Option<String> {
    // What is wrong with the question shows when it is asked.
    let few = are_few(connection, alias, condition, parameters).unwrap_or(false);
    few.then(|| {
        format!("{AMONG} {alias}.trace_id FROM spans {alias} NOT INDEXED WHERE {condition})")
    })
}

fn are_few(
    connection: &Connection,
    alias: &str,
    condition: &str,
    parameters: &Parameters,
) -> rusqlite::Result<bool> {
    statement::register(parameters, connection)?;
    let sample = format!(
        "SELECT count(*) FROM spans {alias} \
         WHERE {alias}.rowid > (SELECT max(rowid) FROM spans) - {SAMPLE} AND {condition}"
    );
    Ok(connection.number(&sample, parameters)? <= FEW)
}
