//! The door of the service: where it listens, under which certificate, and what must hold before strangers can reach it.

use std::net::SocketAddr;

use cpq_api::Tls;
use cpq_domain::Result;
use cpq_domain::error::{Code, Error, Written};
use cpq_domain::world::World;
use cpq_store::Store;
use tokio::net::TcpListener;

use crate::cli::token::OWN_CLIENT;
use crate::config::{Config, ServiceConfig};

/// An open door.
pub struct Door {
    /// Takes connections.
    pub listener: TcpListener,
    /// Under which certificate; `None`: in clear.
    pub tls: Option<Tls>,
    /// How the service is called.
    pub url: String,
}

/// Opens the door that the configuration describes. Beyond this machine only under TLS, unless the configuration says that
/// a proxy sees to that, and only if there is a token: else nobody could get in, and whoever finds it first should not
/// be the one to make it.
pub async fn open(config: &Config, store: &Store, world: &dyn World) -> Result<Door> {
    let service = &config.service;
    let tls = certificate(service)?;
    if !service.listen.ip().is_loopback() {
        if tls.is_none() && !service.plain_http_beyond_loopback {
            return Err(in_clear(service.listen));
        }
        if !has_token(store, world).await? {
            return Err(nobody(service.listen));
        }
    }
    let listener = bind(service.listen).await?;
    let address = listener.local_addr().unwrap_or(service.listen);
    let url = match (&tls, service.host_names.first()) {
        (Some(_), Some(name)) => format!("https://{name}:{}", address.port()),
        (Some(_), None) => format!("https://{address}"),
        (None, _) => format!("http://{address}"),
    };
    if let Some(tls) = &tls {
        tls.follow();
    }
    Ok(Door { listener, tls, url })
}

fn certificate(service: &ServiceConfig) -> Result<Option<Tls>> {
    if service.tls_certificate.as_os_str().is_empty() {
        return Ok(None);
    }
    Tls::load(&service.tls_certificate, &service.tls_key).map(Some)
}

async fn has_token(store: &Store, world: &dyn World) -> Result<bool> {
    let now = world.now();
    let tokens = cpq_api::tokens::list(store).await?;
    // The command line's own is made without being asked for.
    Ok(tokens
        .iter()
        .any(|token| token.is_good(now) && token.client.as_str() != OWN_CLIENT))
}

fn in_clear(listen: SocketAddr) -> Error {
    let message =
        format!("{listen} can be reached from other machines, and tokens would cross the network in clear");
    let next = "set service.tls_certificate and service.tls_key; or listen on 127.0.0.1 behind a proxy with TLS; or, where a \
                proxy on another machine alone can reach this address, set service.plain_http_beyond_loopback";
    Error::new(Code::ConfigInvalid, message)
        .field("service.listen")
        .written(Written::No)
        .next(next)
}

fn nobody(listen: SocketAddr) -> Error {
    let message = format!("{listen} can be reached from other machines, and there is no API token yet");
    Error::new(Code::ConfigInvalid, message)
        .field("service.listen")
        .written(Written::No)
        .next("make one first: cpq token create --client NAME --scope sync:read")
}

async fn bind(listen: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(listen).await.map_err(|error| {
        Error::new(Code::PortInUse, format!("cannot listen on {listen}: {error}"))
            .fact("listen", listen.to_string())
            .cause(error)
    })
}
