use super::{column, workshop};
use crate::site::Site;
use serde_json::json;

#[test]
fn labels_formats_and_aliases() {
    let mut site = workshop();
    let row = site.one(
        "SELECT Size__c, toLabel(Size__c) label, FORMAT(Price__c) price, FORMAT(Weight__c) weight, FORMAT(Made__c) made, \
         FORMAT(Seen__c) seen FROM Part__c WHERE Name = 'bolt'",
    );
    let keys: Vec<&String> = row.as_object().expect("an object").keys().collect();
    assert_eq!(
        keys,
        [
            "attributes",
            "Size__c",
            "label",
            "price",
            "weight",
            "made",
            "seen"
        ]
    );
    assert_eq!((&row["Size__c"], &row["label"]), (&json!("M"), &json!("Medium")));
    assert_eq!(
        (&row["price"], &row["weight"]),
        (&json!("1.234,50 $"), &json!("1,500"))
    );
    assert_eq!(
        (&row["made"], &row["seen"]),
        (&json!("20.11.2026"), &json!("23.11.2026, 00:30"))
    );
    let row = site.one("SELECT toLabel(Size__c), FORMAT(Account__r.Name) FROM Part__c WHERE Name = 'nut'");
    assert_eq!(
        (&row["Size__c"], &row["Account__r"]["Name"]),
        (&json!("Small"), &json!("Acme"))
    );
}

#[test]
fn picklists_sort_as_they_are_set_up() {
    let mut site = workshop();
    let rows = site.rows("SELECT Name FROM Part__c WHERE Size__c != null ORDER BY Size__c DESC");
    assert_eq!(
        column(&rows, "Name"),
        [json!("axle_1"), json!("bolt"), json!("Nut")]
    );
    let row = site.one("SELECT MIN(Size__c) least, MAX(Size__c) most FROM Part__c");
    assert_eq!((&row["least"], &row["most"]), (&json!("S"), &json!("L")));
    // Text sorts by its capitals, so an underscore comes after the letters.
    site.create("Part__c", json!({"Name": "axleX"}));
    let rows = site.rows("SELECT Name FROM Part__c ORDER BY Name LIMIT 3");
    assert_eq!(
        column(&rows, "Name"),
        [json!("axleX"), json!("axle_1"), json!("bolt")]
    );
    // References put nulls first whatever is asked.
    let rows = site.rows("SELECT Account__c FROM Part__c ORDER BY Account__c NULLS LAST LIMIT 1");
    assert_eq!(rows[0]["Account__c"], json!(null));
}

#[test]
fn date_functions_in_conditions() {
    let mut site = workshop();
    let mut names = |condition: &str| super::parts(&mut site, condition);
    assert_eq!(
        names("CALENDAR_YEAR(Made__c) = 2026 AND CALENDAR_MONTH(Made__c) IN (3, 4)"),
        ["axle_1", "Nut"]
    );
    assert_eq!(names("FISCAL_QUARTER(Made__c) = 1"), ["Nut"]);
    assert_eq!(names("FISCAL_YEAR(Made__c) = 2026"), ["axle_1"]);
    assert_eq!(names("HOUR_IN_DAY(Seen__c) >= 20"), ["bolt"]);
    assert_eq!(names("HOUR_IN_DAY(convertTimezone(Seen__c)) = 0"), ["bolt"]);
    assert_eq!(names("DAY_ONLY(Seen__c) = 2026-11-22"), ["bolt", "Nut"]);
    assert_eq!(names("DAY_ONLY(convertTimezone(Seen__c)) = 2026-11-23"), ["bolt"]);
    assert_eq!(names("DAY_IN_WEEK(Made__c) = 6"), ["bolt"]);
}

#[test]
fn distances() {
    let mut site = Site::with("empty");
    let mut make = |name: &str, latitude: f64, longitude: f64| {
        let body = json!({"Name": name, "BillingLatitude": latitude, "BillingLongitude": longitude});
        site.create("Account", body)
    };
    make("Berlin", 52.52, 13.405);
    make("Munich", 48.137, 11.575);
    site.create("Account", json!({"Name": "Nowhere"}));
    let near = "DISTANCE(BillingAddress, GEOLOCATION(52.4,13.1), 'km')";
    let rows = site.rows(&format!("SELECT Name, {near} d FROM Account WHERE {near} < 100"));
    assert_eq!(column(&rows, "Name"), [json!("Berlin")]);
    assert!(
        (24.0..25.5).contains(&rows[0]["d"].as_f64().expect("a number")),
        "{rows:?}"
    );
    let rows = site.rows(&format!(
        "SELECT Name FROM Account ORDER BY {near} DESC NULLS LAST LIMIT 1"
    ));
    assert_eq!(rows[0]["Name"], json!("Munich"));
}
