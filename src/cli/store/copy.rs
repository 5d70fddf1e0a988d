//! `cpq store copy`: a store in a file, copied into an empty one of another engine, and proved there.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_store::check::{self, Options, Report};
use cpq_store::{Copied, Progress, Store, StoreOptions};
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::app::{secret_text, store_options};
use crate::cli::output::{Output, table};
use crate::config::{Config, CpqKind};

/// How often the bar is drawn anew.
const DRAWN: Duration = Duration::from_millis(200);

/// `cpq store copy`
#[derive(clap::Args)]
pub struct Args {
    /// The empty store: postgres://user@host/database, sqlite:PATH, or env:NAME for a variable that holds the URL. A URL
    /// with a password is taken from a variable only: what is typed can be read in the list of processes.
    #[arg(long, value_name = "URL")]
    to: String,
    /// The store to copy: the path of its file; the configured store if left out. No cpq may have it open.
    #[arg(long, value_name = "PATH")]
    from: Option<String>,
}

/// Runs the command. Exit status 1 when the copy does not pass the check.
pub async fn run(args: Args, config: &Config, output: Output) -> Result<u8> {
    let from = match &args.from {
        Some(path) => StoreOptions::at(path.strip_prefix("sqlite:").unwrap_or(path)),
        None => store_options(config)?,
    };
    let to = target(&args.to)?;
    let (source, place) = (from.place(), to.place());
    let copied = copy(from, to.clone(), output).await?;
    let report = proved(to, config, output)
        .await
        .map_err(|error| copied_unproved(error, &place))?;
    let tables = copied.tables.iter();
    let tables: Vec<_> = tables
        .map(|table| json!({"table": table.name, "rows": table.rows, "checksum": table.checksum}))
        .collect();
    let shown =
        json!({"from": source, "to": place, "rows": rows(&copied), "tables": tables, "check": report});
    output.data(&shown, || told(&source, &place, &copied, &report));
    match report.ok {
        true => output.say(format!(
            "{source} was not changed. Start every cpq with the new store from now on, and put the old file away: see docs/store.md"
        )),
        false => output.say(format!(
            "the copy is as {source} is, and that does not hold what was written. Look at it with `cpq store check`; start no service on either"
        )),
    }
    Ok(u8::from(!report.ok))
}

fn target(url: &str) -> Result<StoreOptions> {
    let named = url.starts_with("env:");
    let url = secret_text(url, "--to")?;
    let to = StoreOptions::at_url(url.expose_secret()).map_err(|error| error.field("--to"))?;
    if to.has_password() && !named {
        let message = "the URL of --to holds a password, which everybody on this machine can read in the list of processes";
        return Err(Error::new(Code::RequestInvalid, message)
            .field("--to")
            .next("put the URL in an environment variable, and name it: --to env:NAME"));
    }
    Ok(to)
}

async fn copy(from: StoreOptions, to: StoreOptions, output: Output) -> Result<Copied> {
    let progress = Arc::new(Progress::default());
    let mut copying = std::pin::pin!(Store::copy(from, to, progress.clone()));
    if let Ok(done) = tokio::time::timeout(Duration::from_secs(1), &mut copying).await {
        return done;
    }
    let bar = bar(output);
    loop {
        let rows = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        // Each row goes out once and comes back once.
        bar.set_length(rows(&progress.all) * 2);
        bar.set_position(rows(&progress.copied) + rows(&progress.compared));
        bar.set_message(format!(
            "copied {} of {} rows, compared {}",
            rows(&progress.copied),
            rows(&progress.all),
            rows(&progress.compared)
        ));
        if let Ok(done) = tokio::time::timeout(DRAWN, &mut copying).await {
            bar.finish_and_clear();
            return done;
        }
    }
}

fn bar(output: Output) -> ProgressBar {
    if output.json {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {msg}") {
        bar.set_style(style);
    }
    bar
}

/// The check on the copy, as `cpq store check` does it.
async fn proved(to: StoreOptions, config: &Config, output: Output) -> Result<Report> {
    let options = Options {
        quotes_live_here: config.cpq.kind == CpqKind::Embedded,
        ..Options::default()
    };
    let store = Store::open(to).await?;
    output
        .busy("checking the copy …", check::check(&store, options))
        .await
}

fn copied_unproved(error: Error, place: &str) -> Error {
    let message = format!("the copy in {place} is whole, but the check of it could not be done: {error}");
    Error::new(error.code, message).next("cpq store check, with the copy as the configured store")
}

fn rows(copied: &Copied) -> u64 {
    copied.tables.iter().map(|table| table.rows).sum()
}

fn told(source: &str, place: &str, copied: &Copied, report: &Report) -> String {
    let tables = copied.tables.iter();
    let lines = tables.map(|table| vec![table.name.clone(), table.rows.to_string(), table.checksum.clone()]);
    format!(
        "copied={source} to={place} tables={} rows={}\n\n{}\n\ncheck: {}",
        copied.tables.len(),
        rows(copied),
        table(&["TABLE", "ROWS IN BOTH", "CHECKSUM OF BOTH"], lines),
        super::told(report)
    )
}
