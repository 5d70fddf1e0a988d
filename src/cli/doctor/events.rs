//! Whether the CRM tells of changes as the configuration wants it to.

use std::collections::BTreeSet;
use std::time::Duration;

use cpq_adapters::salesforce::{SalesforceAdapter, Watched};

use super::connections::{Patient, call};
use super::finding::{Check, Group, within};
use crate::changes::{endpoint, topics};
use crate::config::ChangesMode;

const HERE: Group = Group::Connection;
const NAME: &str = "change events";
/// The channel with the changes of every object that is selected.
const EVERY_CHANGE: &str = "/data/ChangeEvents";
/// Time for opening the Pub/Sub API and asking for each topic.
const ANSWER: Duration = Duration::from_secs(15);

/// The check.
pub async fn examine(patient: &Patient, crm: &SalesforceAdapter) -> Check {
    let settings = &patient.ground.config.changes;
    let every = settings.poll_seconds;
    match settings.mode {
        ChangesMode::Off => Check::ok(
            HERE,
            NAME,
            "changes.mode is \"off\": only requests, webhooks and the schedule lead to syncs",
        ),
        ChangesMode::Polling => Check::ok(
            HERE,
            NAME,
            format!("changes.mode is \"polling\": looked for every {every} s"),
        ),
        ChangesMode::Events => within(ANSWER, HERE, NAME, told(patient, crm)).await.softened(),
    }
}

/// Where events cannot be read, changes are looked for instead: so it is a warning.
async fn told(patient: &Patient, crm: &SalesforceAdapter) -> Check {
    let settings = &patient.ground.config.changes;
    let every = settings.poll_seconds;
    let instead = format!("changes are looked for every {every} s instead");
    let Some(endpoint) = endpoint(settings, &patient.status.identity.instance_url).await else {
        let found = format!("the CRM does not say where it tells of changes; {instead}");
        return Check::warn(
            HERE,
            NAME,
            found,
            "name the Pub/Sub API in changes.pubsub_endpoint",
        );
    };
    if let Err(error) = crm.may_follow(topics(settings, endpoint.clone())).await {
        return Check::failed(HERE, NAME, &error).with([instead]);
    }
    let found = format!("{} can be read at {endpoint}", settings.topics.join(", "));
    if !settings.topics.iter().any(|topic| topic == EVERY_CHANGE) {
        return Check::ok(HERE, NAME, found);
    }
    let asked = async { crm.captured(&call()?).await };
    match asked.await {
        Ok(Some(selected)) => judged(patient, found, &selected),
        Ok(None) => Check::ok(
            HERE,
            NAME,
            format!("{found}; our user may not see which objects are selected"),
        ),
        Err(error) => Check::failed(HERE, NAME, &error),
    }
}

/// Whether the objects that are watched are among those that the org tells of.
fn judged(patient: &Patient, found: String, selected: &BTreeSet<String>) -> Check {
    let config = &patient.ground.config;
    let minutes = config.changes.safety_net_minutes;
    let silent: Vec<&str> = config
        .changes
        .watch
        .iter()
        .map(|watched| object(*watched, &config.crm.quote_object))
        .filter(|object| !object.is_empty() && !selected.iter().any(|name| name.eq_ignore_ascii_case(object)))
        .collect();
    match silent.is_empty() {
        true => Check::ok(HERE, NAME, format!("{found}, and tell of all that is watched")),
        false => Check::warn(
            HERE,
            NAME,
            format!(
                "{found}, and tell nothing of {}: looked for every {minutes} min",
                silent.join(", ")
            ),
            "select them in the CRM: Setup, Change Data Capture; or take them out of changes.watch",
        ),
    }
}

fn object(watched: Watched, quote: &str) -> &str {
    match watched {
        Watched::Opportunity => "Opportunity",
        Watched::Account => "Account",
        Watched::Line => "OpportunityLineItem",
        Watched::ContactRole => "OpportunityContactRole",
        Watched::Quote => quote,
    }
}
