//! Topics: what can be subscribed to and published on.

use std::sync::Arc;

/// A topic that the org has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Name such as `/data/OpportunityChangeEvent`, `/event/Order_Shipped__e`, `/data/ChangeEvents`.
    pub name: Arc<str>,
    /// Names of the events it carries (`OpportunityChangeEvent`, `Order_Shipped__e`); none means every change event.
    pub carries: Option<Vec<Arc<str>>>,
    /// Id of the schema of new events; empty for a channel of several kinds.
    pub schema_id: Arc<str>,
    /// Platform events can be published; change events only come from the org itself.
    pub can_publish: bool,
}

/// Why there is no such topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTopic {
    /// The name is blank.
    Blank,
    /// Nothing has this name.
    Unknown,
}
