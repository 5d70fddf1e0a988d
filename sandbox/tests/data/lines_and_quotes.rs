use crate::site::{Site, code};
use serde_json::{Value as Json, json};

fn entry(site: &mut Site, code: &str) -> String {
    let query = format!(
        "SELECT Id FROM PricebookEntry WHERE ProductCode = '{code}' AND Pricebook2.Name = 'Enterprise 2026'"
    );
    site.one(&query)["Id"].as_str().expect("an id").to_owned()
}

fn opportunity(site: &mut Site, id: &str) -> Json {
    site.get(&format!("/sobjects/Opportunity/{id}")).1
}

#[test]
fn the_stage_decides_probability_and_forecast() {
    let mut site = Site::new();
    let id = site.opportunity("OPP-4483");
    let path = format!("/sobjects/Opportunity/{id}");
    let row = opportunity(&mut site, &id);
    assert_eq!(
        (&row["Probability"], &row["ExpectedRevenue"], &row["IsClosed"]),
        (&json!(20.0), &json!(12400.0), &json!(false))
    );
    site.wait(3);
    assert_eq!(site.patch(&path, json!({"StageName": "Closed Won"})).0, 204);
    let row = opportunity(&mut site, &id);
    assert_eq!(
        (&row["Probability"], &row["IsWon"], &row["ForecastCategory"]),
        (&json!(100.0), &json!(true), &json!("Closed"))
    );
    assert_eq!(row["LastStageChangeDate"], json!("2026-11-22T10:00:33.000+0000"));
    assert_eq!(
        site.patch(
            &path,
            json!({"StageName": "Negotiation/Review", "Probability": 42, "ForecastCategoryName": "Commit"})
        )
        .0,
        204
    );
    let row = opportunity(&mut site, &id);
    assert_eq!(
        (&row["Probability"], &row["ForecastCategory"], &row["IsWon"]),
        (&json!(42.0), &json!("Forecast"), &json!(false))
    );
    assert_eq!(
        site.patch(&path, json!({"StageName": "Handshake"})).0,
        204,
        "stages are not restricted"
    );
    assert_eq!(
        (&row["FiscalYear"], &row["Fiscal"]),
        (&json!(2027), &json!("2027 1"))
    );
}

#[test]
fn lines_own_the_amount() {
    let mut site = Site::new();
    let id = site.opportunity("OPP-4482");
    let path = format!("/sobjects/Opportunity/{id}");
    // 6 × 46250 − 7.5 %, 2 × 12400, 3 × 9120.50
    let row = opportunity(&mut site, &id);
    assert_eq!(
        (&row["Amount"], &row["TotalOpportunityQuantity"]),
        (&json!(308849.0), &json!(11.0))
    );
    assert_eq!(
        site.patch(&path, json!({"Amount": 1, "NextStep": "written"})).0,
        204
    );
    let row = opportunity(&mut site, &id);
    assert_eq!(
        (&row["Amount"], &row["NextStep"]),
        (&json!(308849.0), &json!("written"))
    );

    site.wait(10);
    let entry = entry(&mut site, "SVC-INSTALL");
    let line = site.create(
        "OpportunityLineItem",
        json!({"OpportunityId": id, "PricebookEntryId": entry, "Quantity": 4, "TotalPrice": 5000}),
    );
    let (_, made) = site.get(&format!("/sobjects/OpportunityLineItem/{line}"));
    assert_eq!(
        (&made["UnitPrice"], &made["ListPrice"], &made["ProductCode"]),
        (&json!(1250.0), &json!(1390.0), &json!("SVC-INSTALL"))
    );
    assert_eq!(
        made["Name"],
        json!("Northwind Robotics – Assembly line 4 Installation and commissioning, day")
    );
    let row = opportunity(&mut site, &id);
    assert_eq!(
        (&row["Amount"], &row["SystemModstamp"]),
        (&json!(313849.0), &json!("2026-11-22T10:00:40.000+0000"))
    );

    let line = format!("/sobjects/OpportunityLineItem/{line}");
    assert_eq!(site.patch(&line, json!({"Discount": 10})).0, 204);
    let (_, made) = site.get(&line);
    assert_eq!(
        (&made["UnitPrice"], &made["Subtotal"], &made["TotalPrice"]),
        (&json!(1250.0), &json!(5000.0), &json!(4500.0))
    );
    assert_eq!(
        code(&site.patch(&line, json!({"Discount": 5, "Quantity": 3}))),
        (400, "FIELD_INTEGRITY_EXCEPTION".into())
    );
    assert_eq!(site.delete(&line).0, 204);
    assert_eq!(opportunity(&mut site, &id)["Amount"], json!(308849.0));
    assert_eq!(
        code(&site.patch(&path, json!({"Pricebook2Id": null}))),
        (400, "FIELD_INTEGRITY_EXCEPTION".into())
    );
}

#[test]
fn line_rules() {
    let mut site = Site::new();
    let (id, bare) = (site.opportunity("OPP-4482"), site.opportunity("OPP-4484"));
    let arm = entry(&mut site, "RX-900");
    let standard = site.one("SELECT Id, Product2Id FROM PricebookEntry WHERE ProductCode = 'RX-900' AND Pricebook2.IsStandard = true");
    let mut refused = |body: Json| code(&site.post("/sobjects/OpportunityLineItem", body)).1;
    let cases = [
        (
            json!({"OpportunityId": id, "PricebookEntryId": arm, "Quantity": 1, "UnitPrice": 1, "TotalPrice": 1}),
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        (
            json!({"OpportunityId": id, "PricebookEntryId": standard["Id"], "Quantity": 1, "UnitPrice": 1}),
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        (
            json!({"OpportunityId": id, "Quantity": 1, "UnitPrice": 1}),
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        (
            json!({"OpportunityId": id, "PricebookEntryId": arm, "Quantity": 1}),
            "REQUIRED_FIELD_MISSING",
        ),
        (
            json!({"PricebookEntryId": arm, "Quantity": 1, "UnitPrice": 1}),
            "REQUIRED_FIELD_MISSING",
        ),
        (
            json!({"OpportunityId": id, "PricebookEntryId": arm, "Quantity": 1, "UnitPrice": 1, "ListPrice": 1}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        (
            json!({"OpportunityId": id, "PricebookEntryId": arm, "Quantity": 9999999999u64, "UnitPrice": 9999999999999999u64}),
            "NUMBER_OUTSIDE_VALID_RANGE",
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(refused(body.clone()), expected, "{body}");
    }
    // A bare opportunity takes the book of its first line; a product finds its entry.
    let book = site.opportunity("OPP-4484");
    assert_eq!(opportunity(&mut site, &book)["Pricebook2Id"], Json::Null);
    site.create(
        "OpportunityLineItem",
        json!({"OpportunityId": bare, "PricebookEntryId": arm, "Quantity": 0.125, "UnitPrice": 2.005}),
    );
    let row = opportunity(&mut site, &bare);
    assert!(row["Pricebook2Id"].is_string());
    // Both numbers are rounded half up to two digits before they are multiplied: 0.13 × 2.01.
    assert_eq!(row["Amount"], json!(0.26));
    site.create(
        "OpportunityLineItem",
        json!({"OpportunityId": bare, "Product2Id": standard["Product2Id"], "Quantity": 1, "UnitPrice": 1}),
    );
}

#[test]
fn price_book_rules() {
    let mut site = Site::new();
    let product = site.create(
        "Product2",
        json!({"Name": "New", "ProductCode": "NEW", "IsActive": true}),
    );
    let book = site.one("SELECT Id FROM Pricebook2 WHERE IsStandard = false")["Id"].clone();
    let standard = site.one("SELECT Id FROM Pricebook2 WHERE IsStandard = true")["Id"].clone();
    let entry =
        |book: &Json| json!({"Pricebook2Id": book, "Product2Id": product, "UnitPrice": 5, "IsActive": true});
    assert_eq!(
        code(&site.post("/sobjects/PricebookEntry", entry(&book))),
        (400, "STANDARD_PRICE_NOT_DEFINED".into())
    );
    let first = site.create("PricebookEntry", entry(&standard));
    assert_eq!(
        code(&site.post("/sobjects/PricebookEntry", entry(&standard))),
        (400, "DUPLICATE_VALUE".into())
    );
    let follower = site.create(
        "PricebookEntry",
        json!({"Pricebook2Id": book, "Product2Id": product, "UseStandardPrice": true, "IsActive": true}),
    );
    assert_eq!(
        site.patch(
            &format!("/sobjects/PricebookEntry/{first}"),
            json!({"UnitPrice": 7.5})
        )
        .0,
        204
    );
    let (_, row) = site.get(&format!("/sobjects/PricebookEntry/{follower}"));
    assert_eq!(
        (&row["UnitPrice"], &row["Name"], &row["ProductCode"]),
        (&json!(7.5), &json!("New"), &json!("NEW"))
    );
}

/// A quote over one discounted line; answers the ids of both.
fn quote_with_line(site: &mut Site, opportunity: &str) -> (String, String) {
    let quote = site.create(
        "Quote",
        json!({"Name": "Q-2026-0137", "OpportunityId": opportunity, "CPQ_Quote_Key__c": "k1", "Tax": 100}),
    );
    let arm = entry(site, "RX-900");
    let line = site.create(
        "QuoteLineItem",
        json!({"QuoteId": quote, "PricebookEntryId": arm, "Quantity": 2, "UnitPrice": 40000, "Discount": 25}),
    );
    (quote, line)
}

#[test]
fn quotes_add_up() {
    let mut site = Site::new();
    let id = site.opportunity("OPP-4482");
    let (quote, _) = quote_with_line(&mut site, &id);
    let quoted = format!("/sobjects/Quote/{quote}");
    let (_, row) = site.get(&quoted);
    assert_eq!(row["QuoteNumber"], json!("00000001"));
    assert_eq!(
        (
            &row["Subtotal"],
            &row["TotalPrice"],
            &row["Discount"],
            &row["GrandTotal"],
            &row["LineItemCount"]
        ),
        (
            &json!(80000.0),
            &json!(60000.0),
            &json!(25.0),
            &json!(60100.0),
            &json!(1)
        )
    );
    assert_eq!(
        code(&site.patch(&quoted, json!({"IsSyncing": true}))),
        (400, "INVALID_FIELD_FOR_INSERT_UPDATE".into())
    );
}

#[test]
fn a_synced_quote_and_its_opportunity_mirror_their_lines() {
    let mut site = Site::new();
    let id = site.opportunity("OPP-4482");
    let path = format!("/sobjects/Opportunity/{id}");
    let (quote, line) = quote_with_line(&mut site, &id);
    let quoted = format!("/sobjects/Quote/{quote}");
    assert_eq!(
        site.patch(&path, json!({"SyncedQuoteId": quote})),
        (204, Json::Null)
    );
    let row = opportunity(&mut site, &id);
    assert_eq!(
        (&row["Amount"], &row["SyncedQuoteId"]),
        (&json!(60000.0), &json!(quote))
    );
    let lines = site.rows(&format!(
        "SELECT Id FROM OpportunityLineItem WHERE OpportunityId = '{id}'"
    ));
    assert_eq!(lines.len(), 1, "a sync replaces the lines");
    assert_eq!(site.get(&quoted).1["IsSyncing"], json!(true));

    assert_eq!(
        site.patch(&format!("/sobjects/QuoteLineItem/{line}"), json!({"Quantity": 3}))
            .0,
        204
    );
    assert_eq!(opportunity(&mut site, &id)["Amount"], json!(90000.0));
    let twin = lines[0]["Id"].as_str().expect("an id");
    assert_eq!(
        site.patch(
            &format!("/sobjects/OpportunityLineItem/{twin}"),
            json!({"Discount": 0})
        )
        .0,
        204
    );
    assert_eq!(site.get(&quoted).1["TotalPrice"], json!(120000.0));
    assert_eq!(site.delete(&format!("/sobjects/QuoteLineItem/{line}")).0, 204);
    assert_eq!(
        opportunity(&mut site, &id)["HasOpportunityLineItem"],
        json!(false)
    );
    assert_eq!(site.patch(&path, json!({"SyncedQuoteId": null})).0, 204);
    assert_eq!(site.get(&quoted).1["IsSyncing"], json!(false));
}

#[test]
fn lines_that_come_and_go_on_a_syncing_opportunity_do_so_on_its_quote() {
    let mut site = Site::new();
    let id = site.opportunity("OPP-4482");
    let (quote, _) = quote_with_line(&mut site, &id);
    let synced = json!({"SyncedQuoteId": quote});
    assert_eq!(site.patch(&format!("/sobjects/Opportunity/{id}"), synced).0, 204);
    let arm = entry(&mut site, "RX-900");
    let line = json!({"OpportunityId": id, "PricebookEntryId": arm, "Quantity": 1, "UnitPrice": 500});
    let line = site.create("OpportunityLineItem", line);
    let twins =
        format!("SELECT UnitPrice, OpportunityLineItemId FROM QuoteLineItem WHERE QuoteId = '{quote}'");
    let rows = site.rows(&twins);
    assert_eq!(rows.len(), 2);
    assert!(
        rows.iter()
            .any(|row| row["OpportunityLineItemId"] == json!(line) && row["UnitPrice"] == json!(500.0))
    );
    assert_eq!(
        site.get(&format!("/sobjects/Quote/{quote}")).1["Subtotal"],
        json!(80500.0)
    );
    let lines = format!("SELECT Id FROM OpportunityLineItem WHERE OpportunityId = '{id}'");
    assert_eq!(site.rows(&lines).len(), 2, "nothing is carried back");
    assert_eq!(
        site.delete(&format!("/sobjects/OpportunityLineItem/{line}")).0,
        204
    );
    assert_eq!(site.rows(&twins).len(), 1);
    assert_eq!(site.rows(&lines).len(), 1);
}

#[test]
fn a_close_date_that_moves_into_a_later_month_is_a_push() {
    let mut site = Site::new();
    let body = json!({"Name": "N", "StageName": "Prospecting", "CloseDate": "2026-12-01"});
    let id = site.create("Opportunity", body);
    let path = format!("/sobjects/Opportunity/{id}");
    for (date, pushes) in [
        ("2026-12-31", 0),
        ("2027-01-01", 1),
        ("2026-11-30", 1),
        ("2027-06-30", 2),
    ] {
        assert_eq!(site.patch(&path, json!({"CloseDate": date})).0, 204);
        assert_eq!(opportunity(&mut site, &id)["PushCount"], json!(pushes), "{date}");
    }
}

#[test]
fn accounts_with_won_opportunities_and_prices_in_use_stay() {
    let mut site = Site::new();
    let id = site.opportunity("OPP-4483");
    let account = opportunity(&mut site, &id)["AccountId"]
        .as_str()
        .expect("an id")
        .to_owned();
    let won = json!({"StageName": "Closed Won"});
    assert_eq!(site.patch(&format!("/sobjects/Opportunity/{id}"), won).0, 204);
    let name = opportunity(&mut site, &id)["Name"]
        .as_str()
        .expect("a name")
        .to_owned();
    let refused = site.delete(&format!("/sobjects/Account/{account}"));
    assert_eq!(code(&refused), (400, "DELETE_FAILED".into()));
    assert!(
        refused.1[0]["message"]
            .as_str()
            .is_some_and(|m| m.ends_with(&name))
    );
    assert_eq!(site.get(&format!("/sobjects/Account/{account}")).0, 200);
    let lost = json!({"StageName": "Closed Lost"});
    assert_eq!(site.patch(&format!("/sobjects/Opportunity/{id}"), lost).0, 204);
    assert_eq!(site.delete(&format!("/sobjects/Account/{account}")).0, 204);
}

#[test]
fn one_primary_contact() {
    let mut site = Site::new();
    let id = site.opportunity("OPP-4482");
    let primary = |site: &mut Site| {
        site.one(&format!("SELECT Contact.LastName FROM OpportunityContactRole WHERE OpportunityId = '{id}' AND IsPrimary = true"))["Contact"]["LastName"].clone()
    };
    assert_eq!(primary(&mut site), json!("Hoffmann"));
    let marek = site.one("SELECT Id FROM OpportunityContactRole WHERE Contact.LastName = 'Dvořák'");
    let path = format!(
        "/sobjects/OpportunityContactRole/{}",
        marek["Id"].as_str().expect("an id")
    );
    assert_eq!(site.patch(&path, json!({"IsPrimary": true})).0, 204);
    assert_eq!(primary(&mut site), json!("Dvořák"));
    let contact = site.one("SELECT Id FROM Contact WHERE LastName = 'Tanaka'")["Id"].clone();
    let fresh = site.create(
        "Opportunity",
        json!({"Name": "N", "StageName": "Prospecting", "CloseDate": "2026-12-31", "ContactId": contact}),
    );
    assert_eq!(
        site.rows(&format!(
            "SELECT Id FROM OpportunityContactRole WHERE OpportunityId = '{fresh}' AND IsPrimary = true"
        ))
        .len(),
        1
    );
}

#[test]
fn deletes_cascade_and_clear() {
    let mut site = Site::new();
    let account = site.one("SELECT Id FROM Account WHERE Name = 'Northwind Robotics'");
    let path = format!("/sobjects/Account/{}", account["Id"].as_str().expect("an id"));
    assert_eq!(site.delete(&path).0, 204);
    assert_eq!(
        site.soql("SELECT COUNT() FROM Opportunity").1["totalSize"],
        json!(2)
    );
    assert_eq!(
        site.soql("SELECT COUNT() FROM OpportunityLineItem").1["totalSize"],
        json!(0)
    );
    assert_eq!(site.soql("SELECT COUNT() FROM Contact").1["totalSize"], json!(0));
}
