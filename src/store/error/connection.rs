//! What can go wrong on the way to a server: with the connection, with its
//! certificate, with a proxy in between.

use chrono::NaiveDate;

use crate::store::Stranger;

/// Why a connection cannot be made or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionFault {
    /// No address belongs to the host.
    #[error("there is no address for this name")]
    NoAddress,
    /// TLS was asked for, and what came is something else, such as plain HTTP.
    #[error("it does not answer by TLS; with `http://` it may answer")]
    Plain,
    /// TLS was asked for, and what came is broken.
    #[error("it does not answer by TLS")]
    NotTls,
    /// No cipher or other way that both know.
    #[error("it and mlt have no way of TLS in common")]
    NoCommonTls,
    /// No version that both know.
    #[error("it and mlt have no version of TLS in common")]
    NoCommonVersion,
    /// The server has no certificate for the host.
    #[error("it serves no such name")]
    UnknownName,
    /// The server wants to see who asks.
    #[error("it wants a client certificate")]
    WantsCertificate,
    /// The server ended the handshake for another reason.
    #[error("it broke off the TLS handshake")]
    HandshakeBrokenOff,
    /// Something else than HTTP.
    #[error("it does not answer by HTTP")]
    NotHttp,
    /// HTTP with more headers than are read.
    #[error("the head of its answer is too large")]
    HeadTooLarge,
    /// HTTP with a length that is none.
    #[error("it announces an impossible length")]
    ImpossibleLength,
    /// HTTP in a form that is none.
    #[error("the form of its answer is not one of HTTP")]
    ImpossibleForm,
    /// More than the answer.
    #[error("it sends what was not asked for")]
    Unasked,
    /// Another kind of server than the one that was looked for.
    #[error("{0} answers there")]
    Stranger(Stranger),
    /// In the words of the operating system or of a library, for showing only.
    #[error("{0}")]
    Other(String),
}

/// What is wrong with a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// It was valid until this day.
    #[error("it expired{}", on(*.0))]
    Expired(Option<NaiveDate>),
    /// It will be valid from this day on.
    #[error("it is not valid {}", before(*.0))]
    NotYetValid(Option<NaiveDate>),
    /// Nobody who is trusted has signed it.
    #[error("its authority is not a known one")]
    UnknownAuthority,
    /// It is there to sign others.
    #[error("it is the certificate of an authority and not of a server")]
    OfAuthority,
    /// It is for other hosts, which the TLS library lists.
    #[error("{0}")]
    OtherName(String),
    /// Its authority took it back.
    #[error("it was revoked")]
    Revoked,
    /// Its signature does not belong to it.
    #[error("its signature is wrong")]
    BadSignature,
    /// It is no certificate at all.
    #[error("it is not in the form of a certificate")]
    BadEncoding,
    /// The TLS library cannot judge it.
    #[error("it is of a kind that mlt does not know")]
    UnknownKind,
    /// There is none.
    #[error("it shows none")]
    Missing,
    /// Anything else.
    #[error("it is not one that a server may have")]
    Other,
}

fn on(day: Option<NaiveDate>) -> String {
    day.map_or_else(String::new, |day| format!(" on {day}"))
}

fn before(day: Option<NaiveDate>) -> String {
    day.map_or_else(|| "yet".to_owned(), |day| format!("before {day}"))
}

/// Why a proxy does not pass requests on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFault {
    /// It only wants to know who asks.
    #[error("it wants a login")]
    WantsLogin,
    /// It does not want to, or cannot.
    #[error("it does not connect to the server")]
    Refuses,
    /// It is something else than a proxy.
    #[error("it did not answer as a proxy does")]
    NotAProxy,
    /// It is not reached itself.
    #[error(transparent)]
    Connection(ConnectionFault),
}
