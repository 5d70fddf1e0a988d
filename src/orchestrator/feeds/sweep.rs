//! Making good what a feed left out.

use cpq_domain::change::{FeedState, Position};
use cpq_domain::error::{Code, Error};
use cpq_domain::run::Trigger;
use jiff::Timestamp;

use super::SWEEP_PAGES;
use super::failure::End;
use super::reader::Reader;

impl Reader {
    /// Looks at everything that changed since `since`, less the overlap. The stored mark stays what it was, so that a
    /// sweep that breaks off is begun again; one that reached its end need not be repeated from its beginning.
    pub(super) async fn sweep(&mut self, since: Timestamp) -> Result<(), End> {
        self.note(FeedState::Gap, None).await?;
        let since = since
            .saturating_sub(self.subscription.settings.overlap)
            .unwrap_or(Timestamp::MIN);
        let (connection, feed) = (&self.subscription.connection, self.subscription.feed.name());
        tracing::warn!(%connection, feed, %since, "the feed left something out; looking at all that changed since");
        let as_of = self.sweep_pages(since).await?;
        let Some(old) = self.position.clone() else {
            return Ok(());
        };
        let swept = Position {
            seen_until: as_of.max(old.seen_until),
            ..old
        };
        self.keep(Vec::new(), Some(swept.clone()), FeedState::Gap, Trigger::Poll)
            .await?;
        self.position = Some(swept);
        Ok(())
    }

    /// Gives the moment before which everything was seen.
    async fn sweep_pages(&mut self, since: Timestamp) -> Result<Timestamp, End> {
        let (call, sweep) = (self.call()?, self.subscription.sweep.clone());
        let (mut after, mut as_of) = (None::<Vec<u8>>, None);
        for _ in 0..SWEEP_PAGES {
            self.wait_for_workers().await?;
            let page = self
                .alive(sweep.changed_since(&call, since, after.as_deref()))
                .await??;
            let as_of = *as_of.get_or_insert(page.as_of);
            self.keep(page.changes, None, FeedState::Gap, Trigger::Poll)
                .await?;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(as_of),
            }
        }
        let message = format!("a sweep of what changed since {since} did not end after {SWEEP_PAGES} pages");
        Err(Error::new(Code::ProtocolViolation, message)
            .connection(self.subscription.connection.as_str())
            .into())
    }
}
