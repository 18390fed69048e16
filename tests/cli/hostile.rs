//! What a trace contains is somebody else's text. Whatever it is, no terminal,
//! spreadsheet or shell gets to obey it.

use unicode_width::UnicodeWidthStr;

use crate::support::mlflow::{current, on_cases, on_server};

/// Characters that move a cursor, hide, or turn text around.
fn is_dangerous(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(
            c,
            '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{feff}' | '\u{2028}' | '\u{2029}'
        )
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2060}'..='\u{206f}').contains(&c)
}

fn cases() -> impl Iterator<Item = (&'static String, &'static String)> {
    current().cases.iter()
}

#[test]
fn nothing_dangerous_reaches_a_terminal_or_a_pipe() {
    for (name, id) in cases() {
        for words in [
            format!("get {id} --color never"),
            format!("get {id} --io --color never"),
            format!("latency {id} --critical-path --gaps --color never"),
            format!(
                "search {id} --columns time,trace_id,name,tags.hostile,metadata.hostile,request,response,assessments --color never"
            ),
            format!("get {id} -o json"),
            format!("get {id} -o csv"),
            format!("get {id} -o tsv"),
        ] {
            let piped = on_cases().run(&words);
            let drawn = on_cases().terminal(80).run(&words);
            for outcome in [&piped, &drawn] {
                let text = format!("{}{}", outcome.stdout, outcome.stderr);
                // Cells of delimited text keep what belongs to the data; tabs part them.
                let delimited = words.contains("-o csv") || words.contains("-o tsv");
                let found: Vec<char> = text
                    .chars()
                    .filter(|c| is_dangerous(*c) && !(delimited && matches!(c, '\t' | '\r')))
                    .collect();
                assert!(found.is_empty(), "{name}: {words}: {found:?}");
            }
        }
    }
}

#[test]
fn lines_fit_at_every_width() {
    for (name, id) in cases() {
        for width in [40, 80, 200] {
            for words in [
                format!("get {id}"),
                format!("latency {id}"),
                format!("search {id}"),
            ] {
                let outcome = on_cases()
                    .terminal(width)
                    .run(&format!("{words} --color never"));
                for line in outcome.lines() {
                    let is_id = line.contains("tr-");
                    assert!(
                        line.width() <= width || is_id,
                        "{name} at {width}: {words}\n{line}\n{outcome}"
                    );
                }
            }
        }
    }
}

#[test]
fn spreadsheets_get_no_formulas() {
    let list = on_server()
        .run("search -x edges --all -o csv --columns trace_id,name,tags.hostile,request");
    let mut reader = csv::Reader::from_reader(list.stdout.as_bytes());
    let mut seen = 0;
    for row in reader.records().map(Result::unwrap) {
        for cell in &row {
            let first = cell.trim_start().chars().next();
            let number = cell.parse::<f64>().is_ok();
            assert!(
                !matches!(first, Some('=' | '+' | '-' | '@')) || number,
                "{cell:?}"
            );
            seen += usize::from(cell.starts_with('\''));
        }
    }
    assert!(seen >= 4, "the formulas of the traces are in the list");
    let tsv = on_server()
        .run("search -x edges --all -o tsv --columns trace_id,name,tags.hostile,request");
    assert!(
        tsv.lines().iter().all(|line| line.split('\t').count() == 4),
        "{tsv}"
    );
}

#[test]
fn json_keeps_every_character() {
    let id = current().case("hostile-bidi");
    let trace = on_server().run(&format!("get {id} -o json")).json();
    assert!(
        trace["info"]["tags"]["hostile"]
            .as_str()
            .unwrap()
            .contains('\u{202e}')
    );
}
