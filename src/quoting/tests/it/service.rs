use cpq_domain::Code;
use cpq_domain::desk::QuoteFilter;
use cpq_domain::id::{LineKey, OpportunityKey, QuoteId};
use cpq_domain::quote::{Status, Transition};
use cpq_domain::value::Value;
use cpq_domain::view::{LineChange, Patch};
use cpq_quoting::{EmbeddedCpq, QuotingSettings, counter_name};
use cpq_store::counters;

use crate::house::{by, fields, house, keyed, light_house, number, opportunity, put, with_line};

#[tokio::test]
async fn a_new_quote_is_numbered_priced_and_told_of() {
    let house = house().await;
    let mut hints = house.cpq.subscribe();
    let made = house
        .cpq
        .create(None, &by(), &opportunity(1), &with_line("L1"))
        .await;
    let quote = made.expect("made").quote;
    assert_eq!(quote.number.as_str(), "Q-2026-0001");
    assert_eq!(
        (quote.revision, quote.version, quote.status),
        (1, 1, Status::Draft)
    );
    assert_eq!(quote.totals.net.to_string(), "1000.00 USD");
    assert_eq!(quote.valid_until.expect("a day").to_string(), "2026-04-09");
    assert!(quote.is_primary);
    assert_eq!(quote.name, "Quote for OPP-1");

    let hint = hints.recv().await.expect("a hint");
    assert_eq!(
        (hint.event.kind.as_str(), hint.event.sequence),
        ("quote.created", 1)
    );
    assert_eq!(hint.event.correlation, Some(by()));
    assert_eq!(hint.opportunity, opportunity(1));
    assert_eq!(
        house.cpq.history(&quote.root_id).await.expect("a history"),
        [hint.event]
    );

    assert_eq!(house.cpq.get(quote.id.as_str()).await.expect("there"), quote);
    assert_eq!(house.cpq.get("Q-2026-0001").await.expect("there"), quote);
    for name in ["OPP-1", opportunity(1).id.as_str()] {
        let key = OpportunityKey::new(name).expect("a key");
        assert_eq!(
            house.cpq.current("crm", &key).await.expect("read").as_ref(),
            Some(&quote)
        );
        assert_eq!(house.cpq.current("other", &key).await.expect("read"), None);
    }
}

#[tokio::test]
async fn refused_creates_leave_no_gap_in_the_numbers() {
    let house = house().await;
    let cpq = &house.cpq;
    let bad = put(
        "L1",
        &[
            ("line.sku", Value::text("A")),
            ("line.quantity", number("-1")),
            ("line.list_unit", number("1")),
        ],
    );
    let euro = fields(&[("quote.currency", Value::Choice("EUR".into()))]);
    for at in 1..=3 {
        for patch in [&bad, &Patch::default()] {
            assert!(cpq.create(None, &by(), &opportunity(at), patch).await.is_err());
        }
        let made = cpq
            .create(None, &by(), &opportunity(at), &euro)
            .await
            .expect("made");
        assert_eq!(made.quote.number.as_str(), format!("Q-2026-000{at}"));
        let again = cpq
            .create(None, &by(), &opportunity(at), &euro)
            .await
            .expect_err("twice");
        assert_eq!(again.code, Code::QuoteDuplicate);
        let facts = again.facts.expect("facts");
        assert_eq!(facts["quoteId"], made.quote.id.as_str());
        assert_eq!(facts["quoteNumber"], made.quote.number.as_str());
    }
}

#[tokio::test]
async fn the_year_may_be_pinned_and_the_sequence_seeded() {
    let house = house().await;
    let settings = QuotingSettings {
        year: Some(2031),
        default_currency: Some("JPY".into()),
        ..QuotingSettings::default()
    };
    let cpq = EmbeddedCpq::new(house.store.clone(), house.world.clone(), settings).expect("a CPQ");
    let set = house
        .store
        .write(|tx| Box::pin(async move { counters::set(tx, &counter_name(2031), 136).await }));
    set.await.expect("set");
    let made = cpq.create(None, &by(), &opportunity(1), &Patch::default()).await;
    let quote = made.expect("made").quote;
    assert_eq!(
        (quote.number.as_str(), quote.currency.as_str()),
        ("Q-2031-0137", "JPY")
    );
    let wrong = QuotingSettings {
        year: Some(0),
        ..QuotingSettings::default()
    };
    let refused = EmbeddedCpq::new(house.store.clone(), house.world.clone(), wrong);
    assert_eq!(refused.err().map(|error| error.code), Some(Code::ConfigInvalid));
}

#[tokio::test]
async fn a_stale_etag_is_refused_with_the_present_one_and_a_repeat_under_the_key_is_not() {
    let house = house().await;
    let cpq = &house.cpq;
    let first = cpq
        .create(None, &by(), &opportunity(1), &with_line("L1"))
        .await
        .expect("made")
        .quote;
    let five = put("L1", &[("line.quantity", number("5"))]);
    let key = keyed("k-1", 1);
    let once = cpq
        .change(Some(&key), &by(), &first.id, &first.etag(), &five)
        .await;
    let once = once.expect("changed");
    assert_eq!((once.quote.version, once.replayed), (2, false));
    let twice = cpq
        .change(Some(&key), &by(), &first.id, &first.etag(), &five)
        .await;
    let twice = twice.expect("replayed");
    assert_eq!((twice.quote, twice.replayed), (once.quote.clone(), true));

    let six = put("L1", &[("line.quantity", number("6"))]);
    let stale = cpq.change(None, &by(), &first.id, &first.etag(), &six).await;
    let stale = stale.expect_err("stale");
    assert_eq!(stale.code, Code::QuoteConflict);
    assert_eq!(stale.facts.expect("facts")["etag"], once.quote.etag().as_str());

    let same = cpq
        .change(None, &by(), &first.id, &once.quote.etag(), &five)
        .await;
    assert_eq!(same.expect("no change").quote.version, 2);
    assert_eq!(
        cpq.history(&first.root_id).await.expect("a history").len(),
        2,
        "no change, no event"
    );
    let nobody = QuoteId::new("nobody").expect("an id");
    let missing = cpq
        .change(None, &by(), &nobody, "*", &five)
        .await
        .expect_err("missing");
    assert_eq!(missing.code, Code::QuoteNotFound);
}

#[tokio::test]
async fn key_effect_event_and_answer_are_one_transaction() {
    let house = house().await;
    let before = house.store.stats();
    let key = keyed("k", 1);
    let made = house
        .cpq
        .create(Some(&key), &by(), &opportunity(1), &with_line("L1"))
        .await;
    let quote = made.expect("made").quote;
    let five = put("L1", &[("line.quantity", number("5"))]);
    let key = keyed("l", 1);
    let changed = house
        .cpq
        .change(Some(&key), &by(), &quote.id, &quote.etag(), &five)
        .await;
    assert!(changed.is_ok());
    let after = house.store.stats();
    assert_eq!((after.jobs - before.jobs, after.commits - before.commits), (2, 2));
}

#[tokio::test]
async fn another_request_under_a_used_key_is_refused() {
    let house = house().await;
    let cpq = &house.cpq;
    let first = cpq
        .create(Some(&keyed("k", 1)), &by(), &opportunity(1), &with_line("L1"))
        .await;
    assert!(first.is_ok());
    let other = cpq
        .create(Some(&keyed("k", 2)), &by(), &opportunity(2), &with_line("L1"))
        .await;
    assert_eq!(other.expect_err("reused").code, Code::IdempotencyKeyReused);
}

#[tokio::test]
async fn offers_expire_once_when_their_last_day_is_over() {
    let house = house().await;
    let cpq = &house.cpq;
    let mut quotes = Vec::new();
    for at in 1..=3 {
        let quote = cpq
            .create(None, &by(), &opportunity(at), &with_line("L1"))
            .await
            .expect("made")
            .quote;
        quotes.push(quote);
    }
    for quote in &quotes[..2] {
        let moved = cpq
            .transition(None, &by(), &quote.id, &quote.etag(), Transition::Submit, None)
            .await;
        assert_eq!(moved.expect("moved").quote.status, Status::Approved);
    }
    house.world.pass_days(30);
    assert!(
        cpq.expire_due(&by()).await.expect("looked").is_empty(),
        "the last day itself"
    );
    house.world.pass_days(1);
    let (mine, yours) = (by(), by());
    let (one, two) = tokio::join!(cpq.expire_due(&mine), cpq.expire_due(&yours));
    assert_eq!(one.expect("looked").len() + two.expect("looked").len(), 2);
    assert!(cpq.expire_due(&by()).await.expect("looked").is_empty());
    let states = [Status::Expired, Status::Expired, Status::Draft];
    for (quote, status) in quotes.iter().zip(states) {
        assert_eq!(cpq.get(quote.id.as_str()).await.expect("there").status, status);
    }
}

#[tokio::test]
async fn lists_are_paged_newest_change_first_and_narrowed_by_system() {
    let house = light_house().await;
    let cpq = &house.cpq;
    for at in 0..25 {
        let mut of = opportunity(at);
        of.system = if at % 5 == 0 { "other".into() } else { "crm".into() };
        cpq.create(None, &by(), &of, &with_line("L1"))
            .await
            .expect("made");
        house.world.pass_days(1);
    }
    let mut filter = QuoteFilter {
        system: Some("crm".into()),
        limit: 7,
        ..QuoteFilter::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = cpq.list(&filter).await.expect("a page");
        assert!(page.quotes.len() <= 7);
        seen.extend(page.quotes);
        filter.cursor = page.cursor;
        if filter.cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 20);
    assert!(
        seen.windows(2)
            .all(|pair| pair[0].updated_at > pair[1].updated_at)
    );
    filter.cursor = Some("rubbish".into());
    assert_eq!(
        cpq.list(&filter).await.expect_err("refused").code,
        Code::RequestInvalid
    );
}

#[tokio::test]
async fn a_quote_too_large_to_be_stored_twice_is_replayed_all_the_same() {
    let house = house().await;
    let mut patch = Patch::default();
    for at in 0..2_000 {
        let one = with_line("L");
        let change = one.lines.into_values().next().expect("a line");
        let LineChange::Put(_) = &change else {
            unreachable!()
        };
        let key = LineKey::new(format!("L{at}")).expect("a key");
        patch.lines.insert(key, change);
    }
    let key = keyed("large", 1);
    let once = house
        .cpq
        .create(Some(&key), &by(), &opportunity(1), &patch)
        .await
        .expect("made");
    let twice = house
        .cpq
        .create(Some(&key), &by(), &opportunity(1), &patch)
        .await
        .expect("replayed");
    assert!(twice.replayed);
    assert_eq!(once.quote, twice.quote);
    let history = house.cpq.history(&once.quote.root_id).await.expect("a history");
    assert_eq!(history.len(), 1);
}
