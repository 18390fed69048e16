//! `-o brief`: what programs that read by the token are shown, within a budget.

use insta::assert_snapshot;

use crate::support::{Mlt, is_dangerous, mlt};

const FRAMEWORKS: &str = "tests/fixtures/conversations/frameworks.jsonl";

fn demo() -> Mlt {
    mlt().on("demo:")
}

/// Each command that has it.
const COMMANDS: [&str; 9] = [
    "get latest",
    "get -f trace_id!='' -n 200",
    "get -",
    "session --latest",
    "latency latest",
    "latency --all --slowest 3",
    "search",
    "search --all",
    "errors --kinds all",
];

fn tokens(text: &str) -> usize {
    tiktoken_rs::o200k_base_singleton()
        .encode_ordinary(text)
        .len()
}

#[test]
fn a_trace_is_told_by_what_matters() {
    assert_snapshot!(demo().run("get tr-b5c7 -o brief").ok(), @r#"
    trace tr-b5c74d8d checkout ERROR 2.26 s, 8 spans, 4 failed
    failed: charge-card ×2 a981: PaymentTimeout: payment provider: no answer within 900 ms
    asked: {"cart": {"EM-3": 1}, "card": "**** 4417", "slow_payment_tries": 2, "payment_ms": 420}
    id tr-b5c74d8dcbaf7cdc8fe284b1ba598083, 2026-11-22 22:39:10Z, user g.weber
    spans: duration, self time and its share, * on the critical path
    - checkout WORKFLOW ERROR f59e 2.26 s, self 12.2 ms 0.5 % *
     - validate-cart GUARDRAIL 6.25 ms, self 6.25 ms 0.3 % *
     - check-stock TOOL 97.2 ms, self 97.2 ms 4.3 %
     - quote-prices TOOL 111 ms, self 111 ms 4.9 %
     - fraud-score SCORER 231 ms, self 231 ms 10.2 % *
     - payment CHAIN ERROR 7462 2.01 s, self 202 ms 8.9 % *
      - charge-card TOOL ×2 ERROR p50 903 ms max 904 ms, self 1.81 s 79.8 % *
    user: {"cart":{"EM-3":1},"card":"**** 4417","slow_payment_tries":2,"payment_ms":420}
    tool: calls check-stock(sku="EM-3", count=1) check-stock gives true
    tool: calls quote-prices(cart={"EM-3":1}) quote-prices gives 349.0
    tool: calls charge-card(card="**** 4417", total=349.0, attempt=1, too_slow=true, payment_ms=420) charge-card failed: PaymentTimeout: payment provider: no answer within
    | 900 ms
    tool: calls charge-card(card="**** 4417", total=349.0, attempt=2, too_slow=true, payment_ms=420) charge-card failed: PaymentTimeout: payment provider: no answer within
    | 900 ms
    assistant: failed: PaymentTimeout: payment provider: no answer within 900 ms
    "#);
}

#[test]
fn what_there_is_no_room_for_is_said_with_the_command_that_shows_it() {
    let text = demo().run("get tr-b5c7 -o brief --budget 180");
    assert_snapshot!(text.ok(), @r#"
    trace tr-b5c74d8d checkout ERROR 2.26 s, 8 spans, 4 failed
    failed: charge-card ×2 a981: PaymentTimeout: payment provider: no answer within 900 ms
    asked: {"cart": {"EM-3": 1}, "card": "**** 4417", "slow_payment_tries": 2, "payment_ms": 420}
    8 more spans: mlt get tr-b5c74d8d
    6 messages cut or left out: mlt get tr-b5c74d8d --chat
    "#);
    for line in text.ok().lines().filter(|line| line.contains(": mlt ")) {
        let command = line.split(": mlt ").nth(1).unwrap();
        let shown = demo().run(command);
        assert_eq!(shown.code, Some(0), "{command}: {shown}");
        assert!(shown.stdout.contains("charge-card"), "{command}: {shown}");
    }
    let list = demo().run("search --name checkout -o brief --budget 150");
    assert_snapshot!(list.ok(), @r#"
    trace tr-e116e0e3 checkout ERROR, 13 ms, 2026-11-22 22:39:12Z, asked: {"cart": {"MUG-1": 120}, "card": "**** 4417", "slow_payment_tries": 0, "payment…
    5 more traces: mlt search --name checkout
    "#);
    let failed = demo().run("search --status ERROR -n 1 -o brief");
    assert!(
        failed
            .ok()
            .contains(", failed in: refund_status, error: LookupError: return R-404 is locked"),
        "{failed}"
    );
}

#[test]
fn no_command_exceeds_its_budget_or_colours_anything() {
    for file in ["demo:", FRAMEWORKS] {
        let ids = mlt().on(file).run("search --all -o ids");
        for command in COMMANDS {
            for budget in [50, 700] {
                let run = || {
                    let words = format!("{command} -o brief --budget {budget} --color always");
                    let mlt = mlt().on(file).terminal(80).stdin(ids.ok());
                    mlt.run(&words)
                };
                let outcome = run();
                assert_eq!(outcome.code, Some(0), "{command} {budget}: {outcome}");
                let text = &outcome.stdout;
                assert!(tokens(text) <= budget, "{command} {budget}: {text}");
                assert!(!text.is_empty(), "{command} {budget}");
                assert!(!text.contains(is_dangerous), "{command} {budget}: {text}");
                if budget == 700 {
                    assert_eq!(run().stdout, *text, "{command}");
                }
            }
            let text = mlt()
                .on(file)
                .stdin(ids.ok())
                .run(&format!("{command} -o brief"));
            assert!(tokens(&text.stdout) <= 2000, "{command}");
        }
    }
}

#[test]
fn spans_are_named_as_a_brief_account_has_them() {
    let text = demo().run("get tr-b5c7 -o brief");
    let failed = text
        .ok()
        .lines()
        .find(|line| line.starts_with("failed: "))
        .unwrap();
    let id = failed.split([' ', ':']).filter(|word| !word.is_empty());
    let id = id
        .clone()
        .find(|word| word.len() >= 4 && word.bytes().all(|b| b.is_ascii_hexdigit()))
        .unwrap();
    let span = demo().run(&format!("get tr-b5c7 --span {id}"));
    assert!(span.ok().contains("charge-card"), "{span}");
    let rows = demo().run(&format!("get tr-b5c7 --span {id} --columns name -o csv"));
    assert_eq!(rows.ok(), "name\ncharge-card\n");
    let none = demo().run("get tr-b5c7 --span fffff");
    assert!(none.fails(3).contains("no span `fffff`"), "{none}");
}

#[test]
fn what_does_not_go_with_it_is_said() {
    for (words, message) in [
        (
            "get latest --budget 100",
            "--budget goes with `-o brief` alone",
        ),
        (
            "search --budget 100 -o json",
            "--budget goes with `-o brief` alone",
        ),
        (
            "get latest --chat -o brief",
            "--chat and `-o brief` cannot be used together",
        ),
        (
            "latency latest --gaps -o brief",
            "--gaps and `-o brief` cannot be used together",
        ),
        (
            "search --count -o brief",
            "--count and `-o brief` cannot be used together",
        ),
        ("stats -o brief", "`mlt stats` has no `-o brief`"),
        (
            "get latest -o brief --budget 49",
            "expected a whole number from 50 on",
        ),
    ] {
        let outcome = demo().run(words);
        assert!(outcome.fails(2).contains(message), "{words}: {outcome}");
    }
    let [short, long] = ["1k", "1000"].map(|budget| {
        demo()
            .run(&format!("get latest -o brief --budget {budget}"))
            .stdout
    });
    assert_eq!(short, long);
}
