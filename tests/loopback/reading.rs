//! A file is read while it comes.

use torr::base::FileIndex;
use torr::engine::{Add, ChunkSender, Command, ContentOptions, ReadOutcome, Reader};

use super::world::{Client, TIMEOUT, World};

const LENS: [usize; 4] = [300_001, 0, 2_000_003, 65_536];

async fn seeder(world: &World) -> Client {
    let client = world.client(world.full("seeder")).await;
    let add = world.seed(&client);
    client.handle.add(add);
    client
}

/// The torrent in that client's folder, read while it comes.
fn read_by(world: &World, client: &Client, feed: ChunkSender) -> Add {
    let options = ContentOptions { read: Some(feed), ..ContentOptions::new(client.folder.clone()) };
    Add::new(world.metainfo.clone(), options)
}

/// Everything that comes, and how it ends.
async fn read(reader: &mut Reader) -> (Vec<u8>, ReadOutcome) {
    let mut bytes = Vec::new();
    loop {
        match tokio::time::timeout(TIMEOUT, reader.next()).await.expect("in time") {
            ReadOutcome::Bytes(chunk) => {
                assert!(chunk.len() <= 256 << 10);
                chunk.slices().for_each(|slice| bytes.extend_from_slice(slice));
            }
            end => return (bytes, end),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_is_read_once_and_in_order() {
    let world = World::with(&LENS);
    let seeder = seeder(&world).await;
    let leecher = world.client(world.empty("leecher")).await;
    let (feed, mut reader) = Reader::of(FileIndex(2));
    let add = Add { peers: vec![seeder.addr().await], ..read_by(&world, &leecher, feed) };
    leecher.handle.add(add);
    let (bytes, end) = read(&mut reader).await;
    assert!(matches!(end, ReadOutcome::End), "{end:?}");
    assert!(bytes == std::fs::read(seeder.folder.join("content/file-2.bin")).expect("is there"));
    assert!(matches!(reader.next().await, ReadOutcome::End), "the end stays the end");
    leecher.handle.stop().await;

    // All is there: it is read without anybody, and an empty file is at its end at once.
    for (file, len) in [(3, LENS[3]), (1, 0)] {
        let again = world.client(leecher.folder.clone()).await;
        let (feed, mut reader) = Reader::of(FileIndex(file));
        again.handle.add(read_by(&world, &again, feed));
        let (bytes, end) = read(&mut reader).await;
        assert!(matches!(end, ReadOutcome::End) && bytes.len() == len, "{end:?}");
        again.handle.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_is_cut_off_when_the_torrent_ends_before_the_file() {
    let world = World::with(&LENS);
    let leecher = world.client(world.empty("leecher")).await;
    let (feed, mut reader) = Reader::of(FileIndex(2));
    let id = leecher.handle.add(read_by(&world, &leecher, feed));
    leecher.handle.send(Command::Remove(id));
    let (bytes, end) = read(&mut reader).await;
    assert!(bytes.is_empty() && matches!(end, ReadOutcome::Cut(None)), "{end:?}");
}
