//! A test that damages a valid example of each message in every small way: each byte replaced by each of a
//! few bytes with a meaning in these formats, and the example cut at each length. No decoder may panic, or
//! make much of a few bytes.

use std::fmt::Debug;

use super::bencode::{Limits, Tree};
use super::extended::pex::PexMessage;
use super::extended::{ExtendedHandshake, MetadataMessage};
use super::handshake::Handshake;
use super::magnet::Magnet;
use super::splitter::{Split, Splitter};
use super::tracker_udp::{Family, Request, Response};
use super::{Metainfo, krpc, lsd, tracker_http};

/// Replacement bytes.
const BYTES: [u8; 9] = [0, b'0', b'9', b'd', b'e', b'i', b'l', b':', 0xff];

/// A decoder that returns the length of its result's debug form, or `None` where it refuses the input.
type Read = fn(&[u8]) -> Option<usize>;

/// The decoders, each with its name and a valid example.
const DECODERS: [(&str, &[u8], Read); 20] = [
    ("bencode", b"d1:ai-5e1:bl2:xyd1:ci0eeee", |bytes| {
        let tree = Tree::parse(bytes, Limits::MESSAGE).ok()?;
        len(Some((tree.root().raw(), tree.root().dict().count(), tree.rest())))
    }),
    (
        "an extension handshake",
        b"d1:md11:lt_donthavei1e11:upload_onlyi2e11:ut_metadatai3e6:ut_pexi4ee13:metadata_sizei31235e\
          1:pi6881e4:reqqi500e11:upload_onlyi1e1:v8:torr 0.16:yourip4:\n\x00\x00\x01e",
        |bytes| len(ExtendedHandshake::decode(bytes).ok()),
    ),
    ("a piece of metadata", b"d8:msg_typei1e5:piecei0e10:total_sizei3425eexxxxxxxx", |bytes| {
        len(MetadataMessage::decode(bytes).ok())
    }),
    (
        "an exchange of peers",
        b"d5:added12:\x01\x02\x03\x04\x01\x02\x01\x02\x03\x05\x01\x027:added.f2:\x12\x016:added618: \x01\r\xb8\
          \0\0\0\0\0\0\0\0\0\0\0\x01\x03\x048:added6.f1:\x047:dropped6:\x05\x06\x07\x08\x05\x06e",
        |bytes| len(PexMessage::decode(bytes).ok()),
    ),
    (
        "a question of a node",
        b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234566:noseedi1e6:scrapei1e\
          4:wantl2:n42:n6ee1:q9:get_peers2:roi1e1:t2:aa1:v4:tR011:y1:qe",
        |bytes| len(krpc::read(bytes).ok()),
    ),
    (
        "an item for a node",
        b"d1:ad2:id20:abcdefghij01234567895:token8:aoeusnth1:v5:helloe1:q3:put1:t2:aa1:y1:qe",
        |bytes| len(krpc::read(bytes).ok()),
    ),
    (
        "an answer of a node",
        b"d2:ip6:\x01\x02\x03\x04\x05\x061:rd2:id20:abcdefghij01234567898:intervali9e5:nodes26:mnopqrstuvwxyz123456\
          \x01\x02\x03\x04\x05\x063:numi1e7:samples20:abcdefghij01234567895:token2:xy6:valuesl6:\x01\x02\x03\x04\x05\
          \x06ee1:t2:aa1:y1:re",
        |bytes| len(krpc::read(bytes).ok()),
    ),
    ("an error of a node", b"d1:eli201e5:Oh noe1:t2:aa1:y1:ee", |bytes| len(krpc::read(bytes).ok())),
    (
        "a call in the local network",
        b"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\n\
          Infohash: cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\r\ncookie: 000000ab\r\n\r\n\r\n",
        |bytes| len(lsd::read(bytes).ok()),
    ),
    (
        "a magnet link",
        b"magnet:?xt=urn:btih:9f2c41d0a7c3f3f7be42d7c7e3b5d1a0b4e0c1aa&dn=a%20b&tr=udp%3A%2F%2Ft%3A1&tr.2=http://u/\
          &ws=https://w/&x.pe=1.2.3.4:5&x.pe=[::1]:6&x.pe=peer.example:7&so=0,4-6",
        |bytes| len(Magnet::parse_with_notes(&String::from_utf8_lossy(bytes)).ok()),
    ),
    (
        "a link by base32",
        b"magnet:?xt=urn:btih:T4WEDUFHYPZ7PPSC27D6HNORUC2OBQNK",
        |bytes| len(Magnet::parse_with_notes(&String::from_utf8_lossy(bytes)).ok()),
    ),
    (
        "a torrent file",
        b"d8:announce3:u:a13:announce-listll3:u:aee4:infod5:filesld6:lengthi5e4:pathl1:a1:beed4:attr1:p6:lengthi2e\
          4:pathl4:.pad1:2eed6:lengthi2e4:pathl1:ceee4:name1:n12:piece lengthi9e6:pieces20:aaaaaaaaaaaaaaaaaaaa\
          7:privatei1eee",
        |bytes| len(Metainfo::parse(bytes).ok()),
    ),
    (
        "a v2 torrent file",
        b"d4:infod9:file treed1:ad0:d6:lengthi5e11:pieces root32:abcdefghijklmnopqrstuvwxyz012345ee1:bd1:cd0:d\
          6:lengthi0eeeee12:meta versioni2e4:name1:n12:piece lengthi16384ee12:piece layersdee",
        |bytes| len(Metainfo::parse(bytes).ok()),
    ),
    (
        "an answer of a tracker",
        b"d8:completei3e10:incompletei4e8:intervali1800e12:min intervali60e5:peers12:\x01\x02\x03\x04\x05\x06\x01\
          \x02\x03\x05\x05\x0615:warning message2:hme",
        |bytes| len(tracker_http::read_announce(bytes).ok()),
    ),
    ("a refusal of a tracker", b"d14:failure reason7:go away8:retry in5:nevere", |bytes| {
        len(Some(tracker_http::read_announce(bytes)))
    }),
    (
        "counts of a tracker",
        b"d5:filesd20:abcdefghij0123456789d8:completei3e10:downloadedi5e10:incompletei4eeee",
        |bytes| len(tracker_http::read_scrape(bytes).ok()),
    ),
    (
        "what a tracker is asked",
        b"info_hash=abcdefghij012345678%39&peer_id=abcdefghij0123456789&port=5&uploaded=0&downloaded=0&left=9\
          &event=started&compact=1&numwant=50&key=1f",
        |bytes| len(tracker_http::parse_announce(bytes).ok()),
    ),
    (
        "what a tracker is asked by UDP",
        b"\0\0\0\0\0\0\0\x07\0\0\0\x01\0\0\0\x09abcdefghij0123456789abcdefghij0123456789\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
          \0\x09\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01\xff\xff\xff\xff\0\x05\x02\x03/an",
        |bytes| len(Request::decode(bytes).ok()),
    ),
    (
        "an answer of a tracker by UDP",
        b"\0\0\0\x01\0\0\0\x09\0\0\x07\x08\0\0\0\x04\0\0\0\x03\x01\x02\x03\x04\x05\x06",
        |bytes| len([Family::V4, Family::V6].map(|family| Response::decode(bytes, family)).first()),
    ),
    (
        "a conversation of peers",
        b"\0\0\0\x05\x04\0\0\0\x02\0\0\0\x02\x05\xc0\0\0\0\x0d\x06\0\0\0\x01\0\0\0\0\0\0@\0\0\0\0\x03\x09\x1a\xe1\
          \0\0\0\x06\x14\0d1:m\0\0\0\0\0\0\0\x01\x01",
        |bytes| {
            let mut splitter = Splitter::new(Some(9));
            let (mut rest, mut splits) = (bytes, Vec::<Split>::new());
            while let Ok(Some(split)) = splitter.next(&mut rest) {
                splits.push(split);
            }
            len(Some(splits))
        },
    ),
];

fn len(made: Option<impl Debug>) -> Option<usize> {
    made.map(|made| format!("{made:?}").len())
}

/// Calls `with` for each damaged form of `valid`.
fn damage(valid: &[u8], mut with: impl FnMut(&[u8])) {
    let mut bytes = valid.to_vec();
    for at in 0..valid.len() {
        for byte in BYTES {
            bytes[at] = byte;
            with(&bytes);
        }
        bytes[at] = valid[at];
        with(&valid[..at]);
    }
}

#[test]
fn no_small_damage_breaks_a_decoder() {
    for (name, valid, read) in DECODERS {
        assert!(read(valid).is_some(), "{name}: the example is refused");
        let most = 50 * valid.len() + 2000;
        damage(valid, |bytes| {
            let made = read(bytes).unwrap_or(0);
            assert!(made <= most, "{name}: {made} of {}", bytes.escape_ascii());
        });
    }
}

#[test]
fn no_small_damage_breaks_the_handshake() {
    let valid = b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x05abcdefghij0123456789-tR0100-abcdefghijkl";
    assert!(Handshake::decode(valid).is_ok());
    damage(valid, |bytes| {
        if let Ok(whole) = bytes.try_into() {
            let _ = Handshake::decode(whole);
        }
    });
}
