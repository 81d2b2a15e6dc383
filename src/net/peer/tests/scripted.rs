//! A connection with a peer that does what a test says.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::base::Rng;
use crate::proto::message::piece_header;

fn block_bytes(wanted: Wanted) -> Vec<u8> {
    [&piece_header(wanted)[..], &bytes(wanted)].concat()
}

fn message_bytes(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

/// Reads messages until so many requests and cancels have come; they are what is returned.
async fn read_wants(stream: &mut TcpStream, count: usize) -> Vec<Message> {
    let mut wants = Vec::new();
    while wants.len() < count {
        let mut bytes = [0; 17];
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read_exact(&mut bytes));
        read.await.expect("a request within half a minute").unwrap();
        let number = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let wanted = Wanted { piece: number(5), begin: number(9), len: number(13) };
        match bytes[..5] {
            [0, 0, 0, 13, 6] => wants.push(Message::Request(wanted)),
            [0, 0, 0, 13, 8] => wants.push(Message::Cancel(wanted)),
            ref other => panic!("{other:?}"),
        }
    }
    wants
}

/// Waits until every buffer is back.
async fn until_empty(pool: &Pool) {
    for _ in 0..3000 {
        if pool.counters().in_use == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{pool:?}");
}

#[tokio::test]
async fn blocks_in_any_order_among_anything_else_land_where_they_belong() {
    for seed in 0..6 {
        let mut rng = Rng::new(seed);
        let (ours, mut theirs) = pair().await;
        let mut ends = start(ours, config(500));
        let shape = shape(4);
        let asked = blocks(&shape);
        ends.order(ToPeer::Request(asked.clone()));
        let mut answers = asked.clone();
        // Mostly in order, as peers answer, with some out of order.
        for _ in 0..seed * 4 {
            let (a, b) = (rng.index(answers.len()).unwrap(), rng.index(answers.len()).unwrap());
            answers.swap(a, b);
        }
        let (mut stream, mut haves, mut unasked) = (Vec::new(), Vec::new(), 0);
        for block in &answers {
            if seed > 0 && rng.one_in(4) {
                haves.push(Message::Have(rng.below(16) as u32));
                stream.extend(message_bytes(haves.last().unwrap()));
            }
            if seed > 0 && rng.one_in(6) {
                let strange = Wanted { piece: 9, begin: 77, len: 1 + rng.below(16_384) as u32 };
                unasked += u64::from(strange.len);
                stream.extend(block_bytes(strange));
            }
            stream.extend(block_bytes(block.span().into()));
        }
        let writer = async {
            read_wants(&mut theirs, asked.len()).await;
            let mut rest = &stream[..];
            while !rest.is_empty() {
                let most = if seed % 2 == 0 { 3000 } else { 200_000 };
                let (chunk, behind) = rest.split_at((1 + rng.below(most) as usize).min(rest.len()));
                theirs.write_all(chunk).await.unwrap();
                rest = behind;
                tokio::task::yield_now().await;
            }
        };
        let reader = async {
            let (mut landed, mut heard, mut wasted) = (Vec::new(), Vec::new(), 0);
            while landed.len() < asked.len() {
                match ends.next().await {
                    FromPeer::BlocksReceived(burst) => {
                        assert_right(&burst);
                        landed.extend(burst.into_iter().map(|(block, _)| block));
                    }
                    FromPeer::MessageReceived(message) => heard.push(message),
                    FromPeer::Wasted(bytes) => wasted += bytes,
                    other => panic!("{other:?}"),
                }
            }
            (landed, heard, wasted)
        };
        let ((), (landed, mut heard, mut wasted)) = tokio::join!(writer, reader);
        assert_eq!(landed, answers);
        drop(theirs);
        let why = loop {
            match ends.next().await {
                FromPeer::MessageReceived(message) => heard.push(message),
                FromPeer::Wasted(bytes) => wasted += bytes,
                FromPeer::Disconnected(why) => break why,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((heard, wasted, why), (haves, unasked, DisconnectReason::Closed));
        until_empty(&ends.pool).await;
    }
}

#[tokio::test]
async fn a_choke_forgets_what_was_asked_before_it_was_seen() {
    let (ours, mut theirs) = pair().await;
    let mut ends = start(ours, config(100));
    let all = blocks(&shape(2));
    ends.order(ToPeer::Request(all[..2].to_vec()));
    read_wants(&mut theirs, 2).await;
    let first = block_bytes(all[0].span().into());
    theirs
        .write_all(&[first, message_bytes(&Message::Choke), message_bytes(&Message::Unchoke)].concat())
        .await
        .unwrap();
    assert!(matches!(ends.next().await, FromPeer::BlocksReceived(burst) if burst.len() == 1));
    assert!(matches!(ends.next().await, FromPeer::MessageReceived(Message::Choke)));
    assert!(matches!(ends.next().await, FromPeer::MessageReceived(Message::Unchoke)));
    // Asked in ignorance of the choke: forgotten. Asked after it: requested and expected.
    ends.order(ToPeer::Request(all[2..4].to_vec()));
    ends.order(ToPeer::ChokeSeen);
    ends.order(ToPeer::Request(all[4..5].to_vec()));
    assert_eq!(read_wants(&mut theirs, 1).await, [Message::Request(all[4].span().into())]);
    let late = [block_bytes(all[1].span().into()), block_bytes(all[4].span().into())].concat();
    theirs.write_all(&late).await.unwrap();
    let (mut landed, mut wasted) = (Vec::new(), 0);
    while landed.is_empty() || wasted < u64::from(BLOCK_LEN) {
        match ends.next().await {
            FromPeer::BlocksReceived(burst) => landed.extend(burst.into_iter().map(|(block, _)| block)),
            FromPeer::Wasted(bytes) => wasted += bytes,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((landed, wasted), (vec![all[4]], u64::from(BLOCK_LEN)));
}

#[tokio::test]
async fn with_the_fast_extension_only_a_reject_forgets() {
    let (ours, mut theirs) = pair().await;
    let mut ends = start(ours, PeerConfig { fast: true, ..config(100) });
    let all = blocks(&shape(2));
    ends.order(ToPeer::Request(all[..2].to_vec()));
    read_wants(&mut theirs, 2).await;
    let reject = Message::Reject(all[0].span().into());
    let stream = [
        message_bytes(&Message::Choke),
        message_bytes(&reject),
        block_bytes(all[1].span().into()),
        block_bytes(all[0].span().into()),
    ];
    theirs.write_all(&stream.concat()).await.unwrap();
    assert!(matches!(ends.next().await, FromPeer::MessageReceived(Message::Choke)));
    assert!(matches!(ends.next().await, FromPeer::MessageReceived(message) if message == reject));
    assert!(matches!(ends.next().await, FromPeer::BlocksReceived(burst) if burst[0].0 == all[1]));
    assert!(matches!(ends.next().await, FromPeer::Wasted(_)));
}

#[tokio::test]
async fn a_dry_pool_stops_reading_until_a_buffer_is_free() {
    let (ours, mut theirs) = pair().await;
    let mut ends = start(ours, config(3));
    let all = blocks(&shape(4));
    ends.order(ToPeer::Request(all.clone()));
    let answers: Vec<u8> = all.iter().flat_map(|block| block_bytes(block.span().into())).collect();
    let writer = async {
        read_wants(&mut theirs, all.len()).await;
        theirs.write_all(&answers).await.unwrap();
    };
    let reader = async {
        let (mut landed, mut held) = (Vec::new(), Vec::new());
        while landed.len() < all.len() {
            let FromPeer::BlocksReceived(burst) = ends.next().await else { panic!("only blocks are sent") };
            assert_right(&burst);
            landed.extend(burst.iter().map(|(block, _)| *block));
            held.extend(burst);
            if held.len() >= 3 {
                held.clear();
            }
        }
        landed
    };
    let ((), landed) = tokio::join!(writer, reader);
    assert_eq!(landed, all);
    assert!(ends.pool.counters().refused > 0);
}

#[tokio::test]
async fn a_connection_that_ends_within_a_block_gives_its_buffer_back() {
    let (ours, mut theirs) = pair().await;
    let mut ends = start(ours, config(10));
    let all = blocks(&shape(1));
    ends.order(ToPeer::Request(all[..3].to_vec()));
    read_wants(&mut theirs, 3).await;
    let answers = [block_bytes(all[0].span().into()), block_bytes(all[1].span().into())].concat();
    theirs.write_all(&answers[..answers.len() - 1]).await.unwrap();
    drop(theirs);
    let mut landed = Vec::new();
    let why = loop {
        match ends.next().await {
            FromPeer::BlocksReceived(burst) => landed.extend(burst.into_iter().map(|(block, _)| block)),
            FromPeer::Disconnected(why) => break why,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((landed, why), (vec![all[0]], DisconnectReason::Closed));
    assert!(ends.try_next().await.is_none());
    until_empty(&ends.pool).await;
}

#[tokio::test]
async fn what_is_cancelled_is_waste_when_it_comes() {
    let (ours, mut theirs) = pair().await;
    let mut ends = start(ours, config(10));
    let all = blocks(&shape(1));
    ends.order(ToPeer::Request(all[..3].to_vec()));
    read_wants(&mut theirs, 3).await;
    let first = block_bytes(all[0].span().into());
    theirs.write_all(&[&message_bytes(&Message::Have(1))[..], &first[..1000]].concat()).await.unwrap();
    assert!(matches!(ends.next().await, FromPeer::MessageReceived(Message::Have(1))));
    ends.order(ToPeer::Cancel(all[..2].to_vec()));
    // The first is under way, so there is no use in taking it back.
    assert_eq!(read_wants(&mut theirs, 1).await, [Message::Cancel(all[1].span().into())]);
    theirs.write_all(&first[1000..]).await.unwrap();
    theirs.write_all(&block_bytes(all[1].span().into())).await.unwrap();
    theirs.write_all(&block_bytes(all[2].span().into())).await.unwrap();
    let mut wasted = 0;
    let landed = loop {
        match ends.next().await {
            FromPeer::BlocksReceived(burst) => break burst,
            FromPeer::Wasted(bytes) => wasted += bytes,
            other => panic!("{other:?}"),
        }
    };
    assert_right(&landed);
    assert_eq!(landed.iter().map(|(block, _)| *block).collect::<Vec<_>>(), [all[2]]);
    if wasted < 2 * u64::from(BLOCK_LEN) {
        let FromPeer::Wasted(bytes) = ends.next().await else { panic!("waste is reported") };
        wasted += bytes;
    }
    assert_eq!(wasted, 2 * u64::from(BLOCK_LEN));
}

#[tokio::test]
async fn who_breaks_the_protocol_is_left() {
    for stream in
        [&b"\xff\xff\xff\xff\x07"[..], b"\0\0\0\x02\x05\0", b"\0\0\0\x02\x00\0", b"\0\0\x40\x0a\x07"]
    {
        let (ours, mut theirs) = pair().await;
        let mut ends = start(ours, config(10));
        theirs.write_all(stream).await.unwrap();
        assert_eq!(ends.end().await, DisconnectReason::Protocol);
    }
}

#[tokio::test]
async fn closing_is_not_reported() {
    let (ours, mut theirs) = pair().await;
    let mut ends = start(ours, config(10));
    ends.order(ToPeer::Close);
    assert_eq!(theirs.read(&mut [0; 10]).await.unwrap(), 0);
    assert!(ends.try_next().await.is_none());
}

#[tokio::test]
async fn a_peer_that_never_reads_is_left() {
    let (ours, theirs) = pair().await;
    let mut ends = start(ours, config(10));
    let message = Message::Extended { id: 1, body: vec![0; 200_000] };
    for _ in 0..100 {
        // Once the connection is given up nobody takes orders any more.
        let _ = ends.orders.send(ToPeer::Send(message.clone()));
    }
    assert_eq!(ends.end().await, DisconnectReason::Silent);
    drop(theirs);
}
