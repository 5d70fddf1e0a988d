//! Server-sent events off the wire (WHATWG HTML 9.2): as much of them as our own service sends.

use std::time::Duration;

use cpq_api::Happened;
use cpq_domain::Result;
use cpq_domain::error::{Code, Error};

/// Silence after which a stream counts as dead. The service gives a sign of life every 15 s.
const SILENCE: Duration = Duration::from_secs(50);
/// Bytes of one message: a dozen short fields and a message of an error.
const MESSAGE_BYTES: usize = 1024 * 1024;

/// A stream of messages.
pub(super) struct Stream {
    response: reqwest::Response,
    buffer: Vec<u8>,
    /// When the last sign of life came.
    heard: tokio::time::Instant,
}

/// What comes next.
pub(super) enum Next {
    /// A message.
    Message(Message),
    /// Nothing for as long as the caller had patience.
    Quiet,
    /// The end.
    Ended,
    /// It was cut off, for this reason.
    Lost(String),
}

/// One message: its id, and its data if it has any.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: Option<i64>,
    data: String,
}

impl Message {
    /// What it tells of; `None` for one that only says where the reader stands, or that the stream lives.
    pub(super) fn happened(&self) -> Result<Option<Happened>> {
        if self.data.is_empty() {
            return Ok(None);
        }
        serde_json::from_str(&self.data).map(Some).map_err(|cause| {
            Error::new(
                Code::ProtocolViolation,
                "our own service told of something that this command does not understand",
            )
            .next("use the same version for service and command")
            .cause(cause)
        })
    }
}

impl Stream {
    pub(super) fn new(response: reqwest::Response) -> Stream {
        Stream {
            response,
            buffer: Vec::new(),
            heard: tokio::time::Instant::now(),
        }
    }

    /// The next message, for which `patience` is had.
    pub(super) async fn next(&mut self, patience: Duration) -> Next {
        let until = tokio::time::Instant::now() + patience;
        loop {
            if let Some(message) = take(&mut self.buffer) {
                return Next::Message(message);
            }
            if self.buffer.len() > MESSAGE_BYTES {
                return Next::Lost("an event is too large".to_owned());
            }
            match tokio::time::timeout_at(until, self.response.chunk()).await {
                Ok(Ok(Some(bytes))) => {
                    self.buffer.extend_from_slice(&bytes);
                    self.heard = tokio::time::Instant::now();
                }
                Ok(Ok(None)) => return Next::Ended,
                Ok(Err(error)) => return Next::Lost(error.without_url().to_string()),
                Err(_) if self.heard.elapsed() > SILENCE => {
                    return Next::Lost("it gave no sign of life".to_owned());
                }
                Err(_) => return Next::Quiet,
            }
        }
    }
}

/// Takes the first whole message out of the buffer. One without id and data is a sign of life, and skipped.
fn take(buffer: &mut Vec<u8>) -> Option<Message> {
    while let Some(end) = buffer.windows(2).position(|two| two == b"\n\n") {
        let text: Vec<u8> = buffer.drain(..end + 2).collect();
        let message = parse(&String::from_utf8_lossy(&text));
        if message != Message::default() {
            return Some(message);
        }
    }
    None
}

fn parse(text: &str) -> Message {
    let mut message = Message::default();
    for line in text.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => message.id = value.parse().ok(),
            "data" => message.data.push_str(value),
            _ => {}
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_whole_and_signs_of_life_are_none() {
        let mut buffer = b"id: 4\n\n:\n\nevent: sync\nid: 5\ndata: {}\n\nid: 6\nda".to_vec();
        let message = |id, data: &str| Message {
            id: Some(id),
            data: data.to_owned(),
        };
        assert_eq!(take(&mut buffer), Some(message(4, "")));
        assert_eq!(take(&mut buffer), Some(message(5, "{}")));
        assert_eq!(take(&mut buffer), None);
        buffer.extend_from_slice(b"ta: {\"a\":1}\n\n");
        assert_eq!(take(&mut buffer), Some(message(6, "{\"a\":1}")));
        assert!(buffer.is_empty());
    }
}
