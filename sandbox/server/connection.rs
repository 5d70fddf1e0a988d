//! Connections: accepting them, TLS, HTTP/1.1 with compression, and a graceful end.

use crate::door;
use crate::state::Shared;
use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;
use tower::ServiceBuilder;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::decompression::RequestDecompressionLayer;

/// How long a client may take over the head of a request, and over a TLS handshake.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes a connection may buffer: URI and headers with room to spare, so that too long ones get their 414.
const READ_BUFFER: usize = 128 * 1024;

/// Takes connections until the sandbox stops. Each is a task of its own.
pub async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    sandbox: Shared,
    routes: Router,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = sandbox.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(connection(stream, tls.clone(), sandbox.clone(), routes.clone()));
            }
            Err(error) => {
                // Usually too many open files: wait for some to close.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, sandbox: Shared, routes: Router) {
    // Small answers must not wait for each other.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return serve(stream, "http", sandbox, routes).await;
    };
    match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve(stream, "https", sandbox, routes).await,
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake took too long"),
    }
}

async fn serve<S>(stream: S, scheme: &'static str, sandbox: Shared, routes: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stop = sandbox.stop.clone();
    let answer = tower::service_fn(move |request: Request<_>| {
        let (sandbox, routes) = (sandbox.clone(), routes.clone());
        door::answer(sandbox, routes, scheme, request.map(Body::new))
    });
    let service = ServiceBuilder::new()
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(RequestDecompressionLayer::new())
        .service(answer);
    // As Salesforce writes its headers over HTTP/1.1: some clients look for them with regard to case.
    let connection = http1::Builder::new()
        .title_case_headers(true)
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(READ_BUFFER)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
