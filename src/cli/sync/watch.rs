//! `cpq sync watch`: syncs as they go, over the service's stream of events.
//!
//! The stream says at its beginning where it stands, and each event has its place as its id. A reader that is cut off
//! goes on behind the last id that it saw, so nothing is lost and nothing comes twice, whatever becomes of the service.

mod end;
mod filter;
mod shown;
mod sse;

use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::error::{Class, Code, Error};

use crate::cli::client::Client;
use crate::cli::output::Output;
use crate::cli::serve::until_stopped;
use crate::config::Config;
use end::Until;
use filter::Filter;
use shown::Shown;
use sse::{Next, Stream};

const EVENTS: &str = "/api/v1/events";
/// Pause between two looks for a service that has gone.
const LOOK: Duration = Duration::from_millis(500);

/// `cpq sync watch`
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cpq sync watch                                             everything, until Ctrl-C
  cpq sync watch --opportunity OPP-4482 --until-end          until its next sync has ended
  cpq sync watch --correlation csync-017 --until-end --json  one object per line, for programs
  cpq sync watch --state dead --state waiting                only what needs somebody
  cpq sync watch --until-idle                                until no sync is queued or running

A service must run (`cpq serve`), in the same state directory. The command takes its own token from there, as all others
do; a token of yours needs the scope sync:read for GET /api/v1/events, which is where this comes from.

Exit status: 0 it was ended by Ctrl-C, or --until-idle came true, or the sync of --until-end succeeded; 1 that sync
ended otherwise or waits for a person; 2 the service refused or failed.")]
pub struct Args {
    /// Only syncs of this opportunity, by the name that they were asked for with: OPP-4482 or the CRM's id.
    #[arg(long, value_name = "KEY")]
    opportunity: Option<String>,
    /// Only this sync: its correlation id, ours or yours.
    #[arg(long, value_name = "ID", conflicts_with = "opportunity")]
    correlation: Option<String>,
    /// Only events by which a sync is in this state; several with a further --state.
    #[arg(long = "state", value_name = "STATE",
        value_parser = ["queued", "running", "parked", "waiting", "succeeded", "superseded", "dead", "cancelled"])]
    states: Vec<String>,
    /// Only syncs of this CRM connection.
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// End once no sync is queued or running. Parked ones are tried again later, and are not waited for.
    #[arg(long, conflicts_with = "until_end")]
    until_idle: bool,
    /// End with the sync: that of --correlation, or the next one of --opportunity that ends.
    #[arg(long)]
    until_end: bool,
}

/// Runs the command.
pub async fn run(args: Args, config: &Config, output: Output) -> Result<u8> {
    let mut filter = Filter::new(&args)?;
    let until = Until::new(&args)?;
    let client = Client::running(config).await?.ok_or_else(not_running)?;
    filter.resolve(&client).await.map_err(explained)?;
    let shown = Shown::new(output);
    let watch = Watch {
        config,
        filter,
        until,
        shown: &shown,
        position: None,
    };
    let code = tokio::select! {
        code = watch.follow(client) => code,
        () = until_stopped() => Ok(0),
    };
    shown.close();
    code
}

struct Watch<'a> {
    config: &'a Config,
    filter: Filter,
    until: Until,
    shown: &'a Shown,
    /// Id of the last event that was seen, or where the first stream began.
    position: Option<i64>,
}

/// Why a stream is no longer read.
enum Cut {
    /// What was waited for is there.
    Done(u8),
    /// The service ended the stream.
    Ended,
    /// It was cut off, for this reason.
    Lost(String),
}

impl Watch<'_> {
    async fn follow(mut self, mut client: Client) -> Result<u8> {
        loop {
            let cut = match client.follow(EVENTS, self.position).await {
                Ok(Some(response)) => self.read(&mut Stream::new(response), &client).await?,
                Ok(None) => Cut::Ended,
                Err(error) if !may_pass(&error) => return Err(explained(error)),
                Err(error) => {
                    tokio::time::sleep(error.retry_after_ms.map_or(LOOK, Duration::from_millis)).await;
                    Cut::Lost(error.to_string())
                }
            };
            match cut {
                Cut::Done(code) => return Ok(code),
                Cut::Ended => {}
                Cut::Lost(why) => self.shown.say(format!("the stream was cut off: {why}")),
            }
            client = self.again().await?;
            let behind = self
                .position
                .map_or(String::new(), |id| format!(" behind event {id}"));
            self.shown.say(format!(
                "going on{behind} at {}; nothing was missed",
                client.base()
            ));
        }
    }

    /// Reads until the stream ends, or what was waited for is there.
    async fn read(&mut self, stream: &mut Stream, client: &Client) -> Result<Cut> {
        loop {
            match stream.next(self.until.patience()).await {
                Next::Message(message) => {
                    if let Some(id) = message.id {
                        let first = self.position.replace(id).is_none();
                        if first && let Some(code) = self.begin(client).await? {
                            return Ok(Cut::Done(code));
                        }
                    }
                    let Some(happened) = message.happened()? else {
                        continue;
                    };
                    self.until.active();
                    if !self.filter.is_about(&happened) {
                        continue;
                    }
                    if self.filter.wants(&happened) {
                        self.shown.event(self.position.unwrap_or_default(), &happened);
                    }
                    if let Some(code) = self.until.after(&happened) {
                        return Ok(Cut::Done(code));
                    }
                }
                Next::Quiet => {
                    if let Some(code) = self.until.quiet(&self.filter, client).await {
                        return Ok(Cut::Done(code));
                    }
                }
                Next::Ended => return Ok(Cut::Ended),
                Next::Lost(why) => return Ok(Cut::Lost(why)),
            }
        }
    }

    /// From here on no event is missed, so what is asked now is true, or an event will say otherwise.
    async fn begin(&self, client: &Client) -> Result<Option<u8>> {
        self.shown
            .say(format!("watching {}; end it with Ctrl-C", client.base()));
        self.until.at_once(&self.filter, client, self.shown).await
    }

    /// Waits for the service, under whatever address it comes back.
    async fn again(&self) -> Result<Client> {
        let mut told = false;
        loop {
            match Client::running(self.config).await {
                Ok(Some(client)) => return Ok(client),
                Err(error) if !may_pass(&error) => return Err(error),
                Ok(None) | Err(_) => {}
            }
            if !std::mem::replace(&mut told, true) {
                self.shown.say(
                    "the service does not answer; waiting for it. Start it with `cpq serve`, or end this with Ctrl-C",
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// A service that stops, starts, or has no free place among its readers is asked again.
fn may_pass(error: &Error) -> bool {
    matches!(error.class(), Class::Unavailable | Class::RateLimited)
}

fn not_running() -> Error {
    Error::new(
        Code::NotFound,
        "no service runs in this state directory, and only a service has something to watch",
    )
    .next("start one with `cpq serve` in another terminal, or name the state directory of the one that runs: --state-dir DIR")
}

/// A refusal of the token means that the service has another store than we.
fn explained(error: Error) -> Error {
    match error.code {
        Code::Unauthenticated => error.next(
            "the service does not know this command's token, so it uses another store: give --state-dir and --store \
             as the service has them",
        ),
        Code::ScopeInsufficient => error.next(
            "the token in cli.token of the state directory lacks sync:read: remove the file, and it is made anew",
        ),
        _ => error,
    }
}
