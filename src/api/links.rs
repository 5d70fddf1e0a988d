//! Where people look at the records that a sync is about: the opportunity in the CRM, the quote in the CPQ.

use cpq_domain::Result;
use cpq_domain::run::Run;
use cpq_store::{grants, links};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::state::ApiState;

/// Where the records of a sync can be looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Links {
    /// The opportunity in the CRM; absent while no sync has found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crm: Option<String>,
    /// The quote in the CPQ; absent where there is none, or `cpq.quote_page` does not say where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpq: Option<String>,
}

/// The links of a sync.
pub(crate) async fn of(api: &ApiState, run: &Run) -> Result<Links> {
    let lane = run.lane.clone();
    let found = api.store.read(move |tx| {
        let lane = lane.clone();
        Box::pin(async move {
            let link = links::by_opportunity(tx, &lane.connection, &lane.opportunity).await?;
            let grant = grants::load(tx, &lane.connection).await?;
            Ok(link.zip(grant))
        })
    });
    let Some((link, grant)) = found.await? else {
        return Ok(Links::default());
    };
    let instance = grant.identity.instance_url.trim_end_matches('/').to_owned();
    let page = api.settings.quote_page.as_deref();
    Ok(Links {
        // Salesforce leads from the bare id to the page of the record, in whichever look the user has.
        crm: (!instance.is_empty()).then(|| format!("{instance}/{}", link.opportunity_id.as_str())),
        cpq: page.map(|page| {
            page.replace("{number}", &encoded(link.quote_number.as_str()))
                .replace("{id}", &encoded(link.quote_root_id.as_str()))
        }),
    })
}

/// As part of a path or of a query.
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
