//! `cpq sandbox define FILE`: more of an org while it runs.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use serde_json::Value as Json;

use super::{not_running, url};
use crate::cli::output::Output;
use crate::config::Config;

/// Largest file; a scenario of thousands of fields has less.
const LARGEST: u64 = 16 * 1024 * 1024;
/// Longest wait for the answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends the file to the sandbox of this directory and says what it made of it.
pub async fn run(file: &Path, config: &Config, output: Output) -> Result<u8> {
    let definition = read(file)?;
    let url = url(config).await.ok_or_else(not_running)?;
    let made = send(&url, &definition).await?;
    output.data(&made, || told(&url, &made));
    Ok(0)
}

/// The definition in a file. The sandbox judges what it says; here it only has to be JSON.
fn read(file: &Path) -> Result<Json> {
    let invalid = |why: String| {
        Error::new(Code::RequestInvalid, format!("{}: {why}", file.display()))
            .next("name a file with one JSON object; sandbox/README.md shows one")
    };
    let mut text = Vec::new();
    let size = match file.to_str() {
        Some("-") => std::io::stdin().take(LARGEST + 1).read_to_end(&mut text),
        _ => std::fs::File::open(file).and_then(|open| open.take(LARGEST + 1).read_to_end(&mut text)),
    };
    let size = size.map_err(|error| invalid(error.to_string()))?;
    if size as u64 > LARGEST {
        return Err(invalid(format!("it is larger than {LARGEST} bytes")));
    }
    let json: Json = serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
    match json.is_object() {
        true => Ok(json),
        false => Err(invalid("it is no JSON object".to_owned())),
    }
}

/// The sandbox takes all of a definition or nothing of it.
async fn send(url: &str, definition: &Json) -> Result<Json> {
    let lost = |error: reqwest::Error| {
        let message = format!("the sandbox does not answer: {}", error.without_url());
        Error::new(Code::CrmUnavailable, message)
    };
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
    let answer = http
        .map_err(lost)?
        .post(format!("{url}/sandbox/define"))
        .json(definition)
        .send()
        .await
        .map_err(lost)?;
    let taken = answer.status().is_success();
    let body: Json = answer.json().await.map_err(lost)?;
    if taken {
        return Ok(body);
    }
    let why = body["error"].as_str().unwrap_or("it says nothing more");
    Err(
        Error::new(Code::RequestInvalid, format!("the sandbox refuses it: {why}"))
            .next("correct the definition; nothing of it was taken"),
    )
}

fn told(url: &str, made: &Json) -> String {
    let list = |name: &str| {
        let all = made[name].as_object().into_iter().flatten();
        let all = all.map(|(name, id)| format!("{name} ({})", id.as_str().unwrap_or_default()));
        all.collect::<Vec<_>>().join(", ")
    };
    let mut lines = vec![format!("sandbox={url} defined=true")];
    for (title, name) in [("objects", "objects"), ("record types", "recordTypes")] {
        let listed = list(name);
        if !listed.is_empty() {
            lines.push(format!("{title}: {listed}"));
        }
    }
    lines.join("\n")
}
