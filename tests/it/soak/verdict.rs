//! What must hold at the end, looked up on both sides past the product's own idea of it.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value as Json, json};

use super::land::{Land, Pair};

/// Fields of the opportunity and its quote record, and where the quote has the same: the mapping once more, by hand.
const CRM: &str = "SELECT Name, CloseDate, CPQ_Quote_Number__c, CPQ_Quote_Status__c, CPQ_Net_Total__c, CPQ_Discount_Percent__c, \
                   CPQ_Valid_Until__c, (SELECT Name, ExpirationDate FROM Quotes) FROM Opportunity WHERE Id = ";

/// States in which the quote's lines are the opportunity's products; before that each side may have its own.
const APPROVED: [&str; 4] = ["approved", "sent", "accepted", "ordered"];

/// Looks at both sides before one gives up on them, far more than three minutes' worth.
const LOOKS: usize = 400;
const BETWEEN_LOOKS: std::time::Duration = std::time::Duration::from_millis(500);

/// Where both sides stood when the last edit was made.
pub struct Mark {
    tip: Json,
    versions: BTreeMap<String, u64>,
}

impl Land {
    /// The present position of the event stream, and the quotes' versions.
    pub fn marks(&self) -> Mark {
        let tip = self
            .house
            .control(Method::GET, "/sandbox/events?limit=1", &Json::Null)["tip"]
            .clone();
        let versions = self
            .pairs
            .iter()
            .map(|pair| (pair.number.clone(), version(&self.quote(pair))));
        Mark {
            tip,
            versions: versions.collect(),
        }
    }

    /// Both sides become equal, and equal to what the owners said last. An event that was dropped is made up for by the
    /// next look at everything that changed, a minute later at most.
    pub fn agree(&self, seed: u64) {
        let mut told = Vec::new();
        for _ in 0..LOOKS {
            told = self
                .pairs
                .iter()
                .flat_map(|pair| self.differences(pair))
                .collect();
            if told.is_empty() {
                return;
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        panic!("the sides do not agree (seed {seed}): {told:#?}");
    }

    fn differences(&self, pair: &Pair) -> Vec<String> {
        let crm = self.soql(&format!("{CRM}'{}'", pair.id)).remove(0);
        let quote = self.quote(pair);
        let record = &crm["Quotes"]["records"][0];
        let context = |field: &str| &quote["context"][field];
        let mut told = Vec::new();
        let mut same = |field: &str, crm: &Json, cpq: &Json| {
            if crm != cpq {
                told.push(format!("{} {field}: CRM {crm}, CPQ {cpq}", pair.number));
            }
        };
        same(
            "opportunity.name",
            &crm["Name"],
            &context("opportunity.name")["text"],
        );
        same(
            "opportunity.close_date",
            &crm["CloseDate"],
            &context("opportunity.close_date")["date"],
        );
        same("quote.number", &crm["CPQ_Quote_Number__c"], &quote["number"]);
        same("quote.status", &crm["CPQ_Quote_Status__c"], &quote["status"]);
        same(
            "quote.valid_until",
            &crm["CPQ_Valid_Until__c"],
            &quote["validUntil"],
        );
        same(
            "quote.net_total",
            &cents(&crm["CPQ_Net_Total__c"]),
            &cents(&quote["totals"]["net"]["amount"]),
        );
        same(
            "quote.discount_percent",
            &cents(&crm["CPQ_Discount_Percent__c"]),
            &cents(&quote["totals"]["discountPercent"]),
        );
        same("quote_record.name", &record["Name"], &quote["name"]);
        same(
            "quote_record.expiration_date",
            &record["ExpirationDate"],
            &quote["validUntil"],
        );
        if APPROVED.contains(&quote["status"].as_str().unwrap_or_default()) {
            let crm = lines(&self.products(pair), "ProductCode", |line| &line["TotalPrice"]);
            let cpq = quote["lines"].as_array().expect("lines");
            let cpq = lines(cpq, "sku", |line| &line["totals"]["net"]);
            same("lines", &crm, &cpq);
        }
        let said = pair.said.lock().expect("no panic while it is held");
        for (field, value) in said.iter() {
            let now = match *field {
                "quote.name" => json!({ "text": quote["name"] }),
                "quote.valid_until" => json!({ "date": quote["validUntil"] }),
                "quote.header_discount_percent" => {
                    let percent = quote["headerDiscount"]["percent"].as_str().unwrap_or("0");
                    json!({ "number": percent })
                }
                field => context(field).clone(),
            };
            same(&format!("the owner's last {field}"), value, &now);
        }
        told
    }

    /// How often the product wrote to each record since the last edit.
    pub fn wrote_at_most(&self, most: usize, before: &Mark, seed: u64) {
        for pair in &self.pairs {
            let crm = self.writes_to(&pair.id, &before.tip);
            let cpq = version(&self.quote(pair)) - before.versions[&pair.number];
            assert!(
                crm.len() <= most && cpq <= most as u64,
                "{} was written {} times in the CRM and {cpq} times in the CPQ after the last edit (seed {seed}): {crm:#?}, by {:#}",
                pair.number,
                crm.len(),
                self.syncs_of(pair)
            );
        }
    }

    fn syncs_of(&self, pair: &Pair) -> Json {
        let path = format!("/api/v1/sync?opportunity={}&limit=8", pair.number);
        self.cpq(Method::GET, &path, &[], &Json::Null).1
    }

    /// The heads of the events that tell of writes; some are told twice.
    fn writes_to(&self, id: &str, after: &Json) -> Vec<Json> {
        let path = format!(
            "/sandbox/events?after={}&limit=10000&topic=/data/OpportunityChangeEvent",
            text(after)
        );
        let told = self.house.control(Method::GET, &path, &Json::Null);
        let events = told["events"].as_array().expect("events").iter();
        let heads = events.map(|event| &event["payload"]["ChangeEventHeader"]);
        let ours = heads.filter(|head| {
            head["recordIds"]
                .as_array()
                .is_some_and(|ids| ids.contains(&json!(id)))
        });
        let by_transaction = ours.map(|head| (text(&head["transactionKey"]), head.clone()));
        BTreeMap::from_iter(by_transaction).into_values().collect()
    }

    /// Asked about everything, the product makes up for what nobody was told of and nobody compares: what each side has of
    /// the lines of a draft. Asked once more, it finds nothing to do.
    pub fn is_silent(&self, seed: u64) {
        for pair in &self.pairs {
            self.ask_for(pair, seed);
        }
        let before = self.marks();
        for pair in &self.pairs {
            let synced = self.ask_for(pair, seed);
            let effect = &synced["outcome"]["effect"];
            assert_eq!(effect, "no_change", "{} (seed {seed}): {synced}", pair.number);
        }
        self.wrote_at_most(0, &before, seed);
    }

    fn ask_for(&self, pair: &Pair, seed: u64) -> Json {
        let path = format!("/api/v1/sync/opportunities/{}", pair.number);
        let (status, synced) = self.cpq(Method::POST, &path, &[], &json!({}));
        assert_eq!(status, 200, "{} (seed {seed}): {synced}", pair.number);
        synced
    }
}

fn version(quote: &Json) -> u64 {
    quote["version"].as_u64().expect("a version")
}

/// A number or the text of one, in hundredths.
fn cents(value: &Json) -> Json {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
    number.map_or(Json::Null, |number| json!((number * 100.0).round() as i64))
}

/// Product, quantity and total of each line, in hundredths, in an order that both sides share.
fn lines(lines: &[Json], product: &str, total: impl Fn(&Json) -> &Json) -> Json {
    let line = |line: &Json| {
        let numbers = [
            cents(if line["quantity"].is_null() {
                &line["Quantity"]
            } else {
                &line["quantity"]
            }),
            cents(total(line)),
        ];
        format!("{} {} {}", line[product], numbers[0], numbers[1])
    };
    let mut lines: Vec<String> = lines.iter().map(line).collect();
    lines.sort();
    json!(lines)
}

fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
