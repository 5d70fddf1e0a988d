//! Contact roles: at most one primary per opportunity.

use super::{Hand, Id, Org, Value, children};

pub(super) fn after(org: &mut Org, hand: &Hand, at: usize, id: Id) {
    if !org.peek(at, id, "IsPrimary").is_true() {
        return;
    }
    let Some(opportunity) = org.peek(at, id, "OpportunityId").as_id() else {
        return;
    };
    let (_, roles) = children(org, "OpportunityContactRole", "OpportunityId", opportunity);
    for other in roles.into_iter().filter(|other| *other != id) {
        org.touch(hand, at, other, &[("IsPrimary", Value::Bool(false))]);
    }
}
