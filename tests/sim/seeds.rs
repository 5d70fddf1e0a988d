//! Seeds: those that failed once, first; then as many new ones as `CPQ_SIM_SEEDS` says, 2,000 by default; a tenth as many
//! days of long quotes, and as many on which somebody takes syncs back.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Seeds that failed once, a line each, with what they had found.
const KNOWN: &str = include_str!("known_seeds.txt");

/// What every thousand days must have seen at least once, or the days are too quiet to prove anything.
const MUST_BE_SEEN: &[&str] = &[
    "cpq.write lost, done",
    "cpq.write lost, not done",
    "cpq.write lost, done later",
    "cpq.write twice",
    "cpq.write refused",
    "crm.write lost, done",
    "crm.write lost, not done",
    "crm.write lost, done later",
    "crm.write twice",
    "crm.write refused",
    "crm.read stale",
    "crm.read refused",
    "cpq.find stale",
    "cpq.transition ok",
    "lease taken over",
    "clock jump",
    "cursor expired",
    "feed fails",
    "feed leaves out",
    "feed repeats",
    "sweep",
    "reconcile",
    "ruled",
    "deletion answered",
    "automation",
    "key replayed",
    "wish joined",
    "quote revise",
    "quote approve",
    "undo",
    "undo PutBack",
    "undo AsBefore",
    "undo ChangedSince",
    "undo WrittenAgain",
    "undo CannotBe",
];

fn known() -> Vec<u64> {
    let numbers = KNOWN
        .lines()
        .filter_map(|line| line.split_whitespace().next()?.parse().ok());
    numbers.collect()
}

#[test]
fn the_same_seed_twice_gives_the_same_trace() {
    for seed in (0..40).chain(known()) {
        let (one, other) = (sim::live(seed), sim::live(seed));
        assert_eq!(one.hash, other.hash, "seed {seed}");
    }
}

#[test]
fn nothing_that_must_never_happen_happens() {
    let set = std::env::var("CPQ_SIM_SEEDS").ok();
    let seeds: u64 = set.and_then(|set| set.parse().ok()).unwrap_or(2_000);
    let long = sim::LONG_QUOTES..sim::LONG_QUOTES + seeds / 10;
    let regrets = sim::REGRETS..sim::REGRETS + seeds / 10;
    let all: Vec<u64> = known()
        .into_iter()
        .chain(0..seeds)
        .chain(long)
        .chain(regrets)
        .collect();
    let (next, failed, seen) = (
        AtomicU64::new(0),
        Mutex::new(Vec::new()),
        Mutex::new(BTreeMap::new()),
    );
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let take = || {
                    usize::try_from(next.fetch_add(1, SeqCst))
                        .ok()
                        .and_then(|at| all.get(at))
                };
                while let Some(seed) = take() {
                    let outcome = sim::live(*seed);
                    let mut seen = seen.lock().expect("not poisoned");
                    for (what, times) in &outcome.seen {
                        *seen.entry(what.clone()).or_insert(0_u64) += times;
                    }
                    if !outcome.violations.is_empty() {
                        failed.lock().expect("not poisoned").push(outcome);
                    }
                }
            });
        }
    });
    let seen = seen.into_inner().expect("not poisoned");
    println!("{} days: {seen:#?}", all.len());
    let failed = failed.into_inner().expect("not poisoned");
    for outcome in &failed {
        println!("seed {}:\n{}", outcome.seed, outcome.last.join("\n"));
        println!("seed {}: {:#?}", outcome.seed, outcome.violations);
        println!(
            "  cargo run --config tests/sim/optimised.toml -p cpq-sim -- --seeds 1 --from {} --verbose",
            outcome.seed
        );
    }
    let numbers: Vec<u64> = failed.iter().map(|outcome| outcome.seed).collect();
    assert!(
        numbers.is_empty(),
        "seeds that failed; add them to tests/sim/known_seeds.txt: {numbers:?}"
    );
    if seeds >= 1_000 {
        let unseen: Vec<_> = MUST_BE_SEEN
            .iter()
            .filter(|what| !seen.contains_key(**what))
            .collect();
        assert!(unseen.is_empty(), "never happened in {seeds} days: {unseen:?}");
    }
}
