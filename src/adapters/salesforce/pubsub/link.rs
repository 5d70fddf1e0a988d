//! The connection to the Pub/Sub API: TLS, the headers that let a call in, and calls with one answer.
//!
//! Source: Pub/Sub API Documentation, "Pub/Sub API Endpoints" and "Supported Authentication".

use std::error::Error as _;
use std::sync::Arc;

use cpq_auth::{Access, Reach};
use cpq_domain::error::Class;
use cpq_domain::{Code, Error, Result};
use secrecy::ExposeSecret as _;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use super::connector;
use super::errors::{About, refusal};
use super::limits::ANSWER_BYTES;
use super::schema::{EventSchema, Missing};
use super::wire::pub_sub_client::PubSubClient;
use super::wire::{SchemaRequest, TopicRequest};
use crate::credentials::Credentials;
use crate::limits::{CALL_TIMEOUT, CONNECT_TIMEOUT};

/// An open connection.
#[derive(Clone)]
pub(super) struct Link {
    client: PubSubClient<Channel>,
    credentials: Arc<dyn Credentials>,
    connection: String,
}

impl Link {
    /// Connects. Each opening of the feed makes a connection of its own, so that a dead one is left behind as a whole.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] when the endpoint is none, [`Code::CrmUnavailable`] when it cannot be reached or is not
    /// trusted.
    pub(super) async fn connect(
        endpoint: &str,
        ca_certificates_pem: &[Vec<u8>],
        reach: &Reach,
        credentials: Arc<dyn Credentials>,
        connection: &str,
    ) -> Result<Link> {
        let wrong = |why: String| {
            let message = format!("{endpoint:.200?} is no endpoint of the Pub/Sub API: {why}");
            Error::new(Code::ConfigInvalid, message).connection(connection)
        };
        let prepared = prepare(endpoint, ca_certificates_pem, reach).map_err(wrong)?;
        let connecting = prepared.connect_with_connector(connector::within(reach.clone()));
        let channel = connecting.await.map_err(|error| {
            let why = error.source().map_or_else(|| error.to_string(), chain);
            let message = format!("the Pub/Sub API of Salesforce at {endpoint} could not be reached: {why}");
            Error::new(Code::CrmUnavailable, message).connection(connection)
        })?;
        Ok(Link {
            client: PubSubClient::new(channel).max_decoding_message_size(ANSWER_BYTES),
            credentials,
            connection: connection.to_owned(),
        })
    }

    pub(super) fn client(&self) -> PubSubClient<Channel> {
        self.client.clone()
    }

    pub(super) fn connection(&self) -> &str {
        &self.connection
    }

    pub(super) async fn access(&self) -> Result<Access> {
        self.credentials.access().await
    }

    pub(super) async fn renew(&self, refused: &Access) -> Result<Access> {
        self.credentials.renew(refused.generation).await
    }

    /// A message with the headers that let it in.
    pub(super) fn signed<T>(&self, access: &Access, message: T) -> Result<Request<T>> {
        let mut request = Request::new(message);
        let headers = [
            ("accesstoken", access.token.expose_secret()),
            ("instanceurl", access.instance_url.as_str()),
            ("tenantid", tenant(access)),
        ];
        for (name, text) in headers {
            let mut value = AsciiMetadataValue::try_from(text)
                .ok()
                .filter(|value| !value.is_empty())
                .ok_or_else(|| self.unusable(name))?;
            value.set_sensitive(name == "accesstoken");
            request.metadata_mut().insert(name, value);
        }
        Ok(request)
    }

    fn unusable(&self, header: &str) -> Error {
        let message = format!("the connection has no {header} that a call of the Pub/Sub API can carry");
        Error::new(Code::ConfigInvalid, message)
            .connection(self.connection.as_str())
            .next("run `cpq auth connect-crm` again, so that the org is known")
    }

    pub(super) fn refused(&self, what: &str, status: &Status) -> Error {
        let about = About {
            connection: &self.connection,
            what,
        };
        refusal(about, status)
    }

    /// Asks whether the topic is there and ours to read.
    pub(super) async fn may_subscribe(&self, topic: &str) -> Result<()> {
        let what = format!("subscribe to {topic}");
        let request = || TopicRequest {
            topic_name: topic.to_owned(),
        };
        let info = self
            .once(&what, request, async |mut client, request| {
                client.get_topic(request).await
            })
            .await?;
        match info.can_subscribe {
            true => Ok(()),
            false => {
                let said = Status::permission_denied("its description says that our user may not");
                Err(self.refused(&what, &said))
            }
        }
    }

    /// Fetches a schema.
    pub(super) async fn schema(&self, id: &str) -> Result<Arc<EventSchema>, Missing> {
        let request = || SchemaRequest {
            schema_id: id.to_owned(),
        };
        let answer = self
            .once(
                "give the schema of an event",
                request,
                async |mut client, request| client.get_schema(request).await,
            )
            .await;
        match answer {
            Ok(info) => EventSchema::parse(&info.schema_json)
                .map(Arc::new)
                .map_err(Missing::Unusable),
            Err(error) if error.class().passes_with_time() || error.class() == Class::AuthRevoked => {
                Err(Missing::Failed(error))
            }
            // An id that is none is refused like one that we may not see, and the next event is read with another.
            Err(error) => Err(Missing::Unusable(error.message)),
        }
    }

    /// A call with one answer. A session that ended is renewed once, and the call sent once more.
    async fn once<Q, A>(
        &self,
        what: &str,
        message: impl Fn() -> Q,
        send: impl AsyncFn(PubSubClient<Channel>, Request<Q>) -> Result<tonic::Response<A>, Status>,
    ) -> Result<A> {
        let attempt = async |access: &Access| {
            let request = self.signed(access, message())?;
            let answer = tokio::time::timeout(CALL_TIMEOUT, send(self.client(), request)).await;
            let late = |_| Status::deadline_exceeded(format!("no answer in {} s", CALL_TIMEOUT.as_secs()));
            let answer = answer.map_err(late).and_then(|answer| answer);
            answer
                .map(tonic::Response::into_inner)
                .map_err(|status| self.refused(what, &status))
        };
        let access = self.access().await?;
        match attempt(&access).await {
            Err(error) if error.code == Code::SessionRefused => attempt(&self.renew(&access).await?).await,
            answer => answer,
        }
    }
}

/// The org's id: as the login told it, else as the access token begins.
fn tenant(access: &Access) -> &str {
    if !access.organization.is_empty() {
        return &access.organization;
    }
    let prefix = access.token.expose_secret().split_once('!');
    prefix
        .map(|(org, _)| org)
        .filter(|org| org.starts_with("00D"))
        .unwrap_or_default()
}

fn prepare(endpoint: &str, ca_certificates_pem: &[Vec<u8>], reach: &Reach) -> Result<Endpoint, String> {
    let (url, secure) = match endpoint.split_once("://") {
        None => (format!("https://{endpoint}"), true),
        Some(("https", _)) => (endpoint.to_owned(), true),
        Some(("http", _)) => (endpoint.to_owned(), false),
        Some(_) => return Err("it begins with neither https:// nor http://".to_owned()),
    };
    let parsed = url::Url::parse(&url).map_err(|error| error.to_string())?;
    parsed.host().ok_or("it has no host")?;
    if let Some(why) = reach.fault(&parsed) {
        return Err(why);
    }
    if !secure && !cpq_auth::is_loopback(&parsed) {
        return Err(
            "without TLS the access token would be readable on its way; that is for loopback only".to_owned(),
        );
    }
    if !matches!(parsed.path(), "" | "/") || parsed.query().is_some() || !parsed.username().is_empty() {
        return Err("it must be a host and a port".to_owned());
    }
    let endpoint = Endpoint::from_shared(url)
        .map_err(|error| error.to_string())?
        .connect_timeout(CONNECT_TIMEOUT);
    match secure {
        true => with_tls(endpoint, ca_certificates_pem),
        false => Ok(endpoint),
    }
}

/// Trusts what the machine trusts and the authorities of the connection; on a machine that trusts nobody, only these.
fn with_tls(endpoint: Endpoint, ca_certificates_pem: &[Vec<u8>]) -> Result<Endpoint, String> {
    let own = ClientTlsConfig::new().ca_certificates(ca_certificates_pem.iter().map(Certificate::from_pem));
    let all = endpoint.clone().tls_config(own.clone().with_native_roots());
    match all {
        Err(_) if !ca_certificates_pem.is_empty() => endpoint.tls_config(own),
        other => other,
    }
    .map_err(|error| error.source().map_or_else(|| error.to_string(), chain))
}

/// An error with its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Reach, prepare};

    #[test]
    fn only_a_host_and_a_port_are_an_endpoint_and_plain_text_stays_on_loopback() {
        for good in [
            "localhost:7443",
            "https://127.0.0.1:1",
            "http://localhost:1",
            "http://[::1]:1",
        ] {
            prepare(good, &[], &Reach::default())
                .map(drop)
                .unwrap_or_else(|why| panic!("{good}: {why}"));
        }
        for bad in [
            "",
            "http://api.pubsub.salesforce.com:7443",
            "ftp://localhost:1",
            "localhost:1/path",
            "u@localhost:1",
            "localhost:99999",
            "a b:1",
            "localhost:1?x=y",
            "169.254.169.254:443",
            "https://[fd00:ec2::254]:443",
            "10.0.0.1:7443",
        ] {
            prepare(bad, &[], &Reach::default()).map(drop).expect_err(bad);
        }
    }
}
