//! Datagrams with the address of ours at which they came or from which they are to leave (`IP_PKTINFO`, RFC 3542).

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrStorage, recvmsg,
    sendmsg, setsockopt, sockopt,
};

use super::Received;

/// Has a socket say at which address each datagram came.
pub(super) fn tell_where(socket: &impl AsFd, v4: bool) -> io::Result<()> {
    let set = if v4 {
        setsockopt(socket, sockopt::Ipv4PacketInfo, &true)
    } else {
        setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)
    };
    set.map_err(io::Error::from)
}

/// Takes a datagram that is here. What the buffer has no room for is cut off.
pub(super) fn receive(socket: &impl AsRawFd, buffer: &mut [u8]) -> io::Result<Received> {
    let mut control = cmsg_space!(libc::in6_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = loop {
        match recvmsg::<SockaddrStorage>(
            socket.as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::empty(),
        ) {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    let from = message.address.as_ref().and_then(address).ok_or(io::ErrorKind::InvalidData)?;
    let at = message.cmsgs()?.find_map(|part| match part {
        // The address of ours in which the system would answer, also where it came for many.
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr))))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            Some(Ipv6Addr::from(info.ipi6_addr.s6_addr)).filter(|ip| !ip.is_multicast()).map(IpAddr::V6)
        }
        _ => None,
    });
    Ok(Received { length: message.bytes, from, at })
}

/// Sends a datagram that leaves from this address of ours.
pub(super) fn send(socket: &impl AsRawFd, at: IpAddr, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
    let (socket, parts, flags) = (socket.as_raw_fd(), [IoSlice::new(datagram)], MsgFlags::empty());
    match (at, to) {
        (IpAddr::V4(at), SocketAddr::V4(to)) => {
            let nobody = libc::in_addr { s_addr: 0 };
            let at = libc::in_addr { s_addr: at.to_bits().to_be() };
            let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: at, ipi_addr: nobody };
            let control = [ControlMessage::Ipv4PacketInfo(&info)];
            sendmsg(socket, &parts, &control, flags, Some(&SockaddrIn::from(to)))?;
        }
        (IpAddr::V6(at), SocketAddr::V6(to)) => {
            let info =
                libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: at.octets() }, ipi6_ifindex: 0 };
            let control = [ControlMessage::Ipv6PacketInfo(&info)];
            sendmsg(socket, &parts, &control, flags, Some(&SockaddrIn6::from(to)))?;
        }
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    }
    Ok(())
}

fn address(of: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = of.as_sockaddr_in().map(|addr| SocketAddrV4::from(*addr).into());
    v4.or_else(|| of.as_sockaddr_in6().map(|addr| SocketAddrV6::from(*addr).into()))
}
