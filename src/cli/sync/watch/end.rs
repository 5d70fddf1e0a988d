//! When watching ends by itself.

use std::time::Duration;

use cpq_api::{Happened, SyncPage};
use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::run::RunState;

use super::Args;
use super::filter::{Filter, report, state_after};
use super::shown::Shown;
use crate::cli::client::Client;
use crate::cli::sync::line;

/// How long nothing happens before it is asked whether anything is under way. The stream is half a second behind.
const QUIET: Duration = Duration::from_secs(1);
/// How often to look whether the stream still lives, where nothing else is asked.
const ALIVE: Duration = Duration::from_secs(20);
/// Looks in a row that find nothing under way. Between them the events of what has just ended come in.
const LOOKS: u32 = 2;

/// What is waited for.
pub(super) enum Until {
    /// Ctrl-C.
    Stopped,
    /// Nothing is queued or running; so many looks in a row have found that.
    Idle(u32),
    /// A sync ends.
    End,
}

impl Until {
    pub(super) fn new(args: &Args) -> Result<Until> {
        match (args.until_idle, args.until_end) {
            (true, _) => Ok(Until::Idle(0)),
            (_, true) if args.opportunity.is_none() && args.correlation.is_none() => {
                let message = "--until-end does not say the end of which sync";
                Err(Error::new(Code::RequestInvalid, message)
                    .next("add --correlation ID or --opportunity KEY, or say --until-idle"))
            }
            (_, true) => Ok(Until::End),
            (false, false) => Ok(Until::Stopped),
        }
    }

    /// How long to wait for an event before [`Until::quiet`] is asked.
    pub(super) fn patience(&self) -> Duration {
        match self {
            Until::Idle(_) => QUIET,
            Until::Stopped | Until::End => ALIVE,
        }
    }

    /// Something happened.
    pub(super) fn active(&mut self) {
        if let Until::Idle(looks) = self {
            *looks = 0;
        }
    }

    /// The exit status if what is waited for is there already: a sync that has ended has no further events.
    pub(super) async fn at_once(
        &self,
        filter: &Filter,
        client: &Client,
        shown: &Shown,
    ) -> Result<Option<u8>> {
        let (Until::End, Some(correlation)) = (self, &filter.correlation) else {
            return Ok(None);
        };
        let sync = report(client, correlation).await?;
        let ended =
            |state: &RunState| state.as_str() == sync.result.status || told_as(*state) == sync.result.status;
        let state = RunState::ALL.into_iter().find(ended);
        let code = state.and_then(exit);
        if code.is_some() {
            shown.now(&sync, || line(&sync.result));
        }
        Ok(code)
    }

    /// The exit status if the event is the end that is waited for.
    pub(super) fn after(&self, happened: &Happened) -> Option<u8> {
        match self {
            Until::End => state_after(happened).and_then(exit),
            Until::Stopped | Until::Idle(_) => None,
        }
    }

    /// The exit status if nothing is under way any more. A question that failed is asked again.
    pub(super) async fn quiet(&mut self, filter: &Filter, client: &Client) -> Option<u8> {
        let Until::Idle(looks) = self else {
            return None;
        };
        match is_idle(filter, client).await {
            Ok(true) => *looks += 1,
            Ok(false) | Err(_) => *looks = 0,
        }
        (*looks >= LOOKS).then_some(0)
    }
}

/// The word of the API for a state, where it is another one.
fn told_as(state: RunState) -> &'static str {
    match state {
        RunState::Succeeded => "success",
        other => other.as_str(),
    }
}

/// The exit status of a sync that goes no further by itself.
fn exit(state: RunState) -> Option<u8> {
    match state {
        RunState::Succeeded => Some(0),
        RunState::Waiting | RunState::Superseded | RunState::Dead | RunState::Cancelled => Some(1),
        RunState::Queued | RunState::Running | RunState::Parked => None,
    }
}

async fn is_idle(filter: &Filter, client: &Client) -> Result<bool> {
    for state in ["queued", "running"] {
        let mut before: Option<String> = None;
        loop {
            let page = page(filter, client, state, before.as_deref()).await?;
            if page.syncs.iter().any(|sync| filter.lists(sync)) {
                return Ok(false);
            }
            before = page.next;
            if before.is_none() {
                break;
            }
        }
    }
    Ok(true)
}

async fn page(filter: &Filter, client: &Client, state: &str, before: Option<&str>) -> Result<SyncPage> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("state", state).append_pair("limit", "200");
    for (name, value) in [("opportunity", filter.opportunity.as_deref()), ("before", before)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    client
        .get(&format!("/api/v1/sync?{}", query.finish()))
        .await?
        .json()
}
