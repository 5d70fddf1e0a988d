//! Changes of quotes in the embedded CPQ become syncs, so that a quote's status reaches the CRM by itself.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::id::{ConnectionName, CorrelationId, Lane, OpportunityKey};
use cpq_domain::run::Trigger;
use cpq_domain::{Code, Result};
use cpq_orchestrator::{Engine, Sides, Submission};
use cpq_quoting::EmbeddedCpq;
use cpq_store::{Store, quote_events, quotes, settings};
use serde_json::Value as Json;

/// Where the feed was read up to. Stored only after every event before it has become a durable run.
const POSITION: &str = "quote-feed-position";
/// How often to look without being told; other processes may change quotes too.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often to look for offers past their last day.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);
/// Rows of one look.
const ROWS: u32 = 100;

/// Follows the events of quotes for as long as the process lives.
pub fn start(store: Store, cpq: &Arc<EmbeddedCpq>, sides: Arc<dyn Sides>, engine: Engine) {
    let (mut news, cpq) = (cpq.subscribe(), cpq.clone());
    tokio::spawn(async move {
        let (mut looked, mut read_to) = (None, None);
        loop {
            if ours(&store, &mut read_to).await {
                if let Err(error) = catch_up(&store, sides.as_ref(), &engine, &mut read_to).await {
                    tracing::error!(code = %error.code, error = %error, "cannot follow the quotes");
                }
                // Offers whose last day is over expire here; the event of it is followed at the next look.
                if let Err(error) = expire(&cpq, &mut looked).await {
                    tracing::error!(code = %error.code, error = %error, "cannot expire offers");
                }
            }
            // A lagging or closed channel is no loss: the events are in the store.
            let _ = tokio::time::timeout(LOOK_EVERY, news.recv()).await;
        }
    });
}

/// Whether this node, of those that share the store, follows the quotes. A node that no longer does forgets where it
/// stood: whoever did in its place has come further.
async fn ours(store: &Store, read_to: &mut Option<i64>) -> bool {
    let ours = store.leads("quote-feed").await.unwrap_or_else(|error| {
        tracing::error!(code = %error.code, error = %error, "cannot follow the quotes");
        false
    });
    if !ours {
        *read_to = None;
    }
    ours
}

/// Submits a sync for every change that a sync has not made itself.
///
/// `read_to` is where this process stands. The store learns it only when something was submitted or a whole page was
/// read: events of our own syncs are the usual ones, reading some of them again is harmless, and a commit is not free.
pub async fn catch_up(
    store: &Store,
    sides: &dyn Sides,
    engine: &Engine,
    read_to: &mut Option<i64>,
) -> Result<()> {
    loop {
        let from = *read_to;
        let (events, lanes) = store.read(move |tx| Box::pin(next(tx, from))).await?;
        let Some(last) = events.last().map(|event| event.position) else {
            return Ok(());
        };
        let keep = !lanes.is_empty() || events.len() == ROWS as usize;
        for lane in lanes {
            // Quotes of a CRM that is not connected here belong to somebody else, who uses us as the CPQ only.
            if sides
                .crm(&lane.connection)
                .await
                .is_err_and(|error| error.code == Code::NotConnected)
            {
                continue;
            }
            engine.submit(Submission::of(lane, Trigger::Quote)).await?;
        }
        *read_to = Some(last);
        if keep {
            let position = last.to_string();
            store
                .write(move |tx| Box::pin(async move { settings::put(tx, POSITION, &position).await }))
                .await?;
        }
    }
}

/// Looks for offers past their last day, once a minute: the day changes once a day, and the look reads every live offer.
async fn expire(cpq: &EmbeddedCpq, looked: &mut Option<tokio::time::Instant>) -> Result<()> {
    if looked.is_some_and(|at| at.elapsed() < EXPIRE_EVERY) {
        return Ok(());
    }
    *looked = Some(tokio::time::Instant::now());
    cpq.expire_due(&CorrelationId::new("expiry")?).await.map(drop)
}

type Found = (Vec<quote_events::QuoteEvent>, std::collections::BTreeSet<Lane>);

async fn next(tx: &mut dyn cpq_store::Tx, from: Option<i64>) -> Result<Found> {
    let position = match from {
        Some(position) => position,
        None => settings::get(tx, POSITION)
            .await?
            .and_then(|text| text.parse().ok())
            .unwrap_or(0),
    };
    let events = quote_events::after(tx, position, ROWS).await?;
    let mut lanes = std::collections::BTreeSet::new();
    for event in events.iter().filter(|event| !made_by_sync(&event.data)) {
        if let Some(quote) = quotes::by_id(tx, &event.quote_id).await? {
            let opportunity = quote.opportunity;
            let key = opportunity
                .number
                .map_or_else(|| OpportunityKey::new(opportunity.id.as_str()), Ok)?;
            let connection = ConnectionName::new(opportunity.system)?;
            lanes.insert(Lane {
                connection,
                opportunity: key,
            });
        }
    }
    Ok((events, lanes))
}

/// Our own writes come back as events; a sync of them would find nothing to do.
fn made_by_sync(data: &Json) -> bool {
    data["client"] == EmbeddedCpq::SYNC_CLIENT
}
