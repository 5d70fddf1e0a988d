//! Random lives in a real store: whatever is asked for, the chain of revisions and the money stay whole.

use cpq_domain::id::{LineKey, QuoteId};
use cpq_domain::quote::{Quote, Status, Transition};
use cpq_domain::view::{LineChange, Patch};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rust_decimal::Decimal;

use crate::house::{House, by, light_house, number, opportunity, put, with_line};

#[derive(Clone, Debug)]
enum Deed {
    Move(Transition),
    Quantity(u8, u16),
    Remove(u8),
    Expire(i64),
}

fn any_deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        5 => prop::sample::select(Transition::ALL.to_vec()).prop_map(Deed::Move),
        2 => Just(Deed::Move(Transition::Submit)),
        2 => Just(Deed::Move(Transition::Revise)),
        3 => (0_u8..4, any::<u16>()).prop_map(|(line, quantity)| Deed::Quantity(line, quantity)),
        1 => (0_u8..4).prop_map(Deed::Remove),
        1 => (0_i64..40).prop_map(Deed::Expire),
    ]
}

async fn act(house: &House, quote: &Quote, deed: &Deed) {
    let cpq = &house.cpq;
    // Refusals are part of life; what counts is what they leave behind.
    match deed {
        Deed::Move(transition) => {
            drop(
                cpq.transition(None, &by(), &quote.id, &quote.etag(), *transition, Some("r"))
                    .await,
            );
        }
        Deed::Quantity(line, quantity) => {
            let name = format!("L{line}");
            let patch = match quote.line(&LineKey::new(name.as_str()).expect("a key")) {
                Some(_) => put(&name, &[("line.quantity", number(&format!("{quantity}.5")))]),
                None => with_line(&name),
            };
            drop(cpq.change(None, &by(), &quote.id, &quote.etag(), &patch).await);
        }
        Deed::Remove(line) => {
            let mut patch = Patch::default();
            let key = LineKey::new(format!("L{line}")).expect("a key");
            patch.lines.insert(key, LineChange::Remove);
            drop(cpq.change(None, &by(), &quote.id, &quote.etag(), &patch).await);
        }
        Deed::Expire(days) => {
            house.world.pass_days(*days);
            cpq.expire_due(&by()).await.expect("looked");
        }
    }
}

async fn check(house: &House, root: &QuoteId) -> Quote {
    let chain = house.cpq.revisions(root).await.expect("a chain");
    for (at, pair) in chain.windows(2).enumerate() {
        assert_eq!(pair[0].status, Status::Superseded);
        assert_eq!(pair[0].superseded_by_id.as_ref(), Some(&pair[1].id));
        assert_eq!(pair[1].previous_revision_id.as_ref(), Some(&pair[0].id));
        assert_eq!(pair[1].revision as usize, at + 2);
        assert_eq!(
            (&pair[1].number, &pair[1].root_id),
            (&pair[0].number, &pair[0].root_id)
        );
    }
    assert_eq!(
        chain
            .iter()
            .filter(|quote| quote.status != Status::Superseded)
            .count(),
        1
    );
    assert_eq!(chain.iter().filter(|quote| quote.is_primary).count(), 1);
    for quote in &chain {
        let net: Decimal = quote.lines.iter().map(|line| line.totals.net).sum();
        assert_eq!(net, quote.totals.net.amount);
    }
    let history = house.cpq.history(root).await.expect("a history");
    let sequence: Vec<_> = history.iter().map(|event| event.sequence).collect();
    assert_eq!(
        sequence,
        (1..=u32::try_from(history.len()).expect("few")).collect::<Vec<_>>()
    );
    // Every committed change left exactly one event per version.
    let versions: u64 = chain.iter().map(|quote| quote.version).sum();
    assert_eq!(versions, history.len() as u64);
    chain.into_iter().next_back().expect("one at least")
}

#[test]
fn whatever_is_asked_for_the_chain_and_the_money_stay_whole() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let mut runner = TestRunner::new(Config::with_cases(300));
    let deeds = prop::collection::vec(any_deed(), 1..25);
    let walked = runner.run(&deeds, |deeds| {
        runtime.block_on(async {
            let house = light_house().await;
            let made = house
                .cpq
                .create(None, &by(), &opportunity(1), &with_line("L0"))
                .await;
            let mut quote = made.expect("made").quote;
            let root = quote.root_id.clone();
            for deed in &deeds {
                act(&house, &quote, deed).await;
                quote = check(&house, &root).await;
            }
        });
        Ok(())
    });
    walked.expect("whole");
}
