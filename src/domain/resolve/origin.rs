//! Where a value comes from, and what both sides held before: what turns a list of decisions into a history.

use serde::{Deserialize, Serialize};

use super::{Decision, Plan, Question, Verdict};
use crate::id::LineKey;
use crate::ownership::{OwnershipRule, Policy};
#[cfg(feature = "openapi")]
use crate::value::Value as FieldValue;
use crate::value::Value;
use crate::view::FieldName;

/// Where the news about a field came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// From the CRM: its value goes to the CPQ, or it changed by itself to what the CPQ holds.
    Crm,
    /// From the CPQ, likewise.
    Cpq,
    /// From both, independently of each other.
    Both,
    /// From a person who gave both sides a value.
    Person,
    /// There is none: both sides hold what they held when they last agreed.
    #[default]
    Neither,
}

/// What both sides held of a field when they last agreed; absent where there was no agreement yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = HeldValues))]
pub struct Held {
    /// The CRM's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<FieldValue>))]
    pub crm: Option<Value>,
    /// The CPQ's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<FieldValue>))]
    pub cpq: Option<Value>,
}

impl Origin {
    /// Where the news comes from when the CRM and the CPQ did or did not change.
    pub(super) fn of_changes(changed: (bool, bool)) -> Origin {
        match changed {
            (true, true) => Origin::Both,
            (true, false) => Origin::Crm,
            (false, true) => Origin::Cpq,
            (false, false) => Origin::Neither,
        }
    }
}

impl Held {
    /// Whether nothing was held.
    pub fn is_empty(&self) -> bool {
        self.crm.is_none() && self.cpq.is_none()
    }
}

/// Both sides have a line that neither had, or both lost one that they had.
pub(super) fn agree_on_presence(question: &Question, plan: &mut Plan, key: &LineKey, there: bool) {
    let rule = question.matrix.rule("line.exists", question.facts);
    let Some(rule) = rule.filter(|rule| rule.overwrite_policy != Policy::Never) else {
        return;
    };
    let reason = match there {
        true => "first look; both sides have this line",
        false => "both sides removed this line",
    };
    plan.decisions.push(presence_decision(
        rule,
        key,
        (there, there),
        !there,
        reason.into(),
    ));
}

pub(super) fn presence_decision(
    rule: &OwnershipRule,
    key: &LineKey,
    (crm, cpq): (bool, bool),
    had: bool,
    reason: String,
) -> Decision {
    let held = Some(Value::Bool(had));
    Decision {
        field: FieldName::new("line.exists"),
        line: Some(key.clone()),
        verdict: Verdict::Agree,
        owner: rule.owner_system,
        policy: rule.overwrite_policy,
        crm: Value::Bool(crm),
        cpq: Value::Bool(cpq),
        lost: None,
        reason,
        origin: Origin::Both,
        base: Held {
            crm: held.clone(),
            cpq: held,
        },
        given: None,
        ruling: None,
    }
}

/// A value that is carried comes from the side that held it; else `changed` says who moved away from the agreement.
pub(super) fn origin_of(verdict: Verdict, changed: Origin) -> Origin {
    match verdict {
        Verdict::ToCpq => Origin::Crm,
        Verdict::ToCrm => Origin::Cpq,
        Verdict::ToBoth => Origin::Person,
        Verdict::Skip => Origin::Neither,
        Verdict::Agree | Verdict::Keep | Verdict::Review => changed,
    }
}
