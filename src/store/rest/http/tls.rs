//! What the TLS library's errors mean for the server that they are about.

use chrono::{DateTime, NaiveDate};
use rustls::pki_types::UnixTime;
use rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, OtherError, PeerIncompatible,
};

use super::body::cut;
use super::fault::SHOWN;
use crate::store::{CertificateFault, ConnectionFault};

/// What is wrong with the server's certificate, where an error is about that.
pub(super) fn certificate(error: &Error) -> Option<CertificateFault> {
    Some(match error {
        Error::InvalidCertificate(error) => invalid(error),
        Error::NoCertificatesPresented => CertificateFault::Missing,
        Error::InvalidCertRevocationList(_)
        | Error::InvalidMessage(
            InvalidMessage::CertificatePayloadTooLarge
            | InvalidMessage::InvalidCertificateStatusType
            | InvalidMessage::UnknownCertificateExtension,
        ) => CertificateFault::Other,
        _ => return None,
    })
}

fn invalid(error: &CertificateError) -> CertificateFault {
    use CertificateError as E;
    match error {
        E::Expired => CertificateFault::Expired(None),
        E::ExpiredContext { not_after, .. } => CertificateFault::Expired(day(*not_after)),
        E::NotValidYet => CertificateFault::NotYetValid(None),
        E::NotValidYetContext { not_before, .. } => CertificateFault::NotYetValid(day(*not_before)),
        E::UnknownIssuer => CertificateFault::UnknownAuthority,
        E::NotValidForName => CertificateFault::OtherName("it is not for this name".to_owned()),
        E::NotValidForNameContext { .. } => {
            CertificateFault::OtherName(cut(&error.to_string().to_lowercase(), SHOWN))
        }
        E::Revoked => CertificateFault::Revoked,
        E::BadSignature => CertificateFault::BadSignature,
        E::BadEncoding => CertificateFault::BadEncoding,
        E::UnsupportedSignatureAlgorithmContext { .. }
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            CertificateFault::UnknownKind
        }
        E::Other(OtherError(inner)) => match inner.downcast_ref() {
            Some(webpki::Error::CaUsedAsEndEntity) => CertificateFault::OfAuthority,
            Some(
                webpki::Error::UnsupportedCertVersion
                | webpki::Error::UnsupportedCriticalExtension
                | webpki::Error::UnsupportedNameType,
            ) => CertificateFault::UnknownKind,
            _ => CertificateFault::Other,
        },
        _ => CertificateFault::Other,
    }
}

fn day(time: UnixTime) -> Option<NaiveDate> {
    let seconds = i64::try_from(time.as_secs()).ok()?;
    Some(DateTime::from_timestamp(seconds, 0)?.date_naive())
}

/// Why no connection came about, where more is known than the library's words.
pub(super) fn connection(error: &Error) -> Option<ConnectionFault> {
    Some(match error {
        Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => ConnectionFault::WantsCertificate,
            AlertDescription::HandshakeFailure => ConnectionFault::NoCommonTls,
            AlertDescription::ProtocolVersion => ConnectionFault::NoCommonVersion,
            AlertDescription::UnrecognisedName => ConnectionFault::UnknownName,
            _ => ConnectionFault::HandshakeBrokenOff,
        },
        Error::InvalidMessage(message) => match message {
            InvalidMessage::InvalidContentType => ConnectionFault::Plain,
            InvalidMessage::UnknownProtocolVersion => ConnectionFault::NoCommonVersion,
            _ => ConnectionFault::NotTls,
        },
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => ConnectionFault::NoCommonVersion,
        Error::PeerIncompatible(_) => ConnectionFault::NoCommonTls,
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            ConnectionFault::Unasked
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::pki_types::ServerName;

    use super::*;

    fn told(error: CertificateError) -> String {
        let fault = certificate(&Error::InvalidCertificate(error));
        fault.expect("it is about the certificate").to_string()
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_told_for_people() {
        let time = at(1_795_000_000);
        let other = |error| CertificateError::Other(OtherError(Arc::new(error)));
        for (error, said) in [
            (
                CertificateError::ExpiredContext {
                    time,
                    not_after: at(1_790_000_000),
                },
                "it expired on 2026-09-21",
            ),
            (CertificateError::Expired, "it expired"),
            (
                CertificateError::NotValidYetContext {
                    time,
                    not_before: at(1_800_000_000),
                },
                "it is not valid before 2027-01-15",
            ),
            (
                CertificateError::NotValidYetContext {
                    time,
                    not_before: at(u64::MAX),
                },
                "it is not valid yet",
            ),
            (
                CertificateError::UnknownIssuer,
                "its authority is not a known one",
            ),
            (CertificateError::Revoked, "it was revoked"),
            (CertificateError::BadSignature, "its signature is wrong"),
            (
                CertificateError::BadEncoding,
                "it is not in the form of a certificate",
            ),
            (
                CertificateError::UnsupportedSignatureAlgorithmContext {
                    signature_algorithm_id: Vec::new(),
                    supported_algorithms: Vec::new(),
                },
                "it is of a kind that mlt does not know",
            ),
            (
                other(webpki::Error::UnsupportedCertVersion),
                "it is of a kind that mlt does not know",
            ),
            (
                other(webpki::Error::CaUsedAsEndEntity),
                "it is the certificate of an authority and not of a server",
            ),
            (
                other(webpki::Error::PathLenConstraintViolated),
                "it is not one that a server may have",
            ),
            (
                CertificateError::InvalidPurpose,
                "it is not one that a server may have",
            ),
        ] {
            assert_eq!(told(error.clone()), said, "{error:?}");
        }
    }

    #[test]
    fn a_host_is_not_taken_for_what_is_wrong() {
        let error = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("revoked.test").expect("a name"),
            presented: vec!["DnsName(\"badsignature.test\")".to_owned()],
        };
        assert_eq!(
            told(error),
            "certificate not valid for name \"revoked.test\"; certificate is only valid for dnsname(\"badsignature.test\")"
        );
    }

    #[test]
    fn what_is_not_about_the_certificate_is_about_the_connection() {
        use ConnectionFault as Fault;
        for (error, fault) in [
            (
                Error::AlertReceived(AlertDescription::CertificateRequired),
                Some(Fault::WantsCertificate),
            ),
            (
                Error::AlertReceived(AlertDescription::UnrecognisedName),
                Some(Fault::UnknownName),
            ),
            (
                Error::AlertReceived(AlertDescription::BadCertificate),
                Some(Fault::HandshakeBrokenOff),
            ),
            (
                Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
                Some(Fault::NoCommonTls),
            ),
            (
                Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
                Some(Fault::NoCommonVersion),
            ),
            (
                Error::InvalidMessage(InvalidMessage::InvalidCcs),
                Some(Fault::NotTls),
            ),
            (Error::DecryptError, None),
        ] {
            assert_eq!(connection(&error), fault, "{error:?}");
            assert_eq!(certificate(&error), None, "{error:?}");
        }
        let missing = certificate(&Error::NoCertificatesPresented);
        assert_eq!(missing, Some(CertificateFault::Missing));
    }
}
