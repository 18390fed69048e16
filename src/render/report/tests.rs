//! The page as a whole, on literal traces.

use super::*;
use crate::analysis::analyse;
use crate::model::Trace;
use crate::render::sample::{chain, hostile, trace};

fn page_of(traces: &[Trace], max_chars: Option<usize>) -> (String, Page) {
    let mut page = Page::new(max_chars);
    let mut sections = Vec::new();
    for trace in traces {
        page.add(&mut sections, &analyse(trace)).unwrap();
    }
    let mut out = Vec::new();
    page.write_head(&mut out, &[]).unwrap();
    out.extend(sections);
    page.write_end(&mut out).unwrap();
    (String::from_utf8(out).unwrap(), page)
}

/// The page between the style sheet and the script.
fn body(page: &str) -> &str {
    let from = page.find("<main>").unwrap() + "<main>".len();
    &page[from..page.rfind("</main>").unwrap()]
}

/// Checks that every element is closed in its place, and gives their names.
fn elements(html: &str) -> Vec<&str> {
    const VOID: [&str; 3] = ["rect", "path", "input"];
    let (mut open, mut all) = (Vec::new(), Vec::new());
    for tag in html.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        let name = tag.split([' ', '\n']).next().unwrap();
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else {
            all.push(name);
            if !VOID.contains(&name) {
                open.push(name);
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
    all
}

#[test]
fn a_row_shows_name_type_times_and_bar() {
    let (page, _) = page_of(&[trace()], None);
    let from = page.find("<li id=\"t1s5\"").unwrap();
    let row = &page[from..][..page[from..].find("</summary>").unwrap()];
    insta::assert_snapshot!(row, @r#"<li id="t1s5" class="d1 failed on-path"><details class="span"><summary title="failed, starts at 320 ms, takes 370 ms (22.6 %), self 370 ms (22.6 %), critical 370 ms (22.6 %)"><span class="name"><b class="failure">✗</b> <bdi>lookup_order</bdi></span><span class="type tool">TOOL</span><span class="num">370 ms</span><span class="num">22.6</span><span class="num">370 ms</span><svg viewBox="0 0 10000 28" preserveAspectRatio="none" aria-hidden="true" class="tool"><rect y="8" height="11" x="1951" width="2256"/><path d="M1951 21H4207"/></svg>"#);
}

#[test]
fn the_numbers_are_those_of_the_tables() {
    let (page, _) = page_of(&[trace()], None);
    for shown in [
        "<td class=\"name\">chat</td>",
        "<td class=\"num\" data-value=\"929000000\">929 ms</td>",
        "data-value=\"929000000\">56.6<",
        "42.0 ms in 4 gaps, 2.6 %",
        "<dt>tokens</dt><dd>1,234 (1,180 in, 54 out)</dd>",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
}

#[test]
fn every_element_is_closed_and_nothing_of_a_trace_becomes_one() {
    let mut evil = hostile();
    let text = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>";
    evil.info.trace_id = text.into();
    evil.info.tags.insert(text.into(), text.into());
    evil.info.metadata.insert(text.into(), text.into());
    evil.info.request_preview = Some(text.into());
    evil.info.assessments[0].name = text.into();
    evil.info.assessments[0].rationale = Some(text.into());
    for span in &mut evil.spans {
        span.name = text.into();
        span.status_message = text.into();
        span.attributes.push((text.into(), text.into()));
        span.attributes
            .push(("mlflow.spanInputs".into(), text.into()));
        span.attributes[0].1 = format!("{text:?}");
        span.events.push(crate::model::Event {
            name: text.into(),
            time_ns: i64::MAX,
            attributes: [(text.to_owned(), text.into())].into_iter().collect(),
        });
    }
    let (page, _) = page_of(&[evil, trace()], None);
    let body = body(&page);
    let found = elements(body);
    assert!(!found.contains(&"script") && !found.contains(&"img"));
    assert!(!body.contains("<img") && !body.contains("style=") && !body.contains("\u{202e}"));
    assert_eq!(page.matches("<script>").count(), 1);
}

#[test]
fn a_chain_of_any_length_is_nested_only_so_far() {
    for length in [1, 2, 59, 60, 61, 62, 500] {
        let (page, _) = page_of(&[chain(length)], None);
        elements(body(&page));
        let rows = page.matches("<li id=\"t1s").count();
        assert_eq!(i64::try_from(rows).unwrap(), length);
        let mut depth: i32 = 0;
        let deepest = body(&page).split("<ul").map(|part| {
            let closed = i32::try_from(part.matches("</ul>").count()).unwrap();
            depth += 1 - closed;
            depth
        });
        assert!(deepest.max().unwrap() <= 63);
    }
}

#[test]
fn many_spans_are_folded_and_the_page_says_so() {
    let (page, _) = page_of(&[chain(500)], None);
    assert!(page.contains("440 of 500 spans are folded at first: those below level 60."));
    let (page, _) = page_of(&[chain(400)], None);
    assert!(!page.contains("folded at first"));
}

#[test]
fn what_is_cut_is_counted_and_marked() {
    let (page, whole) = page_of(&[trace()], None);
    assert!(whole.cuts() == 0 && !page.contains("<mark>"));
    let (page, cut) = page_of(&[trace()], Some(10));
    assert_eq!(body(&page).matches("<mark>").count(), cut.cuts());
    assert!(cut.cuts() > 5);
    assert!(page.contains("texts cut to 10 characters each"));
}

#[test]
fn several_traces_have_a_table_and_are_folded_but_the_first() {
    let (page, _) = page_of(&[trace(), chain(3), trace()], None);
    elements(body(&page));
    assert_eq!(page.matches("<details class=\"trace\" open>").count(), 1);
    assert_eq!(page.matches("<details class=\"trace\">").count(), 2);
    assert!(page.contains("<a href=\"#t2\">(no name)</a>"));
    assert!(page.contains("<title>3 traces</title>"));
    assert!(!page_of(&[trace()], None).0.contains("class=\"overview\""));
}

#[test]
fn the_table_says_what_was_asked_by_whom_and_what_failed() {
    let mut asked = trace();
    asked
        .info
        .metadata
        .insert("mlflow.trace.user".into(), "<ann>".into());
    asked.info.request_preview =
        Some(r#"{"messages": [{"role": "user", "content": "Where\nis it?"}]}"#.into());
    let (page, _) = page_of(&[asked, chain(3)], None);
    let table = &page[page.find("class=\"overview\"").unwrap()..];
    let table = &table[..table.find("</section>").unwrap()];
    for cell in [
        "<th scope=\"col\">Request</th><th scope=\"col\">User</th><th scope=\"col\">Error</th>",
        "<td class=\"words\">Where is it?</td>",
        "<td class=\"who\">&lt;ann&gt;</td>",
        "<td class=\"words failure\">lookup_order: ",
    ] {
        assert!(table.contains(cell), "{cell} in {table}");
    }
    let (page, _) = page_of(&[chain(3), chain(2)], None);
    assert!(!page.contains("<th scope=\"col\">Error</th>"));
}

#[test]
fn what_failed_stands_above_everything_else() {
    let (page, _) = page_of(&[trace()], None);
    let failures = page.find("<section class=\"failures\"").unwrap();
    assert!(failures < page.find("<dl class=\"facts\">").unwrap());
    assert!(page[failures..].contains("<b>✗ <a href=\"#t1s5\">lookup_order</a></b>"));
    assert!(
        !page_of(&[chain(3)], None)
            .0
            .contains("<section class=\"failures\"")
    );
}

#[test]
fn a_trace_without_spans_says_so() {
    let mut empty = trace();
    empty.spans.clear();
    let (page, _) = page_of(&[empty], None);
    elements(body(&page));
    assert!(page.contains("This trace has no spans."));
}
