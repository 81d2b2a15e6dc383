//! Leaving the swarm, within two seconds whatever disk, trackers and peers do: complete pieces are written,
//! the resume record is saved, then trackers are told.

use std::time::Duration;

use tokio::time::{self, Instant};

use super::content::Content;
use super::{Driver, Inbox};
use crate::engine::event::Event;
use crate::swarm::event::{Input, TorrentCommand};

/// Timeout for writing the last complete pieces.
const WRITE_TIMEOUT: Duration = Duration::from_millis(1100);
/// Timeout for the `stopped` announces.
const ANNOUNCE_TIMEOUT: Duration = Duration::from_millis(900);
/// Timeout for leaving. The session waits a little longer, for the last row and event.
pub(in crate::engine) const LEAVE_TIMEOUT: Duration = Duration::from_millis(1500);

impl Driver {
    /// Leaves the swarm and ends the driver.
    pub(super) async fn leave(mut self, mut inbox: Inbox) {
        let began = Instant::now();
        let reached = self.is_goal_reached();
        self.leaving = true;
        (self.registration, self.lsd_registration, self.dht_lookup) = (None, None, None);
        if let Some(opening) = &self.opening {
            opening.cancel();
            // The result of the check must not make the torrent join the swarm.
            self.handle_input(Input::Command(TorrentCommand::Pause));
        }
        // Reports that are already here count, so that the totals add up.
        while let Ok(report) = inbox.reports.try_recv() {
            self.handle_report(report);
        }
        // No more blocks may arrive: the disk gets time to write the pieces.
        self.peers.clear();
        // Before the stop, since a stopped state machine accepts no pieces. An older record must not be saved
        // after the last one.
        let written = time::timeout(WRITE_TIMEOUT, async {
            // The blocks of unfinished pieces as well. A piece of which something is with the disk threads has its turn
            // in the second round.
            for _ in 0..2 {
                self.save_blocks(self.now(), Duration::ZERO);
                self.handle_events_while(&mut inbox, Self::is_writing).await;
            }
        });
        let _ = written.await;
        let writing = self.may_still_write();
        self.save_at_the_end(writing).await;

        self.handle_input(Input::Command(TorrentCommand::Stop));
        self.peers.clear();
        // A flush gets the time that trackers take, and one in progress a moment to report its result.
        let waits = self.is_flushing();
        let flushing = waits || (self.announcing > 0 && !writing && self.fault.is_none() && self.flush());
        let until = (began + LEAVE_TIMEOUT).min(Instant::now() + ANNOUNCE_TIMEOUT);
        let _ = time::timeout_at(
            until,
            self.handle_events_while(&mut inbox, |driver| {
                driver.announcing > 0 || (waits && driver.is_flushing())
            }),
        )
        .await;
        if flushing && !self.is_flushing() && self.fault.is_none() {
            self.save_at_the_end(self.may_still_write()).await;
        }
        let (now, summary) = (self.now(), self.summary());
        self.view_publisher.done = reached && self.fault.is_none();
        self.publish(now, &summary, true);
        let event = match self.fault.take() {
            Some(fault) => Event::Failed { id: self.id, fault },
            None if reached => Event::Done { id: self.id },
            None => return,
        };
        let _ = self.shared.events.send(event);
    }

    /// Handles driver events while the condition holds.
    async fn handle_events_while(&mut self, inbox: &mut Inbox, is_so: impl Fn(&Self) -> bool) {
        while is_so(self)
            && let Some(event) = inbox.events.recv().await
        {
            self.handle_event(event);
        }
    }

    /// Whether the disk threads have not yet written everything.
    fn may_still_write(&self) -> bool {
        let writes =
            |content: &Content| content.writes_pending > 0 || content.resume_writer.saving_blocks > 0;
        self.content.as_ref().is_some_and(writes)
    }

    /// Whether the disk is working for the torrent.
    fn is_writing(&self) -> bool {
        let busy = |content: &Content| {
            let unready = content.deferred.is_some() && self.fault.is_none();
            let saving = content.resume_writer.saving || content.resume_writer.saving_blocks > 0;
            content.writes_pending > 0 || content.confirming || saving || unready
        };
        self.opening.is_some() || self.content.as_ref().is_some_and(busy)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::path::Path;
    use std::sync::{Arc, mpsc as std_mpsc};

    use tokio::sync::{mpsc, watch};

    use super::*;
    use crate::base::{Rng, TorrentId};
    use crate::engine::command::{Add, After, ContentOptions, ExistingFiles, SeedGoal};
    use crate::engine::config::EngineConfig;
    use crate::engine::driver::{ToDriver, run};
    use crate::engine::handle::{Engine, Handle};
    use crate::engine::shared::Shared;
    use crate::hash::sha1;
    use crate::proto::metainfo::{Attributes, Content, Draft, Extras, Metainfo};
    use crate::store::{
        self, FilePool, FileSpec, Layout, ResumeRecord, Storage, StorageOptions, TorrentStore,
    };

    const PIECE: usize = 16 << 10;
    /// Several times the pieces that any processor hashes side by side.
    const PIECES: usize = 160;
    /// Number of pieces that the leecher already has.
    const THERE: usize = PIECES / 2;
    const TIMEOUT: Duration = Duration::from_secs(60);

    /// A seeder, and a driver whose only disk thread is blocked.
    struct Scene {
        dir: tempfile::TempDir,
        metainfo: Metainfo,
        shared: Arc<Shared>,
        orders: mpsc::UnboundedSender<ToDriver>,
        task: tokio::task::JoinHandle<()>,
        gate: std_mpsc::Sender<()>,
        _seeder: Handle,
        _views: watch::Receiver<Option<crate::engine::driver::TorrentView>>,
    }

    fn config(dir: &Path, name: &str) -> EngineConfig {
        EngineConfig {
            bind: Some([127, 0, 0, 1].into()),
            state_dir: Some(dir.join(name)),
            disk_threads: 1,
            ..EngineConfig::default()
        }
    }

    /// Polls until there is a result.
    async fn until<T>(mut so: impl FnMut() -> Option<T>) -> T {
        let found = async {
            loop {
                match so() {
                    Some(found) => break found,
                    None => time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        time::timeout(TIMEOUT, found).await.expect("in time")
    }

    /// A torrent whose files are complete in `given` and half complete in `got`.
    fn torrent(tracker: Option<String>) -> (tempfile::TempDir, Metainfo) {
        let dir = tempfile::tempdir().unwrap();
        let mut rng = Rng::new(7);
        let bytes: Vec<u8> = (0..PIECES * PIECE).map(|_| rng.next_u64() as u8).collect();
        let mut extras = Extras::default();
        extras.trackers.extend(tracker.map(|url| vec![url.as_str().into()]));
        let draft = Draft {
            name: "x.bin".into(),
            content: Content::Single(bytes.len() as u64, Attributes::default()),
            piece_len: PIECE as u32,
            digests: bytes.chunks(PIECE).flat_map(sha1).collect(),
            private: false,
            source: None,
            extras,
        };
        let metainfo = Metainfo::parse(&draft.to_bytes()).unwrap();
        for (folder, there) in [("given", PIECES), ("got", THERE)] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
            std::fs::write(dir.path().join(folder).join("x.bin"), &bytes[..there * PIECE]).unwrap();
        }
        (dir, metainfo)
    }

    fn tracker() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/announce", listener.local_addr().unwrap());
        (listener, url)
    }

    /// Blocks the only disk thread until the gate is opened.
    async fn keep_busy(shared: &Shared) -> std_mpsc::Sender<()> {
        let (gate, closed) = std_mpsc::channel::<()>();
        let (at_gate, arrived) = std_mpsc::channel();
        shared.disk.threads.run(move || {
            let _ = at_gate.send(());
            let _ = closed.recv();
        });
        until(|| arrived.try_recv().ok()).await;
        gate
    }

    impl Scene {
        async fn new(tracker: Option<String>) -> Self {
            let (dir, metainfo) = torrent(tracker);
            let seeder = Engine::start(config(dir.path(), "seeder")).await.unwrap();
            let options = ContentOptions {
                seed_only: true,
                existing: ExistingFiles::Trust,
                after: After::Seed(SeedGoal::default()),
                ..ContentOptions::new(dir.path().join("given"))
            };
            let give = Add { use_trackers: false, ..Add::new(metainfo.clone(), options) };
            seeder.add(give);
            let mut views = seeder.views();
            let port = time::timeout(TIMEOUT, views.wait_for(|view| view.port.is_some())).await.unwrap();
            let port = port.unwrap().port.unwrap();

            let (events, mut heard) = mpsc::unbounded_channel();
            let shared = Shared::start(config(dir.path(), "leecher"), events).await.unwrap();
            let options = ContentOptions {
                after: After::Seed(SeedGoal::default()),
                ..ContentOptions::new(dir.path().join("got"))
            };
            let add = Add::new(metainfo.clone(), options);
            let (orders, inbox) = mpsc::unbounded_channel();
            let (publish, published) = watch::channel(None);
            let task = tokio::spawn(run(
                shared.clone(),
                TorrentId::FIRST,
                Box::new(add),
                inbox,
                mpsc::unbounded_channel().0,
                publish,
            ));
            let checked = time::timeout(TIMEOUT, heard.recv()).await.unwrap();
            assert!(matches!(checked, Some(Event::Checked { .. })), "{checked:?}");
            // From here on the only disk thread is busy, so that whatever comes waits to be written.
            let gate = keep_busy(&shared).await;
            let peer = SocketAddr::from(([127, 0, 0, 1], port));
            orders.send(ToDriver::Peers(vec![peer])).unwrap();
            let scene =
                Self { dir, metainfo, shared, orders, task, gate, _seeder: seeder, _views: published };
            let all = format!("Disk({} pieces,", PIECES - THERE);
            scene.until_disk(|disk| disk.starts_with(&all)).await;
            scene
        }

        /// Waits for a state of the disk's queues.
        async fn until_disk(&self, such: impl Fn(&str) -> bool) {
            until(|| such(&format!("{:?}", self.shared.disk.threads)).then_some(())).await;
        }

        fn record(dir: &Path, metainfo: &Metainfo) -> ResumeRecord {
            TorrentStore::in_state_dir(&dir.join("leecher"))
                .load(&metainfo.info_hash())
                .unwrap()
                .expect("it was saved")
        }

        /// Number of pieces that the record claims, and of those that need no recheck.
        fn claimed_and_believed(&self) -> (u32, u32) {
            let record = Self::record(self.dir.path(), &self.metainfo);
            let geometry = Arc::new(self.metainfo.geometry().clone());
            let file =
                FileSpec { path: "x.bin".into(), len: geometry.total(), pad: false, executable: false };
            let hashes = self.metainfo.piece_hashes().clone();
            let layout = Layout::new(self.metainfo.info_hash(), geometry, vec![file], hashes).unwrap();
            let options = StorageOptions::default();
            let root = self.dir.path().join("got");
            let storage = Storage::new(&root, layout, options, &[], &FilePool::new(8)).unwrap();
            (record.written.count(), store::trusted_pieces(&storage, &record).unwrap().count())
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_torrent_that_is_stopped_while_its_files_are_looked_through_meets_nobody() {
        let (listener, url) = tracker();
        let (dir, metainfo) = torrent(Some(url));
        let (events, _heard) = mpsc::unbounded_channel();
        let shared = Shared::start(config(dir.path(), "leecher"), events).await.unwrap();
        let gate = keep_busy(&shared).await;
        let add = Box::new(Add::new(metainfo, dir.path().join("got")));
        let ((orders, inbox), (found, _)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let (publish, published) = watch::channel(None);
        let task = tokio::spawn(run(shared.clone(), TorrentId::FIRST, add, inbox, found, publish));
        orders.send(ToDriver::Peers(vec![listener.local_addr().unwrap()])).unwrap();
        orders.send(ToDriver::Stop).unwrap();
        time::timeout(TIMEOUT, task).await.expect("in time").expect("no panic");
        let last = published.borrow().clone().expect("its last word");
        assert!(last.last && last.row.reason.text == "stopped before it began", "{last:?}");
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "neither a peer nor a tracker has heard of it");
        gate.send(()).unwrap();
        shared.stop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn writes_that_come_behind_the_record_do_not_spoil_it() {
        let scene = Scene::new(None).await;
        scene.orders.send(ToDriver::Stop).unwrap();
        // It has waited as long as it may, and saves.
        scene.until_disk(|disk| disk.contains(" 1 jobs")).await;
        scene.gate.send(()).unwrap();
        until(|| scene.task.is_finished().then_some(())).await;
        scene.shared.stop().await;
        // None of it was flushed, and later writes may be anywhere in the file.
        assert_eq!(scene.claimed_and_believed(), (THERE as u32, 0));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_record_is_saved_behind_the_last_write_and_before_a_farewell() {
        let (listener, url) = tracker();
        let (bye, farewell) = std_mpsc::channel();
        let scene = Scene::new(Some(url)).await;
        let (dir, metainfo) = (scene.dir.path().to_owned(), scene.metainfo.clone());
        // A tracker that answers until somebody leaves.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read_exact(&mut byte).is_err() {
                        break;
                    }
                    request.push(byte[0]);
                }
                if String::from_utf8_lossy(&request).contains("event=stopped") {
                    let _ = bye.send(Scene::record(&dir, &metainfo));
                    std::mem::forget(stream);
                    return;
                }
                let answer = "d8:intervali1800e5:peers0:e";
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close", answer.len());
                let _ = stream.write_all(format!("{head}\r\n\r\n{answer}").as_bytes());
            }
        });
        scene.orders.send(ToDriver::Stop).unwrap();
        scene.gate.send(()).unwrap();
        until(|| scene.task.is_finished().then_some(())).await;
        let record = farewell.recv_timeout(TIMEOUT).expect("the tracker hears of it");
        assert!(!record.running && record.written.is_full(), "{} of {PIECES}", record.written.count());
        assert_eq!(scene.claimed_and_believed(), (PIECES as u32, PIECES as u32));
        scene.shared.stop().await;
    }
}
