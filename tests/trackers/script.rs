//! An HTTP server that says exactly what a test wants, right or wrong.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What the server does with a connection once the request is read.
#[derive(Clone)]
pub enum Act {
    /// Says this and closes.
    Say(Vec<u8>),
    /// Says the first, then the second for ever.
    Pour(Vec<u8>, Vec<u8>),
    /// Says this and then nothing more.
    Stall(Vec<u8>),
}

impl Act {
    /// A well-formed answer with this status, these further header lines and this body.
    pub fn page(status: &str, headers: &str, body: &[u8]) -> Self {
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
            body.len()
        );
        Self::Say([head.as_bytes(), body].concat())
    }

    /// A well-formed answer with this body.
    pub fn ok(body: &[u8]) -> Self {
        Self::page("200 OK", "", body)
    }

    /// A redirect to there.
    pub fn redirect(location: &str) -> Self {
        Self::page("302 Found", &format!("Location: {location}\r\n"), b"")
    }
}

/// A running script; it ends when it is dropped.
pub struct Script {
    pub addr: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Script {
    /// Does the same with every connection.
    pub async fn start(act: Act) -> Self {
        Self::with(move |_| act.clone()).await
    }

    /// Does with each connection what its request line asks for.
    pub async fn with(act: impl Fn(&str) -> Act + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let addr = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&requests);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(head) = head(&mut stream).await else { continue };
                let act = act(head.lines().next().unwrap_or_default());
                heard.lock().expect("unpoisoned").push(head);
                connections.spawn(perform(stream, act));
            }
        });
        Self { addr, requests, _tasks: tasks }
    }

    /// The address of its tracker.
    pub fn url(&self) -> String {
        format!("http://{}/announce", self.addr)
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("unpoisoned").clone()
    }
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

async fn perform(mut stream: TcpStream, act: Act) {
    // The client may hang up in the middle; that is often what the test is about.
    match act {
        Act::Say(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Act::Pour(first, then) => {
            if stream.write_all(&first).await.is_ok() {
                while stream.write_all(&then).await.is_ok() {}
            }
        }
        Act::Stall(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.read_u8().await;
        }
    }
}
