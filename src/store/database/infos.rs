//! Traces without their spans, several at once: rows of `trace_info`, and what hangs on them
//! by one question for each table.

use std::collections::HashMap;

use super::DatabaseStore;
use super::link::{Arg, Link, Odd};
use crate::model::{CATALOG_PREFIX, TraceInfo, trace_id_digits};
use crate::store::local::lock;
use crate::store::sql::info::{ASSESSMENT, assessment, bare, columns, pair, part, promote};
use crate::store::sql::row;
use crate::store::{InfoParts, StoreError};

/// Traces by id, each or what is wrong with it.
pub(super) type Infos = Vec<(String, Result<TraceInfo, StoreError>)>;

impl<L: Link> DatabaseStore<L> {
    /// The trace with this id, or the one of a Unity Catalog with its digits.
    pub(super) fn find(&self, trace_id: &str) -> Result<TraceInfo, StoreError> {
        let mut found = self.infos_of(&[trace_id])?;
        if found.is_empty()
            && let Some(digits) = trace_id_digits(trace_id).filter(|digits| digits.len() == 32)
            && !trace_id.starts_with(CATALOG_PREFIX)
        {
            let rows = self.ask(
                &format!(
                    "SELECT request_id FROM trace_info \
                     WHERE request_id LIKE '{CATALOG_PREFIX}%/{digits}' LIMIT 2"
                ),
                &[],
            )?;
            if let [only] = rows.as_slice() {
                let id = row::name(only, "trace_info", 0);
                let id = id.map_err(|odd| odd.of_store(&self.name))?;
                found = self.infos_of(&[&id])?;
            }
        }
        let (_, info) = found.pop().ok_or_else(|| self.unknown(trace_id))?;
        info
    }

    /// The traces with these ids, as far as there are any, in no order.
    pub(super) fn infos_of(&self, ids: &[&str]) -> Result<Infos, StoreError> {
        let ids: Vec<&str> = possible(ids.iter().copied());
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {} FROM trace_info t WHERE {} AND {}",
            columns(&self.schema, false),
            lock(&self.link).one_of("t.request_id", 1),
            self.workspace.of_experiment_id("t.experiment_id"),
        );
        let rows = self.ask(&sql, &[Arg::Texts(ids)])?;
        self.infos(&rows, None)
    }

    /// The traces of rows with all columns, or with those of some parts, and what hangs on
    /// them; what is wrong with one is its own result.
    pub(super) fn infos(
        &self,
        rows: &[L::Row],
        parts: Option<InfoParts>,
    ) -> Result<Infos, StoreError> {
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row::own_text(row, "trace_info", 0).ok().flatten();
            let info = match parts {
                None => bare(row),
                Some(parts) => part(row, parts),
            };
            all.push((id.unwrap_or_default(), info));
        }
        let whole = parts.is_none();
        let mut attached = Attached::default();
        {
            let ids: Vec<&str> = possible(all.iter().map(|(id, _)| id.as_str()));
            if whole {
                self.pairs("trace_tags", &ids, &mut attached)?;
                self.pairs("trace_request_metadata", &ids, &mut attached)?;
            }
            if parts.is_none_or(|parts| parts.assessments) && self.schema.has_assessments() {
                self.assessments(&ids, &mut attached)?;
            }
        }
        let done = all.into_iter().zip(rows).map(|((id, info), row)| {
            let info = info.and_then(|mut info| {
                attached.move_to(&mut info)?;
                if whole {
                    promote(&self.schema, row, &mut info)?;
                }
                Ok(info)
            });
            let info = info.map_err(|odd| StoreError::from(odd.of(&self.name, &id)));
            (id, info)
        });
        Ok(done.collect())
    }

    /// Tags or metadata of traces.
    fn pairs(
        &self,
        table: &'static str,
        ids: &[&str],
        attached: &mut Attached,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT p.request_id, p.key, p.value FROM {table} p WHERE {}",
            lock(&self.link).one_of("p.request_id", 1)
        );
        for row in &self.ask(&sql, &[Arg::Texts(ids.to_vec())])? {
            attached.add(row, table, 0, |hanging| {
                let (key, value) = pair(row, table, 1)?;
                if table == "trace_tags" {
                    hanging.info.tags.insert(key, value);
                } else {
                    hanging.info.metadata.insert(key, value);
                }
                Ok(())
            });
        }
        Ok(())
    }

    /// Whether there are any: most tables without have many traces.
    fn has_some_assessments(&self) -> Result<bool, StoreError> {
        let known = lock(&self.has_assessments).to_owned();
        if let Some(known) = known {
            return Ok(known);
        }
        let found = self.ask("SELECT 1 FROM assessments LIMIT 1", &[])?;
        *lock(&self.has_assessments) = Some(!found.is_empty());
        Ok(!found.is_empty())
    }

    fn assessments(&self, ids: &[&str], attached: &mut Attached) -> Result<(), StoreError> {
        let one_of = lock(&self.link).one_of("trace_id", 1);
        let sql = format!("SELECT {ASSESSMENT}, trace_id FROM assessments WHERE {one_of}");
        if !self.has_some_assessments()? {
            return Ok(());
        }
        let at = ASSESSMENT.split(',').count();
        for row in &self.ask(&sql, &[Arg::Texts(ids.to_vec())])? {
            attached.add(row, "assessments", at, |hanging| {
                hanging.info.assessments.push(assessment(row)?);
                Ok(())
            });
        }
        Ok(())
    }
}

/// Those of some ids that can be in a database at all.
pub(super) fn possible<'i>(ids: impl Iterator<Item = &'i str>) -> Vec<&'i str> {
    ids.filter(|id| !id.contains('\0')).collect()
}

/// What hangs on traces, by their ids.
#[derive(Default)]
struct Attached(HashMap<String, Hanging>);

struct Hanging {
    info: TraceInfo,
    odd: Option<Odd>,
}

impl Attached {
    /// One more row, with the id of its trace in a column.
    fn add<R: row::Row<Error = Odd>>(
        &mut self,
        row: &R,
        table: &str,
        at: usize,
        add: impl FnOnce(&mut Hanging) -> Result<(), Odd>,
    ) {
        // Nobody asked for rows of a trace without an id.
        let Ok(Some(id)) = row::maybe_text(row, table, at) else {
            return;
        };
        let hanging = match self.0.get_mut(&*id) {
            Some(hanging) => hanging,
            None => self.0.entry(id.into_owned()).or_insert_with(|| Hanging {
                info: TraceInfo::new(""),
                odd: None,
            }),
        };
        if let Err(odd) = add(hanging) {
            hanging.odd.get_or_insert(odd);
        }
    }

    fn move_to(&mut self, info: &mut TraceInfo) -> Result<(), Odd> {
        let Some(hanging) = self.0.remove(&info.trace_id) else {
            return Ok(());
        };
        if let Some(odd) = hanging.odd {
            return Err(odd);
        }
        info.tags.extend(hanging.info.tags);
        info.metadata.extend(hanging.info.metadata);
        info.assessments = hanging.info.assessments;
        info.order_assessments();
        Ok(())
    }
}
