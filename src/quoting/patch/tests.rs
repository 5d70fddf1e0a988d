use cpq_domain::quote::{Discount, Transition};
use cpq_domain::value::{Money, Value};
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::lifecycle;
use crate::samples::{
    decimal, draft, draft_with_line, fields, key, line, now, number, put, remove, settings, usd,
};

fn later() -> Timestamp {
    "2026-03-11T00:00:00Z".parse().expect("a moment")
}

fn applied(quote: &Quote, patch: &Patch) -> Quote {
    apply(quote, patch, later()).expect("taken").expect("a change")
}

fn refused(quote: &Quote, patch: &Patch) -> Error {
    apply(quote, patch, later()).expect_err("refused")
}

fn sent() -> Quote {
    let step = |quote: Quote, transition| {
        lifecycle::advance(&quote, transition, None, now(), &settings()).expect("allowed")
    };
    step(step(draft_with_line(), Transition::Submit), Transition::Send)
}

#[test]
fn a_new_line_is_priced_and_the_version_grows_by_one() {
    let before = draft_with_line();
    let patch = put(
        "L2",
        &[
            ("line.sku", Value::text("CAM")),
            ("line.quantity", number("3")),
            ("line.list_unit", usd("19.99")),
            ("line.discount_percent", number("10")),
        ],
    );
    let after = applied(&before, &patch);
    assert_eq!((after.version, after.updated_at), (before.version + 1, later()));
    assert_eq!(after.totals.net, Money::new(decimal("1053.97"), "USD"));
    assert_eq!(after.line(&key("L2")).expect("line").sequence, 20);
    let names = changed_fields(&before, &after);
    assert!(names.contains(&"lines[L2]".to_owned()), "{names:?}");
    assert!(names.contains(&"quote.net_total".to_owned()), "{names:?}");
}

#[test]
fn what_the_quote_already_says_is_no_change() {
    let quote = draft_with_line();
    for patch in [
        Patch::default(),
        put("L1", &[("line.quantity", number("10.000"))]),
        put("L1", &[("line.discount_percent", Value::Null)]),
        put("L1", &[("line.discount_percent", number("0"))]),
        fields(&[("quote.currency", Value::Choice("USD".into()))]),
        fields(&[("quote.name", Value::text(quote.name.as_str()))]),
        remove("L9"),
    ] {
        assert_eq!(apply(&quote, &patch, later()).expect("taken"), None, "{patch:?}");
    }
}

#[test]
fn a_discount_by_amount_survives_a_missing_percentage() {
    let mut quote = draft_with_line();
    let amount = put("L1", &[("line.discount_amount", usd("50"))]);
    quote = applied(&quote, &amount);
    let silent = put("L1", &[("line.discount_percent", Value::Null)]);
    assert_eq!(apply(&quote, &silent, later()).expect("taken"), None);
    quote = applied(&quote, &put("L1", &[("line.discount_percent", number("5"))]));
    assert_eq!(quote.lines[0].discount, Some(Discount::Percent(Decimal::from(5))));
}

#[test]
fn refusals_name_the_field_and_the_line() {
    let quote = draft_with_line();
    let long = Value::text("x".repeat(256));
    let header = [
        ("quote.status", Value::Choice("accepted".into())),
        ("quote.number", Value::text("Q-1")),
        ("quote.net_total", usd("1")),
        ("quote.is_primary", Value::Null),
        ("quote.name", Value::Null),
        ("quote.name", long.clone()),
        ("quote.valid_until", Value::text("tomorrow")),
        ("quote.currency", Value::Choice("EUR".into())),
        ("quote.header_discount_percent", number("101")),
        ("quote_record.status", Value::Choice("Accepted".into())),
        ("quote_record.key", Value::text("someone-elses")),
        ("quote_record.unheard_of", Value::text("x")),
        ("line.sku", Value::text("x")),
        ("nonsense", Value::text("x")),
        ("a b.c", Value::text("x")),
        ("account.name", Value::text("x".repeat(32_001))),
    ];
    for (field, value) in header {
        let error = refused(&quote, &fields(&[(field, value)]));
        assert_eq!(error.code, Code::CpqRejected, "{error}");
        assert_eq!(error.place.field.as_deref(), Some(field), "{error}");
        assert_eq!(error.place.record.as_deref(), Some("Q-2026-0001"), "{error}");
    }
    let lines = [
        ("line.quantity", Value::Null),
        ("line.quantity", Value::Bool(true)),
        ("line.list_unit", Value::Money(Money::new(Decimal::ONE, "EUR"))),
        ("line.net_total", usd("1")),
        ("line.colour", Value::text("red")),
        ("line.name", long),
        ("line.sequence", number("1.5")),
        ("line.quantity", number("-1")),
    ];
    for (field, value) in lines {
        let error = refused(&quote, &put("L1", &[(field, value)]));
        assert_eq!(error.place.field.as_deref(), Some(field), "{error}");
        assert_eq!(error.facts.expect("facts")["line"], "L1");
    }
}

#[test]
fn a_new_line_needs_quantity_price_and_a_name_of_some_kind() {
    let quote = draft("USD");
    let whole = [
        ("line.quantity", number("1")),
        ("line.list_unit", usd("1")),
        ("line.name", Value::text("Camera")),
    ];
    for missing in 0..whole.len() {
        let mut part = whole.to_vec();
        part.remove(missing);
        assert_eq!(
            refused(&quote, &put("N", &part)).code,
            Code::CpqRejected,
            "{part:?}"
        );
    }
    assert_eq!(applied(&quote, &put("N", &whole)).lines.len(), 1);
}

#[test]
fn the_currency_changes_only_without_lines() {
    let euro = fields(&[("quote.currency", Value::Choice("EUR".into()))]);
    assert_eq!(applied(&draft("USD"), &euro).totals.net, Money::zero("EUR"));
    assert!(
        refused(&draft_with_line(), &euro)
            .to_string()
            .contains("not converted")
    );
    let mut emptied = euro;
    emptied.lines = remove("L1").lines;
    assert_eq!(applied(&draft_with_line(), &emptied).currency, "EUR");
}

#[test]
fn the_limit_of_lines_is_a_clear_refusal() {
    let mut quote = draft("USD");
    quote.lines = (0..cpq_domain::limits::QUOTE_LINES)
        .map(|at| line(&format!("K{at}"), 0, "1", "1", None))
        .collect();
    let one_more = put(
        "ONE-MORE",
        &[
            ("line.sku", Value::text("A")),
            ("line.quantity", number("1")),
            ("line.list_unit", number("1")),
        ],
    );
    let error = refused(&quote, &one_more);
    assert!(error.to_string().contains("at most 5000 lines"), "{error}");
}

#[test]
fn texts_that_would_burst_the_stored_document_are_refused() {
    let mut patch = Patch::default();
    for at in 0..66 {
        let field = format!("account.note_{at}");
        patch
            .fields
            .insert(field.as_str().into(), Value::text("x".repeat(32_000)));
    }
    let error = refused(&draft("USD"), &patch);
    assert!(error.to_string().contains("2097152 bytes"), "{error}");
    patch.fields.pop_last();
    assert!(apply(&draft("USD"), &patch, later()).is_ok());
}

#[test]
fn after_draft_the_commercial_part_is_frozen_and_the_context_follows() {
    let quote = sent();
    for patch in [
        fields(&[("quote.name", Value::text("Other"))]),
        fields(&[("quote.valid_until", Value::Null)]),
        fields(&[("quote.header_discount_percent", number("5"))]),
        put("L1", &[("line.quantity", number("11"))]),
        remove("L1"),
    ] {
        let error = refused(&quote, &patch);
        assert_eq!(error.code, Code::QuoteNotEditable, "{error}");
        let facts = error.facts.expect("facts");
        assert_eq!(facts["status"], "sent");
        assert!(
            facts["allowed"]
                .as_array()
                .expect("a list")
                .contains(&"revise".into())
        );
    }
    let stage = fields(&[
        ("opportunity.stage", Value::Choice("Proposal".into())),
        ("quote.name", Value::text(quote.name.as_str())),
    ]);
    let after = applied(&quote, &stage);
    assert_eq!(changed_fields(&quote, &after), ["opportunity.stage"]);
    assert_eq!(after.totals, quote.totals);
    assert_eq!(apply(&after, &stage, later()).expect("taken"), None);
}

#[test]
fn the_record_in_the_crm_follows_from_the_quote_and_keeps_its_key_over_revisions() {
    let mut quote = sent();
    (quote.root_id, quote.revision) = (cpq_domain::id::QuoteId::new("root-1").expect("an id"), 2);
    let view = quote.view();
    assert_eq!(view.text("quote_record.key"), Some("root-1"));
    assert_eq!(view.text("quote_record.name"), Some(quote.name.as_str()));
    assert_eq!(
        view.get("quote_record.expiration_date"),
        view.get("quote.valid_until")
    );
    assert_eq!(view.text("quote_record.status"), Some("Presented"));
    quote.status = Status::Expired;
    assert_eq!(
        quote.view().get("quote_record.status"),
        None,
        "CRMs have no word for it"
    );
}

#[test]
fn a_superseded_revision_takes_nothing_at_all() {
    let mut quote = sent();
    quote.status = Status::Superseded;
    let error = refused(&quote, &fields(&[("account.name", Value::text("New"))]));
    assert_eq!(error.code, Code::QuoteSuperseded);
}

/// One random edit of a line, as a field of the patch.
fn any_edit() -> impl Strategy<Value = (usize, Option<Vec<(&'static str, Value)>>)> {
    let money = |n: i64, scale| Value::Number(Decimal::new(n, scale));
    let whole = (0_i64..100_000, 0_i64..9_000_000, 0_i64..=10_000).prop_map(move |(n, unit, points)| {
        Some(vec![
            ("line.sku", Value::text("S")),
            ("line.quantity", money(n, 2)),
            ("line.list_unit", money(unit, 4)),
            ("line.discount_percent", money(points, 2)),
        ])
    });
    let optional = any::<bool>().prop_map(|yes| Some(vec![("line.optional", Value::Bool(yes))]));
    (
        0_usize..5,
        prop_oneof![4 => whole, 1 => optional, 2 => Just(None)],
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn money_is_conserved_through_patches_and_versions_count_changes(
        edits in prop::collection::vec((any_edit(), 0_i64..=10_000), 1..12),
    ) {
        let mut quote = draft("USD");
        for ((at, change), header) in edits {
            let name = format!("L{at}");
            let mut patch = change.map_or_else(|| remove(&name), |list| put(&name, &list));
            patch.fields = fields(&[("quote.header_discount_percent", Value::Number(Decimal::new(header, 2)))]).fields;
            let before = quote.clone();
            match apply(&before, &patch, later()) {
                // `line.optional` alone makes no line.
                Err(error) => prop_assert_eq!(error.code, Code::CpqRejected),
                Ok(None) => {}
                Ok(Some(after)) => {
                    prop_assert_eq!(after.version, before.version + 1);
                    prop_assert!(!changed_fields(&before, &after).is_empty());
                    prop_assert_eq!(apply(&after, &patch, later()).expect("taken again"), None);
                    quote = after;
                }
            }
            let net: Decimal = quote.lines.iter().filter(|line| !line.optional).map(|line| line.totals.net).sum();
            prop_assert_eq!(net, quote.totals.net.amount);
        }
    }
}
