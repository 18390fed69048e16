//! How mistakes are drawn under the filter.

use insta::assert_snapshot;

use crate::filter::diagnostics::{render, render_warning};
use crate::filter::parse;

fn drawn(text: &str) -> String {
    match parse(text) {
        Err(error) => render(text, &error, false).to_string(),
        Ok(filter) => render_warning(text, &filter.warnings()[0], false).to_string(),
    }
}

#[test]
fn a_mistake_is_drawn_under_the_filter() {
    assert_snapshot!(drawn("statsu = 'OK'"), @r"
    unknown key `statsu`
      statsu = 'OK'
      ^^^^^^ expected a trace attribute, found `statsu`
    hint: did you mean `status`?
    ");
    assert_snapshot!(drawn("request LIKE '%x%'"), @r"
    unknown key `request`
      request LIKE '%x%'
      ^^^^^^^ expected a trace attribute, found `request`
    hint: requests, responses and all other texts of the spans are searched with `trace.text`
    ");
    assert_snapshot!(drawn("txet LIKE '%x%'"), @r"
    unknown key `txet`
      txet LIKE '%x%'
      ^^^^ expected a trace attribute, found `txet`
    hint: did you mean `trace.text`?
    ");
    assert_snapshot!(drawn("any(status = 'OK')"), @r"
    `status` is about the trace and not about a span
      any(status = 'OK')
          ^^^^^^ expected a key of spans, such as `span.name`, found `status`
    hint: did you mean `span.status`?
    ");
    assert_snapshot!(drawn("status = 'OK' AND (name = 'x' OR"), @r"
    there is no condition after `OR`
      status = 'OK' AND (name = 'x' OR
                                    ^^ expected a condition on both sides
    hint: leave the `OR` out, or complete it
    ");
    assert_snapshot!(drawn("duration > 2 minutes"), @r"
    a unit follows its number without a space
      duration > 2 minutes
                   ^^^^^^^ expected `AND`, `OR` or the end of the filter, found `minutes`
    hint: write 2m
    ");
    assert_snapshot!(drawn("time > 1x"), @r"
    `1x` is not a time
      time > 1x
             ^^ expected a time, found `1x`
    hint: a time is written 1h or -1h for an hour ago, yesterday, 2026-11-22 or 2026-11-22T08:00Z, dates in quotes, or in milliseconds since 1970
    ");
    assert_snapshot!(drawn("count() > 3"), @r"
    there is nothing in the parentheses
      count() > 3
           ^^ expected a condition
    hint: the number of all spans is `spans`: spans > 3
    ");
    assert_snapshot!(drawn("duration BETWEEN 3s AND 1s"), @r"
    the lower bound is above the upper one, so nothing lies between them
      duration BETWEEN 3s AND 1s
                       ^^^^^^^^^
    hint: write BETWEEN 1000 AND 3000
    ");
    assert_snapshot!(drawn("status = 'failed'"), @r"
    no trace has the status `failed`
      status = 'failed'
               ^^^^^^^^
    hint: write 'ERROR'
    ");
}

#[test]
fn wide_characters_tabs_and_lines_keep_the_caret_in_place() {
    assert_snapshot!(drawn("name\t=\t'日本'\nAND tags.x\t== '日本'"), @r"
    `==` is not a comparator
      AND tags.x == '日本'
                 ^^ expected `=`, `!=`, `IN`, `NOT IN`, `LIKE`, `NOT LIKE`, `ILIKE`, `NOT ILIKE`, `RLIKE`, `NOT RLIKE`, `IS NULL` or `IS NOT NULL`
    hint: write `=`
    ");
    assert_snapshot!(drawn("name = '日本語' ANDD"), @r"
    there is no `AND` or `OR` between two conditions
      name = '日本語' ANDD
                      ^^^^ expected `AND`, `OR` or the end of the filter, found `ANDD`
    hint: write `AND` before `ANDD`
    ");
}

#[test]
fn a_long_filter_is_cut_around_the_place() {
    let text = format!(
        "name = '{0}' AND naem = 'x' AND tags.a = '{0}'",
        "a".repeat(200)
    );
    let drawing = drawn(&text);
    let widest = drawing.lines().map(|line| line.chars().count()).max();
    assert!(widest < Some(100), "{drawing}");
    assert!(drawing.contains("AND naem = 'x' AND"), "{drawing}");
}

#[test]
fn nothing_in_a_filter_reaches_the_terminal_raw() {
    let hostile = "\u{1b}[2J\u{7}\u{202e}\u{9b}1m\u{200b}\r\n";
    for text in [
        format!("{hostile} = 'x'"),
        format!("statsu{hostile} = 'x'"),
        format!("status = {hostile}"),
        format!("status = '{hostile}"),
        format!("`{hostile}` = 'x'"),
        format!("tags.`{hostile}` > '{hostile}'"),
        format!("status = '{hostile}'"),
        format!("name = 'x' {hostile}"),
    ] {
        let drawing = drawn(&text);
        let raw = drawing
            .chars()
            .any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{200b}'));
        assert!(!raw, "{drawing:?}");
    }
}

#[test]
fn colours_come_only_when_asked_for() {
    let error = parse("statsu = 'OK'").unwrap_err();
    let drawing = |color| render("statsu = 'OK'", &error, color).to_string();
    assert!(!drawing(false).contains('\u{1b}'));
    assert!(drawing(true).contains('\u{1b}'));
}
