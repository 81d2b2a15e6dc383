//! The value of an item (BEP 44): bencode of at most a thousand bytes, and as a rule one string in it.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use crate::app::{Error, ErrorKind};
use crate::proto::bencode::{self, Limits, Tree};
use crate::proto::krpc::{Item, MAX_VALUE};

/// The bencode of what a file holds, or standard input where the path is `-`. What is bencode already is
/// taken as it is.
pub fn read(path: &Path, bencoded: bool) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let most = MAX_VALUE as u64 + 1;
    let read = if path == Path::new("-") {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Err(Error::usage("the value comes from standard input, which is a terminal")
                .hint("name a file, or pipe it in: echo hello | torr dht put"));
        }
        stdin.lock().take(most).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    read.map_err(|error| Error::disk("read", path, &error))?;
    let value = if bencoded { bytes } else { bencode::string(&bytes) };
    Item::Immutable(value.clone()).check().map_err(|error| {
        let hint = if bencoded { "without --bencoded, any bytes are accepted" } else { "996 bytes fit" };
        Error::new(ErrorKind::Input, "malformed", error.to_string()).hint(hint)
    })?;
    Ok(value)
}

/// Returns the form of a value for output: the bytes of a string, or any other value as bencode.
pub fn content(value: &[u8]) -> Vec<u8> {
    let tree = Tree::parse(value, Limits::KRPC).ok();
    let string = tree.as_ref().and_then(|tree| tree.root().bytes());
    string.unwrap_or(value).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_become_a_value_and_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v");
        let put = |bytes: &[u8], bencoded| {
            std::fs::write(&path, bytes).unwrap();
            read(&path, bencoded)
        };
        for bytes in [&b""[..], b"hello\n", b"\x00\xff", &[7; 996]] {
            let value = put(bytes, false).unwrap();
            assert_eq!(content(&value), bytes);
        }
        assert_eq!(put(b"d1:ai1ee", true).unwrap(), b"d1:ai1ee");
        assert_eq!(content(b"d1:ai1ee"), b"d1:ai1ee");
        for (bad, bencoded) in [(&b"hello"[..], true), (b"d1:bi1e1:ai1ee", true), (&[7; 997], false)] {
            assert_eq!(put(bad, bencoded).unwrap_err().kind, ErrorKind::Input);
        }
        assert_eq!(read(&folder.path().join("none"), false).unwrap_err().kind, ErrorKind::Disk);
    }
}
