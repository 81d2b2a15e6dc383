//! Writers of canonical bencode.

use std::collections::BTreeMap;

/// Returns the bencoded form of a dictionary.
///
/// ```
/// let bytes = torr::proto::bencode::dict(|d| {
///     d.int("port", 6881).bytes("ip", "127.0.0.1");
/// });
/// assert_eq!(bytes, b"d2:ip9:127.0.0.14:porti6881ee");
/// ```
pub fn dict(fill: impl FnOnce(&mut DictWriter)) -> Vec<u8> {
    let mut out = Vec::new();
    DictWriter::write(fill, &mut out);
    out
}

/// Returns the bencoded form of a list.
pub fn list(fill: impl FnOnce(&mut ListWriter)) -> Vec<u8> {
    let mut out = Vec::new();
    ListWriter::write(fill, &mut out);
    out
}

/// Returns the bencoded form of a string.
pub fn string(content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, content.as_ref());
    out
}

/// Returns the bencoded form of an integer.
pub fn int(number: i64) -> Vec<u8> {
    let mut out = Vec::new();
    put_int(&mut out, number);
    out
}

/// Writes a dictionary with its keys in order. Of a key that is added twice the later value counts.
#[derive(Debug, Default)]
pub struct DictWriter {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl DictWriter {
    /// Adds an integer.
    pub fn int(&mut self, key: impl AsRef<[u8]>, number: i64) -> &mut Self {
        self.add(key, |out| put_int(out, number))
    }

    /// Adds a string.
    pub fn bytes(&mut self, key: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> &mut Self {
        self.add(key, |out| put_bytes(out, content.as_ref()))
    }

    /// Adds a value that is already bencoded.
    pub fn raw(&mut self, key: impl AsRef<[u8]>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.add(key, |out| *out = value.into())
    }

    /// Adds a list.
    pub fn list(&mut self, key: impl AsRef<[u8]>, fill: impl FnOnce(&mut ListWriter)) -> &mut Self {
        self.add(key, |out| ListWriter::write(fill, out))
    }

    /// Adds a dictionary.
    pub fn dict(&mut self, key: impl AsRef<[u8]>, fill: impl FnOnce(&mut DictWriter)) -> &mut Self {
        self.add(key, |out| Self::write(fill, out))
    }

    fn add(&mut self, key: impl AsRef<[u8]>, put: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        let mut value = Vec::new();
        put(&mut value);
        self.entries.insert(key.as_ref().to_vec(), value);
        self
    }

    fn write(fill: impl FnOnce(&mut Self), out: &mut Vec<u8>) {
        let mut writer = Self::default();
        fill(&mut writer);
        out.push(b'd');
        for (key, value) in writer.entries {
            put_bytes(out, &key);
            out.extend(value);
        }
        out.push(b'e');
    }
}

/// Writes the items of a list.
#[derive(Debug)]
pub struct ListWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl ListWriter<'_> {
    /// Adds an integer.
    pub fn int(&mut self, number: i64) -> &mut Self {
        put_int(self.out, number);
        self
    }

    /// Adds a string.
    pub fn bytes(&mut self, content: impl AsRef<[u8]>) -> &mut Self {
        put_bytes(self.out, content.as_ref());
        self
    }

    /// Adds a list.
    pub fn list(&mut self, fill: impl FnOnce(&mut ListWriter)) -> &mut Self {
        ListWriter::write(fill, self.out);
        self
    }

    /// Adds a dictionary.
    pub fn dict(&mut self, fill: impl FnOnce(&mut DictWriter)) -> &mut Self {
        DictWriter::write(fill, self.out);
        self
    }

    fn write(fill: impl FnOnce(&mut ListWriter), out: &mut Vec<u8>) {
        out.push(b'l');
        fill(&mut ListWriter { out });
        out.push(b'e');
    }
}

fn put_int(out: &mut Vec<u8>, number: i64) {
    out.extend(format!("i{number}e").into_bytes());
}

fn put_bytes(out: &mut Vec<u8>, content: &[u8]) {
    out.extend(format!("{}:", content.len()).into_bytes());
    out.extend(content);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::bencode::{Limits, scan};

    #[test]
    fn keys_are_sorted_whatever_the_order_of_the_calls() {
        let bytes = dict(|d| {
            d.int("z", -1)
                .list("l", |l| {
                    l.int(1).bytes("x").list(|_| {}).dict(|d| {
                        d.bytes("b", "").raw("a", "i5e");
                    });
                })
                .dict("a", |d| {
                    d.int("n", i64::MIN);
                })
                .int("z", 3);
        });
        assert_eq!(bytes, b"d1:ad1:ni-9223372036854775808ee1:lli1e1:xled1:ai5e1:b0:ee1:zi3ee");
        let alone = (
            list(|l| {
                l.int(1);
            }),
            string("x"),
            int(-3),
        );
        assert_eq!(alone, (b"li1ee".to_vec(), b"1:x".to_vec(), b"i-3e".to_vec()));
        let found = scan(&bytes, Limits::MESSAGE, b"l").unwrap();
        assert_eq!((found.len, found.unsorted, found.duplicates.len()), (bytes.len(), None, 0));
    }
}
