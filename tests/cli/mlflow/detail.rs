//! Spans in less detail: what is left in them is the same as in whole ones,
//! whatever the store, and for many traces at once as for one.

use std::ops::ControlFlow;

use mlt::analysis::SpanTree;
use mlt::model::{Experiment, Span, Trace, TraceInfo, TraceState};
use mlt::store::{
    self, Detail, Location, Query, Scope, Search, Store, StoreError, TraceRefs, Want,
};

use crate::support::mlflow::{Seeded, connect, old, rich};
use crate::support::mlt;

const DETAILS: [Detail; 4] = [
    Detail::Times,
    Detail::Measures,
    Detail::Events,
    Detail::Whole,
];

/// The newest traces of each experiment.
fn infos(store: &dyn Store) -> Vec<TraceInfo> {
    let newest = |experiment: Experiment| {
        let query = Query {
            experiments: vec![experiment.id],
            ..Query::default()
        };
        let mut search = Search::new(store, query, Some(8));
        search.next_page().unwrap().unwrap_or_default()
    };
    let experiments = store.experiments(Scope::Active).unwrap();
    experiments.into_iter().flat_map(newest).collect()
}

fn same_span(detail: Detail, brief: &Span, whole: &Span) {
    let times = |span: &Span| {
        (
            span.span_id.clone(),
            span.parent_id.clone(),
            span.trace_id.clone(),
            span.name.clone(),
            span.span_type().into_owned(),
            (span.status, span.start_ns, span.end_ns),
        )
    };
    assert_eq!(times(brief), times(whole), "{detail:?}");
    if detail >= Detail::Measures {
        let measures = |span: &Span| {
            let model = span.model().map(std::borrow::Cow::into_owned);
            (model, span.usage(), span.cost())
        };
        assert_eq!(measures(brief), measures(whole), "{}", whole.name);
    }
    if detail >= Detail::Events {
        assert_eq!(brief.events, whole.events, "{}", whole.name);
        assert_eq!(brief.error_text(), whole.error_text(), "{}", whole.name);
    }
    if detail == Detail::Whole {
        assert_eq!(brief, whole);
    }
}

fn same(detail: Detail, brief: &Trace, whole: &Trace) {
    assert_eq!(brief.info.trace_id, whole.info.trace_id);
    assert_eq!(
        brief.spans.len(),
        whole.spans.len(),
        "{}",
        whole.info.trace_id
    );
    for (brief, whole) in brief.spans.iter().zip(&whole.spans) {
        same_span(detail, brief, whole);
    }
    let with_the_same_info = Trace {
        info: whole.info.clone(),
        spans: brief.spans.clone(),
    };
    assert_eq!(
        SpanTree::build(&with_the_same_info),
        SpanTree::build(whole),
        "{detail:?} of {}",
        whole.info.trace_id
    );
}

/// A result for each trace, in their order.
fn fetch(
    store: &dyn Store,
    traces: &[TraceInfo],
    detail: Detail,
) -> Vec<Result<Trace, StoreError>> {
    let mut all = Vec::new();
    let (traces, want) = (TraceRefs::Known(traces.to_vec()), Want::spans(detail));
    let fetched = store.fetch_all(traces, want, &mut |_, trace| {
        all.push(trace);
        ControlFlow::Continue(())
    });
    fetched.unwrap();
    all
}

/// Asks for all traces in every detail, with all that is known of them and with
/// nothing but their ids; gives how many had spans.
fn check(store: &dyn Store) -> usize {
    let infos = infos(store);
    let wholes = fetch(store, &infos, Detail::Whole);
    let bare: Vec<TraceInfo> = infos
        .iter()
        .map(|info| TraceInfo::new(&*info.trace_id))
        .collect();
    // Whole, with all that is known of them, are those that the others are compared with.
    for (detail, known) in [
        (Detail::Times, vec![&infos, &bare]),
        (Detail::Measures, vec![&infos, &bare]),
        (Detail::Events, vec![&infos]),
        (Detail::Whole, vec![&bare]),
    ] {
        for known in known {
            let briefs = fetch(store, known, detail);
            let mut count = 0;
            for (brief, whole) in briefs.into_iter().zip(&wholes) {
                count += 1;
                match (brief, whole) {
                    (Ok(brief), Ok(whole)) => same(detail, &brief, whole),
                    (Err(brief), Err(whole)) => assert_eq!(brief.to_string(), whole.to_string()),
                    (brief, whole) => panic!("{detail:?}: {brief:?} for {whole:?}"),
                }
            }
            assert_eq!(count, infos.len());
        }
    }
    let found = wholes.iter().flatten();
    found.filter(|trace| !trace.spans.is_empty()).count()
}

fn check_all(seeded: &Seeded, name: &str) -> usize {
    let server = connect(seeded.uri());
    let path = seeded.dir.join(format!("detail-{name}.jsonl"));
    let ids: Vec<String> = infos(&*server).into_iter().map(|it| it.trace_id).collect();
    let export = mlt()
        .on(seeded.uri())
        .stdin(ids.join("\n"))
        .run("export - -o jsonl");
    std::fs::write(&path, export.stdout).unwrap();
    let open = |location: Location| store::open(&location, None).unwrap();
    let found = check(&*server);
    assert_eq!(check(&*open(Location::File(path))), found);
    check(&*open(Location::sqlite(seeded.database())));
    found
}

#[test]
fn less_detail_leaves_the_rest_as_it_is() {
    assert!(check_all(rich(), "rich") > 20);
}

#[test]
fn less_detail_leaves_the_rest_of_old_traces_as_it_is() {
    assert!(check_all(old(), "old") > 0);
}

#[test]
fn a_trace_that_is_not_there_fails_alone() {
    let seeded = rich();
    let database = Location::sqlite(seeded.database());
    for store in [connect(seeded.uri()), store::open(&database, None).unwrap()] {
        for detail in DETAILS {
            let mut asked = infos(&*store);
            asked.retain(|info| info.state == TraceState::Ok);
            asked.truncate(5);
            asked.insert(2, TraceInfo::new("tr-00000000000000000000000000000bad"));
            let answers = fetch(&*store, &asked, detail);
            let failed: Vec<usize> = (0..6).filter(|at| answers[*at].is_err()).collect();
            assert_eq!(failed, [2], "{detail:?} from {}", store.describe());
        }
    }
}
