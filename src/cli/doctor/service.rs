//! The service of this state directory: whether one runs, is ready, and is of our version.

use std::time::Duration;

use serde_json::Value as Json;

use super::finding::{Check, Group};
use crate::cli::client;
use crate::cli::place::{self, Listening};
use crate::config::Config;

const HERE: Group = Group::Service;
/// Time for one answer. `/readyz` itself gives the store two seconds.
const ANSWER: Duration = Duration::from_secs(5);

/// The checks.
pub async fn examine(config: &Config) -> Vec<Check> {
    let Some(listening) = place::load::<Listening>(&config.state_dir, place::SERVICE) else {
        let found = "no service runs here, so changes of both sides lead to no syncs by themselves";
        return vec![Check::warn(HERE, "running", found, "start one with `cpq serve`")];
    };
    let Listening { url, pid } = listening;
    let http = match client::http(config) {
        Ok(http) => http,
        Err(error) => return vec![Check::failed(HERE, "running", &error)],
    };
    let Some(alive) = ask(&http, &format!("{url}/healthz")).await else {
        let found =
            format!("process {pid} should serve {url}, and nothing answers there: it was killed, or hangs");
        return vec![Check::fail(
            HERE,
            "running",
            found,
            "start `cpq serve` again; what it had accepted goes on",
        )];
    };
    if alive.1["status"] != "ok" {
        let found = format!("something else answers at {url}");
        return vec![Check::fail(
            HERE,
            "running",
            found,
            "start `cpq serve` again, with --listen if the port is taken",
        )];
    }
    let running = Check::ok(HERE, "running", format!("{url}, process {pid}"));
    let (ready, version) = tokio::join!(ready(&http, &url), version(&http, &url));
    vec![running, ready, version]
}

async fn ready(http: &reqwest::Client, url: &str) -> Check {
    let name = "ready";
    let Some((status, told)) = ask(http, &format!("{url}/readyz")).await else {
        let found = format!("{url}/readyz did not answer within {} s", ANSWER.as_secs());
        return Check::fail(HERE, name, found, "look at the service's log, and at the disk");
    };
    let words = |key: &str| -> Vec<String> {
        let list = told[key].as_array().into_iter().flatten();
        list.filter_map(Json::as_str).map(str::to_owned).collect()
    };
    let (reasons, notes) = (words("reasons"), words("notes"));
    if status != 200 {
        let fix =
            "mend what is named here; requests are refused until then, and nothing that was accepted is lost";
        return Check::fail(HERE, name, "the service is not ready", fix).with(reasons);
    }
    match notes.is_empty() {
        true => Check::ok(HERE, name, "requests can be served"),
        false => Check::warn(
            HERE,
            name,
            "requests can be served, and something does not work",
            "see the checks of the connection",
        )
        .with(notes),
    }
}

async fn version(http: &reqwest::Client, url: &str) -> Check {
    let (name, ours) = ("version", env!("CARGO_PKG_VERSION"));
    let told = ask(http, &format!("{url}/api/v1/openapi.json")).await;
    let theirs = told
        .as_ref()
        .and_then(|(_, document)| document["info"]["version"].as_str());
    match theirs {
        Some(theirs) if theirs == ours => Check::ok(HERE, name, format!("{ours}, as this command")),
        Some(theirs) => Check::warn(
            HERE,
            name,
            format!("the service is {theirs}, and this command {ours}"),
            "restart `cpq serve` with this version, or use the command of that one",
        ),
        None => Check::warn(
            HERE,
            name,
            "the service does not tell its version",
            "restart `cpq serve` with this version",
        ),
    }
}

/// Status and JSON of an answer; nothing where there is none in time.
async fn ask(http: &reqwest::Client, url: &str) -> Option<(u16, Json)> {
    let answer = http.get(url).timeout(ANSWER).send().await.ok()?;
    let status = answer.status().as_u16();
    Some((status, answer.json().await.unwrap_or_default()))
}
