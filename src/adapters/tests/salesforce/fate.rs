//! What became of an opportunity that is not found.

use cpq_domain::Code;
use cpq_domain::adapter::CrmAdapter as _;
use cpq_domain::deletion::Fate;
use cpq_domain::id::RecordId;
use serde_json::{Value as Json, json};

use crate::fake::{Server, call, reply};
use crate::org::{ID, adapter, page};

async fn fate(status: u16, body: Json) -> (cpq_domain::Result<Fate>, Server) {
    let server = Server::start(move |_| {
        let body = body.clone();
        async move { reply(status, body) }
    })
    .await;
    let id = RecordId::new(ID).expect("an id");
    let told = adapter(&server).fate(&call("csync-001"), &id).await;
    (told, server)
}

#[tokio::test]
async fn only_what_the_bin_shows_is_deleted() {
    for (rows, expected) in [
        (vec![json!({"Id": ID, "IsDeleted": true})], Fate::Deleted),
        (vec![json!({"Id": ID, "IsDeleted": false})], Fate::Present),
        (vec![json!({"Id": ID})], Fate::Unknown),
        (vec![], Fate::Unknown),
    ] {
        let (told, server) = fate(200, page(rows)).await;
        assert_eq!(told.expect("an answer"), expected);
        let asked = server.asked();
        assert_eq!(asked.len(), 1);
        assert!(
            asked[0]
                .uri
                .to_string()
                .contains("/queryAll?q=SELECT+Id%2C+IsDeleted"),
            "{:?}",
            asked[0].uri
        );
    }
}

#[tokio::test]
async fn a_refusal_is_no_fate() {
    let (told, _server) = fate(
        403,
        json!([{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]),
    )
    .await;
    assert_eq!(told.expect_err("refused").code, Code::CrmForbidden);
}
