//! The spans of several traces at once: from the table of spans, or where each trace says
//! that it keeps them.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;

use super::DatabaseStore;
use super::infos::possible;
use super::link::{Arg, Link};
use crate::model::{Span, Trace, TraceInfo};
use crate::store::local::{attach, lock};
use crate::store::sql::row;
use crate::store::sql::spans::{
    COLUMN_COUNT, COLUMNS, COLUMNS_AND_CONTENT, TABLE, all_columns, broken, sort, span,
    span_of_columns,
};
use crate::store::wire::{otel_trace_id, span_from_slice, tells_more};
use crate::store::{Detail, StoreError};

/// Spans by the ids of their traces.
type ByTrace = HashMap<String, Result<Vec<Span>, StoreError>>;

/// A result for each of the traces, in their order.
pub(super) fn complete<L: Link>(
    store: &DatabaseStore<L>,
    infos: &[TraceInfo],
    detail: Detail,
) -> Vec<Result<Trace, StoreError>> {
    let ids: Vec<&str> = infos.iter().map(|info| info.trace_id.as_str()).collect();
    match in_table(store, &ids, detail) {
        Ok(mut here) => infos
            .iter()
            .map(|info| {
                let spans = here
                    .remove(&info.trace_id)
                    .unwrap_or_else(|| Ok(Vec::new()));
                one(store, info, detail, spans?)
            })
            .collect(),
        // Each says for itself what is wrong.
        Err(error) if infos.len() == 1 => vec![Err(error)],
        Err(_) => infos
            .iter()
            .flat_map(|info| complete(store, std::slice::from_ref(info), detail))
            .collect(),
    }
}

fn one<L: Link>(
    store: &DatabaseStore<L>,
    info: &TraceInfo,
    detail: Detail,
    here: Vec<Span>,
) -> Result<Trace, StoreError> {
    // Nothing but the id is known of a trace without an experiment, and hardly one has no
    // spans in the table, so only then it is asked where they are.
    if info.experiment_id.is_none() {
        let spans = if here.is_empty() {
            let known = store.find(&info.trace_id)?;
            one(store, &known, detail, here)?.spans
        } else {
            here
        };
        return Ok(Trace {
            info: info.clone(),
            spans,
        });
    }
    let columns = || in_columns(store, &info.trace_id);
    let spans = store
        .artifacts
        .spans_of(&store.doubts, info, detail, here, columns);
    let trace = attach(info.clone(), spans)?;
    // It may have been deleted since it was found.
    if trace.spans.is_empty() {
        store.find(&trace.info.trace_id)?;
    }
    Ok(trace)
}

/// The spans in the table, as the server orders them; those without JSON are none.
fn in_table<L: Link>(
    store: &DatabaseStore<L>,
    ids: &[&str],
    detail: Detail,
) -> Result<ByTrace, StoreError> {
    let mut all = ByTrace::new();
    let ids = possible(ids.iter().copied());
    if !store.schema.has_spans() || ids.is_empty() {
        return Ok(all);
    }
    let columns = match detail {
        Detail::Times => COLUMNS,
        _ => COLUMNS_AND_CONTENT,
    };
    let sql = format!(
        "SELECT {columns}, trace_id FROM spans WHERE {} AND octet_length(content) > 0",
        lock(&store.link).one_of("trace_id", 1)
    );
    let (traces, mut bytes) = (ids.len(), 0);
    for row in &store.ask(&sql, &[Arg::Texts(ids)])? {
        if let Ok(Some(content)) = row::maybe_bytes(row, TABLE, COLUMN_COUNT - 1) {
            bytes += content.len();
        }
        let Ok(id) = row::text(row, TABLE, COLUMN_COUNT) else {
            continue;
        };
        let spans = match all.get_mut(&*id) {
            Some(spans) => spans,
            None => all.entry(id.clone().into_owned()).or_insert(Ok(Vec::new())),
        };
        let Ok(known) = spans else {
            continue;
        };
        match read(store, row, &id, detail) {
            Ok(span) => known.push(span),
            Err(error) => *spans = Err(error),
        }
    }
    if detail != Detail::Times {
        store.payload.store((bytes / traces).max(1), Relaxed);
    }
    for spans in all.values_mut().flatten() {
        sort(spans);
    }
    Ok(all)
}

fn read<L: Link>(
    store: &DatabaseStore<L>,
    row: &L::Row,
    id: &str,
    detail: Detail,
) -> Result<Span, StoreError> {
    let odd = |odd: super::Odd| StoreError::from(odd.of(&store.name, id));
    let content = match detail {
        Detail::Times => None,
        _ => row::maybe_bytes(row, TABLE, COLUMN_COUNT - 1).map_err(odd)?,
    };
    match content.filter(|content| tells_more(content, detail)) {
        None => span(row, &otel_trace_id(id)).map_err(odd),
        Some(content) => {
            span_from_slice(content, detail).map_err(|flaw| broken(&store.name, id, &flaw))
        }
    }
}

/// What columns say of the spans of an archived trace, whose JSON is in the archive.
fn in_columns<L: Link>(store: &DatabaseStore<L>, trace_id: &str) -> Result<Vec<Span>, StoreError> {
    if !store.schema.has_spans() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT {} FROM spans WHERE trace_id = {}",
        all_columns(&store.schema),
        store.place(1)
    );
    let otel_id = otel_trace_id(trace_id);
    let rows = store.ask(&sql, &[Arg::Text(trace_id)])?;
    let spans = rows.iter().map(|row| span_of_columns(row, &otel_id));
    let spans: Result<Vec<Span>, super::Odd> = spans.collect();
    let mut spans = spans.map_err(|odd| StoreError::from(odd.of(&store.name, trace_id)))?;
    sort(&mut spans);
    Ok(spans)
}
