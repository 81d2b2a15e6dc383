//! QR codes on a terminal, two modules to a character.

use std::fmt;

use qrcode::{Color, EcLevel, QrCode};

use super::style::Style;
use crate::base::InfoHashes;
use crate::proto::magnet::Magnet;

/// Modules of white around the code, without which readers do not find it (ISO 18004).
const QUIET: usize = 4;

/// Why there is no QR code; a sentence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoQr {
    /// Its blocks are no ASCII.
    Ascii,
    /// The text is longer than a QR code can hold.
    TooLong,
    /// The terminal is too narrow.
    Narrow {
        /// The columns it takes.
        needs: usize,
        /// The columns there are.
        has: usize,
    },
}

impl fmt::Display for NoQr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ascii => f.write_str("no QR code: it cannot be drawn in ASCII"),
            Self::TooLong => f.write_str("no QR code: the link is too long for one"),
            Self::Narrow { needs, has } => {
                write!(f, "no QR code: it takes {needs} columns and there are {has}")
            }
        }
    }
}

/// The text as lines of half blocks, all of the same width, quiet zone included.
///
/// With colours it is black on white whatever the theme. Without, the light modules are drawn and the
/// dark ones left out: that is right on a dark terminal, and on a light one it is a negative, quiet zone
/// and all, which readers take too.
pub fn draw(text: &str, style: Style, columns: usize) -> Result<Vec<String>, NoQr> {
    if style.ascii {
        return Err(NoQr::Ascii);
    }
    let code = encode(text).ok_or(NoQr::TooLong)?;
    let width = code.width() + 2 * QUIET;
    if width > columns {
        return Err(NoQr::Narrow { needs: width, has: columns });
    }
    // Beyond the code everything is light.
    let dark = |x: usize, y: usize| {
        let inside = QUIET..QUIET + code.width();
        inside.contains(&x) && inside.contains(&y) && code[(x - QUIET, y - QUIET)] == Color::Dark
    };
    let row = |y: usize| -> String {
        (0..width)
            .map(|x| {
                let ink = [dark(x, y) == style.colour, dark(x, y + 1) == style.colour];
                match ink {
                    [true, true] => '█',
                    [true, false] => '▀',
                    [false, true] => '▄',
                    [false, false] => ' ',
                }
            })
            .collect()
    };
    let paint = |row: String| if style.colour { format!("\u{1b}[30;107m{row}\u{1b}[0m") } else { row };
    Ok((0..width).step_by(2).map(|y| paint(row(y))).collect())
}

/// The short link for a QR code: every byte makes the code larger, so it has one info-hash and the best address.
pub fn short_link(link: &Magnet) -> String {
    let hash = link.info_hash.v1().map_or(link.info_hash, InfoHashes::from_v1);
    let peers = link.peers.iter().take(1).copied().collect();
    Magnet { peers, ..Magnet::new(hash) }.to_string()
}

/// The smallest code that holds the text, with as much redundancy as that size has room for.
fn encode(text: &str) -> Option<QrCode> {
    let smallest = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let version = smallest.version();
    let stronger = [EcLevel::H, EcLevel::Q, EcLevel::M];
    let best = stronger.into_iter().find_map(|level| QrCode::with_version(text, version, level).ok());
    Some(best.unwrap_or(smallest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLOUR: Style = Style { ascii: false, colour: true };
    const PLAIN: Style = Style { ascii: false, colour: false };

    /// The modules of a drawing, dark ones true.
    fn modules(lines: &[String], style: Style) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in lines {
            let bare = line.trim_start_matches("\u{1b}[30;107m").trim_end_matches("\u{1b}[0m");
            let ink = |both: char| -> Vec<bool> {
                bare.chars().map(|c| (c == '█' || c == both) == style.colour).collect()
            };
            rows.push(ink('▀'));
            rows.push(ink('▄'));
        }
        rows
    }

    #[test]
    fn a_drawing_holds_every_module_and_a_quiet_zone() {
        let text = "magnet:?xt=urn:btih:9f2c41d0a7c3f3f7be42d7c7e3b5d1a0b4e0c1aa";
        let code = encode(text).unwrap();
        for style in [COLOUR, PLAIN] {
            let rows = modules(&draw(text, style, 80).unwrap(), style);
            for (y, row) in rows.iter().enumerate() {
                for (x, &dark) in row.iter().enumerate() {
                    let inside = QUIET..QUIET + code.width();
                    let wanted = inside.contains(&x)
                        && inside.contains(&y)
                        && code[(x - QUIET, y - QUIET)] == Color::Dark;
                    assert_eq!(dark, wanted, "{x} {y} {style:?}");
                }
            }
        }
    }

    #[test]
    fn a_link_of_a_hash_fits_a_small_terminal() {
        let link = Magnet::new(InfoHashes::hybrid([0xab; 20], [0xcd; 32]));
        let text = short_link(&link);
        assert_eq!(text.len(), 60);
        let size = |text: &str| {
            let lines = draw(text, PLAIN, 80).unwrap();
            assert!(lines.iter().all(|line| line.chars().count() == lines[0].chars().count()));
            (lines[0].chars().count(), lines.len())
        };
        assert_eq!(size(&text), (41, 21));
        let with = Magnet { peers: vec!["192.168.100.20:51999".parse().unwrap(); 3], ..link };
        assert_eq!(size(&short_link(&with)), (45, 23));
    }

    #[test]
    fn what_cannot_be_drawn_is_told() {
        assert_eq!(draw("x", Style { ascii: true, colour: true }, 80), Err(NoQr::Ascii));
        assert_eq!(draw("x", COLOUR, 20), Err(NoQr::Narrow { needs: 29, has: 20 }));
        assert_eq!(draw(&"x".repeat(4000), COLOUR, 1000), Err(NoQr::TooLong));
    }
}
