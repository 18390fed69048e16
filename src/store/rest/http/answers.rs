//! What a server means by refusing a request. MLflow has few error codes, so that much
//! is only in its messages, which are read here and nowhere else.

use crate::filter::Backend;
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
        (400 | 500 | 503, _) => match database(message) {
            Some((backend, said)) if !is_passing(said) => Refusal::OfDatabase(backend),
            _ => Refusal::Other,
        },
        _ => Refusal::Other,
    }
}

/// The database whose driver speaks, and what it says.
fn database(message: &str) -> Option<(Backend, &str)> {
    const DRIVERS: [(&str, Backend); 9] = [
        ("sqlite3.", Backend::Sqlite),
        ("psycopg", Backend::Postgres),
        ("pg8000", Backend::Postgres),
        ("asyncpg", Backend::Postgres),
        ("pymysql.", Backend::Mysql),
        ("MySQLdb.", Backend::Mysql),
        ("mysql.connector.", Backend::Mysql),
        ("pyodbc.", Backend::Other),
        ("pymssql.", Backend::Other),
    ];
    let (driver, said) = message.strip_prefix('(')?.split_once(") ")?;
    let known = |(name, _): &&(&str, Backend)| driver.starts_with(name);
    let (_, backend) = DRIVERS.iter().find(known)?;
    Some((*backend, said))
}

/// Whether a database may say otherwise in a while: there are too many connections or
/// none, or others are in the way.
fn is_passing(said: &str) -> bool {
    const WORDS: [&str; 12] = [
        "(1040,",
        "(1053,",
        "(1205,",
        "(1213,",
        "(2002,",
        "(2003,",
        "(2006,",
        "(2013,",
        "(2055,",
        "connection",
        "locked",
        "deadlock",
    ];
    WORDS.iter().any(|words| said.contains(words))
}

/// What a server says, but for the SQL that it made, and the values in it.
pub(super) fn without_sql(message: String) -> String {
    let Some((_, said)) = database(&message) else {
        return message;
    };
    let line = said.lines().next().unwrap_or_default();
    let end = ["[SQL:", " near '", " LINE 1:"]
        .iter()
        .filter_map(|sql| line.find(sql))
        .min()
        .unwrap_or(line.len());
    let text = line[..end].trim();
    format!("its database says: {text}")
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
                400,
                Some("BAD_REQUEST"),
                "(psycopg2.errors.InvalidRegularExpression) invalid regular expression: x",
                Refusal::OfDatabase(Backend::Postgres),
            ),
            (
                503,
                Some("TEMPORARILY_UNAVAILABLE"),
                "(pymysql.err.OperationalError) (1139, \"Regex error\")",
                Refusal::OfDatabase(Backend::Mysql),
            ),
            (
                503,
                Some("TEMPORARILY_UNAVAILABLE"),
                "(pymysql.err.OperationalError) (1040, 'Too many connections')",
                Refusal::Other,
            ),
            (
                503,
                Some("TEMPORARILY_UNAVAILABLE"),
                "(sqlite3.OperationalError) database is locked",
                Refusal::Other,
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

    #[test]
    fn of_what_a_database_says_no_sql_is_shown() {
        for (message, shown) in [
            (
                "(psycopg2.errors.InvalidRegularExpression) not balanced\n\n[SQL: SELECT secret",
                "its database says: not balanced",
            ),
            (
                "(psycopg2.errors.UndefinedFunction) no operator\nLINE 1: SELECT secret",
                "its database says: no operator",
            ),
            (
                "(pymysql.err.ProgrammingError) (1064, \"a syntax error near 'SELECT secret' at 1\")",
                "its database says: (1064, \"a syntax error",
            ),
            ("(one) of these", "(one) of these"),
            ("Trace not found", "Trace not found"),
        ] {
            assert_eq!(without_sql(message.to_owned()), shown);
        }
    }
}
