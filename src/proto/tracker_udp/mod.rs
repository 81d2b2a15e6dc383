//! UDP trackers (BEP 15, with the URL data of BEP 41), for client and tracker.
//!
//! A datagram is accepted only if it has exactly the length that its action requires. The caller matches a
//! response to its request, by source address and [`Response::transaction`].

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

/// The time for which a connection id may be used (BEP 15).
pub const CONNECTION_LIFE: Duration = Duration::from_secs(60);
/// The most torrents in one scrape.
pub const MAX_SCRAPED: usize = 74;
/// The longest datagram that is received, in bytes: [`MAX_PEERS`] over IPv6.
pub const MAX_DATAGRAM: usize = 20 + 18 * MAX_PEERS;

/// The connection id of a connect request (BEP 15).
const MAGIC: u64 = 0x0417_2710_1980;
const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;
/// The length of an announce without options, in bytes.
const ANNOUNCE_LEN: usize = 98;

/// The address family of the peers in a response: that of the socket it came through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// IPv4, six bytes per peer.
    V4,
    /// IPv6, eighteen bytes per peer.
    V6,
}

/// Returns how long to wait for a response after `earlier` requests without one: 15 s, doubled each time (BEP
/// 15, "Time outs"). `None` after the ninth: the tracker does not answer.
pub fn response_timeout(earlier: u32) -> Option<Duration> {
    (earlier <= 8).then(|| Duration::from_secs(15 << earlier))
}

/// A request to a UDP tracker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// A request for a connection id.
    Connect {
        /// The transaction id, chosen by the client and returned in the response.
        transaction: u32,
    },
    /// An announce.
    Announce {
        /// The connection id of the response to [`Connect`](Self::Connect).
        connection: u64,
        /// The transaction id.
        transaction: u32,
        /// The announce, of which `tracker_id` and IPv6 addresses are not transmitted.
        announce: Announce,
        /// Path and query of the tracker's URL (BEP 41); may be empty.
        url_data: Vec<u8>,
    },
    /// A scrape of at most [`MAX_SCRAPED`] torrents.
    Scrape {
        /// The connection id.
        connection: u64,
        /// The transaction id.
        transaction: u32,
        /// The torrents to scrape.
        torrents: Vec<InfoHashes>,
    },
}

/// A response of a UDP tracker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Response {
    /// A connection id, valid for [`CONNECTION_LIFE`].
    Connect {
        /// The transaction id of the request.
        transaction: u32,
        /// The connection id.
        connection: u64,
    },
    /// The announce was accepted.
    Announce {
        /// The transaction id of the request.
        transaction: u32,
        /// The interval, counts and peers; the other fields are not transmitted.
        reply: AnnounceReply,
    },
    /// The counts of a scrape, in the order of the request.
    Scrape {
        /// The transaction id of the request.
        transaction: u32,
        /// The counts, one entry per torrent.
        counts: Vec<ScrapeCounts>,
    },
    /// The tracker refused the request.
    Error {
        /// The transaction id of the request.
        transaction: u32,
        /// The tracker's reason.
        refusal: Refusal,
    },
}

/// Reasons why a datagram cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DatagramError {
    /// The datagram is shorter or longer than its action requires.
    #[error("a datagram of {0} bytes has the wrong length")]
    Length(usize),
    /// The action is unknown.
    #[error("the action {0} is unknown")]
    Action(u32),
    /// A connect request does not have the protocol's connection id.
    #[error("the request lacks the protocol's mark")]
    Magic,
    /// An announce has port 0.
    #[error("the announce names no port")]
    Announce,
}

impl Request {
    /// Returns the request as a datagram.
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

    /// Decodes a datagram that a tracker has received.
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

    /// The transaction id, which the response must repeat.
    pub fn transaction(&self) -> u32 {
        match self {
            Self::Connect { transaction }
            | Self::Announce { transaction, .. }
            | Self::Scrape { transaction, .. } => *transaction,
        }
    }
}

impl Response {
    /// Returns the response as a datagram, with the peers of this address family only.
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

    /// Decodes a datagram that a client has received.
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

    /// The transaction id of the request that this response answers.
    pub fn transaction(&self) -> u32 {
        match self {
            Self::Connect { transaction, .. }
            | Self::Announce { transaction, .. }
            | Self::Scrape { transaction, .. }
            | Self::Error { transaction, .. } => *transaction,
        }
    }
}

/// The options of an announce (BEP 41): a type byte, and for URL data a length byte and the data.
const NOTHING: u8 = 1;
const URL_DATA: u8 = 2;
