//! `salesforce-sandbox`: the sandbox on its own, without the program it was made for.

use sandbox::{Options, start};
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "\
usage: salesforce-sandbox [--listen ADDRESS] [--tls-listen ADDRESS] [--pubsub-listen ADDRESS] [--host NAME]…
                          [--state-dir DIR] [--scenario NAME] [--faults FILE] [--auto-approve]

  --listen ADDRESS      HTTP listener on loopback; default 127.0.0.1:7070, port 0 picks a free one
  --tls-listen ADDRESS  HTTPS listener on loopback; none unless given
  --pubsub-listen ADDRESS  gRPC listener of the Pub/Sub API on loopback; none unless given
  --host NAME           further name of this host, for certificate and addresses; can be given several times
  --state-dir DIR       where snapshot, keys and certificates are kept; nothing is kept unless given
  --scenario NAME       records of a fresh org
  --faults FILE         fault plan to begin with (JSON)
  --auto-approve        authorize without asking a person
";

#[tokio::main]
async fn main() -> ExitCode {
    match run(std::env::args().skip(1)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nothing is left to do when even this cannot be written.
            let _ = writeln!(std::io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let Some(options) = options(arguments)? else {
        return write!(std::io::stdout(), "{USAGE}").map_err(|error| error.to_string());
    };
    let running = start(options).await.map_err(|error| with_causes(&error))?;
    // A closed stdout is no reason to stop serving.
    let _ = writeln!(std::io::stdout(), "{}", running.info.instance_url);
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| with_causes(&error))?;
    tokio::select! {
        () = running.stopped() => {}
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    running.shutdown().await;
    Ok(())
}

/// `None` when help was asked for.
fn options(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 7070)),
        ..Options::default()
    };
    while let Some(name) = arguments.next() {
        match name.as_str() {
            "--help" | "-h" => return Ok(None),
            "--auto-approve" => {
                options.settings.auto_approve = true;
                continue;
            }
            "--listen" | "--tls-listen" | "--pubsub-listen" | "--host" | "--state-dir" | "--scenario"
            | "--faults" => {}
            other => return Err(format!("unknown argument {other}\n\n{USAGE}")),
        }
        let value = arguments
            .next()
            .ok_or_else(|| format!("{name} needs a value\n\n{USAGE}"))?;
        match name.as_str() {
            "--listen" => options.listen = address(&name, &value)?,
            "--tls-listen" => options.tls_listen = Some(address(&name, &value)?),
            "--pubsub-listen" => options.pubsub_listen = Some(address(&name, &value)?),
            "--host" => options.host_names.push(value),
            "--state-dir" => options.state_dir = Some(value.into()),
            "--scenario" => options.scenario = Some(value),
            _ => options.faults_file = Some(value.into()),
        }
    }
    Ok(Some(options))
}

fn address(name: &str, value: &str) -> Result<SocketAddr, String> {
    value
        .parse()
        .map_err(|_| format!("{name} needs an address such as 127.0.0.1:7070, not {value}"))
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = format!("error: {error}");
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(&format!("\ncaused by: {next}"));
        cause = next.source();
    }
    text
}
