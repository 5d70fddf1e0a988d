use std::collections::BTreeSet;
use std::sync::Arc;

use cpq_domain::Code;
use cpq_domain::desk::QuoteDesk;
use cpq_domain::quote::{Status, Transition};
use tokio::sync::Barrier;

use crate::house::{by, house, keyed, opportunity, with_line};

const TASKS: usize = 64;

/// Runs the same work in many tasks that all start at once.
async fn together<T, F>(work: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(TASKS));
    let tasks: Vec<_> = (0..TASKS)
        .map(|at| {
            let (start, work) = (start.clone(), work(at));
            tokio::spawn(async move {
                start.wait().await;
                work.await
            })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.expect("no panic"));
    }
    results
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_key_in_many_tasks_makes_one_quote_and_one_answer() {
    let house = house().await;
    let answers =
        together(|_| {
            let cpq = house.cpq.clone();
            async move {
                QuoteDesk::create(&cpq, &keyed("same", 1), &by(), &opportunity(1), &with_line("L1")).await
            }
        })
        .await;
    let answers: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.expect("an answer"))
        .collect();
    let bodies: BTreeSet<_> = answers
        .iter()
        .map(|answer| (answer.status, &answer.body, &answer.etag))
        .collect();
    assert_eq!(bodies.len(), 1);
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    let next = house
        .cpq
        .create(None, &by(), &opportunity(2), &with_line("L1"))
        .await;
    assert_eq!(next.expect("made").quote.number.as_str(), "Q-2026-0002");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_keys_for_one_opportunity_make_one_quote_and_duplicates() {
    let house = house().await;
    let results = together(|at| {
        let cpq = house.cpq.clone();
        async move {
            let key = keyed(&format!("key-{at}"), 1);
            cpq.create(Some(&key), &by(), &opportunity(1), &with_line("L1"))
                .await
        }
    })
    .await;
    let (made, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    let quote = made.into_iter().next().expect("one").expect("made").quote;
    for error in refused.into_iter().map(|result| result.expect_err("refused")) {
        assert_eq!(error.code, Code::QuoteDuplicate);
        assert_eq!(error.facts.expect("facts")["quoteId"], quote.id.as_str());
    }
    let next = house
        .cpq
        .create(None, &by(), &opportunity(2), &with_line("L1"))
        .await;
    assert_eq!(next.expect("made").quote.number.as_str(), "Q-2026-0002");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_revisions_at_once_leave_one_live_one() {
    let house = house().await;
    let cpq = &house.cpq;
    let made = cpq.create(None, &by(), &opportunity(1), &with_line("L1")).await;
    let quote = made.expect("made").quote;
    let submitted = cpq
        .transition(None, &by(), &quote.id, &quote.etag(), Transition::Submit, None)
        .await;
    let quote = submitted.expect("moved").quote;
    let results = together(|at| {
        let (cpq, quote) = (house.cpq.clone(), quote.clone());
        async move {
            let key = keyed(&format!("revise-{at}"), 1);
            cpq.revise(Some(&key), &by(), &quote.id, &quote.etag(), None)
                .await
        }
    })
    .await;
    let refused: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), TASKS - 1);
    assert!(refused.iter().all(|error| error.code == Code::QuoteConflict));
    let chain = cpq.revisions(&quote.root_id).await.expect("a chain");
    let states: Vec<_> = chain.iter().map(|quote| quote.status).collect();
    assert_eq!(states, [Status::Superseded, Status::Draft]);
}
