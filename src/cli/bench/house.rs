//! A house to measure in: a fresh directory, a sandbox in a process of its own, a connection, and opportunities.

use std::collections::BTreeMap;
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::id::{Lane, OpportunityKey};
use cpq_domain::run::{Run, RunState, Trigger};
use cpq_meter::{Format, Sheet};
use cpq_orchestrator::{Submission, Submitted};
use cpq_store::make_schema;
use secrecy::ExposeSecret;
use serde_json::{Value as Json, json};

use super::scratch;
use crate::app::{App, Role};
use crate::cli::{auth, sandbox};
use crate::config::Config;

/// Longest time that one sync may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A house to measure in.
pub struct House {
    /// The application.
    pub app: App,
    config: Config,
    sandbox: sandbox::Tied,
    /// What it was built by: where the folder and, on a server, the schema are made.
    ground: Config,
}

impl House {
    /// Builds one with that many opportunities, `LOAD-000001` and so on.
    pub async fn build(config: &Config, opportunities: usize) -> Result<House> {
        let (ground, mut config) = (config.clone(), scratch::part(config));
        // Whatever the database holds is not touched.
        if let Some(server) = config.store_url()? {
            let own = scratch::schema(&config.state_dir);
            config.name_store(&make_schema(server.expose_secret(), &own).await?);
        }
        let sandbox = sandbox::spawn_tied(&config).await?;
        let mut scenario = ::sandbox::scenario::named("crm-sync")
            .ok_or_else(|| Error::new(Code::Internal, "no scenario crm-sync"))?;
        scenario.generate = serde_json::from_value(json!({ "opportunities": opportunities })).ok();
        post(&sandbox.url, "/sandbox/seed", &scenario).await?;
        let app = App::open(&config, Role::Service).await?;
        let info = sandbox::running(&config)
            .await
            .ok_or_else(|| Error::new(Code::CrmUnavailable, "the sandbox is gone"))?;
        auth::connect_quietly(&app, config.crm.connection.clone(), &info).await?;
        Ok(House {
            app,
            config,
            sandbox,
            ground,
        })
    }

    /// The configuration that it was built with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Makes every call of the data API take this long.
    pub async fn latency(&self, millis: u64) -> Result<()> {
        let rule =
            json!({"when": {"path": "/services/data/"}, "fault": {"kind": "latency", "millis": millis}});
        post(&self.sandbox.url, "/sandbox/faults", &json!({"rules": [rule]}))
            .await
            .map(drop)
    }

    /// API calls that the CRM has counted so far.
    pub async fn api_calls(&self) -> Result<f64> {
        let limits = self.app.crm(&self.config.crm.connection).await?.budget();
        let counted = limits.map_or(0, |budget| budget.used);
        Ok(counted as f64)
    }

    /// API calls that this process has made so far, by what they did, e.g. `read`.
    pub fn calls_by_kind(&self) -> BTreeMap<String, f64> {
        let mut kinds = BTreeMap::new();
        let text = cpq_meter::render(Format::Text, &Sheet::default());
        let counts = text
            .lines()
            .filter(|line| line.starts_with("cpq_crm_requests_total{"));
        for line in counts {
            let kind = line
                .split_once("operation=\"")
                .and_then(|(_, rest)| rest.split_once('"'));
            let count = line
                .rsplit_once(' ')
                .and_then(|(_, count)| count.parse::<f64>().ok());
            if let (Some((kind, _)), Some(count)) = (kind, count) {
                *kinds.entry(kind.to_owned()).or_default() += count;
            }
        }
        kinds
    }

    /// Submits a sync of the `number`-th opportunity.
    pub async fn submit(&self, number: usize) -> Result<Run> {
        let opportunity = OpportunityKey::new(format!("LOAD-{number:06}"))?;
        let lane = Lane {
            connection: self.config.crm.connection.clone(),
            opportunity,
        };
        let submission = Submission::of(lane, Trigger::Request);
        match self.app.engine.submit(submission).await? {
            Submitted::Accepted(run) | Submitted::Joined(run) => Ok(run),
            other => Err(Error::new(
                Code::Internal,
                format!("a sync without key was answered with {other:?}"),
            )),
        }
    }

    /// Waits until a run has succeeded.
    pub async fn ended(&self, run: &Run) -> Result<()> {
        let run = self.app.engine.wait(run.id, PATIENCE).await?;
        match (run.state, run.error) {
            (RunState::Succeeded, _) => Ok(()),
            (_, Some(report)) => Err(Error::from(report)),
            (state, None) => Err(Error::new(Code::Internal, format!("a measured sync is {state}"))),
        }
    }

    /// Takes the house down.
    pub async fn leave(self) {
        self.app.engine.stop(Duration::from_secs(5)).await;
        drop(self.app);
        scratch::clear(&self.ground, &self.config.state_dir).await;
    }
}

async fn post(url: &str, path: &str, body: &impl serde::Serialize) -> Result<Json> {
    let failed = |why: String| Error::new(Code::CrmUnavailable, format!("the sandbox refuses {path}: {why}"));
    let answer = reqwest::Client::new()
        .post(format!("{url}{path}"))
        .json(body)
        .send()
        .await;
    let answer = answer.map_err(|error| failed(error.to_string()))?;
    let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
    match status.is_success() {
        true => Ok(serde_json::from_str(&text).unwrap_or_default()),
        false => Err(failed(text)),
    }
}
