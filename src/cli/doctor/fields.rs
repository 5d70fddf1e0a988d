//! What the field mapping and the ownership matrix need of the org: key fields, permissions, places that give values back
//! as they took them, and rules that make sense.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cpq_adapters::salesforce::{self, SalesforceAdapter};
use cpq_domain::Result;
use cpq_domain::adapter::CrmAdapter;
use cpq_domain::id::ConnectionName;
use cpq_domain::lint::mapped::{Doubt, Flaw, Severity};
use cpq_domain::ownership::Matrix;
use cpq_domain::schema::{CrmSchema, FieldSchema};
use cpq_store::{Store, schemas};
use jiff::Timestamp;

use super::connections::{Ground, Patient, call};
use super::finding::{Check, Group, count};
use crate::config::{Config, CrmConfig};
use crate::mapping::{Direction, Sight};
use crate::matrix::{Text, check_against};
use crate::sides::salesforce_config;

const HERE: Group = Group::Connection;
/// Time for the descriptions of all objects, which are long.
const DESCRIBE: Duration = Duration::from_secs(25);

/// What an org said of itself.
enum Described {
    /// Just now.
    Now(CrmSchema),
    /// At an earlier moment, which is told.
    Then(CrmSchema, Timestamp),
    /// Nothing yet.
    Never,
}

impl Described {
    fn schema(&self) -> Option<&CrmSchema> {
        match self {
            Described::Now(schema) | Described::Then(schema, _) => Some(schema),
            Described::Never => None,
        }
    }

    fn age(&self) -> Option<String> {
        match self {
            Described::Then(_, at) => Some(format!("by what the org said at {at:.0}")),
            Described::Now(_) | Described::Never => None,
        }
    }
}

/// The checks against what the org says now. It is not stored: a service that reads it learns of it by itself.
pub async fn from_org(patient: &Patient, crm: &SalesforceAdapter) -> Vec<Check> {
    let described = async { crm.describe(&call()?).await };
    match tokio::time::timeout(DESCRIBE, described).await {
        Err(_) => {
            let found = format!(
                "the org did not describe its objects within {} s",
                DESCRIBE.as_secs()
            );
            vec![Check::fail(HERE, "permissions", found, "try again")]
        }
        Ok(Err(error)) => vec![Check::failed(HERE, "permissions", &error)],
        Ok(Ok(schema)) => against(&patient.ground, patient.name(), Described::Now(schema)).await,
    }
}

/// The checks against what the org said last.
pub async fn from_store(patient: &Patient) -> Vec<Check> {
    match described(&patient.ground.store, patient.name()).await {
        Err(error) => vec![Check::failed(HERE, "permissions", &error)],
        Ok(schema) => against(&patient.ground, patient.name(), schema).await,
    }
}

/// The checks that need no org.
pub async fn without_org(ground: &Arc<Ground>, name: &ConnectionName) -> Vec<Check> {
    against(ground, name, Described::Never).await
}

async fn described(store: &Store, name: &ConnectionName) -> Result<Described> {
    let name = name.clone();
    let read = store.read(move |tx| Box::pin(async move { schemas::get(tx, &name).await }));
    let told = read.await?.map(|(schema, at)| Described::Then(schema, at));
    Ok(told.unwrap_or(Described::Never))
}

async fn against(ground: &Ground, name: &ConnectionName, org: Described) -> Vec<Check> {
    let judged = judge(ground, name, &org).await;
    judged.unwrap_or_else(|error| vec![Check::failed(HERE, "mapping", &error)])
}

async fn judge(ground: &Ground, name: &ConnectionName, org: &Described) -> Result<Vec<Check>> {
    let config = &ground.config;
    let text = Text::in_force(config, Some(&ground.store)).await?;
    let matrix = text.parse()?;
    let report = Sight::against(config, name, org.schema().cloned())?.check()?;
    let (permissions, others): (Vec<Doubt>, Vec<Doubt>) =
        report.findings.into_iter().partition(is_permission);
    let mut checks = match org.schema() {
        None => {
            let why = "the org was never asked for its fields";
            ["key fields", "permissions"]
                .map(|name| Check::skipped(HERE, name, why))
                .to_vec()
        }
        Some(schema) => vec![
            keys(&config.crm, name, schema)?,
            permitted(&permissions, &matrix, schema, report.fields).with(org.age()),
        ],
    };
    checks.push(mapping(&report.faults, &others, report.fields));
    checks.push(ownership(config, org.schema(), &text)?);
    Ok(checks)
}

fn is_permission(doubt: &Doubt) -> bool {
    matches!(
        doubt.lint,
        Flaw::Missing | Flaw::Calculated | Flaw::NotUpdateable | Flaw::NotCreateable
    )
}

/// The fields by which records are found again.
fn keys(crm: &CrmConfig, name: &ConnectionName, schema: &CrmSchema) -> Result<Check> {
    let number = number_fault(schema, &crm.opportunity_number_field);
    let warnings = salesforce::mapping(&salesforce_config(crm, name)?, Some(schema))?.warnings;
    let mut lacks: Vec<String> = warnings
        .into_iter()
        .filter(|warning| salesforce::is_lack(warning))
        .collect();
    let correlation = &crm.correlation_field;
    if !correlation.is_empty() && !find(schema, correlation).is_some_and(|field| field.updateable) {
        lacks.push(format!(
            "Opportunity.{correlation} is missing or may not be written: the CRM does not show which sync wrote last"
        ));
    }
    Ok(match (number, lacks.is_empty()) {
        (Some(why), _) => Check::fail(
            HERE,
            "key fields",
            format!("{why}: opportunities cannot be found by their number"),
            "make it a text field that is unique and an external id, let our user see it, or name the right one in \
             crm.opportunity_number_field",
        )
        .with(lacks),
        (None, false) => Check::warn(
            HERE,
            "key fields",
            "opportunities are found by their number; other records have no place",
            "make the fields in the CRM and let our user edit them, or name others: crm.quote_object, quote_key_field, \
             quote_relationship, line_key_field, correlation_field",
        )
        .with(lacks),
        (None, true) => Check::ok(HERE, "key fields", "numbers and keys are there, unique, and external ids"),
    })
}

fn number_fault(schema: &CrmSchema, field: &str) -> Option<String> {
    let place = format!("Opportunity.{field}");
    match find(schema, field) {
        None => Some(format!("{place} does not exist, or is hidden from our user")),
        Some(found) if !found.external_id => Some(format!("{place} is no external id")),
        Some(found) if !found.unique => Some(format!("{place} is not unique")),
        Some(_) => None,
    }
}

/// A field of the opportunity. Names of a CRM are the same in any case.
fn find<'a>(schema: &'a CrmSchema, field: &str) -> Option<&'a FieldSchema> {
    let fields = schema.objects.get("Opportunity")?;
    fields
        .iter()
        .find_map(|(name, found)| name.eq_ignore_ascii_case(field).then_some(found))
}

/// Whether our user may read and write what the matrix wants read and written.
fn permitted(doubts: &[Doubt], matrix: &Matrix, schema: &CrmSchema, fields: usize) -> Check {
    let name = "permissions";
    let needed = doubts
        .iter()
        .filter(|doubt| Direction::of(matrix, doubt.field.as_str()) != Direction::None);
    let (mut lines, mut hidden) = (Vec::new(), BTreeSet::new());
    let mut worst = None;
    for doubt in needed {
        let object = doubt.place.split('.').next().unwrap_or_default();
        if !schema.objects.contains_key(object) {
            hidden.insert(object);
            continue;
        }
        worst = worst.min(Some(doubt.severity)).or(Some(doubt.severity));
        lines.push(format!("{}: {}", doubt.field, doubt.message));
    }
    let hidden: Vec<String> = hidden
        .into_iter()
        .map(|object| {
            format!("{object} does not exist, or our user may not read it: none of its fields is synced")
        })
        .collect();
    let fails = !hidden.is_empty() || worst == Some(Severity::Error);
    let lines = [hidden, lines].concat();
    let fix = "give our user the permission in a permission set; `cpq mapping show --refresh` lists every field. What \
               is not to be synced goes out with `off = true` in crm.fields_file, or `policy = \"never\"` in the matrix";
    let found = format!(
        "{} that the matrix needs cannot be used as it wants",
        count(lines.len(), "place", "places")
    );
    match (fails, lines.is_empty()) {
        (true, _) => Check::fail(HERE, name, found, fix).with(lines),
        (false, false) => Check::warn(HERE, name, found, fix).with(lines),
        (false, true) => Check::ok(
            HERE,
            name,
            format!("all of {fields} fields can be read and written as the matrix needs"),
        ),
    }
}

fn mapping(faults: &[impl std::fmt::Display], doubts: &[Doubt], fields: usize) -> Check {
    let name = "mapping";
    let faults: Vec<String> = faults.iter().map(|fault| format!("{fault:.200}")).collect();
    let told = |doubt: &Doubt| format!("{} ({}): {}", doubt.field, doubt.place, doubt.message);
    let (errors, warnings): (Vec<&Doubt>, Vec<&Doubt>) =
        doubts.iter().partition(|doubt| doubt.severity == Severity::Error);
    let bad = faults.len() + errors.len();
    if bad > 0 {
        let found = format!("{} in the field mapping", count(bad, "mistake", "mistakes"));
        let fix = "`cpq mapping check` shows each with its proof and its way out";
        return Check::fail(HERE, name, found, fix)
            .with(faults.into_iter().chain(errors.into_iter().map(told)));
    }
    let remarks = match warnings.len() {
        0 => String::new(),
        many => format!("; {}, see `cpq mapping check`", count(many, "remark", "remarks")),
    };
    Check::ok(
        HERE,
        name,
        format!("{fields} fields come back as they were written{remarks}"),
    )
}

fn ownership(config: &Config, schema: Option<&CrmSchema>, text: &Text) -> Result<Check> {
    let name = "ownership";
    let findings = check_against(config, schema, text)?;
    if findings.is_empty() {
        let matrix = text.parse()?;
        let (rules, version) = (matrix.rules().count(), matrix.version());
        let found = format!(
            "{rules} rules, each field with one owner; version {version} ({})",
            text.from
        );
        return Ok(Check::ok(HERE, name, found));
    }
    let lines = findings
        .iter()
        .map(|finding| format!("{}: {}", finding.field, finding.message));
    let found = format!(
        "{} in the ownership matrix ({})",
        count(findings.len(), "mistake", "mistakes"),
        text.from
    );
    Ok(Check::fail(
        HERE,
        name,
        found,
        "`cpq ownership check` shows each with its line and its way out",
    )
    .with(lines))
}
