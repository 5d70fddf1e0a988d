//! GetTopic and GetSchema.

use crate::house::{CHANGES, OPPORTUNITIES, PINGS, error_code, house, topic};
use crate::wire::SchemaRequest;
use tonic::Code;

#[tokio::test]
async fn topics_say_who_may_do_what_and_in_which_schema() {
    let house = house().await;
    let mut client = house.plain().await;
    for (name, can_publish, one_schema) in [
        (OPPORTUNITIES, false, true),
        (PINGS, true, true),
        (CHANGES, false, false),
    ] {
        let info = client
            .get_topic(house.signed(topic(name)))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(info.topic_name, name);
        assert_eq!(
            info.tenant_guid,
            format!("CORE/prod/{}", house.info.organization_id)
        );
        assert_eq!((info.can_publish, info.can_subscribe), (can_publish, true));
        assert_eq!(!info.schema_id.is_empty(), one_schema, "{name}");
        assert_eq!(info.rpc_id.len(), 36);
    }
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_told_from_one_without_a_name() {
    let house = house().await;
    let mut client = house.plain().await;
    let refused = client
        .get_topic(house.signed(topic("/event/Nothing__e")))
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code(), error_code(&refused).as_str()),
        (Code::NotFound, "topic.not.found")
    );
    let tenant = format!("CORE/prod/{}", house.info.organization_id);
    assert!(
        refused
            .message()
            .contains(&format!("org {tenant} and topic /event/Nothing__e not found"))
    );
    let id = refused.metadata().get("rpc-id").unwrap().to_str().unwrap();
    assert!(
        refused.message().ends_with(&format!("rpcId: {id}")),
        "{}",
        refused.message()
    );
    let refused = client.get_topic(house.signed(topic(""))).await.unwrap_err();
    assert_eq!(
        (refused.code(), error_code(&refused).as_str()),
        (Code::InvalidArgument, "topic.validation.empty")
    );
}

#[tokio::test]
async fn a_schema_is_found_by_the_id_that_the_topic_told() {
    let house = house().await;
    let mut client = house.plain().await;
    let id = client
        .get_topic(house.signed(topic(PINGS)))
        .await
        .unwrap()
        .into_inner()
        .schema_id;
    let wanted = |id: &str| {
        house.signed(SchemaRequest {
            schema_id: id.to_owned(),
        })
    };
    let found = client.get_schema(wanted(&id)).await.unwrap().into_inner();
    assert_eq!(found.schema_id, id);
    let schema: serde_json::Value = serde_json::from_str(&found.schema_json).unwrap();
    assert_eq!(schema["name"], "Ping__e");
    let blank = client.get_schema(wanted("")).await.unwrap_err();
    assert_eq!(
        (blank.code(), error_code(&blank).as_str()),
        (Code::InvalidArgument, "schema.validation.failed")
    );
    assert!(
        blank
            .message()
            .starts_with("Schema validation failed. The schema ID can't be blank. rpcId: ")
    );
    let unknown = client
        .get_schema(wanted("AAAAAAAAAAAAAAAAAAAAAA"))
        .await
        .unwrap_err();
    assert_eq!(error_code(&unknown), "schema.meta.permission");
}
