//! The lines of a quote reach the CRM once it is approved, under keys that stay, and to the cent.

use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

use crate::house::{House, Service, until};

const LINES: &str = "SELECT Id, ProductCode, Quantity, UnitPrice, Discount, TotalPrice, CPQ_Line_Key__c, SortOrder \
                     FROM OpportunityLineItem WHERE Opportunity.Opportunity_Number__c = 'OPP-4482' ORDER BY ProductCode";
const AMOUNT: &str = "SELECT Id, Amount, CPQ_Net_Total__c, Pricebook2Id FROM Opportunity \
                      WHERE Opportunity_Number__c = 'OPP-4482'";
const RECORD: &str = "SELECT CPQ_Sync_State__c, Status FROM Quote";

fn sync(house: &House) -> Json {
    let run = ["--json", "sync", "run", "--opportunity", "OPP-4482"];
    house.cpq(&run).ok().json()["outcome"].clone()
}

fn quote(service: &Service) -> Json {
    let (status, quote) = service.json(Method::GET, "/api/v1/quotes/Q-2026-0137", &[], &json!(null));
    assert_eq!(status, 200, "{quote}");
    quote
}

/// Changes the quote as its owner in the CPQ does.
fn edit(service: &Service, patch: &Json) -> Json {
    let (status, quote) = try_edit(service, patch);
    assert_eq!(status, 200, "{quote}");
    quote
}

/// The same, with whatever comes of it.
pub fn try_edit(service: &Service, patch: &Json) -> (u16, Json) {
    let now = quote(service);
    let id = now["id"].as_str().expect("an id");
    let etag = format!("\"{id}.{}\"", now["version"]);
    let key = format!("edit-{id}-{}", now["version"]);
    let headers = [("if-match", etag.as_str()), ("idempotency-key", key.as_str())];
    service.json(Method::PATCH, &format!("/api/v1/quotes/{id}"), &headers, patch)
}

fn walk(house: &House, transitions: &[&str]) {
    for transition in transitions {
        house
            .cpq(&["quote", "transition", "Q-2026-0137", transition])
            .ok();
    }
}

/// Takes the quote to the state approved, by itself or by an approver.
pub fn approve(house: &House, service: &Service) {
    walk(house, &["submit"]);
    if quote(service)["status"] == "in_approval" {
        walk(house, &["approve"]);
    }
    assert_eq!(quote(service)["status"], "approved");
}

fn number(value: &Json) -> Decimal {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let number: Decimal = text.parse().unwrap_or_else(|_| panic!("no number: {value}"));
    number.normalize()
}

/// The CRM's lines by product: quantity and total, and that each is the quote's own to the cent.
fn shown(house: &House) -> Vec<(String, String, String)> {
    let text = |value: &Json| number(value).to_string();
    let line = |line: &Json| {
        let sku = line["ProductCode"].as_str().expect("a product").to_owned();
        (sku, text(&line["Quantity"]), text(&line["TotalPrice"]))
    };
    house.soql(LINES).iter().map(line).collect()
}

/// What the quote says of itself, in the same form.
fn quoted(service: &Service) -> Vec<(String, String, String)> {
    let quote = quote(service);
    let line = |line: &Json| {
        let sku = line["sku"].as_str().expect("a product").to_owned();
        let text = |value: &Json| number(value).to_string();
        (sku, text(&line["quantity"]), text(&line["totals"]["net"]))
    };
    let mut lines: Vec<_> = quote["lines"]
        .as_array()
        .expect("lines")
        .iter()
        .map(line)
        .collect();
    lines.sort();
    lines
}

/// CRM and quote agree on each line, on the sum, and on the total.
fn agree(house: &House, service: &Service) {
    assert_eq!(shown(house), quoted(service));
    let (opportunity, quote) = (house.soql(AMOUNT)[0].clone(), quote(service));
    let net = number(&quote["totals"]["net"]["amount"]);
    assert_eq!(number(&opportunity["Amount"]), net);
    assert_eq!(number(&opportunity["CPQ_Net_Total__c"]), net);
    for line in house.soql(LINES) {
        let key = line["CPQ_Line_Key__c"].as_str().unwrap_or_default();
        let root = quote["rootId"].as_str().expect("an id");
        assert!(key.is_empty() || key.starts_with(&format!("{root}.")), "{line}");
    }
}

fn id_of(house: &House, sku: &str) -> Json {
    let lines = house.soql(LINES);
    let line = lines.iter().find(|line| line["ProductCode"] == sku);
    line.unwrap_or_else(|| panic!("no {sku} in {lines:?}"))["Id"].clone()
}

/// One line more, one less, one changed, and a discount on the whole that no unit price can carry.
fn edits(service: &Service) -> Json {
    let quote = quote(service);
    let key = |sku: &str| {
        let lines = quote["lines"].as_array().expect("lines");
        let line = lines.iter().find(|line| line["sku"] == sku).expect("the line");
        line["lineKey"].as_str().expect("a key").to_owned()
    };
    json!({
        "fields": {"quote.header_discount_percent": {"number": "3.33"}},
        "lines": {
            key("RX-900"): {"put": {"line.quantity": {"number": "7"}}},
            key("VC-210"): "remove",
            "install": {"put": {
                "line.sku": {"text": "SVC-INSTALL"}, "line.name": {"text": "On-site installation day"},
                "line.quantity": {"number": "11"}, "line.discount_percent": {"number": "12.5"},
                "line.list_unit": {"money": {"amount": "1390", "currency": "USD"}},
                "line.service_start": {"date": "2027-02-01"}}},
        },
    })
}

#[test]
fn lines_reach_the_crm_when_the_quote_is_approved_and_not_before() {
    let house = House::connected();
    let service = house.serve();
    sync(&house);
    let (before, robot) = (house.soql(LINES), id_of(&house, "RX-900"));
    let mine = edit(&service, &edits(&service));
    sync(&house);
    assert_eq!(house.soql(LINES), before, "a draft is nobody's business");
    assert_eq!(
        quote(&service)["lines"],
        mine["lines"],
        "and it is not taken back"
    );

    approve(&house, &service);
    sync(&house);
    agree(&house, &service);
    assert_eq!(shown(&house).len(), 3);
    assert_eq!(id_of(&house, "RX-900"), robot, "its record is the same");
    let root = quote(&service)["rootId"].as_str().expect("an id").to_owned();
    let lines = house.soql(LINES);
    assert!(
        lines
            .iter()
            .any(|line| line["CPQ_Line_Key__c"] == format!("{root}.install")),
        "{lines:?}"
    );
    assert_eq!(house.soql(RECORD)[0]["CPQ_Sync_State__c"], "complete 1");
    for _ in 0..2 {
        assert_eq!(sync(&house)["effect"], "no_change", "nothing ping-pongs");
    }

    walk(&house, &["send", "revise"]);
    sync(&house);
    let after = house.soql(LINES);
    let of = json!({"lines": {"install": {"put": {"line.quantity": {"number": "3.5"}}}}});
    edit(&service, &of);
    sync(&house);
    assert_eq!(house.soql(LINES), after, "the offer that was sent still counts");
    approve(&house, &service);
    sync(&house);
    agree(&house, &service);
    assert_eq!(house.soql(LINES).len(), 3);
    assert_eq!(house.soql(RECORD).len(), 1);
    assert_eq!(house.soql(RECORD)[0]["CPQ_Sync_State__c"], "complete 2");
    assert_eq!(sync(&house)["effect"], "no_change");
}

#[test]
fn lines_of_a_quote_that_is_not_primary_stay_out_of_the_crm_until_it_is() {
    let house = House::connected();
    let service = house.serve();
    sync(&house);
    let before = house.soql(LINES);
    edit(&service, &edits(&service));
    let primary = |yes: bool| edit(&service, &json!({"fields": {"quote.is_primary": {"bool": yes}}}));
    primary(false);
    approve(&house, &service);
    sync(&house);
    assert_eq!(house.soql(LINES), before, "another offer counts");

    assert_eq!(primary(true)["status"], "approved");
    sync(&house);
    agree(&house, &service);
    primary(false);
    sync(&house);
    let mine = format!(
        "sobjects/OpportunityLineItem/{}",
        id_of(&house, "RX-900").as_str().expect("an id")
    );
    house.crm(Method::PATCH, &mine, &json!({"Quantity": 60}));
    sync(&house);
    let kept = house.soql(LINES);
    assert!(
        kept.iter()
            .any(|line| number(&line["Quantity"]) == Decimal::from(60)),
        "{kept:?}"
    );
    assert_eq!(sync(&house)["effect"], "no_change");
}

#[test]
fn an_edit_in_the_crm_is_corrected_once_the_quote_is_approved() {
    let house = House::connected();
    let service = house.serve();
    sync(&house);
    approve(&house, &service);
    sync(&house);
    agree(&house, &service);
    let opportunity = house.soql(AMOUNT)[0].clone();
    let path = |sku: &str| {
        let id = id_of(&house, sku);
        format!("sobjects/OpportunityLineItem/{}", id.as_str().expect("an id"))
    };
    let entry = format!(
        "SELECT Id FROM PricebookEntry WHERE ProductCode = 'SVC-INSTALL' AND Pricebook2Id = '{}'",
        opportunity["Pricebook2Id"].as_str().expect("an id")
    );
    let entry = house.soql(&entry)[0]["Id"].clone();
    house.crm(
        Method::PATCH,
        &path("RX-900"),
        &json!({"Quantity": 60, "UnitPrice": 1, "Description": "mine"}),
    );
    house.crm(Method::DELETE, &path("VC-210"), &json!(null));
    let extra =
        json!({"OpportunityId": opportunity["Id"], "PricebookEntryId": entry, "Quantity": 1, "UnitPrice": 5});
    house.crm(Method::POST, "sobjects/OpportunityLineItem", &extra);

    let run = house
        .cpq(&["--json", "sync", "run", "--opportunity", "OPP-4482"])
        .ok()
        .json();
    assert!(run["outcome"]["crmWrites"].as_u64() > Some(3), "{run}");
    agree(&house, &service);
    for _ in 0..2 {
        assert_eq!(sync(&house)["effect"], "no_change");
    }
}

#[test]
fn a_product_that_the_price_book_lacks_is_named_and_nothing_is_written() {
    let house = House::connected();
    let service = house.serve();
    sync(&house);
    let before = (house.soql(LINES), house.soql(AMOUNT));
    let new = json!({"line.sku": {"text": "GHOST-1"}, "line.name": {"text": "Ghost"},
        "line.quantity": {"number": "1"}, "line.list_unit": {"money": {"amount": "10", "currency": "USD"}}});
    edit(&service, &json!({"lines": {"ghost": {"put": new}}}));
    sync(&house);
    approve(&house, &service);
    let said = house.cpq(&["--json", "sync", "run", "--opportunity", "OPP-4482"]);
    let error = said.json();
    assert_eq!(error["code"], "CRM_REJECTED", "{error}");
    let message = error["message"].as_str().expect("a message");
    for word in ["line ghost", "GHOST-1", "price book 01s", "nothing was written"] {
        assert!(message.contains(word), "{message}");
    }
    assert_eq!(error["details"]["written"], "no", "{error}");
    assert_eq!(house.soql(LINES), before.0);
    assert_eq!(house.soql(AMOUNT)[0]["Amount"], before.1[0]["Amount"]);
}

#[test]
fn a_lost_answer_makes_no_line_twice() {
    for kind in ["reset_after", "reset_before"] {
        let house = House::connected();
        let service = house.serve();
        sync(&house);
        edit(&service, &edits(&service));
        sync(&house);
        house.faults(json!([{"when": {"path": "/composite"}, "times": 2, "fault": {"kind": kind}}]));
        approve(&house, &service);
        until(
            "the end of the sync",
            || sync(&house)["effect"].clone(),
            |effect| effect == "no_change",
        );
        assert!(house.fired() > 0, "{kind}");
        agree(&house, &service);
    }
}

#[test]
fn an_org_without_a_key_for_lines_is_only_read_and_says_what_to_create() {
    let house = House::seeded();
    std::fs::write(
        house.path().join("cpq.toml"),
        "[crm]\nline_key_field = \"My_Key__c\"\n",
    )
    .expect("a file");
    house.cpq(&["auth", "connect-crm"]).ok();
    let service = house.serve();
    let warnings = sync(&house)["warnings"].to_string();
    assert!(
        warnings.contains("lines are only read: OpportunityLineItem.My_Key__c"),
        "{warnings}"
    );
    assert!(
        warnings.contains("create it as Text(120), External ID, Unique"),
        "{warnings}"
    );
    let before = house.soql(LINES);
    edit(&service, &edits(&service));
    approve(&house, &service);
    sync(&house);
    assert_eq!(house.soql(LINES), before);
    assert_eq!(house.soql(RECORD)[0]["Status"], "Approved");
    assert_eq!(sync(&house)["effect"], "no_change");
}
