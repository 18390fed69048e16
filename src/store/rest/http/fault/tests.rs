//! Faults that the libraries make of what a listener on this machine answers.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use super::*;

/// The address of a listener that takes one request, answers so, and ends.
fn listener(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let place = listener.local_addr().expect("it is known").to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut request = [0; 4096];
        let _ = stream.read(&mut request);
        // The client may have gone, which is its business.
        let _ = stream.write_all(answer);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    place
}

fn client() -> reqwest::blocking::ClientBuilder {
    reqwest::blocking::Client::builder()
        .http1_only()
        .no_proxy()
        .tls_certs_only(std::iter::empty())
}

fn ask(client: reqwest::blocking::ClientBuilder, url: &str) -> reqwest::Error {
    let client = client.build().expect("a client");
    let answer = client
        .get(url)
        .send()
        .and_then(reqwest::blocking::Response::bytes);
    answer.expect_err(url)
}

/// What the libraries make of such an answer.
fn fault_of(scheme: &str, answer: &'static [u8]) -> ConnectionFault {
    let error = ask(client(), &format!("{scheme}://{}/", listener(answer)));
    match transport(at("h:1", None), &error) {
        StoreError::Unreachable { reason, .. } => reason,
        other => panic!("{other:?} for {}", answer.escape_ascii()),
    }
}

fn at<'p>(host: &str, proxy: Option<&'p Proxy>) -> Place<'p> {
    Place {
        host: host.to_owned(),
        proxy,
        received: None,
    }
}

#[test]
fn what_is_no_http_is_told_by_what_is_wrong_with_it() {
    use ConnectionFault as Fault;
    let huge: &'static [u8] = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1 << 20))
        .into_bytes()
        .leak();
    for (answer, fault) in [
        (&b"SSH-2.0-OpenSSH_9\r\n"[..], Fault::NotHttp),
        (b"HTTP/3.0 200 OK\r\n\r\n", Fault::NotHttp),
        (b"HTTP/1.1 99999 OK\r\n\r\n", Fault::NotHttp),
        (b"HTTP/1.1 200 OK\r\n\x01: x\r\n\r\n", Fault::NotHttp),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n",
            Fault::ImpossibleLength,
        ),
        (
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            Fault::ImpossibleForm,
        ),
        (huge, Fault::HeadTooLarge),
        (
            b"",
            Fault::Other("connection closed before message completed".to_owned()),
        ),
    ] {
        let shown = answer[..answer.len().min(60)].escape_ascii();
        assert_eq!(fault_of("http", answer), fault, "{shown}");
    }
}

#[test]
fn what_is_no_tls_is_told_by_what_is_wrong_with_it() {
    use ConnectionFault as Fault;
    for (answer, fault) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], Fault::Plain),
        (b"\x15\x03\x03\0\x02\x02\x28", Fault::NoCommonTls),
        (b"\x15\x03\x03\0\x02\x02\x46", Fault::NoCommonVersion),
        (b"\x15\x03\x03\0\x02\x02\x70", Fault::UnknownName),
        (b"\x15\x03\x03\0\x02\x02\x50", Fault::HandshakeBrokenOff),
        (b"\x15\x03\x03\0\x02\x02\x74", Fault::WantsCertificate),
        (b"\x16\x03\x03\0\x04\x02\0\0\0", Fault::NotTls),
        (b"\x17\x03\x03\0\x01\0", Fault::Unasked),
    ] {
        assert_eq!(
            fault_of("https", answer),
            fault,
            "{}",
            answer.escape_ascii()
        );
    }
}

/// What the libraries make of a proxy at this address.
fn fault_of_proxy(place: &str) -> ProxyFault {
    let proxy = reqwest::Proxy::all(format!("http://{place}")).expect("an address");
    let error = ask(client().proxy(proxy), "https://traces.test/");
    let between = Proxy {
        variable: "HTTPS_PROXY",
        place: "p:2".to_owned(),
        login: None,
    };
    match transport(at("h:1", Some(&between)), &error) {
        StoreError::Proxy { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_proxy_that_makes_no_tunnel_is_told_by_what_it_says() {
    let endless: &'static [u8] = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(10_000))
        .into_bytes()
        .leak();
    for (answer, fault) in [
        (&b"HTTP/1.1 407 Who?\r\n\r\n"[..], ProxyFault::WantsLogin),
        (b"HTTP/1.1 403 No\r\n\r\n", ProxyFault::Refuses),
        (b"SSH-2.0-OpenSSH_9\r\n", ProxyFault::Refuses),
        (b"", ProxyFault::NotAProxy),
        (endless, ProxyFault::NotAProxy),
    ] {
        let shown = answer[..answer.len().min(60)].escape_ascii();
        assert_eq!(fault_of_proxy(&listener(answer)), fault, "{shown}");
    }
}

#[test]
fn a_proxy_that_is_not_there_is_no_answer_of_one() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let place = free.local_addr().expect("it is known").to_string();
    drop(free);
    let refused = ConnectionFault::Other("connection refused".to_owned());
    assert_eq!(fault_of_proxy(&place), ProxyFault::Connection(refused));
}

#[test]
fn a_name_without_an_address_is_told_as_such() {
    let error = ask(client(), "http://no-such-host.invalid/");
    let StoreError::Unreachable { reason, .. } = transport(at("h", None), &error) else {
        panic!("{error:?}");
    };
    assert_eq!(reason, ConnectionFault::NoAddress);
}

#[test]
fn a_fault_is_found_however_deep_it_is() {
    let error = rustls::Error::AlertReceived(rustls::AlertDescription::HandshakeFailure);
    let deep = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
    assert_eq!(connection(&deep), ConnectionFault::NoCommonTls);
    let refused = io::Error::from_raw_os_error(libc::ECONNREFUSED);
    assert_eq!(
        connection(&io::Error::other(refused)),
        ConnectionFault::Other("connection refused".to_owned())
    );
}
