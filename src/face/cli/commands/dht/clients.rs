//! Names for the client version of a DHT node: two letters and two bytes (BEP 5, "v").

use crate::base::Untrusted;
use crate::face::cli::json::hex;

/// The letters that are in use.
const KNOWN: [(&[u8; 2], &str); 9] = [
    (b"tR", "torr"),
    (b"LT", "libtorrent"),
    (b"lt", "libTorrent (rTorrent)"),
    (b"TR", "Transmission"),
    (b"UT", "uTorrent"),
    (b"A2", "aria2"),
    (b"AZ", "Vuze"),
    (b"RS", "mainline"),
    (b"ml", "mlDHT"),
];

/// The name of the program, where the letters are known.
pub fn name(version: [u8; 4]) -> Option<&'static str> {
    KNOWN.iter().find(|(letters, _)| letters[..] == version[..2]).map(|&(_, name)| name)
}

/// How people read it: the name or the letters, and the bytes of the version.
pub fn shown(version: [u8; 4]) -> String {
    let letters = || {
        let printable = version[..2].iter().all(u8::is_ascii_graphic);
        if printable { Untrusted::from_bytes(&version[..2]).clean() } else { hex(&version[..2]) }
    };
    format!("{} {}", name(version).map_or_else(letters, str::to_owned), hex(&version[2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_have_names_and_bytes_steer_nothing() {
        assert_eq!(shown(*b"LT\x02\x0a"), "libtorrent 020a");
        assert_eq!(shown(*b"zz\x00\x01"), "zz 0001");
        assert_eq!(shown(*b"\x1b[2J"), "1b5b 324a");
    }
}
