//! Reports that wait to be sent to the driver.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{OwnedPermit, Sender};

use super::FromPeer;
use crate::swarm::event::PeerKey;

type Report = (PeerKey, FromPeer);
/// Room in the channel, as soon as there is some; nothing if the driver is gone.
type Room = Pin<Box<dyn Future<Output = Option<OwnedPermit<Report>>> + Send>>;

/// The driver is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Gone;

/// Reports in the order they are told. It stays small, because nothing is read while it is not empty.
pub(super) struct Reports {
    key: PeerKey,
    channel: Sender<Report>,
    waiting: VecDeque<FromPeer>,
    /// Only while the channel is full.
    room: Option<Room>,
}

impl Reports {
    pub(super) const fn new(key: PeerKey, channel: Sender<Report>) -> Self {
        Self { key, channel, waiting: VecDeque::new(), room: None }
    }

    pub(super) fn push(&mut self, report: FromPeer) {
        self.waiting.push_back(report);
    }

    /// Ready when everything is told; else the task is woken when there is room.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        if let Some(room) = &mut self.room {
            let room = ready!(room.as_mut().poll(context));
            self.room = None;
            let Some(room) = room else { return Poll::Ready(Err(Gone)) };
            if let Some(report) = self.waiting.pop_front() {
                room.send((self.key, report));
            }
        }
        while let Some(report) = self.waiting.pop_front() {
            match self.channel.try_send((self.key, report)) {
                Ok(()) => {}
                Err(TrySendError::Closed(_)) => return Poll::Ready(Err(Gone)),
                Err(TrySendError::Full((_, report))) => {
                    self.waiting.push_front(report);
                    let channel = self.channel.clone();
                    self.room = Some(Box::pin(async { channel.reserve_owned().await.ok() }));
                    return self.poll_flush(context);
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Tells everything that waits, and then this.
    pub(super) async fn finish(mut self, last: FromPeer) {
        self.push(last);
        // If the driver is gone there is nobody to tell.
        let _ = std::future::poll_fn(|context| self.poll_flush(context)).await;
    }
}
