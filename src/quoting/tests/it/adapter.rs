use cpq_domain::Code;
use cpq_domain::adapter::{Call, CpqAdapter, CpqWrite, QuoteTarget};
use cpq_domain::id::{IdempotencyKey, OpportunityKey, QuoteId};
use cpq_domain::quote::{Quote, Status, Transition};
use cpq_domain::view::Patch;
use cpq_quoting::EmbeddedCpq;

use crate::house::{by, fields, house, number, opportunity, put, with_line};

fn call() -> Call {
    Call::live(by())
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).expect("a key")
}

fn new(patch: Patch) -> CpqWrite {
    CpqWrite {
        target: QuoteTarget::New(opportunity(1)),
        patch,
    }
}

fn existing(quote: &Quote) -> QuoteTarget {
    QuoteTarget::Existing {
        id: quote.id.clone(),
        etag: quote.etag(),
    }
}

#[tokio::test]
async fn a_sync_writes_once_per_key() {
    let house = house().await;
    let cpq: &dyn CpqAdapter = &house.cpq;
    assert!(cpq.capabilities().idempotency_keys && cpq.capabilities().preview);
    let opportunity_key = OpportunityKey::new("OPP-1").expect("a key");
    assert_eq!(
        cpq.find(&call(), "crm", &opportunity_key).await.expect("looked"),
        None
    );

    let mut hints = house.cpq.subscribe();
    let write = new(with_line("L1"));
    let foreseen = cpq
        .preview(&call(), &write)
        .await
        .expect("foreseen")
        .expect("a quote");
    let quote = cpq.write(&call(), &key("w-1"), &write).await.expect("written");
    assert_eq!(
        (&foreseen.number, &foreseen.totals, &foreseen.lines),
        (&quote.number, &quote.totals, &quote.lines)
    );
    assert_eq!(
        cpq.write(&call(), &key("w-1"), &write).await.expect("replayed"),
        quote
    );
    let hint = hints.recv().await.expect("a hint");
    assert_eq!(hint.client.expect("a client").as_str(), EmbeddedCpq::SYNC_CLIENT);
    assert!(
        hints.try_recv().is_err(),
        "a replay changes nothing and tells nothing"
    );

    let twice = cpq.write(&call(), &key("w-2"), &write).await.expect_err("twice");
    assert_eq!(twice.code, Code::QuoteDuplicate);
    assert_eq!(
        cpq.preview(&call(), &write).await.expect_err("twice").code,
        Code::QuoteDuplicate
    );
}

#[tokio::test]
async fn a_sync_revises_once_per_key_and_finds_the_newest() {
    let house = house().await;
    let cpq: &dyn CpqAdapter = &house.cpq;
    let opportunity_key = OpportunityKey::new("OPP-1").expect("a key");
    let write = new(with_line("L1"));
    let quote = cpq.write(&call(), &key("w-1"), &write).await.expect("written");
    let approved = cpq
        .transition(&call(), &key("t-1"), &existing(&quote), Transition::Submit, None)
        .await
        .expect("moved");
    let revised = cpq
        .transition(
            &call(),
            &key("t-2"),
            &existing(&approved),
            Transition::Revise,
            None,
        )
        .await
        .expect("revised");
    assert_eq!((revised.revision, revised.status), (2, Status::Draft));
    let again = cpq
        .transition(
            &call(),
            &key("t-2"),
            &existing(&approved),
            Transition::Revise,
            None,
        )
        .await;
    assert_eq!(again.expect("replayed"), revised);
    let found = cpq.find(&call(), "crm", &opportunity_key).await.expect("looked");
    assert_eq!(found.as_ref(), Some(&revised));
    let old = cpq.get(&call(), &quote.id).await.expect("there");
    assert_eq!(
        (old.status, old.superseded_by_id),
        (Status::Superseded, Some(revised.id))
    );
}

#[tokio::test]
async fn a_preview_changes_nothing_and_a_stale_write_is_a_conflict() {
    let house = house().await;
    let cpq: &dyn CpqAdapter = &house.cpq;
    let quote = cpq
        .write(&call(), &key("w"), &new(with_line("L1")))
        .await
        .expect("written");
    let half = CpqWrite {
        target: existing(&quote),
        patch: put("L1", &[("line.quantity", number("5"))]),
    };
    let foreseen = cpq
        .preview(&call(), &half)
        .await
        .expect("foreseen")
        .expect("a quote");
    assert_eq!(foreseen.totals.net.to_string(), "500.00 USD");
    assert_eq!(cpq.get(&call(), &quote.id).await.expect("there"), quote);
    let written = cpq.write(&call(), &key("half"), &half).await.expect("written");
    assert_eq!(written, foreseen);
    for result in [
        cpq.preview(&call(), &half).await.map(|_| ()),
        cpq.write(&call(), &key("late"), &half).await.map(|_| ()),
    ] {
        assert_eq!(result.expect_err("stale").code, Code::QuoteConflict);
    }
    let nobody = QuoteId::new("nobody").expect("an id");
    assert_eq!(
        cpq.get(&call(), &nobody).await.expect_err("missing").code,
        Code::QuoteNotFound
    );
}

#[tokio::test]
async fn a_refused_sync_write_can_be_sent_again_under_its_key() {
    let house = house().await;
    let cpq: &dyn CpqAdapter = &house.cpq;
    let bad = put("L1", &[("line.quantity", number("1"))]);
    assert_eq!(
        cpq.write(&call(), &key("w"), &new(bad))
            .await
            .expect_err("refused")
            .code,
        Code::OpportunityIncomplete
    );
    let good = cpq.write(&call(), &key("w"), &new(with_line("L1"))).await;
    assert_eq!(good.expect("written").number.as_str(), "Q-2026-0001");
    let target = QuoteTarget::New(opportunity(2));
    let submit = cpq
        .transition(&call(), &key("t"), &target, Transition::Submit, None)
        .await;
    assert_eq!(submit.expect_err("refused").code, Code::RequestInvalid);
    let other = new(fields(&[("quote.name", cpq_domain::value::Value::text("x"))]));
    assert_eq!(
        cpq.write(&call(), &key("w"), &other)
            .await
            .expect_err("reused")
            .code,
        Code::IdempotencyKeyReused
    );
}
