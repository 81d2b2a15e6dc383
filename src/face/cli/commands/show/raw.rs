//! Bencode as JSON, losing nothing.
//!
//! Numbers are numbers, lists are arrays, dictionaries are objects with their keys in the order of the
//! file. A string that is text is a string; one that is not is `{"$hex": "…"}`, and so are those that are
//! digests by their meaning, so that they look the same by chance or not. A key that is no text is
//! `$hex:…`, and a key that begins with `$` gets a second one.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::face::cli::json::hex;
use crate::proto::bencode::Value;

/// Strings under these keys are digests.
const DIGESTS: [&[u8]; 7] =
    [b"pieces", b"pieces root", b"piece layers", b"ed2k", b"filehash", b"sha1", b"md5"];

/// A value to be written as JSON.
pub struct Raw<'a, 't> {
    value: Value<'a, 't>,
    digest: bool,
}

impl<'a, 't> Raw<'a, 't> {
    /// This one with everything in it. It must come from a tree of bounded depth.
    pub fn new(value: Value<'a, 't>) -> Self {
        Self { value, digest: false }
    }
}

impl Serialize for Raw<'_, '_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let value = self.value;
        if let Some(number) = value.int() {
            return to.serialize_i64(number);
        }
        if let Some(bytes) = value.bytes() {
            return match std::str::from_utf8(bytes) {
                Ok(text) if !self.digest => to.serialize_str(text),
                _ => {
                    let mut marked = to.serialize_map(Some(1))?;
                    marked.serialize_entry("$hex", &hex(bytes))?;
                    marked.end()
                }
            };
        }
        if value.is_list() {
            let mut list = to.serialize_seq(None)?;
            for item in value.list() {
                list.serialize_element(&Raw { value: item, digest: self.digest })?;
            }
            return list.end();
        }
        let mut dict = to.serialize_map(None)?;
        for (name, item) in value.dict() {
            let digest = DIGESTS.contains(&name) || self.digest;
            dict.serialize_entry(&key(name, self.digest), &Raw { value: item, digest })?;
        }
        dict.end()
    }
}

fn key(name: &[u8], digest: bool) -> String {
    match std::str::from_utf8(name) {
        Ok(text) if text.starts_with('$') => format!("${text}"),
        Ok(text) if !digest => text.to_owned(),
        _ => format!("$hex:{}", hex(name)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::*;
    use crate::face::cli::json;
    use crate::proto::bencode::{Limits, Tree, dict};

    fn told(bytes: &[u8]) -> String {
        let tree = Tree::parse(bytes, Limits::TORRENT).unwrap();
        json::line(&Raw::new(tree.root()))
    }

    #[test]
    fn what_is_binary_is_marked() {
        let bytes =
            b"d4:$hexi-5e4:infod6:pieces2:abe1:lli1e1:\xff2:\xc3\xa9e12:piece layersd2:xy2:zze2:\xff\xfe0:e";
        assert_eq!(
            told(bytes),
            r#"{"$$hex":-5,"info":{"pieces":{"$hex":"6162"}},"l":[1,{"$hex":"ff"},"é"],"piece layers":{"$hex:7879":{"$hex":"7a7a"}},"$hex:fffe":""}"#
        );
    }

    /// The bencode that this JSON stands for.
    fn back(json: &Json, out: &mut Vec<u8>) {
        let unhex = |text: &str| -> Vec<u8> {
            text.as_bytes()
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect()
        };
        let put = |bytes: &[u8], out: &mut Vec<u8>| {
            out.extend(format!("{}:", bytes.len()).into_bytes());
            out.extend(bytes);
        };
        match json {
            Json::Number(number) => out.extend(format!("i{number}e").into_bytes()),
            Json::String(text) => put(text.as_bytes(), out),
            Json::Array(items) => {
                out.push(b'l');
                for item in items {
                    back(item, out);
                }
                out.push(b'e');
            }
            Json::Object(entries) => {
                if let Some(Json::String(text)) = entries.get("$hex") {
                    return put(&unhex(text), out);
                }
                let mut inner: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
                for (name, item) in entries {
                    let name = match name.strip_prefix("$hex:") {
                        Some(digits) => unhex(digits),
                        None => {
                            name.strip_prefix("$$").map_or(name.clone(), |n| format!("${n}")).into_bytes()
                        }
                    };
                    let mut bytes = Vec::new();
                    back(item, &mut bytes);
                    inner.push((name, bytes));
                }
                inner.sort();
                out.push(b'd');
                for (name, bytes) in inner {
                    put(&name, out);
                    out.extend(bytes);
                }
                out.push(b'e');
            }
            other => panic!("{other}"),
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost(entries in prop::collection::btree_map(
            prop_oneof![prop::collection::vec(any::<u8>(), 0..5), Just(b"$hex".to_vec()), Just(b"pieces".to_vec())],
            (any::<i64>(), prop::collection::vec(any::<u8>(), 0..5)), 0..6,
        )) {
            let bytes = dict(|d| {
                for (name, (number, content)) in &entries {
                    d.list(name, |list| {
                        list.int(*number).bytes(content).dict(|d| { d.bytes(name, content); });
                    });
                }
            });
            let json: Json = serde_json::from_str(&told(&bytes)).unwrap();
            let mut again = Vec::new();
            back(&json, &mut again);
            prop_assert_eq!(again, bytes);
        }
    }
}
