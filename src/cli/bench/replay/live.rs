//! Live traffic, with and without a replay beside it.

use std::time::Duration;

use cpq_domain::Result;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::{CALL_MS, carry_out, plan, truth};
use crate::cli::bench::Figure;
use crate::cli::bench::crowd::share;
use crate::cli::bench::house::House;
use crate::config::Config;
use crate::fixtures;

/// Time between two live syncs: five a second.
const EVERY: Duration = Duration::from_millis(200);
/// How long live traffic is measured without a replay: 200 syncs.
const ALONE: Duration = Duration::from_secs(40);
/// Live syncs for which there are opportunities, at least an hour's: longer than any replay that is worth waiting for.
const LIVE: usize = 20_000;

/// Measures live syncs alone, then while so many dead letters are replayed.
pub async fn measure(config: &Config, letters: usize) -> Result<Vec<Figure>> {
    let house = House::build(config, letters + LIVE).await?;
    house.latency(CALL_MS).await?;
    fixtures::load(&house.app.store, &config.crm.connection, letters, letters).await?;
    let plan = plan(&house).await?;
    let (mut alone, _, rest) = during(&house, letters + 1, async {
        tokio::time::sleep(ALONE).await;
        Ok(())
    })
    .await?;
    let begin = house.app.world.monotonic_us();
    let (mut beside, done, _) = during(&house, rest, carry_out(&house, &plan)).await?;
    let seconds = (house.app.world.monotonic_us() - begin) as f64 / 1e6;
    house.leave().await;
    let (p50, p95) = (share(&mut alone, 50), share(&mut alone, 95));
    let (p50_beside, p95_beside) = (share(&mut beside, 50), share(&mut beside, 95));
    let mut figures = vec![
        Figure::new("live sync at 5 a second, median", p50, "ms", ""),
        Figure::new("  95 of 100 within", p95, "ms", ""),
        Figure::new(
            format!("the same while {letters} dead letters are replayed, median"),
            p50_beside,
            "ms",
            "",
        ),
        Figure::new("  95 of 100 within", p95_beside, "ms", ""),
        Figure::new("  in parts of that without", p95_beside / p95, "", "≤ 1.2"),
        Figure::new("  live syncs measured", beside.len() as f64, "", ""),
        Figure::new("  the replay took", seconds, "s", ""),
    ];
    figures.extend(truth(&plan, &done));
    Ok(figures)
}

/// Live syncs until `done`, from the opportunity of that number on: their times in milliseconds, what `done` gave, and the
/// number of the next opportunity.
async fn during<T>(
    house: &House,
    first: usize,
    done: impl Future<Output = Result<T>>,
) -> Result<(Vec<f64>, T, usize)> {
    let mut done = std::pin::pin!(done);
    let mut tick = tokio::time::interval(EVERY);
    let (mut under_way, mut walls, mut number) = (FuturesUnordered::new(), Vec::new(), first);
    let given = loop {
        tokio::select! {
            given = &mut done => break given?,
            Some(wall) = under_way.next() => walls.push(wall?),
            _ = tick.tick() => {
                under_way.push(one(house, number));
                number += 1;
            }
        }
    };
    while let Some(wall) = under_way.next().await {
        walls.push(wall?);
    }
    Ok((walls, given, number))
}

async fn one(house: &House, number: usize) -> Result<f64> {
    let begin = house.app.world.monotonic_us();
    let run = house.submit(number).await?;
    house.ended(&run).await?;
    Ok((house.app.world.monotonic_us() - begin) as f64 / 1_000.0)
}
