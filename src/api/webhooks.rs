//! Webhooks: signed hints that an opportunity deserves a look.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use cpq_domain::error::{Code, Report};
use cpq_domain::id::{ClientId, ConnectionName, IdempotencyKey, Lane, OpportunityKey};
use cpq_domain::keyed::Keyed;
use cpq_domain::run::Trigger;
use cpq_domain::{Error, Result};
use cpq_meter::catalogue::api::WEBHOOKS;
use cpq_orchestrator::{Submission, Submitted};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::failure::Failure;
use crate::fingerprint::{hex, sha256};
use crate::input::{self, Segment, invalid};
use crate::state::ApiState;
use crate::tokens::WEBHOOK_CLIENT;
use crate::{answer, limits, signature, sync};

/// A hint to one opportunity.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookHint {
    /// Business number or CRM id.
    pub opportunity: OpportunityKey,
    /// The CRM connection; the default one when absent.
    #[serde(default)]
    pub connection: Option<ConnectionName>,
}

/// One hint, or several at once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum WebhookBody {
    /// One.
    One(WebhookHint),
    /// At most 200.
    Many(Vec<WebhookHint>),
}

/// What became of a delivery.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookReceipt {
    /// Its opportunities; all of them will be looked at, whatever becomes of this process.
    pub accepted: Vec<WebhookAccepted>,
}

/// What became of one hint.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookAccepted {
    /// The opportunity.
    pub opportunity: OpportunityKey,
    /// The sync that looks at it; absent for a delivery that is long over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Whether this delivery came before; then nothing was started for it.
    pub duplicate: bool,
}

/// Take a webhook
///
/// Signed after Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature` with `v1,` and base64 of
/// HMAC-SHA256 over `id.timestamp.body`). Answered once the syncs are durable. A delivery id counts once in 30 days.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/{source}",
    operation_id = "takeWebhook",
    tag = "webhooks",
    params(
        ("source" = String, Path, description = "Name of the sender, as configured"),
        ("webhook-id" = String, Header, pattern = "^[!-~]{1,255}$", description = "Id of the delivery, the same on every repeat"),
        ("webhook-timestamp" = i64, Header, description = "Seconds since 1970, at most five minutes off"),
        ("webhook-signature" = String, Header, description = "One or more of `v1,<base64>`, separated by blanks"),
    ),
    request_body(content = WebhookBody, content_type = "application/json"),
    responses(
        (status = 202, description = "Taken, durably", body = WebhookReceipt),
        (status = 401, description = "Unknown source, or the signature is missing, stale or wrong", body = Report),
    )
)]
pub(crate) async fn take(
    State(api): State<ApiState>,
    Segment(source): Segment,
    request: Request<Body>,
) -> Result<Response, Failure> {
    // A sender that nobody configured may call itself anything.
    let known = api.settings.webhooks.contains_key(&source);
    let name = if known { source.as_str() } else { "unknown" };
    let accepted = accept(&api, &source, request).await;
    let accepted = accepted.inspect_err(|_| WEBHOOKS.add([name, "refused"], 1))?;
    for one in &accepted {
        let result = if one.duplicate { "repeated" } else { "accepted" };
        WEBHOOKS.add([name, result], 1);
    }
    Ok(answer::of(202, &WebhookReceipt { accepted })?)
}

/// Checks the delivery, and makes each hint durable.
async fn accept(api: &ApiState, source: &str, request: Request<Body>) -> Result<Vec<WebhookAccepted>> {
    let (parts, body) = request.into_parts();
    let bytes = input::read(&parts.headers, body).await?;
    let secrets = api.settings.webhooks.get(source).map(Vec::as_slice);
    let delivery = signature::verify(secrets, &parts.headers, &bytes, api.world.now())?;
    api.throttle.client(&format!("{WEBHOOK_CLIENT}{source}"))?;
    let hints = hints(&bytes)?;
    let caller = parts.extensions.get::<Caller>().cloned();
    // Each sync has a trace of its own: only a single one is part of this request's, unless the caller wants it so.
    let caller = caller.map(|caller| match hints.len() {
        1 => caller,
        _ => Caller {
            trace: caller.traceparent.clone(),
            ..caller
        },
    });
    let mut accepted = Vec::with_capacity(hints.len());
    for (index, hint) in hints.into_iter().enumerate() {
        let keyed = keyed(source, &delivery, index)?;
        accepted.push(start(api, caller.as_ref(), hint, keyed).await?);
    }
    Ok(accepted)
}

/// Reads the hints. The same opportunity twice is one hint.
fn hints(bytes: &[u8]) -> Result<Vec<WebhookHint>> {
    let is_list = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let hints: Vec<WebhookHint> = if is_list {
        input::json(bytes)?.value
    } else {
        vec![input::json(bytes)?.value]
    };
    if hints.len() > limits::WEBHOOK_ITEMS {
        return Err(invalid(format!(
            "a delivery holds at most {} opportunities",
            limits::WEBHOOK_ITEMS
        )));
    }
    let mut distinct: Vec<WebhookHint> = Vec::with_capacity(hints.len());
    for hint in hints {
        if !distinct.contains(&hint) {
            distinct.push(hint);
        }
    }
    Ok(distinct)
}

/// The delivery as an idempotency key: it is remembered in the very transaction that makes the run, so a delivery is
/// neither done twice nor lost because only its id was written. A repeat is known by its id alone, as senders sign
/// every repeat anew.
fn keyed(source: &str, delivery: &str, index: usize) -> Result<Keyed> {
    let hash = sha256(format!("{source}\n{delivery}").as_bytes());
    let name = hex(&hash);
    Ok(Keyed {
        client: ClientId::new(format!("{WEBHOOK_CLIENT}{source}"))?,
        key: IdempotencyKey::new(format!("{name}.{index}"))?,
        fingerprint: hash,
    })
}

async fn start(
    api: &ApiState,
    caller: Option<&Caller>,
    hint: WebhookHint,
    keyed: Keyed,
) -> Result<WebhookAccepted> {
    let connection = hint
        .connection
        .unwrap_or_else(|| api.settings.default_connection.clone());
    let opportunity = hint.opportunity;
    let submission = Submission {
        lane: Lane {
            connection,
            opportunity: opportunity.clone(),
        },
        trigger: Trigger::Webhook,
        caller_correlation: caller.and_then(|caller| caller.correlation.clone()),
        traceparent: caller.and_then(|caller| caller.trace.clone()),
        keyed: Some(keyed),
        hints: Vec::new(),
    };
    let (correlation_id, duplicate) = once(api, submission).await?;
    Ok(WebhookAccepted {
        opportunity,
        correlation_id,
        duplicate,
    })
}

/// Submits a hint that is known by its key: the correlation id of its sync, as far as it is still known, and whether
/// it came before.
pub(crate) async fn once(api: &ApiState, submission: Submission) -> Result<(Option<String>, bool)> {
    match sync::submit(&api.engine, submission).await {
        Ok(Submitted::Accepted(run) | Submitted::Joined(run)) => {
            Ok((Some(run.correlation.to_string()), false))
        }
        Ok(Submitted::Running { run, .. }) => Ok((Some(run.correlation.to_string()), true)),
        Ok(Submitted::Replayed { body, .. }) => Ok((correlation_of(&body), true)),
        Err(error) if is_known(&error) => Ok((None, true)),
        Err(error) => Err(error),
    }
}

fn correlation_of(body: &str) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    body["correlationId"].as_str().map(str::to_owned)
}

fn is_known(error: &Error) -> bool {
    matches!(
        error.code,
        Code::IdempotencyKeyExpired | Code::IdempotencyInProgress
    )
}
