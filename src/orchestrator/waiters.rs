//! Who waits for which run.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use cpq_domain::id::RunId;
use cpq_domain::run::Run;
use tokio::sync::oneshot;

/// Callers that wait for runs of this process to end or park.
#[derive(Default)]
pub(crate) struct Waiters {
    of: Mutex<HashMap<RunId, Vec<oneshot::Sender<Run>>>>,
}

/// One caller's place in the line. It is given up when this is dropped.
pub(crate) struct Waiter<'a> {
    waiters: &'a Waiters,
    id: RunId,
    told: oneshot::Receiver<Run>,
}

impl Waiters {
    /// A place in the line for this run.
    pub(crate) fn next(&self, id: RunId) -> Waiter<'_> {
        let (tell, told) = oneshot::channel();
        self.with(|of| of.entry(id).or_default().push(tell));
        Waiter {
            waiters: self,
            id,
            told,
        }
    }

    /// Tells everybody who waits for this run.
    pub(crate) fn tell(&self, run: &Run) {
        let list = self.with(|of| of.remove(&run.id));
        for waiter in list.into_iter().flatten() {
            // The caller may have gone meanwhile; the run does not care.
            let _ = waiter.send(run.clone());
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut HashMap<RunId, Vec<oneshot::Sender<Run>>>) -> T) -> T {
        change(&mut self.of.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Waiter<'_> {
    /// The run when it ends or parks next; `None` if the process gives it up.
    pub(crate) async fn told(&mut self) -> Option<Run> {
        (&mut self.told).await.ok()
    }
}

impl Drop for Waiter<'_> {
    /// A run that ended before, or ends in another process, is never told here: its line must not stay behind.
    fn drop(&mut self) {
        self.told.close();
        self.waiters.with(|of| {
            if let Some(line) = of.get_mut(&self.id) {
                line.retain(|waiter| !waiter.is_closed());
                if line.is_empty() {
                    of.remove(&self.id);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stays_behind_of_those_who_waited_for_a_run_that_is_told_elsewhere() {
        let waiters = Waiters::default();
        let id: RunId = serde_json::from_str("\"019cadc6-9a81-7bf4-990d-687a09388c26\"").expect("an id");
        let (first, second) = (waiters.next(id), waiters.next(id));
        drop(first);
        assert_eq!(waiters.with(|of| of[&id].len()), 1);
        drop(second);
        assert!(waiters.with(|of| of.is_empty()));
    }
}
