//! Why a field has its value: the chain of its values, told from our own log alone.

use std::collections::BTreeMap;

use cpq_domain::change::Hint;
use cpq_domain::conflict::{Conflict, ConflictState};
use cpq_domain::id::{ConflictId, ConnectionName, CorrelationId, OpportunityKey, RunId};
use cpq_domain::limits::PAGE_ROWS;
use cpq_domain::resolve::{Decision, Origin, Verdict};
use cpq_domain::subject::{Owner, Subject};
use cpq_domain::value::Value;
use cpq_domain::{Code, Error, Result};
use cpq_store::decisions::{self, OfField, StoredDecision};
use cpq_store::links::{self, Link};
use cpq_store::{Tx, conflicts, journal};
use jiff::Timestamp;

use crate::engine::Engine;

/// What happened to a field in one sync.
#[derive(Clone, Debug)]
pub struct Passage {
    /// The decision, with what both sides held when the sync looked.
    pub decision: Decision,
    /// What both sides hold since; `None` where each keeps its own.
    pub value: Option<Value>,
    /// The sync.
    pub run_id: RunId,
    /// Its correlation id.
    pub correlation: CorrelationId,
    /// The matrix that was in force.
    pub matrix_version: String,
    /// When.
    pub at: Timestamp,
    /// The newest event that led to the sync and named the field: who changed it in the CRM, and when.
    pub hint: Option<Hint>,
    /// The conflict that was opened, settled or decided here.
    pub conflict: Option<ConflictId>,
}

/// The history of a field, or a part of it.
#[derive(Clone, Debug)]
pub struct History {
    /// The opportunity and its quote.
    pub link: Link,
    /// Oldest first.
    pub passages: Vec<Passage>,
    /// Hand this in as `before` for what came earlier; `None` at the beginning of the history.
    pub earlier: Option<i64>,
}

impl Engine {
    /// The history of a field, or of its last `limit` passages before the one named by `before`.
    ///
    /// [`Code::NotFound`] when the opportunity or quote was never synced over this connection.
    pub async fn why(
        &self,
        connection: &ConnectionName,
        subject: &Subject,
        before: Option<i64>,
        limit: u32,
    ) -> Result<History> {
        let (store, connection, subject) = (self.inner.ledger.store(), connection.clone(), subject.clone());
        store
            .read(move |tx| {
                Box::pin(async move {
                    let link = found(tx, &connection, &subject).await?;
                    tell(tx, link, &subject, before, limit.min(PAGE_ROWS)).await
                })
            })
            .await
    }
}

async fn found(tx: &mut dyn Tx, connection: &ConnectionName, subject: &Subject) -> Result<Link> {
    let (link, what) = match &subject.owner {
        Owner::Opportunity(key) => {
            let link = links::by_opportunity(tx, connection, key).await?;
            (link, format!("opportunity {key}"))
        }
        Owner::Quote(number) => {
            let link = links::by_quote(tx, number).await?;
            (
                link.filter(|link| &link.connection == connection),
                format!("quote {number}"),
            )
        }
    };
    link.ok_or_else(|| {
        Error::new(
            Code::NotFound,
            format!("{what} was never synced, so nothing is known of its fields"),
        )
        .connection(connection.as_str())
        .next("check the number; `cpq sync list` shows what was synced")
    })
}

async fn tell(
    tx: &mut dyn Tx,
    link: Link,
    subject: &Subject,
    before: Option<i64>,
    limit: u32,
) -> Result<History> {
    let which = OfField {
        connection: link.connection.clone(),
        opportunity: link.opportunity_id.clone(),
        field: subject.field.clone(),
        line: subject.line.clone(),
        before,
        limit,
    };
    let mut made = decisions::of_field(tx, &which).await?;
    let full = u32::try_from(made.len()).is_ok_and(|rows| rows == limit);
    let earlier = made.last().filter(|_| full).map(|oldest| oldest.position);
    made.reverse();
    let contests = contests(tx, &link, subject, &made).await?;
    let mut passages = Vec::with_capacity(made.len());
    for one in made {
        let hint = journal::hints(tx, one.circumstances.run_id).await?;
        let hint = hint.into_iter().find(|hint| hint.fields.contains(&subject.field));
        let conflict = contests.get(&one.circumstances.run_id).cloned();
        passages.push(passage(one, hint, conflict));
    }
    Ok(History {
        link,
        passages,
        earlier,
    })
}

/// The conflicts that the runs of these decisions left behind, by run.
async fn contests(
    tx: &mut dyn Tx,
    link: &Link,
    subject: &Subject,
    made: &[StoredDecision],
) -> Result<BTreeMap<RunId, ConflictId>> {
    let contested =
        |one: &StoredDecision| one.decision.lost.is_some() || one.decision.verdict == Verdict::Review;
    if !made.iter().any(contested) {
        return Ok(BTreeMap::new());
    }
    let filter = conflicts::Filter {
        connection: Some(link.connection.clone()),
        opportunity: Some(OpportunityKey::new(link.opportunity_id.as_str())?),
        field: Some(subject.field.clone()),
        limit: PAGE_ROWS,
        ..conflicts::Filter::default()
    };
    let about = |one: &Conflict| one.line == subject.line && one.state != ConflictState::Obsolete;
    let all = conflicts::list(tx, &filter).await?.into_iter().filter(about);
    Ok(all.map(|one| (one.run_id, one.id)).collect())
}

fn passage(stored: StoredDecision, hint: Option<Hint>, conflict: Option<ConflictId>) -> Passage {
    let StoredDecision {
        circumstances,
        mut decision,
        ..
    } = stored;
    // Decisions that were kept before origins were tell it by what they did.
    decision.origin = match (decision.origin, decision.verdict) {
        (Origin::Neither, Verdict::ToCpq) => Origin::Crm,
        (Origin::Neither, Verdict::ToCrm) => Origin::Cpq,
        (origin, _) => origin,
    };
    let contested = decision.lost.is_some() || decision.verdict == Verdict::Review;
    Passage {
        value: decision.agreed().cloned(),
        run_id: circumstances.run_id,
        correlation: circumstances.correlation,
        matrix_version: circumstances.matrix_version,
        at: circumstances.at,
        hint,
        conflict: decision.ruling.clone().or(conflict.filter(|_| contested)),
        decision,
    }
}
