//! The change event of one object: its fields in their order, its schema, and how a record is written in it.

use super::bitmap::Fields;
use super::columns::column_of;
use super::order::{self, Spot};
use super::registry::Known;
use super::{avro, capture, header};
use crate::org::{Id, Value};
use crate::schema::{Kind, Object};

/// Position of the header; the record's fields follow it.
const HEADER: usize = 1;
/// More places than an event has, to tell history rows of one change apart.
const HISTORIES: u64 = 1_000;
/// Key prefix of the history rows that opportunities point to.
const HISTORY: [u8; 3] = *b"008";

/// The form of an object's change events.
#[derive(Debug)]
pub struct Layout {
    columns: Vec<Column>,
    /// By position of the record's field: whether the event has a place for it.
    tells: Vec<bool>,
    /// By position of the record's field: whether it is computed, so that its change alone is none.
    computed: Vec<bool>,
}

/// One field of the event.
#[derive(Debug)]
pub enum Column {
    /// A field of the record.
    Field(usize, Kind),
    /// A compound: positions of its parts, none for those that the record lacks.
    Parts(Vec<Option<(usize, Kind)>>),
    /// Nothing, ever.
    Nothing,
    /// The id of a history row, new whenever this field of the record changes.
    History(usize),
}

/// A record as one event tells it.
pub struct Told<'a> {
    /// By position of the field: the value that the event carries, none when it says nothing of it.
    pub values: Vec<Option<&'a Value>>,
    /// By position of the field: whether it changed.
    pub changed: Vec<bool>,
    /// Differences that stand for values.
    pub diffs: Vec<(usize, String)>,
    /// Number from which ids of history rows are made.
    pub history: u64,
}

impl Layout {
    /// The form for this object with the schema that says it.
    pub fn build(object: &Object) -> (Layout, Known) {
        Layout::of(object, order::places(object))
    }

    /// The form that the object's events have with another set of fields.
    pub fn other(object: &Object) -> (Layout, Known) {
        Layout::of(object, order::other_places(object))
    }

    fn of(object: &Object, spots: Vec<Spot<'_>>) -> (Layout, Known) {
        let mut columns = Vec::new();
        let mut fields = vec![header::column()];
        let mut defined = Vec::new();
        for spot in spots {
            let (column, json) = column_of(object, &spot, &mut defined);
            columns.push(column);
            fields.push(json);
        }
        let known = Known::new(&capture::event_name(object), fields);
        let told = |at: usize| columns.iter().any(|column| column.tells(at));
        let layout = Layout {
            tells: (0..object.fields.len()).map(told).collect(),
            computed: object
                .fields
                .iter()
                .map(|f| order::is_computed(object, f))
                .collect(),
            columns,
        };
        (layout, known)
    }

    /// Whether a change of this field of the record is one that events tell.
    pub fn tells(&self, at: usize) -> bool {
        self.tells[at] && !self.computed[at]
    }

    /// Whether events have a place for this field of the record.
    pub fn has(&self, at: usize) -> bool {
        self.tells[at]
    }

    /// Writes the record's fields, which follow the header.
    pub fn encode(&self, told: &Told<'_>, out: &mut Vec<u8>) {
        for (n, column) in self.columns.iter().enumerate() {
            match column {
                Column::Field(at, kind) => told.write(*at, *kind, out),
                Column::Parts(parts) => told.write_parts(parts, out),
                Column::History(by) if told.changed[*by] => told.write_history(n, out),
                Column::Nothing | Column::History(_) => avro::null(out),
            }
        }
    }

    /// Writes an event that says nothing of the record.
    pub fn encode_nothing(&self, out: &mut Vec<u8>) {
        out.resize(out.len() + self.columns.len(), 0);
    }

    /// The lists of an event in which this one field of the record became null.
    pub fn nulled(&self, object: &Object, field: usize) -> header::Lists {
        let mut told = Told {
            values: vec![None; object.fields.len()],
            changed: vec![false; object.fields.len()],
            diffs: Vec::new(),
            history: 0,
        };
        told.changed[field] = true;
        self.lists(&told)
    }

    /// The fields that changed, those of them that became null, and those told as a difference.
    pub fn lists(&self, told: &Told<'_>) -> header::Lists {
        let (mut changed, mut nulled, mut diffs) = (Fields::default(), Fields::default(), Fields::default());
        for (n, column) in self.columns.iter().enumerate() {
            let place = n + HEADER;
            match column {
                Column::Field(at, _) if told.changed[*at] => {
                    changed.add(place);
                    if told.is_null(*at) {
                        nulled.add(place);
                    }
                    if told.diff(*at).is_some() {
                        diffs.add(place);
                    }
                }
                Column::Parts(parts) => {
                    for (part, at) in parts.iter().enumerate() {
                        let Some((at, _)) = at.filter(|(at, _)| told.changed[*at]) else {
                            continue;
                        };
                        changed.add_part(place, part);
                        if told.is_null(at) {
                            nulled.add_part(place, part);
                        }
                    }
                }
                Column::History(by) if told.changed[*by] => changed.add(place),
                Column::Field(..) | Column::Nothing | Column::History(_) => {}
            }
        }
        header::Lists {
            nulled: nulled.texts(),
            diffs: diffs.texts(),
            changed: changed.texts(),
        }
    }
}

impl Column {
    fn tells(&self, at: usize) -> bool {
        match self {
            Column::Field(field, _) => *field == at,
            Column::Parts(parts) => parts.iter().flatten().any(|(part, _)| *part == at),
            Column::Nothing | Column::History(_) => false,
        }
    }
}

impl Told<'_> {
    fn is_null(&self, at: usize) -> bool {
        self.values[at].is_none_or(Value::is_null)
    }

    fn diff(&self, at: usize) -> Option<&str> {
        self.diffs
            .iter()
            .find(|(field, _)| *field == at)
            .map(|(_, diff)| diff.as_str())
    }

    fn write(&self, at: usize, kind: Kind, out: &mut Vec<u8>) {
        match (self.diff(at), self.values[at]) {
            (Some(diff), _) => avro::nullable(out, kind, &Value::text(diff)),
            (None, Some(value)) => avro::nullable(out, kind, value),
            (None, None) => avro::null(out),
        }
    }

    /// A compound is null when the event says nothing of any part.
    fn write_parts(&self, parts: &[Option<(usize, Kind)>], out: &mut Vec<u8>) {
        let told = |at: &(usize, Kind)| self.changed[at.0] || !self.is_null(at.0);
        if !parts.iter().flatten().any(told) {
            return avro::null(out);
        }
        avro::long(out, 1);
        for part in parts {
            match part {
                Some((at, kind)) => self.write(*at, *kind, out),
                None => avro::null(out),
            }
        }
    }

    fn write_history(&self, place: usize, out: &mut Vec<u8>) {
        let id = Id::new(
            HISTORY,
            self.history.wrapping_mul(HISTORIES).wrapping_add(place as u64),
        );
        avro::nullable(out, Kind::Reference, &Value::Id(id));
    }
}
