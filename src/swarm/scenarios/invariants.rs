//! Invariants that hold after every input.

use std::collections::BTreeSet;

use crate::base::Moment;
use crate::swarm::Torrent;
use crate::swarm::torrent::peer::Counted;

/// Panics unless the parts of a torrent agree with one another.
pub fn check(torrent: &Torrent, now: Moment, open_before: u64) {
    assert!(torrent.deadline().is_none_or(|at| at > now), "no deadline lies behind");
    let Some(content) = torrent.phase.content() else { return };
    let geometry = &content.geometry;
    let mut asked = BTreeSet::new();
    for (piece, open) in content.partial.iter() {
        assert!(open.is_whole() || content.progress.lacking().has(piece), "an open piece is wanted");
        assert!(!content.rarity.free().has(piece), "an open piece cannot be begun again");
        let blocks: BTreeSet<_> =
            content.partial.requested(geometry, piece).iter().map(|(b, _)| *b).collect();
        let all = geometry.blocks_in(piece);
        let window = open.window();
        let beyond = all - window.range().end;
        assert_eq!(
            open.free() + open.received() + blocks.len() as u32 + beyond,
            all,
            "asked and received and free are all"
        );
        asked.extend(content.partial.requested(geometry, piece));
    }
    let owed: BTreeSet<_> = torrent
        .swarm
        .peers
        .iter()
        .flat_map(|(&key, peer)| peer.pipeline.pending().iter().map(move |&block| (block, key)))
        .collect();
    assert_eq!(asked, owed, "what is asked is what is owed");
    let one = content.partial.iter().count() <= 1;
    let most = torrent.swarm.config.budget.max(open_before);
    assert!(one || content.partial.bytes() <= most, "open pieces keep to the budget");
    for piece in content.progress.lacking().iter() {
        let open = content.partial.get(piece).is_some();
        assert!(open != content.rarity.free().has(piece), "a lacking piece is open or can be begun");
    }
    for peer in torrent.swarm.peers.values() {
        assert_eq!(peer.interesting, content.progress.interesting(&peer.has), "interest is counted right");
        assert_eq!(peer.interested, peer.interesting > 0, "interest is told");
        let bytes: u64 = peer.serving.iter().map(|span| u64::from(span.len())).sum();
        assert_eq!(peer.serving_bytes, bytes);
        let waiting = peer.queue.iter().chain(&peer.serving);
        for span in waiting {
            assert!(content.progress.have().has(span.piece()), "only what we have is served");
            let allowed = peer.allowed.iter().any(|(piece, _)| *piece == span.piece());
            assert!(!peer.choked || allowed, "nothing is served to the choked");
        }
    }
    for piece in geometry.pieces() {
        let each = torrent.swarm.peers.values().filter(|p| p.counted == Counted::Seed || p.has.has(piece));
        assert_eq!(content.rarity.count(piece), each.count() as u32, "copies are counted right");
    }
}
