//! The Salesforce adapter against the sandbox: each test has one of its own, for its faults hold for all who call it.

use std::sync::Arc;

use cpq_adapters::credentials::Credentials;
use cpq_adapters::salesforce::{Config, SalesforceAdapter};
use cpq_auth::Access;
use cpq_domain::adapter::{Call, CrmAdapter as _, CrmSnapshot, CrmWrite, QuoteRecord};
use cpq_domain::error::Written;
use cpq_domain::id::{ConnectionName, CorrelationId, OpportunityKey, QuoteId, RecordId};
use cpq_domain::value::{Money, Value};
use cpq_domain::view::{Fields, Patch};
use cpq_domain::world::World;
use cpq_domain::{Code, Error};
use serde_json::Value as Json;

use crate::house::House;

mod polling;

struct Grant {
    url: String,
    token: String,
}

#[async_trait::async_trait]
impl Credentials for Grant {
    async fn access(&self) -> cpq_domain::Result<Access> {
        let token = self.token.clone().into();
        Ok(Access {
            token,
            instance_url: self.url.clone(),
            organization: String::new(),
            generation: 1,
        })
    }
    async fn renew(&self, _: u64) -> cpq_domain::Result<Access> {
        self.access().await
    }
}

struct Still;
impl World for Still {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
    fn monotonic_us(&self) -> u64 {
        0
    }
    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

async fn login(house: &House) -> Grant {
    let url = house.sandbox();
    let client = reqwest::Client::new();
    let info = client
        .get(format!("{url}/sandbox/info"))
        .send()
        .await
        .expect("it answers")
        .text()
        .await;
    let info: Json = serde_json::from_str(&info.expect("a body")).expect("JSON");
    let text = |name: &str| info[name].as_str().unwrap_or_default().to_owned();
    let form = [
        ("grant_type", "client_credentials".to_owned()),
        ("client_id", text("clientId")),
        ("client_secret", text("clientSecret")),
    ];
    let answer = client
        .post(format!("{url}/services/oauth2/token"))
        .form(&form)
        .send()
        .await
        .expect("it answers");
    let answer: Json = serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON");
    Grant {
        url,
        token: answer["access_token"].as_str().expect("a token").to_owned(),
    }
}

async fn adapter(house: &House) -> SalesforceAdapter {
    let config = Config::new(ConnectionName::new("crm").expect("a name"));
    SalesforceAdapter::new(config, Arc::new(login(house).await), Arc::new(Still), None).expect("it is set up")
}

fn call() -> Call {
    Call::live(CorrelationId::new("csync-901").expect("an id"))
}

fn key(text: &str) -> OpportunityKey {
    OpportunityKey::new(text).expect("a key")
}

#[tokio::test]
async fn it_probes_reads_writes_and_sees_conflicts() {
    let house = House::seeded();
    let adapter = adapter(&house).await;
    let probe = adapter.probe(&call()).await.expect("it probes");
    assert!(probe.identity.organization_id.starts_with("00D"), "{probe:?}");
    assert!(probe.budget.is_some(), "{probe:?}");

    let read = adapter.read(&call(), &key("OPP-4482")).await.expect("it reads");
    assert_eq!(read.view.text("account.name"), Some("Northwind Robotics"));
    assert!(!read.view.lines.is_empty());
    let by_id = adapter
        .read(&call(), &key(read.opportunity.id.as_str()))
        .await
        .expect("it reads by id");
    assert_eq!(by_id.view, read.view);

    let currency = read.view.text("quote.currency").expect("a currency");
    let total = Value::Money(Money::new("61944.07".parse().expect("an amount"), currency));
    let fields = [
        ("quote.net_total".into(), total.clone()),
        ("quote.status".into(), Value::Choice("draft".into())),
    ];
    let mut write = CrmWrite {
        opportunity: read.opportunity.clone(),
        patch: Patch {
            fields: fields.into(),
            ..Patch::default()
        },
        unmodified_since: read.modified_at,
        quote_record: None,
        lines: Default::default(),
        record_type: None,
    };
    let written = adapter.write(&call(), &write).await.expect("it writes");
    assert_eq!(written.view.get("quote.net_total"), Some(&total));
    let again = adapter.read(&call(), &key("OPP-4482")).await.expect("it reads");
    assert_eq!(again.modified_at, written.modified_at);
    assert_eq!(again.view.get("quote.net_total"), Some(&total));

    write.unmodified_since = "2001-01-01T00:00:00Z".parse().expect("a moment");
    let error = adapter
        .write(&call(), &write)
        .await
        .expect_err("it was changed since");
    assert_eq!(error.code, Code::CrmConflict);
}

#[tokio::test]
async fn it_finds_nothing_where_nothing_is_and_an_opportunity_without_account() {
    let house = House::seeded();
    let adapter = adapter(&house).await;
    let none = adapter
        .read(&call(), &key("OPP-none"))
        .await
        .expect_err("it is not there");
    assert_eq!(none.code, Code::OpportunityNotFound);
    let bare = adapter.read(&call(), &key("OPP-4484")).await.expect("it reads");
    assert_eq!(bare.view.get("account.name"), Some(&Value::Null));
}

#[tokio::test]
async fn reads_and_writes_at_the_same_time_are_each_right() {
    let house = House::seeded();
    let adapter = adapter(&house).await;
    let keys = [key("OPP-4482"), key("OPP-4483"), key("OPP-4484"), key("OPP-none")];
    let call = call();
    let many: Vec<_> = (0..100).map(|n| &keys[n % 4]).collect();
    let reads = futures_util::future::join_all(many.iter().map(|key| adapter.read(&call, key))).await;
    for (key, read) in many.iter().zip(reads) {
        match key.as_str() {
            "OPP-none" => assert!(read.is_err()),
            _ => assert_eq!(read.expect("it reads").opportunity.number.as_ref(), Some(*key)),
        }
    }
    let (one, two) = (
        adapter.read(&call, &keys[1]).await.expect("it reads"),
        adapter.read(&call, &keys[2]).await,
    );
    let order = |read: &cpq_domain::adapter::CrmSnapshot, number: &str| CrmWrite {
        opportunity: read.opportunity.clone(),
        patch: Patch {
            fields: [("quote.number".into(), Value::text(number))].into(),
            ..Patch::default()
        },
        unmodified_since: read.modified_at,
        quote_record: None,
        lines: Default::default(),
        record_type: None,
    };
    let orders = [order(&one, "Q-1"), order(&two.expect("it reads"), "Q-2")];
    let writes = futures_util::future::join_all(orders.iter().map(|order| adapter.write(&call, order))).await;
    for (order, written) in orders.iter().zip(writes) {
        assert_eq!(written.expect("it writes").view.fields, order.patch.fields);
    }
}

/// The quote record of a write, named after its opportunity, and what a first sync sets of it.
fn with_record(read: &CrmSnapshot, status: &str) -> CrmWrite {
    let id = read.opportunity.id.as_str();
    let book = read.view.text("opportunity.price_book_id");
    let mut fields = Fields::from([("quote_record.status".into(), Value::Choice(status.into()))]);
    if read.view.get("quote_record.key") == Some(&Value::Null) {
        fields.insert("quote_record.key".into(), Value::text(format!("root-{id}")));
        fields.insert("quote_record.name".into(), Value::text("An offer"));
    }
    CrmWrite {
        opportunity: read.opportunity.clone(),
        patch: Patch {
            fields,
            ..Patch::default()
        },
        unmodified_since: read.modified_at,
        lines: Default::default(),
        quote_record: Some(QuoteRecord {
            key: QuoteId::new(format!("root-{id}")).expect("an id"),
            name: "An offer".into(),
            price_book: book.map(|id| RecordId::new(id).expect("an id")),
            revision: 1,
        }),
        record_type: None,
    }
}

#[tokio::test]
async fn records_of_quotes_are_made_once_and_fall_with_their_opportunity() {
    let house = House::seeded();
    let adapter = adapter(&house).await;
    let keys = [key("OPP-4482"), key("OPP-4483"), key("OPP-4484")];
    let call = call();
    for (status, stale) in [("Draft", None), ("Presented", Some(1)), ("Draft", None)] {
        let mut orders = Vec::new();
        for key in &keys {
            let read = adapter.read(&call, key).await.expect("it reads");
            orders.push(with_record(&read, status));
        }
        if let Some(at) = stale {
            let order: &mut CrmWrite = &mut orders[at];
            order.unmodified_since = "2001-01-01T00:00:00Z".parse().expect("a moment");
        }
        let writes = orders.iter().map(|order| adapter.write(&call, order));
        let results = futures_util::future::join_all(writes).await;
        for (at, (key, result)) in keys.iter().zip(results).enumerate() {
            let now = adapter.read(&call, key).await.expect("it reads");
            let held = now.view.text("quote_record.status");
            match stale == Some(at) {
                true => {
                    assert_eq!(result.expect_err("it is stale").code, Code::CrmConflict);
                    assert_eq!(held, Some("Draft"), "its record was left alone too");
                }
                false => {
                    let written = result.expect("it is written");
                    assert_eq!(written.view.text("quote_record.status"), Some(status));
                    assert_eq!((held, now.modified_at), (Some(status), written.modified_at));
                }
            }
        }
    }
}

/// Texts that a composite call would take for references, or fail over.
const TEXTS: [&str; 4] = [
    "@{write0.id}",
    "Deal @{after.records[0].Id} @{",
    "a}@{{b}",
    "@{nobody}",
];

#[tokio::test]
async fn a_text_that_looks_like_a_reference_is_written_as_it_is() {
    let house = House::seeded();
    let adapter = adapter(&house).await;
    let made = polling::Rep::new(&house)
        .await
        .opportunities(1 + TEXTS.len())
        .await;
    let (beside, own) = made.split_first().expect("some");
    for (id, text) in own.iter().zip(TEXTS) {
        let read = adapter.read(&call(), &key(id)).await.expect("it reads");
        let mut write = with_record(&read, "Draft");
        write.quote_record.as_mut().expect("a record").name = text.into();
        for name in ["quote_record.name", "quote.number"] {
            write.patch.fields.insert(name.into(), Value::text(text));
        }
        let beside = adapter.read(&call(), &key(beside)).await.expect("it reads");
        let (call, beside) = (call(), with_record(&beside, "Draft"));
        let both = futures_util::future::join(adapter.write(&call, &write), adapter.write(&call, &beside));
        let (written, other) = both.await;
        other.expect("nobody else's write falls with it");
        let written = written.unwrap_or_else(|error| panic!("{text}: {error}"));
        let now = adapter.read(&call, &key(id)).await.expect("it reads");
        for view in [&written.view, &now.view] {
            assert_eq!(view.text("quote.number"), Some(text));
            assert_eq!(view.text("quote_record.name"), Some(text));
        }
        assert_eq!(now.modified_at, written.modified_at);
    }
}

/// Makes the sandbox fail in a way.
async fn fault(house: &House, rule: Json) {
    let url = house.sandbox();
    let body = serde_json::json!([rule]).to_string();
    let answer = reqwest::Client::new()
        .put(format!("{url}/sandbox/faults"))
        .body(body)
        .send()
        .await;
    assert!(answer.expect("it answers").status().is_success(), "{rule}");
}

async fn write_number(adapter: &SalesforceAdapter, number: &str) -> Result<(), Error> {
    let read = adapter.read(&call(), &key("OPP-4483")).await.expect("it reads");
    let fields = [("quote.number".into(), Value::text(number))];
    let patch = Patch {
        fields: fields.into(),
        ..Patch::default()
    };
    let write = CrmWrite {
        opportunity: read.opportunity,
        patch,
        unmodified_since: read.modified_at,
        quote_record: None,
        lines: Default::default(),
        record_type: None,
    };
    adapter.write(&call(), &write).await.map(|_| ())
}

#[tokio::test]
async fn faults_of_a_write_have_their_meaning_and_the_outcome_is_as_told() {
    let house = House::seeded();
    let adapter = adapter(&house).await;
    let validation = r#"{"kind":"row_error","errorCode":"FIELD_CUSTOM_VALIDATION_EXCEPTION","message":"no"}"#;
    let faults = [
        (
            r#"{"kind":"reset_before"}"#,
            Code::OutcomeUnknown,
            Written::Unknown,
            false,
        ),
        (
            r#"{"kind":"reset_after"}"#,
            Code::OutcomeUnknown,
            Written::Unknown,
            true,
        ),
        (r#"{"kind":"row_lock"}"#, Code::CrmLocked, Written::No, false),
        (validation, Code::CrmRejected, Written::No, false),
        (
            r#"{"kind":"request_limit","scope":"daily"}"#,
            Code::CrmLimit,
            Written::No,
            false,
        ),
        (
            r#"{"kind":"server_error","status":502,"body":"html"}"#,
            Code::OutcomeUnknown,
            Written::Unknown,
            false,
        ),
    ];
    adapter
        .read(&call(), &key("OPP-4483"))
        .await
        .expect("the org is described before the first fault");
    for (at, (kind, code, written, applied)) in faults.into_iter().enumerate() {
        let number = format!("Q-fault-{at}");
        let path = if kind.contains("row_") { "" } else { "/composite" };
        let kind: Json = serde_json::from_str(kind).expect("JSON");
        fault(
            &house,
            serde_json::json!({"when": {"path": path}, "times": 1, "fault": kind}),
        )
        .await;
        let error = write_number(&adapter, &number).await.expect_err("it fails");
        assert_eq!((error.code, error.written), (code, written), "{kind}: {error:?}");
        let read = adapter.read(&call(), &key("OPP-4483")).await.expect("it reads");
        assert_eq!(read.view.text("quote.number") == Some(&number), applied, "{kind}");
    }
}
