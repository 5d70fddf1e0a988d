//! What a feed may do to its reader: leave something out, forget where it stands, fail, refuse.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::Code;
use cpq_domain::change::FeedState;
use cpq_orchestrator::{Follow, Subscription};
use tokio::sync::watch;

use crate::bench::{Bench, Process};
use crate::fakes::{Tape, Told};
use crate::feeds::{events, follow, hinted, read_to, standing, stored, subscription, until};

/// A reader that stands at the second of four events.
async fn halfway() -> (Bench, Arc<Tape>) {
    let bench = Bench::new().await;
    let (tape, process) = (Arc::new(Tape::default()), bench.process("before"));
    let stop = follow(&tape, &process);
    read_to(&bench, 0).await;
    tape.tell(&["OPP1", "OPP2"]);
    read_to(&bench, 2).await;
    stop.cancel();
    until(async || {
        standing(&bench)
            .await
            .is_some_and(|standing| standing.lease.is_none())
    })
    .await;
    tape.tell(&["OPP3", "OPP4"]);
    (bench, tape)
}

fn after<'a>(asked: &'a [String], what: &str) -> &'a [String] {
    let at = asked.iter().position(|asked| asked == what);
    &asked[at.unwrap_or_else(|| panic!("no {what:?} in {asked:?}"))..]
}

async fn state(bench: &Bench) -> FeedState {
    standing(bench).await.expect("it stands").state
}

/// The CRM no longer has what follows the position: the feed is opened at its end first, then everything that changed
/// since is looked at, and only then the new position is stored.
#[tokio::test(start_paused = true)]
async fn an_expired_position_leads_to_a_sweep() {
    let (bench, tape) = halfway().await;
    tape.forget(4);
    tape.changed(&["OPP3", "OPP4"]);
    follow(&tape, &bench.process("a"));
    read_to(&bench, 4).await;
    let asked = tape.asked();
    // The position is two seconds after the first event, and the overlap 900.
    assert_eq!(
        after(&asked, "open 2"),
        [
            "open 2",
            "open end",
            "sweep -898 page 0",
            "sweep -898 page 1",
            "read 4"
        ]
    );
    let mut expected: Vec<String> = events(2).into_iter().collect();
    expected.extend(["swept OPP3".to_owned(), "swept OPP4".to_owned()]);
    assert_eq!(hinted(&bench).await, expected);
    assert_eq!(state(&bench).await, FeedState::Live);
    let told = standing(&bench)
        .await
        .expect("it stands")
        .error
        .expect("an error");
    assert_eq!(told.0.code, Code::CursorExpired);
}

/// A sweep breaks off in the middle, by a failure or with its process: it is done again from its beginning, and the
/// stored mark stays the old one until then.
#[tokio::test(start_paused = true)]
async fn a_sweep_that_breaks_off_is_done_again() {
    let (bench, tape) = halfway().await;
    tape.forget(4);
    tape.changed(&["OPP3", "OPP4"]);
    tape.script_sweeps([Told::Missing(0)]);
    tape.script_sweeps([const { Told::Failed(Code::CrmUnavailable) }; 30]);
    let process = bench.process("a");
    let stop = follow(&tape, &process);
    until(async || tape.count("sweep") > 3).await;
    assert_eq!(
        (stored(&bench).await, state(&bench).await),
        (Some(2), FeedState::Gap)
    );
    stop.cancel();
    tape.forget_sweeps();
    read_on(&bench, &tape, &bench.process("b")).await;
    let asked = tape.asked();
    let again = asked
        .iter()
        .rposition(|asked| asked == "open 2")
        .expect("opened behind the old mark");
    assert_eq!(
        asked[again..],
        [
            "open 2",
            "open end",
            "sweep -898 page 0",
            "sweep -898 page 1",
            "read 4"
        ]
    );
    assert!(hinted(&bench).await.contains(&"swept OPP4".to_owned()));
}

async fn read_on(bench: &Bench, tape: &Arc<Tape>, process: &Process) {
    follow(tape, process);
    read_to(bench, 4).await;
}

/// A process dies at each point of a sweep, and the next one does it again.
#[tokio::test(start_paused = true)]
async fn a_crash_during_a_sweep_loses_nothing() {
    let mut deaths = 0;
    for at in 0.. {
        let (bench, tape) = halfway().await;
        tape.forget(4);
        tape.changed(&["OPP3", "OPP4"]);
        let doomed = bench.doomed("doomed", at);
        follow(&tape, &doomed);
        until(async || doomed.life.is_over() || stored(&bench).await == Some(4)).await;
        let died = doomed.life.is_over();
        doomed.life.end();
        let swept = ["swept OPP3", "swept OPP4"].map(str::to_owned);
        let hints = hinted(&bench).await;
        if stored(&bench).await == Some(4) {
            assert!(
                swept.iter().all(|event| hints.contains(event)),
                "point {at}: {hints:?}"
            );
        }
        bench.land.clock.advance(crate::scenes::LEASE);
        read_on(&bench, &tape, &bench.process("next")).await;
        let hints = hinted(&bench).await;
        assert!(
            swept.iter().all(|event| hints.contains(event)),
            "point {at}: {hints:?}"
        );
        if !died {
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 15, "it died {deaths} times only");
}

/// The feed says itself that it left something out.
#[tokio::test(start_paused = true)]
async fn what_the_feed_left_out_is_swept_before_it_reads_on() {
    let (bench, tape) = halfway().await;
    tape.changed(&["OPP9"]);
    tape.script([Told::Missing(1)]);
    follow(&tape, &bench.process("a"));
    read_to(&bench, 4).await;
    let asked = tape.asked();
    assert_eq!(after(&asked, "open 2"), ["open 2", "sweep -899 page 0", "read 4"]);
    assert!(hinted(&bench).await.contains(&"swept OPP9".to_owned()));
}

/// A feed fails many times in a row: the reader tries ever more seldom, says so, and loses nothing.
#[tokio::test(start_paused = true)]
async fn a_storm_of_errors_passes() {
    let (bench, tape) = halfway().await;
    tape.script([const { Told::Failed(Code::CrmUnavailable) }; 25]);
    let begin = tokio::time::Instant::now();
    follow(&tape, &bench.process("a"));
    until(async || tape.count("open") > 15).await;
    let standing_then = standing(&bench).await.expect("it stands");
    assert_eq!(
        (standing_then.state, stored(&bench).await),
        (FeedState::Behind, Some(2))
    );
    assert_eq!(
        standing_then.error.expect("an error").0.code,
        Code::CrmUnavailable
    );
    read_to(&bench, 4).await;
    assert_eq!(state(&bench).await, FeedState::Live);
    assert_eq!(hinted(&bench).await.len(), 4);
    // Tries half a second apart would be over in a quarter of a minute.
    assert!(
        begin.elapsed() > Duration::from_secs(600),
        "{:?}",
        begin.elapsed()
    );
}

/// Who is refused for good is told of once, asks seldom, and reads as soon as it may.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_tried_again_seldom() {
    let (bench, tape) = halfway().await;
    let (live, is_live) = watch::channel(false);
    tape.script([Told::Failed(Code::Unsupported), Told::Failed(Code::Unsupported)]);
    let process = bench.process("a");
    process.engine.follow(Subscription {
        live: Some(live),
        ..subscription(&tape, &process.life, Follow::All)
    });
    let opened = tape.count("open");
    tokio::time::sleep(Duration::from_secs(3_000)).await;
    assert_eq!(tape.count("open"), opened + 1);
    assert_eq!(
        (state(&bench).await, *is_live.borrow()),
        (FeedState::Behind, false)
    );
    let report = standing(&bench)
        .await
        .and_then(|standing| standing.error)
        .expect("an error")
        .0;
    assert_eq!(report.code, Code::Unsupported);
    read_to(&bench, 4).await;
    assert!(*is_live.borrow());
}

/// A dead grant needs a person. Nothing is called meanwhile that matters, and the feed reads on after the login.
#[tokio::test(start_paused = true)]
async fn a_dead_grant_waits_for_a_login() {
    let (bench, tape) = halfway().await;
    tape.script([const { Told::Failed(Code::TokenExpired) }; 3]);
    follow(&tape, &bench.process("a"));
    until(async || {
        state(&bench).await == FeedState::Behind && standing(&bench).await.is_some_and(|s| s.error.is_some())
    })
    .await;
    let report = standing(&bench)
        .await
        .and_then(|standing| standing.error)
        .expect("an error")
        .0;
    assert!(report.details.next.contains("cpq auth connect-crm"), "{report:?}");
    read_to(&bench, 4).await;
    assert_eq!(hinted(&bench).await.len(), 4);
}
