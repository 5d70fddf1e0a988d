//! `cpq reconcile`: compare both sides as a whole, repair what differs, see what was certified.

use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::certificate::Verdict;
use cpq_domain::error::{Code, Error, Report};
use cpq_domain::id::ConnectionName;
use cpq_domain::world::World;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::cli::client::Client;
use crate::cli::output::Output;
use crate::cli::sync::segment;
use crate::config::Config;
use crate::world::RealWorld;

mod told;
pub mod when;

/// How often to ask how far it has come.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// Records that are shown one by one; the API has all of them.
const SHOWN: usize = 200;

/// `cpq reconcile`
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only what changed since then on either side: a moment, a day, or a span back from now such as 90m, 24h or 7d.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Sync every record that differs, under the ownership matrix, and look again.
    #[arg(long)]
    repair: bool,
    /// With --repair: only show, record by record, what a repair would write.
    #[arg(long, requires = "repair")]
    dry_run: bool,
    /// Go on with the last one where it stands, e.g. after its process was killed.
    #[arg(long, conflicts_with_all = ["since", "repair"])]
    resume: bool,
    /// CRM connection.
    #[arg(long)]
    connection: Option<String>,
}

/// What else there is to see.
#[derive(clap::Subcommand)]
enum Command {
    /// The last certificate of each object and hour.
    Certificates {
        /// Hours from then on: a moment, a day, or a span back from now such as 24h.
        #[arg(long, value_name = "WHEN")]
        since: Option<String>,
        /// Only those that say this: green, red or open.
        #[arg(long, value_parser = ["green", "red", "open"])]
        verdict: Option<String>,
        /// CRM connection.
        #[arg(long)]
        connection: Option<String>,
    },
    /// The last reconciles.
    List {
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// One reconcile, with the records that differed.
    Show {
        /// Its id.
        id: String,
    },
}

/// Runs the command. Exit status: 0 nothing differs, 1 something does, 2 it failed.
pub async fn run(args: Args, config: Config, output: Output) -> Result<u8> {
    let asked = Asked::of(args)?;
    let client = Client::connect(&config).await?;
    let done = asked.answer(&client, output).await;
    client.close().await;
    done
}

/// What is asked, checked before anybody is called.
enum Asked {
    Reconcile { body: Json, dry_run: bool },
    Certificates { query: String },
    List { limit: u32 },
    Show { id: String },
}

impl Asked {
    fn of(args: Args) -> Result<Asked> {
        let moment = |text: Option<String>| {
            text.map(|text| when::read(&text, RealWorld::new().now()))
                .transpose()
        };
        match args.command {
            Some(Command::Certificates {
                since,
                verdict,
                connection,
            }) => Ok(Asked::Certificates {
                query: certificates_query(moment(since)?, verdict, connection)?,
            }),
            Some(Command::List { limit }) => Ok(Asked::List { limit }),
            Some(Command::Show { id }) => Ok(Asked::Show { id }),
            None => {
                let connection = args.connection.map(ConnectionName::new).transpose()?;
                let repair = args.repair && !args.dry_run;
                let mut body = json!({ "repair": repair, "resume": args.resume });
                if let Some(connection) = connection {
                    body["connection"] = json!(connection);
                }
                if let Some(since) = moment(args.since)? {
                    body["since"] = json!(since);
                }
                Ok(Asked::Reconcile {
                    body,
                    dry_run: args.dry_run,
                })
            }
        }
    }

    async fn answer(self, client: &Client, output: Output) -> Result<u8> {
        match self {
            Asked::Reconcile { body, dry_run } => reconcile(client, body, dry_run, output).await,
            Asked::Certificates { query } => certificates(client, &query, output).await,
            Asked::List { limit } => {
                let path = format!("/api/v1/reconciliations?limit={limit}");
                let page: Json = client.get(&path).await?.json()?;
                output.data(&page, || told::list(&page));
                Ok(0)
            }
            Asked::Show { id } => {
                let path = format!("/api/v1/reconciliations/{}", segment(&id));
                let one: Json = client.get(&path).await?.json()?;
                show(client, &one, false, output).await
            }
        }
    }
}

async fn reconcile(client: &Client, body: Json, dry_run: bool, output: Output) -> Result<u8> {
    let started = client
        .call(Method::POST, "/api/v1/reconciliations", &[], &body)
        .await?;
    let started: Json = started.json()?;
    let path = format!("/api/v1/reconciliations/{}", told::text(&started["id"]));
    let progress = told::Progress::new();
    let ended = loop {
        let now: Json = client.get(&path).await?.json()?;
        match (told::text(&now["state"]), now["alive"].as_bool()) {
            ("running", Some(true)) => progress.show(&now),
            ("running", _) => return Err(died(&now)),
            _ => break now,
        }
        tokio::time::sleep(ASK_EVERY).await;
    };
    progress.clear();
    show(client, &ended, dry_run, output).await
}

/// Tells a reconcile, and gives the exit status.
async fn show(client: &Client, one: &Json, dry_run: bool, output: Output) -> Result<u8> {
    let differing = one["differing"].as_u64().unwrap_or(0);
    let found = one["report"]["found"]["records"].as_u64().unwrap_or(0);
    let (records, more) = match found {
        0 => (Vec::new(), false),
        _ => records(client, told::text(&one["id"])).await?,
    };
    let mut all = one.clone();
    all["records"] = json!(records);
    all["dryRun"] = json!(dry_run);
    output.data(&all, || told::report(one, &records, dry_run));
    if more {
        let id = told::text(&one["id"]);
        output.say(format!(
            "only the first {SHOWN} records are shown; GET /api/v1/reconciliations/{id}/records has all of them"
        ));
    }
    match told::text(&one["state"]) {
        "done" => Ok(u8::from(differing > 0)),
        _ => {
            tell_failure(one, output);
            Ok(2)
        }
    }
}

fn tell_failure(one: &Json, output: Output) {
    let state = told::text(&one["state"]);
    let failure = serde_json::from_value::<Report>(one["error"].clone());
    if let (Ok(report), false) = (failure, output.json) {
        output.error(&Error::from(report), None);
    }
    output.say(format!(
        "the reconcile is {state}; go on where it stands with `cpq reconcile --resume`"
    ));
}

async fn records(client: &Client, id: &str) -> Result<(Vec<Json>, bool)> {
    let path = format!("/api/v1/reconciliations/{}/records?limit={SHOWN}", segment(id));
    let page: Json = client.get(&path).await?.json()?;
    let records = page["records"].as_array().cloned().unwrap_or_default();
    Ok((records, !page["next"].is_null()))
}

fn died(now: &Json) -> Error {
    let message = format!(
        "the process that worked on reconcile {} gives no sign of life any more",
        told::text(&now["id"])
    );
    Error::new(Code::Internal, message).next("go on where it stands with `cpq reconcile --resume`")
}

fn certificates_query(
    since: Option<Timestamp>,
    verdict: Option<String>,
    connection: Option<String>,
) -> Result<String> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", "200");
    if let Some(since) = since {
        query.append_pair("since", &since.to_string());
    }
    if let Some(verdict) = verdict {
        query.append_pair("verdict", &verdict);
    }
    if let Some(connection) = connection {
        query.append_pair("connection", ConnectionName::new(connection)?.as_str());
    }
    Ok(query.finish())
}

/// All pages. A year of hours is 26,000 rows of some hundred bytes.
async fn certificates(client: &Client, query: &str, output: Output) -> Result<u8> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let more = after.map_or_else(String::new, |after| format!("&after={}", segment(&after)));
        let page: Json = client
            .get(&format!("/api/v1/certificates?{query}{more}"))
            .await?
            .json()?;
        all.extend(page["certificates"].as_array().cloned().unwrap_or_default());
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    output.data(&json!({ "certificates": all }), || told::certificates(&all));
    let red = all.iter().any(|one| one["verdict"] == Verdict::Red.as_str());
    Ok(u8::from(red))
}
