//! One seed: a day of edits and faults, an evening in which everything heals, and the verdict.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cpq_domain::reconcile::{AskedBy, Order, State as Going};
use cpq_domain::run::{RunState, Trigger};
use cpq_orchestrator::{Submission, Submitted};
use cpq_store::{Store, StoreOptions, runs};
use tokio::time::sleep;

use crate::decide::{caller, judge, keyed, revoker};
use crate::dice::Dice;
use crate::fleet::{Fleet, apart};
use crate::knobs::Knobs;
use crate::land::{Land, connection, lane, rules};
use crate::people::Person;
use crate::regret::frank;
use crate::verdict;

/// Virtual time after which what has not come to rest will not.
const PATIENCE_MS: u64 = 400_000;
/// Looks at whether it has.
const LOOK: Duration = Duration::from_millis(250);

/// What a seed led to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What must never happen, and did.
    pub violations: Vec<String>,
    /// The number of everything that happened.
    pub hash: u64,
    /// How often each kind of thing happened.
    pub seen: BTreeMap<String, u64>,
    /// The last of what happened, in words.
    pub last: Vec<String>,
}

/// Lives the day of a seed. Nothing of it depends on anything but the seed.
pub fn live(seed: u64) -> Outcome {
    live_and_tell(seed, false)
}

/// The same, and every row of what happened is kept in words if wished.
pub fn live_and_tell(seed: u64, everything: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without input and output");
    let outcome = runtime.block_on(day(seed, everything));
    runtime.shutdown_background();
    outcome
}

async fn day(seed: u64, everything: bool) -> Outcome {
    let mut dice = Dice::new(seed);
    let knobs = Knobs::of(seed, &mut dice);
    let store = Store::open(StoreOptions::memory())
        .await
        .expect("a store in memory");
    let land = Land::new(store, knobs, dice.fork());
    if everything {
        land.with(|state| state.trace.keep_all());
    }
    land.tell(format_args!("{:?}", land.knobs));
    let fleet = Fleet::new(land.clone(), dice.fork());
    work(&land, &fleet, &mut dice).await;
    heal(&land, &fleet, &mut dice).await;
    verdict::all(&land).await;
    silence(&land, &fleet, &mut dice).await;
    if everything {
        verdict::tell_journals(&land).await;
    }
    land.with(|state| Outcome {
        seed,
        violations: state.witness.violations.clone(),
        hash: state.trace.hash(),
        seen: state.trace.seen.clone(),
        last: state.trace.last(),
    })
}

/// Edits and faults, until people go home.
async fn work(land: &Arc<Land>, fleet: &Arc<Fleet>, dice: &mut Dice) {
    let knobs = &land.knobs;
    let nodes = 0..usize::try_from(knobs.nodes).expect("a few");
    let keepers: Vec<_> = nodes
        .map(|at| tokio::spawn(fleet.clone().keep(at, dice.fork())))
        .collect();
    let mut person = || Person {
        land: land.clone(),
        fleet: fleet.clone(),
        dice: dice.fork(),
        made: 0,
    };
    let mut people = vec![tokio::spawn(person().rep()), tokio::spawn(person().seller())];
    if knobs.deletes {
        people.push(tokio::spawn(person().deleter()));
    }
    people.push(tokio::spawn(caller(fleet.clone(), land.clone(), dice.fork())));
    people.push(tokio::spawn(judge(fleet.clone(), land.clone(), dice.fork())));
    people.push(tokio::spawn(revoker(fleet.clone(), land.clone(), dice.fork())));
    if knobs.regrets {
        people.push(tokio::spawn(frank(fleet.clone(), land.clone(), dice.fork())));
    }
    people.push(tokio::spawn(weather(fleet.clone(), land.clone(), dice.fork())));
    people.push(tokio::spawn(auditor(land.clone())));
    sleep(Duration::from_millis(knobs.chaos_ms)).await;
    land.with(|state| state.open = false);
    land.tell("people go home");
    for task in people.into_iter().chain(keepers) {
        if task.await.is_err() {
            land.object("the simulation has a defect: a task of it ended in a panic");
        }
    }
}

/// Somebody looks now and then at what would be left if everything died at that moment.
async fn auditor(land: Arc<Land>) {
    while land.is_open() {
        sleep(Duration::from_millis(900)).await;
        verdict::durable(&land).await;
    }
}

/// The clock of our machines jumps, and the rules are replaced. A change of the rules is no change of an opportunity, so
/// nothing tells of it: whoever changes them asks for a look at everything.
async fn weather(fleet: Arc<Fleet>, land: Arc<Land>, mut dice: Dice) {
    let (jumps, changes) = (land.knobs.jumps, if land.knobs.rules_change { 3 } else { 0 });
    for nth in 0..jumps + changes {
        sleep(Duration::from_millis(dice.below(land.knobs.chaos_ms / 2))).await;
        if nth < jumps {
            let by = i64::try_from(dice.between(500, 60_000)).expect("a short jump");
            let by = if dice.percent(40) { -by / 4 } else { by };
            land.clock.jump(by);
            land.tell(format_args!("the clock jumps by {by} ms"));
            land.with(|state| state.trace.saw("clock jump"));
        } else {
            let other = dice.percent(50);
            land.with(|state| {
                state.matrix = rules(other);
                // Other rules may bring back what somebody took back under these.
                if land.knobs.regrets {
                    (0..land.knobs.opportunities).for_each(|at| state.witness.moved(at));
                }
            });
            land.tell(format_args!("the rules change: {other}"));
            if !land.knobs.lossy {
                look_at_all(&land, &fleet, &mut dice).await;
            }
        }
    }
}

/// No more faults; what was lost is made good by a look at everything, and by nothing else on a day that loses nothing.
async fn heal(land: &Arc<Land>, fleet: &Arc<Fleet>, dice: &mut Dice) {
    land.with(|state| state.faulty = false);
    land.tell("faults end");
    while land.with(|state| state.late > 0) {
        sleep(LOOK).await;
    }
    land.with(|state| state.witness.writers.clear());
    if land.knobs.lossy && land.knobs.reconciles {
        // What a sync was at work on is left to the next reconcile.
        while reconcile(land, fleet, dice).await > 0 {
            rest(land).await;
        }
    } else if land.knobs.lossy {
        look_at_all(land, fleet, dice).await;
    }
    rest(land).await;
    let many: Vec<_> = land.with(|state| {
        let open = |(_, at): &(_, u64)| !state.deleted.contains(at);
        let many = state
            .witness
            .writers
            .iter()
            .filter(|(place, by)| by.len() > 2 && open(place));
        many.map(|((side, at), by)| {
            format!("OPP-{at} was written by {by:?} in the {side:?} after the last edit")
        })
        .collect()
    });
    many.into_iter().for_each(|told| land.object(told));
    // A dead letter is looked at by a person.
    let buried = verdict::buried(land).await;
    for at in &buried {
        fleet
            .submit(Submission::of(lane(*at), Trigger::Replay), dice)
            .await;
    }
    if !buried.is_empty() {
        rest(land).await;
    }
}

/// Waits until nothing happens any more.
async fn rest(land: &Land) {
    let until = land.clock.elapsed_ms() + PATIENCE_MS;
    while land.clock.elapsed_ms() < until {
        // Twice, because a hint may lie between the feed and the queue.
        if verdict::at_rest(land).await {
            sleep(Duration::from_millis(1_700)).await;
            if verdict::at_rest(land).await {
                return;
            }
        }
        sleep(LOOK).await;
    }
    let read = land.store.read(|tx| Box::pin(runs::counts_by_state(tx)));
    let counts = read.await.unwrap_or_default();
    let (head, position) = (land.with(|state| state.tape.head()), land.standing().await);
    let position = position.map(|position| crate::feed::number(&position));
    land.object(format!(
        "it does not come to rest: runs {counts:?}, feed {position:?} of {head}"
    ));
}

async fn look_at_all(land: &Arc<Land>, fleet: &Arc<Fleet>, dice: &mut Dice) {
    for at in 0..land.knobs.opportunities {
        fleet
            .submit(Submission::of(lane(at), Trigger::Schedule), dice)
            .await;
    }
}

/// Compares and repairs everything. Says of how many records it left the judgement to the next one.
async fn reconcile(land: &Arc<Land>, fleet: &Arc<Fleet>, dice: &mut Dice) -> u64 {
    let order = Order {
        connection: connection(),
        since: None,
        repair: true,
        asked_by: AskedBy::Request,
    };
    let Some(engine) = fleet.any(dice) else { return 0 };
    let own = engine.clone();
    let started = apart(async move { own.reconcile(order).await }).await;
    let Some(Ok(one)) = started else {
        land.object(format!("a reconcile does not start: {started:?}"));
        return 0;
    };
    for _ in 0..2_000 {
        let now = engine.reconciliation(one.id).await;
        if let Some(now) = now.ok().filter(|now| now.state != Going::Running) {
            land.with(|state| state.trace.saw("reconcile"));
            return now.told.in_flight;
        }
        sleep(LOOK).await;
    }
    land.object("a reconcile does not end");
    0
}

/// Asked once more about everything, the product finds nothing to do; and a key that was used answers. An opportunity of
/// which nobody has ever told it is new to it: the feed promises nothing of what was before somebody listened.
async fn silence(land: &Arc<Land>, fleet: &Arc<Fleet>, dice: &mut Dice) {
    let known = verdict::heard_of(land).await;
    land.with(|state| state.witness.writers.clear());
    look_at_all(land, fleet, dice).await;
    rest(land).await;
    let loud: Vec<String> = land.with(|state| {
        let open = |(_, at): &(_, u64)| !state.deleted.contains(at) && known.contains(at);
        let loud = state
            .witness
            .writers
            .iter()
            .filter(|(place, by)| !by.is_empty() && open(place));
        loud.map(|((side, at), by)| {
            format!("OPP-{at}: {by:?} wrote to the {side:?}, and nobody had edited anything")
        })
        .collect()
    });
    loud.into_iter().for_each(|told| land.object(told));
    keys(land, fleet, dice).await;
}

async fn keys(land: &Arc<Land>, fleet: &Arc<Fleet>, dice: &mut Dice) {
    let Some(mut keys) = land.with(|state| state.keys.take()) else {
        return;
    };
    for key in keys.runs.keys().cloned().collect::<Vec<_>>() {
        let at = key.bytes().map(u64::from).sum::<u64>() % land.knobs.opportunities;
        let submission = Submission {
            keyed: Some(keyed(&key)),
            ..Submission::of(lane(at), Trigger::Request)
        };
        let Some(engine) = fleet.any(dice) else { return };
        match apart(async move { engine.submit(submission).await }).await {
            Some(Ok(Submitted::Running { run, .. })) if run.state != RunState::Waiting => {
                land.object(format!("{key} is answered with a run that is {}", run.state));
            }
            Some(Ok(submitted)) => keys.answered(land, &key, submitted).await,
            Some(Err(error)) => land.object(format!("{key} was used and is refused now: {}", error.code)),
            None => {}
        }
    }
}
