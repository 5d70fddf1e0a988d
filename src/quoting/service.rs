//! The embedded CPQ over the store: every change is one transaction of {key, effect, event, answer}.

use std::sync::Arc;

use cpq_domain::desk::DeskAnswer;
use cpq_domain::error::Report;
use cpq_domain::id::{CorrelationId, QuoteId};
use cpq_domain::keyed::Keyed;
use cpq_domain::quote::{OpportunityRef, Quote, Transition};
use cpq_domain::view::Patch;
use cpq_domain::world::World;
use cpq_domain::{Code, Error, Result};
use cpq_store::{Store, Tx};
use jiff::Timestamp;
use tokio::sync::broadcast;

use crate::events::{By, QuoteChange};
use crate::revision::today;
use crate::settings::QuotingSettings;

mod expiry;
mod ledger;
mod look;
mod marks;
mod work;

pub(crate) use work::Work;

/// Changes that a slow subscriber may fall behind before it misses hints; it then reads the stored events.
const CHANGES_BEHIND: usize = 1_024;

/// The embedded CPQ. Clones share the store and the subscribers.
#[derive(Clone)]
pub struct EmbeddedCpq {
    store: Store,
    world: Arc<dyn World>,
    settings: Arc<QuotingSettings>,
    changes: broadcast::Sender<QuoteChange>,
}

/// A quote after a change, and whether the change was made now or by an earlier request with the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The quote as the (first) answer gave it.
    pub quote: Quote,
    /// Whether it is the stored answer of an earlier request.
    pub replayed: bool,
}

/// The counter that numbers the quotes of a year. A seed may set it, so that the next number is a known one.
pub fn counter_name(year: i16) -> String {
    format!("quote-number-{year}")
}

impl EmbeddedCpq {
    /// Client in whose name syncs use idempotency keys.
    pub const SYNC_CLIENT: &'static str = "cpq-sync";

    /// A CPQ on this store.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] naming the setting that is wrong.
    pub fn new(store: Store, world: Arc<dyn World>, settings: QuotingSettings) -> Result<Self> {
        settings.check()?;
        let (changes, _) = broadcast::channel(CHANGES_BEHIND);
        Ok(EmbeddedCpq {
            store,
            world,
            settings: Arc::new(settings),
            changes,
        })
    }

    /// Hints about changes, sent after they are durable. A hint is lost when whoever asked for the change goes away at
    /// that very moment; the stored events have it all the same.
    pub fn subscribe(&self) -> broadcast::Receiver<QuoteChange> {
        self.changes.subscribe()
    }

    /// Makes the first quote of an opportunity, numbered and priced.
    ///
    /// # Errors
    /// [`Code::QuoteDuplicate`] with the facts `quoteId` and `quoteNumber` when there is one; the `IdempotencyKey…`
    /// codes; and those of [`crate::revision::first`].
    pub async fn create(
        &self,
        keyed: Option<&Keyed>,
        by: &CorrelationId,
        of: &OpportunityRef,
        patch: &Patch,
    ) -> Result<Written> {
        let work = Work::Create {
            of: of.clone(),
            patch: patch.clone(),
        };
        self.perform(keyed, by, work).await?.written()
    }

    /// Applies a patch to a quote that is still at `etag`. A patch that says nothing new changes nothing.
    ///
    /// # Errors
    /// [`Code::QuoteNotFound`]; [`Code::QuoteConflict`] with the fact `etag`; the `IdempotencyKey…` codes; and those
    /// of [`crate::patch::apply`].
    pub async fn change(
        &self,
        keyed: Option<&Keyed>,
        by: &CorrelationId,
        id: &QuoteId,
        etag: &str,
        patch: &Patch,
    ) -> Result<Written> {
        let work = Work::Change {
            id: id.clone(),
            etag: etag.to_owned(),
            patch: patch.clone(),
        };
        self.perform(keyed, by, work).await?.written()
    }

    /// Moves a quote that is still at `etag` along its life. [`Transition::Revise`] answers with the new revision.
    ///
    /// # Errors
    /// As [`EmbeddedCpq::change`], and those of [`crate::lifecycle::advance`].
    pub async fn transition(
        &self,
        keyed: Option<&Keyed>,
        by: &CorrelationId,
        id: &QuoteId,
        etag: &str,
        transition: Transition,
        reason: Option<&str>,
    ) -> Result<Written> {
        let work = Work::move_along(id, etag, transition, reason);
        self.perform(keyed, by, work).await?.written()
    }

    /// Puts a new draft revision in the place of a quote that is still at `etag`.
    ///
    /// # Errors
    /// As [`EmbeddedCpq::transition`].
    pub async fn revise(
        &self,
        keyed: Option<&Keyed>,
        by: &CorrelationId,
        id: &QuoteId,
        etag: &str,
        reason: Option<&str>,
    ) -> Result<Written> {
        self.transition(keyed, by, id, etag, Transition::Revise, reason)
            .await
    }

    /// Keeps a refusal under its key, unless another request with the key was faster; then its answer counts.
    pub(crate) async fn remember_refusal(
        &self,
        keyed: &Keyed,
        by: &CorrelationId,
        error: &Error,
    ) -> Result<DeskAnswer> {
        let answer = DeskAnswer {
            status: error.code.http_status(),
            body: pack(&error.report(Some(by.as_str())))?,
            etag: None,
            replayed: false,
        };
        let (keyed, now) = (keyed.clone(), self.world.now());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    if let Some(earlier) = ledger::begin(tx, &keyed, now).await? {
                        return Ok(earlier);
                    }
                    ledger::finish(tx, &keyed, &answer, None).await?;
                    Ok(answer)
                })
            })
            .await
    }

    /// One transaction; then the subscribers hear of it.
    pub(crate) async fn perform(
        &self,
        keyed: Option<&Keyed>,
        by: &CorrelationId,
        work: Work,
    ) -> Result<Done> {
        let moment = Moment::of(self)?;
        let (keyed, by) = (keyed.cloned(), by.clone());
        let mut done = self
            .store
            .write(move |tx| {
                // The job owns all it needs: it runs to its end even if the caller goes away.
                Box::pin(run(tx, keyed, by, work, moment))
            })
            .await?;
        for change in done.changes.drain(..) {
            // No subscriber is fine.
            drop(self.changes.send(change));
        }
        Ok(done)
    }
}

/// What the world and the settings say at the start of a request.
#[derive(Clone)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    pub(crate) fresh: QuoteId,
    pub(crate) year: i16,
    pub(crate) settings: Arc<QuotingSettings>,
}

impl Moment {
    fn of(cpq: &EmbeddedCpq) -> Result<Moment> {
        let now = cpq.world.now();
        Ok(Moment {
            now,
            fresh: QuoteId::new(cpq.world.uuid().to_string())?,
            year: cpq.settings.year.unwrap_or_else(|| today(now).year()),
            settings: cpq.settings.clone(),
        })
    }
}

/// An answer, made now or found in the ledger.
pub(crate) struct Done {
    pub(crate) answer: DeskAnswer,
    /// The quote, unless only its bytes are known.
    quote: Option<Quote>,
    changes: Vec<QuoteChange>,
}

impl Done {
    fn written(self) -> Result<Written> {
        let replayed = self.answer.replayed;
        if self.answer.status >= 400 {
            return Err(refusal(&self.answer.body)?);
        }
        let quote = self.quote.map_or_else(|| unpack(&self.answer.body), Ok)?;
        Ok(Written { quote, replayed })
    }

    pub(crate) fn quote(self) -> Result<Quote> {
        self.written().map(|written| written.quote)
    }
}

fn refusal(body: &str) -> Result<Error> {
    unpack::<Report>(body).map(Error::from)
}

fn unpack<T: serde::de::DeserializeOwned>(body: &str) -> Result<T> {
    serde_json::from_str(body).map_err(|error| {
        Error::new(
            Code::Internal,
            "a stored answer does not read as what it was stored as",
        )
        .cause(error)
    })
}

pub(crate) fn pack<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::new(Code::Internal, "a quote cannot be written as JSON").cause(error))
}

/// Key, effect, events and answer in one transaction.
async fn run(
    tx: &mut dyn Tx,
    keyed: Option<Keyed>,
    by: CorrelationId,
    work: Work,
    moment: Moment,
) -> Result<Done> {
    if let Some(keyed) = &keyed
        && let Some(answer) = ledger::begin(tx, keyed, moment.now).await?
    {
        return Ok(Done {
            answer,
            quote: None,
            changes: vec![],
        });
    }
    let client = keyed.as_ref().map(|keyed| keyed.client.clone());
    let by = By {
        correlation: by,
        client: client.clone(),
    };
    let effect = work::perform(tx, work, &by, &moment).await?;
    let answer = DeskAnswer {
        status: effect.status,
        body: pack(&effect.quote)?,
        etag: Some(effect.quote.etag()),
        replayed: false,
    };
    if let Some(keyed) = &keyed {
        ledger::finish(tx, keyed, &answer, Some(&effect.quote)).await?;
    }
    let changes = effect.events.into_iter().map(|event| QuoteChange {
        event,
        opportunity: effect.quote.opportunity.clone(),
        client: client.clone(),
    });
    Ok(Done {
        answer,
        changes: changes.collect(),
        quote: Some(effect.quote),
    })
}
