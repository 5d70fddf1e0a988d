//! A listener on this machine that waits for the browser to come back (RFC 8252 §7.3).
//!
//! It speaks just enough HTTP/1.1 for one `GET`: a path, a `Host` header, nothing else is looked at.

use cpq_domain::{Code, Error, Result};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::authorize::Callback;
use crate::limits::{CALLBACK_BYTES, CALLBACK_REQUESTS, CALLBACK_TIMEOUT};
use crate::page;

/// The redirect URI of a login on this machine. Salesforce wants exactly the one that is registered with the app, so
/// the port and path can be fixed.
#[derive(Clone, Debug)]
pub struct Loopback {
    /// Port; 0 picks a free one.
    pub port: u16,
    /// Path, beginning with a slash.
    pub path: String,
    /// Say `localhost` instead of `127.0.0.1` in the redirect URI, where the app is registered so. We listen on
    /// 127.0.0.1 in any case.
    pub localhost: bool,
}

impl Default for Loopback {
    fn default() -> Self {
        Loopback {
            port: 0,
            path: "/oauth/callback".to_owned(),
            localhost: false,
        }
    }
}

/// An open listener.
pub(crate) struct Listener {
    socket: TcpListener,
    expected: Expected,
}

#[derive(Clone)]
struct Expected {
    host: &'static str,
    port: u16,
    path: String,
    state: String,
}

impl Listener {
    pub(crate) async fn bind(loopback: &Loopback) -> Result<Self> {
        let failed = |cause: std::io::Error| {
            let message = format!(
                "cannot listen on 127.0.0.1:{} for the end of the login: {cause}",
                loopback.port
            );
            Error::new(Code::PortInUse, message).cause(cause)
        };
        let socket = TcpListener::bind(("127.0.0.1", loopback.port))
            .await
            .map_err(failed)?;
        let port = socket.local_addr().map_err(failed)?.port();
        let host = if loopback.localhost {
            "localhost"
        } else {
            "127.0.0.1"
        };
        let expected = Expected {
            host,
            port,
            path: loopback.path.clone(),
            state: String::new(),
        };
        Ok(Listener { socket, expected })
    }

    pub(crate) fn redirect_uri(&self) -> String {
        let Expected { host, port, path, .. } = &self.expected;
        format!("http://{host}:{port}{path}")
    }

    /// Waits for the browser with this state. Everything else is answered and passed over: a stray tab or another
    /// program must not be able to break a login off. Browsers also open connections on which they send nothing.
    pub(crate) async fn wait(&self, state: &str) -> Result<(Callback, TcpStream)> {
        let expected = Expected {
            state: state.to_owned(),
            ..self.expected.clone()
        };
        let (mut visitors, mut seen) = (JoinSet::new(), 0);
        loop {
            tokio::select! {
                accepted = self.socket.accept(), if seen < CALLBACK_REQUESTS => {
                    seen += 1;
                    if let Ok((stream, _)) = accepted {
                        visitors.spawn(receive(stream, expected.clone()));
                    }
                }
                Some(visited) = visitors.join_next() => {
                    if let Ok(Some(arrived)) = visited {
                        return Ok(arrived);
                    }
                }
                else => return Err(Error::new(Code::LoginFailed, "the login was broken off: too many strange requests")),
            }
        }
    }
}

/// Reads one request; answers it at once unless it is the awaited one.
async fn receive(mut stream: TcpStream, expected: Expected) -> Option<(Callback, TcpStream)> {
    let head = tokio::time::timeout(CALLBACK_TIMEOUT, read_head(&mut stream))
        .await
        .ok()??;
    match expected.judge(&head) {
        Ok(callback) => Some((callback, stream)),
        Err(status) => {
            page::answer(stream, status, page::REFUSED).await;
            None
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::with_capacity(2048);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() >= CALLBACK_BYTES || stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    String::from_utf8(head).ok()
}

impl Expected {
    /// The callback in a request, or the status to refuse it with.
    fn judge(&self, head: &str) -> Result<Callback, &'static str> {
        let mut lines = head.split("\r\n");
        let mut request = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (
            request.next().unwrap_or_default(),
            request.next().unwrap_or_default(),
        );
        let host = lines.find_map(|line| {
            line.split_once(':')
                .filter(|(name, _)| name.eq_ignore_ascii_case("host"))
                .map(|(_, value)| value.trim())
        });
        // A page on the web can point a name of its own at this machine (DNS rebinding), but cannot forge `Host`.
        if host != Some(&format!("{}:{}", self.host, self.port)) {
            return Err("400 Bad Request");
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path != self.path {
            return Err("404 Not Found");
        }
        if method != "GET" {
            return Err("405 Method Not Allowed");
        }
        let callback = Callback::parse(query);
        if callback.is_for(&self.state) {
            Ok(callback)
        } else {
            Err("400 Bad Request")
        }
    }
}
