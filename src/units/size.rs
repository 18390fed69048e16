//! Sizes in bytes. Read: `500000`, `2GB`, `64 MiB`.

use super::number::{Significant, rounded};

/// Bytes; `None` for what is no size, or too large for any machine.
pub(crate) fn read_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// `812 B`, `3.37 kB`, `28.4 MB`: powers of 1000.
pub fn bytes(size: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1, "B"),
        (1_000, "kB"),
        (1_000_000, "MB"),
        (1_000_000_000, "GB"),
    ];
    for (unit, name) in UNITS {
        if let Some(digits) = Significant::of(size, unit, 1000) {
            return format!("{digits} {name}");
        }
    }
    format!("{} GB", rounded(size, 1_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, size) in [
            ("1000", Some(1000)),
            ("2GB", Some(2_000_000_000)),
            (" 64 MiB ", Some(64 << 20)),
            ("3k", Some(3000)),
            ("", None),
            ("GB", None),
            ("-1", None),
            ("1.5GB", None),
            ("1 TB", None),
            ("99999999999999999999", None),
            ("99999999999 GB", None),
        ] {
            assert_eq!(read_bytes(text), size, "{text}");
        }
    }

    #[test]
    fn sizes_keep_three_digits() {
        for (size, shown) in [
            (0, "0 B"),
            (812, "812 B"),
            (3370, "3.37 kB"),
            (28_400_000, "28.4 MB"),
        ] {
            assert_eq!(bytes(size), shown);
        }
        assert_eq!(bytes(u64::MAX), "18446744074 GB");
    }
}
