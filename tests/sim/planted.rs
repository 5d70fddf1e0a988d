//! Bugs that are planted in the product, one at a time: the simulation catches every one. `CPQ_SIM_BUG` names one to be tried
//! alone.

use std::io::Write;
use std::sync::Mutex;

use cpq_domain::planted::{Bug, plant};

/// Seeds to look for each.
const SEEDS: u64 = 2_000;

/// The first seed that catches it, with what it says. A day that goes wrong without it as well proves nothing.
fn caught(bug: Bug) -> Option<(u64, String)> {
    let wrong = |bug, seed| {
        plant(bug);
        let first = sim::live(seed).violations.into_iter().next();
        plant(None);
        first
    };
    let told = |seed| wrong(None, seed).is_none();
    let from = match bug {
        Bug::BelievesHalfLines => sim::LONG_QUOTES,
        Bug::ForgetsToUndo | Bug::UndoesEdits | Bug::UndoesWhatComesAgain | Bug::RemembersTheUndone => {
            sim::REGRETS
        }
        Bug::UndoesWhatNeverWas | Bug::HalvesUndoes => sim::REGRETS,
        _ => 0,
    };
    (from..from + SEEDS).find_map(|seed| {
        wrong(Some(bug), seed)
            .filter(|_| told(seed))
            .map(|what| (seed, what))
    })
}

#[test]
fn every_planted_bug_is_caught() {
    let wanted = std::env::var("CPQ_SIM_BUG").ok();
    let is_wanted = |bug: &&Bug| wanted.as_ref().is_none_or(|name| *name == format!("{bug:?}"));
    let bugs: Vec<Bug> = Bug::ALL.iter().filter(is_wanted).copied().collect();
    let (left, missed) = (Mutex::new(bugs), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(bug) = { left.lock().expect("not poisoned").pop() } {
                    let row = match caught(bug) {
                        Some((seed, what)) => {
                            format!("| {bug:?} | {} | {what} |", seed % sim::LONG_QUOTES + 1)
                        }
                        None => {
                            missed.lock().expect("not poisoned").push(bug);
                            format!("| {bug:?} | never | |")
                        }
                    };
                    let _ = writeln!(std::io::stdout(), "{row}");
                }
            });
        }
    });
    let missed = missed.into_inner().expect("not poisoned");
    assert!(missed.is_empty(), "not caught in {SEEDS} seeds: {missed:?}");
}
