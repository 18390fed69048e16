//! Laws of the language, on random filters and random traces that are alike
//! enough to match often.

use proptest::prelude::*;
use serde_json::json;

use super::backend::Backend;
use super::{
    Assessed, Capability, Comparator, Condition, Expr, Field, Filter, Number, Plan, Quantifier,
    Server, Support, parse,
};
use crate::field::{FieldDef, Uses};
use crate::model::{
    Assessment, AssessmentKind, Event, Source, Span, SpanId, StatusCode, Timestamp, TraceInfo,
    TraceState, attribute, metadata, tag,
};

/// Values that conditions and traces share.
const WORDS: [&str; 6] = ["a", "b", "a.b", "it's", "3", ""];
const NUMBERS: [f64; 5] = [0.0, 1.0, 2.5, 3.0, 1000.0];

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned)
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        (0_i64..4).prop_map(Number::Integer),
        prop::sample::select(NUMBERS.to_vec()).prop_map(Number::Float),
    ]
}

fn trace_field() -> impl Strategy<Value = Field> + Clone {
    prop::sample::select(vec![
        Field::Status,
        Field::RequestId,
        Field::ClientRequestId,
        Field::Timestamp,
        Field::ExecutionTime,
        Field::EndTime,
        Field::Name,
        Field::RunId,
        Field::Prompt,
        Field::Tag("k".to_owned()),
        Field::Metadata("k".to_owned()),
        Field::Feedback("f".to_owned()),
        Field::Expectation("f".to_owned()),
        Field::IssueId,
        Field::Experiment,
        Field::Tokens,
        Field::OutputTokens,
        Field::Cost,
        Field::SpanCount,
    ])
}

fn span_field() -> impl Strategy<Value = Field> + Clone {
    prop::sample::select(vec![
        Field::SpanName,
        Field::SpanType,
        Field::SpanStatus,
        Field::SpanContent,
        Field::SpanAttribute("k".to_owned()),
        Field::SpanDuration,
        Field::SpanTokens,
        Field::SpanCost,
        Field::SpanError,
        Field::SpanModel,
    ])
}

const SIGNS: [Comparator; 6] = [
    Comparator::Equal,
    Comparator::NotEqual,
    Comparator::Less,
    Comparator::LessOrEqual,
    Comparator::Greater,
    Comparator::GreaterOrEqual,
];

/// A condition on one of the fields that goes with a random comparator.
fn condition(field: impl Strategy<Value = Field>) -> impl Strategy<Value = Condition> {
    let words = prop::collection::vec(word(), 1..4);
    (
        field,
        any::<prop::sample::Index>(),
        words,
        number(),
        number(),
        any::<bool>(),
    )
        .prop_map(|(field, pick, words, low, high, numeric)| {
            let comparators = field.comparators();
            let comparator = *pick.get(comparators);
            let prompt = |word: &String| match field {
                Field::Prompt => format!("{word}/1"),
                _ => word.clone(),
            };
            let words: Vec<String> = words.iter().map(prompt).collect();
            let pattern = match words[0].as_str() {
                "" => "%".to_owned(),
                word => format!("%{word}%"),
            };
            let made = match comparator {
                Comparator::IsNull | Comparator::IsNotNull => {
                    Condition::null(field.clone(), comparator)
                }
                Comparator::In | Comparator::NotIn => {
                    Condition::list(field.clone(), comparator, words)
                }
                Comparator::Between | Comparator::NotBetween => {
                    Condition::range(field.clone(), comparator, low, high)
                }
                Comparator::Like
                | Comparator::NotLike
                | Comparator::Ilike
                | Comparator::NotIlike => Condition::text(field.clone(), comparator, pattern),
                Comparator::Rlike | Comparator::NotRlike => {
                    Condition::text(field.clone(), comparator, "a|3")
                }
                _ if field.is_numeric() => Condition::number(field.clone(), comparator, low),
                _ if comparator.is_order() => Condition::number(field.clone(), comparator, low),
                _ if field.takes_numbers() && numeric => {
                    Condition::number(field.clone(), comparator, low)
                }
                _ => Condition::text(field.clone(), comparator, words[0].clone()),
            };
            made.unwrap_or_else(|error| panic!("{field} {comparator}: {error}"))
        })
}

fn combined(leaf: BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    leaf.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::and),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::or),
            inner.prop_map(Expr::negated),
        ]
    })
    .boxed()
}

fn quantified(field: impl Strategy<Value = Field> + 'static) -> impl Strategy<Value = Expr> {
    let quantifier = prop_oneof![
        3 => Just(Quantifier::Any),
        1 => Just(Quantifier::All),
        3 => (prop::sample::select(SIGNS.to_vec()), 0_i64..3)
            .prop_map(|(comparator, n)| Quantifier::Count(comparator, n.into())),
    ];
    let inner = combined(condition(field).prop_map(Expr::Condition).boxed());
    (quantifier, inner).prop_map(|(quantifier, expr)| Expr::spans(quantifier, expr))
}

fn assessed() -> impl Strategy<Value = Expr> {
    let fields: Vec<Field> = FieldDef::with(Uses::OF_ASSESSMENT)
        .map(|def| (def.make)(String::new()))
        .collect();
    let field = prop::sample::select(fields);
    let of = prop::sample::select(vec![Assessed::Feedback, Assessed::Expectation]);
    let inner = combined(condition(field).prop_map(Expr::Condition).boxed());
    (of, inner).prop_map(|(of, expr)| Expr::assessed(of, expr))
}

fn trace_expr() -> BoxedStrategy<Expr> {
    combined(condition(trace_field()).prop_map(Expr::Condition).boxed())
}

fn expr() -> BoxedStrategy<Expr> {
    combined(
        prop_oneof![
            4 => condition(trace_field()).prop_map(Expr::Condition),
            3 => condition(span_field()).prop_map(Expr::Condition),
            1 => quantified(span_field()),
            1 => assessed(),
        ]
        .boxed(),
    )
}

pub(super) fn filter() -> impl Strategy<Value = Filter> {
    prop::collection::vec(expr(), 0..4).prop_map(|conjuncts| conjuncts.into_iter().collect())
}

/// Filters of little but what the server's quirks are about: the bound on the time
/// under which spans are not looked at, run ids, and which span is spoken of.
fn quirky_filter() -> impl Strategy<Value = Filter> {
    let span_name = || {
        (prop::sample::select(vec!["a", "b"]), any::<bool>()).prop_map(|(name, known)| {
            let condition = if known {
                Condition::text(Field::SpanName, Comparator::Equal, name)
            } else {
                Condition::text(Field::SpanName, Comparator::NotLike, format!("%{name}%"))
            };
            Expr::Condition(condition.unwrap())
        })
    };
    let leaf = prop_oneof![
        2 => (prop::sample::select(SIGNS.to_vec()), 0_i64..3).prop_map(|(comparator, ms)| {
            Expr::Condition(Condition::number(Field::Timestamp, comparator, ms).unwrap())
        }),
        2 => prop::sample::select(vec!["a", "b", ""]).prop_map(|run| {
            Expr::Condition(Condition::text(Field::RunId, Comparator::Equal, run).unwrap())
        }),
        3 => span_name(),
        2 => span_name().prop_map(|expr| Expr::spans(Quantifier::Any, expr)),
    ];
    let expr = prop_oneof![
        3 => leaf.clone(),
        1 => prop::collection::vec(leaf.clone(), 2..4).prop_map(Expr::or),
        1 => prop::collection::vec(leaf.clone(), 2..4).prop_map(Expr::and).prop_map(Expr::negated),
        1 => (leaf.clone(), leaf.clone(), leaf).prop_map(|(a, b, c)| Expr::or([Expr::and([a, b]), c])),
    ];
    prop::collection::vec(expr, 1..5).prop_map(|conjuncts| conjuncts.into_iter().collect())
}

fn assessment() -> impl Strategy<Value = Assessment> {
    let value = prop_oneof![
        word().prop_map(|word| json!(word)),
        (0_i64..4).prop_map(|n| json!(n)),
        prop::sample::select(NUMBERS.to_vec()).prop_map(|n| json!(n)),
        any::<bool>().prop_map(|b| json!(b)),
    ];
    (value, 0..3, any::<bool>(), word()).prop_map(|(value, kind, valid, issue)| Assessment {
        id: None,
        name: if kind == 2 { issue } else { "f".to_owned() },
        span_id: None,
        source: Source::default(),
        create_time: None,
        last_update_time: None,
        kind: match kind {
            0 => AssessmentKind::Feedback { value, error: None },
            1 => AssessmentKind::Expectation { value },
            _ => AssessmentKind::Other,
        },
        rationale: None,
        metadata: std::collections::BTreeMap::default(),
        overrides: None,
        valid,
    })
}

fn span() -> impl Strategy<Value = Span> {
    let texts = (
        word(),
        prop::option::of(word()),
        prop::option::of(word()),
        word(),
    );
    let value = prop_oneof![
        word().prop_map(|word| json!(word).to_string()),
        number().prop_map(|n| n.to_string()),
        Just("true".to_owned()),
        Just("null".to_owned()),
    ];
    let times = (
        prop::sample::select(vec![-12_000_i64, 0, 1]),
        prop::option::of(0_i64..4),
    );
    (
        texts,
        prop::option::of(value),
        times,
        0_usize..3,
        prop::option::of(word()),
    )
        .prop_map(
            |((name, kind, model, message), value, (start_ms, duration_ms), status, exception)| {
                let text = |text: String| json!(text).to_string();
                Span {
                    span_id: SpanId::new("00f067aa0ba902b7"),
                    parent_id: None,
                    trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
                    name,
                    start_ns: start_ms * 1_000_000,
                    end_ns: duration_ms.map(|ms| (start_ms + ms) * 1_000_000),
                    status: [StatusCode::Ok, StatusCode::Error, StatusCode::Unset][status],
                    status_message: message,
                    attributes: [
                        (attribute::TYPE, kind.map(text)),
                        (attribute::MODEL, model.map(text)),
                        ("k", value),
                    ]
                    .into_iter()
                    .filter_map(|(key, value)| Some((key.to_owned(), value?)))
                    .collect(),
                    events: exception
                        .map(|message| Event {
                            name: "exception".to_owned(),
                            time_ns: 0,
                            attributes:
                                json!({"exception.type": "a", "exception.message": message})
                                    .as_object()
                                    .unwrap()
                                    .clone(),
                        })
                        .into_iter()
                        .collect(),
                    links: Vec::new(),
                    kind: None,
                }
            },
        )
}

fn trace() -> impl Strategy<Value = (TraceInfo, Vec<Span>)> {
    let optional = || prop::option::of(word());
    let texts = (
        word(),
        optional(),
        optional(),
        optional(),
        optional(),
        optional(),
    );
    let numbers = (
        0_i64..4,
        prop::option::of(0_i64..4),
        prop::option::of(0_i64..4),
    );
    let lists = (
        prop::collection::vec(assessment(), 0..4),
        prop::collection::vec(span(), 0..4),
    );
    (texts, numbers, lists, word()).prop_map(
        |((id, client, name, run, tag_k, metadata_k), (ms, duration, tokens), lists, prompt)| {
            let mut info = TraceInfo::new(id.clone());
            info.client_request_id = client;
            info.experiment_id = Some(id.clone());
            info.state = TraceState::parse(&id);
            info.request_time = Some(Timestamp::from_millis(ms));
            info.execution_duration_ns = duration.map(|ms| ms * 1_000_000);
            let links = json!([{"name": prompt, "version": "1"}]).to_string();
            info.tags = [
                (tag::NAME, name),
                ("k", tag_k),
                ("mlflow.linkedPrompts", Some(links)),
            ]
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect();
            let usage = tokens.map(|n| json!({"total_tokens": n, "output_tokens": n}).to_string());
            let cost = tokens.map(|n| json!({"total_cost": n}).to_string());
            info.metadata = [
                (metadata::SOURCE_RUN, run),
                ("k", metadata_k),
                (metadata::TOKEN_USAGE, usage),
                (metadata::COST, cost),
            ]
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect();
            info.assessments = lists.0;
            (info, lists.1)
        },
    )
}

fn traces() -> impl Strategy<Value = Vec<(TraceInfo, Vec<Span>)>> {
    prop::collection::vec(trace(), 10)
}

/// Equal, but for what only counts at the top of a filter.
fn holds(expr: &Expr, info: &TraceInfo, spans: &[Span]) -> bool {
    let nothing_else = Condition::text(Field::Name, Comparator::Equal, "none at all").unwrap();
    Filter::from(Expr::or([Expr::from(nothing_else), expr.clone()])).matches(info, spans)
}

/// A store that takes some fields, of others no more than that they are there, and others
/// not at all.
struct Picky(u64);

impl Capability for Picky {
    fn support(&self, condition: &Condition) -> Support {
        let kind = condition.field().to_string();
        let sum: u64 = kind.bytes().map(u64::from).sum();
        let is_text = matches!(
            condition.field(),
            Field::Name | Field::Tag(_) | Field::Metadata(_)
        );
        match (sum + self.0) % 3 {
            0 => Support::Exact,
            1 if is_text && condition.comparator() != Comparator::IsNull => {
                let field = condition.field().clone();
                let there = Condition::null(field, Comparator::IsNotNull);
                there.map_or(Support::Unsupported, Support::Inexact)
            }
            _ => Support::Unsupported,
        }
    }
}

/// Whether the searches, with the evaluator in the place of the server, and the
/// residual come to the filter.
fn check_plan(
    filter: &Filter,
    traces: &[(TraceInfo, Vec<Span>)],
    server: &Server,
) -> Result<(), TestCaseError> {
    let plan = filter.plan(server).unwrap();
    check_server(&plan, server)?;
    check_matches(filter, &plan, traces)
}

fn check_server(plan: &Plan, server: &Server) -> Result<(), TestCaseError> {
    prop_assert!((1..=server.max_searches).contains(&plan.searches.len()));
    for search in &plan.searches {
        prop_assert!(search.server_conditions().is_some(), "{}", plan);
        prop_assert!(search.minimum_server() <= server.version, "{}", plan);
        prop_assert_eq!(parse(&search.to_string()), Ok(search.clone()), "{}", search);
    }
    Ok(())
}

fn check_matches(
    filter: &Filter,
    plan: &Plan,
    traces: &[(TraceInfo, Vec<Span>)],
) -> Result<(), TestCaseError> {
    for (info, spans) in traces {
        let found = plan
            .searches
            .iter()
            .any(|search| search.matches(info, spans));
        let checked = plan.residual.matches(info, spans);
        prop_assert_eq!(
            found && checked,
            filter.matches(info, spans),
            "filter: {}\n{}\nfound {}, checked {}\n{:?}",
            filter,
            plan,
            found,
            checked,
            (info, spans)
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn printed_filters_read_back_equal(filter in filter()) {
        let printed = filter.to_string();
        prop_assert_eq!(parse(&printed), Ok(filter), "{}", printed);
    }

    #[test]
    fn not_is_the_complement(expr in expr(), traces in traces()) {
        for (info, spans) in &traces {
            let negated = expr.clone().negated();
            prop_assert_ne!(holds(&expr, info, spans), holds(&negated, info, spans), "{}", expr);
        }
    }

    #[test]
    fn de_morgan_holds_of_traces(a in trace_expr(), b in trace_expr(), traces in traces()) {
        let neither = Expr::or([a.clone(), b.clone()]).negated();
        let both_not = Expr::and([a.clone().negated(), b.clone().negated()]);
        let not_both = Expr::and([a.clone(), b.clone()]).negated();
        let either_not = Expr::or([a.negated(), b.negated()]);
        for (info, spans) in &traces {
            prop_assert_eq!(holds(&neither, info, spans), holds(&both_not, info, spans));
            prop_assert_eq!(holds(&not_both, info, spans), holds(&either_not, info, spans));
        }
    }

    #[test]
    fn or_distributes_over_and(a in expr(), b in expr(), c in expr(), traces in traces()) {
        let one = Expr::and([a.clone(), Expr::or([b.clone(), c.clone()])]);
        let two = Expr::or([Expr::and([a.clone(), b]), Expr::and([a, c])]);
        for (info, spans) in &traces {
            prop_assert_eq!(holds(&one, info, spans), holds(&two, info, spans), "{}", one);
        }
    }

    #[test]
    fn any_is_not_all_not(inner in combined(condition(span_field()).prop_map(Expr::Condition).boxed()), traces in traces()) {
        let any = Expr::spans(Quantifier::Any, inner.clone());
        let not_all_not = Expr::spans(Quantifier::All, inner.clone().negated()).negated();
        let at_least_one = Expr::spans(
            Quantifier::Count(Comparator::GreaterOrEqual, 1.into()),
            inner,
        );
        for (info, spans) in &traces {
            let expected = holds(&any, info, spans);
            prop_assert_eq!(holds(&not_all_not, info, spans), expected);
            prop_assert_eq!(holds(&at_least_one, info, spans), expected);
        }
    }

    #[test]
    fn a_plan_finds_the_matches_and_nothing_else(
        filter in prop_oneof![filter(), quirky_filter()],
        traces in traces(),
        version in prop::sample::select(vec![(2, 14), (3, 4), (3, 8), (3, 17)]),
        // What the others make of a condition holds for whatever it holds for here, but for
        // the backslashes that PostgreSQL wants doubled.
        backend in prop::sample::select(vec![
            Backend::Sqlite, Backend::Mysql, Backend::Other, Backend::Refusing,
        ]),
        max_searches in 1_usize..9,
    ) {
        check_plan(&filter, &traces, &Server { version, backend, max_searches })?;
    }

    #[test]
    fn a_plan_for_a_store_that_takes_some_conditions_finds_the_matches_alone(
        filter in prop_oneof![filter(), quirky_filter()],
        traces in traces(),
        shift in 0_u64..3,
    ) {
        let plan = filter.plan(&Picky(shift)).unwrap();
        prop_assert_eq!(plan.searches.len(), 1);
        check_matches(&filter, &plan, &traces)?;
    }

    #[test]
    fn a_plan_minds_the_servers_quirks(filter in quirky_filter(), traces in traces()) {
        check_plan(&filter, &traces, &Server {
            version: (3, 17),
            backend: Backend::Sqlite,
            max_searches: 8,
        })?;
    }

    #[test]
    fn without_spans_every_match_is_kept(filter in filter(), traces in traces()) {
        let weaker = filter.without_spans(false);
        prop_assert!(!weaker.needs_spans());
        for (info, spans) in &traces {
            prop_assert!(!filter.matches(info, spans) || weaker.matches(info, &[]), "{} / {}", filter, weaker);
        }
        if let Some(stronger) = filter.sufficient_without_spans(false) {
            prop_assert!(!stronger.needs_spans());
            for (info, spans) in &traces {
                prop_assert!(filter.matches(info, spans) || !stronger.matches(info, &[]), "{} / {}", filter, stronger);
            }
        }
    }
}
