//! Watches every edit and every write, and knows nothing of how the product decides: what people said, what was made of
//! it, and what must never happen.

use std::collections::{BTreeMap, BTreeSet};

use cpq_domain::quote::Status;
use cpq_domain::value::Value;

/// A field of an opportunity or of one of its lines: opportunity, line or nothing, field.
pub type Cell = (u64, String, String);

/// One of the two systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The CRM.
    Crm,
    /// The CPQ.
    Cpq,
}

/// What a person made of a cell, as long as it stands there.
#[derive(Clone, Debug)]
struct Edit {
    value: Value,
    /// Whether the other side has held it since, so that whoever edits there knows it.
    seen: bool,
    /// What the cell held before people began to edit it: whoever edits there had it before their eyes.
    over: Value,
}

/// A person's edit.
pub struct Said {
    /// What the cell held before it.
    pub old: Value,
    /// What it says.
    pub new: Value,
    /// What the counterpart of the cell holds on the other side.
    pub other: Value,
}

/// A write of the product that has changed something.
pub struct Written<'a> {
    /// Where.
    pub side: Side,
    /// The opportunity.
    pub opportunity: u64,
    /// The correlation id of the run.
    pub by: &'a str,
    /// What changed: cell, old value, new value.
    pub changes: Vec<(Cell, Value, Value)>,
    /// The state of the quote before.
    pub status: Option<Status>,
    /// Whether it made the quote.
    pub creates: bool,
    /// Whether the network brought it late.
    pub late: bool,
}

/// The witness.
#[derive(Default)]
pub struct Witness {
    /// What must never happen, and did.
    pub violations: Vec<String>,
    standing: BTreeMap<(Side, Cell), Edit>,
    /// Edits that were overwritten by somebody who did not know them; they must be visible at the end.
    pub lost: BTreeSet<(Cell, String)>,
    /// What people said last, wherever they said it.
    pub said: BTreeMap<(Side, Cell), Value>,
    history: BTreeMap<(Side, Cell), Vec<Value>>,
    /// Runs that have changed something since the last edit.
    pub writers: BTreeMap<(Side, u64), BTreeSet<String>>,
    /// Lines that a rep took away.
    pub removed: BTreeSet<(u64, String)>,
    /// What people decided of conflicts.
    pub rulings: BTreeSet<(Cell, String)>,
    /// What a run changed: where, and over what.
    written: BTreeMap<String, Vec<(Side, Cell, Value)>>,
    /// Values that somebody who takes syncs back wants to see again.
    wished: BTreeSet<(Side, Cell, String)>,
    must_look: BTreeSet<(String, Side, &'static str)>,
    bodies: BTreeMap<String, String>,
    unanswered: BTreeMap<String, (String, String, u32)>,
    moves: u64,
    moved_at: BTreeMap<u64, u64>,
    looked_at: BTreeMap<(String, Side), u64>,
    /// Edits and faults that may make a run start over, by opportunity.
    pub disturbances: BTreeMap<u64, u64>,
}

/// Fields that a sync may write in the CRM.
const TO_CRM: [&str; 3] = [
    "opportunity.description",
    "opportunity.next_step",
    "opportunity.lead_source",
];
/// Fields that a sync may write in the CPQ at any time.
const TO_CPQ: [&str; 5] = [
    "opportunity.name",
    "opportunity.stage",
    "opportunity.description",
    "opportunity.next_step",
    "opportunity.type",
];

impl Witness {
    /// Something that must never happen.
    pub fn object(&mut self, what: impl Into<String>) {
        if self.violations.len() < 20 {
            self.violations.push(what.into());
        }
    }

    /// A person edits a cell. Who takes an edit back, so that the cell holds again what lies under the standing edit of
    /// the other side, leaves that edit alone against it: it was made by somebody who knew the value.
    pub fn person(&mut self, side: Side, cell: Cell, Said { old, new, other }: Said) {
        let opposite = self.standing.get_mut(&(side.other(), cell.clone()));
        let lies_under = opposite.as_ref().is_some_and(|edit| edit.over == new);
        if let Some(edit) = opposite.filter(|edit| edit.value == new) {
            edit.seen = true;
        }
        self.moved(cell.0);
        let seen = new == other || lies_under;
        let before = self.standing.remove(&(side, cell.clone()));
        let over = before.map_or(old, |edit| edit.over);
        self.said.insert((side, cell.clone()), new.clone());
        let edit = Edit {
            value: new,
            seen,
            over,
        };
        self.standing.insert((side, cell), edit);
    }

    /// Something about the opportunity changed that was not the product's doing.
    pub fn moved(&mut self, opportunity: u64) {
        self.history.retain(|(_, cell), _| cell.0 != opportunity);
        self.moves += 1;
        self.moved_at.insert(opportunity, self.moves);
        *self.disturbances.entry(opportunity).or_default() += 1;
    }

    /// Whether a person's value stands in the cell.
    pub fn stands(&self, side: Side, cell: &Cell) -> bool {
        self.standing.contains_key(&(side, cell.clone()))
    }

    /// Whether a person decided that the cell is to hold this value.
    pub fn ruled(&self, cell: &Cell, value: &Value) -> bool {
        self.rulings.contains(&(cell.clone(), value.to_string()))
    }

    /// Somebody wants to see again what lay under what a sync wrote; on both sides, if they say so.
    pub fn wants_back(&mut self, sync: &str, both_sides: bool) {
        let written = self.written.get(sync).cloned().unwrap_or_default();
        for (side, cell, old) in written {
            self.wants(side, &cell, &old, both_sides);
        }
    }

    /// Somebody wants to see a value again.
    pub fn wants(&mut self, side: Side, cell: &Cell, old: &Value, both_sides: bool) {
        let told = old.to_string();
        self.wished.insert((side, cell.clone(), told.clone()));
        // Where the later change wins, the old value is the latest.
        if both_sides || cell.2 == "opportunity.next_step" {
            self.wished.insert((side.other(), cell.clone(), told));
        }
    }

    /// Whether somebody wanted to see this value in the cell again.
    pub fn wanted_back(&self, side: Side, cell: &Cell, value: &Value) -> bool {
        self.wished.contains(&(side, cell.clone(), value.to_string()))
    }

    /// Whether somebody wanted to see any other value in the cell again.
    pub fn wanted_on(&self, side: Side, cell: &Cell) -> bool {
        self.wished
            .iter()
            .any(|(on, wanted, _)| *on == side && wanted == cell)
    }

    /// Whether a run changed the cell.
    pub fn wrote(&self, by: &str, side: Side, cell: &Cell) -> bool {
        let mut own = self.written.get(by).into_iter().flatten();
        own.any(|(on, changed, _)| *on == side && changed == cell)
    }

    /// The quote is gone, and with it what stood there.
    pub fn forget(&mut self, side: Side, opportunity: u64) {
        self.standing
            .retain(|(on, cell), _| *on != side || cell.0 != opportunity);
        self.said
            .retain(|(on, cell), _| *on != side || cell.0 != opportunity);
        self.moved(opportunity);
    }

    /// The product has changed something.
    pub fn product(&mut self, written: &Written<'_>) {
        if !written.changes.is_empty() {
            let writers = self
                .writers
                .entry((written.side, written.opportunity))
                .or_default();
            writers.insert(written.by.to_owned());
        }
        for (cell, old, new) in &written.changes {
            self.owned(written, cell, new);
            self.overwritten(written, cell, old, new);
            self.flip(written, cell, old, new);
            let own = self.written.entry(written.by.to_owned()).or_default();
            own.push((written.side, cell.clone(), old.clone()));
        }
        if written.late {
            self.moved(written.opportunity);
        }
    }

    /// A side never changes what is another one's, unless somebody wants the old value back there.
    fn owned(&mut self, written: &Written<'_>, cell: &Cell, new: &Value) {
        let (_, line, field) = cell;
        let field = field.as_str();
        let wished = self.wanted_back(written.side, cell, new);
        let draft = written.status.is_none_or(|status| status == Status::Draft);
        let allowed = match written.side {
            Side::Crm => TO_CRM.contains(&field) || field.starts_with("quote") || !line.is_empty(),
            Side::Cpq if written.creates => true,
            Side::Cpq => TO_CPQ.contains(&field) || (draft && (field == "account.name" || !line.is_empty())),
        };
        // An approved quote holds still, whoever wishes what.
        let moves = written.side == Side::Crm
            || draft
            || TO_CPQ.contains(&field)
            || field == "opportunity.lead_source";
        if !(allowed || wished && moves) {
            let (side, by) = (written.side, written.by);
            self.object(format!(
                "{by} wrote {field} of {line:?} in the {side:?}, which owns it"
            ));
        }
    }

    /// An edit that the other side has never held is overwritten.
    fn overwritten(&mut self, written: &Written<'_>, cell: &Cell, old: &Value, new: &Value) {
        let stood = self.standing.remove(&(written.side, cell.clone()));
        if self.wanted_back(written.side, cell, new) {
            self.said.remove(&(written.side, cell.clone()));
        }
        let opposite = self.standing.get_mut(&(written.side.other(), cell.clone()));
        if let Some(edit) = opposite.filter(|edit| &edit.value == new) {
            edit.seen = true;
        }
        let Some(edit) = stood.filter(|edit| !edit.seen && &edit.value == old && !old.is_null()) else {
            return;
        };
        let ruled = self.rulings.contains(&(cell.clone(), new.to_string()));
        if cell.2 == "opportunity.description" && !ruled {
            let by = written.by;
            self.object(format!(
                "{by} overwrote {} of {cell:?} with {new}, and nobody was asked",
                edit.value
            ));
        } else if !ruled {
            self.lost.insert((cell.clone(), edit.value.to_string()));
        }
    }

    /// A value never comes back by itself.
    fn flip(&mut self, written: &Written<'_>, cell: &Cell, old: &Value, new: &Value) {
        // What was read before the last edit is told later than it. It is the other side that counts: a look at this one
        // after a lost answer brings no news of the value that is sent.
        let source = (written.by.to_owned(), written.side.other());
        let looked = self.looked_at.get(&source).copied().unwrap_or(0);
        let moved = self.moved_at.get(&written.opportunity).copied().unwrap_or(0);
        if looked < moved {
            self.history.remove(&(written.side, cell.clone()));
            return;
        }
        if written.late || cell.2 == cpq_domain::quote::SYNC_STATE {
            return;
        }
        let wished = self.wanted_back(written.side, cell, new);
        let history = self.history.entry((written.side, cell.clone())).or_default();
        // What is put back comes back as somebody wished. What it replaced must not.
        if wished {
            *history = vec![old.clone(), new.clone()];
            return;
        }
        if history.is_empty() {
            history.push(old.clone());
        }
        let back = history.len() > 1 && history[..history.len() - 1].contains(new);
        history.push(new.clone());
        if back {
            let told: Vec<String> = history.iter().map(Value::to_string).collect();
            let side = written.side;
            self.object(format!(
                "{cell:?} went {} in the {side:?} by itself",
                told.join(" → ")
            ));
        }
    }

    /// A write is about to be sent. One whose answer was lost is looked for before.
    pub fn sends(&mut self, by: &str, side: Side, call: &'static str) {
        if self.must_look.remove(&(by.to_owned(), side, call)) {
            self.object(format!(
                "{by} wrote to the {side:?} again without a look after a lost answer"
            ));
        }
    }

    /// A run is about to look at a side.
    pub fn looks(&mut self, by: &str, side: Side) {
        self.looked_at.insert((by.to_owned(), side), self.moves);
    }

    /// A run is shown what was true before the last edits.
    pub fn sees_old(&mut self, by: &str, side: Side) {
        self.looked_at.remove(&(by.to_owned(), side));
    }

    /// A write to the CPQ is about to be sent: under its key it is always the same, and after a lost answer it has the
    /// key that it had.
    pub fn sends_keyed(&mut self, by: &str, key: &str, body: &str, target: &str, restarts: u32) {
        let before = self.bodies.insert(key.to_owned(), body.to_owned());
        if before.is_some_and(|before| before != body) {
            self.object(format!("{by} sent another write under the key {key}"));
        }
        let lost = self.unanswered.get(by).cloned();
        if let Some((old, to, was)) = lost
            && (to.as_str(), was) == (target, restarts)
            && old != key
        {
            self.object(format!("{by} repeated a write under the key {key}; it was {old}"));
        }
    }

    /// The answer to a write was lost.
    pub fn lost_answer(
        &mut self,
        by: &str,
        side: Side,
        call: &'static str,
        keyed: Option<(&str, &str, u32)>,
    ) {
        self.must_look.insert((by.to_owned(), side, call));
        if let Some((key, target, restarts)) = keyed {
            self.unanswered.insert(
                format!("{by} {call}"),
                (key.to_owned(), target.to_owned(), restarts),
            );
        }
    }

    /// A run has looked at a side.
    pub fn looked(&mut self, by: &str, side: Side) {
        self.must_look.retain(|(run, on, _)| run != by || *on != side);
    }
}

impl Side {
    /// The other one.
    pub fn other(self) -> Side {
        match self {
            Side::Crm => Side::Cpq,
            Side::Cpq => Side::Crm,
        }
    }
}
