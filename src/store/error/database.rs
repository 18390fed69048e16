//! Why a database server does not do what it is asked to.

use super::CertificateFault;

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseFault {
    /// User and password do not fit.
    #[error("it does not take this user and password")]
    Login,
    /// It wants a password and was given none.
    #[error("it wants a password")]
    NoPassword,
    /// It knows no way to log in that mlt has.
    #[error("it wants a login that mlt does not have")]
    OtherLogin,
    /// Its rules let nobody in from here, or not without TLS.
    #[error("it does not let this user in from here")]
    NotFromHere,
    /// There is no database of this name.
    #[error("there is no such database")]
    NoDatabase,
    /// It has no TLS, and nothing less will do.
    #[error("it has no TLS, which the URI asks for")]
    NoTls,
    /// Its certificate was not accepted.
    #[error("its certificate cannot be trusted: {0}")]
    Certificate(CertificateFault),
    /// The user may not read the tables.
    #[error("this user may not read its tables")]
    MayNotRead,
    /// The user may not read the database, if there is one of this name.
    #[error("this user may not read its tables, or there is no such database")]
    MayNotEnter,
    /// The user may read some of the tables, and not these.
    #[error("this user may not read all of its tables: {0}")]
    MayNotReadAll(String),
    /// The user, or anybody, may do nothing but read.
    #[error("this user may only read")]
    MayOnlyRead,
    /// It has no place for another connection, or is being started or stopped.
    #[error("it takes no connections now")]
    NotNow,
    /// The connection ended.
    #[error("it ended the connection")]
    Ended,
    /// Somebody else changed the same at the same time.
    #[error("somebody changed the same at the same time")]
    Conflict,
    /// A text has a character that no text of it may have.
    #[error("its texts hold no character U+0000, and one of these has it")]
    Nul,
    /// A text is longer than its column takes.
    #[error("{}", too_long(.column.as_deref(), .limit.as_deref()))]
    TooLong {
        /// The column, with its table where that is known.
        column: Option<String>,
        /// The most that it takes, with its unit.
        limit: Option<String>,
    },
    /// A text has a character that the character set of its column has not.
    #[error("{0} does not take every character of a text, such as emoji")]
    Characters(String),
    /// It cannot do what it is asked, for a reason that has a code.
    #[error("it does not take the question (error {0})")]
    Code(String),
    /// It answers in another way than such a database.
    #[error("it does not answer as such a database does")]
    Answer,
}

fn too_long(column: Option<&str>, limit: Option<&str>) -> String {
    let column = column.unwrap_or("its column");
    match limit {
        Some(limit) => format!("a text is too long: {column} takes {limit} at most"),
        None => format!("a text is too long for {column}"),
    }
}

impl DatabaseFault {
    /// Whether it is about who asks.
    pub const fn is_of_login(&self) -> bool {
        matches!(
            self,
            Self::Login
                | Self::NoPassword
                | Self::OtherLogin
                | Self::NotFromHere
                | Self::MayNotRead
                | Self::MayNotEnter
                | Self::MayNotReadAll(_)
                | Self::MayOnlyRead
        )
    }

    /// Whether it is about what is to be written.
    pub const fn is_of_data(&self) -> bool {
        matches!(self, Self::Nul | Self::TooLong { .. } | Self::Characters(_))
    }

    /// Whether the same may work later.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::NotNow | Self::Ended | Self::Conflict)
    }
}
