//! Webhooks: how many a service takes durably, how long a sender waits, and how long until what they hint at is in sync.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cpq_api::WebhookSecret;
use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::world::World;
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Figure;
use super::child::STORE_URL;
use super::crowd::{self, CALLERS};
use super::house::House;
use super::service::Service;
use crate::cli::place;
use crate::config::Config;
use crate::world::RealWorld;

/// Milliseconds that the CRM takes for a call.
const CALL_MS: u64 = 20;
/// Name of the sender.
const SOURCE: &str = "bench";
/// The environment variable with its secret.
const SECRET: &str = "CPQ_BENCH_WEBHOOK_SECRET";
/// How often to ask how many syncs have ended, and how often at most: ten minutes in all.
const ASK_EVERY: Duration = Duration::from_millis(50);
const ASKS: usize = 12_000;

/// A sender of webhooks and the service that takes them.
struct Sender<'a> {
    http: reqwest::Client,
    service: &'a Service,
    secret: WebhookSecret,
    world: RealWorld,
}

/// Delivers so many webhooks, each for an opportunity of its own and each twice.
pub async fn measure(config: &Config, deliveries: usize) -> Result<Vec<Figure>> {
    let house = House::build(config, deliveries).await?;
    house.latency(CALL_MS).await?;
    // The service is a process of its own.
    house.app.engine.stop(Duration::from_secs(5)).await;
    let measured = deliver_all(&house, deliveries).await;
    house.leave().await;
    measured
}

async fn deliver_all(house: &House, deliveries: usize) -> Result<Vec<Figure>> {
    let (world, config) = (RealWorld::new(), house.config());
    let secret = secret(&world);
    // What is measured is the service, not the limit of one sender.
    let settings = format!(
        "[service]\nrequests_per_second = 0\n[webhooks]\nsources = {{ {SOURCE} = \"env:{SECRET}\" }}\n"
    );
    let file = place::save(&config.state_dir, "bench.toml", &settings)?;
    let file = file.display().to_string();
    let store = config.store_url()?;
    let mut env = vec![(SECRET, secret.expose_secret())];
    env.extend(store.iter().map(|url| (STORE_URL, url.expose_secret())));
    let service = Service::start(&config.state_dir, &["--config", &file], &env, &world).await?;
    let sender = Sender {
        http: reqwest::Client::builder().no_proxy().build().map_err(failed)?,
        service: &service,
        secret: WebhookSecret::parse(&secret)?,
        world,
    };
    let figures = sender.figures(deliveries).await;
    service.kill().await;
    figures
}

/// One that nobody else has: 32 bytes.
fn secret(world: &RealWorld) -> SecretString {
    let bytes = [world.uuid().into_bytes(), world.uuid().into_bytes()].concat();
    SecretString::from(format!("whsec_{}", STANDARD.encode(bytes)))
}

impl Sender<'_> {
    async fn figures(&self, deliveries: usize) -> Result<Vec<Figure>> {
        let begin = self.world.monotonic_us();
        let mut walls = self.deliver(deliveries).await?;
        let taken = self.since(begin);
        self.ended(deliveries).await?;
        let drained = self.since(begin);
        let begin = self.world.monotonic_us();
        self.deliver(deliveries).await?;
        let repeated = self.since(begin);
        let count = deliveries as f64;
        let what = format!("webhooks taken durably, {CALLERS} connections");
        Ok(vec![
            Figure::new(what, count / taken, "/s", ""),
            Figure::new(
                "  answered within, median",
                crowd::share(&mut walls, 50),
                "ms",
                "",
            ),
            Figure::new("  95 of 100 within", crowd::share(&mut walls, 95), "ms", ""),
            Figure::new("the same delivered again, known", count / repeated, "/s", ""),
            Figure::new(
                format!("{deliveries} of them taken and in sync, CRM at {CALL_MS} ms"),
                drained,
                "s",
                "",
            ),
            Figure::new("  syncs a second", count / drained, "/s", ""),
        ])
    }

    fn since(&self, begin: u64) -> f64 {
        (self.world.monotonic_us() - begin) as f64 / 1e6
    }

    /// Delivers all of them; gives the milliseconds that each took.
    async fn deliver(&self, deliveries: usize) -> Result<Vec<f64>> {
        crowd::walls(&self.world, deliveries, |number| self.one(number + 1)).await
    }

    async fn one(&self, number: usize) -> Result<()> {
        let body = json!({"opportunity": format!("LOAD-{number:06}")}).to_string();
        let (id, now) = (format!("msg_{number}"), self.world.now().as_second());
        let request = self
            .http
            .post(format!("{}/api/v1/webhooks/{SOURCE}", self.service.url))
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", now)
            .header("webhook-signature", self.secret.sign(&id, now, body.as_bytes()))
            .body(body);
        let answer = request.send().await.map_err(failed)?;
        match answer.status() {
            StatusCode::ACCEPTED => Ok(()),
            status => {
                let text = answer.text().await.unwrap_or_default();
                Err(failed(format!("a webhook was answered with {status}: {text}")))
            }
        }
    }

    /// Waits until as many syncs have succeeded.
    async fn ended(&self, deliveries: usize) -> Result<()> {
        let mut succeeded = 0;
        for _ in 0..ASKS {
            succeeded = self.succeeded().await?;
            if succeeded >= deliveries {
                return Ok(());
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        let message = format!("{succeeded} of {deliveries} syncs have ended well, and no more do");
        Err(failed(message))
    }

    /// Syncs that the service has counted as succeeded since it started.
    async fn succeeded(&self) -> Result<usize> {
        let url = format!("{}/metrics", self.service.url);
        let answer = self.http.get(url).send().await.map_err(failed)?;
        let text = answer.text().await.map_err(failed)?;
        let counts = text
            .lines()
            .filter(|line| line.starts_with("cpq_syncs_total{") && line.contains("succeeded"));
        let count = |line: &str| line.rsplit_once(' ')?.1.parse::<usize>().ok();
        Ok(counts.filter_map(count).sum())
    }
}

fn failed(why: impl ToString) -> Error {
    Error::new(
        Code::Internal,
        format!("cannot measure webhooks: {}", why.to_string()),
    )
}
