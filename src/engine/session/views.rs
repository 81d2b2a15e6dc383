//! The view of a session, made of the rows that drivers publish.

use std::sync::Arc;

use super::Session;
use super::torrent::Activity;
use crate::engine::event::{Event, Fault, FaultKind, Remedy};
use crate::engine::view::{Row, State, View};

/// Number of views between trims of the buffer pool.
const TRIM_EVERY: u32 = 20;

impl Session {
    /// Collects the rows of the drivers and publishes a view.
    pub(super) fn publish_view(&mut self) {
        let mut detail = None;
        let mut ended = false;
        for torrent in &mut self.torrents {
            let Some(running) = &mut torrent.driver else { continue };
            // Checked before the published view is read, or the last view could come in between.
            let over = running.task.is_finished();
            let mut last = false;
            // A driver that has ended may have left an unread view. The view of a queued torrent is that of
            // its metadata lookup.
            if running.published.has_changed().unwrap_or(true)
                && torrent.activity != Activity::Queued
                && let Some(published) = running.published.borrow_and_update().clone()
            {
                ended |= torrent.row.state != published.row.state;
                torrent.row = Row { info_hashes: torrent.info_hashes, ..published.row };
                last = published.last;
                if self.show_detail == Some(torrent.id) {
                    detail = published.detail;
                }
            }
            if !over {
                continue;
            }
            (torrent.driver, torrent.activity) = (None, Activity::Ended);
            ended = true;
            if !last && !self.stopping {
                // The driver panicked, since it ended without its last view. The other torrents go on.
                torrent.row.state = State::Error;
                torrent.row.reason.word = FaultKind::Internal.reason();
                torrent.row.reason.text = "an internal error stopped this torrent".into();
                let fault = Fault {
                    kind: FaultKind::Internal,
                    message: torrent.row.reason.text.clone(),
                    remedy: Some(Remedy::Report),
                };
                let _ = self.events.send(Event::Failed { id: torrent.id, fault });
            }
        }
        if ended && !self.stopping {
            self.start_queued();
        }
        self.views = self.views.wrapping_add(1);
        if self.views.is_multiple_of(TRIM_EVERY) {
            self.shared.memory.pool.trim();
        }
        let previous = self.view.borrow().detail.clone().filter(|d| self.show_detail == Some(d.id));
        let torrents: Vec<Row> = self.torrents.iter().map(|torrent| torrent.row.clone()).collect();
        let (down, up) = torrents.iter().fold((0.0, 0.0), |(d, u), row| (d + row.down, u + row.up));
        let view = View {
            torrents,
            detail: detail.or(previous),
            port: self.shared.network.port(),
            dht_nodes: self.shared.network.dht_nodes(),
            down,
            up,
        };
        self.view.send_replace(Arc::new(view));
    }
}
