//! The extension protocol (BEP 10): its handshake, and the extensions too small for a file of their own,
//! `lt_donthave` (BEP 54) and `upload_only` (BEP 21). `ut_metadata` (BEP 9) is in `metadata.rs`, `ut_pex`
//! (BEP 11) in `pex.rs`.

mod metadata;
pub mod pex;
mod reader;

use std::net::IpAddr;

pub use self::metadata::{
    MAX_METADATA, METADATA_PIECE, MetadataMessage, metadata_piece_len, metadata_pieces,
};
use self::reader::Reader;
use crate::base::Untrusted;

/// The message id of the extension handshake (BEP 10).
pub const HANDSHAKE_ID: u8 = 0;
/// The longest client name that is kept, in characters.
pub const MAX_CLIENT_CHARS: usize = 100;

/// The extensions that torr supports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Extension {
    /// `lt_donthave`: the sender no longer has a piece (BEP 54).
    DontHave,
    /// `upload_only`: the sender wants no more pieces (BEP 21).
    UploadOnly,
    /// `ut_metadata`: the info dictionary, in pieces (BEP 9).
    Metadata,
    /// `ut_pex`: addresses of other peers (BEP 11).
    Pex,
}

impl Extension {
    /// All extensions, in the order of their names.
    pub const ALL: [Self; 4] = [Self::DontHave, Self::UploadOnly, Self::Metadata, Self::Pex];

    /// Returns the extension's name in the handshake.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DontHave => "lt_donthave",
            Self::UploadOnly => "upload_only",
            Self::Metadata => "ut_metadata",
            Self::Pex => "ut_pex",
        }
    }

    /// Returns our message id for the extension: the id that a peer has to use in messages to us.
    pub const fn our_id(self) -> u8 {
        match self {
            Self::DontHave => 1,
            Self::UploadOnly => 2,
            Self::Metadata => 3,
            Self::Pex => 4,
        }
    }

    /// Returns the extension that has this message id of ours.
    pub fn from_our_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|extension| extension.our_id() == id)
    }

    fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|extension| extension.name().as_bytes() == name)
    }
}

/// A decoded message of the extension protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Extended {
    /// The extension handshake (BEP 10).
    Handshake(Box<ExtendedHandshake>),
    /// A message of `ut_metadata` (BEP 9).
    Metadata(MetadataMessage),
    /// A message of `ut_pex` (BEP 11).
    Pex(pex::PexMessage),
    /// The sender no longer has this piece (BEP 54).
    DontHave(u32),
    /// Whether the sender wants no more pieces (BEP 21).
    UploadOnly(bool),
}

impl Extended {
    /// Decodes a message with one of our message ids. Fails if the body is malformed or the id is not ours.
    pub fn decode(id: u8, body: &[u8]) -> Result<Self, ExtendedError> {
        if id == HANDSHAKE_ID {
            return ExtendedHandshake::decode(body).map(Box::new).map(Self::Handshake);
        }
        match Extension::from_our_id(id).ok_or(ExtendedError)? {
            Extension::Metadata => MetadataMessage::decode(body).map(Self::Metadata),
            Extension::Pex => pex::PexMessage::decode(body).map(Self::Pex),
            Extension::DontHave => decode_dont_have(body).map(Self::DontHave).ok_or(ExtendedError),
            Extension::UploadOnly => Ok(Self::UploadOnly(body.first().is_some_and(|&byte| byte != 0))),
        }
    }
}

/// An extension handshake (BEP 10). A field that the peer left out or sent malformed is `None`, so a later
/// handshake changes only what it mentions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExtendedHandshake {
    /// The sender's message id for each extension that torr supports, once each; 0 for one that the sender no
    /// longer supports.
    pub ids: Vec<(Extension, u8)>,
    /// The length of the info dictionary in bytes (BEP 9), as claimed by the sender.
    pub metadata_size: Option<u32>,
    /// The TCP port on which the sender accepts peers.
    pub port: Option<u16>,
    /// The number of requests that the sender queues without dropping any.
    pub reqq: Option<u32>,
    /// Whether the sender wants no more pieces (BEP 21).
    pub upload_only: Option<bool>,
    /// The name and version of the sender's client, cut to [`MAX_CLIENT_CHARS`] characters.
    pub client: Option<Untrusted>,
    /// The receiver's address as the sender sees it.
    pub your_ip: Option<IpAddr>,
}

/// The error for a body that is malformed or nested too deep.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the extension handshake cannot be read")]
pub struct ExtendedError;

impl ExtendedHandshake {
    /// Returns the sender's message id for the extension, if the sender supports it.
    pub fn id_of(&self, extension: Extension) -> Option<u8> {
        self.ids.iter().find(|(known, id)| *known == extension && *id != 0).map(|&(_, id)| id)
    }

    /// Returns the body of the message, to be sent with the id [`HANDSHAKE_ID`].
    pub fn encode(&self) -> Vec<u8> {
        let mut ids = self.ids.clone();
        ids.sort_by_key(|(extension, _)| extension.name());
        let mut out = b"d1:md".to_vec();
        for (extension, id) in ids {
            string(&mut out, extension.name().as_bytes());
            integer(&mut out, id.into());
        }
        out.push(b'e');
        let mut number = |key: &str, value: Option<u32>| {
            if let Some(value) = value {
                string(&mut out, key.as_bytes());
                integer(&mut out, value);
            }
        };
        number("metadata_size", self.metadata_size);
        number("p", self.port.map(u32::from));
        number("reqq", self.reqq);
        number("upload_only", self.upload_only.map(u32::from));
        if let Some(client) = &self.client {
            string(&mut out, b"v");
            string(&mut out, client.raw().as_bytes());
        }
        if let Some(ip) = self.your_ip {
            string(&mut out, b"yourip");
            match ip {
                IpAddr::V4(ip) => string(&mut out, &ip.octets()),
                IpAddr::V6(ip) => string(&mut out, &ip.octets()),
            }
        }
        out.push(b'e');
        out
    }

    /// Decodes the body of a handshake. Keys may come in any order and unknown ones are skipped; the last of
    /// a repeated key counts, and bytes after the dictionary are ignored.
    pub fn decode(body: &[u8]) -> Result<Self, ExtendedError> {
        let mut reader = Reader::new(body);
        let mut read = Self::default();
        reader.dictionary()?;
        while let Some(key) = reader.key()? {
            match key {
                b"m" if reader.at_dictionary() => read.ids = numbers(&mut reader)?,
                b"metadata_size" => read.metadata_size = narrow(reader.integer()?),
                b"p" => read.port = narrow(reader.integer()?).filter(|&port| port != 0),
                b"reqq" => read.reqq = narrow(reader.integer()?),
                b"upload_only" => read.upload_only = reader.integer()?.map(|value| value != 0),
                b"v" => read.client = reader.string()?.map(client),
                b"yourip" => read.your_ip = reader.string()?.and_then(address),
                _ => reader.skip()?,
            }
        }
        Ok(read)
    }
}

/// Returns the body of an `lt_donthave` message (BEP 54).
pub fn encode_dont_have(piece: u32) -> Vec<u8> {
    piece.to_be_bytes().to_vec()
}

/// Returns the piece number in the body of an `lt_donthave` message (BEP 54).
pub fn decode_dont_have(body: &[u8]) -> Option<u32> {
    body.try_into().ok().map(u32::from_be_bytes)
}

fn numbers(reader: &mut Reader<'_>) -> Result<Vec<(Extension, u8)>, ExtendedError> {
    let mut ids: Vec<(Extension, u8)> = Vec::new();
    reader.dictionary()?;
    while let Some(name) = reader.key()? {
        let Some(extension) = Extension::from_name(name) else {
            reader.skip()?;
            continue;
        };
        let Some(id) = narrow(reader.integer()?) else { continue };
        match ids.iter_mut().find(|(known, _)| *known == extension) {
            Some(entry) => entry.1 = id,
            None => ids.push((extension, id)),
        }
    }
    Ok(ids)
}

fn narrow<T: TryFrom<i64>>(value: Option<i64>) -> Option<T> {
    value.and_then(|value| T::try_from(value).ok())
}

fn client(name: &[u8]) -> Untrusted {
    // UTF-8 needs at most four bytes per character, so no character that is kept lies beyond this cut.
    let name = String::from_utf8_lossy(&name[..name.len().min(4 * MAX_CLIENT_CHARS)]);
    Untrusted::new(name.chars().take(MAX_CLIENT_CHARS).collect::<String>())
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from).ok();
    v4.or_else(|| <[u8; 16]>::try_from(bytes).map(IpAddr::from).ok())
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes.len().to_string().as_bytes());
    out.push(b':');
    out.extend_from_slice(bytes);
}

fn integer(out: &mut Vec<u8>, value: u32) {
    out.push(b'i');
    out.extend_from_slice(value.to_string().as_bytes());
    out.push(b'e');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proto::bencode;

    #[test]
    fn a_handshake_reads_back_what_it_says() {
        let ours = ExtendedHandshake {
            ids: Extension::ALL.into_iter().map(|e| (e, e.our_id())).collect(),
            metadata_size: Some(31_235),
            port: Some(6881),
            reqq: Some(500),
            upload_only: Some(true),
            client: Some(Untrusted::new("torr 0.1")),
            your_ip: Some(IpAddr::from([10, 0, 0, 1])),
        };
        let bytes = ours.encode();
        assert_eq!(
            bytes.escape_ascii().to_string(),
            "d1:md11:lt_donthavei1e11:upload_onlyi2e11:ut_metadatai3e6:ut_pexi4ee13:metadata_sizei31235e\
             1:pi6881e4:reqqi500e11:upload_onlyi1e1:v8:torr 0.16:yourip4:\\n\\x00\\x00\\x01e"
        );
        assert_eq!(ExtendedHandshake::decode(&bytes), Ok(ours.clone()));
        assert_eq!(ours.id_of(Extension::Pex), Some(4));
        let v6 = ExtendedHandshake { your_ip: Some("::1".parse().unwrap()), ..Default::default() };
        assert_eq!(ExtendedHandshake::decode(&v6.encode()), Ok(v6));
    }

    #[test]
    fn what_cannot_be_is_left_out() {
        let body = b"d1:md6:ut_pexi300e11:ut_metadatai0e3:fooi7ee13:metadata_sizei-1e1:pi70000e4:reqq3:abc6:yourip3:abce";
        let read = ExtendedHandshake::decode(body).unwrap();
        assert_eq!(read, ExtendedHandshake { ids: vec![(Extension::Metadata, 0)], ..Default::default() });
        assert_eq!(read.id_of(Extension::Metadata), None);
        let strange = ExtendedHandshake::decode(b"d1:mi5e4:xxxxlld1:a0:eee1:pi5eetrailing").unwrap();
        assert_eq!(strange, ExtendedHandshake { port: Some(5), ..Default::default() });
    }

    #[test]
    fn a_message_is_read_by_the_number_we_gave_it() {
        let read = |id, body: &[u8]| Extended::decode(id, body).ok();
        assert!(
            matches!(read(HANDSHAKE_ID, b"d1:pi5ee"), Some(Extended::Handshake(hand)) if hand.port == Some(5))
        );
        assert_eq!(read(Extension::DontHave.our_id(), &[0, 0, 1, 2]), Some(Extended::DontHave(258)));
        assert_eq!(read(Extension::DontHave.our_id(), &[0, 0, 1]), None);
        assert_eq!(read(Extension::UploadOnly.our_id(), &[1]), Some(Extended::UploadOnly(true)));
        assert_eq!(read(Extension::UploadOnly.our_id(), &[]), Some(Extended::UploadOnly(false)));
        let request = MetadataMessage::Request(7);
        let body = request.encode();
        assert_eq!(read(Extension::Metadata.our_id(), &body), Some(Extended::Metadata(request)));
        assert_eq!(read(Extension::Pex.our_id(), b"de"), Some(Extended::Pex(pex::PexMessage::default())));
        assert_eq!((read(Extension::Pex.our_id(), b"junk"), read(99, b"de")), (None, None));
    }

    #[test]
    fn a_long_client_name_is_cut() {
        let mut body = b"d1:v".to_vec();
        string(&mut body, "é".repeat(5000).as_bytes());
        body.push(b'e');
        let read = ExtendedHandshake::decode(&body).unwrap();
        assert_eq!(read.client, Some(Untrusted::new("é".repeat(MAX_CLIENT_CHARS))));
    }

    #[test]
    fn what_is_no_dictionary_is_refused() {
        let deep = [b"d1:a".to_vec(), vec![b'l'; 100_000]].concat();
        let bodies: [&[u8]; 9] = [
            b"",
            b"d",
            b"le",
            b"i1e",
            b"d1:v",
            b"d1:v5:abce",
            b"d1:pi5",
            b"d1:m99999999999999999999:",
            &deep,
        ];
        for body in bodies {
            assert_eq!(ExtendedHandshake::decode(body), Err(ExtendedError));
        }
    }

    #[test]
    fn the_body_of_dont_have_is_four_bytes() {
        assert_eq!(decode_dont_have(&encode_dont_have(7)), Some(7));
        assert_eq!(decode_dont_have(&[0, 0, 7]), None);
    }

    prop_compose! {
        fn handshake()(
            ids in prop::collection::btree_map(prop::sample::select(Extension::ALL.to_vec()), any::<u8>(), 0..5),
            metadata_size: Option<u32>,
            port in prop::option::of(1_u16..),
            reqq: Option<u32>,
            upload_only: Option<bool>,
            client in prop::option::of(".{0,100}".prop_map(Untrusted::new)),
            your_ip: Option<IpAddr>,
        ) -> ExtendedHandshake {
            let ids = ids.into_iter().collect();
            ExtendedHandshake { ids, metadata_size, port, reqq, upload_only, client, your_ip }
        }
    }

    fn key() -> impl Strategy<Value = &'static str> {
        let ours = ["m", "metadata_size", "p", "reqq", "upload_only", "v", "yourip"];
        let others = ["ut_pex", "ut_metadata", "lt_donthave", "e", "x"];
        prop::sample::select([&ours[..], &others].concat())
    }

    fn dictionary(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let entry = |(key, value): &(&str, Vec<u8>)| [bencode::string(key), value.clone()].concat();
        [b"d".to_vec(), entries.iter().flat_map(entry).collect(), b"e".to_vec()].concat()
    }

    /// Values of every kind, whatever their key is meant for.
    fn value() -> impl Strategy<Value = Vec<u8>> {
        let odd = prop::sample::select(vec![i64::MIN, -1, 0, 1, 255, 256, 65_536, 1 << 32, i64::MAX]);
        let number = prop_oneof![odd, any::<i64>()].prop_map(bencode::int);
        let text = prop::collection::vec(any::<u8>(), 0..20).prop_map(bencode::string);
        prop_oneof![number, text].prop_recursive(3, 12, 4, |inner| {
            let list = prop::collection::vec(inner.clone(), 0..4);
            let list = list.prop_map(|values| [b"l".to_vec(), values.concat(), b"e".to_vec()].concat());
            let entries = prop::collection::vec((key(), inner), 0..4);
            prop_oneof![list, entries.prop_map(|entries| dictionary(&entries))]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn what_is_written_is_read(handshake in handshake()) {
            prop_assert_eq!(ExtendedHandshake::decode(&handshake.encode()), Ok(handshake));
        }

        #[test]
        fn of_odd_values_the_rest_is_read(entries in prop::collection::vec((key(), value()), 0..12)) {
            let mut read = ExtendedHandshake::decode(&dictionary(&entries)).unwrap();
            prop_assert!(read.client.as_ref().is_none_or(|name| name.raw().chars().count() <= MAX_CLIENT_CHARS));
            read.ids.sort_by_key(|(extension, _)| extension.name());
            prop_assert_eq!(ExtendedHandshake::decode(&read.encode()), Ok(read));
        }

        #[test]
        fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = ExtendedHandshake::decode(&body);
        }
    }

    proptest! {
        #[test]
        fn anything_that_looks_like_bencode_is_read_or_refused(body in "d([dlie0-9:mpv]|1:m|1:v|1:p){0,60}") {
            let _ = ExtendedHandshake::decode(body.as_bytes());
        }
    }
}
