//! A person decides conflicts: the ruling and the run that carries it out become durable together.

use std::collections::BTreeMap;

use cpq_domain::conflict::{Choice, Conflict, Ruling};
use cpq_domain::id::{ConflictId, Lane, OpportunityKey};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::run::{Run, Trigger};
use cpq_domain::{Code, Error, Result};
use cpq_store::Tx;
use cpq_store::conflicts::{self, Filter};
use jiff::Timestamp;

use crate::along::Along;
use crate::engine::{Engine, Submission, Submitted};

/// A ruling, and the version of the conflict that it is about.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    pub(crate) ruling: Ruling,
    pub(crate) version: u32,
}

/// What was decided, and what carries it out.
#[derive(Clone, Debug)]
pub struct Ruled {
    /// The conflicts that were decided.
    pub conflicts: Vec<ConflictId>,
    /// The runs, one per opportunity; that of the conflict that was named comes first.
    pub runs: Vec<Run>,
    /// Whether there may be more like it than one request decides.
    pub more: bool,
}

impl Engine {
    /// A page of conflicts, newest first.
    pub async fn conflicts(&self, filter: Filter) -> Result<Vec<Conflict>> {
        let store = self.inner.ledger.store();
        store
            .read(move |tx| Box::pin(async move { conflicts::list(tx, &filter).await }))
            .await
    }

    /// One conflict; [`Code::NotFound`] if there is none of that name.
    pub async fn conflict(&self, id: &ConflictId) -> Result<Conflict> {
        let (store, id) = (self.inner.ledger.store(), id.clone());
        store
            .read(move |tx| Box::pin(async move { conflicts::by_id(tx, &id).await }))
            .await
    }

    /// Decides a conflict, and with `all_like` every open one of the same connection, field and policy too, at most
    /// [`PAGE_ROWS`] at a time. Each opportunity gets a run that carries the decision out.
    ///
    /// [`Code::ConflictOutdated`] when the conflict is closed, or is no longer in the `version` that was looked at;
    /// [`Code::RequestInvalid`] when the chosen value does not read as one of the kind in conflict. Then nothing is
    /// decided.
    pub async fn rule(
        &self,
        id: &ConflictId,
        version: Option<u32>,
        choice: &Choice,
        all_like: bool,
    ) -> Result<Ruled> {
        let named = self.conflict(id).await?;
        let outdated = version.is_some_and(|version| version != named.version);
        #[cfg(feature = "planted-bugs")]
        let outdated = outdated && !cpq_domain::planted::Bug::TakesOldRulings.is_on();
        if outdated {
            return Err(changed_since(&named));
        }
        let now = self.inner.world.now();
        let mut chosen = vec![(named.clone(), named.rule(choice, now)?)];
        let mut more = false;
        if all_like {
            let like = self.like(&named).await?;
            more = like.len() >= PAGE_ROWS as usize;
            for other in like.into_iter().filter(|other| other.id != named.id) {
                let ruling = other.rule(choice, now)?;
                chosen.push((other, ruling));
            }
        }
        self.carry_out(chosen, more).await
    }

    async fn like(&self, named: &Conflict) -> Result<Vec<Conflict>> {
        let named = named.clone();
        let store = self.inner.ledger.store();
        store
            .read(move |tx| {
                Box::pin(async move {
                    conflicts::open_like(tx, &named.connection, &named.field, named.policy).await
                })
            })
            .await
    }

    /// One transaction and one run per opportunity. The first holds the conflict that was named: if that has moved on,
    /// nothing is decided; another one that has is left out.
    async fn carry_out(&self, chosen: Vec<(Conflict, Ruling)>, more: bool) -> Result<Ruled> {
        let mut ruled = Ruled {
            conflicts: Vec::new(),
            runs: Vec::new(),
            more,
        };
        for (lane, decided) in by_opportunity(chosen)? {
            let names: Vec<_> = decided.iter().map(|one| one.ruling.conflict.clone()).collect();
            let submission = Submission::of(lane, Trigger::Decision);
            match self.submit_along(submission, Along::of(decided)).await {
                Ok(Submitted::Accepted(run) | Submitted::Joined(run)) => {
                    ruled.conflicts.extend(names);
                    ruled.runs.push(run);
                }
                Ok(Submitted::Running { .. } | Submitted::Replayed { .. }) => {
                    return Err(Error::new(
                        Code::Internal,
                        "a decision without a key was answered as one with",
                    ));
                }
                Err(error) if error.code == Code::ConflictOutdated && !ruled.runs.is_empty() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ruled)
    }
}

/// The decisions of each opportunity, in the order in which the opportunities were first named.
fn by_opportunity(chosen: Vec<(Conflict, Ruling)>) -> Result<Vec<(Lane, Vec<Decided>)>> {
    let mut lanes: Vec<(Lane, Vec<Decided>)> = Vec::new();
    let mut place = BTreeMap::new();
    for (conflict, ruling) in chosen {
        let lane = Lane {
            connection: conflict.connection.clone(),
            opportunity: OpportunityKey::new(conflict.opportunity())?,
        };
        let decided = Decided {
            ruling,
            version: conflict.version,
        };
        let at = *place.entry(lane.clone()).or_insert(lanes.len());
        match lanes.get_mut(at) {
            Some((_, all)) => all.push(decided),
            None => lanes.push((lane, vec![decided])),
        }
    }
    Ok(lanes)
}

/// Stores rulings, if their conflicts are still what was decided.
pub(crate) async fn store(tx: &mut dyn Tx, decided: &[Decided], now: Timestamp) -> Result<()> {
    for Decided { ruling, version } in decided {
        let conflict = conflicts::by_id(tx, &ruling.conflict).await?;
        let outdated = conflict.version != *version;
        #[cfg(feature = "planted-bugs")]
        let outdated = outdated && !cpq_domain::planted::Bug::TakesOldRulings.is_on();
        if outdated {
            return Err(changed_since(&conflict));
        }
        let ruled = Conflict {
            ruling: Some(ruling.clone()),
            version: version + 1,
            updated_at: now,
            ..conflict
        };
        conflicts::update(tx, &ruled).await?;
    }
    Ok(())
}

fn changed_since(conflict: &Conflict) -> Error {
    let (state, version) = (conflict.state.as_str(), conflict.version);
    conflict
        .outdated(format!(
            "changed since it was looked at: it is {state}, in version {version}"
        ))
        .fact("version", version)
}
