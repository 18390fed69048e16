//! Which tables and columns a database has. MLflow has changed its schema with
//! almost every release, and a database may be newer than this program: what is
//! there counts, and not which version it claims to be.

use std::collections::{HashMap, HashSet};

/// What every database since MLflow 2.14 has.
pub(super) const NEEDED: [(&str, &[&str]); 4] = [
    ("experiments", &["experiment_id", "name", "lifecycle_stage"]),
    (
        "trace_info",
        &[
            "request_id",
            "experiment_id",
            "timestamp_ms",
            "execution_time_ms",
            "status",
        ],
    ),
    ("trace_tags", &["request_id", "key", "value"]),
    ("trace_request_metadata", &["request_id", "key", "value"]),
];

/// What is used where it is there.
pub(super) const OPTIONAL: [(&str, &[&str]); 11] = [
    ("workspaces", &["name"]),
    (
        "spans",
        &[
            "trace_id",
            "span_id",
            "parent_span_id",
            "name",
            "type",
            "status",
            "start_time_unix_nano",
            "end_time_unix_nano",
            "content",
        ],
    ),
    (
        "assessments",
        &[
            "assessment_id",
            "trace_id",
            "name",
            "assessment_type",
            "value",
            "error",
            "created_timestamp",
            "last_updated_timestamp",
            "source_type",
            "source_id",
            "span_id",
            "rationale",
            "overrides",
            "valid",
            "assessment_metadata",
        ],
    ),
    (
        "entity_associations",
        &[
            "source_type",
            "source_id",
            "destination_type",
            "destination_id",
        ],
    ),
    // Of these, only rows of traces are deleted, where the columns are there.
    ("span_metrics", &[]),
    ("trace_metrics", &[]),
    ("review_queue_items", &[]),
    // These are told of changes.
    (ROLLUP_QUEUE, &[]),
    ("sql_trace_metric_daily_rollups", &[]),
    ("sql_span_cost_daily_rollups", &[]),
    ("sql_assessment_daily_rollups", &[]),
];

/// Where MLflow 3.17 is told which of its sums by the day are out of date.
pub(in crate::store) const ROLLUP_QUEUE: &str = "sql_trace_rollup_rebuild_queue";

/// The tables that are looked at.
pub(in crate::store) const TABLES: [&str; NEEDED.len() + OPTIONAL.len()] = [
    "experiments",
    "trace_info",
    "trace_tags",
    "trace_request_metadata",
    "workspaces",
    "spans",
    "assessments",
    "entity_associations",
    "span_metrics",
    "trace_metrics",
    "review_queue_items",
    ROLLUP_QUEUE,
    "sql_trace_metric_daily_rollups",
    "sql_span_cost_daily_rollups",
    "sql_assessment_daily_rollups",
];

/// Where rows belong to traces, those that others refer to last, and which rows.
pub(in crate::store) const BELONGING: [(&str, &str, &str); 7] = [
    ("span_metrics", "trace_id", ""),
    ("spans", "trace_id", ""),
    ("trace_metrics", "request_id", ""),
    ("assessments", "trace_id", ""),
    ("review_queue_items", "item_id", " AND item_type = 'trace'"),
    ("trace_tags", "request_id", ""),
    ("trace_request_metadata", "request_id", ""),
];

/// What a database says that it has.
#[derive(Debug, Default)]
pub(in crate::store) struct Tables {
    /// Stored columns, by table.
    pub(in crate::store) stored: HashMap<String, HashSet<String>>,
    /// Columns, with their tables, whose values are computed whenever they are read.
    pub(in crate::store) computed: HashSet<(String, String)>,
    /// Indexes of `trace_info`.
    pub(in crate::store) indexes: HashSet<String>,
}

/// Tables with their columns.
#[derive(Debug)]
pub(in crate::store) struct Schema(Tables);

/// The index that gives the traces of one experiment by time, and that of all.
const TIME_OF_ONE: &str = "index_trace_info_experiment_id_timestamp_ms";
const TIME_OF_ALL: &str = "index_trace_info_timestamp_ms_request_id";

impl Schema {
    /// Checks what a database has.
    ///
    /// # Errors
    /// What it lacks.
    pub(in crate::store) fn new(tables: Tables) -> Result<Self, String> {
        let schema = Self(tables);
        for (table, columns) in NEEDED {
            if !schema.0.stored.contains_key(table) {
                return Err(format!("it has no table `{table}`"));
            }
            schema.check(table, columns)?;
        }
        for (table, columns) in OPTIONAL {
            if schema.0.stored.contains_key(table) {
                schema.check(table, columns)?;
            }
        }
        Ok(schema)
    }

    /// The tables of which traces are made, with their columns.
    #[cfg(feature = "mysql")]
    pub(in crate::store) fn read() -> impl Iterator<Item = (&'static str, &'static [&'static str])>
    {
        let made_of = |(table, _): &(&str, &[&str])| {
            matches!(*table, "spans" | "assessments" | "entity_associations")
        };
        NEEDED
            .into_iter()
            .chain(OPTIONAL.into_iter().filter(made_of))
    }

    /// The index that gives traces in the order of their time.
    pub(in crate::store) fn time_index(&self, of_one_experiment: bool) -> Option<&'static str> {
        let name = if of_one_experiment {
            TIME_OF_ONE
        } else {
            TIME_OF_ALL
        };
        Some(name).filter(|name| self.0.indexes.contains(*name))
    }

    fn check(&self, table: &str, columns: &[&str]) -> Result<(), String> {
        match columns.iter().find(|column| !self.has(table, column)) {
            None => Ok(()),
            Some(column) if self.is_computed(table, column) => Err(format!(
                "the column `{column}` of its table `{table}` is computed and not stored"
            )),
            Some(missing) => Err(format!("its table `{table}` has no column `{missing}`")),
        }
    }

    fn is_computed(&self, table: &str, column: &str) -> bool {
        let name = (table.to_owned(), column.to_owned());
        self.0.computed.contains(&name)
    }

    /// Whether a table has a column of stored values.
    pub(in crate::store) fn has(&self, table: &str, column: &str) -> bool {
        self.0
            .stored
            .get(table)
            .is_some_and(|columns| columns.contains(column))
    }

    /// Whether there is a table for spans, as since MLflow 3.4.
    pub(in crate::store) fn has_spans(&self) -> bool {
        self.0.stored.contains_key("spans")
    }

    /// Whether there is a table for assessments, as since MLflow 3.2.
    pub(in crate::store) fn has_assessments(&self) -> bool {
        self.0.stored.contains_key("assessments")
    }

    /// Whether there are links from traces to runs and prompts.
    pub(in crate::store) fn has_links(&self) -> bool {
        self.0.stored.contains_key("entity_associations")
    }

    /// Whether traces have a column. Since MLflow 3.17 name, session, token usage
    /// and cost are columns, and no longer among the tags and metadata.
    pub(in crate::store) fn has_trace_column(&self, column: &str) -> bool {
        self.has("trace_info", column)
    }
}
