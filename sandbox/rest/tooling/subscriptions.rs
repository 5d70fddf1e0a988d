//! ManagedEventSubscription: the one object of the tooling API that can be written ("ManagedEventSubscription",
//! Tooling API Developer Guide).

use super::super::door::{Ask, Door};
use super::super::{DataResponse, answer};
use crate::org::subscriptions::{Subscription, SubscriptionChange, SubscriptionSpec};
use crate::org::{ApiError, Id};
use crate::state::API_VERSION;
use http::{Method, StatusCode};
use serde_json::{Map, Value as Json, json};

/// Name of the object.
pub const OBJECT: &str = "ManagedEventSubscription";

impl Door<'_> {
    /// Creates, changes or deletes a subscription.
    pub(super) fn write_subscription(&mut self, ask: &Ask, rest: &[&str]) -> Result<DataResponse, ApiError> {
        match (&ask.method, rest) {
            (&Method::POST, []) => self.create_subscription(ask),
            (&Method::PATCH, [id]) => {
                let name = self.subscription_named_by(id)?;
                let mut metadata = metadata_of(ask)?;
                // What says how it was written down, or cannot be changed.
                for key in ["topicName", "version", "urls"] {
                    metadata.shift_remove(key);
                }
                let change: SubscriptionChange = read(metadata)?;
                self.org.subscriptions_mut().change(&name, &change);
                Ok(answer(StatusCode::NO_CONTENT, None))
            }
            (&Method::DELETE, [id]) => {
                let name = self.subscription_named_by(id)?;
                self.org.subscriptions_mut().delete(&name);
                Ok(answer(StatusCode::NO_CONTENT, None))
            }
            (_, []) => Err(ask.not_allowed("GET,HEAD,POST")),
            _ => Err(ask.not_allowed("GET,HEAD,PATCH,DELETE")),
        }
    }

    fn create_subscription(&mut self, ask: &Ask) -> Result<DataResponse, ApiError> {
        let body = ask.object()?;
        let named = ["FullName", "DeveloperName"]
            .iter()
            .find_map(|key| body.get(*key)?.as_str());
        let name = named.ok_or_else(|| missing("FullName"))?.to_owned();
        let mut metadata = metadata_of(ask)?;
        for key in ["version", "urls"] {
            metadata.shift_remove(key);
        }
        metadata.insert("developerName".into(), name.clone().into());
        let spec: SubscriptionSpec = read(metadata)?;
        if self.org.subscriptions().named(&name).is_some() {
            let message = format!("The developer name {name} is already used.");
            return Err(ApiError::data(
                "DUPLICATE_DEVELOPER_NAME",
                message,
                &["DeveloperName"],
            ));
        }
        let made = self.org.subscriptions_mut().create(spec);
        let made = made.map_err(|why| ApiError::data("INVALID_INPUT", why, &[]))?;
        let body = json!({"id": made.id, "success": true, "errors": [], "warnings": [], "infos": []});
        Ok(answer(StatusCode::CREATED, Some(body)))
    }

    fn subscription_named_by(&self, id: &str) -> Result<String, ApiError> {
        let found = Id::parse(id).and_then(|_| self.org.subscriptions().with_id(id));
        found
            .map(|one| one.spec.developer_name.clone())
            .ok_or_else(ApiError::not_found)
    }
}

/// The columns of a subscription, all of them texts.
pub fn columns(one: &Subscription) -> Vec<(&'static str, String)> {
    let metadata = metadata(one);
    let said = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
    vec![
        ("DeveloperName", one.spec.developer_name.clone()),
        ("FullName", one.spec.developer_name.clone()),
        ("MasterLabel", said("label")),
        ("Language", "en_US".to_owned()),
        ("TopicName", said("topicName")),
        ("DefaultReplay", said("defaultReplay")),
        ("ErrorRecoveryReplay", said("errorRecoveryReplay")),
        ("State", said("state")),
        ("ManageableState", "unmanaged".to_owned()),
        ("Metadata", metadata.to_string()),
    ]
}

fn metadata(one: &Subscription) -> Json {
    let spec = &one.spec;
    json!({
        "label": spec.label, "topicName": spec.topic_name, "defaultReplay": spec.default_replay,
        "errorRecoveryReplay": spec.error_recovery_replay, "state": spec.state,
        "version": API_VERSION.parse::<f64>().unwrap_or_default(), "urls": null,
    })
}

/// Puts back the objects that stand in `Metadata` columns, which hold them as text.
pub fn unfold_metadata(record: &mut Json) {
    let text = record.get("Metadata").and_then(Json::as_str);
    if let Some(object) = text.and_then(|text| serde_json::from_str(text).ok()) {
        record["Metadata"] = object;
    }
}

fn metadata_of(ask: &Ask) -> Result<Map<String, Json>, ApiError> {
    match ask.object()?.shift_remove("Metadata") {
        Some(Json::Object(metadata)) => Ok(metadata),
        _ => Err(missing("Metadata")),
    }
}

fn missing(field: &str) -> ApiError {
    let message = format!("Required fields are missing: [{field}]");
    ApiError::data("REQUIRED_FIELD_MISSING", message, &[field])
}

fn read<T: serde::de::DeserializeOwned>(metadata: Map<String, Json>) -> Result<T, ApiError> {
    let read = serde_json::from_value(Json::Object(metadata));
    read.map_err(|error| ApiError::data("INVALID_INPUT", error.to_string(), &["Metadata"]))
}
