//! The way of one call: admitted, counted, served, written down.

use super::answer::Answer;
use super::caller;
use super::refusal::{Reason, Refusal, name_of};
use super::rpc::{Rpc, Ticket};
use super::service::Service;
use super::wire::pub_sub_server::PubSubServer;
use crate::door::text_of;
use crate::oauth::uuid;
use crate::requests::Entry;
use crate::state::{Sandbox, Shared};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Status};
use tower::Service as _;

/// Largest request after decompression: 4 MB ("Event Allocations").
const MAX_REQUEST: usize = 4 * 1024 * 1024;

/// The methods there are.
const METHODS: [&str; 6] = [
    "/eventbus.v1.PubSub/Subscribe",
    "/eventbus.v1.PubSub/GetSchema",
    "/eventbus.v1.PubSub/GetTopic",
    "/eventbus.v1.PubSub/Publish",
    "/eventbus.v1.PubSub/PublishStream",
    "/eventbus.v1.PubSub/ManagedSubscribe",
];

/// Answers one call.
///
/// # Errors
/// Never; hyper wants the type.
pub async fn answer(
    sandbox: Shared,
    cut: CancellationToken,
    mut request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    if let Some(refused) = not_grpc(&request) {
        return Ok(refused);
    }
    let path = request.uri().path().to_owned();
    if !METHODS.contains(&path.as_str()) {
        let status = Status::unimplemented(format!("Method not found: {}", path.trim_start_matches('/')));
        return Ok(turned_away(&sandbox, &request, status));
    }
    let caller = match caller::admit(&sandbox, request.headers()) {
        Ok(caller) => caller,
        Err(reason) => {
            return Ok(turned_away(
                &sandbox,
                &request,
                Refusal::from(reason).status(&uuid()),
            ));
        }
    };
    let rpc = Arc::new(Rpc::new(sandbox.clone(), caller, &path, request.headers(), cut));
    let ticket = Ticket(rpc.clone());
    if !sandbox.pubsub.open(&rpc, sandbox.settings().pubsub_max_streams) {
        return Ok(refused(ticket, &rpc.refuse(Reason::CLIENT_LIMIT)));
    }
    request.extensions_mut().insert(rpc.clone());
    let mut service = PubSubServer::new(Service)
        .max_decoding_message_size(MAX_REQUEST)
        .accept_compressed(CompressionEncoding::Gzip);
    let Ok(response) = service.call(request).await;
    Ok(finished(ticket, response))
}

/// What comes out of the service, with the faults that only HTTP/2 can express.
fn finished(ticket: Ticket, response: Response<tonic::body::Body>) -> Response<Answer> {
    let rpc = ticket.0.clone();
    let status = Status::from_header_map(response.headers());
    match (rpc.abrupt(), status) {
        (Some(how), Some(_)) => {
            let mut response = Response::new(Answer::broken_off(ticket, how));
            let grpc = HeaderValue::from_static("application/grpc");
            response.headers_mut().insert(header::CONTENT_TYPE, grpc);
            response
        }
        // A message that is too large is cut off while it is read, where nobody knows what this service would say.
        (None, Some(status)) if status.code() == Code::OutOfRange => {
            refused(ticket, &rpc.refuse(Refusal::too_large()))
        }
        (_, status) => {
            if let Some(status) = status {
                rpc.ended(status.code());
            }
            response.map(|body| Answer::new(ticket, body))
        }
    }
}

fn refused(ticket: Ticket, status: &Status) -> Response<Answer> {
    ticket.0.ended(status.code());
    status
        .clone()
        .into_http::<tonic::body::Body>()
        .map(|body| Answer::new(ticket, body))
}

/// A call that is none, or has no caller, is written down too.
fn turned_away(sandbox: &Sandbox, request: &Request<Incoming>, status: Status) -> Response<Answer> {
    let headers = request.headers();
    sandbox.requests.record(Entry {
        seq: 0,
        at: sandbox.clock.now(),
        method: "GRPC".to_owned(),
        path: request.uri().path().to_owned(),
        status: 200,
        duration_micros: 0,
        cost: 0,
        grpc_status: Some(name_of(status.code())),
        topic: None,
        client: text_of(headers, "user-agent"),
        correlation_id: text_of(headers, "x-client-trace-id"),
        faults: Vec::new(),
    });
    status.into_http::<tonic::body::Body>().map(Answer::unwatched)
}

/// HTTP/2 requests that are not gRPC ("gRPC over HTTP2").
fn not_grpc(request: &Request<Incoming>) -> Option<Response<Answer>> {
    let kind = text_of(request.headers(), "content-type").unwrap_or_default();
    let status = match (request.method(), kind.starts_with("application/grpc")) {
        (&Method::POST, true) => return None,
        (&Method::POST, false) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        _ => StatusCode::METHOD_NOT_ALLOWED,
    };
    let mut response = Response::new(Answer::unwatched(tonic::body::Body::empty()));
    *response.status_mut() = status;
    Some(response)
}
