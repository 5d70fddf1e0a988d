//! What waits for somebody: syncs that failed for good, open conflicts, syncs that wait for a person, and silence.

use cpq_domain::Result;
use cpq_domain::conflict::ConflictState;
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::replay::Selection;
use cpq_domain::run::RunState;
use cpq_store::{conflicts, dead_letters, runs};

use super::connections::Ground;
use super::finding::{Check, Group, count};

const HERE: Group = Group::Work;
/// Hours of which silence is judged: a week.
const HOURS: i64 = 168;

/// The checks.
pub async fn examine(ground: &Ground) -> Vec<Check> {
    let (letters, conflicts, waiting, silence) = tokio::join!(
        letters(ground),
        open_conflicts(ground),
        waiting(ground),
        silence(ground)
    );
    let told = |(name, check): (&'static str, Result<Check>)| {
        check.unwrap_or_else(|error| Check::failed(HERE, name, &error))
    };
    [
        ("dead letters", letters),
        ("conflicts", conflicts),
        ("waiting", waiting),
        ("silence", silence),
    ]
    .into_iter()
    .map(told)
    .collect()
}

async fn letters(ground: &Ground) -> Result<Check> {
    let (groups, all) = ground
        .store
        .read(|tx| {
            Box::pin(async move {
                let everything = Selection::default();
                let (all, _) = dead_letters::count(tx, &everything).await?;
                Ok((dead_letters::groups(tx, &everything).await?, all))
            })
        })
        .await?;
    let causes = groups
        .iter()
        .map(|group| format!("{} × {}: {}", group.count, group.signature.code, group.next));
    Ok(match all {
        0 => Check::ok(HERE, "dead letters", "none is open"),
        all => Check::warn(
            HERE,
            "dead letters",
            format!("{} for good", count(all as usize, "sync failed", "syncs failed")),
            "`cpq dlq group` names each cause and what to do; `cpq dlq plan` prepares a replay",
        )
        .with(causes),
    })
}

async fn open_conflicts(ground: &Ground) -> Result<Check> {
    let open = conflicts::Filter {
        state: Some(ConflictState::Open),
        limit: PAGE_ROWS,
        ..conflicts::Filter::default()
    };
    let open = ground
        .store
        .read(move |tx| Box::pin(async move { conflicts::list(tx, &open).await }))
        .await?;
    let more = if open.len() < PAGE_ROWS as usize {
        ""
    } else {
        " or more"
    };
    Ok(match open.len() {
        0 => Check::ok(HERE, "conflicts", "none is open"),
        number => Check::warn(
            HERE,
            "conflicts",
            format!("{number}{more} fields wait for a decision"),
            "`cpq conflicts list` shows them",
        ),
    })
}

async fn waiting(ground: &Ground) -> Result<Check> {
    let waiting = runs::Filter {
        state: Some(RunState::Waiting),
        limit: PAGE_ROWS,
        ..runs::Filter::default()
    };
    let waiting = ground
        .store
        .read(move |tx| Box::pin(async move { runs::list(tx, &waiting).await }))
        .await?;
    let more = if waiting.len() < PAGE_ROWS as usize {
        ""
    } else {
        " or more"
    };
    Ok(match waiting.len() {
        0 => Check::ok(HERE, "waiting", "no sync waits for a person"),
        number => Check::warn(
            HERE,
            "waiting",
            format!("{number}{more} syncs wait for a person: a login, or an answer"),
            "`cpq sync list --state waiting` shows them, `cpq sync status --correlation ID` what each waits for",
        ),
    })
}

async fn silence(ground: &Ground) -> Result<Check> {
    let counted = cpq_api::count_syncs(&ground.store, ground.world.now(), HOURS, None).await?;
    Ok(match counted.silence() {
        None => Check::ok(
            HERE,
            "silence",
            "nothing is missing of what is usual at this hour",
        ),
        Some(words) => Check::warn(
            HERE,
            "silence",
            words,
            "look whether the senders still send, and with `cpq feeds` whether changes are read",
        ),
    })
}
