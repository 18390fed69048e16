//! The span that a command runs in, as one program tells it the next: W3C Trace Context's
//! `traceparent`, in the environment as `TRACEPARENT`.

use crate::model::random_digits;

/// The name of the variable.
pub const TRACEPARENT: &str = "TRACEPARENT";

/// A span of a trace, and whether the trace is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// 32 digits of hex.
    pub trace: String,
    /// 16 digits of hex.
    pub span: String,
    /// Whether somebody keeps the trace.
    pub sampled: bool,
}

impl Parent {
    /// Reads `00-TRACE-SPAN-FLAGS`; what is no such text, and ids of nothing but zeros, are no parent.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace) = (parts.next()?, parts.next()?);
        let (span, flags) = (parts.next()?, parts.next()?);
        // Later versions may have more parts.
        let is_whole = version != "ff" && (version != "00" || parts.next().is_none());
        let is_id = |id: &str, digits| is_hex(id, digits) && id.bytes().any(|byte| byte != b'0');
        let is_one = is_hex(version, 2)
            && is_whole
            && is_id(trace, 32)
            && is_id(span, 16)
            && is_hex(flags, 2);
        is_one.then(|| Self {
            trace: trace.to_owned(),
            span: span.to_owned(),
            sampled: u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1),
        })
    }

    /// The root of a new trace.
    pub fn new() -> Self {
        Self {
            trace: format!("{}{}", random_digits(), random_digits()),
            span: random_digits(),
            sampled: true,
        }
    }

    /// Another span of the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            span: random_digits(),
            ..self.clone()
        }
    }

    /// Whether a trace is among this share of all, by its id: the lower 63 bits, as in
    /// OpenTelemetry's `TraceIdRatioBased`, so that whoever is asked says the same.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "the share is as coarse")]
    pub fn is_in(&self, share: f64) -> bool {
        const BITS: u64 = u64::MAX >> 1;
        let lower = self.trace.get(16..).unwrap_or_default();
        let lower = u64::from_str_radix(lower, 16).unwrap_or_default() & BITS;
        share >= 1.0 || (lower as f64) < share * BITS as f64
    }
}

impl Default for Parent {
    fn default() -> Self {
        Self::new()
    }
}

/// As `TRACEPARENT` has it.
impl std::fmt::Display for Parent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            trace,
            span,
            sampled,
        } = self;
        write!(f, "00-{trace}-{span}-{:02x}", u8::from(*sampled))
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == digits && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn what_is_written_is_read() {
        let text = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let parent = Parent::parse(&text).unwrap();
        assert!(parent.sampled);
        assert_eq!(parent.to_string(), text);
        let child = parent.child();
        assert!(child.trace == parent.trace && child.span != parent.span);
        let later = format!("01-{TRACE}-00f067aa0ba902b7-00-more");
        assert!(!Parent::parse(&later).unwrap().sampled);
        assert_eq!(
            Parent::parse(&Parent::new().to_string()).map(|p| p.sampled),
            Some(true)
        );
    }

    #[test]
    fn anything_else_is_no_parent() {
        let zeros = "0".repeat(32);
        for text in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{zeros}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-00f067aa0ba902b7-0x"),
            "00-é-é-01".to_owned(),
        ] {
            assert_eq!(Parent::parse(&text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_larger_share_has_all_of_a_smaller_one(lower in any::<u64>(), one in 0.0..=1.0_f64, other in 0.0..=1.0_f64) {
            let parent = Parent { trace: format!("{:016x}{lower:016x}", 1), ..Parent::new() };
            let (less, more) = (one.min(other), one.max(other));
            prop_assert!(!parent.is_in(less) || parent.is_in(more));
            prop_assert!(parent.is_in(1.0) && !parent.is_in(0.0));
        }
    }
}
