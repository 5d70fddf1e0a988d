//! `cpq seed`: a known state on both sides to start from.

use std::net::SocketAddr;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use serde_json::json;

use crate::cli::output::Output;
use crate::cli::place::{self, Listening};
use crate::cli::sandbox;
use crate::config::Config;
use crate::fixtures::{self, Scenario};

/// `cpq seed`
#[derive(clap::Args)]
pub struct Args {
    /// Which scenario: crm-sync, or outage-100 (a hundred syncs that failed in a downtime; see docs/replay.md).
    #[arg(long, default_value = "crm-sync")]
    scenario: String,
    /// Address for a sandbox that has to be started; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    sandbox_listen: Option<SocketAddr>,
    /// Address for its HTTPS.
    #[arg(long, value_name = "ADDRESS")]
    sandbox_tls_listen: Option<SocketAddr>,
    /// Address for its Pub/Sub API.
    #[arg(long, value_name = "ADDRESS")]
    sandbox_pubsub_listen: Option<SocketAddr>,
}

/// Runs the command.
pub async fn run(args: Args, config: Config, output: Output) -> Result<u8> {
    let scenario = fixtures::scenario(&args.scenario)?;
    if place::load::<Listening>(&config.state_dir, place::SERVICE).is_some_and(|service| alive(service.pid)) {
        return Err(Error::new(
            Code::RequestInvalid,
            "a service runs on this directory; seeding would take its store away",
        )
        .next("stop `cpq serve` first"));
    }
    let url = match sandbox::url(&config).await {
        Some(url) => url,
        None => {
            let url = output
                .busy(
                    "starting a sandbox",
                    sandbox::spawn(
                        &config,
                        sandbox::Listen {
                            http: args.sandbox_listen,
                            tls: args.sandbox_tls_listen,
                            pubsub: args.sandbox_pubsub_listen,
                        },
                    ),
                )
                .await?;
            output.say(format!(
                "started a sandbox in the background at {url}; end it with `cpq sandbox stop`"
            ));
            url
        }
    };
    output
        .busy("loading the scenario", seed_crm(&url, &scenario))
        .await?;
    crate::app::reset_store(&config).await?;
    scenario.seed_cpq(&config).await?;
    let told = json!({"scenario": args.scenario, "sandbox": url, "opportunities": scenario.opportunities()});
    output.data(&told, || {
        format!(
            "scenario={} sandbox={url} opportunities={}",
            args.scenario,
            scenario.opportunities().join(",")
        )
    });
    let then = match args.scenario.as_str() {
        "outage-100" => "cpq dlq group",
        _ => "cpq sync run --opportunity OPP-4482",
    };
    output.say(format!("next: `cpq auth connect-crm`, then `{then}`"));
    Ok(0)
}

/// Loads the CRM's half of a scenario into a sandbox.
pub async fn seed_crm(url: &str, scenario: &Scenario) -> Result<()> {
    let failed = |why: String| {
        Error::new(
            Code::CrmUnavailable,
            format!("the sandbox at {url} does not take the scenario: {why}"),
        )
    };
    let body = json!({ "scenario": scenario.name() });
    let answer = reqwest::Client::new()
        .post(format!("{url}/sandbox/seed"))
        .json(&body)
        .send()
        .await;
    let answer = answer.map_err(|error| failed(error.to_string()).cause(error))?;
    match answer.status().is_success() {
        true => Ok(()),
        false => Err(failed(answer.text().await.unwrap_or_default())),
    }
}

fn alive(pid: u32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}
