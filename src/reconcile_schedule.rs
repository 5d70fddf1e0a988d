//! Reconciles by themselves: everything once in a while, and in between what changed.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::error::Code;
use cpq_domain::id::ConnectionName;
use cpq_domain::reconcile::{AskedBy, Order, Reconciliation, State};
use cpq_domain::vault::{GrantState, TokenVault};
use cpq_domain::world::World;
use cpq_orchestrator::Engine;
use cpq_store::Store;
use jiff::{SignedDuration, Timestamp};

use crate::config::ReconcileConfig;

/// How often to see whether one is due. They are due to the hour.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Earlier reconciles that are looked at: with one an hour, those of two days.
const LOOKED_BACK: u32 = 50;

/// Starts what is due for as long as the process lives.
///
/// Of several nodes one has the schedule; it is handed over when that one goes away. Should two have it for a moment, the
/// store lets only one reconcile of a connection begin.
pub fn start(
    config: ReconcileConfig,
    store: Store,
    vault: Arc<dyn TokenVault>,
    world: Arc<dyn World>,
    engine: Engine,
) {
    let born = world.now();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let ours = store.leads("reconcile-schedule").await;
            let done = match ours {
                Ok(true) => round(&config, vault.as_ref(), world.now(), born, &engine).await,
                ours => ours.map(drop),
            };
            if let Err(error) = done {
                tracing::error!(code = %error.code, error = %error, "cannot start a reconcile that is due");
            }
        }
    });
}

async fn round(
    config: &ReconcileConfig,
    vault: &dyn TokenVault,
    now: Timestamp,
    born: Timestamp,
    engine: &Engine,
) -> Result<()> {
    for grant in vault.list().await? {
        // A dead grant answers nothing; whoever reconnects finds the schedule where it was.
        if !matches!(grant.state, GrantState::Active) {
            continue;
        }
        let connection = grant.settings.name;
        let before = engine.reconciliations(&connection, LOOKED_BACK).await?;
        match due(config, &before, now, born) {
            Due::Nothing => {}
            Due::Resume => resume(config, connection, engine).await?,
            Due::Look { since } => drop(engine.reconcile(order(config, connection, since)).await?),
        }
    }
    Ok(())
}

/// Goes on with one whose process died; under another matrix it has to begin anew.
async fn resume(config: &ReconcileConfig, connection: ConnectionName, engine: &Engine) -> Result<()> {
    match engine.resume_reconcile(&connection).await {
        Err(error) if error.code == Code::RequestInvalid => {
            engine.reconcile(order(config, connection, None)).await.map(drop)
        }
        resumed => resumed.map(drop),
    }
}

fn order(config: &ReconcileConfig, connection: ConnectionName, since: Option<Timestamp>) -> Order {
    Order {
        connection,
        since,
        repair: config.repair,
        asked_by: AskedBy::Schedule,
    }
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Resume,
    Look { since: Option<Timestamp> },
}

/// `before`: earlier reconciles of the connection, newest first.
fn due(config: &ReconcileConfig, before: &[Reconciliation], now: Timestamp, born: Timestamp) -> Due {
    let last = before.first();
    match last.map(|last| (last.state, last.error.is_some())) {
        Some((State::Running, _)) if last.is_some_and(|last| last.lease_until > now) => return Due::Nothing,
        Some((State::Running, _) | (State::Stopped, false)) => return Due::Resume,
        _ => {}
    }
    let passed = |since: Timestamp, hours: u32| {
        hours > 0 && now.duration_since(since) >= SignedDuration::from_hours(i64::from(hours))
    };
    // After a start, and after one that failed, the first look waits as long as a look at changes does.
    let short = [config.changes_every_hours, config.full_every_hours]
        .into_iter()
        .filter(|hours| *hours > 0)
        .min()
        .unwrap_or(0);
    let waited_from = match last {
        None => born,
        Some(last) if last.state == State::Done => last.started_at,
        Some(broken) => broken.started_at.max(born),
    };
    if !passed(waited_from, short) {
        return Due::Nothing;
    }
    let mut done = before.iter().filter(|one| one.state == State::Done);
    let full = done.clone().find(|one| one.order.since.is_none());
    if config.full_every_hours > 0 && full.is_none_or(|full| passed(full.started_at, config.full_every_hours))
    {
        return Due::Look { since: None };
    }
    match done.next() {
        Some(last) if passed(last.started_at, config.changes_every_hours) => Due::Look {
            since: Some(last.started_at),
        },
        _ => Due::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use cpq_domain::id::RunId;
    use cpq_domain::reconcile::{Mark, Told};

    use super::*;

    const CONFIG: ReconcileConfig = ReconcileConfig {
        full_every_hours: 24,
        changes_every_hours: 1,
        repair: false,
        calls_percent: 10,
        repairs_at_once: 8,
    };

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn one(started: i64, full: bool, state: State) -> Reconciliation {
        Reconciliation {
            id: RunId(uuid::Uuid::nil()),
            order: Order {
                connection: ConnectionName::new("crm").expect("a name"),
                since: (!full).then(|| at(started - 1)),
                repair: false,
                asked_by: AskedBy::Schedule,
            },
            state,
            attempt: 1,
            started_at: at(started),
            updated_at: at(started),
            ended_at: None,
            lease_until: at(started) + SignedDuration::from_secs(60),
            mark: Mark::default(),
            told: Told::default(),
            matrix_version: String::new(),
            error: None,
        }
    }

    #[test]
    fn everything_once_a_day_and_what_changed_every_hour() {
        let full = Due::Look { since: None };
        let changes = |since| Due::Look {
            since: Some(at(since)),
        };
        assert_eq!(due(&CONFIG, &[], at(0), at(0)), Due::Nothing, "just started");
        assert_eq!(due(&CONFIG, &[], at(1), at(0)), full);
        let day = [one(1, true, State::Done)];
        assert_eq!(due(&CONFIG, &day, at(1), at(0)), Due::Nothing);
        assert_eq!(due(&CONFIG, &day, at(2), at(0)), changes(1));
        let day = [one(24, false, State::Done), one(1, true, State::Done)];
        assert_eq!(due(&CONFIG, &day, at(25), at(0)), full);
        // A restart does not put off what is due.
        assert_eq!(due(&CONFIG, &day, at(25), at(25)), full);
    }

    #[test]
    fn what_was_broken_off_goes_on_and_what_failed_is_tried_an_hour_later() {
        let running = one(1, true, State::Running);
        assert_eq!(
            due(&CONFIG, std::slice::from_ref(&running), at(1), at(0)),
            Due::Nothing,
            "it is alive"
        );
        assert_eq!(due(&CONFIG, &[running], at(2), at(0)), Due::Resume);
        assert_eq!(
            due(&CONFIG, &[one(1, true, State::Stopped)], at(1), at(0)),
            Due::Resume
        );
        let failed = [one(2, true, State::Failed), one(1, false, State::Done)];
        assert_eq!(due(&CONFIG, &failed, at(2), at(0)), Due::Nothing);
        assert_eq!(due(&CONFIG, &failed, at(3), at(0)), Due::Look { since: None });
    }

    #[test]
    fn what_is_switched_off_never_comes() {
        let off = |full, changes| ReconcileConfig {
            full_every_hours: full,
            changes_every_hours: changes,
            ..CONFIG
        };
        let done = [one(1, true, State::Done)];
        assert_eq!(due(&off(0, 0), &[], at(99), at(0)), Due::Nothing);
        assert_eq!(due(&off(0, 0), &done, at(99), at(0)), Due::Nothing);
        assert_eq!(due(&off(24, 0), &done, at(20), at(0)), Due::Nothing);
        assert_eq!(
            due(&off(0, 1), &done, at(99), at(0)),
            Due::Look { since: Some(at(1)) }
        );
    }
}
