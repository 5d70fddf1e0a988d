//! Values of formulas.

use super::ast::{Expr, FieldPath, Op};
use super::functions::Function;
use crate::org::{Org, Row, Value};
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use rust_decimal::{Decimal, RoundingStrategy};

/// Greatest exponent of `^`, lest one formula keep the org busy.
const EXPONENT: i64 = 1_000;

/// What a formula is evaluated over.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// The org, for parents.
    pub org: &'a Org,
    /// The record.
    pub row: &'a Row,
    /// What the record was before the write; none on a create.
    pub before: Option<&'a Row>,
    /// The time.
    pub now: Timestamp,
    /// Whether empty numbers count as zero.
    pub blanks_as_zero: bool,
}

/// Why there is no value: `#Error!` in a real org.
pub struct NoValue;

type Result<T> = std::result::Result<T, NoValue>;

/// The value of an expression.
pub fn value(expr: &Expr, frame: &Frame<'_>) -> Result<Value> {
    match expr {
        Expr::Literal(value) => Ok(value.clone()),
        Expr::Field(path) => Ok(field(path, frame, frame.row)),
        Expr::Negative(inner) => Ok(Value::Number(-number(inner, frame)?)),
        Expr::Not(inner) => Ok(Value::Bool(!test(inner, frame)?)),
        Expr::Binary(op, left, right) => binary(*op, left, right, frame),
        Expr::Call(function, arguments) => call(*function, arguments, frame),
    }
}

/// The value of a field; null when a parent is missing.
fn field(path: &FieldPath, frame: &Frame<'_>, row: &Row) -> Value {
    let mut row = row;
    for (reference, object) in &path.hops {
        let parent = row.values[*reference].as_id();
        match parent.and_then(|id| frame.org.table(*object).live(id)) {
            Some(next) => row = next,
            None => return Value::Null,
        }
    }
    row.values[path.field].clone()
}

fn test(expr: &Expr, frame: &Frame<'_>) -> Result<bool> {
    value(expr, frame).map(|v| v.is_true())
}

fn number(expr: &Expr, frame: &Frame<'_>) -> Result<Decimal> {
    match value(expr, frame)? {
        Value::Number(number) => Ok(number),
        Value::Null if frame.blanks_as_zero => Ok(Decimal::ZERO),
        _ => Err(NoValue),
    }
}

fn text(expr: &Expr, frame: &Frame<'_>) -> Result<String> {
    value(expr, frame).map(|v| as_text(&v))
}

/// As `TEXT()` writes it.
fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => flag.to_string(),
        Value::Text(text) => text.as_ref().to_owned(),
        Value::Number(number) => number.normalize().to_string(),
        Value::Date(date) => date.to_string(),
        Value::DateTime(at) => at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Value::Id(id) => id.to_string(),
    }
}

fn binary(op: Op, left: &Expr, right: &Expr, frame: &Frame<'_>) -> Result<Value> {
    match op {
        Op::And => Ok(Value::Bool(test(left, frame)? && test(right, frame)?)),
        Op::Or => Ok(Value::Bool(test(left, frame)? || test(right, frame)?)),
        Op::Concatenate => Ok(Value::text(&(text(left, frame)? + &text(right, frame)?))),
        Op::Equal => Ok(Value::Bool(equal(left, right, frame)?)),
        Op::Unequal => Ok(Value::Bool(!equal(left, right, frame)?)),
        Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual => compared(op, left, right, frame),
        Op::Add | Op::Subtract => sum(op, left, right, frame),
        Op::Multiply | Op::Divide | Op::Power => {
            let (a, b) = (number(left, frame)?, number(right, frame)?);
            let result = match op {
                Op::Multiply => a.checked_mul(b),
                Op::Divide => a.checked_div(b),
                _ => power(a, b),
            };
            result.map(Value::Number).ok_or(NoValue)
        }
    }
}

/// Whole exponents only.
fn power(base: Decimal, exponent: Decimal) -> Option<Decimal> {
    let count = exponent
        .to_i64()
        .filter(|n| n.abs() <= EXPONENT && exponent.fract().is_zero())?;
    let product = (0..count.abs()).try_fold(Decimal::ONE, |so_far, _| so_far.checked_mul(base))?;
    if count < 0 {
        Decimal::ONE.checked_div(product)
    } else {
        Some(product)
    }
}

/// Text is compared with its case here, unlike in queries; an empty number can be zero.
fn equal(left: &Expr, right: &Expr, frame: &Frame<'_>) -> Result<bool> {
    let (a, b) = (value(left, frame)?, value(right, frame)?);
    Ok(match (&a, &b) {
        (Value::Number(n), Value::Null) | (Value::Null, Value::Number(n)) => {
            frame.blanks_as_zero && n.is_zero()
        }
        (Value::Bool(flag), Value::Null) | (Value::Null, Value::Bool(flag)) => !flag,
        (Value::Id(id), Value::Text(text)) | (Value::Text(text), Value::Id(id)) => {
            crate::org::Id::parse(text) == Some(*id)
        }
        _ => a == b,
    })
}

fn compared(op: Op, left: &Expr, right: &Expr, frame: &Frame<'_>) -> Result<Value> {
    let zeroed = |v: Value| match v {
        Value::Null if frame.blanks_as_zero => Value::Number(Decimal::ZERO),
        v => v,
    };
    let (a, b) = (value(left, frame)?, value(right, frame)?);
    let (a, b) = match (&a, &b) {
        (Value::Number(_), Value::Null) | (Value::Null, Value::Number(_)) => (zeroed(a), zeroed(b)),
        _ => (a, b),
    };
    if a.is_null() || b.is_null() {
        return Ok(Value::Bool(false));
    }
    let order = a.order(&b);
    Ok(Value::Bool(match op {
        Op::Less => order.is_lt(),
        Op::LessOrEqual => order.is_le(),
        Op::Greater => order.is_gt(),
        _ => order.is_ge(),
    }))
}

/// Numbers, days added to dates, days between dates, texts joined.
fn sum(op: Op, left: &Expr, right: &Expr, frame: &Frame<'_>) -> Result<Value> {
    let (a, b) = (value(left, frame)?, value(right, frame)?);
    match (op, &a, &b) {
        (Op::Add, Value::Text(_), _) | (Op::Add, _, Value::Text(_)) => {
            return Ok(Value::text(&(as_text(&a) + &as_text(&b))));
        }
        (_, Value::Date(day), Value::Number(days)) => {
            let days = days.trunc().to_i64().ok_or(NoValue)?;
            let days = if op == Op::Add { days } else { -days };
            let span = jiff::Span::new().try_days(days).map_err(|_| NoValue)?;
            return day.checked_add(span).map(Value::Date).map_err(|_| NoValue);
        }
        (Op::Subtract, Value::Date(a), Value::Date(b)) => {
            let days = a.since(*b).map_err(|_| NoValue)?.get_days();
            return Ok(Value::Number(Decimal::from(days)));
        }
        _ => {}
    }
    let of = |v: &Value| match v {
        Value::Number(n) => Ok(*n),
        Value::Null if frame.blanks_as_zero => Ok(Decimal::ZERO),
        _ => Err(NoValue),
    };
    let (a, b) = (of(&a)?, of(&b)?);
    let result = if op == Op::Add {
        a.checked_add(b)
    } else {
        a.checked_sub(b)
    };
    result.map(Value::Number).ok_or(NoValue)
}

fn call(function: Function, arguments: &[Expr], frame: &Frame<'_>) -> Result<Value> {
    match function {
        Function::If => value(&arguments[if test(&arguments[0], frame)? { 1 } else { 2 }], frame),
        Function::Case => case(arguments, frame),
        Function::And => each_until(arguments, frame, false),
        Function::Or => each_until(arguments, frame, true),
        Function::Not => Ok(Value::Bool(!test(&arguments[0], frame)?)),
        Function::IsBlank => Ok(Value::Bool(value(&arguments[0], frame)?.is_null())),
        Function::BlankValue => match value(&arguments[0], frame)? {
            Value::Null => value(&arguments[1], frame),
            given => Ok(given),
        },
        Function::IsPickVal => Ok(Value::Bool(
            text(&arguments[0], frame)? == text(&arguments[1], frame)?,
        )),
        Function::Includes => {
            let (all, one) = (text(&arguments[0], frame)?, text(&arguments[1], frame)?);
            Ok(Value::Bool(all.split(';').any(|part| part == one)))
        }
        Function::IsNew => Ok(Value::Bool(frame.before.is_none())),
        Function::IsChanged | Function::PriorValue => prior(function, &arguments[0], frame),
        Function::Today => Ok(Value::Date(date_of(frame.now))),
        Function::Now => Ok(Value::instant(frame.now)),
        Function::Date | Function::Year | Function::Month | Function::Day => {
            calendar(function, arguments, frame)
        }
        Function::Round
        | Function::Abs
        | Function::Floor
        | Function::Ceiling
        | Function::Mod
        | Function::Min
        | Function::Max
        | Function::Value
        | Function::Len => numeric(function, arguments, frame),
        _ => textual(function, arguments, frame),
    }
}

fn case(arguments: &[Expr], frame: &Frame<'_>) -> Result<Value> {
    let (first, rest) = arguments.split_first().ok_or(NoValue)?;
    let (last, pairs) = rest.split_last().ok_or(NoValue)?;
    let wanted = value(first, frame)?;
    for pair in pairs.chunks_exact(2) {
        if value(&pair[0], frame)? == wanted {
            return value(&pair[1], frame);
        }
    }
    value(last, frame)
}

/// `AND` stops at the first false, `OR` at the first true.
fn each_until(arguments: &[Expr], frame: &Frame<'_>, end: bool) -> Result<Value> {
    for argument in arguments {
        if test(argument, frame)? == end {
            return Ok(Value::Bool(end));
        }
    }
    Ok(Value::Bool(!end))
}

/// On a create nothing has changed, and the prior value is the present one.
fn prior(function: Function, argument: &Expr, frame: &Frame<'_>) -> Result<Value> {
    let Expr::Field(path) = argument else {
        return Err(NoValue);
    };
    let now = field(path, frame, frame.row);
    let was = frame
        .before
        .map_or_else(|| now.clone(), |row| field(path, frame, row));
    Ok(match function {
        Function::IsChanged => Value::Bool(was != now),
        _ => was,
    })
}

fn date_of(at: Timestamp) -> Date {
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn calendar(function: Function, arguments: &[Expr], frame: &Frame<'_>) -> Result<Value> {
    if function == Function::Date {
        let part = |n: usize| number(&arguments[n], frame).map(|d| d.to_i16());
        let (year, month, day) = (part(0)?, part(1)?, part(2)?);
        let (Some(year), Some(month), Some(day)) = (year, month, day) else {
            return Err(NoValue);
        };
        let small = |n: i16| i8::try_from(n).map_err(|_| NoValue);
        return Date::new(year, small(month)?, small(day)?)
            .map(Value::Date)
            .map_err(|_| NoValue);
    }
    let date = match value(&arguments[0], frame)? {
        Value::Date(date) => date,
        Value::DateTime(at) => date_of(at),
        _ => return Err(NoValue),
    };
    Ok(Value::Number(match function {
        Function::Year => Decimal::from(date.year()),
        Function::Month => Decimal::from(date.month()),
        _ => Decimal::from(date.day()),
    }))
}

fn numeric(function: Function, arguments: &[Expr], frame: &Frame<'_>) -> Result<Value> {
    let at = |n: usize| number(&arguments[n], frame);
    let result = match function {
        Function::Len => Decimal::from_usize(text(&arguments[0], frame)?.chars().count()),
        Function::Value => text(&arguments[0], frame)?.trim().parse().ok(),
        Function::Round => {
            let digits = at(1)?.to_u32().unwrap_or(0).min(18);
            Some(at(0)?.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero))
        }
        Function::Abs => Some(at(0)?.abs()),
        Function::Floor => Some(at(0)?.floor()),
        Function::Ceiling => Some(at(0)?.ceil()),
        Function::Mod => at(0)?.checked_rem(at(1)?),
        _ => {
            let all = arguments.iter().map(|a| number(a, frame));
            let all: Vec<Decimal> = all.collect::<Result<_>>()?;
            let picked = if function == Function::Min {
                all.into_iter().min()
            } else {
                all.into_iter().max()
            };
            return picked.map(Value::Number).ok_or(NoValue);
        }
    };
    result.map(Value::Number).ok_or(NoValue)
}

fn textual(function: Function, arguments: &[Expr], frame: &Frame<'_>) -> Result<Value> {
    let subject = text(&arguments[0], frame)?;
    let count = |n: usize| number(&arguments[n], frame).map(|d| d.to_usize().unwrap_or(0));
    let other = |n: usize| text(&arguments[n], frame);
    let result = match function {
        Function::Contains => return Ok(Value::Bool(subject.contains(&other(1)?))),
        Function::Begins => return Ok(Value::Bool(subject.starts_with(&other(1)?))),
        Function::Left => subject.chars().take(count(1)?).collect(),
        Function::Right => {
            let skip = subject.chars().count().saturating_sub(count(1)?);
            subject.chars().skip(skip).collect()
        }
        Function::Mid => {
            let start = count(1)?.saturating_sub(1);
            subject.chars().skip(start).take(count(2)?).collect()
        }
        Function::Upper => subject.to_uppercase(),
        Function::Lower => subject.to_lowercase(),
        Function::Trim => subject.trim().to_owned(),
        Function::Substitute => {
            let old = other(1)?;
            if old.is_empty() {
                subject
            } else {
                subject.replace(&old, &other(2)?)
            }
        }
        _ => subject,
    };
    Ok(Value::text(&result))
}
