//! The formats of `mlt export`, a row each.

use super::chrome::ChromeTrace;
use super::folded::Folded;
use super::format::{Begin, Format, What, streamed};
use super::otlp::{OtlpJson, OtlpProto};
use super::speedscope::Speedscope;
use super::{Delimited, JsonForm, json, tables};
use crate::model::Detail;

const SPANS: &[What] = &[What::Spans];
const BOTH: &[What] = &[What::Spans, What::Traces];

#[cfg(feature = "parquet")]
const PARQUET: Result<Begin, &str> = Ok(tables::parquet);
#[cfg(not(feature = "parquet"))]
const PARQUET: Result<Begin, &str> = Err("Parquet");

/// The formats there are, in the order in which they are told.
pub static FORMATS: &[Format] = &[
    Format {
        name: "otlp",
        purpose: "OpenTelemetry's JSON",
        about: "OpenTelemetry's JSON, the body of a request to a collector's /v1/traces",
        endings: &["otlp.json"],
        begin: Ok(|out, _| Ok(streamed::<OtlpJson>(out))),
        ..OF_SPANS
    },
    Format {
        name: "otlp-proto",
        purpose: "OpenTelemetry's protobuf",
        about: "the same in protobuf",
        endings: &["otlp.pb", "pb"],
        is_binary: true,
        begin: Ok(|out, _| Ok(streamed::<OtlpProto>(out))),
        ..OF_SPANS
    },
    Format {
        name: "chrome",
        purpose: "Trace events for Perfetto and chrome://tracing",
        about: "trace events for ui.perfetto.dev and chrome://tracing: a process for each trace, which\n\
                begins at 0, and a lane for what runs at the same time",
        endings: &["chrome.json"],
        begin: Ok(|out, _| Ok(streamed::<ChromeTrace>(out))),
        ..OF_SPANS
    },
    Format {
        name: "speedscope",
        purpose: "For speedscope.app",
        about: "for speedscope.app: a profile for each lane of each trace",
        endings: &["speedscope.json"],
        spans: Detail::Times,
        begin: Ok(|out, _| Ok(streamed::<Speedscope>(out))),
        ..OF_SPANS
    },
    Format {
        name: "folded",
        purpose: "Folded stacks of self time for flame graphs",
        about: "name;name;name N for flame graphs: self time in whole microseconds",
        endings: &["folded"],
        spans: Detail::Times,
        begin: Ok(|out, _| Ok(streamed::<Folded>(out))),
        ..OF_SPANS
    },
    Format {
        name: "json",
        purpose: "One JSON document",
        about: AS_GET,
        endings: &["json"],
        holds: BOTH,
        begin: Ok(|out, order| Ok(json::exported(out, order, JsonForm::Pretty))),
        ..OF_SPANS
    },
    Format {
        name: "jsonl",
        purpose: "One JSON object per line",
        about: AS_GET,
        endings: &["jsonl", "ndjson"],
        holds: BOTH,
        resumes: true,
        begin: Ok(|out, order| Ok(json::exported(out, order, JsonForm::Lines))),
        ..OF_SPANS
    },
    Format {
        name: "csv",
        purpose: "Comma-separated values",
        about: AS_ROWS,
        endings: &["csv"],
        begin: Ok(|out, order| tables::delimited(out, order, Delimited::Csv)),
        ..TABLE
    },
    Format {
        name: "tsv",
        purpose: "Tab-separated values",
        about: AS_ROWS,
        endings: &["tsv"],
        begin: Ok(|out, order| tables::delimited(out, order, Delimited::Tsv)),
        ..TABLE
    },
    Format {
        name: "parquet",
        purpose: "For DuckDB, Spark and pandas",
        about: "the same columns and values for DuckDB, Spark and pandas",
        endings: &["parquet"],
        is_binary: true,
        begin: PARQUET,
        ..TABLE
    },
];

const AS_GET: &str = "as mlt get writes them";
const AS_ROWS: &str = "a row for each span, or for each trace with --what traces";

/// What most formats are: text of whole spans, in which nothing can be chosen.
const OF_SPANS: Format = Format {
    name: "",
    purpose: "",
    about: "",
    endings: &[],
    holds: SPANS,
    spans: Detail::Whole,
    has_columns: false,
    is_binary: false,
    resumes: false,
    begin: Err(""),
};

const TABLE: Format = Format {
    holds: BOTH,
    has_columns: true,
    ..OF_SPANS
};

/// The format of this name.
pub fn named(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// The format that people expect in a file of this name.
pub fn by_ending(name: &str) -> Option<&'static Format> {
    let name = name.to_ascii_lowercase();
    let length = |format: &Format| {
        let is_its = |ending: &&str| {
            let stem = name.strip_suffix(ending);
            stem.is_some_and(|stem| stem.ends_with('.'))
        };
        let its = format.endings.iter().copied().filter(is_its);
        its.map(str::len).max()
    };
    let known = FORMATS.iter().filter_map(|f| Some((length(f)?, f)));
    known.max_by_key(|(length, _)| *length).map(|(_, f)| f)
}

/// The names of the formats that have something.
pub fn names(has: fn(&Format) -> bool) -> Vec<&'static str> {
    let those = FORMATS.iter().filter(|format| has(format));
    those.map(|format| format.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_ending_of_a_file_says_its_format() {
        let named = |name| by_ending(name).map(|format| format.name);
        assert_eq!(named("a.json"), Some("json"));
        assert_eq!(named("a.otlp.json"), Some("otlp"));
        assert_eq!(named("A.Chrome.JSON"), Some("chrome"));
        assert_eq!(named("a.ndjson"), Some("jsonl"));
        assert_eq!(named("a.pb"), Some("otlp-proto"));
        assert_eq!(named(".csv"), Some("csv"));
        assert_eq!(named("csv"), None);
        assert_eq!(named("notlp.json"), Some("json"));
        assert_eq!(named("a.html"), None);
    }

    #[test]
    fn every_format_has_names_of_its_own() {
        for (at, format) in FORMATS.iter().enumerate() {
            assert!(by_ending(&format!("a.{}", format.extension())) == Some(format));
            assert!(!format.about.is_empty() && !format.purpose.is_empty());
            assert!(FORMATS[..at].iter().all(|other| other != format));
        }
    }
}
