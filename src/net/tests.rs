//! Calling and being called, over loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::base::PeerId;
use crate::proto::handshake::{HANDSHAKE_LEN, Handshake, Reserved};
use crate::swarm::event::DialFailure;

const TORRENT: [u8; 20] = [7; 20];
const HERE: PeerId = PeerId([1; 20]);
const THERE: PeerId = PeerId([2; 20]);
const SHORT: Timeouts =
    Timeouts { connect: Duration::from_millis(200), handshake: Duration::from_millis(200) };

fn hello_of(id: PeerId) -> Handshake {
    Handshake { info_hash: TORRENT, id, reserved: Reserved::NONE.with_fast() }
}

/// A listener that serves one torrent as `HERE`.
fn listen(timeouts: Timeouts) -> (SocketAddr, Option<SocketAddr>, Receiver<IncomingPeer>, JoinHandle<()>) {
    let (callers, called) = channel(100);
    let torrent = Registration { id: HERE, reserved: Reserved::NONE.with_extended(), callers };
    let lookup: Lookup = Arc::new(move |hash| (*hash == TORRENT).then(|| torrent.clone()));
    let listener = Listener::bind(Bind::LOOPBACK, 0).unwrap();
    let port = listener.port();
    let v6 = std::net::TcpListener::bind("[::1]:0").is_ok().then(|| ([0, 0, 0, 0, 0, 0, 0, 1], port).into());
    let task = tokio::spawn(listener.run(lookup, timeouts));
    (([127, 0, 0, 1], port).into(), v6, called, task)
}

#[tokio::test]
async fn two_sides_meet_over_either_family() {
    let (v4, v6, mut called, task) = listen(Timeouts::default());
    for addr in [Some(v4), v6].into_iter().flatten() {
        let (_stream, hello) = dial(addr, Bind::ANY, &hello_of(THERE), Timeouts::default()).await.unwrap();
        assert_eq!(
            hello,
            crate::swarm::event::PeerHandshake { id: HERE, reserved: Reserved::NONE.with_extended() }
        );
        let caller = timeout(Duration::from_secs(10), called.recv()).await.unwrap().unwrap();
        assert_eq!((caller.hello.id, caller.hello.reserved), (THERE, Reserved::NONE.with_fast()));
        assert_eq!(caller.addr.ip(), addr.ip());
    }
    task.abort();
}

#[tokio::test]
async fn a_dial_says_why_it_failed() {
    let (addr, _, _called, task) = listen(Timeouts::default());
    let try_dial =
        |addr, bind, ours: Handshake| async move { dial(addr, bind, &ours, SHORT).await.unwrap_err() };
    assert_eq!(try_dial(addr, Bind::LOOPBACK, hello_of(HERE)).await, DialFailure::Ourselves);
    let other = Handshake { info_hash: [8; 20], ..hello_of(THERE) };
    assert_eq!(try_dial(addr, Bind::ANY, other).await, DialFailure::BadHandshake);
    let no_v4 = Bind { v4: None, ..Bind::ANY };
    assert_eq!(try_dial(addr, no_v4, hello_of(THERE)).await, DialFailure::Unreachable);
    task.abort();

    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    assert_eq!(try_dial(addr, Bind::ANY, hello_of(THERE)).await, DialFailure::TimedOut);
    drop(socket);
    assert_eq!(try_dial(addr, Bind::ANY, hello_of(THERE)).await, DialFailure::Refused);
}

#[tokio::test]
async fn callers_that_say_nothing_or_nonsense_are_shut_out_while_others_come_in() {
    let (addr, _, mut called, task) = listen(SHORT);
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(addr).await.unwrap());
    }
    let mut nonsense = TcpStream::connect(addr).await.unwrap();
    nonsense.write_all(&[b'x'; HANDSHAKE_LEN]).await.unwrap();
    dial(addr, Bind::ANY, &hello_of(THERE), Timeouts::default()).await.unwrap();
    assert!(timeout(Duration::from_secs(10), called.recv()).await.unwrap().is_some());
    silent.push(nonsense);
    for mut stream in silent {
        let read = timeout(Duration::from_secs(10), stream.read(&mut [0; 1])).await.unwrap();
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
    task.abort();
}

#[tokio::test]
async fn a_port_that_is_taken_is_refused() {
    let taken = Listener::bind(Bind::LOOPBACK, 0).unwrap();
    assert!(Listener::bind(Bind::LOOPBACK, taken.port()).is_err());
    assert!(Listener::bind(Bind { v4: None, v6: None }, 0).is_err());
}

#[tokio::test]
async fn a_torrent_of_two_names_is_dialled_by_both() {
    let (addr, _, mut called, task) = listen(Timeouts::default());
    let by = |info_hash| Handshake { info_hash, ..hello_of(THERE) };
    for (first, second) in [(TORRENT, [9; 20]), ([9; 20], TORRENT)] {
        assert!(dial_hybrid(addr, Bind::ANY, &by(first), Some(second), Timeouts::default()).await.is_ok());
        assert!(called.recv().await.is_some());
    }
    let other = dial_hybrid(addr, Bind::ANY, &by([8; 20]), Some([9; 20]), Timeouts::default()).await;
    assert_eq!(other.unwrap_err(), DialFailure::BadHandshake);
    task.abort();

    // One that answers by the other name.
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    let peer = tokio::spawn(async move {
        for _ in 0..2 {
            let (mut stream, _) = socket.accept().await.unwrap();
            stream.read_exact(&mut [0; HANDSHAKE_LEN]).await.unwrap();
            let ours = Handshake { info_hash: TORRENT, ..hello_of(HERE) };
            stream.write_all(&ours.encode()).await.unwrap();
            let _ = stream.read(&mut [0; 1]).await;
        }
    });
    assert!(dial(addr, Bind::ANY, &by([9; 20]), Timeouts::default()).await.is_err());
    let upgraded = dial_hybrid(addr, Bind::ANY, &by([9; 20]), Some(TORRENT), Timeouts::default()).await;
    assert_eq!(upgraded.unwrap().1.id, HERE);
    peer.abort();
}
