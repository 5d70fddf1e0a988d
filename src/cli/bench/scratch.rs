//! Where measurements work: a folder of their own, and what they made there is gone at the end, however that comes.

use std::path::Path;

use cpq_domain::Result;
use cpq_domain::error::{Code, Error};
use cpq_domain::world::World;
use cpq_store::remove_schema;
use secrecy::ExposeSecret;

use crate::cli::place::{self, Listening};
use crate::cli::sandbox;
use crate::config::Config;
use crate::world::RealWorld;

/// The configuration with a new folder as its state directory, in which each measurement takes one of its own ([`part`]).
pub fn make(config: &Config) -> Result<Config> {
    let mut config = config.clone();
    config.state_dir = std::env::temp_dir().join(format!("cpq-bench-{}", RealWorld::new().uuid()));
    std::fs::create_dir(&config.state_dir).map_err(|error| {
        let where_to = config.state_dir.display();
        Error::new(Code::Internal, format!("cannot measure in {where_to}: {error}"))
    })?;
    Ok(config)
}

/// The configuration of one measurement. Its store is a file there.
pub fn part(config: &Config) -> Config {
    let mut config = config.clone();
    config.state_dir.push(RealWorld::new().uuid().to_string());
    config
}

/// The schema of a measurement on a server, by its folder.
pub fn schema(dir: &Path) -> String {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    format!("cpq_bench_{}", name.replace('-', ""))
}

/// Ends every sandbox that was started, and removes every schema and the folder.
pub async fn sweep(config: &Config) {
    let parts = std::fs::read_dir(&config.state_dir).into_iter().flatten();
    for part in parts.flatten() {
        clear(config, &part.path()).await;
    }
    remove(&config.state_dir);
}

/// The same for one measurement, once its sandbox writes there no more.
pub async fn clear(config: &Config, dir: &Path) {
    if let Some(running) = place::load::<Listening>(dir, place::SANDBOX) {
        let mut config = config.clone();
        config.state_dir = dir.to_path_buf();
        sandbox::end(&config, &running.url).await;
    }
    if let Ok(Some(server)) = config.store_url()
        && let Err(error) = remove_schema(server.expose_secret(), &schema(dir)).await
    {
        tracing::warn!(schema = schema(dir), error = %error, "the schema of the measurement stays behind");
    }
    remove(dir);
}

fn remove(dir: &Path) {
    if let Err(error) = std::fs::remove_dir_all(dir) {
        tracing::warn!(folder = %dir.display(), error = %error, "the folder of the measurement stays behind");
    }
}
