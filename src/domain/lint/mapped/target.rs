//! Whether the CRM field is there, may be set, is of a fitting type, and has room.

use super::{CounterExample, Doubt, Drawn, Flaw, Severity, capacity};
use crate::kind::Kind;
use crate::schema::FieldSchema;
use crate::value::minor_unit;

/// Names that the CPQ has no place for.
pub(super) fn names(field: &Drawn, doubts: &mut Vec<Doubt>) {
    if let Some(why) = capacity::no_place(field.name.as_str()) {
        let message = format!("the CPQ cannot hold {}: {why}", field.name);
        let fix = "name one of these, or map it to a field of the header such as opportunity.<name>";
        doubts.push(field.doubt(Flaw::NoPlace, Severity::Error, message, fix));
    }
}

/// What the describe says against the field as such.
pub(super) fn permissions(field: &Drawn, doubts: &mut Vec<Doubt>) {
    if !field.described {
        return;
    }
    let place = &field.place;
    let Some(there) = &field.there else {
        // An org need not have every field that we know of; one that its own people mapped should be there.
        let severity = if field.line.is_some() {
            Severity::Error
        } else {
            Severity::Warning
        };
        let message = format!("{place} does not exist in the org, or is hidden from our user");
        let fix = "correct the name, let our user see the field, or take the entry out with `off = true`";
        doubts.push(field.doubt(Flaw::Missing, severity, message, fix));
        return;
    };
    if !field.written {
        return;
    }
    let mut refuse = |lint, message: String, fix: &str| {
        doubts.push(field.doubt(lint, Severity::Error, message, fix));
    };
    let (creates, updates) = (field.created || field.once, !field.once);
    if there.calculated {
        let message =
            format!("{place} is calculated by the CRM (a formula or roll-up): `calculated` is true");
        refuse(
            Flaw::Calculated,
            message,
            "write to a field of its own, or set `writable = false`",
        );
    } else if updates && !there.updateable {
        let message = format!("our user may not change {place}: `updateable` is false");
        refuse(
            Flaw::NotUpdateable,
            message,
            "give our user edit access to the field, or set `writable = false`",
        );
    } else if creates && !there.createable {
        let message = format!("our user may not set {place} on a new record: `createable` is false");
        refuse(
            Flaw::NotCreateable,
            message,
            "give our user edit access to the field, or set `writable = false`",
        );
    }
}

/// Whether the type of the CRM field does not fit what the field means.
pub(super) fn wrong_type(field: &Drawn, there: &FieldSchema, doubts: &mut Vec<Doubt>) -> bool {
    if field.computed() {
        return false;
    }
    let mapped = !field.maps.is_empty();
    let readable = fits(field.kind, &there.kind, mapped);
    let writable = !field.written || takes(field.kind, &there.kind, mapped);
    if readable && writable {
        return false;
    }
    let (place, kind, theirs) = (&field.place, field.kind, &there.kind);
    let what = if readable {
        "cannot be written to"
    } else {
        "cannot be read from"
    };
    let message = format!("a {kind} {what} {place}, which is of type {theirs}");
    let fix = format!("map it with a `type` that fits {theirs}, or convert with `from_crm` and `to_crm`");
    doubts.push(field.doubt(Flaw::WrongType, Severity::Error, message, fix));
    true
}

fn is_number(theirs: &str) -> bool {
    matches!(theirs, "double" | "currency" | "percent" | "int" | "long")
}

/// Types whose values are JSON text without a form of their own.
pub(super) fn is_text(theirs: &str) -> bool {
    !is_number(theirs)
        && !matches!(
            theirs,
            "boolean"
                | "date"
                | "datetime"
                | "time"
                | "address"
                | "location"
                | "base64"
                | "anyType"
                | "complexvalue"
        )
}

/// Whether values of a CRM type can be read as a kind (Object Reference, "Field Types").
fn fits(kind: Kind, theirs: &str, mapped: bool) -> bool {
    match kind {
        Kind::Text if mapped => is_text(theirs) || matches!(theirs, "boolean"),
        Kind::Text => !matches!(theirs, "address" | "location" | "base64" | "complexvalue"),
        Kind::Choice | Kind::Flag if mapped => is_text(theirs) || theirs == "boolean",
        Kind::Choice | Kind::Choices | Kind::Phone | Kind::Country | Kind::State => is_text(theirs),
        Kind::Flag => theirs == "boolean",
        Kind::Number | Kind::Money => is_number(theirs),
        Kind::Date => matches!(theirs, "date" | "datetime"),
        Kind::Instant => theirs == "datetime",
    }
}

/// Whether values of a kind can be written to a CRM type.
fn takes(kind: Kind, theirs: &str, mapped: bool) -> bool {
    match kind {
        Kind::Text if !mapped => is_text(theirs),
        _ => fits(kind, theirs, mapped),
    }
}

/// Whether the field is long and fine enough.
pub(super) fn room(field: &Drawn, there: &FieldSchema, doubts: &mut Vec<Doubt>) {
    if field.computed() || !field.maps.is_empty() {
        return;
    }
    if !field.written {
        too_long(field, there, doubts);
        return;
    }
    if field.kind.is_text() && is_text(&there.kind) {
        too_short(field, there, doubts);
    }
    if field.kind.is_numeric() {
        digits(field, there, doubts);
    }
}

fn too_long(field: &Drawn, there: &FieldSchema, doubts: &mut Vec<Doubt>) {
    let (most, place) = (capacity::of_cpq(field.name.as_str()), &field.place);
    if field.kind.is_text() && there.length as usize > most {
        let message = format!(
            "{place} may hold {} characters, and the CPQ takes {most}",
            there.length
        );
        let fix = "shorten it with `from_crm`, e.g. `value.sub_string(0, 255)`, or leave it: a longer text is refused";
        doubts.push(field.doubt(Flaw::TooLong, Severity::Warning, message, fix));
    }
}

fn too_short(field: &Drawn, there: &FieldSchema, doubts: &mut Vec<Doubt>) {
    let Some(most) = capacity::of(field.name.as_str(), field.kind, &field.currency).chars else {
        return;
    };
    let room = there.length as usize;
    if room > 0 && room < most {
        let message = format!(
            "{} may have {most} characters, and {} holds {room}",
            field.name, field.place
        );
        let fix = format!("make the CRM field {most} characters long");
        let text = format!("a text of {} characters", room + 1);
        let proof = CounterExample {
            value: text,
            crm: "refused as too long".to_owned(),
            back: None,
        };
        doubts.push(
            field
                .doubt(Flaw::TooShort, Severity::Error, message, fix)
                .proved(proof),
        );
    }
}

fn digits(field: &Drawn, there: &FieldSchema, doubts: &mut Vec<Doubt>) {
    let holds = capacity::of(field.name.as_str(), field.kind, &field.currency);
    let (scale, place) = (there.scale, &field.place);
    if let Some(fine) = holds.scale.filter(|fine| *fine > scale) {
        let minor = minor_unit(&field.currency);
        let loses_money = field.kind == Kind::Money && scale < minor;
        let whole = matches!(there.kind.as_str(), "int" | "long");
        let lint = if whole {
            Flaw::WholeNumbers
        } else {
            Flaw::TooCoarse
        };
        let severity = match loses_money || whole {
            true => Severity::Error,
            false => Severity::Warning,
        };
        let message = format!(
            "{} has up to {fine} digits after the point, and {place} keeps {scale}",
            field.name
        );
        let fix = match whole {
            true => format!("use a number field with {fine} decimal places"),
            false => format!(
                "give the CRM field {fine} decimal places; until then both sides are compared with {scale}"
            ),
        };
        doubts.push(
            field
                .doubt(lint, severity, message, fix)
                .proved(rounded(field, fine, scale, whole)),
        );
    }
    let room = there.precision.saturating_sub(scale);
    if let Some(whole) = holds.whole.filter(|whole| there.precision > 0 && *whole > room) {
        let message = format!(
            "{} may have {whole} digits before the point, and {place} holds {room}",
            field.name
        );
        let fix = "give the CRM field more digits; larger numbers are refused there";
        doubts.push(field.doubt(Flaw::TooSmall, Severity::Warning, message, fix));
    }
}

/// A number with all its digits, and what the CRM makes of it.
fn rounded(field: &Drawn, fine: u32, scale: u32, whole: bool) -> CounterExample {
    let value = rust_decimal::Decimal::new(1_234_567_i64, fine.min(6));
    let unit = if field.kind == Kind::Money {
        format!(" {}", field.currency)
    } else {
        String::new()
    };
    let kept = crate::value::round(value, scale);
    CounterExample {
        value: format!("{value}{unit}"),
        crm: if whole {
            "refused: whole numbers only".to_owned()
        } else {
            kept.to_string()
        },
        back: (!whole).then(|| format!("{kept}{unit}")),
    }
}
