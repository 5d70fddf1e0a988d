//! A house for one test: a store in memory, a real engine, small systems on both sides, and the API in front.

use secrecy::SecretString;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use cpq_api::tokens::{self, NewToken};
use cpq_api::{ApiSettings, ApiState, InForce, PathSecret, Rate, Throttle, WebhookSecret};
use cpq_auth::{Broker, Keyring, Options};
use cpq_domain::id::{ClientId, ConnectionName, CorrelationId};
use cpq_domain::ownership::Matrix;
use cpq_domain::run::Run;
use cpq_domain::world::World;
use cpq_orchestrator::{Engine, EngineSettings};
use cpq_store::{Store, StoreOptions};
use jiff::{SignedDuration, Timestamp};
use tower::ServiceExt;

use crate::actors::{Desk, Systems};

/// The secret of the webhook sender `erp`.
pub const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The organization of the connection `crm`.
pub const ORGANIZATION: &str = "00D000000000001EAA";
/// The secret of the sender `workflow` of outbound messages.
pub const PATH_SECRET: &str = "6f1c9a0c5c0f4a1f8f1d2e7b3a4c5d6e";

const MATRIX: &str = "
    [[rule]]
    field = 'account.name'
    owner = 'crm'
    policy = 'always'
    [[rule]]
    field = 'quote.number'
    owner = 'cpq'
    policy = 'computed'
";

/// A world whose clock a test moves by hand.
pub struct TestWorld {
    now: Mutex<Timestamp>,
    ticks: AtomicU64,
    random: AtomicU64,
}

impl TestWorld {
    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.now.lock().expect("no test panics holding the clock");
        *now += by;
    }
}

impl World for TestWorld {
    fn now(&self) -> Timestamp {
        *self.now.lock().expect("no test panics holding the clock")
    }

    fn monotonic_us(&self) -> u64 {
        self.ticks.fetch_add(100, Ordering::Relaxed)
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        for byte in bytes {
            // SplitMix64: well mixed, and the same in every run.
            let mut mixed = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = mixed.to_le_bytes()[7];
        }
    }
}

/// The house.
pub struct House {
    pub router: axum::Router,
    pub engine: Engine,
    pub store: Store,
    pub systems: Arc<Systems>,
    pub world: Arc<TestWorld>,
    /// A token with every scope, of the client `tester`.
    pub token: String,
}

/// An answer, read to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {:?}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// Checks that it is this failure, in the one error shape.
    #[track_caller]
    pub fn is(&self, status: u16, code: &str) -> serde_json::Value {
        let body = self.json();
        assert_eq!(
            (self.status.as_u16(), body["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.body
        );
        assert!(
            body["message"].as_str().is_some_and(|text| !text.is_empty()),
            "{body}"
        );
        assert!(
            body["correlationId"].is_string() && body["details"]["next"].is_string(),
            "{body}"
        );
        assert!(
            body["details"]["written"].is_string() && body["details"]["docs"].is_string(),
            "{body}"
        );
        assert_eq!(self.header("content-type"), "application/json");
        body
    }
}

impl House {
    pub async fn new() -> House {
        House::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut ApiState)) -> House {
        let world = Arc::new(TestWorld {
            now: Mutex::new("2026-03-01T12:00:00Z".parse().expect("a moment")),
            ticks: AtomicU64::new(0),
            random: AtomicU64::new(1),
        });
        let store = Store::open(StoreOptions::memory()).await.expect("a store");
        let matrix = Arc::new(Matrix::parse(MATRIX, "test-1").expect("a matrix"));
        let systems = Arc::new(Systems::new(matrix.clone()));
        let engine = Engine::new(
            store.clone(),
            systems.clone(),
            world.clone(),
            EngineSettings::named("test-node"),
        );
        let mut settings = ApiSettings::default();
        let secret = WebhookSecret::parse(&WEBHOOK_SECRET.to_owned().into()).expect("a secret");
        settings.webhooks.insert("erp".into(), vec![secret]);
        let secret = PathSecret::parse(&PATH_SECRET.to_owned().into()).expect("a secret");
        settings.outbound.sources.insert("workflow".into(), vec![secret]);
        for (object, field) in [("Opportunity", "Id"), ("Quote", "OpportunityId")] {
            settings
                .outbound
                .opportunity_fields
                .insert(object.into(), field.into());
        }
        let mut state = ApiState {
            engine: engine.clone(),
            store: store.clone(),
            desk: Some(Arc::new(Desk::default())),
            world: world.clone(),
            matrix: Arc::new(move || InForce {
                matrix: matrix.clone(),
                refused: None,
            }),
            findings: Arc::new(|| Box::pin(async { Ok((Vec::new(), false)) })),
            broker: Arc::new(broker(&store, &world)),
            welcome: Arc::new(|_| Box::pin(async { Ok((Vec::new(), 0)) })),
            organizations: Arc::new(|| {
                Box::pin(async { Ok(vec![(ConnectionName::new("crm")?, ORGANIZATION.into())]) })
            }),
            settings: Arc::new(settings),
            readiness: Arc::new(|| Box::pin(async { Vec::new() })),
            readers: ApiState::places(),
            throttle: Throttle::new(Rate::default()),
            stopping: CancellationToken::new(),
            figures: Default::default(),
        };
        change(&mut state);
        let router = cpq_api::router(state);
        let mut house = House {
            router,
            engine,
            store,
            systems,
            world,
            token: String::new(),
        };
        house.token = house.token_of("tester", cpq_api::access::SCOPES).await;
        house
    }

    pub async fn token_of(&self, client: &str, scopes: &[&str]) -> String {
        let new = NewToken {
            client: ClientId::new(client).expect("a client"),
            name: "test".into(),
            scopes: scopes.iter().map(ToString::to_string).collect(),
            connection: None,
            expires_at: None,
        };
        let issued = tokens::create(&self.store, self.world.as_ref(), new)
            .await
            .expect("a token");
        issued.tell().to_owned()
    }

    /// A request with the token of this house; `headers` are added, and a body brings its media type.
    pub fn request(&self, method: Method, uri: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(uri);
        let given = |name| headers.iter().any(|(given, _)| *given == name);
        if !given("authorization") {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        if !body.is_empty() && !given("content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::from(body.to_owned())).expect("a request")
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("a router never fails");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
        let body = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub async fn get(&self, uri: &str) -> Answer {
        self.send(self.request(Method::GET, uri, &[], "")).await
    }

    pub async fn post(&self, uri: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send(self.request(Method::POST, uri, headers, body)).await
    }

    /// Starts a sync of `OPP-4482`.
    pub async fn sync(&self, headers: &[(&str, &str)]) -> Answer {
        self.post("/api/v1/sync/opportunities/OPP-4482", headers, "")
            .await
    }

    /// The run of that correlation id, once it has ended.
    pub async fn ended(&self, correlation: &str) -> Run {
        let correlation = CorrelationId::new(correlation).expect("a correlation id");
        let run = self.engine.history(&correlation).await.expect("a sync").run;
        self.engine
            .wait(run.id, Duration::from_secs(30))
            .await
            .expect("a run")
    }

    pub async fn runs(&self) -> Vec<Run> {
        let filter = cpq_store::runs::Filter {
            limit: 100,
            ..Default::default()
        };
        self.engine.list(filter).await.expect("a list")
    }
}

/// Nobody is connected.
fn broker(store: &Store, world: &Arc<TestWorld>) -> Broker {
    let key = SecretString::from("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned());
    let keyring = Keyring::from_base64(&key).expect("a key");
    let vault = Arc::new(cpq_store::Vault(store.clone()));
    Broker::new(vault, world.clone(), keyring, Options::default()).expect("a broker")
}
