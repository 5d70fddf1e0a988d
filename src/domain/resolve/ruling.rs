//! What a person decided, in the place of the question that the matrix asks.

use super::field::{Cell, Judgement};
use super::{Question, Verdict};
use crate::conflict::Ruling;
use crate::id::LineKey;
use crate::ownership::Side;
use crate::value::Value;
use crate::view::FieldName;

/// The judgement, or the person's where the matrix leaves it to one who has decided.
///
/// A ruling holds while each side has the value that the person saw. A side that has the chosen one already counts too:
/// then we were interrupted between the two writes.
pub(super) fn ruled(
    judgement: Judgement,
    question: &Question,
    (field, line): (&FieldName, Option<&LineKey>),
    cell: &Cell,
    crm_writable: bool,
) -> Judgement {
    if judgement.verdict != Verdict::Review {
        return judgement;
    }
    let about = |ruling: &&Ruling| &ruling.field == field && ruling.line.as_ref() == line;
    let Some(ruling) = question.rulings.iter().find(about) else {
        return judgement;
    };
    let holds = |now: &Value, seen: &Value| now.same(seen, cell.shape) || now.same(&ruling.value, cell.shape);
    if !holds(&cell.crm, &ruling.crm) || !holds(&cell.cpq, &ruling.cpq) {
        return Judgement {
            reason: format!("a value changed since {} decided; decide again", ruling.by),
            ..judgement
        };
    }
    let verdict = if cell.crm.same(&ruling.value, cell.shape) {
        Verdict::ToCpq
    } else if !crm_writable {
        return Judgement {
            reason: format!(
                "what {} decided cannot be done: the CRM field is read-only for us",
                ruling.by
            ),
            ..judgement
        };
    } else if cell.cpq.same(&ruling.value, cell.shape) {
        Verdict::ToCrm
    } else {
        Verdict::ToBoth
    };
    carry_out(ruling, cell, verdict)
}

fn carry_out(ruling: &Ruling, cell: &Cell, verdict: Verdict) -> Judgement {
    let lost = match verdict {
        Verdict::ToCpq => Some(cell.cpq.clone()),
        Verdict::ToCrm => Some(cell.crm.clone()),
        _ => None,
    };
    Judgement {
        verdict,
        reason: words(ruling, verdict),
        lost: lost.filter(|value| !value.is_null()),
        settled: true,
        given: (verdict == Verdict::ToBoth).then(|| ruling.value.clone()),
        ruling: Some(ruling.conflict.clone()),
    }
}

fn words(ruling: &Ruling, verdict: Verdict) -> String {
    let what = match verdict {
        Verdict::ToCpq => format!("took the value of the {}", Side::Crm.as_str()),
        Verdict::ToCrm => format!("took the value of the {}", Side::Cpq.as_str()),
        _ => "gave both sides another value".to_owned(),
    };
    let why = ruling.reason.as_deref().map(|why| format!(": {why}"));
    format!(
        "{} {what} ({}){}",
        ruling.by,
        ruling.conflict,
        why.unwrap_or_default()
    )
}
