//! Texts that `serde_json` reads, which must come out the same, and such that it refuses.

use proptest::prelude::*;

use super::*;

fn root(text: &[u8]) -> (Value, String) {
    let (tape, end) = parse_at(text, 0).unwrap();
    assert_eq!(end, text.len());
    (tape.root().to_value(), tape.root().to_text())
}

#[test]
fn what_python_writes_is_read() {
    for (json, value, text) in [
        (r#"{"a": NaN}"#, r#"{"a":"NaN"}"#, r#"{"a":NaN}"#),
        (
            "[-Infinity, Infinity]",
            r#"["-Infinity","Infinity"]"#,
            "[-Infinity,Infinity]",
        ),
        (
            "18446744073709551616",
            r#""18446744073709551616""#,
            "18446744073709551616",
        ),
        (
            "18446744073709551615",
            "18446744073709551615",
            "18446744073709551615",
        ),
        ("1e400", r#""1e400""#, "1e400"),
        ("1.50", "1.5", "1.5"),
        (
            r#""\ud83d\ude00 \ud83d \ude00x""#,
            "\"😀 \u{fffd} \u{fffd}x\"",
            "\"😀 \u{fffd} \u{fffd}x\"",
        ),
        (
            r#"{"\u0061":{"b":[]},"c":{}}"#,
            r#"{"a":{"b":[]},"c":{}}"#,
            r#"{"a":{"b":[]},"c":{}}"#,
        ),
        ("\"a\tb\"", r#""a\tb""#, r#""a\tb""#),
    ] {
        let (found, written) = root(json.as_bytes());
        assert_eq!(found.to_string(), value, "{json}");
        assert_eq!(written, text, "{json}");
    }
    assert_eq!(root(b"\"a\xffb\"").0, Value::from("a\u{fffd}b"));
}

#[test]
fn depth_costs_no_stack() {
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let (value, text) = root(deep.as_bytes());
    assert_eq!(text, deep);
    let mut inner = &value;
    while let Value::Array(list) = inner {
        inner = &list[0];
    }
    assert!(inner.as_str().is_some_and(|text| text.starts_with("[[[")));
}

#[test]
fn what_is_no_json_is_placed() {
    for (json, offset, is_cut) in [
        ("", 0, true),
        ("{\"a\"", 4, true),
        ("[1 2]", 3, false),
        ("{\"a\" 1}", 5, false),
        ("[01]", 3, false),
        ("[1.]", 3, false),
        ("nul", 3, true),
        ("none", 0, false),
        ("\"a\nb\"", 3, false),
        ("\"\\x\"", 1, false),
        ("[1,]", 3, false),
        ("{,}", 1, false),
    ] {
        let trouble = parse_at(json.as_bytes(), 0).unwrap_err();
        assert_eq!((trouble.offset, trouble.is_cut), (offset, is_cut), "{json}");
    }
}

#[test]
fn decimals_are_exact() {
    for (text, power, expected) in [
        ("1.7950000015e+18", 0, Some(1_795_000_001_500_000_000)),
        ("1.7950000015E18", 0, Some(1_795_000_001_500_000_000)),
        ("1795000000000.0", 6, Some(1_795_000_000_000_000_000)),
        ("-0.5", 9, Some(-500_000_000)),
        ("1500.0000009", 6, Some(1_500_000_000)),
        ("9223372036854775807", 0, Some(i64::MAX)),
        ("-9223372036854775808", 0, Some(i64::MIN)),
        ("9223372036854775808", 0, None),
        ("1e400", 0, None),
        ("0e400", 0, Some(0)),
        ("1e-400", 0, Some(0)),
    ] {
        assert_eq!(
            Decimal::parse(text).unwrap().scaled(power),
            expected,
            "{text}"
        );
    }
    for text in ["", "-", ".", "NaN", "1x", "0x10", "1e", "Infinity"] {
        assert_eq!(Decimal::parse(text), None, "{text}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn good_json_is_the_same_to_both(value in any_json()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let (found, written) = root(text.as_bytes());
            prop_assert_eq!(&found, &value);
            prop_assert_eq!(written, value.to_string());
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Ok((tape, _)) = parse_at(&bytes, 0) {
            tape.root().to_text();
        }
    }
}
