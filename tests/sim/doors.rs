//! The two systems as one process reaches them: through the adapter traits, over a wire that delays, loses and repeats.

use std::sync::Arc;

use async_trait::async_trait;
use cpq_domain::Result;
use cpq_domain::adapter::{
    Call, CallBudget, CpqAdapter, CpqCapabilities, CpqWrite, CrmAdapter, CrmSnapshot, CrmWrite, CrmWritten,
    Mapping, Probe, QuoteTarget,
};
use cpq_domain::deletion;
use cpq_domain::error::Written;
use cpq_domain::id::{ConnectionName, IdempotencyKey, OpportunityKey, QuoteId, RecordId};
use cpq_domain::ownership::Matrix;
use cpq_domain::paging::{FoundSnapshots, QuoteMarkPage, SnapshotPage};
use cpq_domain::quote::{Quote, Transition};
use cpq_domain::schema::CrmSchema;
use cpq_orchestrator::Sides;
use jiff::Timestamp;
use tokio::time::sleep;

use crate::crm;
use crate::land::{Land, State, place_of, quote_place, target_name};
use crate::node::Node;
use crate::staged;
use crate::wire::{Ask, Fate, lost, refusal};
use crate::witness::Side;

/// Both systems, for one process.
#[derive(Clone)]
pub struct Doors {
    /// Everything outside.
    pub land: Arc<Land>,
    /// The process.
    pub node: Arc<Node>,
}

/// Takes the call off the list of those under way, however it ends.
struct UnderWay {
    land: Arc<Land>,
    ask: Ask,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.land.with(|state| state.leave(&self.ask));
    }
}

impl Doors {
    fn ask(&self, name: &'static str, side: Side, call: &Call, opportunity: u64) -> Ask {
        Ask {
            name,
            side,
            by: call.correlation.to_string(),
            node: self.node.name.clone(),
            opportunity,
            keyed: None,
        }
    }

    /// One call. What is sent goes its way, whatever becomes of who sent it.
    async fn pass<T: Send + 'static>(
        &self,
        ask: Ask,
        apply: impl Fn(&mut State, bool) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        self.node.point();
        let (fate, there, back) = self.land.begin(&ask).await;
        let under_way = UnderWay {
            land: self.land.clone(),
            ask: ask.clone(),
        };
        let (land, asked) = (self.land.clone(), ask.clone());
        let way = tokio::spawn(async move {
            sleep(there).await;
            deliver(&land, fate, &asked, Arc::new(apply))
        });
        let answer = way.await.expect("the network does not panic");
        sleep(back).await;
        self.node.point();
        drop(under_way);
        self.land.end(&ask, &answer);
        #[cfg(feature = "planted-bugs")]
        let answer = planted(answer);
        answer
    }
}

#[cfg(feature = "planted-bugs")]
fn planted<T>(answer: Result<T>) -> Result<T> {
    use cpq_domain::{Code, Error, planted::Bug};
    answer.map_err(
        |error| match Bug::AdapterHidesLosses.is_on() && error.code == Code::OutcomeUnknown {
            true => Error::new(Code::CrmUnavailable, "nothing happened"),
            false => error,
        },
    )
}

type Apply<T> = Arc<dyn Fn(&mut State, bool) -> Result<T> + Send + Sync>;

fn deliver<T: 'static>(land: &Arc<Land>, fate: Fate, ask: &Ask, apply: Apply<T>) -> Result<T> {
    let once = |late: bool| land.with(|state| apply(state, late));
    let answer = match fate {
        Fate::Ok => once(false),
        Fate::Stale => once(true),
        Fate::Refused(code, wait) => Err(refusal(code, wait)),
        Fate::LostNot => Err(lost()),
        Fate::LostDone => {
            let _ = once(false);
            Err(lost())
        }
        Fate::Twice => {
            let first = once(false);
            let second = once(true);
            first.or(second)
        }
        Fate::LostLate(after) => {
            land.with(|state| state.late += 1);
            let (land, ask) = (land.clone(), ask.clone());
            tokio::spawn(async move {
                sleep(after).await;
                let told = land.with(|state| {
                    state.late -= 1;
                    apply(state, true).map(drop)
                });
                let told = told.map_or_else(|error| error.code.as_str(), |()| "done");
                land.tell(format_args!("late {} of {}: {told}", ask.name, ask.by));
            });
            Err(lost())
        }
    };
    let told = answer
        .as_ref()
        .map_or_else(|error| error.code.as_str(), |_| "done");
    land.tell(format_args!("  {} of {}: {told}", ask.name, ask.by));
    answer
}

#[async_trait]
impl Sides for Doors {
    async fn crm(&self, _connection: &ConnectionName) -> Result<Arc<dyn CrmAdapter>> {
        Ok(Arc::new(self.clone()))
    }

    fn cpq(&self) -> Arc<dyn CpqAdapter> {
        Arc::new(self.clone())
    }

    fn matrix(&self) -> Arc<Matrix> {
        self.land.with(|state| state.matrix.clone())
    }
}

#[async_trait]
impl CrmAdapter for Doors {
    fn mapping(&self) -> Arc<Mapping> {
        crm::mapping()
    }

    async fn probe(&self, _call: &Call) -> Result<Probe> {
        Ok(Probe::default())
    }

    async fn describe(&self, _call: &Call) -> Result<CrmSchema> {
        Ok(CrmSchema::default())
    }

    async fn read(&self, call: &Call, key: &OpportunityKey) -> Result<CrmSnapshot> {
        let (ask, key) = (
            self.ask("crm.read", Side::Crm, call, place_of(key.as_str())),
            key.clone(),
        );
        let found = self
            .pass(ask, move |state, stale| state.crm.look(&key, stale))
            .await;
        #[cfg(feature = "planted-bugs")]
        if cpq_domain::planted::Bug::AdapterRemembers.is_on()
            && let Ok(found) = &found
        {
            let first = |state: &mut State| {
                state
                    .first_seen
                    .entry(found.opportunity.id.to_string())
                    .or_insert_with(|| found.clone())
                    .clone()
            };
            return Ok(self.land.with(first));
        }
        found
    }

    async fn fate(&self, call: &Call, id: &RecordId) -> Result<deletion::Fate> {
        let (ask, id) = (
            self.ask("crm.fate", Side::Crm, call, place_of(id.as_str())),
            id.clone(),
        );
        self.pass(ask, move |state, _| Ok(state.crm.fate(&id))).await
    }

    async fn write(&self, call: &Call, write: &CrmWrite) -> Result<CrmWritten> {
        let at = place_of(write.opportunity.id.as_str());
        let most = usize::try_from(self.land.knobs.lines_a_call).expect("a small number");
        let calls = staged::calls(write, Some(most));
        let last = calls.len() - 1;
        let mut since = write.unmodified_since;
        for (nth, stage) in calls.into_iter().enumerate() {
            let ask = self.ask("crm.write", Side::Crm, call, at);
            let (by, land) = (ask.by.clone(), self.land.clone());
            let stage = CrmWrite {
                unmodified_since: since,
                ..stage
            };
            let apply = move |state: &mut State, late: bool| {
                state.crm_write(&by, &stage, &land.clock, late, land.knobs.automation)
            };
            match self.pass(ask, apply).await {
                Ok(written) if nth == last => return Ok(written),
                Ok(written) => since = written.modified_at,
                Err(error) if nth == 0 || error.written == Written::Unknown => return Err(error),
                Err(error) => return Err(error.written(Written::Partly)),
            }
        }
        unreachable!("the last call returns")
    }

    async fn page(
        &self,
        call: &Call,
        since: Option<Timestamp>,
        after: Option<&RecordId>,
        limit: u32,
    ) -> Result<SnapshotPage> {
        let (ask, after) = (self.ask("crm.page", Side::Crm, call, u64::MAX), after.cloned());
        self.pass(ask, move |state, _| {
            Ok(state.crm.page(since, after.as_ref(), limit))
        })
        .await
    }

    async fn find_many(&self, call: &Call, ids: &[RecordId]) -> Result<FoundSnapshots> {
        let (ask, ids) = (self.ask("crm.find_many", Side::Crm, call, u64::MAX), ids.to_vec());
        self.pass(ask, move |state, _| Ok(state.crm.find_many(&ids)))
            .await
    }

    fn budget(&self) -> Option<CallBudget> {
        None
    }
}

#[async_trait]
impl CpqAdapter for Doors {
    fn capabilities(&self) -> CpqCapabilities {
        CpqCapabilities {
            idempotency_keys: self.land.knobs.remembers_keys,
            preview: true,
        }
    }

    async fn find(&self, call: &Call, _system: &str, key: &OpportunityKey) -> Result<Option<Quote>> {
        let (ask, key) = (
            self.ask("cpq.find", Side::Cpq, call, place_of(key.as_str())),
            key.clone(),
        );
        self.pass(ask, move |state, stale| Ok(state.cpq.look(&key, stale)))
            .await
    }

    async fn page(
        &self,
        call: &Call,
        _system: &str,
        since: Option<Timestamp>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<QuoteMarkPage> {
        let (ask, after) = (
            self.ask("cpq.page", Side::Cpq, call, u64::MAX),
            after.map(str::to_owned),
        );
        self.pass(ask, move |state, _| {
            Ok(state.cpq.page(since, after.as_deref(), limit))
        })
        .await
    }

    async fn find_many(&self, call: &Call, _system: &str, ids: &[RecordId]) -> Result<Vec<Quote>> {
        let (ask, ids) = (self.ask("cpq.find_many", Side::Cpq, call, u64::MAX), ids.to_vec());
        self.pass(ask, move |state, _| Ok(state.cpq.find_many(&ids)))
            .await
    }

    async fn get(&self, call: &Call, id: &QuoteId) -> Result<Quote> {
        let at = self.land.with(|state| quote_place(state, id));
        let (ask, id) = (self.ask("cpq.get", Side::Cpq, call, at), id.clone());
        self.pass(ask, move |state, _| state.cpq.get(&id)).await
    }

    async fn preview(&self, _call: &Call, write: &CpqWrite) -> Result<Option<Quote>> {
        self.land
            .with(|state| state.cpq.outcome(write, self.land.clock.now()))
            .map(Some)
    }

    async fn write(&self, call: &Call, key: &IdempotencyKey, write: &CpqWrite) -> Result<Quote> {
        let at = match &write.target {
            QuoteTarget::New(of) => place_of(of.id.as_str()),
            QuoteTarget::Existing { id, .. } => self.land.with(|state| quote_place(state, id)),
        };
        #[cfg(feature = "planted-bugs")]
        let fresh = IdempotencyKey::new(format!("{key}-{}", self.land.with(|state| state.dice.next())))?;
        #[cfg(feature = "planted-bugs")]
        let key = if cpq_domain::planted::Bug::AdapterDropsKeys.is_on() {
            &fresh
        } else {
            key
        };
        let mut ask = self.ask("cpq.write", Side::Cpq, call, at);
        ask.keyed = Some((key.to_string(), format!("{write:?}"), target_name(&write.target)));
        let (by, land, write, key) = (ask.by.clone(), self.land.clone(), write.clone(), key.to_string());
        #[cfg(feature = "planted-bugs")]
        if cpq_domain::planted::Bug::AdapterRepeats.is_on() {
            let (again, by, land, write, key) =
                (ask.clone(), by.clone(), land.clone(), write.clone(), key.clone());
            let sent = self
                .pass(again, move |state, late| {
                    state.cpq_write(&by, &key, &write, &land.clock, late)
                })
                .await;
            if sent.is_ok() {
                return sent;
            }
        }
        self.pass(ask, move |state, late| {
            state.cpq_write(&by, &key, &write, &land.clock, late)
        })
        .await
    }

    async fn transition(
        &self,
        call: &Call,
        key: &IdempotencyKey,
        target: &QuoteTarget,
        transition: Transition,
        _reason: Option<&str>,
    ) -> Result<Quote> {
        let at = match target {
            QuoteTarget::New(of) => place_of(of.id.as_str()),
            QuoteTarget::Existing { id, .. } => self.land.with(|state| quote_place(state, id)),
        };
        let mut ask = self.ask("cpq.transition", Side::Cpq, call, at);
        ask.keyed = Some((
            key.to_string(),
            format!("{transition} {target:?}"),
            target_name(target),
        ));
        let (by, land, target, key) = (ask.by.clone(), self.land.clone(), target.clone(), key.to_string());
        self.pass(ask, move |state, _| {
            state.cpq_move(&by, &key, &target, transition, &land.clock)
        })
        .await
    }
}
