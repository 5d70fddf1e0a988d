//! `/composite/batch`: up to 25 independent sub-requests (REST API Developer Guide, Batch).

use super::composite::{check_count, read};
use super::door::{Ask, Door, Payload, Within};
use super::target::Version;
use super::{DataResponse, answer, ok, refused};
use crate::org::ApiError;
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value as Json, json};

/// Most sub-requests.
const PARTS: usize = 25;
/// Oldest version a sub-request may use.
const OLDEST: u16 = 34;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    #[serde(default)]
    halt_on_error: bool,
    batch_requests: Vec<Part>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    method: String,
    url: String,
    #[serde(default)]
    rich_input: Option<Json>,
}

impl Door<'_> {
    /// `POST /composite/batch`. Every part commits by itself and counts as a call.
    pub(super) fn batch(&mut self, ask: &Ask, version: &Version) -> Result<DataResponse, ApiError> {
        if ask.method != Method::POST {
            return Err(ask.not_allowed("POST"));
        }
        let batch: Batch = read(ask)?;
        check_count(batch.batch_requests.len(), PARTS, "subrequests")?;
        let mut results = Vec::with_capacity(batch.batch_requests.len());
        let mut failed = false;
        let mut cost = 0;
        for part in batch.batch_requests {
            let response = if failed && batch.halt_on_error {
                halted()
            } else {
                cost += 1;
                self.batch_part(part, version)
                    .unwrap_or_else(|error| refused(&error))
            };
            self.commit();
            failed |= response.status.as_u16() >= 400;
            results.push(json!({"statusCode": response.status.as_u16(), "result": response.body}));
        }
        Ok(DataResponse {
            cost: cost.max(1),
            ..ok(json!({"hasErrors": failed, "results": results}))
        })
    }

    fn batch_part(&mut self, part: Part, outer: &Version) -> Result<DataResponse, ApiError> {
        let relative = part.url.trim_start_matches('/');
        let relative = relative.strip_prefix("services/data/").unwrap_or(relative);
        let version = relative
            .split(['/', '?'])
            .next()
            .and_then(Version::parse)
            .ok_or_else(ApiError::not_found)?;
        if !(OLDEST..=outer.number).contains(&version.number) {
            let message = format!(
                "API version {} cannot be used in a batch of {}",
                version.text, outer.text
            );
            return Err(ApiError::bad("INVALID_BATCH_REQUEST", message));
        }
        let method: Method = part
            .method
            .to_ascii_uppercase()
            .parse()
            .map_err(|_| ApiError::bad("INVALID_INPUT", "Invalid HTTP method"))?;
        let payload = Payload::Json(part.rich_input.unwrap_or(Json::Null));
        let ask = Ask::parse(
            method,
            &format!("/services/data/{relative}"),
            HeaderMap::new(),
            payload,
        );
        Ok(self.answer(&ask, Within::Composite))
    }
}

fn halted() -> DataResponse {
    let error = ApiError::bad("BATCH_PROCESSING_HALTED", "Batch processing halted per request");
    answer(StatusCode::PRECONDITION_FAILED, Some(json!([error.to_json()])))
}
