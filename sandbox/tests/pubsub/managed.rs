//! ManagedSubscribe: the server keeps the position.

use crate::house::{House, OPPORTUNITIES, house, house_in};
use crate::subscriber::{Talk, told};
use crate::wire::{
    CommitReplayRequest, CommitReplayResponse, ErrorCode, ManagedFetchRequest, ManagedFetchResponse,
};
use sandbox::events::ReplayId;
use serde_json::{Value, json};
use tonic::Code;

type Managed = Talk<ManagedFetchRequest, ManagedFetchResponse>;

async fn subscribed(house: &House, first: ManagedFetchRequest) -> Managed {
    let mut client = house.plain().await;
    let talk = Talk::open(|requests| {
        let request = house.signed(requests);
        async move { client.managed_subscribe(request).await }
    });
    talk.ask(first);
    talk
}

/// Declares one called `Sync`.
async fn declared(house: &House, more: Value) -> String {
    let mut body = json!({"developerName": "Sync", "topicName": OPPORTUNITIES});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let made = house
        .control("POST", "/sandbox/managed-subscriptions", body)
        .await;
    made["id"].as_str().unwrap().to_owned()
}

fn named(name: &str, wanted: i32) -> ManagedFetchRequest {
    ManagedFetchRequest {
        developer_name: name.to_owned(),
        num_requested: wanted,
        ..ManagedFetchRequest::default()
    }
}

fn with_id(id: &str, wanted: i32) -> ManagedFetchRequest {
    ManagedFetchRequest {
        subscription_id: id.to_owned(),
        num_requested: wanted,
        ..ManagedFetchRequest::default()
    }
}

fn commit(request_id: &str, position: &[u8]) -> ManagedFetchRequest {
    ManagedFetchRequest {
        commit_replay_id_request: Some(CommitReplayRequest {
            commit_request_id: request_id.to_owned(),
            replay_id: position.to_vec(),
        }),
        ..ManagedFetchRequest::default()
    }
}

impl Managed {
    async fn stands(&mut self) {
        self.find(|answer| answer.events.is_empty().then_some(())).await;
    }

    async fn positions(&mut self, count: usize) -> Vec<ReplayId> {
        let mut found = Vec::new();
        while found.len() < count {
            let events = self
                .find(|answer| (!answer.events.is_empty()).then_some(answer.events))
                .await;
            let positions = events
                .iter()
                .map(|event| ReplayId::from_bytes(&event.replay_id).unwrap());
            found.extend(positions);
        }
        found
    }

    async fn committed(&mut self) -> CommitReplayResponse {
        self.find(|answer| {
            assert_eq!(answer.latest_replay_id.len(), 10);
            answer.commit_response
        })
        .await
    }
}

#[tokio::test]
async fn a_subscription_goes_on_behind_what_was_committed() {
    let house = house().await;
    let id = declared(&house, json!({"defaultReplay": "EARLIEST"})).await;
    assert!(id.starts_with("18x") && id.len() == 18, "{id}");
    let at = house.append("OpportunityChangeEvent", 5);
    let mut first = subscribed(&house, named("Sync", 10)).await;
    assert_eq!(first.positions(5).await, at);
    first.ask(commit("c-1", &at[1].to_bytes()));
    let answer = first.committed().await;
    assert_eq!(
        (answer.commit_request_id.as_str(), answer.error.is_none()),
        ("c-1", true)
    );
    assert_eq!(answer.replay_id, at[1].to_bytes());
    assert!(answer.process_time > 1_600_000_000_000);
    drop(first);
    house.is_idle().await;
    for id in [id.as_str(), &id[..15]] {
        let mut again = subscribed(&house, with_id(id, 10)).await;
        assert_eq!(again.positions(3).await, at[2..]);
        drop(again);
        house.is_idle().await;
    }
}

#[tokio::test]
async fn nothing_committed_means_the_default_and_nothing_kept_the_recovery() {
    let house = house().await;
    declared(&house, json!({"errorRecoveryReplay": "EARLIEST"})).await;
    let old = house.append("OpportunityChangeEvent", 2);
    let mut late = subscribed(&house, named("sync", 10)).await;
    late.stands().await;
    let next = house.append("OpportunityChangeEvent", 1);
    assert_eq!(late.positions(1).await, next);
    late.ask(commit("c", &old[0].to_bytes()));
    assert!(late.committed().await.error.is_none());
    drop(late);
    house.is_idle().await;
    house.advance(73 * 3_600).await;
    let house = House {
        token: house.login().await,
        ..house
    };
    let fresh = house.append("OpportunityChangeEvent", 1);
    let mut again = subscribed(&house, named("Sync", 10)).await;
    assert_eq!(again.positions(1).await, fresh);
}

#[tokio::test]
async fn commits_that_come_together_are_answered_together() {
    let house = house().await;
    declared(&house, json!({"defaultReplay": "EARLIEST"})).await;
    let at = house.append("OpportunityChangeEvent", 50);
    let mut stream = subscribed(&house, named("Sync", 50)).await;
    stream.positions(50).await;
    for (number, position) in at.iter().enumerate() {
        stream.ask(commit(&format!("c-{number}"), &position.to_bytes()));
    }
    let mut answers = 1;
    while stream.committed().await.commit_request_id != "c-49" {
        answers += 1;
    }
    assert!(answers < 50, "{answers}");
    let shown = house
        .control("GET", "/sandbox/managed-subscriptions", json!({}))
        .await;
    assert_eq!(shown[0]["committed"], at[49].0);
}

#[tokio::test]
async fn a_commit_that_is_no_good_is_told_and_the_stream_goes_on() {
    let house = house().await;
    declared(&house, json!({"defaultReplay": "EARLIEST"})).await;
    let at = house.append("OpportunityChangeEvent", 4);
    let mut stream = subscribed(&house, named("Sync", 3)).await;
    stream.positions(3).await;
    stream.ask(commit("good", &at[2].to_bytes()));
    assert!(stream.committed().await.error.is_none());
    let cases = [
        ("missing", Vec::new()),
        ("malformed", b"rubbish".to_vec()),
        ("beyond", ReplayId(u64::MAX).to_bytes().to_vec()),
        ("before delivery", at[3].to_bytes().to_vec()),
        ("older", at[1].to_bytes().to_vec()),
    ];
    let mut texts = std::collections::BTreeSet::new();
    for (case, position) in cases {
        stream.ask(commit(case, &position));
        let answer = stream.committed().await;
        let error = answer.error.expect(case);
        assert_eq!(
            (answer.commit_request_id.as_str(), error.code()),
            (case, ErrorCode::Commit)
        );
        texts.insert(error.msg);
    }
    assert_eq!(texts.len(), 4, "{texts:?}");
    stream.ask(named("Sync", 1));
    assert_eq!(stream.positions(1).await, at[3..]);
}

#[tokio::test]
async fn first_requests_that_are_no_good_are_refused() {
    let house = house().await;
    let id = declared(&house, json!({})).await;
    let with_both = ManagedFetchRequest {
        subscription_id: id.clone(),
        ..named("Sync", 1)
    };
    let with_commit = ManagedFetchRequest {
        num_requested: 1,
        developer_name: "Sync".to_owned(),
        ..commit("c", &[0; 10])
    };
    let with_auth = ManagedFetchRequest {
        auth_refresh: house.token.clone(),
        ..named("Sync", 1)
    };
    let cases = [
        (named("", 1), Code::InvalidArgument, "id.or.developer.name.empty"),
        (with_both, Code::InvalidArgument, "id.or.developer.name.empty"),
        (named("Nobody", 1), Code::NotFound, "developer.name.not.found"),
        (
            with_id("18x000000000999", 1),
            Code::NotFound,
            "subscription.id.not.found",
        ),
        (
            with_id("18x", 1),
            Code::InvalidArgument,
            "subscription.id.invalid",
        ),
        (
            named("Sync", -1),
            Code::InvalidArgument,
            "fetch.request.events.invalid",
        ),
        (
            with_commit,
            Code::InvalidArgument,
            "fetch.request.commit.request.restricted",
        ),
        (
            with_auth,
            Code::InvalidArgument,
            "fetch.request.auth.request.restricted",
        ),
    ];
    for (request, code, name) in cases {
        let refused = subscribed(&house, request).await.error().await;
        assert_eq!(told(&refused), (code, format!("managed.subscription.{name}")));
    }
    let mut stream = subscribed(&house, named("Sync", 1)).await;
    stream.stands().await;
    stream.ask(named("Sync", 0));
    let (_, name) = told(&stream.error().await);
    assert_eq!(name, "managed.subscription.fetch.request.invalid");
}

#[tokio::test]
async fn one_stream_at_a_time() {
    let house = house().await;
    declared(&house, json!({})).await;
    let mut first = subscribed(&house, named("Sync", 1)).await;
    first.stands().await;
    let mut second = subscribed(&house, named("Sync", 1)).await;
    assert_eq!(
        told(&second.error().await),
        (
            Code::AlreadyExists,
            "managed.subscription.already.active".to_owned()
        )
    );
    drop(first);
    house.is_idle().await;
    subscribed(&house, named("Sync", 1)).await.stands().await;
}

#[tokio::test]
async fn a_stopped_subscription_ends_its_stream_and_forgets_its_position() {
    let house = house().await;
    declared(&house, json!({"defaultReplay": "EARLIEST"})).await;
    let at = house.append("OpportunityChangeEvent", 2);
    let mut stream = subscribed(&house, named("Sync", 10)).await;
    stream.positions(2).await;
    stream.ask(commit("c", &at[1].to_bytes()));
    stream.committed().await;
    let path = "/sandbox/managed-subscriptions/Sync";
    house.control("PATCH", path, json!({"state": "STOP"})).await;
    let stopped = (
        Code::FailedPrecondition,
        "managed.subscription.config.stopped".to_owned(),
    );
    assert_eq!(told(&stream.error().await), stopped);
    drop(stream);
    house.is_idle().await;
    assert_eq!(
        told(&subscribed(&house, named("Sync", 1)).await.error().await),
        stopped
    );
    house.control("PATCH", path, json!({"state": "RUN"})).await;
    let mut again = subscribed(&house, named("Sync", 10)).await;
    assert_eq!(again.positions(2).await, at);
    house.control("DELETE", path, json!({})).await;
    let deleted = (Code::NotFound, "managed.subscription.config.deleted".to_owned());
    assert_eq!(told(&again.error().await), deleted);
}

#[tokio::test]
async fn declarations_are_checked_and_survive_a_restart() {
    let house = house().await;
    let id = declared(&house, json!({"label": "To the other side"})).await;
    let url = format!("{}/sandbox/managed-subscriptions", house.info.instance_url);
    for body in [
        json!({"developerName": "Sync", "topicName": OPPORTUNITIES}),
        json!({"developerName": "2nd", "topicName": OPPORTUNITIES}),
        json!({"developerName": "Has__two", "topicName": OPPORTUNITIES}),
        json!({"developerName": "Elsewhere", "topicName": "/data/NothingChangeEvent"}),
        json!({"developerName": "Paused", "topicName": OPPORTUNITIES, "state": "PAUSE"}),
        json!({"topicName": OPPORTUNITIES}),
    ] {
        let answer = house.http.post(&url).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{body}");
    }
    house.running.shutdown().await;
    let house = house_in(house.dir, |_| {}).await;
    let shown = house
        .control("GET", "/sandbox/managed-subscriptions", json!({}))
        .await;
    assert_eq!(
        (&shown[0]["id"], &shown[0]["label"]),
        (&json!(id), &json!("To the other side"))
    );
    let scenario =
        json!({"name": "s", "managedSubscriptions": [{"developerName": "Two", "topicName": OPPORTUNITIES}]});
    house.control("POST", "/sandbox/seed", scenario).await;
    let shown = house
        .control("GET", "/sandbox/managed-subscriptions", json!({}))
        .await;
    assert_eq!(
        (shown.as_array().unwrap().len(), &shown[0]["developerName"]),
        (1, &json!("Two"))
    );
}

/// A call of the tooling API, with its answer.
async fn tooling(house: &House, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = format!("{}/services/data/v62.0/tooling/{path}", house.info.instance_url);
    let mut request = house
        .http
        .request(method.parse().unwrap(), url)
        .bearer_auth(&house.token);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn sync() -> serde_json::Value {
    json!({"label": "Sync", "topicName": OPPORTUNITIES, "defaultReplay": "EARLIEST",
        "errorRecoveryReplay": "LATEST", "state": "RUN", "version": "62.0"})
}

#[tokio::test]
async fn the_tooling_api_declares_and_finds_subscriptions() {
    let house = house().await;
    let metadata = sync();
    let body = json!({"FullName": "Sync", "Metadata": metadata});
    let objects = "sobjects/ManagedEventSubscription";
    let (status, made) = tooling(&house, "POST", objects, Some(body)).await;
    assert_eq!((status, &made["success"]), (201, &json!(true)), "{made}");
    let id = made["id"].as_str().unwrap();
    // As salesforce-pubsub-api-client asks.
    let select = "SELECT+Id,DeveloperName,Metadata+FROM+ManagedEventSubscription";
    for filter in [format!("Id='{id}'"), "DeveloperName='Sync'".to_owned()] {
        let path = format!("query/?q={select}+WHERE+{filter}+LIMIT+1");
        let (_, found) = tooling(&house, "GET", &path, None).await;
        assert_eq!(found["size"], 1, "{found}");
        let record = &found["records"][0];
        assert_eq!(
            (&record["Id"], &record["DeveloperName"]),
            (&json!(id), &json!("Sync"))
        );
        assert_eq!(
            (&record["Metadata"]["topicName"], &record["Metadata"]["state"]),
            (&json!(OPPORTUNITIES), &json!("RUN"))
        );
    }
    let (_, none) = tooling(
        &house,
        "GET",
        &format!("query/?q={select}+WHERE+DeveloperName='No'"),
        None,
    )
    .await;
    assert_eq!(none["size"], 0);
    let (status, _) = tooling(
        &house,
        "POST",
        objects,
        Some(json!({"FullName": "Two", "Metadata": metadata})),
    )
    .await;
    assert_eq!(status, 201);
    let (status, refused) = tooling(&house, "GET", &format!("query/?q={select}"), None).await;
    assert_eq!(
        (status, &refused[0]["errorCode"]),
        (400, &json!("MALFORMED_QUERY"))
    );
}

#[tokio::test]
async fn the_tooling_api_stops_and_removes_subscriptions_and_says_what_is_wrong() {
    let house = house().await;
    let metadata = sync();
    let body = json!({"FullName": "Sync", "Metadata": metadata});
    let objects = "sobjects/ManagedEventSubscription";
    let (_, made) = tooling(&house, "POST", objects, Some(body.clone())).await;
    let id = made["id"].as_str().unwrap();
    let mut stream = subscribed(&house, with_id(id, 1)).await;
    stream.stands().await;
    let one = format!("{objects}/{id}");
    let (status, _) = tooling(
        &house,
        "PATCH",
        &one,
        Some(json!({"Metadata": {"state": "STOP"}})),
    )
    .await;
    assert_eq!(status, 204);
    assert_eq!(
        told(&stream.error().await).1,
        "managed.subscription.config.stopped"
    );
    let (_, shown) = tooling(&house, "GET", &one, None).await;
    assert_eq!(shown["Metadata"]["state"], "STOP", "{shown}");
    for (body, code) in [
        (body, "DUPLICATE_DEVELOPER_NAME"),
        (json!({"FullName": "Three"}), "REQUIRED_FIELD_MISSING"),
        (json!({"Metadata": metadata}), "REQUIRED_FIELD_MISSING"),
        (
            json!({"FullName": "Three", "Metadata": {"topicName": OPPORTUNITIES, "state": "PAUSE"}}),
            "INVALID_INPUT",
        ),
        (json!({"FullName": "_", "Metadata": metadata}), "INVALID_INPUT"),
    ] {
        let (status, refused) = tooling(&house, "POST", objects, Some(body)).await;
        assert_eq!(
            (status, &refused[0]["errorCode"]),
            (400, &json!(code)),
            "{refused}"
        );
    }
    assert_eq!(tooling(&house, "DELETE", &one, None).await.0, 204);
    assert_eq!(tooling(&house, "DELETE", &one, None).await.0, 404);
    assert_eq!(tooling(&house, "PUT", objects, Some(json!({}))).await.0, 405);
}
