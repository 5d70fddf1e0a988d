//! The page that the browser shows when it comes back to the loopback listener. It loads nothing and holds no input.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Shown after a login that was stored.
pub(crate) const CONNECTED: &str = "Connected. You can close this window.";
/// Shown after a login that failed. The reason is foreign text and stays in the terminal.
pub(crate) const NOT_CONNECTED: &str = "Not connected. The reason is in the terminal.";
/// Shown to requests that belong to no login.
pub(crate) const REFUSED: &str = "This request does not belong to the login that is under way.";

/// Answers with a page and closes. Whether the browser takes it changes nothing for the login.
pub(crate) async fn answer(mut stream: TcpStream, status: &str, words: &str) {
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>cpq</title>\
         <body><h1>cpq</h1><p>{words}</p></body></html>"
    );
    let response = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
         content-security-policy: default-src 'none'; frame-ancestors 'none'\r\ncache-control: no-store\r\n\
         referrer-policy: no-referrer\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let sent = async {
        stream.write_all(response.as_bytes()).await?;
        stream.shutdown().await
    };
    if let Err(error) = sent.await {
        tracing::debug!(%error, "the browser did not take its page");
    }
}
