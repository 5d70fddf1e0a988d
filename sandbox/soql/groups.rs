//! Running a grouped query.

use super::aggregate::{Aggregation, Column, Function, Having, Total};
use super::ast::Grouping;
use super::calendar::DatePart;
use super::plan::Plan;
use super::setting::Setting;
use super::sorting::{directed, ranked};
use crate::org::{ApiError, Org, Row, Value};
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json, json};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Most groups one answer may hold; grouped queries cannot page (SOQL and SOSL Reference, Considerations for GROUP BY).
pub const GROUP_LIMIT: usize = 2_000;

/// A value that sorts as the wire does, subtotals after the values they sum up.
#[derive(Debug, Clone)]
struct Part {
    subtotal: bool,
    value: Value,
}

impl Ord for Part {
    fn cmp(&self, other: &Part) -> Ordering {
        self.subtotal
            .cmp(&other.subtotal)
            .then_with(|| self.value.order(&other.value))
    }
}

impl PartialOrd for Part {
    fn partial_cmp(&self, other: &Part) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Part {
    fn eq(&self, other: &Part) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Part {}

/// What a total has seen so far.
#[derive(Debug, Clone, Default)]
struct Seen {
    count: u64,
    /// None once it left the range of decimals.
    sum: Option<Decimal>,
    least: Option<Value>,
    most: Option<Value>,
    distinct: BTreeSet<Part>,
}

type Groups = BTreeMap<Vec<Part>, Vec<Seen>>;

impl Aggregation {
    /// The answer's rows.
    ///
    /// # Errors
    /// EXCEEDED_ID_LIMIT when there are more groups than one answer holds, QUERY_TOO_COMPLICATED.
    pub fn run(&self, org: &Org, plan: &Plan, setting: &Setting) -> Result<Vec<Json>, ApiError> {
        let mut groups = Groups::new();
        let masks = self.masks();
        plan.each(org, |row| {
            let values: Vec<Value> = self
                .group
                .iter()
                .map(|g| g.value(org, row).into_owned())
                .collect();
            for mask in &masks {
                self.take_in(&mut groups, *mask, &values, org, row);
            }
        })?;
        if self.group.is_empty() && groups.is_empty() {
            groups.insert(Vec::new(), vec![Seen::start(); self.totals.len()]);
        }
        let mut kept: Vec<(&Vec<Part>, &Vec<Seen>)> = groups
            .iter()
            .filter(|group| {
                self.having
                    .as_ref()
                    .is_none_or(|h| self.holds(h, *group, setting))
            })
            .collect();
        kept.sort_by(|a, b| self.compare(*a, *b, setting));
        let limit = plan.limit.unwrap_or(usize::MAX);
        let page: Vec<_> = kept.into_iter().skip(plan.offset).take(limit).collect();
        if page.len() > GROUP_LIMIT {
            let message = "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch";
            return Err(ApiError::bad("EXCEEDED_ID_LIMIT", message));
        }
        Ok(page.into_iter().map(|group| self.shown(group, setting)).collect())
    }

    /// Which grouped values are summed over, as bits; one entry for each kind of group.
    fn masks(&self) -> Vec<u32> {
        let width = self.group.len();
        match self.grouping {
            Grouping::Plain => vec![0],
            // From right to left: none, the last, the last two …
            Grouping::Rollup => (0..=width).map(|n| ((1_u32 << n) - 1) << (width - n)).collect(),
            Grouping::Cube => (0..1 << width).collect(),
        }
    }

    fn take_in(&self, groups: &mut Groups, mask: u32, values: &[Value], org: &Org, row: &Row) {
        let part = |(n, value): (usize, &Value)| {
            // Only up to three values have subtotals, but any number can be grouped.
            let subtotal = n < 32 && mask >> n & 1 == 1;
            Part {
                subtotal,
                value: if subtotal { Value::Null } else { value.clone() },
            }
        };
        let key = values.iter().enumerate().map(part).collect();
        let seen = groups
            .entry(key)
            .or_insert_with(|| vec![Seen::start(); self.totals.len()]);
        for (total, seen) in self.totals.iter().zip(seen) {
            match &total.scalar {
                None => seen.count += 1,
                Some(scalar) => seen.take_in(total, &scalar.value(org, row)),
            }
        }
    }

    fn shown(&self, group: (&Vec<Part>, &Vec<Seen>), setting: &Setting) -> Json {
        let mut out = Map::new();
        out.insert("attributes".into(), json!({"type": "AggregateResult"}));
        for shown in &self.columns {
            let value = self.value(&shown.column, group, setting);
            let json = match &shown.format {
                Some(format) => format.total(&value, shown.kind),
                None => value.to_json(shown.kind),
            };
            out.insert(shown.name.clone(), json);
        }
        Json::Object(out)
    }

    fn value(&self, column: &Column, (key, seen): (&Vec<Part>, &Vec<Seen>), setting: &Setting) -> Value {
        match column {
            Column::Group(n) => key[*n].value.clone(),
            Column::DateOf(part, n) => DatePart::of(*part, &key[*n].value, &TimeZone::UTC, setting.fiscal),
            Column::Subtotal(n) => Value::Number(Decimal::from(u8::from(key[*n].subtotal))),
            Column::Total(n) => seen[*n].result(self.totals[*n].function),
        }
    }

    fn holds(&self, having: &Having, group: (&Vec<Part>, &Vec<Seen>), setting: &Setting) -> bool {
        match having {
            Having::All(all) => all.iter().all(|h| self.holds(h, group, setting)),
            Having::Any(all) => all.iter().any(|h| self.holds(h, group, setting)),
            Having::Not(inner) => !self.holds(inner, group, setting),
            Having::Test(column, test) => test.holds(&self.value(column, group, setting)),
        }
    }

    fn compare(
        &self,
        a: (&Vec<Part>, &Vec<Seen>),
        b: (&Vec<Part>, &Vec<Seen>),
        setting: &Setting,
    ) -> Ordering {
        let each = self.order.iter().map(|sort| {
            let (x, y) = (
                self.value(&sort.column, a, setting),
                self.value(&sort.column, b, setting),
            );
            directed(&x, &y, sort.descending, sort.nulls_last, &sort.ranks)
        });
        each.fold(Ordering::Equal, Ordering::then)
    }
}

impl Seen {
    fn start() -> Seen {
        Seen {
            sum: Some(Decimal::ZERO),
            ..Seen::default()
        }
    }

    fn take_in(&mut self, total: &Total, value: &Value) {
        if value.is_null() {
            return;
        }
        self.count += 1;
        match total.function {
            Function::Count => {}
            Function::CountDistinct => {
                self.distinct.insert(Part {
                    subtotal: false,
                    value: value.clone(),
                });
            }
            Function::Sum | Function::Avg => {
                let number = value.as_number().unwrap_or_default();
                self.sum = self.sum.and_then(|sum| sum.checked_add(number));
            }
            Function::Min => {
                let less = |least: &Value| ranked(value, least, &total.ranks) == Ordering::Less;
                if self.least.as_ref().is_none_or(less) {
                    self.least = Some(value.clone());
                }
            }
            Function::Max => {
                let more = |most: &Value| ranked(value, most, &total.ranks) == Ordering::Greater;
                if self.most.as_ref().is_none_or(more) {
                    self.most = Some(value.clone());
                }
            }
        }
    }

    fn result(&self, function: Function) -> Value {
        let number = |n: Option<Decimal>| n.filter(|_| self.count > 0).map_or(Value::Null, Value::Number);
        match function {
            Function::Count => Value::Number(Decimal::from(self.count)),
            Function::CountDistinct => Value::Number(Decimal::from(self.distinct.len())),
            Function::Sum => number(self.sum),
            Function::Avg => number(
                self.sum
                    .and_then(|sum| sum.checked_div(Decimal::from(self.count))),
            ),
            Function::Min => self.least.clone().unwrap_or(Value::Null),
            Function::Max => self.most.clone().unwrap_or(Value::Null),
        }
    }
}
