//! The future, in order.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use torr::base::Moment;

/// Events by the moment at which they happen; those of one moment in the order in which they were put.
#[derive(Clone)]
pub struct Heap<E> {
    events: BinaryHeap<Reverse<Entry<E>>>,
    count: u64,
}

#[derive(Clone)]
struct Entry<E> {
    at: Moment,
    number: u64,
    event: E,
}

impl<E> Heap<E> {
    pub fn new() -> Self {
        Self { events: BinaryHeap::new(), count: 0 }
    }

    pub fn put(&mut self, at: Moment, event: E) {
        self.count += 1;
        self.events.push(Reverse(Entry { at, number: self.count, event }));
    }

    pub fn take(&mut self) -> Option<(Moment, E)> {
        self.events.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

#[test]
fn events_come_by_time_and_then_in_the_order_they_were_put() {
    let at = |s| Moment::START + std::time::Duration::from_secs(s);
    let mut heap = Heap::new();
    for (s, name) in [(2, "c"), (1, "a"), (2, "d"), (1, "b")] {
        heap.put(at(s), name);
    }
    let order: Vec<_> = std::iter::from_fn(|| heap.take()).map(|(_, name)| name).collect();
    assert_eq!(order, ["a", "b", "c", "d"]);
}
