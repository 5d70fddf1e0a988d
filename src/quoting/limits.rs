//! Limits of a quote, each with its reason. Limits that other rooms share are in [`cpq_domain::limits`].

pub use cpq_domain::limits::{CONTEXT_CHARS, FIELD_NAME_CHARS};
use rust_decimal::Decimal;

/// Digits after the point of a quantity, unit price or percent. More than any CRM field of that kind stores.
pub const INPUT_SCALE: u32 = 6;
/// Quantities and unit prices stay below this: twelve digits before the point.
pub const INPUT_BELOW: Decimal = Decimal::from_parts(3_567_587_328, 232, 0, false, 0);
/// Amounts of a line and totals of a quote stay within plus and minus this. Up to here quantity times price is exact
/// in the 28 digits of a decimal, and a Salesforce currency field (16 digits before the point) can hold it.
pub const AMOUNT_MAX: Decimal = Decimal::from_parts(2_764_472_320, 232_830, 0, false, 0);
/// Context fields of a quote. An opportunity with account and contacts has a few dozen mapped fields.
pub const CONTEXT_FIELDS: usize = 500;
/// Entries of one multi-select value in the context (a Salesforce multi-select picklist holds 500 values).
pub const CONTEXT_CHOICES: usize = 500;
/// Bytes of all texts of a quote together. As JSON they grow up to sixfold, and a stored document ends at 16 MiB.
pub const TEXT_BYTES: usize = 2 * 1024 * 1024;
/// Characters of a SKU (`Product2.ProductCode` holds 255).
pub const SKU_CHARS: usize = 255;
/// Days for which an offer may hold: ten years, far more than any offer and far from the end of the calendar.
pub const VALIDITY_DAYS_MAX: i64 = 3_660;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_the_powers_of_ten_they_stand_for() {
        assert_eq!(INPUT_BELOW, Decimal::from(1_000_000_000_000_u64));
        assert_eq!(AMOUNT_MAX, Decimal::from(1_000_000_000_000_000_u64));
    }
}
