//! The public face of the service: JSON over HTTP for people's programs, signed webhooks, Salesforce's outbound messages, health and figures.
//!
//! The way in is [`router`], made of an [`ApiState`], and [`serve`], which puts it on a listener. But
//! for a login and its end, a request never calls a CRM by itself: it submits a run to the engine and at most waits for it.
//!
//! What holds for every route is in two layers: the frame gives each request a name, limits its head, and brings every
//! failure into one shape; the door ([`access::ROUTES`]) knows for every route which key it needs, before the body is
//! read.

pub mod access;
pub mod audit;
pub mod browsers;
pub mod connections;
pub mod feeds;
pub mod limits;
mod links;
pub mod sessions;
pub mod tokens;

mod answer;
mod asked;
mod caller;
mod certificates;
mod conflicts;
mod dead_letters;
mod decided;
mod deleted;
mod document;
mod events;
mod failure;
mod fingerprint;
mod frame;
mod habits;
mod health;
mod input;
mod logins;
mod metrics;
#[cfg(test)]
#[path = "../../tests/mutation/mod.rs"]
mod mutation;
mod origin;
mod outbound;
mod ownership;
mod plan;
mod quotes;
mod reach;
mod reconcile;
mod replays;
mod router;
mod serve;
mod signature;
#[cfg(test)]
mod spoilt;
mod state;
mod statistics;
mod strict;
mod sync;
mod throttle;
mod timeline;
mod tls;
mod traced;
mod undo;
mod webhooks;
mod why;

pub use certificates::{CertificatePage, CertificateView};
pub use conflicts::{ConflictDecided, ConflictPage};
pub use dead_letters::{DeadLetterGroups, DeadLetterPage, DeadLetterReport, Discarded};
pub use decided::{SyncDecision, SyncDecisions};
pub use document::{openapi, openapi_json};
pub use events::Happened;
pub use frame::{Origin, around};
pub use habits::ConflictStatistics;
pub use input::gathered;
pub use links::Links;
pub use logins::{ConnectedReport, DisconnectReport, LoginBegun};
pub use metrics::Figures;
pub use outbound::{OutboundSettings, PathSecret};
pub use ownership::OwnershipMatrix;
pub use plan::{PlannedCall, SyncPlan};
pub use reconcile::{DifferingPage, ReconcilePage, ReconcileView};
pub use replays::{ReplayItemPage, ReplayPlan, ReplayPlanPage};
pub use router::router;
pub use serve::{Peer, serve};
pub use signature::WebhookSecret;
pub use state::{
    ApiSettings, ApiState, Findings, Hosts, InForce, MatrixSource, Organizations, Readiness, Welcome,
};
pub use statistics::{SyncHour, SyncStatistics, count_syncs};
pub use throttle::{Rate, Throttle};
pub use timeline::{Stage, StageStatus, SyncPage, SyncReport};
pub use tls::Tls;
pub use undo::{UndoEntry, UndoReport};
pub use why::{FieldHistory, FieldPassage};
