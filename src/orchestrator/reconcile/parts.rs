//! A record's part in the certificates: how many it counts on each side, and the sums of its closed values.

use aws_lc_rs::digest::{Context, SHA256};
use cpq_domain::adapter::CrmSnapshot;
use cpq_domain::certificate::{Object, Tally};
use cpq_domain::compare::{Comparison, Pair};
use cpq_domain::id::{LineKey, RecordId};
use cpq_domain::value::Value;

/// By object.
pub(super) type Parts = Vec<(Object, Tally)>;

/// One side's value of a pair.
type Side = for<'a> fn(&'a Pair<'_>) -> Option<&'a Value>;

/// An opportunity with its quote.
pub(super) fn of_pair(crm: &CrmSnapshot, comparison: &Comparison<'_>) -> Parts {
    let id = &crm.opportunity.id;
    let of = |object| comparison.pairs.iter().filter(move |pair| pair.object == object);
    let differing = |object| {
        let here = comparison.differences.iter().filter(|one| one.object == object);
        let mut lines: Vec<Option<&LineKey>> = here.map(|one| one.line.as_ref()).collect();
        lines.sort_unstable();
        lines.dedup();
        i64::try_from(lines.len()).unwrap_or(i64::MAX)
    };
    let header = Tally {
        crm_count: 1,
        cpq_count: 1,
        crm_sum: sum(id, of(Object::Opportunity), crm_side),
        cpq_sum: sum(id, of(Object::Opportunity), cpq_side),
        differing: differing(Object::Opportunity).min(1),
        ..Tally::default()
    };
    let mut parts = vec![(Object::Opportunity, header)];
    if of(Object::QuoteRecord).next().is_some() {
        let key = crm.view.get("quote_record.key");
        let there = key.is_none_or(|key| !key.is_null());
        let record = Tally {
            crm_count: i64::from(there),
            cpq_count: 1,
            crm_sum: sum(id, of(Object::QuoteRecord), crm_side),
            cpq_sum: sum(id, of(Object::QuoteRecord), cpq_side),
            differing: differing(Object::QuoteRecord).min(1),
            ..Tally::default()
        };
        parts.push((Object::QuoteRecord, record));
    }
    let mut lines = lines(id, comparison);
    lines.differing = differing(Object::QuoteLines);
    parts.push((Object::QuoteLines, lines));
    parts
}

/// An opportunity that has no quote and should, or a quote whose opportunity is not there.
pub(super) fn alone(id: &RecordId, in_crm: bool) -> Parts {
    let sum = sum(id, std::iter::empty(), crm_side);
    let (crm, cpq) = if in_crm { (1, 0) } else { (0, 1) };
    let tally = Tally {
        crm_count: crm,
        cpq_count: cpq,
        crm_sum: if in_crm { sum } else { 0 },
        cpq_sum: if in_crm { 0 } else { sum },
        differing: 1,
        ..Tally::default()
    };
    vec![(Object::Opportunity, tally)]
}

/// A record whose sync is under way: nothing is said of any of its parts.
pub(super) fn in_flight() -> Parts {
    let open = Tally {
        in_flight: 1,
        ..Tally::default()
    };
    Object::ALL.map(|object| (object, open)).into()
}

/// An opportunity that takes no part.
pub(super) fn excluded() -> Parts {
    let tally = Tally {
        excluded: 1,
        ..Tally::default()
    };
    vec![(Object::Opportunity, tally)]
}

/// Each line counts and sums by itself, where it is.
fn lines(id: &RecordId, comparison: &Comparison<'_>) -> Tally {
    let pairs: Vec<&Pair<'_>> = comparison
        .pairs
        .iter()
        .filter(|pair| pair.object == Object::QuoteLines)
        .collect();
    let mut tally = Tally::default();
    for line in pairs.chunk_by(|one, next| one.line == next.line) {
        let sides: [(Side, &mut i64, &mut u128); 2] = [
            (crm_side, &mut tally.crm_count, &mut tally.crm_sum),
            (cpq_side, &mut tally.cpq_count, &mut tally.cpq_sum),
        ];
        for (side, count, all) in sides {
            if line.iter().any(|pair| side(pair).is_some()) {
                *count += 1;
                *all = all.wrapping_add(sum(id, line.iter().copied(), side));
            }
        }
    }
    tally
}

fn crm_side<'a>(pair: &'a Pair<'_>) -> Option<&'a Value> {
    pair.crm.as_ref()
}

fn cpq_side<'a>(pair: &'a Pair<'_>) -> Option<&'a Value> {
    pair.cpq.as_ref()
}

/// SHA-256, cut to 128 bits, over the record's id and its values by name. Each part goes in with its length, so that no
/// two lists of values read alike.
fn sum<'a>(id: &RecordId, pairs: impl Iterator<Item = &'a Pair<'a>>, side: Side) -> u128 {
    let mut hash = Context::new(&SHA256);
    let mut take = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    take(id.as_str().as_bytes());
    for pair in pairs {
        let Some(value) = side(pair) else { continue };
        take(pair.field.as_str().as_bytes());
        take(pair.line.map_or("", LineKey::as_str).as_bytes());
        // Our own type, with string keys only: it always has a JSON form.
        take(&serde_json::to_vec(value).unwrap_or_default());
    }
    let mut cut = [0; 16];
    cut.copy_from_slice(&hash.finish().as_ref()[..16]);
    u128::from_be_bytes(cut)
}
