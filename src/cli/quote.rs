//! `cpq quote`: see and move quotes of the embedded CPQ.

use cpq_domain::Result;
use cpq_domain::desk::QuotePage;
use cpq_domain::error::{Code, Error};
use cpq_domain::quote::{Quote, Transition};
use cpq_domain::view::Patch;
use reqwest::Method;
use serde_json::json;

use crate::cli::client::Client;
use crate::cli::output::{Output, table};
use crate::cli::sync::segment;
use crate::config::Config;

/// `cpq quote`
#[derive(clap::Subcommand)]
pub enum Command {
    /// The quotes, newest change first.
    List {
        /// Only this opportunity.
        #[arg(long)]
        opportunity: Option<String>,
        /// Only this state, e.g. draft.
        #[arg(long)]
        status: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// One quote with its lines and totals.
    Show {
        /// Number (Q-2026-0137) or id.
        quote: String,
    },
    /// Move a quote along its life: submit, approve, send, accept, revise, ….
    Transition {
        /// Number or id.
        quote: String,
        /// Which way.
        transition: String,
        /// Why; needed to reject, decline or cancel.
        #[arg(long)]
        reason: Option<String>,
        /// Do this at most once, however often it is sent.
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
    },
    /// Change header fields of a draft, e.g. quote.header_discount_percent=5; quote.is_primary=true|false in any state.
    Set {
        /// Number or id.
        quote: String,
        /// FIELD=VALUE; fields as in `cpq ownership show`. An empty value clears.
        #[arg(required = true, value_name = "FIELD=VALUE")]
        set: Vec<String>,
    },
}

/// Runs the command.
pub async fn run(command: Command, config: Config, output: Output) -> Result<u8> {
    let client = Client::connect(&config).await?;
    let done = execute(&client, command, output).await;
    client.close().await;
    done
}

async fn execute(client: &Client, command: Command, output: Output) -> Result<u8> {
    match command {
        Command::List {
            opportunity,
            status,
            limit,
        } => list(client, opportunity, status, limit, output).await,
        Command::Show { quote } => {
            let (quote, _) = fetch(client, &quote).await?;
            output.data(&quote, || shown(&quote));
            Ok(0)
        }
        Command::Transition {
            quote,
            transition,
            reason,
            idempotency_key,
        } => {
            let quote = transit(
                client,
                &quote,
                &transition,
                reason.as_deref(),
                idempotency_key.as_deref(),
            )
            .await?;
            output.data(&quote, || {
                format!(
                    "quote={} revision={} status={}",
                    quote.number, quote.revision, quote.status
                )
            });
            Ok(0)
        }
        Command::Set { quote, set } => change(client, &quote, &set, output).await,
    }
}

/// A quote and its entity tag.
pub async fn fetch(client: &Client, id_or_number: &str) -> Result<(Quote, String)> {
    let answer = client
        .get(&format!("/api/v1/quotes/{}", segment(id_or_number)))
        .await?;
    let quote: Quote = answer.json()?;
    let etag = answer.etag.clone().unwrap_or_else(|| quote.etag());
    Ok((quote, etag))
}

/// Moves a quote along its life.
pub async fn transit(
    client: &Client,
    id_or_number: &str,
    name: &str,
    reason: Option<&str>,
    key: Option<&str>,
) -> Result<Quote> {
    let transition = Transition::parse(name).ok_or_else(|| {
        let all: Vec<_> = Transition::ALL.into_iter().map(Transition::as_str).collect();
        Error::new(Code::RequestInvalid, format!("there is no transition {name:?}"))
            .next(format!("use one of {}", all.join(", ")))
    })?;
    let (quote, etag) = fetch(client, id_or_number).await?;
    let key = key.map_or_else(fresh_key, str::to_owned);
    let path = format!("/api/v1/quotes/{}/transitions", segment(quote.id.as_str()));
    let body = json!({ "transition": transition.as_str(), "reason": reason });
    client
        .call(
            Method::POST,
            &path,
            &[("if-match", &etag), ("idempotency-key", &key)],
            &body,
        )
        .await?
        .json()
}

async fn change(client: &Client, id_or_number: &str, set: &[String], output: Output) -> Result<u8> {
    let (quote, etag) = fetch(client, id_or_number).await?;
    let mut patch = Patch::default();
    let held = quote.view();
    for pair in set {
        let (field, value) = assignment(pair, &held)?;
        patch.fields.insert(field, value);
    }
    let path = format!("/api/v1/quotes/{}", segment(quote.id.as_str()));
    let key = fresh_key();
    let answer = client
        .call(
            Method::PATCH,
            &path,
            &[("if-match", &etag), ("idempotency-key", &key)],
            &patch,
        )
        .await?;
    let quote: Quote = answer.json()?;
    output.data(&quote, || shown(&quote));
    Ok(0)
}

/// Reads `field=value`, typed as the quote holds the field now, or as its name tells.
fn assignment(
    pair: &str,
    held: &cpq_domain::view::View,
) -> Result<(cpq_domain::view::FieldName, cpq_domain::value::Value)> {
    use cpq_domain::value::Value;
    let wrong = |why: String| {
        Error::new(Code::RequestInvalid, why).next("write FIELD=VALUE, e.g. quote.payment_terms=NET30")
    };
    let (field, text) = pair
        .split_once('=')
        .ok_or_else(|| wrong(format!("{pair:?} has no `=`")))?;
    let number = || {
        text.parse()
            .map(Value::Number)
            .map_err(|_| wrong(format!("{text:?} is not a number")))
    };
    let date = || {
        text.parse()
            .map(Value::Date)
            .map_err(|_| wrong(format!("{text:?} is not a date like 2026-12-31")))
    };
    let value = match (text, held.get(field)) {
        ("", _) => Value::Null,
        (_, Some(Value::Bool(_))) => match text {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return Err(wrong(format!("{text:?} is not true or false"))),
        },
        (_, Some(Value::Number(_))) => number()?,
        (_, Some(Value::Date(_))) => date()?,
        _ if field.ends_with("_percent") => number()?,
        _ if field.ends_with("valid_until") => date()?,
        _ => Value::text(text),
    };
    Ok((field.into(), value))
}

/// A key for a request that nobody will repeat but this command itself.
fn fresh_key() -> String {
    use cpq_domain::world::World;
    format!("cli-{}", crate::world::RealWorld::new().uuid())
}

/// How many quotes an opportunity has, every revision counted.
pub async fn count(client: &Client, opportunity: &str) -> Result<usize> {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("opportunity", opportunity)
        .finish();
    let page: QuotePage = client.get(&format!("/api/v1/quotes?{query}")).await?.json()?;
    Ok(page.quotes.len())
}

async fn list(
    client: &Client,
    opportunity: Option<String>,
    status: Option<String>,
    limit: u32,
    output: Output,
) -> Result<u8> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &limit.to_string());
    if let Some(key) = &opportunity {
        query.append_pair("opportunity", key);
    }
    if let Some(status) = &status {
        query.append_pair("status", status);
    }
    let page: QuotePage = client
        .get(&format!("/api/v1/quotes?{}", query.finish()))
        .await?
        .json()?;
    let rows = page.quotes.iter().map(|quote| {
        let opportunity = quote
            .opportunity
            .number
            .as_ref()
            .map_or(quote.opportunity.id.as_str(), |number| number.as_str());
        vec![
            quote.number.to_string(),
            quote.revision.to_string(),
            quote.status.to_string(),
            opportunity.to_owned(),
            quote.totals.net.to_string(),
            quote.updated_at.to_string(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    output.data(&page, || {
        table(
            &["QUOTE", "REVISION", "STATUS", "OPPORTUNITY", "NET", "UPDATED"],
            rows,
        )
    });
    Ok(0)
}

fn shown(quote: &Quote) -> String {
    let head = format!(
        "quote={} revision={} status={} primary={} net={} valid_until={}\n{}",
        quote.number,
        quote.revision,
        quote.status,
        quote.is_primary,
        quote.totals.net,
        quote.valid_until.map_or("-".to_owned(), |date| date.to_string()),
        quote.name,
    );
    let lines = quote.lines.iter().map(|line| {
        let totals = &line.totals;
        vec![
            line.sku.clone(),
            line.name.clone(),
            line.quantity.to_string(),
            line.list_unit.to_string(),
            (totals.discount + totals.header_share).to_string(),
            totals.net.to_string(),
        ]
    });
    let next: Vec<_> = quote
        .status
        .allowed()
        .into_iter()
        .map(Transition::as_str)
        .collect();
    format!(
        "{head}\n\n{}\n\nnext: {}",
        table(&["SKU", "NAME", "QUANTITY", "LIST", "DISCOUNT", "NET"], lines),
        next.join(", ")
    )
}
