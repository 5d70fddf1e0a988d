//! The quote's own record in the CRM: one for each quote, whatever is repeated, revised, edited or lost.

use serde_json::{Value as Json, json};

use crate::house::House;

const RECORDS: &str = "SELECT Id, Name, Status, ExpirationDate, CPQ_Quote_Key__c, CPQ_Correlation_Id__c, Pricebook2Id, \
                       Opportunity.Opportunity_Number__c FROM Quote";
const BOOK: &str = "SELECT Pricebook2Id FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'";

fn sync(house: &House) -> Json {
    let run = ["--json", "sync", "run", "--opportunity", "OPP-4482"];
    house.cpq(&run).ok().json()["outcome"].clone()
}

fn quote(house: &House) -> Json {
    house.cpq(&["--json", "quote", "show", "Q-2026-0137"]).ok().json()
}

/// The only record that there is.
fn record(house: &House) -> Json {
    let records = house.soql(RECORDS);
    assert_eq!(records.len(), 1, "{records:?}");
    records[0].clone()
}

#[test]
fn a_sync_makes_one_record_and_the_next_has_nothing_to_do() {
    let house = House::connected();
    sync(&house);
    let (record, quote) = (record(&house), quote(&house));
    assert_eq!(record["Name"], "Northwind Robotics – Assembly line 4");
    assert_eq!(record["CPQ_Quote_Key__c"], quote["rootId"]);
    assert_eq!(record["ExpirationDate"], quote["validUntil"]);
    assert_eq!(record["Status"], "Draft");
    assert_eq!(record["Opportunity"]["Opportunity_Number__c"], "OPP-4482");
    assert_eq!(record["Pricebook2Id"], house.soql(BOOK)[0]["Pricebook2Id"]);
    assert_eq!(record["CPQ_Correlation_Id__c"], "csync-001");

    assert_eq!(sync(&house)["effect"], "no_change");
    assert_eq!(self::record(&house), record, "it was not touched");
}

#[test]
fn a_new_revision_moves_the_same_record() {
    let house = House::connected();
    sync(&house);
    let first = record(&house);
    for (transition, status) in [("submit", "Approved"), ("send", "Presented"), ("revise", "Draft")] {
        house
            .cpq(&["quote", "transition", "Q-2026-0137", transition])
            .ok();
        sync(&house);
        let record = record(&house);
        assert_eq!((&record["Id"], &record["Status"]), (&first["Id"], &json!(status)));
    }
    let quote = quote(&house);
    assert_eq!(quote["revision"], 2);
    assert_ne!(quote["id"], quote["rootId"]);
    assert_eq!(record(&house)["CPQ_Quote_Key__c"], quote["rootId"]);
    assert_eq!(sync(&house)["effect"], "no_change");
}

#[test]
fn an_edit_of_the_record_is_corrected() {
    let house = House::connected();
    sync(&house);
    let first = record(&house);
    let path = |record: &Json| format!("sobjects/Quote/{}", record["Id"].as_str().expect("an id"));
    let edit = json!({"Status": "Needs Review", "Name": "Mine", "Description": "for the customer"});
    house.crm(reqwest::Method::PATCH, &path(&first), &edit);
    assert_eq!(sync(&house)["crmWrites"], 2);
    let corrected = record(&house);
    assert_eq!(
        (&corrected["Status"], &corrected["Name"]),
        (&first["Status"], &first["Name"])
    );
}

#[test]
fn quotes_that_people_made_are_left_alone() {
    let house = House::connected();
    let id =
        house.soql("SELECT Id FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'")[0]["Id"].clone();
    let by_hand = |name: &str| {
        let theirs = json!({"Name": name, "OpportunityId": id});
        house.crm(reqwest::Method::POST, "sobjects/Quote", &theirs);
    };
    by_hand("Before");
    sync(&house);
    by_hand("After");
    assert_eq!(sync(&house)["effect"], "no_change");
    let names: Vec<Json> = house
        .soql("SELECT Name FROM Quote ORDER BY Name")
        .iter()
        .map(|record| record["Name"].clone())
        .collect();
    assert_eq!(names, ["After", "Before", "Northwind Robotics – Assembly line 4"]);
}

#[test]
fn a_lost_answer_makes_no_second_record() {
    for kind in ["reset_after", "reset_before"] {
        let house = House::connected();
        house.faults(json!([{"when": {"path": "/composite"}, "times": 1, "fault": {"kind": kind}}]));
        sync(&house);
        record(&house);
        let plan = house.control(reqwest::Method::GET, "/sandbox/faults", &json!(null));
        assert_eq!(plan["rules"][0]["fired"], 1, "{plan}");
        assert_eq!(sync(&house)["effect"], "no_change", "{kind}");
    }
}

#[test]
fn a_refused_record_takes_the_write_of_the_opportunity_with_it() {
    let house = House::connected();
    let refusal = json!({"kind": "row_error", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "no offers today"});
    house.faults(json!([{"when": {"object": "Quote"}, "times": 1, "fault": refusal}]));
    let said = house.cpq(&["--json", "sync", "run", "--opportunity", "OPP-4482"]);
    let error = said.json();
    assert_eq!(error["code"], "CRM_REJECTED", "{error}");
    assert_eq!(error["details"]["object"], "Quote", "{error}");
    let number = "SELECT CPQ_Quote_Number__c FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'";
    assert_eq!(house.soql(number)[0]["CPQ_Quote_Number__c"], Json::Null);
    assert_eq!(house.soql(RECORDS), Vec::<Json>::new());
    sync(&house);
    record(&house);
}

#[test]
fn an_org_without_a_place_for_records_syncs_all_the_same() {
    for (setting, warned) in [
        ("quote_object = \"Offer__c\"", true),
        ("quote_relationship = \"Offers__r\"", true),
        ("quote_key_field = \"Name\"", true),
        ("quote_object = \"\"", false),
    ] {
        let house = House::seeded();
        std::fs::write(house.path().join("cpq.toml"), format!("[crm]\n{setting}\n")).expect("a file");
        house.cpq(&["auth", "connect-crm"]).ok();
        let outcome = sync(&house);
        let warnings = outcome["warnings"].to_string();
        assert_eq!(
            warnings.contains("quotes have no record"),
            warned,
            "{setting}: {warnings}"
        );
        assert_eq!(outcome["effect"], "written");
        assert_eq!(house.soql(RECORDS), Vec::<Json>::new(), "{setting}");
        assert_eq!(sync(&house)["effect"], "no_change", "{setting}");
    }
}

/// The org has Quotes off, and an object of its own for offers, with its own names.
#[test]
fn an_object_of_the_org_can_hold_the_quotes() {
    let house = House::seeded();
    let offer = json!({"objects": [{"name": "Offer__c", "label": "Offer", "fields": [
        {"name": "Deal__c", "type": "reference", "references": ["Opportunity"], "relationship": "Deal__r", "children": "Offers__r"},
        {"name": "Key__c", "type": "string", "length": 80, "externalId": true, "unique": true},
        {"name": "Open_Until__c", "type": "date"},
        {"name": "State__c", "type": "string", "length": 40},
    ]}]});
    house.control(reqwest::Method::POST, "/sandbox/define", &offer);
    let settings = "[crm]\nquote_object = \"Offer__c\"\nquote_key_field = \"Key__c\"\nquote_relationship = \"Offers__r\"\n\
                    fields_file = \"fields.toml\"\n";
    let fields = "[[field]]\nname = \"quote_record.expiration_date\"\npath = \"Open_Until__c\"\n\
                  [[field]]\nname = \"quote_record.status\"\npath = \"State__c\"\n";
    std::fs::write(house.path().join("cpq.toml"), settings).expect("a file");
    std::fs::write(house.path().join("fields.toml"), fields).expect("a file");
    house.cpq(&["auth", "connect-crm"]).ok();
    let offers = || {
        house
            .soql("SELECT Name, Key__c, Open_Until__c, State__c, Deal__r.Opportunity_Number__c FROM Offer__c")
    };

    assert_eq!(sync(&house)["effect"], "written");
    let quote = quote(&house);
    let [offer] = offers().try_into().expect("one offer");
    assert_eq!(offer["Deal__r"]["Opportunity_Number__c"], "OPP-4482");
    assert_eq!(
        (&offer["Key__c"], &offer["Open_Until__c"]),
        (&quote["rootId"], &quote["validUntil"])
    );
    assert_eq!(
        (&offer["Name"], &offer["State__c"]),
        (&quote["name"], &json!("Draft"))
    );
    house.cpq(&["quote", "transition", "Q-2026-0137", "submit"]).ok();
    sync(&house);
    let [moved] = offers().try_into().expect("still one offer");
    assert_eq!(moved["State__c"], "Approved");
    assert_eq!(sync(&house)["effect"], "no_change");
    assert_eq!(house.soql(RECORDS), Vec::<Json>::new(), "no standard quote");
}
