//! Which canonical field lives where in the connected CRM, and what is wrong with that.

use std::path::Path;

use cpq_adapters::salesforce::{self, Fault};
use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::id::ConnectionName;
use cpq_domain::lint::mapped::{self, Doubt, Drawn, Severity};
use cpq_domain::ownership::{Matrix, Policy, Side};
use cpq_domain::schema::CrmSchema;
use cpq_domain::world::World;
use cpq_store::{Store, schemas};
use jiff::Timestamp;
use serde::Serialize;

use crate::config::Config;
use crate::named_file;
use crate::sides::salesforce_config;
use crate::world::RealWorld;

/// Days after which what a CRM said of its fields is worth asking again: administrators change orgs weekly.
const OLD_DAYS: i64 = 7;

/// A mapping in the light of what the CRM said last.
pub struct Sight {
    settings: salesforce::Config,
    schema: Option<(CrmSchema, Timestamp)>,
}

/// Everything that is wrong with a mapping.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Mistakes in the file. Where there are any, nothing else was looked at.
    pub faults: Vec<Fault>,
    /// What does not fit the org, or does not come back from it.
    pub findings: Vec<Doubt>,
    /// Fields that are mapped.
    pub fields: usize,
}

impl Report {
    /// Whether it keeps the mapping from being used.
    pub fn is_bad(&self) -> bool {
        !self.faults.is_empty() || self.errors() > 0
    }

    /// Findings that are errors.
    pub fn errors(&self) -> usize {
        let errors = self
            .findings
            .iter()
            .filter(|doubt| doubt.severity == Severity::Error);
        errors.count()
    }
}

/// Where a field's values go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the CRM to the CPQ.
    ToCpq,
    /// From the CPQ to the CRM.
    ToCrm,
    /// Either way.
    Both,
    /// Nowhere.
    None,
}

impl Direction {
    /// The direction of a field under the rules of a matrix, whatever the case.
    pub fn of(matrix: &Matrix, field: &str) -> Direction {
        let rules = matrix.rules().filter(|rule| rule.field_name.as_str() == field);
        let (mut to_cpq, mut to_crm) = (false, false);
        for rule in rules {
            match (rule.overwrite_policy, rule.owner_system) {
                (Policy::Never, _) => {}
                (Policy::Review | Policy::Newest, _) => (to_cpq, to_crm) = (true, true),
                (_, Side::Crm) => to_cpq = true,
                (_, Side::Cpq) => to_crm = true,
            }
        }
        match (to_cpq, to_crm) {
            (true, true) => Direction::Both,
            (true, false) => Direction::ToCpq,
            (false, true) => Direction::ToCrm,
            (false, false) => Direction::None,
        }
    }
}

impl Sight {
    /// The mapping of the configuration, or of another file.
    pub async fn of(config: &Config, store: Option<&Store>, file: Option<&Path>) -> Result<Sight> {
        let mut settings = salesforce_config(&config.crm, &config.crm.connection)?;
        if let Some(file) = file {
            settings.fields = Some(read(file)?);
            settings.fields_file = file.display().to_string();
        }
        let name = config.crm.connection.clone();
        let schema = match store {
            Some(store) => {
                store
                    .read(move |tx| Box::pin(async move { schemas::get(tx, &name).await }))
                    .await?
            }
            None => None,
        };
        Ok(Sight { settings, schema })
    }

    /// The mapping of the configuration against what the org of a connection says of itself now.
    pub fn against(config: &Config, name: &ConnectionName, schema: Option<CrmSchema>) -> Result<Sight> {
        Ok(Sight {
            settings: salesforce_config(&config.crm, name)?,
            schema: schema.map(|schema| (schema, RealWorld::new().now())),
        })
    }

    /// Every field.
    pub fn drawn(&self) -> Result<Vec<Drawn>> {
        salesforce::drawn(&self.settings, self.org())
    }

    /// Everything that is wrong.
    pub fn check(&self) -> Result<Report> {
        let faults = salesforce::faults(&self.settings);
        if !faults.is_empty() {
            return Ok(Report {
                faults,
                findings: Vec::new(),
                fields: 0,
            });
        }
        let drawn = self.drawn()?;
        let types = self.org().map(|schema| schema.record_types.as_slice());
        Ok(Report {
            faults,
            findings: mapped::check(&drawn, types.unwrap_or_default()),
            fields: drawn.len(),
        })
    }

    /// When the CRM was asked last, if it was.
    pub fn described_at(&self) -> Option<Timestamp> {
        self.schema.as_ref().map(|(_, at)| *at)
    }

    /// What is to be said of what we know of the org: that it is nothing, or old.
    pub fn caution(&self, now: Timestamp) -> Option<String> {
        let Some(at) = self.described_at() else {
            return Some(
                "checked without an org: `cpq auth connect-crm` lets fields and permissions be checked too"
                    .to_owned(),
            );
        };
        let days = (now.as_second() - at.as_second()) / (24 * 60 * 60);
        let old =
            format!("what the org says is {days} days old; `cpq mapping check --refresh` asks it again");
        (days >= OLD_DAYS).then_some(old)
    }

    fn org(&self) -> Option<&CrmSchema> {
        self.schema.as_ref().map(|(schema, _)| schema)
    }
}

fn read(file: &Path) -> Result<String> {
    named_file::text(file).map_err(|error| {
        let message = format!("cannot read the field mapping {}: {error}", file.display());
        Error::new(Code::ConfigInvalid, message).cause(error)
    })
}
