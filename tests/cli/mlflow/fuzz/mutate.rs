//! Damage to bytes, repeatable by its seed: what is lost, doubled, swapped or
//! replaced by what parsers, terminals and shells are afraid of.

/// Random numbers of Steele, Lea and Flood's SplitMix ("Fast Splittable Pseudorandom
/// Number Generators", 2014).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`; 0 where that is 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).expect("sizes are small");
        usize::try_from(self.next() % end).expect("it is smaller than a size")
    }

    pub(super) fn pick<'t, T: ?Sized>(&mut self, all: &[&'t T]) -> &'t T {
        all[self.below(all.len())]
    }
}

const AFRAID_OF: [&[u8]; 34] = [
    b"\0",
    b"\x1b[31m",
    b"\x1b]0;t\x07",
    "\u{202e}".as_bytes(),
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"1e400",
    b"-1e-400",
    b"NaN",
    b"-Infinity",
    b"9223372036854775808",
    b"-9223372036854775808",
    b"18446744073709551616",
    b"00",
    b"-1",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"\"\"",
    b"[[[[[[[[[[[[[[[[",
    b"{\"a\":{\"a\":{\"a\":",
    b"\"..\"",
    b"../../../etc/passwd",
    b"=cmd|' /C calc'!A0",
    b"$(touch pwned)`id`",
    b"\n::error::x\n##vso[task.x]",
    b"\r\n\r\n",
    b"&a [*a, *a]",
    b"!!python/object:os.system ",
    b"9999-99-99T99:99:99Z",
    b"<script>alert(1)</script>",
    b"tr-00000000000000000000000000000000",
];

/// `bytes` after some damage; parts may come from `other`.
pub(super) fn damaged(bytes: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        damage(&mut bytes, other, random);
    }
    bytes
}

fn damage(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(bytes.len());
    let most = [4, 64, 1024][random.below(3)];
    let end = (at + random.below(most) + 1).min(bytes.len());
    match random.below(8) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let part = bytes[at..end].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, part);
        }
        3 => bytes.truncate(at),
        4 => {
            let from = random.below(other.len());
            let part = &other[from..(from + most).min(other.len())];
            bytes.splice(at..end, part.iter().copied());
        }
        5 => {
            let number = number_after(bytes, at);
            bytes.splice(number, random.pick(&AFRAID_OF).iter().copied());
        }
        6 => {
            let end = (at + 8).min(bytes.len());
            bytes[at..end].fill([0, 0xff, 0x7f, 0x80][random.below(4)]);
        }
        _ => drop(bytes.splice(at..at, random.pick(&AFRAID_OF).iter().copied())),
    }
}

/// The digits that follow a place.
fn number_after(bytes: &[u8], at: usize) -> std::ops::Range<usize> {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let start = bytes[at..].iter().position(is_digit).map_or(at, |n| at + n);
    let length = bytes[start..]
        .iter()
        .take_while(|byte| is_digit(byte))
        .count();
    start..start + length
}
