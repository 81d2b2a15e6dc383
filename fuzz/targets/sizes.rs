//! Sizes, rates and times as people write them, and as torr shows them.

use std::time::Duration;

use torr::base::units;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(bytes) = units::parse_size(text) {
        assert_eq!(units::parse_size(&bytes.to_string()), Ok(bytes));
        let near = units::parse_size(&units::size(bytes).replace("EiB", "x"));
        // Three digits are shown.
        assert!(near.is_err() || near.is_ok_and(|near| near.abs_diff(bytes) <= bytes / 90 + 1), "{bytes}");
        shown(bytes);
    }
    if let Ok(Some(rate)) = units::parse_rate(text) {
        assert!(rate > 0);
        shown(rate);
    }
    if let Ok(span) = units::parse_span(text) {
        assert!(!units::span(span).is_empty());
        assert_eq!(units::parse_span(&span.as_secs().to_string()), Ok(span));
        shown(span.as_secs());
    }
}

fn shown(number: u64) {
    let texts = [
        units::size(number),
        units::rate(number as f64),
        units::span(Duration::from_millis(number)),
        units::count(number),
        units::plural(number, "file", "files"),
    ];
    assert!(texts.iter().all(|text| (1..40).contains(&text.len())));
}
