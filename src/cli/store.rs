//! `cpq store`: prove the log, take backups, remove values for good.

mod purge;

use std::path::PathBuf;

use cpq_domain::Result;
use cpq_store::check::{self, Finding, Options, Report};
use serde_json::json;

use crate::app::open_store;
use crate::cli::output::{Output, table};
use crate::config::{Config, CpqKind};

/// `cpq store`
#[derive(clap::Subcommand)]
pub enum Command {
    /// Prove that the event log is whole and that everything that is stored follows from it. Changes nothing.
    Check,
    /// Copy the store into a new file, also while a service runs.
    Backup(BackupArgs),
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
            place(config)?
        ));
    }
    Ok(u8::from(!report.ok))
}

/// What people call the store. A URL is not told: it may hold a password.
fn place(config: &Config) -> Result<String> {
    let in_file = config.in_state_dir(&config.store.file).display().to_string();
    Ok(match config.store_url()? {
        Some(_) => "the database behind store.url".to_owned(),
        None => in_file,
    })
}

fn told(report: &Report) -> String {
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
