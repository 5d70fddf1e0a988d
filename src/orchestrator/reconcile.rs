//! Reconcile: every difference between both sides, found in constant memory, repaired under the matrix if wished, with
//! a certificate for each object and hour.
//!
//! Pass 1 goes through the CRM page by page and compares each opportunity with its quote and the last agreement. Pass 2
//! counts the CPQ's quotes against what pass 1 saw ([`digest`]) and looks up those that have no opportunity. After each
//! page one commit keeps the mark, the report, the certificates in the making and the records that differ; a reconcile
//! that was killed goes on behind its last page. A repair is nothing but syncs of what differs, and a second look.

use std::sync::Arc;

use cpq_domain::Result;
use cpq_domain::adapter::Call;
use cpq_domain::call_budget::Purpose;
use cpq_domain::error::{Code, Error};
use cpq_domain::id::{ConnectionName, CorrelationId, RunId};
use cpq_domain::reconcile::{Mark, Order, Reconciliation, State, Told};
use cpq_store::reconciliations;

use crate::engine::{Engine, Inner};
use books::{LEASE, Opened};
use digest::Digest;
use job::Job;
use look::Looker;

mod books;
mod digest;
mod job;
mod judge;
mod look;
mod parts;
mod repair;

/// How a reconcile works.
#[derive(Clone, Debug)]
pub struct ReconcileSettings {
    /// Share of the CRM's calls of a day that one reconcile may make for its looks, in percent.
    pub calls_percent: u64,
    /// Syncs of a repair under way at once.
    pub repairs_at_once: usize,
}

impl Default for ReconcileSettings {
    fn default() -> Self {
        ReconcileSettings {
            calls_percent: 10,
            repairs_at_once: 8,
        }
    }
}

impl Engine {
    /// Starts a reconcile and answers at once; it goes on by itself. One that does the same and runs already is given
    /// back instead.
    ///
    /// # Errors
    /// [`Code::Overloaded`] when another one of the connection runs; [`Code::NotConnected`].
    pub async fn reconcile(&self, order: Order) -> Result<Reconciliation> {
        let inner = &self.inner;
        let scene = inner.scene(&order.connection).await?;
        let now = scene.now;
        let fresh = Reconciliation {
            id: RunId(inner.world.uuid()),
            order: Order {
                since: books::window_start(order.since),
                ..order
            },
            state: State::Running,
            attempt: 1,
            started_at: now,
            updated_at: now,
            ended_at: None,
            lease_until: now + LEASE,
            mark: Mark::default(),
            told: Told::default(),
            matrix_version: scene.matrix.version().to_owned(),
            error: None,
        };
        match books::open(inner.ledger.store(), fresh).await? {
            Opened::Running(running) => Ok(running),
            Opened::New(one) => self.work_on(one, Digest::empty()).await,
        }
    }

    /// Takes up the last reconcile of a connection where it stands; if another process still works on it, that one
    /// stops.
    ///
    /// # Errors
    /// [`Code::RequestInvalid`] when there is nothing to resume, or the matrix has changed since.
    pub async fn resume_reconcile(&self, connection: &ConnectionName) -> Result<Reconciliation> {
        let store = self.inner.ledger.store();
        let scene = self.inner.scene(connection).await?;
        let one = books::take_up(store, connection, scene.now, scene.matrix.version()).await?;
        let id = one.id;
        let bytes = store
            .read(move |tx| Box::pin(async move { reconciliations::digest(tx, id).await }))
            .await?;
        self.work_on(one, Digest::from_bytes(&bytes)?).await
    }

    /// A reconcile as it is now.
    pub async fn reconciliation(&self, id: RunId) -> Result<Reconciliation> {
        let found = self
            .inner
            .ledger
            .store()
            .read(move |tx| Box::pin(reconciliations::by_id(tx, id)))
            .await?;
        found.ok_or_else(|| {
            Error::new(Code::NotFound, format!("no reconcile {id}"))
                .record(id.to_string())
                .next("`cpq reconcile list` shows the last ones")
        })
    }

    /// The last reconciles of a connection, newest first.
    pub async fn reconciliations(
        &self,
        connection: &ConnectionName,
        limit: u32,
    ) -> Result<Vec<Reconciliation>> {
        let connection = connection.clone();
        self.inner
            .ledger
            .store()
            .read(move |tx| {
                Box::pin(async move { reconciliations::newest(tx, Some(&connection), None, limit).await })
            })
            .await
    }

    async fn work_on(&self, one: Reconciliation, digest: Digest) -> Result<Reconciliation> {
        let inner = self.inner.clone();
        let looker = looker(&inner, &one).await?;
        let job = Job::new(inner.clone(), looker, one.clone(), digest);
        let engine = self.clone();
        inner.tasks.spawn(async move {
            if let Err(error) = books::purge(engine.inner.ledger.store()).await {
                tracing::warn!(code = %error.code, error = %error, "cannot take away the records of old reconciles");
            }
            job.run().await;
        });
        Ok(one)
    }
}

async fn looker(inner: &Arc<Inner>, one: &Reconciliation) -> Result<Looker> {
    Ok(Looker {
        scene: inner.scene(&one.order.connection).await?,
        connection: one.order.connection.clone(),
        call: Call {
            correlation: CorrelationId::new(format!("reconcile-{}", one.id))?,
            traceparent: None,
            purpose: Purpose::Reconcile,
        },
        store: inner.ledger.store().clone(),
    })
}
