//! Packets of MySQL's protocol, as `mysql_common` reads and writes them.

use mysql_common::io::ParseBuf;
use mysql_common::proto::{MyDeserialize, MySerialize};

/// What a server sends is not what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// What a packet says, or begins with.
pub(super) fn read<'a, T: MyDeserialize<'a>>(
    packet: &'a [u8],
    as_it: T::Ctx,
) -> Result<T, Malformed> {
    ParseBuf(packet).parse(as_it).map_err(|_| Malformed)
}

/// A packet that says this.
pub(super) fn written(what: &impl MySerialize) -> Vec<u8> {
    let mut packet = Vec::new();
    what.serialize(&mut packet);
    packet
}
