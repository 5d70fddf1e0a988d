//! `cpq bench`: the figures of docs/performance.md, measured on this machine.
//!
//! The sandbox runs in a process of its own, the store is a file that is flushed to disk at every commit, or with
//! `--store` a schema of its own on a PostgreSQL server, and every
//! sync is a new opportunity: a quote is created and written back. Nothing is left out to look better.

mod child;
mod crowd;
mod house;
mod idle;
mod machine;
mod reconcile;
mod replay;
mod sandbox;
mod scratch;
mod service;
mod stored;
mod syncs;
mod webhooks;

use cpq_domain::Result;
use serde::Serialize;
use serde_json::json;

use crate::cli::output::{Output, table};
use crate::cli::serve::until_stopped;
use crate::config::Config;

/// `cpq bench`
#[derive(clap::Args)]
pub struct Args {
    /// What to measure; without one, syncs.
    #[arg(value_enum)]
    subjects: Vec<Subject>,
    /// Milliseconds that the CRM takes for a call in the round trip figure.
    #[arg(long, default_value_t = 100)]
    latency_ms: u64,
    /// Syncs of each throughput figure.
    #[arg(long, default_value_t = 1_000)]
    syncs: usize,
    /// Records that the sandbox holds while it is measured.
    #[arg(long, default_value_t = 1_000_000)]
    records: usize,
    /// Opportunities with quotes that are reconciled.
    #[arg(long, default_value_t = 100_000)]
    opportunities: usize,
    /// Dead letters that are replayed while nothing else goes on.
    #[arg(long, default_value_t = 1_000)]
    letters: usize,
    /// Dead letters that a plan is made of.
    #[arg(long, default_value_t = 100_000)]
    planned: usize,
    /// Dead letters that are replayed beside live traffic.
    #[arg(long, default_value_t = 10_000)]
    beside_live: usize,
    /// Webhooks that are delivered, each twice.
    #[arg(long, default_value_t = 2_000)]
    deliveries: usize,
    /// Syncs in the store that is looked at.
    #[arg(long, default_value_t = 100_000)]
    stored: usize,
    /// Calls of each figure of the sandbox.
    #[arg(long, default_value_t = 20_000)]
    calls: usize,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Subject {
    /// The service: time to ready, round trips, throughput, a backlog.
    Sync,
    /// A reconcile of many opportunities: time, API calls, memory.
    Reconcile,
    /// Webhooks: taken durably over 64 connections, taken again, and the syncs that come of them.
    Webhooks,
    /// Dead letters: their replay, its plan, and live traffic beside it.
    Replay,
    /// Many syncs stored: how fast the pages of the dashboard are, and the proof of the log.
    Stored,
    /// The sandbox on its own: seeding, reads, composites, queries.
    Sandbox,
}

/// One measured figure.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    /// What to reach, in words; empty where nothing was promised.
    reach: &'static str,
}

impl Figure {
    fn new(what: impl Into<String>, value: f64, unit: &'static str, reach: &'static str) -> Figure {
        Figure {
            what: what.into(),
            value,
            unit,
            reach,
        }
    }
}

/// Runs the command. Whether it comes to its end, fails or is told to stop, it leaves nothing behind.
pub async fn run(args: Args, config: Config, output: Output) -> Result<u8> {
    let config = scratch::make(&config)?;
    let measured = tokio::select! {
        figures = measure(&args, &config, output) => Some(figures),
        () = until_stopped() => None,
    };
    scratch::sweep(&config).await;
    let Some(figures) = measured.transpose()? else {
        output.say("stopped from outside: nothing was measured");
        return Ok(2);
    };
    let machine = machine::describe();
    output.data(&json!({"machine": machine, "figures": figures}), || {
        told(&machine, &figures)
    });
    Ok(0)
}

async fn measure(args: &Args, config: &Config, output: Output) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let subjects = match args.subjects.as_slice() {
        [] => &[Subject::Sync],
        asked => asked,
    };
    for subject in subjects {
        figures.extend(match subject {
            Subject::Sync => syncs(args, config, output).await?,
            Subject::Reconcile => {
                output.say(format!("a reconcile of {} opportunities …", args.opportunities));
                reconcile::measure(config, args.opportunities).await?
            }
            Subject::Webhooks => {
                output.say(format!("{} webhooks …", args.deliveries));
                webhooks::measure(config, args.deliveries.max(1)).await?
            }
            Subject::Replay => {
                let sizes = replay::Sizes {
                    letters: args.letters.max(1),
                    planned: args.planned.max(1),
                    beside_live: args.beside_live.max(1),
                };
                replay::measure(config, sizes, output).await?
            }
            Subject::Stored => {
                output.say(format!("a store with {} syncs …", args.stored));
                stored::measure(config, args.stored.max(1), output).await?
            }
            Subject::Sandbox => {
                output.say(format!("the sandbox with {} records …", args.records));
                sandbox::measure(config, args.records, args.calls).await?
            }
        });
    }
    Ok(figures)
}

async fn syncs(args: &Args, config: &Config, output: Output) -> Result<Vec<Figure>> {
    output.say("time to ready and memory of an idle service …");
    let mut figures = idle::measure(config).await?;
    output.say(format!(
        "one sync with the CRM at {} ms a call …",
        args.latency_ms
    ));
    figures.extend(syncs::round_trips(config, args.latency_ms).await?);
    for in_flight in [1, 16, 128] {
        output.say(format!("{} syncs, {in_flight} in flight …", args.syncs));
        figures.extend(syncs::throughput(config, args.syncs, in_flight).await?);
    }
    output.say("a backlog of 1000 …");
    figures.extend(syncs::backlog(config, 1_000).await?);
    Ok(figures)
}

fn told(machine: &str, figures: &[Figure]) -> String {
    let rows = figures.iter().map(|figure| {
        vec![
            figure.what.clone(),
            format!("{:.2}", figure.value),
            figure.unit.into(),
            figure.reach.into(),
        ]
    });
    format!(
        "{machine}\n\n{}",
        table(&["FIGURE", "VALUE", "UNIT", "TO REACH"], rows)
    )
}
