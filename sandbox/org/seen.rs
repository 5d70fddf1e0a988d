//! Marks that looking at records leaves.

use super::{Id, Org, Value};
use jiff::Timestamp;

impl Org {
    /// Notes when records were viewed and referenced, as far as their object keeps that. Nothing else about them
    /// changes, and nobody is told (SOQL and SOSL Reference, FOR VIEW and FOR REFERENCE).
    pub fn mark_seen(&mut self, object: usize, ids: &[Id], now: Timestamp, (view, reference): (bool, bool)) {
        let schema = self.schema();
        let field = |name: &str, wanted: bool| schema.at(object).position(name).filter(|_| wanted);
        let fields = [
            field("LastViewedDate", view),
            field("LastReferencedDate", view || reference),
        ];
        for id in ids {
            let Some(mut row) = self.tables[object].row(*id).cloned() else {
                continue;
            };
            for field in fields.iter().flatten() {
                row.values[*field] = Value::instant(now);
            }
            self.tables[object].put(*id, Some(std::sync::Arc::new(row)));
        }
    }
}
