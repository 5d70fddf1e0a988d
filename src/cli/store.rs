//! `cpq store`: prove the log, take backups, move to another engine, remove values for good.

mod copy;
mod migrate;
mod purge;

use std::path::PathBuf;

use cpq_domain::Result;
use cpq_store::check::{self, Finding, Options, Report};
use serde_json::json;

use crate::app::{open_store, store_options};
use crate::cli::output::{Output, table};
use crate::config::{Config, CpqKind};

/// `cpq store`
#[derive(clap::Subcommand)]
pub enum Command {
    /// Prove that the event log is whole and that everything that is stored follows from it. Changes nothing.
    Check,
    /// Copy the store into a new file, also while a service runs.
    Backup(BackupArgs),
    /// Bring the schema of the store to that of this program. `cpq serve` does it at its start; here it is told first.
    Migrate(migrate::Args),
    /// Copy a store in a file into an empty store, as a rule on a PostgreSQL server: all of it, or nothing.
    Copy(copy::Args),
    /// Remove values for good: those past their retention, or all of one opportunity. The log stays provable.
    Purge(purge::Args),
}

/// `cpq store backup`
#[derive(clap::Args)]
pub struct BackupArgs {
    /// The new file; one that is there already is left alone.
    file: PathBuf,
}

/// Runs the command.
pub async fn run(command: Command, config: Config, output: Output) -> Result<u8> {
    match command {
        Command::Check => check_store(&config, output).await,
        Command::Backup(args) => backup(args, &config, output).await,
        Command::Migrate(args) => migrate::run(args, &config, output).await,
        Command::Copy(args) => copy::run(args, &config, output).await,
        Command::Purge(args) => purge::run(args, &config, output).await,
    }
}

/// Exit status 1 when something is wrong.
async fn check_store(config: &Config, output: Output) -> Result<u8> {
    let store = open_store(config).await?;
    let options = Options {
        quotes_live_here: config.cpq.kind == CpqKind::Embedded,
        ..Options::default()
    };
    let report = output
        .busy("checking the store …", check::check(&store, options))
        .await?;
    output.data(&report, || told(&report));
    if !report.ok {
        output.say(format!(
            "{} does not hold what was written. Keep a copy of it, and restore a backup: see docs/store.md",
            store_options(config)?.place()
        ));
    }
    Ok(u8::from(!report.ok))
}

pub(super) fn told(report: &Report) -> String {
    let seen = format!(
        "runs={} rows={} purged={} without_checksum={}",
        report.runs, report.rows, report.purged_rows, report.rows_without_checksum
    );
    if report.ok {
        return format!("ok {seen}");
    }
    let rows = report.findings.iter().map(row);
    format!(
        "damaged {seen}\n\n{}",
        table(&["FINDING", "COUNT", "FOR EXAMPLE"], rows)
    )
}

fn row(finding: &Finding) -> Vec<String> {
    let kind = serde_json::to_value(finding.kind).unwrap_or_default();
    vec![
        kind.as_str().unwrap_or_default().to_owned(),
        finding.count.to_string(),
        finding.examples.first().cloned().unwrap_or_default(),
    ]
}

async fn backup(args: BackupArgs, config: &Config, output: Output) -> Result<u8> {
    let store = open_store(config).await?;
    let copying = store.backup(args.file.clone());
    let bytes = output.busy("copying the store …", copying).await?;
    let file = args.file.display().to_string();
    output.data(&json!({"file": file, "bytes": bytes}), || {
        format!("backup={file} bytes={bytes}")
    });
    output.say("the sealing key is not in it: keep a copy of that too, at another place");
    Ok(0)
}
