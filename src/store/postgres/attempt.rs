//! One try of one job.

use std::any::Any;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::task::Poll;

use cpq_domain::{Code, Error, Result};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::session::Session;
use crate::tx::Tx;

/// Drives a job to its end. One that waits for anything but the server would hold a connection and locks meanwhile, so
/// it is refused; one that panics fails alone.
pub(super) async fn drive<T, F>(session: &mut Session, job: F) -> Result<T>
where
    F: for<'t> FnOnce(&'t mut dyn Tx) -> BoxFuture<'t, Result<T>>,
{
    let asking = session.asking();
    let mut work = Box::pin(AssertUnwindSafe(async move { job(session).await }).catch_unwind());
    let driven = poll_fn(|context| match work.poll_unpin(context) {
        Poll::Ready(ended) => Poll::Ready(Some(ended)),
        Poll::Pending if asking.load(Ordering::Relaxed) => Poll::Pending,
        Poll::Pending => Poll::Ready(None),
    });
    match driven.await {
        Some(Ok(result)) => result,
        Some(Err(panic)) => {
            let message = format!("a job of the store panicked: {}", panic_text(panic.as_ref()));
            Err(Error::new(Code::Internal, message))
        }
        None => {
            let message = "a job of the store waited for something that is not the store";
            Err(Error::new(Code::Internal, message))
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
