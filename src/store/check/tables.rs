//! Tables against each other: one statement for each thing that must not be, which answers with examples and a count.

use cpq_domain::Result;

use super::{EXAMPLES, Kind, Notes};
use crate::tx::{Tx, params};

/// A question: what it finds, whether it makes sense only where quotes live in this store, and its statement.
struct Question {
    kind: Kind,
    of_quotes: bool,
    sql: &'static str,
}

const LINKS: &str = "SELECT 'the link of opportunity ' || l.opportunity_id || ' names quote ' || l.quote_number || ', which is not there',
  COUNT(*) OVER () FROM links l WHERE TRUE AND NOT EXISTS
  (SELECT 1 FROM quotes q WHERE q.root_id = l.quote_root_id AND q.number = l.quote_number) LIMIT $1";
const BASES: &str =
    "SELECT 'what was agreed on about opportunity ' || b.opportunity_id || ' has no link', COUNT(*) OVER ()
  FROM bases b WHERE TRUE AND NOT EXISTS
  (SELECT 1 FROM links l WHERE l.connection = b.connection AND l.opportunity_id = b.opportunity_id) LIMIT $1";
const DECISIONS: &str = "SELECT 'decision ' || CAST(d.position AS TEXT) || ' about ' || d.field || ' names sync ' || d.correlation
  || ', which is not its run', COUNT(*) OVER () FROM decisions d LEFT JOIN runs r ON r.id = d.run_id
  WHERE TRUE AND (r.id IS NULL OR r.correlation <> d.correlation OR r.connection <> d.connection) LIMIT $1";
const DEAD_LETTERS: &str = "SELECT 'dead letter ' || CAST(d.number AS TEXT) || ' waits for a person, and its sync is ' || r.state,
  COUNT(*) OVER () FROM dead_letters d JOIN runs r ON r.id = d.run_id WHERE TRUE AND d.state = 'open' AND r.state <> 'dead'
  LIMIT $1";
const CONFLICTS: &str =
    "SELECT 'the open conflict ' || CAST(c.number AS TEXT) || ' is about opportunity ' || c.opportunity_id
  || ', which has no link', COUNT(*) OVER () FROM conflicts c WHERE TRUE AND c.state = 'open' AND NOT EXISTS
  (SELECT 1 FROM links l WHERE l.connection = c.connection AND l.opportunity_id = c.opportunity_id) LIMIT $1";
const CONFLICT_NUMBERS: &str = "SELECT 'conflict ' || CAST(c.number AS TEXT) || ' has a number that was never given', COUNT(*) OVER ()
  FROM conflicts c WHERE TRUE AND c.number > (SELECT COALESCE(MAX(value), 0) FROM counters WHERE name = 'conflict') LIMIT $1";
const QUOTE_EVENTS: &str = "SELECT 'the quote ' || e.root_id || ' has ' || CAST(COUNT(*) AS TEXT) || ' events, and the last is number '
  || CAST(MAX(e.sequence) AS TEXT), COUNT(*) OVER () FROM quote_events e WHERE TRUE
  GROUP BY e.root_id HAVING COUNT(*) <> MAX(e.sequence) OR MIN(e.sequence) <> 1 LIMIT $1";
const QUOTE_OF_EVENT: &str = "SELECT 'event ' || CAST(e.position AS TEXT) || ' is of the quote ' || e.root_id || ', which is not there',
  COUNT(*) OVER () FROM quote_events e WHERE TRUE AND NOT EXISTS
  (SELECT 1 FROM quotes q WHERE q.root_id = e.root_id) LIMIT $1";

const QUOTES_UNTOLD: &str =
    "SELECT 'the quote ' || q.number || ' has no event, not even of its making', COUNT(*) OVER ()
  FROM quotes q WHERE TRUE AND NOT EXISTS (SELECT 1 FROM quote_events e WHERE e.root_id = q.root_id) LIMIT $1";

pub(super) const STATEMENTS: &[&str] = &[
    QUOTES_UNTOLD,
    LINKS,
    BASES,
    DECISIONS,
    DEAD_LETTERS,
    CONFLICTS,
    CONFLICT_NUMBERS,
    QUOTE_EVENTS,
    QUOTE_OF_EVENT,
];

const QUESTIONS: &[Question] = &[
    Question {
        kind: Kind::Link,
        of_quotes: true,
        sql: LINKS,
    },
    Question {
        kind: Kind::Base,
        of_quotes: false,
        sql: BASES,
    },
    Question {
        kind: Kind::Decision,
        of_quotes: false,
        sql: DECISIONS,
    },
    Question {
        kind: Kind::DeadLetter,
        of_quotes: false,
        sql: DEAD_LETTERS,
    },
    Question {
        kind: Kind::Conflict,
        of_quotes: false,
        sql: CONFLICTS,
    },
    Question {
        kind: Kind::Conflict,
        of_quotes: false,
        sql: CONFLICT_NUMBERS,
    },
    Question {
        kind: Kind::QuoteEvent,
        of_quotes: true,
        sql: QUOTE_EVENTS,
    },
    Question {
        kind: Kind::QuoteEvent,
        of_quotes: true,
        sql: QUOTE_OF_EVENT,
    },
    Question {
        kind: Kind::QuoteEvent,
        of_quotes: true,
        sql: QUOTES_UNTOLD,
    },
];

pub(super) async fn ask(tx: &mut dyn Tx, quotes_live_here: bool, notes: &mut Notes) -> Result<()> {
    for question in QUESTIONS {
        if question.of_quotes && !quotes_live_here {
            continue;
        }
        let mut count = None;
        for mut row in tx.query(question.sql, params![EXAMPLES as i64]).await? {
            let (example, all): (String, u64) = (row.take()?, row.take()?);
            // The count of all comes with every row; it counts once.
            let first = count.replace(all).is_none();
            notes.add(question.kind, if first { all } else { 0 }, || example);
        }
    }
    Ok(())
}
