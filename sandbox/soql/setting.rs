//! What a query depends on besides its text.

use super::locale::Locale;
use crate::org::{Id, Org, Value};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::collections::BTreeMap;

/// The newest version, for callers that serve only one.
const NEWEST: u16 = 68;

/// Who asks, when, and under which rules.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The present, from which date literals count.
    pub now: Timestamp,
    /// Whether deleted rows are shown.
    pub all: bool,
    /// API version; older ones allow less.
    pub version: u16,
    /// The user, for USING SCOPE.
    pub user: Option<Id>,
    /// The user's time zone: days of date literals and of convertTimezone begin there.
    pub zone: TimeZone,
    /// The user's locale.
    pub locale: &'static Locale,
    /// The org's fiscal year.
    pub fiscal: Fiscal,
    /// The org's currencies.
    pub money: Money,
}

/// How the org counts fiscal years (Object Reference, Organization).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fiscal {
    /// Month in which the year begins, 1 to 12.
    pub start: i8,
    /// Whether a year is named after the calendar year in which it begins; otherwise, in which it ends.
    pub named_by_start: bool,
}

/// Currencies with their rates to the corporate one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Money {
    /// Code of the corporate currency.
    pub corporate: String,
    /// Units per unit of the corporate currency; empty in a single-currency org.
    pub rates: BTreeMap<String, Decimal>,
}

impl Money {
    /// An amount of this currency in the corporate one. Unknown currencies count as corporate.
    pub fn to_corporate(&self, amount: Decimal, code: &str) -> Decimal {
        let rate = self.rates.get(code).filter(|r| !r.is_zero());
        rate.and_then(|rate| amount.checked_div(*rate)).unwrap_or(amount)
    }

    /// Whether records carry a currency of their own.
    pub fn is_multiple(&self) -> bool {
        !self.rates.is_empty()
    }
}

impl Setting {
    /// A query of nobody in particular: UTC, en_US, calendar years, newest version.
    pub fn plain(now: Timestamp, all: bool) -> Setting {
        Setting {
            now,
            all,
            version: NEWEST,
            user: None,
            zone: TimeZone::UTC,
            locale: Locale::of("en_US"),
            fiscal: Fiscal {
                start: 1,
                named_by_start: false,
            },
            money: Money::default(),
        }
    }

    /// A query of this user in this org.
    pub fn of(org: &Org, user: Id, version: u16, now: Timestamp, all: bool) -> Setting {
        let person = org.user(&user.to_string());
        let zone = person.as_ref().and_then(|p| TimeZone::get(&p.time_zone).ok());
        Setting {
            version,
            user: Some(user),
            zone: zone.unwrap_or(TimeZone::UTC),
            locale: Locale::of(person.as_ref().map_or("", |p| p.locale.as_str())),
            fiscal: fiscal(org),
            money: money(org),
            ..Setting::plain(now, all)
        }
    }

    /// The user's calendar day.
    pub fn today(&self) -> Date {
        self.now.to_zoned(self.zone.clone()).date()
    }

    /// The instant at which this day begins for the user.
    pub fn midnight(&self, date: Date) -> Option<Timestamp> {
        date.to_zoned(self.zone.clone()).ok().map(|z| z.timestamp())
    }
}

fn fiscal(org: &Org) -> Fiscal {
    let schema = org.schema();
    let at = schema.position("Organization");
    let id = Id::parse(org.organization_id());
    let read = |name: &str| match (at, id) {
        (Some(at), Some(id)) => org.peek(at, id, name),
        _ => Value::Null,
    };
    let month = read("FiscalYearStartMonth").as_number();
    let month = month.and_then(|n| n.to_i8());
    Fiscal {
        start: month.filter(|m| (1..=12).contains(m)).unwrap_or(1),
        named_by_start: read("UsesStartDateAsFiscalYearName").is_true(),
    }
}

fn money(org: &Org) -> Money {
    let schema = org.schema();
    let mut rates = BTreeMap::new();
    if let Some(at) = schema.position("CurrencyType") {
        let object = schema.at(at);
        let (code, rate) = (object.position("IsoCode"), object.position("ConversionRate"));
        if let (Some(code), Some(rate)) = (code, rate) {
            for (_, row) in org.table(at).rows() {
                if let (Some(code), Some(rate)) = (row.values[code].as_text(), row.values[rate].as_number()) {
                    rates.insert(code.to_owned(), rate);
                }
            }
        }
    }
    Money {
        corporate: org.corporate_currency().to_owned(),
        rates,
    }
}
