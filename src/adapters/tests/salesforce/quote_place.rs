//! Where an org keeps the records of quotes: read with the opportunity, or done without.

use cpq_adapters::salesforce::Config;
use cpq_domain::adapter::CrmAdapter as _;
use cpq_domain::id::OpportunityKey;
use cpq_domain::schema::CrmSchema;
use cpq_domain::value::Value;
use cpq_domain::view::View;
use serde_json::{Value as Json, json};

use crate::fake::{Server, call, reply};
use crate::org::{ID, adapter_with, config, page, row, schema};
use crate::quote_record::{ordered, parts, patch};
use crate::write::{composite, part};

async fn read(server: &Server, config: Config, schema: &CrmSchema) -> (View, Vec<String>, String) {
    let adapter = adapter_with(server, config, Some(schema));
    let key = OpportunityKey::new("OPP-1").expect("a key");
    let read = adapter.read(&call("c"), &key).await.expect("it reads");
    let soql = server.asked()[0].param("q").expect("a query");
    (read.view, adapter.mapping().warnings.clone(), soql)
}

#[tokio::test]
async fn the_record_is_read_with_the_opportunity() {
    for (quotes, key, name) in [
        (Json::Null, Value::Null, Value::Null),
        (
            page(vec![
                json!({"CPQ_Quote_Key__c": "root-1", "Name": "Offer", "ExpirationDate": null, "Status": "Draft"}),
            ]),
            Value::text("root-1"),
            Value::text("Offer"),
        ),
    ] {
        let mut row = row(ID, "OPP-1");
        row["Quotes"] = quotes;
        let server = Server::start(move |_| {
            let row = row.clone();
            async move { reply(200, page(vec![row])) }
        })
        .await;
        let (view, warnings, soql) = read(&server, config(), &schema()).await;
        assert_eq!(view.get("quote_record.key"), Some(&key));
        assert_eq!(view.get("quote_record.name"), Some(&name));
        assert_eq!(view.get("quote_record.expiration_date"), Some(&Value::Null));
        assert!(
            !warnings.iter().any(|warning| warning.contains("Quote")),
            "{warnings:?}"
        );
        assert_eq!(server.asked().len(), 1);
        let select = "(SELECT CPQ_Quote_Key__c, Name, ExpirationDate, Status, CPQ_Sync_State__c FROM Quotes \
                      WHERE CPQ_Quote_Key__c != NULL ORDER BY CreatedDate DESC, Id DESC LIMIT 1)";
        assert!(soql.contains(select), "{soql}");
    }
}

#[tokio::test]
async fn an_org_that_cannot_keep_records_works_without_and_says_why() {
    let field = |schema: &mut CrmSchema, change: fn(&mut cpq_domain::schema::FieldSchema)| {
        let fields = schema.objects.get_mut("Quote").expect("Quote");
        change(fields.get_mut("CPQ_Quote_Key__c").expect("the key"));
    };
    let (mut off, mut keyless, mut twins, mut loose, mut sealed) =
        (schema(), schema(), schema(), schema(), schema());
    off.objects.remove("Quote");
    keyless
        .objects
        .get_mut("Quote")
        .expect("Quote")
        .remove("CPQ_Quote_Key__c");
    field(&mut twins, |key| key.unique = false);
    loose.children.clear();
    field(&mut sealed, |key| key.createable = false);
    for (schema, why) in [
        (off, "Quote does not exist"),
        (keyless, "Quote.CPQ_Quote_Key__c does not exist"),
        (twins, "must be a unique external id"),
        (loose, "no child relationship Quotes"),
        (sealed, "may not create"),
    ] {
        let server = Server::start(|_| async { reply(200, page(vec![row(ID, "OPP-1")])) }).await;
        let (view, warnings, soql) = read(&server, config(), &schema).await;
        let about: Vec<&String> = warnings
            .iter()
            .filter(|warning| warning.contains("Quote"))
            .collect();
        assert!(
            matches!(about.as_slice(), [one] if one.contains(why)),
            "{why}: {about:?}"
        );
        assert_eq!(view.get("quote_record.key"), None);
        assert!(!soql.contains("Quotes"), "{soql}");
    }
}

#[tokio::test]
async fn records_can_be_turned_off_or_kept_in_an_object_of_ones_own() {
    let off = Config {
        quote_object: String::new(),
        ..config()
    };
    let server = Server::start(|_| async { reply(200, page(vec![row(ID, "OPP-1")])) }).await;
    let (_, warnings, soql) = read(&server, off, &schema()).await;
    assert!(
        !warnings.iter().any(|warning| warning.contains("quote")),
        "{warnings:?}"
    );
    assert!(!soql.contains("Quotes"), "{soql}");

    let own = Config {
        quote_object: "Offer__c".into(),
        quote_key_field: "Key__c".into(),
        quote_relationship: "Offers__r".into(),
        ..config()
    };
    let mut schema = schema();
    let fields = schema.objects.remove("Quote").expect("Quote");
    let renamed = |name: &str| match name {
        "OpportunityId" => "Deal__c".to_owned(),
        "CPQ_Quote_Key__c" => "Key__c".to_owned(),
        other => other.to_owned(),
    };
    let fields = fields
        .into_iter()
        .filter(|(name, _)| name != "ExpirationDate" && name != "Pricebook2Id");
    let fields = fields.map(|(name, field)| (renamed(&name), field)).collect();
    schema.objects.insert("Offer__c".into(), fields);
    let offers = cpq_domain::schema::ChildSchema {
        object: "Offer__c".into(),
        field: "Deal__c".into(),
    };
    schema.children = [("Offers__r".into(), offers)].into();

    let server = Server::start(|asked| async move {
        let parts = parts(&asked);
        let mut written = row(ID, "OPP-1");
        written["Offers__r"] = page(vec![json!({"Key__c": "root-1", "Name": "Offer"})]);
        assert_eq!(
            parts[1]["url"],
            "/services/data/v68.0/sobjects/Offer__c/Key__c/root-1"
        );
        assert_eq!(parts[1]["body"], json!({"Deal__c": ID, "Name": "Offer"}));
        composite(vec![
            part(204, Json::Null),
            part(201, Json::Null),
            part(200, page(vec![written])),
        ])
    })
    .await;
    let adapter = adapter_with(&server, own, Some(&schema));
    let warnings = adapter.mapping().warnings.join("; ");
    assert!(
        warnings.contains("Offer__c.ExpirationDate does not exist"),
        "{warnings}"
    );
    let patch = patch(&[
        ("quote_record.key", Value::text("root-1")),
        ("quote_record.name", Value::text("Offer")),
    ]);
    let written = adapter.write(&call("c"), &ordered(ID, "root-1", &patch)).await;
    assert_eq!(
        written.expect("it is written").view.text("quote_record.name"),
        Some("Offer")
    );
}
