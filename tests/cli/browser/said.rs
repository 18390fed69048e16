//! What was said, as a browser shows it on the page: with the errors in sight, with images
//! that are some, and with nothing that a message could make of it.

use std::fs;

use serde_json::{Value, json};

use super::report::{FAILED, between, demo, make};
use crate::support::browser::Browser;
use crate::support::mlt;

const FRAMEWORKS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/conversations/frameworks.jsonl"
);
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEklEQVR4nGP4z8CAFWEXHbQSACj/P8Fu7N9hAAAAAElFTkSuQmCC";

fn opened(made: &super::report::Made) -> Browser {
    let browser = Browser::start(1280, 900);
    browser.open(&made.path());
    browser
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All that `--chat` tells of a trace, part by part.
fn told(uri: &str, id: &str) -> Vec<String> {
    let transcript = mlt()
        .on(uri)
        .run(&format!("get {id} --chat -o json"))
        .json();
    let mut told = Vec::new();
    for message in transcript["messages"].as_array().unwrap() {
        told.extend(message["error"].as_str().map(words));
        for part in message["parts"].as_array().unwrap() {
            let texts = [&part["content"], &part["name"], &part["response"]];
            let texts = texts.into_iter().filter_map(Value::as_str);
            // JSON within a text is laid out.
            told.extend(texts.filter(|text| !text.contains(['{', '['])).map(words));
        }
    }
    told
}

#[test]
fn errors_and_messages_are_seen_without_a_click() {
    let made = demo(FAILED);
    let browser = opened(&made);
    let seen = browser.eval(
        "const f = document.querySelector('.failures'), s = document.querySelector('.said'); \
         return [f.checkVisibility(), s.checkVisibility(), s.querySelector('article').checkVisibility(), \
         f.getBoundingClientRect().bottom <= innerHeight, f.innerText, \
         document.querySelector(f.querySelector('a').getAttribute('href')).classList.contains('failed')]",
    );
    for at in [0, 1, 2, 3, 5] {
        assert_eq!(seen[at], true, "{at} of {seen}");
    }
    let failures = seen[4].as_str().unwrap();
    assert!(
        failures.contains('✗') && failures.lines().count() >= 2,
        "{failures}"
    );
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}

#[test]
fn the_page_tells_what_the_transcript_tells() {
    let made = make(FRAMEWORKS, "--all");
    assert_eq!(made.outcome.code, Some(0), "{}", made.outcome);
    let browser = opened(&made);
    browser.eval("for (const d of document.querySelectorAll('details')) d.open = true");
    let pages = browser.eval(
        "return [...document.querySelectorAll('details.trace')].map(t => \
         [t.querySelector('code').textContent, t.querySelector('.said')?.textContent ?? ''])",
    );
    let mut checked = 0;
    for page in pages.as_array().unwrap().iter().step_by(7) {
        let shown = words(page[1].as_str().unwrap());
        let id = page[0].as_str().unwrap();
        for text in told(FRAMEWORKS, id) {
            assert!(shown.contains(&text), "{id}: {text} in {shown}");
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked}");
    // Each message once.
    let source = fs::read_to_string(made.path()).unwrap();
    assert!(source.len() < 4_000_000, "{}", source.len());
    // Images are shown, and nothing but the page is loaded.
    let images = "return [...document.images].map(i => [i.naturalWidth, i.alt])";
    let images = browser.eval(images);
    assert!(!images.as_array().unwrap().is_empty());
    for image in images.as_array().unwrap() {
        assert_eq!(image, &json!([8, "[image/png, 75 B]"]));
    }
    let heads = browser
        .eval("return [...document.querySelectorAll('.overview th')].map(h => h.textContent)");
    for head in ["Request", "User", "Error"] {
        assert!(heads.as_array().unwrap().contains(&json!(head)), "{heads}");
    }
    let requests = browser.requests();
    assert!(
        requests
            .iter()
            .all(|one| one.starts_with("file://") || one.starts_with("data:image/png")),
        "{requests:?}"
    );
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}

#[test]
fn hostile_messages_become_nothing_but_text() {
    let evil = "</pre></article><script>window.ran=1</script><img src=x onerror=\"window.ran=1\">";
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let svg = "data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9IndpbmRvdy5yYW49MSIvPg==";
    let parts = json!([
        {"type": "text", "text": evil},
        image("https://example.org/pixel.png"),
        image("javascript:window.ran=1"),
        image(svg),
        image(&svg.replace("svg+xml", "png")),
        image("data:image/png\" onerror=\"window.ran=1;base64,iVBORw0KGgo="),
        image(&format!("data:text/html;base64,{PNG}")),
    ]);
    let calls = json!([{"id": evil, "type": "function", "function": {"name": evil, "arguments": json!({evil: evil}).to_string()}}]);
    let request = json!({"model": evil, "messages": [
        {"role": evil, "name": evil, "content": parts},
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": evil, "name": evil, "content": evil},
    ]});
    let answer = json!({"choices": [{"finish_reason": evil, "message": {"role": "assistant", "content": evil, "reasoning_content": evil, "refusal": evil}}]});
    let span = |id: &str, kind: &str, inputs: &Value, outputs: &Value| {
        json!({
            "name": evil, "span_id": id, "start_time_unix_nano": 1_800_000_000_000_000_000_u64,
            "end_time_unix_nano": 1_800_000_000_500_000_000_u64,
            "status": {"code": "STATUS_CODE_ERROR", "message": evil}, "attributes": {
                "mlflow.spanType": json!(kind).to_string(),
                "mlflow.spanInputs": inputs.to_string(), "mlflow.spanOutputs": outputs.to_string(),
            },
        })
    };
    let found =
        json!([{"page_content": evil, "metadata": {"source": evil, "score": 0.5}, "id": evil}]);
    let line = json!({
        "info": {"trace_id": "tr-1", "state": "ERROR", "request_time": "2026-11-26T22:00:00Z",
            "request_preview": evil, "trace_metadata": {"mlflow.trace.user": evil}},
        "data": {"spans": [
            span("00000000000000a1", "CHAT_MODEL", &request, &answer),
            span("00000000000000a2", "RETRIEVER", &json!({"query": evil}), &found),
        ]},
    })
    .to_string();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("evil.jsonl");
    fs::write(&file, format!("{line}\n{}", line.replace("tr-1", "tr-2"))).unwrap();
    let made = make(file.to_str().unwrap(), "--all");
    assert_eq!(made.outcome.code, Some(0), "{}", made.outcome);
    let source = fs::read_to_string(made.path()).unwrap();
    let policy = between(&source, "Content-Security-Policy\" content=\"", "\">");
    assert!(!policy.contains("img-src"), "{policy}");
    let browser = opened(&made);
    browser.eval("for (const d of document.querySelectorAll('details')) d.open = true");
    browser.eval("for (const a of document.querySelectorAll('a')) a.click()");
    let count = browser.eval(
        "return ['script', 'img, svg[onload]', '.said [onerror]', '[style]', 'a:not([href^=\"#\"])', '.said', '.lookup'] \
         .map(s => document.querySelectorAll(s).length)",
    );
    assert_eq!(count, json!([1, 0, 0, 0, 0, 2, 2]));
    assert_eq!(browser.eval("return window.ran ?? null"), json!(null));
    let said = browser.eval("return document.querySelector('.said').textContent");
    assert!(said.as_str().unwrap().matches(evil).count() >= 8, "{said}");
    assert_eq!(
        browser.requests(),
        [format!("file://{}", made.path().display())]
    );
    assert_eq!(browser.complaints(), Vec::<Value>::new());

    // A page that shows an image may show those that are in it, and load none.
    let one = line.replace(
        &svg.replace("svg+xml", "png"),
        &format!("data:image/png;base64,{PNG}"),
    );
    fs::write(&file, one).unwrap();
    let made = make(file.to_str().unwrap(), "--all");
    let source = fs::read_to_string(made.path()).unwrap();
    let policy = between(&source, "Content-Security-Policy\" content=\"", "\">");
    assert!(policy.ends_with("; img-src data:"), "{policy}");
    let browser = opened(&made);
    assert_eq!(
        browser.eval("return [...document.images].map(i => i.naturalWidth)"),
        json!([8])
    );
    assert_eq!(browser.eval("return window.ran ?? null"), json!(null));
    assert_eq!(browser.complaints(), Vec::<Value>::new());
}
