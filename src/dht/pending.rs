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
const MAX_PENDING: usize = 2000;

/// A pending query.
#[derive(Clone, Debug)]
pub(super) struct PendingQuery<P> {
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
pub(super) enum Overdue {
    /// The reply is late; the query is still pending.
    Late,
    /// The reply is lost; the query is no longer pending.
    Lost,
}

#[derive(Clone, Debug)]
pub(super) struct PendingQueries<P> {
    pending: BTreeMap<u32, PendingQuery<P>>,
    due: BTreeSet<(Moment, u32)>,
}

impl<P> Default for PendingQueries<P> {
    fn default() -> Self {
        Self { pending: BTreeMap::new(), due: BTreeSet::new() }
    }
}

impl<P: Clone> PendingQueries<P> {
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
        if self.pending.len() >= MAX_PENDING {
            return None;
        }
        let mut number = chance;
        while self.pending.contains_key(&number) {
            number = number.wrapping_add(1);
        }
        self.pending.insert(number, PendingQuery { to, id, sent: now, purpose, late: false });
        self.due.insert((now + LATE, number));
        Some(number)
    }

    /// Removes the query that a reply answers; transaction id and address must match.
    pub(super) fn end(&mut self, number: u32, from: SocketAddr) -> Option<PendingQuery<P>> {
        self.pending.get(&number).filter(|query| query.to == from)?;
        let query = self.pending.remove(&number)?;
        self.due.remove(&(query.sent + if query.late { LOST } else { LATE }, number));
        Some(query)
    }

    /// Removes all queries to an address.
    pub(super) fn end_all(&mut self, to: SocketAddr) -> Vec<PendingQuery<P>> {
        let numbers: Vec<u32> =
            self.pending.iter().filter(|(_, query)| query.to == to).map(|(&number, _)| number).collect();
        numbers.into_iter().filter_map(|number| self.end(number, to)).collect()
    }

    /// Returns the next query whose reply has become late or lost.
    pub(super) fn next_overdue(&mut self, now: Moment) -> Option<(Overdue, PendingQuery<P>)> {
        let &(at, number) = self.due.first()?;
        if at > now {
            return None;
        }
        self.due.pop_first();
        let query = self.pending.get_mut(&number)?;
        if query.late {
            return Some((Overdue::Lost, self.pending.remove(&number)?));
        }
        query.late = true;
        self.due.insert((query.sent + LOST, number));
        Some((Overdue::Late, query.clone()))
    }

    /// The time at which the next reply becomes late or lost.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.due.first().map(|&(at, _)| at)
    }

    /// Whether a query to this address is pending.
    pub(super) fn is_asked(&self, addr: SocketAddr) -> bool {
        self.pending.values().any(|query| query.to == addr)
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_needs_the_number_and_the_address() {
        let addr = |port| SocketAddr::from(([10, 0, 0, 1], port));
        let mut pending = PendingQueries::default();
        let one = pending.begin(Moment::START, 7, addr(1), None, "a").unwrap();
        let two = pending.begin(Moment::START, 7, addr(2), None, "b").unwrap();
        assert_eq!((one, two, pending.len()), (7, 8, 2));
        assert!(pending.end(7, addr(2)).is_none() && pending.end(9, addr(1)).is_none());
        assert_eq!(pending.end(8, addr(2)).unwrap().purpose, "b");
        assert!(pending.end(8, addr(2)).is_none());
        assert!(pending.is_asked(addr(1)) && !pending.is_asked(addr(2)));
        pending.begin(Moment::START, 1, addr(1), None, "c").unwrap();
        pending.begin(Moment::START, 1, addr(3), None, "d").unwrap();
        let ended: Vec<_> = pending.end_all(addr(1)).into_iter().map(|query| query.purpose).collect();
        assert_eq!((ended, pending.len()), (vec!["c", "a"], 1));
    }

    #[test]
    fn what_waits_is_late_once_and_then_lost() {
        let addr = SocketAddr::from(([10, 0, 0, 1], 1));
        let mut pending = PendingQueries::default();
        pending.begin(Moment::START, u32::MAX, addr, None, ()).unwrap();
        pending.begin(Moment::START, u32::MAX, addr, None, ()).unwrap();
        assert_eq!(pending.deadline(), Some(Moment::START + LATE));
        assert!(pending.next_overdue(Moment::START).is_none());
        let mut all = |now| {
            std::iter::from_fn(|| pending.next_overdue(now)).map(|(overdue, _)| overdue).collect::<Vec<_>>()
        };
        assert_eq!(all(Moment::START + LATE), [Overdue::Late, Overdue::Late]);
        assert_eq!(all(Moment::START + LOST), [Overdue::Lost, Overdue::Lost]);
        assert_eq!((pending.deadline(), pending.len()), (None, 0));
    }
}
