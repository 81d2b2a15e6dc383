//! Amounts as they stand in a line of progress.

use std::time::Duration;

use crate::base::units;

/// `4.2 of 5.6 GiB` with any word between: both in the unit of the whole, three digits at most. The part has
/// as many digits after the point as the whole, so that the text keeps its width while it grows.
pub fn of(done: u64, total: u64, between: &str) -> String {
    let whole = units::size(total);
    let Some((number, unit)) = whole.split_once(' ') else { return whole };
    let power = match unit {
        "KiB" => 1,
        "MiB" => 2,
        "GiB" => 3,
        "TiB" => 4,
        "PiB" => 5,
        "EiB" => 6,
        _ => 0,
    };
    let value = done as f64 / 1024_f64.powi(power);
    let after = number.split_once('.').map_or(0, |(_, after)| after.len());
    let least = usize::from(power > 0 && number.len() < 3);
    let decimals = if value >= 99.95 { 0 } else { after.max(least) };
    let part = format!("{value:.decimals$}");
    if part.bytes().any(|b| matches!(b, b'1'..=b'9')) {
        return format!("{part}{between}{whole}");
    }
    let part = if done == 0 { "0".to_owned() } else { units::size(done) };
    format!("{part}{between}{whole}")
}

/// `74 %`; never 100 before it is true.
pub fn percent(part: f64) -> String {
    format!("{:.0} %", (clamp(part) * 100.0).floor())
}

/// `74.3 %`; never 100 before it is true.
pub fn percent_fine(part: f64) -> String {
    let tenths = (clamp(part) * 1000.0).floor();
    if tenths >= 1000.0 { "100 %".to_owned() } else { format!("{:.1} %", tenths / 10.0) }
}

/// `41 s left`, or `-` where it cannot be told: too slow, too early, or unknown.
pub fn left(eta: Option<Duration>, rate: f64, active: Duration) -> String {
    eta_text(eta, rate, active).map_or_else(|| "-".to_owned(), |text| format!("{text} left"))
}

/// The time to the end, where it means something: not below 1 KiB/s and not in the first five seconds.
pub fn eta_text(eta: Option<Duration>, rate: f64, active: Duration) -> Option<String> {
    eta_known(eta, rate, active).map(span)
}

/// A time to come, never less than a second.
pub fn span(time: Duration) -> String {
    units::span(time.max(Duration::from_secs(1)))
}

/// The same for a narrow column: `1 h 31 m`.
pub fn span_short(time: Duration) -> String {
    span(time).replace("min", "m")
}

/// The same as a time.
pub fn eta_known(eta: Option<Duration>, rate: f64, active: Duration) -> Option<Duration> {
    eta.filter(|_| rate >= 1024.0 && active >= Duration::from_secs(5))
}

fn clamp(part: f64) -> f64 {
    if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_numbers_share_the_unit_of_the_whole() {
        assert_eq!(of(4_467_625_984, 6_012_954_214, " of "), "4.2 of 5.6 GiB");
        assert_eq!(of(1 << 30, 6_012_954_214, "/"), "1.0/5.6 GiB");
        assert_eq!(of(0, 6_012_954_214, " of "), "0 of 5.6 GiB");
        assert_eq!(of(1 << 20, 6_012_954_214, " of "), "1 MiB of 5.6 GiB");
        assert_eq!(of(786_432, 1_499_463, " of "), "0.75 of 1.43 MiB");
        assert_eq!(of(1 << 19, 1 << 20, " of "), "0.5 of 1 MiB");
        assert_eq!(of(7, 999, " of "), "7 of 999 B");
        assert_eq!(of(600 << 20, 700 << 20, " of "), "600 of 700 MiB");
        assert_eq!(of(0, 0, " of "), "0 of 0 B");
    }

    #[test]
    fn a_hundred_percent_means_all() {
        assert_eq!(percent(0.9999), "99 %");
        assert_eq!(percent_fine(0.99999), "99.9 %");
        assert_eq!([percent_fine(1.0), percent_fine(0.743), percent(f64::NAN)], ["100 %", "74.3 %", "0 %"]);
    }

    #[test]
    fn no_eta_is_better_than_a_wrong_one() {
        let eta = Some(Duration::from_secs(41));
        let late = Duration::from_secs(9);
        assert_eq!(left(eta, 1e6, late), "41 s left");
        assert_eq!(left(eta, 500.0, late), "-");
        assert_eq!(left(eta, 1e6, Duration::from_secs(4)), "-");
        assert_eq!(left(None, 1e6, late), "-");
        assert_eq!(left(Some(Duration::from_millis(10)), 1e6, late), "1 s left");
    }
}
