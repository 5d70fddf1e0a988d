//! Who owns which field, and why a field has its value.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use cpq_api::{FieldHistory, OwnershipMatrix};
use cpq_domain::lint::Finding;
use cpq_domain::ownership::{OwnershipRule, Side};
use serde::Deserialize;

use crate::asked::Query;
use crate::doors::At;
use crate::house::House;
use crate::page::{self, Failed, Frame};
use crate::{fields, when};

#[derive(Template)]
#[template(path = "ownership.html")]
struct Ownership {
    frame: Frame,
    version: String,
    refused: Option<String>,
    org_known: bool,
    findings: usize,
    fields: Vec<Field>,
}

/// A field with its rules, in the order in which they are tried.
struct Field {
    name: String,
    findings: Vec<Wrong>,
    rules: Vec<Rule>,
}

/// What is wrong with the rules of a field.
struct Wrong {
    what: String,
    message: String,
    fix: String,
}

struct Rule {
    owner: &'static str,
    policy: String,
    when: String,
    reason: String,
}

/// The matrix.
pub(crate) async fn page(State(house): State<House>, At(visitor): At) -> Result<Response, Failed> {
    let matrix: OwnershipMatrix = house.ask(&visitor, "/api/v1/ownership").await?;
    let mut grid: Vec<Field> = Vec::new();
    for rule in &matrix.rules {
        let name = rule.field_name.to_string();
        if grid.last().is_none_or(|field| field.name != name) {
            grid.push(Field {
                findings: of_field(&matrix.findings, &name),
                name,
                rules: Vec::new(),
            });
        }
        if let Some(field) = grid.last_mut() {
            field.rules.push(shown(rule));
        }
    }
    // A field without any rule is not among the rules.
    for finding in &matrix.findings {
        let name = finding.field.to_string();
        if !grid.iter().any(|field| field.name == name) {
            grid.push(Field {
                findings: of_field(&matrix.findings, &name),
                name,
                rules: Vec::new(),
            });
        }
    }
    Ok(page::show(&Ownership {
        org_known: matrix.org_known,
        findings: matrix.findings.len(),
        frame: Frame::new(&visitor, "ownership", "Ownership"),
        version: matrix.version,
        refused: matrix.refused,
        fields: grid,
    }))
}

fn of_field(findings: &[Finding], name: &str) -> Vec<Wrong> {
    let of = findings.iter().filter(|finding| finding.field.as_str() == name);
    of.map(|finding| Wrong {
        what: fields::word(&finding.lint),
        message: finding.message.clone(),
        fix: finding.fix.clone(),
    })
    .collect()
}

fn shown(rule: &OwnershipRule) -> Rule {
    Rule {
        owner: match rule.owner_system {
            Side::Crm => "CRM",
            Side::Cpq => "CPQ",
        },
        policy: fields::word(&rule.overwrite_policy),
        when: condition(rule),
        reason: rule.reason.clone(),
    }
}

fn condition(rule: &OwnershipRule) -> String {
    let when = &rule.when;
    let states: Vec<String> = when.quote_status.iter().map(fields::word).collect();
    let mut parts = Vec::new();
    if !when.stage.is_empty() {
        parts.push(format!("stage {}", when.stage.join(", ")));
    }
    if !states.is_empty() {
        parts.push(format!("quote {}", states.join(", ")));
    }
    if let Some(primary) = when.primary {
        parts.push(if primary {
            "primary quote".into()
        } else {
            "not the primary quote".into()
        });
    }
    if !when.record_type.is_empty() {
        parts.push(format!("record type {}", when.record_type.join(", ")));
    }
    if let Some(from) = when.from {
        parts.push(format!("from {from}"));
    }
    if let Some(until) = when.until {
        parts.push(format!("until {until}"));
    }
    parts.join(" and ")
}

/// Which field of what.
#[derive(Default, Deserialize)]
pub(crate) struct Which {
    #[serde(default)]
    opportunity: String,
    #[serde(default)]
    field: String,
}

#[derive(Template)]
#[template(path = "why.html")]
struct Why {
    frame: Frame,
    which: Which,
    subject: String,
    passages: Vec<Passage>,
}

struct Passage {
    at: String,
    value: String,
    /// What each side holds, where they do not hold the same.
    apart: Option<(String, String)>,
    verdict: &'static str,
    mark: &'static str,
    owner: String,
    policy: String,
    origin: String,
    reason: String,
    lost: String,
    who: String,
    correlation: String,
}

/// The chain of values of a field.
pub(crate) async fn why(
    State(house): State<House>,
    At(visitor): At,
    Query(which): Query<Which>,
) -> Result<Response, Failed> {
    let (id, field) = (which.opportunity.trim(), which.field.trim());
    let object = if id.starts_with("Q-") {
        "quote"
    } else {
        "opportunity"
    };
    let history = match id.is_empty() || field.is_empty() {
        true => None,
        false => {
            let path = format!(
                "/api/v1/why/{object}/{}/{}",
                page::encoded(id),
                page::encoded(field)
            );
            Some(house.ask::<FieldHistory>(&visitor, &path).await?)
        }
    };
    Ok(page::show(&Why {
        frame: Frame::new(&visitor, "why", "Why a field has its value"),
        subject: history
            .as_ref()
            .map(|history| history.subject.clone())
            .unwrap_or_default(),
        passages: history
            .iter()
            .flat_map(|history| &history.passages)
            .map(passage)
            .collect(),
        which,
    }))
}

fn passage(of: &cpq_api::FieldPassage) -> Passage {
    let who = of.event.as_ref().and_then(|event| event.by.clone());
    let (verdict, mark) = fields::verdict(of.verdict);
    Passage {
        at: when::moment(&of.at),
        value: of.value.as_ref().map(fields::value).unwrap_or_default(),
        apart: of
            .value
            .is_none()
            .then(|| (fields::value(&of.crm), fields::value(&of.cpq))),
        verdict,
        mark,
        owner: fields::word(&of.owner),
        policy: fields::word(&of.policy),
        origin: fields::word(&of.origin),
        reason: of.reason.clone(),
        lost: of.lost.as_ref().map(fields::value).unwrap_or_default(),
        who: who.unwrap_or_default(),
        correlation: of.correlation_id.to_string(),
    }
}
