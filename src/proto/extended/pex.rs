//! Peer exchange (BEP 11): the peers that the sender has connected to or lost since its last message.

use std::net::SocketAddr;

use super::ExtendedError;
use super::reader::Reader;
use crate::proto::announce::is_dialable;
use crate::proto::bencode::dict;
use crate::proto::tracker_http::{compact_v4, compact_v6, put_compact};

/// The most addresses of each family that are read from one list of a message.
pub const MAX_TAKEN: usize = 100;

/// The flags of an added peer (BEP 11).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct PexFlags(pub u8);

impl PexFlags {
    /// The peer prefers encrypted connections.
    pub const ENCRYPTION: Self = Self(0x01);
    /// The peer is a seed, or wants no more pieces (BEP 21).
    pub const SEED: Self = Self(0x02);
    /// The peer supports uTP (BEP 29).
    pub const UTP: Self = Self(0x04);
    /// The peer supports hole punching (BEP 55).
    pub const HOLEPUNCH: Self = Self(0x08);
    /// The sender connected to the peer itself, so the peer is reachable.
    pub const OUTGOING: Self = Self(0x10);

    /// Whether all of `flags` are set.
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Returns these flags, with `flags` added if `set`.
    #[must_use]
    pub const fn with(self, flags: Self, set: bool) -> Self {
        if set { Self(self.0 | flags.0) } else { self }
    }
}

/// A peer exchange message. Each peer is in one of the lists only.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PexMessage {
    /// Peers that the sender has connected to since its last message.
    pub added: Vec<(SocketAddr, PexFlags)>,
    /// Peers that the sender is no longer connected to.
    pub dropped: Vec<SocketAddr>,
}

impl PexMessage {
    /// Whether both lists are empty; such a message is not sent.
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.dropped.is_empty()
    }

    /// Returns the body of the message, without the keys of empty lists.
    pub fn encode(&self) -> Vec<u8> {
        let mut lists: [Vec<u8>; 6] = Default::default();
        let [added, flags, added6, flags6, dropped, dropped6] = &mut lists;
        for &(addr, PexFlags(bits)) in &self.added {
            let (list, list_of_flags) =
                if addr.is_ipv4() { (&mut *added, &mut *flags) } else { (&mut *added6, &mut *flags6) };
            put_compact(addr, list);
            list_of_flags.push(bits);
        }
        for &addr in &self.dropped {
            put_compact(addr, if addr.is_ipv4() { &mut *dropped } else { &mut *dropped6 });
        }
        let keys = ["added", "added.f", "added6", "added6.f", "dropped", "dropped6"];
        dict(|out| {
            for (key, list) in keys.into_iter().zip(&lists).filter(|(_, list)| !list.is_empty()) {
                out.bytes(key, list);
            }
        })
    }

    /// Decodes the body of a message: at most [`MAX_TAKEN`] addresses of each list and family, without those
    /// that cannot be connected to. Missing flags count as unset, and unknown keys are skipped.
    pub fn decode(body: &[u8]) -> Result<Self, ExtendedError> {
        let mut reader = Reader::new(body);
        let mut lists: [&[u8]; 6] = [&[]; 6];
        reader.dictionary()?;
        while let Some(key) = reader.key()? {
            let at = match key {
                b"added" => 0,
                b"added.f" => 1,
                b"added6" => 2,
                b"added6.f" => 3,
                b"dropped" => 4,
                b"dropped6" => 5,
                _ => {
                    reader.skip()?;
                    continue;
                }
            };
            lists[at] = reader.string()?.unwrap_or_default();
        }
        let [added, flags, added6, flags6, dropped, dropped6] = lists;
        let flag = |flags: &[u8], at: usize| PexFlags(flags.get(at).copied().unwrap_or(0));
        let v4 = compact_v4(added).take(MAX_TAKEN).enumerate().map(|(at, addr)| (addr, flag(flags, at)));
        let v6 = compact_v6(added6).take(MAX_TAKEN).enumerate().map(|(at, addr)| (addr, flag(flags6, at)));
        let gone = compact_v4(dropped).take(MAX_TAKEN).chain(compact_v6(dropped6).take(MAX_TAKEN));
        Ok(Self {
            added: v4.chain(v6).filter(|(addr, _)| is_dialable(addr)).collect(),
            dropped: gone.filter(is_dialable).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_message_has_the_bytes_of_the_bep() {
        let flags = PexFlags::default().with(PexFlags::SEED, true).with(PexFlags::OUTGOING, true);
        let message = PexMessage {
            added: vec![(addr("1.2.3.4:258"), flags), (addr("[2001:db8::1]:772"), PexFlags::UTP)],
            dropped: vec![addr("5.6.7.8:1286")],
        };
        let v6 = r" \x01\r\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x03\x04";
        let text = format!(
            r"d5:added6:\x01\x02\x03\x04\x01\x027:added.f1:\x126:added618:{v6}8:added6.f1:\x047:dropped6:\x05\x06\x07\x08\x05\x06e"
        );
        assert_eq!(message.encode().escape_ascii().to_string(), text);
        assert_eq!(PexMessage::decode(&message.encode()), Ok(message));
        assert!(flags.has(PexFlags::SEED) && !flags.has(PexFlags::UTP));
    }

    #[test]
    fn what_nobody_could_dial_and_what_is_too_much_is_left_out() {
        let read = |body: &[u8]| PexMessage::decode(body).unwrap();
        assert!(read(b"de").is_empty() && read(b"d5:addedi5e7:droppedlee").is_empty());
        // Port 0, no address, a multicast address, half an address; and no flags.
        let body = b"d5:added21:\x01\x02\x03\x04\0\0\0\0\0\0\0\x05\xe0\0\0\x01\0\x05abce";
        assert!(read(body).is_empty());
        let flagged = read(b"d5:added12:\x01\x01\x01\x01\0\x01\x02\x02\x02\x02\0\x027:added.f1:\x02e");
        assert_eq!(flagged.added, [(addr("1.1.1.1:1"), PexFlags::SEED), (addr("2.2.2.2:2"), PexFlags(0))]);
        let many: Vec<u8> =
            (0..50_000_u32).flat_map(|n| [&(n | 0x0b00_0000).to_be_bytes()[..], &[1, 1]].concat()).collect();
        let body = [format!("d5:added{}:", many.len()).as_bytes(), &many, b"e"].concat();
        assert_eq!(read(&body).added.len(), MAX_TAKEN);
    }

    #[test]
    fn what_is_no_dictionary_is_refused() {
        for body in [&b""[..], b"le", b"d", b"d5:added9:abce", b"d5:added"] {
            assert_eq!(PexMessage::decode(body), Err(ExtendedError));
        }
    }

    fn any_addr() -> impl Strategy<Value = SocketAddr> {
        let v4 = (0x0100_0000_u32..0xdfff_ffff).prop_map(|ip| std::net::IpAddr::V4(ip.into()));
        let v6 = (0x2000_u128..0x3fff, any::<u64>())
            .prop_map(|(high, low)| std::net::IpAddr::V6((high << 112 | u128::from(low)).into()));
        (prop_oneof![v4, v6], 1_u16..).prop_map(SocketAddr::from)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            added in prop::collection::vec((any_addr(), any::<u8>().prop_map(PexFlags)), 0..60),
            dropped in prop::collection::vec(any_addr(), 0..60),
        ) {
            let mut message = PexMessage { added, dropped };
            let read = PexMessage::decode(&message.encode()).unwrap();
            message.added.sort_by_key(|(addr, _)| addr.is_ipv6());
            message.dropped.sort_by_key(SocketAddr::is_ipv6);
            prop_assert_eq!(read, message);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = PexMessage::decode(&body);
        }
    }

    proptest! {
        #[test]
        fn anything_that_looks_like_a_message_is_bounded(
            lists in prop::collection::vec((0_usize..6, prop::collection::vec(any::<u8>(), 0..4000)), 0..8),
        ) {
            let keys = ["added", "added.f", "added6", "added6.f", "dropped", "dropped6"];
            let mut body = b"d".to_vec();
            for (key, list) in lists {
                body.extend(crate::proto::bencode::string(keys[key]));
                body.extend(crate::proto::bencode::string(list));
            }
            body.push(b'e');
            let read = PexMessage::decode(&body).unwrap();
            prop_assert!(read.added.len() <= 2 * MAX_TAKEN && read.dropped.len() <= 2 * MAX_TAKEN);
            prop_assert!(read.added.iter().all(|(addr, _)| is_dialable(addr)));
        }
    }
}
