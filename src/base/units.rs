//! Sizes, rates and spans of time, as people write and read them.

use std::ops::Range;
use std::time::Duration;

/// Maximum number of ranges that are written out.
const MAX_RANGES: usize = 3;

/// A size in binary units, three significant digits at most: `999 B`, `4.2 MiB`, `5.64 GiB`.
pub fn size(bytes: u64) -> String {
    const NAMES: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    // From there on there would be four digits, here and in every other unit.
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut name = 0;
    while value >= 999.5 && name + 1 < NAMES.len() {
        value /= 1024.0;
        name += 1;
    }
    format!("{} {}", digits(value), NAMES[name])
}

/// A rate in binary units per second; nothing worth naming below one KiB/s is `-`.
pub fn rate(bytes_per_second: f64) -> String {
    if bytes_per_second.is_nan() || bytes_per_second < 1024.0 {
        return "-".to_owned();
    }
    format!("{}/s", size(bytes_per_second as u64))
}

/// A span of time, two units at most: `41 s`, `2 h 4 min`, `> 99 d`.
pub fn span(time: Duration) -> String {
    let s = time.as_secs();
    let two = |big: u64, big_name: &str, small: u64, small_name: &str| {
        if small == 0 {
            format!("{big} {big_name}")
        } else {
            format!("{big} {big_name} {small} {small_name}")
        }
    };
    match s {
        0 => format!("{:.1} s", time.as_secs_f64()),
        1..60 => format!("{s} s"),
        60..3600 => two(s / 60, "min", s % 60, "s"),
        3600..86_400 => two(s / 3600, "h", s % 3600 / 60, "min"),
        86_400..=8_553_600 => two(s / 86_400, "d", s % 86_400 / 3600, "h"),
        _ => "> 99 d".to_owned(),
    }
}

/// A count with thin groups of three: `12 314`.
pub fn count(number: u64) -> String {
    let plain = number.to_string();
    let mut out = String::new();
    for (i, c) in plain.chars().enumerate() {
        if i > 0 && (plain.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// `1 file`, `2 files`.
pub fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// Ranges of numbers with their last numbers: "0-16383, 40000". After the first three the others are counted.
pub fn ranges(ranges: &[Range<u64>]) -> String {
    let shown = ranges.iter().take(MAX_RANGES).map(|range| match range.end - range.start {
        1 => range.start.to_string(),
        _ => format!("{}-{}", range.start, range.end - 1),
    });
    let text = shown.collect::<Vec<_>>().join(", ");
    match ranges.len().saturating_sub(MAX_RANGES) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// Why a text is no size, rate or time; the text says it in one sentence.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct UnitError(String);

/// Reads a size in bytes: `500K`, `2M`, `1.5MiB`, `700MB`, `12345`. K, M, G, T are powers of 1024,
/// as are KiB to TiB; kB, MB, GB, TB are powers of 1000. Letter case does not matter.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let bad =
        || UnitError(format!("'{}' is not a size; write 500K, 2M or 1.5GiB", super::Untrusted::new(text)));
    let text = text.trim();
    let cut = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(cut);
    let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(bad()),
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(unit).ok_or_else(bad);
    }
    let value = number.parse::<f64>().map_err(|_| bad())? * unit as f64;
    if (0.0..1e18).contains(&value) { Ok(value.round() as u64) } else { Err(bad()) }
}

/// Reads a rate in bytes per second: a size, or `none` for no limit. A bare number from 1 to 999 is
/// refused, for it is hardly ever meant.
pub fn parse_rate(text: &str) -> Result<Option<u64>, UnitError> {
    let text = text.trim();
    if matches!(text.to_ascii_lowercase().as_str(), "none" | "unlimited" | "0") {
        return Ok(None);
    }
    let text = text.strip_suffix("/s").unwrap_or(text).trim_end();
    // A number without a unit.
    if text.parse::<f64>().is_ok_and(|few| few > 0.0 && few < 1000.0) {
        return Err(UnitError(format!(
            "{text} bytes per second? write {text}K for KiB/s, or none for no limit"
        )));
    }
    match parse_size(text)? {
        0 if text.contains(|c: char| c.is_ascii_digit() && c != '0') => {
            Err(UnitError(format!("{text} is less than one byte per second; write none for no limit")))
        }
        0 => Ok(None),
        rate => Ok(Some(rate)),
    }
}

/// Reads a span of time: `90`, `90s`, `10m`, `1h30m`, `2d`.
pub fn parse_span(text: &str) -> Result<Duration, UnitError> {
    let bad =
        || UnitError(format!("'{}' is not a time; write 90s, 10m, 2h or 1d", super::Untrusted::new(text)));
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(bad());
    }
    if rest.bytes().all(|b| b.is_ascii_digit()) {
        return rest.parse().map(Duration::from_secs).map_err(|_| bad());
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let cut = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let number: u64 = rest[..cut].parse().map_err(|_| bad())?;
        let unit_end = rest[cut..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| cut + at);
        let seconds = match rest[cut..unit_end].trim() {
            "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(bad()),
        };
        total = number.checked_mul(seconds).and_then(|s| total.checked_add(s)).ok_or_else(bad)?;
        rest = &rest[unit_end..];
    }
    Ok(Duration::from_secs(total))
}

/// At most three significant digits and no trailing zeros after the point.
fn digits(value: f64) -> String {
    let text = match value {
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => return format!("{v:.0}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_have_three_digits_at_most() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "0.98 KiB"),
            (1023, "1 KiB"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (1_048_576, "1 MiB"),
            (1_047_552, "1 MiB"),
            (4_404_019, "4.2 MiB"),
            (6_012_954_214, "5.6 GiB"),
            (u64::MAX, "16 EiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn rates_below_a_kibibyte_are_not_named() {
        assert_eq!(rate(1000.0), "-");
        assert_eq!(rate(f64::NAN), "-");
        assert_eq!(rate(2048.0), "2 KiB/s");
    }

    #[test]
    fn spans_have_two_units_at_most() {
        let of = |s| span(Duration::from_secs(s));
        assert_eq!(span(Duration::from_millis(340)), "0.3 s");
        assert_eq!([of(41), of(132), of(7440), of(7200)], ["41 s", "2 min 12 s", "2 h 4 min", "2 h"]);
        assert_eq!(of(8_553_600), "99 d");
        assert_eq!(of(u64::MAX), "> 99 d");
    }

    #[test]
    fn units_are_read_as_people_write_them() {
        assert_eq!(parse_size("500K"), Ok(512_000));
        assert_eq!(parse_size("1.5MiB"), Ok(1_572_864));
        assert_eq!(parse_size("700MB"), Ok(700_000_000));
        assert_eq!(parse_size("2 m"), Ok(2_097_152));
        assert_eq!(parse_rate("none"), Ok(None));
        assert_eq!(parse_rate("2M/s"), Ok(Some(2_097_152)));
        for few in ["1", "200", "999", "0.4", "200.5", "200/s", "1e2", "0.0001K"] {
            assert!(parse_rate(few).is_err(), "{few}");
        }
        assert_eq!(
            (parse_rate("1000"), parse_rate("0.0"), parse_rate("0K/s")),
            (Ok(Some(1000)), Ok(None), Ok(None))
        );
        for bad in ["", "K", "-5", "1e9", "5X", "99999999999G", "1..2"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_span("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_span("90"), Ok(Duration::from_secs(90)));
        for bad in ["", "h", "5 fortnights", "99999999999999999999d", "-3s"] {
            assert!(parse_span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(
            [count(7), count(999), count(12_314), count(1_000_000)],
            ["7", "999", "12 314", "1 000 000"]
        );
        assert_eq!(plural(1, "file", "files"), "1 file");
    }

    proptest! {
        #[test]
        fn no_size_is_wider_than_its_field(bytes in any::<u64>(), shift in 0_u32..64) {
            let text = size(bytes >> shift);
            prop_assert!(text.len() <= 8, "{text}");
            prop_assert!(text.bytes().filter(u8::is_ascii_digit).count() <= 3, "{text}");
        }
    }
}
