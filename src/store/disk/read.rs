//! Reads of blocks for peers.

use super::Done;
use crate::base::Span;
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::pool::Buf;
use crate::store::storage::Storage;

pub(super) struct ReadJob {
    pub(super) storage: Storage,
    pub(super) spans: Vec<Span>,
    pub(super) done: Done<Result<Vec<Buf>, DiskError>>,
}

impl ReadJob {
    /// Ends the job without doing it.
    pub(super) fn refuse(self, kind: DiskErrorKind) {
        let error = DiskError::new(kind, "read from", self.storage.root());
        (self.done)(Err(error));
    }

    /// Reads the spans into these buffers.
    pub(super) fn serve(self, mut bufs: Vec<Buf>) {
        if bufs.len() < self.spans.len() {
            // The system is out of memory.
            return self.refuse(DiskErrorKind::Busy);
        }
        let result = self.read(&mut bufs).map(|()| bufs);
        (self.done)(result);
    }

    /// Reads the spans; adjacent spans share one read.
    fn read(&self, bufs: &mut [Buf]) -> Result<(), DiskError> {
        let geometry = &self.storage.layout().geometry;
        let start = |span: &Span| geometry.piece_range(span.piece()).start + u64::from(span.begin());
        let mut at = 0;
        while at < self.spans.len() {
            let first = start(&self.spans[at]);
            let mut end = first;
            let mut slices: Vec<&mut [u8]> = Vec::new();
            let mut count = 0;
            for (span, buf) in self.spans[at..].iter().zip(&mut bufs[at..]) {
                if start(span) != end {
                    break;
                }
                end += u64::from(span.len());
                count += 1;
                buf.set_len(span.len() as usize);
                slices.push(&mut buf.whole_mut()[..span.len() as usize]);
            }
            self.storage.read(first, &mut slices)?;
            at += count;
        }
        Ok(())
    }
}
