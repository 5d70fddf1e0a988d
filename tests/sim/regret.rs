//! Somebody who takes syncs back, and whether what was told of it is true.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::ownership;
use cpq_domain::resolve::Verdict;
use cpq_domain::resolve::undo::{Fate, Undone};
use cpq_domain::run::{Effect, Run, RunState};
use cpq_domain::value::Value;
use cpq_orchestrator::{Engine, Undo, UndoItem, UndoWhich as Which};
use cpq_store::{decisions, runs};
use jiff::SignedDuration;
use tokio::time::sleep;

use crate::dice::Dice;
use crate::fleet::{Fleet, apart};
use crate::land::{Land, place_of};
use crate::verdict;
use crate::witness::{Cell, Side};

/// Fields that are asked for one by one.
const FIELDS: [&str; 4] = [
    "opportunity.name",
    "opportunity.next_step",
    "opportunity.description",
    "line.quantity",
];

/// Takes back what one sync wrote, or all of the last seconds.
pub async fn frank(fleet: Arc<Fleet>, land: Arc<Land>, mut dice: Dice) {
    while land.is_open() {
        sleep(Duration::from_millis(dice.between(200, 3_000))).await;
        let Some(engine) = fleet.any(&mut dice) else {
            continue;
        };
        let Some(undo) = something(&land, &mut dice).await else {
            continue;
        };
        let own = engine.clone();
        let Some(Ok(items)) = apart(async move { own.to_undo(undo).await }).await else {
            continue;
        };
        for item in items {
            sleep(Duration::from_millis(dice.below(400))).await;
            take_back(&land, engine.clone(), item).await;
        }
    }
}

async fn something(land: &Land, dice: &mut Dice) -> Option<Undo> {
    let now = land.clock.now();
    let which = if dice.percent(25) {
        let seconds = i64::try_from(dice.between(1, 8)).ok()?;
        Which::Between {
            connection: None,
            opportunity: None,
            since: now - SignedDuration::from_secs(seconds),
            until: now,
        }
    } else {
        Which::Sync(one_that_wrote(land, dice).await?.correlation)
    };
    let field = dice.percent(30).then(|| (*dice.pick(&FIELDS)).into());
    Some(Undo {
        which,
        field,
        both_sides: dice.percent(50),
        by: "frank".into(),
        reason: "the import was wrong".into(),
    })
}

async fn one_that_wrote(land: &Land, dice: &mut Dice) -> Option<Run> {
    let filter = runs::Filter {
        state: Some(RunState::Succeeded),
        limit: 20,
        ..runs::Filter::default()
    };
    let mut found = verdict::listed(land, filter).await;
    found.retain(|run| {
        let outcome = run.outcome.as_ref();
        outcome.is_some_and(|outcome| outcome.effect == Effect::Written && !outcome.created)
    });
    (!found.is_empty()).then(|| dice.pick(&found).clone())
}

/// The witness hears of it first: the sync may be over before its answer is there.
async fn take_back(land: &Land, engine: Engine, item: UndoItem) {
    let at = place_of(item.lane.opportunity.as_str());
    let (both_sides, syncs) = (item.undoes.both_sides, item.undoes.syncs.clone());
    let told = told_of(land, &item).await;
    land.with(|state| {
        for sync in &syncs {
            state.witness.wants_back(sync.as_str(), both_sides);
        }
        for (side, cell, old) in told {
            state.witness.wants(side, &cell, &old, both_sides);
        }
        state.witness.moved(at);
    });
    let asked = apart(async move { engine.undo(item).await }).await;
    let Some(Ok(run)) = asked else { return };
    land.tell(format_args!(
        "frank takes back {syncs:?} of OPP-{at} by {}",
        run.correlation
    ));
    land.with(|state| {
        state.trace.saw("undo");
        state.witness.moved(at);
        state.regrets.insert(run.id, run.correlation);
    });
}

/// What the history says that these syncs wrote over. Of a sync whose answer was lost it may say more than what happened.
async fn told_of(land: &Land, item: &UndoItem) -> Vec<(Side, Cell, Value)> {
    let at = place_of(item.lane.opportunity.as_str());
    let mut all = Vec::new();
    for id in item.undoes.runs.clone() {
        let read = land.store.read(move |tx| Box::pin(decisions::of_run(tx, id)));
        for stored in read.await.unwrap_or_default() {
            let one = stored.decision;
            let line = one.line.as_ref().map(ToString::to_string).unwrap_or_default();
            let cell: Cell = (at, line, one.field.as_str().to_owned());
            if matches!(one.verdict, Verdict::ToCrm | Verdict::ToBoth) {
                all.push((Side::Crm, cell.clone(), one.crm));
            }
            if matches!(one.verdict, Verdict::ToCpq | Verdict::ToBoth) {
                all.push((Side::Cpq, cell, one.cpq));
            }
        }
    }
    all
}

/// Every wish has its answer, and what was told to be put back was written.
pub fn check(land: &Land, runs: &[Run]) {
    let wishes = land.with(|state| state.regrets.clone());
    for run in runs {
        let told = run.outcome.as_ref().map_or(&[][..], |outcome| &outcome.undone);
        // Of what was deleted nothing is put back, and the outcome warns of that.
        let at = place_of(run.lane.opportunity.as_str());
        let deleted = land.with(|state| state.deleted.contains(&at));
        if wishes.contains_key(&run.id) && !deleted && run.state == RunState::Succeeded && told.is_empty() {
            land.object(format!(
                "{} says nothing of what it was to take back",
                run.correlation
            ));
        }
        for one in told {
            land.with(|state| state.trace.saw(format!("undo {:?}", one.fate)));
            put_back(land, run, one);
        }
    }
}

fn put_back(land: &Land, run: &Run, told: &Undone) {
    let at = place_of(run.lane.opportunity.as_str());
    let line = told.line.as_ref().map(ToString::to_string).unwrap_or_default();
    let cell: Cell = (at, line, told.field.as_str().to_owned());
    let side = match told.side {
        ownership::Side::Crm => Side::Crm,
        ownership::Side::Cpq => Side::Cpq,
    };
    // Whoever goes on with what another sync has begun may find that done by the time.
    let wrote = |side| {
        land.with(|state| {
            let mut by = state.regrets.values().chain([&run.correlation]);
            by.any(|by| state.witness.wrote(by.as_str(), side, &cell))
        })
    };
    let both = land.with(|state| state.witness.wanted_on(side.other(), &cell));
    if told.fate == Fate::PutBack && !wrote(side) && !(both && wrote(side.other())) {
        land.object(format!(
            "{} says that it put {cell:?} back in the {side:?}, and did not",
            run.correlation
        ));
    }
}
