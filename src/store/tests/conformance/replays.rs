//! Replay plans: whoever took a plan up last carries it out alone, and a made plan never changes.

use cpq_domain::replay::{
    Content, Deed, Foreseen, Item, ItemState, Plan, PlanId, PlanState, Prediction, Progress, Selection,
    Wanted,
};
use cpq_store::{Store, replays};

use crate::sample::{at, connection, key, run_id};
use crate::{read, write};

/// A plan that is being made by a process which lives until second 10.
fn planning(number: i64) -> Plan {
    Plan {
        id: PlanId(number),
        state: PlanState::Planning,
        digest: String::new(),
        content: Content {
            selection: Selection {
                up_to: 7,
                ..Selection::default()
            },
            by: "erin".into(),
            matrix_version: "m1".into(),
            prediction: Prediction::default(),
            signatures: Vec::new(),
        },
        progress: Progress::default(),
        created_at: at(0),
        updated_at: at(0),
        attempt: 1,
        lease_until: at(10),
        wanted: None,
    }
}

fn item(position: i64) -> Item {
    Item {
        position,
        connection: connection(),
        opportunity: key(&format!("OPP-{position}")),
        letters: 2,
        newest: position + 1,
        deed: Deed::Sync,
        foreseen: Foreseen::default(),
        why: None,
    }
}

async fn now(store: &Store, number: i64) -> Plan {
    read!(store, |tx| replays::by_id(tx, PlanId(number)))
        .expect("read")
        .expect("it is there")
}

/// A plan that is made.
async fn planned(store: &Store) -> Plan {
    let begun = planning(1);
    write!(store, |tx| replays::insert(tx, &begun)).expect("stored");
    let mut made = planning(1);
    made.digest = "d1".into();
    made.content.prediction.letters = 2;
    made.updated_at = at(1);
    assert!(write!(store, |tx| replays::seal(tx, &made)).expect("stored"));
    now(store, 1).await
}

/// The same, taken up at that second by a process which lives ten seconds on.
async fn taken_up(store: &Store, plan: &Plan, second: i64) -> Option<Plan> {
    let plan = plan.clone();
    write!(store, |tx| replays::take_up(
        tx,
        &plan,
        at(second),
        at(second + 10)
    ))
    .expect("stored")
}

pub async fn a_plan_is_sealed_once(store: Store) {
    assert_eq!(
        write!(store, |tx| replays::next_id(tx)).expect("counted"),
        PlanId(1)
    );
    let made = planned(&store).await;
    assert_eq!((made.state, made.digest.as_str()), (PlanState::Planned, "d1"));
    assert_eq!(made.content.prediction.letters, 2);
    let other = Plan {
        digest: "d2".into(),
        ..made.clone()
    };
    assert!(
        !write!(store, |tx| replays::seal(tx, &other)).expect("read"),
        "made already"
    );
    assert_eq!(now(&store, 1).await, made);
    let missing = read!(store, |tx| replays::by_id(tx, PlanId(9))).expect("read");
    assert_eq!(missing, None);
}

pub async fn one_process_carries_a_plan_out(store: Store) {
    let made = planned(&store).await;
    let first = taken_up(&store, &made, 20).await.expect("it is free");
    assert_eq!(
        (first.state, first.attempt, first.lease_until),
        (PlanState::Running, 2, at(30))
    );
    assert_eq!(taken_up(&store, &made, 29).await, None, "its process lives");
    let second = taken_up(&store, &made, 30).await.expect("its lease has ended");
    assert_eq!(second.attempt, 3);
    for (attempt, is) in [(2, false), (3, true)] {
        let ours = read!(store, |tx| replays::is_ours(tx, PlanId(1), attempt)).expect("read");
        let touched = write!(store, |tx| replays::touch(tx, PlanId(1), attempt, at(50))).expect("stored");
        let plan = Plan {
            attempt,
            ..second.clone()
        };
        let updated = write!(store, |tx| replays::update(tx, &plan)).expect("stored");
        assert_eq!((ours, touched, updated), (is, is, is), "attempt {attempt}");
    }
}

pub async fn a_replay_whose_process_died_is_found(store: Store) {
    let made = planned(&store).await;
    taken_up(&store, &made, 20).await.expect("it is free");
    let orphan = read!(store, |tx| replays::orphaned(tx, at(29))).expect("read");
    assert_eq!(orphan, None, "it lives");
    let orphan = read!(store, |tx| replays::orphaned(tx, at(30))).expect("read");
    assert_eq!(orphan.map(|plan| plan.id), Some(PlanId(1)));
}

pub async fn what_people_want_of_a_replay_is_heard(store: Store) {
    let made = planned(&store).await;
    let nobody = write!(store, |tx| replays::want(tx, PlanId(1), Wanted::Pause)).expect("read");
    assert!(!nobody, "nobody carries it out");
    let running = taken_up(&store, &made, 20).await.expect("it is free");
    assert!(write!(store, |tx| replays::want(tx, PlanId(1), Wanted::Pause)).expect("stored"));
    assert_eq!(now(&store, 1).await.wanted, Some(Wanted::Pause));
    let ours = read!(store, |tx| replays::is_ours(tx, PlanId(1), 2)).expect("read");
    assert!(!ours, "no further sync begins");
    let given = running.clone();
    assert!(write!(store, |tx| replays::update(tx, &given)).expect("stored"));
    assert_eq!(
        now(&store, 1).await.wanted,
        Some(Wanted::Pause),
        "a sign of life does not lose it"
    );
    let shelved = write!(store, |tx| replays::shelve(
        tx,
        PlanId(1),
        PlanState::Aborted,
        at(25)
    ));
    assert!(!shelved.expect("read"), "its process lives");
    let paused = Plan {
        state: PlanState::Paused,
        ..running
    };
    assert!(write!(store, |tx| replays::update(tx, &paused)).expect("stored"));
    let rests = now(&store, 1).await;
    assert_eq!((rests.state, rests.wanted), (PlanState::Paused, None));
    let shelved = write!(store, |tx| replays::shelve(
        tx,
        PlanId(1),
        PlanState::Aborted,
        at(25)
    ));
    assert!(shelved.expect("stored"));
    assert_eq!(taken_up(&store, &rests, 40).await, None, "aborted for good");
}

pub async fn items_come_in_order_and_by_state(store: Store) {
    let plan = planning(1);
    write!(store, |tx| replays::insert(tx, &plan)).expect("stored");
    for position in [30, 10, 20] {
        write!(store, |tx| replays::add_item(tx, PlanId(1), &item(position))).expect("stored");
    }
    let twice = write!(store, |tx| replays::add_item(tx, PlanId(1), &item(20)));
    twice.expect_err("one item for each position");
    let positions = async |state, after, limit| {
        let items = read!(store, |tx| replays::items(tx, PlanId(1), state, after, limit)).expect("read");
        items.iter().map(|now| now.item.position).collect::<Vec<_>>()
    };
    assert_eq!(positions(None, 0, 2).await, [10, 20]);
    assert_eq!(positions(None, 20, 2).await, [30]);
    let begun = ItemState::Submitted;
    write!(store, |tx| replays::set_item(
        tx,
        PlanId(1),
        20,
        begun,
        Some(run_id(1))
    ))
    .expect("stored");
    write!(store, |tx| replays::set_item(
        tx,
        PlanId(1),
        20,
        ItemState::Done,
        None
    ))
    .expect("stored");
    assert_eq!(positions(Some(ItemState::Pending), 0, 9).await, [10, 30]);
    let done = Some(ItemState::Done);
    let found = read!(store, |tx| replays::items(tx, PlanId(1), done, 0, 9)).expect("read");
    assert_eq!(
        (found[0].run_id, &found[0].item),
        (Some(run_id(1)), &item(20)),
        "the run stays known"
    );
}

pub async fn items_of_old_plans_go_and_plans_stay(store: Store) {
    for number in [1, 2, 3] {
        let plan = planning(number);
        write!(store, |tx| replays::insert(tx, &plan)).expect("stored");
        write!(store, |tx| replays::add_item(tx, PlanId(number), &item(1))).expect("stored");
    }
    assert_eq!(
        write!(store, |tx| replays::purge(tx, PlanId(2))).expect("stored"),
        2
    );
    assert_eq!(
        write!(store, |tx| replays::purge(tx, PlanId(2))).expect("stored"),
        0
    );
    let left = read!(store, |tx| replays::items(tx, PlanId(3), None, 0, 9)).expect("read");
    assert_eq!(left.len(), 1);
    let newest = read!(store, |tx| replays::newest(tx, None, 2)).expect("read");
    assert_eq!(newest.iter().map(|plan| plan.id.0).collect::<Vec<_>>(), [3, 2]);
    let older = read!(store, |tx| replays::newest(tx, Some(PlanId(2)), 9)).expect("read");
    assert_eq!(older.iter().map(|plan| plan.id.0).collect::<Vec<_>>(), [1]);
}
