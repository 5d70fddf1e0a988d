//! What the org is told to send, and when, as scenarios and the control plane write it.

use super::condition::Condition;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Time an Apex or Flow callout waits unless told otherwise (Apex Developer Guide, Callout Limits and Limitations).
const CALLOUT_TIMEOUT_MILLIS: u64 = 10_000;
/// Wait before the first repetition of a callout whose rule asks for repetitions but names no time.
const FIRST_RETRY_MILLIS: u64 = 1_000;

/// Everything the org sends.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rules {
    /// SOAP messages.
    pub outbound_messages: Vec<OutboundMessage>,
    /// JSON requests.
    pub callouts: Vec<Callout>,
    /// Login names of users whose changes send no outbound messages: in a real org, users whose profile lacks the
    /// permission "Send Outbound Messages" (SOAP API Developer Guide, Setting Up User Profiles).
    pub muted_users: Vec<String>,
}

/// An outbound message together with the condition that sends it. Names follow `WorkflowOutboundMessage` of the
/// Metadata API; the condition stands for the flow or workflow rule that would use it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutboundMessage {
    /// API name, unique among outbound messages.
    pub name: String,
    /// Object whose changes send it.
    pub object: String,
    /// Which changes.
    #[serde(default)]
    pub when: Condition,
    /// Fields to send; the id is always sent.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Where to; loopback only.
    pub endpoint_url: String,
    /// Whether to send a session of the integration user. Salesforce ended this in February 2026.
    #[serde(default)]
    pub include_session_id: bool,
    /// Login name of the user to send as; the org's first user when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration_user: Option<String>,
    /// API version that the URLs of the message speak of.
    #[serde(default = "newest")]
    pub api_version: String,
    /// An inactive one is not sent; what is queued already still is.
    #[serde(default = "yes")]
    pub active: bool,
}

/// A JSON request that a flow or an Apex job would send after a commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Callout {
    /// API name, unique among callouts.
    pub name: String,
    /// Object whose changes send it.
    pub object: String,
    /// Which changes.
    #[serde(default)]
    pub when: Condition,
    /// Fields of the default body; the id is always among them.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Body with merge fields such as `{!$Record.Name}`; without it, `type`, `timestamp` and `data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Json>,
    /// Where to; loopback only.
    pub endpoint_url: String,
    /// Headers, whose values may hold merge fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Secret (`whsec_` and base64) to sign with; without it nothing is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// How long the endpoint may take, in milliseconds of the machine's time.
    #[serde(default = "callout_timeout")]
    pub timeout_millis: u64,
    /// Repetitions after a failure; none when absent, as in Salesforce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// An inactive one is not sent; what is queued already still is.
    #[serde(default = "yes")]
    pub active: bool,
}

/// How a failed callout is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    /// Tries in all, the first one included.
    pub attempts: u32,
    /// Milliseconds of the sandbox's time before the second try; then doubled each time.
    #[serde(default = "first_retry")]
    pub first_millis: u64,
}

impl Rules {
    /// Whether nothing is ever sent.
    pub fn is_empty(&self) -> bool {
        self.outbound_messages.is_empty() && self.callouts.is_empty()
    }

    /// Appends these rules.
    pub fn add(&mut self, more: &Rules) {
        self.outbound_messages.extend_from_slice(&more.outbound_messages);
        self.callouts.extend_from_slice(&more.callouts);
        self.muted_users.extend_from_slice(&more.muted_users);
    }

    /// The outbound message of this name.
    pub fn outbound_message(&self, name: &str) -> Option<&OutboundMessage> {
        self.outbound_messages.iter().find(|rule| rule.name == name)
    }

    /// The callout of this name.
    pub fn callout(&self, name: &str) -> Option<&Callout> {
        self.callouts.iter().find(|rule| rule.name == name)
    }
}

fn newest() -> String {
    crate::state::API_VERSION.to_owned()
}

fn yes() -> bool {
    true
}

fn callout_timeout() -> u64 {
    CALLOUT_TIMEOUT_MILLIS
}

fn first_retry() -> u64 {
    FIRST_RETRY_MILLIS
}
