//! How long a service takes to be ready, and what it holds when it has nothing to do.

use std::process::Stdio;
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::world::World;

use super::{Figure, machine};
use crate::cli::place::{self, Listening};
use crate::world::RealWorld;

/// Rest before memory is read, so that what the start needed has been given back.
const REST: Duration = Duration::from_secs(2);
/// How often to ask whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(2);
/// Longest time to wait for it.
const PATIENCE_US: u64 = 20_000_000;

/// Starts `cpq serve` on an empty directory and on the same directory again.
pub async fn measure() -> Result<Vec<Figure>> {
    let world = RealWorld::new();
    let dir = std::env::temp_dir().join(format!("cpq-bench-{}", world.uuid()));
    let first = start(&dir, &world).await?;
    let again = start(&dir, &world).await?;
    let _ = std::fs::remove_dir_all(&dir);
    Ok(vec![
        Figure::new("ready, empty directory", first.0, "ms", ""),
        Figure::new("ready, existing store", again.0, "ms", "≤ 200"),
        Figure::new("resident memory, idle", again.1, "MiB", "≤ 40"),
    ])
}

async fn start(dir: &std::path::Path, world: &RealWorld) -> Result<(f64, f64)> {
    let failed = |why: String| Error::new(Code::Internal, format!("cannot measure `cpq serve`: {why}"));
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut command = std::process::Command::new(program);
    command
        .arg("--state-dir")
        .arg(dir)
        .args(["serve", "--listen", "127.0.0.1:0"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    place::remove(dir, place::SERVICE);
    let begin = world.monotonic_us();
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let ready = ready(dir, world, begin).await;
    tokio::time::sleep(REST).await;
    let memory = machine::resident_mib(child.id());
    // The service ends by itself on SIGTERM; killing is quicker and must do no harm.
    let _ = child.kill();
    let _ = child.wait();
    Ok((
        ready.ok_or_else(|| failed("it does not get ready".into()))?,
        memory.unwrap_or_default(),
    ))
}

async fn ready(dir: &std::path::Path, world: &RealWorld, begin: u64) -> Option<f64> {
    let http = reqwest::Client::builder().no_proxy().build().ok()?;
    while world.monotonic_us() - begin < PATIENCE_US {
        if let Some(service) = place::load::<Listening>(dir, place::SERVICE)
            && let Ok(answer) = http.get(format!("{}/readyz", service.url)).send().await
            && answer.status().is_success()
        {
            return Some((world.monotonic_us() - begin) as f64 / 1_000.0);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    None
}
