//! Syncs: round trips, throughput, and API calls of a backlog.

use cpq_domain::Result;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::Figure;
use super::house::House;
use crate::config::Config;

/// Syncs of the round trip figure, and those before it that warm connections and caches.
const SAMPLES: usize = 15;
const WARM_UP: usize = 3;

/// Wall time of one sync, in round trips of the CRM.
pub async fn round_trips(config: &Config, latency_ms: u64) -> Result<Vec<Figure>> {
    let house = House::build(config, SAMPLES + WARM_UP).await?;
    house.latency(latency_ms).await?;
    let mut walls = Vec::new();
    for number in 1..=SAMPLES + WARM_UP {
        let begin = house.app.world.monotonic_us();
        let run = house.submit(number).await?;
        house.ended(&run).await?;
        let wall_ms = (house.app.world.monotonic_us() - begin) as f64 / 1_000.0;
        if number > WARM_UP {
            walls.push(wall_ms);
        }
    }
    house.leave().await;
    walls.sort_by(f64::total_cmp);
    let median = walls[walls.len() / 2];
    Ok(vec![
        Figure::new(
            format!("one sync at {latency_ms} ms a call, median"),
            median,
            "ms",
            "",
        ),
        Figure::new(
            "the same in round trips",
            median / latency_ms as f64,
            "round trips",
            "≤ 2.2",
        ),
    ])
}

/// Durable syncs a second with so many in flight.
pub async fn throughput(config: &Config, syncs: usize, in_flight: usize) -> Result<Vec<Figure>> {
    let house = House::build(config, syncs).await?;
    let (calls, commits) = (house.api_calls().await?, house.app.store.stats());
    let begin = house.app.world.monotonic_us();
    let measured = &house;
    let one = |number: usize| async move {
        let run = measured.submit(number).await?;
        measured.ended(&run).await
    };
    stream::iter(1..=syncs)
        .map(one)
        .buffer_unordered(in_flight)
        .try_collect::<Vec<()>>()
        .await?;
    let seconds = (house.app.world.monotonic_us() - begin) as f64 / 1e6;
    let (count, stats) = (syncs as f64, house.app.store.stats());
    let calls = house.api_calls().await? - calls;
    house.leave().await;
    let reach = if in_flight == 128 { "≥ 300" } else { "" };
    Ok(vec![
        Figure::new(
            format!("durable syncs, {in_flight} in flight"),
            count / seconds,
            "syncs/s",
            reach,
        ),
        Figure::new(
            format!("  transactions a sync, {in_flight} in flight"),
            (stats.jobs - commits.jobs) as f64 / count,
            "",
            "",
        ),
        Figure::new(
            format!("  disk flushes a sync, {in_flight} in flight"),
            (stats.commits - commits.commits) as f64 / count,
            "",
            "",
        ),
        Figure::new(
            format!("  API calls a sync, {in_flight} in flight"),
            calls / count,
            "",
            "",
        ),
    ])
}

/// API calls when so many syncs wait at once.
pub async fn backlog(config: &Config, syncs: usize) -> Result<Vec<Figure>> {
    let house = House::build(config, syncs).await?;
    house.latency(20).await?;
    let (calls, before) = (house.api_calls().await?, house.calls_by_kind());
    let begin = house.app.world.monotonic_us();
    let runs: Vec<_> = stream::iter(1..=syncs)
        .map(|number| house.submit(number))
        .buffer_unordered(256)
        .try_collect()
        .await?;
    stream::iter(runs.iter().map(Ok))
        .try_for_each_concurrent(256, |run| house.ended(run))
        .await?;
    let seconds = (house.app.world.monotonic_us() - begin) as f64 / 1e6;
    let (calls, after) = (house.api_calls().await? - calls, house.calls_by_kind());
    house.leave().await;
    let mut figures = vec![
        Figure::new(
            format!("API calls for a backlog of {syncs}, CRM at 20 ms"),
            calls,
            "calls",
            "≤ 60",
        ),
        Figure::new("  drained in", seconds, "s", ""),
    ];
    figures.extend(after.into_iter().filter_map(|(kind, count)| {
        let count = count - before.get(&kind).copied().unwrap_or_default();
        (count > 0.0).then(|| Figure::new(format!("  calls that {kind}"), count, "calls", ""))
    }));
    Ok(figures)
}
