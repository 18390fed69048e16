//! TLS for a connection with a database, whose certificate is checked as its URI says.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use crate::store::{CertificateCheck, CertificateFault, DatabaseTls, StoreError};

/// How a URI names what is set of it.
pub(super) struct Names {
    mode: &'static str,
    authorities: &'static str,
    certificate: &'static str,
    key: &'static str,
}

#[cfg(feature = "postgres")]
pub(super) const POSTGRES: Names = Names {
    mode: "sslmode",
    authorities: "sslrootcert",
    certificate: "sslcert",
    key: "sslkey",
};

#[cfg(feature = "mysql")]
pub(super) const MYSQL: Names = Names {
    mode: "ssl_mode",
    authorities: "ssl_ca",
    certificate: "ssl_cert",
    key: "ssl_key",
};

/// # Errors
/// A file of certificates or of a key that cannot be used.
pub(super) fn config(tls: &DatabaseTls, names: &Names) -> Result<Arc<ClientConfig>, StoreError> {
    let provider = CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()));
    let unusable = |setting: &str, reason: String| StoreError::Setting {
        setting: setting.to_owned(),
        reason,
    };
    let failed = |error: Error| unusable(names.mode, error.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let of_authorities: Arc<dyn ServerCertVerifier> = match &tls.authorities {
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(names.authorities, path)? {
                roots
                    .add(certificate)
                    .map_err(|error| unusable(names.authorities, error.to_string()))?;
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| unusable(names.authorities, error.to_string()))?
        }
        None => Arc::new(Verifier::new(Arc::clone(&provider)).map_err(failed)?),
    };
    let verifier = Arc::new(Checks {
        of_authorities,
        all: tls.checks,
    });
    let builder = builder
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match &tls.client_certificate {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(names.certificate, certificate)?;
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|_| unusable(names.key, no_file(key, "private key")))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| unusable(names.certificate, error.to_string()))?
        }
    };
    Ok(Arc::new(config))
}

fn no_file(path: &Path, what: &str) -> String {
    match fs::metadata(path) {
        Ok(_) => format!("{} holds no {what}", path.display()),
        Err(error) => format!(
            "cannot read {}: {}",
            path.display(),
            crate::store::plain_io_reason(&error)
        ),
    }
}

fn certificates(setting: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match all {
        Ok(all) if !<Vec<_> as AsRef<[_]>>::as_ref(&all).is_empty() => Ok(all),
        _ => Err(StoreError::Setting {
            setting: setting.to_owned(),
            reason: no_file(path, "certificate"),
        }),
    }
}

/// Checks as much of a certificate as was asked for.
#[derive(Debug)]
struct Checks {
    of_authorities: Arc<dyn ServerCertVerifier>,
    all: CertificateCheck,
}

impl ServerCertVerifier for Checks {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.all == CertificateCheck::Nothing {
            return Ok(ServerCertVerified::assertion());
        }
        let all = self
            .of_authorities
            .verify_server_cert(own, others, name, ocsp, now);
        match all {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.all == CertificateCheck::Authority => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.of_authorities
            .verify_tls12_signature(message, own, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.of_authorities
            .verify_tls13_signature(message, own, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.of_authorities.supported_verify_schemes()
    }
}

/// What is wrong with a certificate.
pub(super) fn certificate_fault(error: &CertificateError) -> CertificateFault {
    use CertificateError as E;
    match error {
        E::Expired | E::ExpiredContext { .. } => CertificateFault::Expired(None),
        E::NotValidYet | E::NotValidYetContext { .. } => CertificateFault::NotYetValid(None),
        E::UnknownIssuer => CertificateFault::UnknownAuthority,
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            CertificateFault::OtherName("it is for another host".to_owned())
        }
        E::Revoked => CertificateFault::Revoked,
        E::BadSignature => CertificateFault::BadSignature,
        E::BadEncoding => CertificateFault::BadEncoding,
        _ => CertificateFault::Other,
    }
}
