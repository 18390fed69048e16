//! What was said of the traces on both sides: for each name of feedback its mean,
//! or its share where everybody said true or false, yes or no. It is measured and
//! told from chance as `avg(feedback.name)` is in a rule.

use std::collections::BTreeSet;

use super::{Side, Sides, Verdict};
use crate::analysis::assessed::{Assessed, Subject};
use crate::analysis::{Noise, Spread, Told};

/// Feedback of one name on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedbackTotal {
    /// What was assessed.
    pub name: String,
    /// How many assessments say something that counts.
    pub n: Sides<usize>,
    /// Their mean; `None` where there are none.
    pub value: Sides<Option<f64>>,
    /// Whether all are false or true, no or yes, so that the mean is a share.
    pub is_share: bool,
    /// What chance has to do with it; `None` for single traces.
    pub noise: Option<Noise>,
}

impl FeedbackTotal {
    /// What the new side exceeds the base by; `None` where one of them is not known.
    pub fn change(&self) -> Option<f64> {
        Some(rounded(self.value.after? - self.value.before?))
    }

    /// What a test tells, with assessments enough.
    pub fn told(&self) -> Option<Told> {
        match self.noise? {
            Noise::Told(told) => Some(told),
            Noise::Exact | Noise::Unknown | Noise::TooFew { .. } => None,
        }
    }

    /// `None` for single traces, which say nothing about chance.
    pub fn verdict(&self) -> Option<Verdict> {
        self.noise?;
        Some(self.told().map_or(Verdict::TooFew, |told| told.verdict))
    }
}

/// Without the digits that only come from means being kept in binary.
fn rounded(value: f64) -> f64 {
    format!("{value:.14e}").parse().unwrap_or(value)
}

/// The names with something to compare on either side, in alphabetical order.
pub(super) fn compare(sides: Sides<&Assessed>, pair: bool) -> Vec<FeedbackTotal> {
    let subjects: BTreeSet<&Subject> = sides
        .before
        .subjects()
        .chain(sides.after.subjects())
        .filter(|subject| !subject.is_expectation)
        .collect();
    let totals = subjects.into_iter().map(|subject| {
        let measured = Sides::of(|side| sides.get(side).measured(subject));
        let value = measured.map(|measured| Some(measured.as_ref()?.value?.as_f64()));
        let spread = |side| measured.get(side).as_ref().and_then(|m| m.spread.as_ref());
        let is_share = [Side::Before, Side::After]
            .into_iter()
            .filter(|side| value.get(*side).is_some())
            .all(|side| {
                matches!(spread(side), Some(Spread::Scores { ones: Some(_), .. }))
                    && !sides.get(side).has_numbers(subject)
            });
        let noise = match (value.before, value.after) {
            (Some(earlier), Some(_)) => {
                let (before, after) = (spread(Side::Before), spread(Side::After));
                Noise::compare(&subject.mean(), earlier, before, after)
            }
            _ => Noise::Unknown,
        };
        FeedbackTotal {
            name: subject.name.clone(),
            n: measured.map(|measured| measured.as_ref().map_or(0, |m| m.n)),
            value,
            is_share,
            noise: (!pair).then_some(noise),
        }
    });
    totals.filter(|total| total.n != Sides::default()).collect()
}
