//! Every history that can happen folds to where it led; a history with a row taken out does not.

use proptest::prelude::*;

use super::*;

/// A run that moves as the engine moves runs, and writes down what the engine writes down.
struct Walk {
    state: RunState,
    attempt: u32,
    rows: Vec<Entry>,
}

impl Walk {
    fn begin() -> Walk {
        let mut walk = Walk {
            state: RunState::Queued,
            attempt: 0,
            rows: Vec::new(),
        };
        walk.note(EventKind::Accepted, 0);
        walk
    }

    fn note(&mut self, kind: EventKind, attempt: u32) {
        let sequence = self.rows.len() as u32 + 1;
        self.rows.push(Entry {
            sequence,
            kind,
            attempt,
        });
    }

    fn moves(&mut self, event: RunEvent, kind: Option<EventKind>, outside: bool) {
        let Some(after) = self.state.after(event) else {
            return;
        };
        self.state = after;
        self.attempt += u32::from(event == RunEvent::Claim);
        if let Some(kind) = kind {
            self.note(kind, if outside { 0 } else { self.attempt });
        }
    }

    /// One move of many; what cannot be done in this state is left.
    fn step(&mut self, choice: u8) {
        let running = self.state == RunState::Running;
        match choice {
            0 | 1 => self.moves(RunEvent::Claim, None, false),
            2 if running => self.note(EventKind::Intent, self.attempt),
            3 if running => self.note(EventKind::Done, self.attempt),
            4 if running => self.note(EventKind::Failed, self.attempt),
            5 if running => self.note(EventKind::Restarted, self.attempt),
            6 if running => {
                self.note(EventKind::Restarted, self.attempt);
                self.state = RunState::Parked;
            }
            7 if !self.state.is_terminal() => self.note(EventKind::Hint, 0),
            8 => self.moves(RunEvent::Park, Some(EventKind::Parked), false),
            9 => self.moves(RunEvent::Wait, Some(EventKind::Waiting), false),
            10 => self.moves(RunEvent::LeaseLost, Some(EventKind::Requeued), false),
            11 => self.moves(RunEvent::Requeue, Some(EventKind::Requeued), true),
            12 => self.moves(RunEvent::Succeed, Some(EventKind::Succeeded), false),
            13 => self.moves(RunEvent::Bury, Some(EventKind::Dead), false),
            14 => self.moves(RunEvent::Cancel, Some(EventKind::Cancelled), true),
            15 => self.moves(RunEvent::Supersede, Some(EventKind::Superseded), !running),
            16 if self.state.after(RunEvent::Claim).is_some() => self.note(EventKind::Accepted, 0),
            17 if self.state.is_terminal() => self.note(EventKind::Replayed, self.attempt),
            _ => {}
        }
    }
}

fn walked(choices: &[u8]) -> Walk {
    let mut walk = Walk::begin();
    choices.iter().for_each(|choice| walk.step(*choice));
    walk
}

fn folded(rows: &[Entry]) -> (Fold, Vec<Misfit>) {
    let mut fold = Fold::new();
    let misfits = rows.iter().filter_map(|row| fold.take(*row).err()).collect();
    (fold, misfits)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn every_history_leads_to_where_it_led(choices in prop::collection::vec(0u8..18, 0..40)) {
        let walk = walked(&choices);
        let (fold, misfits) = folded(&walk.rows);
        prop_assert_eq!(misfits, vec![]);
        prop_assert_eq!(fold.leads_to(walk.state, walk.attempt), Ok(()));
        prop_assert_eq!(fold.rows() as usize, walk.rows.len());
    }

    #[test]
    fn a_missing_row_is_seen(choices in prop::collection::vec(0u8..18, 1..40), which in any::<prop::sample::Index>()) {
        let mut rows = walked(&choices).rows;
        // The last row leaves no gap behind it; the state then gives it away, if it moved the run.
        if rows.len() == 1 {
            return Ok(());
        }
        rows.remove(which.index(rows.len() - 1));
        let seen = folded(&rows).1.iter().any(|misfit| matches!(misfit, Misfit::Gap { .. }));
        prop_assert!(seen);
    }

    #[test]
    fn an_ended_run_is_no_other(choices in prop::collection::vec(0u8..18, 0..40)) {
        let walk = walked(&choices);
        let (fold, _) = folded(&walk.rows);
        for other in RunState::ALL.into_iter().filter(|other| *other != walk.state && walk.state.is_terminal()) {
            prop_assert!(fold.leads_to(other, walk.attempt).is_err(), "{} passes for {}", walk.state, other);
        }
    }
}

fn row(sequence: u32, kind: EventKind, attempt: u32) -> Entry {
    Entry {
        sequence,
        kind,
        attempt,
    }
}

#[test]
fn a_process_that_lost_the_run_wrote_no_history() {
    use EventKind::*;
    let rows = [
        row(1, Accepted, 0),
        row(2, Intent, 1),
        row(3, Requeued, 1),
        row(4, Done, 2),
        row(5, Done, 1),
    ];
    let stale = Misfit::Stale {
        sequence: 5,
        attempt: 1,
        held: 2,
    };
    assert_eq!(folded(&rows).1, vec![stale]);
}

#[test]
fn what_cannot_happen_is_told_with_the_state_it_would_have_happened_to() {
    use EventKind::*;
    let (_, misfits) = folded(&[row(1, Accepted, 0), row(2, Succeeded, 1), row(3, Done, 1)]);
    let told: Vec<String> = misfits.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["row 3 (done) cannot happen to a run that is succeeded"]);
    assert_eq!(
        folded(&[row(1, Hint, 0)]).1.len(),
        1,
        "nothing comes before the acceptance"
    );
}

#[test]
fn a_run_that_is_claimed_has_no_row_yet() {
    let (fold, _) = folded(&[row(1, EventKind::Accepted, 0)]);
    assert_eq!(fold.leads_to(RunState::Queued, 0), Ok(()));
    assert_eq!(fold.leads_to(RunState::Running, 1), Ok(()));
    assert!(fold.leads_to(RunState::Running, 2).is_err());
    assert!(fold.leads_to(RunState::Parked, 0).is_err());
    assert!(Fold::new().leads_to(RunState::Queued, 0).is_err());
}
