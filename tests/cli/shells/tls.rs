//! Certificates: whose are trusted, and how mlt shows its own. The server is
//! Python's, with certificates that `openssl` makes for the test.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use insta::assert_snapshot;
use tempfile::TempDir;

use crate::alone::faults::{BASIC, assert_no_secret, quick, with_password};
use crate::support::fake::{EXPERIMENTS, Fake, Reply};
use crate::support::{Mlt, Outcome};

/// Answers everything with an empty list of experiments; prints its port first,
/// then the `Authorization` header of each request. Ends with its standard input.
const SERVER: &str = "\
import http.server, ssl, sys, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers['Content-Length']))
        print(self.headers['Authorization'], flush=True)
        body = b'{\"experiments\": []}'
        self.send_response(302 if self.path.startswith('/unsafe') else 200)
        self.send_header('Location', 'http://127.0.0.1:1/')
        if not self.path.startswith('/endless'):
            self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        time.sleep(0.3)  # An end before the client has read why would look like a fault of the network.
server = Server(('127.0.0.1', 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
if len(sys.argv) > 2:
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
";

/// An authority (`ca.pem`), and a server's and a client's certificate with keys
/// (`server.pem`, `client.pem`) that it signed, and one of the past and one of the
/// future (`past.pem`, `future.pem`).
const MAKE_CERTIFICATES: &str = "\
set -e
key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
openssl req -x509 $key -keyout ca.key -out ca.pem -days 2 -subj '/CN=Test authority' \
    -addext basicConstraints=critical,CA:TRUE
for name in server client; do
    openssl req $key -keyout $name.key -out $name.csr -subj /CN=localhost
    printf 'basicConstraints=CA:FALSE\\nsubjectAltName=IP:127.0.0.1\\n' > $name.ext
    openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
        -extfile $name.ext -out $name.crt
    cat $name.crt $name.key > $name.pem
done
cat ca.pem ca.key > self.pem
printf '[ca]\\ndefault_ca=own\\n[own]\\ndatabase=index\\nserial=serial\\nnew_certs_dir=.\\ndefault_md=sha256\\n\
    unique_subject=no\\npolicy=any\\n[any]\\ncommonName=supplied\\n' > ca.cnf
: > index
for name in past:2020 future:2090; do
    year=${name#*:}
    name=${name%:*}
    openssl ca -batch -notext -config ca.cnf -create_serial -cert ca.pem -keyfile ca.key \
        -startdate ${year}0102000000Z -enddate ${year}0203000000Z \
        -in server.csr -extfile server.ext -out $name.crt
    cat $name.crt server.key > $name.pem
done
";

fn certificates() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let made = Command::new("sh")
                .args(["-c", MAKE_CERTIFICATES])
                .current_dir(folder.path())
                .output()
                .expect("a shell");
            assert!(
                made.status.success(),
                "the tests of certificates need openssl 3: install openssl\n{}",
                String::from_utf8_lossy(&made.stderr)
            );
            folder
        })
        .path()
}

fn file(name: &str) -> String {
    certificates().join(name).display().to_string()
}

struct Server {
    port: u16,
    process: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Server {
    /// A server that shows `certificate`, and wants to see one when `authority` is given.
    fn start(certificate: &str, authority: Option<&str>) -> Self {
        let mut process = Command::new("python3")
            .args(["-c", SERVER, &file(certificate)])
            .args(authority.map(file))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the tests of certificates need Python 3: install python3");
        let mut output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output
            .read_line(&mut line)
            .expect("the server prints its port");
        Self {
            port: line.trim().parse().expect("a port"),
            process,
            output,
        }
    }

    fn uri(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    fn run(&self, prepare: impl Fn(Mlt) -> Mlt) -> Outcome {
        let run = with_password(quick()).on(&self.uri());
        let outcome = prepare(run).run("search -o ids --retries 0");
        assert_no_secret(&outcome);
        outcome
    }

    fn shown(&self, outcome: &Outcome) -> String {
        let folder = certificates().display().to_string();
        outcome
            .to_string()
            .replace(&format!("127.0.0.1:{}", self.port), "HOST")
            .replace(&folder, "FOLDER")
    }

    /// The `Authorization` header of the next request.
    fn authorization(&mut self) -> String {
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .expect("the server prints it");
        line.trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[test]
fn an_unknown_authority_is_not_trusted() {
    let server = Server::start("server.pem", None);
    let outcome = server.run(|run| run);
    assert_snapshot!(server.shown(&outcome), @"
    --- stderr
    error: cannot trust the certificate of HOST: its authority is not a known one
    hint: name the authority's PEM file in MLFLOW_TRACKING_SERVER_CERT_PATH
    --- exit 4
    ");
}

#[test]
fn an_authority_that_is_named_is_trusted() {
    for variable in [
        "MLFLOW_TRACKING_SERVER_CERT_PATH",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
    ] {
        let mut server = Server::start("server.pem", None);
        let outcome = server.run(|run| run.env(variable, &file("ca.pem")));
        assert_eq!(outcome.code, Some(0), "{variable}: {outcome}");
        assert_eq!(server.authorization(), BASIC);
    }
}

#[test]
fn any_certificate_is_accepted_when_told_to() {
    for certificate in ["server.pem", "self.pem"] {
        let server = Server::start(certificate, None);
        let outcome = server.run(|run| run.env("MLFLOW_TRACKING_INSECURE_TLS", "true"));
        assert_eq!(outcome.code, Some(0), "{outcome}");
    }
}

#[test]
fn an_authority_that_serves_as_a_certificate_is_told_apart() {
    let server = Server::start("self.pem", None);
    let outcome = server.run(|run| run.env("MLFLOW_TRACKING_SERVER_CERT_PATH", &file("ca.pem")));
    assert_snapshot!(server.shown(&outcome), @"
    --- stderr
    error: cannot trust the certificate of HOST: it is the certificate of an authority and not of a server
    hint: give the server a certificate of its own, or accept any with MLFLOW_TRACKING_INSECURE_TLS=true
    --- exit 4
    ");
}

#[test]
fn a_certificate_of_another_time_is_not_trusted() {
    for (certificate, said) in [
        ("past.pem", "it expired on 2020-02-03"),
        ("future.pem", "it is not valid before 2090-01-02"),
    ] {
        let server = Server::start(certificate, None);
        let outcome =
            server.run(|run| run.env("MLFLOW_TRACKING_SERVER_CERT_PATH", &file("ca.pem")));
        let expected = format!(
            "error: cannot trust the certificate of 127.0.0.1:{}: {said}\n\
             hint: check the host in the tracking URI; MLFLOW_TRACKING_INSECURE_TLS=true accepts any certificate\n",
            server.port
        );
        assert_eq!(outcome.fails(4), expected);
    }
}

#[test]
fn a_name_that_is_not_in_the_certificate_is_not_trusted() {
    let server = Server::start("server.pem", None);
    let outcome = quick()
        .env("MLFLOW_TRACKING_SERVER_CERT_PATH", &file("ca.pem"))
        .on(&server.uri().replace("127.0.0.1", "localhost"))
        .run("search --retries 0");
    let text = outcome
        .to_string()
        .replace(&server.port.to_string(), "PORT");
    assert_snapshot!(text, @r#"
    --- stderr
    error: cannot trust the certificate of localhost:PORT: certificate not valid for name "localhost"; certificate is only valid for ipaddress(127.0.0.1)
    hint: check the host in the tracking URI; MLFLOW_TRACKING_INSECURE_TLS=true accepts any certificate
    --- exit 4
    "#);
}

#[test]
fn an_answer_whose_end_anybody_could_have_cut_off_is_not_taken_for_whole() {
    let server = Server::start("server.pem", None);
    let outcome = quick()
        .env("MLFLOW_TRACKING_SERVER_CERT_PATH", &file("ca.pem"))
        .on(&format!("{}/endless", server.uri()))
        .run("search --retries 0");
    assert_snapshot!(server.shown(&outcome), @"
    --- stderr
    error: the answer of HOST broke off after 19 bytes: peer closed connection without sending tls close_notify
    hint: try again
    --- exit 4
    ");
}

#[test]
fn a_client_certificate_is_shown() {
    let mut server = Server::start("server.pem", Some("ca.pem"));
    let trusting = |run: Mlt| run.env("MLFLOW_TRACKING_SERVER_CERT_PATH", &file("ca.pem"));
    let outcome = server
        .run(|run| trusting(run).env("MLFLOW_TRACKING_CLIENT_CERT_PATH", &file("client.pem")));
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert_eq!(server.authorization(), BASIC);
    assert_snapshot!(server.shown(&server.run(trusting)), @"
    --- stderr
    error: cannot reach HOST: it wants a client certificate
    hint: name its PEM file, with the key in it, in MLFLOW_TRACKING_CLIENT_CERT_PATH
    --- exit 4
    ");
}

#[test]
fn files_that_hold_no_certificate_are_usage_errors() {
    let server = Server::start("server.pem", None);
    for (variable, name) in [
        ("MLFLOW_TRACKING_SERVER_CERT_PATH", "missing.pem"),
        ("MLFLOW_TRACKING_SERVER_CERT_PATH", "server.ext"),
        ("MLFLOW_TRACKING_CLIENT_CERT_PATH", "missing.pem"),
        ("MLFLOW_TRACKING_CLIENT_CERT_PATH", "ca.pem"),
    ] {
        let outcome = server.run(|run| run.env(variable, &file(name)));
        let text = server.shown(&outcome);
        assert_eq!(outcome.code, Some(2), "{text}");
        assert!(
            text.contains(&format!("error: {variable} FOLDER/{name}: ")),
            "{text}"
        );
    }
}

#[test]
fn a_plain_server_behind_https_is_a_network_error() {
    let fake = Fake::start();
    let outcome = with_password(quick())
        .on(&fake.uri().replace("http:", "https:"))
        .run("search --retries 0");
    assert_no_secret(&outcome);
    let stderr = outcome.fails(4);
    assert!(
        stderr.starts_with(&format!("error: cannot reach {}: ", fake.host())),
        "{stderr}"
    );
}

#[test]
fn a_server_behind_http_that_wants_https_is_a_network_error() {
    let server = Server::start("server.pem", None);
    let outcome = with_password(quick())
        .on(&server.uri().replace("https:", "http:"))
        .run("search --retries 0");
    assert_no_secret(&outcome);
    outcome.fails(4);
}

#[test]
fn a_redirect_to_https_on_another_port_is_another_server() {
    let server = Server::start("server.pem", None);
    let target = format!("{}{EXPERIMENTS}", server.uri());
    let fake = Fake::start().on("POST", EXPERIMENTS, Reply::redirect(308, &target));
    let outcome = with_password(quick())
        .env("MLFLOW_TRACKING_SERVER_CERT_PATH", &file("ca.pem"))
        .on(&fake.uri())
        .run("search -o ids");
    assert_no_secret(&outcome);
    let said = outcome.fails(4);
    assert!(
        said.contains("it is another server on the same host"),
        "{said}"
    );
}

#[test]
fn a_redirect_away_from_https_is_not_followed() {
    let server = Server::start("server.pem", None);
    let outcome = with_password(quick())
        .env("MLFLOW_TRACKING_SERVER_CERT_PATH", &file("ca.pem"))
        .on(&format!("{}/unsafe", server.uri()))
        .run("search");
    assert_no_secret(&outcome);
    assert_snapshot!(server.shown(&outcome), @"
    --- stderr
    error: HOST redirects to http://127.0.0.1:1
    hint: it is another server on the same host, which mlt does not follow; if you trust it, use http://127.0.0.1:1 as the tracking URI
    --- exit 4
    ");
}
