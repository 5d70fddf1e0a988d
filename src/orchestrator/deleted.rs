//! What a sync does about a record that is gone: never make it again by itself, never mistake hidden for deleted.

use cpq_domain::Result;
use cpq_domain::adapter::{CrmSnapshot, QuoteTarget};
use cpq_domain::deletion::{self, Answer, Fate, Gone};
use cpq_domain::error::{Code, Error};
use cpq_domain::id::{IdempotencyKey, Lane, OpportunityKey};
use cpq_domain::quote::{Quote, Status, Transition};
use cpq_domain::resolve::Base;
use cpq_domain::run::{Effect, Outcome};
use cpq_store::links::Link;
use serde::{Deserialize, Serialize};

use crate::halt::Halt;
use crate::steps::Steps;
use crate::sync::Scene;

/// What was decided about a record that is gone, for the journal.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Decided {
    record: Gone,
    answer: Answer,
    /// Whether it was decided before, by a person or an earlier sync; else it is what is configured.
    remembered: bool,
}

/// The CRM does not find the opportunity. Without a quote of its own, or where the CRM does not say that it was deleted,
/// that stays the error that it is.
pub(crate) async fn opportunity(steps: &Steps, scene: &Scene, error: Error) -> Result<Outcome, Halt> {
    let call = steps.call();
    let Some(link) = scene.ledger.link(steps.lane()).await? else {
        return Err(Halt::Dead(error));
    };
    match steps
        .read("fate.crm", scene.crm.fate(call, &link.opportunity_id))
        .await?
    {
        Fate::Deleted => {}
        Fate::Present => return Err(renumbered(steps, scene, error, &link).await?),
        Fate::Unknown => return Err(Halt::Dead(error)),
    }
    if let Some(number) = link.opportunity_number.clone() {
        steps.go_by(number, &link.opportunity_id).await?;
    }
    let lane = steps.lane();
    let find = scene.cpq.find(call, lane.connection.as_str(), &lane.opportunity);
    let quote = steps.read("read.cpq", find).await?;
    let answer = decide(steps, scene, Gone::Opportunity).await?;
    if answer != Answer::Ask {
        steps.learn_gone(link.clone(), Gone::Opportunity, answer);
    }
    match (answer, quote) {
        (Answer::Ask, quote) => Err(Halt::Wait(which(steps, &link, quote.as_ref()))),
        (Answer::Archive, Some(quote)) => archive(steps, scene, &link, quote).await,
        (_, quote) => {
            let told = format!("{}; the two are no longer kept in agreement", in_bin(steps));
            Ok(outcome(&link, quote.as_ref(), 0, told))
        }
    }
}

/// The CPQ does not find the quote, and there was one. `Some`: the sync is over; `None`: make another.
pub(crate) async fn quote(steps: &Steps, scene: &Scene) -> Result<Option<Outcome>, Halt> {
    let lane = steps.lane();
    let Some(link) = scene.ledger.link(lane).await? else {
        return Ok(None);
    };
    // Asked once more by its own id: a search may lag behind, and a second quote cannot be taken back.
    match scene.cpq.get(steps.call(), &link.quote_root_id).await {
        Err(error) if error.code == Code::QuoteNotFound => {}
        Err(error) => return Err(error.into()),
        Ok(_) => {
            let message = format!(
                "the CPQ finds quote {} by its id and not by its opportunity",
                link.quote_number
            );
            return Err(Halt::Retry(Error::new(Code::CpqUnavailable, message)));
        }
    }
    match decide(steps, scene, Gone::Quote).await? {
        Answer::Recreate => {
            steps.learn_relinked();
            Ok(None)
        }
        Answer::Unlink | Answer::Archive => {
            steps.learn_gone(link.clone(), Gone::Quote, Answer::Unlink);
            let told = format!(
                "quote {} is gone from the CPQ; nothing is synced until a person decides: {}",
                link.quote_number,
                command(steps, Gone::Quote, Answer::Recreate)
            );
            Ok(Some(outcome(&link, None, 0, told)))
        }
        Answer::Ask => {
            let message = format!(
                "quote {} of opportunity {} is gone from the CPQ",
                link.quote_number, lane.opportunity
            );
            Err(Halt::Wait(question(
                steps,
                Gone::Quote,
                message,
                "makes a new one",
                "syncs it no more",
            )))
        }
    }
}

/// The quote's own record was deleted in the CRM. `Some`: it is left alone, and taken out of `crm`; why, in words.
pub(crate) async fn quote_record(
    steps: &Steps,
    scene: &Scene,
    crm: &mut CrmSnapshot,
    base: &Base,
) -> Result<Option<String>, Halt> {
    if !deletion::quote_record_is_gone(base, &crm.view) {
        return Ok(None);
    }
    match decide(steps, scene, Gone::QuoteRecord).await? {
        Answer::Recreate => Ok(None),
        Answer::Unlink | Answer::Archive => {
            deletion::without_quote_record(&mut crm.view);
            steps.learn_spared();
            Ok(Some(format!(
                "the quote's own record was deleted in the CRM and is not made again by itself; to have it back: {}",
                command(steps, Gone::QuoteRecord, Answer::Recreate)
            )))
        }
        Answer::Ask => {
            let message = format!(
                "the record of opportunity {}'s quote was deleted in the CRM",
                steps.lane().opportunity
            );
            let error = question(
                steps,
                Gone::QuoteRecord,
                message,
                "makes it again",
                "syncs without it",
            );
            Err(Halt::Wait(error))
        }
    }
}

/// What a dry run must know: what a sync would not make again.
pub(crate) async fn foresee(
    scene: &Scene,
    lane: &Lane,
    crm: &mut CrmSnapshot,
    quote: Option<&Quote>,
    base: &Base,
) -> Result<()> {
    let quote_gone = quote.is_none() && deletion::quote_was(base);
    let record_gone = deletion::quote_record_is_gone(base, &crm.view);
    if !quote_gone && !record_gone {
        return Ok(());
    }
    let given = scene.ledger.answers(lane).await?;
    let recreated = |gone| {
        let given = given.iter().find(|(about, _)| *about == gone);
        given.map_or(scene.deletes.of(gone), |(_, answer)| *answer) == Answer::Recreate
    };
    if quote_gone && !recreated(Gone::Quote) {
        let message = format!(
            "the quote of opportunity {} is gone from the CPQ, and a sync would not make another",
            lane.opportunity
        );
        return Err(Error::new(Code::ReviewNeeded, message).next("run `cpq sync run` to be asked"));
    }
    if record_gone && !recreated(Gone::QuoteRecord) {
        deletion::without_quote_record(&mut crm.view);
    }
    Ok(())
}

/// What both sides agree on, with what was agreed about a record that is left alone.
pub(crate) fn kept(mut agreed: Base, before: &Base, spared: &Option<String>) -> Base {
    if spared.is_some() {
        deletion::keep_quote_record(&mut agreed, before);
    }
    agreed
}

/// The answer that was given, else the configured one.
async fn decide(steps: &Steps, scene: &Scene, record: Gone) -> Result<Answer, Halt> {
    let decided = steps.read("decide.deleted", async {
        let given = scene.ledger.answers(steps.lane()).await?;
        let given = given
            .iter()
            .find(|(gone, _)| *gone == record)
            .map(|(_, answer)| *answer);
        Ok(Decided {
            record,
            answer: given.unwrap_or(scene.deletes.of(record)),
            remembered: given.is_some(),
        })
    });
    Ok(decided.await?.answer)
}

/// Cancels the quote. One that an order or an end of its own keeps from it is left, and that is told.
async fn archive(steps: &Steps, scene: &Scene, link: &Link, quote: Quote) -> Result<Outcome, Halt> {
    let reason = in_bin(steps);
    if quote.status == Status::Cancelled {
        let told = format!("{reason}; its quote is cancelled");
        return Ok(outcome(link, Some(&quote), 0, told));
    }
    if quote.status.after(Transition::Cancel).is_none() {
        let told = format!(
            "{reason}; its quote is {}, from where it cannot be cancelled, and is left so",
            quote.status
        );
        return Ok(outcome(link, Some(&quote), 0, told));
    }
    let run = steps.run();
    let key = IdempotencyKey::new(format!("cpq:{}:{}:archive.cpq", run.id, run.restarts))?;
    let target = QuoteTarget::Existing {
        id: quote.id.clone(),
        etag: quote.etag(),
    };
    let call = steps.call();
    let check = async {
        let now = scene.cpq.get(call, &quote.id).await?;
        Ok((now.status == Status::Cancelled).then_some(now))
    };
    let send = scene
        .cpq
        .transition(call, &key, &target, Transition::Cancel, Some(&reason));
    let cancelled = steps.write("archive.cpq", check, send).await?;
    Ok(outcome(
        link,
        Some(&cancelled),
        1,
        format!("{reason}; its quote was cancelled"),
    ))
}

fn in_bin(steps: &Steps) -> String {
    format!("opportunity {} was deleted in the CRM", steps.lane().opportunity)
}

fn which(steps: &Steps, link: &Link, quote: Option<&Quote>) -> Error {
    let quote = match quote {
        Some(quote) => format!("its quote {} is {}", quote.number, quote.status),
        None => format!("its quote {} is gone too", link.quote_number),
    };
    let message = format!("{}, and {quote}", in_bin(steps));
    question(
        steps,
        Gone::Opportunity,
        message,
        "cancels the quote",
        "leaves it alone",
    )
}

/// The question to a person, with both ways to answer it.
fn question(steps: &Steps, gone: Gone, message: String, first: &str, second: &str) -> Error {
    let (first, second) = match gone {
        Gone::Opportunity => ((Answer::Archive, first), (Answer::Unlink, second)),
        Gone::QuoteRecord | Gone::Quote => ((Answer::Recreate, first), (Answer::Unlink, second)),
    };
    let way = |(answer, does): (Answer, &str)| format!("{} {does}", command(steps, gone, answer));
    let (first, second) = (way(first), way(second));
    Error::new(Code::ReviewNeeded, message)
        .connection(steps.lane().connection.as_str())
        .record(steps.lane().opportunity.as_str())
        .fact("gone", gone.as_str())
        .next(format!(
            "decide: {first}, {second}; bringing it back and a sync undo it"
        ))
}

fn command(steps: &Steps, gone: Gone, answer: Answer) -> String {
    let lane = steps.lane();
    format!(
        "`cpq sync deleted --opportunity {} --record {} --answer {}`",
        lane.opportunity,
        gone.as_str(),
        answer.as_str()
    )
}

/// The opportunity is there, and its business number was changed: the run goes to the lane of the new one, or to that of
/// the id where there is none any more.
async fn renumbered(steps: &Steps, scene: &Scene, error: Error, link: &Link) -> Result<Halt, Halt> {
    let id = OpportunityKey::new(link.opportunity_id.as_str())?;
    let crm = steps
        .read("read.crm.by_id", scene.crm.read(steps.call(), &id))
        .await?;
    let name = crm.opportunity.number.unwrap_or(id);
    steps.go_by(name, &link.opportunity_id).await?;
    Ok(Halt::Restart(error))
}

fn outcome(link: &Link, quote: Option<&Quote>, cpq_writes: u32, told: String) -> Outcome {
    Outcome {
        effect: if cpq_writes > 0 {
            Effect::Written
        } else {
            Effect::NoChange
        },
        quote_number: link.quote_number.to_string(),
        quote_id: quote.map_or(&link.quote_root_id, |quote| &quote.id).to_string(),
        revision: quote.map_or(link.revision, |quote| quote.revision),
        quote_status: quote.map_or_else(|| "deleted".to_owned(), |quote| quote.status.to_string()),
        created: false,
        crm_writes: 0,
        cpq_writes,
        open_conflicts: 0,
        warnings: vec![told],
        undone: Vec::new(),
    }
}
