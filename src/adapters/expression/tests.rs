use proptest::prelude::*;

use super::*;

fn eval(text: &str, value: &Node) -> Result<Node, String> {
    let row =
        Node::parse(br#"{"Amount": 19.99, "Account": {"Name": "Acme", "Industry": null}}"#).expect("JSON");
    let seen = Seen {
        value: dynamic(value),
        currency: "EUR",
        record: Some(&row),
    };
    Expression::compile(text, true)
        .map_err(|unclear| unclear.why)?
        .eval(seen)
}

fn number(text: &str) -> Node {
    Node::Number(text.parse().expect("a number"))
}

#[test]
fn numbers_are_exact_and_other_fields_are_seen() {
    assert_eq!(eval("value * 100", &number("19.99")), Ok(number("1999")));
    assert_eq!(
        eval("(value / 100).round_half_up(4)", &number("12.345")),
        Ok(number("0.1235"))
    );
    assert_eq!(eval("record.Amount + value", &number("0.01")), Ok(number("20")));
    assert_eq!(
        eval("record.Account.Name.to_upper()", &Node::Null),
        Ok(Node::Text("ACME".into()))
    );
    assert_eq!(
        eval("record.Account.Industry ?? \"none\"", &Node::Null),
        Ok(Node::Text("none".into()))
    );
    assert_eq!(
        eval("if value > 10 { \"big\" } else { currency }", &number("3")),
        Ok(Node::Text("EUR".into()))
    );
}

#[test]
fn what_cannot_be_meant_is_refused_before_any_value_is_there() {
    for (text, at) in [
        ("valu * 2", 0),
        ("value +", 7),
        ("value.halve()", 6),
        ("let x = 1; x", 0),
        ("while true {}", 0),
        ("eval(\"1\")", 0),
        ("print(value)", 0),
        ("sleep(10)", 0),
        ("record[\"Amount\"]", 0),
        ("value\n  + foo", 10),
    ] {
        let unclear = Expression::compile(text, true).expect_err(text);
        assert_eq!(unclear.at, at, "{text}: {unclear:?}");
    }
    let unclear = Expression::compile("record.Amount", false).expect_err("no record");
    assert!(unclear.why.contains("only its value is known"), "{unclear:?}");
    assert!(Expression::compile(&"(".repeat(1_500), true).is_err());
    assert!(Expression::compile(&format!("value{}", " + 1".repeat(200)), true).is_err());
}

#[test]
fn a_failure_names_expression_and_value() {
    let why = eval("value / 0", &number("2")).expect_err("no number");
    assert_eq!(why, "`value / 0` fails for 2: Division by zero: 2 / 0");
    assert!(
        eval("record.Nope", &Node::Null)
            .expect_err("no field")
            .contains("the row has no Nope")
    );
    assert!(eval("\"a\".pad(10000000, 'x')", &Node::Null).is_err());
}

proptest! {
    #[test]
    fn no_text_breaks_the_compiler(text in "[ -~]{0,60}") {
        let _ = Expression::compile(&text, true);
    }
}
