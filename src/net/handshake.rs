//! The exchange of handshakes (BEP 3).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::proto::handshake::{HANDSHAKE_LEN, Handshake};
use crate::swarm::event::PeerHandshake;

/// How long a peer may take before it is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// From there until its handshake is here.
    pub handshake: Duration,
}

impl Default for Timeouts {
    /// Ten seconds each.
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), handshake: Duration::from_secs(10) }
    }
}

/// Says our handshake, and hears one for the same torrent: under the name that we say or under its other one, to which
/// a peer may upgrade a hybrid torrent (BEP 52).
pub(super) async fn exchange(
    stream: &mut TcpStream,
    ours: &Handshake,
    other: Option<[u8; 20]>,
) -> io::Result<PeerHandshake> {
    stream.write_all(&ours.encode()).await?;
    let theirs = hear(stream).await?;
    if theirs.info_hash != ours.info_hash && Some(theirs.info_hash) != other {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the handshake is for another torrent"));
    }
    Ok(PeerHandshake { id: theirs.id, reserved: theirs.reserved })
}

/// Hears a handshake, for whichever torrent, and takes not a byte more.
pub(super) async fn hear(stream: &mut TcpStream) -> io::Result<Handshake> {
    let mut bytes = [0; HANDSHAKE_LEN];
    stream.read_exact(&mut bytes).await?;
    Handshake::decode(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
