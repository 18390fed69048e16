//! One HTTP exchange with a tracking server: send, repeat where that is safe,
//! follow redirects within the host, and turn everything that can go wrong into
//! a typed error. Knows nothing of traces.

mod answers;
mod body;
mod call;
mod client;
mod fault;
mod hidden;
mod json;
mod mask;
mod redirect;
mod retry;
mod tls;

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde::de::DeserializeOwned;
use url::Url;

use self::body::{ServerError, Stopped};
pub(super) use self::call::{Body, Call};
use self::fault::Place;
use self::mask::Masks;
use crate::store::wire::{self, Flaw, InfoPage};
use crate::store::{
    BadBody, Connection, ConnectionFault, Credentials, ProxyFault, Refusal, StoreError, Stranger,
};

/// Called once for every exchange, for `--verbose`; `None` for silence.
pub type RequestLog = Option<Arc<dyn Fn(Logged<'_>) + Send + Sync>>;

/// What is told of exchanges.
#[derive(Debug, Clone, Copy)]
pub enum Logged<'l> {
    /// One of them.
    Request(&'l RequestRecord),
    /// What follows from one.
    Remark(&'l str),
}

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
const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
/// Characters of a server's error code that are shown.
const CODE: usize = 100;
/// Characters of a path that are shown.
const PATH: usize = 200;

/// A client for one server.
pub(super) struct Http {
    connection: Connection,
    log: RequestLog,
    masks: Masks,
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
            masks: Masks::of(connection),
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
        redirect::host_of(&self.connection.base)
    }

    /// Sends and reads JSON.
    pub(super) fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, StoreError> {
        let body = self.send(call)?;
        wire::from_slice(&body).map_err(|error| self.bad_answer(call, &error))
    }

    /// Sends and reads a page of traces.
    pub(super) fn page(&self, call: &Call) -> Result<InfoPage, StoreError> {
        let body = self.send(call)?;
        wire::read_page(&body).map_err(|error| self.bad_answer(call, &error))
    }

    /// A body whose spans cannot be read.
    pub(super) fn bad_spans(&self, call: &Call, flaw: &Flaw) -> StoreError {
        StoreError::BadAnswer {
            host: self.host(),
            path: self.path(call),
            reason: if flaw.is_cut {
                BadBody::CutShort(flaw.to_string())
            } else {
                BadBody::OtherForm(flaw.to_string())
            },
        }
    }

    /// A body that is JSON but not what was expected, or JSON cut short.
    pub(super) fn bad_answer(&self, call: &Call, error: &serde_json::Error) -> StoreError {
        StoreError::BadAnswer {
            host: self.host(),
            path: self.path(call),
            reason: json::fault(error),
        }
    }

    /// Sends and gives the body of a success, which begins like JSON unless the call
    /// asks for plain text.
    pub(super) fn send(&self, call: &Call) -> Result<Vec<u8>, StoreError> {
        let policy = &self.connection.retry;
        let mut retry = 0;
        loop {
            let (error, retry_after) = match self.try_once(call, retry) {
                Ok(body) => return Ok(body),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(error, retry_after)) => (error, retry_after),
            };
            let wait = retry::wait(policy, retry, retry_after);
            let Some(wait) = wait.filter(|_| call.repeatable) else {
                return Err(self.or_stranger(error));
            };
            thread::sleep(wait);
            retry += 1;
        }
    }

    /// The same error, unless a database answers there.
    fn or_stranger(&self, error: StoreError) -> StoreError {
        let base = &self.connection.base;
        let place = (base.host_str(), base.port_or_known_default());
        let (StoreError::Unreachable { host, .. }, (Some(name), Some(port))) = (&error, place)
        else {
            return error;
        };
        match Stranger::at(name.trim_matches(['[', ']']), port) {
            Some(stranger) if stranger != Stranger::Http => StoreError::Unreachable {
                host: host.clone(),
                reason: ConnectionFault::Stranger(stranger),
            },
            _ => error,
        }
    }

    /// Tells whoever is told of exchanges what follows from one.
    pub(super) fn remark(&self, text: &str) {
        if let Some(log) = &self.log {
            log(Logged::Remark(text));
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
            log(Logged::Request(&RequestRecord {
                method: call.method.to_string(),
                url: self.masks.hide(call.url.as_str()).into_owned(),
                outcome,
                elapsed: started.elapsed(),
                bytes,
                retry,
            }));
        }
        match result {
            Ok((answer, body)) => self.judge(call, answer, body),
            Err(
                error @ (StoreError::Unreachable { .. }
                | StoreError::Proxy { .. }
                | StoreError::BrokenOff { .. }),
            ) => Err(Failure::Passing(error, None)),
            Err(error) => Err(Failure::Final(error)),
        }
    }

    /// One request and its redirects; the body is read to its end.
    fn exchange(&self, call: &Call) -> Result<(Answer, Vec<u8>), StoreError> {
        let deadline = Instant::now() + self.connection.max_time;
        let mut url = call.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut response = self.request(call, &url, deadline)?;
            if response.status().is_redirection()
                && let Some(target) = redirect::target(&url, &response)
            {
                self.check_redirect(&url, &target)?;
                url = target;
                continue;
            }
            let retry_after = response.headers().get(RETRY_AFTER);
            let answer = Answer {
                status: response.status(),
                retry_after: retry_after.and_then(|value| retry::seconds(value.to_str().ok()?)),
                host: redirect::host_of(&url),
            };
            let body = self.read_body(&mut response, call, &url, deadline)?;
            return Ok((answer, body));
        }
        Err(StoreError::Redirect {
            host: self.host(),
            target: self.shown(&redirect::origin(&url)),
            hint: "it keeps redirecting; check the tracking URI".to_owned(),
        })
    }

    fn request(&self, call: &Call, url: &Url, deadline: Instant) -> Result<Response, StoreError> {
        let mut request = self
            .client(url)?
            .request(call.method.clone(), url.clone())
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        // A limit of the request's own is one for the whole, and takes the place of
        // that for each sign of life.
        let left = deadline.saturating_duration_since(Instant::now());
        if left < self.connection.timeout {
            request = request.timeout(left.max(Duration::from_millis(1)));
        }
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
        if let Some((name, value)) = &call.header {
            request = request.header(*name, value);
        }
        request = match &call.body {
            Some(Body::Json(body)) => request.json(body),
            Some(Body::Protobuf(message)) => {
                request.header(CONTENT_TYPE, PROTOBUF).body(message.clone())
            }
            None => request,
        };
        request.send().map_err(|error| {
            if error.is_builder() {
                return StoreError::Setting {
                    setting: "MLFLOW_TRACKING_TOKEN or MLFLOW_WORKSPACE".to_owned(),
                    reason: "a line break or other control character cannot be sent".to_owned(),
                };
            }
            self.transport_error(url, &error, None, deadline)
        })
    }

    /// All of the body of a success, and the start of that of an error.
    fn read_body(
        &self,
        response: &mut Response,
        call: &Call,
        url: &Url,
        deadline: Instant,
    ) -> Result<Vec<u8>, StoreError> {
        let limit = self.connection.max_body;
        let outcome = if response.status().is_success() {
            let announced = response.content_length();
            body::read(response, announced, limit, deadline)
        } else {
            body::read_start(response, deadline)
        };
        let host = redirect::host_of(url);
        outcome.map_err(|stopped| match stopped {
            Stopped::TooLarge => StoreError::TooLarge {
                host,
                path: self.path(call),
                limit,
            },
            Stopped::TooLate => self.too_slow(host),
            Stopped::Broken(error, received) => {
                match error.get_ref().and_then(|e| e.downcast_ref()) {
                    Some(inner) => self.transport_error(url, inner, Some(received), deadline),
                    None if error.kind() == std::io::ErrorKind::TimedOut => {
                        self.timed_out(host, deadline)
                    }
                    None => StoreError::BrokenOff {
                        host,
                        received,
                        reason: fault::connection(&error),
                    },
                }
            }
        })
    }

    /// A success's body, or what an error status means.
    fn judge(&self, call: &Call, answer: Answer, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let Answer {
            status,
            retry_after,
            host,
        } = answer;
        let path = self.path(call);
        let starts_as_json = body::starts_as_json(&body);
        let describe = || body::describe(&body, |text| self.masks.hide(text).into_owned());
        if status.is_success() {
            if starts_as_json || call.plain {
                return Ok(body);
            }
            let found = describe();
            return Err(Failure::Final(StoreError::NotJson { host, path, found }));
        }
        if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
            && let Some(proxy) = self.connection.proxies.on_the_way_to(&call.url)
        {
            return Err(Failure::Final(StoreError::Proxy {
                proxy: proxy.place.clone(),
                variable: proxy.variable,
                reason: ProxyFault::WantsLogin,
            }));
        }
        let mut server = ServerError::read(&body);
        let code = server.error_code.take();
        let code = code.map(|code| body::cut(&self.masks.hide(&code), CODE));
        let message = server
            .text()
            .map_or_else(|| describe().to_string(), |text| self.shown(&text));
        let meaning = answers::meaning(status.as_u16(), code.as_deref(), &message);
        let message = answers::without_sql(message);
        Err(match status.as_u16() {
            401 => Failure::Final(StoreError::Unauthorized {
                host,
                had_credentials: self.connection.credentials.is_some(),
                message,
            }),
            403 => Failure::Final(StoreError::Forbidden {
                host,
                message,
                meaning,
            }),
            404 if !starts_as_json => Failure::Final(StoreError::NoSuchEndpoint { host, path }),
            status => {
                let refused = StoreError::Refused {
                    host,
                    status,
                    code,
                    message,
                    meaning,
                    retry_after,
                };
                match status {
                    _ if matches!(meaning, Refusal::OfDatabase(_)) => Failure::Final(refused),
                    408 | 429 | 502 | 503 | 504 => Failure::Passing(refused, retry_after),
                    _ => Failure::Final(refused),
                }
            }
        })
    }

    /// What a server said, without secrets of ours and not too long.
    fn shown(&self, text: &str) -> String {
        body::cut(&self.masks.hide(text), body::MESSAGE)
    }

    /// The path of a request, as in messages.
    fn path(&self, call: &Call) -> String {
        body::cut(&self.masks.hide(call.url.path()), PATH)
    }

    fn transport_error(
        &self,
        url: &Url,
        error: &reqwest::Error,
        received: Option<usize>,
        deadline: Instant,
    ) -> StoreError {
        let host = redirect::host_of(url);
        if error.is_timeout() {
            return self.timed_out(host, deadline);
        }
        let place = Place {
            host,
            proxy: self.connection.proxies.on_the_way_to(url),
            received,
        };
        fault::transport(place, error)
    }

    fn timed_out(&self, host: String, deadline: Instant) -> StoreError {
        if Instant::now() >= deadline {
            return self.too_slow(host);
        }
        StoreError::Timeout {
            host,
            seconds: self.connection.timeout.as_secs_f64(),
        }
    }

    fn too_slow(&self, host: String) -> StoreError {
        StoreError::TooSlow {
            host,
            seconds: self.connection.max_time.as_secs_f64(),
        }
    }

    fn check_redirect(&self, from: &Url, to: &Url) -> Result<(), StoreError> {
        let objection = if self.connection.follow_redirects {
            redirect::objection(from, to)
        } else {
            Some("MLFLOW_ALLOW_HTTP_REDIRECTS switches redirects off")
        };
        let Some(objection) = objection else {
            return Ok(());
        };
        let hint = match redirect::advice(from, to) {
            Some(advice) => format!("{objection}; {}", self.shown(&advice)),
            None => objection.to_owned(),
        };
        Err(StoreError::Redirect {
            host: redirect::host_of(from),
            target: self.shown(&redirect::origin(to)),
            hint,
        })
    }

    fn client(&self, url: &Url) -> Result<&Client, StoreError> {
        let encrypted = url.scheme() == "https";
        let slot = if encrypted { &self.tls } else { &self.plain };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let client = client::build(&self.connection, encrypted)?;
        Ok(slot.get_or_init(|| client))
    }
}

struct Answer {
    status: StatusCode,
    retry_after: Option<u64>,
    /// Who gave it, after redirects.
    host: String,
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.status.as_u16())
    }
}
