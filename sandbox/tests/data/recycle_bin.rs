use crate::site::{Site, start};
use sandbox::org::{Hand, Id};
use serde_json::{Value as Json, json};

fn hand(site: &Site) -> Hand {
    Hand {
        user: site.org.first_user(),
        now: start() + jiff::SignedDuration::from_secs(60),
    }
}

fn id(text: &str) -> Id {
    Id::parse(text).expect("an id")
}

fn at(site: &Site, object: &str) -> usize {
    site.org.schema().position(object).expect("an object")
}

fn account(site: &mut Site, name: &str) -> String {
    site.create("Account", json!({"Name": name}))
}

/// An undelete as the outside makes it; the error code when it is refused.
fn undelete(site: &mut Site, object: &str, text: &str) -> Result<(), &'static str> {
    let (hand, at) = (hand(site), at(site, object));
    let result = site.org.undelete(&hand, at, id(text)).map_err(|e| e.error_code);
    site.org
        .commit(hand.now, hand.user, &sandbox::org::Origin::default());
    result
}

#[test]
fn a_tree_comes_back_with_what_its_deletion_took() {
    let mut site = Site::new();
    let opp = site.opportunity("OPP-4482");
    let lines = format!("SELECT Id FROM OpportunityLineItem WHERE OpportunityId = '{opp}'");
    let amount = format!("SELECT Amount, IsDeleted, AccountId FROM Opportunity WHERE Id = '{opp}'");
    let before = site.one(&amount);
    // One line goes on its own; it must not come back with the others.
    let gone = site.rows(&lines)[0]["Id"].as_str().expect("an id").to_owned();
    site.delete(&format!("/sobjects/OpportunityLineItem/{gone}"));
    let account = before["AccountId"].as_str().expect("an id").to_owned();
    assert_eq!(site.delete(&format!("/sobjects/Account/{account}")).0, 204);
    assert!(site.rows(&amount).is_empty());
    assert_eq!(
        undelete(&mut site, "Opportunity", &opp),
        Err("UNDELETE_FAILED"),
        "its account is still deleted"
    );
    assert_eq!(undelete(&mut site, "Account", &account), Ok(()));
    let after = site.one(&amount);
    assert_eq!(after["IsDeleted"], json!(false));
    assert_eq!(site.rows(&lines).len(), 2);
    assert_eq!(
        after["Amount"],
        json!(52161.5),
        "the total of the lines that are left"
    );
    assert_eq!(
        undelete(&mut site, "Account", &account),
        Err("UNDELETE_FAILED"),
        "it is no longer in the bin"
    );
}

#[test]
fn cleared_references_are_set_again_unless_they_were_used_since() {
    let mut site = Site::new();
    let parent = account(&mut site, "Parent");
    let other = account(&mut site, "Other");
    let one = site.create("Account", json!({"Name": "One", "ParentId": parent}));
    let two = site.create("Account", json!({"Name": "Two", "ParentId": parent}));
    site.delete(&format!("/sobjects/Account/{parent}"));
    let read = |site: &mut Site, id: &str| {
        site.get(&format!("/sobjects/Account/{id}?fields=ParentId")).1["ParentId"].clone()
    };
    assert_eq!(read(&mut site, &one), Json::Null);
    site.patch(&format!("/sobjects/Account/{two}"), json!({"ParentId": other}));
    // The bin survives a restart.
    site.restart();
    assert_eq!(undelete(&mut site, "Account", &parent), Ok(()));
    assert_eq!(read(&mut site, &one), json!(parent));
    assert_eq!(read(&mut site, &two), json!(other));
}

#[test]
fn an_undelete_may_not_break_uniqueness_or_revive_what_leaves_no_trace() {
    let mut site = Site::new();
    let opp = site.opportunity("OPP-4484");
    site.delete(&format!("/sobjects/Opportunity/{opp}"));
    site.create(
        "Opportunity",
        json!({"Name": "N", "StageName": "Prospecting", "CloseDate": "2026-12-31", "Opportunity_Number__c": "OPP-4484"}),
    );
    assert_eq!(undelete(&mut site, "Opportunity", &opp), Err("DUPLICATE_VALUE"));
    let role = site.one("SELECT Id FROM OpportunityContactRole WHERE IsPrimary = true")["Id"]
        .as_str()
        .expect("an id")
        .to_owned();
    site.delete(&format!("/sobjects/OpportunityContactRole/{role}"));
    assert_eq!(
        undelete(&mut site, "OpportunityContactRole", &role),
        Err("UNDELETE_FAILED")
    );
    let account_at = at(&site, "Account");
    let live = site.create("Account", json!({"Name": "Live"}));
    assert!(
        site.org.purge(account_at, id(&live)).is_err(),
        "only the bin can be emptied"
    );
    site.delete(&format!("/sobjects/Account/{live}"));
    site.org.purge(account_at, id(&live)).expect("it is in the bin");
    assert_eq!(undelete(&mut site, "Account", &live), Err("NOT_FOUND"));
}

#[test]
fn a_merge_moves_children_and_names_the_master() {
    let mut site = Site::new();
    let (master, loser) = (account(&mut site, "Master"), account(&mut site, "Loser"));
    let contact = site.create("Contact", json!({"LastName": "Child", "AccountId": loser}));
    site.patch(&format!("/sobjects/Account/{master}"), json!({"ParentId": loser}));
    let (hand, at) = (hand(&site), at(&site, "Account"));
    let merge = |site: &mut Site, losers: &[Id]| site.org.merge(&hand, at, id(&master), losers, Vec::new());
    assert_eq!(
        merge(&mut site, &[id(&master)]).map_err(|e| e.error_code),
        Err("INVALID_ID_FIELD")
    );
    let merged = merge(&mut site, &[id(&loser)]).expect("both exist");
    site.org
        .commit(hand.now, hand.user, &sandbox::org::Origin::default());
    assert!(merged.related.contains(&id(&contact)));
    let row = site.one(&format!("SELECT AccountId FROM Contact WHERE Id = '{contact}'"));
    assert_eq!(row["AccountId"], json!(master));
    let kept = site.get(&format!("/sobjects/Account/{master}")).1;
    assert_eq!(kept["ParentId"], Json::Null, "no record is its own parent");
    let (_, deleted) = site.get(&format!(
        "/queryAll?q=SELECT+MasterRecordId,IsDeleted+FROM+Account+WHERE+Id='{loser}'"
    ));
    assert_eq!(deleted["records"][0]["MasterRecordId"], json!(master));
    assert_eq!(deleted["records"][0]["IsDeleted"], json!(true));
    assert_eq!(
        merge(&mut site, &[id(&loser)]).map_err(|e| e.error_code),
        Err("ENTITY_IS_DELETED")
    );
    // A loser can come back, but its children stay where they went.
    assert_eq!(undelete(&mut site, "Account", &loser), Ok(()));
    assert_eq!(
        site.get(&format!("/sobjects/Account/{loser}")).1["MasterRecordId"],
        Json::Null
    );
}
