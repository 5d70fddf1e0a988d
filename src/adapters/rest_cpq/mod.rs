//! A CPQ over HTTP: the quote contract that this product's own API serves, and that anyone can serve. See `README.md`
//! beside this file for the contract.

use std::sync::Arc;

use ::http::Method;
use async_trait::async_trait;
use cpq_domain::adapter::{Call, CpqAdapter, CpqCapabilities, CpqWrite, QuoteTarget};
use cpq_domain::id::{IdempotencyKey, OpportunityKey, QuoteId, RecordId};
use cpq_domain::paging::QuoteMarkPage;
use cpq_domain::quote::{OpportunityRef, Quote, Status, Transition};
use cpq_domain::view::Patch;
use cpq_domain::world::World;
use cpq_domain::{Code, Error, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::http::{Http, Request};

mod all;
mod config;
mod errors;
mod http;

pub use config::Config;

/// One CPQ.
pub struct RestCpqAdapter {
    http: Http,
    preview: bool,
}

#[derive(Deserialize)]
struct Page {
    quotes: Vec<Quote>,
    #[serde(default)]
    cursor: Option<String>,
}

/// A quote to be made, or, with `quote_id`, a change to try out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Draft<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    opportunity: Option<&'a OpportunityRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quote_id: Option<&'a QuoteId>,
    patch: &'a Patch,
}

#[derive(Serialize)]
struct Move<'a> {
    transition: Transition,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl RestCpqAdapter {
    /// An adapter for one CPQ.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`] when the URL, the token or a certificate is not one.
    pub fn new(config: &Config, world: Arc<dyn World>) -> Result<Self> {
        Ok(RestCpqAdapter {
            http: Http::new(config, world)?,
            preview: config.preview,
        })
    }
}

/// Pages of quotes followed for one opportunity. A page has up to 200 revisions.
const PAGES: usize = 10;
/// Revisions of such a page.
const PAGE_LIMIT: u32 = 200;

#[async_trait]
impl CpqAdapter for RestCpqAdapter {
    fn capabilities(&self) -> CpqCapabilities {
        CpqCapabilities {
            idempotency_keys: true,
            preview: self.preview,
        }
    }

    async fn find(&self, call: &Call, system: &str, key: &OpportunityKey) -> Result<Option<Quote>> {
        let mut found: Vec<Quote> = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES {
            let page = self.list(call, system, key, cursor.as_deref()).await?;
            found.extend(page.quotes);
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        let current = found
            .into_iter()
            .filter(|quote| quote.status != Status::Superseded);
        Ok(current.max_by_key(|quote| quote.revision))
    }

    async fn page(
        &self,
        call: &Call,
        system: &str,
        since: Option<Timestamp>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<QuoteMarkPage> {
        all::page(self, call, system, since, after, limit).await
    }

    async fn find_many(&self, call: &Call, system: &str, ids: &[RecordId]) -> Result<Vec<Quote>> {
        all::find_many(self, call, system, ids).await
    }

    async fn get(&self, call: &Call, id: &QuoteId) -> Result<Quote> {
        let path = format!("quotes/{id}");
        self.http
            .send(call, &read(&path, format!("read quote {id}")))
            .await
    }

    async fn preview(&self, call: &Call, write: &CpqWrite) -> Result<Option<Quote>> {
        if !self.preview {
            return Ok(None);
        }
        let (opportunity, quote_id) = match &write.target {
            QuoteTarget::New(opportunity) => (Some(opportunity), None),
            QuoteTarget::Existing { id, .. } => (None, Some(id)),
        };
        let request = Request {
            method: Method::POST,
            body: Some(json(&Draft {
                opportunity,
                quote_id,
                patch: &write.patch,
            })?),
            operation: "preview",
            ..read("quotes/preview", "preview a quote".to_owned())
        };
        self.http.send(call, &request).await.map(Some)
    }

    async fn write(&self, call: &Call, key: &IdempotencyKey, write: &CpqWrite) -> Result<Quote> {
        let patch = &write.patch;
        let request = match &write.target {
            QuoteTarget::New(opportunity) => Request {
                method: Method::POST,
                path: "quotes",
                body: Some(json(&Draft {
                    opportunity: Some(opportunity),
                    quote_id: None,
                    patch,
                })?),
                key: Some(key),
                etag: None,
                what: format!("create a quote for opportunity {}", opportunity.id),
                operation: "create",
            },
            QuoteTarget::Existing { id, etag } => Request {
                method: Method::PATCH,
                path: &format!("quotes/{id}"),
                body: Some(json(patch)?),
                key: Some(key),
                etag: Some(etag),
                what: format!("change quote {id}"),
                operation: "change",
            },
        };
        self.http.send(call, &request).await
    }

    async fn transition(
        &self,
        call: &Call,
        key: &IdempotencyKey,
        target: &QuoteTarget,
        transition: Transition,
        reason: Option<&str>,
    ) -> Result<Quote> {
        let QuoteTarget::Existing { id, etag } = target else {
            let message = "a quote that does not exist yet cannot be moved along its life";
            return Err(Error::new(Code::RequestInvalid, message));
        };
        let request = Request {
            method: Method::POST,
            path: &format!("quotes/{id}/transitions"),
            body: Some(json(&Move { transition, reason })?),
            key: Some(key),
            etag: Some(etag),
            what: format!("move quote {id}"),
            operation: "transition",
        };
        self.http.send(call, &request).await
    }
}

impl RestCpqAdapter {
    async fn list(
        &self,
        call: &Call,
        system: &str,
        key: &OpportunityKey,
        cursor: Option<&str>,
    ) -> Result<Page> {
        let path = list_path(system, Some(key), PAGE_LIMIT, cursor);
        let request = Request {
            operation: "find",
            ..read(&path, format!("find the quotes of opportunity {key}"))
        };
        self.http.send(call, &request).await
    }
}

fn list_path(system: &str, key: Option<&OpportunityKey>, limit: u32, cursor: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::for_suffix(String::from("quotes?"), 7);
    query.append_pair("system", system);
    if let Some(key) = key {
        query.append_pair("opportunity", key.as_str());
    }
    query.append_pair("limit", &limit.to_string());
    if let Some(cursor) = cursor {
        query.append_pair("cursor", cursor);
    }
    query.finish()
}

fn read(path: &str, what: String) -> Request<'_> {
    Request {
        method: Method::GET,
        path,
        body: None,
        key: None,
        etag: None,
        what,
        operation: "read",
    }
}

fn json(body: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(body)
        .map_err(|cause| Error::new(Code::Internal, "a request to the CPQ cannot be written").cause(cause))
}
