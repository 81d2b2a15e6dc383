//! Bencode and v1 torrents, written here a second time so that the tests do not trust the code under test.

use sha1::{Digest, Sha1};

use super::content::Content;

/// A bencoded value. Keys of a dictionary are given in order.
pub enum Value {
    Int(u64),
    Bytes(Vec<u8>),
    List(Vec<Self>),
    Dict(Vec<(&'static str, Self)>),
}

impl Value {
    pub fn text(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Int(int) => out.extend(format!("i{int}e").bytes()),
            Self::Bytes(bytes) => {
                out.extend(format!("{}:", bytes.len()).bytes());
                out.extend(bytes);
            }
            Self::List(items) => {
                out.push(b'l');
                for item in items {
                    item.write(out);
                }
                out.push(b'e');
            }
            Self::Dict(entries) => {
                assert!(entries.is_sorted_by(|a, b| a.0 < b.0), "keys in order");
                out.push(b'd');
                for (key, value) in entries {
                    Self::text(key).write(out);
                    value.write(out);
                }
                out.push(b'e');
            }
        }
    }
}

/// A v1 torrent of several files and its info-hash in lower-case hexadecimal.
pub fn v1_torrent(content: &Content, piece_len: usize, announce: &str) -> (Vec<u8>, String) {
    let line = content.line();
    let pieces = line.chunks(piece_len).flat_map(|piece| Sha1::digest(piece).to_vec()).collect();
    let files = content.files().iter().map(|(path, bytes)| {
        let path = Value::List(path.split('/').map(Value::text).collect());
        Value::Dict(vec![("length", Value::Int(bytes.len() as u64)), ("path", path)])
    });
    let info = Value::Dict(vec![
        ("files", Value::List(files.collect())),
        ("name", Value::text(content.name())),
        ("piece length", Value::Int(piece_len as u64)),
        ("pieces", Value::Bytes(pieces)),
    ]);
    let hash = hex(&Sha1::digest(info.encode()));
    (Value::Dict(vec![("announce", Value::text(announce)), ("info", info)]).encode(), hash)
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).expect("four bits");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
