//! One HTTP exchange with a tracking server: send, repeat where that is safe,
//! follow redirects within the host, and turn everything that can go wrong into
//! a typed error. Knows nothing of traces.

use std::error::Error as _;
use std::io::Read;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Response};
use reqwest::header::{ACCEPT, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Certificate, Identity, Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::settings::{Connection, Credentials};
use crate::store::StoreError;

/// Called once for every exchange, for `--verbose`; `None` for silence.
pub type RequestLog = Option<Arc<dyn Fn(&RequestRecord) + Send + Sync>>;

/// One exchange, for people to read.
#[derive(Debug, Clone)]
pub struct RequestRecord {
    /// `GET`, `POST` …
    pub method: String,
    /// Without credentials.
    pub url: String,
    /// The status, or what failed.
    pub outcome: String,
    /// From sending to the last byte.
    pub elapsed: Duration,
    /// Bytes of the body after decompression.
    pub bytes: usize,
    /// 0 for the first try.
    pub retry: u32,
}

const MAX_REDIRECTS: usize = 5;
const USER_AGENT: &str = concat!("mlt/", env!("CARGO_PKG_VERSION"));
/// Larger bodies are read all the same, but are not trusted to be announced truthfully.
const MAX_PREALLOCATION: u64 = 64 << 20;

/// A request, whole.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Value>,
    /// Whether sending it twice does no harm.
    pub(super) repeatable: bool,
}

impl Call {
    pub(super) fn get(url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            body: None,
            repeatable: true,
        }
    }

    /// A request with a JSON body that may be repeated: a question, or a change
    /// that comes to the same when it is made twice.
    pub(super) fn json(method: Method, url: Url, body: Value) -> Self {
        Self {
            method,
            url,
            body: Some(body),
            repeatable: true,
        }
    }
}

/// A client for one server.
pub(super) struct Http {
    connection: Connection,
    log: RequestLog,
    // Trust anchors take longer to load than a plain request takes to answer.
    plain: OnceLock<Client>,
    tls: OnceLock<Client>,
}

/// What a body was, or what went wrong with a single try.
enum Failure {
    /// Trying again may help.
    Passing(StoreError, Option<u64>),
    Final(StoreError),
}

impl Http {
    pub(super) fn new(connection: &Connection, log: RequestLog) -> Result<Self, StoreError> {
        let http = Self {
            connection: connection.clone(),
            log,
            plain: OnceLock::new(),
            tls: OnceLock::new(),
        };
        http.client(&connection.base)?;
        Ok(http)
    }

    /// The server's URL with `path` behind its base path.
    pub(super) fn url(&self, path: &[&str]) -> Url {
        let mut url = self.connection.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// Host and port, as in messages.
    pub(super) fn host(&self) -> String {
        host_of(&self.connection.base)
    }

    /// Sends and reads JSON.
    pub(super) fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, StoreError> {
        let body = self.send(call)?;
        serde_json::from_slice(&body).map_err(|error| self.bad_answer(call, &error))
    }

    /// A body that is JSON but not what was expected, or JSON cut short.
    pub(super) fn bad_answer(&self, call: &Call, error: &serde_json::Error) -> StoreError {
        StoreError::BadAnswer {
            host: self.host(),
            path: call.url.path().to_owned(),
            reason: if error.is_eof() {
                format!("it is cut short ({error})")
            } else {
                error.to_string()
            },
        }
    }

    /// Sends and gives the body of a success, which begins like JSON.
    pub(super) fn send(&self, call: &Call) -> Result<Vec<u8>, StoreError> {
        let policy = &self.connection.retry;
        let mut retry = 0;
        loop {
            let (error, retry_after) = match self.try_once(call, retry) {
                Ok(body) => return Ok(body),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(error, retry_after)) => (error, retry_after),
            };
            let asked = retry_after
                .filter(|_| policy.respect_retry_after)
                .map(Duration::from_secs);
            let wait = asked.unwrap_or_else(|| {
                policy
                    .backoff
                    .saturating_mul(1 << retry.min(16))
                    .min(policy.longest_wait)
                    + policy.jitter.mul_f64(random_fraction())
            });
            let too_long = asked.is_some_and(|wait| wait > policy.longest_wait);
            if !call.repeatable || retry >= policy.max_retries || too_long {
                return Err(error);
            }
            thread::sleep(wait);
            retry += 1;
        }
    }

    fn try_once(&self, call: &Call, retry: u32) -> Result<Vec<u8>, Failure> {
        let started = Instant::now();
        let result = self.exchange(call);
        if let Some(log) = &self.log {
            let (outcome, bytes) = match &result {
                Ok((status, body)) => (status.to_string(), body.len()),
                Err(error) => (error.to_string(), 0),
            };
            log(&RequestRecord {
                method: call.method.to_string(),
                url: call.url.to_string(),
                outcome,
                elapsed: started.elapsed(),
                bytes,
                retry,
            });
        }
        match result {
            Ok((answer, body)) => self.judge(call, &answer, body),
            Err(error @ (StoreError::Unreachable { .. } | StoreError::BrokenOff { .. })) => {
                Err(Failure::Passing(error, None))
            }
            Err(error) => Err(Failure::Final(error)),
        }
    }

    /// One request and its redirects; the body is read to its end.
    fn exchange(&self, call: &Call) -> Result<(Answer, Vec<u8>), StoreError> {
        let mut url = call.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut response = self.request(call, &url)?;
            if response.status().is_redirection()
                && let Some(target) = redirect_target(&url, &response)
            {
                self.check_redirect(&url, &target)?;
                url = target;
                continue;
            }
            let answer = Answer {
                status: response.status(),
                retry_after: response
                    .headers()
                    .get(RETRY_AFTER)
                    .and_then(|v| v.to_str().ok()?.trim().parse().ok()),
            };
            let body = self.read_body(&mut response)?;
            return Ok((answer, body));
        }
        Err(StoreError::Redirect {
            host: self.host(),
            target: origin_of(&url),
            reason: "it keeps redirecting; check the tracking URI",
        })
    }

    fn request(&self, call: &Call, url: &Url) -> Result<Response, StoreError> {
        let mut request = self
            .client(url)?
            .request(call.method.clone(), url.clone())
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        request = match &self.connection.credentials {
            Some(Credentials::Basic { username, password }) => {
                request.basic_auth(username, Some(password.expose()))
            }
            Some(Credentials::Token(token)) => request.bearer_auth(token.expose()),
            None => request,
        };
        if let Some(workspace) = &self.connection.workspace {
            request = request.header("X-MLFLOW-WORKSPACE", workspace);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        request.send().map_err(|error| {
            if error.is_builder() {
                return StoreError::Setting {
                    setting: "MLFLOW_TRACKING_TOKEN or MLFLOW_WORKSPACE".to_owned(),
                    reason: "a line break or other control character cannot be sent".to_owned(),
                };
            }
            self.transport_error(&error, None)
        })
    }

    fn read_body(&self, response: &mut Response) -> Result<Vec<u8>, StoreError> {
        let announced = response
            .content_length()
            .unwrap_or(0)
            .min(MAX_PREALLOCATION);
        let mut body = Vec::with_capacity(usize::try_from(announced).unwrap_or(0));
        match response.read_to_end(&mut body) {
            Ok(_) => Ok(body),
            Err(error) => Err(match error.get_ref().and_then(|e| e.downcast_ref()) {
                Some(inner) => self.transport_error(inner, Some(body.len())),
                None if error.kind() == std::io::ErrorKind::TimedOut => self.timed_out(),
                None => StoreError::BrokenOff {
                    host: self.host(),
                    received: body.len(),
                    reason: error.to_string(),
                },
            }),
        }
    }

    /// A success's body, or what an error status means.
    fn judge(&self, call: &Call, answer: &Answer, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let host = self.host();
        let path = call.url.path().to_owned();
        let status = answer.status;
        let starts_as_json = matches!(
            body.iter().find(|b| !b.is_ascii_whitespace()),
            Some(b'{' | b'[')
        );
        if status.is_success() {
            return if starts_as_json {
                Ok(body)
            } else {
                Err(Failure::Final(StoreError::NotJson {
                    host,
                    path,
                    found: describe_body(&body),
                }))
            };
        }
        let server = serde_json::from_slice::<ServerError>(&body).unwrap_or_default();
        let code = server.error_code.clone();
        let message = server.text().unwrap_or_else(|| describe_body(&body));
        let refused = |message: String| StoreError::Refused {
            host: host.clone(),
            status: status.as_u16(),
            code: code.clone(),
            message,
            retry_after: answer.retry_after,
        };
        Err(match status.as_u16() {
            401 => Failure::Final(StoreError::Unauthorized {
                host,
                had_credentials: self.connection.credentials.is_some(),
                message,
            }),
            403 => Failure::Final(StoreError::Forbidden { host, message }),
            404 if !starts_as_json => Failure::Final(StoreError::NoSuchEndpoint { host, path }),
            408 | 429 | 502 | 503 | 504 => Failure::Passing(refused(message), answer.retry_after),
            _ => Failure::Final(refused(message)),
        })
    }

    fn transport_error(&self, error: &reqwest::Error, received: Option<usize>) -> StoreError {
        if error.is_timeout() {
            return self.timed_out();
        }
        let host = self.host();
        let mut reason = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            reason = inner.to_string();
            cause = inner.source();
        }
        // Neither the system's error number nor the TLS library's link to its manual.
        let reason = [" (os error", ": https://"]
            .iter()
            .fold(reason.as_str(), |text, tail| {
                text.split(tail).next().unwrap_or_default()
            })
            .to_lowercase();
        if reason.contains("certificaterequired") {
            let reason = "it wants a client certificate".to_owned();
            return StoreError::Unreachable { host, reason };
        }
        if reason.contains("invalidcontenttype") {
            let reason = "it does not answer by TLS; with `http://` it may answer".to_owned();
            return StoreError::Unreachable { host, reason };
        }
        if reason.contains("certificate") {
            let reason = in_words(&reason).to_owned();
            return StoreError::Tls { host, reason };
        }
        match received {
            Some(received) => StoreError::BrokenOff {
                host,
                received,
                reason,
            },
            None => StoreError::Unreachable { host, reason },
        }
    }

    fn timed_out(&self) -> StoreError {
        StoreError::Timeout {
            host: self.host(),
            seconds: self.connection.timeout.as_secs_f64(),
        }
    }

    /// Credentials stay with the host that they were meant for, and are never
    /// sent less safely than the user asked for.
    fn check_redirect(&self, from: &Url, to: &Url) -> Result<(), StoreError> {
        let same_host = from.host() == to.host();
        let same_port = from.port_or_known_default() == to.port_or_known_default();
        let upgrade = from.scheme() == "http" && to.scheme() == "https";
        let reason = if !self.connection.follow_redirects {
            "MLFLOW_ALLOW_HTTP_REDIRECTS switches redirects off"
        } else if !same_host {
            "it is another host, which mlt does not follow"
        } else if !(upgrade || (same_port && from.scheme() == to.scheme())) {
            "it is another server on the same host, which mlt does not follow"
        } else {
            return Ok(());
        };
        Err(StoreError::Redirect {
            host: host_of(from),
            target: origin_of(to),
            reason,
        })
    }

    fn client(&self, url: &Url) -> Result<&Client, StoreError> {
        let encrypted = url.scheme() == "https";
        let slot = if encrypted { &self.tls } else { &self.plain };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let client = self.build_client(encrypted)?;
        Ok(slot.get_or_init(|| client))
    }

    fn build_client(&self, encrypted: bool) -> Result<Client, StoreError> {
        let mut builder = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(self.connection.timeout)
            .connect_timeout(self.connection.connect_timeout.min(self.connection.timeout))
            .http1_only();
        let tls = &self.connection.tls;
        if encrypted {
            builder = builder.tls_danger_accept_invalid_certs(tls.insecure);
            if let Some((setting, path)) = &tls.authorities {
                let bad = |reason: String| StoreError::Setting {
                    setting: format!("{setting} {}", path.display()),
                    reason,
                };
                let pem = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
                let certificates =
                    Certificate::from_pem_bundle(&pem).map_err(|e| bad(e.to_string()))?;
                if certificates.is_empty() {
                    return Err(bad("there is no PEM certificate in it".to_owned()));
                }
                builder = builder.tls_certs_merge(certificates);
            }
            if let Some(path) = &tls.client_certificate {
                let bad = |reason: String| StoreError::Setting {
                    setting: format!("MLFLOW_TRACKING_CLIENT_CERT_PATH {}", path.display()),
                    reason,
                };
                let pem = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
                builder = builder.identity(Identity::from_pem(&pem).map_err(|_| {
                    bad("expected a PEM file with a certificate and its private key".to_owned())
                })?);
            }
        } else {
            builder = builder.tls_certs_only(std::iter::empty());
        }
        builder.build().map_err(|error| StoreError::Setting {
            setting: "the connection".to_owned(),
            reason: error.to_string(),
        })
    }
}

struct Answer {
    status: StatusCode,
    retry_after: Option<u64>,
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.status.as_u16())
    }
}

/// MLflow's error body, or FastAPI's.
#[derive(Deserialize, Default)]
struct ServerError {
    error_code: Option<String>,
    message: Option<String>,
    detail: Option<Value>,
}

impl ServerError {
    fn text(self) -> Option<String> {
        self.message
            .or(self.detail.map(|detail| match detail {
                Value::String(text) => text,
                other => other.to_string(),
            }))
            .map(|text| text.trim().trim_end_matches('.').to_owned())
            .filter(|text| !text.is_empty())
    }
}

fn redirect_target(from: &Url, response: &Response) -> Option<Url> {
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    from.join(location).ok()
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn origin_of(url: &Url) -> String {
    format!("{}://{}", url.scheme(), host_of(url))
}

/// What is wrong with a certificate, where the TLS library only has a name for it.
fn in_words(reason: &str) -> &str {
    if reason.contains("unknownissuer") {
        "its authority is not a known one"
    } else if reason.contains("causedasendentity") {
        "it is the certificate of an authority and not of a server"
    } else {
        reason
            .strip_prefix("invalid peer certificate: ")
            .unwrap_or(reason)
    }
}

/// What a body that is not JSON looks like, in two or three words.
fn describe_body(body: &[u8]) -> String {
    const SHOWN: usize = 200;
    let text = String::from_utf8_lossy(&body[..body.len().min(4096)]);
    let text = text.trim();
    let start = text.get(..15).unwrap_or(text).to_ascii_lowercase();
    if text.is_empty() {
        "an empty body".to_owned()
    } else if start.starts_with("<!doctype html") || start.starts_with("<html") {
        "an HTML page".to_owned()
    } else if start.starts_with('<') {
        "XML".to_owned()
    } else {
        let line = text.lines().next().unwrap_or_default();
        let cut: String = line.chars().take(SHOWN).collect();
        if cut.len() < text.len() {
            format!("the text `{cut}…`")
        } else {
            format!("the text `{cut}`")
        }
    }
}

/// A number from 0 to 1 that differs between processes and calls.
fn random_fraction() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let hash = RandomState::new().hash_one(Instant::now());
    f64::from(u32::try_from(hash >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}
