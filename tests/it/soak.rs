//! Convergence: simulated people edit both sides at random while events are duplicated, delayed, reordered and dropped.
//! At the end both sides agree, the owner's last value survived everywhere, and the product falls silent.
//!
//! The short form is part of the suite. The full one is 200 opportunities and 10,000 edits:
//!
//! ```text
//! CPQ_SOAK_OPPORTUNITIES=200 CPQ_SOAK_EDITS=10000 cargo test --release -p cpq --test it soak -- --nocapture
//! ```
//!
//! `CPQ_SOAK_SEED` repeats the edits of a run; the seed is printed when it fails.

mod land;
mod people;
mod verdict;

use land::Land;
use people::Person;
use serde_json::json;

/// Edits of both sides that go on at the same time.
const PEOPLE: usize = 4;

fn setting(name: &str, usual: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(usual, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} is a number"))
    })
}

#[test]
fn both_sides_agree_after_a_storm_of_edits_and_then_there_is_silence() {
    let opportunities = setting("CPQ_SOAK_OPPORTUNITIES", 12) as usize;
    let edits = setting("CPQ_SOAK_EDITS", 360) as usize;
    let seed = setting("CPQ_SOAK_SEED", u64::from(std::process::id()));
    let land = Land::build(opportunities);
    eprintln!("soak: seed {seed}, {opportunities} opportunities, {edits} edits");

    land.house.faults(json!([
        {"when": {"probability": 0.10}, "fault": {"kind": "event_duplicate"}},
        {"when": {"probability": 0.10}, "fault": {"kind": "event_reorder"}},
        {"when": {"probability": 0.10}, "fault": {"kind": "event_delay", "events": 7}},
        {"when": {"probability": 0.10}, "fault": {"kind": "event_drop"}},
        {"when": {"probability": 0.02}, "fault": {"kind": "event_gap"}},
        {"when": {"object": "Opportunity", "probability": 0.01}, "fault": {"kind": "row_lock"}},
        {"when": {"path": "/composite", "probability": 0.01}, "fault": {"kind": "reset_after"}},
    ]));
    std::thread::scope(|scope| {
        for (at, quotes) in land.shares(PEOPLE).into_iter().enumerate() {
            let person = Person::new(&land, seed.wrapping_add(at as u64), quotes);
            scope.spawn(move || person.work(edits / PEOPLE));
        }
    });
    land.calm();

    let before = land.marks();
    land.agree(seed);
    land.wrote_at_most(2, &before, seed);
    land.is_silent(seed);
}
