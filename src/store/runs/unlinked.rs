//! Runs in hand whose opportunity has no link yet.

use cpq_domain::Result;
use cpq_domain::id::{ConnectionName, OpportunityKey, RecordId};

use crate::tx::{Tx, params};

// The first sync of an opportunity knows its record from the moment at which it read it, and stores the link at its
// end. The journal has the record in between. Each half has an index of its own that holds only what is in hand.
const READ_BY: &str = "SELECT r.opportunity FROM runs r JOIN journal j ON j.run_id = r.id
    WHERE r.connection = $1 AND r.state = 'running' AND j.step = 'read.crm' AND j.kind = 'done' AND j.data LIKE $2
  UNION ALL SELECT r.opportunity FROM runs r JOIN journal j ON j.run_id = r.id
    WHERE r.connection = $1 AND r.ready_at IS NOT NULL AND r.attempt > 0
    AND j.step = 'read.crm' AND j.kind = 'done' AND j.data LIKE $2
  LIMIT 1";

pub(super) const STATEMENTS: &[&str] = &[READ_BY];

/// The name under which a run in hand has read this opportunity of the CRM.
pub async fn read_by_run(
    tx: &mut dyn Tx,
    connection: &ConnectionName,
    opportunity: &RecordId,
) -> Result<Option<OpportunityKey>> {
    // A record id has no character that LIKE minds but `_`, which fits itself.
    let pattern = format!("%\"id\":\"{opportunity}\"%");
    let row = tx.first(READ_BY, params![connection, pattern]).await?;
    row.map(|mut row| row.take()).transpose()
}
