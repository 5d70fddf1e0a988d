//! A CPQ elsewhere, behind the REST contract: the embedded CPQ of another service serves as one.

use reqwest::Method;
use serde_json::json;

use crate::house::House;

#[test]
fn a_sync_works_the_same_with_the_cpq_in_another_process() {
    let elsewhere = House::empty();
    let cpq = elsewhere.serve();
    let house = House::connected();
    let config = format!("[cpq]\nkind = \"rest\"\nurl = \"{}\"\n", cpq.url);
    std::fs::write(house.path().join("cpq.toml"), config).expect("the configuration");
    let service = house.serve_with(&[("CPQ_REMOTE_TOKEN", &cpq.token)]);
    let path = "/api/v1/sync/opportunities/OPP-4482";
    let (status, done) = service.json(Method::POST, path, &[("idempotency-key", "k")], &json!({}));
    assert_eq!(status, 200, "{done}");
    let there = cpq.json(Method::GET, "/api/v1/quotes", &[], &json!(null)).1;
    assert_eq!(there["quotes"][0]["number"], done["quoteId"], "{there}");
    assert_eq!(there["quotes"][0]["opportunity"]["number"], "OPP-4482");
    let (status, none) = service.json(Method::GET, "/api/v1/quotes", &[], &json!(null));
    assert_eq!(status, 404, "quotes are elsewhere: {none}");
    let (_, again) = service.json(Method::POST, path, &[], &json!({}));
    assert_eq!(again["outcome"]["effect"], "no_change", "{again}");
    let row = &house
        .soql("SELECT CPQ_Quote_Number__c FROM Opportunity WHERE Opportunity_Number__c = 'OPP-4482'")[0];
    assert_eq!(row["CPQ_Quote_Number__c"], done["quoteId"]);
}
