//! Disk reads for uploads to one peer: one burst in flight, so that blocks leave in the order they were
//! requested, however many threads read. Requests that arrive meanwhile make up the next burst.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::Span;

/// Maximum number of spans in a burst: 1 MiB of whole blocks.
const MAX_BURST: usize = 64;
/// Number of attempts of a burst that fails for the moment: half a minute in all, for which peers wait.
const MAX_TRIES: u32 = 20;
/// The first and the longest interval between attempts.
const RETRY_INTERVALS: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(2)];

#[derive(Default)]
pub(super) struct UploadReads {
    /// Spans of the next bursts.
    waiting: VecDeque<Span>,
    /// The burst in flight; `None` for a cancelled span.
    burst: Option<Vec<Option<Span>>>,
    /// Number of failed attempts.
    tries: u32,
}

/// The next step after a failed burst.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum ReadRetry {
    /// Retry after this time.
    Again(Duration),
    /// Give up these spans, after the last attempt.
    GiveUp(Vec<Span>),
}

impl UploadReads {
    /// Queues spans.
    pub(super) fn add(&mut self, spans: Vec<Span>) {
        self.waiting.extend(spans);
    }

    /// Starts the next burst, unless one is in flight.
    pub(super) fn start(&mut self) -> Option<Vec<Span>> {
        if self.burst.is_some() || self.waiting.is_empty() {
            return None;
        }
        let burst: Vec<Span> = self.waiting.drain(..self.waiting.len().min(MAX_BURST)).collect();
        self.burst = Some(burst.iter().copied().map(Some).collect());
        Some(burst)
    }

    /// Cancels these spans; all if the list is empty.
    pub(super) fn cancel(&mut self, spans: &[Span]) {
        let cancelled = |span: &Span| spans.is_empty() || spans.contains(span);
        self.waiting.retain(|span| !cancelled(span));
        for place in self.burst.iter_mut().flatten() {
            *place = place.filter(|span| !cancelled(span));
        }
    }

    /// Ends the burst; pairs the spans that are still wanted with their results.
    pub(super) fn finish<T>(&mut self, read: impl IntoIterator<Item = T>) -> Vec<(Span, T)> {
        self.tries = 0;
        let burst = self.burst.take().into_iter().flatten();
        burst.zip(read).filter_map(|(span, read)| Some((span?, read))).collect()
    }

    /// Records a failed attempt.
    pub(super) fn failed(&mut self) -> ReadRetry {
        self.tries += 1;
        if self.tries < MAX_TRIES {
            let [first, longest] = RETRY_INTERVALS;
            return ReadRetry::Again((first * (1 << (self.tries.min(16) - 1))).min(longest));
        }
        ReadRetry::GiveUp(self.finish(std::iter::repeat(())).into_iter().map(|(span, ())| span).collect())
    }

    /// The spans of the burst that are still wanted, for a retry. If there are none, the burst has ended.
    pub(super) fn retry(&mut self) -> Vec<Span> {
        let wanted: Vec<Span> = self.burst.take().into_iter().flatten().flatten().collect();
        if wanted.is_empty() {
            self.tries = 0;
        } else {
            self.burst = Some(wanted.iter().copied().map(Some).collect());
        }
        wanted
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
        let mut reads = UploadReads::default();
        assert_eq!(reads.start(), None);
        reads.add(vec![all[0]]);
        assert_eq!(reads.start(), Some(vec![all[0]]));
        for &span in &all[1..] {
            reads.add(vec![span]);
            assert_eq!(reads.start(), None);
        }
        assert_eq!(reads.finish(["a"]), [(all[0], "a")]);
        assert_eq!(reads.start().as_deref(), Some(&all[1..]));
    }

    #[test]
    fn a_burst_is_bounded() {
        let all = spans(100);
        let mut reads = UploadReads::default();
        reads.add(all.clone());
        assert_eq!(reads.start().as_deref(), Some(&all[..MAX_BURST]));
        assert_eq!(reads.finish(0..MAX_BURST).len(), MAX_BURST);
        assert_eq!(reads.start().as_deref(), Some(&all[MAX_BURST..]));
    }

    #[test]
    fn what_is_called_off_is_neither_read_nor_sent() {
        let all = spans(5);
        let mut reads = UploadReads::default();
        reads.add(all[..3].to_vec());
        reads.start();
        reads.add(all[3..].to_vec());
        reads.cancel(&[all[1], all[3]]);
        // Asked for once more: it belongs to the next burst, not to the one under way.
        reads.add(vec![all[1]]);
        assert_eq!(reads.finish([0, 1, 2]), [(all[0], 0), (all[2], 2)]);
        assert_eq!(reads.start(), Some(vec![all[4], all[1]]));
        reads.cancel(&[]);
        assert_eq!(reads.finish([4, 1]), []);
        assert_eq!(reads.start(), None);
    }

    #[test]
    fn what_cannot_be_read_for_the_moment_is_tried_again_and_given_up_at_last() {
        let all = spans(3);
        let mut reads = UploadReads::default();
        reads.add(all.clone());
        reads.start();
        let ReadRetry::Again(first) = reads.failed() else { panic!("given up at once") };
        assert_eq!(first, RETRY_INTERVALS[0]);
        reads.cancel(&[all[1]]);
        assert_eq!(reads.retry(), [all[0], all[2]]);
        assert_eq!(reads.start(), None, "it is still under way");
        let mut waited = first;
        let given_up = loop {
            match reads.failed() {
                ReadRetry::Again(after) => waited += after,
                ReadRetry::GiveUp(spans) => break spans,
            }
        };
        assert_eq!(given_up, [all[0], all[2]]);
        assert!((20..60).contains(&waited.as_secs()), "{waited:?}");
        reads.add(vec![all[1]]);
        assert_eq!(reads.start(), Some(vec![all[1]]));
        assert_eq!(reads.failed(), ReadRetry::Again(RETRY_INTERVALS[0]), "a new burst begins anew");
        reads.cancel(&[]);
        assert_eq!(reads.retry(), []);
        assert_eq!(reads.start(), None);
    }
}
