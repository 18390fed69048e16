//! A connection that speaks MySQL's protocol: statements with values, and answers whose rows
//! come at once or bit by bit. The packets are those of `mysql_common`; the crates that make
//! connections of them bring a second implementation of cryptography with them, trust other
//! authorities than the system does, and do not know the cursors by which rows come bit by bit
//! while other questions are asked.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use mysql_common::constants::{CapabilityFlags, Command, CursorType, StatusFlags};
use mysql_common::misc::raw::RawInt;
use mysql_common::misc::raw::int::LenEnc;
use mysql_common::packets::{
    Column, CommonOkPacket, ErrPacket, OkPacket, OkPacketDeserializer, OldEofPacket, StmtPacket,
};
use mysql_common::proto::codec::PacketCodec;
use mysql_common::proto::codec::error::PacketCodecError;
use mysql_common::proto::sync_framed::MySyncFramed;
use rustls::{ClientConnection, StreamOwned};

use super::packet::{Malformed, read};
use super::values::{self, Row};
use crate::store::database::link::Arg;

/// What can go wrong.
#[derive(Debug)]
pub(super) enum Fault {
    /// The way to the server, TLS included.
    Io(io::Error),
    /// The server says no, with a number.
    Refused(u16),
    /// A text is too long for this column.
    TooLong(String),
    /// A text has a character that this column does not take.
    Characters(String),
    /// It has no TLS, and TLS is wanted.
    NoTls,
    /// It wants another login than there is.
    OtherLogin,
    /// It sends what is no answer.
    Malformed,
}

impl Fault {
    /// What a number says, and of the words beside it nothing but the name of a column:
    /// they may quote values.
    fn numbered(number: u16, words: &str) -> Self {
        // The state of SQL may stand before them.
        let words = words
            .strip_prefix('#')
            .and_then(|words| words.get(5..))
            .unwrap_or(words);
        match (number, column_of(words)) {
            (1406, Some(column)) => Self::TooLong(column),
            (1366, Some(column)) if words.starts_with("Incorrect string value") => {
                Self::Characters(column)
            }
            _ => Self::Refused(number),
        }
    }
}

/// The column in words such as ``Incorrect string value: '…' for column `mlf`.`tags`.`value`
/// at row 1``, with its table where that is there.
fn column_of(words: &str) -> Option<String> {
    let (_, behind) = words.rsplit_once(" for column ")?;
    let (name, _) = behind.split_once(" at row ")?;
    let parts: Vec<&str> = name
        .split('.')
        .map(|part| part.trim_matches(['`', '\'']))
        .collect();
    let is_name = |part: &&str| {
        let is_of_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        !part.is_empty() && part.bytes().all(is_of_name)
    };
    let own = &parts[parts.len().saturating_sub(2)..];
    own.iter().all(is_name).then(|| own.join("."))
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<PacketCodecError> for Fault {
    fn from(error: PacketCodecError) -> Self {
        match error {
            PacketCodecError::Io(error) => Self::Io(error),
            _ => Self::Malformed,
        }
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
        let read = match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Encrypted(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Local(socket) => socket.read(buffer),
        };
        match read {
            // Nobody reads on unless something is to come.
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            read => read,
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

/// The most that is taken of a packet, which is the most that a server sends.
pub(super) const LARGEST: u32 = 1 << 30;

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
    stream: MySyncFramed<Stream>,
    /// Whether what the server sends next would be no answer to a question.
    pub(super) is_broken: bool,
}

impl Client {
    pub(super) fn new(stream: Stream) -> Self {
        let mut codec = PacketCodec::default();
        codec.max_allowed_packet = LARGEST as usize;
        let buffer = BytesMut::with_capacity(64 << 10);
        Self {
            stream: MySyncFramed::construct(buffer, BytesMut::new(), codec, stream),
            is_broken: false,
        }
    }

    /// The same connection over another stream that is made of its own.
    pub(super) fn over(
        self,
        make: impl FnOnce(Stream) -> Result<Stream, Fault>,
    ) -> Result<Self, Fault> {
        let (buffer, sent, codec, stream) = self.stream.destruct();
        // Nothing is sent ahead of what is encrypted, least of all to be read as if it were.
        if !buffer.is_empty() {
            return Err(Fault::Malformed);
        }
        let stream = MySyncFramed::construct(buffer, sent, codec, make(stream)?);
        Ok(Self { stream, ..self })
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

    pub(super) fn send(&mut self, mut packet: &[u8]) -> Result<(), Fault> {
        let sent = self.stream.send(&mut packet);
        self.is_broken |= sent.is_err();
        Ok(sent?)
    }

    /// The next packet, unless it says that something went wrong.
    pub(super) fn answer(&mut self) -> Result<Vec<u8>, Fault> {
        let mut packet = Vec::new();
        let received = self.stream.next_packet(&mut packet);
        self.is_broken |= received.is_err();
        let is_error = packet.first() == Some(&0xff);
        match received {
            Ok(_) => {}
            // A server that ends a connection says so ahead of any question.
            Err(PacketCodecError::PacketsOutOfSync) if is_error => {}
            Err(error) => return Err(error.into()),
        }
        if !is_error {
            return Ok(packet);
        }
        // The number stands at the same place, whatever comes behind it.
        match self.read(read(&packet, CapabilityFlags::empty()))? {
            ErrPacket::Error(error) => {
                Err(Fault::numbered(error.error_code(), &error.message_str()))
            }
            ErrPacket::Progress(_) => self.broken(),
        }
    }

    fn ask(&mut self, command: Command, rest: &[u8]) -> Result<(), Fault> {
        self.stream.codec_mut().reset_seq_id();
        self.send(&[&[command as u8], rest].concat())
    }

    /// Runs a statement that gives no rows.
    pub(super) fn run(&mut self, sql: &str) -> Result<(), Fault> {
        self.ask(Command::COM_QUERY, sql.as_bytes())?;
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
        self.ask(Command::COM_STMT_PREPARE, sql.as_bytes())?;
        let packet = self.answer()?;
        let head: StmtPacket = self.read(read(&packet, ()))?;
        self.columns(head.num_params().into())?;
        let columns = self.columns(head.num_columns().into())?;
        Ok(Prepared {
            id: head.statement_id(),
            columns,
        })
    }

    /// So many descriptions of columns, and what ends them where there are any.
    fn columns(&mut self, count: u64) -> Result<Arc<[Column]>, Fault> {
        Ok(match count {
            0 => Arc::default(),
            _ => self.described(count)?.0,
        })
    }

    fn described(&mut self, count: u64) -> Result<(Arc<[Column]>, StatusFlags), Fault> {
        let mut columns = Vec::new();
        for _ in 0..count {
            let packet = self.answer()?;
            columns.push(self.read(values::column(&packet))?);
        }
        match self.end()? {
            (Some(status), _) => Ok((columns.into(), status)),
            (None, _) => self.broken(),
        }
    }

    /// The status where the next packet is an end, or the packet where it is none.
    fn end(&mut self) -> Result<(Option<StatusFlags>, Vec<u8>), Fault> {
        let packet = self.answer()?;
        if packet.first() == Some(&0xfe) && packet.len() < 9 {
            let end =
                read::<OkPacketDeserializer<'_, OldEofPacket>>(&packet, CapabilityFlags::empty());
            let status = self.read(end)?.into_inner().status_flags();
            return Ok((Some(status), packet));
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
        let cursor = if in_parts {
            CursorType::CURSOR_TYPE_READ_ONLY
        } else {
            CursorType::CURSOR_TYPE_NO_CURSOR
        };
        packet.push(cursor.bits());
        packet.extend_from_slice(&1_u32.to_le_bytes());
        values::put(&mut packet, values);
        self.ask(Command::COM_STMT_EXECUTE, &packet)?;
        let packet = self.answer()?;
        if packet.first() == Some(&0) {
            let done =
                read::<OkPacketDeserializer<'_, CommonOkPacket>>(&packet, CapabilityFlags::empty());
            let done = OkPacket::from(self.read(done)?);
            return Ok(Answer {
                rows: Vec::new(),
                changed: done.affected_rows(),
                has_more: false,
            });
        }
        let count = *self.read(read::<RawInt<LenEnc>>(&packet, ()))?;
        if count == 0 {
            return self.broken();
        }
        // They may have changed since the statement was read.
        let (columns, status) = self.described(count)?;
        statement.columns = columns;
        if status.contains(StatusFlags::SERVER_STATUS_CURSOR_EXISTS) {
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
                        has_more: status.contains(StatusFlags::SERVER_STATUS_CURSOR_EXISTS)
                            && !status.contains(StatusFlags::SERVER_STATUS_LAST_ROW_SENT),
                    });
                }
                (None, packet) => {
                    let row = Row::read(columns, &packet);
                    rows.push(self.read(row)?);
                }
            }
        }
    }

    /// The next rows of a statement that was executed in parts.
    pub(super) fn fetch(&mut self, statement: &Prepared, rows: usize) -> Result<Answer, Fault> {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        let packet = [statement.id.to_le_bytes(), rows.to_le_bytes()].concat();
        self.ask(Command::COM_STMT_FETCH, &packet)?;
        self.rows(&statement.columns)
    }

    /// Lets the server forget a statement.
    pub(super) fn close(&mut self, statement: &Prepared) {
        let _ = self.ask(Command::COM_STMT_CLOSE, &statement.id.to_le_bytes());
    }

    /// Ends the connection.
    pub(super) fn quit(&mut self) {
        let _ = self.ask(Command::COM_QUIT, &[]);
        self.stream.get_ref().shut();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    /// What comes of a command where the server sends this.
    fn run(sent: &[u8]) -> Fault {
        let (ours, mut of_server) = UnixStream::pair().unwrap();
        of_server.write_all(sent).unwrap();
        of_server.shutdown(Shutdown::Write).unwrap();
        Client::new(Stream::Local(ours)).run("DO 0").unwrap_err()
    }

    #[test]
    fn of_the_words_of_an_error_only_the_column_is_told() {
        let told = |number, words: &str| format!("{:?}", Fault::numbered(number, words));
        for (number, words, expected) in [
            (
                1406,
                "#22001Data too long for column 'rationale' at row 1",
                r#"TooLong("rationale")"#,
            ),
            (
                1366,
                r"Incorrect string value: '\xF0\x9F' for column `mlf`.`trace_tags`.`value` at row 1",
                r#"Characters("trace_tags.value")"#,
            ),
            (
                1366,
                "#HY000Incorrect string value: '' for column 'x' at row 9' for column 'value' at row 1",
                r#"Characters("value")"#,
            ),
            (
                1366,
                "Incorrect integer value: 'a' for column 'value' at row 1",
                "Refused(1366)",
            ),
            (
                1406,
                "Data too long for column 's3cret value' at row 1",
                "Refused(1406)",
            ),
            (1406, "Daten zu lang", "Refused(1406)"),
        ] {
            assert_eq!(told(number, words), expected, "{words}");
        }
    }

    #[test]
    fn errors_are_read_though_nobody_asked() {
        let error = *b"\x09\0\0\x01\xff\x48\x04#42000";
        assert!(matches!(run(&error), Fault::Refused(1096)));
        let mut early = error;
        early[3] = 0;
        assert!(matches!(run(&early), Fault::Refused(1096)));
    }

    #[test]
    fn what_is_cut_off_is_an_end_and_what_is_no_answer_is_none() {
        for cut in [&b""[..], b"\x07\0", b"\xff\xff\xff\x01\0\0"] {
            let Fault::Io(error) = run(cut) else {
                panic!("{cut:?}")
            };
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
        for wrong in [
            &b"\x01\0\0\x05\0"[..],
            b"\x01\0\0\x01\x07",
            b"\x01\0\0\x01\xff",
        ] {
            assert!(matches!(run(wrong), Fault::Malformed), "{wrong:?}");
        }
    }
}
