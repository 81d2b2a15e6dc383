//! What waits until the disk is ready to take a torrent: peers are asked meanwhile.

use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use super::open::Opened;
use super::{Driver, Fact};
use crate::base::{Piece, Span};
use crate::engine::event::Fault;
use crate::store::{DiskError, DiskErrorKind};
use crate::swarm::event::PeerKey;

/// Work for the disk that is held back, in the order in which it came.
#[derive(Debug, Default)]
pub(super) struct Unready {
    pieces: Vec<Piece>,
    reads: Vec<(PeerKey, Vec<Span>)>,
}

impl Opened {
    /// Waits until the disk is ready.
    pub(super) async fn prepared(&mut self) -> Result<(), DiskError> {
        let ready = (&mut self.ready).await.unwrap_or_else(|_| Err(cancelled()));
        let (tell, again) = oneshot::channel();
        self.ready = again;
        ready.inspect(|()| drop(tell.send(Ok(()))))
    }
}

impl Unready {
    /// Holds back until this says that the disk is ready; nothing if it is already.
    pub(super) fn until(
        mut ready: oneshot::Receiver<Result<(), DiskError>>,
        facts: &mpsc::UnboundedSender<Fact>,
    ) -> Option<Self> {
        match ready.try_recv() {
            Ok(Ok(())) => return None,
            Ok(failed) => drop(facts.send(Fact::Ready(failed))),
            Err(TryRecvError::Closed) => drop(facts.send(Fact::Ready(Err(cancelled())))),
            Err(TryRecvError::Empty) => {
                let facts = facts.clone();
                tokio::spawn(async move {
                    let ready = ready.await.unwrap_or_else(|_| Err(cancelled()));
                    let _ = facts.send(Fact::Ready(ready));
                });
            }
        }
        Some(Self::default())
    }
}

impl Driver {
    /// Whether work on a piece has to wait; then it is done later.
    pub(super) fn puts_off(&mut self, piece: Piece) -> bool {
        let Some(unready) = &mut self.unready else { return false };
        unready.pieces.push(piece);
        true
    }

    /// Whether a read has to wait; then it is done later.
    pub(super) fn puts_off_read(&mut self, peer: PeerKey, burst: &[Span]) -> bool {
        let Some(unready) = &mut self.unready else { return false };
        unready.reads.push((peer, burst.to_vec()));
        true
    }

    /// The disk is ready, or cannot be.
    pub(super) fn ready(&mut self, ready: Result<(), DiskError>) {
        let Some(Unready { pieces, reads }) = self.unready.take() else { return };
        if let Err(error) = ready {
            // Nothing may be written from now on either.
            self.unready = Some(Unready::default());
            self.fault.get_or_insert_with(|| Fault::from_disk(&error));
            return;
        }
        for piece in pieces {
            self.go_on_with(piece);
        }
        for (peer, burst) in
            reads.into_iter().filter(|(peer, _)| self.peers.contains_key(peer)).collect::<Vec<_>>()
        {
            self.fetch(peer, burst);
        }
    }
}

fn cancelled() -> DiskError {
    DiskError::new(DiskErrorKind::Cancelled, "prepare", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a driver hears where the disk says this, or nothing, before it looks or after.
    async fn heard(says: Option<Result<(), DiskError>>, before: bool) -> Option<Result<(), DiskErrorKind>> {
        let (tell, ready) = oneshot::channel();
        let (facts, mut inbox) = mpsc::unbounded_channel();
        let mut say = Some(move || {
            if let Some(says) = says {
                let _ = tell.send(says);
            }
        });
        if before && let Some(say) = say.take() {
            say();
        }
        let unready = Unready::until(ready, &facts);
        if let Some(say) = say.take() {
            say();
        }
        unready?;
        match inbox.recv().await {
            Some(Fact::Ready(ready)) => Some(ready.map_err(|error| error.kind)),
            _ => panic!("nothing else is told"),
        }
    }

    #[tokio::test]
    async fn a_disk_that_cannot_take_it_is_heard_whenever_it_says_so() {
        let full = || Err(DiskError::new(DiskErrorKind::NoSpace, "reserve", ""));
        assert_eq!(heard(Some(Ok(())), true).await, None, "nothing has to wait");
        assert_eq!(heard(Some(Ok(())), false).await, Some(Ok(())));
        for before in [true, false] {
            assert_eq!(heard(Some(full()), before).await, Some(Err(DiskErrorKind::NoSpace)));
            assert_eq!(heard(None, before).await, Some(Err(DiskErrorKind::Cancelled)));
        }
    }
}
