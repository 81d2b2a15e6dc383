//! Blocks of an earlier run.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::stage::{Stage, asked, config, verifies};
use crate::base::{Bitfield, Block, Geometry, RUN_BLOCKS};
use crate::proto::message::Message;
use crate::swarm::ContentSetup;
use crate::swarm::event::{DisconnectReason, Input, Note, Output, Priority, UnfinishedPiece};

const RUN: u64 = 1 << 20;

/// These blocks of a piece.
fn unfinished(geometry: &Geometry, piece: u32, blocks: impl IntoIterator<Item = u32>) -> UnfinishedPiece {
    let piece = geometry.piece(piece).unwrap();
    let blocks = blocks.into_iter().map(|index| geometry.block(piece, index).unwrap()).collect();
    UnfinishedPiece { piece, in_runs: false, written: 0, blocks }
}

/// A torrent whose content is opened with unfinished pieces and `budget` bytes of memory; and what it orders.
fn open(setup: ContentSetup, budget: u64) -> (Stage, Vec<Output>) {
    let mut stage = Stage::with_link(config());
    stage.give(Input::Budget { bytes: budget });
    let out = stage.give(Input::ContentOpened(Box::new(setup)));
    (stage, out)
}

/// Three pieces of four blocks.
fn small() -> (Arc<Geometry>, ContentSetup) {
    let geometry = Arc::new(Geometry::single(65_536, 3 * 65_536).unwrap());
    (geometry.clone(), ContentSetup::new(geometry, Bitfield::none(3)))
}

#[test]
fn restored_blocks_are_not_asked_for_and_a_complete_piece_is_verified_at_once() {
    let (geometry, setup) = small();
    let pieces = vec![unfinished(&geometry, 0, [0, 2]), unfinished(&geometry, 2, 0..4)];
    let (mut stage, out) = open(ContentSetup { unfinished: pieces, ..setup }, 32 * RUN);
    let opened = |index| Output::Open { piece: stage.piece(index), in_runs: false };
    assert_eq!(
        out,
        [opened(0), opened(2), Output::Verify { piece: stage.piece(2), digests: false }],
        "nothing else is ordered"
    );
    assert_eq!(stage.torrent.held(), 2 * 65_536);
    stage.give(Input::PieceVerified { piece: stage.piece(2), digests: vec![] });
    let (peer, first) = stage.meet_seed(1);
    let out = stage.drain(peer, first.clone());
    let came = first.into_iter().chain(asked(&out, peer));
    let came: Vec<_> = came.map(|block| (block.piece().index(), block.index())).collect();
    assert_eq!(came, [(0, 1), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3)]);
    assert!(out.contains(&Output::Note(Note::Finished)));
}

#[test]
fn a_restored_piece_that_is_wrong_is_nobodys_fault_and_comes_anew() {
    let geometry = Arc::new(Geometry::single(65_536, 65_536).unwrap());
    let setup = ContentSetup::new(geometry.clone(), Bitfield::none(1));
    let pieces = vec![unfinished(&geometry, 0, [0])];
    let (mut stage, _) = open(ContentSetup { unfinished: pieces, ..setup }, 32 * RUN);
    let (peer, blocks) = stage.meet_seed(1);
    assert_eq!(blocks.len(), 3);
    assert_eq!(verifies(&stage.land(peer, &blocks)), [stage.piece(0)]);
    let digests = vec![[0; 20]; 4];
    let out = stage.give(Input::HashFailed { piece: stage.piece(0), digests: digests.clone() });
    assert!(out.contains(&Output::Note(Note::HashFailed(stage.piece(0)))));
    let is_blame = |order: &Output| {
        matches!(order, Output::Close { why: DisconnectReason::Lied, .. } | Output::Note(Note::Banned(_)))
    };
    assert!(!out.iter().any(is_blame), "{out:?}");
    let again: Vec<_> = asked(&out, peer).into_iter().filter(|block| block.piece().index() == 0).collect();
    assert_eq!(again.len(), 4, "the restored block, too");
    assert_eq!(verifies(&stage.land(peer, &again)), [stage.piece(0)]);
    // Now all of it came from one peer.
    let mut failed = stage.clone();
    let out = failed.give(Input::HashFailed { piece: stage.piece(0), digests: digests.clone() });
    assert!(out.iter().any(is_blame), "{out:?}");
    let out = stage.give(Input::PieceVerified { piece: stage.piece(0), digests });
    assert!(!out.iter().any(is_blame), "{out:?}");
    assert!(out.contains(&Output::Note(Note::Finished)));
}

#[test]
fn what_is_not_wanted_or_beyond_the_memory_is_dropped() {
    let (geometry, setup) = small();
    let mut have = Bitfield::none(3);
    have.insert(geometry.piece(1).unwrap());
    let pieces: Vec<_> = (0..3).map(|piece| unfinished(&geometry, piece, [1])).collect();
    let priorities = vec![Priority::Skip, Priority::Normal, Priority::Normal];
    let chosen = ContentSetup { unfinished: pieces.clone(), have, priorities, ..setup.clone() };
    let (_, out) = open(chosen, 32 * RUN);
    assert_eq!(out, [Output::Open { piece: geometry.piece(2).unwrap(), in_runs: false }]);
    let (stage, out) = open(ContentSetup { unfinished: pieces, ..setup }, 100_000);
    assert_eq!((out.len(), stage.torrent.held()), (1, 65_536));
}

#[test]
fn a_long_piece_goes_on_behind_what_is_written() {
    let geometry = Arc::new(Geometry::single(5 * RUN, 5 * RUN).unwrap());
    let piece = geometry.piece(0).unwrap();
    let setup = ContentSetup::new(geometry.clone(), Bitfield::none(1));
    let mut there = unfinished(&geometry, 0, (128..140).chain(200..210));
    (there.in_runs, there.written) = (true, 2 * RUN_BLOCKS);
    let (mut stage, out) = open(ContentSetup { unfinished: vec![there], ..setup }, 4 * RUN);
    assert_eq!(out, [Output::Open { piece, in_runs: true }]);
    assert_eq!(stage.torrent.held(), 2 * RUN, "as far as blocks are there");
    let (peer, _) = stage.connect(1);
    stage.hear(peer, Message::HaveAll);
    let mut owed = asked(&stage.hear(peer, Message::Unchoke), peer);
    let (mut came, mut written) = (BTreeSet::new(), 2);
    loop {
        came.extend(owed.iter().map(|block| block.index()));
        let out = stage.land(peer, &std::mem::take(&mut owed));
        owed = asked(&out, peer);
        if verifies(&out) == [piece] {
            break;
        }
        if owed.is_empty() {
            written += 1;
            assert!(written < 5, "it ends");
            let out = stage.give(Input::SegmentWritten { piece, blocks: written * RUN_BLOCKS });
            owed = asked(&out, peer);
        }
    }
    assert_eq!(came, (140..200).chain(210..320).collect());
}

proptest! {
    #[test]
    fn every_block_comes_once_in_this_run_or_an_earlier_one(
        there in prop::collection::btree_set(0_u32..40, 0..40),
        have in prop::collection::btree_set(0_u32..10, 0..10),
    ) {
        let geometry = Arc::new(Geometry::single(65_536, 10 * 65_536 - 20_000).unwrap());
        let mut known = Bitfield::none(10);
        for &piece in &have {
            known.insert(geometry.piece(piece).unwrap());
        }
        let of = |piece: u32| there.iter().filter(move |&&at| at / 4 == piece).map(|at| at % 4);
        let pieces: Vec<_> = (0..10)
            .map(|piece| unfinished(&geometry, piece, of(piece).filter(|&at| piece < 9 || at < 3)))
            .filter(|piece| !piece.blocks.is_empty())
            .collect();
        let restored: BTreeSet<Block> = pieces
            .iter()
            .filter(|piece| !known.has(piece.piece))
            .flat_map(|piece| piece.blocks.iter().copied())
            .collect();
        let setup = ContentSetup { unfinished: pieces, ..ContentSetup::new(geometry.clone(), known.clone()) };
        let (mut stage, out) = open(setup, 32 * RUN);
        for piece in verifies(&out) {
            stage.give(Input::PieceVerified { piece, digests: vec![] });
        }
        let (peer, first) = stage.meet_seed(1);
        let out = stage.drain(peer, first.clone());
        let came: Vec<Block> = first.into_iter().chain(asked(&out, peer)).collect();
        let distinct: BTreeSet<Block> = came.iter().copied().collect();
        prop_assert_eq!(came.len(), distinct.len());
        let lacking = geometry.pieces().filter(|&piece| !known.has(piece));
        let all: BTreeSet<Block> =
            lacking.flat_map(|piece| geometry.blocks(piece).collect::<Vec<_>>()).collect();
        prop_assert_eq!(distinct, all.difference(&restored).copied().collect());
        prop_assert!(stage.torrent.have().is_full());
    }
}
