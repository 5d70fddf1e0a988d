//! Gathering calls.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::*;

/// Doubles numbers once it gets a permit; refuses a batch that holds 13.
struct Doubling {
    gate: Arc<Semaphore>,
    calls: Arc<AtomicUsize>,
    /// The first item of each call.
    first: Mutex<Vec<u32>>,
}

#[async_trait]
impl Job for Doubling {
    type Item = u32;
    type Answer = u32;
    const MOST: usize = 10;
    const NAME: &'static str = "test";
    const BROKEN: (Code, Written) = (Code::CrmUnavailable, Written::No);

    fn purpose(item: &u32) -> Purpose {
        if *item >= 1_000 {
            Purpose::Replay
        } else {
            Purpose::Live
        }
    }

    fn correlation(_: &u32) -> &str {
        "c-1"
    }

    async fn run(&self, items: &[u32]) -> Result<Vec<Result<u32>>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.first.lock().expect("not poisoned").push(items[0]);
        self.gate.acquire().await.expect("open").forget();
        assert!(!items.contains(&99), "a job may have a bug");
        match items.contains(&13) {
            true => Err(Error::new(Code::CrmRejected, "thirteen")),
            false => Ok(items.iter().map(|n| Ok(n * 2)).collect()),
        }
    }
}

type Parts = (Arc<Gather<Doubling>>, Arc<Semaphore>, Arc<AtomicUsize>);

fn gather() -> Parts {
    let (gate, calls) = (Arc::new(Semaphore::new(0)), Arc::default());
    let job = Doubling {
        gate: Arc::clone(&gate),
        calls: Arc::clone(&calls),
        first: Mutex::default(),
    };
    (Arc::new(Gather::new(job)), gate, calls)
}

async fn all(gather: &Arc<Gather<Doubling>>, numbers: std::ops::Range<u32>) -> Vec<Result<u32>> {
    futures_util::future::join_all(numbers.map(|n| gather.call(n))).await
}

fn spawned(gather: &Arc<Gather<Doubling>>, numbers: std::ops::Range<u32>) -> JoinHandle<Vec<Result<u32>>> {
    let gather = gather.clone();
    tokio::spawn(async move { all(&gather, numbers).await })
}

#[tokio::test]
async fn waiting_calls_share_one_and_each_gets_its_own_answer() {
    let (gather, gate, calls) = gather();
    gate.add_permits(1_000);
    let answers = all(&gather, 100..160).await;
    let doubled: Vec<u32> = answers
        .into_iter()
        .map(|answer| answer.expect("an answer"))
        .collect();
    assert_eq!(doubled, (100..160).map(|n| n * 2).collect::<Vec<_>>());
    assert!(calls.load(Ordering::SeqCst) <= 8, "60 items took {calls:?} calls");
}

/// Lets all that can run, run.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_second_call_goes_out_beside_the_first() {
    let (gather, _gate, calls) = gather();
    for number in 0..2 {
        let gather = gather.clone();
        tokio::spawn(async move { gather.call(number).await });
        settle().await;
    }
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn after_a_crowd_a_call_waits_for_company_as_long_as_the_last_one_took() {
    let (gather, gate, calls) = gather();
    let crowd = spawned(&gather, 100..117);
    settle().await;
    tokio::time::advance(Duration::from_millis(100)).await;
    gate.add_permits(1);
    settle().await;
    assert_eq!(calls.load(Ordering::SeqCst), 1, "seven wait for company");
    let company = spawned(&gather, 200..204);
    settle().await;
    assert_eq!(calls.load(Ordering::SeqCst), 2, "with four more a call is full");
    tokio::time::advance(Duration::from_millis(100)).await;
    gate.add_permits(1_000);
    settle().await;
    // The clock goes on by itself while nothing else happens.
    assert!(crowd.await.expect("it ends").iter().all(Result::is_ok));
    assert!(company.await.expect("it ends").iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_as_long_as_company_comes_one_by_one() {
    let (gather, gate, calls) = gather();
    spawned(&gather, 100..117);
    settle().await;
    let pause = Duration::from_millis(20);
    tokio::time::advance(pause).await;
    gate.add_permits(1);
    settle().await;
    for number in 200..204 {
        tokio::time::advance(pause * (LINGERS - 1)).await;
        settle().await;
        assert_eq!(
            calls.load(Ordering::SeqCst),
            1,
            "{number}: seven wait, and who came since"
        );
        spawned(&gather, number..number + 1);
        settle().await;
    }
    assert_eq!(calls.load(Ordering::SeqCst), 2, "with four more a call is full");
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_out_when_nobody_comes_any_more_and_after_a_while_in_any_case() {
    for gap in [LINGERS + 1, LINGERS - 1] {
        let (gather, gate, calls) = gather();
        // A third of the longest wait, and a bit, lies between those who come in time.
        let took = BATCH_LINGER / (LINGERS * 2) + Duration::from_millis(1);
        spawned(&gather, 100..117);
        settle().await;
        tokio::time::advance(took).await;
        gate.add_permits(1);
        settle().await;
        let begin = Instant::now();
        let mut number = 200;
        while calls.load(Ordering::SeqCst) == 1 {
            spawned(&gather, number..number + 1);
            settle().await;
            tokio::time::advance(took * gap).await;
            settle().await;
            number += 1;
        }
        let waited = begin.elapsed();
        assert!(waited <= BATCH_LINGER + took * gap, "{waited:?} with {number}");
        assert!(number < 204, "not because it was full");
    }
}

#[tokio::test]
async fn what_is_urgent_goes_before_what_waits_already() {
    let (gather, gate, _) = gather();
    let replay = tokio::spawn({
        let gather = gather.clone();
        async move { all(&gather, 1_000..1_025).await }
    });
    settle().await;
    let live = tokio::spawn({
        let gather = gather.clone();
        async move { gather.call(1).await }
    });
    settle().await;
    gate.add_permits(1_000);
    assert_eq!(live.await.expect("it ends").expect("an answer"), 2);
    assert!(replay.await.expect("it ends").iter().all(Result::is_ok));
    let first = gather.job.first.lock().expect("not poisoned").clone();
    assert_eq!(first, [1_000, 1_010, 1], "two calls were under way already");
}

#[tokio::test]
async fn what_is_live_does_not_wait_for_background_calls_to_end() {
    let (gather, gate, calls) = gather();
    let background = |n: u32| {
        let gather = Arc::clone(&gather);
        tokio::spawn(async move { gather.call(n).await })
    };
    let mut tasks = Vec::new();
    for n in [1_000, 1_001, 1_002] {
        tasks.push(background(n));
        settle().await;
    }
    assert_eq!(calls.load(Ordering::SeqCst), BATCH_IN_FLIGHT, "the third waits");
    tasks.push(background(1));
    settle().await;
    assert_eq!(calls.load(Ordering::SeqCst), BATCH_IN_FLIGHT + 1);
    tasks.push(background(2));
    settle().await;
    assert_eq!(
        calls.load(Ordering::SeqCst),
        BATCH_IN_FLIGHT + 1,
        "there is one such place"
    );
    gate.add_permits(100);
    for task in tasks {
        task.await.expect("no panic").expect("an answer");
    }
}

#[tokio::test]
async fn where_many_wait_only_a_full_call_goes_out_beside_another() {
    let (gather, gate, calls) = gather();
    let many = tokio::spawn({
        let gather = gather.clone();
        async move { all(&gather, 100..117).await }
    });
    settle().await;
    assert_eq!(
        calls.load(Ordering::SeqCst),
        1,
        "seven do not fill a call beside ten"
    );
    let more = tokio::spawn({
        let gather = gather.clone();
        async move { all(&gather, 200..205).await }
    });
    settle().await;
    assert_eq!(calls.load(Ordering::SeqCst), 2, "with five more they do");
    gate.add_permits(1);
    settle().await;
    assert_eq!(
        calls.load(Ordering::SeqCst),
        3,
        "few are left, so the rest goes out"
    );
    gate.add_permits(2);
    assert!(many.await.expect("it ends").iter().all(Result::is_ok));
    assert!(more.await.expect("it ends").iter().all(Result::is_ok));
}

#[tokio::test]
async fn one_bad_item_does_not_take_others_with_it() {
    let (gather, gate, _) = gather();
    gate.add_permits(1_000);
    for (number, answer) in (10..20).zip(all(&gather, 10..20).await) {
        assert_eq!(answer.is_err(), number == 13, "{number}");
    }
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_break_the_others() {
    let (gather, gate, _) = gather();
    let leaver = tokio::spawn({
        let gather = gather.clone();
        async move { gather.call(1).await }
    });
    let stayer = tokio::spawn({
        let gather = gather.clone();
        async move { gather.call(2).await }
    });
    tokio::task::yield_now().await;
    leaver.abort();
    assert!(leaver.await.is_err());
    gate.add_permits(1_000);
    assert_eq!(stayer.await.expect("it ends").expect("an answer"), 4);
}

#[tokio::test]
async fn a_job_that_panics_blocks_nobody() {
    let (gather, gate, _) = gather();
    gate.add_permits(1_000);
    for _ in 0..=BATCH_IN_FLIGHT {
        let error = gather.call(99).await.expect_err("it broke");
        assert_eq!(error.code, Code::CrmUnavailable);
    }
    for number in 0..5 {
        assert_eq!(gather.call(number).await.expect("an answer"), number * 2);
    }
}
