//! `cpq serve`: the service.

use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use serde_json::json;

use crate::app::{App, Role};
use crate::cli::output::Output;
use crate::cli::place::{self, Listening};
use crate::config::{ChangesMode, Config};

/// Longest time that runs in hand may take to end when the service stops. What is left over goes on at the next start.
const DRAIN: Duration = Duration::from_secs(10);

/// `cpq serve`
#[derive(clap::Args)]
pub struct Args {
    /// Address of the API; loopback only, port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<std::net::SocketAddr>,
    /// How to learn of changes in the CRM; the configuration says so otherwise.
    #[arg(long, value_name = "MODE")]
    changes: Option<ChangesMode>,
}

/// Runs the command.
pub async fn run(args: Args, config: Config, output: Output) -> Result<u8> {
    let listen = args.listen.unwrap_or(config.service.listen);
    let app = App::open(&config, Role::Service).await?;
    let listener = bind(listen).await?;
    let mut changes = config.changes.clone();
    changes.mode = args.changes.unwrap_or(changes.mode);
    app.follow_changes(changes);
    let url = format!("http://{}", listener.local_addr().unwrap_or(listen));
    let listening = Listening {
        url: url.clone(),
        pid: std::process::id(),
    };
    place::save(
        &config.state_dir,
        place::SERVICE,
        &serde_json::to_string(&listening).unwrap_or_default(),
    )?;
    output.data(
        &json!({"url": url, "openapi": format!("{url}/api/v1/openapi.json")}),
        || format!("cpq={url}"),
    );
    output.say(format!(
        "API description: {url}/api/v1/openapi.json; stop with Ctrl-C"
    ));
    let stop = tokio_util::sync::CancellationToken::new();
    let stopper = stop.clone();
    tokio::spawn(async move {
        until_stopped().await;
        stopper.cancel();
    });
    app.serve(listener, stop).await;
    app.engine.stop(DRAIN).await;
    place::remove(&config.state_dir, place::SERVICE);
    Ok(0)
}

/// Takes an address to listen on; loopback only.
pub async fn bind(listen: std::net::SocketAddr) -> Result<tokio::net::TcpListener> {
    if !listen.ip().is_loopback() {
        return Err(
            Error::new(Code::ConfigInvalid, format!("{listen} is not a loopback address"))
                .next("listen on 127.0.0.1 and put a proxy with TLS in front"),
        );
    }
    tokio::net::TcpListener::bind(listen).await.map_err(|error| {
        Error::new(Code::PortInUse, format!("cannot listen on {listen}: {error}"))
            .fact("listen", listen.to_string())
            .cause(error)
    })
}

/// Resolves on interrupt (Ctrl-C) or termination (`kill`).
pub async fn until_stopped() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(_) => return drop(tokio::signal::ctrl_c().await),
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
