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

impl Waiters {
    /// Resolves when the run ends or parks next; `None` if the process gives it up.
    pub(crate) fn next(&self, id: RunId) -> impl Future<Output = Option<Run>> + use<> {
        let (tell, told) = oneshot::channel();
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let list = of.entry(id).or_default();
        // Callers that gave up leave closed channels behind; sweep them here so that the list stays short.
        list.retain(|waiter| !waiter.is_closed());
        list.push(tell);
        async { told.await.ok() }
    }

    /// Tells everybody who waits for this run.
    pub(crate) fn tell(&self, run: &Run) {
        let list = self
            .of
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&run.id);
        for waiter in list.into_iter().flatten() {
            // The caller may have gone meanwhile; the run does not care.
            let _ = waiter.send(run.clone());
        }
    }
}
