//! The journaled steps of a run: each is done once, remembered, and answered from memory when the run starts again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use cpq_domain::adapter::Call;
use cpq_domain::call_budget::Purpose;
use cpq_domain::conflict::Ruling;
use cpq_domain::deletion::{Answer, Gone};
use cpq_domain::error::{Error, Written};
use cpq_domain::event::{Data, EventKind, SyncEvent};
use cpq_domain::id::{Lane, OpportunityKey, RecordId};
use cpq_domain::resolve::{Base, Decision};
use cpq_domain::run::Run;
use cpq_domain::world::World;
use cpq_domain::{Code, Result};
use cpq_meter::catalogue::syncs::STEP_DURATION;
use cpq_store::links::Link;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::halt::Halt;
use crate::keep::{Learned, Witness};
use crate::ledger::{Entered, Ledger};
use crate::traced;

/// The steps of one run.
///
/// Results of reads wait in memory and reach the disk with the next commit; before a foreign write its intent is
/// durable, and its outcome is durable together with whatever comes next. That makes four commits a sync.
pub(crate) struct Steps {
    run: Run,
    /// The lane that the run has moved to.
    moved: OnceLock<Lane>,
    call: Call,
    ledger: Ledger,
    world: Arc<dyn World>,
    memory: Memory,
    fresh: Mutex<Vec<SyncEvent>>,
    learned: Mutex<Learned>,
}

/// What earlier attempts of the run left in the journal.
#[derive(Default)]
pub(crate) struct Memory {
    done: HashMap<String, Data>,
    /// How often each step was sent without it being known that this did nothing. A send that was refused says nothing
    /// of one before it whose answer was lost.
    uncertain: HashMap<String, u32>,
}

impl Memory {
    /// Reads the journal. What was read before the last restart no longer counts; and as long as nothing was sent
    /// anywhere, fresh reads are better than remembered ones.
    pub(crate) fn of(journal: &[SyncEvent]) -> Memory {
        let start = journal
            .iter()
            .rposition(|event| event.kind == EventKind::Restarted)
            .map_or(0, |at| at + 1);
        #[cfg(feature = "planted-bugs")]
        let start = if cpq_domain::planted::Bug::RemembersTooMuch.is_on() {
            0
        } else {
            start
        };
        let since = &journal[start..];
        if !since.iter().any(|event| event.kind == EventKind::Intent) {
            return Memory::default();
        }
        let mut memory = Memory::default();
        for event in since {
            memory.take(event);
        }
        memory
    }

    /// Whether the step was done, or may have been.
    pub(crate) fn began(&self, step: &str) -> bool {
        self.done.contains_key(step) || self.uncertain.contains_key(step)
    }

    /// The result of a step, if it was done by this version or one that wrote the same.
    pub(crate) fn result<T: DeserializeOwned>(&self, step: &str) -> Option<T> {
        self.done.get(step)?.read().ok()
    }

    fn take(&mut self, event: &SyncEvent) {
        match event.kind {
            EventKind::Done => {
                self.uncertain.remove(&event.step);
                self.done.insert(event.step.clone(), event.data.clone());
            }
            EventKind::Intent => *self.uncertain.entry(event.step.clone()).or_default() += 1,
            #[cfg(feature = "planted-bugs")]
            EventKind::Failed if cpq_domain::planted::Bug::TakesLossForFailure.is_on() => {
                self.uncertain.remove(&event.step);
            }
            EventKind::Failed if event.data.json()["details"]["written"] == "no" => {
                self.did_nothing(&event.step)
            }
            _ => {}
        }
    }

    /// The last send of a step, if that is what failed, changed nothing.
    fn did_nothing(&mut self, step: &str) {
        let Some(sends) = self.uncertain.get_mut(step) else {
            return;
        };
        *sends -= 1;
        if *sends == 0 {
            self.uncertain.remove(step);
        }
    }
}

impl Steps {
    pub(crate) fn new(run: Run, journal: &[SyncEvent], ledger: Ledger, world: Arc<dyn World>) -> Steps {
        let call = Call {
            correlation: run.correlation.clone(),
            traceparent: run.traceparent.clone(),
            purpose: Purpose::of(run.trigger),
        };
        let learned = Learned {
            logins: ledger.logins(&run.lane.connection),
            ..Learned::default()
        };
        let (fresh, learned) = (Mutex::default(), Mutex::new(learned));
        Steps {
            memory: Memory::of(journal),
            run,
            moved: OnceLock::new(),
            call,
            ledger,
            world,
            fresh,
            learned,
        }
    }

    pub(crate) fn run(&self) -> &Run {
        &self.run
    }

    /// The lane that the run is in.
    pub(crate) fn lane(&self) -> &Lane {
        self.moved.get().unwrap_or(&self.run.lane)
    }

    /// The lane of the opportunity by its id in the CRM.
    pub(crate) fn lane_of(&self, id: &RecordId) -> Result<Lane> {
        let opportunity = OpportunityKey::new(id.as_str())?;
        let connection = self.lane().connection.clone();
        Ok(Lane {
            connection,
            opportunity,
        })
    }

    /// Goes to the lane of this name, to be called before anything is written. [`Halt::LinedUp`] when others are there, or
    /// have been since the run read.
    pub(crate) async fn go_by(&self, opportunity: OpportunityKey, record: &RecordId) -> Result<(), Halt> {
        if opportunity == self.lane().opportunity {
            return Ok(());
        }
        #[cfg(feature = "planted-bugs")]
        if cpq_domain::planted::Bug::KeepsTwoLanes.is_on() {
            return Ok(());
        }
        let lane = Lane {
            connection: self.run.lane.connection.clone(),
            opportunity: opportunity.clone(),
        };
        let entered = self
            .ledger
            .enter_lane(&self.run, opportunity, record.clone(), self.take_noted());
        let entered = entered.await?;
        self.moved.get_or_init(|| lane);
        match entered {
            Entered::Here => Ok(()),
            Entered::Behind => Err(Halt::LinedUp),
            Entered::Lost => Err(Halt::LeaseLost),
        }
    }

    pub(crate) fn call(&self) -> &Call {
        &self.call
    }

    /// Whether an earlier attempt may have sent something, so that this one answers from its journal.
    pub(crate) fn is_resumed(&self) -> bool {
        !self.memory.done.is_empty()
    }

    /// Whether an earlier attempt has done this step, or may have.
    pub(crate) fn began(&self, step: &str) -> bool {
        self.memory.began(step)
    }

    /// A step that reads, or thinks: its result is remembered, and nothing is durable yet.
    pub(crate) async fn read<T>(&self, step: &str, work: impl Future<Output = Result<T>>) -> Result<T, Halt>
    where
        T: Serialize + DeserializeOwned,
    {
        #[cfg(feature = "planted-bugs")]
        if (step == "decide" && cpq_domain::planted::Bug::DecidesAnew.is_on())
            || (step.starts_with("read.") && cpq_domain::planted::Bug::ReadsAnew.is_on())
        {
            return self.timed(step, work).await;
        }
        match self.remembered(step)? {
            Some(value) => Ok(value),
            None => self.timed(step, work).await,
        }
    }

    /// A step that changes a foreign system. Its intent is durable before `send` is polled. If an earlier attempt may
    /// have sent it, `check` reads back whether it is in place; a write is never repeated blindly.
    pub(crate) async fn write<T>(
        &self,
        step: &str,
        check: impl Future<Output = Result<Option<T>>>,
        send: impl Future<Output = Result<T>>,
    ) -> Result<T, Halt>
    where
        T: Serialize + DeserializeOwned,
    {
        if let Some(value) = self.remembered(step)? {
            return Ok(value);
        }
        let looks = self.memory.uncertain.contains_key(step);
        #[cfg(feature = "planted-bugs")]
        let looks = looks && !cpq_domain::planted::Bug::RetriesBlindly.is_on();
        if looks && let Some(found) = check.await? {
            self.note(self.event(EventKind::Done, step, data(&found)?));
            return Ok(found);
        }
        self.note(self.event(EventKind::Intent, step, Data::NONE));
        self.flush().await?;
        self.timed(step, send).await
    }

    /// The quote that this run found or made.
    pub(crate) fn learn_link(&self, link: Link) {
        self.with_learned(|learned| learned.link = Some(link));
    }

    /// What both sides agree on from now on.
    pub(crate) fn learn_base(&self, base: Base) {
        self.with_learned(|learned| learned.base = Some(base));
    }

    /// Who changed the records last, and what people had decided when the run began.
    pub(crate) fn learn_witness(&self, witness: Witness, rulings: &[Ruling]) {
        self.with_learned(|learned| {
            learned.witness = witness;
            learned.rulings = rulings.to_vec();
        });
    }

    /// A record is gone, and this was decided about it.
    pub(crate) fn learn_gone(&self, link: Link, gone: Gone, answer: Answer) {
        self.with_learned(|learned| learned.gone = Some((link, gone, answer)));
    }

    /// The quote's own record is gone from the CRM, and stays so.
    pub(crate) fn learn_spared(&self) {
        self.with_learned(|learned| learned.spared = true);
    }

    /// The business number of the opportunity was not its own until now.
    pub(crate) fn learn_renumbered(&self) {
        self.with_learned(|learned| learned.renumbered = true);
    }

    /// The quote of this run takes the place of one that is gone.
    pub(crate) fn learn_relinked(&self) {
        self.with_learned(|learned| learned.relinked = true);
    }

    /// Decisions that were carried out, and whether these are all.
    pub(crate) fn learn_decisions(&self, matrix_version: &str, decisions: Vec<Decision>, complete: bool) {
        self.with_learned(|learned| {
            learned.matrix_version = matrix_version.to_owned();
            learned.decisions = decisions;
            learned.complete = complete;
        });
    }

    /// Hands over what was noted and learnt, for the last commit.
    pub(crate) fn finish(mut self) -> (Run, Vec<SyncEvent>, Learned) {
        self.run.lane = self.moved.take().unwrap_or(self.run.lane);
        let fresh = self
            .fresh
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let learned = self
            .learned
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        (self.run, fresh, learned)
    }

    /// What an earlier attempt left as the result of a step.
    pub(crate) fn remembered<T: DeserializeOwned>(&self, step: &str) -> Result<Option<T>, Halt> {
        let Some(data) = self.memory.done.get(step) else {
            return Ok(None);
        };
        let value = data.read().map_err(|error| {
            let message =
                format!("the journal of step {step} was written by another version and cannot be read");
            Halt::Restart(Error::new(Code::Internal, message).step(step).cause(error))
        })?;
        Ok(Some(value))
    }

    async fn timed<T: Serialize>(
        &self,
        step: &str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T, Halt> {
        let (at, start) = (self.world.now(), self.world.monotonic_us());
        let result = traced::step(step, self.run.attempt, work).await;
        let duration_us = self.world.monotonic_us().saturating_sub(start);
        let ended = if result.is_ok() { "done" } else { "failed" };
        STEP_DURATION.took([step, ended], duration_us, Some(self.run.correlation.as_str()));
        let (kind, data) = match &result {
            Ok(value) => (EventKind::Done, data(value)?),
            Err(error) => (
                EventKind::Failed,
                data(&error.report(Some(self.run.correlation.as_str())))?,
            ),
        };
        self.note(SyncEvent {
            at,
            duration_us: Some(duration_us),
            ..self.event(kind, step, data)
        });
        result.map_err(|error| Halt::from(error.step(step)))
    }

    fn event(&self, kind: EventKind, step: &str, data: Data) -> SyncEvent {
        let (attempt, at) = (self.run.attempt, self.world.now());
        SyncEvent {
            sequence: 0,
            kind,
            step: step.to_owned(),
            attempt,
            at,
            duration_us: None,
            data,
        }
    }

    fn note(&self, event: SyncEvent) {
        self.fresh
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(event);
    }

    fn with_learned(&self, change: impl FnOnce(&mut Learned)) {
        change(
            &mut self
                .learned
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        );
    }

    fn take_noted(&self) -> Vec<SyncEvent> {
        std::mem::take(
            &mut *self
                .fresh
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }

    /// Makes everything noted so far durable.
    async fn flush(&self) -> Result<(), Halt> {
        let events = self.take_noted();
        match traced::commit(self.ledger.record(self.run.id, self.run.attempt, events)).await? {
            true => Ok(()),
            false => Err(Halt::LeaseLost),
        }
    }
}

fn data(value: &impl Serialize) -> Result<Data> {
    Data::of(value).map_err(|error| {
        Error::new(Code::Internal, "a step's result cannot be stored")
            .written(Written::Unknown)
            .cause(error)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn row(kind: EventKind, data: Value) -> SyncEvent {
        SyncEvent {
            sequence: 0,
            kind,
            step: "write.crm".into(),
            attempt: 1,
            at: jiff::Timestamp::UNIX_EPOCH,
            duration_us: None,
            data: data.into(),
        }
    }

    #[test]
    fn a_refused_repeat_says_nothing_of_the_send_before_it() {
        let intent = || row(EventKind::Intent, Value::Null);
        let failed = |written: &str| row(EventKind::Failed, json!({"details": {"written": written}}));
        let is_uncertain = |rows: &[SyncEvent]| Memory::of(rows).uncertain.contains_key("write.crm");
        assert!(!is_uncertain(&[intent(), failed("no")]));
        assert!(is_uncertain(&[intent(), failed("unknown")]));
        assert!(is_uncertain(&[
            intent(),
            failed("unknown"),
            intent(),
            failed("no")
        ]));
        // The process died before it heard of the first.
        assert!(is_uncertain(&[intent(), intent(), failed("no")]));
        let done = row(EventKind::Done, Value::Null);
        assert!(!is_uncertain(&[intent(), intent(), done]));
    }
}
