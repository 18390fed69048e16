//! Every format on one verdict, and what hostile names may not do in any of them.

use insta::assert_snapshot;

use super::*;
use crate::analysis::{Earlier, Judgement, Measured, Problem, Ruling, Sample, SampleSpan, Terms};
use crate::filter::aggregate::parse_rule;
use crate::filter::{Moment, Number};
use crate::model::SpanId;

fn ruling(rule: &str, value: Option<Number>, before: Option<Number>, path: &str) -> Ruling {
    let samples = vec![Sample {
        trace_id: "tr-1".to_owned(),
        span: Some(SampleSpan {
            id: SpanId::new("s1"),
            path: path.to_owned(),
        }),
        value,
    }];
    let measured = Measured {
        value,
        n: usize::from(value.is_some()) * 34,
        rough: false,
        first: samples.clone(),
        largest: samples.clone(),
        smallest: samples,
        spread: None,
    };
    let terms = Terms {
        allow_empty: true,
        max_regression: before.map(|_| 0.1),
        strict: false,
    };
    let before = before.map(|value| Earlier {
        value: Some(value),
        n: 30,
        spread: None,
    });
    let rule = parse_rule(rule, &Moment::utc()).unwrap();
    Ruling::new(&rule, measured, before.as_ref(), terms)
}

fn verdict(path: &str) -> Judgement {
    Judgement {
        traces: 34,
        in_progress: vec![format!("tr-{path}")],
        problem: Some(Problem::InProgress),
        unreadable: Vec::new(),
        truncated: false,
        rulings: vec![
            ruling(
                "max(self where span.name = 'a') <= 2s",
                Some(Number::Integer(2_410_000_000)),
                Some(Number::Integer(2_000_000_000)),
                path,
            ),
            ruling("error_rate() <= 1%", Some(Number::Float(0.005)), None, path),
            ruling("sum(cost) <= 1", None, None, path),
        ],
    }
}

type Writer = fn(&mut dyn std::io::Write, &Judgement) -> std::io::Result<()>;

fn written(write: Writer, path: &str) -> String {
    let mut out = Vec::new();
    write(&mut out, &verdict(path)).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn annotations_are_one_line_for_each_rule() {
    assert_snapshot!(written(write_github, "root > a"), @"
    ::error title=max(self where span.name = 'a') <= 2s::2.41 s, expected <= 2s, the baseline had 2.00 s, +20.5 %25, at most 10.0 %25 allowed, n = 34: tr-1 root > a (2.41 s)
    passed  error_rate() <= 1%: 0.5 %, n = 34
    passed  sum(cost) <= 1: n = 0
    ::error title=mlt check::1 trace is still in progress: tr-root > a
    ");
}

#[test]
fn a_report_has_a_case_for_each_rule() {
    assert_snapshot!(written(write_junit, "root > a"), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="mlt check" tests="4" failures="2" errors="0" skipped="1" time="0">
      <testsuite name="mlt check" tests="4" failures="2" errors="0" skipped="1" time="0">
        <testcase classname="mlt check" name="max(self where span.name = &apos;a&apos;) &lt;= 2s" time="0">
          <failure type="rule" message="2.41 s, expected &lt;= 2s, the baseline had 2.00 s, +20.5 %, at most 10.0 % allowed, n = 34: tr-1 root &gt; a (2.41 s)">2.41 s, expected &lt;= 2s, the baseline had 2.00 s, +20.5 %, at most 10.0 % allowed, n = 34: tr-1 root &gt; a (2.41 s)</failure>
        </testcase>
        <testcase classname="mlt check" name="error_rate() &lt;= 1%" time="0">
          <system-out>0.5 %, n = 34</system-out>
        </testcase>
        <testcase classname="mlt check" name="sum(cost) &lt;= 1" time="0">
          <skipped message="n = 0"/>
        </testcase>
        <testcase classname="mlt check" name="traces" time="0">
          <failure type="traces" message="1 trace is still in progress: tr-root &gt; a">1 trace is still in progress: tr-root &gt; a</failure>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn a_summary_is_a_table() {
    assert_snapshot!(written(write_markdown, "root > a"), @"
    ### ❌ mlt check: 1 of 3 rules failed on 34 traces

    **1 trace is still in progress&#58; tr-root &#62; a**

    | | Aggregate | Value | Limit | n | Before | To blame |
    | --- | --- | ---: | --- | ---: | --- | --- |
    | ❌ **failed** | <code>max(self where span.name = 'a')</code> | 2.41 s | &#60;= 2s | 34 | 2.00 s, +20.5 % (max 10.0 %) | tr-1 root &#62; a (2.41 s) |
    | ✅ passed | <code>error&#95;rate()</code> | 0.5 % | &#60;= 1% | 34 |  |  |
    | ⚪ skipped | <code>sum(cost)</code> | - | &#60;= 1 | 0 |  |  |
    ");
}

#[test]
fn lines_of_json_are_rules_and_what_is_wrong_besides() {
    assert_snapshot!(written(write_lines, "root > a"), @r#"
    {"rule":"max(self where span.name = 'a') <= 2s","passed":false,"failures":["limit","regression"],"reason":"expected <= 2s, the baseline had 2.00 s, +20.5 %, at most 10.0 % allowed","aggregate":"max(self where span.name = 'a')","unit":"ns","value":2410000000,"comparator":"<=","limit":2000000000,"n":34,"rough":false,"baseline":{"value":2000000000,"n":30,"change_ratio":0.205,"max_regression_ratio":0.1,"worse":"larger","exceeds":true,"beyond_noise":true,"test":null,"interval":null,"interval_ratio":null,"p":null},"samples":[{"trace_id":"tr-1","span_id":"s1","path":"root > a","value":2410000000}]}
    {"rule":"error_rate() <= 1%","passed":true,"failures":[],"reason":null,"aggregate":"error_rate()","unit":"ratio","value":0.005,"comparator":"<=","limit":0.01,"n":34,"rough":false,"samples":[{"trace_id":"tr-1","span_id":"s1","path":"root > a","value":0.005}]}
    {"rule":"sum(cost) <= 1","passed":true,"failures":[],"reason":null,"aggregate":"sum(cost)","unit":"usd","value":null,"comparator":"<=","limit":1,"n":0,"rough":false,"samples":[{"trace_id":"tr-1","span_id":"s1","path":"root > a","value":null}]}
    {"passed":false,"problem":"1 trace is still in progress: tr-root > a"}
    "#);
}

const HOSTILE: &[&str] = &[
    "a\n::set-env name=PATH::x",
    "a\r\n::error::x",
    "100%0A::warning::x",
    "##[add-mask]x",
    "</failure><testcase name=\"x\"/>",
    "]]><![CDATA[",
    "a\u{0}\u{1b}[31m\u{fffe}\u{202e}b",
    "| x | `y` | <img src=x onerror=alert(1)> [z](http://evil) ![i](//e) @all www.evil.com",
    "\\| **b** \\` &lt;script&gt;",
];

#[test]
fn no_name_starts_a_command_of_its_own() {
    for name in HOSTILE {
        let text = written(write_github, name);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        for line in lines {
            let begins = line.starts_with("::error title=") || line.starts_with("passed  ");
            assert!(begins && !line.contains("##["), "{text}");
            assert!(!line.contains("%0A"), "{text}");
        }
    }
}

#[test]
fn no_name_changes_the_report() {
    for name in HOSTILE {
        let text = written(write_junit, name);
        assert_eq!(text.matches("<testcase ").count(), 4, "{text}");
        assert_eq!(text.matches("</failure>").count(), 2, "{text}");
        let allowed =
            |c: char| c == '\n' || (!c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}'));
        assert!(text.chars().all(allowed), "{text:?}");
    }
    assert_eq!(
        junit::escape("a\u{1}<\"&'>\n"),
        "a&lt;&quot;&amp;&apos;&gt;&#10;"
    );
}

#[test]
fn no_name_is_markdown() {
    for name in HOSTILE {
        let text = written(write_markdown, name);
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), 5, "{text}");
        for row in rows {
            assert_eq!(row.matches('|').count(), 8, "{row}");
            let rest = row
                .replace("<code>", "")
                .replace("</code>", "")
                .replace("**failed**", "");
            assert!(!rest.contains(['<', '`', '*', '[', '@', '\\']), "{row}");
            assert!(!rest.contains("www.") && !rest.contains("://"), "{row}");
        }
    }
}
