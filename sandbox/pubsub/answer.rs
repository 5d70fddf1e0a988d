//! The body of an answer, watched for the status at its end.

use super::rpc::{Abrupt, Ticket};
use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};
use tonic::{Code, Status};

/// How long what was sent before a reset may take to leave: a reset throws away what did not.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// The stream was reset by a fault rule.
#[derive(Debug, thiserror::Error)]
#[error("the stream was reset by a fault rule")]
pub struct Reset;

/// The body.
pub struct Answer {
    inner: tonic::body::Body,
    ticket: Option<Ticket>,
    abrupt: Option<(Abrupt, Pin<Box<Sleep>>)>,
}

/// A frame, or what went wrong.
type Next = Option<Result<Frame<Bytes>, Box<dyn std::error::Error + Send + Sync>>>;

impl Answer {
    /// The body of a call.
    pub fn new(ticket: Ticket, inner: tonic::body::Body) -> Self {
        Self {
            inner,
            ticket: Some(ticket),
            abrupt: None,
        }
    }

    /// A body that ends at once, and not well.
    pub fn broken_off(ticket: Ticket, how: Abrupt) -> Self {
        Self {
            abrupt: Some((how, Box::pin(sleep(LAST_WORDS)))),
            ..Self::new(ticket, tonic::body::Body::empty())
        }
    }

    /// A body of no call.
    pub fn unwatched(inner: tonic::body::Body) -> Self {
        Self {
            inner,
            ticket: None,
            abrupt: None,
        }
    }

    /// The end that is none.
    fn broken(&mut self, cx: &mut Context<'_>) -> Option<Poll<Next>> {
        let (how, last_words) = self.abrupt.as_mut()?;
        if *how == Abrupt::NoStatus {
            return Some(Poll::Ready(None));
        }
        if last_words.as_mut().poll(cx).is_pending() {
            return Some(Poll::Pending);
        }
        if let (Abrupt::ResetConnection, Some(ticket)) = (*how, &self.ticket) {
            ticket.0.cut_connection();
            // The end of the connection is the end of this.
            return Some(Poll::Pending);
        }
        Some(Poll::Ready(Some(Err(Reset.into()))))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(end) = self.broken(cx) {
            return end;
        }
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        let Poll::Ready(Some(Ok(frame))) = &polled else {
            return polled.map_err(Into::into);
        };
        if let (Some(trailers), Some(ticket)) = (frame.trailers_ref(), &self.ticket) {
            if let Some(how) = ticket.0.abrupt() {
                self.abrupt = Some((how, Box::pin(sleep(LAST_WORDS))));
                return self.poll_frame(cx);
            }
            let status = Status::from_header_map(trailers);
            ticket
                .0
                .ended(status.map_or(Code::Unknown, |status| status.code()));
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.abrupt.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
