//! Paging through everything, and many at once.

use cpq_domain::Code;
use cpq_domain::adapter::CrmAdapter as _;
use cpq_domain::id::RecordId;
use serde_json::{Value as Json, json};

use crate::fake::{Server, call, reply};
use crate::org::{ID, adapter, page, row};

const OTHER: &str = "006D000000Kv3g6IAB";

fn id(text: &str) -> RecordId {
    RecordId::new(text).expect("an id")
}

/// A row with a stamp later than its last edit.
fn stamped(id: &str, number: &str) -> Json {
    let mut row = row(id, number);
    row["SystemModstamp"] = json!("2026-03-18T00:00:01.000+0000");
    row
}

#[tokio::test]
async fn a_page_is_one_query_in_the_crms_order_of_ids() {
    let server =
        Server::start(|_| async { reply(200, page(vec![stamped(OTHER, "OPP-1"), stamped(ID, "OPP-2")])) })
            .await;
    let adapter = adapter(&server);
    let since = "2026-03-01T10:00:00.5Z".parse().ok();
    let read = adapter
        .page(&call("reconcile-1"), since, Some(&id("006D000000Kv3g4IAB")), 2)
        .await
        .expect("a page");
    let soql = server.asked()[0].param("q").expect("a query");
    assert!(
        soql.ends_with(
            "FROM Opportunity WHERE SystemModstamp >= 2026-03-01T10:00:00Z AND Id > '006D000000Kv3g4IAB' \
             ORDER BY Id LIMIT 2"
        ),
        "{soql}"
    );
    assert_eq!(soql.matches("SystemModstamp").count(), 2, "{soql}");
    let ids: Vec<&str> = read
        .snapshots
        .iter()
        .map(|paged| paged.snapshot.opportunity.id.as_str())
        .collect();
    assert_eq!(ids, [OTHER, ID], "as the CRM sorts them");
    assert_eq!(read.next, Some(id(ID)));
    assert_eq!(
        (read.calls, read.snapshots[0].stamp.to_string().as_str()),
        (1, "2026-03-18T00:00:01Z")
    );
    assert_eq!(read.snapshots[0].snapshot.view.lines.len(), 2);

    let last = adapter
        .page(&call("reconcile-1"), None, None, 3)
        .await
        .expect("a page");
    assert_eq!(last.next, None, "a page that is not full is the last");
    let soql = server.asked()[1].param("q").expect("a query");
    assert!(soql.ends_with("FROM Opportunity ORDER BY Id LIMIT 3"), "{soql}");
}

#[tokio::test]
async fn a_record_that_the_mapping_does_not_fit_does_not_hide_the_others() {
    let server = Server::start(|_| async {
        let mut odd = stamped(OTHER, "OPP-1");
        odd["CloseDate"] = json!("one fine day");
        reply(200, page(vec![stamped(ID, "OPP-2"), odd]))
    })
    .await;
    let read = adapter(&server)
        .page(&call("reconcile-1"), None, None, 2)
        .await
        .expect("a page");
    assert_eq!(read.snapshots.len(), 1);
    assert_eq!(
        (read.unreadable.len(), read.unreadable[0].id.as_str()),
        (1, OTHER)
    );
    assert!(
        read.unreadable[0].why.contains("CloseDate"),
        "{}",
        read.unreadable[0].why
    );
    assert_eq!(read.next, Some(id(OTHER)), "the page went as far as that");
}

#[tokio::test]
async fn what_is_not_there_is_looked_for_in_the_bin() {
    let server = Server::start(|asked| async move {
        let all = asked.uri.path().ends_with("/queryAll");
        match all {
            false => reply(200, page(vec![stamped(ID, "OPP-2")])),
            true => reply(200, page(vec![json!({"Id": OTHER, "IsDeleted": true})])),
        }
    })
    .await;
    let adapter = adapter(&server);
    let gone = "006D000000Kv3g7IAB";
    let found = adapter
        .find_many(
            &call("reconcile-1"),
            &[id(ID), id(OTHER), id(gone), id("no-id-of-salesforce")],
        )
        .await
        .expect("an answer");
    assert_eq!((found.snapshots.len(), found.calls), (1, 2));
    assert_eq!(found.deleted, [id(OTHER)]);
    let asked = server.asked();
    let named = asked[0].param("q").expect("a query");
    assert!(
        named.contains(&format!("Id IN ('{ID}', '{OTHER}', '{gone}')")),
        "{named}"
    );
    let bin = asked[1].param("q").expect("a query");
    assert_eq!(
        bin,
        format!("SELECT Id, IsDeleted FROM Opportunity WHERE Id IN ('{OTHER}', '{gone}')")
    );

    let none = adapter
        .find_many(&call("reconcile-1"), &[id("no-id-of-salesforce")])
        .await;
    assert_eq!(none.expect("an answer").calls, 0, "there is nothing to ask for");
    let here = adapter
        .find_many(&call("reconcile-1"), &[id(ID)])
        .await
        .expect("an answer");
    assert_eq!(here.calls, 1, "the bin is left alone");
}

#[tokio::test]
async fn a_page_that_fails_fails_as_a_read_does() {
    let server = Server::start(|_| async { reply(503, json!([])) }).await;
    let failed = adapter(&server).page(&call("reconcile-1"), None, None, 200).await;
    assert_eq!(failed.expect_err("no answer").code, Code::CrmUnavailable);
}
