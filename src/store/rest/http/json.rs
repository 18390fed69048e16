//! What is wrong with JSON, in words that hold nothing of what is in it.

use serde_json::error::Category;

/// Where and what, in a clause.
pub(super) fn fault(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        Category::Eof => format!("it is cut short ({place})"),
        Category::Syntax | Category::Io => format!("it is no JSON from {place} on"),
        // Values that were read before have no place any more.
        Category::Data if error.line() == 0 => shape(&error.to_string()),
        Category::Data => format!("{} ({place})", shape(&error.to_string())),
    }
}

/// The data are not of the form that was expected.
fn shape(text: &str) -> String {
    let text = text.rsplit_once(" at line ").map_or(text, |(text, _)| text);
    if let Some(field) = text.strip_prefix("missing field ") {
        return format!("it lacks {field}");
    }
    let expected = text
        .rsplit_once(", expected ")
        .map(|(_, expected)| kind(expected));
    let found = text.strip_prefix("invalid type: ").map(|found| {
        kind(
            found
                .split(['`', '"', ','])
                .next()
                .unwrap_or_default()
                .trim(),
        )
    });
    match (expected, found) {
        (Some(expected), Some(found)) => format!("expected {expected}, found {found}"),
        (Some(expected), None) => format!("expected {expected}"),
        (None, _) => "it is not of the form that MLflow sends".to_owned(),
    }
}

fn kind(name: &str) -> &str {
    match name {
        "a sequence" | "sequence" => "a list",
        "a map" | "map" => "an object",
        "a string" | "string" | "str" => "text",
        "integer" | "floating point" | "u64" | "i64" | "f64" => "a number",
        "boolean" => "true or false",
        "unit" | "unit value" => "null",
        name if name.starts_with("struct ") => "an object",
        name if name.starts_with("tuple ") => "a list",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Page {
        #[allow(dead_code)]
        traces: Vec<String>,
    }

    #[test]
    fn faults_are_told_without_what_is_in_the_data() {
        for (json, said) in [
            (
                r#"{"traces": 3}"#,
                "expected a list, found a number (line 1, column 12)",
            ),
            (
                r#"{"traces": "hunter2"}"#,
                "expected a list, found text (line 1, column 20)",
            ),
            (
                r#"{"traces": [{}]}"#,
                "expected text, found an object (line 1, column 12)",
            ),
            (r"{}", "it lacks `traces` (line 1, column 2)"),
            (r"[1]", "expected text, found a number"),
            (r#"{"traces": ["#, "it is cut short (line 1, column 12)"),
            (r"{hunter2}", "it is no JSON from line 1, column 2 on"),
        ] {
            let error = serde_json::from_str::<Page>(json).unwrap_err();
            let text = fault(&error);
            assert!(!text.contains("hunter2"), "{text}");
            let starts = json == "[1]" || text == said;
            assert!(starts, "{json}: {text}");
        }
    }
}
