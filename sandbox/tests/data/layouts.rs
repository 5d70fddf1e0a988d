use crate::site::{Site, code};
use http::Method;
use serde_json::{Value as Json, json};

#[test]
fn layouts_show_fields_and_the_values_of_record_types() {
    let mut site = Site::also(json!({
        "fields": {"Opportunity": [{"name": "Region__c", "type": "picklist", "values": ["North", "South"]}]},
        "recordTypes": [{"object": "Opportunity", "name": "Renewal", "default": true, "picklists": {"Region__c": ["North"]}}]}));
    let (_, layouts) = site.get("/sobjects/Opportunity/describe/layouts");
    let mappings = layouts["recordTypeMappings"].as_array().expect("mappings");
    let of = |name: &str| {
        mappings
            .iter()
            .find(|m| m["developerName"] == name)
            .expect("there")
    };
    let values = |name: &str| {
        let lists = of(name)["picklistsForRecordType"]
            .as_array()
            .expect("lists")
            .clone();
        let list = lists
            .iter()
            .find(|l| l["picklistName"] == "Region__c")
            .expect("there");
        list["picklistValues"].as_array().map(Vec::len)
    };
    assert_eq!((values("Renewal"), values("Master")), (Some(1), Some(2)));
    assert_eq!(of("Renewal")["defaultRecordTypeMapping"], json!(true));
    let url = of("Renewal")["urls"]["layout"]
        .as_str()
        .expect("a URL")
        .to_owned();
    let (status, layout) = site.get(&url);
    assert_eq!(status, 200);
    let rows = layout["editLayoutSections"][0]["layoutRows"].to_string();
    assert!(rows.contains("\"StageName\"") && !rows.contains("\"IsWon\""));
    assert_eq!(
        code(&site.get("/sobjects/Opportunity/describe/layouts/012000000000001AAA")).0,
        404
    );
    let (_, compact) = site.get("/sobjects/Opportunity/describe/compactLayouts");
    assert_eq!(
        compact["compactLayouts"][0]["fieldItems"][0]["layoutComponents"][0]["value"],
        json!("Name")
    );
    assert_eq!(
        site.get("/sobjects/Opportunity/describe/compactLayouts/primary")
            .0,
        200
    );
    let (_, defaults) = site.get("/sobjects/Task/defaultValues?recordTypeId&fields");
    assert_eq!(defaults["Status"], json!("Not Started"));
}

#[test]
fn dependent_picklists_say_what_their_controller_allows() {
    let mut site = Site::also(json!({"fields": {"Account": [
        {"name": "Land__c", "type": "picklist", "values": ["DE", "FR", "PL"]},
        {"name": "City__c", "type": "picklist", "controller": "Land__c", "values": [
            {"value": "Dresden", "validFor": ["DE"]}, {"value": "Paris", "validFor": ["FR"]}, "Elsewhere"]}]}}));
    let (_, describe) = site.get("/sobjects/Account/describe");
    let fields = describe["fields"].as_array().expect("fields");
    let city = fields.iter().find(|f| f["name"] == "City__c").expect("there");
    assert_eq!(
        (&city["dependentPicklist"], &city["controllerName"]),
        (&json!(true), &json!("Land__c"))
    );
    let bits: Vec<&str> = city["picklistValues"]
        .as_array()
        .expect("values")
        .iter()
        .filter_map(|v| v["validFor"].as_str())
        .collect();
    assert_eq!(bits, ["gA==", "QA==", "4A=="]);
    let land = fields.iter().find(|f| f["name"] == "Land__c").expect("there");
    assert_eq!(land["picklistValues"][0]["validFor"], Json::Null);
}

#[test]
fn list_views_are_found_described_and_run() {
    let mut site = Site::new();
    let (_, lists) = site.get("/sobjects/Account/listviews");
    assert_eq!((&lists["size"], &lists["done"]), (&json!(2), &json!(true)));
    let first = lists["listviews"][0].clone();
    assert_eq!(first["label"], json!("All Accounts"));
    let (_, described) = site.get(first["describeUrl"].as_str().expect("a URL"));
    let query = described["query"].as_str().expect("a query").to_owned();
    assert_eq!(site.rows(&query).len(), 2);
    let (_, results) = site.get(&format!(
        "{}?limit=1",
        first["resultsUrl"].as_str().expect("a URL")
    ));
    assert_eq!((&results["size"], &results["done"]), (&json!(1), &json!(false)));
    assert_eq!(
        results["records"][0]["columns"][0]["value"],
        json!("Northwind Robotics")
    );
    assert_eq!(
        code(&site.get("/sobjects/Account/listviews/00B000000000000AAA")).0,
        404
    );
}

#[test]
fn recent_records_are_those_whose_use_was_noted() {
    let mut site = Site::new();
    let id = site.create("Account", json!({"Name": "A"}));
    assert_eq!(site.get("/recent").1, json!([]));
    let path = format!("/sobjects/Account/{id}");
    let note = [("sforce-mru", "updateMru=true")];
    site.ask(
        Method::GET,
        &format!("/services/data/v59.0{path}"),
        &note,
        &Json::Null,
    );
    assert_eq!(site.get("/recent").1, json!([]), "the header is younger");
    site.ask(Method::GET, &path, &note, &Json::Null);
    assert_eq!(site.get("/recent").1[0]["Name"], json!("A"));
    assert_eq!(site.get("/sobjects/Account").1["recentItems"][0]["Id"], json!(id));
    assert_eq!(site.get("/sobjects/Contact").1["recentItems"], json!([]));
    site.delete(&path);
    assert_eq!(site.get("/recent").1, json!([]));
}

#[test]
fn tabs_and_themes_name_the_objects_with_pages() {
    let mut site = Site::new();
    let (_, tabs) = site.get("/tabs");
    let names: Vec<&str> = tabs
        .as_array()
        .expect("tabs")
        .iter()
        .filter_map(|t| t["name"].as_str())
        .collect();
    assert!(
        names.contains(&"standard-Account") && !names.contains(&"standard-Organization"),
        "{names:?}"
    );
    let (_, theme) = site.get("/theme");
    assert_eq!(theme["themeItems"].as_array().map(Vec::len), Some(names.len()));
    assert_eq!(site.get("/actions/standard").1, json!({"actions": []}));
    assert_eq!(
        code(&site.post("/tabs", json!({}))),
        (405, "METHOD_NOT_ALLOWED".into())
    );
}
