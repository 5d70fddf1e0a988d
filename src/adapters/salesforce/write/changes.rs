//! The changes of lines as collections of records: what each call carries of them.

use std::ops::Range;

use cpq_domain::id::{LineKey, RecordId};
use serde_json::value::{RawValue, to_raw_value};

use super::apart::texts;
use super::plan::all_or_none;
use crate::limits::{COLLECTION, COLLECTIONS};
use crate::salesforce::composite::{Body, Part};
use crate::salesforce::lines::{Lines, OBJECT};
use crate::salesforce::rest::Rest;

/// What becomes of a line.
#[derive(Clone)]
pub(super) enum Change {
    /// The record is deleted.
    Gone(RecordId),
    /// The record that is there is changed.
    Changed(Body),
    /// A record is made, or the one with the key is found again after a write whose answer was lost.
    New(Body),
}

/// Changes of one kind that go together.
#[derive(Clone, Default)]
pub(super) struct Collection(Vec<(LineKey, Change)>);

/// Divides changes into collections: first what goes, so that a line whose product changes leaves before it comes
/// again, then what stays, then what is new.
pub(super) fn collections(changes: Vec<(LineKey, Change)>) -> Vec<Collection> {
    let mut kinds: [Vec<(LineKey, Change)>; Collection::KINDS] = Default::default();
    for (key, change) in changes {
        kinds[change.kind()].push((key, change));
    }
    let chunks = kinds.iter().flat_map(|kind| kind.chunks(COLLECTION));
    chunks.map(|chunk| Collection(chunk.to_vec())).collect()
}

/// What each call of a write in several calls carries.
pub(super) fn calls(collections: &[Collection]) -> Vec<Vec<Collection>> {
    collections
        .chunks(COLLECTIONS)
        .map(<[Collection]>::to_vec)
        .collect()
}

impl Collection {
    /// Kinds of changes, in the order in which they are made.
    pub(super) const KINDS: usize = 3;

    /// Which kind of changes it holds; the first for one that holds none.
    pub(super) fn kind(&self) -> usize {
        self.0.first().map_or(0, |(_, change)| change.kind())
    }

    /// How many records it changes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes in the changes of another one of its kind, and says which rows they have become.
    pub(super) fn take_in(&mut self, other: &Collection) -> Range<usize> {
        let first = self.0.len();
        self.0.extend_from_slice(&other.0);
        first..self.0.len()
    }

    /// Takes out the texts that no call of several parts can carry, each with what names its record.
    pub(super) fn set_apart(&mut self, key_field: &str) -> Collection {
        let mut taken = Vec::new();
        for (key, change) in &mut self.0 {
            let (Change::Changed(body) | Change::New(body)) = change else {
                continue;
            };
            let mut own = texts(body);
            if own.is_empty() {
                continue;
            }
            let name = if body.contains_key("Id") { "Id" } else { key_field };
            let names = ["attributes", name].into_iter();
            own.extend(names.filter_map(|name| Some((name.to_owned(), body.get(name)?.clone()))));
            taken.push((key.clone(), change.with(own)));
        }
        Collection(taken)
    }

    /// The line of a row of the answer.
    pub(super) fn line(&self, row: usize) -> Option<&LineKey> {
        self.0.get(row).map(|(key, _)| key)
    }

    /// Whether its records are new.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.0.first(), Some((_, Change::New(_))))
    }

    pub(super) fn part(&self, rest: &Rest, lines: &Lines, reference: String) -> Part {
        let ids: Vec<&str> = self.0.iter().filter_map(|(_, change)| change.gone()).collect();
        let part = |method, path: String, body| Part {
            method,
            url: rest.data(&path),
            reference_id: reference.clone(),
            http_headers: Default::default(),
            body,
        };
        if !ids.is_empty() {
            let ids = ids.join(",");
            return part(
                "DELETE",
                format!("composite/sobjects?ids={ids}&allOrNone=true"),
                None,
            );
        }
        let records: Vec<Body> = self
            .0
            .iter()
            .filter_map(|(_, change)| change.record().cloned())
            .collect();
        let body = all_or_none(&records);
        let path = match self.is_new() {
            true => format!("composite/sobjects/{OBJECT}/{}", lines.key),
            false => "composite/sobjects".to_owned(),
        };
        part("PATCH", path, Some(body))
    }
}

impl Change {
    fn kind(&self) -> usize {
        match self {
            Change::Gone(_) => 0,
            Change::Changed(_) => 1,
            Change::New(_) => 2,
        }
    }

    /// The same kind of change with another body.
    fn with(&self, body: Body) -> Change {
        match self {
            Change::New(_) => Change::New(body),
            Change::Gone(_) | Change::Changed(_) => Change::Changed(body),
        }
    }

    fn gone(&self) -> Option<&str> {
        match self {
            Change::Gone(id) => Some(id.as_str()),
            Change::Changed(_) | Change::New(_) => None,
        }
    }

    fn record(&self) -> Option<&Body> {
        match self {
            Change::Gone(_) => None,
            Change::Changed(body) | Change::New(body) => Some(body),
        }
    }
}

/// A value as JSON.
pub(in crate::salesforce) fn raw(value: &impl serde::Serialize) -> Box<RawValue> {
    to_raw_value(value).expect("text, booleans and lists of bodies are JSON")
}
