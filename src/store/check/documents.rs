//! Documents: each can be read, and says the same as the columns it is found by.

use cpq_domain::Result;
use cpq_domain::conflict::Conflict;
use cpq_domain::quote::Quote;
use cpq_domain::resolve::Base;

use super::{Kind, Notes};
use crate::tx::{Tx, params};

const QUOTES: &str = "SELECT id, root_id, number, revision, status, version, body FROM quotes
  WHERE id > $1 ORDER BY id LIMIT $2";
const BASES: &str = "SELECT connection, opportunity_id, body FROM bases
  WHERE (connection, opportunity_id) > ($1, $2) ORDER BY connection, opportunity_id LIMIT $3";
const CONFLICTS: &str = "SELECT number, state, connection, opportunity_id, field, body FROM conflicts
  WHERE number > $1 ORDER BY number LIMIT $2";

pub(super) const STATEMENTS: &[&str] = &[QUOTES, BASES, CONFLICTS];

/// Documents of a page: each may have megabytes.
const PAGE: i64 = 16;

pub(super) async fn walk(tx: &mut dyn Tx, notes: &mut Notes) -> Result<()> {
    quotes(tx, notes).await?;
    bases(tx, notes).await?;
    conflicts(tx, notes).await
}

async fn quotes(tx: &mut dyn Tx, notes: &mut Notes) -> Result<()> {
    let mut after = String::new();
    loop {
        let page = tx.query(QUOTES, params![&after, PAGE]).await?;
        let full = page.len() as i64 == PAGE;
        for mut row in page {
            let (id, root, number): (String, String, String) = (row.take()?, row.take()?, row.take()?);
            let (revision, status, version): (u32, String, u64) = (row.take()?, row.take()?, row.take()?);
            notes.look();
            match serde_json::from_str::<Quote>(&row.take::<String>()?) {
                Err(why) => notes.add(Kind::Quote, 1, || format!("quote {number} cannot be read: {why}")),
                Ok(quote) => {
                    let same = (quote.id.as_str(), quote.root_id.as_str(), quote.number.as_str())
                        == (id.as_str(), root.as_str(), number.as_str())
                        && (quote.revision, quote.status.as_str(), quote.version)
                            == (revision, status.as_str(), version);
                    if !same {
                        notes.add(Kind::Quote, 1, || {
                            format!("quote {number} revision {revision} is another than its row says")
                        });
                    }
                }
            }
            after = id;
        }
        if !full {
            return Ok(());
        }
    }
}

async fn bases(tx: &mut dyn Tx, notes: &mut Notes) -> Result<()> {
    let mut after = (String::new(), String::new());
    loop {
        let page = tx.query(BASES, params![&after.0, &after.1, PAGE]).await?;
        let full = page.len() as i64 == PAGE;
        for mut row in page {
            after = (row.take()?, row.take()?);
            notes.look();
            if let Err(why) = serde_json::from_str::<Base>(&row.take::<String>()?) {
                notes.add(Kind::Base, 1, || {
                    format!(
                        "what was agreed on about opportunity {} cannot be read: {why}",
                        after.1
                    )
                });
            }
        }
        if !full {
            return Ok(());
        }
    }
}

async fn conflicts(tx: &mut dyn Tx, notes: &mut Notes) -> Result<()> {
    let mut after = 0;
    loop {
        let page = tx.query(CONFLICTS, params![after, PAGE]).await?;
        let full = page.len() as i64 == PAGE;
        for mut row in page {
            after = row.take()?;
            let (state, connection): (String, String) = (row.take()?, row.take()?);
            let (opportunity, field): (String, String) = (row.take()?, row.take()?);
            notes.look();
            match serde_json::from_str::<Conflict>(&row.take::<String>()?) {
                Err(why) => notes.add(Kind::Conflict, 1, || {
                    format!("conflict {after} cannot be read: {why}")
                }),
                Ok(conflict) => {
                    let same = conflict.id.number() == after
                        && conflict.state.as_str() == state
                        && conflict.connection.as_str() == connection
                        && conflict.opportunity_id.as_str() == opportunity
                        && conflict.field.as_str() == field;
                    if !same {
                        notes.add(Kind::Conflict, 1, || {
                            format!("conflict {after} is another than its row says")
                        });
                    }
                }
            }
        }
        if !full {
            return Ok(());
        }
    }
}
