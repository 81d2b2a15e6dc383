//! Seed goals as text: when seeding stops.

use crate::app::door::{After, SeedGoal};
use crate::base::units;

/// Reads `forever`, a ratio (`2.0`), a time (`30m`), `copies:1`, or several with commas between,
/// of which the first to come true counts.
pub fn parse_until(text: &str) -> Result<SeedGoal, String> {
    let mut until = SeedGoal::default();
    if text.trim().eq_ignore_ascii_case("forever") {
        return Ok(until);
    }
    for part in text.split(',').map(str::trim) {
        let twice = || format!("'{text}' sets the same limit twice");
        if let Some(copies) = part.strip_prefix("copies:") {
            let copies = copies.parse().ok().filter(|&copies| copies > 0);
            let copies =
                copies.ok_or_else(|| format!("'{part}' is not a number of copies; write copies:1"))?;
            if until.copies.replace(copies).is_some() {
                return Err(twice());
            }
        } else if let Some(ratio) = ratio(part) {
            if until.ratio.replace(ratio).is_some() {
                return Err(twice());
            }
        } else if part.is_empty() || part.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong(text));
        } else {
            let time = units::parse_span(part).ok().filter(|time| !time.is_zero());
            let time = time.ok_or_else(|| wrong(text))?;
            if until.time.replace(time).is_some() {
                return Err(twice());
            }
        }
    }
    Ok(until)
}

/// Reads what [`parse_until`] reads, or `off`, which `0` also means.
pub fn parse_after(text: &str) -> Result<After, String> {
    let off = text.trim().eq_ignore_ascii_case("off") || text.trim() == "0";
    if off { Ok(After::Stop) } else { parse_until(text).map(After::Seed) }
}

/// A number alone is a ratio: `2` or `2.0`, neither negative nor endless.
fn ratio(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let value: f64 = if plain { text.parse().ok()? } else { return None };
    (value.is_finite() && value > 0.0 && value <= 1e6).then_some(value)
}

fn wrong(text: &str) -> String {
    format!("'{text}' is not a seed limit; write a ratio (2.0), a time (30m), copies:1 or forever")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn goals_are_read_as_people_write_them() {
        let none = SeedGoal::default();
        assert_eq!(parse_until("forever"), Ok(none));
        assert_eq!(parse_until("2.0"), Ok(SeedGoal { ratio: Some(2.0), ..none }));
        assert_eq!(parse_until("30m"), Ok(SeedGoal { time: Some(Duration::from_secs(1800)), ..none }));
        assert_eq!(
            parse_until("2,7d,copies:3"),
            Ok(SeedGoal { ratio: Some(2.0), time: Some(Duration::from_secs(604_800)), copies: Some(3) })
        );
        assert_eq!(parse_after("off"), Ok(After::Stop));
        assert_eq!(parse_after("0"), Ok(After::Stop));
        assert_eq!(parse_after("1.5"), Ok(After::Seed(SeedGoal { ratio: Some(1.5), ..none })));
    }

    #[test]
    fn what_is_no_goal_is_refused() {
        for bad in [
            "", "0", "0s", "0h0m", "2.0,0s", "-1", "soon", "copies:0", "copies:x", "1,2", "1h,2h", "1,",
            "inf", "NaN", "off",
        ] {
            assert!(parse_until(bad).is_err(), "{bad}");
        }
    }
}
