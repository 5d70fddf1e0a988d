//! `cpq sandbox`: a Salesforce to try things on, in this process or in one of its own.

mod define;
mod process;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use serde::Deserialize;
use serde_json::json;

use crate::cli::output::Output;
use crate::cli::place::{self, Listening};
use crate::cli::serve::until_stopped;
use crate::config::Config;

pub use process::{Listen, Tied, spawn, spawn_tied};

/// Longest time that a sandbox may take from being told to stop to its end: it lets requests finish for 5 s, then writes
/// down what it holds.
const END: Duration = Duration::from_secs(15);
/// How often to look whether it answers yet, or is gone.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// `cpq sandbox`
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Address for HTTP; loopback only, port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Address for HTTPS; loopback only.
    #[arg(long, value_name = "ADDRESS")]
    tls_listen: Option<SocketAddr>,
    /// Address for the Pub/Sub API (gRPC, with and without TLS); loopback only.
    #[arg(long, value_name = "ADDRESS")]
    pubsub_listen: Option<SocketAddr>,
    /// Further name of this host, such as acme.my.salesforce.com, for the certificate and for the addresses that
    /// clients get; can be given several times.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Scenario for a fresh org.
    #[arg(long)]
    scenario: Option<String>,
    /// File with a fault plan.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// End when standard input does: with whoever started it, however that ended.
    #[arg(long)]
    until_stdin_ends: bool,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Add what a file defines to the running org: objects, fields, record types, rules, events.
    Define {
        /// JSON with `objects`, `fields`, `recordTypes` and so on, in the words of a scenario; `-` is standard input.
        file: PathBuf,
    },
    /// Where it listens and what to log in with.
    Info,
    /// End it; its data stays in the state directory.
    Stop,
}

/// What a sandbox tells about itself.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// Base URL.
    pub instance_url: String,
    /// Login name.
    pub username: String,
    /// Consumer key.
    pub client_id: String,
    /// Consumer secret. Not a secret: it belongs to a toy org on this machine.
    pub client_secret: String,
    /// Private key of the JWT flow.
    pub jwt_private_key_path: Option<PathBuf>,
}

/// Runs the command.
pub async fn run(args: Args, config: Config, output: Output) -> Result<u8> {
    match args.action {
        None => serve(args, &config, output).await,
        Some(Action::Info) => {
            let url = url(&config).await.ok_or_else(not_running)?;
            let info: serde_json::Value = ask(&url).await.ok_or_else(not_running)?;
            output.data(&info, || serde_json::to_string_pretty(&info).unwrap_or_default());
            Ok(0)
        }
        Some(Action::Define { file }) => define::run(&file, &config, output).await,
        Some(Action::Stop) => stop(&config, output).await,
    }
}

fn not_running() -> Error {
    Error::new(Code::CrmUnavailable, "no sandbox runs for this directory")
        .next("start one with `cpq sandbox` or `cpq seed`")
}

/// Serves until interrupted or stopped over HTTP.
async fn serve(args: Args, config: &Config, output: Output) -> Result<u8> {
    let options = sandbox::Options {
        listen: args.listen.unwrap_or(config.sandbox.listen),
        tls_listen: Some(args.tls_listen.unwrap_or(config.sandbox.tls_listen)),
        pubsub_listen: Some(args.pubsub_listen.unwrap_or(config.sandbox.pubsub_listen)),
        host_names: args.hosts,
        state_dir: Some(config.state_dir.join("sandbox")),
        scenario: args.scenario,
        faults_file: args.faults,
        ..sandbox::Options::default()
    };
    let running = start(options).await?;
    let url = running.info.instance_url.clone();
    let listening = Listening {
        url: url.clone(),
        pid: std::process::id(),
    };
    place::save(
        &config.state_dir,
        place::SANDBOX,
        &serde_json::to_string(&listening).unwrap_or_default(),
    )?;
    output.data(&running.info, || {
        format!(
            "sandbox={url} user={} org={}",
            running.info.username, running.info.organization_id
        )
    });
    output.say("stop it with Ctrl-C or `cpq sandbox stop`; control plane: /sandbox/info, /sandbox/faults, /sandbox/requests");
    tokio::select! {
        () = running.stopped() => {}
        () = until_stopped() => {}
        () = stdin_ended(args.until_stdin_ends) => {}
    }
    running.shutdown().await;
    // The last thing it does: whoever stops it waits for this.
    place::remove(&config.state_dir, place::SANDBOX);
    Ok(0)
}

/// Resolves once nothing more can come over standard input; never if nobody asked for that.
async fn stdin_ended(asked: bool) {
    if !asked {
        return std::future::pending().await;
    }
    // In a thread that nobody waits for: reading could go on for ever when something else ends the sandbox.
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        // Gone is whoever waited.
        let _ = tell.send(());
    });
    let _ = told.await;
}

/// Starts a sandbox in this process.
pub async fn start(options: sandbox::Options) -> Result<sandbox::Running> {
    let listen = options.listen;
    sandbox::start(options).await.map_err(|error| {
        let code = match &error {
            sandbox::Error::Listen { .. } => Code::PortInUse,
            _ => Code::ConfigInvalid,
        };
        let message = format!("the sandbox does not start: {error}");
        Error::new(code, message)
            .fact("listen", listen.to_string())
            .cause(error)
    })
}

/// The sandbox of this directory, if it answers.
pub async fn running(config: &Config) -> Option<Info> {
    ask(&url(config).await?).await
}

/// URL of the sandbox of this directory: the one that was started from it, else the configured address.
pub async fn url(config: &Config) -> Option<String> {
    let started = place::load::<Listening>(&config.state_dir, place::SANDBOX).map(|sandbox| sandbox.url);
    for url in started
        .into_iter()
        .chain([format!("http://{}", config.sandbox.listen)])
    {
        if ask::<Info>(&url).await.is_some() {
            return Some(url);
        }
    }
    None
}

async fn ask<T: serde::de::DeserializeOwned>(url: &str) -> Option<T> {
    let http = reqwest::Client::builder()
        .timeout(Duration::from_secs(2))
        .no_proxy()
        .build()
        .ok()?;
    http.get(format!("{url}/sandbox/info"))
        .send()
        .await
        .ok()?
        .json()
        .await
        .ok()
}

async fn stop(config: &Config, output: Output) -> Result<u8> {
    let url = url(config).await.ok_or_else(not_running)?;
    let stopped = end(config, &url).await;
    output.data(&json!({"stopped": stopped, "url": url}), || {
        format!("sandbox={url} stopped={stopped}")
    });
    Ok(u8::from(!stopped))
}

/// Ends a sandbox. `false` if it refuses, or is not gone in time.
pub async fn end(config: &Config, url: &str) -> bool {
    let told = reqwest::Client::new()
        .post(format!("{url}/sandbox/shutdown"))
        .send()
        .await;
    // One that ends already does not answer any more.
    let refused = told.is_ok_and(|answer| !answer.status().is_success());
    !refused && ended(config, url).await
}

/// Waits until the sandbox that was started from this directory has written its last word there and is gone; one that was
/// started elsewhere has nothing here.
async fn ended(config: &Config, url: &str) -> bool {
    let deadline = tokio::time::Instant::now() + END;
    while place::load::<Listening>(&config.state_dir, place::SANDBOX)
        .is_some_and(|sandbox| sandbox.url == url)
    {
        if tokio::time::Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    true
}

/// Follows the login page of a sandbox to its end, in place of a person with a browser.
pub fn approve(mut authorize: url::Url, user: String) -> Result<()> {
    authorize.query_pairs_mut().append_pair("sandbox_user", &user);
    tokio::spawn(async move {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::limited(3))
            .no_proxy()
            .build();
        // A failure shows as a login that never comes back; the reason is in the sandbox's request log.
        if let Ok(http) = http
            && let Err(error) = http.get(authorize).send().await
        {
            tracing::warn!(error = %error.without_url(), "the sandbox's login page does not answer");
        }
    });
    Ok(())
}
