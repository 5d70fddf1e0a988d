//! `cpq demo`: the whole product at work, on its own sandbox, in one process.

use std::path::PathBuf;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::world::World;
use serde::Serialize;
use serde_json::json;

use crate::app::{App, Role, open_store};
use crate::cli::client::Client;
use crate::cli::output::{Output, table};
use crate::cli::place::{self, Listening};
use crate::cli::{auth, quote, sandbox, seed, serve, sync};
use crate::config::Config;
use crate::fixtures;
use crate::world::RealWorld;

/// Opportunity of the demo.
const OPPORTUNITY: &str = "OPP-4482";
/// Key of the demo's request, sent twice.
const KEY: &str = "demo-0001";

/// `cpq demo`
#[derive(clap::Args)]
pub struct Args {
    /// End when the steps are done, instead of leaving the service running.
    #[arg(long)]
    once: bool,
}

/// One step, as it is told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    step: &'static str,
    duration_ms: f64,
    told: String,
}

/// Tells the steps with their times.
struct Teller {
    world: RealWorld,
    output: Output,
    since_us: u64,
    steps: Vec<Step>,
}

impl Teller {
    fn step(&mut self, step: &'static str, told: impl Into<String>) {
        let now = self.world.monotonic_us();
        let step = Step {
            step,
            duration_ms: (now - self.since_us) as f64 / 1_000.0,
            told: told.into(),
        };
        self.output.say(format!(
            "{:>9.1} ms  {:<10} {}",
            step.duration_ms, step.step, step.told
        ));
        self.steps.push(step);
        self.since_us = self.world.monotonic_us();
    }
}

/// Runs the command.
pub async fn run(args: Args, config: Config, output: Output) -> Result<u8> {
    let config = in_directory_of_its_own(config)?;
    let world = RealWorld::new();
    let mut teller = Teller {
        since_us: world.monotonic_us(),
        world,
        output,
        steps: Vec::new(),
    };
    teller
        .output
        .say(format!("state goes to {}", config.state_dir.display()));

    let toy = start_sandbox(&config).await?;
    let url = toy.info.instance_url.clone();
    teller.step(
        "sandbox",
        format!("a Salesforce to try things on listens at {url}"),
    );

    let scenario = fixtures::scenario("crm-sync")?;
    seed::seed_crm(&url, &scenario).await?;
    scenario.seed_store(&open_store(&config).await?).await?;
    teller.step(
        "seed",
        "scenario crm-sync: opportunities OPP-4482, OPP-4483, OPP-4484",
    );

    let app = App::open(&config, Role::Service).await?;
    let (service, stop) = start_service(&app, &config).await?;
    teller.step("service", format!("the API listens at {service}"));

    let info = sandbox::running(&config)
        .await
        .ok_or_else(|| Error::new(Code::CrmUnavailable, "the sandbox does not answer"))?;
    let connected = auth::connect_quietly(&app, config.crm.connection.clone(), &info).await?;
    teller.step(
        "connect",
        format!(
            "authorization code + PKCE as {}, scopes {:?}",
            connected.identity.username,
            connected.identity.scopes.join(" ")
        ),
    );

    let client = Client::connect(&config).await?;
    let summary = play(&client, &app, &config, &mut teller).await?;
    client.close().await;
    output.data(
        &json!({"steps": teller.steps, "result": summary, "url": service, "stateDir": config.state_dir}),
        || told(&summary, &service, &config, args.once),
    );
    if !args.once {
        serve::until_stopped().await;
    }
    stop.cancel();
    app.engine.stop(std::time::Duration::from_secs(5)).await;
    place::remove(&config.state_dir, place::SERVICE);
    toy.shutdown().await;
    Ok(0)
}

/// What the demo leaves to see.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    line: String,
    replay: String,
    quotes: usize,
    crm: Vec<(String, String)>,
}

/// The sync, its replay, and what both sides then hold.
async fn play(client: &Client, app: &App, config: &Config, teller: &mut Teller) -> Result<Summary> {
    let (first, _) = sync::once(client, OPPORTUNITY, Some(KEY)).await?;
    teller.step("sync", sync::line(&first));
    let (again, replayed) = sync::once(client, OPPORTUNITY, Some(KEY)).await?;
    teller.step(
        "replay",
        format!("{} (answered from memory: {replayed})", sync::line(&again)),
    );

    let quotes = quote::count(client, OPPORTUNITY).await?;
    teller.step("quotes", format!("{quotes} quote for {OPPORTUNITY}"));

    let crm = crm_holds(app, config).await?;
    teller.step(
        "crm",
        format!("the opportunity now shows {} CPQ fields", crm.len()),
    );
    Ok(Summary {
        line: sync::line(&first),
        replay: sync::line(&again),
        quotes,
        crm,
    })
}

/// What the CRM now holds of the quote, read afresh.
async fn crm_holds(app: &App, config: &Config) -> Result<Vec<(String, String)>> {
    let call = cpq_domain::adapter::Call::live(cpq_domain::id::CorrelationId::new("demo")?);
    let crm = app.crm(&config.crm.connection).await?;
    let read = crm
        .read(&call, &cpq_domain::id::OpportunityKey::new(OPPORTUNITY)?)
        .await?;
    let mapping = crm.mapping();
    let ours = mapping.fields.iter().filter(|(_, mapped)| mapped.writable);
    let held = ours.filter_map(|(field, mapped)| {
        read.view
            .fields
            .get(field)
            .map(|value| (mapped.path.clone(), value.to_string()))
    });
    Ok(held.collect())
}

fn told(summary: &Summary, service: &str, config: &Config, once: bool) -> String {
    let rows = summary
        .crm
        .iter()
        .map(|(path, value)| vec![path.clone(), value.clone()]);
    let dir = config.state_dir.display();
    let end = match once {
        true => format!("everything is in {dir}"),
        false => format!(
            "the service goes on at {service}; in another terminal try\n  cpq --state-dir {dir} sync status --correlation csync-001\n  cpq --state-dir {dir} quote show Q-2026-0137\nCtrl-C ends it"
        ),
    };
    format!(
        "{}\n\n{}\n\n{end}",
        summary.line,
        table(&["CRM FIELD", "VALUE"], rows)
    )
}

/// A fresh directory, unless one was asked for.
fn in_directory_of_its_own(mut config: Config) -> Result<Config> {
    if config.state_dir == std::path::Path::new(".cpq") {
        let name = format!("cpq-demo-{}", RealWorld::new().uuid());
        config.state_dir = std::env::temp_dir().join(name);
    }
    if config.in_state_dir(&config.store.file).exists() {
        let message = format!(
            "{} holds a store already; the demo wants an empty directory",
            config.state_dir.display()
        );
        return Err(
            Error::new(Code::RequestInvalid, message).next("leave --state-dir out, or name a new directory")
        );
    }
    config.forget_store_url();
    config.sandbox.listen.set_port(0);
    config.service.listen.set_port(0);
    Ok(config)
}

async fn start_sandbox(config: &Config) -> Result<::sandbox::Running> {
    let dir: PathBuf = config.state_dir.join("sandbox");
    let options = ::sandbox::Options {
        listen: config.sandbox.listen,
        state_dir: Some(dir),
        ..::sandbox::Options::default()
    };
    let running = sandbox::start(options).await?;
    let listening = Listening {
        url: running.info.instance_url.clone(),
        pid: std::process::id(),
    };
    place::save(
        &config.state_dir,
        place::SANDBOX,
        &serde_json::to_string(&listening).unwrap_or_default(),
    )?;
    Ok(running)
}

async fn start_service(app: &App, config: &Config) -> Result<(String, tokio_util::sync::CancellationToken)> {
    let (url, stop, _served) = app.host().await?;
    let listening = Listening {
        url: url.clone(),
        pid: std::process::id(),
    };
    place::save(
        &config.state_dir,
        place::SERVICE,
        &serde_json::to_string(&listening).unwrap_or_default(),
    )?;
    Ok((url, stop))
}
