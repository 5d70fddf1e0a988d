//! `cpq dlq`: syncs that failed for good: see them, group them, correct or give them up, plan their replay, and do it.

use std::time::Duration;

use cpq_api::{DeadLetterGroups, DeadLetterPage, Discarded};
use cpq_domain::Result;
use cpq_domain::error::{Code, Error, Report};
use cpq_domain::id::{CorrelationId, OpportunityKey};
use cpq_domain::replay::PlanId;
use cpq_domain::run::SyncResult;
use cpq_domain::world::World;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::cli::client::Client;
use crate::cli::conflicts::Side;
use crate::cli::output::Output;
use crate::cli::reconcile::when;
use crate::cli::sync::{line, segment};
use crate::config::Config;
use crate::world::RealWorld;

mod bar;
mod plans;
mod told;

/// How often to ask how far a plan has come.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// `cpq dlq`
#[derive(clap::Subcommand)]
pub enum Command {
    /// The dead letters, the last that died first.
    List {
        /// Only this state: open, replayed, settled or discarded; `all` for every one.
        #[arg(long, default_value = "open", value_parser = ["open", "replayed", "settled", "discarded", "all"])]
        state: String,
        #[command(flatten)]
        which: Which,
        /// Only this opportunity.
        #[arg(long)]
        opportunity: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// Older than the letter of this number.
        #[arg(long, value_name = "NUMBER")]
        before: Option<i64>,
    },
    /// One dead letter: why, what was done before, what to do.
    Show {
        /// Correlation id of the sync that died, e.g. csync-017.
        id: String,
    },
    /// One line for each cause: how many, since when, an example, what to do, whether a retry is safe.
    Group {
        /// Only this error code.
        #[arg(long)]
        code: Option<String>,
        /// Only what died since then: a moment, a day, or a span back from now such as 90m, 24h or 7d.
        #[arg(long, value_name = "WHEN")]
        since: Option<String>,
    },
    /// Plan a replay: freeze what is selected, look at both sides, and foretell what it will do. Writes to neither side.
    Plan {
        #[command(flatten)]
        which: Which,
        /// Only what died since then: a moment, a day, or a span back from now such as 90m, 24h or 7d.
        #[arg(long, value_name = "WHEN")]
        since: Option<String>,
        /// At most so many letters, the oldest first.
        #[arg(long)]
        limit: Option<u32>,
        /// Who asks.
        #[arg(long, env = "USER", value_name = "NAME")]
        by: Option<String>,
    },
    /// The last plans.
    Plans {
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// A plan, opportunity by opportunity: what it will do, and what became of it.
    ShowPlan {
        /// Its name, e.g. rp-001.
        plan: String,
    },
    /// Carry a plan out, or go on with one that rests or whose process died. A second time it writes nothing.
    Replay {
        /// Its name, e.g. rp-001.
        plan: String,
        /// The digest of the plan that was looked at; another plan is refused.
        #[arg(long)]
        digest: Option<String>,
        /// Opportunities that go first; else `replay.canary` of the configuration.
        #[arg(long, value_name = "N")]
        canary: Option<u32>,
        /// Share of failed syncs above which it stops, in percent; else `replay.error_percent`.
        #[arg(long, value_name = "PERCENT")]
        max_errors: Option<u32>,
        /// Syncs under way at once while there is no live traffic, at most 512; else `replay.at_once`.
        #[arg(long, value_name = "N")]
        at_once: Option<u32>,
    },
    /// Begin no more syncs of a plan; those under way end.
    Pause {
        /// Its name.
        plan: String,
    },
    /// The same, for good.
    Abort {
        /// Its name.
        plan: String,
    },
    /// Give dead letters up: one by its id, or all of a signature or code. Who, when and why is kept.
    Discard {
        /// Correlation id of the sync that died.
        #[arg(required_unless_present_any = ["signature", "code"], conflicts_with_all = ["signature", "code"])]
        id: Option<String>,
        #[command(flatten)]
        which: Which,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Who.
        #[arg(long, env = "USER", value_name = "NAME")]
        by: Option<String>,
    },
    /// Correct what nobody else can: the opportunity that the event meant, or a field that waits for a decision; then
    /// sync.
    Edit {
        /// Correlation id of the sync that died.
        id: String,
        /// The opportunity that the event meant.
        #[arg(long, conflicts_with = "field", required_unless_present = "field")]
        opportunity: Option<String>,
        /// A field with an open conflict, by its canonical name.
        #[arg(long)]
        field: Option<String>,
        /// Whose value of the field counts.
        #[arg(long, requires = "field", conflicts_with = "value")]
        take: Option<Side>,
        /// Another value of the field, which both sides get.
        #[arg(long, requires = "field", allow_hyphen_values = true)]
        value: Option<String>,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Who.
        #[arg(long, env = "USER", value_name = "NAME")]
        by: Option<String>,
    },
}

/// Which letters.
#[derive(clap::Args)]
pub struct Which {
    /// Only this signature, e.g. s-4f2a90c1d377; `cpq dlq group` shows them.
    #[arg(long)]
    signature: Option<String>,
    /// Only this error code.
    #[arg(long)]
    code: Option<String>,
}

/// Runs the command.
pub async fn run(command: Command, config: Config, output: Output) -> Result<u8> {
    check(&command)?;
    let client = Client::connect(&config).await?;
    let done = execute(&client, command, output).await;
    client.close().await;
    done
}

/// What can be refused without asking anybody is refused first.
fn check(command: &Command) -> Result<()> {
    match command {
        Command::Show { id } => CorrelationId::new(id).map(drop),
        Command::Edit { id, opportunity, .. } => {
            CorrelationId::new(id)?;
            opportunity
                .as_ref()
                .map(OpportunityKey::new)
                .transpose()
                .map(drop)
        }
        Command::Discard { id, .. } => id.as_ref().map(CorrelationId::new).transpose().map(drop),
        Command::ShowPlan { plan }
        | Command::Replay { plan, .. }
        | Command::Pause { plan }
        | Command::Abort { plan } => PlanId::parse(plan).map(drop),
        Command::List { .. } | Command::Group { .. } | Command::Plan { .. } | Command::Plans { .. } => Ok(()),
    }
}

async fn execute(client: &Client, command: Command, output: Output) -> Result<u8> {
    match command {
        Command::List { .. } => list(client, command, output).await,
        Command::Show { id } => {
            let letter: Json = client.get(&letter_path(&id)).await?.json()?;
            output.data(&letter, || told::letter(&letter));
            Ok(0)
        }
        Command::Group { code, since } => {
            let query = query([("code", code), ("since", moment(since)?)]);
            let groups: DeadLetterGroups = client
                .get(&format!("/api/v1/dead-letters/groups?{query}"))
                .await?
                .json()?;
            output.data(&groups, || told::groups(&groups.groups));
            Ok(0)
        }
        Command::Plan {
            which,
            since,
            limit,
            by,
        } => {
            let selected = json!({"signature": which.signature, "code": which.code, "since": moment(since)?, "limit": limit});
            plan(client, &json!({"which": selected, "by": by}), output).await
        }
        Command::Plans { limit } => {
            let page: Json = client
                .get(&format!("/api/v1/replays?limit={limit}"))
                .await?
                .json()?;
            output.data(&page, || plans::plans(&page));
            Ok(0)
        }
        Command::ShowPlan { plan } => show_plan(client, &plan, output).await,
        Command::Replay {
            plan,
            digest,
            canary,
            max_errors,
            at_once,
        } => {
            let body =
                json!({"digest": digest, "canary": canary, "errorPercent": max_errors, "atOnce": at_once});
            replay(client, &plan, &body, output).await
        }
        Command::Pause { plan } => halt(client, &plan, "pause", output).await,
        Command::Abort { plan } => halt(client, &plan, "abort", output).await,
        Command::Discard {
            id,
            which,
            reason,
            by,
        } => discard(client, id, which, json!({"reason": reason, "by": by}), output).await,
        Command::Edit { .. } => edit(client, command, output).await,
    }
}

async fn list(client: &Client, command: Command, output: Output) -> Result<u8> {
    let Command::List {
        state,
        which,
        opportunity,
        limit,
        before,
    } = command
    else {
        return Ok(0);
    };
    let query = query([
        ("limit", Some(limit.to_string())),
        ("state", Some(state).filter(|state| state != "all")),
        ("signature", which.signature),
        ("code", which.code),
        ("opportunity", opportunity),
        ("before", before.map(|number| number.to_string())),
    ]);
    let page: DeadLetterPage = client
        .get(&format!("/api/v1/dead-letters?{query}"))
        .await?
        .json()?;
    output.data(&page, || told::letters(&page.letters));
    if let Some(next) = page.next {
        output.say(format!("more: --before {next}; by cause: `cpq dlq group`"));
    }
    Ok(0)
}

async fn discard(
    client: &Client,
    id: Option<String>,
    which: Which,
    mut body: Json,
    output: Output,
) -> Result<u8> {
    let Some(id) = id else {
        body["which"] = json!({"signature": which.signature, "code": which.code});
        let answer = client
            .call(Method::POST, "/api/v1/dead-letters/discard", &[], &body)
            .await?;
        let done: Discarded = answer.json()?;
        output.data(&done, || format!("discarded={}", done.discarded));
        return Ok(0);
    };
    let path = format!("{}/discard", letter_path(&id));
    let letter: Json = client.call(Method::POST, &path, &[], &body).await?.json()?;
    output.data(&letter, || format!("discarded={id}"));
    Ok(0)
}

async fn edit(client: &Client, command: Command, output: Output) -> Result<u8> {
    let Command::Edit {
        id,
        opportunity,
        field,
        take,
        value,
        reason,
        by,
    } = command
    else {
        return Ok(0);
    };
    let take = match (&take, &value, &field) {
        (Some(Side::Crm), ..) => Some("crm"),
        (Some(Side::Cpq), ..) => Some("cpq"),
        (None, Some(_), _) => Some("value"),
        (None, None, Some(_)) => {
            return Err(Error::new(
                Code::RequestInvalid,
                "--field needs --take crm, --take cpq or --value",
            ));
        }
        (None, None, None) => None,
    };
    let body = json!({"opportunity": opportunity, "field": field, "take": take, "value": value, "reason": reason, "by": by});
    let path = format!("{}/correct", letter_path(&id));
    let answer = client
        .call(Method::POST, &path, &[("prefer", "wait=20")], &body)
        .await?;
    let result: SyncResult = answer.json()?;
    output.data(&result, || line(&result));
    Ok(if result.status == "success" { 0 } else { 2 })
}

async fn plan(client: &Client, body: &Json, output: Output) -> Result<u8> {
    let begun: Json = client
        .call(Method::POST, "/api/v1/replays", &[], body)
        .await?
        .json()?;
    let plan = follow(client, told::text(&begun["id"]), "planning").await?;
    output.data(&plan, || plans::plan(&plan));
    if told::text(&plan["state"]) == "planned" {
        let id = told::text(&plan["id"]);
        output.say(format!(
            "look closer: `cpq dlq show-plan {id}`; carry it out: `cpq dlq replay {id}`"
        ));
        return Ok(0);
    }
    Ok(tell_failure(&plan, output))
}

async fn show_plan(client: &Client, id: &str, output: Output) -> Result<u8> {
    let mut plan: Json = client.get(&plan_path(id)).await?.json()?;
    let items: Json = client
        .get(&format!("{}/items?limit=200", plan_path(id)))
        .await?
        .json()?;
    let more = !items["next"].is_null();
    plan["items"] = items["items"].clone();
    output.data(&plan, || {
        format!("{}\n\n{}", plans::plan(&plan), plans::items(&plan["items"]))
    });
    if more {
        output.say(format!(
            "only the first 200 are shown; GET {}/items has all of them",
            plan_path(id)
        ));
    }
    Ok(0)
}

async fn replay(client: &Client, id: &str, body: &Json, output: Output) -> Result<u8> {
    let before: Json = client.get(&plan_path(id)).await?.json()?;
    let was_done = told::text(&before["state"]) == "done";
    let path = format!("{}/start", plan_path(id));
    let begun: Json = client.call(Method::POST, &path, &[], body).await?.json()?;
    let plan = follow(client, told::text(&begun["id"]), "running").await?;
    output.data(&plan, || plans::result(&plan, was_done));
    match told::text(&plan["state"]) {
        "done" if plan["progress"]["failed"].as_u64() == Some(0) => Ok(0),
        "done" => Ok(1),
        _ => Ok(tell_failure(&plan, output)),
    }
}

async fn halt(client: &Client, id: &str, what: &str, output: Output) -> Result<u8> {
    let path = format!("{}/{what}", plan_path(id));
    let begun: Json = client.call(Method::POST, &path, &[], &json!({})).await?.json()?;
    let plan = follow(client, told::text(&begun["id"]), "running").await?;
    output.data(&plan, || plans::result(&plan, false));
    Ok(0)
}

/// Asks until the plan is no longer in `state`, and shows how far it has come.
async fn follow(client: &Client, id: &str, state: &str) -> Result<Json> {
    let progress = bar::Progress::new();
    loop {
        let plan: Json = client.get(&plan_path(id)).await?.json()?;
        if told::text(&plan["state"]) != state {
            progress.clear();
            return Ok(plan);
        }
        if plan["alive"] == json!(false) {
            progress.clear();
            let message = format!("the process that worked on {id} gives no sign of life any more");
            return Err(Error::new(Code::Internal, message)
                .next(format!("go on with `cpq dlq replay {id}`; nothing is done twice")));
        }
        progress.show(&plan);
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn tell_failure(plan: &Json, output: Output) -> u8 {
    let failure = serde_json::from_value::<Report>(plan["progress"]["failure"].clone());
    if let (Ok(report), false) = (failure, output.json) {
        output.error(&Error::from(report), None);
    }
    let (id, state) = (told::text(&plan["id"]), told::text(&plan["state"]));
    output.say(format!(
        "{id} is {state}: {}",
        told::text(&plan["progress"]["reason"])
    ));
    if state != "aborted" {
        output.say(format!(
            "go on with `cpq dlq replay {id}`, or end it with `cpq dlq abort {id}`"
        ));
    }
    2
}

fn letter_path(id: &str) -> String {
    format!("/api/v1/dead-letters/{}", segment(id))
}

fn plan_path(id: &str) -> String {
    format!("/api/v1/replays/{}", segment(id))
}

fn moment(text: Option<String>) -> Result<Option<String>> {
    let read = text
        .map(|text| when::read(&text, RealWorld::new().now()))
        .transpose()?;
    Ok(read.map(|moment| moment.to_string()))
}

fn query<const N: usize>(pairs: [(&str, Option<String>); N]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
    }
    query.finish()
}
