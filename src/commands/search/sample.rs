//! A sample of the traces that match.

use crate::cli::SearchArgs;
use crate::commands::Context;

/// Keeps traces with a probability, by their ids: the same seed keeps the same
/// traces, whatever the order and the pages they come in.
pub(super) struct Sample {
    threshold: f64,
    /// What repeats it.
    pub(super) seed: u64,
}

impl Sample {
    /// The one that was asked for.
    pub(super) fn of(context: &Context, args: &SearchArgs) -> Option<Self> {
        let fraction = args.sample?;
        let seed = args
            .seed
            .unwrap_or_else(|| context.now.nanos().unsigned_abs());
        Some(Self::new(fraction.get(), seed))
    }

    fn new(fraction: f64, seed: u64) -> Self {
        Self {
            threshold: fraction,
            seed,
        }
    }

    pub(super) fn keeps(&self, trace_id: &str) -> bool {
        // FNV-1a over the seed and the id, then the finaliser of MurmurHash3,
        // since the upper bits of FNV alone are poorly mixed.
        let mut hash = self
            .seed
            .to_le_bytes()
            .iter()
            .chain(trace_id.as_bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
        hash ^= hash >> 33;
        hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash ^= hash >> 33;
        hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        hash ^= hash >> 33;
        let upper = u32::try_from(hash >> 32).unwrap_or(u32::MAX);
        f64::from(upper) / (f64::from(u32::MAX) + 1.0) < self.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_fair_and_repeatable() {
        let ids: Vec<String> = (0..10_000).map(|n| format!("tr-{n:032x}")).collect();
        let kept = |fraction: f64, seed: u64| {
            let sample = Sample::new(fraction, seed);
            ids.iter().filter(|id| sample.keeps(id)).count()
        };
        assert_eq!((kept(0.0, 1), kept(1.0, 1)), (0, 10_000));
        assert!((900..1100).contains(&kept(0.1, 1)));
        assert!((900..1100).contains(&kept(0.1, 2)));
        let (one, two) = (Sample::new(0.1, 1), Sample::new(0.1, 2));
        assert!(ids.iter().any(|id| one.keeps(id) != two.keeps(id)));
    }
}
