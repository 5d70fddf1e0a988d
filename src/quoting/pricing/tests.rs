use cpq_domain::Code;
use proptest::prelude::*;

use super::*;
use crate::samples::{decimal, draft, key, line};

fn percent(points: &str) -> Option<Discount> {
    Some(Discount::Percent(decimal(points)))
}

fn off(amount: &str) -> Option<Discount> {
    Some(Discount::Amount(decimal(amount)))
}

fn priced(currency: &str, header: Option<Discount>, lines: Vec<Line>) -> Quote {
    let mut quote = draft(currency);
    quote.header_discount = header;
    quote.lines = lines;
    price(&mut quote).expect("priced");
    quote
}

fn nets(quote: &Quote) -> Vec<String> {
    quote
        .lines
        .iter()
        .map(|line| line.totals.net.to_string())
        .collect()
}

#[test]
fn a_third_each_adds_up_to_the_last_cent() {
    let thirds = ["A", "B", "C"].map(|name| line(name, 0, "1", "33.34", None));
    let quote = priced("USD", off("0.02"), thirds.to_vec());
    // Two cents over three equal lines: the first two keys bear one each.
    assert_eq!(nets(&quote), ["33.33", "33.33", "33.34"]);
    let mut backwards = quote.clone();
    for (place, line) in backwards.lines.iter_mut().rev().enumerate() {
        line.sequence = i32::try_from(place).expect("small");
    }
    price(&mut backwards).expect("priced");
    // Moving lines about on paper moves no money between them.
    assert_eq!(nets(&backwards), ["33.34", "33.33", "33.33"]);
    assert_eq!(quote.totals.net.amount, decimal("100.00"));
    assert_eq!(quote.totals.header_discount.amount, decimal("0.02"));
}

#[test]
fn the_total_of_a_line_is_rounded_once_half_away_from_zero() {
    let lines = vec![
        line("A", 1, "3", "0.335", None),
        line("B", 2, "1", "-0.125", None),
        line("C", 3, "0.5", "0.01", percent("50")),
    ];
    let quote = priced("USD", None, lines);
    assert_eq!(nets(&quote), ["1.01", "-0.13", "0.00"]);
}

#[test]
fn yen_have_no_decimals_and_dinars_three() {
    let one = |currency| priced(currency, percent("10"), vec![line("A", 1, "3", "33.3335", None)]);
    assert_eq!(nets(&one("JPY")), ["90"]);
    assert_eq!(nets(&one("KWD")), ["90.001"]);
    assert_eq!(nets(&one("USD")), ["90.00"]);
}

#[test]
fn an_optional_line_is_priced_but_not_counted() {
    let mut extra = line("X", 2, "1", "50", percent("10"));
    extra.optional = true;
    let quote = priced("USD", percent("10"), vec![line("A", 1, "1", "100", None), extra]);
    assert_eq!(quote.totals.net.amount, decimal("90"));
    assert_eq!(quote.totals.optional_net.amount, decimal("45"));
    assert_eq!(
        quote.line(&key("X")).expect("line").totals.header_share,
        Decimal::ZERO
    );
}

#[test]
fn a_discount_larger_than_the_price_leaves_nothing_and_no_credit() {
    let quote = priced("USD", off("500"), vec![line("A", 1, "1", "100", off("70"))]);
    assert_eq!(quote.totals.net.amount, Decimal::ZERO);
    assert_eq!(quote.totals.header_discount.amount, decimal("30"));
    assert_eq!(quote.totals.discount_percent.to_string(), "100.00");
}

#[test]
fn a_credit_shrinks_in_the_same_proportion() {
    let lines = vec![
        line("A", 1, "1", "100", None),
        line("B", 2, "1", "-40", percent("50")),
    ];
    let quote = priced("USD", percent("10"), lines);
    assert_eq!(nets(&quote), ["90.00", "-18.00"]);
    assert_eq!(quote.totals.net.amount, decimal("72"));
}

#[test]
fn a_credit_line_cannot_hide_a_discount_from_the_approver() {
    let lines = vec![
        line("A", 1, "1", "100", percent("50")),
        line("B", 2, "1", "-200", None),
    ];
    let quote = priced("USD", None, lines);
    assert!(quote.totals.discount_percent < Decimal::ZERO);
    assert_eq!(discount_given(&quote), decimal("16.67"));
}

#[test]
fn a_value_out_of_range_is_refused_with_its_line_and_field() {
    let cases = [
        (line("A", 1, "-1", "5", None), "line.quantity"),
        (line("A", 1, "1000000000000", "5", None), "line.quantity"),
        (line("A", 1, "1", "0.0000001", None), "line.list_unit"),
        (
            line("A", 1, "999999999999", "999999999999", None),
            "line.list_unit",
        ),
        (line("A", 1, "1", "5", percent("100.1")), "line.discount_percent"),
        (line("A", 1, "1", "5", percent("-1")), "line.discount_percent"),
        (line("A", 1, "1", "5", off("-1")), "line.discount_amount"),
    ];
    for (bad, field) in cases {
        let mut quote = draft("USD");
        quote.lines = vec![line("OK", 1, "1", "1", None), bad];
        let error = price(&mut quote).expect_err(field);
        assert_eq!(error.code, Code::CpqRejected, "{error}");
        assert_eq!(error.place.field.as_deref(), Some(field), "{error}");
        assert_eq!(error.facts.expect("facts")["line"], "A");
    }
}

#[test]
fn the_largest_line_is_named_when_the_sum_is_too_large() {
    let mut quote = draft("CLF");
    quote.lines = ["A", "B", "C"]
        .map(|name| line(name, 1, "1000", "400000000000", None))
        .to_vec();
    quote.lines[1].quantity = decimal("1001");
    let error = price(&mut quote).expect_err("too large");
    assert_eq!(error.facts.expect("facts")["line"], "B");
}

#[test]
fn the_largest_amounts_in_the_finest_unit_are_shared_exactly() {
    let lines = vec![
        line("A", 1, "1000", "999999999998", None),
        line("B", 2, "1", "1999999999.9997", None),
    ];
    for header in [percent("33.333333"), off("999999999999999.9999")] {
        let quote = priced("CLF", header, lines[..1].to_vec());
        assert_eq!(quote.totals.net.amount, quote.lines[0].totals.net);
    }
    assert!(
        price(&mut Quote {
            lines,
            ..draft("CLF")
        })
        .is_err()
    );
}

#[test]
fn a_key_that_appears_twice_is_refused() {
    let mut quote = draft("USD");
    quote.lines = vec![line("A", 1, "1", "1", None), line("A", 2, "1", "1", None)];
    assert_eq!(
        price(&mut quote).expect_err("twice").place.field.as_deref(),
        Some("line.key")
    );
}

fn any_discount() -> impl Strategy<Value = Option<Discount>> {
    prop_oneof![
        2 => Just(None),
        3 => (0_i64..=100_000_000, 0_u32..=6).prop_map(|(points, cut)| {
            let points = Decimal::new(points, 6).round_dp(cut);
            Some(Discount::Percent(points))
        }),
        1 => (0_i64..=2_000_000, 0_u32..=5).prop_map(|(size, scale)| Some(Discount::Amount(Decimal::new(size, scale)))),
    ]
}

fn any_line() -> impl Strategy<Value = Line> {
    let quantity = (0_i64..5_000_000, 0_u32..=6).prop_map(|(n, scale)| Decimal::new(n, scale));
    let unit = prop_oneof![
        6 => (0_i64..90_000_000, 0_u32..=6),
        1 => (-90_000_000_i64..0, 0_u32..=6),
    ]
    .prop_map(|(n, scale)| Decimal::new(n, scale));
    (
        quantity,
        unit,
        any_discount(),
        prop::bool::weighted(0.15),
        0_i32..4,
    )
        .prop_map(|(quantity, list_unit, discount, optional, sequence)| Line {
            quantity,
            list_unit,
            optional,
            ..line("any", sequence, "0", "0", discount)
        })
}

prop_compose! {
    fn any_quote()(
        currency in prop::sample::select(vec!["JPY", "USD", "KWD", "CLF"]),
        header in any_discount(),
        lines in prop::collection::vec(any_line(), 0..9),
    ) -> Quote {
        let mut quote = draft(currency);
        quote.header_discount = header;
        quote.lines = lines;
        for (at, line) in quote.lines.iter_mut().enumerate() {
            line.line_key = key(&format!("L{at}"));
        }
        quote
    }
}

/// Quote and the same with its lines in another order.
fn shuffled() -> impl Strategy<Value = (Quote, Quote)> {
    any_quote().prop_flat_map(|quote| {
        let lines = Just(quote.lines.clone()).prop_shuffle();
        (Just(quote.clone()), lines).prop_map(|(quote, lines)| {
            let other = Quote {
                lines,
                ..quote.clone()
            };
            (quote, other)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_minor_unit_appears_or_vanishes(mut quote in any_quote()) {
        price(&mut quote).expect("in range");
        let digits = minor_unit(&quote.currency);
        let counted = || quote.lines.iter().filter(|line| !line.optional);
        let sum = |of: fn(&LineTotals) -> Decimal| counted().map(|line| of(&line.totals)).sum::<Decimal>();
        let totals = &quote.totals;
        prop_assert_eq!(sum(|t| t.list), totals.list.amount);
        prop_assert_eq!(sum(|t| t.discount), totals.line_discount.amount);
        prop_assert_eq!(sum(|t| t.header_share), totals.header_discount.amount);
        prop_assert_eq!(sum(|t| t.net), totals.net.amount);
        prop_assert_eq!(totals.list.amount - totals.line_discount.amount - totals.header_discount.amount, totals.net.amount);
        for line in &quote.lines {
            let t = &line.totals;
            prop_assert_eq!(t.list - t.discount - t.header_share, t.net);
            prop_assert_eq!(t.net.scale(), digits);
            prop_assert!(t.net.abs() <= t.list.abs(), "{:?}", t);
            prop_assert!(t.net.is_zero() || t.net.is_sign_negative() == t.list.is_sign_negative());
        }
    }

    #[test]
    fn the_header_discount_is_what_was_asked_for(mut quote in any_quote()) {
        price(&mut quote).expect("in range");
        let base = quote.totals.list.amount - quote.totals.line_discount.amount;
        let digits = minor_unit(&quote.currency);
        let asked = match &quote.header_discount {
            None => Decimal::ZERO,
            Some(Discount::Percent(points)) => round(base * points / Decimal::ONE_HUNDRED, digits),
            Some(Discount::Amount(off)) => {
                let size = round(*off, digits).min(base.abs());
                if base.is_sign_negative() { -size } else { size }
            }
        };
        prop_assert_eq!(quote.totals.header_discount.amount, asked);
    }

    #[test]
    fn each_share_is_within_one_minor_unit_of_its_ideal(mut quote in any_quote()) {
        price(&mut quote).expect("in range");
        if let Some(Discount::Percent(points)) = quote.header_discount {
            let unit = Decimal::new(1, minor_unit(&quote.currency));
            for line in quote.lines.iter().filter(|line| !line.optional) {
                let base = line.totals.list - line.totals.discount;
                let ideal = base * points / Decimal::ONE_HUNDRED;
                prop_assert!((line.totals.header_share - ideal).abs() < unit);
            }
        }
    }

    #[test]
    fn the_order_of_lines_does_not_matter((mut quote, mut other) in shuffled()) {
        price(&mut quote).expect("in range");
        price(&mut other).expect("in range");
        prop_assert_eq!(quote, other);
    }

    #[test]
    fn pricing_again_changes_nothing(mut quote in any_quote()) {
        price(&mut quote).expect("in range");
        let once = serde_json::to_string(&quote).expect("JSON");
        price(&mut quote).expect("in range");
        prop_assert_eq!(serde_json::to_string(&quote).expect("JSON"), once);
    }

    #[test]
    fn no_input_makes_it_panic(
        mut quote in any_quote(),
        extremes in prop::collection::vec((any::<[u8; 16]>(), any::<[u8; 16]>(), any::<[u8; 16]>()), 0..4),
    ) {
        for (at, (quantity, unit, discount)) in extremes.into_iter().enumerate() {
            let wild = |bytes: [u8; 16]| {
                let mut number = Decimal::deserialize(bytes);
                // Deserialising takes any scale; only the 29 real ones can come out of a parser.
                let _ = number.set_scale(u32::from(bytes[1]) % 29);
                number
            };
            quote.lines.push(Line {
                quantity: wild(quantity),
                list_unit: wild(unit),
                discount: Some(Discount::Amount(wild(discount))),
                ..line(&format!("W{at}"), 0, "0", "0", None)
            });
        }
        let _ = price(&mut quote);
    }
}
