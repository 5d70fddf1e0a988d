//! Dead letters: one for each run that died, found by cause and lane, selected up to a number that does not move.

use cpq_domain::Code;
use cpq_domain::dead_letter::{Closed, DeadLetter, LetterState};
use cpq_domain::error::Error;
use cpq_domain::replay::Selection;
use cpq_domain::run::{Run, RunState};
use cpq_store::dead_letters::{self, Filter};
use cpq_store::{Store, runs};

use crate::sample::{at, connection, correlation, key, lane, run, run_id};
use crate::{read, write};

/// A run that died `number` seconds after the start.
fn dead(number: u128, opportunity: &str, code: Code, words: &str) -> Run {
    Run {
        state: RunState::Dead,
        error: Some(Error::new(code, words).report(None)),
        ..run(number, opportunity)
    }
}

/// Stores the run and its letter, numbered as the deaths come.
pub async fn died(store: &Store, run: Run) -> DeadLetter {
    write!(store, |tx| async {
        runs::insert(tx, &run).await?;
        let report = run.error.clone().expect("it died of something");
        let number = dead_letters::next_number(tx).await?;
        let letter = DeadLetter::of(&run, &report, [("done", "read.crm")].into_iter(), number);
        dead_letters::put(tx, &letter).await?;
        Ok(letter)
    })
    .expect("stored")
}

/// Three of one cause on two opportunities, then one of another cause.
async fn four(store: &Store) -> Vec<DeadLetter> {
    let mut letters = Vec::new();
    for (number, opportunity, code, words) in [
        (1, "OPP-1", Code::CrmUnavailable, "down"),
        (2, "OPP-2", Code::CrmUnavailable, "down"),
        (3, "OPP-1", Code::CrmUnavailable, "down"),
        (4, "OPP-1", Code::CrmRejected, "too long"),
    ] {
        letters.push(died(store, dead(number, opportunity, code, words)).await);
    }
    letters
}

async fn close(store: &Store, letter: &DeadLetter, state: LetterState) -> DeadLetter {
    let closed = Closed {
        at: at(100),
        by: "erin".into(),
        reason: "dealt with".into(),
        sync: Some(correlation("csync-100")),
    };
    let letter = DeadLetter {
        state,
        closed: Some(closed),
        ..letter.clone()
    };
    let given = letter.clone();
    write!(store, |tx| dead_letters::put(tx, &given)).expect("stored");
    letter
}

fn up_to(number: i64) -> Selection {
    Selection {
        up_to: number,
        ..Selection::default()
    }
}

async fn counted(store: &Store, selection: Selection) -> (u64, i64) {
    read!(store, |tx| dead_letters::count(tx, &selection)).expect("read")
}

async fn numbers(store: &Store, filter: Filter) -> Vec<i64> {
    let found = read!(store, |tx| dead_letters::list(tx, &filter)).expect("read");
    found.into_iter().map(|letter| letter.number).collect()
}

pub async fn a_letter_reads_back_and_takes_the_place_of_an_earlier_one(store: Store) {
    let letters = four(&store).await;
    let found = read!(store, |tx| dead_letters::by_run(tx, run_id(2))).expect("read");
    assert_eq!(found.as_ref(), Some(&letters[1]));
    let closed = close(&store, &letters[1], LetterState::Replayed).await;
    let found = read!(store, |tx| dead_letters::by_run(tx, run_id(2))).expect("read");
    assert_eq!(found, Some(closed));
    // The run was tried once more and died again: one letter, with the number of the last death.
    let again = DeadLetter {
        number: write!(store, |tx| dead_letters::next_number(tx)).expect("counted"),
        ..letters[1].clone()
    };
    let given = again.clone();
    write!(store, |tx| dead_letters::put(tx, &given)).expect("stored");
    assert_eq!(again.number, 5);
    assert_eq!(counted(&store, Selection::default()).await, (4, 5));
    let none = read!(store, |tx| dead_letters::by_run(tx, run_id(9))).expect("read");
    assert_eq!(none, None);
}

pub async fn letters_are_listed_last_death_first(store: Store) {
    let letters = four(&store).await;
    close(&store, &letters[2], LetterState::Discarded).await;
    let all = Filter {
        limit: 200,
        ..Filter::default()
    };
    assert_eq!(numbers(&store, all.clone()).await, [4, 3, 2, 1]);
    let page = Filter {
        limit: 2,
        before: Some(4),
        ..Filter::default()
    };
    assert_eq!(numbers(&store, page).await, [3, 2]);
    let open = Filter {
        state: Some(LetterState::Open),
        ..all.clone()
    };
    assert_eq!(numbers(&store, open.clone()).await, [4, 2, 1]);
    let of_one = Filter {
        opportunity: Some(key("OPP-1")),
        ..all.clone()
    };
    assert_eq!(numbers(&store, of_one).await, [4, 3, 1]);
    let open_of_one = Filter {
        opportunity: Some(key("OPP-1")),
        ..open
    };
    assert_eq!(numbers(&store, open_of_one.clone()).await, [4, 1]);
    let of_signature = Filter {
        signature: Some(letters[0].signature.id.clone()),
        ..open_of_one
    };
    assert_eq!(numbers(&store, of_signature).await, [1]);
    let of_code = Filter {
        code: Some(Code::CrmRejected),
        ..all
    };
    assert_eq!(numbers(&store, of_code).await, [4]);
}

pub async fn open_letters_are_grouped_by_cause(store: Store) {
    let letters = four(&store).await;
    let everything = Selection::default();
    let groups = read!(store, |tx| dead_letters::groups(tx, &everything)).expect("read");
    let told: Vec<_> = groups
        .iter()
        .map(|group| (group.count, group.opportunities, group.example.as_str()))
        .collect();
    assert_eq!(told, [(3, 2, "csync-003"), (1, 1, "csync-004")]);
    assert_eq!((groups[0].first_seen, groups[0].last_seen), (at(1), at(3)));
    assert_eq!(groups[0].signature, letters[0].signature);
    close(&store, &letters[0], LetterState::Settled).await;
    let rejected = Selection {
        code: Some(Code::CrmRejected),
        ..Selection::default()
    };
    let groups = read!(store, |tx| dead_letters::groups(tx, &rejected)).expect("read");
    assert_eq!(groups.len(), 1);
    let frozen = up_to(3);
    let signatures = read!(store, |tx| dead_letters::signatures(tx, &frozen)).expect("read");
    assert_eq!(signatures, [letters[1].signature.clone()]);
}

pub async fn a_selection_takes_in_no_later_death(store: Store) {
    let letters = four(&store).await;
    assert_eq!(counted(&store, Selection::default()).await, (4, 4));
    assert_eq!(counted(&store, up_to(3)).await, (3, 3));
    let narrowed = Selection {
        signature: Some(letters[0].signature.id.clone()),
        since: Some(at(2)),
        ..Selection::default()
    };
    assert_eq!(counted(&store, narrowed).await, (2, 3));
    let elsewhere = Selection {
        connection: Some(cpq_domain::id::ConnectionName::new("other").expect("valid")),
        ..Selection::default()
    };
    assert_eq!(counted(&store, elsewhere).await, (0, 0));
    let all = Selection::default();
    for (nth, number) in [(1, Some(1)), (3, Some(3)), (5, None)] {
        let all = all.clone();
        let found = read!(store, |tx| dead_letters::nth(tx, &all, nth)).expect("read");
        assert_eq!(found, number, "the {nth}th");
    }
    close(&store, &letters[0], LetterState::Replayed).await;
    let found = read!(store, |tx| dead_letters::nth(tx, &all, 1)).expect("read");
    assert_eq!(found, Some(2), "the first that is open");
}

pub async fn open_letters_are_folded_by_lane(store: Store) {
    let letters = four(&store).await;
    died(&store, dead(5, "OPP-3", Code::CrmUnavailable, "down")).await;
    let all = Selection::default();
    let folds = read!(store, |tx| dead_letters::lanes(tx, &all, None, 2)).expect("read");
    let told: Vec<_> = folds
        .iter()
        .map(|fold| (fold.letters, fold.oldest, fold.newest, fold.died_at))
        .collect();
    assert_eq!(told, [(3, 1, 4, at(4)), (1, 2, 2, at(2))]);
    let (rest, last) = (Selection::default(), folds[1].lane.clone());
    let folds = read!(store, |tx| dead_letters::lanes(tx, &rest, Some(&last), 2)).expect("read");
    assert_eq!(
        folds.iter().map(|fold| &fold.lane).collect::<Vec<_>>(),
        [&lane("OPP-3")]
    );
    let frozen = up_to(3);
    let of_one = read!(store, |tx| dead_letters::of_lane(tx, &frozen, &lane("OPP-1"))).expect("read");
    assert_eq!(of_one, [letters[2].clone(), letters[0].clone()]);
    let lanes = async || {
        let frozen = up_to(4);
        read!(store, |tx| dead_letters::count_lanes(tx, &frozen)).expect("read")
    };
    assert_eq!(lanes().await, 2);
    close(&store, &letters[1], LetterState::Discarded).await;
    assert_eq!(lanes().await, 1);
}

pub async fn dead_runs_without_a_letter_are_found(store: Store) {
    four(&store).await;
    let bare = dead(5, "OPP-5", Code::Internal, "older than letters");
    write!(store, |tx| runs::insert(tx, &bare)).expect("stored");
    let queued = run(6, "OPP-6");
    write!(store, |tx| runs::insert(tx, &queued)).expect("stored");
    let found = read!(store, |tx| dead_letters::runs_without(tx, 10)).expect("read");
    assert_eq!(found, [run_id(5)]);
}

pub async fn a_later_success_of_the_lane_is_known(store: Store) {
    let letters = four(&store).await;
    let succeeded = Run {
        state: RunState::Succeeded,
        ..run(50, "OPP-1")
    };
    write!(store, |tx| runs::insert(tx, &succeeded)).expect("stored");
    let since = async |opportunity: &'static str, moment| {
        read!(store, |tx| dead_letters::synced_since(
            tx,
            &lane(opportunity),
            moment
        ))
        .expect("read")
    };
    assert_eq!(
        since("OPP-1", letters[3].died_at).await,
        Some(correlation("csync-050"))
    );
    assert_eq!(since("OPP-1", at(50)).await, None, "not after that moment");
    assert_eq!(since("OPP-2", letters[1].died_at).await, None, "another lane");
    assert_eq!(letters[0].connection, connection());
}
