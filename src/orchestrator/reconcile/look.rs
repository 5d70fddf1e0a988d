//! Looks at a batch of records: both sides and the last agreement at once, and whatever differs a second time.

use std::collections::{BTreeMap, BTreeSet};

use cpq_domain::Result;
use cpq_domain::adapter::Call;
use cpq_domain::id::{ConnectionName, OpportunityKey, RecordId};
use cpq_domain::paging::{PagedSnapshot, SNAPSHOT_ROWS, SnapshotPage, Unreadable};
use cpq_domain::quote::Quote;
use cpq_store::{Store, journal, reconciliations};
use jiff::Timestamp;

use super::judge::{self, Judged};
use super::parts;
use crate::keep::{Known, known_of_many};
use crate::sync::Scene;

/// Both systems, the rules and the store, as one reconcile finds them.
pub(super) struct Looker {
    pub(super) scene: Scene,
    pub(super) connection: ConnectionName,
    pub(super) call: Call,
    pub(super) store: Store,
}

/// A page, and where the journal stood when its reading began. What a sync did since is behind that, whatever the clocks
/// of the nodes say or however they are set meanwhile.
pub(super) struct Page {
    pub(super) since: i64,
    pub(super) page: SnapshotPage,
}

/// What was seen of a batch.
#[derive(Default)]
pub(super) struct Looked {
    /// Records that agree or take no part.
    pub(super) fine: Vec<Judged>,
    /// Records that differ, on a second look too.
    pub(super) differing: Vec<Judged>,
    /// Records with a sync under way.
    pub(super) in_flight: Vec<Judged>,
    /// How many differed only at first; those that are still there are among the fine ones.
    pub(super) settled: u64,
    /// Opportunities with a quote.
    pub(super) quoted: Vec<RecordId>,
    /// Calls that were made of the CRM.
    pub(super) calls: u64,
    /// Opportunities that were held at once.
    pub(super) held: u64,
}

impl Looker {
    fn system(&self) -> &str {
        self.connection.as_str()
    }

    /// Reads a page of the CRM.
    pub(super) async fn page(&self, since: Option<Timestamp>, after: Option<&RecordId>) -> Result<Page> {
        let began = self.journal_head().await?;
        let page = self
            .scene
            .crm
            .page(&self.call, since, after, SNAPSHOT_ROWS)
            .await?;
        Ok(Page { since: began, page })
    }

    /// Looks at what a page shows.
    pub(super) async fn examine(&self, page: &Page) -> Result<Looked> {
        let (snapshots, unreadable) = (&page.page.snapshots, &page.page.unreadable);
        let first = self.judge(snapshots, unreadable).await?;
        let quoted = first.iter().filter(|judged| judged.quote.is_some());
        let quoted = quoted.map(|judged| judged.id.clone()).collect();
        let mut looked = self.look_again(first, page.since).await?;
        looked.quoted = quoted;
        looked.held = (snapshots.len() + unreadable.len() + looked.differing.len()) as u64;
        Ok(looked)
    }

    /// Looks at these opportunities afresh.
    pub(super) async fn examine_ids(&self, ids: &[RecordId]) -> Result<Looked> {
        let since = self.journal_head().await?;
        let found = self.scene.crm.find_many(&self.call, ids).await?;
        let page = SnapshotPage {
            snapshots: found.snapshots,
            unreadable: found.unreadable,
            next: None,
            calls: found.calls,
        };
        let mut looked = self.examine(&Page { since, page }).await?;
        looked.calls += u64::from(found.calls);
        Ok(looked)
    }

    /// Looks for the opportunities of quotes that the CRM did not show. With `changed_before`, those that are there and
    /// were last touched before that moment are compared; the others were seen, or will be.
    pub(super) async fn examine_strays(
        &self,
        ids: &[RecordId],
        changed_before: Option<Timestamp>,
    ) -> Result<Looked> {
        let since = self.journal_head().await?;
        let found = self.scene.crm.find_many(&self.call, ids).await?;
        let there: BTreeSet<&RecordId> = found
            .snapshots
            .iter()
            .map(|paged| &paged.snapshot.opportunity.id)
            .chain(found.unreadable.iter().map(|unreadable| &unreadable.id))
            .collect();
        let missing: Vec<RecordId> = ids.iter().filter(|id| !there.contains(id)).cloned().collect();
        let older = |paged: &PagedSnapshot| changed_before.is_some_and(|before| paged.stamp < before);
        let page = SnapshotPage {
            snapshots: found
                .snapshots
                .iter()
                .filter(|paged| older(paged))
                .cloned()
                .collect(),
            ..SnapshotPage::default()
        };
        let mut looked = self.examine(&Page { since, page }).await?;
        looked.calls += u64::from(found.calls);
        looked.held = ids.len() as u64;
        self.miss(&mut looked, &missing, since).await?;
        Ok(looked)
    }

    /// Judges quotes without an opportunity, after a second look for it.
    async fn miss(&self, looked: &mut Looked, missing: &[RecordId], since: i64) -> Result<()> {
        if missing.is_empty() {
            return Ok(());
        }
        let again = self.scene.crm.find_many(&self.call, missing).await?;
        looked.calls += u64::from(again.calls);
        let back: BTreeSet<&RecordId> = again
            .snapshots
            .iter()
            .map(|paged| &paged.snapshot.opportunity.id)
            .collect();
        looked.settled += back.len() as u64;
        let gone: Vec<RecordId> = missing.iter().filter(|id| !back.contains(id)).cloned().collect();
        let quotes = self.quotes(&gone).await?;
        let strays: Vec<Judged> = quotes
            .values()
            .map(|quote| judge::stray(quote, again.deleted.contains(&quote.opportunity.id)))
            .collect();
        let moving = self.in_motion(&strays, since).await?;
        for judged in strays {
            looked.sort(judged, &moving);
        }
        Ok(())
    }

    async fn judge(&self, snapshots: &[PagedSnapshot], unreadable: &[Unreadable]) -> Result<Vec<Judged>> {
        let ids: Vec<RecordId> = snapshots
            .iter()
            .map(|paged| paged.snapshot.opportunity.id.clone())
            .collect();
        let (quotes, known) = futures_util::try_join!(self.quotes(&ids), self.known(&ids))?;
        let told = snapshots.iter().map(|paged| {
            let id = &paged.snapshot.opportunity.id;
            judge::opportunity(&self.scene, paged, quotes.get(id), known.get(id))
        });
        let untold = unreadable
            .iter()
            .map(|found| judge::unreadable(&self.scene, self.system(), found));
        Ok(told.chain(untold).collect())
    }

    /// Takes apart what differs really, what is being synced, and what only seemed to differ because it was changed
    /// between the two reads.
    async fn look_again(&self, first: Vec<Judged>, since: i64) -> Result<Looked> {
        let mut looked = Looked::default();
        let (suspects, fine): (Vec<_>, Vec<_>) = first.into_iter().partition(Judged::differs);
        looked.fine = fine;
        if suspects.is_empty() {
            return Ok(looked);
        }
        let moving = self.in_motion(&suspects, since).await?;
        let (moving, suspects): (Vec<_>, Vec<_>) = suspects
            .into_iter()
            .partition(|judged| moving.contains(&judged.id));
        moving.into_iter().for_each(|judged| looked.fly(judged));
        let ids: Vec<RecordId> = suspects.into_iter().map(|judged| judged.id).collect();
        let since = self.journal_head().await?;
        let found = self.scene.crm.find_many(&self.call, &ids).await?;
        looked.calls += u64::from(found.calls);
        let second = self.judge(&found.snapshots, &found.unreadable).await?;
        let moving = self.in_motion(&second, since).await?;
        looked.settled += (ids.len() - second.len()) as u64;
        for judged in second {
            looked.settled += u64::from(!judged.differs());
            looked.sort(judged, &moving);
        }
        Ok(looked)
    }

    async fn quotes(&self, ids: &[RecordId]) -> Result<BTreeMap<RecordId, Quote>> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let quotes = self.scene.cpq.find_many(&self.call, self.system(), ids).await?;
        Ok(quotes
            .into_iter()
            .map(|quote| (quote.opportunity.id.clone(), quote))
            .collect())
    }

    async fn known(&self, ids: &[RecordId]) -> Result<BTreeMap<RecordId, Known>> {
        let (connection, ids) = (self.connection.clone(), ids.to_vec());
        self.store
            .read(move |tx| Box::pin(async move { known_of_many(tx, &connection, &ids).await }))
            .await
    }

    async fn journal_head(&self) -> Result<i64> {
        self.store.read(|tx| Box::pin(journal::head(tx))).await
    }

    /// Which of these have a sync that has not ended, or that did something since the journal stood at `since`. A lane
    /// goes by number or by id.
    async fn in_motion(&self, judged: &[Judged], since: i64) -> Result<BTreeSet<RecordId>> {
        let mut lanes: BTreeMap<OpportunityKey, RecordId> = BTreeMap::new();
        for one in judged {
            lanes.insert(OpportunityKey::new(one.id.as_str())?, one.id.clone());
            lanes.extend(one.number.clone().map(|number| (number, one.id.clone())));
        }
        let (connection, keys) = (self.connection.clone(), lanes.keys().cloned().collect::<Vec<_>>());
        let moving = self
            .store
            .read(move |tx| {
                Box::pin(async move { reconciliations::in_motion(tx, &connection, &keys, since).await })
            })
            .await?;
        Ok(moving.iter().filter_map(|key| lanes.get(key).cloned()).collect())
    }
}

impl Looked {
    fn sort(&mut self, judged: Judged, moving: &BTreeSet<RecordId>) {
        match (judged.differs(), moving.contains(&judged.id)) {
            (false, _) => self.fine.push(judged),
            (true, true) => self.fly(judged),
            (true, false) => self.differing.push(judged),
        }
    }

    fn fly(&mut self, judged: Judged) {
        self.in_flight.push(Judged {
            differences: Vec::new(),
            parts: parts::in_flight(),
            ..judged
        });
    }
}
