//! torr, a BitTorrent client: a command line over one engine.
//!
//! ```no_run
//! use torr::engine::{Add, Engine, EngineConfig, Event};
//! use torr::proto::metainfo::Metainfo;
//!
//! # async fn download() -> Result<(), Box<dyn std::error::Error>> {
//! let torrent = Metainfo::parse(&std::fs::read("debian.iso.torrent")?)?;
//! let mut engine = Engine::start(EngineConfig::default()).await?;
//! let mut events = engine.events().expect("the events are taken once");
//! engine.add(Add::new(torrent, std::path::PathBuf::from("downloads")));
//! while let Some(event) = events.recv().await {
//!     match event {
//!         Event::Done { .. } => break,
//!         Event::Failed { fault, .. } => return Err(fault.into()),
//!         _ => {}
//!     }
//! }
//! engine.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! `examples/download.rs` is a whole program. What other programs use is documented: [`engine`], the messages and
//! files of [`proto`], and the types of [`base`] that both show. Every other module is public for the tests and
//! benches of torr alone, hidden here, and changes without notice. A library needs none of the default features:
//! `default-features = false` leaves out the faces.
//!
//! # The modules
//!
//! > **Decide in silence, move in parallel.** The quiet half makes every decision and touches no clock, socket,
//! > thread, file or unseeded random number. The loud half moves bytes and decides nothing. Faces show snapshots
//! > and send commands.
//!
//! Imports point down; `tests/architecture/` fails on an upward arrow, and on an import circle between files.
//!
//! ```text
//! main → face → app → engine → net → { swarm, store, dht } → proto → hash → base
//! ```
//!
//! | module ("room") | purpose | quiet |
//! | --- | --- | --- |
//! | [`base`] | shared vocabulary: ids, time as an argument, geometry, rates, untrusted text | yes |
//! | [`hash`] | SHA-1 of one buffer, or of many at once in SIMD lanes | yes |
//! | [`proto`] | bytes to values and back: bencode, torrent files, peer messages, tracker messages | yes |
//! | [`swarm`] | one torrent as a state machine: picker, choker, candidates, smart ban | yes |
//! | [`dht`] | a node of the distributed hash table as a state machine | yes |
//! | [`store`] | bytes at rest: buffers, files, maps, disk threads, resume data | no |
//! | [`net`] | bytes in motion: connections, datagrams, trackers, the local network, rate limits | no |
//! | [`engine`] | puts it together: commands in, events and snapshots out | no |
//! | [`app`] | what every face needs and no face owns: configuration, submissions, making torrents, the door to the engine | no |
//! | [`face`] | how people meet it: the command line | no |
//!
//! # The journey of one block
//!
//! A block is 16 KiB of a piece, the unit of a request. On the way down:
//!
//! 1. A peer unchokes us. The torrent's driver hands this input to [`swarm`], which finds the peer's pipeline empty and
//!    picks a run of blocks, most of them from one piece.
//! 2. The output `Request` goes to the peer's task, which encodes all requests of the run into one write and keeps the
//!    list of outstanding blocks.
//! 3. Bytes arrive. The task takes one-block buffers from a bounded pool and reads header, block, header, block … into
//!    them with one vectored call. If no buffer is free, it does not read, and TCP slows the sender down; nothing
//!    else waits.
//! 4. When the socket is empty or 256 KiB have arrived, one message hands the full buffers to the driver. They move by
//!    ownership, so no two tasks ever see the same bytes: there is no lock and no aliasing. The state machine says
//!    which blocks are useful; a duplicate of the end game arrives second and is dropped.
//! 5. When the piece is complete, a disk thread hashes it, several pieces at once in SIMD lanes, while it is still in
//!    the cache.
//! 6. If the hash matches, the same thread copies the piece into the memory-mapped file (or writes it positionally where
//!    maps are slow), and peers that lack it receive `Have`. If it does not match, nothing is written, and the
//!    digests of its blocks convict the peer that lied once the piece has been downloaded correctly.
//!
//!    A piece too long to be held in memory is downloaded from its front and written in segments of 1 MiB. Each is
//!    hashed on from where the last one ended and written early, so that its buffers are free again. Nobody may claim
//!    or serve such a piece before its last segment has proved it right.
//! 7. The buffers return to the pool. Every five seconds separate threads flush what was written. The resume data says
//!    which pieces are flushed and which are only written; the latter are rechecked after a crash of the program
//!    or the machine, or the loss of the disk.
//!
//!    A piece that stays unfinished has its blocks written to their places as well, each once, every five seconds and
//!    at the end. The resume data names them, and the next run reads them back into buffers. Nobody may claim or serve
//!    them: they are received blocks whose sender is unknown, and only the hash of their piece decides. If it does not
//!    match, nobody is blamed and the piece is downloaded anew.
//!
//! On the way up, a request is checked for choke, limits and range; the output `Serve` names a burst of spans; a disk
//! thread makes their bytes ready; the peer's task sends header, block, header, block … in one vectored write.
//!
//! Payload never enters the quiet half: it learns that a block was received, not its content.
//!
//! # The journey of a link
//!
//! A magnet link names a torrent by the digest of its info dictionary and may say nothing else: no server keeps the list
//! of its peers.
//!
//! 1. A face sends the info-hash to the [`engine`], which creates a [`swarm::Torrent`] from it, as for any torrent: the
//!    state machine begins with the info-hash alone, and one driver serves it to the end.
//! 2. Peers come from five sources, any one of which is enough: the link itself, trackers, the [`dht`] (a lookup
//!    approaches the info-hash node by node until it finds those that store its peers), the local network by
//!    multicast, and peer exchange. Each source has a share of one bounded list and they take turns, so that none
//!    can crowd out another with false addresses.
//! 3. Several peers at once are asked for pieces of the info dictionary, each for as much as it has proved to deliver.
//!    The digest in the link proves the result; a peer that lied is dropped. Meanwhile peers that have pieces are
//!    told that we are interested, so that they have unchoked us when we know what to request.
//! 4. The face learns what the torrent contains and chooses files. A separate task checks the files on disk while the
//!    connections stay open and the metadata is already uploaded to others. Then `ContentOpened` tells the state
//!    machine the number of pieces and which of them we have. Everything that peers have said about their pieces
//!    counts from here on, and the first block is requested while the disk gets ready to take it.
//! 5. Any peer may have the metadata from us. A torrent that turns out to be private uses only trackers and the peers
//!    that the user named from then on.
//!
//! A torrent file skips the search: its files are checked first, and nobody hears of the torrent before.

#[cfg(feature = "app")]
#[doc(hidden)]
pub mod app;
pub mod base;
#[doc(hidden)]
pub mod dht;
pub mod engine;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod face;
#[doc(hidden)]
pub mod hash;
#[doc(hidden)]
pub mod net;
pub mod proto;
#[doc(hidden)]
pub mod store;
#[doc(hidden)]
pub mod swarm;
