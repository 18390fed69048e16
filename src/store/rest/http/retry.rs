//! How long to wait before a request is sent again.

use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::model::Timestamp;
use crate::store::RetryPolicy;

/// The wait before the next try, `None` where there is none: `retry` were made
/// already, and the server may have asked for so many seconds.
pub(super) fn wait(policy: &RetryPolicy, retry: u32, asked: Option<u64>) -> Option<Duration> {
    if retry >= policy.max_retries {
        return None;
    }
    match asked.filter(|_| policy.respect_retry_after) {
        Some(seconds) => {
            let wait = Duration::from_secs(seconds);
            (wait <= policy.longest_wait).then_some(wait)
        }
        None => Some(
            policy
                .backoff
                .saturating_mul(1 << retry.min(16))
                .min(policy.longest_wait)
                + policy.jitter.mul_f64(random_fraction()),
        ),
    }
}

/// What `Retry-After` says, in seconds from now: a number of them, or a date in
/// one of HTTP's three forms. `None` for anything else.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    let left = date(text)?.timestamp_millis() - Timestamp::now().millis();
    u64::try_from(left.max(0)).ok().map(|ms| ms.div_ceil(1000))
}

fn date(text: &str) -> Option<DateTime<Utc>> {
    const OBSOLETE: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    if let Ok(date) = DateTime::parse_from_rfc2822(text) {
        return Some(date.to_utc());
    }
    OBSOLETE
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|date| date.and_utc())
}

/// A number from 0 to 1 that differs between processes and calls.
fn random_fraction() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let hash = RandomState::new().hash_one(Instant::now());
    f64::from(u32::try_from(hash >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    fn servers_ask_for_seconds_or_a_time() {
        for (text, seconds) in [
            ("0", Some(0)),
            (" 31 ", Some(31)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", Some(0)),
            ("Friday, 31-Dec-99 23:59:59 GMT", Some(0)),
            ("Fri Dec 31 23:59:59 1999", Some(0)),
            ("18446744073709551616", None),
            ("-1", None),
            ("0.5", None),
            ("1e9", None),
            ("1, 2", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(super::seconds(text), seconds, "{text}");
        }
        assert!(super::seconds("Fri, 31 Dec 2100 23:59:59 GMT") > Some(1_000_000));
    }
}
