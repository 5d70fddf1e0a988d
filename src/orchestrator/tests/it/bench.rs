//! A store, two systems, and processes that work between them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cpq_domain::event::{EventKind, SyncEvent};
use cpq_domain::id::{ClientId, ConnectionName, IdempotencyKey, Lane, OpportunityKey, RunId};
use cpq_domain::keyed::Keyed;
use cpq_domain::run::{Run, RunState, Trigger};
use cpq_orchestrator::{Engine, EngineSettings, Submission, Submitted};
use cpq_store::{Store, StoreOptions, journal, runs};

use crate::fakes::{Doors, Land, Life, NUMBER};

/// Longer than any test, in the time that tests have.
pub const LONG: Duration = Duration::from_secs(7 * 24 * 3600);

pub struct Bench {
    pub land: Arc<Land>,
    pub store: Store,
    lives: Mutex<Vec<Arc<Life>>>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.lives
            .lock()
            .expect("not poisoned")
            .iter()
            .for_each(|life| life.end());
    }
}

/// An engine and the process that it lives in.
pub struct Process {
    pub engine: Engine,
    pub life: Arc<Life>,
}

impl Bench {
    pub async fn new() -> Bench {
        Bench::over(
            Store::open(StoreOptions::memory())
                .await
                .expect("a store in memory"),
        )
    }

    pub fn over(store: Store) -> Bench {
        let land = Land::seeded(4482);
        let lives = Mutex::default();
        Bench { land, store, lives }
    }

    /// A process whose engine works only on what is submitted to it, until [`Engine::start`].
    pub fn process(&self, node: &str) -> Process {
        self.process_with(EngineSettings::named(node), None)
    }

    /// A process that dies at the point of that number.
    pub fn doomed(&self, node: &str, ends_at: usize) -> Process {
        self.process_with(EngineSettings::named(node), Some(ends_at))
    }

    pub fn process_with(&self, settings: EngineSettings, ends_at: Option<usize>) -> Process {
        let (store, land) = (self.store.clone(), self.land.clone());
        let observe = move || {
            let (crm, cpq) = (land.crm().effects.len(), land.cpq().effects.len());
            (store.stats().jobs, crm, cpq)
        };
        let life = Life::new(self.land.clock.clone(), ends_at, observe);
        self.lives.lock().expect("not poisoned").push(life.clone());
        let doors = Doors {
            land: self.land.clone(),
            life: life.clone(),
        };
        let engine = Engine::new(self.store.clone(), Arc::new(doors), life.clone(), settings);
        Process { engine, life }
    }

    /// A process with its background work.
    pub fn service(&self, node: &str) -> Engine {
        let engine = self.process(node).engine;
        engine.start();
        engine
    }

    pub async fn journal(&self, id: RunId) -> Vec<SyncEvent> {
        self.store
            .read(move |tx| Box::pin(journal::of_run(tx, id)))
            .await
            .expect("read")
    }

    /// The journal as `kind step` lines.
    pub async fn story(&self, id: RunId) -> Vec<String> {
        let line = |event: &SyncEvent| format!("{} {}", event.kind.as_str(), event.step);
        self.journal(id).await.iter().map(line).collect()
    }

    pub async fn run(&self, id: RunId) -> Run {
        let found = self.store.read(move |tx| Box::pin(runs::by_id(tx, id))).await;
        found.expect("read").expect("it is there")
    }

    /// All runs, oldest first.
    pub async fn runs(&self) -> Vec<Run> {
        let filter = runs::Filter {
            limit: 200,
            ..runs::Filter::default()
        };
        let read = self
            .store
            .read(move |tx| Box::pin(async move { runs::list(tx, &filter).await }));
        let mut runs = read.await.expect("read");
        runs.reverse();
        runs
    }
}

pub fn lane(number: &str) -> Lane {
    Lane {
        connection: ConnectionName::new("crm").expect("a name"),
        opportunity: OpportunityKey::new(number).expect("a key"),
    }
}

/// A wish without key or correlation.
pub fn look_at(number: &str) -> Submission {
    Submission::of(lane(number), Trigger::Request)
}

/// The same under a key.
pub fn keyed(key: &str, number: &str) -> Submission {
    let keyed = Keyed {
        client: ClientId::new("tests").expect("a client"),
        key: IdempotencyKey::new(key).expect("a key"),
        fingerprint: [u8::try_from(number.len()).expect("short"); 32],
    };
    Submission {
        keyed: Some(keyed),
        ..look_at(number)
    }
}

/// The run that a submission led to.
pub fn run_of(submitted: Submitted) -> Run {
    match submitted {
        Submitted::Accepted(run) | Submitted::Joined(run) | Submitted::Running { run, .. } => run,
        Submitted::Replayed { .. } => panic!("the key was used before"),
    }
}

/// Submits and waits for the end.
pub async fn sync(engine: &Engine) -> Run {
    let run = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    engine.wait(run.id, LONG).await.expect("known")
}

/// The same, and it must succeed.
pub async fn succeeded(engine: &Engine) -> Run {
    let run = sync(engine).await;
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.error);
    run
}

/// How often a kind of row is in a journal.
pub fn count(journal: &[SyncEvent], kind: EventKind) -> usize {
    journal.iter().filter(|event| event.kind == kind).count()
}

/// The rows are numbered 1, 2, 3, … without gaps.
pub fn assert_gap_free(journal: &[SyncEvent]) {
    let numbers: Vec<_> = journal.iter().map(|event| event.sequence).collect();
    let expected: Vec<_> = (1..=u32::try_from(journal.len()).expect("short")).collect();
    assert_eq!(numbers, expected);
}
