//! One post and its answer.

use crate::clock::stopwatch;
use crate::push::{ack, endpoint};
use http::HeaderMap;
use reqwest::Client;
use std::time::Duration;

/// Largest answer that is read; an acknowledgement has a few hundred bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// What is posted.
pub struct Parcel {
    /// Where to.
    pub url: String,
    /// All headers but those of the connection.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
    /// How long the answer may take.
    pub timeout: Duration,
    /// Only an acknowledgement is a success, not every 2xx.
    pub needs_ack: bool,
}

/// What came of a post.
pub struct Landing {
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
    /// Why it was no success.
    pub error: Option<String>,
    /// From the connection to the whole answer.
    pub took: Duration,
}

/// Posts a parcel, and waits for the answer as long as it may take.
pub async fn post(client: Client, parcel: Parcel) -> Landing {
    let began = stopwatch();
    let millis = parcel.timeout.as_millis();
    let needs_ack = parcel.needs_ack;
    let answered = tokio::time::timeout(parcel.timeout, exchange(client, parcel)).await;
    let (status, error) = match answered {
        Ok(Ok((status, body))) => (status, complaint(status, &body, needs_ack)),
        Ok(Err((status, why))) => (status, Some(why)),
        Err(_) => (0, Some(format!("no answer within {millis} ms"))),
    };
    Landing {
        status,
        error,
        took: began.elapsed(),
    }
}

/// Status and body of the answer; on failure the status, 0 for none, and why.
/// A callout may be answered at any length; what is beyond the bound is not read.
async fn exchange(client: Client, parcel: Parcel) -> Result<(u16, Vec<u8>), (u16, String)> {
    // Rules were checked when they were declared; a snapshot may have been edited since.
    endpoint::check(&parcel.url).map_err(|why| (0, why))?;
    let request = client.post(&parcel.url).headers(parcel.headers).body(parcel.body);
    let mut response = request.send().await.map_err(|error| (0, innermost(&error)))?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| (status, innermost(&error)))?
    {
        body.extend_from_slice(&chunk);
        match (body.len() > MAX_ANSWER, parcel.needs_ack) {
            (true, true) => return Err((status, format!("the answer is longer than {MAX_ANSWER} bytes"))),
            (true, false) => break,
            (false, _) => {}
        }
    }
    Ok((status, body))
}

fn complaint(status: u16, body: &[u8], needs_ack: bool) -> Option<String> {
    match (needs_ack, status) {
        (true, 200) => ack::read(body).err(),
        (false, 200..=299) => None,
        _ => Some(format!("the endpoint answered {status}")),
    }
}

/// The cause at the bottom, such as "connection refused", which says more than what was built on it.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

impl Landing {
    /// Nothing was sent, or nobody can tell what came of it.
    pub fn broken(why: &str) -> Self {
        Self {
            status: 0,
            error: Some(why.to_owned()),
            took: Duration::ZERO,
        }
    }
}
