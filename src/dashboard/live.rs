//! What happens, told to the browser as it happens: the API's own stream.

use axum::extract::State;
use axum::response::Response;
use http::Method;

use crate::doors::At;
use crate::house::House;
use crate::page::Failed;

/// The stream.
pub(crate) async fn events(State(house): State<House>, At(visitor): At) -> Result<Response, Failed> {
    house.call(&visitor, Method::GET, "/api/v1/events", None).await
}
