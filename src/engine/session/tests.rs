//! Duplicate torrents, added by any of their info-hashes.

use super::*;
use crate::engine::command::Link;

const FIRST: TorrentId = TorrentId::FIRST;
const SECOND: TorrentId = FIRST.next();

struct Scene {
    session: Session,
    heard: mpsc::UnboundedReceiver<Event>,
    hybrid: Arc<Metainfo>,
}

impl Scene {
    async fn new() -> Self {
        let config = EngineConfig { bind: Some([127, 0, 0, 1].into()), ..EngineConfig::default() };
        let (events, heard) = mpsc::unbounded_channel();
        let shared = Shared::start(config, events.clone()).await.expect("loopback is there");
        let view = watch::channel(Arc::default()).0;
        let (session, _) = Session::new(shared, events, view, 1);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/torrents/hybrid.torrent");
        let hybrid = Metainfo::parse(&std::fs::read(path).expect("it is in the repository")).unwrap();
        Self { session, heard, hybrid: Arc::new(hybrid) }
    }

    /// The v1 info-hash of the hybrid torrent.
    fn v1(&self) -> InfoHashes {
        InfoHashes::from_v1(self.hybrid.info_hash().v1().expect("it is hybrid"))
    }

    fn v2(&self) -> InfoHashes {
        InfoHashes::from_v2(self.hybrid.info_hash().v2().expect("it is hybrid"))
    }

    fn add_link(&mut self, id: TorrentId, torrent: InfoHashes) {
        self.session.add(id, Box::new(Add::link(Link::new(torrent))));
    }

    fn rows(&self) -> Vec<(TorrentId, InfoHashes)> {
        self.session.torrents.iter().map(|torrent| (torrent.row.id, torrent.row.info_hashes)).collect()
    }

    fn next_is_refusal_of(&mut self, refused: TorrentId) -> bool {
        let event = self.heard.try_recv();
        matches!(event, Ok(Event::Failed { id, fault }) if id == refused && fault.kind == FaultKind::Duplicate)
    }
}

#[tokio::test]
async fn a_torrent_that_is_there_is_refused_under_the_id_of_its_own() {
    let mut scene = Scene::new().await;
    let add = Add { content: None, ..Add::new((*scene.hybrid).clone(), std::path::PathBuf::new()) };
    scene.session.add(FIRST, Box::new(add));
    scene.add_link(SECOND, scene.v1());
    assert!(scene.next_is_refusal_of(SECOND) && scene.heard.try_recv().is_err());
    assert_eq!(scene.rows(), [(FIRST, scene.hybrid.info_hash())]);
    scene.session.remove(FIRST);
    scene.add_link(SECOND, scene.v1());
    assert_eq!(scene.rows(), [(SECOND, scene.v1())]);
    scene.session.stop().await;
}

#[tokio::test]
async fn a_torrent_keeps_its_id_when_its_metadata_tells_its_other_info_hash() {
    let mut scene = Scene::new().await;
    scene.add_link(FIRST, scene.v1());
    scene.session.found(FIRST, scene.hybrid.clone());
    let both = scene.hybrid.info_hash();
    assert!(both.v2().is_some());
    let event = scene.heard.try_recv();
    assert!(
        matches!(event, Ok(Event::Metadata { id: FIRST, info_hashes, .. }) if info_hashes == both),
        "{event:?}"
    );
    assert_eq!(scene.rows(), [(FIRST, both)]);
    scene.session.stop().await;
}

#[tokio::test]
async fn a_link_that_proves_to_be_a_torrent_that_is_there_is_refused() {
    let mut scene = Scene::new().await;
    scene.add_link(FIRST, scene.v1());
    scene.add_link(SECOND, InfoHashes::from_v1([9; 20]));
    // No link of a v2 digest alone is taken yet.
    scene.session.torrents[1].info_hashes = scene.v2();
    scene.session.found(SECOND, scene.hybrid.clone());
    assert!(scene.next_is_refusal_of(SECOND));
    assert_eq!(scene.rows(), [(FIRST, scene.v1())]);
    // That the other one was there for a while is no reason to refuse this one.
    scene.session.found(FIRST, scene.hybrid.clone());
    assert!(matches!(scene.heard.try_recv(), Ok(Event::Metadata { id: FIRST, .. })));
    assert_eq!(scene.rows(), [(FIRST, scene.hybrid.info_hash())]);
    scene.session.stop().await;
}
