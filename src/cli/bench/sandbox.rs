//! How much the sandbox carries, so that what is measured against it is never the sandbox itself.

use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::world::World;
use serde_json::{Value as Json, json};

use super::{Figure, crowd, machine, scratch};
use crate::cli::{place, sandbox};
use crate::config::Config;
use crate::world::RealWorld;

/// Records that one generated opportunity brings along: itself, its account and three lines.
const RECORDS_EACH: usize = 5;
/// Longest time for one answer; seeding a million records is one request.
const PATIENCE: Duration = Duration::from_secs(300);

/// A loaded sandbox in a process of its own, and one session with it.
struct Loaded {
    http: reqwest::Client,
    url: String,
    token: String,
    opportunities: usize,
    world: RealWorld,
}

/// Seeds that many records, then reads, writes and queries them.
pub async fn measure(config: &Config, records: usize, calls: usize) -> Result<Vec<Figure>> {
    let config = scratch::part(config);
    let running = sandbox::spawn_tied(&config).await?;
    let mut figures = Vec::new();
    let loaded = Loaded::seed(&config, running.url.clone(), records, &mut figures).await;
    let measured = match &loaded {
        Ok(loaded) => loaded.rates(calls, &mut figures).await,
        Err(_) => Ok(()),
    };
    scratch::clear(&config, &config.state_dir).await;
    loaded.and(measured).map(|()| figures)
}

impl Loaded {
    async fn seed(config: &Config, url: String, records: usize, figures: &mut Vec<Figure>) -> Result<Loaded> {
        // Unpacking answers on the same cores would be the client's own work.
        let client = reqwest::Client::builder().no_proxy().no_gzip();
        let http = client.timeout(PATIENCE).build();
        let http = http.map_err(|error| failed("/", &error.to_string()))?;
        let (world, opportunities) = (RealWorld::new(), records / RECORDS_EACH);
        let mut scenario = ::sandbox::scenario::named("crm-sync")
            .ok_or_else(|| Error::new(Code::Internal, "no scenario crm-sync"))?;
        scenario.generate = serde_json::from_value(json!({ "opportunities": opportunities })).ok();
        let begin = world.monotonic_us();
        answer(http.post(format!("{url}/sandbox/seed")).json(&scenario)).await?;
        let seconds = (world.monotonic_us() - begin) as f64 / 1e6;
        figures.push(Figure::new(
            format!("{records} records seeded"),
            seconds,
            "s",
            "≤ 60",
        ));
        let pid =
            place::load::<place::Listening>(&config.state_dir, place::SANDBOX).map(|sandbox| sandbox.pid);
        let memory = pid.and_then(machine::resident_mib).unwrap_or_default();
        figures.push(Figure::new("resident memory with them", memory, "MiB", "≤ 2048"));
        let info = answer(http.get(format!("{url}/sandbox/info"))).await?;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", info["clientId"].as_str().unwrap_or_default()),
            ("client_secret", info["clientSecret"].as_str().unwrap_or_default()),
        ];
        let granted = answer(http.post(format!("{url}/services/oauth2/token")).form(&form)).await?;
        let token = granted["access_token"].as_str().unwrap_or_default().to_owned();
        Ok(Loaded {
            http,
            url,
            token,
            opportunities,
            world,
        })
    }

    async fn rates(&self, calls: usize, figures: &mut Vec<Figure>) -> Result<()> {
        let found =
            answer(self.query("SELECT Id, SystemModstamp FROM Opportunity ORDER BY Id LIMIT 1")).await?;
        let first = &found["records"][0];
        let path = format!("/services/data/v68.0/sobjects/Opportunity/{}", text(&first["Id"]));
        let reads = self.rate(calls, |_| self.get(&path)).await?;
        figures.push(Figure::new("record reads, 64 connections", reads, "/s", "≥ 5000"));
        let composites = self.rate(calls, |n| self.composite(n)).await?;
        figures.push(Figure::new(
            "composite calls of two parts",
            composites,
            "/s",
            "≥ 2000",
        ));
        let by_id = format!("SELECT Name FROM Opportunity WHERE Id = '{}'", text(&first["Id"]));
        let by_stamp = format!(
            "SELECT Id FROM Opportunity WHERE SystemModstamp > {} ORDER BY SystemModstamp, Id LIMIT 10",
            text(&first["SystemModstamp"]).replace("+0000", "Z")
        );
        let by_key = |n: usize| {
            format!(
                "SELECT Id, Name FROM Opportunity WHERE Opportunity_Number__c = '{}'",
                self.number(n)
            )
        };
        for (what, rate) in [
            ("SOQL by Id", self.rate(calls, |_| self.query(&by_id)).await?),
            (
                "SOQL by external id",
                self.rate(calls, |n| self.query(&by_key(n))).await?,
            ),
            (
                "SOQL from a SystemModstamp on",
                self.rate(calls, |_| self.query(&by_stamp)).await?,
            ),
        ] {
            figures.push(Figure::new(what, rate, "/s", ""));
            figures.push(Figure::new(
                format!("{what}, against a read"),
                rate / reads,
                "×",
                "",
            ));
        }
        Ok(())
    }

    /// Calls a second, with [`CONNECTIONS`] under way all the time.
    async fn rate(&self, calls: usize, call: impl Fn(usize) -> reqwest::RequestBuilder) -> Result<f64> {
        let begin = self.world.monotonic_us();
        let one = |n: usize| {
            let request = call(n);
            async move { answer(request).await.map(drop) }
        };
        crowd::walls(&self.world, calls, one).await?;
        Ok(calls as f64 / ((self.world.monotonic_us() - begin) as f64 / 1e6))
    }

    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.http
            .get(format!("{}{path}", self.url))
            .bearer_auth(&self.token)
    }

    fn query(&self, soql: &str) -> reqwest::RequestBuilder {
        self.get("/services/data/v68.0/query").query(&[("q", soql)])
    }

    /// Business number of some generated opportunity; neighbours in time are far apart in the table.
    fn number(&self, n: usize) -> String {
        format!("LOAD-{:06}", n * 7_919 % self.opportunities.max(1) + 1)
    }

    /// An upsert by external id and a read that refers to it.
    fn composite(&self, n: usize) -> reqwest::RequestBuilder {
        let row = "/services/data/v68.0/sobjects/Opportunity";
        let key = self.number(n);
        let body = json!({"allOrNone": true, "compositeRequest": [
            {"method": "PATCH", "url": format!("{row}/Opportunity_Number__c/{key}"), "referenceId": "written",
             "body": {"NextStep": format!("step {n}")}},
            {"method": "GET", "url": format!("{row}/@{{written.id}}?fields=Id,Name,NextStep,Amount"),
             "referenceId": "read"}]});
        let url = format!("{}/services/data/v68.0/composite", self.url);
        self.http.post(url).bearer_auth(&self.token).json(&body)
    }
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Json> {
    let answered = request
        .send()
        .await
        .map_err(|error| failed("a call", &error.to_string()))?;
    let (status, path) = (answered.status(), answered.url().path().to_owned());
    let body = answered
        .text()
        .await
        .map_err(|error| failed(&path, &error.to_string()))?;
    // A composite answers 200 whatever became of its parts.
    let refused = !status.is_success() || body.contains("\"httpStatusCode\":4");
    match serde_json::from_str(&body) {
        Ok(json) if !refused => Ok(json),
        _ => Err(failed(&path, &body)),
    }
}

fn failed(what: &str, why: &str) -> Error {
    Error::new(Code::CrmUnavailable, format!("the sandbox refuses {what}: {why}"))
}
