//! Which feeds of changes are followed: for each connection one that tells, one that asks, and the schedule. Connections
//! come and go while the service runs, also by commands of other processes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cpq_adapters::salesforce::pubsub::{self, PlatformEvent};
use cpq_adapters::salesforce::{FOUND_AFTER, Polling, SalesforceAdapter};
use cpq_domain::Result;
use cpq_domain::change::ChangeFeed;
use cpq_domain::id::ConnectionName;
use cpq_domain::run::Trigger;
use cpq_domain::vault::{StoredGrant, TokenVault};
use cpq_orchestrator::{Engine, FeedSettings, Follow, LookAgain, Subscription};
use jiff::SignedDuration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::{ChangesConfig, ChangesMode, FollowConfig};
use crate::sides::Connected;

/// How often to look for connections that came or went. A look reads the store and calls nobody.
const CONNECTIONS_LOOK: Duration = Duration::from_secs(2);
/// Time between two batches of the schedule.
const LOOK_AGAIN_EVERY: Duration = Duration::from_secs(600);

/// A sandbox on this machine answers at once, or is none.
const SANDBOX_PATIENCE: Duration = Duration::from_secs(2);

/// What the supervisor works with.
pub struct Supervisor {
    /// Settings.
    pub settings: ChangesConfig,
    /// Takes the runs.
    pub engine: Engine,
    /// Gives the adapters.
    pub sides: Arc<Connected>,
    /// Knows the connections.
    pub vault: Arc<dyn TokenVault>,
}

/// What is followed of a connection.
struct Followed {
    organization: String,
    stops: Vec<CancellationToken>,
}

impl Supervisor {
    /// Follows the changes of every connection for as long as the process lives; the readers end with the engine.
    pub fn start(self) {
        tokio::spawn(async move {
            let mut followed = HashMap::new();
            loop {
                if let Err(error) = self.round(&mut followed).await {
                    tracing::error!(code = %error.code, %error, "cannot look for connections");
                }
                tokio::time::sleep(CONNECTIONS_LOOK).await;
            }
        });
    }

    async fn round(&self, followed: &mut HashMap<ConnectionName, Followed>) -> Result<()> {
        let grants = self.vault.list().await?;
        followed.retain(|name, of| {
            let stays = grants.iter().any(|grant| {
                grant.settings.name == *name && grant.identity.organization_id == of.organization
            });
            if !stays {
                of.stops.iter().for_each(CancellationToken::cancel);
            }
            stays
        });
        for grant in grants {
            let name = grant.settings.name.clone();
            if followed.contains_key(&name) {
                continue;
            }
            // One connection that cannot be set up must not keep the others from being followed.
            match self.sides.salesforce(&name).await {
                Ok(crm) => {
                    let endpoint = self.endpoint(&name, &grant.identity.instance_url).await;
                    followed.insert(name, self.follow(&crm, grant, endpoint));
                }
                Err(error) => {
                    tracing::error!(connection = %name, code = %error.code, %error, "cannot follow changes");
                }
            }
        }
        Ok(())
    }

    fn follow(&self, crm: &SalesforceAdapter, grant: StoredGrant, endpoint: Option<String>) -> Followed {
        let (name, organization) = (grant.settings.name, grant.identity.organization_id);
        let settings = &self.settings;
        let often = Duration::from_secs(settings.poll_seconds);
        let seldom = Duration::from_secs(settings.safety_net_minutes * 60).max(often);
        let (pace, paced) = watch::channel(often);
        let polling = Arc::new(crm.polling(Polling {
            overlap: SignedDuration::from_mins(settings.overlap_minutes),
            rows: settings.page_rows,
            watched: settings.watch.clone(),
            pace: paced,
        }));
        let subscription = |feed: Arc<dyn ChangeFeed>, trigger| Subscription {
            connection: name.clone(),
            origin: organization.clone(),
            feed,
            sweep: polling.clone(),
            trigger,
            settings: feed_settings(settings),
            live: None,
        };
        let mut stops = Vec::new();
        if let Some(told) = self.telling(crm, endpoint) {
            let (live, is_live) = watch::channel(false);
            let told = Subscription {
                live: Some(live),
                ..subscription(told, Trigger::Event)
            };
            stops.push(self.engine.follow(told));
            tokio::spawn(set_pace(pace, is_live, often, seldom));
        }
        if settings.mode != ChangesMode::Off {
            stops.push(self.engine.follow(subscription(polling.clone(), Trigger::Poll)));
        }
        if settings.look_again_hours > 0 {
            let again = LookAgain {
                after: SignedDuration::from_hours(settings.look_again_hours.into()),
                every: LOOK_AGAIN_EVERY,
                batch: settings.look_again_batch,
            };
            stops.push(self.engine.look_again(name, again));
        }
        Followed { organization, stops }
    }

    /// The feed by which the CRM tells of changes by itself, where that is wanted and possible.
    fn telling(&self, crm: &SalesforceAdapter, endpoint: Option<String>) -> Option<Arc<dyn ChangeFeed>> {
        let settings = topics(&self.settings, endpoint?);
        let made = crm.pubsub(settings);
        made.inspect_err(|error| {
            tracing::error!(code = %error.code, %error, "events cannot be read; looking for changes instead");
        })
        .ok()
    }

    /// Where the events of an organisation are told, for people's eyes too if it is not known.
    async fn endpoint(&self, connection: &ConnectionName, instance_url: &str) -> Option<String> {
        let told = endpoint(&self.settings, instance_url).await;
        if told.is_none() && self.settings.mode == ChangesMode::Events {
            let seconds = self.settings.poll_seconds;
            tracing::warn!(
                %connection,
                "{instance_url} does not say where it tells of changes, and changes.pubsub_endpoint is empty; looking for changes every {seconds} s instead"
            );
        }
        told
    }
}

/// What the Pub/Sub API is asked for.
pub fn topics(settings: &ChangesConfig, endpoint: String) -> pubsub::Settings {
    let events = settings.events.iter().map(|(topic, field)| PlatformEvent {
        topic: topic.clone(),
        field: field.clone(),
    });
    pubsub::Settings {
        endpoint,
        topics: settings.topics.clone(),
        events: events.collect(),
        ..pubsub::Settings::default()
    }
}

/// Where the events of an organisation are told; none where they are not wanted, or nobody tells them.
pub async fn endpoint(settings: &ChangesConfig, instance_url: &str) -> Option<String> {
    if settings.mode != ChangesMode::Events {
        return None;
    }
    if !settings.pubsub_endpoint.is_empty() {
        return Some(settings.pubsub_endpoint.clone());
    }
    if !url::Url::parse(instance_url).is_ok_and(|url| cpq_auth::is_loopback(&url)) {
        return Some(pubsub::Settings::default().endpoint);
    }
    // A sandbox on this machine says itself where it tells of changes.
    sandbox_endpoint(instance_url).await
}

async fn sandbox_endpoint(instance_url: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Info {
        pub_sub_endpoint: String,
    }
    let http = reqwest::Client::builder()
        .timeout(SANDBOX_PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .ok()?;
    let asked = http
        .get(format!("{instance_url}/sandbox/info"))
        .send()
        .await
        .ok()?;
    let info: Info = serde_json::from_slice(&asked.bytes().await.ok()?).ok()?;
    Some(format!("http://{}", info.pub_sub_endpoint))
}

/// While the CRM tells of changes, asking is a safety net and costs few calls; where it does not, asking takes its place.
/// The CRM does not say when a new subscription has begun, and one that has no mark yet begins with what comes next. So
/// asking goes on until a whole round was begun after all that came in between can be found.
async fn set_pace(
    pace: watch::Sender<Duration>,
    mut is_live: watch::Receiver<bool>,
    often: Duration,
    seldom: Duration,
) {
    loop {
        let live = *is_live.borrow_and_update();
        pace.send_replace(often);
        if live {
            match tokio::time::timeout(often * 2 + FOUND_AFTER, is_live.changed()).await {
                Ok(Ok(())) => continue,
                Ok(Err(_)) => return,
                Err(_) => drop(pace.send_replace(seldom)),
            }
        }
        // The reader of the events holds the other end; with it this ends too.
        if is_live.changed().await.is_err() {
            return;
        }
    }
}

fn feed_settings(settings: &ChangesConfig) -> FeedSettings {
    FeedSettings {
        follow: match settings.follow {
            FollowConfig::Quoted => Follow::Quoted,
            FollowConfig::All => Follow::All,
        },
        overlap: SignedDuration::from_mins(settings.overlap_minutes),
        backlog_max: settings.backlog_max,
    }
}
