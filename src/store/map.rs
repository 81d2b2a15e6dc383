//! Writes through a memory map: reserve, map with huge pages, populate, copy, unmap.
//!
//! A map lives for one copy. No slice is ever formed over it, for other processes may change or truncate the
//! file meanwhile; [`super::sigbus`] handles a truncation during the copy.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use memmap2::{Advice, MmapOptions};

use super::sigbus::Guard;

/// Alignment of maps. Only an aligned map lets one page fault map a huge page of the page cache.
const HUGE: u64 = 2 << 20;

/// Copies `slices`, end to end, to `offset` in a file whose space is reserved. `UnexpectedEof` means that the
/// file was truncated meanwhile; `Unsupported` means that nothing was written and a positional write is
/// needed.
pub(super) fn copy_in(file: &File, offset: u64, slices: &[&[u8]]) -> io::Result<()> {
    let len: usize = slices.iter().map(|slice| slice.len()).sum();
    let start = offset & !(HUGE - 1);
    let lead = (offset - start) as usize;
    // Bytes beyond the file or beyond the slices are mapped but never touched.
    let whole = (lead + len).next_multiple_of(HUGE as usize);
    let map = MmapOptions::new()
        .offset(start)
        .len(whole)
        .map_raw(file)
        .map_err(|_| io::Error::from(io::ErrorKind::Unsupported))?;
    // A map may extend beyond its file; touching it there would fault.
    if file.metadata()?.len() < offset + len as u64 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let guard = Guard::new(map.as_ptr(), map.len()).ok_or(io::ErrorKind::Unsupported)?;
    // The kernel may not know the advice or ignore it; the write strategy watches the page faults.
    let _ = map.advise(Advice::HugePage);
    match map.advise_range(Advice::PopulateWrite, lead, len) {
        Ok(()) => {}
        Err(error) => return Err(populate_error(&error)),
    }
    let mut at = lead;
    for slice in slices {
        // SAFETY: `at + slice.len()` is at most `lead + len`, within the map, which is there for
        // writing until the end of this function. The slice is memory of ours, so the two do not
        // overlap. A fault on the way is answered by the guard.
        unsafe { std::ptr::copy_nonoverlapping(slice.as_ptr(), map.as_mut_ptr().add(at), slice.len()) };
        at += slice.len();
    }
    let poisoned = guard.is_poisoned();
    drop(guard);
    if poisoned { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// Writes back a range of a file and waits for it, through a descriptor of any kind (sync_file_range(2)). A sync has to
/// follow: neither metadata nor the cache of the disk itself are flushed.
pub(super) fn write_back(file: &File, offset: u64, len: u64) -> io::Result<()> {
    let flags =
        libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    // SAFETY: a system call on an open descriptor, which touches no memory of ours.
    let result = unsafe { libc::sync_file_range(file.as_raw_fd(), offset as i64, len as i64, flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Syncs a range of a file that is open for writing, however it was written.
pub(super) fn flush(file: &File, offset: u64, len: u64) -> io::Result<()> {
    // No page is touched, so this costs no fault, and the range may reach beyond the end of the file.
    match MmapOptions::new().offset(offset).len(len as usize).map_raw(file) {
        Ok(map) => map.flush(),
        Err(_) => file.sync_data(),
    }
}

/// Translates the error of a failed `MADV_POPULATE_WRITE` (madvise(2)).
fn populate_error(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        // A fault would have raised SIGBUS: the file was truncated, the disk is full, or the device is gone.
        Some(libc::EFAULT) => io::ErrorKind::UnexpectedEof.into(),
        Some(libc::EHWPOISON) => io::Error::from_raw_os_error(libc::EIO),
        _ => io::ErrorKind::Unsupported.into(),
    }
}

/// The number of minor page faults of this thread so far.
pub(super) fn minor_faults() -> u64 {
    // SAFETY: `rusage` is plain data for which all zeros is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is valid for writing.
    let result = unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
    if result == 0 { usage.ru_minflt as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn bytes_land_where_they_belong() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(5 << 20).unwrap();
        copy_in(&file, (3 << 20) - 1, &[b"ab", b"", b"cdef"]).unwrap();
        let mut read = [0; 8];
        file.read_exact_at(&mut read, (3 << 20) - 2).unwrap();
        assert_eq!(&read, b"\0abcdef\0");
    }

    #[test]
    fn a_map_beyond_the_end_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10_000).unwrap();
        let error = copy_in(&file, 9_999, &[b"ab"]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_page_that_is_gone_is_an_error_and_no_death() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 20).unwrap();
        let map = MmapOptions::new().len(1 << 20).map_raw(&file).unwrap();
        let guard = Guard::new(map.as_ptr(), map.len()).unwrap();
        file.set_len(4096).unwrap();
        // SAFETY: within the map; the fault is what is tested.
        unsafe { map.as_mut_ptr().add(500_000).write_volatile(7) };
        assert!(guard.is_poisoned());
        // SAFETY: as above.
        assert_eq!(unsafe { map.as_ptr().add(500_000).read_volatile() }, 7);
    }

    #[test]
    fn cutting_a_file_while_it_is_written_never_kills() {
        let file = tempfile::tempfile().unwrap();
        let stop = AtomicBool::new(false);
        let piece = vec![1_u8; 1 << 20];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    file.set_len(4 << 20).unwrap();
                    file.set_len(3_000_000).unwrap();
                }
            });
            let mut failed = 0;
            for round in 0..3000_u64 {
                if let Err(error) = copy_in(&file, round % 4 * 1_000_000, &[&piece[..900_000]]) {
                    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                    failed += 1;
                }
                if failed > 50 && round > 300 {
                    break;
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
