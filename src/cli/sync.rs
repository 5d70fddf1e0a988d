//! `cpq sync`: run one, see what it would do, see what it did.

mod plan;
mod undo;
mod watch;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::id::{ConnectionName, CorrelationId, IdempotencyKey, OpportunityKey};
use cpq_domain::purge::Purged;
use cpq_domain::run::SyncResult;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::cli::client::{Answer, Client};
use crate::cli::output::{Output, table};
use crate::config::Config;
use plan::plan;
pub use plan::short;

/// `cpq sync`
#[derive(clap::Subcommand)]
pub enum Command {
    #[command(flatten)]
    Work(Work),
    /// Follow syncs live, from their acceptance to their end.
    Watch(watch::Args),
}

/// What is done with a service that may live as long as the command.
#[derive(clap::Subcommand)]
pub enum Work {
    /// Sync one opportunity now and wait for the end.
    Run {
        /// Business number (OPP-4482) or CRM id.
        #[arg(long)]
        opportunity: String,
        /// Connection; the configured one if left out.
        #[arg(long)]
        connection: Option<String>,
        /// Do this request at most once, however often it is sent.
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
        /// A correlation id of your own, kept beside ours.
        #[arg(long, value_name = "ID")]
        correlation: Option<String>,
        /// Show field by field what would be done, and write nothing anywhere.
        #[arg(long)]
        dry_run: bool,
        /// Seconds to wait for the end.
        #[arg(long, default_value_t = 20, value_name = "SECONDS")]
        wait: u64,
    },
    /// Say what to do about a record that was deleted on one side.
    Deleted {
        /// Business number (OPP-4482) or CRM id of the opportunity.
        #[arg(long)]
        opportunity: String,
        /// Connection; the configured one if left out.
        #[arg(long)]
        connection: Option<String>,
        /// What is gone: the opportunity or the quote's own record in the CRM, or the quote in the CPQ.
        #[arg(long, default_value = "opportunity", value_parser = ["opportunity", "quote_record", "quote"])]
        record: String,
        /// Cancel the quote, leave the other record alone, or make the record again.
        #[arg(long, value_parser = ["archive", "unlink", "recreate"])]
        answer: String,
    },
    /// Every stage of a sync, with status, time and duration.
    Status {
        /// Correlation id, ours or yours.
        #[arg(long)]
        correlation: String,
    },
    /// Replay a sync that has ended: a fresh one of the same opportunity. Writes nothing if both sides agree.
    Replay {
        /// Correlation id, ours or yours.
        #[arg(long)]
        correlation: String,
    },
    /// Put back what syncs wrote, where it still stands: one sync, or all of a time. Without --apply it is only shown.
    Undo(undo::Args),
    /// The last syncs.
    List {
        /// Only this state, e.g. parked or dead.
        #[arg(long)]
        state: Option<String>,
        /// Only this opportunity.
        #[arg(long)]
        opportunity: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
}

/// Runs the command.
pub async fn run(command: Command, config: Config, output: Output) -> Result<u8> {
    let work = match command {
        Command::Work(work) => work,
        Command::Watch(args) => return watch::run(args, &config, output).await,
    };
    check(&work)?;
    let client = Client::connect(&config).await?;
    let done = execute(&client, work, output).await;
    client.close().await;
    done
}

/// What can be refused without asking anybody is refused first.
fn check(work: &Work) -> Result<()> {
    match work {
        Work::Run {
            opportunity,
            connection,
            idempotency_key,
            correlation,
            ..
        } => {
            OpportunityKey::new(opportunity)?;
            connection.as_ref().map(ConnectionName::new).transpose()?;
            idempotency_key.as_ref().map(IdempotencyKey::new).transpose()?;
            correlation.as_ref().map(CorrelationId::new).transpose()?;
        }
        Work::Deleted {
            opportunity,
            connection,
            ..
        } => {
            OpportunityKey::new(opportunity)?;
            connection.as_ref().map(ConnectionName::new).transpose()?;
        }
        Work::Status { correlation } | Work::Replay { correlation } => {
            drop(CorrelationId::new(correlation)?);
        }
        Work::Undo(args) => undo::check(args)?,
        Work::List { .. } => {}
    }
    Ok(())
}

async fn execute(client: &Client, work: Work, output: Output) -> Result<u8> {
    match work {
        Work::Run {
            opportunity,
            connection,
            dry_run: true,
            ..
        } => {
            output
                .busy("planning", plan(client, &opportunity, connection, output))
                .await
        }
        Work::Run {
            opportunity,
            connection,
            idempotency_key,
            correlation,
            wait,
            ..
        } => {
            let headers = Headers {
                idempotency_key,
                correlation,
                prefer: format!("wait={wait}"),
            };
            let words = format!("syncing {opportunity}");
            let answer = output
                .busy(&words, start(client, &opportunity, connection, &headers))
                .await?;
            told(&answer, output)
        }
        Work::Deleted {
            opportunity,
            connection,
            record,
            answer,
        } => {
            let path = format!("/api/v1/sync/opportunities/{}/deleted", segment(&opportunity));
            let mut body = body(connection);
            body["record"] = json!(record);
            body["answer"] = json!(answer);
            let call = client.call(Method::POST, &path, &[("prefer", "wait=20")], &body);
            told(&output.busy("answering", call).await?, output)
        }
        Work::Replay { correlation } => {
            let path = format!("/api/v1/sync/{}/replay", segment(&correlation));
            let body = json!({});
            let call = client.call(Method::POST, &path, &[("prefer", "wait=20")], &body);
            told(&output.busy("replaying", call).await?, output)
        }
        Work::Undo(args) => undo::run(client, args, output).await,
        Work::Status { correlation } => status(client, &correlation, output).await,
        Work::List {
            state,
            opportunity,
            limit,
        } => list(client, state, opportunity, limit, output).await,
    }
}

struct Headers {
    idempotency_key: Option<String>,
    correlation: Option<String>,
    prefer: String,
}

async fn start(
    client: &Client,
    opportunity: &str,
    connection: Option<String>,
    headers: &Headers,
) -> Result<Answer> {
    let mut list = vec![("prefer", headers.prefer.as_str())];
    list.extend(
        headers
            .idempotency_key
            .as_deref()
            .map(|key| ("idempotency-key", key)),
    );
    list.extend(headers.correlation.as_deref().map(|id| ("x-correlation-id", id)));
    let path = format!("/api/v1/sync/opportunities/{}", segment(opportunity));
    client.call(Method::POST, &path, &list, &body(connection)).await
}

fn body(connection: Option<String>) -> Json {
    match connection {
        Some(connection) => json!({ "connection": connection }),
        None => json!({}),
    }
}

/// Percent-encodes one path segment (RFC 3986 §3.3).
pub fn segment(text: &str) -> String {
    let mut url = url::Url::parse("http://localhost/").expect("a constant URL");
    url.path_segments_mut()
        .expect("an http URL has a path")
        .clear()
        .push(text);
    url.path().trim_start_matches('/').to_owned()
}

fn told(answer: &Answer, output: Output) -> Result<u8> {
    let result: SyncResult = answer.json()?;
    if let Some(outcome) = &result.outcome {
        outcome
            .warnings
            .iter()
            .for_each(|warning| output.say(format!("warning: {warning}")));
        if outcome.open_conflicts > 0 {
            output.say(format!(
                "warning: {} fields wait for a person's decision; see `cpq conflicts list`",
                outcome.open_conflicts
            ));
        }
    }
    output.data(&result, || line(&result));
    if result.status == "success" {
        return Ok(0);
    }
    match result.error {
        Some(report) => Ok(pending(Error::from(report), &result.correlation_id, output)),
        None => {
            output.say(format!(
                "hint: it goes on by itself; see `cpq sync status --correlation {}`",
                result.correlation_id
            ));
            Ok(2)
        }
    }
}

/// The line that tells a sync: status, quote and correlation id.
pub fn line(result: &SyncResult) -> String {
    let quote = result.quote_id.as_deref().unwrap_or("-");
    format!(
        "status={} quote={quote} correlation={}",
        result.status, result.correlation_id
    )
}

/// The run is kept and goes on later; what stopped it is told all the same.
pub fn pending(error: Error, correlation: &CorrelationId, output: Output) -> u8 {
    let advice = format!(
        "{}; the sync is kept and `cpq serve` goes on with it",
        error.advice()
    );
    let error = error.next(advice);
    if output.json {
        return error.code.exit_code().max(2);
    }
    output.error(&error, Some(correlation.as_str()));
    2
}

async fn status(client: &Client, correlation: &str, output: Output) -> Result<u8> {
    let answer = client
        .get(&format!("/api/v1/sync/{}?events=true", segment(correlation)))
        .await?;
    let sync: Json = answer.json()?;
    output.data(&sync, || stages(&sync));
    Ok(0)
}

fn stages(sync: &Json) -> String {
    let text = |value: &Json| {
        value.as_str().map_or_else(
            || {
                if value.is_null() {
                    String::new()
                } else {
                    value.to_string()
                }
            },
            str::to_owned,
        )
    };
    let row = |stage: &Json| {
        let duration = stage["durationMs"]
            .as_f64()
            .map_or_else(String::new, |ms| format!("{ms:.1} ms"));
        let error = stage["error"]["message"].as_str().unwrap_or_default();
        vec![
            text(&stage["name"]),
            text(&stage["status"]),
            text(&stage["attempt"]),
            text(&stage["startedAt"]),
            duration,
            error.to_owned(),
        ]
    };
    let rows = sync["stages"].as_array().into_iter().flatten().map(row);
    let head = format!(
        "status={} quote={} correlation={} trace={}",
        text(&sync["status"]),
        sync["quoteId"].as_str().unwrap_or("-"),
        text(&sync["correlationId"]),
        sync["traceId"].as_str().unwrap_or("-")
    );
    let events = sync["events"].as_array().into_iter().flatten();
    let purged = events.filter_map(|event| Purged::of(&event["data"])).next();
    let purged = purged.map_or_else(String::new, |purged| format!("\n{}", purged.words()));
    let next = sync["error"]["details"]["next"].as_str();
    let next = next.map_or_else(String::new, |next| format!("\ndo: {next}"));
    format!(
        "{head}{purged}{next}\n\n{}",
        table(&["STAGE", "STATUS", "TRY", "STARTED", "DURATION", "ERROR"], rows)
    )
}

async fn list(
    client: &Client,
    state: Option<String>,
    opportunity: Option<String>,
    limit: u32,
    output: Output,
) -> Result<u8> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &limit.to_string());
    if let Some(state) = &state {
        query.append_pair("state", state);
    }
    if let Some(key) = &opportunity {
        query.append_pair("opportunity", key);
    }
    let answer = client.get(&format!("/api/v1/sync?{}", query.finish())).await?;
    let page: Json = answer.json()?;
    let text = |value: &Json| value.as_str().unwrap_or("-").to_owned();
    let rows = page["syncs"].as_array().into_iter().flatten().map(|sync| {
        vec![
            text(&sync["correlationId"]),
            text(&sync["status"]),
            text(&sync["opportunity"]),
            text(&sync["quoteId"]),
            text(&sync["createdAt"]),
            text(&sync["error"]["code"]),
        ]
    });
    let rows: Vec<_> = rows.collect();
    output.data(&page, || {
        table(
            &[
                "CORRELATION",
                "STATUS",
                "OPPORTUNITY",
                "QUOTE",
                "ACCEPTED",
                "ERROR",
            ],
            rows,
        )
    });
    Ok(0)
}

/// For commands that need one opportunity synced and nothing else told.
pub async fn once(client: &Client, opportunity: &str, key: Option<&str>) -> Result<(SyncResult, bool)> {
    let headers = Headers {
        idempotency_key: key.map(str::to_owned),
        correlation: None,
        prefer: "wait=25".into(),
    };
    let answer = start(client, opportunity, None, &headers).await?;
    let result: SyncResult = answer.json()?;
    match &result.error {
        Some(report) if result.status != "success" => Err(Error::from(report.clone())),
        _ if result.status != "success" => Err(Error::new(
            Code::Internal,
            format!("the sync is still {}", result.status),
        )),
        _ => Ok((result, answer.replayed)),
    }
}
