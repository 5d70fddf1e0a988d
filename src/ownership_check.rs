//! A matrix against what there is: the field mapping, the CPQ, and the org as it was described last.

use cpq_adapters::salesforce;
use cpq_domain::Result;
use cpq_domain::lint::{self, Finding};
use cpq_domain::schema::CrmSchema;
use cpq_quoting::patch::READ_ONLY;
use cpq_store::schemas;

use crate::app::{matrix_text, open_store};
use crate::config::Config;
use crate::sides::salesforce_config;

/// Everything that is wrong with a matrix, against the field mapping and, where the org was described, the org.
/// Returns whether it was.
pub async fn check(config: &Config) -> Result<(Vec<Finding>, bool)> {
    let (text, from) = matrix_text(config)?;
    let crm = salesforce_config(&config.crm, &config.crm.connection)?;
    let schema = known_schema(config).await?;
    let synced = salesforce::mapping(&crm, None)?;
    let org = schema
        .as_ref()
        .map(|schema| salesforce::mapping(&crm, Some(schema)))
        .transpose()?;
    let stage = schema
        .as_ref()
        .and_then(|schema| schema.field("Opportunity", "StageName"));
    let ground = lint::Ground {
        synced: &synced,
        org: org.as_ref(),
        cpq_read_only: READ_ONLY,
        stages: stage.map(|field| field.choices.as_slice()).unwrap_or_default(),
        record_types: &[],
    };
    let findings = lint::lint(&text, &ground).map_err(|error| error.fact("file", from))?;
    Ok((findings, org.is_some()))
}

/// What the CRM said last about its objects; none without a store, which is not made for this.
async fn known_schema(config: &Config) -> Result<Option<CrmSchema>> {
    if !config.in_state_dir(&config.store.file).exists() {
        return Ok(None);
    }
    let store = open_store(config).await?;
    let name = config.crm.connection.clone();
    let known = store.read(move |tx| Box::pin(async move { schemas::get(tx, &name).await }));
    Ok(known.await?.map(|(schema, _)| schema))
}
