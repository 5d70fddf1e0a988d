//! Values as XML text, in the lexical forms of XML Schema that Salesforce's SOAP answers use.

use crate::org::Value;
use crate::schema::Kind;
use jiff::Timestamp;
use rust_decimal::Decimal;

/// A value as the text of an element, not yet escaped; none for null, whose element is left out.
pub fn of(value: &Value, kind: Kind) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => flag.to_string(),
        Value::Text(text) => text.as_ref().to_owned(),
        Value::Number(number) if kind == Kind::Int => number.trunc().normalize().to_string(),
        Value::Number(number) => double(*number),
        Value::Date(date) => date.to_string(),
        Value::DateTime(at) => instant(*at),
        Value::Id(id) => id.to_string(),
    })
}

/// `xsd:double` as Java writes it: `1234567.0`, and from eight digits on `1.2345678E7` (Salesforce Help, "Why do I see
/// exponential values for custom number field?").
fn double(number: Decimal) -> String {
    let value = number.normalize().to_string().parse::<f64>().unwrap_or_default();
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

/// `2026-11-22T10:00:00.000Z`.
fn instant(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::UTC)
        .strftime("%Y-%m-%dT%H:%M:%S.000Z")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_java_writes_doubles() {
        for (number, text) in [
            ("0", "0.0"),
            ("120000", "120000.0"),
            ("-7.5", "-7.5"),
            ("1234567.00", "1234567.0"),
            ("9999999.99", "9999999.99"),
            ("10000000", "1.0E7"),
            ("12345678", "1.2345678E7"),
            ("-139000000.25", "-1.3900000025E8"),
            ("0.001", "0.001"),
            ("0.0001", "1.0E-4"),
        ] {
            assert_eq!(double(number.parse().unwrap()), text);
        }
        let whole = Value::Number("840".parse().unwrap());
        assert_eq!(of(&whole, Kind::Int).as_deref(), Some("840"));
    }

    #[test]
    fn instants_are_in_utc_with_milliseconds() {
        assert_eq!(
            instant("2026-09-08T23:40:33Z".parse().unwrap()),
            "2026-09-08T23:40:33.000Z"
        );
    }
}
