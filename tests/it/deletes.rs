//! Records that people delete, restore and merge in the org.

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::house::{House, Said, http};

const OPPORTUNITY: &str =
    "SELECT Id, AccountId, CPQ_Quote_Status__c FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'";
const RECORDS: &str = "SELECT Id, CPQ_Quote_Key__c, Name, Status, Pricebook2Id FROM Quote";

/// A connected house with that configuration, whose opportunity is synced; and the opportunity's id.
fn synced(config: &str) -> (House, String) {
    let house = House::connected();
    std::fs::write(house.path().join("cpq.toml"), config).expect("a file");
    sync(&house).ok();
    let id = text(&house.soql(OPPORTUNITY)[0]["Id"]);
    (house, id)
}

fn sync(house: &House) -> Said {
    house.cpq(&["--json", "sync", "run", "--opportunity", "OPP-4482"])
}

fn answer(house: &House, record: &str, answer: &str) -> Said {
    let of = ["--json", "sync", "deleted", "--opportunity", "OPP-4482"];
    house.cpq(&[&of[..], &["--record", record, "--answer", answer]].concat())
}

fn quote(house: &House) -> Json {
    house.cpq(&["--json", "quote", "show", "Q-2026-0137"]).ok().json()
}

fn delete(house: &House, path: &str) {
    house.crm(Method::DELETE, &format!("sobjects/{path}"), &json!(null));
}

fn undelete(house: &House, id: &str) {
    house.control(Method::POST, "/sandbox/records/undelete", &json!({"ids": [id]}));
}

/// Removes a record for good, over SOAP: REST has no call for it.
fn empty_bin(house: &House, id: &str) {
    let envelope = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:p=\"urn:partner.soap.sforce.com\">\
         <s:Header><p:SessionHeader><p:sessionId>{}</p:sessionId></p:SessionHeader></s:Header>\
         <s:Body><p:emptyRecycleBin><p:ids>{id}</p:ids></p:emptyRecycleBin></s:Body></s:Envelope>",
        house.crm_token()
    );
    let url = format!("{}/services/Soap/u/68.0", house.sandbox());
    let headers = [("content-type", "text/xml"), ("soapaction", "\"\"")];
    let (status, answer) = http(Method::POST, &url, &headers, &envelope);
    assert!(status == 200 && answer.contains("<success>true"), "{answer}");
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

#[test]
fn a_deleted_opportunity_asks_and_the_commands_in_the_question_work() {
    let (house, id) = synced("");
    delete(&house, &format!("Opportunity/{id}"));
    let asked = sync(&house).json();
    assert_eq!(asked["code"], "REVIEW_NEEDED", "{asked}");
    let next = text(&asked["details"]["next"]);
    let waiting = house.cpq(&["--json", "sync", "list", "--state", "waiting"]).ok();
    assert!(waiting.out.contains("csync-002"), "{waiting:?}");
    let commands: Vec<&str> = next.split('`').filter(|part| part.starts_with("cpq ")).collect();
    assert_eq!(commands.len(), 2, "{next}");
    assert_eq!(quote(&house)["status"], "draft");

    let archive: Vec<&str> = commands[0].split(' ').skip(1).collect();
    let said = house.cpq(&archive).ok();
    // The sync that waited goes first and cancels it; the one that carries the answer finds that.
    assert!(said.err.contains("its quote is cancelled"), "{said:?}");
    assert_eq!(quote(&house)["status"], "cancelled");
    assert!(text(&quote(&house)["reason"]).contains("deleted in the CRM"));
}

#[test]
fn an_archived_quote_stays_cancelled_when_the_opportunity_comes_back() {
    let (house, id) = synced("[deletes]\nopportunity = \"archive\"\n");
    delete(&house, &format!("Opportunity/{id}"));
    assert_eq!(sync(&house).ok().json()["outcome"]["quoteStatus"], "cancelled");
    assert_eq!(sync(&house).ok().json()["outcome"]["effect"], "no_change");
    undelete(&house, &id);
    let back = sync(&house).ok().json();
    assert_eq!(back["outcome"]["quoteStatus"], "cancelled", "{back}");
    assert_eq!(house.soql(OPPORTUNITY)[0]["CPQ_Quote_Status__c"], "cancelled");
    assert_eq!(sync(&house).ok().json()["outcome"]["effect"], "no_change");
}

#[test]
fn an_unlinked_pair_meets_again_with_the_same_quote() {
    let (house, id) = synced("[deletes]\nopportunity = \"unlink\"\n");
    let before = quote(&house);
    delete(&house, &format!("Opportunity/{id}"));
    let left = sync(&house).ok().json();
    assert_eq!(left["outcome"]["effect"], "no_change", "{left}");
    assert_eq!(quote(&house), before);
    undelete(&house, &id);
    let back = sync(&house).ok().json();
    assert_eq!(
        (&back["quoteId"], &back["outcome"]["created"]),
        (&json!("Q-2026-0137"), &json!(false)),
        "{back}"
    );
    assert_eq!(house.soql(RECORDS).len(), 1);
    assert_eq!(sync(&house).ok().json()["outcome"]["effect"], "no_change");
}

#[test]
fn what_is_no_longer_in_the_bin_is_not_called_deleted() {
    let (house, id) = synced("[deletes]\nopportunity = \"archive\"\n");
    delete(&house, &format!("Opportunity/{id}"));
    // Gone for good, it looks as if it were hidden from us, and what is hidden may be alive.
    empty_bin(&house, &id);
    let said = sync(&house);
    assert_eq!(said.json()["code"], "OPPORTUNITY_NOT_FOUND", "{said:?}");
    assert_eq!(quote(&house)["status"], "draft");
}

#[test]
fn a_deleted_quote_record_stays_deleted_until_a_person_wants_it_back() {
    let (house, _) = synced("");
    let first = house.soql(RECORDS)[0].clone();
    delete(&house, &format!("Quote/{}", text(&first["Id"])));
    house.cpq(&["quote", "transition", "Q-2026-0137", "submit"]).ok();
    let synced = sync(&house).ok().json();
    assert!(
        synced["outcome"]["warnings"]
            .to_string()
            .contains("--record quote_record --answer recreate"),
        "{synced}"
    );
    assert_eq!(
        house.soql(OPPORTUNITY)[0]["CPQ_Quote_Status__c"],
        "approved",
        "the rest goes on"
    );
    assert_eq!(house.soql(RECORDS), Vec::<Json>::new());
    assert_eq!(sync(&house).ok().json()["outcome"]["effect"], "no_change");

    answer(&house, "quote_record", "recreate").ok();
    let second = house.soql(RECORDS)[0].clone();
    assert_ne!(second["Id"], first["Id"]);
    for field in ["Name", "CPQ_Quote_Key__c", "Pricebook2Id"] {
        assert_eq!(second[field], first[field], "{field}");
    }
    assert_eq!(sync(&house).ok().json()["outcome"]["effect"], "no_change");
}

#[test]
fn a_restored_quote_record_is_kept_in_step_again() {
    let (house, _) = synced("");
    let id = text(&house.soql(RECORDS)[0]["Id"]);
    delete(&house, &format!("Quote/{id}"));
    sync(&house).ok();
    house.cpq(&["quote", "transition", "Q-2026-0137", "submit"]).ok();
    sync(&house).ok();
    undelete(&house, &id);
    sync(&house).ok();
    let records = house.soql(RECORDS);
    assert_eq!(
        (records.len(), &records[0]["Status"]),
        (1, &json!("Approved")),
        "{records:?}"
    );
    assert_eq!(records[0]["Id"], id.as_str());
}

#[test]
fn an_answer_that_makes_no_sense_is_refused() {
    let (house, _) = synced("");
    let refused = answer(&house, "opportunity", "recreate");
    assert_eq!(refused.json()["code"], "REQUEST_INVALID", "{refused:?}");
    std::fs::write(house.path().join("cpq.toml"), "[deletes]\nquote = \"archive\"\n").expect("a file");
    let refused = house.cpq(&["--json", "config", "check"]);
    // With a wrong configuration nothing runs, not even the command that stops the sandbox behind us.
    std::fs::remove_file(house.path().join("cpq.toml")).expect("it was there");
    assert_eq!(refused.json()["details"]["field"], "deletes.quote", "{refused:?}");
}

#[test]
fn a_merged_account_gives_the_quote_the_account_that_was_kept() {
    let (house, _) = synced("");
    let loser = text(&house.soql(OPPORTUNITY)[0]["AccountId"]);
    let kept = house.crm(
        Method::POST,
        "sobjects/Account",
        &json!({"Name": "Northwind Group SE"}),
    );
    let (kept, losers) = (text(&kept["id"]), [loser.clone()]);
    house.control(
        Method::POST,
        "/sandbox/records/merge",
        &json!({"master": kept, "losers": losers}),
    );
    let changed = sync(&house).ok().json();
    assert_eq!(changed["outcome"]["effect"], "written", "{changed}");
    let context = quote(&house)["context"].clone();
    assert_eq!(context["account.name"]["text"], "Northwind Group SE", "{context}");
    assert!(!context.to_string().contains(&loser), "{context}");
    assert_eq!(sync(&house).ok().json()["outcome"]["effect"], "no_change");
}
