//! The processes: they start, die, and start again under another name.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cpq_domain::Result;
use cpq_domain::retry::RetryPolicy;
use cpq_domain::run::Trigger;
use cpq_orchestrator::{Engine, EngineSettings, FeedSettings, Follow, Submission, Submitted, Subscription};
use jiff::SignedDuration;
use tokio::time::sleep;

use crate::dice::Dice;
use crate::doors::Doors;
use crate::feed::Feed;
use crate::land::{Land, connection};
use crate::node::Node;

/// All processes. One that is down has no engine.
pub struct Fleet {
    land: Arc<Land>,
    dice: Mutex<Dice>,
    nodes: Mutex<Vec<Option<Running>>>,
}

/// A process and its engine.
type Running = (Arc<Node>, Engine);

impl Fleet {
    /// A fleet of which nothing runs yet.
    pub fn new(land: Arc<Land>, dice: Dice) -> Arc<Fleet> {
        let size = usize::try_from(land.knobs.nodes).expect("a few");
        let (dice, nodes) = (Mutex::new(dice), Mutex::new(vec![None; size]));
        Arc::new(Fleet { land, dice, nodes })
    }

    /// Starts a process.
    pub fn start(&self, at: usize, life: u64) -> Arc<Node> {
        let land = &self.land;
        let dice = self.dice.lock().expect("not poisoned").fork();
        let node = Node::born(format!("n{at}.{life}"), land.clock.clone(), dice);
        let doors = Doors {
            land: land.clone(),
            node: node.clone(),
        };
        let engine = Engine::new(
            land.store.clone(),
            Arc::new(doors),
            node.clone(),
            self.settings(&node.name),
        );
        engine.start();
        let feed = Arc::new(Feed {
            land: land.clone(),
            node: node.clone(),
        });
        engine.follow(Subscription {
            connection: connection(),
            origin: "00D1".into(),
            feed: feed.clone(),
            sweep: feed,
            trigger: Trigger::Event,
            settings: FeedSettings {
                follow: Follow::All,
                overlap: SignedDuration::from_secs(1),
                backlog_max: 1_000,
            },
            live: None,
        });
        land.tell(format_args!("{} starts", node.name));
        self.nodes.lock().expect("not poisoned")[at] = Some((node.clone(), engine));
        node
    }

    fn settings(&self, name: &str) -> EngineSettings {
        let knobs = &self.land.knobs;
        EngineSettings {
            concurrency: usize::try_from(knobs.concurrency).expect("a few"),
            lease_ms: i64::try_from(knobs.lease_ms).expect("a short lease"),
            retry: RetryPolicy {
                base_ms: 50,
                throttled_base_ms: 200,
                cap_ms: 3_000,
                tries_max: u32::try_from(knobs.tries).expect("a few"),
                ..RetryPolicy::default()
            },
            ..EngineSettings::named(name)
        }
    }

    /// A process that lives.
    pub fn any(&self, dice: &mut Dice) -> Option<Engine> {
        let nodes = self.nodes.lock().expect("not poisoned");
        let alive: Vec<&Engine> = nodes
            .iter()
            .flatten()
            .filter(|(node, _)| !node.is_dead())
            .map(|(_, engine)| engine)
            .collect();
        (!alive.is_empty()).then(|| (*dice.pick(&alive)).clone())
    }

    /// Lets a process die now and then, and starts another in its place, until people go home; then one lives on.
    pub async fn keep(self: Arc<Self>, at: usize, mut dice: Dice) {
        let knobs = self.land.knobs.clone();
        for life in 1.. {
            let node = self.start(at, life);
            if knobs.death_ms == 0 {
                return;
            }
            sleep(Duration::from_millis(
                dice.between(knobs.death_ms / 2, knobs.death_ms * 2),
            ))
            .await;
            if !self.land.is_open() {
                return;
            }
            node.dies_after(dice.between(1, 150));
            for _ in 0..40 {
                if !node.is_dead() {
                    sleep(Duration::from_millis(50)).await;
                }
            }
            node.end();
            self.land.with(|state| state.deaths += 1);
            self.land.tell(format_args!("{} is dead", node.name));
            crate::verdict::durable(&self.land).await;
            sleep(Duration::from_millis(dice.between(20, knobs.lease_ms * 2))).await;
        }
    }

    /// Submits a wish to any process until one takes it in. `None` on a day that loses something, when people have gone
    /// home meanwhile; on another day whoever tells of a change goes on until it is taken in, however long no process
    /// lives: nothing else would ever tell of it.
    pub async fn submit(&self, submission: Submission, dice: &mut Dice) -> Option<Submitted> {
        loop {
            if let Some(submitted) = self.ask(dice, submission.clone()).await {
                return Some(submitted);
            }
            if self.land.knobs.lossy && !self.land.is_open() && dice.percent(2) {
                return None;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Submits a wish once; `None` when it was not taken in.
    pub async fn ask(&self, dice: &mut Dice, submission: Submission) -> Option<Submitted> {
        let engine = self.any(dice)?;
        let at = submission.lane.opportunity.clone();
        let submitted = apart(async move { engine.submit(submission).await })
            .await?
            .ok()?;
        self.land
            .tell(format_args!("a wish about {at}: {}", name_of(&submitted)));
        self.taken_in(&submitted).await;
        Some(submitted)
    }

    /// What was answered is durable.
    async fn taken_in(&self, submitted: &Submitted) {
        let (Submitted::Accepted(run) | Submitted::Joined(run)) = submitted else {
            return;
        };
        let id = run.id;
        self.land
            .with(|state| state.trace.saw(format!("wish {}", name_of(submitted))));
        let read = self
            .land
            .store
            .read(move |tx| Box::pin(cpq_store::runs::by_id(tx, id)));
        if !matches!(read.await, Ok(Some(_))) {
            self.land
                .object(format!("{} was accepted, and is nowhere", run.correlation));
        }
        crate::verdict::one_waits(&self.land, &run.lane).await;
    }
}

fn name_of(submitted: &Submitted) -> &'static str {
    match submitted {
        Submitted::Accepted(_) => "accepted",
        Submitted::Joined(_) => "joined",
        Submitted::Running { .. } => "running",
        Submitted::Replayed { .. } => "replayed",
    }
}

/// Does it in a task of its own, because the process may die of it; `None` then.
pub async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Option<Result<T>> {
    tokio::spawn(work).await.ok()
}
