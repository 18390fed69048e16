//! Traces about whose spans a server may be wrong. It looks for spans in a table of
//! its database, and does not see those that are kept as artifacts, nor what is left
//! of a span there once it was archived, nor the types of spans that came by
//! OpenTelemetry's protocol, which it infers too late for the table.

use super::super::ast::{Expr, Filter};
use super::super::terms::Condition;
use super::Server;
use crate::field::{Comparator, Field};
use crate::model::{TraceInfo, metadata, tag};

const TABLE: &str = "TRACKING_STORE";
const ARTIFACT: &str = "ARTIFACT_REPO";
const ARCHIVE: &str = "ARCHIVE_REPO";

/// How the matches among such traces are found.
#[derive(Debug, Clone, PartialEq)]
pub struct Outside {
    /// Filters in the server's dialect that find all of them; in the common case nothing.
    pub searches: Vec<Filter>,
    /// What an answer must pass here to be a match.
    pub residual: Filter,
    /// Whether archived spans are among them: they are asked for more than names and states.
    archived: bool,
    /// Whether spans of OpenTelemetry are: they are asked for their types.
    untyped: bool,
}

impl Outside {
    pub(super) fn new(filter: &Filter, searches: &[Filter], server: &Server) -> Option<Self> {
        let fields: Vec<&Field> = searches
            .iter()
            .flat_map(Filter::conditions)
            .map(Condition::field)
            .filter(|field| field.is_span())
            .collect();
        if fields.is_empty() {
            return None;
        }
        let in_columns =
            |field: &Field| matches!(field, Field::SpanName | Field::SpanStatus | Field::SpanType);
        let archived = !fields.iter().all(|field| in_columns(field));
        let untyped = fields.contains(&&Field::SpanType);
        let (base, residual) = base(filter, server);
        let location = || Field::Tag(tag::SPANS_LOCATION.to_owned());
        let version = || Field::Metadata(metadata::SCHEMA_VERSION.to_owned());
        let (is_null, is_there) = (Comparator::IsNull, Comparator::IsNotNull);
        let mut tests = vec![
            // Clients that keep spans as artifacts say so by the version of their form alone.
            vec![
                Condition::null(location(), is_null),
                Condition::null(version(), is_there),
            ],
            vec![if archived {
                Condition::text(location(), Comparator::NotEqual, TABLE)
            } else {
                Condition::text(location(), Comparator::Equal, ARTIFACT)
            }],
        ];
        if untyped {
            tests.push(vec![
                Condition::null(location(), is_there),
                Condition::null(version(), is_null),
            ]);
        }
        let tests: Vec<Vec<Condition>> = tests
            .into_iter()
            .filter_map(|all| all.into_iter().collect::<Result<_, _>>().ok())
            .collect();
        let understands = |test: &Condition| test.minimum_server() <= server.version;
        let searches = if tests.iter().flatten().all(understands) {
            let tests = tests.into_iter();
            tests
                .map(|all| base.clone().and(all.into_iter().collect()))
                .collect()
        } else {
            vec![base]
        };
        Some(Self {
            searches,
            residual,
            archived,
            untyped,
        })
    }

    /// Whether a trace is one of them.
    pub fn holds(&self, info: &TraceInfo) -> bool {
        let is_of_client = info.metadata.contains_key(metadata::SCHEMA_VERSION);
        match info.tags.get(tag::SPANS_LOCATION).map(String::as_str) {
            None => is_of_client,
            Some(TABLE) => self.untyped && !is_of_client,
            Some(ARCHIVE) => self.archived || (self.untyped && !is_of_client),
            Some(_) => true,
        }
    }
}

/// What the server can be asked for without a word about spans, and what is left of
/// the filter then.
fn base(filter: &Filter, server: &Server) -> (Filter, Filter) {
    let one = Server {
        max_searches: 1,
        ..server.clone()
    };
    let (of_spans, others): (Vec<&Expr>, Vec<&Expr>) = filter
        .effective_conjuncts()
        .partition(|expr| expr.needs_spans());
    let others: Filter = others.into_iter().cloned().collect();
    let (base, left) = match others.plan(&one) {
        Ok(plan) => (
            plan.searches.into_iter().next().unwrap_or_default(),
            plan.residual,
        ),
        Err(_) => (Filter::default(), others.clone()),
    };
    // The bound on the time says which spans are looked at.
    let bounds = others
        .conjuncts()
        .iter()
        .filter(|expr| matches!(expr, Expr::Condition(c) if c.lower_bound_ms().is_some()));
    let mut parts: Vec<Expr> = left.conjuncts().to_vec();
    for bound in bounds {
        if !parts.contains(bound) {
            parts.push(bound.clone());
        }
    }
    parts.extend(of_spans.into_iter().cloned());
    (base, parts.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::super::super::{Backend, parse};
    use super::*;

    fn outside(text: &str, version: (u32, u32)) -> Option<(Vec<String>, String)> {
        let server = Server {
            version,
            backend: Backend::Sqlite,
            max_searches: 8,
        };
        let plan = parse(text).unwrap().plan(&server).unwrap();
        plan.outside.map(|outside| {
            let searches = outside.searches.iter().map(ToString::to_string).collect();
            (searches, outside.residual.to_string())
        })
    }

    #[test]
    fn traces_are_looked_for_whose_spans_the_server_does_not_see() {
        for filter in ["", "status = 'OK'", "NOT span.name = 'a'", "spans > 3"] {
            assert_eq!(outside(filter, (3, 17)), None, "{filter}");
        }
        let (searches, residual) = outside("status = 'OK' AND span.name = 'a'", (3, 17)).unwrap();
        assert_eq!(
            searches,
            [
                "status = 'OK' AND tags.mlflow.trace.spansLocation IS NULL \
                 AND metadata.mlflow.trace_schema.version IS NOT NULL",
                "status = 'OK' AND tags.mlflow.trace.spansLocation = 'ARTIFACT_REPO'",
            ]
        );
        assert_eq!(residual, "span.name = 'a'");
        let (searches, _) = outside("span.content LIKE '%a%'", (3, 17)).unwrap();
        assert_eq!(
            searches[1],
            "tags.mlflow.trace.spansLocation != 'TRACKING_STORE'"
        );
        let (searches, residual) = outside(
            "timestamp_ms > 5 AND span.type = 'LLM' AND tokens > 7",
            (3, 17),
        )
        .unwrap();
        assert!(
            searches[2].ends_with("metadata.mlflow.trace_schema.version IS NULL"),
            "{searches:?}"
        );
        assert_eq!(
            residual,
            "tokens > 7 AND timestamp_ms > 5 AND span.type = 'LLM'"
        );
    }

    #[test]
    fn old_servers_are_asked_for_all_traces() {
        let (searches, _) = outside("span.name = 'a' AND status = 'OK'", (3, 8)).unwrap();
        assert_eq!(searches, ["status = 'OK'"]);
        let server = Server {
            version: (3, 8),
            backend: Backend::Sqlite,
            max_searches: 8,
        };
        let plan = parse("span.type = 'LLM'").unwrap().plan(&server).unwrap();
        let outside = plan.outside.unwrap();
        let mut info = TraceInfo::new("tr-1");
        assert!(!outside.holds(&info), "nobody has said that it has spans");
        info.tags
            .insert(tag::SPANS_LOCATION.to_owned(), TABLE.to_owned());
        assert!(outside.holds(&info), "it came by OpenTelemetry's protocol");
        info.metadata
            .insert(metadata::SCHEMA_VERSION.to_owned(), "3".to_owned());
        assert!(!outside.holds(&info));
        info.tags.clear();
        assert!(outside.holds(&info), "its spans are an artifact");
    }
}
