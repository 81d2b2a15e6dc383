//! The choice between memory maps and positional writes: one function writes verified bytes either way.
//!
//! A map costs more processor time: each fault in reserved space clears a page that is overwritten right away. That
//! matters only if the machine, and not the network, is the limit: then pieces wait for the disk threads, and files are
//! written positionally until none waits.

use std::fs::File;
use std::io;
use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::files::{FilePool, FileSystem};
use super::layout::DiskIo;
use super::map;

/// Space is reserved in extents of this many bytes.
pub(super) const EXTENT: u64 = 16 << 20;
/// Shorter writes are positional: a map would cost more than it saves.
const MIN_MAPPED: usize = 256 << 10;
/// Number of bytes written through maps before their page faults are judged.
const TRIAL_BYTES: u64 = 16 << 20;
/// Minor page faults per MiB above which huge pages are considered missing: with them there are one to four,
/// without them 256.
const MAX_FAULTS: u64 = 64;
/// Maximum number of slices in one system call (`IOV_MAX`).
const MAX_SLICES: usize = 1024;

/// The way of writing to one file system, with statistics of page faults.
#[derive(Debug)]
pub(super) struct WriteStrategy {
    io: DiskIo,
    maps: AtomicBool,
    reserves: AtomicBool,
    system: FileSystem,
    file_pool: FilePool,
    mapped: AtomicU64,
    faults: AtomicU64,
}

impl WriteStrategy {
    /// The initial strategy for a file system and a piece length.
    pub(super) fn new(io: DiskIo, system: FileSystem, piece_len: u32, file_pool: &FilePool) -> Self {
        let maps = match io {
            DiskIo::Mmap => true,
            DiskIo::Pwrite => false,
            DiskIo::Auto => {
                !system.remote
                    && piece_len as usize >= MIN_MAPPED
                    && !file_pool.maps_are_slow_on(system.device)
            }
        };
        Self {
            io,
            maps: AtomicBool::new(maps),
            reserves: AtomicBool::new(!system.remote),
            system,
            file_pool: file_pool.clone(),
            mapped: AtomicU64::new(0),
            faults: AtomicU64::new(0),
        }
    }

    /// Whether memory maps are used now.
    pub(super) fn uses_maps(&self) -> bool {
        self.maps.load(Ordering::Relaxed)
    }

    /// Writes `slices`, end to end, at `offset`. Maps are used only if the space is `reserved`.
    pub(super) fn write(&self, file: &File, offset: u64, slices: &[&[u8]], reserved: bool) -> io::Result<()> {
        let len: usize = slices.iter().map(|slice| slice.len()).sum();
        let worth_it = match self.io {
            DiskIo::Auto => len >= MIN_MAPPED && !self.file_pool.is_behind(),
            DiskIo::Mmap => true,
            DiskIo::Pwrite => false,
        };
        let use_map = reserved && worth_it && self.uses_maps();
        if !use_map {
            return write_at(file, offset, slices);
        }
        let before = map::minor_faults();
        match map::copy_in(file, offset, slices) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.maps.store(false, Ordering::Relaxed);
                return write_at(file, offset, slices);
            }
            other => other?,
        }
        if self.io == DiskIo::Auto {
            self.count_faults(map::minor_faults().saturating_sub(before), len as u64);
        }
        Ok(())
    }

    /// Reserves space in a file. Returns `false` if the file system does not support that.
    pub(super) fn reserve(&self, file: &File, offset: u64, len: u64) -> io::Result<bool> {
        if !self.reserves.load(Ordering::Relaxed) {
            return Ok(false);
        }
        loop {
            match rustix::fs::fallocate(file, FallocateFlags::empty(), offset, len) {
                Ok(()) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                    self.reserves.store(false, Ordering::Relaxed);
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Adds the page faults of a copy to the statistics, and gives up maps if they are slow here.
    fn count_faults(&self, faults: u64, bytes: u64) {
        let faults = self.faults.fetch_add(faults, Ordering::Relaxed) + faults;
        let mapped = self.mapped.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if mapped < TRIAL_BYTES {
            return;
        }
        let per_mib = faults / (mapped >> 20);
        if per_mib > MAX_FAULTS && self.maps.swap(false, Ordering::Relaxed) {
            self.file_pool.mark_maps_slow_on(self.system.device);
            tracing::info!(
                per_mib,
                "no huge pages on this file system; files are written positionally from now on"
            );
        }
        // Halved now and then, so that recent copies count most.
        if mapped > 16 * TRIAL_BYTES {
            self.mapped.store(mapped / 2, Ordering::Relaxed);
            self.faults.store(faults / 2, Ordering::Relaxed);
        }
    }
}

/// Writes all slices, end to end, at `offset`.
pub(super) fn write_at(file: &File, mut offset: u64, slices: &[&[u8]]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
    let mut rest = slices.as_mut_slice();
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        let some = rest.len().min(MAX_SLICES);
        match rustix::io::pwritev(file, &rest[..some], offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                offset += count as u64;
                IoSlice::advance_slices(&mut rest, count);
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Fills all slices, end to end, from `offset`. `UnexpectedEof` if the file ends before.
pub(super) fn read_at(file: &File, mut offset: u64, mut rest: &mut [io::IoSliceMut<'_>]) -> io::Result<()> {
    io::IoSliceMut::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        let some = rest.len().min(MAX_SLICES);
        match rustix::io::preadv(file, &mut rest[..some], offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                offset += count as u64;
                io::IoSliceMut::advance_slices(&mut rest, count);
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::IoSliceMut;

    use super::*;

    fn strategy(io: DiskIo) -> (WriteStrategy, File) {
        let file = tempfile::tempfile().unwrap();
        let system = FileSystem::of(&file).unwrap();
        (WriteStrategy::new(io, system, 1 << 20, &FilePool::new(8)), file)
    }

    #[test]
    fn both_ways_write_the_same() {
        let text: Vec<u8> = (0..700_000_u32).map(|i| (i % 251) as u8).collect();
        let slices: Vec<&[u8]> = text.chunks(16_384).collect();
        for io in [DiskIo::Mmap, DiskIo::Pwrite, DiskIo::Auto] {
            let (strategy, file) = strategy(io);
            let reserved = strategy.reserve(&file, 0, 1_000_000).unwrap();
            strategy.write(&file, 12_345, &slices, reserved).unwrap();
            let mut read = vec![0; text.len()];
            let (front, back) = read.split_at_mut(5_000);
            read_at(&file, 12_345, &mut [IoSliceMut::new(front), IoSliceMut::new(back)]).unwrap();
            assert_eq!(read, text);
            let beyond = read_at(&file, 999_990, &mut [IoSliceMut::new(&mut [0; 100])]);
            if reserved {
                assert_eq!(beyond.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
            }
        }
    }

    #[test]
    fn maps_are_left_when_they_fault_too_often() {
        let (strategy, _file) = strategy(DiskIo::Auto);
        strategy.maps.store(true, Ordering::Relaxed);
        for _ in 0..20 {
            strategy.count_faults(2, 1 << 20);
        }
        assert!(strategy.uses_maps());
        for _ in 0..20 {
            strategy.count_faults(256, 1 << 20);
        }
        assert!(!strategy.uses_maps());
        assert!(strategy.file_pool.maps_are_slow_on(strategy.system.device));
    }

    #[test]
    fn more_slices_than_one_call_takes() {
        let (_, file) = strategy(DiskIo::Pwrite);
        let slices = vec![b"abc".as_slice(); 2 * MAX_SLICES + 1];
        write_at(&file, 5, &slices).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 5 + 3 * slices.len() as u64);
    }
}
