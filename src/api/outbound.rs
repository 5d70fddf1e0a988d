//! Salesforce outbound messages: what a workflow rule, a flow or an approval tells of records, as SOAP.
//!
//! Salesforce signs none of them. A message is believed if it knows the secret in the path and comes from an org that
//! we are connected to; and then it is a hint, no more: what it says of a record is not used.
//!
//! It is acknowledged as a whole, after every notification in it is durable. What cannot be taken now, or only after
//! somebody corrects a setting, is refused with a fault: Salesforce shows the reason, keeps the message for 24 hours and
//! sends it again, and what was taken already is known by its id. A notification without an opportunity can never lead
//! to one: a repeat would bring the same, and hold up the others of its envelope; it is acknowledged and logged, with
//! the field to add.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use cpq_domain::change::{ChangeKind, Hint};
use cpq_domain::error::{Code, Report};
use cpq_domain::id::{ClientId, ConnectionName, IdempotencyKey, Lane, OpportunityKey};
use cpq_domain::keyed::Keyed;
use cpq_domain::run::Trigger;
use cpq_domain::{Error, Result};
use cpq_meter::catalogue::api::OUTBOUND;
use cpq_orchestrator::Submission;
use futures_util::future::try_join_all;
use http::{HeaderMap, header};

use crate::caller::{Caller, single};
use crate::failure::Failure;
use crate::fingerprint::sha256;
use crate::input::{self, invalid};
use crate::state::ApiState;
use crate::tokens::WEBHOOK_CLIENT;
use crate::webhooks;
use envelope::{Message, Notification};

mod answer;
mod envelope;
mod scan;
mod secret;
#[cfg(test)]
mod spoilt;

pub use secret::PathSecret;

/// The path up to its variables; what follows holds a secret and is never shown.
pub(crate) const PREFIX: &str = "/api/v1/outbound-messages/";

/// What outbound messages need to be understood.
#[derive(Clone, Debug, Default)]
pub struct OutboundSettings {
    /// Secrets by source; several while one replaces another.
    pub sources: BTreeMap<String, Vec<PathSecret>>,
    /// For each object whose records lead to an opportunity: the field that names it.
    pub opportunity_fields: BTreeMap<String, String>,
}

/// Take a Salesforce outbound message
///
/// A SOAP 1.1 envelope of up to 100 notifications. The secret in the path is the sender's; the organization must be that
/// of a connection. Answered with the acknowledgement once every sync is durable. A notification id counts once in 30
/// days. Salesforce sends for 24 hours what was not acknowledged.
#[utoipa::path(
    post,
    path = "/api/v1/outbound-messages/{source}/{secret}",
    operation_id = "takeOutboundMessage",
    tag = "webhooks",
    params(
        ("source" = String, Path, description = "Name of the sender, as configured"),
        ("secret" = String, Path, description = "Secret of that sender, as configured"),
    ),
    request_body(content = String, content_type = "text/xml", description = "As Salesforce's outbound messaging WSDL says"),
    responses(
        (status = 200, description = "Taken, durably: `notificationsResponse` with `Ack` `true`", body = String,
            content_type = "text/xml"),
        (status = 401, description = "Unknown source, or the secret is wrong", body = Report),
        (status = 413, description = "More than 1 MiB", body = Report),
        (status = 415, description = "Not text/xml in UTF-8", body = Report),
        (status = 500, description = "A SOAP fault: not, or not wholly, taken. Send it again", body = String,
            content_type = "text/xml"),
    )
)]
pub(crate) async fn take(
    State(api): State<ApiState>,
    path: Result<Path<(String, String)>, axum::extract::rejection::PathRejection>,
    request: Request<Body>,
) -> Result<Response, Failure> {
    // The refusal of a path would repeat it.
    let Path((source, presented)) = path.map_err(|_| invalid("the path is not percent-encoded UTF-8"))?;
    let settings = &api.settings.outbound;
    let refused = |_: &Error| count("refused", 1);
    secret::verify(settings.sources.get(&source).map(Vec::as_slice), &presented).inspect_err(refused)?;
    is_xml(request.headers()).inspect_err(refused)?;
    let (parts, body) = request.into_parts();
    let bytes = input::read(&parts.headers, body).await.inspect_err(refused)?;
    match accept(&api, &source, &bytes).await {
        Ok(()) => Ok(answer::ack()),
        Err(error) => {
            let correlation = parts
                .extensions
                .get::<Caller>()
                .map(|caller| caller.request.as_str());
            let correlation = correlation.unwrap_or_default();
            count("refused", 1);
            tracing::warn!(source, correlation, code = %error.code, %error, next = error.advice(), "outbound message refused");
            Ok(answer::fault(&error, correlation))
        }
    }
}

/// Makes every notification durable.
async fn accept(api: &ApiState, source: &str, bytes: &[u8]) -> Result<()> {
    let message = envelope::read(bytes)?;
    let connection = connection_of(api, &message.organization).await?;
    api.throttle
        .client(&format!("{WEBHOOK_CLIENT}outbound-message:{source}"))?;
    if message.with_session {
        tracing::warn!(
            source,
            action = message.action,
            "the outbound message carries a session id, which is thrown away; clear \"Send Session ID\" in its definition"
        );
    }
    let fields = &api.settings.outbound.opportunity_fields;
    let mut submissions = Vec::with_capacity(message.notifications.len());
    let (mut parked, mut not_understood) = (Vec::new(), None);
    for notification in &message.notifications {
        let Some(field) = fields.get(&notification.object) else {
            not_understood = Some(unknown(notification));
            continue;
        };
        match opportunity(notification, field) {
            Some(key) => submissions.push(submission(&message, notification, &connection, key)?),
            None => parked.push((notification, field)),
        }
    }
    report_parked(source, &message, &parked);
    // All at once: they share the flushes of the disk.
    let taken = try_join_all(submissions.into_iter().map(|wish| webhooks::once(api, wish))).await?;
    let repeats = taken.iter().filter(|(_, duplicate)| *duplicate).count();
    count("taken", taken.len() - repeats);
    count("repeated", repeats);
    count("parked", parked.len());
    not_understood.map_or(Ok(()), Err)
}

/// The connection to the org that speaks. A secret alone is not enough: a sandbox that was copied from production
/// brings its outbound messages along, endpoint and all.
async fn connection_of(api: &ApiState, organization: &str) -> Result<ConnectionName> {
    // The first 15 characters of an id are the whole of it; three more are a checksum.
    let same = |id: &str| id.get(..15).is_some_and(|id| organization.get(..15) == Some(id));
    let connected = (api.organizations)().await?;
    let mut matching = connected.iter().filter(|(_, id)| same(id)).map(|(name, _)| name);
    let default = &api.settings.default_connection;
    let found = matching
        .clone()
        .find(|name| *name == default)
        .or_else(|| matching.next());
    found.cloned().ok_or_else(|| {
        let known: Vec<String> = connected.iter().map(|(name, id)| format!("{name} is {id}")).collect();
        let known = if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
        let message =
            format!("the outbound message comes from organization {organization}, to which no connection is: {known}");
        Error::new(Code::NotConnected, message).next(
            "connect that org with `cpq auth connect-crm`; or, in the org, take this endpoint out of the outbound message: \
             a sandbox has it from the org that it was copied from",
        )
    })
}

fn unknown(notification: &Notification) -> Error {
    let object = &notification.object;
    let message = format!("no field of {object} is known that names an opportunity");
    let next = format!(
        "add {object} with its field to outbound_messages.opportunity_fields and restart; Salesforce sends again"
    );
    invalid(message).object(object.as_str()).next(next)
}

/// The opportunity that a notification leads to.
fn opportunity(notification: &Notification, field: &str) -> Option<OpportunityKey> {
    OpportunityKey::new(notification.fields.get(field)?.as_str()).ok()
}

fn submission(
    message: &Message,
    notification: &Notification,
    connection: &ConnectionName,
    opportunity: OpportunityKey,
) -> Result<Submission> {
    // Ids of notifications are unique in an org, however many endpoints it sends to.
    let client = format!("{WEBHOOK_CLIENT}outbound-message:{}", &message.organization[..15]);
    let lane = Lane {
        connection: connection.clone(),
        opportunity,
    };
    let hint = Hint {
        source: "outbound message".into(),
        event: Some(notification.id.clone()),
        // It may be new or changed, and the record is as it was when the message was sent, not when it was caused.
        kind: ChangeKind::Unknown,
        at: None,
        by: None,
        ours: false,
        fields: Vec::new(),
    };
    Ok(Submission {
        keyed: Some(Keyed {
            client: ClientId::new(client)?,
            key: IdempotencyKey::new(notification.id.as_str())?,
            // A repeat is known by its id alone: it brings the record as it is by then.
            fingerprint: sha256(notification.id.as_bytes()),
        }),
        hints: vec![hint],
        ..Submission::of(lane, Trigger::Event)
    })
}

/// Tells what was acknowledged and leads nowhere: once for an envelope, whose notifications are all of one kind.
fn report_parked(source: &str, message: &Message, parked: &[(&Notification, &String)]) {
    let Some((first, field)) = parked.first() else {
        return;
    };
    let record = first.fields.get("Id").map(String::as_str).unwrap_or_default();
    tracing::warn!(
        source,
        action = message.action,
        object = first.object,
        field = field.as_str(),
        record,
        notification = first.id,
        notifications = parked.len(),
        "outbound message taken that leads to no opportunity: the record names none in this field; if it should, add the \
         field to the outbound message's fields in Salesforce, or name another in outbound_messages.opportunity_fields, \
         and then look at the record's opportunity with `cpq sync run`"
    );
}

fn count(result: &'static str, many: usize) {
    OUTBOUND.add([result], u64::try_from(many).unwrap_or(u64::MAX));
}

/// SOAP 1.1 over HTTP is `text/xml` (SOAP 1.1 §6); Salesforce sends it in UTF-8.
fn is_xml(headers: &HeaderMap) -> Result<()> {
    let told = single(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let mut parts = told.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().eq_ignore_ascii_case("text/xml");
    let charset = parts.find_map(|part| {
        part.split_once('=')
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
    });
    let utf8 = charset.is_none_or(|(_, value)| value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"));
    if essence && utf8 {
        return Ok(());
    }
    let shown: String = told.chars().take(80).collect();
    let message = format!("the body's media type is {shown:?}, not text/xml in UTF-8");
    Err(Error::new(Code::MediaTypeUnsupported, message).next("send Content-Type: text/xml; charset=utf-8"))
}
