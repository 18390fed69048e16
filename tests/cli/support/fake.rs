//! A tracking server that answers as it is told to, badly if need be: it can be
//! slow, silent, cut off or wrong, and it remembers every request. What it was
//! not told about is an unknown page, as on a real server.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

pub(crate) const EXPERIMENTS: &str = "/api/2.0/mlflow/experiments/search";
pub(crate) const EXPERIMENT: &str = "/api/2.0/mlflow/experiments/get";
pub(crate) const EXPERIMENT_BY_NAME: &str = "/api/2.0/mlflow/experiments/get-by-name";
pub(crate) const SEARCH: &str = "/api/3.0/mlflow/traces/search";
pub(crate) const SEARCH_V2: &str = "/api/2.0/mlflow/traces";
pub(crate) const ARTIFACT: &str = "/ajax-api/2.0/mlflow/get-trace-artifact";
pub(crate) const GET_TRACE: &str = "/api/3.0/mlflow/traces/get";
pub(crate) const BATCH_GET: &str = "/api/3.0/mlflow/traces/batchGet";
/// Every path that has no answer of its own.
pub(crate) const ANY: &str = "*";

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query, or a whole URL when the client takes this server for a proxy.
    pub(crate) target: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the request's body is JSON")
    }

    fn path(&self) -> &str {
        let path = match self.target.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
            None => &self.target,
        };
        path.split('?').next().unwrap_or(path)
    }

    fn read(stream: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let mut words = line.split_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            match line.trim_end().split_once(':') {
                Some((key, value)) => headers.push((key.to_owned(), value.trim().to_owned())),
                None => break,
            }
        }
        let mut request = Self {
            method,
            target,
            headers,
            body: Vec::new(),
        };
        let length = request
            .header("content-length")
            .map_or(Some(0), |text| text.parse().ok())?;
        request.body = vec![0; length];
        stream.read_exact(&mut request.body).ok()?;
        Some(request)
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
    manner: Manner,
    /// Whether the length of the body stands in the head.
    announced: bool,
}

#[derive(Debug, Clone)]
enum Body {
    Bytes(Vec<u8>),
    /// `filler` so many times, between `head` and `tail`.
    Long {
        head: Vec<u8>,
        filler: Vec<u8>,
        times: usize,
        tail: Vec<u8>,
    },
}

#[derive(Debug, Clone, Copy)]
enum Manner {
    Whole,
    /// So long before the first byte.
    Late(Duration),
    /// So long before each of the body's bytes.
    Dripping(Duration),
    /// So many bytes of the body, then the end of the connection.
    Cut(usize),
    /// Nothing, and the connection stays open.
    Silent,
    /// Nothing, and the connection is closed.
    Closed,
}

impl Reply {
    pub(crate) fn json(body: &Value) -> Self {
        Self::text("application/json", body.to_string())
    }

    pub(crate) fn text(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
            body: Body::Bytes(body.into()),
            manner: Manner::Whole,
            announced: true,
        }
    }

    pub(crate) fn html(status: u16) -> Self {
        let page =
            "<!doctype html>\n<html lang=en>\n<title>Page</title>\n<h1>A page for people</h1>\n";
        Self::text("text/html; charset=utf-8", page).status(status)
    }

    /// MLflow's own error body.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(&json!({"error_code": code, "message": message})).status(status)
    }

    pub(crate) fn redirect(status: u16, location: &str) -> Self {
        Self::text("text/plain", "")
            .status(status)
            .header("Location", location)
    }

    /// A gzip body, in stored blocks.
    pub(crate) fn gzip(body: &Value) -> Self {
        Self::text("application/json", gzipped(body.to_string().as_bytes()))
            .header("Content-Encoding", "gzip")
    }

    /// A body that is made while it is sent.
    pub(crate) fn long(head: &str, filler: &str, times: usize, tail: &str) -> Self {
        let mut reply = Self::text("application/json", "");
        reply.body = Body::Long {
            head: head.into(),
            filler: filler.into(),
            times,
            tail: tail.into(),
        };
        reply
    }

    /// A body that begins like this, and never ends.
    pub(crate) fn endless(head: &str) -> Self {
        let mut reply = Self::long(head, &"a".repeat(1 << 16), usize::MAX, "");
        reply.announced = false;
        reply
    }

    pub(crate) fn silence() -> Self {
        Self::text("text/plain", "").manner(Manner::Silent)
    }

    pub(crate) fn closed() -> Self {
        Self::text("text/plain", "").manner(Manner::Closed)
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn late(self, wait: Duration) -> Self {
        self.manner(Manner::Late(wait))
    }

    pub(crate) fn dripping(self, wait: Duration) -> Self {
        self.manner(Manner::Dripping(wait))
    }

    /// Announces all of the body and sends `bytes` of it.
    pub(crate) fn cut_after(self, bytes: usize) -> Self {
        self.manner(Manner::Cut(bytes))
    }

    fn manner(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }

    fn send(&self, stream: &mut TcpStream) -> io::Result<()> {
        match self.manner {
            Manner::Closed => return Ok(()),
            Manner::Silent => {
                // Ends when the client gives up.
                let _ = io::copy(stream, &mut io::sink());
                return Ok(());
            }
            Manner::Late(wait) => thread::sleep(wait),
            _ => {}
        }
        let length = match &self.body {
            _ if !self.announced => None,
            Body::Bytes(bytes) => Some(bytes.len()),
            Body::Long {
                head,
                filler,
                times,
                tail,
            } => Some(head.len() + filler.len() * times + tail.len()),
        };
        let length = length.map_or_else(String::new, |n| format!("Content-Length: {n}\r\n"));
        let mut head = format!("HTTP/1.1 {} Status\r\n{length}", self.status);
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        match (&self.body, self.manner) {
            (Body::Bytes(bytes), Manner::Cut(kept)) => stream.write_all(&bytes[..kept]),
            (Body::Bytes(bytes), Manner::Dripping(wait)) => bytes.chunks(1).try_for_each(|byte| {
                thread::sleep(wait);
                stream.write_all(byte)
            }),
            (Body::Bytes(bytes), _) => stream.write_all(bytes),
            (
                Body::Long {
                    head,
                    filler,
                    times,
                    tail,
                },
                _,
            ) => {
                stream.write_all(head)?;
                (0..*times).try_for_each(|_| stream.write_all(filler))?;
                stream.write_all(tail)
            }
        }
    }
}

type Script = Arc<dyn Fn(&Request, usize) -> Reply + Send + Sync>;

struct Route {
    method: String,
    path: String,
    asked: usize,
    script: Script,
}

#[derive(Default)]
struct State {
    routes: Vec<Route>,
    requests: Vec<Request>,
}

/// A running server. It lives as long as the test process.
pub(crate) struct Fake {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Fake {
    /// A server that knows no path.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("the port is known").port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { port, state }
    }

    /// A port where nobody listens.
    pub(crate) fn nobody() -> Self {
        Self {
            port: 1,
            state: Arc::default(),
        }
    }

    /// A server with the experiment `shop` and three traces, the first of which
    /// has spans.
    pub(crate) fn with_traces() -> Self {
        let shop = Reply::json(&json!({"experiment": {"experiment_id": "1", "name": "shop"}}));
        Self::start()
            .on("POST", EXPERIMENTS, experiments(&[("1", "shop")]))
            .on("GET", EXPERIMENT, shop.clone())
            .on("GET", EXPERIMENT_BY_NAME, shop)
            .on("POST", SEARCH, page(1..4, None))
            .on("GET", &info_path(1), info_reply(1))
            .on("GET", ARTIFACT, artifact_reply(1))
    }

    /// Answers this path always alike. A later answer for a path replaces an earlier one.
    pub(crate) fn on(self, method: &str, path: &str, reply: Reply) -> Self {
        self.on_call(method, path, move |_, _| reply.clone())
    }

    /// One answer after the other; the last one stays.
    pub(crate) fn on_each(self, method: &str, path: &str, replies: Vec<Reply>) -> Self {
        self.on_call(method, path, move |_, asked| {
            replies[asked.min(replies.len() - 1)].clone()
        })
    }

    /// An answer made from the request and from how often the path was asked before.
    pub(crate) fn on_call(
        self,
        method: &str,
        path: &str,
        script: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        self.lock().routes.push(Route {
            method: method.to_owned(),
            path: path.to_owned(),
            asked: 0,
            script: Arc::new(script),
        });
        self
    }

    pub(crate) fn uri(&self) -> String {
        format!("http://{}", self.host())
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Every request until now.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// Method and path of every request until now.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.requests()
            .iter()
            .map(|r| format!("{} {}", r.method, r.path()))
            .collect()
    }

    /// The only request until now.
    #[track_caller]
    pub(crate) fn only_request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{:?}", self.paths());
        requests.into_iter().next().expect("there is one")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test panics within the server")
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    let Some(request) = Request::read(&mut reader) else {
        return;
    };
    let reply = {
        let mut state = state.lock().expect("no script panics");
        let path = request.path().to_owned();
        let chosen = state
            .routes
            .iter_mut()
            .filter(|route| route.method == request.method || route.method == ANY)
            .filter(|route| route.path == path || route.path == ANY)
            .max_by_key(|route| route.path == path);
        let reply = match chosen {
            Some(route) => {
                route.asked += 1;
                (route.script)(&request, route.asked - 1)
            }
            None => Reply::html(404),
        };
        state.requests.push(request);
        reply
    };
    let mut stream = reader.into_inner();
    // The client may have gone, which is its business.
    let _ = reply.send(&mut stream);
    let _ = stream.shutdown(Shutdown::Both);
}

/// The id of the n-th trace.
pub(crate) fn trace_id(n: usize) -> String {
    format!("tr-{n:032x}")
}

/// The path of the n-th trace's info.
pub(crate) fn info_path(n: usize) -> String {
    format!("/api/3.0/mlflow/traces/{}", trace_id(n))
}

/// The n-th trace without its spans.
pub(crate) fn info(n: usize) -> Value {
    json!({
        "trace_id": trace_id(n),
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "1"}},
        "request_time": "2026-11-22T20:10:01.666Z",
        "execution_duration": "0.288s",
        "state": "OK",
        "trace_metadata": {
            "mlflow.trace.infoFinalized": "true",
            "mlflow.trace.sizeStats": "{\"num_spans\": 1}",
        },
        "tags": {"mlflow.traceName": "checkout"},
    })
}

/// The answer to a question for the n-th trace's info.
pub(crate) fn info_reply(n: usize) -> Reply {
    Reply::json(&json!({"trace": {"trace_info": info(n)}}))
}

/// The n-th trace's stored spans: there is one.
pub(crate) fn artifact(n: usize) -> Value {
    use base64::Engine as _;
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    json!({"spans": [{
        "trace_id": base64(&(n as u128).to_be_bytes()),
        "span_id": base64(&1_u64.to_be_bytes()),
        "parent_span_id": null,
        "name": "pay",
        "start_time_unix_nano": 1_795_378_201_666_000_000_u64,
        "end_time_unix_nano": 1_795_378_201_954_000_000_u64,
        "status": {"code": "STATUS_CODE_OK", "message": ""},
        "attributes": {"mlflow.spanType": "\"TOOL\"", "mlflow.spanInputs": "\"a hat\""},
        "events": [],
    }]})
}

/// The artifact endpoint's answer, with the content type that MLflow gives it.
pub(crate) fn artifact_reply(n: usize) -> Reply {
    Reply::text("text/plain", artifact(n).to_string())
}

/// A page of traces.
pub(crate) fn page(numbers: impl IntoIterator<Item = usize>, next: Option<&str>) -> Reply {
    let traces: Vec<Value> = numbers.into_iter().map(info).collect();
    let mut page = json!({"traces": traces});
    if let Some(token) = next {
        page["next_page_token"] = token.into();
    }
    Reply::json(&page)
}

/// A list of active experiments.
pub(crate) fn experiments(all: &[(&str, &str)]) -> Reply {
    let all: Vec<Value> = all
        .iter()
        .map(|(id, name)| json!({"experiment_id": id, "name": name, "lifecycle_stage": "active"}))
        .collect();
    Reply::json(&json!({"experiments": all}))
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let mut chunks = bytes.chunks(usize::from(u16::MAX)).peekable();
    while let Some(chunk) = chunks.next() {
        let length = u16::try_from(chunk.len()).expect("chunks are that short");
        out.push(u8::from(chunks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(chunk);
    }
    let crc = !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1))
        })
    });
    out.extend(crc.to_le_bytes());
    out.extend(
        u32::try_from(bytes.len())
            .expect("bodies are that short")
            .to_le_bytes(),
    );
    out
}
