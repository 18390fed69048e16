//! Who answers at an address where somebody else was looked for, told by how it speaks:
//! MySQL speaks first, PostgreSQL says in one byte whether it has TLS, and HTTP says its name.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// How long somebody may take to be there, and to say something.
const PATIENCE: Duration = Duration::from_millis(700);

/// What PostgreSQL is asked for TLS with.
const TLS_OF_POSTGRES: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// MySQL, or MariaDB.
    Mysql,
    /// PostgreSQL.
    Postgres,
    /// A server of HTTP.
    Http,
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mysql => "MySQL",
            Self::Postgres => "PostgreSQL",
            Self::Http => "HTTP",
        })
    }
}

impl Stranger {
    /// Who answers there; `None` where nobody does, or somebody unknown.
    pub(super) fn at(host: &str, port: u16) -> Option<Self> {
        // A socket of this machine has no port to be mistaken for another.
        if host.starts_with('/') {
            return None;
        }
        let mut stream = reach(host, port)?;
        let mut first = [0; 5];
        if let Some(read) = heard(&mut stream, &mut first) {
            // A packet with the number 0: a greeting of version 10, or an error.
            let is_mysql = read == first.len() && first[3] == 0 && matches!(first[4], 10 | 0xff);
            return is_mysql.then_some(Self::Mysql);
        }
        stream.write_all(&TLS_OF_POSTGRES).ok()?;
        let mut answer = [0; 1];
        if heard(&mut stream, &mut answer) == Some(1) && matches!(answer[0], b'S' | b'N') {
            return Some(Self::Postgres);
        }
        drop(stream);
        let mut stream = reach(host, port)?;
        stream
            .write_all(b"HEAD / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            .ok()?;
        (heard(&mut stream, &mut first) == Some(5) && first == *b"HTTP/").then_some(Self::Http)
    }
}

fn reach(host: &str, port: u16) -> Option<TcpStream> {
    let addresses = (host, port).to_socket_addrs().ok()?;
    let mut open = addresses.map(|address| TcpStream::connect_timeout(&address, PATIENCE));
    let stream = open.find_map(Result::ok)?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    Some(stream)
}

/// How many of so many bytes come in time; `None` for nothing at all.
fn heard(stream: &mut TcpStream, into: &mut [u8]) -> Option<usize> {
    let mut read = 0;
    while read < into.len() {
        match stream.read(&mut into[read..]) {
            Ok(0) | Err(_) => break,
            Ok(more) => read += more,
        }
    }
    (read > 0).then_some(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// Somebody who says this first, or in answer to so many bytes, once for each.
    fn port_of(says: &'static [(usize, &'static [u8])]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for (after, says) in says {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = vec![0; *after];
                if stream.read_exact(&mut asked).is_ok() {
                    let _ = stream.write_all(says);
                }
                // What is said is heard before the end.
                let _ = stream.read(&mut [0; 64]);
            }
        });
        port
    }

    #[test]
    fn servers_are_told_by_how_they_speak() {
        let known = |says| Stranger::at("127.0.0.1", port_of(says));
        assert_eq!(known(&[(0, b"J\0\0\0\x0a5.5.5")]), Some(Stranger::Mysql));
        assert_eq!(known(&[(0, b"E\0\0\0\xff\x6a\x04")]), Some(Stranger::Mysql));
        assert_eq!(known(&[(8, b"S")]), Some(Stranger::Postgres));
        assert_eq!(known(&[(8, b"N")]), Some(Stranger::Postgres));
        let http: &[(usize, &[u8])] = &[(8, b""), (15, b"HTTP/1.1 200 OK\r\n\r\n")];
        assert_eq!(known(http), Some(Stranger::Http));
        assert_eq!(known(&[(0, b"220 mail ESMTP\r\n")]), None);
        assert_eq!(Stranger::at("/run/postgresql", 5432), None);
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
        assert_eq!(Stranger::at("127.0.0.1", nobody.unwrap().port()), None);
    }
}
