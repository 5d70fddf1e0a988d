//! The revocation endpoint.

use crate::house::house;

#[tokio::test]
async fn errors_come_as_jsforce_reads_them_or_as_asked_for() {
    let house = house().await;
    let url = house.url("/services/oauth2/revoke");
    let plain = house
        .http
        .post(&url)
        .form(&[("token", "garbage")])
        .send()
        .await
        .unwrap();
    assert_eq!(plain.status(), 400);
    let body = plain.text().await.unwrap();
    assert!(
        body.starts_with("error=invalid_token&error_description="),
        "{body}"
    );
    let request = house.http.post(&url).header("accept", "application/json");
    let json: serde_json::Value = request
        .form(&[("token", "garbage")])
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(json["error"], "invalid_token");
    let none = house.http.post(&url).send().await.unwrap().text().await.unwrap();
    assert!(none.starts_with("error=invalid_request"), "{none}");
}

#[tokio::test]
async fn a_get_revokes_and_a_script_is_told_by_its_own_function() {
    let house = house().await;
    let tokens = house.login().await;
    let url = house.url("/services/oauth2/revoke");
    let get = async |token: &str, callback: &str| {
        let query = [("token", token), ("callback", callback)];
        let answer = house.http.get(&url).query(&query).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(get(&tokens.access, "").await, (200, String::new()));
    assert!(!house.works(&tokens.access).await);
    assert_eq!(
        get(&tokens.refresh, "app.done").await,
        (200, "app.done({});".to_owned())
    );
    let again = get(&tokens.refresh, "app.done").await;
    assert_eq!(
        again,
        (200, "app.done({\"error\":\"invalid_token\"});".to_owned())
    );
    // What is no function name is no answer.
    let (status, body) = get("garbage", "alert(1)//").await;
    assert!(status == 400 && !body.contains("alert"), "{body}");
}

#[tokio::test]
async fn a_session_of_soap_can_be_revoked_too() {
    let house = house().await;
    let session = house.soap_session().await;
    let request = house.http.post(house.url("/services/oauth2/revoke"));
    let answer = request.form(&[("token", &session)]).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!house.works(&session).await);
}
