//! `cpq serve` in a process of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::world::World;

use super::child::STORE_URL;
use crate::cli::place::{self, Listening};
use crate::world::RealWorld;

/// How often to ask whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(2);
/// Longest time to wait for it.
const PATIENCE_US: u64 = 20_000_000;

/// A running service.
pub struct Service {
    child: tokio::process::Child,
    /// Where it listens.
    pub url: String,
    /// Milliseconds from its start until it said that it was ready.
    pub ready_ms: f64,
}

impl Service {
    /// Starts one on a state directory, with further arguments before `serve` and environment variables, and waits until
    /// it is ready.
    ///
    /// [`Code::Internal`] when it is not ready within 20 seconds.
    pub async fn start(
        dir: &Path,
        args: &[&str],
        env: &[(&str, &str)],
        world: &RealWorld,
    ) -> Result<Service> {
        let failed = |why: String| Error::new(Code::Internal, format!("cannot measure `cpq serve`: {why}"));
        let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
        let mut command = tokio::process::Command::new(program);
        command.arg("--state-dir").arg(dir).args(args);
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        command.env_remove(STORE_URL).envs(env.iter().copied());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        place::remove(dir, place::SERVICE);
        let begin = world.monotonic_us();
        let child = command.kill_on_drop(true).spawn();
        let child = child.map_err(|error| failed(error.to_string()))?;
        let url = ready(dir, world, begin).await;
        let url = url.ok_or_else(|| failed("it does not get ready".into()))?;
        let ready_ms = (world.monotonic_us() - begin) as f64 / 1_000.0;
        Ok(Service { child, url, ready_ms })
    }

    /// Kills it, which is quicker than to end it and must do no harm.
    pub async fn kill(mut self) {
        // One that has ended by itself cannot be killed, and need not be.
        let _ = self.child.kill().await;
    }

    /// Its process id.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }
}

async fn ready(dir: &Path, world: &RealWorld, begin: u64) -> Option<String> {
    let http = reqwest::Client::builder().no_proxy().build().ok()?;
    while world.monotonic_us() - begin < PATIENCE_US {
        if let Some(service) = place::load::<Listening>(dir, place::SERVICE)
            && let Ok(answer) = http.get(format!("{}/readyz", service.url)).send().await
            && answer.status().is_success()
        {
            return Some(service.url);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    None
}
