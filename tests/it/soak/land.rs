//! A sandbox with opportunities, a service that follows its changes, and clients of both that are fast enough.

use std::collections::BTreeMap;
use std::sync::Mutex;

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, Service};

/// What the service is told: events, and a look at everything that changed every few seconds for what they miss.
const SETTINGS: &str = "[changes]\nmode = \"events\"\npoll_seconds = 5\nsafety_net_minutes = 1\n[retry]\nbase_ms = 50\nthrottled_base_ms = 100\n";

/// An opportunity and its quote, and what people last said about it where they were asked.
#[derive(Debug)]
pub struct Pair {
    pub number: String,
    pub id: String,
    pub quote: String,
    /// The owner's last accepted value by canonical field.
    pub said: Mutex<BTreeMap<&'static str, Json>>,
}

pub struct Land {
    pub house: House,
    pub pairs: Vec<Pair>,
    service: Service,
    token: String,
    sandbox: String,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
}

impl Land {
    pub fn build(opportunities: usize) -> Land {
        let house = House::seeded();
        house.control(
            Method::POST,
            "/sandbox/seed",
            &json!({"add": true, "name": "soak", "generate": {"opportunities": opportunities, "prefix": "SOAK-"}}),
        );
        house.cpq(&["auth", "connect-crm"]).ok();
        std::fs::write(house.path().join("cpq.toml"), SETTINGS).expect("a file");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let (service, token, sandbox) = (house.serve_as(&[], &[]), house.crm_token(), house.sandbox());
        let mut land = Land {
            house,
            pairs: Vec::new(),
            service,
            token,
            sandbox,
            runtime,
            client,
        };
        land.pairs = (1..=opportunities)
            .map(|n| land.pair(&format!("SOAK-{n:06}")))
            .collect();
        land
    }

    fn pair(&self, number: &str) -> Pair {
        let path = format!("/api/v1/sync/opportunities/{number}");
        let (status, synced) = self.cpq(Method::POST, &path, &[], &json!({}));
        assert_eq!((status, &synced["status"]), (200, &json!("success")), "{synced}");
        let quote = self
            .cpq(
                Method::GET,
                &format!("/api/v1/quotes?opportunity={number}"),
                &[],
                &Json::Null,
            )
            .1;
        let found = &self.soql(&format!(
            "SELECT Id FROM Opportunity WHERE Opportunity_Number__c = '{number}'"
        ))[0];
        let text = |value: &Json| value.as_str().expect("text").to_owned();
        Pair {
            number: number.to_owned(),
            id: text(&found["Id"]),
            quote: text(&quote["quotes"][0]["id"]),
            said: Mutex::default(),
        }
    }

    /// The pairs, dealt out to so many people: nobody disturbs another one's record of what was said.
    pub fn shares(&self, people: usize) -> Vec<Vec<&Pair>> {
        let mut shares = vec![Vec::new(); people];
        for (at, pair) in self.pairs.iter().enumerate() {
            shares[at % people].push(pair);
        }
        shares.retain(|share| !share.is_empty());
        shares
    }

    /// No more faults, and what was held back comes.
    pub fn calm(&self) {
        self.house.faults(json!([]));
        self.house
            .control(Method::POST, "/sandbox/events/release", &json!({}));
    }

    /// A call to the service.
    pub fn cpq(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &Json) -> (u16, Json) {
        self.call(
            method,
            &format!("{}{path}", self.service.url),
            &self.service.token,
            headers,
            body,
        )
    }

    /// A call to the CRM, as somebody who is not the product.
    pub fn crm(&self, method: Method, path: &str, body: &Json) -> (u16, Json) {
        self.call(
            method,
            &format!("{}/services/data/v68.0/{path}", self.sandbox),
            &self.token,
            &[],
            body,
        )
    }

    pub fn soql(&self, query: &str) -> Vec<Json> {
        let encoded: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let (status, found) = self.crm(Method::GET, &format!("query?q={encoded}"), &Json::Null);
        assert_eq!(status, 200, "{found}");
        found["records"].as_array().expect("records").clone()
    }

    /// The opportunity's products as the CRM has them.
    pub fn products(&self, pair: &Pair) -> Vec<Json> {
        let fields = "Id, PricebookEntryId, ProductCode, ListPrice, Quantity, TotalPrice";
        self.soql(&format!(
            "SELECT {fields} FROM OpportunityLineItem WHERE OpportunityId = '{}' ORDER BY Id",
            pair.id
        ))
    }

    /// The quote as it is, of the revision that counts.
    pub fn quote(&self, pair: &Pair) -> Json {
        let path = format!("/api/v1/quotes/{}", pair.quote);
        let (status, quote) = self.cpq(Method::GET, &path, &[], &Json::Null);
        assert_eq!(status, 200, "{quote}");
        quote
    }

    fn call(
        &self,
        method: Method,
        url: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: &Json,
    ) -> (u16, Json) {
        self.runtime.block_on(async {
            let mut request = self.client.request(method, url).bearer_auth(token);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if !body.is_null() {
                request = request.json(body);
            }
            // A fault may close any connection of the sandbox.
            let Ok(answer) = request.send().await else {
                return (0, Json::Null);
            };
            let status = answer.status().as_u16();
            let text = answer.text().await.unwrap_or_default();
            (status, serde_json::from_str(&text).unwrap_or(Json::Null))
        })
    }
}
