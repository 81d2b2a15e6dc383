//! Whether the disk threads keep up with the pieces that arrive.

/// The threads are behind if a thread that takes pieces leaves at least this many in the queue.
const BEHIND: usize = 4;
/// The threads have caught up once the queue was emptied this many times in a row.
const CAUGHT_UP: u32 = 16;

/// The state, with hysteresis: pieces arrive in bursts.
#[derive(Default, Debug)]
pub(super) struct Backlog {
    behind: bool,
    /// Number of times in a row that the queue was emptied.
    emptied: u32,
}

impl Backlog {
    /// Notes how many pieces a thread has left in the queue, and returns whether the threads are behind.
    pub(super) const fn update(&mut self, left: usize) -> bool {
        if left >= BEHIND {
            self.behind = true;
        }
        self.emptied = if left == 0 { self.emptied.saturating_add(1) } else { 0 };
        if self.emptied >= CAUGHT_UP {
            self.behind = false;
        }
        self.behind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_answered_at_once_and_a_pause_is_no_end() {
        let mut backlog = Backlog::default();
        assert!(![0, 1, 3, 2, 0].iter().any(|&left| backlog.update(left)));
        assert!(backlog.update(BEHIND));
        for _ in 0..5 {
            assert!((1..CAUGHT_UP).all(|_| backlog.update(0)) && backlog.update(1));
        }
        assert!((1..CAUGHT_UP).all(|_| backlog.update(0)) && !backlog.update(0) && !backlog.update(3));
    }
}
