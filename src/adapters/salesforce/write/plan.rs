//! One call for several writes: its parts, and which part or which rows of one are whose.
//!
//! Source: REST API Developer Guide, "Composite" (25 parts, five of them queries or collections) and "sObject
//! Collections" (200 records). Only a part of its own carries a condition, so every opportunity keeps one. New quote
//! records and lines need none, as they stand or fall with their opportunity, and those of all writes share
//! collections. Composite graphs would carry more, but their parts have no headers any more (removed from
//! "Composite Subrequest" of the graph between API versions 59 and 65), and so no condition.

use std::ops::Range;

use cpq_domain::{Code, Error, Result};

use super::changes::{Collection, raw};
use super::{Ordered, change};
use crate::json::Node;
use crate::limits::{COLLECTION, WRITE_PARTS};
use crate::salesforce::composite::{Body, Part, PartAnswer};
use crate::salesforce::errors;
use crate::salesforce::layout::Layout;
use crate::salesforce::quote_record::{self, Upsert};
use crate::salesforce::rest::Rest;

/// Parts of one call, without the one that reads back.
pub(super) struct Plan {
    pub(super) parts: Vec<Part>,
    /// The places of each write: its opportunity, its quote's record if it has one, then its collections.
    places: Vec<Vec<Place>>,
}

/// Where the answer to something stands.
enum Place {
    /// A part of its own.
    Own(usize),
    /// Rows of a part that is shared.
    Rows(usize, Range<usize>),
}

/// The answer to what one write asked for in one place.
pub(super) struct Answer {
    pub(super) status: u16,
    node: Option<Node>,
}

impl Plan {
    pub(super) fn of(rest: &Rest, layout: &Layout, items: &[Ordered]) -> Plan {
        let numbered = items.iter().enumerate();
        let parts: Vec<Part> = numbered.map(|(at, item)| change(rest, at, item)).collect();
        let places = (0..items.len()).map(|at| vec![Place::Own(at)]).collect();
        let mut plan = Plan { parts, places };
        plan.quotes(rest, items);
        match items {
            [one] => plan.own_lines(rest, layout, one),
            _ => plan.shared_lines(rest, layout, items),
        }
        plan
    }

    /// A record that must not be made has a part of its own, because a collection could not say so.
    fn quotes(&mut self, rest: &Rest, items: &[Ordered]) {
        let upserts = items.iter().map(|item| item.bodies.quote.as_ref());
        let upserts = upserts.enumerate().filter_map(|(at, upsert)| Some((at, upsert?)));
        let (new, own): (Vec<_>, Vec<_>) = upserts.partition(|(_, upsert)| items.len() > 1 && upsert.creates);
        for (at, upsert) in own {
            self.places[at].push(Place::Own(self.parts.len()));
            self.parts.push(upsert.part(rest, at));
        }
        let rows: Vec<&Upsert> = new.iter().map(|(_, upsert)| *upsert).collect();
        for (row, (at, _)) in new.iter().enumerate() {
            self.places[*at].push(Place::Rows(self.parts.len(), row..row + 1));
        }
        self.parts.extend(quote_record::collection(rest, &rows));
    }

    fn own_lines(&mut self, rest: &Rest, layout: &Layout, item: &Ordered) {
        let Some(lines) = &layout.lines else { return };
        for (n, collection) in item.bodies.lines.iter().enumerate() {
            self.places[0].push(Place::Own(self.parts.len()));
            self.parts
                .push(collection.part(rest, lines, format!("lines0_{n}")));
        }
    }

    /// Kind after kind, as one write alone has them too.
    fn shared_lines(&mut self, rest: &Rest, layout: &Layout, items: &[Ordered]) {
        let Some(lines) = &layout.lines else { return };
        for kind in 0..Collection::KINDS {
            let mut whole = Collection::default();
            for (at, item) in items.iter().enumerate() {
                for own in item.bodies.lines.iter().filter(|own| own.kind() == kind) {
                    let rows = whole.take_in(own);
                    self.places[at].push(Place::Rows(self.parts.len(), rows));
                }
            }
            if whole.len() > 0 {
                self.parts.push(whole.part(rest, lines, format!("lines_{kind}")));
            }
        }
    }

    /// The answers of each write, in the order of its places.
    pub(super) fn share_out(&self, answers: &[Answer]) -> Vec<Vec<Answer>> {
        let of = |places: &Vec<Place>| places.iter().map(|place| place.answer(answers)).collect();
        self.places.iter().map(of).collect()
    }
}

impl Place {
    fn answer(&self, answers: &[Answer]) -> Answer {
        match self {
            Place::Own(part) => answers[*part].clone(),
            Place::Rows(part, rows) => answers[*part].rows(rows.clone()),
        }
    }
}

impl Answer {
    pub(super) fn read(part: &PartAnswer) -> Answer {
        Answer {
            status: part.status,
            node: part.node().ok(),
        }
    }

    pub(super) fn of(status: u16, node: Node) -> Answer {
        let node = Some(node);
        Answer { status, node }
    }

    /// That to something for which nothing had to be sent.
    pub(super) fn nothing() -> Answer {
        Answer::of(204, Node::Null)
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body.
    ///
    /// # Errors
    /// [`Code::OutcomeUnknown`] for one that cannot be read.
    pub(super) fn node(&self) -> Result<&Node> {
        self.node.as_ref().ok_or_else(|| {
            let message = "Salesforce's answer to a part of a composite request cannot be read";
            super::outcome::stands(Error::new(Code::OutcomeUnknown, message))
        })
    }

    /// What a shared part says of some of its rows. Where it says nothing of rows, or nothing against these ones, though
    /// it fell, they fell with the others.
    fn rows(&self, rows: Range<usize>) -> Answer {
        let all = self.node.as_ref().map(Node::list).unwrap_or_default();
        let has_rows = all.iter().all(|row| row.get("success").is_some());
        let own = all.get(rows).filter(|_| has_rows).map(<[Node]>::to_vec);
        let said = own.iter().flatten().flat_map(errors::said).count();
        match own {
            Some(own) if self.is_success() || said > 0 => Answer {
                status: self.status,
                node: Some(Node::List(own)),
            },
            _ if self.is_success() => self.clone(),
            _ => self.with_others(),
        }
    }

    /// A part that was refused as a whole does not say whose fault it is.
    fn with_others(&self) -> Answer {
        let said = self.node.as_ref().map(errors::said).unwrap_or_default();
        let message = said.into_iter().next().unwrap_or_default().message;
        let fell = Node::Object(vec![
            ("errorCode".into(), Node::Text("PROCESSING_HALTED".into())),
            ("message".into(), Node::Text(message)),
        ]);
        Answer {
            status: 400,
            node: Some(Node::List(vec![fell])),
        }
    }
}

impl Clone for Answer {
    fn clone(&self) -> Self {
        Answer {
            status: self.status,
            node: self.node.clone(),
        }
    }
}

/// How many writes fit into one call, from the first on.
pub(super) fn fitting<'a>(items: impl Iterator<Item = &'a Ordered>) -> usize {
    let mut load = Load::default();
    items.take_while(|item| load.takes(item)).count()
}

/// What a call carries so far.
#[derive(Default)]
struct Load {
    /// Parts that are nobody else's.
    own: usize,
    new_quotes: usize,
    /// Rows of each kind of lines.
    lines: [usize; Collection::KINDS],
    /// Whether it carries a write that shares its call with none.
    is_alone: bool,
}

impl Load {
    fn takes(&mut self, item: &Ordered) -> bool {
        let bodies = &item.bodies;
        let alone = bodies.is_alone() || shares_no_collection(&bodies.lines);
        if self.is_alone || (alone && self.own > 0) {
            return false;
        }
        self.is_alone = alone;
        let creates = bodies.quote.as_ref().is_some_and(|upsert| upsert.creates);
        self.own += 1 + usize::from(bodies.quote.is_some() && !creates);
        self.new_quotes += usize::from(creates);
        for collection in &bodies.lines {
            self.lines[collection.kind()] += collection.len();
        }
        let rows = self.lines.iter().chain([&self.new_quotes]);
        let shared = rows.clone().filter(|rows| **rows > 0).count();
        let reads_back = 1;
        alone || (self.own + shared + reads_back <= WRITE_PARTS && rows.max() <= Some(&COLLECTION))
    }
}

/// Whether there is more than one collection of a kind: then the last one is all that a call could share.
fn shares_no_collection(lines: &[Collection]) -> bool {
    let mut kinds: Vec<usize> = lines.iter().map(Collection::kind).collect();
    kinds.dedup();
    kinds.len() < lines.len()
}

/// The body of a collection that is applied as a whole.
pub(in crate::salesforce) fn all_or_none(records: &[Body]) -> Body {
    Body::from([
        ("allOrNone".to_owned(), raw(&true)),
        ("records".to_owned(), raw(&records)),
    ])
}
