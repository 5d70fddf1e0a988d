//! Faults of deliveries: what becomes of an outbound message or a callout on its way to an endpoint.
//!
//! They are judged when the item is queued, in the order of the commits, so that the same writes give the same faults
//! however fast the endpoint is.

use super::matching::{self, Call};
use super::{Counted, Fault, Faults};
use crate::state::lock;
use serde::{Deserialize, Serialize};

/// What rules have in store for one item.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Twists {
    /// It is never sent.
    pub lost: bool,
    /// Once delivered, it is sent again.
    pub twice: bool,
    /// It is sent so many milliseconds late.
    pub delay_millis: u64,
    /// It waits until a later one of its rule was delivered.
    pub held: bool,
    /// So many good answers are not heard.
    pub deaf: u32,
    /// Labels of the rules behind this.
    pub labels: Vec<String>,
}

impl Faults {
    /// Decides about one item: `url` is that of the endpoint, `rule` the name of the outbound message or callout.
    pub fn judge_delivery(&self, url: &str, rule: &str, object: &str) -> Twists {
        let call = Call {
            method: "POST".to_owned(),
            target: url.to_owned(),
            client: rule.to_owned(),
            body: axum::body::Bytes::new(),
            topic: None,
        };
        let mut twists = Twists::default();
        let mut armed = lock(&self.armed);
        for one in armed
            .rules
            .iter_mut()
            .filter(|one| one.rule.fault.is_for_deliveries())
        {
            let relevant = !twists.lost && one.is_about(object);
            if relevant && matching::fits(&one.rule.when, &one.rule.fault, &call) && one.fires() {
                twists.labels.push(one.rule.label());
                twists.take(&one.rule.fault);
            }
        }
        twists
    }
}

impl Twists {
    fn take(&mut self, fault: &Fault) {
        match fault {
            Fault::DeliveryLost {} => self.lost = true,
            Fault::DeliveryDuplicated {} => self.twice = true,
            Fault::DeliveryDelayed { millis } => {
                self.delay_millis = self.delay_millis.saturating_add(*millis)
            }
            Fault::DeliveryReordered {} => self.held = true,
            Fault::AckIgnored { attempts } => self.deaf = self.deaf.max(*attempts),
            _ => {}
        }
    }
}

impl Counted {
    /// Whether the rule is about records of this object.
    pub(super) fn is_about(&self, object: &str) -> bool {
        let wanted = self.rule.when.object.as_ref();
        wanted.is_none_or(|name| name.eq_ignore_ascii_case(object))
    }
}
