//! Retention: what a service removes by itself once it is old enough, in small steps so that nobody waits for it, and the
//! daily look at the store's own pages.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::purge::Purged;
use cpq_domain::world::World;
use cpq_store::purge::{self, Removed, Task};
use cpq_store::{Store, settings};
use jiff::{SignedDuration, Timestamp};

use crate::config::RetentionConfig;

/// Pause between two steps: whatever waits for the writer goes first.
const BETWEEN_STEPS: Duration = Duration::from_millis(20);
/// How long after the start, and how often, the service looks for what is old. Retention is counted in days.
const FIRST: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_secs(3_600);
/// Rounds between two looks at the pages of the store: once a day.
const ROUNDS_A_DAY: u64 = 24;

/// What the configuration wants removed by now.
pub fn tasks(config: &RetentionConfig, now: Timestamp) -> Vec<Task> {
    let limit = |key: &str, days: u32| {
        let age = SignedDuration::from_hours(24 * i64::from(days));
        let before = now.saturating_sub(age).unwrap_or(Timestamp::MIN);
        (days > 0).then(|| (before, mark(now, format!("retention.{key} = {days}"))))
    };
    let mut tasks = vec![Task::Keys(now), Task::Deliveries(now)];
    let journal = limit("journal_days", config.journal_days);
    tasks.extend(journal.map(|(before, mark)| Task::Journals(before, mark)));
    let decisions = limit("decisions_days", config.decisions_days);
    tasks.extend(decisions.map(|(before, mark)| Task::Decisions(before, mark)));
    let conflicts = limit("conflicts_days", config.conflicts_days);
    tasks.extend(conflicts.map(|(before, mark)| Task::Conflicts(before, mark, 0)));
    let certificates = limit("certificates_days", config.certificates_days);
    tasks.extend(certificates.map(|(before, _)| Task::Certificates(before)));
    tasks
}

/// Everything from before a moment.
pub fn before(moment: Timestamp, now: Timestamp) -> Vec<Task> {
    let mark = mark(now, format!("cpq store purge --before {moment}"));
    vec![
        Task::Journals(moment, mark.clone()),
        Task::Decisions(moment, mark.clone()),
        Task::Conflicts(moment, mark, 0),
        Task::Certificates(moment),
    ]
}

/// The marker of a purge.
pub fn mark(now: Timestamp, under: String) -> Purged {
    Purged {
        at: now,
        under,
        bytes: 0,
    }
}

/// What the last look at the store's pages found, for `/readyz`.
pub type Damage = Arc<Mutex<Option<String>>>;

/// Looks for what is old, and at the pages of the store, for as long as the process lives.
pub fn start(store: Store, world: Arc<dyn World>, config: RetentionConfig) -> Damage {
    let damage = Damage::default();
    let told = damage.clone();
    tokio::spawn(async move {
        tokio::time::sleep(FIRST).await;
        for round in 0_u64.. {
            let now = world.now();
            match purge(&store, tasks(&config, now)).await {
                Ok(removed) if removed != Removed::default() => tracing::info!(?removed, "retention"),
                Ok(_) => {}
                Err(error) => tracing::error!(code = %error.code, error = %error, "retention"),
            }
            note(&store, now).await;
            if round.is_multiple_of(ROUNDS_A_DAY) {
                look(&store, &told).await;
            }
            tokio::time::sleep(EVERY).await;
        }
    });
    damage
}

/// Damage that nobody reads would lie there until it is in every backup.
async fn look(store: &Store, told: &Damage) {
    let found = match store.integrity().await {
        Ok(found) => found.into_iter().next(),
        Err(error) => Some(error.to_string()),
    };
    if let Some(damage) = &found {
        tracing::error!(damage, "the store is damaged; see `cpq store check`");
    }
    *told.lock().unwrap_or_else(PoisonError::into_inner) = found;
}

/// Removes, step by step, with a pause for others between two steps.
pub async fn purge(store: &Store, tasks: Vec<Task>) -> Result<Removed> {
    let mut all = Removed::default();
    for task in tasks {
        let mut next = Some(task);
        while let Some(task) = next {
            let step = store.erase(move |tx| Box::pin(async move { purge::step(tx, task).await }));
            let (removed, left) = step.await?;
            all += removed;
            next = left;
            tokio::time::sleep(BETWEEN_STEPS).await;
        }
    }
    if all != Removed::default() && !store.empty_log().await? {
        tracing::warn!("what was removed stays in the store's log until the last process closes it");
    }
    Ok(all)
}

/// Setting with the moment of the last round.
const LAST: &str = "retention.last_round";

/// Notes that what was past its retention is removed. The next round notes it anew, so a failure is only told.
pub async fn note(store: &Store, now: Timestamp) {
    let moment = now.to_string();
    let noted = store.write(move |tx| Box::pin(async move { settings::put(tx, LAST, &moment).await }));
    if let Err(error) = noted.await {
        tracing::warn!(code = %error.code, error = %error, "cannot note the moment of the retention");
    }
}

/// When that was last noted.
pub async fn last(store: &Store) -> Result<Option<Timestamp>> {
    let noted = store.read(|tx| Box::pin(settings::get(tx, LAST))).await?;
    Ok(noted.and_then(|moment| moment.parse().ok()))
}

/// What would be removed.
pub async fn foresee(store: &Store, tasks: Vec<Task>) -> Result<Removed> {
    store
        .read(move |tx| {
            Box::pin(async move {
                let mut all = Removed::default();
                for task in &tasks {
                    all += purge::foresee(tx, task).await?;
                }
                Ok(all)
            })
        })
        .await
}
