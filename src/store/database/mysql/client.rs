//! A connection that speaks MySQL's protocol: statements with values, and answers whose rows
//! come at once or bit by bit. No crate is used for it: those that there are bring a second
//! implementation of cryptography with them, trust other authorities than the system does, and
//! do not know the cursors by which rows come bit by bit while other questions are asked.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};

use super::packet::{Bytes, Malformed, receive, send};
use super::values::{self, Column, Row};
use crate::store::database::link::Arg;

/// What can go wrong.
#[derive(Debug)]
pub(super) enum Fault {
    /// The way to the server, TLS included.
    Io(io::Error),
    /// The server says no, with a number.
    Refused(u16),
    /// It has no TLS, and TLS is wanted.
    NoTls,
    /// It wants another login than there is.
    OtherLogin,
    /// It sends what is no answer.
    Malformed,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Malformed> for Fault {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// The way to a server.
pub(super) enum Stream {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
    #[cfg(unix)]
    Local(std::os::unix::net::UnixStream),
}

impl Stream {
    /// # Errors
    /// That nobody answers there, within this time.
    pub(super) fn open(host: &str, port: u16, timeout: Duration) -> io::Result<Self> {
        #[cfg(unix)]
        if host.starts_with('/') {
            return std::os::unix::net::UnixStream::connect(host).map(Self::Local);
        }
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in (host, port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(socket) => {
                    socket.set_nodelay(true)?;
                    return Ok(Self::Plain(socket));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn wait_for(&self, time: Duration) -> io::Result<()> {
        let time = Some(time);
        match self {
            Self::Plain(socket) => socket.set_read_timeout(time),
            Self::Encrypted(stream) => stream.sock.set_read_timeout(time),
            #[cfg(unix)]
            Self::Local(socket) => socket.set_read_timeout(time),
        }
    }

    fn shut(&self) {
        let _ = match self {
            Self::Plain(socket) => socket.shutdown(Shutdown::Both),
            Self::Encrypted(stream) => stream.sock.shutdown(Shutdown::Both),
            #[cfg(unix)]
            Self::Local(socket) => socket.shutdown(Shutdown::Both),
        };
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Encrypted(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Local(socket) => socket.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Encrypted(stream) => stream.write(bytes),
            #[cfg(unix)]
            Self::Local(socket) => socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Encrypted(stream) => stream.flush(),
            #[cfg(unix)]
            Self::Local(socket) => socket.flush(),
        }
    }
}

mod command {
    pub(super) const QUIT: u8 = 0x01;
    pub(super) const QUERY: u8 = 0x03;
    pub(super) const PREPARE: u8 = 0x16;
    pub(super) const EXECUTE: u8 = 0x17;
    pub(super) const CLOSE: u8 = 0x19;
    pub(super) const FETCH: u8 = 0x1c;
}

/// What the end of an answer says, by bits.
mod status {
    pub(super) const HAS_CURSOR: u16 = 0x40;
    pub(super) const IS_LAST: u16 = 0x80;
}

/// A statement that the server has read.
pub(super) struct Prepared {
    id: u32,
    columns: Arc<[Column]>,
}

/// An answer.
pub(super) struct Answer {
    pub(super) rows: Vec<Row>,
    /// How many rows were changed.
    pub(super) changed: u64,
    /// Whether there are more rows to fetch.
    pub(super) has_more: bool,
}

/// A connection.
pub(super) struct Client {
    stream: BufReader<Stream>,
    /// The number of the next packet.
    number: u8,
    /// Whether what the server sends next would be no answer to a question.
    pub(super) is_broken: bool,
}

impl Client {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream: BufReader::with_capacity(64 << 10, stream),
            number: 0,
            is_broken: false,
        }
    }

    /// The same connection over another stream that is made of its own.
    pub(super) fn over(
        self,
        make: impl FnOnce(Stream) -> Result<Stream, Fault>,
    ) -> Result<Self, Fault> {
        // Nothing is sent ahead of what is encrypted, least of all to be read as if it were.
        if !self.stream.buffer().is_empty() {
            return Err(Fault::Malformed);
        }
        let number = self.number;
        let stream = make(self.stream.into_inner())?;
        Ok(Self {
            number,
            ..Self::new(stream)
        })
    }

    /// Whether the other end is on this machine, by a socket of it.
    pub(super) fn is_local(&self) -> bool {
        #[cfg(unix)]
        let is_local = matches!(self.stream.get_ref(), Stream::Local(_));
        #[cfg(not(unix))]
        let is_local = false;
        is_local
    }

    /// The longest wait for anything.
    pub(super) fn wait_for(&self, time: Duration) -> io::Result<()> {
        self.stream.get_ref().wait_for(time)
    }

    pub(super) fn send(&mut self, packet: &[u8]) -> Result<(), Fault> {
        let sent = send(self.stream.get_mut(), &mut self.number, packet);
        self.is_broken |= sent.is_err();
        Ok(sent?)
    }

    pub(super) fn receive(&mut self) -> Result<Vec<u8>, Fault> {
        let received = receive(&mut self.stream, &mut self.number);
        self.is_broken |= received.is_err();
        Ok(received?)
    }

    /// The next packet, unless it says that something went wrong.
    pub(super) fn answer(&mut self) -> Result<Vec<u8>, Fault> {
        let packet = self.receive()?;
        match packet.strip_prefix(&[0xff]) {
            None => Ok(packet),
            Some(rest) => Err(Fault::Refused(Bytes(rest).u16()?)),
        }
    }

    fn ask(&mut self, command: u8, rest: &[u8]) -> Result<(), Fault> {
        self.number = 0;
        self.send(&[&[command], rest].concat())
    }

    /// Runs a statement that gives no rows.
    pub(super) fn run(&mut self, sql: &str) -> Result<(), Fault> {
        self.ask(command::QUERY, sql.as_bytes())?;
        match self.answer()?.first() {
            Some(0) => Ok(()),
            _ => self.broken(),
        }
    }

    fn broken<T>(&mut self) -> Result<T, Fault> {
        self.is_broken = true;
        Err(Fault::Malformed)
    }

    /// Reads something of an answer; what cannot be read leaves nobody knowing where the
    /// next answer begins.
    fn read<T>(&mut self, read: Result<T, Malformed>) -> Result<T, Fault> {
        match read {
            Ok(read) => Ok(read),
            Err(Malformed) => self.broken(),
        }
    }

    /// Has the server read a statement.
    pub(super) fn prepare(&mut self, sql: &str) -> Result<Prepared, Fault> {
        self.ask(command::PREPARE, sql.as_bytes())?;
        let packet = self.answer()?;
        let mut bytes = Bytes(packet.get(1..).unwrap_or_default());
        let head = (|| Ok((bytes.u32()?, bytes.u16()?, bytes.u16()?)))();
        let (id, columns, values) = self.read(head)?;
        if values > 0 {
            self.columns(values.into())?;
        }
        let columns = if columns > 0 {
            self.columns(columns.into())?
        } else {
            Arc::default()
        };
        Ok(Prepared { id, columns })
    }

    /// So many descriptions of columns, and what ends them.
    fn columns(&mut self, count: u64) -> Result<Arc<[Column]>, Fault> {
        let mut columns = Vec::new();
        for _ in 0..count {
            let packet = self.answer()?;
            columns.push(self.read(Column::read(&packet))?);
        }
        match self.end()? {
            (Some(_), _) => Ok(columns.into()),
            (None, _) => self.broken(),
        }
    }

    /// The status where the next packet is an end, or the packet where it is none.
    fn end(&mut self) -> Result<(Option<u16>, Vec<u8>), Fault> {
        let packet = self.answer()?;
        if packet.first() == Some(&0xfe) && packet.len() < 9 {
            let mut bytes = Bytes(&packet[1..]);
            let status = (|| {
                let _warnings = bytes.u16()?;
                bytes.u16()
            })();
            return Ok((Some(self.read(status)?), packet));
        }
        Ok((None, packet))
    }

    /// Executes a statement; with `in_parts`, its rows are fetched afterwards, unless the
    /// server sends them all the same.
    pub(super) fn execute(
        &mut self,
        statement: &mut Prepared,
        values: &[&Arg<'_>],
        in_parts: bool,
    ) -> Result<Answer, Fault> {
        let mut packet = statement.id.to_le_bytes().to_vec();
        packet.push(in_parts.into());
        packet.extend_from_slice(&1_u32.to_le_bytes());
        values::put(&mut packet, values);
        self.ask(command::EXECUTE, &packet)?;
        let packet = self.answer()?;
        let mut bytes = Bytes(&packet);
        let count = self.read(bytes.number())?;
        if count == 0 {
            let changed = self.read(bytes.number())?;
            return Ok(Answer {
                rows: Vec::new(),
                changed,
                has_more: false,
            });
        }
        // They may have changed since the statement was read.
        let mut columns = Vec::new();
        for _ in 0..count {
            let packet = self.answer()?;
            columns.push(self.read(Column::read(&packet))?);
        }
        statement.columns = columns.into();
        let (Some(status), _) = self.end()? else {
            return self.broken();
        };
        if status & status::HAS_CURSOR != 0 {
            return Ok(Answer {
                rows: Vec::new(),
                changed: 0,
                has_more: true,
            });
        }
        self.rows(&statement.columns)
    }

    fn rows(&mut self, columns: &Arc<[Column]>) -> Result<Answer, Fault> {
        let mut rows = Vec::new();
        loop {
            match self.end()? {
                (Some(status), _) => {
                    return Ok(Answer {
                        rows,
                        changed: 0,
                        has_more: status & status::HAS_CURSOR != 0 && status & status::IS_LAST == 0,
                    });
                }
                (None, packet) => {
                    let row = Row::read(columns, packet);
                    rows.push(self.read(row)?);
                }
            }
        }
    }

    /// The next rows of a statement that was executed in parts.
    pub(super) fn fetch(&mut self, statement: &Prepared, rows: usize) -> Result<Answer, Fault> {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        let packet = [statement.id.to_le_bytes(), rows.to_le_bytes()].concat();
        self.ask(command::FETCH, &packet)?;
        self.rows(&statement.columns)
    }

    /// Lets the server forget a statement.
    pub(super) fn close(&mut self, statement: &Prepared) {
        let _ = self.ask(command::CLOSE, &statement.id.to_le_bytes());
    }

    /// Ends the connection.
    pub(super) fn quit(&mut self) {
        let _ = self.ask(command::QUIT, &[]);
        self.stream.get_ref().shut();
    }
}
