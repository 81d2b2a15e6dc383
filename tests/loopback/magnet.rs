//! A torrent of which only the info-hash is known comes from one engine to another.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use torr::base::{InfoHashes, PeerId, TorrentId};
use torr::engine::{Add, Command, ContentOptions, Event, FaultKind, Link, State, View};
use torr::net::tracker_server::{Access, ServerConfig, TrackerServer};
use torr::proto::extended::{ExtendedHandshake, Extension, HANDSHAKE_ID, MetadataMessage};
use torr::proto::handshake::{HANDSHAKE_LEN, Handshake, Reserved};
use torr::proto::message::Message;
use torr::proto::metainfo::Metainfo;
use torr::proto::splitter::{Split, Splitter};

use super::world::{Client, TIMEOUT, World};

const LENS: [usize; 3] = [300_000, 1, 500_000];

/// A client that has everything and gives it.
async fn seeder(world: &World, name: &str) -> Client {
    let mut client = world.client(world.full(name)).await;
    client.handle.add(world.seed(&client));
    client.until(|event| matches!(event, Event::Checked { .. }).then_some(())).await;
    client
}

/// Looks for the torrent at these peers.
fn find(client: &Client, torrent: InfoHashes, peers: &[SocketAddr]) -> TorrentId {
    client.handle.add(Add { peers: peers.to_vec(), ..Add::link(Link::new(torrent)) })
}

/// Fetches the content of what was found into the folder of the client.
fn start(client: &Client, id: TorrentId) {
    client.handle.send(Command::Start(id, Box::new(ContentOptions::new(client.folder.clone()))));
}

async fn until_found(client: &mut Client) -> Box<Metainfo> {
    client
        .until(
            |event| if let Event::Metadata { metainfo, .. } = event { Some(metainfo.clone()) } else { None },
        )
        .await
}

async fn until_failed(client: &mut Client) -> (TorrentId, FaultKind, String) {
    client
        .until(|event| match event {
            Event::Failed { id, fault } => Some((*id, fault.kind, fault.message.clone())),
            _ => None,
        })
        .await
}

/// Waits for a view that is as it should be.
async fn sees(client: &Client, what: impl FnMut(&Arc<View>) -> bool) {
    let mut views = client.handle.views();
    tokio::time::timeout(TIMEOUT, views.wait_for(what)).await.expect("in time").expect("the engine lives");
}

/// How many peers a client has for its first torrent.
async fn has_peers(client: &Client, count: u32) {
    sees(client, |view| view.torrents.first().is_some_and(|row| row.peers == count)).await;
}

/// A peer that is a script: it has been called, and handshakes are exchanged.
struct Scripted {
    stream: TcpStream,
    splitter: Splitter,
    input: Vec<u8>,
}

impl Scripted {
    async fn called(listener: &TcpListener, id: u8) -> Self {
        let (mut stream, _) =
            tokio::time::timeout(TIMEOUT, listener.accept()).await.expect("in time").expect("a call");
        let mut bytes = [0; HANDSHAKE_LEN];
        stream.read_exact(&mut bytes).await.expect("a handshake");
        let theirs = Handshake::decode(&bytes).expect("a handshake");
        let reserved = Reserved::NONE.with_fast().with_extended();
        let ours = Handshake { id: PeerId([id; 20]), reserved, ..theirs };
        stream.write_all(&ours.encode()).await.expect("it listens");
        Self { stream, splitter: Splitter::new(None), input: Vec::new() }
    }

    async fn say(&mut self, message: Message) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.stream.write_all(&bytes).await.expect("it listens");
    }

    /// The next message, or nothing when the other side hangs up.
    async fn hear(&mut self) -> Option<Message> {
        loop {
            let mut rest = self.input.as_slice();
            let split = self.splitter.next(&mut rest).expect("torr speaks the protocol");
            let left = rest.len();
            self.input.drain(..self.input.len() - left);
            if let Some(Split::Message(message)) = split {
                return Some(message);
            }
            let mut bytes = vec![0; 65_536];
            let read = tokio::time::timeout(TIMEOUT, self.stream.read(&mut bytes)).await.expect("in time");
            match read {
                Ok(0) | Err(_) => return None,
                Ok(n) => self.input.extend_from_slice(&bytes[..n]),
            }
        }
    }

    /// Offers a dictionary of this length.
    async fn offer(&mut self, size: usize) {
        let ids = vec![(Extension::Metadata, 7)];
        let hand = ExtendedHandshake { ids, metadata_size: Some(size as u32), ..Default::default() };
        self.say(Message::Extended { id: HANDSHAKE_ID, body: hand.encode() }).await;
    }

    /// Answers what is asked of the dictionary with these bytes until the other side hangs up or has heard
    /// enough; says every other message it heard.
    async fn give(&mut self, info: &[u8], enough: impl Fn(&Message) -> bool) -> Vec<Message> {
        let mut others = Vec::new();
        while let Some(message) = self.hear().await {
            if let Message::Extended { id: 7, body } = &message
                && let Ok(MetadataMessage::Request(piece)) = MetadataMessage::decode(body)
            {
                let bytes = info.chunks(16_384).nth(piece as usize).expect("it exists").to_vec();
                let body = MetadataMessage::Data { piece, total: Some(info.len() as u32), bytes }.encode();
                self.say(Message::Extended { id: Extension::Metadata.our_id(), body }).await;
                continue;
            }
            let over = enough(&message);
            others.push(message);
            if over {
                break;
            }
        }
        others
    }
}

async fn script() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("just bound");
    (listener, addr)
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_found_and_the_download_goes_on_with_the_same_connection() {
    let world = World::with(&LENS);
    let seeder = seeder(&world, "seeder").await;
    let mut leecher = world.client(world.empty("leecher")).await;
    let id = find(&leecher, world.metainfo.info_hash(), &[seeder.addr().await]);
    let metainfo = until_found(&mut leecher).await;
    assert_eq!(metainfo.raw_info(), world.metainfo.raw_info());
    // Nobody is named: what comes, comes from the connection that is there.
    start(&leecher, id);
    leecher.until_done().await;
    world.assert_same(&leecher.folder);
    leecher.handle.stop().await;
    seeder.handle.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_whose_content_is_wanted_goes_on_by_itself() {
    let world = World::with(&LENS);
    let seeder = seeder(&world, "seeder").await;
    let mut leecher = world.client(world.empty("leecher")).await;
    let content =
        ContentOptions { root_name: Some("renamed".into()), ..ContentOptions::new(leecher.folder.clone()) };
    let link = Add::link(Link::new(world.metainfo.info_hash()));
    let add = Add { content: Some(Box::new(content)), peers: vec![seeder.addr().await], ..link };
    leecher.handle.add(add);
    let path = leecher
        .until(|event| if let Event::Finished { path, .. } = event { Some(path.clone()) } else { None })
        .await;
    assert_eq!(path, leecher.folder.join("renamed"));
    leecher.until_done().await;
    let bytes = |path: &std::path::Path| std::fs::read(path.join("file-2.bin")).expect("is there");
    assert!(bytes(&path) == bytes(&seeder.folder.join("content")));
}

#[tokio::test(flavor = "multi_thread")]
async fn content_may_be_asked_for_before_the_metadata_is_there() {
    let world = World::with(&LENS);
    let mut leecher = world.client(world.empty("leecher")).await;
    let id = find(&leecher, world.metainfo.info_hash(), &[]);
    start(&leecher, id);
    let seeder = seeder(&world, "seeder").await;
    let at = vec![("localhost".to_owned(), seeder.addr().await.port())];
    leecher.handle.send(Command::NamedPeers(id, at));
    leecher.until_done().await;
    world.assert_same(&leecher.folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_does_not_come_in_time_is_given_up() {
    let world = World::with(&LENS);
    let mut leecher = world.client(world.empty("leecher")).await;
    let (_listener, silent) = script().await;
    let limit = Duration::from_secs(1);
    let link = Link { name: Some("some name".into()), ..Link::new(world.metainfo.info_hash()) };
    let add = Add { metadata_timeout: Some(limit), peers: vec![silent], ..Add::link(link) };
    leecher.handle.add(add);
    let (_, kind, text) = until_failed(&mut leecher).await;
    let expected = "no file list of some name came within 1 s: trying 1 peer";
    assert_eq!((kind, text.as_str()), (FaultKind::NoMetadata, expected));
    let gave_up = |view: &Arc<View>| {
        let row = view.torrents.first();
        row.is_some_and(|row| row.state == State::Error && row.reason.word == "no_metadata")
    };
    sees(&leecher, gave_up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_beyond_the_first_wait_until_one_is_found_or_given_up() {
    let world = World::with(&LENS);
    let mut leecher = world.client(world.empty("leecher")).await;
    let lost: Vec<TorrentId> =
        (0..64).map(|number| find(&leecher, InfoHashes::from_v1([number; 20]), &[])).collect();
    let id = find(&leecher, world.metainfo.info_hash(), &[]);
    let waits = |view: &Arc<View>| {
        let row = view.torrents.iter().find(|row| row.id == id);
        row.is_some_and(|row| row.reason.word == "too_many_active" && row.state == State::Metadata)
    };
    sees(&leecher, waits).await;
    let seeder = seeder(&world, "seeder").await;
    leecher.handle.send(Command::Peers(id, vec![seeder.addr().await]));
    leecher.handle.send(Command::Remove(lost[7]));
    assert_eq!(until_found(&mut leecher).await.info_hash(), world.metainfo.info_hash());
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_of_many_pieces_comes_from_several_and_from_those_who_just_found_it() {
    let world = World::with(&vec![7; 6000]);
    assert!(world.metainfo.raw_info().len() > 10 * 16_384);
    let (one, two) = (seeder(&world, "one").await, seeder(&world, "two").await);
    let torrent = world.metainfo.info_hash();
    let mut first = world.client(world.empty("first")).await;
    find(&first, torrent, &[one.addr().await, two.addr().await]);
    assert_eq!(until_found(&mut first).await.files().len(), 6000);
    has_peers(&first, 2).await;
    one.handle.stop().await;
    two.handle.stop().await;
    // The first has the metadata now and no data, and nobody else is there.
    let mut second = world.client(world.empty("second")).await;
    find(&second, torrent, &[first.addr().await]);
    assert_eq!(until_found(&mut second).await.raw_info(), world.metainfo.raw_info());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_it_beside_us_is_told_when_it_is_here() {
    let world = World::with(&LENS);
    let torrent = world.metainfo.info_hash();
    let mut first = world.client(world.empty("first")).await;
    let mut second = world.client(world.empty("second")).await;
    let id = find(&first, torrent, &[]);
    sees(&first, |view| view.torrents.iter().any(|row| row.state == State::Metadata)).await;
    find(&second, torrent, &[first.addr().await]);
    has_peers(&second, 1).await;
    sees(&second, |view| view.torrents[0].reason.word == "peers_without_metadata").await;
    let seeder = seeder(&world, "seeder").await;
    first.handle.send(Command::Peers(id, vec![seeder.addr().await]));
    until_found(&mut first).await;
    until_found(&mut second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liar_is_not_believed_and_the_honest_one_heard() {
    let world = World::with(&vec![3; 3000]);
    let info = world.metainfo.raw_info();
    let (listener, liar) = script().await;
    let mut leecher = world.client(world.empty("leecher")).await;
    let id = find(&leecher, world.metainfo.info_hash(), &[liar]);
    let mut scripted = Scripted::called(&listener, 1).await;
    scripted.offer(info.len()).await;
    let mut wrong = info.to_vec();
    *wrong.last_mut().expect("it has bytes") ^= 1;
    let liar_task = tokio::spawn(async move { scripted.give(&wrong, |_| false).await });
    let is_told = |event: &Event| match event {
        Event::Note { text, .. } if text.contains("sent a wrong file list") => Some(()),
        _ => None,
    };
    leecher.until(is_told).await;
    // It is asked again later; now an honest one comes.
    let seeder = seeder(&world, "seeder").await;
    leecher.handle.send(Command::Peers(id, vec![liar, seeder.addr().await]));
    until_found(&mut leecher).await;
    liar_task.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_goes_on_when_the_torrent_takes_over() {
    let world = World::with(&LENS);
    let info = world.metainfo.raw_info().to_vec();
    let (listener, addr) = script().await;
    let mut leecher = world.client(world.empty("leecher")).await;
    let id = find(&leecher, world.metainfo.info_hash(), &[addr]);
    let mut scripted = Scripted::called(&listener, 1).await;
    scripted.say(Message::HaveAll).await;
    scripted.offer(info.len()).await;
    scripted.say(Message::Unchoke).await;
    let handshakes = |m: &Message| matches!(m, Message::Extended { id: HANDSHAKE_ID, .. });
    let first = scripted.give(&info, handshakes).await;
    assert_eq!((first.len(), &first[0]), (2, &Message::HaveNone));
    let later = scripted.give(&info, handshakes).await;
    let Some(Message::Extended { body, .. }) = later.last() else { panic!("{later:?}") };
    let told = ExtendedHandshake::decode(body).expect("torr speaks the protocol");
    assert_eq!(told.metadata_size, Some(info.len() as u32), "it is given to others from now on");
    until_found(&mut leecher).await;
    start(&leecher, id);
    // On the same connection it is interested and asks at once, for what was said before counts.
    let then = scripted.give(&info, |m| matches!(m, Message::Request(_))).await;
    let pieces = |m: &Message| matches!(m, Message::Bitfield(_) | Message::HaveAll | Message::HaveNone);
    assert!(then.contains(&Message::Interested) && !then.iter().any(pieces), "{then:?}");
    assert!(matches!(then.last(), Some(Message::Request(_))), "{then:?}");
    has_peers(&leecher, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bitfield_that_does_not_fit_ends_the_connection_when_the_size_is_known() {
    let world = World::with(&LENS);
    let info = world.metainfo.raw_info().to_vec();
    let (listener, addr) = script().await;
    let mut leecher = world.client(world.empty("leecher")).await;
    let id = find(&leecher, world.metainfo.info_hash(), &[addr]);
    let mut scripted = Scripted::called(&listener, 1).await;
    scripted.say(Message::Bitfield(vec![0xff; 1000])).await;
    scripted.offer(info.len()).await;
    let metainfo = {
        let giving = scripted.give(&info, |_| false);
        let taking = async {
            until_found(&mut leecher).await;
            start(&leecher, id);
        };
        tokio::join!(giving, taking).0
    };
    assert!(!metainfo.iter().any(|m| matches!(m, Message::Interested | Message::Request(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_torrent_is_found_and_fetched_from_those_who_were_named() {
    let world = World::private(&LENS);
    let seeder = seeder(&world, "seeder").await;
    let mut leecher = world.client(world.empty("leecher")).await;
    let named = vec![("localhost".to_owned(), seeder.addr().await.port())];
    let add = Add { named_peers: named, ..Add::link(Link::new(world.metainfo.info_hash())) };
    let id = leecher.handle.add(add);
    assert!(until_found(&mut leecher).await.is_private());
    start(&leecher, id);
    leecher.until_done().await;
    world.assert_same(&leecher.folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_rests_goes_on_and_ends_as_it_is_told() {
    let world = World::with(&LENS);
    let torrent = world.metainfo.info_hash();
    let mut leecher = world.client(world.empty("leecher")).await;
    let id = find(&leecher, torrent, &[]);
    let says = |view: &Arc<View>, state, text: &str| {
        let row = view.torrents.first();
        row.is_some_and(|row| row.state == state && row.reason.text.contains(text))
    };
    let nobody = "nobody to ask for the file list";
    sees(&leecher, |view| says(view, State::Metadata, nobody)).await;
    let refused = find(&leecher, torrent, &[]);
    let (failed, kind, _) = until_failed(&mut leecher).await;
    assert_eq!((failed, kind), (refused, FaultKind::Duplicate));
    assert_ne!(refused, id);
    leecher.handle.send(Command::Pause(id));
    sees(&leecher, |view| says(view, State::Paused, "paused by you")).await;
    let seeder = seeder(&world, "seeder").await;
    leecher.handle.send(Command::Peers(id, vec![seeder.addr().await]));
    leecher.handle.send(Command::Resume(id));
    until_found(&mut leecher).await;
    leecher.handle.send(Command::Remove(id));
    sees(&leecher, |view| view.torrents.is_empty()).await;
    has_peers(&seeder, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_fetched_is_refused_with_a_sentence() {
    let world = World::with(&LENS);
    let mut leecher = world.client(world.empty("leecher")).await;
    find(&leecher, InfoHashes::from_v2([7; 32]), &[]);
    let (_, kind, text) = until_failed(&mut leecher).await;
    let expected = "the torrent 070707 cannot be used: v2-only torrents are not supported yet";
    assert_eq!((kind, text.as_str()), (FaultKind::BadMagnet, expected));
    // The digest is right, and no torrent is in it.
    let info = b"d4:name5:emptye";
    let (listener, addr) = script().await;
    find(&leecher, InfoHashes::from_v1(torr::hash::sha1(info)), &[addr]);
    let mut scripted = Scripted::called(&listener, 1).await;
    scripted.offer(info.len()).await;
    scripted.give(info, |_| false).await;
    assert_eq!(until_failed(&mut leecher).await.1, FaultKind::BadMagnet);
    sees(&leecher, |view| view.torrents.first().is_some_and(|row| row.reason.word == "bad_magnet")).await;
}

#[tokio::test]
async fn trackers_hear_of_the_end_of_a_search_whatever_ends_it() {
    let world = World::with(&LENS);
    let torrent = world.metainfo.info_hash();
    let seed = seeder(&world, "seed").await;
    let at = seed.addr().await;
    for (name, starts) in [("removed", false), ("refused", true)] {
        let config = ServerConfig {
            http: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            udp: None,
            interval: Duration::from_secs(120),
            access: Access::Open,
        };
        let tracker = TrackerServer::start(config).await.expect("loopback");
        let mut client = world.client(world.empty(name)).await;
        let link = Add::link(Link::new(torrent));
        let add = Add { peers: vec![at], trackers: tracker.announce_urls(), ..link };
        let id = client.handle.add(add);
        until_found(&mut client).await;
        poll_until(|| tracker.stats().totals.peers == 1).await;
        if starts {
            // A file is in the way, so nothing comes of the torrent.
            let folder = client.folder.join("content");
            std::fs::create_dir_all(&folder).expect("folders can be made");
            std::fs::write(folder.join("file-0.bin"), "mine").expect("files can be written");
            start(&client, id);
            until_failed(&mut client).await;
        } else {
            client.handle.send(Command::Remove(id));
        }
        client.handle.stop().await;
        assert_eq!(tracker.stats().totals.peers, 0, "{name}: somebody is still said to be there");
    }
}

/// Waits until this is so.
async fn poll_until(is_so: impl Fn() -> bool) {
    let polled = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, polled).await.expect("in time");
}
