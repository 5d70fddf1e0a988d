//! The roof: the only place that knows everybody, and wires them.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use cpq_adapters::rest_cpq::{Config as RestCpqConfig, RestCpqAdapter};
use cpq_adapters::salesforce;
use cpq_api::{ApiSettings, ApiState, Figures, Hosts, Organizations, PathSecret, Rate, Throttle};
use cpq_auth::{Broker, Keyring};
use cpq_domain::Result;
use cpq_domain::adapter::{Call, CpqAdapter, CrmAdapter};
use cpq_domain::desk::QuoteDesk;
use cpq_domain::error::{Code, Error};
use cpq_domain::id::{ConnectionName, CorrelationId};
use cpq_domain::vault::TokenVault;
use cpq_domain::world::World;
use cpq_orchestrator::{Engine, EngineSettings, ReconcileSettings, Sides};
use cpq_quoting::EmbeddedCpq;
use cpq_store::{Store, StoreOptions, Vault, runs, schemas, settings};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use crate::changes::Supervisor;
use crate::config::{ChangesConfig, Config, CpqKind, ServiceConfig};
use crate::door::Door;
use crate::fixtures::YEAR_SETTING;
use crate::matrix;
use crate::quote_feed;
use crate::reconcile_schedule;
use crate::retention;
use crate::sides::{Connected, salesforce_config};
use crate::world::SharedWorld;

/// Variable that takes the place of the key file.
pub const KEY_VARIABLE: &str = "CPQ_SEALING_KEY";

/// Whether a process serves, or lives as long as one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `cpq serve`: works on everything that waits.
    Service,
    /// Any other command: works on what it is asked for.
    Command,
}

/// Everything, wired.
pub struct App {
    /// Store.
    pub store: Store,
    /// Clock and random bytes.
    pub world: Arc<dyn World>,
    /// Tokens.
    pub broker: Arc<Broker>,
    /// Syncs.
    pub engine: Engine,
    desk: Option<Arc<dyn QuoteDesk>>,
    sides: Arc<Connected>,
    vault: Arc<dyn TokenVault>,
    matrix: Arc<matrix::Live>,
    config: Arc<Config>,
    settings: ApiSettings,
    throttle: Throttle,
    figures: Figures,
    damage: retention::Damage,
}

impl App {
    /// Opens the store of the state directory and wires everything over it.
    pub async fn open(config: &Config, role: Role) -> Result<App> {
        let store = open_store(config).await?;
        App::over(config, role, store.clone(), store).await
    }

    /// Wires everything over `store`, with the grants and schemas of `grants`. The two differ only for the acceptance
    /// suite, which must leave nothing behind.
    pub async fn over(config: &Config, role: Role, store: Store, grants: Store) -> Result<App> {
        // A mapping that makes no sense is told at the start, not by the first sync.
        salesforce::mapping(&salesforce_config(&config.crm, &config.crm.connection)?, None)?;
        let world: Arc<dyn World> = Arc::new(SharedWorld::of(&store));
        let matrix = Arc::new(matrix::Live::load(config, &grants, world.as_ref()).await?);
        let vault: Arc<dyn TokenVault> = Arc::new(Vault(grants.clone()));
        let keyring = keyring(config, world.as_ref())?;
        let broker = Arc::new(Broker::new(
            vault.clone(),
            world.clone(),
            keyring,
            auth_options(config)?,
        )?);
        let quoting = quoting_settings(config, &store).await?;
        let embedded = Arc::new(EmbeddedCpq::new(store.clone(), world.clone(), quoting)?);
        let (cpq, desk) = cpq(config, &embedded, &world)?;
        let sides = Connected::new(
            config.crm.clone(),
            broker.clone(),
            vault.clone(),
            world.clone(),
            grants.clone(),
            cpq,
            matrix.clone(),
        );
        let sides = Arc::new(sides);
        let engine = Engine::new(
            store.clone(),
            sides.clone(),
            world.clone(),
            engine_settings(config, role, world.as_ref()),
        );
        engine.start();
        if role == Role::Service {
            quote_feed::start(store.clone(), &embedded, sides.clone(), engine.clone());
            matrix.clone().follow(config.clone(), grants, world.clone());
            reconcile_schedule::start(
                config.reconcile.clone(),
                store.clone(),
                sides.vault(),
                world.clone(),
                engine.clone(),
            );
        }
        let damage = match role {
            Role::Service => retention::start(store.clone(), world.clone(), config.retention.clone()),
            Role::Command => retention::Damage::default(),
        };
        let settings = api_settings(config)?;
        let throttle = Throttle::new(rate(&config.service));
        Ok(App {
            store,
            world,
            broker,
            engine,
            desk,
            sides,
            vault,
            matrix,
            config: Arc::new(config.clone()),
            settings,
            throttle,
            figures: Figures::default(),
            damage,
        })
    }

    /// Follows the changes of every connection, until the engine stops. A service does; a command does not.
    pub fn follow_changes(&self, settings: ChangesConfig) {
        let supervisor = Supervisor {
            settings,
            engine: self.engine.clone(),
            sides: self.sides.clone(),
            vault: self.vault.clone(),
        };
        supervisor.start();
    }

    /// Serves API and dashboard at the door until `stop`.
    pub async fn serve(&self, door: Door, stop: CancellationToken) {
        let router = cpq_dashboard::over(self.api_state(stop.clone()));
        if let Err(error) = cpq_api::serve(door.listener, door.tls, router, stop.cancelled_owned()).await {
            tracing::error!(code = %error.code, error = %error, "the API ended");
        }
    }

    /// Serves the API on a free loopback port. Returns its URL, what stops it, and its end.
    pub async fn host(&self) -> Result<(String, CancellationToken, tokio::task::JoinHandle<()>)> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .map_err(|error| {
                Error::new(Code::PortInUse, "cannot listen on any loopback port").cause(error)
            })?;
        let address = listener
            .local_addr()
            .map_err(|error| Error::new(Code::Internal, "a listener without address").cause(error))?;
        let stop = CancellationToken::new();
        let router = cpq_dashboard::over(self.api_state(stop.clone()));
        let served = cpq_api::serve(listener, None, router, stop.clone().cancelled_owned());
        let served = tokio::spawn(async move { drop(served.await) });
        Ok((format!("http://{address}"), stop, served))
    }

    /// Asks the CRM what its objects look like and keeps the answer, so that no sync has to ask. Returns what cannot be
    /// synced there, each with its reason.
    pub async fn describe(&self, name: &ConnectionName) -> Result<Vec<String>> {
        describe(&self.sides, &self.store, self.world.as_ref(), name).await
    }

    /// The CRM behind a connection.
    pub async fn crm(&self, name: &ConnectionName) -> Result<Arc<dyn CrmAdapter>> {
        Ok(self.sides.salesforce(name).await?)
    }

    /// The CPQ.
    pub fn cpq(&self) -> Arc<dyn CpqAdapter> {
        self.sides.cpq()
    }

    /// The embedded CPQ, if quotes live here.
    pub fn desk(&self) -> Option<Arc<dyn QuoteDesk>> {
        self.desk.clone()
    }

    /// Both systems, as the engine finds them.
    pub fn sides(&self) -> Arc<dyn Sides> {
        self.sides.clone()
    }

    /// Another engine on the same store, over other sides.
    pub fn engine_over(&self, sides: Arc<dyn Sides>) -> Engine {
        let settings = EngineSettings::named(format!("{}-{}", std::process::id(), self.world.uuid()));
        let engine = Engine::new(
            self.store.clone(),
            sides,
            self.world.clone(),
            EngineSettings {
                works_backlog: false,
                ..settings
            },
        );
        engine.start();
        engine
    }

    /// Submits syncs for quotes that changed. A service does so by itself; a single command does it before it ends.
    pub async fn follow_quotes(&self) -> Result<()> {
        quote_feed::catch_up(&self.store, self.sides.as_ref(), &self.engine, &mut None).await
    }

    /// Lets syncs that wait for this connection go on.
    pub async fn resume(&self, name: &ConnectionName) -> Result<usize> {
        self.engine.resume(name).await
    }

    /// What is done once a connection is made: the login is good whatever the CRM says of its objects.
    fn welcome(&self) -> cpq_api::Welcome {
        let (sides, store, world) = (self.sides.clone(), self.store.clone(), self.world.clone());
        let engine = self.engine.clone();
        Arc::new(move |name| {
            let (sides, store, world, engine) = (sides.clone(), store.clone(), world.clone(), engine.clone());
            Box::pin(async move {
                let described = describe(&sides, &store, world.as_ref(), &name).await;
                let warnings = described.unwrap_or_else(|error| vec![error.to_string()]);
                Ok((warnings, engine.resume(&name).await?))
            })
        })
    }

    fn api_state(&self, stop: CancellationToken) -> ApiState {
        let matrix = self.matrix.clone();
        ApiState {
            engine: self.engine.clone(),
            store: self.store.clone(),
            desk: self.desk.clone(),
            world: self.world.clone(),
            matrix: Arc::new(move || matrix.in_force()),
            findings: findings(&self.config, &self.store),
            broker: self.broker.clone(),
            welcome: self.welcome(),
            organizations: organizations(self.broker.clone()),
            settings: Arc::new(self.settings.clone()),
            readiness: readiness(self.damage.clone()),
            readers: ApiState::places(),
            throttle: self.throttle.clone(),
            stopping: stop,
            figures: self.figures.clone(),
        }
    }
}

/// What is wrong with the matrix in force.
fn findings(config: &Arc<Config>, store: &Store) -> cpq_api::Findings {
    let (config, store) = (config.clone(), store.clone());
    Arc::new(move || {
        let (config, store) = (config.clone(), store.clone());
        Box::pin(async move {
            let text = matrix::Text::in_force(&config, Some(&store)).await?;
            matrix::check(&config, Some(&store), &text).await
        })
    })
}

async fn describe(
    sides: &Connected,
    store: &Store,
    world: &dyn World,
    name: &ConnectionName,
) -> Result<Vec<String>> {
    let crm = sides.salesforce(name).await?;
    let schema = crm.describe(&Call::live(CorrelationId::new("describe")?)).await?;
    let (name, now) = (name.clone(), world.now());
    store
        .write(move |tx| Box::pin(async move { schemas::put(tx, &name, &schema, now).await }))
        .await?;
    Ok(crm.mapping().warnings.clone())
}

/// What stands against being ready, beyond the store's answers.
fn readiness(damage: retention::Damage) -> cpq_api::Readiness {
    Arc::new(move || {
        let damage = damage.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reason = damage.map(|damage| format!("store: damaged ({damage}); see `cpq store check`"));
        Box::pin(async move { reason.into_iter().collect() })
    })
}

/// Which organization each connection leads to, as it was told at the login.
fn organizations(broker: Arc<Broker>) -> Organizations {
    Arc::new(move || {
        let broker = broker.clone();
        Box::pin(async move {
            let connected = broker.status().await?.into_iter();
            Ok(connected
                .map(|one| (one.settings.name, one.identity.organization_id))
                .collect())
        })
    })
}

/// Opens the store that the configuration names.
pub async fn open_store(config: &Config) -> Result<Store> {
    Store::open(store_options(config)?).await
}

/// Where the store is: behind the URL, if there is one, else in the file.
pub fn store_options(config: &Config) -> Result<StoreOptions> {
    match config.store_url()? {
        Some(url) => StoreOptions::at_url(url.expose_secret()),
        None => Ok(StoreOptions::at(config.in_state_dir(&config.store.file))),
    }
}

/// Whether there is a store already, so that looking makes none.
pub fn has_store(config: &Config) -> Result<bool> {
    Ok(config.store_url()?.is_some() || config.in_state_dir(&config.store.file).exists())
}

/// Takes the store of the state directory away, with everything in it but the sealing key. One behind a URL may be
/// others' too: it is left as it is, and must be empty.
pub async fn reset_store(config: &Config) -> Result<()> {
    if config.store_url()?.is_some() {
        return refuse_used(&open_store(config).await?).await;
    }
    let file = config.in_state_dir(&config.store.file);
    for suffix in ["", "-wal", "-shm"] {
        let path = std::path::PathBuf::from(format!("{}{suffix}", file.display()));
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let message = format!("cannot remove {}: {error}", path.display());
                return Err(Error::new(Code::StoreUnavailable, message).cause(error));
            }
        }
    }
    Ok(())
}

async fn refuse_used(store: &Store) -> Result<()> {
    let runs = store.read(|tx| Box::pin(runs::counts_by_state(tx))).await?;
    let grants = Vault(store.clone()).list().await?;
    if runs.is_empty() && grants.is_empty() {
        return Ok(());
    }
    let message = "the store that the configuration names is in use, and a scenario wants an empty one";
    Err(Error::new(Code::RequestInvalid, message)
        .next("name an empty database, or none: then a file in the state directory is used"))
}

/// The settings of the token broker.
pub fn auth_options(config: &Config) -> Result<cpq_auth::Options> {
    let ca_certificates_pem = config.crm.certificate_authorities()?;
    Ok(cpq_auth::Options {
        ca_certificates_pem,
        reach: crate::sides::reach(config.crm.private_network),
        ..cpq_auth::Options::default()
    })
}

/// The sealing keys. Makes a file with one where there is none.
pub fn keyring(config: &Config, world: &dyn World) -> Result<Keyring> {
    match std::env::var(KEY_VARIABLE) {
        Ok(value) if !value.is_empty() => Keyring::from_base64(&SecretString::from(value)),
        _ => Keyring::from_file(&config.in_state_dir(&config.sealing.key_file), world),
    }
}

/// The configured settings; a scenario that plays in a fixed year pins it in the store.
pub async fn quoting_settings(config: &Config, store: &Store) -> Result<cpq_quoting::QuotingSettings> {
    let pinned = store.read(|tx| Box::pin(settings::get(tx, YEAR_SETTING))).await?;
    let year = pinned.and_then(|year| year.parse().ok()).or(config.quoting.year);
    Ok(cpq_quoting::QuotingSettings {
        year,
        ..config.quoting.clone()
    })
}

type TwoFaces = (Arc<dyn CpqAdapter>, Option<Arc<dyn QuoteDesk>>);

/// The CPQ as the engine sees it, and as the API serves it, if it lives here.
fn cpq(config: &Config, embedded: &Arc<EmbeddedCpq>, world: &Arc<dyn World>) -> Result<TwoFaces> {
    match config.cpq.kind {
        CpqKind::Embedded => Ok((embedded.clone(), Some(embedded.clone()))),
        CpqKind::Rest => Ok((Arc::new(remote_cpq(config, world.clone())?), None)),
    }
}

/// The CPQ elsewhere.
pub fn remote_cpq(config: &Config, world: Arc<dyn World>) -> Result<RestCpqAdapter> {
    let token = std::env::var(&config.cpq.token_variable).map_err(|_| {
        let message = format!(
            "the environment variable {} with the CPQ's token is not set",
            config.cpq.token_variable
        );
        Error::new(Code::ConfigInvalid, message).field("cpq.token_variable")
    })?;
    let name = ConnectionName::new("cpq")?;
    let remote = RestCpqConfig {
        reach: crate::sides::reach(config.cpq.private_network),
        ..RestCpqConfig::new(name, config.cpq.url.clone(), SecretString::from(token))
    };
    RestCpqAdapter::new(&remote, world)
}

fn rate(service: &ServiceConfig) -> Rate {
    Rate {
        per_second: service.requests_per_second,
        burst: service.requests_burst,
        refusals_per_minute: service.refusals_per_minute,
        logins_per_minute: service.logins_per_minute,
    }
}

fn engine_settings(config: &Config, role: Role, world: &dyn World) -> EngineSettings {
    EngineSettings {
        concurrency: config.service.concurrency,
        retry: config.retry,
        breaker: config.circuit,
        shares: config.call_shares,
        deletes: config.deletes,
        lease_ms: i64::from(config.service.lease_seconds) * 1_000,
        works_backlog: role == Role::Service,
        reconcile: ReconcileSettings {
            calls_percent: config.reconcile.calls_percent,
            repairs_at_once: config.reconcile.repairs_at_once,
        },
        replay: config.replay.clone(),
        ..EngineSettings::named(format!("{}-{}", std::process::id(), world.uuid()))
    }
}

fn api_settings(config: &Config) -> Result<ApiSettings> {
    let mut settings = ApiSettings {
        default_wait: Duration::from_secs(config.service.default_wait_seconds),
        default_connection: config.crm.connection.clone(),
        hosts: Hosts::of_listener(config.service.listen.ip(), config.service.host_names.clone()),
        trusted_proxies: config.service.trusted_proxies.clone(),
        quote_page: match config.cpq.kind {
            CpqKind::Embedded => Some("/quotes/{number}".to_owned()),
            CpqKind::Rest => Some(config.cpq.quote_page.clone()).filter(|page| !page.is_empty()),
        },
        metrics_open_on_loopback: config.service.metrics_open_on_loopback,
        ..ApiSettings::default()
    };
    for (source, secret) in &config.webhooks.sources {
        let text = secret_text(secret, &format!("webhooks.sources.{source}"))?;
        let secret = cpq_api::WebhookSecret::parse(&text)?;
        settings.webhooks.insert(source.clone(), vec![secret]);
    }
    for (source, secrets) in &config.outbound_messages.sources {
        let field = format!("outbound_messages.sources.{source}");
        let parsed = secrets.iter().map(|secret| {
            PathSecret::parse(&secret_text(secret, &field)?).map_err(|error| error.field(field.clone()))
        });
        settings
            .outbound
            .sources
            .insert(source.clone(), parsed.collect::<Result<_>>()?);
    }
    settings.outbound.opportunity_fields = config.outbound_messages.opportunity_fields.clone();
    Ok(settings)
}

/// A secret of the configuration: itself, or the value of the environment variable that `env:NAME` names.
pub fn secret_text(secret: &str, field: &str) -> Result<SecretString> {
    let text = match secret.strip_prefix("env:") {
        Some(variable) => std::env::var(variable).map_err(|_| {
            let message =
                format!("the environment variable {variable} with the secret of {field} is not set");
            Error::new(Code::ConfigInvalid, message).field(field)
        })?,
        None => secret.to_owned(),
    };
    Ok(SecretString::from(text))
}
