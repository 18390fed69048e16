//! Documents that hold traces in any of the shapes that MLflow's commands, endpoints
//! and data frames give them, and the tools that copy traces.

use std::borrow::Cow;

use super::super::document::{DocumentSpans, DocumentTrace, Want, info_from_spans};
use super::super::flaw::Flaw;
use super::members::{Members, unexpected};
use super::{assessment, info, inner, refused, scalar, span};
use crate::json::{Kind, Node, parse_at};
use crate::model::Span;
use crate::store::Detail;

/// Lists, pages and texts within one another; no program nests traces as deeply.
const MAX_DEPTH: usize = 8;

const TRACES: [&str; 3] = ["traces", "trace_infos", "traceInfos"];
const INFO: [&str; 3] = ["info", "trace_info", "traceInfo"];

/// Reads JSON documents that follow each other, each with any number of traces.
///
/// # Errors
/// The first document that is not JSON or holds no trace, and the first member that
/// cannot be read.
pub(in crate::store::wire) fn read_documents(
    json: &[u8],
    want: Want<'_>,
) -> Result<Vec<DocumentTrace>, Flaw> {
    let mut reader = Reader {
        want,
        found: Vec::new(),
    };
    let mut at = 0;
    while let Some(ahead) = json[at..].iter().position(|b| !b.is_ascii_whitespace()) {
        let (tape, end) = parse_at(json, at + ahead)?;
        reader.value(tape.root(), MAX_DEPTH)?;
        at = end;
    }
    Ok(reader.found)
}

struct Reader<'w> {
    want: Want<'w>,
    found: Vec<DocumentTrace>,
}

impl Reader<'_> {
    fn value(&mut self, node: Node<'_>, depth: usize) -> Result<(), Flaw> {
        const EXPECTED: &str = "a trace or a list of traces";
        if depth == 0 {
            return Err(Flaw::new("it is nested too deeply to be traces").at(node.start()));
        }
        match node.kind() {
            Kind::List => self.list(node, depth),
            Kind::Object => self.object(node, depth),
            Kind::Text => inner(node, EXPECTED, &mut |node| self.value(node, depth - 1)),
            _ => Err(unexpected(node, EXPECTED).alien()),
        }
    }

    fn list(&mut self, node: Node<'_>, depth: usize) -> Result<(), Flaw> {
        for (at, element) in node.elements().enumerate() {
            self.value(element, depth - 1)
                .map_err(|flaw| flaw.at(element.start()).within(&format!("[{at}]")))?;
        }
        Ok(())
    }

    fn member(&mut self, name: &str, node: Node<'_>, depth: usize) -> Result<(), Flaw> {
        self.value(node, depth - 1)
            .map_err(|flaw| flaw.at(node.start()).within(name))
    }

    fn object(&mut self, node: Node<'_>, depth: usize) -> Result<(), Flaw> {
        let members = Members::of(node)?;
        if let Some(is_of) = refused::parts(&members) {
            return Err(Flaw::parts(is_of).at(node.start()));
        }
        let exported = members.get("mlflow");
        if let Some(mlflow) = exported.filter(|mlflow| mlflow.get("info").is_some()) {
            return self.member("mlflow", mlflow, depth);
        }
        if members.find(&INFO).is_none() {
            if members.has(&TRACES) {
                for (name, list) in members.iter().filter(|(name, _)| TRACES.contains(name)) {
                    if list.kind() != Kind::Null {
                        self.member(name, list, depth)?;
                    }
                }
                return Ok(());
            }
            if let Some(rows) = rows(&members) {
                return rows.into_iter().try_for_each(|row| self.row(&row, depth));
            }
        }
        self.row(&members, depth)
    }

    /// A trace, or a row of a data frame, in which the trace stands whole.
    fn row(&mut self, members: &Members<'_>, depth: usize) -> Result<(), Flaw> {
        if members.find(&INFO).is_none()
            && let Some(trace) = members.get("trace")
        {
            return self.member("trace", trace, depth);
        }
        let is_bare = !members.has(&INFO) && !members.has(&["data", "spans"]);
        if is_bare && members.has(&["next_page_token", "truncated", "trace"]) {
            // A page without traces.
            return Ok(());
        }
        self.trace(members)
    }

    fn trace(&mut self, members: &Members<'_>) -> Result<(), Flaw> {
        let is_named = members.find(&INFO).is_some() || members.find(&info::TRACE_ID).is_some();
        if !is_named && let Some(what) = refused::what(members) {
            return Err(Flaw::new(what).at(members.start()));
        }
        let info = match members.find(&INFO) {
            Some((name, node)) => {
                let read = Members::of(node).and_then(|info| info::info(&info));
                Some(read.map_err(|flaw| match refused::what(members) {
                    Some(what) => Flaw::new(what).at(members.start()),
                    None => flaw.at(node.start()).within(name),
                })?)
            }
            None if members.find(&info::TRACE_ID).is_some() => Some(info::info(members)?),
            None => None,
        };
        let is_included = members.get("spans_included").map(Node::kind) != Some(Kind::False);
        let spans = members.find(&["data", "spans"]).filter(|_| is_included);
        let is_wanted = match (self.want, &info) {
            (_, None) | (Want::Spans, _) => true,
            (Want::Infos, _) => false,
            (Want::SpansOf(id, _), Some(info)) => info.trace_id == id,
        };
        let detail = match (self.want, &info) {
            (Want::SpansOf(_, detail), Some(_)) => detail,
            _ => Detail::Whole,
        };
        let spans = match spans {
            None => DocumentSpans::Missing,
            Some(_) if !is_wanted => DocumentSpans::Skipped,
            Some((name, node)) => data(node, detail)
                .map_err(|flaw| flaw.at(node.start()).within(name))?
                .map_or(DocumentSpans::Missing, DocumentSpans::Read),
        };
        let exact = members.read(&["duration_ns"], scalar::duration_ns)?;
        let has_info = members.find(&INFO).is_some();
        let others = match members.find(&["assessments"]).filter(|_| has_info) {
            Some(_) => members.read(&["assessments"], assessment::list)?,
            None => None,
        };
        let info = match (info, &spans) {
            (Some(mut info), _) => {
                info.be_exact_about_duration(exact);
                info.assessments.extend(others.unwrap_or_default());
                info.order_assessments();
                info
            }
            (None, DocumentSpans::Read(spans)) if !spans.is_empty() => info_from_spans(spans),
            _ => return Err(Flaw::new(refused::reason(members)).at(members.start())),
        };
        let is_truncated = members.get("truncated").map(Node::kind) == Some(Kind::True);
        self.found.push(DocumentTrace {
            info,
            spans,
            is_truncated,
        });
        Ok(())
    }
}

/// The spans: as a list, in an object, or as JSON text of either.
fn data(node: Node<'_>, detail: Detail) -> Result<Option<Vec<Span>>, Flaw> {
    match node.kind() {
        Kind::Object => Members::of(node)?
            .read(&["spans"], |node| span::list(node, detail))
            .map(|spans| Some(spans.unwrap_or_default())),
        Kind::Text => inner(node, "spans", &mut |node| data(node, detail)),
        _ => span::list(node, detail).map(Some),
    }
}

/// The rows of a data frame that is written by columns, by index, or in parts.
fn rows<'t>(members: &Members<'t>) -> Option<Vec<Members<'t>>> {
    if let (Some(columns), Some(data)) = (members.get("columns"), members.get("data")) {
        let names: Vec<Cow<'t, str>> = columns.elements().filter_map(Node::text).collect();
        let row = |row: Node<'t>| {
            Members::new(
                row.start(),
                names.iter().cloned().zip(row.elements()).collect(),
            )
        };
        return Some(data.elements().map(row).collect());
    }
    if members.has(&["schema"]) {
        let data = members.get("data").filter(|data| data.kind() == Kind::List);
        return Some(
            data?
                .elements()
                .filter_map(|row| Members::of(row).ok())
                .collect(),
        );
    }
    let is_label = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_digit());
    if members.iter().next().is_some() && members.iter().all(|(key, _)| is_label(key)) {
        return members
            .iter()
            .map(|(_, row)| Members::of(row).ok())
            .collect();
    }
    by_column(members)
}

/// `{"trace_id": {"0": …, "1": …}, "trace": {"0": …, "1": …}}`.
fn by_column<'t>(members: &Members<'t>) -> Option<Vec<Members<'t>>> {
    let labels = |node: Node<'t>| -> Option<Vec<(Cow<'t, str>, Node<'t>)>> {
        let cells: Vec<_> = node.members().collect();
        let is_column = cells
            .iter()
            .all(|(key, _)| key.bytes().all(|b| b.is_ascii_digit()) && !key.is_empty());
        (is_column && !cells.is_empty()).then_some(cells)
    };
    let (_, first) = members.find(&["trace", "trace_id", "request_id"])?;
    let index = labels(first)?;
    let columns: Vec<_> = members
        .iter()
        .filter_map(|(name, node)| Some((name.to_owned(), labels(node)?)))
        .collect();
    let row = |(at, (label, cell)): (usize, &(Cow<'t, str>, Node<'t>))| {
        let cells = columns.iter().filter_map(|(name, cells)| {
            let (_, node) = cells.get(at).filter(|(key, _)| key == label)?;
            Some((Cow::Owned(name.clone()), *node))
        });
        Members::new(cell.start(), cells.collect())
    };
    Some(index.iter().enumerate().map(row).collect())
}
