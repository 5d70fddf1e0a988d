//! Connections: TLS or not by their first byte, then HTTP/2, until they end or the sandbox stops.

use super::gate;
use super::line::Line;
use crate::state::Shared;
use http::Request;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a client may take over a TLS handshake, and over the first words of HTTP/2.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections at a time; each may carry a thousand streams, and file descriptors are few.
const CONNECTIONS: usize = 256;
/// Concurrent streams of one connection ("Event Allocations": 1,000 RPCs per HTTP/2 connection).
const STREAMS: u32 = 1_000;
/// A connection is asked for a sign of life when it was silent for this long, and closed when none comes.
const PING_EVERY: Duration = Duration::from_secs(60);
const PING_PATIENCE: Duration = Duration::from_secs(20);
/// First byte of a TLS handshake (RFC 8446 §5.1); no HTTP/2 connection begins with it.
const TLS_HANDSHAKE: u8 = 0x16;
/// What every HTTP/2 client says first (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// For people who try the port with a browser or curl.
const NOT_HTTP_1: &[u8] =
    b"HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Takes connections until the sandbox stops. Each is a task of its own.
pub async fn accept(listener: TcpListener, tls: TlsAcceptor, sandbox: Shared, tasks: TaskTracker) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = places.clone().acquire_owned();
        let accepted = async { (place.await, listener.accept().await) };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = sandbox.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let (tls, sandbox) = (tls.clone(), sandbox.clone());
                tasks.spawn(async move {
                    connection(stream, tls, sandbox).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Usually too many open files: wait for some to close.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(socket: TcpStream, tls: TlsAcceptor, sandbox: Shared) {
    let _ = socket.set_nodelay(true);
    let (cut, stop) = (CancellationToken::new(), sandbox.stop.clone());
    let served = async {
        let mut first = [0];
        within(socket.peek(&mut first)).await?;
        let line = Line::new(socket, cut.clone());
        if first[0] == TLS_HANDSHAKE {
            let stream = within(tls.accept(line)).await?;
            return spoken_to(stream, &sandbox, &cut).await;
        }
        spoken_to(line, &sandbox, &cut).await
    };
    let ended = tokio::select! {
        ended = served => ended,
        () = cut.cancelled() => Ok(()),
        () = farewell(&stop) => Ok(()),
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of the Pub/Sub API ended early");
    }
}

/// A while after the stop: connections that did not get so far as to be told would wait for their client.
async fn farewell(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(crate::server::FAREWELL / 2).await;
}

/// Serves a connection from its first decrypted byte.
async fn spoken_to<S>(mut stream: S, sandbox: &Shared, cut: &CancellationToken) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if !within(greeted(&mut stream)).await? {
        return Ok(());
    }
    let (reader, writer) = tokio::io::split(stream);
    let stream = tokio::io::join(PREFACE.chain(reader), writer);
    let service = service_fn(|request: Request<_>| gate::answer(sandbox.clone(), cut.clone(), request));
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        // It would be the date of the machine, and gRPC has no use for one.
        .auto_date_header(false)
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = sandbox.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    ended.map_err(io::Error::other)
}

/// Whether the peer speaks HTTP/2. One that speaks HTTP/1 is told so; other noise gets no answer.
async fn greeted<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<bool> {
    let mut said = [0; PREFACE.len()];
    let mut length = 0;
    while length < said.len() {
        match stream.read(&mut said[length..]).await? {
            0 => return Ok(false),
            more => length += more,
        }
        if said[..length] != PREFACE[..length] {
            if said[..length].first().is_some_and(u8::is_ascii_uppercase) {
                stream.write_all(NOT_HTTP_1).await?;
                stream.shutdown().await?;
            }
            return Ok(false);
        }
    }
    Ok(true)
}

async fn within<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
