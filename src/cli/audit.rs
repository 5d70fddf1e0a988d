//! `cpq audit`: who did what, and the proof that nothing of it was changed.

use cpq_api::audit::{AuditEntry, hex};
use cpq_domain::Result;
use cpq_domain::act::Told;
use cpq_domain::error::{Code, Error};
use cpq_store::{Store, audit};
use serde_json::json;

use crate::app::open_store;
use crate::cli::output::{Output, table};
use crate::config::Config;

/// `cpq audit`
#[derive(clap::Subcommand)]
pub enum Command {
    /// The last acts of people and programs: at the API, in the browser, at the command line.
    List {
        /// How many entries.
        #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
        /// Only before this position.
        #[arg(long)]
        before: Option<i64>,
    },
    /// Prove that no entry was changed, added between others, or taken out.
    Verify {
        /// A hash that was noted elsewhere: it must be there, or the end of the log was cut off.
        #[arg(long, value_name = "HASH")]
        holds: Option<String>,
    },
    /// Every entry from the first, one JSON object a line.
    Export,
}

/// Runs the command.
pub async fn run(command: Command, config: Config, output: Output) -> Result<u8> {
    let store = open_store(&config).await?;
    match command {
        Command::List { limit, before } => list(&store, limit, before.unwrap_or(i64::MAX), output).await,
        Command::Verify { holds } => verify(&store, holds, output).await,
        Command::Export => export(&store).await,
    }
}

async fn list(store: &Store, limit: u32, before: i64, output: Output) -> Result<u8> {
    let found = store
        .read(move |tx| Box::pin(async move { audit::before(tx, before, limit).await }))
        .await?;
    let entries: Vec<AuditEntry> = found.into_iter().map(AuditEntry::from).collect();
    output.data(&json!({ "entries": entries }), || {
        let rows = entries.iter().map(row);
        table(
            &[
                "POSITION", "AT", "CLIENT", "PERSON", "ORIGIN", "ACT", "SUBJECT", "RESULT",
            ],
            rows,
        )
    });
    Ok(0)
}

fn row(entry: &AuditEntry) -> Vec<String> {
    let Told {
        at,
        act,
        begun,
        result,
    } = &entry.told;
    let result = match (result, begun) {
        (Some(result), Some(begun)) => format!("{result} (of {begun})"),
        (Some(result), None) => result.clone(),
        (None, _) => "begins".to_owned(),
    };
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    vec![
        entry.position.to_string(),
        format!("{at:.0}"),
        act.client.clone(),
        or_dash(&act.person),
        or_dash(&act.origin),
        act.act.clone(),
        act.subject.clone(),
        result,
    ]
}

async fn page(store: &Store, after: i64) -> Result<Vec<audit::Entry>> {
    store
        .read(move |tx| Box::pin(async move { audit::after(tx, after).await }))
        .await
}

/// What was walked so far.
struct Walk {
    position: i64,
    hash: Vec<u8>,
    held: bool,
}

async fn verify(store: &Store, holds: Option<String>, output: Output) -> Result<u8> {
    let mut walk = Walk {
        position: 0,
        hash: audit::BEGINNING.to_vec(),
        held: holds.is_none(),
    };
    let newest = store.read(|tx| Box::pin(audit::newest(tx))).await?;
    let broken = output.busy(
        "following the audit log",
        follow(store, &mut walk, holds.as_deref()),
    );
    let broken = broken.await?;
    let fault = match (broken, walk.held) {
        (Some(position), _) => Some(format!(
            "the entry at position {position} does not follow from the ones before: it, or one before it, was changed or taken out"
        )),
        // More may have come while we walked.
        (None, _) if walk.position < newest => Some(format!(
            "{newest} entries were written, and the log ends at {}",
            walk.position
        )),
        (None, false) => {
            Some("the hash is of no entry: the end of the log was cut off, or the log is another one".into())
        }
        (None, true) => None,
    };
    let told =
        json!({"ok": fault.is_none(), "entries": walk.position, "hash": hex(&walk.hash), "fault": fault});
    output.data(&told, || match &fault {
        None => format!("ok=true entries={} hash={}", walk.position, hex(&walk.hash)),
        Some(fault) => format!("ok=false {fault}"),
    });
    if fault.is_none() {
        output.say(
            "keep the hash elsewhere: `cpq audit verify --holds HASH` shows later that nothing was cut off",
        );
    }
    Ok(u8::from(fault.is_some()))
}

/// Follows the log to its end. Returns the position where it breaks, if it does.
async fn follow(store: &Store, walk: &mut Walk, holds: Option<&str>) -> Result<Option<i64>> {
    loop {
        let entries = page(store, walk.position).await?;
        if entries.is_empty() {
            return Ok(None);
        }
        for entry in entries {
            if !entry.follows(&walk.hash, walk.position + 1) {
                return Ok(Some(walk.position + 1));
            }
            walk.position = entry.position;
            walk.held |= holds.is_some_and(|wanted| wanted.eq_ignore_ascii_case(&hex(&entry.hash)));
            walk.hash = entry.hash;
        }
    }
}

async fn export(store: &Store) -> Result<u8> {
    use std::io::Write;
    let (mut after, mut out) = (0, anstream::stdout());
    loop {
        let entries = page(store, after).await?;
        let Some(last) = entries.last() else {
            return Ok(0);
        };
        after = last.position;
        for entry in entries {
            let line = serde_json::to_string(&AuditEntry::from(entry)).map_err(|cause| {
                Error::new(Code::Internal, "an entry cannot be written as JSON").cause(cause)
            })?;
            // Whoever reads may have closed the pipe.
            if writeln!(out, "{line}").is_err() {
                return Ok(0);
            }
        }
    }
}
