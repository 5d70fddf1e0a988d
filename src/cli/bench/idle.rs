//! How long a service takes to be ready, and what it holds when it has nothing to do.

use std::time::Duration;

use cpq_domain::Result;

use super::service::Service;
use super::{Figure, machine, scratch};
use crate::config::Config;
use crate::world::RealWorld;

/// Rest before memory is read, so that what the start needed has been given back.
const REST: Duration = Duration::from_secs(2);

/// Starts `cpq serve` on an empty directory and on the same directory again.
pub async fn measure(config: &Config) -> Result<Vec<Figure>> {
    let world = RealWorld::new();
    let dir = scratch::part(config).state_dir;
    let first = start(&dir, &world).await?;
    let again = start(&dir, &world).await?;
    Ok(vec![
        Figure::new("ready, empty directory", first.0, "ms", ""),
        Figure::new("ready, existing store", again.0, "ms", "≤ 200"),
        Figure::new("resident memory, idle", again.1, "MiB", "≤ 40"),
    ])
}

async fn start(dir: &std::path::Path, world: &RealWorld) -> Result<(f64, f64)> {
    // The store is the file of the directory, whatever this command was told.
    let service = Service::start(dir, &[], &[], world).await?;
    tokio::time::sleep(REST).await;
    let memory = service.pid().and_then(machine::resident_mib);
    let ready_ms = service.ready_ms;
    service.kill().await;
    Ok((ready_ms, memory.unwrap_or_default()))
}
