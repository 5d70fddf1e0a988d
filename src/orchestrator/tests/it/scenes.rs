//! Situations that a sync meets, and what must be true when everything has come to rest.

use std::collections::BTreeSet;
use std::time::Duration;

use cpq_orchestrator::{Engine, Submitted};

use crate::bench::{Bench, LONG, assert_gap_free, keyed, look_at, run_of, succeeded};
use crate::fakes::{Facts, Fate, Land, NUMBER};

/// Longer than a lease.
pub const LEASE: Duration = Duration::from_secs(31);

#[derive(Clone, Copy, Debug)]
pub enum Scene {
    /// There is no quote yet.
    Create,
    /// Both sides were changed since they last agreed.
    Change,
    /// The opportunity is changed while it is being synced.
    Raced,
}

impl Scene {
    pub const ALL: [Scene; 3] = [Scene::Create, Scene::Change, Scene::Raced];

    pub async fn set(self) -> Bench {
        let bench = Bench::new().await;
        match self {
            Scene::Create => {}
            Scene::Change => {
                succeeded(&bench.process("before").engine).await;
                bench.land.clock.advance(Duration::from_secs(60));
                bench.land.rep_wants(12);
                bench.land.seller_gives(10);
            }
            Scene::Raced => bench
                .land
                .script("cpq.write", [Fate::Edited(|land: &Land| land.rep_prices(30))]),
        }
        bench
    }
}

/// What a caller does: asks under a key, and asks again under the same key if it got no answer.
pub async fn ask(engine: Engine) {
    let Ok(submitted) = engine.submit(keyed("k-1", NUMBER)).await else {
        return;
    };
    if let Submitted::Replayed { status, .. } = submitted {
        assert_eq!(status, 200);
        return;
    }
    engine.wait(run_of(submitted).id, LONG).await.expect("known");
}

/// Lets one event arrive, as it does after every change, and looks at what is left.
pub async fn come_to_rest(bench: &Bench) -> Facts {
    bench.land.deliver_late();
    let engine = bench.service("last");
    let run = run_of(engine.submit(look_at(NUMBER)).await.expect("accepted"));
    let run = engine.wait(run.id, LONG).await.expect("known");
    assert!(run.state.is_terminal(), "{run:?}");
    assert_at_rest(bench, &engine).await;
    bench.land.facts()
}

async fn assert_at_rest(bench: &Bench, engine: &Engine) {
    let calls = || (bench.land.calls("cpq.write"), bench.land.calls("crm.write"));
    let before = calls();
    succeeded(engine).await;
    assert_eq!(calls(), before, "a sync of two sides that agree writes");
    assert!(bench.land.wire().is_played(), "a fate has not come about");
    for run in bench.runs().await {
        assert!(run.state.is_terminal(), "{run:?}");
        assert_gap_free(&bench.journal(run.id).await);
    }
    let facts = bench.land.facts();
    assert_eq!(facts.quotes, 1);
    for field in ["quote.number", "quote.status", "quote.net_total"] {
        let (crm, cpq) = (facts.crm.get(field), facts.cpq.get(field));
        assert_eq!(crm, cpq, "{field}");
    }
    for (key, line) in &facts.crm.lines {
        assert_eq!(
            facts.cpq.lines[key].get("line.quantity"),
            line.get("line.quantity")
        );
    }
    let effects = bench.land.cpq().effects.clone();
    let keys: BTreeSet<_> = effects.iter().collect();
    assert_eq!(keys.len(), effects.len(), "a key had two effects: {effects:?}");
}
