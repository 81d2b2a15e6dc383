//! Pending queries: sent, and neither answered nor given up.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use crate::base::{Moment, NodeId};

/// The time after which a reply is late, so that another node is queried meanwhile.
pub(super) const LATE: Duration = Duration::from_millis(1000);
/// The time after which no reply is expected.
pub(super) const LOST: Duration = Duration::from_secs(6);
/// The most pending queries.
const MOST: usize = 2000;

/// A pending query.
#[derive(Clone, Debug)]
pub(super) struct Flight<P> {
    /// The address that was queried.
    pub(super) to: SocketAddr,
    /// The id of the queried node, if known. A reply with another id does not count.
    pub(super) id: Option<NodeId>,
    /// The time at which the query was sent.
    pub(super) sent: Moment,
    /// The purpose of the query.
    pub(super) purpose: P,
    /// Whether the reply is late.
    pub(super) late: bool,
}

/// The state of an overdue query.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Waited {
    /// The reply is late; the query is still pending.
    Late,
    /// The reply is lost; the query is no longer pending.
    Lost,
}

#[derive(Clone, Debug)]
pub(super) struct Flights<P> {
    flights: BTreeMap<u32, Flight<P>>,
    due: BTreeSet<(Moment, u32)>,
}

impl<P> Default for Flights<P> {
    fn default() -> Self {
        Self { flights: BTreeMap::new(), due: BTreeSet::new() }
    }
}

impl<P: Clone> Flights<P> {
    /// Adds a query with a free transaction id near `chance`, and returns the id; `None` if too many are
    /// pending.
    pub(super) fn begin(
        &mut self,
        now: Moment,
        chance: u32,
        to: SocketAddr,
        id: Option<NodeId>,
        purpose: P,
    ) -> Option<u32> {
        if self.flights.len() >= MOST {
            return None;
        }
        let mut number = chance;
        while self.flights.contains_key(&number) {
            number = number.wrapping_add(1);
        }
        self.flights.insert(number, Flight { to, id, sent: now, purpose, late: false });
        self.due.insert((now + LATE, number));
        Some(number)
    }

    /// Removes the query that a reply answers; transaction id and address must match.
    pub(super) fn end(&mut self, number: u32, from: SocketAddr) -> Option<Flight<P>> {
        self.flights.get(&number).filter(|flight| flight.to == from)?;
        let flight = self.flights.remove(&number)?;
        self.due.remove(&(flight.sent + if flight.late { LOST } else { LATE }, number));
        Some(flight)
    }

    /// Removes all queries to an address.
    pub(super) fn end_all(&mut self, to: SocketAddr) -> Vec<Flight<P>> {
        let numbers: Vec<u32> =
            self.flights.iter().filter(|(_, flight)| flight.to == to).map(|(&number, _)| number).collect();
        numbers.into_iter().filter_map(|number| self.end(number, to)).collect()
    }

    /// Returns the next query whose reply has become late or lost.
    pub(super) fn waited(&mut self, now: Moment) -> Option<(Waited, Flight<P>)> {
        let &(at, number) = self.due.first()?;
        if at > now {
            return None;
        }
        self.due.pop_first();
        let flight = self.flights.get_mut(&number)?;
        if flight.late {
            return Some((Waited::Lost, self.flights.remove(&number)?));
        }
        flight.late = true;
        self.due.insert((flight.sent + LOST, number));
        Some((Waited::Late, flight.clone()))
    }

    /// The time at which the next reply becomes late or lost.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.due.first().map(|&(at, _)| at)
    }

    /// Whether a query to this address is pending.
    pub(super) fn is_asked(&self, addr: SocketAddr) -> bool {
        self.flights.values().any(|flight| flight.to == addr)
    }

    pub(super) fn len(&self) -> usize {
        self.flights.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_needs_the_number_and_the_address() {
        let addr = |port| SocketAddr::from(([10, 0, 0, 1], port));
        let mut flights = Flights::default();
        let one = flights.begin(Moment::START, 7, addr(1), None, "a").unwrap();
        let two = flights.begin(Moment::START, 7, addr(2), None, "b").unwrap();
        assert_eq!((one, two, flights.len()), (7, 8, 2));
        assert!(flights.end(7, addr(2)).is_none() && flights.end(9, addr(1)).is_none());
        assert_eq!(flights.end(8, addr(2)).unwrap().purpose, "b");
        assert!(flights.end(8, addr(2)).is_none());
        assert!(flights.is_asked(addr(1)) && !flights.is_asked(addr(2)));
        flights.begin(Moment::START, 1, addr(1), None, "c").unwrap();
        flights.begin(Moment::START, 1, addr(3), None, "d").unwrap();
        let ended: Vec<_> = flights.end_all(addr(1)).into_iter().map(|flight| flight.purpose).collect();
        assert_eq!((ended, flights.len()), (vec!["c", "a"], 1));
    }

    #[test]
    fn what_waits_is_late_once_and_then_lost() {
        let addr = SocketAddr::from(([10, 0, 0, 1], 1));
        let mut flights = Flights::default();
        flights.begin(Moment::START, u32::MAX, addr, None, ()).unwrap();
        flights.begin(Moment::START, u32::MAX, addr, None, ()).unwrap();
        assert_eq!(flights.deadline(), Some(Moment::START + LATE));
        assert!(flights.waited(Moment::START).is_none());
        let mut all =
            |now| std::iter::from_fn(|| flights.waited(now)).map(|(waited, _)| waited).collect::<Vec<_>>();
        assert_eq!(all(Moment::START + LATE), [Waited::Late, Waited::Late]);
        assert_eq!(all(Moment::START + LOST), [Waited::Lost, Waited::Lost]);
        assert_eq!((flights.deadline(), flights.len()), (None, 0));
    }
}
