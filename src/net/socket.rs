//! One vectored system call on a connection, with the readiness the runtime keeps.

use std::io::{self, IoSlice, IoSliceMut, Read};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// The result of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Moved {
    /// The bytes that moved.
    pub(super) bytes: usize,
    /// Whether the socket could move no more: it is not worth another call before it is ready again.
    pub(super) dry: bool,
}

/// Reads into these places in turn. No bytes without being dry is the end of the stream.
pub(super) fn read(stream: &TcpStream, places: &mut [IoSliceMut<'_>]) -> io::Result<Moved> {
    let room = places.iter().map(|place| place.len()).sum();
    moving(stream, Interest::READABLE, room, || (&*SockRef::from(stream)).read_vectored(places))
}

/// Writes these bytes in turn.
pub(super) fn write(stream: &TcpStream, bytes: &[IoSlice<'_>]) -> io::Result<Moved> {
    let all = bytes.iter().map(|part| part.len()).sum();
    moving(stream, Interest::WRITABLE, all, || {
        // Without the flag a closed connection would raise SIGPIPE, which a command line may have set
        // to end the program.
        SockRef::from(stream).send_vectored_with_flags(bytes, libc::MSG_NOSIGNAL)
    })
}

/// A call that moves less than it could has emptied (or filled) the socket, so the runtime is told at
/// once that it is not ready, and the call that would only learn this is saved. An end of the stream
/// that lies behind stays known to the runtime.
fn moving(
    stream: &TcpStream,
    interest: Interest,
    most: usize,
    mut call: impl FnMut() -> io::Result<usize>,
) -> io::Result<Moved> {
    let mut short = None;
    let result = stream.try_io(interest, || {
        let bytes = loop {
            match call() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if bytes > 0 && bytes < most {
            short = Some(bytes);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(bytes)
    });
    match (result, short) {
        (_, Some(bytes)) => Ok(Moved { bytes, dry: true }),
        (Ok(bytes), None) => Ok(Moved { bytes, dry: false }),
        (Err(error), None) if error.kind() == io::ErrorKind::WouldBlock => Ok(Moved { bytes: 0, dry: true }),
        (Err(error), None) => Err(error),
    }
}
