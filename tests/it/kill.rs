//! The service is killed with SIGKILL again and again while work flows in over every door: keyed API requests, signed
//! webhooks, and changes in the CRM. Clients remember what was acknowledged; at the end all of it is there, once.
//!
//! The short form is part of the suite. The full one is a thousand kills:
//!
//! ```text
//! CPQ_KILLS=1000 cargo test --release -p cpq --test it kill -- --nocapture
//! ```
//!
//! `CPQ_KILL_SEED` repeats the moments of a run; the seed is printed.

mod clients;
mod land;
mod verdict;

use std::time::Duration;

use land::{Dice, Land, setting};

/// Longest life of a service once it is ready, in milliseconds.
const SHORT_LIFE_MS: u64 = 300;
/// The same for one of ten, in which a backlog can be worked off: three kills put a sync aside, and most should get by.
const LONG_LIFE_MS: u64 = 2_000;
/// One of ten is killed before it is ready.
const UNBORN_MS: u64 = 100;

#[test]
fn nothing_acknowledged_is_lost_however_often_the_service_is_killed() {
    let kills = setting("CPQ_KILLS", 100);
    let seed = setting("CPQ_KILL_SEED", u64::from(std::process::id()));
    eprintln!("kill: seed {seed}, {kills} kills");
    let mut dice = Dice(seed);
    let land = Land::build();
    let clients = clients::start(&land, seed);
    let mut ready = Vec::new();
    for _ in 0..kills {
        let mut service = land.start();
        let longest = match dice.below(10) {
            0 => UNBORN_MS,
            1 => LONG_LIFE_MS,
            _ => SHORT_LIFE_MS,
        };
        if longest != UNBORN_MS {
            ready.push(land.ready(&mut service));
        }
        std::thread::sleep(Duration::from_millis(dice.below(longest)));
        service.kill();
    }
    let mut last = land.start();
    ready.push(land.ready(&mut last));
    let books = clients.stop();
    ready.sort();
    eprintln!(
        "kill: ready again after {:?} at the median, {:?} at most of {}",
        ready[ready.len() / 2],
        ready[ready.len() - 1],
        ready.len()
    );
    eprintln!("kill: {}", land.judge(&books));
    last.kill();
    let checked = land.house.cpq(&["--json", "store", "check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
}
