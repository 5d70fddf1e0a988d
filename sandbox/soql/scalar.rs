//! What one record yields for a field or a function over it.

use super::ast::{Argument, Call, Expr, Name};
use super::calendar::DatePart;
use super::distance::Distance;
use super::fault::{misplaced, pointing};
use super::path::{End, Path, Scope};
use super::setting::Setting;
use crate::org::{ApiError, Org, Row, Value};
use crate::schema::Kind;
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::sync::Arc;

/// A field or a function over it.
#[derive(Debug, Clone)]
pub enum Scalar {
    /// A field.
    Field(Path),
    /// A date function, in a time zone.
    Date(DatePart, Path, TimeZone, Arc<Setting>),
    /// The label of a picklist's value.
    Label(Path, Arc<Vec<(String, String)>>),
    /// An amount in the corporate currency, with the path to its own.
    Corporate(Path, Path, Arc<Setting>),
    /// How far away an address is.
    Distance(Arc<Distance>),
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Scalar) -> bool {
        match (self, other) {
            (Scalar::Field(a), Scalar::Field(b)) | (Scalar::Label(a, _), Scalar::Label(b, _)) => a == b,
            (Scalar::Date(p, a, z, _), Scalar::Date(q, b, y, _)) => p == q && a == b && z == y,
            (Scalar::Corporate(a, ..), Scalar::Corporate(b, ..)) => a == b,
            (Scalar::Distance(a), Scalar::Distance(b)) => a == b,
            _ => false,
        }
    }
}

impl Scalar {
    /// Looks up an expression that is no aggregate. What FORMAT and convertCurrency do to a value is no matter here.
    ///
    /// # Errors
    /// INVALID_FIELD, MALFORMED_QUERY.
    pub fn of(scope: &Scope<'_>, expr: &Expr) -> Result<Scalar, ApiError> {
        let call = match expr {
            Expr::Field(name) => return Ok(Scalar::Field(scope.path(name)?)),
            Expr::Call(call) => call,
        };
        if let Some(part) = DatePart::parse(&call.function.text) {
            return date(scope, call, part);
        }
        if call.function.text.eq_ignore_ascii_case("toLabel") {
            let name = only_field(scope, call)?;
            let path = scope.path(name)?;
            return Ok(label(scope, path));
        }
        if call.function.text.eq_ignore_ascii_case("DISTANCE") {
            return Ok(Scalar::Distance(Arc::new(Distance::of(scope, call)?)));
        }
        Err(unknown_function(scope, call))
    }

    /// Type of its values.
    pub fn kind(&self, scope: &Scope<'_>) -> Kind {
        match self {
            Scalar::Field(path) | Scalar::Label(path, _) | Scalar::Corporate(path, ..) => {
                path.kind(scope.schema)
            }
            Scalar::Date(part, ..) => part.kind(),
            Scalar::Distance(_) => Kind::Double,
        }
    }

    /// The path beneath.
    pub fn path(&self) -> &Path {
        match self {
            Scalar::Field(path)
            | Scalar::Date(_, path, ..)
            | Scalar::Label(path, _)
            | Scalar::Corporate(path, ..) => path,
            Scalar::Distance(distance) => distance.path(),
        }
    }

    /// The same seen from the record that holds the field.
    pub fn at_parent(self) -> Scalar {
        match self {
            Scalar::Field(path) => Scalar::Field(path.at_parent()),
            Scalar::Date(part, path, zone, setting) => Scalar::Date(part, path.at_parent(), zone, setting),
            Scalar::Label(path, labels) => Scalar::Label(path.at_parent(), labels),
            Scalar::Corporate(path, own, setting) => {
                Scalar::Corporate(path.at_parent(), own.at_parent(), setting)
            }
            Scalar::Distance(distance) => Scalar::Distance(distance),
        }
    }

    /// The value for a row.
    pub fn value<'o>(&self, org: &'o Org, row: &'o Row) -> Cow<'o, Value> {
        match self {
            Scalar::Field(path) => path.value(org, row),
            Scalar::Date(part, path, zone, setting) => {
                Cow::Owned(part.of(&path.value(org, row), zone, setting.fiscal))
            }
            Scalar::Label(path, labels) => labelled(path.value(org, row), labels),
            Scalar::Distance(distance) => Cow::Owned(distance.value(org, row)),
            Scalar::Corporate(path, currency, setting) => {
                let value = path.value(org, row);
                let own = currency.value(org, row);
                match (value.as_number(), own.as_text()) {
                    (Some(n), Some(code)) => Cow::Owned(Value::Number(setting.money.to_corporate(n, code))),
                    _ => value,
                }
            }
        }
    }
}

/// The one argument of a function, which must be a field.
///
/// # Errors
/// MALFORMED_QUERY.
pub fn only_field<'c>(scope: &Scope<'_>, call: &'c Call) -> Result<&'c Name, ApiError> {
    match call.arguments.as_slice() {
        [Argument::Expr(Expr::Field(name))] => Ok(name),
        _ => Err(misplaced(
            scope.query,
            call.function.at,
            &format!("Invalid use of function {}", call.function.text),
        )),
    }
}

/// The error for a function that does not exist or does not fit its place.
pub fn unknown_function(scope: &Scope<'_>, call: &Call) -> ApiError {
    let reason = format!("Unknown function: {}", call.function.text);
    misplaced(scope.query, call.function.at, &reason)
}

fn date(scope: &Scope<'_>, call: &Call, part: DatePart) -> Result<Scalar, ApiError> {
    let (name, zone) = match call.arguments.as_slice() {
        [Argument::Expr(Expr::Call(inner))]
            if inner.function.text.eq_ignore_ascii_case("convertTimezone") =>
        {
            (only_field(scope, inner)?, scope.setting.zone.clone())
        }
        _ => (only_field(scope, call)?, TimeZone::UTC),
    };
    let path = scope.path(name)?;
    let kind = path.kind(scope.schema);
    let fits = kind == Kind::DateTime || kind == Kind::Date && !part.needs_time() && zone == TimeZone::UTC;
    if !fits {
        let reason = format!(
            "field '{}' does not support function {}",
            scope.field_name(&path),
            call.function.text.to_ascii_uppercase()
        );
        return Err(misplaced(scope.query, name.at, &reason));
    }
    Ok(Scalar::Date(part, path, zone, scope.setting.clone()))
}

/// Values and labels of a picklist where they differ.
fn label(scope: &Scope<'_>, path: Path) -> Scalar {
    let values = scope
        .field(&path)
        .map(|f| f.values.as_slice())
        .unwrap_or_default();
    let differing = values
        .iter()
        .filter_map(|v| Some((v.value.clone(), v.label.clone()?)));
    Scalar::Label(path, Arc::new(differing.collect()))
}

fn labelled<'o>(value: Cow<'o, Value>, labels: &[(String, String)]) -> Cow<'o, Value> {
    let Some(text) = value.as_text().filter(|_| !labels.is_empty()) else {
        return value;
    };
    let of = |part: &str| {
        labels
            .iter()
            .find(|(v, _)| v == part)
            .map_or(part.to_owned(), |(_, l)| l.clone())
    };
    let shown: Vec<String> = text.split(';').map(of).collect();
    Cow::Owned(Value::text(&shown.join(";")))
}

/// A field as sorting, ranges and totals see it: amounts in the corporate currency when there are several.
pub fn comparable(scope: &Scope<'_>, path: Path) -> Scalar {
    let amount = path.kind(scope.schema) == Kind::Currency && scope.setting.money.is_multiple();
    match currency_of(scope, &path).filter(|_| amount) {
        Some(currency) => Scalar::Corporate(path, currency, scope.setting.clone()),
        None => Scalar::Field(path),
    }
}

/// The path to the currency of the record that holds a field; none in a single-currency org.
pub fn currency_of(scope: &Scope<'_>, path: &Path) -> Option<Path> {
    let at = scope.schema.at(path.object?).position("CurrencyIsoCode")?;
    scope.setting.money.is_multiple().then(|| Path {
        end: End::Field(at),
        ..path.clone()
    })
}

/// `convertCurrency(Amount)`: the amount in the user's currency, which is the corporate one.
///
/// # Errors
/// INVALID_FIELD in a single-currency org and for fields that are no amounts.
pub fn converted(scope: &Scope<'_>, call: &Call) -> Result<Scalar, ApiError> {
    let name = only_field(scope, call)?;
    let path = scope.path(name)?;
    if path.kind(scope.schema) != Kind::Currency || !scope.setting.money.is_multiple() {
        let reason = format!(
            "field '{}' does not support convertCurrency",
            scope.field_name(&path)
        );
        return Err(pointing(scope.query, name.at, "INVALID_FIELD", &reason));
    }
    Ok(comparable(scope, path))
}
