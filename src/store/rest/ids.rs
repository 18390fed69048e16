//! Ids of traces in URLs and in answers: which can stand in a path, and which
//! spellings mean the same trace.

use super::http::Http;
use crate::store::StoreError;

/// MLflow's own are half as long at most.
const LONGEST: usize = 250;

/// Refuses an id that would change what a path says: `..` leads to another
/// endpoint, and of a line break URLs know nothing, so that another trace is
/// meant without it.
pub(super) fn check(id: &str) -> Result<(), StoreError> {
    let reason = if id.is_empty() {
        "it is empty"
    } else if id.len() > LONGEST {
        "it is longer than any id"
    } else if id.chars().any(char::is_control) {
        "a control character cannot stand in a URL"
    } else if id.split(['/', '\\']).any(|part| matches!(part, "." | "..")) {
        "`.` and `..` would lead to another place"
    } else {
        return Ok(());
    };
    let shown = match id.char_indices().nth(50) {
        Some((at, _)) => format!("{}…", &id[..at]),
        None => id.to_owned(),
    };
    Err(StoreError::TraceId { id: shown, reason })
}

/// Makes sure that an answer is about the trace that was asked for.
pub(super) fn check_same(http: &Http, asked: &str, found: &str) -> Result<(), StoreError> {
    if same(asked, found) {
        return Ok(());
    }
    Err(StoreError::OtherTrace {
        host: http.host(),
        id: asked.to_owned(),
        found: found.chars().take(LONGEST).collect(),
    })
}

/// Whether only a database to which case makes no difference takes one id for the other: what
/// hangs on the trace is not found by it.
pub(super) fn is_in_other_letters(one: &str, other: &str) -> bool {
    one != other && one.eq_ignore_ascii_case(other)
}

/// Whether two ids mean one trace: with `tr-` or without, with the dashes of a
/// UUID or without, behind the location of Unity Catalog or alone, in any case.
pub(super) fn same(one: &str, other: &str) -> bool {
    one == other || digits(one).is_some_and(|one| digits(other) == Some(one))
}

/// The hex digits of an id that has some.
fn digits(id: &str) -> Option<String> {
    let last = match id.strip_prefix("trace:/") {
        Some(rest) => rest.rsplit('/').next().unwrap_or(rest),
        None => id,
    };
    let prefix = last.get(..3).filter(|it| it.eq_ignore_ascii_case("tr-"));
    let hex = prefix.map_or(last, |_| &last[3..]).replace('-', "");
    let is_hex = hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then(|| hex.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_would_lead_elsewhere_are_refused() {
        for id in [
            "", ".", "..", "tr-1\n", "tr-\t1", "\u{7f}", "a/../b", "a\\..\\b", "../x",
        ] {
            assert!(check(id).is_err(), "{id:?}");
        }
        let long = check(&"x".repeat(1_000_000)).unwrap_err().to_string();
        assert!(long.len() < 300, "{}", long.len());
        for id in [
            "tr-51a088e1d08df5c0638d48f2dcaad786",
            "trace:/main.traces/51a088e1d08df5c0638d48f2dcaad786",
            "%2e%2e",
            "a b?c#d",
            "...",
            "日本",
        ] {
            assert!(check(id).is_ok(), "{id:?}");
        }
    }

    #[test]
    fn spellings_of_one_id_are_one() {
        let hex = "51a088e1d08df5c0638d48f2dcaad786";
        for other in [
            "tr-51a088e1d08df5c0638d48f2dcaad786",
            "51A088E1D08DF5C0638D48F2DCAAD786",
            "TR-51A088E1D08DF5C0638D48F2DCAAD786",
            "51a088e1-d08d-f5c0-638d-48f2dcaad786",
            "trace:/main.traces/51a088e1d08df5c0638d48f2dcaad786",
            "trace:/main.traces/tr-51a088e1d08df5c0638d48f2dcaad786",
        ] {
            assert!(same(hex, other) && same(other, hex), "{other}");
        }
        assert!(same("tr-mine", "tr-mine"));
        for (one, other) in [("tr-mine", "mine"), ("tr-1", "tr-2"), (hex, "tr-51a0")] {
            assert!(!same(one, other), "{one} {other}");
        }
    }
}
