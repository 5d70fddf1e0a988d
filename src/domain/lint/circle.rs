//! Fields whose owner depends on fields whose owner depends on them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Lint};
use crate::ownership::{Condition, Placed};

/// The fields that conditions look at.
const STAGE: &str = "opportunity.stage";
const RECORD_TYPE: &str = "opportunity.record_type";
const STATUS: &str = "quote.status";
const PRIMARY: &str = "quote.is_primary";

pub(super) fn check(rules: &[Placed], findings: &mut Vec<Finding>) {
    let mut looks: BTreeMap<&str, BTreeSet<&'static str>> = BTreeMap::new();
    for placed in rules {
        let name = placed.rule.field_name.as_str();
        // Where both rules name one owner, the value changes how it travels and not who decides.
        let owners = rules
            .iter()
            .filter(|other| other.rule.field_name.as_str() == name);
        let contested = owners.map(|other| other.rule.owner_system).collect::<Vec<_>>();
        if contested.windows(2).any(|pair| pair[0] != pair[1]) {
            looks
                .entry(name)
                .or_default()
                .extend(looked_at(&placed.rule.when));
        }
    }
    let mut told = BTreeSet::new();
    for start in [STAGE, RECORD_TYPE, STATUS, PRIMARY] {
        let Some(way) = way_back(&looks, start) else {
            continue;
        };
        let members: BTreeSet<&str> = way.iter().copied().collect();
        let Some(placed) = rules
            .iter()
            .find(|placed| placed.rule.field_name.as_str() == start)
        else {
            continue;
        };
        if told.insert(members) {
            let message = format!(
                "who owns {start} depends on itself: {} → {start}",
                way.join(" → ")
            );
            let fix = "let one of these fields have the same owner in every case";
            findings.push(placed.finding(Lint::Circle, message, fix));
        }
    }
}

fn looked_at(when: &Condition) -> impl Iterator<Item = &'static str> {
    let parts = [
        (!when.stage.is_empty(), STAGE),
        (!when.record_type.is_empty(), RECORD_TYPE),
        (!when.quote_status.is_empty(), STATUS),
        (when.primary.is_some(), PRIMARY),
    ];
    parts
        .into_iter()
        .filter(|(asked, _)| *asked)
        .map(|(_, name)| name)
}

/// The shortest way from a field over what its owner depends on back to itself.
fn way_back<'a>(looks: &BTreeMap<&'a str, BTreeSet<&'static str>>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let last = way.last().copied()?;
            for next in looks.get(last).into_iter().flatten() {
                if *next == start {
                    return Some(way);
                }
                if seen.insert(*next) {
                    longer.push(way.iter().copied().chain([*next]).collect());
                }
            }
        }
        ways = longer;
    }
    None
}
