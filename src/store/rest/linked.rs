//! The traces that a server has linked to runs and prompts, for what is checked here: of
//! links that were made after the fact, traces themselves tell nothing.

use super::RestStore;
use super::learn::is_refusal;
use super::planned::Planned;
use crate::filter::{Comparator, Condition, Filter, Plan, Value};
use crate::store::{MAX_PAGE, Query, StoreError, links};

impl RestStore {
    /// The filter with the ids of traces in the place of what it asks of links.
    ///
    /// # Errors
    /// Those of the server, but for its not knowing of links.
    pub(super) fn with_links(&self, filter: Filter, query: &Query) -> Result<Filter, StoreError> {
        if !links::asks(&filter) {
            return Ok(filter);
        }
        links::resolved(&filter, &|condition| match self.linked(condition, query) {
            Ok(Some(ids)) => Ok(ids),
            Ok(None) => Ok(condition.clone()),
            // It has no links, then.
            Err(error) if is_refusal(&error) => Ok(condition.clone()),
            Err(error) => Err(error),
        })
    }

    /// That a trace is one of those that a server finds by a run or a prompt; `None` where
    /// that is nothing to look for.
    fn linked(
        &self,
        condition: &Condition,
        query: &Query,
    ) -> Result<Option<Condition>, StoreError> {
        let wanted = match condition.value() {
            Value::Text(text) => std::slice::from_ref(text),
            Value::List(texts) => texts.as_slice(),
            _ => return Ok(None),
        };
        let mut ids = Vec::new();
        for text in wanted {
            let field = condition.field().clone();
            let Ok(one) = Condition::text(field, Comparator::Equal, text.clone()) else {
                return Ok(None);
            };
            // An empty one is not looked at by servers.
            if text.is_empty() {
                return Ok(None);
            }
            let query = Query {
                experiments: query.experiments.clone(),
                ..Query::default()
            };
            let plan = Plan {
                searches: vec![Filter::from(one)],
                residual: Filter::default(),
                outside: None,
            };
            let mut search = Planned::new(plan, &query);
            loop {
                let (page, is_last) = search.next_page(self, MAX_PAGE)?;
                ids.extend(page.traces.into_iter().map(|info| info.trace_id));
                if is_last {
                    break;
                }
            }
        }
        Ok(links::one_of(ids).ok())
    }
}
