//! The tracker's HTTP side (BEP 3, 7, 23, 48). One request per connection, and little patience.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::proto::announce::ScrapeReply;
use crate::proto::tracker_http::{parse_announce, parse_scrape, write_announce, write_failure, write_scrape};

use super::{Families, NOT_SERVED, Shared};

/// The most connections at once; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 512;
/// How long a request may take to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may last.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// The longest request, and the most header lines of one.
const MAX_REQUEST: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// How long accepting rests when it fails, which means that descriptors have run out.
const REST: Duration = Duration::from_millis(100);

/// Serves until dropped; the connections end with it.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, source)) => {
                    connections.spawn(connection(stream, source, Arc::clone(&shared)));
                }
                Err(_) => tokio::time::sleep(REST).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, source: SocketAddr, shared: Arc<Shared>) {
    let service = service_fn(|request: Request<Incoming>| {
        std::future::ready(Ok::<_, Infallible>(respond(&request, source, &shared)))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .keep_alive(false)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_REQUEST)
        .serve_connection(TokioIo::new(stream), service);
    // Whoever breaks off or asks nonsense has had its answer from hyper.
    let _ = tokio::time::timeout(REQUEST_TIMEOUT, connection).await;
}

fn respond<B>(request: &Request<B>, source: SocketAddr, shared: &Shared) -> Response<Body> {
    if request.method() != Method::GET {
        shared.refuse();
        return page(StatusCode::METHOD_NOT_ALLOWED, Vec::new());
    }
    let query = request.uri().query().unwrap_or_default();
    match request.uri().path() {
        "/announce" => page(StatusCode::OK, announce(query, source, shared)),
        "/scrape" => page(StatusCode::OK, scrape(query, shared)),
        _ => {
            shared.refuse();
            page(StatusCode::NOT_FOUND, b"announce is at /announce, scrape at /scrape\n".to_vec())
        }
    }
}

fn announce(query: &str, source: SocketAddr, shared: &Shared) -> Vec<u8> {
    let asked = match parse_announce(query.as_bytes()) {
        Ok(asked) => asked,
        Err(why) => return refusal(&why.to_string(), shared),
    };
    match shared.announce(source.ip(), &asked.announce, Families::Both) {
        Some(reply) => write_announce(&reply, asked.compact),
        None => refusal(NOT_SERVED, shared),
    }
}

fn scrape(query: &str, shared: &Shared) -> Vec<u8> {
    match parse_scrape(query.as_bytes()) {
        Ok(hashes) if hashes.is_empty() => refusal("info_hash is missing", shared),
        Ok(hashes) => write_scrape(&ScrapeReply { torrents: shared.scrape(&hashes) }),
        Err(why) => refusal(&why.to_string(), shared),
    }
}

fn refusal(reason: &str, shared: &Shared) -> Vec<u8> {
    shared.refuse();
    write_failure(&reason.into())
}

fn page(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, axum::http::HeaderValue::from_static("text/plain"));
    response
}
