//! Every workflow of the product, as what people ask for and what must be true once it is done. The tests of crashes and
//! of outcomes go through all of them, at every point that they pass by themselves.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::conflict::{ConflictState, Take};
use cpq_domain::deletion::{Answer, Gone};
use cpq_domain::id::{ConflictId, LineKey, OpportunityKey};
use cpq_domain::quote::Status;
use cpq_domain::reconcile::{AskedBy, Order, State};
use cpq_domain::run::{RunState, Trigger};
use cpq_domain::value::Value;
use cpq_orchestrator::{Engine, Follow, Submission, Undo, UndoWhich};

use crate::bench::{Bench, LONG, Process, lane, look_at, run_of, succeeded, sync};
use crate::conflicts::contested;
use crate::fakes::{NUMBER, Tape};
use crate::feeds::{self, connection, read_to, standing, stored, until};
use crate::rulings::choice;
use crate::scenes::ask;

/// A workflow: what it is called, and the calls and journaled steps that it must pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workflow {
    /// The first quote of an opportunity.
    FirstQuote,
    /// Both sides were changed since they agreed.
    BothChanged,
    /// The quote left its draft, and the CRM is told of its state.
    Lifecycle,
    /// The lines of an approved quote go back to the CRM, in several calls.
    StagedLines,
    /// A person decides a conflict.
    Ruling,
    /// A person says what becomes of the quote of a deleted opportunity.
    Deletion,
    /// A reconcile finds an edit that nobody was told of, and repairs it.
    Reconcile,
    /// A feed tells of two changes.
    FeedBatch,
    /// A person takes back what a sync wrote on both sides.
    Undo,
}

/// A workflow that is about to begin.
pub struct Stage {
    pub bench: Bench,
    tape: Arc<Tape>,
}

impl Workflow {
    pub const ALL: [Workflow; 9] = {
        use Workflow::*;
        [
            FirstQuote,
            BothChanged,
            Lifecycle,
            StagedLines,
            Ruling,
            Deletion,
            Reconcile,
            FeedBatch,
            Undo,
        ]
    };

    /// Foreign calls that it makes, and steps that its journal names.
    pub fn passes(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Workflow::FirstQuote | Workflow::BothChanged | Workflow::Ruling | Workflow::Undo => (
                &["crm.read", "cpq.find", "cpq.write", "crm.write"],
                &[
                    "read.crm",
                    "read.cpq",
                    "read.base",
                    "decide",
                    "write.cpq",
                    "decide.back",
                    "write.crm",
                ],
            ),
            Workflow::Lifecycle | Workflow::StagedLines => (
                &["crm.read", "cpq.find", "crm.write"],
                &[
                    "read.crm",
                    "read.cpq",
                    "read.base",
                    "decide",
                    "decide.back",
                    "write.crm",
                ],
            ),
            Workflow::Deletion => (
                &["crm.read", "crm.fate", "cpq.find", "cpq.transition"],
                &["read.cpq", "fate.crm", "decide.deleted", "archive.cpq"],
            ),
            Workflow::Reconcile => (
                &[
                    "crm.page",
                    "cpq.page",
                    "crm.find_many",
                    "cpq.find_many",
                    "crm.read",
                    "cpq.find",
                    "cpq.write",
                ],
                &[
                    "read.crm",
                    "read.cpq",
                    "read.base",
                    "decide",
                    "write.cpq",
                    "decide.back",
                ],
            ),
            Workflow::FeedBatch => (
                &[
                    "feed.open",
                    "feed.next",
                    "crm.read",
                    "cpq.find",
                    "cpq.write",
                    "crm.write",
                ],
                &[
                    "read.crm",
                    "read.cpq",
                    "read.base",
                    "decide",
                    "write.cpq",
                    "decide.back",
                    "write.crm",
                ],
            ),
        }
    }

    /// Everything that lies before it.
    pub async fn set(self) -> Stage {
        let bench = match self {
            Workflow::FirstQuote => Bench::new().await,
            Workflow::Ruling | Workflow::Undo => contested("review").await,
            _ => {
                let bench = Bench::new().await;
                bench.land.crm().lines_a_call = (self == Workflow::StagedLines).then_some(2);
                succeeded(&bench.process("before").engine).await;
                bench
            }
        };
        bench.land.clock.advance(Duration::from_secs(60));
        let stage = Stage {
            bench,
            tape: Arc::default(),
        };
        self.prepare(&stage).await;
        stage
    }

    async fn prepare(self, stage: &Stage) {
        let land = &stage.bench.land;
        match self {
            Workflow::FirstQuote => {}
            Workflow::BothChanged => {
                land.rep_wants(12);
                land.seller_gives(10);
            }
            Workflow::Lifecycle => land.seller(|quote| quote.status = Status::InApproval),
            Workflow::StagedLines => land.seller(|quote| {
                quote.status = Status::Approved;
                for number in 2..=5 {
                    let mut line = quote.lines[0].clone();
                    line.line_key = LineKey::new(format!("line-{number}")).expect("a key");
                    quote.lines.push(line);
                }
            }),
            Workflow::Ruling => drop(succeeded(&stage.bench.process("asks").engine).await),
            Workflow::Undo => {
                let asks = stage.bench.process("asks");
                succeeded(&asks.engine).await;
                stage.decide(&asks.engine).await;
                stage.finish(&asks).await;
            }
            Workflow::Deletion => {
                land.crm().delete(&OpportunityKey::new(NUMBER).expect("a key"));
                let asked = sync(&stage.bench.process("asks").engine).await;
                assert_eq!(asked.state, RunState::Waiting, "{asked:?}");
            }
            Workflow::Reconcile => land.rep("opportunity.name", Value::text("nobody was told")),
            Workflow::FeedBatch => stage.told().await,
        }
    }
}

impl Stage {
    /// A feed that was read to its end, and tells of the changes of two opportunities now.
    async fn told(&self) {
        self.bench.land.add("OPP-2");
        let engine = self.bench.process("second").engine;
        let run = run_of(engine.submit(look_at("OPP-2")).await.expect("accepted"));
        engine.wait(run.id, LONG).await.expect("known");
        let reader = feeds::follow(&self.tape, &self.bench.process("first"));
        read_to(&self.bench, 0).await;
        reader.cancel();
        until(async || standing(&self.bench).await.is_some_and(|one| one.lease.is_none())).await;
        let land = &self.bench.land;
        land.rep_wants(12);
        let second = OpportunityKey::new("OPP-2").expect("a key");
        land.crm().change(&second, land.clock.now(), |view| {
            view.fields
                .insert("opportunity.name".into(), Value::text("renamed"));
        });
        self.tape.tell(&["OPP4482", "OPP2"]);
    }

    /// What people and systems do; after a crash they do what is left of it. Returns when the process is done.
    pub async fn drive(&self, workflow: Workflow, process: &Process) {
        let engine = &process.engine;
        match workflow {
            Workflow::FirstQuote | Workflow::BothChanged | Workflow::Lifecycle | Workflow::StagedLines => {
                ask(engine.clone()).await;
            }
            Workflow::Ruling => self.decide(engine).await,
            Workflow::Undo => self.undo(engine).await,
            Workflow::Deletion => self.answer(engine).await,
            Workflow::Reconcile => self.reconcile(process).await,
            Workflow::FeedBatch => {
                let subscription = feeds::subscription(&self.tape, &process.life, Follow::All);
                let _reader = engine.follow(subscription);
                until(async || process.life.is_over() || stored(&self.bench).await == Some(2)).await;
            }
        }
        self.finish(process).await;
    }

    /// Waits for what runs; whoever is dead does no more.
    async fn finish(&self, process: &Process) {
        for run in self.bench.runs().await {
            while !process.life.is_over() && is_open(self.bench.run(run.id).await.state) {
                let _ = process.engine.wait(run.id, Duration::from_secs(1)).await;
            }
        }
    }

    async fn decide(&self, engine: &Engine) {
        let id = ConflictId::numbered(1);
        let Ok(one) = engine.conflict(&id).await else {
            return;
        };
        if one.state == ConflictState::Open && one.ruling.is_none() {
            let _ = engine
                .rule(&id, Some(one.version), &choice(Take::Value, Some("third")), false)
                .await;
        }
    }

    /// Takes back what carried the decision out, once.
    async fn undo(&self, engine: &Engine) {
        let runs = self.bench.runs().await;
        if runs.iter().any(|run| run.trigger == Trigger::Undo) {
            return;
        }
        let decided = runs.iter().find(|run| run.trigger == Trigger::Decision);
        let undo = Undo {
            which: UndoWhich::Sync(decided.expect("a decision").correlation.clone()),
            field: None,
            both_sides: false,
            by: "tests".into(),
            reason: "it was wrong".into(),
        };
        for item in engine.to_undo(undo).await.unwrap_or_default() {
            let _ = engine.undo(item).await;
        }
    }

    async fn answer(&self, engine: &Engine) {
        let read = self
            .bench
            .store
            .read(|tx| Box::pin(async move { cpq_store::deletions::of(tx, &lane(NUMBER)).await }));
        if read.await.is_ok_and(|given| given.is_empty()) {
            let submission = Submission::of(lane(NUMBER), Trigger::Decision);
            let _ = engine
                .answer_deleted(submission, Gone::Opportunity, Answer::Archive)
                .await;
        }
    }

    async fn reconcile(&self, process: &Process) {
        let engine = &process.engine;
        let order = Order {
            connection: connection(),
            since: None,
            repair: true,
            asked_by: AskedBy::Request,
        };
        let started = match engine.resume_reconcile(&connection()).await {
            Ok(resumed) => Ok(resumed),
            Err(_) => engine.reconcile(order).await,
        };
        let Ok(one) = started else { return };
        until(async || {
            let now = engine.reconciliation(one.id).await;
            process.life.is_over() || now.map_or(true, |now| now.state != State::Running)
        })
        .await;
    }

    /// Everything comes to rest, and one more look changes nothing.
    pub async fn rest(&self, workflow: Workflow) -> End {
        self.bench.land.deliver_late();
        let last = self.bench.process("last");
        last.engine.start();
        self.drive(workflow, &last).await;
        let runs = self.bench.runs().await;
        let open: Vec<_> = runs.iter().filter(|run| is_open(run.state)).collect();
        assert!(open.is_empty(), "{open:?}");
        let writes = || {
            let calls = |call| self.bench.land.calls(call);
            (calls("cpq.write"), calls("crm.write"), calls("cpq.transition"))
        };
        self.look(&last.engine).await;
        let before = writes();
        self.look(&last.engine).await;
        assert_eq!(
            writes(),
            before,
            "{workflow:?}: a look at two sides at rest writes"
        );
        self.end(&last.engine).await
    }

    /// A look at every opportunity. A read that told what was true before is made good by it.
    async fn look(&self, engine: &Engine) {
        let is_there = |number: &&str| {
            let key = OpportunityKey::new(*number).expect("a key");
            *number == NUMBER || self.bench.land.crm().read(&key, false).is_ok()
        };
        for number in [NUMBER, "OPP-2"].iter().filter(|number| is_there(number)) {
            let run = run_of(engine.submit(look_at(number)).await.expect("accepted"));
            engine.wait(run.id, LONG).await.expect("known");
        }
    }

    async fn end(&self, engine: &Engine) -> End {
        let land = &self.bench.land;
        let keys = land.cpq().effects.clone();
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len(), "a key had two effects: {keys:?}");
        for run in self.bench.runs().await {
            assert!(run.state.is_terminal(), "{run:?}");
            crate::bench::assert_gap_free(&self.bench.journal(run.id).await);
        }
        let conflicts = crate::conflicts::conflicts(engine).await;
        let conflicts = conflicts
            .iter()
            .map(|one| format!("{} {:?} {:?}", one.field, one.state, one.outcome));
        let mut quotes = land.cpq().quotes.clone();
        quotes.sort_by_key(|quote| quote.id.clone());
        let held = |number: &str| {
            land.crm()
                .read(&OpportunityKey::new(number).expect("a key"), false)
                .ok()
        };
        End {
            crm: [NUMBER, "OPP-2"]
                .into_iter()
                .filter_map(|number| Some(format!("{:?}", held(number)?.view)))
                .collect(),
            cpq: quotes
                .iter()
                .map(|quote| format!("{} {:?}", quote.status, quote.view()))
                .collect(),
            conflicts: conflicts.collect(),
        }
    }
}

fn is_open(state: RunState) -> bool {
    !state.is_terminal() && state != RunState::Waiting
}

/// What both systems hold and what people see when all is over.
#[derive(Debug, PartialEq)]
pub struct End {
    crm: Vec<String>,
    cpq: Vec<String>,
    conflicts: Vec<String>,
}
