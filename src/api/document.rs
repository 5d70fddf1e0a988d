//! The description of the API for machines: OpenAPI 3.1, made of the routes themselves.

use std::sync::LazyLock;

use axum::response::Response;
use cpq_domain::error::{Code, Error, Report};
use cpq_domain::event::SyncEvent;
use cpq_domain::run::RunState;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{AdditionalProperties, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, PathItem, Ref, RefOr, ResponseBuilder, Schema};

use crate::access::{Access, ROUTES};
use crate::answer;
use crate::events::Happened;
use crate::router::documented;

/// Name of the bearer scheme in the document.
const BEARER: &str = "bearer";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "cpq",
        description = "Keeps a CRM and a CPQ system in agreement, in both directions. Every error has one shape, \
            `ErrorReport`; every answer carries `X-Correlation-Id`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "sync", description = "Starting syncs and looking at them"),
        (name = "connections", description = "Connecting a CRM and giving a connection up"),
        (name = "quotes", description = "Quotes of the embedded CPQ; 404 where another CPQ keeps them"),
        (name = "conflicts", description = "Edits that lost, fields that wait for a person, and why a field has its value"),
        (name = "dead letters", description = "Syncs that failed for good, and their replay"),
        (name = "ownership", description = "Whose value counts"),
        (name = "reconcile", description = "Whether both sides agree, record by record and hour by hour"),
        (name = "webhooks", description = "Hints of other systems"),
        (name = "service", description = "For supervisors"),
    ),
    components(schemas(Report, RunState, SyncEvent, Happened))
)]
struct Head;

/// The document without its routes.
pub(crate) fn head() -> utoipa::openapi::OpenApi {
    Head::openapi()
}

/// The OpenAPI 3.1 document of all routes.
///
/// Descriptions are the words of the code; see [`openapi_json`] for the text without their markup.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = documented().into_openapi();
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("cpq_…")
        .build();
    document
        .components
        .get_or_insert_default()
        .add_security_scheme(BEARER, SecurityScheme::Http(scheme));
    if let Some(components) = &mut document.components {
        components.schemas.values_mut().for_each(of_one_kind);
    }
    for route in ROUTES {
        let item = document.paths.paths.get_mut(route.path);
        if let Some(operation) = item.and_then(|item| operation(item, route.method)) {
            finish(operation, route.access);
        }
    }
    document
}

/// Adds what the table of routes knows: the key that is needed, and the shape of every refusal.
fn finish(operation: &mut Operation, access: Access) {
    operation.security = Some(match access {
        Access::Open | Access::Signed => Vec::new(),
        Access::Token => vec![SecurityRequirement::new(BEARER, [""; 0])],
        Access::Scope(scope) => vec![SecurityRequirement::new(BEARER, [scope])],
        // Without a key from this machine, where the settings say so.
        Access::ScopeOrLoopback(scope) => {
            vec![
                SecurityRequirement::new(BEARER, [scope]),
                SecurityRequirement::default(),
            ]
        }
    });
    operation
        .parameters
        .iter_mut()
        .flatten()
        .filter_map(|parameter| match parameter {
            RefOr::T(parameter) => parameter.schema.as_mut(),
            RefOr::Ref(_) => None,
        })
        .for_each(never_null);
    let content = ContentBuilder::new()
        .schema(Some(RefOr::Ref(Ref::from_schema_name("ErrorReport"))))
        .build();
    let refusal = ResponseBuilder::new()
        .description("Any refusal or failure")
        .content("application/json", content)
        .build();
    operation
        .responses
        .responses
        .entry("default".to_owned())
        .or_insert(RefOr::T(refusal));
}

/// What is no JSON has no null: a parameter that may be left out is absent then.
fn never_null(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            if let SchemaType::Array(types) = &object.schema_type
                && let [one, Type::Null] | [Type::Null, one] = types.as_slice()
            {
                object.schema_type = SchemaType::Type(one.clone());
            }
        }
        RefOr::T(Schema::OneOf(choice)) => {
            choice.items.retain(|item| !is_null(item));
            if choice.items.len() == 1 {
                let only = choice.items.remove(0);
                *schema = only;
            }
        }
        _ => {}
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if matches!(object.schema_type, SchemaType::Type(Type::Null)))
}

/// A value with its kind for a name, `{"text":"…"}`, has one kind: what the words of the code say and their description
/// leaves out.
fn of_one_kind(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::OneOf(choice)) = schema else {
        return;
    };
    for item in &mut choice.items {
        if let RefOr::T(Schema::Object(object)) = item
            && object.properties.len() == 1
            && object.required.len() == 1
        {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
}

/// The operation of a path.
pub(crate) fn operation<'a>(item: &'a mut PathItem, method: &str) -> Option<&'a mut Operation> {
    match method {
        "GET" => item.get.as_mut(),
        "POST" => item.post.as_mut(),
        "PATCH" => item.patch.as_mut(),
        "PUT" => item.put.as_mut(),
        "DELETE" => item.delete.as_mut(),
        _ => None,
    }
}

/// The text of the document, as it is served and committed.
pub fn openapi_json() -> cpq_domain::Result<String> {
    let text = openapi().to_pretty_json().map_err(|error| {
        Error::new(Code::Internal, "the description of the API cannot be written").cause(error)
    })?;
    // Links between items of the code lead nowhere in the document.
    Ok(text.replace("[`", "`").replace("`]", "`") + "\n")
}

static TEXT: LazyLock<String> = LazyLock::new(|| {
    // The document is made of our own constants; if it cannot be written, every test of it fails.
    openapi_json().unwrap_or_default()
});

/// This document
#[utoipa::path(get, path = "/api/v1/openapi.json", operation_id = "openapi", tag = "service",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(crate) async fn get() -> Response {
    answer::json(200, TEXT.as_str())
}
