//! Sessions that end, and connections that break.

use cpq_domain::adapter::CrmAdapter as _;
use cpq_domain::error::Written;
use cpq_domain::id::OpportunityKey;
use cpq_domain::{Code, Error};
use serde_json::json;

use crate::fake::{Reply, Server, Still, Tokens, call, expired, raw, reply};
use crate::org::{ID, adapter, config, page, row};

async fn read(server: &Server) -> Result<(), Error> {
    let key = OpportunityKey::new("OPP-1").expect("a key");
    adapter(server).read(&call("c"), &key).await.map(|_| ())
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    reply(status, json!([{"message": message, "errorCode": code}]))
}

#[tokio::test]
async fn a_session_that_ended_is_renewed_once_and_the_call_is_repeated_once() {
    let server = Server::start(|asked| async move {
        match asked.header("authorization") {
            "Bearer token-0" => expired(),
            _ => reply(200, page(vec![row(ID, "OPP-1")])),
        }
    })
    .await;
    read(&server).await.expect("it is read");
    let tokens: Vec<String> = server
        .asked()
        .iter()
        .map(|a| a.header("authorization").to_owned())
        .collect();
    assert_eq!(tokens, ["Bearer token-0", "Bearer token-1"]);
}

#[tokio::test]
async fn a_session_that_is_refused_again_is_an_error() {
    let server = Server::start(|_| async { expired() }).await;
    let error = read(&server).await.expect_err("it is refused");
    assert_eq!(error.code, Code::SessionRefused);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn other_refusals_are_not_repeated() {
    for (code, message, expected) in [
        (
            "INVALID_SESSION_ID",
            "This session is not valid for use with the REST API",
            Code::ScopeMissing,
        ),
        (
            "INVALID_AUTH_HEADER",
            "INVALID_HEADER_TYPE",
            Code::ProtocolViolation,
        ),
    ] {
        let server = Server::start(move |_| async move { refusal(401, code, message) }).await;
        assert_eq!(
            read(&server).await.expect_err("it is refused").code,
            expected,
            "{message}"
        );
        assert_eq!(server.asked().len(), 1, "{message}");
    }
    for status in [403, 420, 429, 500, 503] {
        let server = Server::start(move |_| async move { raw(status, "text/html", "<html></html>") }).await;
        read(&server).await.expect_err("it is refused");
        assert_eq!(server.asked().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn the_longer_wait_of_header_and_kind_counts() {
    let server = Server::start(|_| async {
        let mut reply = refusal(
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
        );
        reply
            .headers_mut()
            .insert("retry-after", "120".parse().expect("a header"));
        reply
    })
    .await;
    let error = read(&server).await.expect_err("it is refused");
    assert_eq!(
        (error.code, error.retry_after_ms),
        (Code::CrmLimit, Some(120_000))
    );
}

#[tokio::test]
async fn nobody_there_is_unavailable_and_nothing_was_written() {
    let server = Server::start(|_| async { expired() }).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let mut gone = server;
    gone.url = url;
    let error = crate::write::write(&gone, &crate::write::status("sent"))
        .await
        .expect_err("nobody is there");
    assert_eq!((error.code, error.written), (Code::CrmUnavailable, Written::No));
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_leaves_a_write_in_doubt_and_a_read_not() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // Takes the whole request, and hangs up.
            let mut bytes = [0; 64 * 1024];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut bytes).await;
        }
    });
    let mut server = Server::start(|_| async { expired() }).await;
    server.url = url;
    let error = read(&server).await.expect_err("it breaks");
    assert_eq!((error.code, error.written), (Code::CrmUnavailable, Written::No));
    let error = crate::write::write(&server, &crate::write::status("sent"))
        .await
        .expect_err("it breaks");
    assert_eq!(
        (error.code, error.written),
        (Code::OutcomeUnknown, Written::Unknown)
    );
}

#[tokio::test]
async fn the_probe_says_who_we_are_and_what_is_left() {
    let server = Server::start(|asked| async move {
        match asked.uri.path() {
            "/services/data/v68.0/limits" => {
                reply(200, json!({"DailyApiRequests": {"Max": 15000, "Remaining": 14000}, "PermissionSets": {"Max": 1}}))
            }
            _ => reply(200, json!({"user_id": "005X", "organization_id": "00DX", "preferred_username": "cpq@acme.example"})),
        }
    })
    .await;
    let probe = adapter(&server).probe(&call("c")).await.expect("it answers");
    assert_eq!(probe.identity.username, "cpq@acme.example");
    assert_eq!(probe.identity.organization_id, "00DX");
    assert_eq!(probe.api_version, "68.0");
    assert!(
        probe
            .budget
            .is_some_and(|budget| budget.max == 15_000 || budget.max == 101_000)
    );
}

#[tokio::test]
async fn no_token_is_in_any_error() {
    let server = Server::start(|_| async { refusal(403, "INSUFFICIENT_ACCESS", "no") }).await;
    let error = read(&server).await.expect_err("it is refused");
    let told = format!(
        "{error:?} {}",
        serde_json::to_string(&error.report(None)).expect("it is JSON")
    );
    assert!(!told.contains("token-0"), "{told}");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let tokens = std::sync::Arc::new(Tokens {
        url: String::new(),
        generation: 0.into(),
    });
    let make = |config| {
        let world = std::sync::Arc::new(Still);
        cpq_adapters::salesforce::SalesforceAdapter::new(config, tokens.clone(), world, None)
            .err()
            .map(|e| e.code)
    };
    let mut version = config();
    version.api_version = "68.0/../..".into();
    assert_eq!(make(version), Some(Code::ConfigInvalid));
    let mut number = config();
    number.number_field = "Name = 'x' OR Id".into();
    assert_eq!(make(number), Some(Code::ConfigInvalid));
    let mut fields = config();
    fields.fields = Some("[[field]]\nname = 'x'".into());
    assert_eq!(make(fields), Some(Code::ConfigInvalid));
}
