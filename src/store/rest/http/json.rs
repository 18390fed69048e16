//! What is wrong with JSON, in words that hold nothing of what is in it.

use serde_json::error::Category;

use crate::store::BadBody;

/// Where and what.
pub(super) fn fault(error: &serde_json::Error) -> BadBody {
    let (line, column) = (error.line(), error.column());
    let place = format!("line {line}, column {column}");
    match error.classify() {
        Category::Eof => BadBody::CutShort(place),
        Category::Syntax | Category::Io => BadBody::NotJson { line, column },
        // Values that were read before have no place any more.
        Category::Data if line == 0 => BadBody::OtherForm(shape(error)),
        Category::Data => BadBody::OtherForm(format!("{} ({place})", shape(error))),
    }
}

/// In which way data are not of the form that was expected. `serde_json` keeps that to
/// itself, and its own words quote what it found, so they are taken apart, and put
/// together again without that.
fn shape(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(text, _)| text);
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
            (
                r#"{"traces": [true]}"#,
                "expected text, found true or false (line 1, column 16)",
            ),
            (
                r#"{"traces": [1.5]}"#,
                "expected text, found a number (line 1, column 15)",
            ),
            (
                r#"{"traces": [null]}"#,
                "expected text, found null (line 1, column 16)",
            ),
            (r"{}", "it lacks `traces` (line 1, column 2)"),
            (r"[1]", "expected a list, found a number (line 1, column 2)"),
            (
                r"3",
                "expected an object, found a number (line 1, column 1)",
            ),
            (r#"{"traces": ["#, "it is cut short (line 1, column 12)"),
            (r"{hunter2}", "it is no JSON from line 1, column 2 on"),
        ] {
            let error = serde_json::from_str::<Page>(json).unwrap_err();
            let text = fault(&error).to_string();
            assert!(!text.contains("hunter2"), "{text}");
            assert_eq!(text, said, "{json}");
        }
    }
}
