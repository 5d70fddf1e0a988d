//! The journal of one run: without gaps, by one worker at a time, and it folds to the run's state.

use cpq_domain::event::{Data, EventKind};
use cpq_domain::run::{Run, RunState};
use cpq_store::journal::Entry;

use crate::land::Land;

/// Checks the journal of a run that has come to rest.
pub fn check(land: &Land, run: &Run, rows: &[&Entry]) {
    let by = &run.correlation;
    let gap = rows.iter().zip(1..).find(|(row, nth)| row.event.sequence != *nth);
    if let Some((row, nth)) = gap {
        land.object(format!(
            "the journal of {by} has row {} where {nth} belongs",
            row.event.sequence
        ));
    }
    attempts(land, run, rows);
    let folded = fold(rows);
    if folded != Some(run.state) {
        land.object(format!(
            "the journal of {by} folds to {folded:?}; the run is {}",
            run.state
        ));
    }
    let calm = land.knobs.death_ms == 0 && land.knobs.jumps == 0;
    let lost =
        |row: &&&Entry| row.event.kind == EventKind::Requeued && !row.event.data.json()["crashes"].is_null();
    let takeovers = rows.iter().filter(lost).count();
    if calm && takeovers > 0 {
        land.object(format!("{by} was taken from a process that lives"));
    }
    land.with(|state| (0..takeovers).for_each(|_| state.trace.saw("lease taken over")));
    if run.state == RunState::Succeeded {
        let last = rows
            .iter()
            .rev()
            .find(|row| row.event.kind == EventKind::Succeeded);
        let told = last.map(|row| row.event.data.clone());
        if told != Data::of(&run.outcome).ok() {
            land.object(format!("the journal of {by} tells another outcome than the run"));
        }
    }
}

/// Workers never write after another one has taken over, nor anybody after the end.
fn attempts(land: &Land, run: &Run, rows: &[&Entry]) {
    let (mut last, mut over) = (0, false);
    for row in rows {
        let event = &row.event;
        let worked = matches!(
            event.kind,
            EventKind::Intent
                | EventKind::Done
                | EventKind::Failed
                | EventKind::Succeeded
                | EventKind::Parked
                | EventKind::Waiting
                | EventKind::Restarted
        );
        if !worked {
            over &= event.kind != EventKind::Requeued;
            continue;
        }
        if event.attempt < last {
            let told = format!("attempt {} wrote after attempt {last}", event.attempt);
            land.object(format!("{}: {told}", run.correlation));
        }
        if over {
            let told = format!("a row {} follows the end", event.kind.as_str());
            land.object(format!("{}: {told}", run.correlation));
        }
        last = last.max(event.attempt);
        over = event.kind == EventKind::Succeeded;
    }
    if u64::from(run.attempt) < u64::from(last) {
        land.object(format!(
            "{} counts {} claims, and its journal {last}",
            run.correlation, run.attempt
        ));
    }
}

/// The state that the rows lead to.
fn fold(rows: &[&Entry]) -> Option<RunState> {
    rows.iter().fold(None, |state, row| match row.event.kind {
        // A replay that joins a run that waits says so with a second row.
        EventKind::Accepted => state.or(Some(RunState::Queued)),
        EventKind::Requeued => Some(RunState::Queued),
        EventKind::Parked => Some(RunState::Parked),
        EventKind::Waiting => Some(RunState::Waiting),
        EventKind::Restarted => Some(RunState::Running),
        EventKind::Succeeded => Some(RunState::Succeeded),
        EventKind::Superseded => Some(RunState::Superseded),
        EventKind::Dead => Some(RunState::Dead),
        EventKind::Cancelled => Some(RunState::Cancelled),
        EventKind::Hint | EventKind::Intent | EventKind::Done | EventKind::Failed | EventKind::Replayed => {
            state
        }
    })
}
