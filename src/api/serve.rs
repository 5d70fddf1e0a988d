//! The listener: connections with limits on their number, their head and their end.
//!
//! A loop of our own, because the usual one cannot set the time limit for the request head, and without that a few
//! slow clients hold every connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use cpq_domain::{Code, Error, Result};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower_service::Service;

use crate::limits;
use crate::tls::Tls;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Whether the connection is under TLS.
    pub secure: bool,
}

/// Serves until `shutdown` resolves, then lets the requests in hand end for at most [`limits::DRAIN`]. With `tls`
/// nothing but TLS is spoken.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let builder = Arc::new(builder());
    let connections = Arc::new(Semaphore::new(limits::CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let slot = tokio::select! {
            slot = connections.clone().acquire_owned() => slot.map_err(closed)?,
            () = &mut shutdown => break,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    refused(&error).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        let served = Served {
            builder: builder.clone(),
            router: router.clone(),
            watcher: graceful.watcher(),
            peer: Peer {
                address: peer,
                secure: tls.is_some(),
            },
        };
        let tls = tls.clone();
        tokio::spawn(async move {
            // Broken connections are the clients' daily life; what matters is logged per request.
            if let Err(error) = served.run(stream, tls).await {
                tracing::debug!(%peer, error, "connection ended early");
            }
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits::DRAIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests were still in hand when the time to end was over");
    }
    Ok(())
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEADER_TIMEOUT)
        .max_headers(limits::HEADERS)
        .max_buf_size(limits::HEADER_BYTES + limits::URI_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::STREAMS)
        .max_header_list_size(u32::try_from(limits::HEADER_BYTES + limits::URI_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(Some(limits::BODY_TIMEOUT))
        .keep_alive_timeout(limits::HEADER_TIMEOUT);
    builder
}

/// One connection, and what it takes to serve it.
struct Served {
    builder: Arc<Builder<TokioExecutor>>,
    router: Router,
    watcher: Watcher,
    peer: Peer,
}

type Ended = std::result::Result<(), Box<dyn std::error::Error + Send + Sync>>;

impl Served {
    async fn run(self, stream: TcpStream, tls: Option<Tls>) -> Ended {
        // Small answers must not wait for more bytes; a socket that cannot be set still works.
        let _ = stream.set_nodelay(true);
        match tls {
            // Who does not end the handshake holds a connection, as one who does not end its head does.
            Some(tls) => {
                let accepted = tokio::time::timeout(limits::HEADER_TIMEOUT, tls.accept(stream)).await;
                self.speak(accepted??).await
            }
            None => self.speak(stream).await,
        }
    }

    async fn speak(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Ended {
        let (peer, router) = (self.peer, self.router);
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            router.clone().call(request)
        });
        let connection = self.builder.serve_connection(TokioIo::new(stream), service);
        self.watcher.watch(connection.into_owned()).await
    }
}

/// A failed accept is either the client's (gone again) or ours (no more file handles); the second needs a pause.
async fn refused(error: &std::io::Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        tracing::error!(error = %error, "cannot take connections just now");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn closed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Code::Internal, "the listener's slots were closed").cause(error)
}
