//! `cpq connections`: whether each CRM is called, what waits for it, and how many calls are left.

use cpq_api::connections::{Connection, Connections};
use cpq_domain::Result;

use crate::cli::client::Client;
use crate::cli::output::{Output, table};
use crate::config::Config;

/// Runs the command. Exit status 1 if a connection does not work.
pub async fn run(config: Config, output: Output) -> Result<u8> {
    let client = Client::connect(&config).await?;
    let answer = client.get("/api/v1/connections").await;
    client.close().await;
    let told: Connections = answer?.json()?;
    if told.connections.is_empty() {
        output.say("there is no connection: connect with `cpq auth connect-crm`");
    }
    output.data(&told, || text(&told.connections));
    let works = |one: &Connection| one.dead.is_none() && one.circuit.is_none();
    Ok(u8::from(!told.connections.iter().all(works)))
}

fn text(connections: &[Connection]) -> String {
    let rows = connections.iter().map(|one| {
        let calls = one.calls.as_ref();
        let end = calls.and_then(|calls| calls.exhausted_at);
        vec![
            one.connection.clone(),
            state(one).to_owned(),
            one.queued.to_string(),
            one.parked.to_string(),
            one.waiting.to_string(),
            calls.map_or("-".to_owned(), |calls| format!("{}/{}", calls.used, calls.max)),
            end.map_or("-".to_owned(), |at| format!("{at:.0}")),
        ]
    });
    let head = [
        "CONNECTION",
        "STATE",
        "QUEUED",
        "PARKED",
        "WAITING",
        "CALLS",
        "USED UP AT",
    ];
    let mut text = table(&head, rows);
    connections.iter().for_each(|one| text.push_str(&more(one)));
    text
}

fn state(one: &Connection) -> &'static str {
    match (&one.dead, &one.circuit) {
        (Some(_), _) => "dead",
        (None, Some(circuit)) => circuit.reason.as_str(),
        (None, None) => "open for calls",
    }
}

/// Why it does not work, and who uses its calls.
fn more(one: &Connection) -> String {
    let mut text = String::new();
    let name = &one.connection;
    if let Some(reason) = &one.dead {
        text.push_str(&format!(
            "\n{name} must be connected again with `cpq auth connect-crm`: {reason}"
        ));
    }
    if let Some(circuit) = &one.circuit {
        text.push_str(&format!(
            "\n{name} is not called since {:.0}, and tried again at {:.0}: {}",
            circuit.since, circuit.due_at, circuit.error.message
        ));
    }
    if let Some(calls) = &one.calls {
        let of = |(purpose, share): (&String, &cpq_api::connections::Share)| {
            format!("{purpose} {} of {}", share.made, share.share)
        };
        let all: Vec<String> = calls.purposes.iter().map(of).collect();
        text.push_str(&format!("\n{name} calls of ours in 24 hours: {}", all.join(", ")));
    }
    text
}
