//! How many rows a query looks at, counted by the tables themselves: no clock is asked.

use super::column;
use crate::site::{Site, start};
use sandbox::org::{Id, Row, Value};
use serde_json::{Value as Json, json};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

/// Opportunities of the big org.
const ROWS: usize = 100_000;
/// Opportunities that were stamped in the same second, as a load does.
const TOGETHER: usize = 500;

/// A hundred thousand opportunities, put in place without rules: ten for each account, a number each.
static BIG: LazyLock<Mutex<Site>> = LazyLock::new(|| {
    let mut site = Site::new();
    let schema = site.org.schema();
    let (account, opportunity) = (
        schema.position("Account").expect("accounts"),
        schema.position("Opportunity").expect("opportunities"),
    );
    let blank = |object: usize| vec![Value::Null; schema.at(object).fields.len()];
    for n in 0..ROWS / 10 {
        let id = Id::new(*b"001", 1_000_000 + n as u64);
        let mut values = blank(account);
        values[0] = Value::Id(id);
        site.org.put_row(account, id, row(values));
    }
    let object = schema.at(opportunity);
    let field = |name: &str| object.position(name).expect("a field");
    let (number, name, parent) = (field("Opportunity_Number__c"), field("Name"), field("AccountId"));
    for n in 0..ROWS {
        let id = Id::new(*b"006", 1_000_000 + n as u64);
        let stamp = start() + jiff::SignedDuration::from_secs((n / TOGETHER) as i64 - 1_000_000);
        let mut values = blank(opportunity);
        values[0] = Value::Id(id);
        values[number] = Value::text(&format!("BIG-{n:06}"));
        values[name] = Value::text(&format!("Deal {:06}", (n * 7_919) % ROWS));
        values[parent] = Value::Id(Id::new(*b"001", 1_000_000 + n as u64 / 10));
        values[object.system.modified] = Value::instant(stamp);
        values[object.system.stamp] = Value::instant(stamp);
        site.org.put_row(opportunity, id, row(values));
    }
    Mutex::new(site)
});

fn row(values: Vec<Value>) -> Row {
    Row {
        deleted: false,
        bin: None,
        values,
    }
}

fn big() -> MutexGuard<'static, Site> {
    BIG.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The rows of a query and how many rows and index entries were looked at for them.
fn counted(site: &mut Site, query: &str) -> (Vec<Json>, u64) {
    let before = site.org.looked_at();
    let rows = site.rows(query);
    (rows, site.org.looked_at() - before)
}

/// Nothing here may come near the size of the table.
#[track_caller]
fn few(site: &mut Site, query: &str, found: usize, most: u64) -> Vec<Json> {
    let (rows, looked) = counted(site, query);
    assert_eq!(rows.len(), found, "{query}");
    assert!(
        looked <= most,
        "{looked} rows looked at, at most {most} expected: {query}"
    );
    rows
}

fn id(n: usize) -> String {
    Id::new(*b"006", 1_000_000 + n as u64).to_string()
}

#[test]
fn single_records_are_found_over_their_keys() {
    let mut site = big();
    let site = &mut *site;
    few(
        site,
        &format!(
            "SELECT Id, Name, Account.Name FROM Opportunity WHERE Id = '{}'",
            id(5)
        ),
        1,
        20,
    );
    few(
        site,
        "SELECT Id FROM Opportunity WHERE Opportunity_Number__c = 'big-004711'",
        1,
        20,
    );
    few(
        site,
        "SELECT Id FROM Opportunity WHERE Name LIKE 'Deal%' AND Opportunity_Number__c = 'BIG-004711' AND Amount = null",
        1,
        20,
    );
    few(
        site,
        "SELECT Id FROM Opportunity WHERE Opportunity_Number__c = 'BIG-000001' OR Opportunity_Number__c = 'BIG-000002'",
        2,
        30,
    );
}

#[test]
fn lists_of_hundreds_cost_hundreds() {
    let mut site = big();
    let site = &mut *site;
    let ids: Vec<String> = (0..500).map(|n| format!("'{}'", id(n * 150))).collect();
    few(
        site,
        &format!(
            "SELECT Id, Name FROM Opportunity WHERE Id IN ({}) ORDER BY Name",
            ids.join(",")
        ),
        500,
        4_000,
    );
    let numbers: Vec<String> = (0..500).map(|n| format!("'BIG-{:06}'", n * 150)).collect();
    few(
        site,
        &format!(
            "SELECT Id FROM Opportunity WHERE Opportunity_Number__c IN ({})",
            numbers.join(",")
        ),
        500,
        4_000,
    );
    let or: Vec<String> = ids.iter().take(300).map(|id| format!("Id = {id}")).collect();
    few(
        site,
        &format!("SELECT Id FROM Opportunity WHERE {}", or.join(" OR ")),
        300,
        3_000,
    );
}

#[test]
fn parents_lead_to_their_children_and_back() {
    let mut site = big();
    let site = &mut *site;
    let parent = Id::new(*b"001", 1_000_000 + 77).to_string();
    few(
        site,
        &format!("SELECT Id FROM Opportunity WHERE AccountId = '{parent}' ORDER BY Name DESC"),
        10,
        100,
    );
    few(
        site,
        &format!("SELECT Id FROM Opportunity WHERE Account.Id = '{parent}'"),
        10,
        100,
    );
    few(
        site,
        &format!(
            "SELECT Id, (SELECT Id FROM Opportunities ORDER BY Name) FROM Account WHERE Id = '{parent}'"
        ),
        1,
        100,
    );
    few(
        site,
        &format!(
            "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Opportunity WHERE Id = '{}')",
            id(770)
        ),
        1,
        100,
    );
}

#[test]
fn the_newest_come_without_sorting() {
    let mut site = big();
    let site = &mut *site;
    let rows = few(
        site,
        "SELECT Id FROM Opportunity ORDER BY SystemModstamp, Id LIMIT 200",
        200,
        1_000,
    );
    assert_eq!(rows[199]["Id"], json!(id(199)));
    few(
        site,
        "SELECT Id FROM Opportunity ORDER BY SystemModstamp DESC, Id DESC LIMIT 200 OFFSET 100",
        200,
        1_500,
    );
    few(
        site,
        "SELECT Id FROM Opportunity ORDER BY SystemModstamp DESC LIMIT 10",
        10,
        100,
    );
    few(
        site,
        "SELECT Id FROM Opportunity ORDER BY Id DESC LIMIT 10",
        10,
        100,
    );
    few(
        site,
        &format!(
            "SELECT Id FROM Opportunity WHERE Id > '{}' ORDER BY Id LIMIT 2000",
            id(50_000)
        ),
        2_000,
        5_000,
    );
    few(
        site,
        "SELECT Id FROM Opportunity WHERE SystemModstamp >= 2026-11-22T00:00:00Z",
        3,
        100,
    );
    few(
        site,
        "SELECT Id FROM Opportunity WHERE LastModifiedDate > YESTERDAY AND StageName != 'x' ORDER BY Name",
        3,
        100,
    );
    few(site, "SELECT Id FROM Opportunity LIMIT 5", 5, 50);
}

/// A sync reads everything page by page, each page after the last row of the one before. Many rows share a stamp.
#[test]
fn a_walk_by_stamp_and_id_looks_at_each_row_once() {
    let mut site = big();
    let site = &mut *site;
    let mut condition = "SystemModstamp < 2026-11-22T00:00:00Z".to_owned();
    let (mut seen, mut looked) = (Vec::new(), 0);
    loop {
        let query = format!(
            "SELECT Id, SystemModstamp FROM Opportunity WHERE ({condition}) ORDER BY SystemModstamp ASC, Id ASC LIMIT 1900"
        );
        let (rows, more) = counted(site, &query);
        looked += more;
        let Some(last) = rows.last() else { break };
        let stamp = last["SystemModstamp"]
            .as_str()
            .expect("a stamp")
            .replace("+0000", "Z");
        let id = last["Id"].as_str().expect("an id");
        condition = format!(
            "(SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > '{id}')) AND SystemModstamp < 2026-11-22T00:00:00Z"
        );
        seen.extend(column(&rows, "Id"));
    }
    let expected: Vec<Json> = (0..ROWS).map(|n| json!(id(n))).collect();
    assert!(seen == expected, "every row once and in order");
    // Each row is found in the index, filtered and shown; for each page a search for something cheaper by either of the
    // two conditions gives up at four times the page and a thousand rows.
    let pages = (ROWS / 1_900 + 2) as u64;
    let most = ROWS as u64 * 4 + pages * 2 * (1_900 * 4 + 1_000);
    assert!(looked < most, "{looked} rows looked at, at most {most} expected");
}

#[test]
fn the_count_would_notice_a_walk_through_the_table() {
    let mut site = big();
    let (rows, looked) = counted(
        &mut site,
        "SELECT Id FROM Opportunity WHERE Name = 'Deal 000007' AND Amount = null",
    );
    assert_eq!(rows.len(), 1);
    // Names are indexed, as they can be keys of an upsert; next steps are not.
    assert!(looked < 100, "{looked}");
    let (_, looked) = counted(&mut site, "SELECT Id FROM Opportunity WHERE NextStep = 'none'");
    assert!(looked >= ROWS as u64, "{looked}");
}

#[test]
fn too_much_work_is_refused() {
    let site = big();
    let schema = site.org.schema();
    let words: Vec<String> = (0..4_100).map(|n| format!("NextStep='{n}'")).collect();
    let query = format!("SELECT Id FROM Opportunity WHERE {}", words.join(" OR "));
    let plan = sandbox::soql::prepare(&schema, &query, start(), false).expect("a plan");
    let refusal = plan.ids(&site.org).expect_err("too much");
    assert_eq!(refusal.error_code, "QUERY_TOO_COMPLICATED");
    let plan = Arc::new(plan);
    assert_eq!(
        plan.count(&site.org).expect_err("too much").error_code,
        "QUERY_TOO_COMPLICATED"
    );
}
