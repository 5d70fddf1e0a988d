//! What is kept about persons: where a text occurs, and how a quote forgets what the CRM told of them.

use cpq_domain::Result;
use cpq_domain::id::{ConnectionName, OpportunityKey, QuoteId};
use jiff::Timestamp;

use crate::quotes;
use crate::tx::{Tx, params};

/// Rows of one step of a search: some megabytes of journal.
pub const WINDOW: i64 = 2_000;

const IN_JOURNAL: &str =
    "SELECT DISTINCT r.connection, r.opportunity FROM journal j JOIN runs r ON r.id = j.run_id
  WHERE j.position > $1 AND j.position <= $2 AND lower(j.data) LIKE $3 ESCAPE '!'";
const IN_DECISIONS: &str = "SELECT DISTINCT connection, opportunity_id FROM decisions
  WHERE position > $1 AND position <= $2 AND lower(crm || cpq || COALESCE(lost, '')) LIKE $3 ESCAPE '!'";
const IN_QUOTES: &str = "SELECT DISTINCT system, opportunity_id FROM quotes
  WHERE TRUE AND lower(body) LIKE $1 ESCAPE '!' LIMIT $2";
const LAST_OF_JOURNAL: &str = "SELECT COALESCE(MAX(position), 0) FROM journal";
const LAST_DECISION: &str = "SELECT COALESCE(MAX(position), 0) FROM decisions";

pub(crate) const STATEMENTS: &[&str] = &[
    IN_JOURNAL,
    IN_DECISIONS,
    IN_QUOTES,
    LAST_OF_JOURNAL,
    LAST_DECISION,
];

/// An opportunity about which something is kept, as its syncs call it.
pub type Kept = (ConnectionName, OpportunityKey);

/// How far journal and decisions go: the ends of a search.
pub async fn ends(tx: &mut dyn Tx) -> Result<(i64, i64)> {
    let last = async |tx: &mut dyn Tx, sql| match tx.first(sql, &[]).await? {
        Some(mut row) => row.take(),
        None => Ok(0),
    };
    Ok((last(tx, LAST_OF_JOURNAL).await?, last(tx, LAST_DECISION).await?))
}

/// Opportunities in whose journals and decisions the text occurs, behind these positions and at most [`WINDOW`] further.
/// Letters of ASCII count in either case.
pub async fn find(tx: &mut dyn Tx, text: &str, after: i64) -> Result<Vec<Kept>> {
    let pattern = pattern(text);
    let mut found = Vec::new();
    for sql in [IN_JOURNAL, IN_DECISIONS] {
        for mut row in tx.query(sql, params![after, after + WINDOW, &pattern]).await? {
            found.push((row.take()?, row.take()?));
        }
    }
    Ok(found)
}

/// Opportunities in whose quotes the text occurs. Walks all quotes.
pub async fn find_in_quotes(tx: &mut dyn Tx, text: &str) -> Result<Vec<Kept>> {
    let rows = tx.query(IN_QUOTES, params![pattern(text), WINDOW]).await?;
    rows.into_iter()
        .map(|mut row| Ok((row.take()?, row.take()?)))
        .collect()
}

/// Takes what the CRM told, its title there too, and the words of people, out of every revision of a quote. Lines, prices
/// and state stay: they are the offer. Returns how many revisions held any.
pub async fn forget(tx: &mut dyn Tx, root_id: &QuoteId, now: Timestamp) -> Result<u64> {
    let mut forgotten = 0;
    for mut quote in quotes::revisions(tx, root_id).await? {
        let named = quote.number.to_string();
        if quote.context.is_empty() && quote.reason.is_none() && quote.name == named {
            continue;
        }
        quote.context.clear();
        quote.name = named;
        quote.reason = None;
        let before = quote.version;
        quote.version += 1;
        quote.updated_at = now;
        forgotten += u64::from(quotes::replace(tx, &quote, before).await?);
    }
    Ok(forgotten)
}

/// The text as it stands within JSON, to be searched for wherever it is.
fn pattern(text: &str) -> String {
    let json = serde_json::Value::from(text.to_ascii_lowercase()).to_string();
    let inner = &json[1..json.len() - 1];
    let mut pattern = String::from("%");
    for letter in inner.chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern + "%"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_searched_for_as_it_is() {
        assert_eq!(pattern("Anna_B@x"), "%anna!_b@x%");
        assert_eq!(pattern("100% \"A\""), "%100!% \\\"a\\\"%");
    }
}
