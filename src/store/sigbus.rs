//! A guard against SIGBUS on mapped pages that no longer exist.
//!
//! A file truncated under a map, or a lost device, turns a plain store into a signal that ends the process.
//! The guard knows the ranges that are mapped now. A fault inside one of them maps a page of zeros there and
//! marks the range as poisoned, so that the caller discards the copy. Any other fault runs the previous
//! handler.
#![allow(unsafe_code)]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Number of ranges that can be guarded at once, far more than there are disk threads.
const SLOTS: usize = 128;

struct Slot {
    /// 0 while the slot is free, 1 while it is being filled or emptied.
    start: AtomicUsize,
    end: AtomicUsize,
    poisoned: AtomicBool,
}

const FREE: usize = 0;
const TAKEN: usize = 1;

static TABLE: [Slot; SLOTS] = [const {
    Slot { start: AtomicUsize::new(FREE), end: AtomicUsize::new(0), poisoned: AtomicBool::new(false) }
}; SLOTS];

/// The handler that was installed before ours.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();
static INSTALLED: OnceLock<bool> = OnceLock::new();

/// A guarded range of addresses. Must be dropped before the range is unmapped.
pub(super) struct Guard {
    slot: &'static Slot,
}

impl Guard {
    /// Guards `len` bytes from `start`. Returns `None` if the handler cannot be installed or all slots are
    /// taken: the range must not be touched then.
    pub(super) fn new(start: *const u8, len: usize) -> Option<Self> {
        if !*INSTALLED.get_or_init(install) {
            return None;
        }
        let slot = TABLE.iter().find(|slot| {
            slot.start.compare_exchange(FREE, TAKEN, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })?;
        slot.poisoned.store(false, Ordering::Relaxed);
        slot.end.store(start as usize + len, Ordering::Relaxed);
        slot.start.store(start as usize, Ordering::Release);
        Some(Self { slot })
    }

    /// Whether a page of the range was missing when it was touched.
    pub(super) fn is_poisoned(&self) -> bool {
        self.slot.poisoned.load(Ordering::Acquire)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.slot.start.store(FREE, Ordering::Release);
    }
}

/// Ignores SIGXFSZ unless the program handles it, so that a write beyond the file size limit (`RLIMIT_FSIZE`)
/// fails with EFBIG instead of ending the process.
pub(super) fn survive_size_limits() {
    // SAFETY: `sigaction` is plain data for which all zeros is a valid value; the calls get pointers
    // that are valid, and ignoring a signal runs no code of ours.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let known = libc::sigaction(libc::SIGXFSZ, std::ptr::null(), &raw mut action) == 0;
        if known && action.sa_sigaction == libc::SIG_DFL {
            action.sa_sigaction = libc::SIG_IGN;
            libc::sigaction(libc::SIGXFSZ, &raw const action, std::ptr::null_mut());
        }
    }
}

fn install() -> bool {
    // SAFETY: `sigaction` is plain data for which all zeros is a valid value.
    let mut previous: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: asks for the present action only; `previous` is valid for writing.
    if unsafe { libc::sigaction(libc::SIGBUS, std::ptr::null(), &raw mut previous) } != 0 {
        return false;
    }
    if PREVIOUS.set(previous).is_err() {
        return false;
    }
    // SAFETY: as above.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handle as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the handler has the signature SA_SIGINFO asks for and does only what a signal handler may.
    unsafe {
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) == 0
    }
}

/// The signal handler. Runs on the faulting thread: atomics and system calls only.
extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: errno belongs to this thread; the interrupted code must find it as it was.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: the kernel passes a valid siginfo to a handler with SA_SIGINFO.
    let address = unsafe { (*info).si_addr() } as usize;
    let mut ours = false;
    for slot in &TABLE {
        let start = slot.start.load(Ordering::Acquire);
        if start > TAKEN && (start..slot.end.load(Ordering::Relaxed)).contains(&address) {
            slot.poisoned.store(true, Ordering::Release);
            ours = true;
        }
    }
    if ours && map_zero_page(address) {
        // SAFETY: as above.
        unsafe { *libc::__errno_location() = errno };
        return;
    }
    run_previous_handler(signal, info, context);
}

/// Maps a page of zeros in place of the missing page at this address.
fn map_zero_page(address: usize) -> bool {
    // SAFETY: asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    let place = (address & !(page - 1)) as *mut libc::c_void;
    // SAFETY: the page lies in a map of ours that is guarded now, hence mapped until the thread that
    // faulted goes on; nothing but the copy that faulted refers to its bytes.
    let at = unsafe { libc::mmap(place, page, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    at == place
}

/// Runs the handler that was installed before ours, or the default action.
fn run_previous_handler(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let Some(previous) = PREVIOUS.get() else { return };
    match previous.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {
            // Ignoring the fault would repeat it forever. The default action lets it end the process.
            // SAFETY: sets the default action, then returns to the instruction that faulted.
            unsafe {
                let mut default: libc::sigaction = std::mem::zeroed();
                default.sa_sigaction = libc::SIG_DFL;
                libc::sigaction(signal, &raw const default, std::ptr::null_mut());
            }
        }
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: the action was installed with SA_SIGINFO, so it is a function of this type.
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                unsafe { std::mem::transmute(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: the action was installed without SA_SIGINFO, so it is a function of this type.
            let handler: extern "C" fn(libc::c_int) = unsafe { std::mem::transmute(handler) };
            handler(signal);
        }
    }
}
