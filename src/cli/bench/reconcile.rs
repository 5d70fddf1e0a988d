//! A reconcile of many opportunities with quotes: how long, how many calls, and how much memory.
//!
//! `cpq reconcile` runs as its users run it, in a process of its own beside the sandbox's. The quotes are made by the
//! product too: by `cpq reconcile --repair` of opportunities that have none.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::world::World;
use serde_json::{Value as Json, json};

use super::child::{self, Ran};
use super::{Figure, scratch};
use crate::app::{App, Role};
use crate::cli::{auth, sandbox};
use crate::config::Config;
use crate::world::RealWorld;

/// Opportunities whose total is changed in the CRM, spread over all.
const DRIFT: usize = 100;
/// Longest time for one call of the sandbox; seeding is one.
const PATIENCE: Duration = Duration::from_secs(300);

/// Seeds that many opportunities, makes their quotes, and reconciles: all in agreement, and with some drift.
pub async fn measure(config: &Config, opportunities: usize) -> Result<Vec<Figure>> {
    let config = scratch::part(config);
    let running = sandbox::spawn_tied(&config).await?;
    let measured = measure_at(&config, &running.url, opportunities).await;
    scratch::clear(&config, &config.state_dir).await;
    measured
}

async fn measure_at(config: &Config, url: &str, opportunities: usize) -> Result<Vec<Figure>> {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
    let http = client.map_err(|error| failed(&error.to_string()))?;
    let mut scenario = ::sandbox::scenario::named("crm-sync")
        .ok_or_else(|| Error::new(Code::Internal, "no scenario crm-sync"))?;
    scenario.generate = serde_json::from_value(json!({ "opportunities": opportunities })).ok();
    answer(http.post(format!("{url}/sandbox/seed")).json(&scenario)).await?;
    connect(config).await?;
    let settings = settings(config)?;
    let made = run(config, &settings, &["reconcile", "--repair"]).await?;
    let even = run(config, &settings, &["reconcile"]).await?;
    let begin = RealWorld::new().now() - jiff::SignedDuration::from_secs(1);
    let drifted = drift(&http, url, opportunities).await?;
    let uneven = run(config, &settings, &["reconcile"]).await?;
    let since = begin.to_string();
    let window = run(config, &settings, &["reconcile", "--since", &since]).await?;
    let mut figures = vec![
        Figure::new(
            format!("{opportunities} quotes made by a repair"),
            seconds(&made),
            "s",
            "",
        ),
        Figure::new("  peak memory of its process", made.peak_mib, "MiB", ""),
    ];
    figures.extend(told("all in agreement", &even));
    figures.extend(told(&format!("{drifted} of them drifted"), &uneven));
    let found = uneven.told["differing"].as_f64().unwrap_or_default();
    figures.push(Figure::new("  differences found", found, "records", "all"));
    figures.extend(told("only what changed in the last minutes", &window));
    Ok(figures)
}

fn told(what: &str, ran: &Ran) -> Vec<Figure> {
    let looked = ran.told["report"]["lookedAt"].as_f64().unwrap_or_default();
    let calls = ran.told["report"]["apiCalls"].as_f64().unwrap_or_default();
    vec![
        Figure::new(format!("reconcile, {what}: looked at"), looked, "records", ""),
        Figure::new("  time", seconds(ran), "s", ""),
        Figure::new("  records a second", looked / seconds(ran).max(0.001), "/s", ""),
        Figure::new("  API calls", calls, "calls", ""),
        Figure::new("  peak memory of its process", ran.peak_mib, "MiB", "≤ 256"),
    ]
}

fn seconds(ran: &Ran) -> f64 {
    ran.told["report"]["durationMs"].as_f64().unwrap_or_default() / 1_000.0
}

async fn connect(config: &Config) -> Result<()> {
    let app = App::open(config, Role::Command).await?;
    let info = sandbox::running(config)
        .await
        .ok_or_else(|| Error::new(Code::CrmUnavailable, "the sandbox is gone"))?;
    auth::connect_quietly(&app, config.crm.connection.clone(), &info).await?;
    app.engine.stop(Duration::from_secs(5)).await;
    Ok(())
}

/// The usual settings, but for the limits that protect a CRM that others use too.
fn settings(config: &Config) -> Result<PathBuf> {
    let path = config.state_dir.join("bench.toml");
    let text = "[reconcile]\ncalls_percent = 100\nrepairs_at_once = 128\n";
    std::fs::write(&path, text).map_err(|error| failed(&error.to_string()))?;
    Ok(path)
}

/// Runs a reconcile to its end.
async fn run(config: &Config, settings: &Path, args: &[&str]) -> Result<Ran> {
    let ran = child::run(config, Some(settings), args).await?;
    match ran.told["state"].as_str() {
        Some("done") => Ok(ran),
        _ => Err(failed(&ran.told.to_string())),
    }
}

/// Changes the total of some opportunities behind the product's back. Returns of how many.
async fn drift(http: &reqwest::Client, url: &str, opportunities: usize) -> Result<usize> {
    let info = answer(http.get(format!("{url}/sandbox/info"))).await?;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", info["clientId"].as_str().unwrap_or_default()),
        ("client_secret", info["clientSecret"].as_str().unwrap_or_default()),
    ];
    let granted = answer(http.post(format!("{url}/services/oauth2/token")).form(&form)).await?;
    let token = granted["access_token"].as_str().unwrap_or_default();
    let drifted = DRIFT.min(opportunities);
    for n in 0..drifted {
        let number = n * opportunities / drifted + 1;
        let row = format!("sobjects/Opportunity/Opportunity_Number__c/LOAD-{number:06}");
        let request = http.patch(format!("{url}/services/data/v68.0/{row}"));
        let changed = json!({"CPQ_Net_Total__c": 1});
        answer(request.bearer_auth(token).json(&changed)).await?;
    }
    Ok(drifted)
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Json> {
    let answered = request.send().await.map_err(|error| failed(&error.to_string()))?;
    let status = answered.status();
    let text = answered.text().await.unwrap_or_default();
    match status.is_success() {
        true => Ok(serde_json::from_str(&text).unwrap_or_default()),
        false => Err(failed(&format!("the sandbox answered {status} {text:.200}"))),
    }
}

fn failed(why: &str) -> Error {
    Error::new(Code::Internal, format!("cannot measure a reconcile: {why}"))
}
