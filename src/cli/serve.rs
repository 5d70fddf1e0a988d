//! `cpq serve`: the service.

use std::time::Duration;

use cpq_api::audit::{Act, Audit};
use cpq_domain::Result;
use serde_json::json;

use crate::app::{App, Role};
use crate::cli::output::Output;
use crate::cli::place::{self, Listening};
use crate::config::{ChangesMode, Config};
use crate::door;

/// Longest time that runs in hand may take to end when the service stops. What is left over goes on at the next start.
const DRAIN: Duration = Duration::from_secs(10);

/// `cpq serve`
#[derive(clap::Args)]
pub struct Args {
    /// Address of API and dashboard, port 0 takes a free one. Beyond this machine it wants TLS; see `cpq config show`.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<std::net::SocketAddr>,
    /// How to learn of changes in the CRM; the configuration says so otherwise.
    #[arg(long, value_name = "MODE")]
    changes: Option<ChangesMode>,
}

/// Runs the command.
pub async fn run(args: Args, mut config: Config, output: Output) -> Result<u8> {
    config.service.listen = args.listen.unwrap_or(config.service.listen);
    config.changes.mode = args.changes.unwrap_or(config.changes.mode);
    let app = App::open(&config, Role::Service).await?;
    let door = door::open(&config, &app.store, app.world.as_ref()).await?;
    app.follow_changes(config.changes.clone());
    tell(&config, &door.url, output)?;
    let stop = tokio_util::sync::CancellationToken::new();
    let stopper = stop.clone();
    tokio::spawn(async move {
        until_stopped().await;
        stopper.cancel();
    });
    let audit = Audit::new(app.store.clone(), app.world.clone());
    audit.tell(&act("service.start", &door.url), "done").await?;
    let url = door.url.clone();
    app.serve(door, stop).await;
    app.engine.stop(DRAIN).await;
    if let Err(error) = audit.tell(&act("service.stop", &url), "done").await {
        tracing::warn!(code = %error.code, error = %error, "the end of the service cannot be told in the audit log");
    }
    place::remove(&config.state_dir, place::SERVICE);
    Ok(0)
}

fn act(what: &str, url: &str) -> Act {
    Act {
        client: "service".to_owned(),
        origin: Some(format!(
            "process {}, version {}",
            std::process::id(),
            env!("CARGO_PKG_VERSION")
        )),
        act: what.to_owned(),
        subject: url.to_owned(),
        correlation: Some(format!("service-{}", std::process::id())),
        ..Act::default()
    }
}

/// Says where the service listens: to people, and to the commands that look for it.
fn tell(config: &Config, url: &str, output: Output) -> Result<()> {
    let listening = Listening {
        url: url.to_owned(),
        pid: std::process::id(),
    };
    let text = serde_json::to_string(&listening).unwrap_or_default();
    place::save(&config.state_dir, place::SERVICE, &text)?;
    output.data(
        &json!({"url": url, "dashboard": format!("{url}/"), "openapi": format!("{url}/api/v1/openapi.json")}),
        || format!("cpq={url}"),
    );
    output.say(format!(
        "dashboard: {url}/, entered with a token of `cpq token create`; API description: {url}/api/v1/openapi.json; \
         stop with Ctrl-C"
    ));
    Ok(())
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
