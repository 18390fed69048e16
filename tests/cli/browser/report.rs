//! `mlt report`: the command, and the page as a browser sees it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use serde_json::json;

use crate::support::browser::Browser;
use crate::support::{Outcome, mlt};

/// A failing trace of the demo store.
pub(super) const FAILED: &str = "tr-6495b93d25146b0127e6f91ead274b09";
const ENTER: &str = "\u{e007}";
const RIGHT: &str = "\u{e014}";
const LEFT: &str = "\u{e012}";
const ESCAPE: &str = "\u{e00c}";

pub(super) struct Made {
    folder: tempfile::TempDir,
    pub(super) outcome: Outcome,
}

impl Made {
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("report.html")
    }
}

pub(super) fn make(uri: &str, words: &str) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let outcome = mlt()
        .on(uri)
        .within(folder.path())
        .run(&format!("report {words} -o report.html"));
    Made { folder, outcome }
}

pub(super) fn demo(words: &str) -> Made {
    let made = make("demo:", words);
    assert_eq!(made.outcome.code, Some(0), "{}", made.outcome);
    let notes = &made.outcome.stderr;
    let only_note = notes.starts_with("note: wrote ") && notes.lines().count() == 1;
    assert!(only_note, "{}", made.outcome);
    made
}

/// A trace whose every text is `text`.
fn trace_of(text: &str) -> serde_json::Value {
    let event = json!({
        "name": text, "time_unix_nano": 1_795_387_163_000_000_500_i64,
        "attributes": {"exception.message": text, text: text},
    });
    let span = |id: &str, parent: Option<&str>| {
        json!({
            "trace_id": "6495b93d25146b0127e6f91ead274b09", "span_id": id, "parent_span_id": parent,
            "name": text, "start_time_unix_nano": 1_795_387_163_000_000_000_i64,
            "end_time_unix_nano": 1_795_387_163_900_000_000_i64, "events": [event.clone()],
            "status": {"code": "STATUS_CODE_ERROR", "message": text},
            "attributes": {
                "mlflow.spanType": json!(text).to_string(),
                "mlflow.spanInputs": json!({"link": text, text: 1}).to_string(),
                "mlflow.spanOutputs": "NaN",
                text: json!(text).to_string(),
            },
        })
    };
    json!({
        "info": {
            "trace_id": "tr-6495b93d25146b0127e6f91ead274b09", "request_time": "2026-11-22T22:39:23Z",
            "state": "ERROR", "client_request_id": text, "request_preview": text, "response_preview": text,
            "tags": {"mlflow.traceName": text, text: text},
            "trace_metadata": {text: text, "mlflow.trace.user": text},
            "assessments": [{
                "assessment_name": text, "source": {"source_type": text, "source_id": text},
                "feedback": {"value": text}, "rationale": text,
            }],
        },
        "data": {"spans": [span("00000000000000a1", None), span("00000000000000a2", Some("00000000000000a1"))]},
    })
}

fn sha256(text: &str) -> String {
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-binary"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl starts");
    let mut input = openssl.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    let digest = openssl.wait_with_output().unwrap().stdout;
    base64::engine::general_purpose::STANDARD.encode(digest)
}

pub(super) fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let (_, rest) = text.split_once(from).unwrap();
    rest.split_once(to).unwrap().0
}

#[test]
fn the_policy_names_the_style_sheet_and_the_script() {
    let page = mlt().on("demo:").run("report latest");
    let page = page.ok();
    let policy = between(page, "Content-Security-Policy\" content=\"", "\">");
    for (kind, tag) in [("style", "style"), ("script", "script")] {
        let hash = sha256(between(page, &format!("<{tag}>"), &format!("</{tag}>")));
        let named = format!("{kind}-src 'sha256-{hash}';");
        assert!(policy.contains(&named), "{named} in {policy}");
    }
    assert!(policy.starts_with("default-src 'none';"));
}

#[test]
fn a_page_goes_to_a_pipe_or_a_file_but_not_to_a_terminal() {
    let made = demo(FAILED);
    let piped = mlt().on("demo:").run(&format!("report {FAILED}"));
    assert_eq!(fs::read_to_string(made.path()).unwrap(), piped.ok());
    assert_eq!(made.outcome.stdout, "");
    let shown = mlt().on("demo:").terminal(80).run("report latest");
    insta::assert_snapshot!(shown.fails(2), @"
    error: a page of HTML is not for a terminal
    hint: name a file, as in `-o report.html`
    ");
    let shown = mlt().on("demo:").run("report latest -o json");
    insta::assert_snapshot!(shown.fails(2), @"
    error: `mlt report` has no `-o json`
    hint: name a file, as in `-o report.html`
    ");
}

#[test]
fn what_cannot_be_written_leaves_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("old.html"), "old").unwrap();
    let run = |words: &str| mlt().on("demo:").within(folder.path()).run(words);
    insta::assert_snapshot!(run("report latest -o ./").fails(6), @"error: cannot write ./: it is a folder");
    insta::assert_snapshot!(run("report latest -o no/page.html").fails(6), @"
    error: cannot write no/page.html: there is no folder no
    ");
    run("report tr-ffffffffffffffffffffffffffffffff -o old.html").fails(3);
    run("report --name nothing-like-it -o old.html").fails(3);
    assert_eq!(
        fs::read_to_string(folder.path().join("old.html")).unwrap(),
        "old"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let replaced = run("report latest -o old.html");
    assert_eq!(replaced.code, Some(0), "{replaced}");
    assert_eq!(replaced.stderr, "note: wrote 1 trace to old.html\n");
    let several = run("report --name checkout -o new.html");
    assert_eq!(several.stderr, "note: wrote 6 traces to new.html\n");
    let piped = run("report latest");
    assert_eq!(piped.stderr, "");
    assert!(
        fs::read_to_string(folder.path().join("old.html"))
            .unwrap()
            .starts_with("<!DOCTYPE html>")
    );
}

#[test]
fn what_is_cut_is_said_on_standard_error_and_in_the_page() {
    let made = make("demo:", &format!("{FAILED} --max-chars 20"));
    assert_eq!(made.outcome.code, Some(0));
    let (written, cut) = made.outcome.stderr.trim().split_once('\n').unwrap();
    assert!(written.starts_with("note: wrote "), "{written}");
    let note = cut.strip_prefix("note: ").unwrap();
    assert!(note.ends_with(" texts cut to 20 characters each"), "{note}");
    assert!(fs::read_to_string(made.path()).unwrap().contains(note));
}

#[test]
fn the_page_has_the_figures_of_mlt_latency() {
    let page = fs::read_to_string(demo(FAILED).path()).unwrap();
    let table = mlt().on("demo:").run(&format!("latency {FAILED} -o json"));
    for row in table.json()["rows"].as_array().unwrap() {
        let name = row["name"].as_str().unwrap();
        let from = page
            .find(&format!("<td class=\"name\">{name}</td>"))
            .unwrap();
        let line = page[from..].lines().next().unwrap();
        for key in ["count", "errors", "total_ns", "self_ns", "critical_ns"] {
            let value = format!("data-value=\"{}\"", row[key]);
            assert!(line.contains(&value), "{name}: {key} {value} in {line}");
        }
    }
}

#[test]
fn a_browser_shows_the_page_without_asking_for_anything_else() {
    let made = demo("--all");
    let browser = Browser::start(1280, 900);
    browser.open(&made.path());
    assert_eq!(
        browser.requests(),
        [format!("file://{}", made.path().display())]
    );
    assert_eq!(browser.complaints(), Vec::<serde_json::Value>::new());
    let seen = browser.eval(
        "return [document.documentElement.lang, document.title, document.querySelectorAll('details.trace').length, \
         document.querySelectorAll('details.trace[open]').length, document.querySelector('.tools').hidden]",
    );
    assert_eq!(seen[0], "en");
    assert_eq!(seen[3], 1);
    assert_eq!(seen[4], false, "the script has run");
    assert_eq!(seen[1], format!("{} traces", seen[2]));

    // The first row of the table links to its section, which opens.
    browser.eval("document.querySelectorAll('.overview tbody a')[3].click()");
    assert_eq!(
        browser.eval("return document.querySelectorAll('details.trace')[3].open"),
        true
    );
    // Sorting puts the largest number first, and then last.
    let durations = "return [...document.querySelectorAll('.overview tbody tr')].map(r => +r.cells[3].dataset.value)";
    let sort = "document.querySelectorAll('.overview th button')[3].click();";
    let sorted = |down: bool| {
        let found = browser.eval(&format!("{sort} {durations}"));
        let found: Vec<f64> = serde_json::from_value(found).unwrap();
        assert!(found.is_sorted_by(|a, b| if down { a >= b } else { a <= b }));
    };
    sorted(true);
    sorted(false);
    assert_eq!(browser.complaints(), Vec::<serde_json::Value>::new());
}

#[test]
fn keys_move_open_fold_and_filter() {
    let made = demo(FAILED);
    let browser = Browser::start(1280, 900);
    browser.open(&made.path());
    let focus = || browser.eval("return document.activeElement.closest('li')?.id ?? null");
    browser.press("jj");
    assert_eq!(focus(), "t1s2");
    browser.press("k");
    assert_eq!(focus(), "t1s1");
    assert_eq!(
        browser.eval("return document.activeElement.matches(':focus-visible') && getComputedStyle(document.activeElement).outlineStyle"),
        "solid"
    );
    let open = |id: &str, part: &str| {
        let script = format!("return document.querySelector('#{id} > details.{part}').open");
        browser.eval(&script).as_bool().unwrap()
    };
    browser.press(ENTER);
    assert!(open("t1s1", "span"));
    browser.press(LEFT);
    assert!(!open("t1s1", "below"));
    browser.press("j");
    assert_eq!(focus(), "t1s1", "what is folded is passed over");
    browser.press(RIGHT);
    assert!(open("t1s1", "below"));
    browser.press("c");
    assert!(!open("t1s1", "span") && !open("t1s2", "below"));
    browser.press("e");
    assert!(open("t1s2", "below"));
    browser.press("n");
    assert_eq!(focus(), "t1s2", "the next that failed");
    browser.press("?");
    let dialog = "return document.getElementById('keys').open";
    assert_eq!(browser.eval(dialog), true);
    browser.press(ESCAPE);
    assert_eq!(browser.eval(dialog), false);
    browser.press("/");
    assert_eq!(browser.eval("return document.activeElement.id"), "find");
    browser.press("jRefund_Status");
    browser.eval("document.getElementById('find').value = 'Refund_Status'; document.getElementById('type').value = 'TOOL'; \
                  document.getElementById('type').dispatchEvent(new Event('change'))");
    assert_eq!(
        browser.eval("return document.getElementById('found').textContent"),
        "1 of 6 spans"
    );
    let shown = "return [...document.querySelectorAll('.tree li')].filter(li => li.checkVisibility()).length";
    assert_eq!(browser.eval(shown), 4, "the match and what it is part of");
    browser.press(ESCAPE);
    assert_eq!(browser.eval(shown), 6);
    assert_eq!(browser.complaints(), Vec::<serde_json::Value>::new());
}

#[test]
fn hostile_content_runs_nothing_and_shows_everything() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x<b>".repeat(250_000);
    let texts = [
        "</title></style><script>window.ran = 1; alert(1)</script>",
        "\"'><img src=x onerror=\"window.ran=1\"><svg onload=window.ran=1>",
        "javascript:window.ran=1",
        "<a href=\"javascript:window.ran=1\">x</a><base href=//example.com><meta http-equiv=refresh content=0;url=//example.com>",
        "--></details></main><!-- <iframe srcdoc='<script>parent.ran=1</script>'>",
        "abc\u{202e}fed\u{0}\u{1b}[31m\u{2066}",
        "a long one",
    ];
    let lines: Vec<String> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let mut trace = trace_of(text);
            trace["info"]["trace_id"] = json!(format!("tr-{at:032x}"));
            if *text == "a long one" {
                let span = &mut trace["data"]["spans"][0];
                span["name"] = json!(long);
                span["attributes"]["mlflow.spanInputs"] = json!(json!([long]).to_string());
            }
            trace.to_string()
        })
        .collect();
    let file = folder.path().join("evil.jsonl");
    fs::write(&file, lines.join("\n")).unwrap();
    let made = make(file.to_str().unwrap(), "--all");
    assert_eq!(made.outcome.code, Some(0), "{}", made.outcome);

    let browser = Browser::start(1280, 900);
    browser.open(&made.path());
    browser.eval("for (const d of document.querySelectorAll('details')) d.open = true");
    browser.eval("for (const a of document.querySelectorAll('a')) a.click()");
    assert_eq!(browser.eval("return window.ran ?? null"), json!(null));
    let count = browser.eval(
        "return ['script', 'img', 'iframe', 'base', 'b[onload], svg[onload], [onerror]', '[style]', 'a:not([href^=\"#\"])'] \
         .map(s => document.querySelectorAll(s).length)",
    );
    assert_eq!(count, json!([1, 0, 0, 0, 0, 0, 0]));
    let text = browser.eval("return document.querySelector('main').textContent");
    let text = text.as_str().unwrap();
    for whole in &texts[..5] {
        assert!(text.contains(whole), "{whole}");
    }
    assert!(text.contains("abc\\u{202e}fed\\x00\\x1b[31m\\u{2066}"));
    assert!(text.contains(&long) && text.contains("NaN"));
    assert_eq!(
        browser.requests(),
        [format!("file://{}", made.path().display())]
    );
    assert_eq!(browser.complaints(), Vec::<serde_json::Value>::new());
}

#[test]
fn light_dark_and_narrow_windows_each_have_their_look() {
    let made = demo(FAILED);
    let browser = Browser::start(480, 900);
    browser.open(&made.path());
    let look = |scheme: &str| {
        browser.prefer(scheme);
        let ground = browser.eval("return getComputedStyle(document.body).backgroundColor");
        (ground.as_str().unwrap().to_owned(), browser.screenshot())
    };
    let (light, dark) = (look("light"), look("dark"));
    assert_eq!(light.0, "rgb(255, 255, 255)");
    assert_ne!(light.0, dark.0);
    assert_ne!(light.1, dark.1);
    assert!(light.1.starts_with(b"\x89PNG") && light.1.len() > 10_000);
    // Nothing but tables, which scroll by themselves, is wider than the window.
    assert_eq!(
        browser.eval(
            "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        ),
        true
    );
}

#[test]
fn the_page_is_whole_without_its_script() {
    let made = demo(FAILED);
    let page = fs::read_to_string(made.path()).unwrap();
    let (start, _) = page.split_once("<script>").unwrap();
    fs::write(made.path(), start).unwrap();
    let browser = Browser::start(1280, 900);
    browser.open(&made.path());
    assert_eq!(
        browser.eval("return document.querySelector('.tools').checkVisibility()"),
        false
    );
    let visible = "return document.querySelector('#t1s6 .detail').checkVisibility()";
    assert_eq!(browser.eval(visible), false);
    browser.eval("document.querySelector('#t1s6 summary').click()");
    assert_eq!(browser.eval(visible), true);
    browser.eval("document.querySelector('#t1s1 > .below > summary').click()");
    assert_eq!(browser.eval(visible), false);
}

#[test]
fn a_printed_page_has_what_is_folded() {
    let made = demo(FAILED);
    let browser = Browser::start(1280, 900);
    browser.open(&made.path());
    let pdf = made.folder.path().join("page.pdf");
    fs::write(&pdf, browser.print()).unwrap();
    let text = text_of(&pdf);
    for printed in [
        "support-agent",
        "What is the refund status R-404?",
        "exception.stacktrace",
        "Traceback (most recent call last)",
        "Latency by name",
        "Critical path",
    ] {
        assert!(text.contains(printed), "{printed} in\n{text}");
    }
    assert!(!text.contains("Unfold all"));
}

fn text_of(pdf: &Path) -> String {
    let output = Command::new("pdftotext")
        .args(["-layout".as_ref(), pdf.as_os_str(), "-".as_ref()])
        .output()
        .expect("printed pages are read with pdftotext: install poppler-utils");
    String::from_utf8(output.stdout).unwrap()
}
