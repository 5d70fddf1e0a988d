//! The cases, in order. Each builds on the state that the one before left, as a working day does.

use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::adapter::Call;
use cpq_domain::connection::Flow;
use cpq_domain::error::{Code, Error};
use cpq_domain::id::{ClientId, CorrelationId, IdempotencyKey};
use cpq_domain::keyed::Keyed;
use cpq_domain::quote::{Status, Transition};
use cpq_domain::run::Effect;
use cpq_domain::value::Value;
use cpq_orchestrator::Submitted;
use futures_util::future::BoxFuture;
use serde_json::json;

use super::hook::Hooked;
use super::scene::{Scene, expect};
use super::webhook;

/// A case: what it does, and what it saw.
pub type Case = for<'s> fn(&'s Scene) -> BoxFuture<'s, Result<String>>;

/// All cases.
pub const ALL: &[(&str, Case)] = &[
    ("connection", |scene| Box::pin(connection(scene))),
    ("scopes", |scene| Box::pin(scopes(scene))),
    ("context read", |scene| Box::pin(context_read(scene))),
    ("create", |scene| Box::pin(create(scene))),
    ("replay", |scene| Box::pin(replay(scene))),
    ("update", |scene| Box::pin(update(scene))),
    ("status push", |scene| Box::pin(status_push(scene))),
    ("token expiry mid-sync", |scene| Box::pin(token_expiry(scene))),
    ("duplicate webhook", |scene| Box::pin(webhook::duplicate(scene))),
    ("concurrent edit", |scene| Box::pin(concurrent_edit(scene))),
];

/// The clock grain of `If-Unmodified-Since` (RFC 9110 §13.1.4): edits inside one second cannot be told apart by it, so
/// a case that needs the difference lets a second pass.
const CLOCK_GRAIN: Duration = Duration::from_millis(1_100);

async fn connection(scene: &Scene) -> Result<String> {
    let call = Call::live(CorrelationId::new("acceptance")?);
    let probe = scene.app.crm(&scene.connection).await?.probe(&call).await?;
    expect(
        "the CRM tells who we are",
        !probe.identity.user_id.is_empty() || !probe.identity.username.is_empty(),
        &probe.identity,
    )?;
    let calls = probe.budget.map_or(String::new(), |budget| {
        format!(", {} of {} API calls used", budget.used, budget.max)
    });
    Ok(format!(
        "user {} in org {}{calls}",
        probe.identity.username, probe.identity.organization_id
    ))
}

async fn scopes(scene: &Scene) -> Result<String> {
    let all = scene.app.broker.status().await?;
    let ours = all.into_iter().find(|one| one.settings.name == scene.connection);
    let ours =
        ours.ok_or_else(|| Error::new(Code::NotConnected, format!("no connection {}", scene.connection)))?;
    let granted = &ours.identity.scopes;
    let has = |scope: &str| granted.iter().any(|one| one == scope || one == "full");
    expect("the scope api was granted", has("api"), granted)?;
    let renews = ours.settings.flow != Flow::Web
        || granted
            .iter()
            .any(|one| one == "refresh_token" || one == "offline_access");
    expect("the scope refresh_token was granted", renews, granted)?;
    Ok(granted.join(" "))
}

async fn context_read(scene: &Scene) -> Result<String> {
    let crm = scene.read().await?;
    let text = |field: &str| crm.view.text(field).unwrap_or_default().to_owned();
    expect(
        "the account comes along",
        text("account.name").starts_with("cpq acceptance"),
        text("account.name"),
    )?;
    expect(
        "the account's city comes along",
        text("account.billing_city") == "Utrecht",
        text("account.billing_city"),
    )?;
    expect(
        "the primary contact comes along",
        text("contact.first_name") == "Ada",
        text("contact.first_name"),
    )?;
    expect(
        "both lines come along",
        crm.view.lines.len() == 2,
        crm.view.lines.len(),
    )?;
    Ok(format!(
        "{} fields and {} lines in one call",
        crm.view.fields.len(),
        crm.view.lines.len()
    ))
}

async fn create(scene: &Scene) -> Result<String> {
    let run = scene.sync().await?;
    let outcome = run
        .outcome
        .ok_or_else(|| Error::new(Code::Internal, "a sync without outcome"))?;
    expect("a quote was created", outcome.created, &outcome)?;
    let quote = scene.quote().await?;
    expect(
        "the quote has both lines",
        quote.lines.len() == 2,
        quote.lines.len(),
    )?;
    // Two of the first product and three of the second, at 100 each.
    expect(
        "the quote adds up to 500",
        quote.totals.net.amount == 500.into(),
        &quote.totals.net,
    )?;
    let crm = scene.org.fetch("Opportunity", &scene.opportunity).await?;
    let number = crm["CPQ_Quote_Number__c"].as_str().unwrap_or_default();
    expect(
        "the CRM shows the quote's number",
        number == quote.number.as_str(),
        &crm["CPQ_Quote_Number__c"],
    )?;
    Ok(format!("{} over {}", quote.number, quote.totals.net))
}

async fn replay(scene: &Scene) -> Result<String> {
    let keyed = Keyed {
        client: ClientId::new("acceptance")?,
        key: IdempotencyKey::new("acceptance-1")?,
        fingerprint: [7; 32],
    };
    let first = match scene.submit(Some(keyed.clone())).await? {
        Submitted::Accepted(run) | Submitted::Joined(run) => scene.ended(run).await?,
        other => {
            return Err(Error::new(
                Code::Internal,
                format!("a fresh key was answered with {other:?}"),
            ));
        }
    };
    let before = scene.quote().await?;
    let again = scene.submit(Some(keyed)).await?;
    let Submitted::Replayed { status, body } = again else {
        return Err(Error::new(
            Code::Internal,
            format!("a used key was answered with {again:?}"),
        ));
    };
    expect(
        "the stored answer comes again, to the byte",
        (status, body.clone()) == first.answer(),
        body,
    )?;
    let after = scene.quote().await?;
    expect("the quote is untouched", before == after, after.version)?;
    Ok(format!("{} answered from memory", first.correlation))
}

async fn update(scene: &Scene) -> Result<String> {
    scene
        .org
        .update("OpportunityLineItem", &scene.line, json!({"Quantity": 10}))
        .await?;
    let run = scene.sync().await?;
    let quote = scene.quote().await?;
    // Ten of the first product and three of the second, at 100 each.
    expect(
        "the quote follows the new quantity",
        quote.totals.net.amount == 1300.into(),
        &quote.totals.net,
    )?;
    let crm = scene.read().await?;
    let net = crm.view.get("quote.net_total").and_then(Value::as_decimal);
    expect("the CRM shows the new total", net == Some(1300.into()), net)?;
    let again = scene.sync().await?;
    let effect = again.outcome.map(|outcome| outcome.effect);
    expect(
        "a second look changes nothing",
        effect == Some(Effect::NoChange),
        effect,
    )?;
    Ok(format!(
        "{} in {} writes, then none",
        quote.totals.net,
        run.outcome
            .map_or(0, |outcome| outcome.crm_writes + outcome.cpq_writes)
    ))
}

async fn status_push(scene: &Scene) -> Result<String> {
    let quote = scene.quote().await?;
    let moved = scene.transition(&quote, Transition::Submit).await?;
    expect(
        "the quote is approved without a person",
        moved.status == Status::Approved,
        moved.status,
    )?;
    scene.until_shown("approved").await?;
    Ok("draft to approved, pushed without being asked".into())
}

async fn token_expiry(scene: &Scene) -> Result<String> {
    let quote = scene.quote().await?;
    scene.transition(&quote, Transition::Send).await?;
    scene.until_shown("sent").await?;
    let before = scene.generation().await?;
    let org = scene.org.clone();
    scene.touch().await?;
    let deed = Box::pin(async move { org.revoke_access_token().await });
    let run = scene.sync_with(Hooked::new(scene.app.sides(), deed)).await?;
    let after = scene.generation().await?;
    expect("the sync went on", run.outcome.is_some(), run.state)?;
    expect("the token was renewed once", after <= before + 1, (before, after))?;
    Ok(format!(
        "token revoked between read and write; generation {before} became {after}"
    ))
}

async fn concurrent_edit(scene: &Scene) -> Result<String> {
    scene.touch().await?;
    tokio::time::sleep(CLOCK_GRAIN).await;
    let (org, id) = (scene.org.clone(), scene.opportunity.clone());
    let deed = Box::pin(async move {
        org.update("Opportunity", &id, json!({"NextStep": "a person was here"}))
            .await
    });
    let run = scene.sync_with(Hooked::new(scene.app.sides(), deed)).await?;
    expect("the sync started over once", run.restarts == 1, run.restarts)?;
    let crm = scene.org.fetch("Opportunity", &scene.opportunity).await?;
    expect(
        "the person's edit survived",
        crm["NextStep"] == "a person was here",
        &crm["NextStep"],
    )?;
    let number = crm["CPQ_Quote_Number__c"].as_str().unwrap_or_default();
    let quote = scene.quote().await?;
    expect(
        "our edit is in place too",
        number == quote.number.as_str(),
        &crm["CPQ_Quote_Number__c"],
    )?;
    Ok("the write was refused, read again, and both edits are there".into())
}
