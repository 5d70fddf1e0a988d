//! The command line as a client of our own API: of the running service if there is one, else of one that lives as long
//! as the command.

use std::time::Duration;

use cpq_api::audit::PERSON;
use cpq_domain::Result;
use cpq_domain::error::{Code, Error, Report};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::{App, Role, open_store};
use crate::cli::acts;
use crate::cli::place::{self, Listening};
use crate::cli::token;
use crate::config::Config;

/// Longest time that one call to our own API may take: the longest wait for a sync, and a margin.
const CALL_TIMEOUT: Duration = Duration::from_secs(40);
/// Longest life of a stream of events: the service ends each after five minutes.
const STREAM_TIMEOUT: Duration = Duration::from_secs(900);
/// Longest time that a running service may take to say that it is alive, before we do without it.
const ALIVE_TIMEOUT: Duration = Duration::from_millis(500);
/// Longest time that runs in hand may take to end when the command ends.
const DRAIN: Duration = Duration::from_secs(5);

/// A client of our API.
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
    hosted: Option<Hosted>,
}

/// A service that lives as long as the command.
struct Hosted {
    app: App,
    stop: tokio_util::sync::CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

/// An answer of our API that is not an error.
pub struct Answer {
    /// Entity tag.
    pub etag: Option<String>,
    /// Whether it is the stored answer of an earlier request.
    pub replayed: bool,
    /// Body.
    pub body: String,
}

impl Answer {
    /// The body as a value.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.body).map_err(|error| {
            Error::new(
                Code::ProtocolViolation,
                "our own service answered what this command does not understand",
            )
            .next("use the same version for service and command")
            .cause(error)
        })
    }
}

impl Client {
    /// Finds the running service, or hosts one for the length of the command.
    pub async fn connect(config: &Config) -> Result<Client> {
        if let Some(client) = Client::running(config).await? {
            return Ok(client);
        }
        let app = App::open(config, Role::Command).await?;
        let token = token::own(config, app.store.clone()).await?;
        let (base, stop, served) = app.host().await?;
        Ok(Client {
            http: http(config)?,
            base,
            token,
            hosted: Some(Hosted { app, stop, served }),
        })
    }

    /// A client of the service that runs; `None` if none answers.
    pub async fn running(config: &Config) -> Result<Option<Client>> {
        let http = http(config)?;
        let Some(listening) = place::load::<Listening>(&config.state_dir, place::SERVICE) else {
            return Ok(None);
        };
        if !alive(&http, &listening.url).await {
            return Ok(None);
        }
        let token = token::own(config, open_store(config).await?).await?;
        Ok(Some(Client {
            http,
            base: listening.url,
            token,
            hosted: None,
        }))
    }

    /// Where the service is.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Opens a stream of events behind the one with the id `last`, or from now on. `None` if the service cannot be reached.
    pub async fn follow(&self, path: &str, last: Option<i64>) -> Result<Option<reqwest::Response>> {
        let mut request = self.request(Method::GET, path).timeout(STREAM_TIMEOUT);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let Ok(response) = request.send().await else {
            return Ok(None);
        };
        let status = response.status();
        if status.is_success() {
            return Ok(Some(response));
        }
        let body = response.text().await;
        Err(refused(status, &body.unwrap_or_default()))
    }

    /// A call without a body.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(self.request(Method::GET, path)).await
    }

    /// A call with a body and headers.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &impl Serialize,
    ) -> Result<Answer> {
        let request = headers
            .iter()
            .fold(self.request(method, path), |request, (name, value)| {
                request.header(*name, *value)
            });
        self.send(request.json(body)).await
    }

    /// Lets runs in hand end, and the hosted service with them.
    pub async fn close(self) {
        if let Some(hosted) = self.hosted {
            if let Err(error) = hosted.app.follow_quotes().await {
                // The events stay where they are; the next service or command follows them.
                tracing::warn!(code = %error.code, error = %error, "cannot follow the quotes");
            }
            hosted.app.engine.stop(DRAIN).await;
            hosted.stop.cancel();
            let _ = hosted.served.await;
        }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token);
        match acts::person() {
            Some(person) => request.header(PERSON, person),
            None => request,
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer> {
        let response = request
            .send()
            .await
            .map_err(|error| unreachable(&self.base, error))?;
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let (status, etag) = (response.status(), header("etag"));
        let replayed = header("idempotent-replayed").is_some();
        let body = response
            .text()
            .await
            .map_err(|error| unreachable(&self.base, error))?;
        if status.is_client_error() || status.is_server_error() {
            return Err(refused(status, &body));
        }
        Ok(Answer { etag, replayed, body })
    }
}

/// The error that an answer holds, with its correlation id among the facts.
fn refused(status: StatusCode, body: &str) -> Error {
    match serde_json::from_str::<Report>(body) {
        Ok(report) => {
            let correlation = report.correlation_id.clone();
            let error = Error::from(report);
            match correlation {
                Some(correlation) => error.fact("correlation", correlation),
                None => error,
            }
        }
        Err(_) => Error::new(
            Code::ProtocolViolation,
            format!("the service answered {status} without an error report"),
        ),
    }
}

fn unreachable(base: &str, error: reqwest::Error) -> Error {
    Error::new(Code::Internal, format!("the service at {base} does not answer"))
        .next("see whether `cpq serve` still runs; nothing that it accepted is lost")
        .cause(error)
}

/// A client of the service in this state directory, which may speak TLS under a certificate that only we know.
pub fn http(config: &Config) -> Result<reqwest::Client> {
    let service = &config.service;
    let mut builder = reqwest::Client::builder()
        .timeout(CALL_TIMEOUT)
        // Our own service sends nobody elsewhere, and what answers in its place must not have the token carried on.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    if !service.tls_certificate.as_os_str().is_empty() {
        let trusted = crate::named_file::bytes(&service.tls_certificate)
            .ok()
            .and_then(|pem| reqwest::Certificate::from_pem_bundle(&pem).ok());
        builder = builder.tls_certs_merge(trusted.unwrap_or_default());
        if let Some(name) = service.host_names.first() {
            // The name may lead to a proxy in front; the service itself is here.
            let here = if service.listen.ip().is_unspecified() {
                [127, 0, 0, 1].into()
            } else {
                service.listen.ip()
            };
            builder = builder.resolve(name, (here, 0).into());
        }
    }
    let built = builder.build();
    built.map_err(|error| Error::new(Code::Internal, "cannot make an HTTP client").cause(error))
}

async fn alive(http: &reqwest::Client, url: &str) -> bool {
    let answer = http
        .get(format!("{url}/healthz"))
        .timeout(ALIVE_TIMEOUT)
        .send()
        .await;
    answer.is_ok_and(|answer| answer.status().is_success())
}
