//! `cpq why`: the chain of values of a field, each with where it came from and why.

use cpq_api::{FieldHistory, FieldPassage};
use cpq_domain::Result;
use cpq_domain::resolve::{Origin, Verdict};
use cpq_domain::subject::{Owner, Subject};

use crate::cli::client::Client;
use crate::cli::output::{Output, table};
use crate::cli::sync::{segment, short};
use crate::config::Config;

/// Passages that one call brings.
const PAGE: u32 = 200;

/// `cpq why`
#[derive(clap::Args)]
pub struct Args {
    /// opportunity/OPP-4482/quote.status, quote/Q-2026-0137/quote.net_total, line/OPP-4482/LINE-KEY/line.quantity;
    /// OPP-4482/quote.status for short. Fields as in `cpq ownership show`.
    #[arg(value_name = "OBJECT/ID/FIELD")]
    subject: String,
    /// Connection; the configured one if left out.
    #[arg(long)]
    connection: Option<String>,
    /// How many of the last values; 0 for all.
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

/// Runs the command.
pub async fn run(args: Args, config: Config, output: Output) -> Result<u8> {
    let subject = Subject::parse(&args.subject)?;
    let client = Client::connect(&config).await?;
    let told = tell(&client, &subject, &args, output).await;
    client.close().await;
    told
}

async fn tell(client: &Client, subject: &Subject, args: &Args, output: Output) -> Result<u8> {
    let wanted = match args.limit {
        0 => usize::MAX,
        limit => limit as usize,
    };
    let mut history = page(client, subject, args, None, wanted).await?;
    while let Some(before) = history.earlier
        && history.passages.len() < wanted
    {
        let missing = wanted - history.passages.len();
        let earlier = page(client, subject, args, Some(before), missing).await?;
        history.earlier = earlier.earlier;
        history.passages.splice(0..0, earlier.passages);
    }
    output.data(&history, || shown(&history));
    if history.passages.is_empty() {
        output.say("no sync has had anything to say about this field yet");
    } else if history.earlier.is_some() {
        output.say("there is more before this: --limit 0 shows all");
    }
    Ok(0)
}

async fn page(
    client: &Client,
    subject: &Subject,
    args: &Args,
    before: Option<i64>,
    wanted: usize,
) -> Result<FieldHistory> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let limit = u32::try_from(wanted).unwrap_or(PAGE).min(PAGE);
    query.append_pair("limit", &limit.to_string());
    if let Some(before) = before {
        query.append_pair("before", &before.to_string());
    }
    if let Some(connection) = &args.connection {
        query.append_pair("connection", connection);
    }
    let field = segment(subject.field.as_str());
    let place = match (&subject.owner, &subject.line) {
        (Owner::Opportunity(key), Some(line)) => {
            format!("line/{}/{}", segment(key.as_str()), segment(line.as_str()))
        }
        (Owner::Opportunity(key), None) => format!("opportunity/{}", segment(key.as_str())),
        (Owner::Quote(number), _) => format!("quote/{}", segment(number.as_str())),
    };
    client
        .get(&format!("/api/v1/why/{place}/{field}?{}", query.finish()))
        .await?
        .json()
}

fn shown(history: &FieldHistory) -> String {
    let head = format!("{} quote={}", history.subject, history.quote_number);
    let rows = history.passages.iter().map(row);
    format!(
        "{head}\n\n{}",
        table(
            &["AT", "VALUE", "FROM", "RULE", "WHY", "WHO", "CORRELATION"],
            rows
        )
    )
}

fn row(passage: &FieldPassage) -> Vec<String> {
    let value = match &passage.value {
        Some(value) => short(value),
        None => format!("CRM {} | CPQ {}", short(&passage.crm), short(&passage.cpq)),
    };
    let mut why = passage.reason.clone();
    if let Some(lost) = passage.lost.as_ref() {
        why.push_str(&format!("; lost: {}", short(lost)));
    }
    if let Some(conflict) = passage.conflict.as_ref().filter(|id| !why.contains(id.as_str())) {
        why.push_str(&format!(" ({conflict})"));
    }
    vec![
        passage.at.to_string(),
        value,
        from(passage).to_owned(),
        format!(
            "{} {}, matrix {}",
            passage.owner.as_str(),
            passage.policy.as_str(),
            passage.matrix_version
        ),
        why,
        who(passage),
        passage.correlation_id.to_string(),
    ]
}

fn from(passage: &FieldPassage) -> &'static str {
    match (passage.origin, passage.verdict) {
        (_, Verdict::Review) => "both",
        (Origin::Crm, _) => "CRM",
        (Origin::Cpq, _) => "CPQ",
        (Origin::Both, _) => "both",
        (Origin::Person, _) => "a person",
        (Origin::Neither, _) => "-",
    }
}

fn who(passage: &FieldPassage) -> String {
    let Some(event) = &passage.event else {
        return "-".into();
    };
    let by = event.by.as_deref().unwrap_or("unknown");
    match &event.event {
        Some(id) => format!("{by} ({} {id})", event.source),
        None => format!("{by} ({})", event.source),
    }
}
