//! Scenarios: what an org holds at the start, as one JSON document.
//!
//! A record may name itself (`"ref"`) and later ones may point to it with `{"ref": "…"}` in place of an id. Ids
//! follow from the order of the records, so the same scenario in a new org always gives the same ids.

use crate::events::{Capture, Channel};
use crate::org::input::{self, Purpose};
use crate::org::subscriptions::SubscriptionSpec;
use crate::org::{Hand, Id, Org};
use crate::push::{self, Callout, OutboundMessage, Rules};
use crate::schema::custom::{DuplicateSpec, PermissionSpec, RecordTypeSpec, ValidationSpec};
use crate::schema::{Customization, EventSpec, FieldSpec, ObjectSpec};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, HashMap};

/// Most records that one scenario may generate; more would not fit beside its indexes in a small machine.
const GENERATED_LIMIT: usize = 1_000_000;
/// Lines of each generated opportunity.
const GENERATED_LINES: usize = 3;

/// A scenario.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scenario {
    /// Name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Fields of the one Organization row.
    pub organization: Map<String, Json>,
    /// Fields of the user that every org starts with.
    pub user: Map<String, Json>,
    /// Custom objects.
    pub objects: Vec<ObjectSpec>,
    /// Custom fields by object.
    pub fields: BTreeMap<String, Vec<FieldSpec>>,
    /// Platform events.
    pub platform_events: Vec<EventSpec>,
    /// Names of the objects whose changes become events; all that can, when absent.
    pub capture: Option<Vec<String>>,
    /// Channels that carry events of several kinds.
    pub channels: Vec<Channel>,
    /// Currencies, the corporate one first; two or more make a multi-currency org.
    pub currencies: Vec<Currency>,
    /// Record types.
    pub record_types: Vec<RecordTypeSpec>,
    /// Validation rules; the scenario's own records are not looked at.
    pub validation_rules: Vec<ValidationSpec>,
    /// Duplicate rules; the scenario's own records are not looked at.
    pub duplicate_rules: Vec<DuplicateSpec>,
    /// What users may not see or do.
    pub permissions: Vec<PermissionSpec>,
    /// Records in the order of their making.
    pub records: Vec<Record>,
    /// Records to make up for load tests.
    pub generate: Option<Generate>,
    /// Managed event subscriptions of the Pub/Sub API.
    pub managed_subscriptions: Vec<SubscriptionSpec>,
    /// SOAP messages to endpoints when records change.
    pub outbound_messages: Vec<OutboundMessage>,
    /// JSON requests to endpoints when records change.
    pub callouts: Vec<Callout>,
    /// Login names of users whose changes send no outbound messages.
    pub muted_users: Vec<String>,
}

/// An active currency.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Currency {
    /// ISO 4217 code.
    pub code: String,
    /// Units per unit of the corporate currency.
    pub rate: f64,
}

/// A record to make.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// Object.
    pub object: String,
    /// Name for later records to point to.
    #[serde(rename = "ref", default)]
    pub reference: Option<String>,
    /// Values by field.
    pub values: Map<String, Json>,
}

/// Records to make up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Generate {
    /// Opportunities, each with an account and three lines.
    pub opportunities: usize,
    /// Start of their external numbers; `LOAD-` when absent.
    #[serde(default = "load_prefix")]
    pub prefix: String,
}

fn load_prefix() -> String {
    "LOAD-".into()
}

/// The scenarios that come with the program.
pub const NAMES: [&str; 3] = ["crm-sync", "empty", "outage-100"];

/// An embedded scenario.
pub fn named(name: &str) -> Option<Scenario> {
    let text = match name {
        "crm-sync" => include_str!("scenarios/crm-sync.json"),
        "empty" => include_str!("scenarios/empty.json"),
        "outage-100" => include_str!("scenarios/outage-100.json"),
        _ => return None,
    };
    serde_json::from_str(text).ok()
}

/// Adds a scenario to an org.
///
/// # Errors
/// Says which object, field or record does not fit; then no record of the scenario is kept.
pub fn load(org: &mut Org, scenario: &Scenario, now: Timestamp) -> Result<(), String> {
    let custom = Customization {
        objects: scenario.objects.clone(),
        fields: fields_in_order(&scenario.fields),
        currencies: scenario.currencies.iter().map(|c| c.code.clone()).collect(),
        record_types: scenario.record_types.clone(),
        platform_events: scenario.platform_events.clone(),
        capture: Capture {
            entities: scenario.capture.clone(),
            channels: scenario.channels.clone(),
            ..Capture::default()
        },
        ..Customization::default()
    };
    org.define(&custom, now)?;
    let rules = Customization {
        validation_rules: scenario.validation_rules.clone(),
        duplicate_rules: scenario.duplicate_rules.clone(),
        permissions: scenario.permissions.clone(),
        ..Customization::default()
    };
    org.check_definition(&rules)?;
    let mark = org.mark();
    let result = Loader::new(org, now)
        .run(scenario)
        .and_then(|()| push_rules(org, scenario));
    if result.is_err() {
        org.rollback(mark);
    }
    org.commit_silently();
    result?;
    // Rules come last: a scenario may hold records that nobody could write today.
    org.define(&rules, now).map(|_| ())
}

/// Custom fields by object, in the form that the schema keeps.
pub fn fields_in_order(fields: &BTreeMap<String, Vec<FieldSpec>>) -> Vec<(String, Vec<FieldSpec>)> {
    fields.iter().map(|(o, f)| (o.clone(), f.clone())).collect()
}

/// Takes in what is to be sent; it speaks of objects, fields and users that exist only now.
fn push_rules(org: &mut Org, scenario: &Scenario) -> Result<(), String> {
    let mut rules = org.push_rules().clone();
    rules.add(&Rules {
        outbound_messages: scenario.outbound_messages.clone(),
        callouts: scenario.callouts.clone(),
        muted_users: scenario.muted_users.clone(),
    });
    push::check(org, &rules)?;
    org.set_push_rules(rules);
    Ok(())
}

struct Loader<'a> {
    org: &'a mut Org,
    hand: Hand,
    named: HashMap<String, Id>,
}

impl<'a> Loader<'a> {
    fn new(org: &'a mut Org, now: Timestamp) -> Loader<'a> {
        let named = HashMap::from([
            ("user".to_owned(), org.first_user()),
            ("standardPricebook".to_owned(), org.standard_pricebook()),
        ]);
        let hand = Hand {
            user: org.first_user(),
            now,
        };
        Loader { org, hand, named }
    }

    fn run(&mut self, scenario: &Scenario) -> Result<(), String> {
        let organization = Id::parse(self.org.organization_id());
        self.change("Organization", organization, &scenario.organization)?;
        self.change("User", Some(self.org.first_user()), &scenario.user)?;
        self.currencies(&scenario.currencies)?;
        for (n, record) in scenario.records.iter().enumerate() {
            self.record(record)
                .map_err(|e| format!("record {} ({}): {e}", n + 1, record.object))?;
        }
        if let Some(generate) = &scenario.generate {
            self.generate(generate)?;
        }
        for spec in &scenario.managed_subscriptions {
            self.org.subscriptions_mut().create(spec.clone())?;
        }
        Ok(())
    }

    fn currencies(&mut self, currencies: &[Currency]) -> Result<(), String> {
        if currencies.len() < 2 {
            return Ok(());
        }
        for (n, currency) in currencies.iter().enumerate() {
            let values = json!({
                "IsoCode": currency.code, "ConversionRate": currency.rate, "DecimalPlaces": 2, "IsActive": true,
                "IsCorporate": n == 0,
            });
            self.make("CurrencyType", &values)?;
        }
        Ok(())
    }

    fn change(&mut self, object: &str, id: Option<Id>, values: &Map<String, Json>) -> Result<(), String> {
        let (Some(id), false) = (id, values.is_empty()) else {
            return Ok(());
        };
        let (at, given) = self.given(object, values)?;
        self.org
            .update(&self.hand, at, id, given)
            .map_err(|e| format!("{object}: {}", e.message))
    }

    fn record(&mut self, record: &Record) -> Result<(), String> {
        let (at, given) = self.given(&record.object, &record.values)?;
        let id = self
            .org
            .insert(&self.hand, at, given)
            .map_err(|e| format!("{}: {}", e.error_code, e.message))?;
        if let Some(name) = &record.reference
            && self.named.insert(name.clone(), id).is_some()
        {
            return Err(format!("the ref '{name}' is used twice"));
        }
        Ok(())
    }

    fn make(&mut self, object: &str, values: &Json) -> Result<Id, String> {
        let values = values.as_object().cloned().unwrap_or_default();
        let (at, given) = self.given(object, &values)?;
        self.org
            .insert(&self.hand, at, given)
            .map_err(|e| format!("{object}: {}", e.message))
    }

    fn given(
        &self,
        object: &str,
        values: &Map<String, Json>,
    ) -> Result<(usize, crate::org::draft::Given), String> {
        let schema = self.org.schema();
        let at = schema
            .position(object)
            .ok_or_else(|| format!("unknown object {object}"))?;
        let mut resolved = Map::with_capacity(values.len());
        for (key, value) in values {
            let name = value
                .as_object()
                .filter(|o| o.len() == 1)
                .and_then(|o| o.get("ref"))
                .and_then(Json::as_str);
            let value = match name {
                Some(name) => {
                    let id = self
                        .named
                        .get(name)
                        .ok_or_else(|| format!("{key}: no earlier record has the ref '{name}'"))?;
                    Json::String(id.to_string())
                }
                None => value.clone(),
            };
            resolved.insert(key.clone(), value);
        }
        let given = input::read(self.org, schema.at(at), &resolved, Purpose::Seed, &[]);
        Ok((at, given.map_err(|e| e.message)?))
    }

    /// Opportunities numbered `LOAD-000001` and up, each with an account and lines of one product.
    fn generate(&mut self, generate: &Generate) -> Result<(), String> {
        if generate.opportunities > GENERATED_LIMIT {
            return Err(format!("generate: at most {GENERATED_LIMIT} opportunities"));
        }
        let book = self.org.standard_pricebook().to_string();
        let product = json!({"Name": "Load test unit", "ProductCode": "LOAD-UNIT", "IsActive": true});
        let product = self.make("Product2", &product)?.to_string();
        let entry = json!({"Pricebook2Id": book, "Product2Id": product, "UnitPrice": 100, "IsActive": true});
        let entry = self.make("PricebookEntry", &entry)?.to_string();
        let numbered = self
            .org
            .schema()
            .object("Opportunity")
            .is_some_and(|o| o.position("Opportunity_Number__c").is_some());
        for n in 1..=generate.opportunities {
            let number = format!("{}{n:06}", generate.prefix);
            let account = self
                .make("Account", &json!({"Name": format!("Load account {n:06}")}))?
                .to_string();
            let mut opportunity = json!({
                "Name": format!("Load opportunity {n:06}"), "AccountId": account, "StageName": "Proposal/Price Quote",
                "CloseDate": "2026-12-31", "Pricebook2Id": book,
            });
            if numbered {
                opportunity["Opportunity_Number__c"] = number.into();
            }
            let opportunity = self.make("Opportunity", &opportunity)?.to_string();
            for line in 1..=GENERATED_LINES {
                let values = json!({
                    "OpportunityId": opportunity, "PricebookEntryId": entry, "Quantity": line, "UnitPrice": 100,
                });
                self.make("OpportunityLineItem", &values)?;
            }
            // The undo log of a large load would hold every row twice.
            self.org.commit_silently();
        }
        Ok(())
    }
}
