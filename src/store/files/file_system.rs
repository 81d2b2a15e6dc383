//! Properties of file systems: type, free space, holes.

use std::fs::File;
use std::io;

use rustix::fd::AsFd;
use rustix::fs::SeekFrom;

/// The relevant properties of a file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::store) struct FileSystem {
    /// The device number.
    pub(in crate::store) device: u64,
    /// Whether memory maps are unsuitable: a page fault may be a round trip over the network, or read a
    /// partial page first.
    pub(in crate::store) remote: bool,
}

/// Types of network, FUSE and hole-less file systems (statfs(2)).
const REMOTE: [u64; 17] = [
    0x6969,      // NFS
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x517b,      // SMB
    0x6573_5546, // FUSE
    0x00c3_6400, // Ceph
    0x0102_1997, // 9P
    0x5346_414f, // AFS
    0x6b41_4653, // kAFS
    0x7375_7245, // Coda
    0x564c,      // NCP
    0x0bd0_0bd0, // Lustre
    0x786f_4256, // VirtualBox shared folders
    0xbacb_acbc, // VMware shared folders
    0x4d44,      // FAT: no holes and no reservation
    0x2011_bab0, // exFAT
    0x7366_746e, // NTFS
];

impl FileSystem {
    /// The file system of an open file or folder.
    pub(in crate::store) fn of(place: impl AsFd) -> io::Result<Self> {
        let magic = u64::from(rustix::fs::fstatfs(&place)?.f_type as u32);
        Ok(Self { device: rustix::fs::fstat(&place)?.st_dev, remote: REMOTE.contains(&magic) })
    }
}

/// Free space in bytes that this user may use, on the file system of an open file or folder.
pub(in crate::store) fn free_space(place: impl AsFd) -> io::Result<u64> {
    let stat = rustix::fs::fstatvfs(place)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Whether this range of a file is a hole, which reads as zeros.
pub(in crate::store) fn is_hole(file: &File, offset: u64, len: u64) -> bool {
    match rustix::fs::seek(file, SeekFrom::Data(offset)) {
        Ok(data) => data >= offset.saturating_add(len),
        Err(rustix::io::Errno::NXIO) => true,
        Err(_) => false,
    }
}
