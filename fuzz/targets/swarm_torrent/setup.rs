//! How a torrent begins: with its content, or with its info-hash alone.

use std::sync::{Arc, LazyLock};

use torr::base::{Bitfield, Geometry, InfoHashes, Moment, PeerId};
use torr::hash::sha1;
use torr::proto::metainfo::{Attributes, Content, Draft, Extras};
use torr::swarm::event::{Order, TrackerKey};
use torr::swarm::{Config, ContentSetup, Torrent};

use super::super::draws::Draws;

/// The info-hash of a torrent that begins with its content.
const HASH: InfoHashes = InfoHashes::from_v1([7; 20]);
/// Short pieces with a shorter last one, and pieces so long that they are taken in runs.
const SHAPES: [(u32, u64); 2] = [(65_536, 65_536 * 12 + 20_000), (3 << 20, 7 << 20)];

/// What a torrent is told at its start that the model has to know, too.
pub struct Setup {
    pub geometry: Arc<Geometry>,
    pub config: Config,
    pub have: Bitfield,
    pub order: Order,
    pub seed_only: bool,
    /// The info dictionary, for a torrent that begins without it.
    pub sought: Option<&'static [u8]>,
    /// Whether an honest peer comes to a torrent that lacks the info dictionary.
    pub rescued: bool,
}

impl Setup {
    /// The first byte decides how the torrent begins.
    pub fn new(draws: &mut Draws<'_>) -> Self {
        let (start, flags, more) = (draws.byte(), draws.byte(), draws.byte());
        let is = |bit: u8| flags & 1 << bit != 0;
        let shape = usize::from(more & 3 == 3);
        let (piece_len, total) = SHAPES[shape];
        let geometry = Arc::new(Geometry::single(piece_len.into(), total).expect("a geometry"));
        let pieces = geometry.piece_count();
        let mut have = if is(0) { Bitfield::all(pieces) } else { Bitfield::none(pieces) };
        if is(1) {
            geometry.pieces().filter(|piece| piece.index() % 2 == 0).for_each(|piece| {
                have.insert(piece);
            });
        }
        let sought = (start & 1 != 0).then(|| info(usize::from(start >> 2), is(3), shape));
        let given = is(6) && sought.is_none();
        let config = Config {
            port: if is(2) { 0 } else { 51_413 },
            private: is(3) && sought.is_none(),
            dht: is(4),
            pex: !is(5),
            eager: is(6) && sought.is_some(),
            info: if given { vec![b'x'; 20_000].into() } else { Arc::default() },
            trackers: vec![vec![TrackerKey(0), TrackerKey(1)], vec![TrackerKey(2)]],
            max_peers: 1 + usize::from(more >> 4 & 7),
            upload_limit: is(7).then_some(50_000),
            ..Config::new(sought.map_or(HASH, |info| InfoHashes::from_v1(sha1(info))), PeerId([0x80; 20]))
        };
        let order = if more & 4 != 0 { Order::InOrder } else { Order::RarestFirst };
        Self { geometry, config, have, order, seed_only: more & 8 != 0, sought, rescued: start & 2 != 0 }
    }

    /// The torrent at its start.
    pub fn build(&self, now: Moment, seed: u64) -> Torrent {
        match self.sought {
            Some(_) => Torrent::new(now, self.config.clone(), seed),
            None => Torrent::with_content(now, self.config.clone(), self.content(), seed),
        }
    }

    /// The content when it is opened.
    pub fn content(&self) -> ContentSetup {
        ContentSetup {
            order: self.order,
            seed_only: self.seed_only,
            ..ContentSetup::new(self.geometry.clone(), self.have.clone())
        }
    }
}

/// An info dictionary of one piece or of three, or bytes that are none and have the right digest all the same.
fn info(kind: usize, private: bool, shape: usize) -> &'static [u8] {
    static INFOS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let of = |(private, (piece_len, total)): (bool, (u32, u64))| {
            let padded = |len: usize| Draft {
                name: "found".into(),
                content: Content::Single(total, Attributes::NONE),
                piece_len,
                digests: vec![7; total.div_ceil(piece_len.into()) as usize * 20],
                private,
                source: Some("x".repeat(len)),
                extras: Extras::default(),
            };
            [padded(1).info_bytes(), padded(40_000).info_bytes(), vec![b'x'; 20_000]]
        };
        let kinds = [false, true].into_iter().flat_map(|private| SHAPES.map(|shape| (private, shape)));
        kinds.flat_map(of).collect()
    });
    &INFOS[(usize::from(private) * SHAPES.len() + shape) * 3 + kind % 3]
}
