//! Names of files for traces. An id may be any text, so it may hold slashes,
//! be `..`, or differ from another one in nothing but its case.

use std::fmt::Write as _;

use super::hash::fnv1a_128;

/// Bytes of a name before its extension; file systems take 255 in all.
const MAX_BYTES: usize = 200;

/// A name that stays within its folder on every system and that no other id
/// has: small letters, digits and `-_.` are kept, every other byte becomes `%`
/// and two hex digits, and what gets too long ends in a hash.
pub fn file_name(trace_id: &str, extension: &str) -> String {
    let mut name = String::with_capacity(trace_id.len());
    let reserved = is_reserved(trace_id);
    for (at, byte) in trace_id.bytes().enumerate() {
        let kept = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => !(reserved && at == 0),
            b'.' => at > 0,
            _ => false,
        };
        if kept {
            name.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(name, "%{byte:02x}");
        }
    }
    if name.len() > MAX_BYTES {
        let hash = format!("%-{:032x}", fnv1a_128(trace_id.as_bytes()));
        name.truncate(MAX_BYTES - hash.len());
        name.push_str(&hash);
    }
    if name.is_empty() {
        name.push('%');
    }
    format!("{name}.{extension}")
}

/// Whether Windows takes it for a device, with whatever extension.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let (device, number) = stem.split_at_checked(3).unwrap_or((stem, ""));
    match device {
        "con" | "prn" | "aux" | "nul" => number.is_empty(),
        "com" | "lpt" => number.len() == 1 && number.bytes().all(|b| b.is_ascii_digit()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_names_and_other_text_is_escaped() {
        for (id, name) in [
            (
                "tr-51a088e1d08df5c0638d48f2dcaad786",
                "tr-51a088e1d08df5c0638d48f2dcaad786.json",
            ),
            ("..", "%2e..json"),
            (".hidden", "%2ehidden.json"),
            ("../../etc/passwd", "%2e.%2f..%2fetc%2fpasswd.json"),
            ("a\\b:c", "a%5cb%3ac.json"),
            ("Tr", "%54r.json"),
            ("con", "%63on.json"),
            ("com1.x", "%63om1.x.json"),
            ("compact", "compact.json"),
            ("a\0\n", "a%00%0a.json"),
            ("", "%.json"),
        ] {
            assert_eq!(file_name(id, "json"), name);
        }
        let long = file_name(&"é".repeat(50), "speedscope.json");
        assert!(long.len() < 255, "{long}");
    }

    proptest! {
        #[test]
        fn every_id_has_a_name_of_its_own(ids in prop::collection::hash_set("[a-zA-Z./%é-]{0,60}", 0..40)) {
            let names: HashSet<String> = ids
                .iter()
                .map(|id| file_name(id, "json").to_lowercase())
                .collect();
            prop_assert_eq!(names.len(), ids.len());
            for name in names {
                prop_assert!(name.len() <= 255 && !name.starts_with('.'));
                prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.%".contains(&b)));
            }
        }
    }
}
