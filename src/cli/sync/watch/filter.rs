//! Which syncs are watched, and which of their events are shown.

use cpq_api::{Happened, SyncReport};
use cpq_domain::Result;
use cpq_domain::event::EventKind;
use cpq_domain::fold::leads_to;
use cpq_domain::id::{ConnectionName, CorrelationId, OpportunityKey};
use cpq_domain::run::RunState;

use super::Args;
use crate::cli::client::Client;
use crate::cli::sync::segment;

/// What the arguments name.
pub(super) struct Filter {
    pub(super) opportunity: Option<String>,
    pub(super) correlation: Option<String>,
    connection: Option<String>,
    states: Vec<String>,
}

impl Filter {
    /// What can be refused without asking anybody is refused first.
    pub(super) fn new(args: &Args) -> Result<Filter> {
        args.opportunity.as_ref().map(OpportunityKey::new).transpose()?;
        args.correlation.as_ref().map(CorrelationId::new).transpose()?;
        args.connection.as_ref().map(ConnectionName::new).transpose()?;
        Ok(Filter {
            opportunity: args.opportunity.clone(),
            correlation: args.correlation.clone(),
            connection: args.connection.clone(),
            states: args.states.clone(),
        })
    }

    /// Finds out our own name of a sync that was named by its caller's: events carry ours.
    pub(super) async fn resolve(&mut self, client: &Client) -> Result<()> {
        if let Some(named) = &self.correlation {
            let sync = report(client, named).await?;
            self.correlation = Some(sync.result.correlation_id.to_string());
        }
        Ok(())
    }

    /// Whether the event is one of the syncs that are watched.
    pub(super) fn is_about(&self, happened: &Happened) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        is(&self.opportunity, &happened.opportunity)
            && is(&self.correlation, &happened.correlation_id)
            && is(&self.connection, &happened.connection)
    }

    /// Whether the event is shown.
    pub(super) fn wants(&self, happened: &Happened) -> bool {
        let state = state_after(happened).map(RunState::as_str);
        self.states.is_empty() || state.is_some_and(|state| self.states.iter().any(|wanted| wanted == state))
    }

    /// Whether a sync of the list is one of those that are watched.
    pub(super) fn lists(&self, sync: &SyncReport) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        is(&self.correlation, sync.result.correlation_id.as_str()) && is(&self.connection, &sync.connection)
    }
}

/// The state of the sync behind the event; `None` where the event leaves it as it was, or is of a newer version.
pub(super) fn state_after(happened: &Happened) -> Option<RunState> {
    EventKind::parse(&happened.kind).and_then(leads_to)
}

/// A sync as it is now.
pub(super) async fn report(client: &Client, correlation: &str) -> Result<SyncReport> {
    let path = format!("/api/v1/sync/{}", segment(correlation));
    client.get(&path).await?.json()
}
