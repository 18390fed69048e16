//! The HTTP library's client, set up for one server: timeouts, certificates, and
//! what the machine itself has to have for that.

use std::path::Path;
use std::time::{Duration, SystemTime};

use reqwest::blocking::Client;
use reqwest::{Certificate, Identity};

use crate::parallel;
use crate::regular::{self, Links};
use crate::store::Connection;
use crate::store::{StoreError, plain_io_reason};

const USER_AGENT: &str = concat!("mlt/", env!("CARGO_PKG_VERSION"));
/// MLflow's server closes a connection on which nothing was asked for 5 s, and a
/// question that crosses with that is lost.
const LONGEST_IDLE: Duration = Duration::from_secs(3);
/// Bundles of all the authorities of the world are far smaller.
const LARGEST_PEM: u64 = 16 << 20;

/// A client; without certificates, which take longer to load than a plain request
/// takes to answer, where nothing is encrypted.
pub(super) fn build(connection: &Connection, encrypted: bool) -> Result<Client, StoreError> {
    check_threads()?;
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(connection.timeout)
        .pool_idle_timeout(LONGEST_IDLE)
        .connect_timeout(connection.connect_timeout.min(connection.timeout))
        .http1_only();
    let tls = &connection.tls;
    if encrypted {
        check_clock()?;
        builder = builder.tls_danger_accept_invalid_certs(tls.insecure);
        if let Some((setting, path)) = &tls.authorities {
            let pem = read(setting, path)?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .ok()
                .filter(|certificates| !certificates.is_empty())
                .ok_or_else(|| bad(setting, path, "there is no PEM certificate in it"))?;
            builder = builder.tls_certs_merge(certificates);
        }
        if let Some(path) = &tls.client_certificate {
            let setting = "MLFLOW_TRACKING_CLIENT_CERT_PATH";
            let pem = read(setting, path)?;
            let identity = Identity::from_pem(&pem).map_err(|_| {
                let expected = "expected a PEM file with a certificate and its private key";
                bad(setting, path, expected)
            })?;
            builder = builder.identity(identity);
        }
    } else {
        builder = builder.tls_certs_only(std::iter::empty());
    }
    builder.build().map_err(|_| StoreError::Setting {
        setting: "the connection".to_owned(),
        reason: if encrypted && (tls.authorities.is_some() || tls.client_certificate.is_some()) {
            "the certificates cannot be used".to_owned()
        } else {
            "it cannot be set up on this machine".to_owned()
        },
    })
}

fn bad(setting: &str, path: &Path, reason: impl Into<String>) -> StoreError {
    StoreError::Setting {
        setting: format!("{setting} {}", path.display()),
        reason: reason.into(),
    }
}

/// A file of certificates, and nothing that would never come to an end.
fn read(setting: &str, path: &Path) -> Result<Vec<u8>, StoreError> {
    regular::read(path, Links::Follow, LARGEST_PEM)
        .map_err(|error| bad(setting, path, plain_io_reason(&error)))
}

/// The library cannot do without threads, and says so by a panic.
fn check_threads() -> Result<(), StoreError> {
    if parallel::has_threads() {
        return Ok(());
    }
    Err(StoreError::Setting {
        setting: "the connection".to_owned(),
        reason: "the system gives mlt no thread to wait for the server with".to_owned(),
    })
}

/// Nor can it look at a certificate's dates before the epoch.
fn check_clock() -> Result<(), StoreError> {
    if SystemTime::now() < SystemTime::UNIX_EPOCH {
        return Err(StoreError::Setting {
            setting: "the clock of this machine".to_owned(),
            reason: "it is set to a time before 1970, when no certificate is valid".to_owned(),
        });
    }
    Ok(())
}
