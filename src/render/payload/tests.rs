use super::layout::ANYWAY;
use super::*;
use proptest::prelude::*;

fn pretty(json: &str) -> String {
    let mut lines = Vec::new();
    if serde_json::from_str::<IgnoredAny>(json).is_ok() {
        lay_out(json, true, &mut |line| lines.push(line.to_owned()));
    } else {
        lines.push(json.to_owned());
    }
    lines.join("\n")
}

fn lines_of(json: &str) -> Vec<String> {
    let (lines, _) = limited_lines(json, None, Form::Readable);
    lines.iter().map(ToString::to_string).collect()
}

#[test]
fn json_is_laid_out_in_its_own_order() {
    let json = r#"{"z":1e400,"messages":[{"role":"user","content":"a long question, that does not fit on a line of this table"},{"role":"assistant"}],"empty":{},"a":[1,2 , 3]}"#;
    insta::assert_snapshot!(pretty(json), @r#"
    {
      "z": 1e400,
      "messages": [
        {
          "role": "user",
          "content": "a long question, that does not fit on a line of this table"
        },
        {"role": "assistant"}
      ],
      "empty": {},
      "a": [1, 2, 3]
    }
    "#);
}

#[test]
fn what_is_not_json_stays() {
    assert_eq!(pretty("NaN"), "NaN");
    assert_eq!(pretty("{'a': 1}"), "{'a': 1}");
    assert_eq!(lines_of(r#""two\nlines""#), ["two", "lines"]);
    assert_eq!(lines_of(r#""one""#), [r#""one""#]);
    assert_eq!(lines_of("\x1b[2J"), ["\\x1b[2J"]);
}

#[test]
fn what_is_left_out_is_counted() {
    let (lines, note) = limited_lines(r#""0123456789""#, Some(5), Form::Readable);
    assert_eq!(
        (lines, note.as_deref()),
        (vec![Clean::line("\"0123")], Some("… 7 more characters"))
    );
    assert_eq!(limited_lines("\"x\"", Some(3), Form::Readable).1, None);
}

#[test]
fn what_is_nested_deeply_takes_no_more_room_than_it_has() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[1,", "]")] {
        let json = format!("{}0{}", open.repeat(20_000), close.repeat(20_000));
        let shown = pretty(&json);
        assert!(shown.len() < 2 * json.len() + 50_000, "{}", shown.len());
        assert!(shown.lines().count() < 4 * DEEPEST);
        for form in [Form::Readable, Form::Raw] {
            let (lines, note) = limited_lines(&json, Some(500), form);
            assert!(lines.len() < 50 && note.is_some());
        }
        let shown = lines_of(&json).join("\n");
        assert!(shown.len() < 2 * json.len() + 50_000, "{}", shown.len());
    }
}

#[test]
fn indentation_stays_in_proportion_to_the_text() {
    let numbers = "1,".repeat(50_000);
    let json = format!("{}{numbers}1{}", "[".repeat(90), "]".repeat(90));
    let shown = pretty(&json);
    assert!(shown.len() < 11 * json.len() + ANYWAY, "{}", shown.len());
}

#[test]
fn pairs_have_their_keys_in_front() {
    let pairs = [("a", "1"), ("b", "\"x\\ny\"")];
    let (lines, note) = limited_pairs(pairs, None, Form::Readable);
    assert_eq!(
        (lines, note),
        (vec!["a  1".into(), "b  x".into(), "  y".into()], None)
    );
    let note = limited_pairs(pairs, Some(5), Form::Readable).1;
    assert_eq!(note.as_deref(), Some("… 6 more characters"));
}

/// A value as people read it, with what is said below it.
fn readable(json: &str) -> String {
    let (lines, note) = limited_lines(json, None, Form::Readable);
    let lines = lines.iter().map(ToString::to_string);
    lines.chain(note).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_a_client_left_unset_is_left_out() {
    let json = r#"{"model":"m","temperature":"<openai.Omit object at 0x7f37ab093790>","stop":"NOT_GIVEN","user":"<groq._types.NotGiven object at 0x7f>","parts":[{"text":"hi","blob":null,"call":null,"code":null},["NOT_GIVEN",null]]}"#;
    insta::assert_snapshot!(readable(json), @r#"
    {
      "model": "m",
      "parts": [{"text": "hi"}, ["NOT_GIVEN", null]]
    }
    … 6 unset members (--raw has them)
    "#);
    let (raw, _) = limited_lines(json, None, Form::Raw);
    let raw: Vec<&str> = raw.iter().map(Clean::as_str).collect();
    let value = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(value(&raw.join("\n")), value(json));
}

#[test]
fn a_null_that_was_recorded_stays() {
    for json in [
        r#"{"result": null}"#,
        r#"{"a": null, "b": null, "c": null}"#,
        r#"{"a": 1, "b": 2, "c": 3, "d": null}"#,
        "[null, null, null, null, null]",
        "null",
        r#"{"text": "of NOT_GIVEN, <x.Omit object at 0x1>"}"#,
    ] {
        assert_eq!(readable(json), json);
    }
    assert_eq!(
        readable(r#"{"a": 1, "b": {"c": [2]}, "d": null, "e": null}"#),
        "{\"a\": 1, \"b\": {\"c\": [2]}}\n… 2 unset members (--raw has them)"
    );
    // The nulls of what is within an object are not its own.
    let within = r#"{"a": {"b": null, "c": null}, "d": null, "e": 1, "f": 2}"#;
    assert_eq!(readable(within), within);
    assert_eq!(
        Form::ReadableElsewhere.note(1).as_deref(),
        Some("1 unset member (mlt get --io --raw has it)")
    );
}

#[test]
fn vectors_take_a_line() {
    let numbers =
        |count: usize| ["-0.50", "1e400", "15"].repeat(count.div_ceil(3))[..count].join(",");
    assert_eq!(
        readable(&format!("[{}]", numbers(16))),
        "[-0.50, 1e400, 15, … 13 more numbers]"
    );
    assert_eq!(readable(&format!("[{}]", numbers(15))).lines().count(), 17);
    insta::assert_snapshot!(readable(&format!(r#"{{"data":[{{"index":0,"embedding":[{}]}}],"mixed":[{},"x"]}}"#, numbers(1536), numbers(17))).replace(",\n    ", ", "), @r#"
    {
      "data": [
        {
          "index": 0,   "embedding": [-0.50, 1e400, 15, … 1,533 more numbers]
        }
      ],
      "mixed": [
        -0.50, 1e400, 15, -0.50, 1e400, 15, -0.50, 1e400, 15, -0.50, 1e400, 15, -0.50, 1e400, 15, -0.50, 1e400, "x"
      ]
    }
    "#);
    // NaN is no JSON, but Python writes it.
    let odd = format!(r#"{{"v": [NaN, -Infinity, {}]}}"#, numbers(15));
    assert_eq!(
        readable(&odd),
        r#"{"v": [NaN, -Infinity, -0.50, … 14 more numbers]}"#
    );
    assert_eq!(limited_lines(&odd, None, Form::Raw).0, [odd.as_str()]);
}

#[test]
fn data_is_named() {
    let base64 = "iVBORw0KGgoAAA+/".repeat(100);
    let bytes = format!(r"b'{}'", r"\x89PNG\r\n\x1a\n".repeat(100));
    let text = |text: &str| serde_json::to_string(text).unwrap();
    for (data, shown) in [
        (base64.clone(), "<iVBORw0KGgo… 1.60 kB of base64>"),
        (bytes, r"<b'\x89PNG… 800 B of bytes>"),
        (
            format!("data:image/png;base64,{base64}"),
            "<data:image/png;base64,iVBORw0KGgo… 1.60 kB of base64>",
        ),
        (
            format!("data:image/svg+xml,{}", "%3Csvg%3E".repeat(200)),
            "<data:image/svg+xml,%3Csvg%3E%3… 1.80 kB of data>",
        ),
    ] {
        assert_eq!(readable(&data), shown);
        assert_eq!(readable(&text(&data)), shown);
        let member = readable(&format!(r#"{{"data": {}, "n": 1}}"#, text(&data)));
        assert!(member.contains(&format!("\"data\": {shown},")), "{member}");
        assert_eq!(
            limited_lines(&text(&data), None, Form::Raw).0,
            [text(&data).as_str()]
        );
    }
    for whole in [
        format!("mlflow-attachment://{}", "a1".repeat(600)),
        "two words ".repeat(200),
        format!("data: {}", "word, ".repeat(200)),
        base64[..1000].to_owned(),
    ] {
        assert_eq!(readable(&text(&whole)), text(&whole));
    }
}

#[test]
fn texts_show_what_they_hold() {
    let json = r##"{"tool_calls":[{"name":"check","arguments":"{\"a\": 1}"},{"name":"order","arguments":"{\"articles\": [\"Nordwind 54\", \"trailer T2\"], \"note\": \"first\\nsecond\"}"}],"content":"# Prices\n\n- one\n    code\n","sep":"\n\n","list":["a\nb"],"short":{"text":"x\r\ny"},"n":1}"##;
    insta::assert_snapshot!(readable(json), @r##"
    {
      "tool_calls": [
        {"name": "check", "arguments": (text) {"a": 1}},
        {
          "name": "order",
          "arguments": (text) {
            "articles": ["Nordwind 54", "trailer T2"],
            "note":
              first
              second
          }
        }
      ],
      "content":
        # Prices

        - one
            code
      "sep": "\n\n",
      "list": ["a\nb"],
      "short": {
        "text":
          x
          y
      },
      "n": 1
    }
    "##);
    assert_eq!(readable(r#""{\"a\": [1, 2]}""#), r#"(text) {"a": [1, 2]}"#);
    assert_eq!(readable(r#""[link] {braces}""#), r#""[link] {braces}""#);
    assert_eq!(
        readable(r#"["\n [1]", "{'a': 1}"]"#),
        r#"[(text) [1], "{'a': 1}"]"#
    );
    let mut nested = "[1]".to_owned();
    for _ in 0..12 {
        nested = serde_json::to_string(&[nested]).unwrap();
    }
    assert_eq!(readable(&nested).matches("(text)").count(), 3);
}

#[test]
fn nothing_in_a_text_reaches_the_terminal_as_it_is() {
    let shown = readable(r#"{"content": "a\u001b[2J\nb", "arguments": "{\"x\": \"\u009b\"}"}"#);
    assert!(
        shown.chars().all(|c| c == '\n' || !c.is_control()),
        "{shown}"
    );
}

#[test]
fn lines_take_memory_in_proportion_whatever_they_hold() {
    let lines = "a\\n".repeat(50_000);
    let json = format!(
        "{}{{\"content\":\"{lines}\"}}{}",
        "[".repeat(90),
        "]".repeat(90)
    );
    let shown = readable(&json);
    assert!(shown.len() < 11 * json.len() + ANYWAY, "{}", shown.len());
    let (lines, note) = limited_lines(&json, Some(700), Form::Readable);
    assert!(lines.len() < 100 && note.is_some());
}

#[test]
fn long_lines_go_on_where_they_began() {
    let line = |text: &str| Clean::line(text);
    assert_eq!(wrapped(&line("  one two"), None), ["  one two"]);
    assert_eq!(wrapped(&line("  one two"), Some(9)), ["  one two"]);
    assert_eq!(
        wrapped(&line("  a text of several words"), Some(20)),
        ["  a text of several", "  words"]
    );
    assert_eq!(
        wrapped(&line(r#"  "key": "a value that is long""#), Some(24)),
        [r#"  "key": "a value that"#, r#"    is long""#]
    );
    let far = format!("{}{}", " ".repeat(200), "x".repeat(40));
    assert!(
        wrapped(&line(&far), Some(30))
            .iter()
            .all(|line| line.width() <= 30)
    );
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z\"\\\\{,\n日]{0,30}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-z:\"]{0,9}", inner, 0..5)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn layout_changes_no_value(value in json(), spaced in any::<bool>()) {
        let text = if spaced { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let shown = pretty(&text.unwrap());
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn what_is_readable_has_the_same_values(value in json()) {
        let text = serde_json::to_string(&value).unwrap();
        let shown = readable(&text);
        let is_changed = ["unset member", "(text) ", "\\n"].iter().any(|part| shown.contains(part) || text.contains(part));
        if !is_changed {
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }
}
