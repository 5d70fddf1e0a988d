//! `cpq doctor`: whether this installation can do its work, and what to do where it cannot.
//!
//! Everything is looked at, also behind a failure, as far as it does not depend on what failed; what does is skipped with
//! the reason. Checks that do not depend on each other go side by side. Nothing is written but what a renewal of a token
//! writes.

mod configuration;
mod connections;
mod cpq;
mod directory;
mod events;
mod fields;
mod finding;
mod reach;
mod service;
mod store;
mod tokens;
mod told;
mod work;

use std::path::Path;
use std::sync::Arc;

use cpq_domain::Result;
use cpq_domain::id::ConnectionName;
use cpq_domain::world::World;
use tokio::task::JoinHandle;

use crate::app::has_store;
use crate::cli::output::Output;
use crate::config::Config;
use crate::telemetry;
use crate::world::{RealWorld, SharedWorld};
use connections::Ground;
use finding::{Check, Group};
use told::Report;

/// `cpq doctor`
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cpq doctor                        everything; each failure with its fix
  cpq doctor --connection crm       of the connections only this one
  cpq doctor --offline              without calling anybody outside this machine and its store
  cpq doctor --json                 for monitors: `ok`, `counts`, and `checks` with verdict, found and fix

Nothing is written but what a renewal of an access token writes. A running service is not disturbed.
Exit status: 0 nothing failed (warnings may have been given), 1 something failed, 2 the doctor itself could not.")]
pub struct Args {
    /// Of the connections only this one.
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// Call nobody outside: no CRM, no CPQ elsewhere. What would need it is skipped.
    #[arg(long)]
    offline: bool,
}

/// What the command line named, as long as it is not known whether it can be read.
pub struct Named<'a> {
    /// Configuration file.
    pub config: Option<&'a Path>,
    /// State directory.
    pub state_dir: &'a Path,
    /// URL of the store.
    pub store: Option<&'a str>,
    /// How much is logged.
    pub verbose: u8,
}

/// Runs the command.
pub async fn run(args: &Args, named: Named<'_>, output: Output) -> Result<u8> {
    let only = args.connection.as_ref().map(ConnectionName::new).transpose()?;
    let begun = tokio::time::Instant::now();
    let examined = examine(args.offline, only, &named);
    let (checks, broken) = output.busy("examining the installation …", examined).await;
    let place = named.state_dir.display().to_string();
    let report = Report::of(checks, broken, place, RealWorld::new().now(), begun.elapsed());
    output.data(&report, || report.text());
    Ok(report.exit_code())
}

/// All checks, and whether one of them broke off.
async fn examine(offline: bool, only: Option<ConnectionName>, named: &Named<'_>) -> (Vec<Check>, bool) {
    let (mut checks, config) = configuration::examine(named);
    let Some(config) = config.map(Arc::new) else {
        checks.extend(directory::modes(named.state_dir));
        let why = "the configuration cannot be read";
        let groups = [
            Group::Store,
            Group::Service,
            Group::Cpq,
            Group::Connection,
            Group::Work,
        ];
        checks.extend(groups.map(|group| Check::skipped(group, "everything", why)));
        return (checks, false);
    };
    // It looks, and is no part of anybody's trace.
    if let Err(error) = telemetry::start(&config.log, &config.traces, named.verbose, false) {
        checks.push(Check::failed(Group::Configuration, "traces", &error));
    }
    let (kept, elsewhere) = (config.clone(), config.clone());
    let side = [
        (
            Group::StateDirectory,
            tokio::spawn(async move { directory::examine(&config) }),
        ),
        (
            Group::Service,
            tokio::spawn(async move { service::examine(&elsewhere).await }),
        ),
        (Group::Store, tokio::spawn(over_the_store(kept, offline, only))),
    ];
    gather(&mut checks, side).await;
    let broken = checks.iter().any(|check| check.broken);
    (checks, broken)
}

/// The store, and what is known or reached through it.
async fn over_the_store(config: Arc<Config>, offline: bool, only: Option<ConnectionName>) -> Vec<Check> {
    let (mut checks, store) = store::examine(&config).await;
    let Some(store) = store else {
        checks.push(cpq::examine(&config, None, offline).await);
        checks.extend(without_a_store(&config));
        return checks;
    };
    let world: Arc<dyn World> = Arc::new(SharedWorld::of(&store));
    let ground = Arc::new(Ground {
        config,
        store,
        world,
        offline,
    });
    let (one, two, three) = (ground.clone(), ground.clone(), ground.clone());
    let side = [
        (
            Group::Connection,
            tokio::spawn(async move { connections::examine(&one, only).await }),
        ),
        (
            Group::Cpq,
            tokio::spawn(async move { vec![cpq::examine(&two.config, Some(&two.store), two.offline).await] }),
        ),
        (
            Group::Work,
            tokio::spawn(async move { work::examine(&three).await }),
        ),
        (
            Group::Work,
            tokio::spawn(async move { vec![tokens::examine(&ground).await] }),
        ),
    ];
    gather(&mut checks, side).await;
    checks
}

/// What follows from a store that cannot be read, or that was never made.
fn without_a_store(config: &Config) -> [Check; 2] {
    let none = has_store(config).is_ok_and(|there| !there);
    let why = match none {
        true => "there is no store yet",
        false => "the store cannot be read",
    };
    let connection = match none {
        true => connections::none(&config.crm.connection),
        false => Check::skipped(Group::Connection, "everything", why),
    };
    [connection, Check::skipped(Group::Work, "everything", why)]
}

/// Takes in what goes side by side. A part that breaks off is told, and hides nothing of the others.
async fn gather<const N: usize>(checks: &mut Vec<Check>, side: [(Group, JoinHandle<Vec<Check>>); N]) {
    for (group, task) in side {
        match task.await {
            Ok(found) => checks.extend(found),
            Err(cause) => checks.push(Check::broken(group, &cause.to_string())),
        }
    }
}
