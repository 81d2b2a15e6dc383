//! The format of a cache file, little-endian: a magic number, the SHA-1 digest of the rest, piece length,
//! number of files, number of digests, the files, the digests.

use super::CachedHashes;
use crate::hash;
use crate::store::scan::ScanStamp;

/// Magic number at the beginning of each cache file; names the version of the format.
pub(super) const MAGIC: &[u8; 16] = b"torr hashes 1\n\0\0";

impl CachedHashes {
    /// Encodes a cache file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let number = |body: &mut Vec<u8>, number: u64| body.extend_from_slice(&number.to_le_bytes());
        number(&mut body, u64::from(self.piece_len));
        number(&mut body, self.files.len() as u64);
        number(&mut body, self.digests.len() as u64);
        for (names, len, stamp) in &self.files {
            let names = names.join("/");
            number(&mut body, names.len() as u64);
            body.extend_from_slice(names.as_bytes());
            number(&mut body, *len);
            body.push(u8::from(stamp.is_some()));
            if let Some(stamp) = stamp {
                body.extend_from_slice(&stamp.mtime_ns.to_le_bytes());
                body.extend_from_slice(&stamp.ctime_ns.to_le_bytes());
                number(&mut body, stamp.device);
                number(&mut body, stamp.inode);
            }
        }
        body.extend(self.digests.iter().flatten());
        [MAGIC.as_slice(), &hash::sha1(&body), &body].concat()
    }

    /// Decodes a cache file; `None` if it is damaged.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (digest, body) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<20>()?;
        if hash::sha1(body) != *digest {
            return None;
        }
        let mut rest = body;
        let piece_len = u32::try_from(u64::from_le_bytes(take(&mut rest)?)).ok()?;
        let [files, digests] = [take(&mut rest)?, take(&mut rest)?].map(u64::from_le_bytes);
        // Each file takes more than a byte, so the counts cannot exceed the input.
        if files > rest.len() as u64 || digests.checked_mul(20)? > rest.len() as u64 {
            return None;
        }
        let mut found = Vec::new();
        for _ in 0..files {
            let len = usize::try_from(u64::from_le_bytes(take(&mut rest)?)).ok()?;
            let (names, later) = rest.split_at_checked(len)?;
            rest = later;
            let names = std::str::from_utf8(names).ok()?;
            let names =
                if names.is_empty() { Vec::new() } else { names.split('/').map(str::to_owned).collect() };
            let len = u64::from_le_bytes(take(&mut rest)?);
            let stamp = match take::<1>(&mut rest)? {
                [0] => None,
                [1] => Some(ScanStamp {
                    len,
                    mtime_ns: i128::from_le_bytes(take(&mut rest)?),
                    ctime_ns: i128::from_le_bytes(take(&mut rest)?),
                    device: u64::from_le_bytes(take(&mut rest)?),
                    inode: u64::from_le_bytes(take(&mut rest)?),
                }),
                _ => return None,
            };
            found.push((names, len, stamp));
        }
        let (digests_found, nothing) = rest.as_chunks::<20>();
        let whole = nothing.is_empty() && digests_found.len() as u64 == digests;
        whole.then(|| Self { piece_len, files: found, digests: digests_found.to_vec() })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, later) = rest.split_first_chunk::<N>()?;
    *rest = later;
    Some(*first)
}
