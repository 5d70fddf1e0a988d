//! The two systems with what lies between them, and the people who work in them.

use std::sync::{Arc, Mutex, MutexGuard};

use cpq_domain::adapter::{Author, CrmSnapshot};
use cpq_domain::id::{LineKey, OpportunityKey, RecordId};
use cpq_domain::ownership::Matrix;
use cpq_domain::quote::{Discount, OpportunityRef, Quote};
use cpq_domain::value::{Money, Value};
use cpq_domain::view::View;
use rust_decimal::Decimal;

use super::cpq::Cpq;
use super::crm::Crm;
use super::wire::{Fate, Wire};
use super::world::Clock;

/// The opportunity of most tests.
pub const NUMBER: &str = "OPP-4482";
/// Its line.
pub const LINE: &str = "line-1";
/// The matrix that the product comes with.
const MATRIX: &str = include_str!("../../../../../ownership.default.toml");

/// Everything outside our processes.
pub struct Land {
    pub clock: Arc<Clock>,
    crm: Mutex<Crm>,
    cpq: Mutex<Cpq>,
    wire: Mutex<Wire>,
    matrix: Mutex<Arc<Matrix>>,
}

/// What both systems hold of an opportunity, as far as people care.
#[derive(Debug, PartialEq)]
pub struct Facts {
    pub crm: View,
    pub cpq: View,
    pub quotes: usize,
}

impl Land {
    /// One opportunity with one line, and no quote.
    pub fn seeded(seed: u64) -> Arc<Land> {
        let land = Land {
            clock: Clock::seeded(seed),
            crm: Mutex::default(),
            cpq: Mutex::default(),
            wire: Mutex::default(),
            matrix: Mutex::new(Arc::new(Matrix::parse(MATRIX, "default").expect("it parses"))),
        };
        land.add(NUMBER);
        Arc::new(land)
    }

    pub fn add(&self, number: &str) {
        let id = number.replace('-', "");
        self.crm().add(CrmSnapshot {
            line_records: Default::default(),
            opportunity: OpportunityRef {
                system: "crm".into(),
                id: RecordId::new(id).expect("an id"),
                number: Some(key(number)),
            },
            view: view(),
            modified_at: self.clock.now() - jiff::SignedDuration::from_hours(1),
            modified_by: Some(Author {
                id: "005REP".into(),
                name: Some("Erin Rep".into()),
            }),
        });
    }

    /// Puts one rule in the place of those of its field.
    pub fn rule(&self, field: &str, owner: &str, policy: &str) {
        self.rules(&[(field, owner, policy)]);
    }

    /// Puts these rules in the place of those of their fields; all others are as the product comes with.
    pub fn rules(&self, rules: &[(&str, &str, &str)]) {
        let rule = |(field, owner, policy): &(&str, &str, &str)| {
            format!("[[rule]]\nfield = \"{field}\"\nowner = \"{owner}\"\npolicy = \"{policy}\"\n")
        };
        let replaced = |text: &str| {
            rules
                .iter()
                .any(|(field, ..)| text.contains(&format!("\"{field}\"")))
        };
        let others = MATRIX.split("[[rule]]\n").skip(1).filter(|text| !replaced(text));
        let text: String = rules.iter().map(rule).collect();
        let text = others.fold(text, |text, rule| format!("{text}[[rule]]\n{rule}"));
        *self.matrix.lock().expect("not poisoned") =
            Arc::new(Matrix::parse(&text, format!("with {rules:?}")).expect("it parses"));
    }

    pub fn matrix(&self) -> Arc<Matrix> {
        self.matrix.lock().expect("not poisoned").clone()
    }

    pub fn crm(&self) -> MutexGuard<'_, Crm> {
        self.crm.lock().expect("not poisoned")
    }

    pub fn cpq(&self) -> MutexGuard<'_, Cpq> {
        self.cpq.lock().expect("not poisoned")
    }

    pub fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().expect("not poisoned")
    }

    pub fn script<const N: usize>(&self, call: &'static str, fates: [Fate; N]) {
        self.wire().script(call, fates);
    }

    /// How often something was called.
    pub fn calls(&self, call: &str) -> usize {
        self.wire().calls().iter().filter(|made| **made == call).count()
    }

    /// Delivers what the network still holds.
    pub fn deliver_late(&self) {
        let late = std::mem::take(&mut self.wire().late);
        late.iter().for_each(|(_, apply)| apply(self));
    }

    /// A person at the CRM.
    pub fn rep(&self, field: &str, value: Value) {
        let (now, field) = (self.clock.now(), field.into());
        self.crm()
            .change(&key(NUMBER), now, |view| drop(view.fields.insert(field, value)));
    }

    /// A person at the CRM changes how many are wanted.
    pub fn rep_wants(&self, quantity: i64) {
        self.rep_sets("line.quantity", Value::Number(quantity.into()));
    }

    /// A person at the CRM changes the price of one, in dollars.
    pub fn rep_prices(&self, dollars: i64) {
        self.rep_sets("line.list_unit", Value::Money(Money::new(dollars.into(), "USD")));
    }

    /// The CRM shows a total of the line that we may write.
    pub fn shows_totals(&self) {
        self.rep_sets("line.net_total", Value::Null);
    }

    fn rep_sets(&self, field: &str, value: Value) {
        let line = LineKey::new(LINE).expect("a key");
        self.crm().change(&key(NUMBER), self.clock.now(), |view| {
            view.lines.entry(line).or_default().insert(field.into(), value);
        });
    }

    /// A person at the CPQ gives a discount on everything.
    pub fn seller_gives(&self, percent: i64) {
        let discount = Discount::Percent(percent.into());
        self.seller(|quote| quote.header_discount = Some(discount));
    }

    /// A person at the CPQ sets a field that the quote carries along.
    pub fn seller_sets(&self, field: &str, value: Value) {
        self.seller(|quote| drop(quote.context.insert(field.into(), value)));
    }

    pub fn seller(&self, change: impl FnOnce(&mut Quote)) {
        self.cpq().change(&key(NUMBER), self.clock.now(), change);
    }

    /// What is true now.
    pub fn facts(&self) -> Facts {
        let crm = self.crm().read(&key(NUMBER), false).expect("it is there").view;
        let quote = self.cpq().find(&key(NUMBER), false);
        Facts {
            crm,
            cpq: quote.map(|quote| quote.view()).unwrap_or_default(),
            quotes: self.cpq().quotes.len(),
        }
    }
}

fn key(number: &str) -> OpportunityKey {
    OpportunityKey::new(number).expect("a key")
}

fn view() -> View {
    let text = |text: &str| Value::text(text);
    let header = [
        ("account.name", text("Acme")),
        ("opportunity.name", text("Acme expansion")),
        ("opportunity.stage", Value::Choice("Proposal".into())),
        ("opportunity.description", Value::Null),
        ("quote.name", text("Acme expansion")),
        ("quote.currency", Value::Choice("USD".into())),
        ("quote.number", Value::Null),
        ("quote.status", Value::Null),
        ("quote.net_total", Value::Null),
    ];
    let line = [
        ("line.sku", text("SKU-1")),
        ("line.name", text("Seat")),
        ("line.quantity", Value::Number(10.into())),
        (
            "line.list_unit",
            Value::Money(Money::new(Decimal::from(25), "USD")),
        ),
    ];
    let fields = |pairs: &[(&str, Value)]| pairs.iter().map(|(n, v)| ((*n).into(), v.clone())).collect();
    View {
        fields: fields(&header),
        lines: [(LineKey::new(LINE).expect("a key"), fields(&line))].into(),
    }
}
