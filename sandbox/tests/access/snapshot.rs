//! What survives a restart, and what a reset takes away.

use crate::house::{house, house_in, text};
use sandbox::{Options, start};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn records_grants_usage_clock_and_keys_survive_a_restart() {
    let first = house().await;
    let tokens = first.login().await;
    first.create(&tokens.access).await.unwrap();
    first
        .control("POST", "/sandbox/clock", json!({"offsetSeconds": 600}))
        .await;
    first
        .control("PATCH", "/sandbox/config", json!({"maxGrants": 3}))
        .await;
    let key = std::fs::read(first.info.jwt_private_key_path.as_ref().unwrap()).unwrap();
    let organization = first.info.organization_id.clone();
    first.running.shutdown().await;
    let file = first.dir.path().join("sandbox.snapshot.json");
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let second = house_in(first.dir, |_| {}).await;
    assert_eq!(second.info.organization_id, organization);
    assert_eq!(
        std::fs::read(second.info.jwt_private_key_path.as_ref().unwrap()).unwrap(),
        key
    );
    assert_eq!(
        second.account_count(&tokens.access).await,
        1,
        "the old session still works"
    );
    let answer = second.get("/services/data/v68.0/limits", &tokens.access).await;
    assert_eq!(answer.headers()["sforce-limit-info"], "api-usage=3/5000000");
    let (_, body) = second.token(&second.refresh_form(&tokens.refresh)).await;
    assert!(second.works(&text(&body["access_token"])).await);
    assert_eq!(
        second.control("GET", "/sandbox/clock", json!({})).await["offsetMillis"],
        600_000
    );
    // How it behaves is said anew at each start.
    let settings = second.control("GET", "/sandbox/config", json!({})).await;
    assert_eq!(settings["maxGrants"], 5);
}

#[tokio::test]
async fn a_snapshot_is_written_while_running() {
    let house = house().await;
    house.login().await;
    let file = house.dir.path().join("sandbox.snapshot.json");
    for _ in 0..100 {
        if file.exists() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("no snapshot after ten seconds");
}

#[tokio::test]
async fn a_broken_snapshot_stops_the_start_and_names_the_way_out() {
    for content in [
        "{",
        "{}",
        r#"{"format":99,"clock":{"offsetMillis":0,"frozenAt":null},"usage":[],"access":{},"org":{}}"#,
    ] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sandbox.snapshot.json");
        std::fs::write(&file, content).unwrap();
        let options = Options {
            state_dir: Some(dir.path().to_owned()),
            ..Options::default()
        };
        let error = start(options).await.err().unwrap().to_string();
        assert!(
            error.contains(file.to_str().unwrap()) && error.contains("Move it away"),
            "{error}"
        );
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            content,
            "it is not overwritten"
        );
    }
}

#[tokio::test]
async fn a_reset_is_a_fresh_start_on_the_same_address() {
    let house = house().await;
    let tokens = house.login().await;
    house.create(&tokens.access).await.unwrap();
    house
        .control("PATCH", "/sandbox/config", json!({"rotation": true}))
        .await;
    house
        .control(
            "PUT",
            "/sandbox/faults",
            json!([{"fault": {"kind": "server_error"}, "when": {"path": "/x"}}]),
        )
        .await;
    house.control("POST", "/sandbox/reset", json!({})).await;
    assert!(!house.works(&tokens.access).await);
    assert_eq!(
        house.control("GET", "/sandbox/config", json!({})).await["rotation"],
        false
    );
    assert_eq!(
        house.control("GET", "/sandbox/faults", json!({})).await["rules"],
        json!([])
    );
    let tokens = house.login().await;
    assert_eq!(house.account_count(&tokens.access).await, 0);
    let unknown = house
        .http
        .post(house.url("/sandbox/reset"))
        .json(&json!({"scenario": "nope"}))
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), 400);
}

#[tokio::test]
async fn a_seed_replaces_records_and_keeps_sessions() {
    let house = house().await;
    let tokens = house.login().await;
    house.create(&tokens.access).await.unwrap();
    house
        .control("POST", "/sandbox/seed", json!({"scenario": "crm-sync"}))
        .await;
    assert!(house.works(&tokens.access).await);
    let unknown = house
        .http
        .post(house.url("/sandbox/seed"))
        .json(&json!({"scenario": "nope"}))
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), 400);
    assert!(house.works(&tokens.access).await);
}
