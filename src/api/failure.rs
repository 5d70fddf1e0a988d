//! A failed request on its way out.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use cpq_domain::Error;
use http::StatusCode;

/// A failed request. Its body is made in one place, [`crate::frame`], where the correlation id is known.
pub(crate) struct Failure(pub(crate) Error);

/// The error of a response whose body is still to be made.
#[derive(Clone)]
pub(crate) struct Failed(pub(crate) Arc<Error>);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        *response.status_mut() = status(self.0.code.http_status());
        response.extensions_mut().insert(Failed(Arc::new(self.0)));
        response
    }
}

/// The status of that number; a number that is none is our own mistake.
pub(crate) fn status(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
