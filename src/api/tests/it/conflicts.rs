//! Conflicts and histories over HTTP.

use cpq_domain::conflict::{Claim, Conflict, ConflictState};
use cpq_domain::id::{ConflictId, ConnectionName, CorrelationId, OpportunityKey, RecordId};
use cpq_domain::ownership::{Policy, Side};
use cpq_domain::resolve::Held;
use cpq_domain::value::Value;
use cpq_store::conflicts;
use serde_json::json;

use crate::house::House;

/// Puts a conflict over a number into the store, as a sync leaves it.
async fn planted(house: &House, number: i64, opportunity: u32, field: &str, state: ConflictState) {
    let at = "2026-03-01T11:00:00Z".parse().unwrap();
    let claim = |value: i64| Claim {
        value: Value::Number(value.into()),
        ..Claim::default()
    };
    let conflict = Conflict {
        id: ConflictId::numbered(number),
        state,
        version: 1,
        connection: ConnectionName::new("crm").unwrap(),
        opportunity_id: RecordId::new(format!("006{opportunity}")).unwrap(),
        opportunity_number: Some(OpportunityKey::new(format!("OPP-{opportunity}")).unwrap()),
        field: field.into(),
        line: None,
        base: Held::default(),
        crm: claim(1),
        cpq: claim(2),
        owner: Side::Crm,
        policy: Policy::Review,
        matrix_version: "test-1".into(),
        reason: "both sides changed it; a person decides".into(),
        ruling: None,
        outcome: None,
        run_id: serde_json::from_value(json!("00000000-0000-0000-0000-000000000001")).unwrap(),
        correlation: CorrelationId::new("csync-001").unwrap(),
        opened_at: at,
        updated_at: at,
        closed_at: None,
    };
    let stored = house
        .store
        .write(move |tx| Box::pin(async move { conflicts::insert(tx, &conflict).await }));
    stored.await.unwrap();
}

async fn names(house: &House, query: &str) -> (Vec<String>, Option<String>) {
    let answer = house.get(&format!("/api/v1/conflicts{query}")).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    let page = answer.json();
    let names = page["conflicts"].as_array().unwrap().iter();
    let names = names.map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    (names, page["next"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn conflicts_are_listed_by_state_field_and_opportunity_page_by_page() {
    let house = House::new().await;
    planted(&house, 1, 1, "quote.a", ConflictState::Open).await;
    planted(&house, 2, 2, "quote.a", ConflictState::Open).await;
    planted(&house, 3, 1, "quote.b", ConflictState::Settled).await;
    let all = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        names(&house, "").await,
        (all(&["cf-003", "cf-002", "cf-001"]), None)
    );
    assert_eq!(
        names(&house, "?state=open&field=quote.a").await.0,
        all(&["cf-002", "cf-001"])
    );
    assert_eq!(
        names(&house, "?opportunity=OPP-1").await.0,
        all(&["cf-003", "cf-001"])
    );
    assert_eq!(
        names(&house, "?opportunity=0061&state=settled").await.0,
        all(&["cf-003"])
    );
    assert_eq!(names(&house, "?connection=other").await.0, all(&[]));
    let (first, next) = names(&house, "?limit=2").await;
    assert_eq!(first, all(&["cf-003", "cf-002"]));
    let rest = names(&house, &format!("?limit=2&before={}", next.unwrap())).await;
    assert_eq!(rest, (all(&["cf-001"]), None));
    for wrong in [
        "?state=lost",
        "?limit=0",
        "?limit=201",
        "?before=7",
        "?colour=red",
    ] {
        house
            .get(&format!("/api/v1/conflicts{wrong}"))
            .await
            .is(400, "REQUEST_INVALID");
    }
    let one = house.get("/api/v1/conflicts/cf-1").await.json();
    assert_eq!(
        (&one["id"], &one["crm"]["value"]["number"]),
        (&json!("cf-001"), &json!("1"))
    );
    house.get("/api/v1/conflicts/cf-009").await.is(404, "NOT_FOUND");
    house
        .get("/api/v1/conflicts/nine")
        .await
        .is(400, "REQUEST_INVALID");
}

#[tokio::test]
async fn a_decision_is_kept_with_who_and_why_and_a_sync_carries_it_out() {
    let house = House::new().await;
    planted(&house, 1, 1, "quote.a", ConflictState::Open).await;
    planted(&house, 2, 2, "quote.a", ConflictState::Open).await;
    planted(&house, 3, 1, "quote.b", ConflictState::Settled).await;
    let uri = "/api/v1/conflicts/cf-001/resolve";
    for (body, why) in [
        (json!({}), "no choice"),
        (json!({"take": "both"}), "no such choice"),
        (json!({"take": "value"}), "no value"),
        (json!({"take": "value", "value": "twelve"}), "no number"),
        (json!({"take": "crm", "value": "12"}), "a value and a side"),
        (json!({"take": "crm", "reason": "x".repeat(501)}), "a long reason"),
        (json!({"take": "crm", "by": "a\nb"}), "a name on two lines"),
        (json!({"take": "crm", "valeu": "12"}), "a typing mistake"),
    ] {
        println!("{why}");
        house
            .post(uri, &[], &body.to_string())
            .await
            .is(400, "REQUEST_INVALID");
    }
    assert!(house.runs().await.is_empty(), "a refusal starts no sync");
    let stale = json!({"take": "crm", "version": 7}).to_string();
    house.post(uri, &[], &stale).await.is(409, "CONFLICT_OUTDATED");
    house
        .post("/api/v1/conflicts/cf-003/resolve", &[], r#"{"take":"crm"}"#)
        .await
        .is(409, "CONFLICT_OUTDATED");
    house
        .post("/api/v1/conflicts/cf-009/resolve", &[], r#"{"take":"crm"}"#)
        .await
        .is(404, "NOT_FOUND");

    let body = json!({"take": "value", "value": "12.5", "reason": "by phone", "by": "erin", "allLike": true, "version": 1});
    let answer = house.post(uri, &[("prefer", "wait=0")], &body.to_string()).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    let told = answer.json();
    assert_eq!(
        (&told["decided"], &told["more"]),
        (&json!(["cf-001", "cf-002"]), &json!(false))
    );
    assert_eq!(told["syncs"].as_array().map(Vec::len), Some(2));
    let ruling = &told["conflict"]["ruling"];
    assert_eq!(
        (&ruling["value"]["number"], &ruling["by"]),
        (&json!("12.5"), &json!("erin (tester)")),
        "{told}"
    );
    assert_eq!(
        (&ruling["reason"], &ruling["crm"]["number"]),
        (&json!("by phone"), &json!("1"))
    );
    let triggers: Vec<_> = house
        .runs()
        .await
        .into_iter()
        .map(|run| json!(run.trigger))
        .collect();
    assert_eq!(triggers, [json!("decision"), json!("decision")]);
}

#[tokio::test]
async fn the_history_of_a_field_is_told_from_the_log() {
    let house = House::new().await;
    house
        .get("/api/v1/why/opportunity/OPP-4482/quote.number")
        .await
        .is(404, "NOT_FOUND");
    assert_eq!(house.sync(&[]).await.status.as_u16(), 200);
    for path in ["opportunity/OPP-4482", "quote/Q-2026-0137"] {
        let answer = house.get(&format!("/api/v1/why/{path}/quote.number")).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
        let told = answer.json();
        let [one] = told["passages"].as_array().unwrap().as_slice() else {
            panic!("{told}")
        };
        assert_eq!(
            (&one["value"]["text"], &one["origin"]),
            (&json!("Q-2026-0137"), &json!("cpq"))
        );
        assert_eq!(
            (&one["correlationId"], &one["policy"]),
            (&json!("csync-001"), &json!("computed"))
        );
        assert!(told.get("earlier").is_none(), "{told}");
    }
    house
        .get("/api/v1/why/line/OPP-4482/L1/line.quantity")
        .await
        .is(400, "REQUEST_INVALID");
    for wrong in [
        "opportunity/OPP-4482/quote.nmuber",
        "opportunity/OPP-4482/number",
        "line/OPP-4482/line.x",
        "deal/OPP-4482/quote.number",
    ] {
        house
            .get(&format!("/api/v1/why/{wrong}"))
            .await
            .is(400, "REQUEST_INVALID");
    }
    let wrong = house
        .get("/api/v1/why/opportunity/OPP-4482/quote.number?limit=0")
        .await;
    wrong.is(400, "REQUEST_INVALID");
    house
        .get("/api/v1/why/quote/Q-9/quote.number")
        .await
        .is(404, "NOT_FOUND");
}

#[tokio::test]
async fn reading_and_deciding_need_their_own_scopes() {
    let house = House::new().await;
    planted(&house, 1, 1, "quote.a", ConflictState::Open).await;
    let reader = format!("Bearer {}", house.token_of("reader", &["conflicts:read"]).await);
    let as_reader = [("authorization", reader.as_str())];
    let get = house.request(axum::http::Method::GET, "/api/v1/conflicts", &as_reader, "");
    assert_eq!(house.send(get).await.status.as_u16(), 200);
    let uri = "/api/v1/conflicts/cf-001/resolve";
    let refused = house.post(uri, &as_reader, r#"{"take":"crm"}"#).await;
    refused.is(403, "SCOPE_INSUFFICIENT");
    let why = house.request(
        axum::http::Method::GET,
        "/api/v1/why/quote/Q-1/quote.number",
        &as_reader,
        "",
    );
    house.send(why).await.is(403, "SCOPE_INSUFFICIENT");
}

#[tokio::test]
async fn the_past_is_counted_by_the_day_and_suggests_a_rule() {
    let house = House::new().await;
    let asked = async |query: &str| {
        let answer = house.get(&format!("/api/v1/statistics/conflicts{query}")).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
        answer.json()
    };
    assert_eq!(
        asked("").await,
        json!({"days": [], "fields": [], "counted": 0, "complete": true})
    );
    for number in 1..=400 {
        planted(&house, number, 1, "quote.a", ConflictState::Obsolete).await;
    }
    let told = asked("").await;
    assert_eq!(
        (&told["counted"], &told["complete"]),
        (&json!(400), &json!(true)),
        "pages that end evenly"
    );
    planted(&house, 401, 1, "quote.b", ConflictState::Settled).await;
    let told = asked("?days=366").await;
    assert_eq!(told["counted"], 401);
    assert_eq!(
        told["days"],
        json!([{"day": "2026-03-01", "settled": 1, "asked": 400, "decided": 0}])
    );
    let fields: Vec<_> = told["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| &field["field"])
        .collect();
    assert_eq!(fields, ["quote.a", "quote.b"]);
    house.world.advance(jiff::SignedDuration::from_hours(24 * 40));
    assert_eq!(asked("").await["counted"], 0, "longer ago than 30 days");
    assert_eq!(asked("?days=60").await["counted"], 401);
    for wrong in ["?days=0", "?days=367", "?days=x", "?since=1"] {
        let path = format!("/api/v1/statistics/conflicts{wrong}");
        house.get(&path).await.is(400, "REQUEST_INVALID");
    }
}
