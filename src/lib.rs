//! torr, a BitTorrent client: a command line over one engine.
//!
//! ```no_run
//! use torr::engine::{Add, Engine, EngineConfig, Event};
//! use torr::proto::metainfo::Metainfo;
//!
//! # async fn download() -> Result<(), Box<dyn std::error::Error>> {
//! let torrent = Metainfo::parse(&std::fs::read("debian.iso.torrent")?)?;
//! let mut engine = Engine::start(EngineConfig::default()).await?;
//! let mut events = engine.events().expect("nobody has taken the events yet");
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
//! # The house
//!
//! > **Decide in silence, move in parallel.** The quiet half holds every decision and touches no clock,
//! > socket, thread, file or unseeded chance. The loud half moves bytes and decides nothing. Faces look
//! > at snapshots and send wishes.
//!
//! Imports point down; `tests/architecture/` fails on an upward arrow, and on an import circle between files.
//!
//! ```text
//! main → face → app → engine → net → { swarm, store, dht } → proto → hash → base
//! ```
//!
//! | room | what it is for | quiet |
//! | --- | --- | --- |
//! | [`base`] | words everyone speaks: ids, time as an argument, geometry, rates, text from outside | yes |
//! | [`hash`] | SHA-1 of one buffer, or of many at once in SIMD lanes | yes |
//! | [`proto`] | bytes to values and back: bencode, torrent files, peer messages, tracker messages | yes |
//! | [`swarm`] | one torrent as a state machine: which piece, which peer, who is choked, who lied | yes |
//! | [`dht`] | a node of the distributed hash table as a state machine | yes |
//! | [`store`] | bytes at rest: buffers, files, maps, disk threads, resume data | no |
//! | [`net`] | bytes in motion: connections, datagrams, trackers, the local network, rate limits | no |
//! | [`engine`] | puts it together: commands in, events and snapshots out | no |
//! | [`app`] | what every face needs and no face owns: configuration, submissions, making torrents, the door to the engine | no |
//! | [`face`] | how people meet it: the command line | no |
//!
//! # The journey of one block
//!
//! A block is 16 KiB of a piece, the unit of a request. Down:
//!
//! 1. A peer unchokes us. The driver of the torrent hands the fact to [`swarm`], which sees an empty
//!    pipeline and picks a run of blocks, most of them from one piece.
//! 2. The order `Ask` goes to the peer's task, which encodes all requests of the run into one write and
//!    remembers what it is owed.
//! 3. Bytes arrive. The task takes buffers of one block each from a bounded pool and reads header,
//!    block, header, block … with one vectored call straight into them. No buffer is free: it does not
//!    read, and TCP slows the sender down; nothing else waits.
//! 4. The socket runs dry or 256 KiB have come: one message gives the filled buffers to the driver. They
//!    move by ownership, so no two tasks ever see the same bytes: no lock, no aliasing. The state machine
//!    says which of the blocks are of use; a twin of a block in the end game comes second and is dropped.
//! 5. The piece is whole: a disk thread hashes it, several pieces at once in SIMD lanes, while it is
//!    warm in the cache.
//! 6. It is right: the same thread copies it into its place in the memory-mapped file (or writes it
//!    positionally where maps do badly), and those who lack it hear `Have`. It is wrong: nothing is
//!    written, and the digests of its blocks convict the peer that lied once the piece comes out right.
//!
//!    A piece too long to be held whole is fetched front first, and goes this way in runs of 1 MiB: each is
//!    hashed on from where the last one ended, and written early, so that its buffers are free again. Its
//!    place is like a hole that may hold anything until the last run has proved the piece right: it is
//!    neither claimed nor served before.
//! 7. The buffers return to the pool. Every five seconds threads of their own flush what was written, and the resume
//!    data says which pieces are flushed and which are only written. Those are hashed again if the program, the
//!    machine or the disk comes to a bad end.
//!
//! Up: a request is checked for choke, limits and range; the order `Serve` names a burst of spans; a
//! disk thread makes their bytes ready; the peer's task sends header, block, header, block … in one
//! vectored write.
//!
//! Payload never enters the quiet half: it hears that a block landed, not what is in it.
//!
//! # The journey of a link
//!
//! A magnet link names a torrent by the digest of its info dictionary, and need not tell more: nobody keeps
//! the list of those who have it.
//!
//! 1. A face sends the name to the [`engine`], which makes a [`swarm::Torrent`] of it, as of any torrent: the
//!    machine begins with the info-hash alone, and one driver serves it to the end.
//! 2. Addresses come from five sides, none of which is needed: the link itself, trackers, the [`dht`] (nodes
//!    that know nodes ever nearer to the info-hash, and at last those that keep its peers), the local network
//!    by multicast, and peers that tell of peers once there is one. Each source has a share of one bounded list
//!    and they take turns, so that none can drown another in lies.
//! 3. Peers are asked for the info dictionary in pieces, several at once, each charged for no more than it has
//!    sent. What they send is proved by the digest in the link; a peer that lied is left. Meanwhile peers that have
//!    pieces hear that we want some, so that they have let us in when we know what to ask for.
//! 4. The face sees what the torrent is and says what it wants of it. A task of its own looks through the files,
//!    while the machine keeps its peers and gives the metadata to others. `ContentOpened` then tells the machine
//!    how many pieces there are and which of them we have: what each peer has said of pieces counts from here on, and
//!    the first block is asked for where the last piece of metadata came from, while the disk gets ready to take it.
//! 5. The metadata is given to whoever asks for it. A torrent that turns out to be private knows from then on only
//!    trackers and the peers the user named.
//!
//! A torrent file skips the search: its files are looked through first, and nobody hears of it before.

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
