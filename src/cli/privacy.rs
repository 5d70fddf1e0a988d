//! `cpq privacy`: what is kept about a person or an opportunity, all of it in one file, and its removal.

use std::collections::BTreeSet;

use cpq_domain::Result;
use cpq_domain::conflict::Conflict;
use cpq_domain::error::{Code, Error};
use cpq_domain::id::{OpportunityKey, RunId};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::world::World;
use cpq_store::links::Link;
use cpq_store::purge::{Removed, Task};
use cpq_store::{Store, Tx, bases, conflicts, decisions, journal, personal, quote_events, quotes, runs};
use serde_json::{Value as Json, json};

use crate::app::open_store;
use crate::cli::kept;
use crate::cli::output::{Output, table};
use crate::config::Config;
use crate::retention;
use crate::world::RealWorld;

/// Fewer letters are found everywhere.
const TEXT_CHARS: usize = 3;

/// `cpq privacy`
#[derive(clap::Subcommand)]
pub enum Command {
    /// The opportunities about which a text is kept: a name, an e-mail address, a telephone number.
    Find {
        /// The text, at least three letters. It is compared as it is, but for upper and lower case.
        text: String,
    },
    /// All that is kept of an opportunity, as JSON: syncs with what they read and wrote, decisions, conflicts, quotes.
    Export(Which),
    /// Remove its values for good: journals, decisions, conflicts, answers, and what its quotes tell of people. Prices and
    /// states of quotes stay, and so does the proof of the log. The CRM is not touched: remove the person there first.
    Erase(Which),
}

/// An opportunity.
#[derive(clap::Args)]
pub struct Which {
    /// Business number or CRM id.
    #[arg(long, value_name = "KEY")]
    opportunity: String,
    /// Connection; the configured one if left out.
    #[arg(long)]
    connection: Option<String>,
}

impl Which {
    /// How it is called in the audit log.
    pub fn subject(&self) -> String {
        self.opportunity.clone()
    }

    async fn link(&self, store: &Store, config: &Config) -> Result<Link> {
        kept::link(store, config, self.connection.as_deref(), &self.opportunity).await
    }
}

/// Runs the command.
pub async fn run(command: Command, config: Config, output: Output) -> Result<u8> {
    let store = open_store(&config).await?;
    match command {
        Command::Find { text } => find(&store, &text, output).await,
        Command::Export(which) => {
            let link = which.link(&store, &config).await?;
            let kept = store.read(move |tx| Box::pin(async move { export(tx, &link).await }));
            let kept = output.busy("gathering", kept).await?;
            output.data(&kept, || serde_json::to_string_pretty(&kept).unwrap_or_default());
            Ok(0)
        }
        Command::Erase(which) => {
            let link = which.link(&store, &config).await?;
            erase(&store, link, output).await
        }
    }
}

async fn find(store: &Store, text: &str, output: Output) -> Result<u8> {
    if text.chars().count() < TEXT_CHARS {
        let message = format!("the text has fewer than {TEXT_CHARS} letters");
        return Err(Error::new(Code::RequestInvalid, message).next("give more of it"));
    }
    let found = output.busy("searching", search(store, text)).await?;
    let list: Vec<Json> = found
        .iter()
        .map(|(connection, opportunity)| json!({"connection": connection, "opportunity": opportunity}))
        .collect();
    output.data(&json!({ "opportunities": list }), || {
        let rows = found
            .iter()
            .map(|(connection, opportunity)| vec![connection.to_string(), opportunity.to_string()]);
        table(&["CONNECTION", "OPPORTUNITY"], rows)
    });
    if !found.is_empty() {
        output.say("see all of it: cpq privacy export --opportunity KEY; remove it: cpq privacy erase --opportunity KEY");
    }
    Ok(0)
}

/// Where the text is. The same opportunity may be there under its number and under its id.
async fn search(store: &Store, text: &str) -> Result<BTreeSet<personal::Kept>> {
    let (journal, decisions) = store.read(|tx| Box::pin(personal::ends(tx))).await?;
    let mut found = BTreeSet::new();
    let mut after = 0;
    while after < journal.max(decisions) {
        let text = text.to_owned();
        let window = store.read(move |tx| Box::pin(async move { personal::find(tx, &text, after).await }));
        found.extend(window.await?);
        after += personal::WINDOW;
    }
    let text = text.to_owned();
    let quotes = store.read(move |tx| Box::pin(async move { personal::find_in_quotes(tx, &text).await }));
    found.extend(quotes.await?);
    Ok(found)
}

/// All that is kept, as one snapshot of the store shows it.
async fn export(tx: &mut dyn Tx, link: &Link) -> Result<Json> {
    let mut syncs = Vec::new();
    for key in names(link) {
        syncs.extend(syncs_of(tx, link, key).await?);
    }
    let id = OpportunityKey::new(link.opportunity_id.as_str())?;
    let revisions = quotes::revisions(tx, &link.quote_root_id).await?;
    Ok(json!({
        "connection": link.connection,
        "opportunityId": link.opportunity_id,
        "opportunityNumber": link.opportunity_number,
        "quoteNumber": link.quote_number,
        "syncs": syncs,
        "agreed": bases::get(tx, &link.connection, &id).await?.map(|agreed| agreed.base),
        "conflicts": conflicts_of(tx, &id).await?,
        "quotes": revisions,
        "quoteEvents": quote_events::of_quote(tx, &link.quote_root_id).await?,
    }))
}

/// Syncs go by the number, or by the id.
fn names(link: &Link) -> Vec<OpportunityKey> {
    let id = OpportunityKey::new(link.opportunity_id.as_str()).ok();
    link.opportunity_number.clone().into_iter().chain(id).collect()
}

async fn syncs_of(tx: &mut dyn Tx, link: &Link, key: OpportunityKey) -> Result<Vec<Json>> {
    let (mut syncs, mut before) = (Vec::new(), None::<RunId>);
    loop {
        let filter = runs::Filter {
            connection: Some(link.connection.clone()),
            opportunity: Some(key.clone()),
            before,
            limit: PAGE_ROWS,
            ..runs::Filter::default()
        };
        let page = runs::list(tx, &filter).await?;
        let Some(last) = page.last() else {
            return Ok(syncs);
        };
        before = Some(last.id);
        for run in page {
            let events = journal::of_run(tx, run.id).await?;
            let decided = decisions::of_run(tx, run.id).await?;
            let decided: Vec<_> = decided.into_iter().map(|stored| stored.decision).collect();
            syncs.push(json!({
                "correlationId": run.correlation, "callerCorrelationId": run.caller_correlation, "trigger": run.trigger,
                "state": run.state, "createdAt": run.created_at, "error": run.error,
                "journal": events, "decisions": decided,
            }));
        }
    }
}

async fn conflicts_of(tx: &mut dyn Tx, id: &OpportunityKey) -> Result<Vec<Conflict>> {
    let mut all: Vec<Conflict> = Vec::new();
    loop {
        let filter = conflicts::Filter {
            opportunity: Some(id.clone()),
            before: all.last().map(|last| last.id.clone()),
            limit: PAGE_ROWS,
            ..conflicts::Filter::default()
        };
        let page = conflicts::list(tx, &filter).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

async fn erase(store: &Store, link: Link, output: Output) -> Result<u8> {
    let now = RealWorld::new().now();
    let mark = retention::mark(now, "cpq privacy erase".into());
    let (root, opportunity) = (link.quote_root_id.clone(), link.opportunity_id.clone());
    let tasks = vec![Task::Opportunity(kept::subject(link), mark)];
    let removed: Removed = output.busy("removing", retention::purge(store, tasks)).await?;
    let quotes = store
        .erase(move |tx| Box::pin(async move { personal::forget(tx, &root, now).await }))
        .await?;
    if !store.empty_log().await? {
        output.say("a process still reads what was removed from the store's log; it is gone when the last one closes it");
    }
    output.data(
        &json!({"opportunity": opportunity, "removed": removed, "quoteRevisions": quotes}),
        || {
            format!(
                "erased={opportunity} {} quote_revisions={quotes}",
                kept::counts(&removed)
            )
        },
    );
    output.say(
        "the next sync reads the opportunity anew: what the CRM still holds comes back. Backups made before still hold \
         what was removed",
    );
    Ok(0)
}
