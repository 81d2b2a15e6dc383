//! UDP trackers (BEP 15, with the URL data of BEP 41), both sides of the talk.
//!
//! A datagram is taken only if its length is exactly what its kind demands. Whether an answer belongs to a
//! question is for the caller to see, by its source address and [`Response::transaction`].

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::time::Duration;

use self::read::Reader;
use self::write::{head, put_announce, put_url_data};
use super::announce::{Announce, AnnounceReply, Refusal, ScrapeCounts, text};
use super::tracker_http::{MAX_PEERS, put_compact};
use crate::base::InfoHashes;

/// How long a connection id may be used.
pub const CONNECTION_LIFE: Duration = Duration::from_secs(60);
/// The most torrents of one scrape.
pub const MAX_SCRAPED: usize = 74;
/// The largest datagram worth receiving: [`MAX_PEERS`] over IPv6.
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
        torrents: Vec<InfoHashes>,
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
    /// An announce of port 0.
    #[error("the announce names no port")]
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
                out.extend(torrents.iter().take(MAX_SCRAPED).flat_map(InfoHashes::wire));
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
                let announce = read.announce().ok_or(length)?;
                if announce.port == 0 {
                    return Err(DatagramError::Announce);
                }
                let url_data = read.url_data().ok_or(length)?;
                Ok(Self::Announce { connection, transaction, announce, url_data })
            }
            SCRAPE => {
                let (torrents, rest) = read.0.as_chunks::<20>();
                if !rest.is_empty() || torrents.is_empty() || torrents.len() > MAX_SCRAPED {
                    return Err(length);
                }
                let torrents = torrents.iter().copied().map(InfoHashes::from_v1).collect();
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

/// Options of an announce (BEP 41): a kind byte, and for URL data a length byte and as many bytes.
const NOTHING: u8 = 1;
const URL_DATA: u8 = 2;
