use cpq_domain::Code;
use cpq_domain::desk::QuoteDesk;
use cpq_domain::error::Report;
use cpq_domain::quote::{Quote, Transition};

use crate::house::{by, house, keyed, number, opportunity, put, with_line};

#[tokio::test]
async fn a_repeat_gets_the_same_bytes_even_after_the_quote_moved_on() {
    let house = house().await;
    let desk: &dyn QuoteDesk = &house.cpq;
    let key = keyed("create", 1);
    let once = desk
        .create(&key, &by(), &opportunity(1), &with_line("L1"))
        .await
        .expect("made");
    assert_eq!((once.status, once.replayed), (201, false));
    let quote: Quote = serde_json::from_str(&once.body).expect("a quote");
    assert_eq!(once.etag, Some(quote.etag()));
    let five = put("L1", &[("line.quantity", number("5"))]);
    let changed = desk
        .change(&keyed("change", 1), &by(), &quote.id, &quote.etag(), &five)
        .await
        .expect("changed");
    assert_eq!((changed.status, changed.replayed), (200, false));
    let twice = desk
        .create(&key, &by(), &opportunity(1), &with_line("L1"))
        .await
        .expect("replayed");
    assert!(twice.replayed);
    assert_eq!(
        (twice.status, twice.body, twice.etag),
        (once.status, once.body, once.etag)
    );
}

#[tokio::test]
async fn a_definite_refusal_is_kept_and_repeated_to_the_byte() {
    let house = house().await;
    let desk: &dyn QuoteDesk = &house.cpq;
    let made = desk
        .create(&keyed("create", 1), &by(), &opportunity(1), &with_line("L1"))
        .await;
    let quote: Quote = serde_json::from_str(&made.expect("made").body).expect("a quote");
    let key = keyed("again", 1);
    let once = desk
        .create(&key, &by(), &opportunity(1), &with_line("L1"))
        .await
        .expect("an answer");
    assert_eq!((once.status, once.replayed), (409, false));
    let report: Report = serde_json::from_str(&once.body).expect("a report");
    assert_eq!(report.code, Code::QuoteDuplicate);
    assert_eq!(report.correlation_id.as_deref(), Some("csync-001"));
    assert_eq!(report.details.facts["quoteNumber"], quote.number.as_str());
    let twice = desk
        .create(&key, &by(), &opportunity(1), &with_line("L1"))
        .await
        .expect("replayed");
    assert!(twice.replayed);
    assert_eq!((twice.status, twice.body), (once.status, once.body));
    let other = desk
        .create(&keyed("again", 2), &by(), &opportunity(2), &with_line("L1"))
        .await;
    assert_eq!(other.expect_err("reused").code, Code::IdempotencyKeyReused);
}

#[tokio::test]
async fn a_malformed_request_does_not_consume_its_key() {
    let house = house().await;
    let desk: &dyn QuoteDesk = &house.cpq;
    let made = desk
        .create(&keyed("create", 1), &by(), &opportunity(1), &with_line("L1"))
        .await;
    let quote: Quote = serde_json::from_str(&made.expect("made").body).expect("a quote");
    let (key, etag) = (keyed("cancel", 1), quote.etag());
    let silent = desk
        .transition(&key, &by(), &quote.id, &etag, Transition::Cancel, None)
        .await;
    assert_eq!(silent.expect_err("no reason").code, Code::RequestInvalid);
    let told = desk
        .transition(
            &keyed("cancel", 2),
            &by(),
            &quote.id,
            &etag,
            Transition::Cancel,
            Some("lost"),
        )
        .await;
    assert_eq!(told.expect("cancelled").status, 200);
}
