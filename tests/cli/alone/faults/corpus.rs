//! A small corpus of hostile answers, each given in place of every answer of a
//! server: whatever comes, mlt ends in time with one sentence, or with data.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use super::{SECRET, quick};

/// Whole answers as they go over the wire; `\n` stands for a line end of HTTP.
pub(crate) const ANSWERS: [&str; 46] = [
    "",
    "\0\0\x12\x04\0\0\0\0\0",
    "SSH-2.0-OpenSSH_9\n",
    "{\"traces\":[]}",
    "HTTP/3.0 200 OK\nContent-Length: 2\n\n{}",
    "HTTP/1.1 0 X\n\n",
    "HTTP/1.1 1000 X\n\n",
    "HTTP/1.1 999 X\nContent-Length: 2\n\n{}",
    "HTTP/1.1 204 No\n\n",
    "HTTP/1.1 206 Partial\nContent-Length: 4\n\n{\"tr",
    "HTTP/1.1 101 Switching\nUpgrade: websocket\n\nxxxx",
    "HTTP/1.1 200 \x1b[31mOK\nX: \x1b[31m\nContent-Length: 2\n\n{}",
    "HTTP/1.1 200 OK\nContent-Length: abc\n\n{}",
    "HTTP/1.1 200 OK\nContent-Length: -5\n\n{}",
    "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 6\n\n{}",
    "HTTP/1.1 200 OK\nContent-Length: 1000000000000\n\n{}",
    "HTTP/1.1 200 OK\nContent-Length: 1000000000000000000000000000000\n\n{}",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nZZ\nabc",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nFFFFFFFFFFFFFFFFFF\nabc",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\n{}\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n\n0\n\n",
    "HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: 2\n\n{}",
    "HTTP/1.1 200 OK\nContent-Encoding: br\nContent-Length: 2\n\n{}",
    "HTTP/1.1 200 OK\nContent-Length: 4\n\nnull",
    "HTTP/1.1 200 OK\nContent-Length: 2\n\n[]",
    "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
    "HTTP/1.1 200 OK\nContent-Length: 15\n\n{\"traces\":null}",
    "HTTP/1.1 200 OK\nContent-Length: 17\n\n{\"traces\":[null]}",
    "HTTP/1.1 200 OK\nContent-Length: 16\n\n{\"traces\":[[[]]}",
    "HTTP/1.1 200 OK\nContent-Length: 40\n\n{\"experiments\":[{\"experiment_id\":\"..\"}]}",
    "HTTP/1.1 200 OK\nContent-Length: 36\n\n{\"traces\":[{\"trace_id\":\"../../../\"}]}",
    "HTTP/1.1 302 Found\n\n",
    "HTTP/1.1 302 Found\nLocation: \n\n",
    "HTTP/1.1 302 Found\nLocation: http://[::\n\n",
    "HTTP/1.1 302 Found\nLocation: javascript:alert(1)\n\n",
    "HTTP/1.1 302 Found\nLocation: data:application/json,{}\n\n",
    "HTTP/1.1 302 Found\nLocation: file:///etc/passwd\n\n",
    "HTTP/1.1 302 Found\nLocation: http://127.0.0.1:1@evil.invalid/\n\n",
    "HTTP/1.1 302 Found\nLocation: http://127.0.0.1:1\\@evil.invalid/\n\n",
    "HTTP/1.1 302 Found\nLocation: http://127.0.0.1.:1/\n\n",
    "HTTP/1.1 302 Found\nLocation: http://2130706433:1/\n\n",
    "HTTP/1.1 304 Not Modified\n\n",
    "HTTP/1.1 429 Slow\nRetry-After: 18446744073709551615\n\n",
    "HTTP/1.1 429 Slow\nRetry-After: Fri, 31 Dec 2100 23:59:59 GMT\n\n",
    "HTTP/1.1 500 X\nContent-Length: 44\n\n{\"error_code\":5,\"message\":{\"a\":\"\\u001b[31m\"}}",
    "HTTP/1.1 400 X\nContent-Type: text/plain\n\n\x1b]0;t\x07\u{202e}::error::x",
];

/// A server that gives this answer to everything, and repeats the request's head
/// at its end.
fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let place = listener.local_addr().expect("the port is known");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            // The client may have gone, which is its business.
            let _ = stream.write_all(answer.replace('\n', "\r\n").as_bytes());
            let _ = stream.write_all(&request[..length]);
        }
    });
    format!("http://ann:{SECRET}@{place}")
}

#[test]
fn whatever_a_server_says_mlt_ends_with_a_sentence() {
    let id = crate::support::fake::trace_id(1);
    for answer in ANSWERS {
        let uri = server(answer);
        for words in [
            "search -v".to_owned(),
            format!("get {id}"),
            format!("tag a=b {id}"),
            "export --all -o jsonl".to_owned(),
        ] {
            let outcome = quick()
                .on(&uri)
                .run(&format!("{words} --retries 0 --timeout 2s"));
            let code = outcome.code.unwrap_or(134);
            assert!(code <= 7, "{answer:?}: {words}: {outcome}");
            let text = outcome.to_string();
            assert!(!text.contains("panicked"), "{answer:?}: {words}: {outcome}");
            assert!(!text.contains(SECRET), "{answer:?}: {words}: {outcome}");
            assert!(text.len() < 5000, "{answer:?}: {words}: {outcome}");
            let unseen = text.chars().find(|c| c.is_control() && *c != '\n');
            assert_eq!(unseen, None, "{answer:?}: {words}: {outcome}");
            let said = outcome.stderr.lines().any(|l| l.starts_with("error: "));
            assert!(code == 0 || said, "{answer:?}: {words}: {outcome}");
        }
    }
}
