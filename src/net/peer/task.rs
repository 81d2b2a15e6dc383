//! The loop of one connection: orders, writing, reporting, reading, in one task.
//!
//! Neither direction waits for the other, so two peers that send to each other at full speed cannot
//! lock each other up. Each turn makes at most one call in each direction.

use std::future::poll_fn;
use std::task::{Context, Poll};

use tokio::net::TcpStream;
use tokio::sync::mpsc::{Sender, UnboundedReceiver};

use super::intake::Intake;
use super::outbox::Outbox;
use super::reports::Reports;
use super::{FromPeer, PeerConfig, ToPeer};
use crate::net::limit::Throttle;
use crate::proto::message::Message;
use crate::swarm::event::{DisconnectReason, PeerKey};

/// Turns before other tasks of the runtime have theirs: about 2 MiB in each direction.
const TURNS: usize = 8;

pub(super) struct Task {
    stream: TcpStream,
    orders: UnboundedReceiver<ToPeer>,
    reports: Reports,
    intake: Intake,
    outbox: Outbox,
}

/// How a connection ends.
enum End {
    /// The driver wants no report of it.
    Quiet,
    /// The driver is told why.
    Told(DisconnectReason),
}

impl Task {
    pub(super) fn new(
        stream: TcpStream,
        config: &PeerConfig,
        orders: UnboundedReceiver<ToPeer>,
        reports: Sender<(PeerKey, FromPeer)>,
    ) -> Self {
        let down = Throttle::new(config.limits.each_ref().map(|limits| limits.down.clone()));
        let up = Throttle::new(config.limits.each_ref().map(|limits| limits.up.clone()));
        let reports = Reports::new(config.key, reports);
        Self { stream, orders, reports, intake: Intake::new(config, down), outbox: Outbox::new(up) }
    }

    pub(super) async fn run(mut self) {
        let end = poll_fn(|context| self.poll(context)).await;
        let Self { stream, orders, mut reports, mut intake, outbox } = self;
        // The buffers of what will not be sent are not held while the driver is slow to listen.
        drop((stream, orders, outbox));
        if let End::Told(why) = end {
            intake.pause(&mut reports);
            drop(intake);
            reports.finish(FromPeer::Disconnected(why)).await;
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<End> {
        for _ in 0..TURNS {
            match self.turn(context) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(end) => return Poll::Ready(end),
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Does what can be done now; says whether there may be more. If not, whatever may change that
    /// wakes the task.
    fn turn(&mut self, context: &mut Context<'_>) -> Result<bool, End> {
        self.heed(context)?;
        let mut busy = false;
        match self.outbox.poll_write(context, &self.stream) {
            Poll::Ready(Ok(())) => busy = true,
            Poll::Ready(Err(_)) => return Err(End::Told(DisconnectReason::Closed)),
            Poll::Pending => {}
        }
        let sent = self.outbox.take_sent();
        if !sent.is_empty() {
            self.reports.push(FromPeer::Sent(sent));
        }
        if self.outbox.take_drained() {
            self.reports.push(FromPeer::Drained);
        }
        // While the driver lags behind nothing is read.
        if self.flush(context)? {
            match self.intake.poll_read(context, &self.stream, &mut self.reports) {
                Poll::Ready(Ok(())) => busy = true,
                Poll::Ready(Err(why)) => return Err(End::Told(why)),
                Poll::Pending => {
                    self.intake.pause(&mut self.reports);
                    self.flush(context)?;
                }
            }
        }
        Ok(busy)
    }

    /// Tells the driver what waits; says whether all is told.
    fn flush(&mut self, context: &mut Context<'_>) -> Result<bool, End> {
        match self.reports.poll_flush(context) {
            Poll::Ready(Ok(())) => Ok(true),
            Poll::Ready(Err(_)) => Err(End::Quiet),
            Poll::Pending => Ok(false),
        }
    }

    /// Takes the orders that are there.
    fn heed(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        while let Poll::Ready(order) = self.orders.poll_recv(context) {
            match order {
                None | Some(ToPeer::Close) => {
                    // What was said just before goes out if the socket takes it: the last `Have` among it.
                    let _ = self.outbox.poll_write(context, &self.stream);
                    return Err(End::Quiet);
                }
                Some(ToPeer::Send(message)) => self.outbox.say(&message),
                Some(ToPeer::Request(blocks)) => {
                    if self.intake.ask(&blocks) {
                        for block in blocks {
                            self.outbox.say(&Message::Request(block.span().into()));
                        }
                    }
                }
                Some(ToPeer::Cancel(blocks)) => {
                    for block in blocks {
                        if self.intake.cancel(block) {
                            self.outbox.say(&Message::Cancel(block.span().into()));
                        }
                    }
                }
                Some(ToPeer::Serve(blocks)) => self.outbox.serve(blocks),
                Some(ToPeer::CancelServe(spans)) => self.outbox.unserve(&spans),
                Some(ToPeer::ChokeSeen) => self.intake.choke_seen(),
            }
            if self.outbox.is_stuffed() {
                return Err(End::Told(DisconnectReason::Silent));
            }
        }
        Ok(())
    }
}
