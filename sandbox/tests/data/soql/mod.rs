//! Queries and searches, part by part.

mod conditions;
mod definitions;
mod functions;
mod groups;
mod model;
mod pages;
mod refusals;
mod relationships;
mod searches;
mod soup;
mod speed;

use crate::site::Site;
use serde_json::{Value as Json, json};

/// An org with a custom object that has a field of every kind, and some rows of it.
fn workshop() -> Site {
    let scenario = json!({
        "name": "workshop",
        "organization": {"FiscalYearStartMonth": 4},
        "user": {"TimeZoneSidKey": "Europe/Berlin", "LocaleSidKey": "de_DE"},
        "objects": [{"name": "Part__c", "fields": [
            {"name": "Colors__c", "type": "multipicklist", "values": ["Red", "Green", "Blue"]},
            {"name": "Size__c", "type": "picklist", "values": [
                {"value": "S", "label": "Small"}, {"value": "M", "label": "Medium"}, {"value": "L", "label": "Large"}]},
            {"name": "Code__c", "type": "string", "length": 20, "externalId": true, "unique": true, "caseSensitive": true},
            {"name": "Weight__c", "type": "double", "precision": 9, "scale": 3},
            {"name": "Price__c", "type": "currency", "precision": 18, "scale": 2},
            {"name": "Made__c", "type": "date"},
            {"name": "Seen__c", "type": "datetime"},
            {"name": "Opens__c", "type": "time", "length": 13},
            {"name": "Tested__c", "type": "boolean"},
            {"name": "Notes__c", "type": "textarea", "length": 32000},
            {"name": "Account__c", "type": "reference", "references": ["Account"], "children": "Parts__r"},
            {"name": "Whole__c", "type": "reference", "references": ["Part__c"], "children": "Pieces__r"}]}],
        "records": [
            {"object": "Account", "ref": "a", "values": {"Name": "Acme"}},
            {"object": "Part__c", "ref": "p", "values": {"Name": "bolt", "Colors__c": "Red;Green", "Size__c": "M",
                "Code__c": "AbC", "Weight__c": 1.5, "Price__c": 1234.5, "Made__c": "2026-11-20",
                "Seen__c": "2026-11-22T23:30:00Z", "Opens__c": "08:30:00.000Z", "Tested__c": true, "Account__c": {"ref": "a"}}},
            {"object": "Part__c", "values": {"Name": "Nut", "Colors__c": "Blue", "Size__c": "S", "Code__c": "abd",
                "Weight__c": 0.25, "Price__c": 10, "Made__c": "2026-04-01", "Seen__c": "2026-11-22T09:00:00Z",
                "Account__c": {"ref": "a"}, "Whole__c": {"ref": "p"}}},
            {"object": "Part__c", "values": {"Name": "axle_1", "Size__c": "L", "Weight__c": 40, "Made__c": "2026-03-31"}},
            {"object": "Part__c", "values": {"Name": "Zahnrad"}}]
    });
    Site::of(&serde_json::from_value(scenario).expect("a scenario"))
}

/// Values of one key in all rows.
fn column(rows: &[Json], key: &str) -> Vec<Json> {
    rows.iter().map(|row| row[key].clone()).collect()
}

/// Names of the parts that a condition lets through, in order.
fn parts(site: &mut Site, condition: &str) -> Vec<String> {
    let rows = site.rows(&format!(
        "SELECT Name FROM Part__c WHERE {condition} ORDER BY Name"
    ));
    rows.iter()
        .map(|r| r["Name"].as_str().expect("a name").to_owned())
        .collect()
}
