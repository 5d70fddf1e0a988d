//! What happens, as it happens: the journal of all syncs as a stream (Server-Sent Events, WHATWG HTML 9.2).
//!
//! Each event has its place in the journal as its id, so a reader that comes back with `Last-Event-ID` misses nothing. The
//! stream is read from the store, not from this process: it tells of the syncs of all nodes.

use std::convert::Infallible;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::{Code, Error, Result};
use cpq_store::journal::{self, Entry};
use futures_util::stream::{self, Stream, StreamExt};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::caller::single;
use crate::failure::Failure;
use crate::input::invalid;
use crate::limits::{STREAM_ALIVE, STREAM_LIFE, STREAM_LOOK};
use crate::reach::Reach;
use crate::state::ApiState;

/// Something that happened to a sync.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Happened {
    /// Our correlation id of the sync.
    pub correlation_id: String,
    /// The CRM connection.
    pub connection: String,
    /// The opportunity, as it was named.
    pub opportunity: String,
    /// What happened, e.g. `accepted`, `done`, `failed`, `parked`, `succeeded`, `dead`.
    pub kind: String,
    /// The step, e.g. `write.crm`; `run` for the sync as a whole.
    pub step: String,
    /// The attempt.
    pub attempt: u32,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: jiff::Timestamp,
    /// How long the step took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// An event of the stream. The connection says by comments that it lives.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HappenedEvent {
    /// `sync`.
    pub event: String,
    /// Its place in the journal: send it as `Last-Event-ID` to go on behind it.
    pub id: String,
    /// A `Happened` as JSON.
    #[schema(content_media_type = "application/json")]
    pub data: String,
}

/// Where a reader stands.
struct Reader {
    api: ApiState,
    reach: Reach,
    position: i64,
    waiting: std::vec::IntoIter<Entry>,
    /// When it is to come back and show its token again, which may have been revoked meanwhile.
    until: Instant,
    /// Its place among the readers.
    _place: OwnedSemaphorePermit,
}

/// Follow what happens
///
/// A stream of events `sync`, from now on; behind `Last-Event-ID` if that is sent. It begins with an id alone: where the
/// reader stands, so that one who is cut off before anything happened misses nothing either. It ends after some minutes; a
/// reader comes back with the id of what it saw last.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    operation_id = "followEvents",
    tag = "sync",
    params(("Last-Event-ID" = Option<i64>, Header, description = "Id of the last event that was seen")),
    responses((status = 200, description = "Events, each with a `Happened` as its data", body = HappenedEvent, content_type = "text/event-stream"))
)]
pub(crate) async fn follow(
    State(api): State<ApiState>,
    reach: Reach,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let place = api.readers.clone().try_acquire_owned().map_err(|_| {
        let message = "as many readers follow the events as there may be";
        Error::new(Code::Overloaded, message).retry_after_ms(5_000)
    })?;
    let seen = single(&headers, "last-event-id")
        .map(str::parse::<i64>)
        .transpose();
    let seen = seen.map_err(|_| invalid("Last-Event-ID must be the id of an event"))?;
    // An id that is not there yet is one of another journal, e.g. of before a backup was brought back.
    let head = api.store.read(|tx| Box::pin(journal::head(tx))).await?;
    let position = seen.map_or(head, |seen| seen.min(head));
    let reader = Reader {
        api,
        reach,
        position,
        waiting: Vec::new().into_iter(),
        until: Instant::now() + STREAM_LIFE,
        _place: place,
    };
    // Without data it is no event to a browser, which keeps the id all the same (WHATWG HTML 9.2.6).
    let here = Event::default().id(position.to_string());
    let events = stream::once(async move { Ok(here) }).chain(events(reader));
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(STREAM_ALIVE));
    Ok(events.into_response())
}

fn events(reader: Reader) -> impl Stream<Item = std::result::Result<Event, Infallible>> {
    stream::unfold(reader, |mut reader| async move {
        loop {
            if let Some(entry) = reader.waiting.next() {
                reader.position = entry.position;
                if !reader.reach.sees(entry.lane.connection.as_str()) {
                    continue;
                }
                return Some((Ok(event(&entry)), reader));
            }
            match more(&reader.api, reader.position).await {
                Ok(_) if reader.until <= Instant::now() => return None,
                Ok(entries) if entries.is_empty() => {
                    let stopping = reader.api.stopping.cancelled();
                    if tokio::time::timeout(STREAM_LOOK, stopping).await.is_ok() {
                        return None;
                    }
                }
                Ok(entries) => reader.waiting = entries.into_iter(),
                // The reader comes back by itself, with the id of what it saw last.
                Err(error) => {
                    tracing::warn!(code = %error.code, error = %error, "a stream of events ended");
                    return None;
                }
            }
        }
    })
}

async fn more(api: &ApiState, position: i64) -> Result<Vec<Entry>> {
    api.store
        .read(move |tx| Box::pin(async move { journal::after(tx, position, PAGE_ROWS).await }))
        .await
}

/// What the data of a row says to people, among much else.
#[derive(Deserialize)]
struct Told {
    message: Option<String>,
}

#[allow(clippy::cast_precision_loss, reason = "2^53 microseconds are 285 years")]
fn event(entry: &Entry) -> Event {
    let happened = Happened {
        correlation_id: entry.correlation.to_string(),
        connection: entry.lane.connection.to_string(),
        opportunity: entry.lane.opportunity.to_string(),
        kind: entry.event.kind.as_str().to_owned(),
        step: entry.event.step.clone(),
        attempt: entry.event.attempt,
        at: entry.event.at,
        duration_ms: entry.event.duration_us.map(|us| us as f64 / 1_000.0),
        message: entry.event.data.read::<Told>().ok().and_then(|told| told.message),
    };
    let event = Event::default().event("sync").id(entry.position.to_string());
    event.json_data(&happened).unwrap_or_default()
}
