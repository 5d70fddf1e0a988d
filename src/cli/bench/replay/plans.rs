//! A plan of many dead letters, made by `cpq dlq plan` in a process of its own.

use std::time::Duration;

use cpq_domain::Result;

use super::CALL_MS;
use crate::cli::bench::house::House;
use crate::cli::bench::{Figure, child};
use crate::config::Config;
use crate::fixtures;

/// How long it takes, and how much memory.
pub async fn measure(config: &Config, letters: usize, opportunities: usize) -> Result<Vec<Figure>> {
    let house = House::build(config, opportunities).await?;
    fixtures::load(&house.app.store, &config.crm.connection, opportunities, letters).await?;
    house.latency(CALL_MS).await?;
    house.app.engine.stop(Duration::from_secs(5)).await;
    let begin = house.app.world.monotonic_us();
    let made = child::run(house.config(), None, &["dlq", "plan"]).await;
    let seconds = (house.app.world.monotonic_us() - begin) as f64 / 1e6;
    house.leave().await;
    let made = made?;
    let sum = &made.told["prediction"];
    let looked_at = sum["lookedAt"].as_f64().unwrap_or_default();
    let taken_in = sum["letters"].as_f64().unwrap_or_default();
    Ok(vec![
        Figure::new(
            format!("plan of {letters} dead letters on {opportunities} opportunities, CRM at {CALL_MS} ms"),
            seconds,
            "s",
            "≤ 30 for 100,000",
        ),
        Figure::new("  letters that it took in", taken_in, "letters", "all"),
        Figure::new("  opportunities that it looked at", looked_at, "", ""),
        Figure::new("  peak memory of its process", made.peak_mib, "MiB", "≤ 256"),
    ])
}
