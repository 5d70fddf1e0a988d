//! Filter expressions of channel members (Platform Events Developer Guide, Filter Expression Format): conditions in
//! the manner of SOQL over the fields of an event and of its header.

use super::header::Header;
use crate::org::Value;
use crate::schema::{Kind, Object};
use crate::soql::Pattern;
use crate::soql::ast::{Condition, Expr, Literal, Op};
use crate::soql::parser;
use std::cmp::Ordering;

/// Longest expression; real ones end at about this many characters.
const LONGEST: usize = 131_072;
/// Header fields that can stand in an expression: all but the lists.
const HEADER_FIELDS: [&str; 8] = [
    "entityName",
    "changeType",
    "changeOrigin",
    "transactionKey",
    "sequenceNumber",
    "commitTimestamp",
    "commitNumber",
    "commitUser",
];

/// An expression with its names looked up.
#[derive(Debug, Clone)]
pub enum Filter {
    /// All hold.
    All(Vec<Filter>),
    /// Any holds.
    Any(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// A field of the record at this position.
    Field(usize, Test),
    /// A field of the header.
    Header(&'static str, Test),
}

/// A test of one value.
#[derive(Debug, Clone)]
pub enum Test {
    /// Comparison with one value.
    Compare(Op, Value),
    /// LIKE.
    Like(Pattern),
    /// IN, or NOT IN when the flag is set.
    Among(Vec<Value>, bool),
}

impl Filter {
    /// Reads an expression about events of this object.
    ///
    /// # Errors
    /// A sentence that says what does not fit.
    pub fn parse(text: &str, object: &Object) -> Result<Filter, String> {
        if text.len() > LONGEST {
            return Err(format!("a filter expression has at most {LONGEST} characters"));
        }
        let query = parser::parse(&format!("SELECT Id FROM Event WHERE {text}")).map_err(|e| e.message)?;
        let only_a_condition = query.group.is_empty()
            && query.having.is_none()
            && query.order.is_empty()
            && query.limit.is_none()
            && query.offset.is_none()
            && !query.for_view
            && !query.for_reference;
        match query.filter {
            Some(condition) if only_a_condition => compile(&condition, object),
            _ => Err("a filter expression is a condition and nothing else".into()),
        }
    }

    /// Whether it holds. `value` gives what the event says of a field, null when it says nothing; platform events have
    /// no header.
    pub fn holds<'a>(&self, value: &dyn Fn(usize) -> &'a Value, header: Option<&Header<'_>>) -> bool {
        match self {
            Filter::All(all) => all.iter().all(|one| one.holds(value, header)),
            Filter::Any(any) => any.iter().any(|one| one.holds(value, header)),
            Filter::Not(inner) => !inner.holds(value, header),
            Filter::Field(at, test) => test.passes(value(*at)),
            Filter::Header(name, test) => {
                test.passes(&header.map_or(Value::Null, |header| header.value(name)))
            }
        }
    }

    /// Positions of the record's fields in it; events that are filtered always carry them.
    pub fn fields(&self) -> Vec<usize> {
        match self {
            Filter::All(all) | Filter::Any(all) => all.iter().flat_map(Filter::fields).collect(),
            Filter::Not(inner) => inner.fields(),
            Filter::Field(at, _) => vec![*at],
            Filter::Header(..) => Vec::new(),
        }
    }
}

impl Test {
    fn passes(&self, value: &Value) -> bool {
        match self {
            Test::Like(pattern) => value.as_text().is_some_and(|text| pattern.matches(text)),
            Test::Among(values, negated) => values.iter().any(|one| equal(value, one)) != *negated,
            Test::Compare(Op::Eq, other) => equal(value, other),
            Test::Compare(Op::Ne, other) => !equal(value, other),
            // What has no value is neither more nor less than anything.
            Test::Compare(..) if value.is_null() => false,
            Test::Compare(op, other) => match value.order(other) {
                Ordering::Less => matches!(op, Op::Lt | Op::Le),
                Ordering::Equal => matches!(op, Op::Le | Op::Ge),
                Ordering::Greater => matches!(op, Op::Gt | Op::Ge),
            },
        }
    }
}

fn equal(value: &Value, other: &Value) -> bool {
    value.is_null() == other.is_null() && value.order(other) == Ordering::Equal
}

fn compile(condition: &Condition, object: &Object) -> Result<Filter, String> {
    let each = |all: &[Condition]| {
        all.iter()
            .map(|one| compile(one, object))
            .collect::<Result<_, _>>()
    };
    match condition {
        Condition::And(all) => each(all).map(Filter::All),
        Condition::Or(any) => each(any).map(Filter::Any),
        Condition::Not(inner) => compile(inner, object).map(|inner| Filter::Not(Box::new(inner))),
        Condition::Compare(Expr::Field(name), op, literals) => comparison(&name.text, *op, literals, object),
        Condition::Compare(Expr::Call(_), ..) | Condition::SemiJoin(..) => {
            Err("functions and queries cannot stand in a filter expression".into())
        }
    }
}

fn comparison(name: &str, op: Op, literals: &[Literal], object: &Object) -> Result<Filter, String> {
    if let Some(field) = name.strip_prefix("ChangeEventHeader.") {
        let known = HEADER_FIELDS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(field));
        let known = known.ok_or_else(|| format!("the header field {field} cannot be filtered"))?;
        return test(op, literals, |literal| plain(literal, field)).map(|test| Filter::Header(known, test));
    }
    // Parts of addresses are named by the compound: BillingAddress.City is BillingCity of the record.
    let flat = name.split_once('.').map(|(compound, part)| {
        let stem = compound.strip_suffix("Address").unwrap_or(compound);
        format!("{stem}{part}")
    });
    let at = object.position(flat.as_deref().unwrap_or(name));
    let at = at.ok_or_else(|| format!("there is no field {name}"))?;
    let field = &object.fields[at];
    test(op, literals, |literal| match (field.kind, literal) {
        (Kind::Id | Kind::Reference, Literal::Text(text)) => crate::org::Id::parse(text)
            .map(Value::Id)
            .ok_or_else(|| format!("{name}: '{text}' is no id")),
        _ => plain(literal, name),
    })
    .map(|test| Filter::Field(at, test))
}

fn test(
    op: Op,
    literals: &[Literal],
    value: impl Fn(&Literal) -> Result<Value, String>,
) -> Result<Test, String> {
    match (op, literals) {
        (Op::Like, [Literal::Text(text)]) => Ok(Test::Like(Pattern::new(text))),
        (Op::In | Op::NotIn, list) => {
            let values = list.iter().map(value).collect::<Result<_, _>>()?;
            Ok(Test::Among(values, op == Op::NotIn))
        }
        (Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge, [one]) => Ok(Test::Compare(op, value(one)?)),
        _ => Err("this operator cannot stand in a filter expression".into()),
    }
}

fn plain(literal: &Literal, name: &str) -> Result<Value, String> {
    match literal {
        Literal::Null => Ok(Value::Null),
        Literal::Bool(flag) => Ok(Value::Bool(*flag)),
        Literal::Text(text) => Ok(Value::text(text)),
        Literal::Number(number) | Literal::Money(_, number) => Ok(Value::Number(*number)),
        Literal::Time(time) => Ok(Value::text(time)),
        Literal::Date(date) => Ok(Value::Date(*date)),
        Literal::DateTime(at) => Ok(Value::instant(*at)),
        Literal::Relative(..) => Err(format!(
            "{name}: relative dates cannot stand in a filter expression"
        )),
    }
}
