//! UDP trackers (BEP 15, with the URL data of BEP 41), both sides of the talk.
//!
//! A datagram is taken only if its length is exactly what its kind demands. Whether an answer belongs to a
//! question is for the caller to see, by its source address and [`Response::transaction`].

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::announce::{
    Announce, AnnounceEvent, AnnounceReply, Refusal, ScrapeCounts, clamp_interval, count, is_dialable,
    left_or_something, text,
};
use super::tracker_http::{MAX_PEERS, compact_v4, compact_v6, put_compact};
use crate::base::{InfoHash, PeerId, Sha1Digest};

/// How long a connection id may be used.
pub const CONNECTION_LIFE: Duration = Duration::from_secs(60);
/// The most torrents of one scrape.
pub const MAX_SCRAPED: usize = 74;
/// The largest datagram worth receiving: a full answer of [`MAX_PEERS`] over IPv6 does not fit any other.
pub const MAX_DATAGRAM: usize = 20 + 18 * MAX_PEERS;

/// The connection id of a request for a connection.
const MAGIC: u64 = 0x0417_2710_1980;
const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;
/// The length of an announce without options.
const ANNOUNCE_LEN: usize = 98;

/// The kind of addresses that an answer holds: that of the socket's other end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// Six bytes per peer.
    V4,
    /// Eighteen bytes per peer.
    V6,
}

/// How long to wait for an answer after having asked `earlier` times without one: 15 s, doubled each
/// time; `None` when it is time to give up (after the ninth, an hour later).
pub fn patience(earlier: u32) -> Option<Duration> {
    (earlier <= 8).then(|| Duration::from_secs(15 << earlier))
}

/// What a client sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Asks for a connection id.
    Connect {
        /// Chosen by the client and returned with the answer.
        transaction: u32,
    },
    /// Announces.
    Announce {
        /// From the answer to [`Connect`](Self::Connect).
        connection: u64,
        /// As above.
        transaction: u32,
        /// What is announced; `tracker_id` does not travel, nor does an IPv6 address.
        announce: Announce,
        /// Path and query of the tracker's URL (BEP 41); may be empty.
        url_data: Vec<u8>,
    },
    /// Asks for the counts of torrents, at most [`MAX_SCRAPED`].
    Scrape {
        /// As above.
        connection: u64,
        /// As above.
        transaction: u32,
        /// Which ones.
        torrents: Vec<InfoHash>,
    },
}

/// What a tracker answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Response {
    /// A connection id, good for [`CONNECTION_LIFE`].
    Connect {
        /// That of the request.
        transaction: u32,
        /// The id.
        connection: u64,
    },
    /// The announce was accepted.
    Announce {
        /// As above.
        transaction: u32,
        /// Intervals, counts and peers; the rest does not travel.
        reply: AnnounceReply,
    },
    /// The counts, in the order of the request.
    Scrape {
        /// As above.
        transaction: u32,
        /// One per torrent asked for.
        counts: Vec<ScrapeCounts>,
    },
    /// The tracker said no.
    Error {
        /// As above.
        transaction: u32,
        /// Why.
        refusal: Refusal,
    },
}

/// Why a datagram is nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DatagramError {
    /// It is shorter or longer than its kind demands.
    #[error("a datagram of {0} bytes has the wrong length")]
    Length(usize),
    /// Nobody knows this action.
    #[error("the action {0} is unknown")]
    Action(u32),
    /// A request for a connection without the number that marks it.
    #[error("the request lacks the protocol's mark")]
    Magic,
    /// An announce that cannot be right.
    #[error("the announce is not valid")]
    Announce,
}

impl Request {
    /// The datagram.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(ANNOUNCE_LEN);
        match self {
            Self::Connect { transaction } => head(&mut out, MAGIC, CONNECT, *transaction),
            Self::Announce { connection, transaction, announce, url_data } => {
                head(&mut out, *connection, ANNOUNCE, *transaction);
                put_announce(&mut out, announce);
                put_url_data(&mut out, url_data);
            }
            Self::Scrape { connection, transaction, torrents } => {
                head(&mut out, *connection, SCRAPE, *transaction);
                out.extend(torrents.iter().take(MAX_SCRAPED).flat_map(InfoHash::wire));
            }
        }
        out
    }

    /// Reads a datagram that came to a tracker.
    pub fn decode(datagram: &[u8]) -> Result<Self, DatagramError> {
        let length = DatagramError::Length(datagram.len());
        let mut read = Reader(datagram);
        let head = (read.u64(), read.u32(), read.u32());
        let (Some(connection), Some(action), Some(transaction)) = head else { return Err(length) };
        match action {
            CONNECT if connection != MAGIC => Err(DatagramError::Magic),
            CONNECT if read.0.is_empty() => Ok(Self::Connect { transaction }),
            CONNECT => Err(length),
            ANNOUNCE => {
                let announce = read.announce().ok_or(length)?.ok_or(DatagramError::Announce)?;
                let url_data = read.url_data().ok_or(length)?;
                Ok(Self::Announce { connection, transaction, announce, url_data })
            }
            SCRAPE => {
                let (torrents, rest) = read.0.as_chunks::<20>();
                if !rest.is_empty() || torrents.is_empty() || torrents.len() > MAX_SCRAPED {
                    return Err(length);
                }
                let torrents = torrents.iter().copied().map(InfoHash::v1).collect();
                Ok(Self::Scrape { connection, transaction, torrents })
            }
            other => Err(DatagramError::Action(other)),
        }
    }

    /// The number that the answer must bring.
    pub fn transaction(&self) -> u32 {
        match self {
            Self::Connect { transaction }
            | Self::Announce { transaction, .. }
            | Self::Scrape { transaction, .. } => *transaction,
        }
    }
}

impl Response {
    /// The datagram; of an announce's peers only those of the family are told.
    pub fn encode(&self, family: Family) -> Vec<u8> {
        let mut out = Vec::new();
        let action = match self {
            Self::Connect { .. } => CONNECT,
            Self::Announce { .. } => ANNOUNCE,
            Self::Scrape { .. } => SCRAPE,
            Self::Error { .. } => ERROR,
        };
        out.extend(action.to_be_bytes());
        out.extend(self.transaction().to_be_bytes());
        match self {
            Self::Connect { connection, .. } => out.extend(connection.to_be_bytes()),
            Self::Announce { reply, .. } => {
                let seconds = u32::try_from(reply.interval.as_secs()).unwrap_or(u32::MAX);
                for number in [seconds, reply.leechers.unwrap_or(0), reply.seeds.unwrap_or(0)] {
                    out.extend(number.to_be_bytes());
                }
                let ours = reply.peers.iter().filter(|peer| peer.is_ipv4() == (family == Family::V4));
                ours.take(MAX_PEERS).for_each(|peer| put_compact(*peer, &mut out));
            }
            Self::Scrape { counts, .. } => {
                for one in counts.iter().take(MAX_SCRAPED) {
                    for number in [one.seeds, one.downloaded, one.leechers] {
                        out.extend(number.unwrap_or(0).to_be_bytes());
                    }
                }
            }
            Self::Error { refusal, .. } => out.extend(refusal.reason.raw().as_bytes()),
        }
        out
    }

    /// Reads a datagram that came to a client.
    pub fn decode(datagram: &[u8], family: Family) -> Result<Self, DatagramError> {
        let length = DatagramError::Length(datagram.len());
        let mut read = Reader(datagram);
        let (Some(action), Some(transaction)) = (read.u32(), read.u32()) else { return Err(length) };
        match action {
            CONNECT => match (read.u64(), read.0) {
                (Some(connection), []) => Ok(Self::Connect { transaction, connection }),
                _ => Err(length),
            },
            ANNOUNCE => {
                let reply = read.announce_reply(family).ok_or(length)?;
                Ok(Self::Announce { transaction, reply })
            }
            SCRAPE => {
                let (entries, rest) = read.0.as_chunks::<12>();
                if !rest.is_empty() || entries.len() > MAX_SCRAPED {
                    return Err(length);
                }
                let counts = entries.iter().filter_map(|entry| Reader(entry).counts()).collect();
                Ok(Self::Scrape { transaction, counts })
            }
            ERROR => Ok(Self::Error { transaction, refusal: Refusal { reason: text(read.0), retry: None } }),
            other => Err(DatagramError::Action(other)),
        }
    }

    /// That of the request it answers.
    pub fn transaction(&self) -> u32 {
        match self {
            Self::Connect { transaction, .. }
            | Self::Announce { transaction, .. }
            | Self::Scrape { transaction, .. }
            | Self::Error { transaction, .. } => *transaction,
        }
    }
}

fn head(out: &mut Vec<u8>, connection: u64, action: u32, transaction: u32) {
    out.extend(connection.to_be_bytes());
    out.extend(action.to_be_bytes());
    out.extend(transaction.to_be_bytes());
}

fn put_announce(out: &mut Vec<u8>, announce: &Announce) {
    out.extend(announce.info_hash.wire());
    out.extend(announce.peer_id.0);
    out.extend(announce.downloaded.to_be_bytes());
    out.extend(left_or_something(announce.left).to_be_bytes());
    out.extend(announce.uploaded.to_be_bytes());
    let event: u32 = match announce.event {
        AnnounceEvent::None => 0,
        AnnounceEvent::Completed => 1,
        AnnounceEvent::Started => 2,
        AnnounceEvent::Stopped => 3,
    };
    out.extend(event.to_be_bytes());
    match announce.ip {
        Some(IpAddr::V4(ip)) => out.extend(ip.octets()),
        Some(IpAddr::V6(_)) | None => out.extend([0; 4]),
    }
    out.extend(announce.key.to_be_bytes());
    // Minus one asks for the tracker's default.
    let wanted = announce.numwant.map_or(-1, |n| i32::try_from(n).unwrap_or(i32::MAX));
    out.extend(wanted.to_be_bytes());
    out.extend(announce.port.to_be_bytes());
}

/// Options of BEP 41: a kind byte, and for URL data a length byte and as many bytes.
const NOTHING: u8 = 1;
const URL_DATA: u8 = 2;

fn put_url_data(out: &mut Vec<u8>, url_data: &[u8]) {
    for part in url_data.chunks(255) {
        out.extend([URL_DATA, part.len() as u8]);
        out.extend(part);
    }
}

/// Takes numbers from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    /// A number that counts, if it is not negative as a signed one.
    fn count(&mut self) -> Option<Option<u32>> {
        self.take().map(|bytes| count(i64::from(i32::from_be_bytes(bytes))))
    }

    fn counts(&mut self) -> Option<ScrapeCounts> {
        Some(ScrapeCounts { seeds: self.count()?, downloaded: self.count()?, leechers: self.count()? })
    }

    /// An announce; nothing if it is too short, `Some(None)` if it makes no sense.
    fn announce(&mut self) -> Option<Option<Announce>> {
        let info_hash: Sha1Digest = self.take()?;
        let peer_id = PeerId(self.take()?);
        let (downloaded, left, uploaded) = (self.u64()?, self.u64()?, self.u64()?);
        let event = match self.u32()? {
            0 => Some(AnnounceEvent::None),
            1 => Some(AnnounceEvent::Completed),
            2 => Some(AnnounceEvent::Started),
            3 => Some(AnnounceEvent::Stopped),
            _ => None,
        };
        let ip = Some(Ipv4Addr::from(self.u32()?)).filter(|ip| !ip.is_unspecified()).map(IpAddr::V4);
        let key = self.u32()?;
        let numwant = self.count()?;
        let port = self.u16()?;
        let (Some(event), 1..) = (event, port) else { return Some(None) };
        Some(Some(Announce {
            info_hash: InfoHash::v1(info_hash),
            peer_id,
            port,
            uploaded,
            downloaded,
            left,
            event,
            key,
            numwant,
            ip,
            tracker_id: None,
        }))
    }

    /// The URL data of all options; nothing if one is cut off. After the end mark (0) or an unknown option,
    /// whose length nobody can tell, nothing is read.
    fn url_data(&mut self) -> Option<Vec<u8>> {
        let mut data = Vec::new();
        while let Some(kind) = self.take::<1>() {
            match kind[0] {
                NOTHING => {}
                URL_DATA => {
                    let [len] = self.take()?;
                    data.extend(self.0.get(..usize::from(len))?);
                    self.0 = &self.0[usize::from(len)..];
                }
                _ => break,
            }
        }
        Some(data)
    }

    fn announce_reply(&mut self, family: Family) -> Option<AnnounceReply> {
        let interval = i64::from(i32::from_be_bytes(self.take()?));
        let (leechers, seeds) = (self.count()?, self.count()?);
        let (entry, peers): (usize, Vec<_>) = match family {
            Family::V4 => (6, compact_v4(self.0).filter(is_dialable).take(MAX_PEERS).collect()),
            Family::V6 => (18, compact_v6(self.0).filter(is_dialable).take(MAX_PEERS).collect()),
        };
        self.0.len().is_multiple_of(entry).then(|| AnnounceReply {
            interval: clamp_interval(Some(interval)),
            claimed_interval: Some(interval),
            peers,
            seeds,
            leechers,
            ..AnnounceReply::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;

    fn sample() -> Announce {
        Announce {
            info_hash: InfoHash::v1([b'h'; 20]),
            peer_id: PeerId([b'p'; 20]),
            port: 0x1234,
            uploaded: 3,
            downloaded: 1,
            left: 2,
            event: AnnounceEvent::Started,
            key: 0xdead_beef,
            numwant: None,
            ip: Some("1.2.3.4".parse().unwrap()),
            tracker_id: None,
        }
    }

    #[test]
    fn datagrams_are_laid_out_as_agreed() {
        let connect = Request::Connect { transaction: 0x0102_0304 };
        assert_eq!(connect.encode(), [0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 1, 2, 3, 4]);
        let announce = Request::Announce {
            connection: 7,
            transaction: 9,
            announce: sample(),
            url_data: [b'u'; 300].to_vec(),
        };
        let bytes = announce.encode();
        assert_eq!(bytes.len(), 98 + 300 + 4);
        assert_eq!(bytes[..16], [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 9]);
        assert_eq!(bytes[56..80], [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3]);
        assert_eq!(bytes[80..88], [0, 0, 0, 2, 1, 2, 3, 4]);
        assert_eq!(bytes[88..98], [0xde, 0xad, 0xbe, 0xef, 255, 255, 255, 255, 0x12, 0x34]);
        assert_eq!((bytes[98..100].to_vec(), bytes[355..357].to_vec()), (vec![2, 255], vec![2, 45]));
        assert_eq!(Request::decode(&bytes), Ok(announce));
    }

    #[test]
    fn options_are_read_to_the_end_mark() {
        let announce =
            Request::Announce { connection: 1, transaction: 2, announce: sample(), url_data: vec![] };
        let with = |options: &[u8]| match Request::decode(&[announce.encode().as_slice(), options].concat()) {
            Ok(Request::Announce { url_data, .. }) => Ok(url_data),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        };
        assert_eq!(with(&[1, 1, 2, 1, b'a', 2, 1, b'b', 0, 9]), Ok(b"ab".to_vec()));
        assert_eq!(with(&[2, 0]), Ok(vec![]));
        assert_eq!(
            [with(&[2]), with(&[2, 3, b'a'])],
            [Err(DatagramError::Length(99)), Err(DatagramError::Length(101))]
        );
    }

    #[test]
    fn datagrams_of_wrong_length_or_kind_are_refused() {
        use DatagramError::{Action, Announce, Length, Magic};
        let v4 = |bytes: &[u8]| Response::decode(bytes, Family::V4).unwrap_err();
        assert_eq!(v4(&[]), Length(0));
        assert_eq!(v4(&[0; 15]), Length(15));
        assert_eq!(v4(&[0; 17]), Length(17));
        assert_eq!(v4(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), Length(12));
        assert_eq!(v4(&[[0, 0, 0, 1].as_slice(), &[0; 17]].concat()), Length(21));
        assert_eq!(v4(&[[0, 0, 0, 2].as_slice(), &[0; 5]].concat()), Length(9));
        assert_eq!(v4(&[0, 0, 0, 9, 0, 0, 0, 0]), Action(9));
        let request = |bytes: &[u8]| Request::decode(bytes).unwrap_err();
        assert_eq!(request(&[0; 16]), Magic);
        assert_eq!(request(&[Request::Connect { transaction: 1 }.encode(), vec![0]].concat()), Length(17));
        let of = |announce| {
            Request::Announce { connection: 1, transaction: 2, announce, url_data: vec![] }.encode()
        };
        assert_eq!(request(&of(sample())[..97]), Length(97));
        assert_eq!(request(&of(super::Announce { port: 0, ..sample() })), Announce);
        let mut odd = of(sample());
        odd[83] = 4;
        assert_eq!(request(&odd), Announce);
        assert_eq!(
            request(&[[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0].as_slice(), &[1; 21]].concat()),
            Length(37)
        );
    }

    #[test]
    fn answers_are_tamed() {
        let mut bytes = vec![0, 0, 0, 1, 0, 0, 0, 5, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 3];
        bytes.extend([1, 2, 3, 4, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 80]);
        let Ok(Response::Announce { reply, transaction: 5 }) = Response::decode(&bytes, Family::V4) else {
            panic!()
        };
        assert_eq!((reply.interval.as_secs(), reply.claimed_interval), (60, Some(-1)));
        assert_eq!((reply.leechers, reply.seeds), (None, Some(3)));
        assert_eq!(reply.peers, ["1.2.3.4:80".parse::<SocketAddr>().unwrap()]);
        let error = [[0, 0, 0, 3, 0, 0, 0, 5].as_slice(), &[b'x'; 5000]].concat();
        let Ok(Response::Error { refusal, .. }) = Response::decode(&error, Family::V6) else { panic!() };
        assert_eq!(refusal.reason.raw().len(), 200);
    }

    #[test]
    fn patience_doubles_and_ends() {
        assert_eq!((patience(0).unwrap().as_secs(), patience(1).unwrap().as_secs()), (15, 30));
        assert_eq!((patience(8).unwrap().as_secs(), patience(9), patience(u32::MAX)), (3840, None, None));
    }

    proptest! {
        #[test]
        fn answers_are_read_back(
            transaction: u32, connection: u64, v6: bool, ports in prop::collection::vec(1_u16.., 0..9), counts: [u16; 3],
        ) {
            let family = if v6 { Family::V6 } else { Family::V4 };
            let ip: IpAddr = if v6 { "2001:db8::1" } else { "1.2.3.4" }.parse().unwrap();
            let [seeds, downloaded, leechers] = counts.map(|n| Some(u32::from(n)));
            let reply = AnnounceReply {
                interval: Duration::from_secs(1800), claimed_interval: Some(1800), seeds, leechers,
                peers: ports.into_iter().map(|port| SocketAddr::new(ip, port)).collect(), ..AnnounceReply::default()
            };
            for response in [
                Response::Connect { transaction, connection },
                Response::Announce { transaction, reply },
                Response::Scrape { transaction, counts: vec![ScrapeCounts { seeds, downloaded, leechers }; 3] },
                Response::Error { transaction, refusal: "no".into() },
            ] {
                prop_assert_eq!(Response::decode(&response.encode(family), family), Ok(response));
            }
        }

        #[test]
        fn requests_are_read_back(transaction: u32, connection: u64, hashes in prop::collection::vec(any::<[u8; 20]>(), 1..74)) {
            let torrents = hashes.into_iter().map(InfoHash::v1).collect();
            for request in [Request::Connect { transaction }, Request::Scrape { connection, transaction, torrents }] {
                prop_assert_eq!(request.transaction(), transaction);
                prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
            }
        }

        #[test]
        fn noise_is_read_or_refused(action in 0_u8..5, noise in prop::collection::vec(any::<u8>(), 0..200)) {
            for bytes in [noise.clone(), [&[0, 0, 0, action], noise.as_slice()].concat()] {
                let _ = Response::decode(&bytes, Family::V4);
                let _ = Response::decode(&bytes, Family::V6);
                let _ = Request::decode(&bytes);
                let _ = Request::decode(&[[0; 8].as_slice(), &bytes].concat());
            }
        }
    }
}
