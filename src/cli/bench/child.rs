//! A command of this program in a process of its own, and the memory that it takes.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use secrecy::ExposeSecret;
use serde_json::Value as Json;

use super::machine;
use crate::config::Config;

/// How often to look at the memory of the process; the kernel keeps the peak, only the last look can come too early.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Names the store, for a URL may hold a password, which must not be among the arguments.
pub const STORE_URL: &str = "CPQ_STORE_URL";

/// What a command told, and the most memory that its process held, in MiB.
pub struct Ran {
    pub told: Json,
    pub peak_mib: f64,
}

/// Runs a command to its end, and watches its memory.
pub async fn run(config: &Config, settings: Option<&Path>, args: &[&str]) -> Result<Ran> {
    let program = std::env::current_exe().map_err(|error| failed(&error.to_string()))?;
    let mut command = tokio::process::Command::new(program);
    command.arg("--state-dir").arg(&config.state_dir);
    match config.store_url()? {
        Some(url) => command.env(STORE_URL, url.expose_secret()),
        None => command.env_remove(STORE_URL),
    };
    if let Some(settings) = settings {
        command.arg("--config").arg(settings);
    }
    command.arg("--json").args(args);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let child = command
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(&error.to_string()))?;
    let pid = child.id().unwrap_or_default();
    let mut ended = std::pin::pin!(child.wait_with_output());
    let mut peak_mib = 0.0_f64;
    let output = loop {
        tokio::select! {
            output = &mut ended => break output.map_err(|error| failed(&error.to_string()))?,
            () = tokio::time::sleep(LOOK_EVERY) => {
                peak_mib = peak_mib.max(machine::peak_mib(pid).unwrap_or_default());
            }
        }
    };
    let told = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed(&format!("it ended with {} and told nothing", output.status)))?;
    Ok(Ran { told, peak_mib })
}

fn failed(why: &str) -> Error {
    Error::new(Code::Internal, format!("cannot measure a command: {why}"))
}
