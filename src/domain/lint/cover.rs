//! Whether the rules of a field hold in every case, and whether each of them is needed.

use super::cases::{self, Told};
use super::{Finding, Lint};
use crate::ownership::{Condition, Facts, Placed};
use crate::view::FieldName;

pub(super) fn check(field: &FieldName, rules: &[&Placed], findings: &mut Vec<Finding>) {
    let conditions: Vec<&Condition> = rules.iter().map(|placed| &placed.rule.when).collect();
    let Some(cases) = cases::all(&conditions) else {
        let message = format!("{field} has rules that tell too many cases apart to be checked");
        findings.push(rules[0].finding(
            Lint::Gap,
            message,
            "fewer stages, record types and dates in one field's rules",
        ));
        return;
    };
    let holding: Vec<Vec<usize>> = cases.iter().map(|facts| holding(&conditions, facts)).collect();
    if let Some(at) = holding.iter().position(Vec::is_empty) {
        let case = Told(&cases[at], &conditions);
        let message = format!("nobody owns {field} in this case: {case}");
        findings.push(rules[0].finding(Lint::Gap, message, "add a last rule of the field without `when`"));
    }
    for at in 0..rules.len() {
        unreached(rules, &holding, at, findings);
    }
    quarrels(rules, (&cases, &conditions), &holding, findings);
}

fn holding(conditions: &[&Condition], facts: &Facts) -> Vec<usize> {
    let holds = |at: &usize| conditions[*at].holds(facts);
    (0..conditions.len()).filter(holds).collect()
}

fn unreached(rules: &[&Placed], holding: &[Vec<usize>], at: usize, findings: &mut Vec<Finding>) {
    if holding.iter().any(|list| list.first() == Some(&at)) {
        return;
    }
    let (lint, message) = match holding.iter().find(|list| list.contains(&at)) {
        Some(list) => {
            let line = rules[list[0]].line;
            (
                Lint::Unreachable,
                format!("an earlier rule holds wherever this one does, such as that of line {line}"),
            )
        }
        None => (
            Lint::NeverHolds,
            "there is no case in which this condition holds".to_owned(),
        ),
    };
    findings.push(rules[at].finding(lint, message, "put it before the other one, or remove it"));
}

/// Two rules that hold in one case and have different owners: the order of lines decides, which nobody may have meant.
/// An exception before its general rule is no quarrel: it holds only where the other does too.
fn quarrels(
    rules: &[&Placed],
    (cases, conditions): (&[Facts], &[&Condition]),
    holding: &[Vec<usize>],
    findings: &mut Vec<Finding>,
) {
    for later in 1..rules.len() {
        for earlier in 0..later {
            if rules[earlier].rule.owner_system == rules[later].rule.owner_system {
                continue;
            }
            let both = |list: &Vec<usize>| list.contains(&earlier) && list.contains(&later);
            let exception = holding.iter().filter(|list| list.contains(&earlier)).all(both);
            let same = exception && holding.iter().filter(|list| list.contains(&later)).all(both);
            let Some(at) = holding.iter().position(both).filter(|_| !exception || same) else {
                continue;
            };
            let (one, other) = (&rules[earlier], &rules[later]);
            let message = format!(
                "{} by line {} and {} by this rule both own it in this case: {}",
                one.rule.owner_system.as_str(),
                one.line,
                other.rule.owner_system.as_str(),
                Told(&cases[at], conditions)
            );
            findings.push(other.finding(Lint::TwoOwners, message, "let the conditions exclude each other"));
        }
    }
}
