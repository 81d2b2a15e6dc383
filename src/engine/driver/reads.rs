//! What is to be read from the disk for one peer: one burst at a time, so that blocks go out in the
//! order they were asked for, however many threads read, and requests that come in meanwhile make
//! up the next burst.

use std::collections::VecDeque;

use crate::base::Span;

/// Spans in one burst: 1 MiB of whole blocks.
const BURST: usize = 64;

#[derive(Default)]
pub(super) struct Reads {
    /// Spans that wait for the burst under way.
    waiting: VecDeque<Span>,
    /// The burst under way; `None` for a span that was called off.
    burst: Option<Vec<Option<Span>>>,
}

impl Reads {
    /// These spans are to be read, after all others.
    pub(super) fn add(&mut self, spans: Vec<Span>) {
        self.waiting.extend(spans);
    }

    /// The next burst, which is under way from now on; nothing while there is one already.
    pub(super) fn start(&mut self) -> Option<Vec<Span>> {
        if self.burst.is_some() || self.waiting.is_empty() {
            return None;
        }
        let burst: Vec<Span> = self.waiting.drain(..self.waiting.len().min(BURST)).collect();
        self.burst = Some(burst.iter().copied().map(Some).collect());
        Some(burst)
    }

    /// Calls off these spans; all if there are none.
    pub(super) fn call_off(&mut self, spans: &[Span]) {
        let called_off = |span: &Span| spans.is_empty() || spans.contains(span);
        self.waiting.retain(|span| !called_off(span));
        for place in self.burst.iter_mut().flatten() {
            *place = place.filter(|span| !called_off(span));
        }
    }

    /// The burst under way has ended with these, one for each of its spans: those still wanted.
    pub(super) fn end<T>(&mut self, read: impl IntoIterator<Item = T>) -> Vec<(Span, T)> {
        let burst = self.burst.take().into_iter().flatten();
        burst.zip(read).filter_map(|(span, read)| Some((span?, read))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Geometry;

    fn spans(count: u32) -> Vec<Span> {
        let geometry = Geometry::single(1 << 20, 4 << 20).expect("a geometry");
        (0..count).map(|at| geometry.span_at(at / 64, at % 64 * 16384, 16384).expect("within")).collect()
    }

    #[test]
    fn one_burst_is_under_way_and_what_comes_meanwhile_is_the_next() {
        let all = spans(4);
        let mut reads = Reads::default();
        assert_eq!(reads.start(), None);
        reads.add(vec![all[0]]);
        assert_eq!(reads.start(), Some(vec![all[0]]));
        for &span in &all[1..] {
            reads.add(vec![span]);
            assert_eq!(reads.start(), None);
        }
        assert_eq!(reads.end(["a"]), [(all[0], "a")]);
        assert_eq!(reads.start().as_deref(), Some(&all[1..]));
    }

    #[test]
    fn a_burst_is_bounded() {
        let all = spans(100);
        let mut reads = Reads::default();
        reads.add(all.clone());
        assert_eq!(reads.start().as_deref(), Some(&all[..BURST]));
        assert_eq!(reads.end(0..BURST).len(), BURST);
        assert_eq!(reads.start().as_deref(), Some(&all[BURST..]));
    }

    #[test]
    fn what_is_called_off_is_neither_read_nor_sent() {
        let all = spans(5);
        let mut reads = Reads::default();
        reads.add(all[..3].to_vec());
        reads.start();
        reads.add(all[3..].to_vec());
        reads.call_off(&[all[1], all[3]]);
        // Asked for once more: it belongs to the next burst, not to the one under way.
        reads.add(vec![all[1]]);
        assert_eq!(reads.end([0, 1, 2]), [(all[0], 0), (all[2], 2)]);
        assert_eq!(reads.start(), Some(vec![all[4], all[1]]));
        reads.call_off(&[]);
        assert_eq!(reads.end([4, 1]), []);
        assert_eq!(reads.start(), None);
    }
}
