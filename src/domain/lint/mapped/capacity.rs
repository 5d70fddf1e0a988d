//! What a canonical field may hold at most, as far as that is fixed.

use crate::kind::Kind;
use crate::limits::{CONTEXT_CHARS, DESCRIPTION_CHARS, NAME_CHARS, QUOTE_ID_CHARS, QUOTE_NUMBER_CHARS};
use crate::quote::{LINE_FIELDS, Status, record_status};
use crate::value::minor_unit;

/// Digits after the point of a quantity, price or percent that somebody entered (`cpq_quoting::limits::INPUT_SCALE`).
const INPUT_SCALE: u32 = 6;

/// What a field may hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Capacity {
    /// Longest text; none where a longer one than the CRM takes is refused with a message, and nothing says how long.
    pub(super) chars: Option<usize>,
    /// Digits after the point.
    pub(super) scale: Option<u32>,
    /// Digits before the point.
    pub(super) whole: Option<u32>,
    /// Every value that there can be.
    pub(super) choices: Vec<String>,
    /// Whether it is never empty.
    pub(super) filled: bool,
}

/// The capacity of a canonical field.
pub(super) fn of(name: &str, kind: Kind, currency: &str) -> Capacity {
    let known = |chars: Option<usize>, filled: bool| Capacity {
        chars,
        filled,
        ..Capacity::default()
    };
    let number = |whole: u32, scale: u32, filled: bool| Capacity {
        whole: Some(whole),
        scale: Some(scale),
        filled,
        ..Capacity::default()
    };
    match name {
        "quote.number" => known(Some(QUOTE_NUMBER_CHARS), true),
        "quote.id" | "quote_record.key" => known(Some(QUOTE_ID_CHARS), true),
        "quote.name" | "quote_record.name" | "line.name" => known(Some(NAME_CHARS), true),
        "line.description" => known(Some(DESCRIPTION_CHARS), false),
        "quote.status" => choices(Status::ALL.iter().map(|status| status.as_str()), true),
        "quote_record.status" => choices(Status::ALL.iter().copied().filter_map(record_status), true),
        "quote.revision" | "line.sequence" => number(3, 0, true),
        "quote.discount_percent" => number(3, 2, true),
        "quote.header_discount_percent" | "line.discount_percent" => number(3, INPUT_SCALE, false),
        "line.quantity" => number(12, INPUT_SCALE, true),
        "line.list_unit" => number(12, INPUT_SCALE, true),
        "quote.list_total" | "quote.discount_total" | "quote.net_total" | "line.net_total" => {
            number(12, minor_unit(currency), true)
        }
        _ if kind == Kind::Money => Capacity {
            scale: Some(minor_unit(currency)),
            ..Capacity::default()
        },
        _ => Capacity::default(),
    }
}

fn choices<'a>(values: impl Iterator<Item = &'a str>, filled: bool) -> Capacity {
    Capacity {
        choices: values.map(str::to_owned).collect(),
        filled,
        ..Capacity::default()
    }
}

/// Longest text that the CPQ takes.
pub(super) fn of_cpq(name: &str) -> usize {
    match name {
        "quote.name" | "line.name" => NAME_CHARS,
        "line.description" => DESCRIPTION_CHARS,
        _ => CONTEXT_CHARS,
    }
}

/// Why the CPQ cannot hold the field, if it cannot: a line has fixed fields, and a header any by way of its context.
pub(super) fn no_place(name: &str) -> Option<String> {
    let known = !name.starts_with("line.") || LINE_FIELDS.contains(&name) || name == "line.exists";
    (!known).then(|| format!("a quote line has only {}", LINE_FIELDS.join(", ")))
}
