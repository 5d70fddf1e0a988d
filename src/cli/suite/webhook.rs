//! The case of a webhook that is delivered twice.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use reqwest::StatusCode;
use serde_json::json;

use super::scene::{Scene, expect};

/// Source and secret of the suite's own webhooks; both live in memory, for the length of the suite.
pub const SOURCE: &str = "acceptance";
/// 24 bytes, the least that Standard Webhooks asks for.
const SECRET: &[u8] = b"acceptance-suite-secret!";

/// The secret in the form of the configuration.
pub fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(SECRET))
}

/// Delivers one webhook twice, as senders do that lost our answer.
pub async fn duplicate(scene: &Scene) -> Result<String> {
    let (url, stop, served) = scene.app.host().await?;
    let body = json!({"opportunity": scene.opportunity, "connection": scene.connection}).to_string();
    let delivery = format!("msg_{}", scene.app.world.uuid());
    let before = scene.runs().await?;
    let first = deliver(scene, &url, &delivery, &body).await?;
    let second = deliver(scene, &url, &delivery, &body).await?;
    scene.quiet().await?;
    let after = scene.runs().await?;
    stop.cancel();
    let _ = served.await;
    expect(
        "the first delivery is taken",
        first == StatusCode::ACCEPTED,
        first,
    )?;
    expect("the second is taken too", second.is_success(), second)?;
    expect("one sync came of both", after == before + 1, (before, after))?;
    Ok(format!("answered {first} and {second}, one sync"))
}

async fn deliver(scene: &Scene, url: &str, delivery: &str, body: &str) -> Result<StatusCode> {
    let timestamp = scene.app.world.now().as_second();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let tag = hmac::sign(&key, format!("{delivery}.{timestamp}.{body}").as_bytes());
    let request = reqwest::Client::new()
        .post(format!("{url}/api/v1/webhooks/{SOURCE}"))
        .header("webhook-id", delivery)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", format!("v1,{}", STANDARD.encode(tag)))
        .header("content-type", "application/json")
        .body(body.to_owned());
    let answer = request
        .send()
        .await
        .map_err(|error| Error::new(Code::Internal, "our own API does not answer").cause(error))?;
    Ok(answer.status())
}
