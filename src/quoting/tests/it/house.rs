//! A CPQ on a store of its own, in a world whose clock stands until it is moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use cpq_domain::id::{ClientId, CorrelationId, IdempotencyKey, LineKey, RecordId};
use cpq_domain::keyed::Keyed;
use cpq_domain::quote::OpportunityRef;
use cpq_domain::value::{Money, Value};
use cpq_domain::view::{Fields, LineChange, Patch};
use cpq_domain::world::World;
use cpq_quoting::{EmbeddedCpq, QuotingSettings};
use cpq_store::{Store, StoreOptions};
use jiff::Timestamp;

pub struct StillWorld {
    seconds: AtomicI64,
    drawn: AtomicU64,
}

impl StillWorld {
    pub fn at(moment: &str) -> Arc<StillWorld> {
        let moment: Timestamp = moment.parse().expect("a moment");
        Arc::new(StillWorld {
            seconds: AtomicI64::new(moment.as_second()),
            drawn: AtomicU64::new(1),
        })
    }

    pub fn pass_days(&self, days: i64) {
        self.seconds.fetch_add(days * 86_400, Ordering::SeqCst);
    }
}

impl World for StillWorld {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.seconds.load(Ordering::SeqCst)).expect("in range")
    }

    fn monotonic_us(&self) -> u64 {
        0
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        // Never the same twice is all that identifiers need here.
        let drawn = self.drawn.fetch_add(1, Ordering::SeqCst).to_le_bytes();
        bytes
            .iter_mut()
            .zip(drawn.iter().cycle())
            .for_each(|(byte, drawn)| *byte = *drawn);
    }
}

pub struct House {
    pub cpq: EmbeddedCpq,
    pub store: Store,
    pub world: Arc<StillWorld>,
    _directory: tempfile::TempDir,
}

/// A CPQ on a store in a file, at noon of 10 March 2026.
pub async fn house() -> House {
    let directory = tempfile::tempdir().expect("a directory");
    let options = StoreOptions::at(directory.path().join("cpq.db"));
    let store = Store::open(options).await.expect("a store");
    on(store, directory)
}

/// The same in memory, for many short lives.
pub async fn light_house() -> House {
    let store = Store::open(StoreOptions::memory()).await.expect("a store");
    on(store, tempfile::tempdir().expect("a directory"))
}

fn on(store: Store, directory: tempfile::TempDir) -> House {
    let world = StillWorld::at("2026-03-10T12:00:00Z");
    let cpq = EmbeddedCpq::new(store.clone(), world.clone(), QuotingSettings::default()).expect("a CPQ");
    House {
        cpq,
        store,
        world,
        _directory: directory,
    }
}

pub fn by() -> CorrelationId {
    CorrelationId::new("csync-001").expect("an id")
}

pub fn keyed(key: &str, request: u8) -> Keyed {
    Keyed {
        client: ClientId::new("tests").expect("a client"),
        key: IdempotencyKey::new(key).expect("a key"),
        fingerprint: [request; 32],
    }
}

pub fn opportunity(number: usize) -> OpportunityRef {
    OpportunityRef {
        system: "crm".into(),
        id: RecordId::new(format!("006{number:012}AAA")).expect("an id"),
        number: cpq_domain::id::OpportunityKey::new(format!("OPP-{number}")).ok(),
    }
}

pub fn number(text: &str) -> Value {
    Value::Number(text.parse().expect("a number"))
}

pub fn fields(list: &[(&str, Value)]) -> Patch {
    Patch {
        fields: all(list),
        ..Patch::default()
    }
}

/// A line of ten at 100.00 USD.
pub fn with_line(name: &str) -> Patch {
    put(
        name,
        &[
            ("line.sku", Value::text("CAM")),
            ("line.quantity", number("10")),
            (
                "line.list_unit",
                Value::Money(Money::new("100".parse().expect("a number"), "USD")),
            ),
        ],
    )
}

pub fn put(name: &str, list: &[(&str, Value)]) -> Patch {
    let mut patch = Patch::default();
    let key = LineKey::new(name).expect("a key");
    patch.lines.insert(key, LineChange::Put(all(list)));
    patch
}

fn all(list: &[(&str, Value)]) -> Fields {
    let list = list.iter();
    list.map(|(field, value)| ((*field).into(), value.clone()))
        .collect()
}
