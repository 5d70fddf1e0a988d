//! Callers with keys, and people who are asked.

use std::sync::Arc;
use std::time::Duration;

use cpq_domain::conflict::{Choice, ConflictState, Take};
use cpq_domain::deletion::Gone;
use cpq_domain::id::{ClientId, IdempotencyKey, RunId};
use cpq_domain::keyed::Keyed;
use cpq_domain::run::{Run, Trigger};
use cpq_domain::value::Value;
use cpq_orchestrator::{Submission, Submitted};
use cpq_store::conflicts::{self, Filter};
use cpq_store::runs;
use tokio::time::sleep;

use crate::dice::Dice;
use crate::fleet::{Fleet, apart};
use crate::land::{Land, connection, lane, place_of};
use crate::people::Keys;

/// HTTP status (RFC 6585 §4).
const TOO_MANY_REQUESTS: u16 = 429;

/// Somebody who asks for syncs, mostly under keys, and asks again; sometimes hangs up before the answer.
pub async fn caller(fleet: Arc<Fleet>, land: Arc<Land>, mut dice: Dice) {
    let mut keys = Keys::default();
    while land.is_open() {
        sleep(Duration::from_millis(dice.between(1, land.knobs.pause_ms * 4))).await;
        let key = dice.percent(60).then(|| format!("key-{}", dice.below(12)));
        let at = match &key {
            // A key always comes with the same request.
            Some(key) => key.bytes().map(u64::from).sum::<u64>() % land.knobs.opportunities,
            None => dice.below(land.knobs.opportunities),
        };
        let submission = Submission {
            keyed: key.as_deref().map(keyed),
            ..Submission::of(lane(at), Trigger::Request)
        };
        if dice.percent(15) {
            let (fleet, mut own) = (fleet.clone(), dice.fork());
            let asked = tokio::spawn(async move { fleet.ask(&mut own, submission).await });
            asked.abort();
        } else if let Some(submitted) = fleet.ask(&mut dice, submission).await
            && let Some(key) = key
        {
            keys.answered(&land, &key, submitted).await;
        }
    }
    sleep(Duration::from_millis(1)).await;
    land.with(|state| state.keys = Some(keys));
}

/// A key as a caller sends it.
pub fn keyed(key: &str) -> Keyed {
    Keyed {
        client: ClientId::new("caller").expect("a client"),
        key: IdempotencyKey::new(key).expect("a key"),
        fingerprint: [7; 32],
    }
}

impl Keys {
    /// A key answers always the same, unless its request failed for a reason of ours.
    pub async fn answered(&mut self, land: &Land, key: &str, submitted: Submitted) {
        match submitted {
            Submitted::Accepted(run) | Submitted::Joined(run) => {
                if let Some(before) = self.runs.insert(key.to_owned(), run.id)
                    && before != run.id
                    && !failed_for_us(run_of(land, before).await)
                {
                    land.object(format!(
                        "{key} was used, and its request was accepted once more as {}",
                        run.correlation
                    ));
                }
            }
            Submitted::Running { run, .. } => {
                let known = self.runs.entry(key.to_owned()).or_insert(run.id);
                if *known != run.id {
                    *known = run.id;
                }
            }
            Submitted::Replayed { status, body } => {
                land.with(|state| state.trace.saw("key replayed"));
                if status >= 500 || status == TOO_MANY_REQUESTS {
                    land.object(format!("{key} is answered with a stored {status}"));
                }
                let before = self.answers.insert(key.to_owned(), (status, body.clone()));
                if before.is_some_and(|before| before != (status, body)) {
                    land.object(format!("{key} is answered with another body than before"));
                }
            }
        }
    }
}

async fn run_of(land: &Land, id: RunId) -> Option<Run> {
    land.store
        .read(move |tx| Box::pin(runs::by_id(tx, id)))
        .await
        .ok()?
}

fn failed_for_us(run: Option<Run>) -> bool {
    run.is_some_and(|run| {
        let status = run.answer().0;
        run.state.is_terminal() && (status >= 500 || status == TOO_MANY_REQUESTS)
    })
}

/// Somebody who decides conflicts, some time after looking at them.
pub async fn judge(fleet: Arc<Fleet>, land: Arc<Land>, mut dice: Dice) {
    let mut made = 0;
    while land.is_open() {
        sleep(Duration::from_millis(dice.between(200, 3_000))).await;
        let filter = Filter {
            state: Some(ConflictState::Open),
            limit: 20,
            ..Filter::default()
        };
        let read = land
            .store
            .read(move |tx| Box::pin(async move { conflicts::list(tx, &filter).await }));
        let open = read.await.unwrap_or_default();
        if open.is_empty() {
            continue;
        }
        let one = dice.pick(&open).clone();
        sleep(Duration::from_millis(dice.below(1_500))).await;
        made += 1;
        let take = *dice.pick(&[Take::Crm, Take::Cpq, Take::Value]);
        let choice = Choice {
            take,
            value: (take == Take::Value).then(|| format!("ruled{made}")),
            by: "erin".into(),
            reason: None,
        };
        let chosen = match take {
            Take::Crm => one.crm.value.clone(),
            Take::Cpq => one.cpq.value.clone(),
            Take::Value => Value::text(format!("ruled{made}")),
        };
        let cell = (
            place_of(one.opportunity_id.as_str()),
            String::new(),
            one.field.to_string(),
        );
        let Some(engine) = fleet.any(&mut dice) else {
            continue;
        };
        let id = one.id.clone();
        let now = land
            .store
            .read(move |tx| Box::pin(async move { conflicts::by_id(tx, &id).await }))
            .await;
        land.with(|state| state.witness.rulings.insert((cell.clone(), chosen.to_string())));
        let (id, version) = (one.id.clone(), one.version);
        let ruled = apart(async move { engine.rule(&id, Some(version), &choice, false).await }).await;
        let Some(Ok(ruled)) = ruled else { continue };
        land.with(|state| {
            state.trace.saw("ruled");
            state.witness.moved(cell.0);
        });
        land.tell(format_args!("erin decides {}: {chosen}", one.id));
        if now.is_ok_and(|now| now.version != version) {
            land.object(format!(
                "{} was decided in version {version}, which it no longer had",
                one.id
            ));
        }
        drop(ruled);
    }
}

/// Somebody answers what became of a deleted record, or not.
pub async fn about_deleted(fleet: &Fleet, land: &Land, at: u64, dice: &mut Dice) {
    sleep(Duration::from_millis(dice.between(200, 3_000))).await;
    let gone = *dice.pick(&[Gone::Opportunity, Gone::Quote]);
    let answer = *dice.pick(&gone.answers());
    let is_gone = land.with(|state| match gone {
        Gone::Opportunity => state.crm.bin.contains_key(&crate::crm::number(at)),
        _ => state.deleted.contains(&at) && state.quote(at).is_none(),
    });
    let Some(engine) = fleet.any(dice).filter(|_| is_gone) else {
        return;
    };
    let submission = Submission::of(lane(at), Trigger::Decision);
    let answered = apart(async move { engine.answer_deleted(submission, gone, answer).await }).await;
    if let Some(Ok(_)) = answered {
        land.with(|state| state.trace.saw("deletion answered"));
        land.tell(format_args!("{gone:?} of OPP-{at}: {answer:?}"));
    }
}

/// The CRM refuses our grant for a while, and somebody logs in again.
pub async fn revoker(fleet: Arc<Fleet>, land: Arc<Land>, mut dice: Dice) {
    for _ in 0..land.knobs.revoked {
        sleep(Duration::from_millis(dice.below(land.knobs.chaos_ms))).await;
        land.with(|state| state.revoked = true);
        land.tell("the grant is dead");
        sleep(Duration::from_millis(dice.between(200, 3_000))).await;
        land.with(|state| state.revoked = false);
        land.tell("somebody logs in again");
        resume(&fleet, &mut dice).await;
    }
}

/// Puts what waits for a login back in the queue.
async fn resume(fleet: &Fleet, dice: &mut Dice) {
    for _ in 0..200 {
        if let Some(engine) = fleet.any(dice)
            && let Some(Ok(_)) = apart(async move { engine.resume(&connection()).await }).await
        {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
}
