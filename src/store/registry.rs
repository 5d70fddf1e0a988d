//! Every statement of the house, so that each can be prepared on each engine before anybody needs it.

use crate::{
    audit, bases, browser_sessions, call_budgets, certificates, check, circuits, conflicts, counters,
    dead_letters, decisions, deletions, grants, idempotency, journal, links, ownership, personal, positions,
    purge, quote_events, quotes, reconcile_records, reconciliations, replays, runs, schemas, settings,
    tokens, watched, webhooks,
};

/// All statements, by module.
pub fn statements() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        ("audit", audit::STATEMENTS.to_vec()),
        ("bases", bases::STATEMENTS.to_vec()),
        ("browser_sessions", browser_sessions::STATEMENTS.to_vec()),
        ("call_budgets", call_budgets::STATEMENTS.to_vec()),
        ("circuits", circuits::STATEMENTS.to_vec()),
        ("conflicts", conflicts::STATEMENTS.to_vec()),
        ("certificates", certificates::STATEMENTS.to_vec()),
        ("check", check::statements()),
        ("counters", counters::STATEMENTS.to_vec()),
        ("dead_letters", dead_letters::STATEMENTS.to_vec()),
        ("decisions", decisions::statements()),
        ("deletions", deletions::STATEMENTS.to_vec()),
        ("grants", grants::STATEMENTS.to_vec()),
        ("idempotency", idempotency::STATEMENTS.to_vec()),
        ("journal", journal::statements()),
        ("links", links::STATEMENTS.to_vec()),
        ("ownership", ownership::STATEMENTS.to_vec()),
        ("personal", personal::STATEMENTS.to_vec()),
        ("positions", positions::STATEMENTS.to_vec()),
        ("purge", purge::STATEMENTS.concat()),
        ("quote_events", quote_events::STATEMENTS.to_vec()),
        ("quotes", quotes::STATEMENTS.to_vec()),
        ("reconcile_records", reconcile_records::STATEMENTS.to_vec()),
        ("reconciliations", reconciliations::STATEMENTS.to_vec()),
        ("replays", replays::STATEMENTS.to_vec()),
        ("runs", runs::STATEMENTS.concat()),
        ("schemas", schemas::STATEMENTS.to_vec()),
        ("settings", settings::STATEMENTS.to_vec()),
        ("tokens", tokens::STATEMENTS.to_vec()),
        ("watched", watched::STATEMENTS.to_vec()),
        ("webhooks", webhooks::STATEMENTS.to_vec()),
    ]
}

#[cfg(test)]
mod tests;
