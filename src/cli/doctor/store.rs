//! The store: whether it opens, is whole and of our schema, how large it is, and who works on it.

use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::world::World;
use cpq_store::{About, Plan, Store, limits, positions, runs};
use jiff::{SignedDuration, Timestamp};

use super::finding::{Check, Group, count, size, within};
use crate::app::{has_store, open_store, store_options};
use crate::config::Config;
use crate::retention;
use crate::world::{RealWorld, SharedWorld};

const HERE: Group = Group::Store;
/// Time for opening: a server that is away is waited for 15 s by the store itself.
const OPENING: Duration = Duration::from_secs(20);
/// Time for a look at all pages. A store of some gigabytes takes longer; `cpq store check` looks at it in full.
const PAGES: Duration = Duration::from_secs(10);
/// Time for a question.
const ASKING: Duration = Duration::from_secs(10);
/// Clocks that differ by more matter: leases go by the server's, and signatures and conditional writes by ours.
pub const CLOCKS_MS: i64 = 5_000;
/// How long after the end of a lease somebody should have taken its sync over.
const TAKEN_OVER: SignedDuration = SignedDuration::from_secs(60);
/// A service purges every hour.
const PURGED: SignedDuration = SignedDuration::from_hours(48);

/// The checks, and the store if it can be used. It is not changed: one of an older schema is left as it is.
pub async fn examine(config: &Config) -> (Vec<Check>, Option<Store>) {
    let (schema, current) = match tokio::time::timeout(OPENING, schema(config)).await {
        Ok(seen) => seen,
        Err(_) => {
            let found = format!("it did not open within {} s", OPENING.as_secs());
            (
                Check::fail(
                    HERE,
                    "schema",
                    found,
                    "look whether another program holds the file, or at the server's load",
                ),
                false,
            )
        }
    };
    if !current {
        return (vec![schema], None);
    }
    let store = match open_store(config).await {
        Ok(store) => store,
        Err(error) => return (vec![Check::failed(HERE, "schema", &error)], None),
    };
    let (pages, about, nodes, purged) = tokio::join!(
        pages(&store),
        within(ASKING, HERE, "engine", told(about(&store), "engine")),
        within(ASKING, HERE, "nodes", told(nodes(&store), "nodes")),
        within(ASKING, HERE, "purge", told(purged(&store), "purge")),
    );
    let mut checks = vec![schema, about, pages, nodes, purged];
    checks.extend(clock(&store));
    (checks, Some(store))
}

/// A check whose question may fail.
async fn told(check: impl Future<Output = Result<Check>>, name: &'static str) -> Check {
    check
        .await
        .unwrap_or_else(|error| Check::failed(HERE, name, &error))
}

/// The schema, and whether it is ours.
async fn schema(config: &Config) -> (Check, bool) {
    let name = "schema";
    match planned(config).await {
        Err(error) => (Check::failed(HERE, name, &error), false),
        Ok((place, None)) => {
            let found = format!("{place} is not there yet; the first command that needs it makes it");
            (
                Check::warn(
                    HERE,
                    name,
                    found,
                    "run `cpq auth connect-crm`, or name the store with --store or store.file",
                ),
                false,
            )
        }
        Ok((place, Some(plan))) if plan.missing.is_empty() => (
            Check::ok(
                HERE,
                name,
                format!("{place} has schema {}, that of this program", plan.to),
            ),
            true,
        ),
        Ok((place, Some(plan))) => {
            let found = format!(
                "{place} has schema {}, and this program works with {}",
                plan.from, plan.to
            );
            let fix = "run `cpq store backup FILE`, then `cpq store migrate`; `cpq serve` does the latter at its start";
            (Check::warn(HERE, name, found, fix), false)
        }
    }
}

async fn planned(config: &Config) -> Result<(String, Option<Plan>)> {
    let options = store_options(config)?;
    let place = options.place();
    if !has_store(config)? {
        return Ok((place, None));
    }
    Ok((place, Some(Store::plan(options).await?)))
}

/// What the engine finds wrong with its own pages.
async fn pages(store: &Store) -> Check {
    let name = "integrity";
    let fix = "stop every cpq, keep a copy of the store, and restore a backup: docs/store.md";
    match tokio::time::timeout(PAGES, store.integrity()).await {
        Err(_) => Check::skipped(
            HERE,
            name,
            format!(
                "it takes longer than {} s; `cpq store check` looks at everything",
                PAGES.as_secs()
            ),
        ),
        Ok(Err(error)) => Check::failed(HERE, name, &error),
        Ok(Ok(found)) if found.is_empty() => {
            Check::ok(HERE, name, "pages, indexes and constraints are whole")
        }
        Ok(Ok(found)) => Check::fail(HERE, name, "the store is damaged", fix).with(found),
    }
}

async fn about(store: &Store) -> Result<Check> {
    let name = "engine";
    let about: About = store.about().await?;
    let mut words = vec![about.engine.clone(), size(about.bytes)];
    words.extend(
        about
            .log_bytes
            .map(|bytes| format!("write-ahead log {}", size(bytes))),
    );
    words.extend(
        about
            .answered_in
            .map(|took| format!("answers in {:.1} ms", took.as_secs_f64() * 1_000.0)),
    );
    if about.answered_in.is_some() {
        words.push(about.tls.clone().unwrap_or_else(|| "without TLS".to_owned()));
    }
    let words = words.join(", ");
    let most = 4 * u64::try_from(limits::LOG_BYTES).unwrap_or(u64::MAX);
    Ok(match about.log_bytes {
        Some(bytes) if bytes > most => Check::warn(
            HERE,
            name,
            format!("{words}: the log cannot be worked off while somebody reads for long"),
            "end what holds the store open, e.g. a backup program or a sqlite3 prompt",
        ),
        _ => Check::ok(HERE, name, words),
    })
}

/// Which processes hold syncs or read feeds, and whether one of them is gone.
async fn nodes(store: &Store) -> Result<Check> {
    let now = SharedWorld::of(store).now();
    let (nodes, feeds, expiry) = store
        .read(move |tx| {
            Box::pin(async move {
                Ok((
                    runs::nodes(tx, now).await?,
                    positions::list(tx).await?,
                    runs::next_expiry(tx).await?,
                ))
            })
        })
        .await?;
    let mut words: Vec<String> = nodes
        .iter()
        .map(|node| {
            format!(
                "{} has {} in hand",
                node.name,
                count(node.runs as usize, "sync", "syncs")
            )
        })
        .collect();
    let held = feeds
        .iter()
        .filter_map(|feed| feed.lease.as_ref().map(|(holder, until)| (feed, holder, until)));
    words.extend(
        held.filter(|(_, _, until)| **until > now)
            .map(|(feed, holder, _)| format!("{holder} reads the feed {} of {}", feed.feed, feed.connection)),
    );
    let left = expiry.is_some_and(|end| now.duration_since(end) > TAKEN_OVER);
    let found = match words.len() {
        0 => "no process holds anything".to_owned(),
        held => format!("{} held by processes", count(held, "lease is", "leases are")),
    };
    let check = match left {
        true => Check::warn(
            HERE,
            "nodes",
            "a process died with syncs in hand, and no other has taken them over",
            "start `cpq serve`: it goes on with them",
        ),
        false => Check::ok(HERE, "nodes", found),
    };
    Ok(check.with(words))
}

async fn purged(store: &Store) -> Result<Check> {
    let now = RealWorld::new().now();
    Ok(match retention::last(store).await? {
        None => Check::ok(
            HERE,
            "purge",
            "nothing was purged yet; a service begins a minute after its start",
        ),
        Some(at) if now.duration_since(at) > PURGED => Check::warn(
            HERE,
            "purge",
            format!("what is past its retention was last removed at {at:.0}"),
            "keep `cpq serve` running, or run `cpq store purge`",
        ),
        Some(at) => Check::ok(
            HERE,
            "purge",
            format!("what is past its retention was last removed at {at:.0}"),
        ),
    })
}

/// The clock of a server that several nodes share.
fn clock(store: &Store) -> Option<Check> {
    let theirs: Timestamp = store.time()?;
    let ahead = RealWorld::new().now().as_millisecond() - theirs.as_millisecond();
    let words = apart(ahead, "the store's server");
    Some(match ahead.abs() > CLOCKS_MS {
        true => Check::warn(
            HERE,
            "clock",
            format!("{words}; leases go by the server's clock, tokens and webhooks by ours"),
            "keep both machines on NTP: `timedatectl` tells whether this one is",
        ),
        false => Check::ok(HERE, "clock", words),
    })
}

/// By how much our clock differs from another one.
pub fn apart(ahead_ms: i64, whose: &str) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let seconds = ahead_ms.unsigned_abs() as f64 / 1_000.0;
    match ahead_ms {
        -999..=999 => format!("our clock and that of {whose} agree to a second"),
        1_000.. => format!("our clock is {seconds:.1} s ahead of that of {whose}"),
        _ => format!("our clock is {seconds:.1} s behind that of {whose}"),
    }
}
