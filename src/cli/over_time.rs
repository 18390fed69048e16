//! How to divide time.

use clap::Args;

use crate::analysis::Buckets;
use crate::units::{Period, Zone};

/// Intervals.
#[derive(Debug, Clone, Copy, Args)]
pub struct OverTimeArgs {
    /// Over time, in intervals such as 5m, 1h, 1d or 1w; days begin at local midnight, weeks on Monday
    #[arg(long, value_name = "TIME")]
    pub every: Option<Period>,

    /// Days and weeks of --every in UTC
    #[arg(long, requires = "every")]
    pub utc: bool,
}

impl OverTimeArgs {
    /// The intervals, where there are to be any.
    pub fn buckets(&self) -> Option<Buckets> {
        let zone = if self.utc { Zone::Utc } else { Zone::Local };
        let ns = self.every?.duration().as_nanos();
        Some(Buckets::new(i64::try_from(ns).unwrap_or(i64::MAX), zone))
    }
}
