//! A sandbox in a process of its own: one that goes on after the command that started it, or one that ends with it.

use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Stdio};
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};

use super::{ASK_EVERY, Info, ask};
use crate::cli::place::{self, Listening};
use crate::config::Config;

/// Longest time that a sandbox may take from its start to its first answer.
const START: Duration = Duration::from_secs(20);
/// What a sandbox is told of our environment: all that it can use.
const KEPT_VARIABLES: [&str; 9] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "TZ",
    "TMPDIR",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "CPQ_CONFIG",
];

/// Addresses of a sandbox that is started; those that are not said are the configured ones.
#[derive(Clone, Copy, Default)]
pub struct Listen {
    /// HTTP.
    pub http: Option<SocketAddr>,
    /// HTTPS.
    pub tls: Option<SocketAddr>,
    /// Pub/Sub API.
    pub pubsub: Option<SocketAddr>,
}

/// A sandbox in a process of its own that ends with this value, or with this process, however that ends.
pub struct Tied {
    /// Where it listens.
    pub url: String,
    _stdin: Option<ChildStdin>,
}

/// Starts a sandbox in a process of its own, which goes on after this command, and waits until it answers.
pub async fn spawn(config: &Config, listen: Listen) -> Result<String> {
    begin(config, listen, false).await.map(|(url, _)| url)
}

/// Starts one on free ports that goes on no longer than we do, and waits until it answers.
pub async fn spawn_tied(config: &Config) -> Result<Tied> {
    let free = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let listen = Listen {
        http: free,
        tls: free,
        pubsub: free,
    };
    let (url, mut child) = begin(config, listen, true).await?;
    Ok(Tied {
        url,
        _stdin: child.stdin.take(),
    })
}

async fn begin(config: &Config, listen: Listen, tied: bool) -> Result<(String, Child)> {
    let failed = |why: String| Error::new(Code::CrmUnavailable, format!("cannot start a sandbox: {why}"));
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    place::remove(&config.state_dir, place::SANDBOX);
    let log_path = place::save(&config.state_dir, "sandbox.log", "")?;
    let log = std::fs::File::create(&log_path).map_err(|error| failed(error.to_string()))?;
    let mut command = std::process::Command::new(program);
    command.arg("--state-dir").arg(&config.state_dir).arg("sandbox");
    command
        .arg("--listen")
        .arg(listen.http.unwrap_or(config.sandbox.listen).to_string());
    command
        .arg("--tls-listen")
        .arg(listen.tls.unwrap_or(config.sandbox.tls_listen).to_string());
    command
        .arg("--pubsub-listen")
        .arg(listen.pubsub.unwrap_or(config.sandbox.pubsub_listen).to_string());
    if tied {
        command.arg("--until-stdin-ends");
    }
    // It may outlive this command, and whoever may look at it must find no secret of ours in its surroundings.
    let kept = std::env::vars_os().filter(|(name, _)| KEPT_VARIABLES.iter().any(|kept| name == kept));
    command.env_clear().envs(kept.collect::<Vec<_>>());
    // A process group of its own, so that Ctrl-C at this terminal does not end it too.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let stderr = log.try_clone().map_err(|error| failed(error.to_string()))?;
    let mut child = command
        .stdin(if tied { Stdio::piped() } else { Stdio::null() })
        .stdout(log)
        .stderr(stderr)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let deadline = tokio::time::Instant::now() + START;
    while tokio::time::Instant::now() < deadline {
        let started = place::load::<Listening>(&config.state_dir, place::SANDBOX);
        if let Some(sandbox) = started
            && ask::<Info>(&sandbox.url).await.is_some()
        {
            return Ok((sandbox.url, child));
        }
        if let Ok(Some(status)) = child.try_wait() {
            let said = std::fs::read_to_string(&log_path).unwrap_or_default();
            return Err(failed(format!("it ended with {status}: {}", said.trim()))
                .next("choose another address with --sandbox-listen 127.0.0.1:0"));
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    Err(failed(format!("it does not answer; see {}", log_path.display())))
}
