//! How a command is to print: a format by name, or a file where a command
//! writes one.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::{Arg, Command, ValueEnum};

/// How to print.
#[derive(Debug, Clone, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people
    #[default]
    Table,
    /// One JSON document
    Json,
    /// One JSON object per line
    Jsonl,
    /// Comma-separated values
    Csv,
    /// Tab-separated values
    Tsv,
    /// Trace ids, one per line (search, and latency --slowest)
    Ids,
    /// JUnit XML (check only)
    Junit,
    /// Annotations of GitHub Actions (check only)
    Github,
    /// OpenTelemetry's JSON (export only)
    Otlp,
    /// OpenTelemetry's protobuf (export only)
    OtlpProto,
    /// Trace events for Perfetto and chrome://tracing (export only)
    Chrome,
    /// For speedscope.app (export only)
    Speedscope,
    /// Folded stacks of self time for flame graphs (export only)
    Folded,
    /// For DuckDB, Spark and pandas (export only)
    Parquet,
    /// Into this file.
    #[value(skip)]
    File(PathBuf),
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            named => match named.to_possible_value() {
                Some(value) => f.write_str(value.get_name()),
                None => Ok(()),
            },
        }
    }
}

/// Takes the names of formats, and for a file whatever has a dot or a slash in it.
#[derive(Debug, Clone)]
pub(super) struct FormatParser;

impl TypedValueParser for FormatParser {
    type Value = OutputFormat;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<OutputFormat, clap::Error> {
        let is_path = |byte: &u8| matches!(byte, b'.' | b'/');
        if value.as_encoded_bytes().iter().any(is_path) {
            return Ok(OutputFormat::File(PathBuf::from(value)));
        }
        EnumValueParser::<OutputFormat>::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let values = OutputFormat::value_variants().iter();
        Some(Box::new(values.filter_map(ValueEnum::to_possible_value)))
    }
}
