//! Two connections that serve each other.

use super::*;

/// Asks for everything, serves whatever is asked, and ends when it has everything and has sent as much.
async fn exchange(mut ends: Ends, shape: Geometry) {
    let all = blocks(&shape);
    for run in all.chunks(16) {
        ends.order(ToPeer::Request(run.to_vec()));
    }
    let (mut landed, mut sent) = (Vec::new(), 0);
    let mut waiting = Vec::new();
    while landed.len() < all.len() || sent < all.len() {
        match ends.next().await {
            FromPeer::MessageReceived(Message::Request(wanted)) => {
                waiting.push(shape.span_at(wanted.piece, wanted.begin, wanted.len).unwrap());
            }
            FromPeer::BlocksReceived(burst) => {
                assert_right(&burst);
                landed.extend(burst.into_iter().map(|(block, _)| block));
            }
            FromPeer::Sent(spans) => sent += spans.len(),
            other => panic!("{other:?}"),
        }
        if waiting.is_empty() {
            continue;
        }
        let ready = waiting.drain(..).map(|span| {
            let mut buf = ends.pool.try_take().expect("the pool is large enough");
            buf.fill(&bytes(span.into()));
            (span, buf)
        });
        ends.order(ToPeer::Serve(ready.collect()));
    }
    assert_eq!(landed, all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_peers_send_each_other_everything_at_once() {
    let (left, right) = pair().await;
    let (left, right) = (start(left, config(1000)), start(right, config(1000)));
    let tasks = [tokio::spawn(exchange(left, shape(16))), tokio::spawn(exchange(right, shape(16)))];
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_limit_holds_nothing_up_for_ever() {
    let (left, right) = pair().await;
    let limits = [Limits::new(Some(4 << 20), None), Limits::new(None, Some(8 << 20))];
    let (left, right) = (start(left, PeerConfig { limits, ..config(1000) }), start(right, config(1000)));
    let tasks = [tokio::spawn(exchange(left, shape(4))), tokio::spawn(exchange(right, shape(4)))];
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_full_channel_stops_reading_and_loses_nothing() {
    let (left, right) = pair().await;
    let (left, right) = (start_with_room(left, config(1000), 1), start_with_room(right, config(1000), 1));
    let tasks = [tokio::spawn(exchange(left, shape(4))), tokio::spawn(exchange(right, shape(4)))];
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn what_is_taken_back_is_not_sent() {
    let (left, right) = pair().await;
    let mut left = start(left, config(100));
    let shape = shape(8);
    // The other side reads nothing, so that most of this stays here.
    let all = blocks(&shape);
    for run in all.chunks(16) {
        let fill = |block: &Block| {
            let mut buf = Pool::new(BUF_LEN).try_take().unwrap();
            buf.fill(&bytes(block.span().into()));
            (block.span(), buf)
        };
        left.order(ToPeer::Serve(run.iter().map(fill).collect()));
    }
    left.order(ToPeer::CancelServe(Vec::new()));
    left.order(ToPeer::Send(Message::Choke));
    drop(right);
    let mut sent = 0;
    let why = loop {
        match left.next().await {
            FromPeer::Sent(spans) => sent += spans.len(),
            FromPeer::Disconnected(why) => break why,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(why, DisconnectReason::Closed);
    assert!(sent < all.len());
}
