use crate::site::Site;
use serde_json::{Value as Json, json};

/// The keys of a field in every describe, in their order.
const FIELD_KEYS: &str = "aggregatable aiPredictionField autoNumber byteLength calculated calculatedFormula cascadeDelete \
caseSensitive compoundFieldName controllerName createable custom defaultValue defaultValueFormula defaultedOnCreate \
dependentPicklist deprecatedAndHidden digits displayLocationInDecimal encrypted externalId extraTypeInfo filterable \
filteredLookupInfo formulaTreatNullNumberAsZero groupable highScaleNumber htmlFormatted idLookup inlineHelpText label \
length mask maskType name nameField namePointing nillable permissionable picklistValues polymorphicForeignKey precision \
queryByDistance referenceTargetField referenceTo relationshipName relationshipOrder restrictedDelete restrictedPicklist \
scale searchPrefilterable soapType sortable type unique updateable writeRequiresMasterRead";

fn field<'a>(describe: &'a Json, name: &str) -> &'a Json {
    describe["fields"]
        .as_array()
        .expect("fields")
        .iter()
        .find(|f| f["name"] == json!(name))
        .expect("the field")
}

#[test]
fn fields_have_all_their_keys() {
    let mut site = Site::new();
    let (status, describe) = site.get("/sobjects/opportunity/describe/");
    assert_eq!(status, 200);
    let expected: Vec<&str> = FIELD_KEYS.split(' ').collect();
    assert_eq!(expected.len(), 57);
    for field in describe["fields"].as_array().expect("fields") {
        let keys: Vec<&String> = field.as_object().expect("an object").keys().collect();
        assert_eq!(keys, expected, "{}", field["name"]);
    }
    let number = field(&describe, "Opportunity_Number__c");
    assert_eq!(
        (
            &number["externalId"],
            &number["unique"],
            &number["length"],
            &number["byteLength"]
        ),
        (&json!(true), &json!(true), &json!(40), &json!(120))
    );
    let stage = field(&describe, "StageName");
    assert_eq!(
        (
            &stage["restrictedPicklist"],
            &stage["nillable"],
            &stage["picklistValues"][9]["value"]
        ),
        (&json!(false), &json!(false), &json!("Closed Lost"))
    );
    assert_eq!(field(&describe, "AccountId")["referenceTo"], json!(["Account"]));
    assert_eq!(field(&describe, "Amount")["soapType"], json!("xsd:double"));
    assert_eq!(field(&describe, "Name")["idLookup"], json!(true));
}

#[test]
fn objects_know_their_children_and_record_types() {
    let mut site = Site::new();
    let (_, describe) = site.get("/sobjects/Opportunity/describe");
    let lists: Vec<&str> = describe["childRelationships"]
        .as_array()
        .expect("children")
        .iter()
        .filter_map(|c| c["relationshipName"].as_str())
        .collect();
    for name in [
        "OpportunityLineItems",
        "OpportunityContactRoles",
        "Quotes",
        "Tasks",
    ] {
        assert!(lists.contains(&name), "{name}");
    }
    let infos = describe["recordTypeInfos"].as_array().expect("record types");
    assert_eq!(
        infos.last().map(|i| &i["recordTypeId"]),
        Some(&json!("012000000000000AAA")),
        "the master comes last"
    );
    assert_eq!(describe["sobjectDescribeOption"], json!("FULL"));
    let (_, global) = site.get("/sobjects");
    assert_eq!(
        (&global["encoding"], &global["maxBatchSize"]),
        (&json!("UTF-8"), &json!(200))
    );
    let opportunity = global["sobjects"]
        .as_array()
        .expect("objects")
        .iter()
        .find(|o| o["name"] == json!("Opportunity"))
        .expect("there");
    assert_eq!(
        (
            &opportunity["keyPrefix"],
            opportunity.as_object().map(|o| o.len())
        ),
        (&json!("006"), Some(28))
    );
}

#[test]
fn roots() {
    let mut site = Site::new();
    let versions = site.ask(http::Method::GET, "/services/data/", &[], &Json::Null);
    assert_eq!(versions.cost, 0);
    let list = versions.body.expect("a body");
    assert_eq!(
        list.as_array().and_then(|l| l.last()),
        Some(&json!({"label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0"}))
    );
    let (_, root) = site.get("/");
    assert_eq!(root["sobjects"], json!("/services/data/v68.0/sobjects"));
    assert!(
        root["identity"]
            .as_str()
            .expect("a URL")
            .starts_with("http://127.0.0.1:7070/id/00D")
    );
    let (_, limits) = site.get("/limits/");
    assert_eq!(limits["DailyApiRequests"], json!({"Max": 100, "Remaining": 93}));
    let (_, count) = site.get("/limits/recordCount?sObjects=Account,Lead,Quote");
    assert_eq!(count, json!({"sObjects": [{"count": 2, "name": "Account"}]}));
    let (_, all) = site.get("/limits/recordCount");
    assert!(all["sObjects"].as_array().expect("a list").len() > 5, "{all}");
    assert_eq!(site.get("/limits/recordCount?sObjects").1, all);
    assert_eq!(
        site.get("/tooling/query?q=SELECT+Id+FROM+ApexClass").1["totalSize"],
        json!(0)
    );
}

#[test]
fn every_required_field_can_be_written() {
    let mut site = Site::new();
    let (_, global) = site.get("/sobjects");
    for object in global["sobjects"].as_array().expect("objects") {
        let (_, describe) = site.get(&format!(
            "/sobjects/{}/describe",
            object["name"].as_str().expect("a name")
        ));
        for field in describe["fields"].as_array().expect("fields") {
            let promised = field["nillable"] == json!(true)
                || field["defaultedOnCreate"] == json!(true)
                || field["createable"] == json!(true);
            let read_only = field["createable"] == json!(false) && field["updateable"] == json!(false);
            assert!(
                promised || read_only || object["createable"] == json!(false),
                "{} {}",
                object["name"],
                field["name"]
            );
        }
    }
}
