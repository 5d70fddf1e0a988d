//! The CPQ: our own, or one elsewhere.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::adapter::{Call, CpqAdapter};
use cpq_domain::id::CorrelationId;
use cpq_domain::world::World;
use cpq_quoting::counter_name;
use cpq_store::{Store, counters};
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use super::finding::{Check, Group, within};
use crate::app::{quoting_settings, remote_cpq};
use crate::config::{Config, CpqKind};
use crate::sides::reach;
use crate::world::RealWorld;

const HERE: Group = Group::Cpq;
/// Time for a CPQ elsewhere: a whole call may take 30 s, and a healthy one takes less than one.
const ANSWER: Duration = Duration::from_secs(15);

/// The check.
pub async fn examine(config: &Config, store: Option<&Store>, offline: bool) -> Check {
    match (config.cpq.kind, store) {
        (CpqKind::Embedded, None) => Check::skipped(HERE, "embedded", "the store cannot be read"),
        (CpqKind::Embedded, Some(store)) => {
            let numbered = numbers(config, store).await;
            numbered.unwrap_or_else(|error| Check::failed(HERE, "embedded", &error))
        }
        (CpqKind::Rest, _) if offline => Check::skipped(HERE, "elsewhere", "--offline"),
        (CpqKind::Rest, _) => within(ANSWER, HERE, "elsewhere", elsewhere(config)).await,
    }
}

/// The number that the next quote gets.
async fn numbers(config: &Config, store: &Store) -> Result<Check> {
    let settings = quoting_settings(config, store).await?;
    let this = RealWorld::new().now().to_zoned(TimeZone::UTC).year();
    let year = settings.year.unwrap_or(this);
    let last = store
        .read(move |tx| Box::pin(async move { counters::peek(tx, &counter_name(year)).await }))
        .await?;
    let next = settings
        .number_format
        .number(year, u64::try_from(last + 1).unwrap_or(1))?;
    let pinned = match settings.year {
        Some(_) => format!("; the year {year} is pinned"),
        None => String::new(),
    };
    Ok(Check::ok(
        HERE,
        "embedded",
        format!("quotes live in the store; the next number is {next}{pinned}"),
    ))
}

/// Whether the token is good and the contract is spoken: one page of one quote is asked for.
async fn elsewhere(config: &Config) -> Check {
    let (name, url) = ("elsewhere", &config.cpq.url);
    let asked = async {
        let cpq = remote_cpq(config, Arc::new(RealWorld::new()))?;
        let call = Call::live(CorrelationId::new("doctor")?);
        cpq.page(&call, config.crm.connection.as_str(), None, None, 1)
            .await
    };
    match asked.await {
        Err(error) => Check::failed(HERE, name, &error),
        Ok(_) => {
            let version = match version(config).await {
                Some(version) => format!("its API description says version {version}"),
                None => "it tells no version".to_owned(),
            };
            Check::ok(
                HERE,
                name,
                format!("{url} takes the token and speaks the contract; {version}"),
            )
        }
    }
}

/// Version in the description that a CPQ may serve. It is no part of the contract.
async fn version(config: &Config) -> Option<String> {
    let http = reach(config.cpq.private_network).client(&[], ANSWER).ok()?;
    let path = format!("{}/api/v1/openapi.json", config.cpq.url.trim_end_matches('/'));
    let document: Json = http.get(path).send().await.ok()?.json().await.ok()?;
    Some(document["info"]["version"].as_str()?.to_owned())
}
