use proptest::prelude::*;

use super::*;
use crate::revision;
use crate::samples::{decimal, draft, draft_with_line, now, settings};

use Status::*;

fn moment(day: &str) -> Timestamp {
    format!("{day}T00:00:00Z").parse().expect("a moment")
}

fn at(status: Status) -> Quote {
    Quote {
        status,
        ..draft_with_line()
    }
}

fn go(quote: &Quote, transition: Transition) -> Result<Quote> {
    advance(quote, transition, Some("because"), now(), &settings())
}

fn facts(error: Error) -> serde_json::Map<String, serde_json::Value> {
    *error.facts.expect("facts")
}

#[test]
fn submit_goes_straight_to_approved_up_to_the_rule_and_to_an_approver_above_it() {
    let discounted = |points: &str| {
        let mut quote = draft_with_line();
        quote.header_discount = Some(cpq_domain::quote::Discount::Percent(decimal(points)));
        crate::pricing::price(&mut quote).expect("priced");
        go(&quote, Transition::Submit).expect("allowed").status
    };
    assert_eq!(discounted("0"), Approved);
    assert_eq!(discounted("20"), Approved);
    assert_eq!(discounted("20.01"), InApproval);
}

#[test]
fn submit_needs_a_line_and_a_last_day_that_is_not_over() {
    let empty = facts(go(&draft("USD"), Transition::Submit).expect_err("no lines"));
    assert_eq!(empty["guard"], "lines");
    assert_eq!(empty["allowed"], serde_json::json!(["cancel"]));
    let mut quote = draft_with_line();
    quote.valid_until = Some("2026-03-09".parse().expect("a day"));
    let past = facts(go(&quote, Transition::Submit).expect_err("past"));
    assert_eq!(past["guard"], "valid_until");
    quote.valid_until = Some("2026-03-10".parse().expect("a day"));
    assert!(
        go(&quote, Transition::Submit).is_ok(),
        "the last day itself counts"
    );
}

#[test]
fn an_offer_that_ended_is_neither_sent_nor_accepted_and_expires_once() {
    let mut quote = at(Sent);
    quote.valid_until = Some("2026-03-10".parse().expect("a day"));
    assert!(go(&quote, Transition::Expire).is_err());
    assert!(!is_due_to_expire(&quote, moment("2026-03-10")));
    let after = moment("2026-03-11");
    assert!(is_due_to_expire(&quote, after));
    let error = advance(&quote, Transition::Accept, None, after, &settings()).expect_err("ended");
    assert_eq!(error.code, Code::InvalidTransition);
    assert!(error.to_string().contains("2026-03-10"), "{error}");
    let expired = advance(&quote, Transition::Expire, None, after, &settings()).expect("due");
    assert_eq!(expired.status, Expired);
    assert!(!is_due_to_expire(&expired, after));
    quote.valid_until = None;
    assert!(!is_due_to_expire(&quote, after));
}

#[test]
fn saying_no_needs_a_reason() {
    for (from, transition) in [
        (InApproval, Transition::Reject),
        (Sent, Transition::Decline),
        (Draft, Transition::Cancel),
    ] {
        for none in [None, Some("  ")] {
            let error = advance(&at(from), transition, none, now(), &settings()).expect_err("no reason");
            assert_eq!(error.code, Code::RequestInvalid);
            assert_eq!(error.place.field.as_deref(), Some("reason"));
        }
        let moved = advance(&at(from), transition, Some(" price "), now(), &settings()).expect("allowed");
        assert_eq!(moved.reason.as_deref(), Some("price"));
    }
    let long = "x".repeat(DESCRIPTION_CHARS + 1);
    assert!(advance(&at(Draft), Transition::Cancel, Some(&long), now(), &settings()).is_err());
}

#[test]
fn a_revision_keeps_number_root_and_line_keys_and_moves_the_primary_flag() {
    let mut old = at(Declined);
    old.valid_until = Some("2026-01-01".parse().expect("a day"));
    let id = cpq_domain::id::QuoteId::new("q-2").expect("an id");
    let (before, after) =
        revision::next(&old, id.clone(), Some("new scope"), now(), &settings()).expect("allowed");
    assert_eq!((before.status, before.is_primary), (Superseded, false));
    assert_eq!(
        (before.superseded_by_id.as_ref(), before.version),
        (Some(&id), old.version + 1)
    );
    assert_eq!((after.status, after.is_primary, after.version), (Draft, true, 1));
    assert_eq!(
        (&after.number, &after.root_id, after.revision),
        (&old.number, &old.root_id, 2)
    );
    assert_eq!(after.previous_revision_id.as_ref(), Some(&old.id));
    assert_eq!(after.lines, old.lines);
    assert_eq!(after.valid_until, Some("2026-04-09".parse().expect("a day")));
    let again = revision::next(&before, id, None, now(), &settings()).expect_err("superseded");
    assert_eq!(again.code, Code::QuoteSuperseded);
}

/// The table of the design, cell by cell, written without looking at the code.
fn naive(from: Status, transition: Transition) -> Option<Status> {
    let table: &[(&str, &str, &str)] = &[
        ("draft", "submit", "approved"),
        ("draft", "cancel", "cancelled"),
        ("in_approval", "approve", "approved"),
        ("in_approval", "reject", "rejected"),
        ("in_approval", "recall", "draft"),
        ("in_approval", "cancel", "cancelled"),
        ("approved", "send", "sent"),
        ("approved", "unlock", "draft"),
        ("approved", "expire", "expired"),
        ("approved", "revise", "superseded"),
        ("approved", "cancel", "cancelled"),
        ("rejected", "reopen", "draft"),
        ("rejected", "revise", "superseded"),
        ("rejected", "cancel", "cancelled"),
        ("sent", "withdraw", "approved"),
        ("sent", "accept", "accepted"),
        ("sent", "decline", "declined"),
        ("sent", "expire", "expired"),
        ("sent", "revise", "superseded"),
        ("sent", "cancel", "cancelled"),
        ("accepted", "convert", "ordered"),
        ("declined", "revise", "superseded"),
        ("expired", "revise", "superseded"),
    ];
    let row = table
        .iter()
        .find(|(a, b, _)| *a == from.as_str() && *b == transition.as_str());
    row.and_then(|(_, _, to)| Status::ALL.into_iter().find(|status| status.as_str() == *to))
}

/// What the model remembers: states of all revisions, oldest first, and how many days have gone by.
struct Model {
    chain: Vec<Quote>,
    expected: Vec<Status>,
    days: i64,
}

impl Model {
    fn now(&self) -> Timestamp {
        moment("2026-03-10") + jiff::SignedDuration::from_hours(24 * self.days)
    }

    fn expected_after(&self, transition: Transition) -> Option<Status> {
        let from = *self.expected.last().expect("one at least");
        let quote = self.chain.last().expect("one at least");
        let past =
            quote.valid_until.expect("set at birth").to_string().as_str() < &self.now().to_string()[..10];
        match (naive(from, transition)?, transition.as_str()) {
            (_, "submit" | "send" | "accept") if past => None,
            (_, "expire") if !past => None,
            (Approved, "submit") if needs_approval(quote, Decimal::from(20)) => Some(InApproval),
            (to, _) => Some(to),
        }
    }

    fn step(&mut self, transition: Transition) -> Result<(), TestCaseError> {
        let expected = self.expected_after(transition);
        let quote = self.chain.last().expect("one at least").clone();
        let now = self.now();
        let result = if transition == Transition::Revise {
            let id = cpq_domain::id::QuoteId::new(format!("q-{}", self.chain.len() + 1)).expect("an id");
            revision::next(&quote, id, None, now, &settings()).map(|(old, new)| vec![old, new])
        } else {
            advance(&quote, transition, Some("r"), now, &settings()).map(|moved| vec![moved])
        };
        match (result, expected) {
            (Ok(quotes), Some(status)) => {
                prop_assert_eq!(quotes[0].status, status);
                prop_assert_eq!(quotes[0].version, quote.version + 1);
                self.chain.pop();
                self.expected.pop();
                self.expected
                    .extend([status].into_iter().chain((quotes.len() == 2).then_some(Draft)));
                self.chain.extend(quotes);
            }
            (Err(error), None) => {
                prop_assert_eq!(error.code, Code::InvalidTransition);
                let facts = facts(error);
                prop_assert_eq!(&facts["status"], quote.status.as_str());
                let allowed = facts["allowed"].as_array().expect("a list");
                prop_assert!(!allowed.contains(&transition.as_str().into()));
            }
            (result, expected) => {
                prop_assert!(
                    false,
                    "{transition} from {}: {result:?}, expected {expected:?}",
                    quote.status
                );
            }
        }
        Ok(())
    }

    fn check_chain(&self) -> Result<(), TestCaseError> {
        for (at, pair) in self.chain.windows(2).enumerate() {
            prop_assert_eq!(pair[0].status, Superseded);
            prop_assert_eq!(pair[0].superseded_by_id.as_ref(), Some(&pair[1].id));
            prop_assert_eq!(pair[1].previous_revision_id.as_ref(), Some(&pair[0].id));
            prop_assert_eq!(usize::try_from(pair[1].revision).expect("small"), at + 2);
        }
        let live = self
            .chain
            .iter()
            .filter(|quote| quote.status != Superseded)
            .count();
        let primary = self.chain.iter().filter(|quote| quote.is_primary).count();
        prop_assert_eq!((live, primary), (1, 1));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn every_walk_through_life_follows_the_table(
        discount in 0_i64..40,
        steps in prop::collection::vec((0_i64..12, prop::sample::select(Transition::ALL.to_vec())), 1..30),
    ) {
        let mut quote = draft_with_line();
        quote.header_discount = Some(cpq_domain::quote::Discount::Percent(Decimal::from(discount)));
        crate::pricing::price(&mut quote).expect("priced");
        let mut model = Model { expected: vec![quote.status], chain: vec![quote], days: 0 };
        for (days, transition) in steps {
            // Most steps follow at once; sometimes enough days go by for the offer to end.
            model.days += days / 11 * 20;
            model.step(transition)?;
            model.check_chain()?;
        }
    }
}
