//! The connected CRMs and the CPQ, as the engine finds them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cpq_adapters::salesforce::{Config as SalesforceConfig, SalesforceAdapter};
use cpq_auth::{Broker, Reach};
use cpq_domain::Result;
use cpq_domain::adapter::{CpqAdapter, CrmAdapter};
use cpq_domain::error::{Code, Error};
use cpq_domain::id::ConnectionName;
use cpq_domain::ownership::Matrix;
use cpq_domain::schema::CrmSchema;
use cpq_domain::vault::TokenVault;
use cpq_domain::world::World;
use cpq_orchestrator::Sides;
use cpq_store::{Store, schemas};

use crate::config::CrmConfig;
use crate::matrix::Live;

/// Where the HTTP client finds its proxies.
pub const PROXY_VARIABLES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// Adapters by connection, made when they are first asked for. They hold the token session and the folded calls of
/// their connection, so there is one for all runs.
pub struct Connected {
    settings: CrmConfig,
    broker: Arc<Broker>,
    vault: Arc<dyn TokenVault>,
    world: Arc<dyn World>,
    schemas: Store,
    cpq: Arc<dyn CpqAdapter>,
    matrix: Arc<Live>,
    crms: Mutex<HashMap<ConnectionName, Arc<SalesforceAdapter>>>,
}

impl Connected {
    /// No adapter yet. `schemas` is the store that keeps what the CRMs say about their objects.
    pub fn new(
        settings: CrmConfig,
        broker: Arc<Broker>,
        vault: Arc<dyn TokenVault>,
        world: Arc<dyn World>,
        schemas: Store,
        cpq: Arc<dyn CpqAdapter>,
        matrix: Arc<Live>,
    ) -> Self {
        Connected {
            settings,
            broker,
            vault,
            world,
            schemas,
            cpq,
            matrix,
            crms: Mutex::default(),
        }
    }

    /// The grants of all connections.
    pub fn vault(&self) -> Arc<dyn TokenVault> {
        self.vault.clone()
    }

    /// The adapter of a connection.
    pub async fn salesforce(&self, name: &ConnectionName) -> Result<Arc<SalesforceAdapter>> {
        if let Some(crm) = self.crms.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(crm.clone());
        }
        if self.vault.load(name).await?.is_none() {
            let message = format!("there is no connection named {name}");
            return Err(Error::new(Code::NotConnected, message).connection(name.as_str()));
        }
        let wanted = name.clone();
        let known = self
            .schemas
            .read(move |tx| Box::pin(async move { schemas::get(tx, &wanted).await }))
            .await?;
        let made = Arc::new(self.make(name, known.map(|(schema, _)| schema))?);
        let mut crms = self.crms.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(crms.entry(name.clone()).or_insert(made).clone())
    }

    fn make(&self, name: &ConnectionName, schema: Option<CrmSchema>) -> Result<SalesforceAdapter> {
        SalesforceAdapter::new(
            salesforce_config(&self.settings, name)?,
            Arc::new(self.broker.session(name)),
            self.world.clone(),
            schema.as_ref(),
        )
    }
}

/// Where requests may go, of one side. Proxies of the environment were named by whoever set it.
pub fn reach(private_network: bool) -> Reach {
    let named = PROXY_VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
    let hosts = named.filter_map(|url| {
        let url = url::Url::parse(&url).or_else(|_| url::Url::parse(&format!("http://{url}")));
        Some(url.ok()?.host_str()?.to_owned())
    });
    Reach::default().private(private_network).through(hosts)
}

/// The adapter's part of the settings.
pub fn salesforce_config(settings: &CrmConfig, name: &ConnectionName) -> Result<SalesforceConfig> {
    Ok(SalesforceConfig {
        api_version: settings.api_version.clone(),
        number_field: settings.opportunity_number_field.clone(),
        correlation_field: settings.correlation_field.clone(),
        line_key_field: settings.line_key_field.clone(),
        quote_object: settings.quote_object.clone(),
        quote_key_field: settings.quote_key_field.clone(),
        quote_relationship: settings.quote_relationship.clone(),
        currency: Some(settings.currency.clone()),
        fields: settings.fields()?,
        fields_file: settings.fields_file.display().to_string(),
        time_zone: Some(settings.time_zone.clone()).filter(|zone| !zone.is_empty()),
        ca_certificates_pem: settings.certificate_authorities()?,
        reach: reach(settings.private_network),
        ..SalesforceConfig::new(name.clone())
    })
}

#[async_trait]
impl Sides for Connected {
    async fn crm(&self, connection: &ConnectionName) -> Result<Arc<dyn CrmAdapter>> {
        Ok(self.salesforce(connection).await?)
    }

    fn cpq(&self) -> Arc<dyn CpqAdapter> {
        self.cpq.clone()
    }

    fn matrix(&self) -> Arc<Matrix> {
        self.matrix.now()
    }
}
