//! Idempotency keys of requests that are done wholly inside the store.

use std::collections::BTreeMap;

use cpq_domain::desk::DeskAnswer;
use cpq_domain::id::QuoteId;
use cpq_domain::keyed::Keyed;
use cpq_domain::limits::IDEMPOTENCY_BODY_BYTES;
use cpq_domain::quote::Quote;
use cpq_domain::{Code, Error, Result};
use cpq_store::idempotency::{self, Answer, Begin};
use cpq_store::{Tx, quotes};
use jiff::Timestamp;

use super::pack;

/// Floor before a request is repeated whose first one is still at work.
const RETRY_AFTER_MS: u64 = 1_000;
/// Header of a stored answer whose body is too large to be stored twice: which quote it was.
const QUOTE_ID: &str = "quote-id";

/// Takes the key, or gives the answer that is stored under it.
pub(super) async fn begin(tx: &mut dyn Tx, keyed: &Keyed, now: Timestamp) -> Result<Option<DeskAnswer>> {
    let begun = idempotency::begin(tx, &keyed.client, &keyed.key, &keyed.fingerprint, None, now).await?;
    let refuse = |code, message: &str| Err(Error::new(code, message).record(keyed.key.as_str()));
    match begun {
        Begin::Fresh => Ok(None),
        Begin::Done(answer) => replay(tx, answer).await.map(Some),
        Begin::Running { .. } => refuse(
            Code::IdempotencyInProgress,
            "the first request with this idempotency key is still at work",
        )
        .map_err(|error| error.retry_after_ms(RETRY_AFTER_MS)),
        Begin::Reused => refuse(
            Code::IdempotencyKeyReused,
            "this idempotency key was used for another request",
        ),
        Begin::Expired { .. } => refuse(
            Code::IdempotencyKeyExpired,
            "the answer stored under this idempotency key is past its retention; nothing was done again",
        ),
    }
}

/// Stores the answer under the key. The body of a very large quote is not stored a second time: a repeat gets the
/// quote itself, which has the same bytes until somebody changes it.
pub(super) async fn finish(
    tx: &mut dyn Tx,
    keyed: &Keyed,
    answer: &DeskAnswer,
    quote: Option<&Quote>,
) -> Result<()> {
    let mut headers = BTreeMap::new();
    headers.extend(answer.etag.clone().map(|etag| ("etag".to_owned(), etag)));
    let large = quote.filter(|_| answer.body.len() > IDEMPOTENCY_BODY_BYTES);
    headers.extend(large.map(|quote| (QUOTE_ID.to_owned(), quote.id.as_str().to_owned())));
    let stored = Answer {
        status: answer.status,
        headers,
        body: match large {
            Some(_) => Vec::new(),
            None => answer.body.clone().into_bytes(),
        },
    };
    if idempotency::finish(tx, &keyed.client, &keyed.key, &stored).await? {
        return Ok(());
    }
    Err(Error::new(
        Code::Internal,
        "an idempotency key was lost inside its own transaction",
    ))
}

async fn replay(tx: &mut dyn Tx, mut stored: Answer) -> Result<DeskAnswer> {
    let (body, etag) = match stored.headers.remove(QUOTE_ID) {
        Some(id) => {
            let id = QuoteId::new(id)?;
            let quote = quotes::by_id(tx, &id).await?.ok_or_else(|| gone(&id))?;
            (pack(&quote)?, Some(quote.etag()))
        }
        None => {
            let body = String::from_utf8(stored.body)
                .map_err(|error| Error::new(Code::Internal, "a stored answer is no text").cause(error))?;
            (body, stored.headers.remove("etag"))
        }
    };
    Ok(DeskAnswer {
        status: stored.status,
        body,
        etag,
        replayed: true,
    })
}

fn gone(id: &QuoteId) -> Error {
    Error::new(Code::QuoteNotFound, format!("there is no quote {id} any more")).record(id.as_str())
}
