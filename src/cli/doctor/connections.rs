//! The connections to CRMs: grant, scopes, a real call, clock, calls left, and what the store knows of each.

use std::sync::Arc;
use std::time::Duration;

use cpq_adapters::salesforce::SalesforceAdapter;
use cpq_auth::{Broker, ConnectionStatus};
use cpq_domain::Result;
use cpq_domain::adapter::{Call, CallBudget, CrmAdapter};
use cpq_domain::breaker::Breaker;
use cpq_domain::change::FeedState;
use cpq_domain::id::{ConnectionName, CorrelationId};
use cpq_domain::vault::GrantState;
use cpq_domain::world::World;
use cpq_store::positions::Standing;
use cpq_store::{Store, Vault, circuits, positions};
use futures_util::{StreamExt, stream};

use super::finding::{Check, Group, count, within};
use super::store::{CLOCKS_MS, apart};
use super::{events, fields, reach};
use crate::app::{auth_options, keyring};
use crate::config::{ChangesMode, Config};
use crate::sides::salesforce_config;

const HERE: Group = Group::Connection;
/// Time for a renewal, which may wait for one that another process makes.
const RENEWAL: Duration = Duration::from_secs(20);
/// Time for one call.
const CALL: Duration = Duration::from_secs(15);
/// Connections that are examined at the same time: each makes a few calls and holds some descriptions.
const AT_ONCE: usize = 8;
/// Share of the day's calls, in percent, from which somebody should know.
const MANY_CALLS: u64 = 80;

/// What the checks stand on.
pub struct Ground {
    /// Configuration.
    pub config: Arc<Config>,
    /// Store.
    pub store: Store,
    /// Clock.
    pub world: Arc<dyn World>,
    /// Whether nobody outside is called.
    pub offline: bool,
}

/// One connection under examination.
pub struct Patient {
    /// Ground of all checks.
    pub ground: Arc<Ground>,
    /// What is known of it.
    pub status: ConnectionStatus,
    broker: Arc<Broker>,
}

/// The checks of all connections, or of one.
pub async fn examine(ground: &Arc<Ground>, only: Option<ConnectionName>) -> Vec<Check> {
    let opened = open(ground).await;
    let (broker, list) = match opened {
        Ok(opened) => opened,
        Err(error) => return vec![Check::failed(HERE, "grants", &error)],
    };
    let wanted: Vec<ConnectionStatus> = list
        .into_iter()
        .filter(|one| only.as_ref().is_none_or(|only| one.settings.name == *only))
        .collect();
    if wanted.is_empty() {
        let usual = &ground.config.crm.connection;
        let check = match &only {
            Some(name) => Check::fail(
                HERE,
                "grant",
                format!("there is no connection named {name}"),
                format!(
                    "run `cpq auth connect-crm --name {name}`; `cpq auth status` lists those that there are"
                ),
            ),
            None => none(usual),
        };
        let fields = fields::without_org(ground, only.as_ref().unwrap_or(usual)).await;
        return [vec![check], fields].concat();
    }
    let default = absent(ground, &only, &wanted);
    let one = |status| {
        let (ground, broker) = (ground.clone(), broker.clone());
        async move {
            let patient = Patient {
                ground,
                status,
                broker,
            };
            patient.examine().await
        }
    };
    let examined = stream::iter(wanted.into_iter().map(one)).buffered(AT_ONCE);
    let examined: Vec<Vec<Check>> = examined.collect().await;
    default
        .into_iter()
        .chain(examined.into_iter().flatten())
        .collect()
}

/// Commands that name no connection mean the configured one.
fn absent(ground: &Ground, only: &Option<ConnectionName>, there: &[ConnectionStatus]) -> Option<Check> {
    let usual = &ground.config.crm.connection;
    let known = only.is_some() || there.iter().any(|one| one.settings.name == *usual);
    let names: Vec<&str> = there.iter().map(|one| one.settings.name.as_str()).collect();
    (!known).then(|| {
        Check::warn(
            HERE,
            "default",
            format!(
                "commands that name no connection mean {usual}, which is not connected; {} is",
                names.join(", ")
            ),
            format!("name another one in crm.connection, or run `cpq auth connect-crm --name {usual}`"),
        )
    })
}

/// Nobody has logged in yet.
pub fn none(usual: &ConnectionName) -> Check {
    let found = "no CRM is connected, so nothing can be synced";
    Check::fail(
        HERE,
        "grant",
        found,
        format!("run `cpq auth connect-crm --name {usual}`"),
    )
}

async fn open(ground: &Ground) -> Result<(Arc<Broker>, Vec<ConnectionStatus>)> {
    let keyring = keyring_that_is_there(&ground.config, ground.world.as_ref())?;
    let vault = Arc::new(Vault(ground.store.clone()));
    let broker = Broker::new(
        vault,
        ground.world.clone(),
        keyring,
        auth_options(&ground.config)?,
    )?;
    let list = broker.status().await?;
    Ok((Arc::new(broker), list))
}

/// The sealing keys; without a file one key that is kept nowhere, as looking makes none.
fn keyring_that_is_there(config: &Config, world: &dyn World) -> Result<cpq_auth::Keyring> {
    let file = config.in_state_dir(&config.sealing.key_file);
    let is_named = std::env::var(crate::app::KEY_VARIABLE).is_ok_and(|value| !value.is_empty());
    match is_named || file.exists() {
        true => keyring(config, world),
        false => Ok(cpq_auth::Keyring::passing(world)),
    }
}

impl Patient {
    /// Name of the connection.
    pub fn name(&self) -> &ConnectionName {
        &self.status.settings.name
    }

    async fn examine(self) -> Vec<Check> {
        let (hosts, chain, known) = tokio::join!(self.hosts(), self.chain(), self.known());
        let checks = [chain, hosts, known].concat();
        let name = self.name().as_str();
        checks.into_iter().map(|check| check.of(name)).collect()
    }

    async fn hosts(&self) -> Vec<Check> {
        match self.ground.offline {
            true => vec![Check::skipped(HERE, "hosts", "--offline")],
            false => reach::hosts(self).await,
        }
    }

    /// What depends on each other: the grant, a fresh token, a call, and what is asked with it.
    async fn chain(&self) -> Vec<Check> {
        let mut checks = vec![self.grant(), self.scopes()];
        let dead = checks[0].verdict == super::finding::Verdict::Fail;
        if self.ground.offline || dead {
            let why = if dead {
                "the grant cannot be used"
            } else {
                "--offline"
            };
            checks.extend(["token", "API", "change events"].map(|name| Check::skipped(HERE, name, why)));
            checks.extend(fields::from_store(self).await);
            return checks;
        }
        let token = within(RENEWAL, HERE, "token", self.token()).await;
        let renewed = token.verdict == super::finding::Verdict::Ok;
        checks.push(token);
        match self.adapter() {
            Err(error) => checks.push(Check::failed(HERE, "API", &error)),
            Ok(_) if !renewed => {
                let why = "no token could be had";
                checks.extend(["API", "change events"].map(|name| Check::skipped(HERE, name, why)));
                checks.extend(fields::from_store(self).await);
            }
            Ok(crm) => {
                let (calls, fields, events) = tokio::join!(
                    self.calls(&crm),
                    fields::from_org(self, &crm),
                    events::examine(self, &crm)
                );
                checks.extend([calls, fields, vec![events]].concat());
            }
        }
        checks
    }

    fn grant(&self) -> Check {
        let (name, status) = ("grant", &self.status);
        let again = format!(
            "run `cpq auth connect-crm --name {}`; waiting syncs go on by themselves",
            self.name()
        );
        match &status.state {
            GrantState::Dead { reason, since } => Check::fail(
                HERE,
                name,
                format!("dead since {since:.0}: the CRM refused it: {reason}"),
                again,
            ),
            GrantState::Active if !status.opens => Check::fail(
                HERE,
                name,
                format!("sealed with the key {}, which is not here", status.sealing_key),
                format!("put that key back, or {again}"),
            ),
            GrantState::Active => {
                let (who, refreshed) = (&status.identity, status.refreshed_at);
                let found = format!(
                    "{} in {}, tokens of {refreshed:.0}",
                    who.username, who.organization_id
                );
                Check::ok(HERE, name, found)
            }
        }
    }

    fn scopes(&self) -> Check {
        let granted = self.status.identity.scopes.join(" ");
        match self.status.excess_scopes() {
            Err(error) => Check::failed(HERE, "scopes", &error),
            Ok(excess) if excess.is_empty() => Check::ok(HERE, "scopes", format!("{granted}, as needed")),
            Ok(excess) => Check::warn(
                HERE,
                "scopes",
                format!(
                    "{granted}; not needed: {}, which a thief of the token could use",
                    excess.join(" ")
                ),
                format!(
                    "take them away from the app in the CRM, then run `cpq auth connect-crm --name {}`",
                    self.name()
                ),
            ),
        }
    }

    /// Whether the refresh token is good too: the access token alone would hide that until it ends.
    async fn token(&self) -> Check {
        match self.broker.refresh(self.name()).await {
            Ok(access) => Check::ok(
                HERE,
                "token",
                format!("renewed just now, generation {}", access.generation),
            ),
            Err(error) => Check::failed(HERE, "token", &error),
        }
    }

    fn adapter(&self) -> Result<SalesforceAdapter> {
        SalesforceAdapter::new(
            salesforce_config(&self.ground.config.crm, self.name())?,
            Arc::new(self.broker.session(self.name())),
            self.ground.world.clone(),
            None,
        )
    }

    /// A real call, the calls that are left, and the CRM's clock.
    async fn calls(&self, crm: &SalesforceAdapter) -> Vec<Check> {
        let asked = async {
            match crm.probe(&call()?).await {
                Ok(probe) => Ok((probe, crm.clock())),
                Err(error) => Err(error),
            }
        };
        let (probe, theirs) = match tokio::time::timeout(CALL, asked).await {
            Err(_) => {
                let found = format!("no answer within {} s", CALL.as_secs());
                return vec![Check::fail(
                    HERE,
                    "API",
                    found,
                    "try again; see https://status.salesforce.com",
                )];
            }
            Ok(Err(error)) => return vec![Check::failed(HERE, "API", &error)],
            Ok(Ok(answered)) => answered,
        };
        let found = format!(
            "version {} answers at {}",
            probe.api_version, probe.identity.instance_url
        );
        let mut checks = vec![Check::ok(HERE, "API", found)];
        checks.extend(probe.budget.map(budget));
        checks.extend(theirs.map(|theirs| {
            let ahead = crate::world::RealWorld::new().now().as_millisecond() - theirs.as_millisecond();
            clock(ahead)
        }));
        checks
    }

    /// What the store knows: whether it is called, and how its feeds fare.
    async fn known(&self) -> Vec<Check> {
        let read = self
            .ground
            .store
            .read(|tx| Box::pin(async move { Ok((circuits::list(tx).await?, positions::list(tx).await?)) }));
        match read.await {
            Err(error) => vec![Check::failed(HERE, "circuit", &error)],
            Ok((circuits, feeds)) => {
                let open = circuits.into_iter().find(|(name, _)| name == self.name());
                let feeds: Vec<Standing> = feeds
                    .into_iter()
                    .filter(|feed| feed.connection == *self.name())
                    .collect();
                vec![circuit(open.map(|(_, breaker)| breaker)), self.feeds(&feeds)]
            }
        }
    }

    fn feeds(&self, feeds: &[Standing]) -> Check {
        let name = "feeds";
        if self.ground.config.changes.mode == ChangesMode::Off {
            return Check::ok(HERE, name, "changes.mode is \"off\": none is read");
        }
        let now = self.ground.world.now();
        let read = |feed: &&Standing| feed.lease.as_ref().is_some_and(|(_, until)| *until > now);
        let trouble = feeds
            .iter()
            .filter(|feed| read(feed) && feed.state != FeedState::Live);
        let words: Vec<String> = trouble
            .map(|feed| {
                let error = feed
                    .error
                    .as_ref()
                    .map_or(String::new(), |(error, _)| format!(": {}", error.message));
                format!("{} is {}{error}", feed.feed, feed.state.as_str())
            })
            .collect();
        match (feeds.iter().filter(read).count(), words.is_empty()) {
            (0, _) => Check::warn(
                HERE,
                name,
                "no process reads the changes of this CRM",
                "start `cpq serve`: it reads on where it stood",
            ),
            (_, false) => Check::warn(
                HERE,
                name,
                "changes are not read as they should be",
                "`cpq feeds` says what to do",
            )
            .with(words),
            (reads, true) => Check::ok(
                HERE,
                name,
                format!("{} read", count(reads, "feed is", "feeds are")),
            ),
        }
    }
}

/// The call that checks are made with.
pub fn call() -> Result<Call> {
    Ok(Call::live(CorrelationId::new("doctor")?))
}

fn budget(budget: CallBudget) -> Check {
    let name = "API calls";
    let share = (budget.used * 100).checked_div(budget.max).unwrap_or(0);
    let found = format!("{} of {} used in 24 hours ({share} %)", budget.used, budget.max);
    let fix =
        "find who else calls this org (Setup, System Overview), or buy more; `cpq connections` tells of ours";
    match share {
        100.. => Check::fail(HERE, name, format!("{found}: the CRM refuses calls"), fix),
        MANY_CALLS.. => Check::warn(HERE, name, found, fix),
        _ => Check::ok(HERE, name, found),
    }
}

fn clock(ahead_ms: i64) -> Check {
    let words = apart(ahead_ms, "the CRM");
    match ahead_ms.abs() > CLOCKS_MS {
        true => Check::warn(
            HERE,
            "clock",
            format!("{words}; writes on condition, signatures of webhooks and logins go by the clock"),
            "keep this machine on NTP: `timedatectl` tells whether it is",
        ),
        false => Check::ok(HERE, "clock", words),
    }
}

fn circuit(open: Option<Breaker>) -> Check {
    match open {
        None => Check::ok(HERE, "circuit", "calls may be made"),
        Some(breaker) => Check::warn(
            HERE,
            "circuit",
            format!(
                "not called since {:.0} ({}): {}",
                breaker.opened_at,
                breaker.hold.as_str(),
                breaker.report.message
            ),
            format!(
                "nothing: a service tries again at {:.0}; `cpq connections` shows what waits",
                breaker.due_at
            ),
        ),
    }
}
