//! Other records, and the opportunities that they concern.

use cpq_domain::change::ChangeKind;
use jiff::Timestamp;
use serde_json::json;

use crate::house::{fields, house, opportunities};

#[tokio::test]
async fn an_account_concerns_its_open_and_its_quoted_opportunities_in_one_call() {
    let house = house().await;
    let line = house.opportunity("OPP-4482").await;
    let account = house
        .id("SELECT Id FROM Account WHERE Name = 'Northwind Robotics'")
        .await;
    let of_account = |name: &str, stage: &str, quote: Option<&str>| {
        json!({"Name": name, "StageName": stage, "CloseDate": "2027-01-31", "AccountId": account,
            "CPQ_Quote_Number__c": quote})
    };
    let quoted = house
        .create("Opportunity", of_account("Won", "Closed Won", Some("Q-7")))
        .await;
    house
        .create("Opportunity", of_account("Lost", "Closed Lost", None))
        .await;
    let mut stream = house.stands().await;
    let before = house.asked("/composite").await;
    house
        .update(
            "Account",
            &account,
            json!({"Website": "https://n.example", "BillingCity": "Leipzig"}),
        )
        .await;
    let batch = stream.batch().await;
    let mut expected = vec![line, quoted];
    expected.sort();
    assert_eq!(opportunities(&batch.changes), expected);
    for change in &batch.changes {
        assert_eq!(change.hint.kind, ChangeKind::Changed);
        assert_eq!(fields(change), ["account.billing_city", "account.website"]);
        assert_eq!(change.hint.source, "pubsub /data/ChangeEvents Account");
    }
    assert_eq!(house.asked("/composite").await, before + 1);
}

#[tokio::test]
async fn a_contact_and_its_role_concern_their_opportunity() {
    let house = house().await;
    let line = house.opportunity("OPP-4482").await;
    let lena = house
        .id("SELECT Id FROM Contact WHERE LastName = 'Hoffmann'")
        .await;
    let role = house
        .id("SELECT Id FROM OpportunityContactRole WHERE Contact.LastName = 'Hoffmann'")
        .await;
    let mut stream = house.stands().await;
    house
        .update(
            "Contact",
            &lena,
            json!({"FirstName": "Helena", "Email": "h@n.example"}),
        )
        .await;
    let change = stream.change().await;
    assert_eq!(change.opportunity.as_str(), line);
    assert_eq!(fields(&change), ["contact.email", "contact.first_name"]);

    house
        .update("OpportunityContactRole", &role, json!({"Role": "Evaluator"}))
        .await;
    assert_eq!(fields(&stream.change().await), ["contact.role"]);

    // The event of a deleted role has nothing but its id, and the row is gone for good.
    // The stream goes on being seen while nothing happens, so it is asked from no later than the moment of the deletion.
    #[expect(
        clippy::disallowed_methods,
        reason = "the moment of the deletion, as the CRM sees it"
    )]
    let now = Timestamp::now();
    house.delete("OpportunityContactRole", &role).await;
    let gone = stream.batch().await;
    assert!(gone.sweep_from.is_some_and(|from| from <= now), "{gone:?}");

    let body = json!({"OpportunityId": line, "ContactId": lena, "Role": "Evaluator"});
    house.create("OpportunityContactRole", body).await;
    let made = stream.change().await;
    assert_eq!(
        (made.opportunity.as_str(), made.hint.kind),
        (line.as_str(), ChangeKind::Changed)
    );
    assert!(
        fields(&made).contains(&"contact.email") && fields(&made).contains(&"contact.role"),
        "{made:?}"
    );
}

#[tokio::test]
async fn a_quote_concerns_its_opportunity_from_its_making_to_its_end() {
    let house = house().await;
    let line = house.opportunity("OPP-4482").await;
    let mut stream = house.stands().await;
    let before = house.asked("/composite").await;
    let quote = house
        .create("Quote", json!({"Name": "Q", "OpportunityId": line}))
        .await;
    let made = stream.batch().await.changes;
    // Its making says to what it belongs.
    assert_eq!(house.asked("/composite").await, before);
    let of_quote = |change: &&cpq_domain::change::Change| change.hint.source.ends_with(" Quote");
    let made = made.iter().find(of_quote).expect("the quote is told").clone();
    assert_eq!(
        (made.opportunity.as_str(), made.hint.kind),
        (line.as_str(), ChangeKind::Changed)
    );
    assert!(fields(&made).contains(&"quote_record.status"));
    house
        .update("Quote", &quote, json!({"Status": "In Review"}))
        .await;
    let changed = stream.change().await;
    assert_eq!(changed.opportunity.as_str(), line);
    assert_eq!(fields(&changed), ["quote_record.status"]);
    house.delete("Quote", &quote).await;
    let gone = stream.batch().await.changes;
    let gone = gone.iter().find(of_quote).expect("the quote is told");
    assert_eq!(
        (gone.opportunity.as_str(), gone.hint.kind),
        (line.as_str(), ChangeKind::Changed)
    );
}

#[tokio::test]
async fn a_merge_of_accounts_concerns_the_opportunities_of_both() {
    let house = house().await;
    let (one, two) = (
        house.opportunity("OPP-4482").await,
        house.opportunity("OPP-4483").await,
    );
    let account = async |name: &str| {
        house
            .id(&format!("SELECT Id FROM Account WHERE Name = '{name}'"))
            .await
    };
    let (master, loser) = (
        account("Northwind Robotics").await,
        account("Lakeside Packaging").await,
    );
    let mut stream = house.stands().await;
    let values = json!({"Industry": "Packaging"});
    house
        .control(
            "POST",
            "/sandbox/records/merge",
            json!({"master": master, "losers": [loser], "values": values}),
        )
        .await;
    let mut seen = Vec::new();
    while !(seen.contains(&one) && seen.contains(&two)) {
        let batch = stream.batch().await;
        assert_eq!(batch.sweep_from, None);
        // The loser's opportunity has another account now, and so all that is read of one.
        let moved = batch.changes.iter().find(|change| {
            change.opportunity.as_str() == two && change.hint.source.ends_with(" Opportunity")
        });
        if let Some(moved) = moved {
            assert!(fields(moved).contains(&"account.tax_id"), "{moved:?}");
        }
        seen.extend(opportunities(&batch.changes));
    }
}

#[tokio::test]
async fn more_opportunities_than_a_page_are_left_to_a_sweep() {
    let house = house().await;
    let account = house.create("Account", json!({"Name": "Large"})).await;
    for _ in 0..10 {
        let record = json!({"attributes": {"type": "Opportunity"}, "Name": "N", "StageName": "Qualification",
            "CloseDate": "2027-01-31", "AccountId": account});
        let records = vec![record; 200];
        house
            .rest(
                "POST",
                "composite/sobjects",
                json!({"allOrNone": true, "records": records}),
            )
            .await;
    }
    let mut stream = house.stands().await;
    house
        .update("Account", &account, json!({"Industry": "Banking"}))
        .await;
    let batch = stream.batch().await;
    assert_eq!(batch.changes.len(), 2_000);
    let at = batch.changes[0].hint.at.expect("a commit");
    assert!(
        batch.sweep_from.is_some_and(|from| from < at),
        "{:?}",
        batch.sweep_from
    );
}

#[tokio::test]
async fn what_concerns_no_opportunity_is_passed_over_and_the_reader_moves_on() {
    let house = house().await;
    let mut stream = house.stands().await;
    let before = house.asked("/composite").await;
    house.create("Product2", json!({"Name": "Bolt"})).await;
    let id = house.new_opportunity("Line 5").await;
    assert_eq!(stream.change().await.opportunity.as_str(), id);
    assert_eq!(
        house.asked("/composite").await,
        before,
        "nothing had to be looked up"
    );
}
