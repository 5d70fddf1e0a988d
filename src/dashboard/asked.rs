//! What a browser asks with, refused in our own words where it does not fit.

use axum::extract::{FromRequest, FromRequestParts, Request};
use cpq_domain::{Code, Error};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::page::Failed;

/// The fields of a form.
pub(crate) struct Form<T>(pub(crate) T);

/// The query.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failed> {
        let read = axum::Form::<T>::from_request(request, state).await;
        read.map(|axum::Form(fields)| Form(fields))
            .map_err(|refusal| misread("form", &refusal.body_text()))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let read = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        read.map(|axum::extract::Query(fields)| Query(fields))
            .map_err(|refusal| misread("query", &refusal.body_text()))
    }
}

fn misread(what: &str, why: &str) -> Failed {
    Error::new(Code::RequestInvalid, format!("the {what} is wrong: {why}")).into()
}
