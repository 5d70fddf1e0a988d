//! The field mapping of the configuration, through the binary and against the sandbox.

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::House;

/// A field of the opportunity that the org of the scenario does not have, and more of them.
const FIELDS: &str = r#"
[[field]]
name = "opportunity.priority"
object = "Opportunity"
path = "Priority__c"
type = "choice"
values = { Hot = "high", Cold = "low" }

[[field]]
name = "opportunity.margin"
object = "Opportunity"
path = "Margin__c"
type = "number"
from_crm = "value * 100"

[[field]]
name = "opportunity.deal"
object = "Opportunity"
path = "Name"
type = "text"
from_crm = 'value + " (" + record.Account.Name + ")"'

[[field]]
name = "opportunity.kickoff"
object = "Opportunity"
path = "Kickoff__c"
type = "date"

[[field]]
name = "quote.discount_percent"
path = "Share__c"
to_crm = "value / 100"
from_crm = "value * 100"
"#;

const RULES: &str = r#"
[[rule]]
field = "opportunity.priority"
owner = "crm"
policy = "always"
reason = "sales sets it"
[[rule]]
field = "opportunity.margin"
owner = "crm"
policy = "always"
reason = "sales sets it"
[[rule]]
field = "opportunity.deal"
owner = "crm"
policy = "always"
reason = "sales sets it"
[[rule]]
field = "opportunity.kickoff"
owner = "crm"
policy = "always"
reason = "sales sets it"
"#;

fn write(house: &House, name: &str, text: &str) -> String {
    let path = house.path().join(name);
    std::fs::write(&path, text).expect("a file");
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// A house whose org has the fields, and whose configuration maps them.
fn house(zone: &str) -> House {
    let house = House::seeded();
    let definition = json!({"fields": {"Opportunity": [
        {"name": "Priority__c", "type": "picklist", "length": 40, "values": ["Hot", "Cold"]},
        {"name": "Margin__c", "type": "double", "precision": 8, "scale": 4},
        {"name": "Kickoff__c", "type": "datetime"},
        {"name": "Share__c", "type": "double", "precision": 8, "scale": 4},
        {"name": "Untold__c", "type": "string", "length": 40},
    ]}});
    let definition = write(&house, "org.json", &definition.to_string());
    house.cpq(&["sandbox", "define", &definition]).ok();
    write(&house, "fields.toml", FIELDS);
    let shown = house.cpq(&["ownership", "show", "--toml"]).ok();
    write(&house, "matrix.toml", &format!("{}\n{RULES}", shown.out));
    let config = format!(
        "[crm]\nfields_file = \"fields.toml\"\ntime_zone = \"{zone}\"\n[ownership]\nfile = \"matrix.toml\"\n"
    );
    write(&house, "cpq.toml", &config);
    house.cpq(&["auth", "connect-crm"]).ok();
    house
}

fn set(house: &House, values: &Json) {
    let id = house.soql("SELECT Id FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'")[0]["Id"]
        .as_str()
        .expect("an id")
        .to_owned();
    house.crm(Method::PATCH, &format!("sobjects/Opportunity/{id}"), values);
}

fn sync(house: &House) -> Json {
    house
        .cpq(&["--json", "sync", "run", "--opportunity", "OPP-4482"])
        .ok()
        .json()
}

#[test]
fn own_fields_travel_translated_and_what_is_not_mapped_stays() {
    let house = house("America/New_York");
    let checked = house.cpq(&["--json", "ownership", "check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    set(
        &house,
        &json!({"Priority__c": "Hot", "Margin__c": 0.1234, "Kickoff__c": "2026-12-01T03:30:00.000Z",
            "Untold__c": "mine"}),
    );
    let quote = sync(&house)["quoteId"].as_str().expect("a quote").to_owned();
    let shown = house.cpq(&["--json", "quote", "show", &quote]).ok().json();
    let context = &shown["context"];
    assert_eq!(
        context["opportunity.priority"],
        json!({"choice": "high"}),
        "{shown}"
    );
    assert_eq!(context["opportunity.margin"], json!({"number": "12.34"}));
    assert_eq!(context["opportunity.kickoff"], json!({"date": "2026-11-30"}));
    let deal = context["opportunity.deal"]["text"].as_str().expect("a text");
    assert!(deal.ends_with(" (Northwind Robotics)"), "{deal}");

    let found = house.soql(
        "SELECT Share__c, CPQ_Discount_Percent__c, Untold__c, Priority__c FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'",
    );
    assert_eq!(found[0]["Untold__c"], "mine", "{found:?}");
    assert_eq!(found[0]["Priority__c"], "Hot");
    assert_eq!(found[0]["CPQ_Discount_Percent__c"], Json::Null);
    assert!(found[0]["Share__c"].is_number(), "{found:?}");
    // Nothing goes to and fro.
    let again = house
        .cpq(&["--json", "sync", "run", "--opportunity", "OPP-4482", "--dry-run"])
        .ok();
    assert_eq!(again.json()["effect"], "no_change", "{again:?}");
}

#[test]
fn a_value_without_a_meaning_stops_the_sync_with_field_and_value() {
    let house = house("");
    set(&house, &json!({"Priority__c": "Tepid"}));
    let said = house.cpq(&["--json", "sync", "run", "--opportunity", "OPP-4482"]);
    assert_ne!(said.code, 0, "{said:?}");
    let message = said.json()["message"].as_str().expect("a message").to_owned();
    assert!(
        message.contains("Priority__c") && message.contains("\"Tepid\""),
        "{message}"
    );
}

#[test]
fn what_the_org_cannot_hold_is_told_with_its_proof() {
    let house = house("");
    let path = write(
        &house,
        "other.toml",
        "[[field]]\nname = \"quote.net_total\"\npath = \"Untold__c\"\n\n\
         [[field]]\nname = \"quote.number\"\nto_crm = \"value.sub_string(0, 4)\"\nfrom_crm = \"value\"\n",
    );
    let said = house.cpq(&["--json", "mapping", "check", &path]);
    assert_eq!(said.code, 1, "{said:?}");
    let findings = said.json()["findings"].clone();
    // What the built-in entries are warned of has no line in this file.
    let all = findings.as_array().expect("findings").iter();
    let own: Vec<_> = all.filter(|finding| finding["line"].is_u64()).collect();
    let kinds: Vec<&str> = own
        .iter()
        .map(|finding| finding["lint"].as_str().expect("a kind"))
        .collect();
    assert_eq!(kinds, ["wrong_type", "not_reversible"], "{findings}");
    assert_eq!(own[0]["line"], 1);
    assert!(own[1]["counterExample"]["back"].is_string(), "{findings}");
    let plain = house.cpq(&["mapping", "check", &path]);
    assert!(
        plain
            .out
            .contains("error: quote.net_total (Opportunity.Untold__c, line 1)"),
        "{plain:?}"
    );

    let shown = house.cpq(&["--json", "mapping", "show"]).ok().json();
    let field = |name: &str| {
        let fields = shown["fields"].as_array().expect("fields");
        fields
            .iter()
            .find(|field| field["field"] == name)
            .expect("it is shown")
            .clone()
    };
    assert_eq!(field("quote.discount_percent")["toCrm"], "value / 100");
    assert_eq!(field("quote.discount_percent")["direction"], "to_crm");
    assert_eq!(
        field("opportunity.priority")["maps"][0]["values"][0]["canonical"],
        "low"
    );
    assert_eq!(
        (
            &field("account.name")["writableInOrg"],
            &field("account.name")["direction"]
        ),
        (&json!(true), &json!("to_cpq"))
    );
}

#[test]
fn a_mistake_is_told_with_line_and_caret_wherever_the_mapping_is_loaded() {
    let house = House::empty();
    write(
        &house,
        "fields.toml",
        "[[field]]\nname = \"quote.number\"\ntype = \"string\"\n\n[[field]]\nname = \"x\"\n",
    );
    write(&house, "cpq.toml", "[crm]\nfields_file = \"fields.toml\"\n");
    let checked = house.cpq(&["mapping", "check"]);
    assert_eq!(checked.code, 1, "{checked:?}");
    let caret = "fields.toml:3:8: there is no type \"string\"";
    let lines = "\n  |\n3 | type = \"string\"\n  |        ^^^^^^^^";
    assert!(
        checked.out.contains(caret) && checked.out.contains(lines),
        "{checked:?}"
    );
    assert!(checked.out.contains("fields.toml:6:8"), "{checked:?}");
    for command in [
        ["sync", "run", "--opportunity", "OPP-1"].as_slice(),
        &["config", "check"],
    ] {
        let said = house.cpq(command);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(
            said.err.contains(caret) && said.err.contains("fields.toml:6:8"),
            "{said:?}"
        );
    }
}

#[test]
fn a_mapped_field_without_a_rule_is_told() {
    let house = house("");
    let shown = std::fs::read_to_string(house.path().join("matrix.toml")).expect("a text");
    let without = shown.replace("opportunity.margin", "opportunity.name");
    let path = write(&house, "without.toml", &without);
    let said = house.cpq(&["--json", "ownership", "check", &path]);
    assert_eq!(said.code, 1, "{said:?}");
    let findings = said.json()["findings"].clone();
    let missing = findings
        .as_array()
        .expect("findings")
        .iter()
        .any(|finding| finding["lint"] == "no_owner" && finding["field"] == "opportunity.margin");
    assert!(missing, "{findings}");
}
