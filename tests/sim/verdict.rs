//! What must be true: of the store at any moment, and of everything once it has come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cpq_domain::Code;
use cpq_domain::call_budget::Purpose;
use cpq_domain::change::Hint;
use cpq_domain::conflict::{Conflict, ConflictState};
use cpq_domain::error::Class;
use cpq_domain::event::EventKind;
use cpq_domain::id::{Lane, RunId};
use cpq_domain::quote::{Quote, Status, is_half_written};
use cpq_domain::run::{Run, RunState, Trigger};
use cpq_domain::value::Value;
use cpq_domain::view::View;
use cpq_store::journal::{self, Entry};
use cpq_store::{conflicts, runs};

use crate::cells::cell;
use crate::crm::number;
use crate::land::{Land, place_of};
use crate::witness::Side;

/// The whole journal, in order. Rows never change, so only those are read that are new.
pub async fn journal_of(land: &Land) -> Vec<Arc<Entry>> {
    loop {
        let after = land.rows(|rows| rows.last().map_or(0, |row| row.position));
        let read = land
            .store
            .read(move |tx| Box::pin(journal::after(tx, after, 200)));
        let page = read.await.unwrap_or_default();
        if page.is_empty() {
            return land.rows(|rows| rows.clone());
        }
        land.rows(|rows| rows.extend(page.into_iter().map(Arc::new)));
    }
}

/// All runs that the journal knows.
pub async fn runs_of(land: &Land, entries: &[Arc<Entry>]) -> Vec<Run> {
    let ids: BTreeSet<RunId> = entries.iter().map(|entry| entry.run_id).collect();
    let mut found = Vec::new();
    for id in ids {
        let read = land.store.read(move |tx| Box::pin(runs::by_id(tx, id)));
        found.extend(read.await.ok().flatten());
    }
    found
}

/// What a process leaves behind when it dies.
pub async fn durable(land: &Land) {
    let entries = journal_of(land).await;
    cursor(land, &entries).await;
}

/// The position of the feed lies behind nothing of which no run was told.
async fn cursor(land: &Land, entries: &[Arc<Entry>]) {
    let Some(position) = land.standing().await else {
        return;
    };
    let behind = crate::feed::number(&position);
    let mut told: BTreeSet<(u64, usize)> = BTreeSet::new();
    let mut swept: BTreeMap<u64, usize> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.event.kind == EventKind::Hint) {
        let Ok(hint) = entry.event.data.read::<Hint>() else {
            continue;
        };
        let (at, event) = (
            place_of(entry.lane.opportunity.as_str()),
            hint.event.unwrap_or_default(),
        );
        match (event.strip_prefix('e'), event.strip_prefix('s')) {
            (Some(number), _) => drop(told.insert((at, number.parse().unwrap_or(0)))),
            (_, Some(head)) => {
                let best = swept.entry(at).or_default();
                *best = (*best).max(head.parse().unwrap_or(0));
            }
            _ => {}
        }
    }
    let missing = land.with(|state| {
        let events = state
            .tape
            .events
            .iter()
            .enumerate()
            .map(|(nth, event)| (nth + 1, event));
        let due = events.filter(|(nth, _)| *nth > state.tape.unheard && *nth <= behind);
        let mut pairs = due.flat_map(|(nth, event)| event.about.iter().map(move |at| (*at, nth)));
        let known = |(at, nth): &(u64, usize)| {
            told.contains(&(*at, *nth)) || swept.get(at).is_some_and(|head| head >= nth)
        };
        pairs.find(|pair| !known(pair))
    });
    if let Some((at, nth)) = missing {
        land.object(format!(
            "the feed is read up to {behind}, and no run was told of event {nth} of OPP-{at}"
        ));
    }
}

/// Runs by their number: ids of one millisecond have no order.
pub async fn listed(land: &Land, filter: runs::Filter) -> Vec<Run> {
    let read = land
        .store
        .read(move |tx| Box::pin(async move { runs::list(tx, &filter).await }));
    let mut found = read.await.unwrap_or_default();
    found.sort_by_key(|run| (run.correlation.as_str().len(), run.correlation.clone()));
    found
}

/// Hints of one opportunity share the run that waits. Live work has a run of its own beside one that can wait.
pub async fn one_waits(land: &Land, lane: &Lane) {
    let filter = runs::Filter {
        opportunity: Some(lane.opportunity.clone()),
        state: Some(RunState::Queued),
        limit: 200,
        ..runs::Filter::default()
    };
    let waiting = listed(land, filter).await;
    let fresh: Vec<&Run> = waiting.iter().filter(|run| run.attempt == 0).collect();
    for pair in fresh.windows(2) {
        let [first, second] = pair else { continue };
        // Only a sync that takes something back looks for what that is.
        if second.trigger == Trigger::Undo && first.trigger != Trigger::Undo {
            continue;
        }
        if Purpose::of(first.trigger) <= Purpose::of(second.trigger) {
            land.object(format!(
                "{} and {} of {lane} wait for the same look",
                first.correlation, second.correlation
            ));
        }
    }
}

/// Whether everything has come to rest.
pub async fn at_rest(land: &Land) -> bool {
    let read = land.store.read(|tx| Box::pin(runs::counts_by_state(tx)));
    let counts = read.await.unwrap_or_default();
    let busy = ["queued", "running", "parked"]
        .iter()
        .any(|state| counts.get(*state).is_some_and(|count| *count > 0));
    let behind = land
        .standing()
        .await
        .map_or(0, |position| crate::feed::number(&position));
    !busy && land.with(|state| state.late == 0 && behind >= state.tape.head())
}

/// The opportunities whose lane has a dead letter: somebody must look at it, and may have to find out from its journal.
pub async fn buried(land: &Land) -> BTreeSet<u64> {
    let entries = journal_of(land).await;
    let dead = entries.iter().filter(|entry| entry.event.kind == EventKind::Dead);
    dead.map(|entry| place_of(entry.lane.opportunity.as_str()))
        .collect()
}

/// The opportunities of which any run was told.
pub async fn heard_of(land: &Land) -> BTreeSet<u64> {
    let entries = journal_of(land).await;
    let all = entries.iter();
    all.map(|entry| place_of(entry.lane.opportunity.as_str()))
        .collect()
}

async fn conflicts_of(land: &Land) -> Vec<Conflict> {
    let filter = conflicts::Filter {
        limit: 200,
        ..conflicts::Filter::default()
    };
    let read = land
        .store
        .read(move |tx| Box::pin(async move { conflicts::list(tx, &filter).await }));
    read.await.unwrap_or_default()
}

/// Tells every conflict, and every row of every journal.
pub async fn tell_journals(land: &Land) {
    for one in conflicts_of(land).await {
        let (state, field, by) = (one.state.as_str(), &one.field, &one.correlation);
        land.tell(format_args!(
            "{} of {} about {field} is {state} in version {}, by {by}: {} in the CRM, {} in the CPQ",
            one.id, one.opportunity_id, one.version, one.crm.value, one.cpq.value
        ));
    }
    for entry in journal_of(land).await {
        let event = &entry.event;
        let (kind, step, attempt) = (event.kind.as_str(), &event.step, event.attempt);
        land.tell(format_args!(
            "{} {} {kind} {step} by attempt {attempt}: {}",
            entry.correlation,
            event.sequence,
            event.data.text()
        ));
    }
}

/// Everything that must be true at the end.
pub async fn all(land: &Land) {
    let entries = journal_of(land).await;
    let runs = runs_of(land, &entries).await;
    cursor(land, &entries).await;
    for run in &runs {
        let of: Vec<&Entry> = entries
            .iter()
            .map(Arc::as_ref)
            .filter(|entry| entry.run_id == run.id)
            .collect();
        ended(land, run);
        crate::history::check(land, run, &of);
    }
    crate::regret::check(land, &runs);
    let names: BTreeSet<_> = runs.iter().map(|run| run.correlation.to_string()).collect();
    if names.len() != runs.len() {
        land.object("two runs have one correlation id");
    }
    let conflicts = conflicts_of(land).await;
    let buried = buried(land).await;
    for at in 0..land.knobs.opportunities {
        if !land.with(|state| state.deleted.contains(&at)) {
            opportunity(land, at, &conflicts, buried.contains(&at));
        }
    }
}

fn ended(land: &Land, run: &Run) {
    let (by, state) = (&run.correlation, run.state);
    if !state.is_terminal() && state != RunState::Waiting {
        land.object(format!("{by} was accepted and is {state}; it has not ended"));
    }
    if u64::from(run.tries) > land.knobs.tries + 1 {
        land.object(format!(
            "{by} was tried {} times, of {}",
            run.tries, land.knobs.tries
        ));
    }
    let calm = land.knobs.death_ms == 0 && land.knobs.jumps == 0;
    let code = run.error.as_ref().map(|error| error.code);
    let for_login = code.is_some_and(|code| code.class() == Class::AuthRevoked);
    if state == RunState::Waiting && for_login {
        land.object(format!("{by} waits for a login, and somebody has logged in"));
    }
    if calm && code == Some(Code::DeadLettered) {
        land.object(format!(
            "{by} was put aside for processes that died, and none did"
        ));
    }
    if matches!(code, Some(Code::Internal | Code::IdempotencyKeyReused)) && state == RunState::Dead {
        let told = run
            .error
            .as_ref()
            .map(|error| error.message.clone())
            .unwrap_or_default();
        land.object(format!("{by} ended by a defect of ours: {told}"));
    }
    let at = place_of(run.lane.opportunity.as_str());
    let disturbed = land.with(|state| state.witness.disturbances.get(&at).copied().unwrap_or(0));
    if calm && u64::from(run.restarts) > 2 * disturbed + 5 {
        land.object(format!(
            "{by} started over {} times; only {disturbed} things disturbed it",
            run.restarts
        ));
    }
}

fn opportunity(land: &Land, at: u64, conflicts: &[Conflict], buried: bool) {
    let held = land.with(|state| {
        let crm = state.crm.read(&number(at), false).ok().map(|held| held.view);
        crm.zip(state.quote(at))
    });
    let Some((crm, quote)) = held else { return };
    let own: Vec<&Conflict> = conflicts
        .iter()
        .filter(|one| place_of(one.opportunity_id.as_str()) == at)
        .collect();
    let mut told = differences(&crm, &quote);
    told.extend(contested(land, at, &crm, &quote, &own, buried));
    told.extend(lines(land, at, &crm, &quote));
    if let Some(name) = land.with(|state| {
        state
            .witness
            .said
            .get(&(Side::Crm, (at, String::new(), "opportunity.name".into())))
            .cloned()
    }) && cell(&crm, "", "opportunity.name") != name
    {
        told.push(format!("the rep's last name was {name}"));
    }
    if !buried {
        told.extend(vanished(land, at, &own));
    }
    for one in told {
        land.object(format!("OPP-{at}: {one}"));
    }
}

/// Fields that must be the same on both sides.
fn differences(crm: &View, quote: &Quote) -> Vec<String> {
    let cpq = quote.view();
    let mut fields = vec![
        "opportunity.name",
        "opportunity.stage",
        "quote.number",
        "quote.revision",
        "quote.status",
        "quote.net_total",
    ];
    if quote.status == Status::Draft {
        fields.push("account.name");
    }
    let differs = |field: &&str| cell(crm, "", field) != cell(&cpq, "", field);
    let mut told: Vec<String> = fields
        .into_iter()
        .filter(differs)
        .map(|field| {
            format!(
                "{field} is {} in the CRM and {} in the CPQ",
                cell(crm, "", field),
                cell(&cpq, "", field)
            )
        })
        .collect();
    let (has, gives) = (
        cell(crm, "", "opportunity.lead_source"),
        cell(&cpq, "", "opportunity.lead_source"),
    );
    if has.is_null() && !gives.is_null() {
        told.push("the CRM's blank lead source was not filled".into());
    }
    if cell(&cpq, "", "opportunity.type").to_string() < cell(crm, "", "opportunity.type").to_string() {
        told.push("the type did not move forward".into());
    }
    if is_half_written(crm) {
        told.push("the lines of the CRM are half written".into());
    }
    told
}

/// Fields that either side may change: both have the same, or a person is shown both.
fn contested(
    land: &Land,
    at: u64,
    crm: &View,
    quote: &Quote,
    own: &[&Conflict],
    buried: bool,
) -> Vec<String> {
    let (cpq, mut told) = (quote.view(), Vec::new());
    for field in ["opportunity.description", "opportunity.next_step"] {
        let (ours, theirs) = (cell(crm, "", field), cell(&cpq, "", field));
        let mut open = own
            .iter()
            .filter(|one| one.state == ConflictState::Open && one.field.as_str() == field);
        let shown = open.next();
        if ours != theirs && !shown.is_some_and(|one| one.crm.value == ours && one.cpq.value == theirs) {
            told.push(format!(
                "{field} is {ours} in the CRM and {theirs} in the CPQ, and nobody is shown both"
            ));
        }
        let name = (at, String::new(), field.to_owned());
        // What a person decided is a person's word as well, be it that the decision holds no more before both sides have it.
        let by_people = land.with(|state| {
            [(Side::Crm, &ours), (Side::Cpq, &theirs)]
                .into_iter()
                .all(|(side, held)| {
                    let witness = &state.witness;
                    witness.stands(side, &name)
                        || witness.ruled(&name, held)
                        || witness.wanted_back(side, &name, held)
                })
        });
        if shown.is_some() && !by_people && !buried && field == "opportunity.description" {
            told.push(format!(
                "{field} is shown as a conflict, and only one side edited it"
            ));
        }
    }
    told
}

fn lines(land: &Land, at: u64, crm: &View, quote: &Quote) -> Vec<String> {
    let cpq = quote.view();
    let ours = matches!(
        quote.status,
        Status::Approved | Status::Sent | Status::Accepted | Status::Ordered
    );
    if !ours && quote.status != Status::Draft {
        return Vec::new();
    }
    let mut told = Vec::new();
    let keys = |view: &View| {
        view.lines
            .keys()
            .map(ToString::to_string)
            .collect::<BTreeSet<_>>()
    };
    let (in_crm, in_cpq) = (keys(crm), keys(&cpq));
    if (ours && in_crm != in_cpq) || !in_crm.is_subset(&in_cpq) {
        told.push(format!(
            "the {} quote has the lines {in_cpq:?}, the CRM {in_crm:?}",
            quote.status
        ));
    }
    for key in in_crm.intersection(&in_cpq) {
        let name = (at, key.clone(), "line.quantity".to_owned());
        let own = !ours && land.with(|state| state.witness.stands(Side::Cpq, &name));
        let (has, sold) = (cell(crm, key, "line.quantity"), cell(&cpq, key, "line.quantity"));
        if has != sold && !own {
            told.push(format!(
                "{key} has the quantity {has} in the CRM and {sold} in the CPQ"
            ));
        }
        if ours && cell(crm, key, "line.net_total") != cell(&cpq, key, "line.net_total") {
            told.push(format!("{key} has another net total in the CRM than in the CPQ"));
        }
    }
    told
}

/// Edits that were overwritten by somebody who did not know them, and that nobody is shown.
fn vanished(land: &Land, at: u64, own: &[&Conflict]) -> Vec<String> {
    let lost = land.with(|state| state.witness.lost.clone());
    let of = lost.iter().filter(|((opportunity, ..), _)| *opportunity == at);
    let shown = |field: &str, line: &str, value: &str| {
        let said = |held: &Value| held.to_string() == value;
        own.iter().any(|one| {
            let on = one.line.as_ref().map(ToString::to_string).unwrap_or_default();
            one.field.as_str() == field && on == line && (said(&one.crm.value) || said(&one.cpq.value))
        })
    };
    of.filter(|((_, line, field), value)| !shown(field, line, value))
        .map(|((_, line, field), value)| {
            format!("the edit {value} of {field} {line} was overwritten and is shown to nobody")
        })
        .collect()
}
