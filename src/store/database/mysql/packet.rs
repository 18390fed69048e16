//! The protocol's own way to write numbers and texts, and to cut what is sent into packets.
//! What a server sends is read without trust in any length it names.

use std::io::{self, Read, Write};

/// The most bytes of one piece of a packet; after a full one, another follows.
const FULL: usize = 0xff_ff_ff;

/// The most that is taken of a packet, which is the most that a server sends.
const LARGEST: usize = 1 << 30;

/// What a server sends is not what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// The bytes of a packet that have not been read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn all(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// A number that is as long as it needs to be.
    pub(super) fn number(&mut self) -> Result<u64, Malformed> {
        match self.byte()? {
            small @ 0..=0xfa => Ok(small.into()),
            0xfc => self.u16().map(u64::from),
            0xfd => {
                let [a, b, c] = self.array()?;
                Ok(u32::from_le_bytes([a, b, c, 0]).into())
            }
            0xfe => self.array().map(u64::from_le_bytes),
            _ => Err(Malformed),
        }
    }

    /// Bytes behind their number.
    pub(super) fn counted(&mut self) -> Result<&'a [u8], Malformed> {
        let count = usize::try_from(self.number()?).map_err(|_| Malformed)?;
        self.take(count)
    }

    /// Bytes up to a zero, or all.
    pub(super) fn ended(&mut self) -> &'a [u8] {
        match self.0.iter().position(|byte| *byte == 0) {
            Some(end) => {
                let ended = &self.0[..end];
                self.0 = &self.0[end + 1..];
                ended
            }
            None => self.all(),
        }
    }
}

/// Adds a number that is as long as it needs to be.
pub(super) fn put_number(out: &mut Vec<u8>, number: u64) {
    let bytes = number.to_le_bytes();
    match number {
        0..=0xfa => out.push(bytes[0]),
        0xfb..=0xffff => {
            out.push(0xfc);
            out.extend_from_slice(&bytes[..2]);
        }
        0x1_0000..=0xff_ffff => {
            out.push(0xfd);
            out.extend_from_slice(&bytes[..3]);
        }
        _ => {
            out.push(0xfe);
            out.extend_from_slice(&bytes);
        }
    }
}

/// Adds bytes behind their number.
pub(super) fn put_counted(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Sends a packet, whose pieces are numbered on from this number.
pub(super) fn send(stream: &mut impl Write, number: &mut u8, packet: &[u8]) -> io::Result<()> {
    let mut pieces = packet.chunks(FULL);
    // A packet that ends with a full piece has an empty one behind it.
    loop {
        let piece = pieces.next().unwrap_or_default();
        let [a, b, c, ..] = (piece.len() as u64).to_le_bytes();
        stream.write_all(&[a, b, c, *number])?;
        stream.write_all(piece)?;
        *number = number.wrapping_add(1);
        if piece.len() < FULL {
            break;
        }
    }
    stream.flush()
}

/// Reads a packet, and gives the number of the piece behind it.
pub(super) fn receive(stream: &mut impl Read, number: &mut u8) -> io::Result<Vec<u8>> {
    let mut packet = Vec::new();
    loop {
        let mut head = [0; 4];
        stream.read_exact(&mut head)?;
        let [a, b, c, of_piece] = head;
        *number = of_piece.wrapping_add(1);
        let length = u32::from_le_bytes([a, b, c, 0]) as usize;
        if packet.len() + length > LARGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // Room is made as bytes come, and not as many as are announced.
        let read = stream.take(length as u64).read_to_end(&mut packet)?;
        if read < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if length < FULL {
            return Ok(packet);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_as_they_were_sent() {
        for length in [0, 1, FULL - 1, FULL, FULL + 5] {
            let packet: Vec<u8> = (0..length)
                .map(|at| u8::try_from(at % 251).unwrap())
                .collect();
            let (mut sent, mut number) = (Vec::new(), 254);
            send(&mut sent, &mut number, &packet).unwrap();
            let mut received = 0;
            assert!(receive(&mut sent.as_slice(), &mut received).unwrap() == packet);
            assert_eq!(received, number, "{length}");
        }
    }

    #[test]
    fn numbers_are_read_as_they_were_written() {
        for number in [
            0,
            250,
            251,
            0xffff,
            0x1_0000,
            0xff_ffff,
            0x100_0000,
            u64::MAX,
        ] {
            let mut out = Vec::new();
            put_number(&mut out, number);
            let mut bytes = Bytes(&out);
            assert_eq!(bytes.number(), Ok(number));
            assert!(bytes.0.is_empty());
        }
    }

    #[test]
    fn lengths_are_not_believed() {
        let text = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, b'a'];
        assert_eq!(Bytes(&text).counted(), Err(Malformed));
        assert_eq!(Bytes(&[5, b'a']).counted(), Err(Malformed));
        assert_eq!(Bytes(&[]).u32(), Err(Malformed));
        let mut number = 0;
        let cut = receive(&mut [9, 0, 0, 0, 1].as_slice(), &mut number);
        assert_eq!(cut.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
