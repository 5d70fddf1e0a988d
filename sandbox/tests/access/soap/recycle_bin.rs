//! Bringing records back, forgetting them, merging them.

use super::Said;
use crate::house::{House, house};
use serde_json::{Value, json};

async fn accounts(house: &House, session: &str, names: &[&str]) -> Vec<String> {
    let record = |name: &&str| format!("<sObjects><type>Account</type><Name>{name}</Name></sObjects>");
    let records: String = names.iter().map(record).collect();
    house
        .call(session, &format!("<create>{records}</create>"))
        .await
        .all("id")
}

fn ids(call: &str, ids: &[&str]) -> String {
    let ids: String = ids.iter().map(|id| format!("<ids>{id}</ids>")).collect();
    format!("<{call}>{ids}</{call}>")
}

impl Said {
    fn outcomes(&self) -> (String, Vec<String>) {
        (self.all("success").join(" "), self.all("statusCode"))
    }
}

#[tokio::test]
async fn what_was_deleted_comes_back_with_its_children() {
    let house = house().await;
    let session = house.soap_session().await;
    let made = accounts(&house, &session, &["A"]).await;
    let account = made[0].as_str();
    let child = format!(
        "<create><sObjects><type>Opportunity</type><Name>O</Name><StageName>Prospecting</StageName>\
         <CloseDate>2026-12-31</CloseDate><AccountId>{account}</AccountId></sObjects></create>"
    );
    let child = house.call(&session, &child).await.first("id");
    house.call(&session, &ids("delete", &[account])).await;
    let said = house
        .call(
            &session,
            &ids("undelete", &[account, account, "bad", "001Sb0000000999"]),
        )
        .await;
    let (outcomes, codes) = said.outcomes();
    assert_eq!(outcomes, "true false false false");
    assert_eq!(
        codes,
        ["UNDELETE_FAILED", "MALFORMED_ID", "INVALID_CROSS_REFERENCE_KEY"]
    );
    for (object, id) in [("Account", account), ("Opportunity", child.as_str())] {
        let path = format!("/services/data/v59.0/sobjects/{object}/{id}");
        assert_eq!(house.get(&path, &session).await.status(), 200, "{object}");
    }
}

#[tokio::test]
async fn undelete_is_all_or_none_when_asked_for() {
    let house = house().await;
    let session = house.soap_session().await;
    let made = accounts(&house, &session, &["A"]).await;
    house.call(&session, &ids("delete", &[&made[0]])).await;
    let header = "<AllOrNoneHeader><allOrNone>true</allOrNone></AllOrNoneHeader>";
    let body = ids("undelete", &[&made[0], "001Sb0000000999"]);
    let said = house.call_with(&session, header, &body).await;
    let codes = said.outcomes().1;
    assert_eq!(
        codes,
        ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "INVALID_CROSS_REFERENCE_KEY"]
    );
    assert_eq!(house.account_count(&session).await, 0);
    assert_eq!(house.call(&session, &body).await.outcomes().0, "true false");
    assert_eq!(house.account_count(&session).await, 1);
}

#[tokio::test]
async fn an_emptied_bin_gives_nothing_back() {
    let house = house().await;
    let session = house.soap_session().await;
    let made = accounts(&house, &session, &["A", "B"]).await;
    house.call(&session, &ids("delete", &[&made[0]])).await;
    let said = house
        .call(&session, &ids("emptyRecycleBin", &[&made[0], &made[1]]))
        .await;
    assert_eq!(said.outcomes().0, "true false", "{}", said.text);
    let said = house.call(&session, &ids("undelete", &[&made[0]])).await;
    assert_eq!(said.outcomes().1, ["INVALID_CROSS_REFERENCE_KEY"]);
    assert_eq!(house.account_count(&session).await, 1);
}

#[tokio::test]
async fn a_merge_moves_the_children_and_bins_the_losers() {
    let house = house().await;
    let session = house.soap_session().await;
    let made = accounts(&house, &session, &["Master", "Loser", "Other"]).await;
    let [master, loser, other] = made.as_slice() else {
        panic!("{made:?}")
    };
    let child = format!(
        "<create><sObjects><type>Contact</type><LastName>C</LastName><AccountId>{loser}</AccountId></sObjects></create>"
    );
    let child = house.call(&session, &child).await.first("id");
    // As the WSDL has it, and as jsforce has it.
    let request = |tag: &str, master: &str, loser: &str| {
        format!(
            "<{tag}><masterRecord><type>Account</type><Id>{master}</Id><Phone>1</Phone></masterRecord>\
             <recordToMergeIds>{loser}</recordToMergeIds></{tag}>"
        )
    };
    let body = format!(
        "<merge>{}{}</merge>",
        request("request", master, loser),
        request("mergeRequests", master, master)
    );
    let said = house.call(&session, &body).await;
    assert_eq!(said.outcomes().0, "true false", "{}", said.text);
    assert_eq!(said.first("id"), *master);
    assert_eq!(said.all("mergedRecordIds"), [loser.as_str()]);
    assert_eq!(said.all("updatedRelatedIds"), [child.as_str()]);
    let path = format!("/services/data/v59.0/sobjects/Contact/{child}?fields=AccountId");
    let row: Value = house.get(&path, &session).await.json().await.unwrap();
    assert_eq!(row["AccountId"], json!(master));
    let path = format!("/services/data/v59.0/sobjects/Account/{master}?fields=Phone");
    let row: Value = house.get(&path, &session).await.json().await.unwrap();
    assert_eq!(row["Phone"], "1");
    assert_eq!(house.account_count(&session).await, 2);
    let contact = request("request", other, &child);
    let said = house.call(&session, &format!("<merge>{contact}</merge>")).await;
    assert_eq!(said.outcomes().1, ["INVALID_TYPE"]);
    let said = house.call(&session, "<merge><request/></merge>").await;
    assert_eq!(said.fault(), (500, "sf:REQUIRED_FIELD_MISSING".to_owned()));
}
