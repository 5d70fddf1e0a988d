//! A server that answers what a test tells it to, and remembers what it was asked.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use cpq_adapters::credentials::Credentials;
use cpq_auth::Access;
use cpq_domain::adapter::Call;
use cpq_domain::id::CorrelationId;
use cpq_domain::world::World;
use serde_json::{Value as Json, json};

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Asked {
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// A parameter of the query, decoded.
    pub fn param(&self, name: &str) -> Option<String> {
        let query = self.uri.query().unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

pub type Reply = Response<Body>;
type Handler = Arc<dyn Fn(Asked) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync>;

/// The running server.
pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub async fn start<F, R>(handler: F) -> Server
    where
        F: Fn(Asked) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |asked| Box::pin(handler(asked)));
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let app = Router::new().fallback(serve).with_state((handler, asked.clone()));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Server { url, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

async fn serve(
    State((handler, seen)): State<(Handler, Arc<Mutex<Vec<Asked>>>)>,
    request: Request<Body>,
) -> Reply {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 << 20).await.expect("a body");
    let asked = Asked {
        method: parts.method,
        uri: parts.uri,
        headers: parts.headers,
        body,
    };
    seen.lock().expect("not poisoned").push(asked.clone());
    handler(asked).await
}

pub fn reply(status: u16, body: Json) -> Reply {
    raw(status, "application/json;charset=UTF-8", body.to_string())
}

pub fn raw(status: u16, content_type: &str, body: impl Into<Body>) -> Reply {
    Response::builder()
        .status(StatusCode::from_u16(status).expect("a status"))
        .header("content-type", content_type)
        .header("sforce-limit-info", "api-usage=20/101000")
        .body(body.into())
        .expect("a response")
}

/// The refusal of a session that ended.
pub fn expired() -> Reply {
    reply(
        401,
        json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]),
    )
}

/// Tokens `token-0`, `token-1`, … counted up by each renewal.
pub struct Tokens {
    pub url: String,
    pub generation: AtomicU64,
}

impl Tokens {
    pub fn of(server: &Server) -> Arc<Tokens> {
        Arc::new(Tokens {
            url: server.url.clone(),
            generation: AtomicU64::new(0),
        })
    }

    fn at(&self, generation: u64) -> Access {
        Access {
            token: format!("token-{generation}").into(),
            instance_url: self.url.clone(),
            organization: String::new(),
            generation,
        }
    }
}

#[async_trait::async_trait]
impl Credentials for Tokens {
    async fn access(&self) -> cpq_domain::Result<Access> {
        Ok(self.at(self.generation.load(Ordering::SeqCst)))
    }

    async fn renew(&self, seen: u64) -> cpq_domain::Result<Access> {
        self.generation.store(seen + 1, Ordering::SeqCst);
        Ok(self.at(seen + 1))
    }
}

/// A world in which no time passes.
pub struct Still;

impl World for Still {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
    fn monotonic_us(&self) -> u64 {
        0
    }
    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

pub fn call(correlation: &str) -> Call {
    Call {
        purpose: Default::default(),
        correlation: CorrelationId::new(correlation).expect("a correlation id"),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
    }
}
