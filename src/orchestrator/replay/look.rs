//! A look at one opportunity of a plan: what its sync would do, decided as the sync itself decides.

use cpq_domain::Result;
use cpq_domain::adapter::Call;
use cpq_domain::id::Lane;
use cpq_domain::replay::{Deed, Foreseen};
use cpq_domain::resolve::{Plan, Verdict};

use crate::sync::Scene;
use crate::{deleted, plan, sync};

/// What a look found.
pub(super) struct Seen {
    pub(super) deed: Deed,
    pub(super) foreseen: Foreseen,
    pub(super) why: Option<String>,
}

/// Looks, and writes nothing. A failure that passes with time is an error; one that does not is what the sync would
/// meet.
pub(super) async fn at(scene: &Scene, call: &Call, lane: &Lane) -> Result<Seen> {
    match foresee(scene, call, lane).await {
        Ok(seen) => Ok(seen),
        Err(error) if error.class().passes_with_time() => Err(error),
        Err(error) => Ok(Seen {
            deed: Deed::WouldFail,
            foreseen: Foreseen::default(),
            why: Some(format!("{}: {}", error.code, error.message)),
        }),
    }
}

async fn foresee(scene: &Scene, call: &Call, lane: &Lane) -> Result<Seen> {
    let (mut crm, quote, known) = futures_util::try_join!(
        scene.crm.read(call, &lane.opportunity),
        scene.cpq.find(call, lane.connection.as_str(), &lane.opportunity),
        scene.ledger.known(lane),
    )?;
    deleted::foresee(scene, lane, &mut crm, quote.as_ref(), &known.base).await?;
    sync::can_be_quoted(&crm, quote.as_ref())?;
    let (plan, back) = plan::both(scene, call, &crm, quote.as_ref(), known).await?;
    let last = back.as_ref().unwrap_or(&plan);
    let foreseen = Foreseen {
        creates: quote.is_none(),
        crm_writes: count(last.to_crm.len()),
        cpq_writes: count(plan.to_cpq.len()),
        calls: 1 + u32::from(!last.to_crm.is_empty()),
        conflicts: count(last.open().count()),
    };
    let agree = !foreseen.creates && foreseen.crm_writes + foreseen.cpq_writes == 0 && nothing_open(last);
    Ok(Seen {
        deed: if agree { Deed::Agrees } else { Deed::Sync },
        foreseen,
        why: agree.then(|| "both sides agree".to_owned()),
    })
}

fn nothing_open(plan: &Plan) -> bool {
    plan.decisions
        .iter()
        .all(|decision| decision.verdict != Verdict::Review)
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
