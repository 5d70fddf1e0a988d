//! GetTopic and GetSchema.

use super::refusal::{Reason, Refusal};
use super::rpc::Rpc;
use super::wire::{SchemaInfo, TopicInfo};
use crate::events::{NoTopic, Topic};
use crate::state::{Sandbox, lock};

/// What there is to know about a topic.
///
/// # Errors
/// Blank and unknown names.
pub fn info(rpc: &Rpc, name: &str) -> Result<TopicInfo, Refusal> {
    let topic = find(&rpc.sandbox, name)?;
    Ok(TopicInfo {
        topic_name: topic.name.to_string(),
        tenant_guid: tenant(&rpc.sandbox),
        can_publish: topic.can_publish,
        can_subscribe: true,
        schema_id: topic.schema_id.to_string(),
        rpc_id: rpc.id.clone(),
    })
}

/// A schema by its id.
///
/// # Errors
/// Blank and unknown ids.
pub fn schema(rpc: &Rpc, id: &str) -> Result<SchemaInfo, Refusal> {
    if id.trim().is_empty() {
        return Err(Reason::SCHEMA_INVALID.into());
    }
    let schema = rpc.sandbox.events.schema(id).ok_or_else(|| {
        let org = tenant(&rpc.sandbox);
        Reason::SCHEMA_PERMISSION.because(format!(
            "An error occurred while getting the metadata for org {org} and schema {id}. Ensure the credentials and \
             schema ID are correct."
        ))
    })?;
    Ok(SchemaInfo {
        schema_json: schema.to_string(),
        schema_id: id.to_owned(),
        rpc_id: rpc.id.clone(),
    })
}

/// A topic by its name.
///
/// # Errors
/// Blank and unknown names, in the words of the real service.
pub fn find(sandbox: &Sandbox, name: &str) -> Result<Topic, Refusal> {
    let found = sandbox.events.topic(&lock(&sandbox.org), name);
    found.map_err(|why| match why {
        NoTopic::Blank => Reason::TOPIC_EMPTY.into(),
        NoTopic::Unknown => Reason::TOPIC_NOT_FOUND.because(format!(
            "The topic information for org {} and topic {name} not found. Ensure the topic name is correct and that \
             the topic exists.",
            tenant(sandbox)
        )),
    })
}

/// The org's name among all tenants, as it is seen in the real service's messages.
fn tenant(sandbox: &Sandbox) -> String {
    format!("CORE/prod/{}", lock(&sandbox.org).organization_id())
}
