//! How many requests run at once, counted per tracker: a thousand torrents on one dead tracker wait for one
//! another, and for nobody else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most requests to one tracker that run at once.
const AT_ONCE: usize = 8;
/// Above this many trackers, those that nobody is asking are forgotten.
const TIDY_ABOVE: usize = 256;

/// The lanes of all trackers.
#[derive(Default)]
pub struct Lanes(Mutex<BTreeMap<String, Arc<Semaphore>>>);

impl Lanes {
    /// Waits for a free lane to the tracker of this name; it is free again when the permit is dropped.
    pub async fn enter(&self, tracker: String) -> OwnedSemaphorePermit {
        let lane = {
            let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if lanes.len() > TIDY_ABOVE {
                // Whoever waits or runs holds a second reference.
                lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
            }
            Arc::clone(lanes.entry(tracker).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))))
        };
        lane.acquire_owned().await.expect("lanes are never closed")
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_crowded_tracker_holds_up_only_its_own_callers() {
        let lanes = Lanes::default();
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(lanes.enter("dead".to_owned()).await);
        }
        let mut waiting = Box::pin(lanes.enter("dead".to_owned()));
        assert!((&mut waiting).now_or_never().is_none());
        for n in 0..2 * TIDY_ABOVE {
            drop(lanes.enter(format!("alive {n}")).await);
        }
        assert!(lanes.0.lock().expect("unpoisoned").len() <= TIDY_ABOVE + 1);
        assert!((&mut waiting).now_or_never().is_none());
        held.pop();
        drop(waiting.await);
    }
}
