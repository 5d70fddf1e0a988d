//! Functions that change how a value is shown: toLabel, FORMAT, convertCurrency, DISTANCE.

use super::ast::{Argument, Call, Expr, Name};
use super::format::formatted;
use super::path::{Path, Scope};
use super::scalar::{Scalar, converted, currency_of, only_field, unknown_function};
use super::setting::Setting;
use crate::org::{ApiError, Org, Row, Value};
use crate::schema::Kind;
use serde_json::Value as Json;
use std::sync::Arc;

/// The result of a function, ready to be shown.
#[derive(Debug, Clone)]
pub struct Shown {
    scalar: Scalar,
    kind: Kind,
    format: Option<Format>,
}

/// How FORMAT writes it.
#[derive(Debug, Clone)]
pub struct Format {
    scale: u32,
    currency: Option<Path>,
    setting: Arc<Setting>,
}

/// Looks up a function of the select list; also its path and the name within it.
///
/// # Errors
/// MALFORMED_QUERY, INVALID_FIELD.
pub fn shown<'c>(scope: &Scope<'_>, call: &'c Call) -> Result<(Path, &'c Name, Shown), ApiError> {
    let (scalar, name) = inner(scope, call)?;
    let path = scalar.path().clone();
    let kind = scalar.kind(scope);
    let format = is(call, "FORMAT").then(|| Format::of(scope, &scalar));
    Ok((path, name, Shown { scalar, kind, format }))
}

fn is(call: &Call, function: &str) -> bool {
    call.function.text.eq_ignore_ascii_case(function)
}

fn inner<'c>(scope: &Scope<'_>, call: &'c Call) -> Result<(Scalar, &'c Name), ApiError> {
    match () {
        () if is(call, "FORMAT") => match call.arguments.as_slice() {
            [Argument::Expr(Expr::Call(inside))] if is(inside, "convertCurrency") => inner(scope, inside),
            _ => {
                let name = only_field(scope, call)?;
                Ok((Scalar::Field(scope.path(name)?), name))
            }
        },
        () if is(call, "convertCurrency") => Ok((converted(scope, call)?, only_field(scope, call)?)),
        () if is(call, "toLabel") => Ok((
            Scalar::of(scope, &Expr::Call(call.clone()))?,
            only_field(scope, call)?,
        )),
        () if is(call, "DISTANCE") => {
            let scalar = Scalar::of(scope, &Expr::Call(call.clone()))?;
            Ok((scalar, &call.function))
        }
        () => Err(unknown_function(scope, call)),
    }
}

impl Shown {
    /// Whether it has no field's name to stand under.
    pub fn is_distance(&self) -> bool {
        matches!(self.scalar, Scalar::Distance(_))
    }

    /// Type of its values.
    pub fn kind(&self) -> Kind {
        if self.format.is_some() {
            Kind::String
        } else {
            self.kind
        }
    }

    /// The same seen from the record that holds the field.
    pub fn at_parent(mut self) -> Shown {
        self.scalar = self.scalar.at_parent();
        if let Some(format) = &mut self.format {
            format.currency = format.currency.take().map(Path::at_parent);
        }
        self
    }

    /// How the wire shows it.
    pub fn json(&self, org: &Org, row: &Row) -> Json {
        let value = self.scalar.value(org, row);
        match &self.format {
            None => value.to_json(self.kind),
            Some(format) => format.json(&value, self.kind, org, row),
        }
    }
}

impl Format {
    /// How FORMAT writes this.
    pub fn of(scope: &Scope<'_>, scalar: &Scalar) -> Format {
        let converted = matches!(scalar, Scalar::Corporate(..));
        let path = scalar.path();
        Format {
            scale: scope.field(path).map_or(0, |f| u32::from(f.scale)),
            currency: currency_of(scope, path).filter(|_| !converted),
            setting: scope.setting.clone(),
        }
    }

    fn json(&self, value: &Value, kind: Kind, org: &Org, row: &Row) -> Json {
        let own = self
            .currency
            .as_ref()
            .map(|path| path.value(org, row).into_owned());
        let corporate = self
            .setting
            .money
            .is_multiple()
            .then_some(self.setting.money.corporate.as_str());
        let code = own.as_ref().and_then(Value::as_text).or(corporate);
        formatted(value, kind, self.scale, code, &self.setting).map_or(Json::Null, Json::String)
    }

    /// A total, which has no record.
    pub fn total(&self, value: &Value, kind: Kind) -> Json {
        let money = &self.setting.money;
        let code = money.is_multiple().then_some(money.corporate.as_str());
        formatted(value, kind, self.scale, code, &self.setting).map_or(Json::Null, Json::String)
    }
}
