//! Completeness certificates: for each object and hour, that both sides hold the same records with the same values,
//! or that they do not.

use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

/// What a certificate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CertificateObject))]
#[serde(rename_all = "snake_case")]
pub enum Object {
    /// Opportunities against quotes, with the header fields of both.
    Opportunity,
    /// The CRM's records of quotes against quotes.
    QuoteRecord,
    /// Products of the opportunity against lines of the quote.
    QuoteLines,
}

impl Object {
    /// All of them.
    pub const ALL: [Object; 3] = [Object::Opportunity, Object::QuoteRecord, Object::QuoteLines];

    /// The name in the store and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Object::Opportunity => "opportunity",
            Object::QuoteRecord => "quote_record",
            Object::QuoteLines => "quote_lines",
        }
    }
}

/// What a certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CertificateVerdict))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every record of the hour is on both sides with the same values.
    Green,
    /// At least one differs.
    Red,
    /// None was seen to differ, but a sync of at least one was still under way.
    Open,
}

impl Verdict {
    /// The name in the store and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Green => "green",
            Verdict::Red => "red",
            Verdict::Open => "open",
        }
    }
}

/// Counts and checksums of some records. They add up, and one record's part can be taken out again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Records in the CRM.
    pub crm_count: i64,
    /// Records in the CPQ.
    pub cpq_count: i64,
    /// Sum, modulo 2^128, of one strong hash a record over its closed fields in canonical form, as the CRM holds them.
    /// A sum does not depend on the order of records.
    pub crm_sum: u128,
    /// The same over what the CPQ holds.
    pub cpq_sum: u128,
    /// Records that differ.
    pub differing: i64,
    /// Records that were not judged, because a sync of theirs was under way.
    pub in_flight: i64,
    /// Opportunities that take no part: without products or account, and without a quote.
    pub excluded: i64,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Tally) -> Tally {
        Tally {
            crm_count: self.crm_count + other.crm_count,
            cpq_count: self.cpq_count + other.cpq_count,
            crm_sum: self.crm_sum.wrapping_add(other.crm_sum),
            cpq_sum: self.cpq_sum.wrapping_add(other.cpq_sum),
            differing: self.differing + other.differing,
            in_flight: self.in_flight + other.in_flight,
            excluded: self.excluded + other.excluded,
        }
    }

    /// Without the part that was added before.
    #[must_use]
    pub fn minus(self, other: Tally) -> Tally {
        Tally {
            crm_count: self.crm_count - other.crm_count,
            cpq_count: self.cpq_count - other.cpq_count,
            crm_sum: self.crm_sum.wrapping_sub(other.crm_sum),
            cpq_sum: self.cpq_sum.wrapping_sub(other.cpq_sum),
            differing: self.differing - other.differing,
            in_flight: self.in_flight - other.in_flight,
            excluded: self.excluded - other.excluded,
        }
    }

    /// What a certificate of these says. Two witnesses must agree on green: the verdicts of the resolver, and counts and
    /// checksums, which know nothing of it.
    pub fn verdict(&self) -> Verdict {
        let same = self.crm_count == self.cpq_count && self.crm_sum == self.cpq_sum;
        match (self.differing == 0 && same, self.in_flight == 0) {
            (false, _) => Verdict::Red,
            (true, false) => Verdict::Open,
            (true, true) => Verdict::Green,
        }
    }

    /// Whether nothing is left in it.
    pub fn is_empty(&self) -> bool {
        *self == Tally::default()
    }
}

/// The whole hour (UTC) that a moment lies in, as its first moment.
pub fn hour_of(moment: Timestamp) -> Timestamp {
    let second = moment.as_second();
    Timestamp::from_second(second - second.rem_euclid(3_600)).unwrap_or(moment)
}

/// The first moment after that hour.
pub fn hour_end(hour: Timestamp) -> Timestamp {
    hour.checked_add(1.hour()).unwrap_or(hour)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(count: i64, sum: u128) -> Tally {
        Tally {
            crm_count: count,
            cpq_count: count,
            crm_sum: sum,
            cpq_sum: sum,
            ..Tally::default()
        }
    }

    #[test]
    fn each_witness_alone_keeps_an_hour_from_being_green() {
        assert_eq!(same(3, 7).verdict(), Verdict::Green);
        let differing = Tally {
            differing: 1,
            ..same(3, 7)
        };
        let fewer = Tally {
            cpq_count: 2,
            ..same(3, 7)
        };
        let other = Tally {
            cpq_sum: 8,
            ..same(3, 7)
        };
        for red in [differing, fewer, other] {
            assert_eq!(red.verdict(), Verdict::Red, "{red:?}");
        }
        let open = Tally {
            in_flight: 1,
            ..same(3, 7)
        };
        assert_eq!(open.verdict(), Verdict::Open);
    }

    #[test]
    fn what_was_added_can_be_taken_out_again() {
        let (all, one) = (same(5, u128::MAX - 3), same(1, 9));
        assert_eq!(all.plus(one).minus(one), all);
        assert!(one.minus(one).is_empty());
    }

    #[test]
    fn an_hour_begins_on_the_hour_before_1970_too() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a moment");
        assert_eq!(hour_of(at("2026-11-26T03:59:59.9Z")), at("2026-11-26T03:00:00Z"));
        assert_eq!(hour_of(at("1969-12-31T23:30:00Z")), at("1969-12-31T23:00:00Z"));
        assert_eq!(hour_end(at("2026-11-26T03:00:00Z")), at("2026-11-26T04:00:00Z"));
    }
}
