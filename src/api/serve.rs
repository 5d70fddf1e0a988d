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
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower_service::Service;

use crate::limits;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Serves until `shutdown` resolves, then lets the requests in hand end for at most [`limits::DRAIN`].
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) -> Result<()> {
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
        let connection = connection(&builder, stream, peer, router.clone());
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            // Broken connections are the clients' daily life; what matters is logged per request.
            if let Err(error) = watched.await {
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

fn connection(
    builder: &Builder<TokioExecutor>,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = Box<dyn std::error::Error + Send + Sync>> + use<>
{
    // Small answers must not wait for more bytes; a socket that cannot be set still works.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        router.clone().call(request)
    });
    builder
        .serve_connection(TokioIo::new(stream), service)
        .into_owned()
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
