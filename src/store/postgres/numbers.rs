//! Numbers that people read, drawn without keeping anybody waiting for the disk.
//!
//! Whoever raises a counter in its transaction has it until that transaction is on disk, and all others that draw wait for
//! that one after the other. So these are drawn on a connection beside, for all who want one just now, by a commit that
//! waits for no disk. It need not: whoever keeps a number commits after it, and the log goes to the disk in its order
//! (PostgreSQL 15, 30.4 "Asynchronous Commit").
//!
//! A number goes only to those who waited for it when it was drawn, and is never kept for later: their transactions are on
//! connections that were open before, so a server that crashes and forgets the number forgets them too. What a failed job
//! drew is a gap.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cpq_domain::Error;
use deadpool_postgres::Pool;
use tokio::sync::oneshot;

use super::failure::{Kind, failure};
use super::pool;

const DRAW: &str = "INSERT INTO counters (name, value) VALUES ($1, $2)
  ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value RETURNING value";

pub(super) struct Numbers {
    /// Has one connection, and so a turn.
    pool: Pool,
    place: Arc<str>,
    /// Who waits for a number of which counter.
    lines: Mutex<HashMap<String, Vec<oneshot::Sender<i64>>>>,
}

impl Numbers {
    pub(super) fn new(pool: Pool, place: Arc<str>) -> Arc<Numbers> {
        Arc::new(Numbers {
            pool,
            place,
            lines: Mutex::default(),
        })
    }

    /// The next number of a counter, which nobody else gets.
    pub(super) async fn draw(&self, name: &str) -> Result<i64, (Error, Kind)> {
        loop {
            let mut given = self.stand_in_line(name);
            tokio::select! {
                biased;
                number = &mut given => if let Ok(number) = number { return Ok(number) },
                turn = self.pool.get() => {
                    let client = turn.map_err(|cause| pool::refused(&self.place, cause))?;
                    if let Ok(number) = given.try_recv() {
                        return Ok(number);
                    }
                    self.serve(&client, name).await?;
                    if let Ok(number) = given.try_recv() {
                        return Ok(number);
                    }
                }
            }
            // Whoever had the turn failed.
        }
    }

    fn stand_in_line(&self, name: &str) -> oneshot::Receiver<i64> {
        let (give, given) = oneshot::channel();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.entry(name.to_owned()).or_default().push(give);
        given
    }

    /// Draws for all who wait, the one who asks among them.
    async fn serve(&self, client: &deadpool_postgres::Client, name: &str) -> Result<(), (Error, Kind)> {
        let line = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.remove(name).unwrap_or_default()
        };
        let line: Vec<_> = line.into_iter().filter(|give| !give.is_closed()).collect();
        let wanted = i64::try_from(line.len()).unwrap_or(i64::MAX);
        let drawn = async {
            let draw = client.prepare_cached(DRAW).await?;
            client.query_one(&draw, &[&name, &wanted]).await?.try_get(0)
        };
        let last: i64 = drawn
            .await
            .map_err(|cause| failure(&self.place, "to draw a number", &cause))?;
        for (give, number) in line.into_iter().zip(last - wanted + 1..) {
            // One who went away leaves a gap.
            give.send(number).ok();
        }
        Ok(())
    }
}
