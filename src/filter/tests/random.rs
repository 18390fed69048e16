//! Random text and random conditions: nothing panics, and what is printed is read again.

use proptest::prelude::*;

use crate::filter::ast::Filter;
use crate::filter::diagnostics::{render, render_warning};
use crate::filter::lexer::lex;
use crate::filter::{Comparator, Condition, Field};
use crate::filter::{parse, parse_order_by};

/// Text that looks enough like a filter to get past the first token.
fn filter_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "status", "name", "tags.", "span.", "metadata.", "feedback.", "timestamp", "text",
            "attributes.", "`a b`", "a-b", "=", "!=", "==", "LIKE", "rlike", "IN", "NOT", "IS",
            "NULL", "AND", "OR", "(", ")", ",", "'OK'", "\"x\"", "'it''s'", r"'\'", "1", "-2.5",
            "1e3", "99999999999999999999", ".", ";", "--", "/*", "'", "\"", "`", "\\", "é",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let gap = prop::sample::select(vec![" ", " ", "", "\n", "\u{a0}"]);
    prop::collection::vec((piece, gap), 0..12)
        .prop_map(|pieces| pieces.into_iter().map(|(piece, gap)| piece + gap).collect())
}

/// Any condition on text that can be made at all.
fn text_condition() -> impl Strategy<Value = Condition> {
    let field = (0..10, any::<String>()).prop_map(|(kind, key)| match kind {
        0 => Field::Status,
        1 => Field::Name,
        2 => Field::SpanName,
        3 => Field::SpanContent,
        4 => Field::Metadata(key),
        5 => Field::Feedback(key),
        6 => Field::Expectation(key),
        7 => Field::SpanAttribute(key),
        _ => Field::Tag(key),
    });
    let comparator = prop::sample::select(vec![
        Comparator::Equal,
        Comparator::NotEqual,
        Comparator::Like,
        Comparator::Ilike,
        Comparator::Rlike,
    ]);
    (field, comparator, any::<String>()).prop_filter_map(
        "the server cannot express it",
        |(field, comparator, value)| Condition::text(field, comparator, value).ok(),
    )
}

proptest! {
    #[test]
    fn the_tokens_are_the_input(text in prop_oneof![any::<String>(), filter_like()]) {
        let joined: String = lex(&text).iter().map(|token| token.text).collect();
        prop_assert_eq!(joined, text);
    }

    #[test]
    fn no_text_is_too_strange(text in prop_oneof![any::<String>(), filter_like()]) {
        match parse(&text) {
            Ok(filter) => {
                let printed = filter.to_string();
                let again = parse(&printed);
                prop_assert_eq!(again.as_ref(), Ok(&filter), "{}", printed);
                for warning in filter.warnings() {
                    prop_assert!(text.get(warning.span.clone()).is_some());
                    render_warning(&text, warning, true);
                }
            }
            Err(error) => {
                prop_assert!(text.get(error.span.clone()).is_some());
                prop_assert!(!error.to_string().contains('\n'));
                render(&text, &error, true);
            }
        }
    }

    #[test]
    fn no_order_is_too_strange(text in prop_oneof![any::<String>(), filter_like(), "-?tags?\\.`?[a-z .:/é-]{0,6}`?( desc)?"]) {
        match parse_order_by(&text) {
            Ok(order) => prop_assert_eq!(parse_order_by(&order.to_string()), Ok(order)),
            Err(error) => {
                prop_assert!(text.get(error.span.clone()).is_some());
                render(&text, &error, true);
            }
        }
    }

    #[test]
    fn what_is_built_can_be_read_again(conditions in prop::collection::vec(text_condition(), 0..4)) {
        let filter: Filter = conditions.into_iter().collect();
        prop_assert_eq!(parse(&filter.to_string()), Ok(filter));
    }

    #[test]
    fn lists_take_any_text(values in prop::collection::vec("[^\0]*", 1..4)) {
        let filter: Filter = Condition::list(Field::Status, Comparator::In, values).unwrap().into();
        prop_assert_eq!(parse(&filter.to_string()), Ok(filter));
    }

    #[test]
    fn numbers_keep_their_value(value in any::<f64>()) {
        prop_assume!(value.is_finite());
        let filter: Filter = Condition::number(Field::ExecutionTime, Comparator::Less, value).unwrap().into();
        prop_assert_eq!(parse(&filter.to_string()), Ok(filter));
    }
}
