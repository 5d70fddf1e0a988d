//! People who edit: each field the way its users do, on the side where it belongs and on the side where it does not.

use reqwest::Method;
use serde_json::{Value as Json, json};

use super::land::{Land, Pair};

/// Pseudo-random numbers (SplitMix64, Steele, Lea and Flood 2014): the same seed gives the same edits.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

pub struct Person<'a> {
    land: &'a Land,
    dice: Dice,
    pairs: Vec<&'a Pair>,
}

impl<'a> Person<'a> {
    pub fn new(land: &'a Land, seed: u64, pairs: Vec<&'a Pair>) -> Self {
        Person {
            land,
            dice: Dice(seed),
            pairs,
        }
    }

    pub fn work(mut self, edits: usize) {
        for edit in 0..edits {
            let at = self.dice.below(self.pairs.len() as u64) as usize;
            self.edit(self.pairs[at], edit);
        }
    }

    fn edit(&mut self, pair: &Pair, edit: usize) {
        let number = self.dice.below(9_000) + 1_000;
        let day = format!(
            "2027-{:02}-{:02}",
            self.dice.below(12) + 1,
            self.dice.below(28) + 1
        );
        let name = format!("Deal {number}.{edit} ü");
        match self.dice.below(16) {
            0 | 1 => self.in_crm(
                pair,
                json!({ "Name": name }),
                "opportunity.name",
                json!({ "text": name }),
            ),
            2 => self.in_crm(
                pair,
                json!({ "CloseDate": day }),
                "opportunity.close_date",
                json!({ "date": day }),
            ),
            3 => self.meddle_in_crm(
                pair,
                json!({ "CPQ_Net_Total__c": number, "CPQ_Discount_Percent__c": 1.5 }),
            ),
            4 => self.meddle_in_crm(pair, json!({ "CPQ_Quote_Number__c": "mine", "NextStep": name })),
            5 => {
                // One transaction with a field of each owner: neither half may drown the other.
                let fields = json!({ "Name": name, "CPQ_Net_Total__c": number });
                self.in_crm(pair, fields, "opportunity.name", json!({ "text": name }));
            }
            6 | 7 => self.in_cpq(pair, "quote.name", json!({ "text": name })),
            8 => {
                let percent = json!({ "number": self.dice.below(20).to_string() });
                self.in_cpq(pair, "quote.header_discount_percent", percent);
            }
            9 => self.in_cpq(pair, "quote.valid_until", json!({ "date": day })),
            10 => self.meddle_in_cpq(pair, "opportunity.name", json!({ "text": name })),
            11 | 12 => self.change_a_product(pair),
            13 => self.add_or_drop_a_product(pair),
            14 => self.change_a_quote_line(pair),
            _ => self.move_on(pair),
        }
    }

    /// The CRM owns it: what the CRM accepts here must be on both sides at the end.
    fn in_crm(&self, pair: &Pair, fields: Json, field: &'static str, value: Json) {
        if self.patch_crm(pair, &fields) {
            self.said(pair, field, value);
        }
    }

    fn meddle_in_crm(&self, pair: &Pair, fields: Json) {
        self.patch_crm(pair, &fields);
    }

    fn patch_crm(&self, pair: &Pair, fields: &Json) -> bool {
        self.to_crm(Method::PATCH, pair, &format!("Opportunity/{}", pair.id), fields)
    }

    /// The rep changes a quantity: it counts while the quote is a draft, and is put right once it is approved.
    fn change_a_product(&mut self, pair: &Pair) {
        let lines = self.land.products(pair);
        let Some(line) = self.one_of(&lines) else { return };
        let fields = json!({ "Quantity": self.dice.below(40) + 1 });
        self.to_crm(Method::PATCH, pair, &product(line), &fields);
    }

    fn add_or_drop_a_product(&mut self, pair: &Pair) {
        let lines = self.land.products(pair);
        let Some(line) = self.one_of(&lines) else { return };
        if lines.len() > 3 {
            self.to_crm(Method::DELETE, pair, &product(line), &Json::Null);
            return;
        }
        let added = json!({
            "OpportunityId": pair.id, "PricebookEntryId": line["PricebookEntryId"], "Quantity": 2, "UnitPrice": line["ListPrice"],
        });
        self.to_crm(Method::POST, pair, "OpportunityLineItem", &added);
    }

    fn change_a_quote_line(&mut self, pair: &Pair) {
        let quote = self.land.quote(pair);
        let lines = quote["lines"].as_array().expect("lines");
        let Some(line) = self.one_of(lines) else { return };
        let key = line["lineKey"].as_str().expect("a key");
        let quantity = json!({ "line.quantity": { "number": (self.dice.below(40) + 1).to_string() } });
        let body = json!({ "lines": { key: { "put": quantity } } });
        self.to_quote(Method::PATCH, pair, "", &body);
    }

    fn one_of<'l>(&mut self, lines: &'l [Json]) -> Option<&'l Json> {
        let at = self.dice.below(lines.len().max(1) as u64);
        lines.get(at as usize)
    }

    /// Until the CRM has said yes or no: a row may be locked, a connection may break after it was applied. A line that
    /// went away meanwhile is a no.
    fn to_crm(&self, method: Method, pair: &Pair, record: &str, fields: &Json) -> bool {
        for _ in 0..50 {
            match self
                .land
                .crm(method.clone(), &format!("sobjects/{record}"), fields)
            {
                (201 | 204, _) => return true,
                (404, _) if record.starts_with("OpportunityLineItem/") => return false,
                (0, _) if method == Method::POST => return false,
                (0, _) => {}
                (_, told) if told[0]["errorCode"] == "UNABLE_TO_LOCK_ROW" => {}
                (status, told) => panic!("{} {record} {fields}: {status} {told}", pair.number),
            }
        }
        panic!("{}: the CRM does not answer", pair.number);
    }

    fn in_cpq(&self, pair: &Pair, field: &'static str, value: Json) {
        if self.patch_cpq(pair, field, &value) {
            self.said(pair, field, value);
        }
    }

    fn meddle_in_cpq(&self, pair: &Pair, field: &'static str, value: Json) {
        self.patch_cpq(pair, field, &value);
    }

    /// Whether the quote took it; a quote that is out of the draft does not.
    fn patch_cpq(&self, pair: &Pair, field: &str, value: &Json) -> bool {
        let body = json!({ "fields": { field: value } });
        self.to_quote(Method::PATCH, pair, "", &body) == 200
    }

    /// Some step that the quote's state allows, none of which ends its life.
    fn move_on(&mut self, pair: &Pair) {
        let steps = [
            "submit", "unlock", "approve", "recall", "send", "withdraw", "reopen",
        ];
        let step = steps[self.dice.below(steps.len() as u64) as usize];
        self.to_quote(Method::POST, pair, "/transitions", &json!({ "transition": step }));
    }

    fn to_quote(&self, method: Method, pair: &Pair, under: &str, body: &Json) -> u16 {
        loop {
            let quote = self.land.quote(pair);
            let etag = format!("\"{}.{}\"", pair.quote, quote["version"]);
            let key = format!("soak-{}-{}-{body}", pair.number, quote["version"]);
            let key: String = key.chars().filter(char::is_ascii_graphic).take(200).collect();
            let headers = [("if-match", etag.as_str()), ("idempotency-key", key.as_str())];
            let path = format!("/api/v1/quotes/{}{under}", pair.quote);
            match self.land.cpq(method.clone(), &path, &headers, body) {
                // A sync was faster; people look again and repeat.
                (412, _) => {}
                (status @ (200 | 409 | 422), _) => return status,
                (status, told) => panic!("{}: {status} {told}", pair.number),
            }
        }
    }

    fn said(&self, pair: &Pair, field: &'static str, value: Json) {
        pair.said
            .lock()
            .expect("no panic while it is held")
            .insert(field, value);
    }
}

fn product(line: &Json) -> String {
    format!("OpportunityLineItem/{}", line["Id"].as_str().expect("an id"))
}
