//! An opportunity of which something is kept, as a command names it.

use cpq_domain::Result;
use cpq_domain::error::{Code, Error, Written};
use cpq_domain::id::{ConnectionName, OpportunityKey};
use cpq_store::Store;
use cpq_store::links::{self, Link};
use cpq_store::purge::{Removed, Subject};

use crate::config::Config;

/// The link of the opportunity with this number or CRM id; of the configured connection, if none is named.
///
/// [`Code::OpportunityNotFound`] when it was never synced.
pub async fn link(store: &Store, config: &Config, connection: Option<&str>, key: &str) -> Result<Link> {
    let connection = match connection {
        Some(name) => ConnectionName::new(name)?,
        None => config.crm.connection.clone(),
    };
    let key = OpportunityKey::new(key)?;
    let (of, wanted) = (connection.clone(), key.clone());
    let link = store
        .read(move |tx| Box::pin(async move { links::by_opportunity(tx, &of, &wanted).await }))
        .await?;
    link.ok_or_else(|| {
        let message = format!("opportunity {key} was never synced, so nothing of it is kept");
        Error::new(Code::OpportunityNotFound, message)
            .connection(connection.as_str())
            .record(key.as_str())
            .written(Written::No)
    })
}

/// What is to be removed of it.
pub fn subject(link: Link) -> Subject {
    Subject {
        connection: link.connection,
        opportunity_id: link.opportunity_id,
        opportunity_number: link.opportunity_number,
    }
}

/// How much was removed, in one line.
pub fn counts(removed: &Removed) -> String {
    format!(
        "journals={} rows={} bytes={} decisions={} conflicts={} agreements={} answers={} keys={} deliveries={} \
         certificates={}",
        removed.runs,
        removed.rows,
        removed.bytes,
        removed.decisions,
        removed.conflicts,
        removed.bases,
        removed.answers,
        removed.keys,
        removed.deliveries,
        removed.certificates
    )
}
