//! How a command is to print: a format by name, or a file where a command
//! writes one.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command, ValueHint};

use super::mistakes;
use crate::export::{Format, registry};

/// How to print.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One JSON object per line.
    Jsonl,
    /// Comma-separated values.
    Csv,
    /// Tab-separated values.
    Tsv,
    /// Markdown.
    Markdown,
    /// For programs that read by the token.
    Brief,
    /// Trace ids, one per line.
    Ids,
    /// JUnit XML.
    Junit,
    /// Annotations of GitHub Actions.
    Github,
    /// What only exports are written in.
    Export(&'static Format),
    /// Into this file.
    File(PathBuf),
}

impl OutputFormat {
    /// What it is called; `None` is a file.
    fn name(&self) -> Option<&'static str> {
        Some(match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Markdown => "markdown",
            Self::Brief => "brief",
            Self::Ids => "ids",
            Self::Junit => "junit",
            Self::Github => "github",
            Self::Export(format) => format.name,
            Self::File(_) => return None,
        })
    }

    /// What it is for, and which commands have it if not most of them.
    fn purpose(&self) -> (&'static str, &'static str) {
        match self {
            Self::Table => ("For people", ""),
            Self::Json | Self::Jsonl | Self::Csv | Self::Tsv => {
                (self.export().map_or("", |format| format.purpose), "")
            }
            Self::Markdown => (
                "For an issue or a pull request",
                " (get --chat, and session)",
            ),
            Self::Brief => (
                "For coding agents, within a --budget of tokens",
                " (search, get, session, latency, errors)",
            ),
            Self::Ids => (
                "Trace ids, one per line",
                " (search, and latency --slowest)",
            ),
            Self::Junit => ("JUnit XML", CHECK_ONLY),
            Self::Github => ("Annotations of GitHub Actions", CHECK_ONLY),
            Self::Export(format) => (format.purpose, " (export only)"),
            Self::File(_) => ("", ""),
        }
    }

    /// The format of exports that is called so.
    pub fn export(&self) -> Option<&'static Format> {
        registry::named(self.name()?)
    }

    fn named(name: &str) -> Option<Self> {
        ALL.iter()
            .find(|format| format.name() == Some(name))
            .cloned()
    }
}

impl From<&'static Format> for OutputFormat {
    fn from(format: &'static Format) -> Self {
        let own = OWN.iter().find(|own| own.name() == Some(format.name));
        own.cloned().unwrap_or(Self::Export(format))
    }
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            named => f.write_str(named.name().unwrap_or_default()),
        }
    }
}

const CHECK_ONLY: &str = " (check only)";

/// Those that are more than a format of exports.
const OWN: &[OutputFormat] = &[
    OutputFormat::Table,
    OutputFormat::Json,
    OutputFormat::Jsonl,
    OutputFormat::Csv,
    OutputFormat::Tsv,
    OutputFormat::Markdown,
    OutputFormat::Brief,
    OutputFormat::Ids,
    OutputFormat::Junit,
    OutputFormat::Github,
];
/// Those of exports.
pub static OF_EXPORTS: LazyLock<Vec<OutputFormat>> =
    LazyLock::new(|| registry::FORMATS.iter().map(OutputFormat::from).collect());
static ALL: LazyLock<Vec<OutputFormat>> = LazyLock::new(|| {
    let others = OF_EXPORTS.iter().filter(|format| !OWN.contains(format));
    OWN.iter().chain(others).cloned().collect()
});

/// The formats of tables.
pub const TABULAR: &[OutputFormat] = &[
    OutputFormat::Table,
    OutputFormat::Json,
    OutputFormat::Jsonl,
    OutputFormat::Csv,
    OutputFormat::Tsv,
];
/// Those of tables, and a brief account of them.
pub const WITH_BRIEF: &[OutputFormat] = &[
    OutputFormat::Table,
    OutputFormat::Json,
    OutputFormat::Jsonl,
    OutputFormat::Csv,
    OutputFormat::Tsv,
    OutputFormat::Brief,
];
/// Those of traces, and of what was said in them.
pub const OF_TRACES: &[OutputFormat] = &[
    OutputFormat::Table,
    OutputFormat::Json,
    OutputFormat::Jsonl,
    OutputFormat::Csv,
    OutputFormat::Tsv,
    OutputFormat::Markdown,
    OutputFormat::Brief,
];
/// Those of sessions.
pub const OF_SESSIONS: &[OutputFormat] = &[
    OutputFormat::Table,
    OutputFormat::Json,
    OutputFormat::Jsonl,
    OutputFormat::Markdown,
    OutputFormat::Brief,
];
/// Those of what was said.
pub const OF_TRANSCRIPTS: &[OutputFormat] = &[
    OutputFormat::Table,
    OutputFormat::Json,
    OutputFormat::Jsonl,
    OutputFormat::Markdown,
];
/// Those of tables of traces, and their ids.
pub const WITH_IDS: &[OutputFormat] = &[
    OutputFormat::Table,
    OutputFormat::Json,
    OutputFormat::Jsonl,
    OutputFormat::Csv,
    OutputFormat::Tsv,
    OutputFormat::Ids,
    OutputFormat::Brief,
];
/// Those of tables, and the ids in them.
pub const OF_LISTS: &[OutputFormat] = &[
    OutputFormat::Table,
    OutputFormat::Json,
    OutputFormat::Jsonl,
    OutputFormat::Csv,
    OutputFormat::Tsv,
    OutputFormat::Ids,
];
/// Those of checks.
pub const OF_CHECKS: &[OutputFormat] = &[
    OutputFormat::Table,
    OutputFormat::Json,
    OutputFormat::Jsonl,
    OutputFormat::Junit,
    OutputFormat::Github,
];

/// What checks write into files, beside the table.
pub const FILES_OF_CHECKS: &str =
    "a name with an ending is a file: report.xml for JUnit, report.json for JSON";
const NO_FILE: &str =
    "expected a file, the name of which has a dot or a slash in it, such as report.html";

/// `-o` of a command that prints in these formats, in the place of the one that
/// all commands share.
pub(super) fn arg(known: &'static [OutputFormat]) -> Arg {
    Arg::new("output")
        .short('o')
        .long("output")
        .value_parser(FormatParser(known))
        .default_value("table")
        .value_name("FORMAT")
        .help("How to print")
        .display_order(0)
        .help_heading("Output")
}

/// `-o` of checks, which write a file, too.
pub(super) fn arg_of_checks() -> Arg {
    arg(OF_CHECKS).value_name("FORMAT|FILE").long_help(
        "How to print; or a file to write beside the table: .xml for JUnit, .json for JSON",
    )
}

/// `-o` of exports, which have to name a format.
pub(super) fn arg_of_exports() -> Arg {
    arg(&OF_EXPORTS)
        .hide_default_value(true)
        .help("In which format, explained below")
}

/// `-o` of reports, which are pages.
pub(super) fn arg_of_reports() -> Arg {
    arg(&[])
        .hide_default_value(true)
        .value_name("FILE")
        .value_hint(ValueHint::FilePath)
        .help("Into this file, such as report.html, overwriting what is there; without -o, or with -, into a pipe")
}

/// `-o` of commands that print nothing of traces.
pub(super) fn no_arg() -> Arg {
    arg(&[]).hide(true)
}

/// Takes the names of formats, and for a file whatever has a dot or a slash in it.
/// What is told to be possible are those of one command; the names of others are
/// left for it to refuse.
#[derive(Debug, Clone)]
pub(super) struct FormatParser(&'static [OutputFormat]);

impl FormatParser {
    /// Of all commands.
    pub(super) fn all() -> Self {
        Self(&ALL)
    }
}

impl TypedValueParser for FormatParser {
    type Value = OutputFormat;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<OutputFormat, clap::Error> {
        let is_path = |byte: &u8| matches!(byte, b'.' | b'/');
        let is_for_file = arg.is_some_and(|arg| arg.get_value_hint() == ValueHint::FilePath);
        if value == "-" && is_for_file {
            return Ok(OutputFormat::File(PathBuf::from(value)));
        }
        if value.as_encoded_bytes().iter().any(is_path) {
            return Ok(OutputFormat::File(PathBuf::from(value)));
        }
        if let Some(format) = value.to_str().and_then(OutputFormat::named) {
            return Ok(format);
        }
        if is_for_file {
            let refusal = |_: &str| -> Result<OutputFormat, String> { Err(NO_FILE.to_owned()) };
            return refusal.parse_ref(command, arg, value);
        }
        let possible = self.possible_values().into_iter().flatten();
        let refusal = PossibleValuesParser::new(possible).parse_ref(command, arg, value);
        refusal
            .map(|_| OutputFormat::default())
            .map_err(|mut error| {
                let typed = value.to_str().unwrap_or_default();
                if let Some(tip) = mistakes::foreign_format(typed) {
                    error.remove(ContextKind::SuggestedValue);
                    let tips = ContextValue::StyledStrs(vec![tip.into()]);
                    error.insert(ContextKind::Suggested, tips);
                } else if self.0 == OF_CHECKS {
                    let tips = ContextValue::StyledStrs(vec![FILES_OF_CHECKS.into()]);
                    error.insert(ContextKind::Suggested, tips);
                }
                error
            })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        // Which commands have a format is told where all are listed.
        let of_all = self.0.len() == ALL.len();
        let one = move |format: &OutputFormat| {
            let (purpose, whose) = format.purpose();
            let whose = if of_all { whose } else { "" };
            Some(PossibleValue::new(format.name()?).help(format!("{purpose}{whose}")))
        };
        (!self.0.is_empty()).then(|| Box::new(self.0.iter().filter_map(one)) as Box<_>)
    }
}
