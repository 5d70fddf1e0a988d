//! `cpq conflicts`: edits that lost, fields that wait for a person, and deciding them.

mod suggest;

use cpq_api::{ConflictDecided, ConflictPage};
use cpq_domain::Result;
use cpq_domain::conflict::{Claim, Conflict, ConflictState, Take};
use cpq_domain::error::{Code, Error};
use cpq_domain::id::ConflictId;
use cpq_domain::value::Value;
use reqwest::Method;
use serde_json::json;

use crate::cli::client::Client;
use crate::cli::output::{Output, table};
use crate::cli::sync::{pending, segment, short};
use crate::config::Config;

/// `cpq conflicts`
#[derive(clap::Subcommand)]
pub enum Command {
    /// The conflicts, newest first. Open ones wait for a person; settled ones were decided by the matrix.
    List {
        /// Only this state: open, settled, resolved or obsolete; `all` for every one.
        #[arg(long, default_value = "open")]
        state: String,
        /// Only this field, e.g. quote.valid_until.
        #[arg(long)]
        field: Option<String>,
        /// Only this opportunity.
        #[arg(long)]
        opportunity: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// Older than this one.
        #[arg(long, value_name = "ID")]
        before: Option<String>,
    },
    /// One conflict: both values, who set them, what they were before, and why it is one.
    Show {
        /// Its name, e.g. cf-001.
        id: String,
    },
    /// What past conflicts say: how many there were, whose value people took, and which rule could be better.
    Suggest {
        /// Days to look back.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=366))]
        days: u32,
    },
    /// Decide a conflict, and sync the opportunity so that both sides hold what was decided.
    Resolve {
        /// Its name, e.g. cf-001.
        id: String,
        /// Whose value counts.
        #[arg(
            long,
            value_name = "SIDE",
            required_unless_present = "value",
            conflicts_with = "value"
        )]
        take: Option<Side>,
        /// Another value, which both sides get: 12.50 USD, 12.5, 2026-12-31, a text. Empty clears.
        #[arg(long, value_name = "V", allow_hyphen_values = true)]
        value: Option<String>,
        /// Decide every open conflict of the same field and policy in the same way.
        #[arg(long)]
        all_like: bool,
        /// Why; kept with the decision and shown by `cpq why`.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// The version that was looked at; refused when the conflict has changed since.
        #[arg(long, value_name = "VERSION")]
        seen: Option<u32>,
        /// Who decides.
        #[arg(long, env = "USER", value_name = "NAME")]
        by: Option<String>,
    },
}

/// One of the two systems.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Side {
    /// The CRM.
    Crm,
    /// The CPQ.
    Cpq,
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
        Command::List { state, before, .. } => {
            let known = ConflictState::ALL
                .into_iter()
                .any(|known| known.as_str() == state);
            if !known && state != "all" {
                let message = format!("there is no state {state:?}");
                return Err(Error::new(Code::RequestInvalid, message)
                    .next("use open, settled, resolved, obsolete or all"));
            }
            before.as_ref().map(ConflictId::new).transpose().map(drop)
        }
        Command::Suggest { .. } => Ok(()),
        Command::Show { id } | Command::Resolve { id, .. } => ConflictId::new(id).map(drop),
    }
}

async fn execute(client: &Client, command: Command, output: Output) -> Result<u8> {
    match command {
        Command::List { .. } => list(client, command, output).await,
        Command::Show { id } => {
            let path = format!("/api/v1/conflicts/{}", segment(&id));
            let conflict: Conflict = client.get(&path).await?.json()?;
            output.data(&conflict, || shown(&conflict));
            Ok(0)
        }
        Command::Suggest { days } => suggest::run(client, days, output).await,
        Command::Resolve { .. } => resolve(client, command, output).await,
    }
}

async fn list(client: &Client, command: Command, output: Output) -> Result<u8> {
    let Command::List {
        state,
        field,
        opportunity,
        limit,
        before,
    } = command
    else {
        return Ok(0);
    };
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &limit.to_string());
    let narrowing = [
        ("state", Some(state).filter(|state| state != "all")),
        ("field", field),
        ("opportunity", opportunity),
        ("before", before),
    ];
    for (name, value) in narrowing {
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
    }
    let answer = client
        .get(&format!("/api/v1/conflicts?{}", query.finish()))
        .await?;
    let page: ConflictPage = answer.json()?;
    let head = [
        "CONFLICT",
        "STATE",
        "OPPORTUNITY",
        "FIELD",
        "CRM",
        "CPQ",
        "RULE",
        "UPDATED",
    ];
    output.data(&page, || table(&head, page.conflicts.iter().map(row)));
    if let Some(next) = &page.next {
        output.say(format!("older ones: --before {next}"));
    }
    Ok(0)
}

fn row(conflict: &Conflict) -> Vec<String> {
    vec![
        conflict.id.to_string(),
        conflict.state.as_str().to_owned(),
        conflict.opportunity().to_owned(),
        field(conflict),
        short(&conflict.crm.value),
        short(&conflict.cpq.value),
        format!("{} {}", conflict.owner.as_str(), conflict.policy.as_str()),
        conflict.updated_at.to_string(),
    ]
}

fn field(conflict: &Conflict) -> String {
    match &conflict.line {
        Some(line) => format!("{} [{line}]", conflict.field),
        None => conflict.field.to_string(),
    }
}

fn shown(conflict: &Conflict) -> String {
    let head = format!(
        "conflict={} state={} opportunity={} field={} version={}\n{}",
        conflict.id,
        conflict.state.as_str(),
        conflict.opportunity(),
        field(conflict),
        conflict.version,
        conflict.reason
    );
    let base = |value: &Option<Value>| value.as_ref().map_or("(none)".to_owned(), Value::to_string);
    let side = |name: &str, claim: &Claim, old: &Option<Value>| {
        let by = claim.name.as_deref().or(claim.by.as_deref()).unwrap_or("-");
        let at = claim.at.map_or("-".to_owned(), |at| at.to_string());
        let told = claim.source.as_deref().unwrap_or("-");
        vec![
            name.to_owned(),
            base(old),
            claim.value.to_string(),
            by.to_owned(),
            at,
            told.to_owned(),
        ]
    };
    let sides = [
        side("CRM", &conflict.crm, &conflict.base.crm),
        side("CPQ", &conflict.cpq, &conflict.base.cpq),
    ];
    let values = table(&["SIDE", "AGREED ON", "VALUE", "BY", "AT", "KNOWN FROM"], sides);
    let mut lines = vec![head, String::new(), values, String::new()];
    lines.push(format!(
        "rule: {} {}, matrix {}; last seen by {} at {}",
        conflict.owner.as_str(),
        conflict.policy.as_str(),
        conflict.matrix_version,
        conflict.correlation,
        conflict.updated_at
    ));
    if let Some(ruling) = &conflict.ruling {
        let why = ruling
            .reason
            .as_deref()
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        lines.push(format!(
            "decided: {} by {} at {}{why}",
            ruling.value, ruling.by, ruling.at
        ));
    }
    if let Some(outcome) = &conflict.outcome {
        lines.push(format!("outcome: {outcome}"));
    }
    lines.join("\n")
}

async fn resolve(client: &Client, command: Command, output: Output) -> Result<u8> {
    let Command::Resolve {
        id,
        take,
        value,
        all_like,
        reason,
        seen,
        by,
    } = command
    else {
        return Ok(0);
    };
    let take = match take {
        Some(Side::Crm) => Take::Crm,
        Some(Side::Cpq) => Take::Cpq,
        None => Take::Value,
    };
    let body = json!({
        "take": take, "value": value, "allLike": all_like, "reason": reason, "version": seen, "by": by,
    });
    let path = format!("/api/v1/conflicts/{}/resolve", segment(&id));
    let work = client.call(Method::POST, &path, &[("prefer", "wait=25")], &body);
    let decided: ConflictDecided = output.busy("carrying the decision out", work).await?.json()?;
    told(decided, all_like, output)
}

/// The conflict as it is now, then what else was decided. The answer is no while it is still open.
fn told(decided: ConflictDecided, all_like: bool, output: Output) -> Result<u8> {
    let conflict = &decided.conflict;
    output.data(&decided, || {
        let outcome = conflict.outcome.as_ref().map_or("-".to_owned(), Value::to_string);
        let correlation = decided
            .syncs
            .first()
            .map_or("-", |sync| sync.correlation_id.as_str());
        format!(
            "conflict={} state={} outcome={outcome} correlation={correlation}",
            conflict.id,
            conflict.state.as_str()
        )
    });
    if all_like {
        output.say(format!(
            "{} conflicts decided, {} opportunities synced",
            decided.decided.len(),
            decided.syncs.len()
        ));
    }
    if decided.more {
        output.say("there are more like it: repeat the command with one that is still open");
    }
    let failed = decided
        .syncs
        .iter()
        .find(|sync| sync.error.is_some() && sync.status != "success");
    if let Some((sync, report)) = failed.and_then(|sync| Some((sync, sync.error.clone()?))) {
        return Ok(pending(Error::from(report), &sync.correlation_id, output));
    }
    if conflict.state == ConflictState::Open {
        output.say(format!("still open: {}", conflict.reason));
        return Ok(1);
    }
    Ok(0)
}
