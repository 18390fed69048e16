//! What may be typed after `mlt instrument`.

use clap::Args;

use crate::capture;
use crate::units::Fraction;

/// Print the lines that make a program leave traces.
#[derive(Debug, Args)]
pub struct InstrumentArgs {
    /// A framework or client, such as openai or otel-python; without one, all are listed
    #[arg(value_name = "FRAMEWORK", hide_possible_values = true, value_parser = capture::names())]
    pub framework: Option<String>,

    /// Trace this share of the calls, such as 0.1 or 10%
    #[arg(long, value_name = "SHARE")]
    pub sample: Option<Fraction>,
}
