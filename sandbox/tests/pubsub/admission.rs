//! Who is let in, and when a live stream is told that its session is over.

use crate::house::{House, OPPORTUNITIES, becomes, error_code, house, house_with, topic, with_headers};
use crate::subscriber::{Subscriber, from, told};
use crate::wire::ReplayPreset;
use serde_json::json;
use tonic::{Code, Status};

/// What a call with these headers is told; none when it is let in.
async fn refused(house: &House, headers: &[(&'static str, &str)]) -> Option<Status> {
    let mut client = house.plain().await;
    client
        .get_topic(with_headers(topic(OPPORTUNITIES), headers))
        .await
        .err()
}

#[tokio::test]
async fn both_forms_of_an_org_id_and_every_form_of_the_instance_are_taken() {
    let house = house().await;
    let (token, url, org) = (
        &house.token,
        &house.info.instance_url,
        &house.info.organization_id,
    );
    let port = url.rsplit(':').next().unwrap();
    let urls = [
        url.clone(),
        format!("{url}/"),
        format!("http://localhost:{port}"),
        format!("{url}/services/data"),
        // As from a URL that was taken apart without thinking of a port.
        "http://localhost".to_owned(),
    ];
    for url in &urls {
        for org in [org.as_str(), &org[..15]] {
            let headers = [
                ("accesstoken", token.as_str()),
                ("instanceurl", url),
                ("tenantid", org),
            ];
            let refused = refused(&house, &headers).await;
            assert!(refused.is_none(), "{url} {org}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn blank_and_malformed_headers_are_told_from_wrong_ones() {
    let house = house().await;
    let (token, url, org) = (
        house.token.as_str(),
        house.info.instance_url.as_str(),
        house.info.organization_id.as_str(),
    );
    let invalid = "service.auth.headers.invalid";
    let bearer = format!("Bearer {token}");
    let cases = [
        ("", url, org, invalid),
        ("  ", url, org, invalid),
        (token, "", org, invalid),
        (token, url, "", invalid),
        (token, "my.salesforce.example", org, invalid),
        (token, "ftp://localhost", org, invalid),
        (token, url, "00D", invalid),
        (token, url, "00D00000000000!", invalid),
        // The last three characters are a checksum.
        (token, url, "00DSb0000000001AAB", invalid),
        (token, url, "00D000000000062", "service.auth.error"),
        (
            token,
            "https://other.my.salesforce.com",
            org,
            "service.auth.error",
        ),
        (token, "http://localhost:1", org, "service.auth.error"),
        ("00D!nobody", url, org, "service.auth.error"),
        (&bearer, url, org, "service.auth.error"),
    ];
    for (token, url, org, code) in cases {
        let status = refused(
            &house,
            &[("accesstoken", token), ("instanceurl", url), ("tenantid", org)],
        )
        .await
        .unwrap();
        assert_eq!(
            told(&status),
            (Code::Unauthenticated, code.to_owned()),
            "{url} {org}: {status:?}"
        );
        let id = status.metadata().get("rpc-id").unwrap().to_str().unwrap();
        assert!(
            status.message().ends_with(&format!(" rpcId: {id}")),
            "{}",
            status.message()
        );
    }
    for missing in 0..3 {
        let mut headers = vec![("accesstoken", token), ("instanceurl", url), ("tenantid", org)];
        headers.remove(missing);
        let status = refused(&house, &headers).await.unwrap();
        assert_eq!(error_code(&status), invalid);
    }
}

#[tokio::test]
async fn every_kind_of_call_wants_a_session() {
    let house = house().await;
    let mut subscriber = Subscriber::with_token(
        &house,
        house.plain().await,
        "00D!nobody",
        from(OPPORTUNITIES, ReplayPreset::Latest, 1),
    );
    assert_eq!(
        told(&subscriber.error().await),
        (Code::Unauthenticated, "service.auth.error".to_owned())
    );
}

async fn live(house: &House) -> Subscriber {
    let mut subscriber = Subscriber::of(house, from(OPPORTUNITIES, ReplayPreset::Latest, 1)).await;
    subscriber.stands().await;
    subscriber
}

#[tokio::test]
async fn a_live_stream_ends_with_its_session_although_nothing_else_happens() {
    let house = house_with(|settings| settings.pubsub_keepalive_millis = 600_000).await;
    let mut subscriber = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Latest, 1)).await;
    let pending = || {
        house
            .running
            .sandbox
            .pubsub
            .streams()
            .iter()
            .map(|stream| stream.pending)
            .sum::<u64>()
    };
    becomes(async || pending() > 0).await;
    house.control("POST", "/sandbox/sessions/expire", json!({})).await;
    let over = (Code::Unauthenticated, "service.auth.error".to_owned());
    assert_eq!(told(&subscriber.error().await), over);
}

#[tokio::test]
async fn it_ends_with_a_revocation_a_reset_and_its_user() {
    let over = (Code::Unauthenticated, "service.auth.error".to_owned());
    let house = house().await;
    let mut subscriber = live(&house).await;
    let url = format!("{}/services/oauth2/revoke", house.info.instance_url);
    house
        .http
        .post(url)
        .form(&[("token", &house.token)])
        .send()
        .await
        .unwrap();
    assert_eq!(told(&subscriber.error().await), over);

    let house = self::house().await;
    let mut subscriber = live(&house).await;
    house.control("POST", "/sandbox/reset", json!({})).await;
    assert_eq!(told(&subscriber.error().await), over);

    let house = self::house().await;
    let mut subscriber = live(&house).await;
    let query = "SELECT+Id+FROM+User+WHERE+IsActive=true+LIMIT+1";
    let data = format!("{}/services/data/v68.0", house.info.instance_url);
    let found: serde_json::Value = house
        .http
        .get(format!("{data}/query?q={query}"))
        .bearer_auth(&house.token)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let user = found["records"][0]["Id"].as_str().unwrap();
    let change = house
        .http
        .patch(format!("{data}/sobjects/User/{user}"))
        .bearer_auth(&house.token);
    let changed = change.json(&json!({"IsActive": false})).send().await.unwrap();
    assert!(changed.status().is_success(), "{}", changed.text().await.unwrap());
    assert_eq!(told(&subscriber.error().await), over);
}

#[tokio::test]
async fn keepalives_hold_the_session() {
    let house = house().await;
    let mut subscriber = live(&house).await;
    for _ in 0..4 {
        house.advance(90 * 60).await;
        subscriber.stands().await;
        // The first may have been on its way before the clock was turned.
        subscriber.stands().await;
    }
    assert!(house.is_well().await);
    house.advance(3 * 3_600).await;
    assert_eq!(
        told(&subscriber.error().await),
        (Code::Unauthenticated, "service.auth.error".to_owned())
    );
}

#[tokio::test]
async fn a_stream_outlives_its_session_s_patience() {
    let house = house_with(|settings| settings.session_lifetime_seconds = 1).await;
    let mut subscriber = live(&house).await;
    // A hundred of them take two seconds.
    for _ in 0..100 {
        subscriber.stands().await;
    }
    assert!(house.is_well().await);
}

#[tokio::test]
async fn too_many_streams_are_too_many_clients() {
    let house = house_with(|settings| settings.pubsub_max_streams = 2).await;
    let _first = live(&house).await;
    let _second = live(&house).await;
    let mut third = Subscriber::of(&house, from(OPPORTUNITIES, ReplayPreset::Latest, 1)).await;
    let limit = "concurrent.client.limit.exceeded".to_owned();
    assert_eq!(told(&third.error().await), (Code::ResourceExhausted, limit));
}

#[tokio::test]
async fn an_auth_refresh_must_be_a_token() {
    let house = house().await;
    let mut subscriber = live(&house).await;
    let refresh = |token: &str| crate::wire::FetchRequest {
        num_requested: 1,
        auth_refresh: token.to_owned(),
        ..Default::default()
    };
    subscriber.ask(refresh(&house.login().await));
    subscriber.stands().await;
    subscriber.ask(refresh("no token"));
    let (code, error_code) = told(&subscriber.error().await);
    assert_eq!(
        (code, error_code.as_str()),
        (Code::Unauthenticated, "service.auth.refresh.invalid")
    );
}
