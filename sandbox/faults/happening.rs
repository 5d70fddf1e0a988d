//! Faults of events: what the rules make of one on its way to the bus.

use super::rule::{Fault, When};
use super::{Counted, Faults};
use crate::state::lock;

/// What rules can see of an event.
#[derive(Clone, Copy, Debug)]
pub struct Happening<'a> {
    /// Object that changed; of a platform event its own name.
    pub object: &'a str,
    /// Name of the event: `OpportunityChangeEvent`, `Order_Shipped__e`.
    pub event: &'a str,
    /// `UPDATE` and its like; empty for platform events.
    pub change: &'a str,
    /// The name that the client gave itself which caused the event.
    pub client: &'a str,
}

/// What the rules make of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventVerdict {
    /// Never store it.
    pub drop: bool,
    /// Store it twice.
    pub duplicate: bool,
    /// Store it after so many others, or when it is let go.
    pub delay: Option<Option<u64>>,
    /// Store a gap event instead.
    pub gap: bool,
    /// Write it in another schema of its object.
    pub mixed_schema: bool,
    /// Forget all events before it.
    pub replay_expired: bool,
    /// Begin a new stream before it.
    pub stream_reset: bool,
}

impl Faults {
    /// Decides about one event.
    pub fn judge_event(&self, event: &Happening<'_>) -> EventVerdict {
        let mut verdict = EventVerdict::default();
        let mut armed = lock(&self.armed);
        for one in armed
            .rules
            .iter_mut()
            .filter(|one| one.rule.fault.is_for_events())
        {
            if fits(&one.rule.when, event) && one.fires() {
                one.add_to(&mut verdict);
            }
        }
        verdict
    }
}

impl Counted {
    fn add_to(&self, verdict: &mut EventVerdict) {
        match self.rule.fault {
            Fault::EventDuplicate {} => verdict.duplicate = true,
            Fault::EventDrop {} => verdict.drop = true,
            Fault::EventReorder {} => verdict.delay = Some(Some(1)),
            Fault::EventDelay { events } => verdict.delay = Some(events),
            Fault::EventGap {} => verdict.gap = true,
            Fault::EventMixedSchema {} => verdict.mixed_schema = true,
            Fault::EventReplayExpired {} => verdict.replay_expired = true,
            Fault::EventStreamReset {} => verdict.stream_reset = true,
            _ => {}
        }
    }
}

/// `object` names the object or the event, `path` is a part of the topic, `client` a part of the client's name.
fn fits(when: &When, event: &Happening<'_>) -> bool {
    let named =
        |name: &String| name.eq_ignore_ascii_case(event.object) || name.eq_ignore_ascii_case(event.event);
    let family = if event.change.is_empty() { "event" } else { "data" };
    let topic = |part: &String| format!("/{family}/{}", event.event).contains(part.as_str());
    when.object.as_ref().is_none_or(named)
        && when.path.as_ref().is_none_or(topic)
        && when
            .client
            .as_ref()
            .is_none_or(|part| event.client.contains(part.as_str()))
}
