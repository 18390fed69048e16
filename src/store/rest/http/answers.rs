//! What a server means by refusing a request. MLflow has few error codes, so that much
//! is only in its messages, which are read here and nowhere else.

use crate::store::Refusal;

/// What a status, an error code and a message come to.
pub(super) fn meaning(status: u16, code: Option<&str>, message: &str) -> Refusal {
    let says = |words: &str| message.contains(words);
    match (status, code) {
        (404, Some("RESOURCE_DOES_NOT_EXIST")) => Refusal::NotThere,
        (500, Some("FEATURE_DISABLED")) => Refusal::NoWorkspaces,
        (400 | 403, _) if says("Invalid Host header") => Refusal::UnknownHost,
        (403, _) if says("Cross-origin") => Refusal::CrossOrigin,
        // SQL backends let the database notice that a trace is not there.
        (400, _) if message.to_ascii_lowercase().contains("foreign key") => Refusal::NoSuchTrace,
        (400, _) if message.starts_with("Span filtering requires database support") => {
            Refusal::NoSpanFilters
        }
        _ if says("not stored in tracking store") => Refusal::SpansElsewhere,
        _ => Refusal::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mlflows_own_refusals_are_known() {
        for (status, code, message, expected) in [
            (
                404,
                Some("RESOURCE_DOES_NOT_EXIST"),
                "Trace with ID 'tr-1' not found",
                Refusal::NotThere,
            ),
            (
                500,
                Some("FEATURE_DISABLED"),
                "Workspaces are not enabled",
                Refusal::NoWorkspaces,
            ),
            (
                403,
                None,
                "the text `Invalid Host header - possible DNS rebinding attack detected`",
                Refusal::UnknownHost,
            ),
            (
                403,
                None,
                "the text `Cross-origin request blocked`",
                Refusal::CrossOrigin,
            ),
            (
                400,
                Some("BAD_REQUEST"),
                "(sqlite3.IntegrityError) FOREIGN KEY constraint failed",
                Refusal::NoSuchTrace,
            ),
            (
                400,
                Some("INVALID_PARAMETER_VALUE"),
                "Span filtering requires database support and cannot be performed on a file store",
                Refusal::NoSpanFilters,
            ),
            (
                500,
                Some("INTERNAL_ERROR"),
                "Trace data not stored in tracking store",
                Refusal::SpansElsewhere,
            ),
            (
                403,
                Some("PERMISSION_DENIED"),
                "Permission denied",
                Refusal::Other,
            ),
            (404, None, "Not found", Refusal::Other),
        ] {
            assert_eq!(meaning(status, code, message), expected, "{message}");
        }
    }
}
