//! What may become of a call between us and a foreign system.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use cpq_domain::{Code, Error};
use tokio::sync::Notify;

use super::land::Land;

/// What becomes of one call. Calls without a fate are delivered and answered.
#[derive(Clone)]
pub enum Fate {
    /// Delivered and answered, spelled out.
    Ok,
    /// Refused with this code, before anything was done.
    Refused(Code),
    /// The same, with a number of milliseconds to wait.
    RefusedFor(Code, u64),
    /// The answer is lost, and nothing was done.
    LostUnapplied,
    /// The answer is lost, and it was done.
    LostApplied,
    /// The answer is lost, and it is done later: after the next write of this kind.
    LostLate,
    /// Delivered twice by the network.
    Twice,
    /// Answered with what was true before the last change.
    Stale,
    /// A person does this between our last read and the delivery.
    Edited(fn(&Land)),
    /// Delivered and answered when the gate is opened.
    Held(Arc<Gate>),
    /// Refused when the gate is opened.
    HeldAndRefused(Arc<Gate>, Code),
    /// The adapter panics.
    Panics,
}

/// Holds calls until it is opened.
#[derive(Default)]
pub struct Gate {
    arrived: Notify,
    opened: Notify,
}

impl Gate {
    pub async fn pass(&self) {
        self.arrived.notify_one();
        self.opened.notified().await;
    }

    /// Waits until a call stands before the gate.
    pub async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// Lets one call through.
    pub fn open(&self) {
        self.opened.notify_one();
    }
}

/// A write that the network has kept for later.
pub type Late = Box<dyn Fn(&Land) + Send>;

/// Fates by call, calls so far, and what is still under way.
#[derive(Default)]
pub struct Wire {
    next: BTreeMap<&'static str, VecDeque<Fate>>,
    always: BTreeMap<&'static str, Fate>,
    calls: Vec<&'static str>,
    pub late: Vec<(&'static str, Late)>,
}

impl Wire {
    pub fn script(&mut self, call: &'static str, fates: impl IntoIterator<Item = Fate>) {
        self.next.entry(call).or_default().extend(fates);
    }

    pub fn forever(&mut self, call: &'static str, fate: Option<Fate>) {
        self.always.remove(call);
        self.always.extend(fate.map(|fate| (call, fate)));
    }

    pub fn arrive(&mut self, call: &'static str) -> Fate {
        self.calls.push(call);
        let scripted = self.next.get_mut(call).and_then(VecDeque::pop_front);
        scripted
            .or_else(|| self.always.get(call).cloned())
            .unwrap_or(Fate::Ok)
    }

    pub fn calls(&self) -> Vec<&'static str> {
        self.calls.clone()
    }

    /// Drops the scripted fates that have not come about.
    pub fn forget(&mut self) {
        self.next.clear();
    }

    /// Whether every scripted fate has happened.
    pub fn is_played(&self) -> bool {
        self.next.values().all(VecDeque::is_empty)
    }
}

pub fn lost() -> Error {
    let error = Error::new(
        Code::OutcomeUnknown,
        "the connection broke before the answer came",
    );
    error.written(cpq_domain::error::Written::Unknown)
}
