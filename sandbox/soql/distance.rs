//! DISTANCE between an address and a place (SOQL and SOSL Reference, Location-Based SOQL Queries).

use super::ast::{Argument, Call, Expr, Literal};
use super::fault::misplaced;
use super::path::{End, Path, Scope};
use crate::org::{ApiError, Org, Row, Value};
use crate::schema::Kind;
use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};

/// Mean radius of the Earth in kilometres, and in miles.
const RADIUS_KM: f64 = 6_371.008_8;
const RADIUS_MI: f64 = 3_958.761_3;

/// The distance from an address to a fixed place.
#[derive(Debug, Clone, PartialEq)]
pub struct Distance {
    latitude: Path,
    longitude: Path,
    to: (f64, f64),
    radius: f64,
}

impl Distance {
    /// Takes `DISTANCE(BillingAddress, GEOLOCATION(37.775, -122.418), 'mi')` apart.
    ///
    /// # Errors
    /// MALFORMED_QUERY, INVALID_FIELD.
    pub fn of(scope: &Scope<'_>, call: &Call) -> Result<Distance, ApiError> {
        let refused = || misplaced(scope.query, call.function.at, "Invalid use of function DISTANCE");
        let [
            Argument::Expr(Expr::Field(name)),
            Argument::Expr(Expr::Call(place)),
            Argument::Value(Literal::Text(unit)),
        ] = call.arguments.as_slice()
        else {
            return Err(refused());
        };
        let radius = match unit.to_ascii_lowercase().as_str() {
            "mi" => RADIUS_MI,
            "km" => RADIUS_KM,
            _ => return Err(refused()),
        };
        let path = scope.path(name)?;
        let part = |suffix: &str| part(scope, &path, suffix).ok_or_else(refused);
        Ok(Distance {
            latitude: part("Latitude")?,
            longitude: part("Longitude")?,
            to: geolocation(place).ok_or_else(refused)?,
            radius,
        })
    }

    /// The field that holds the latitude.
    pub fn path(&self) -> &Path {
        &self.latitude
    }

    /// The distance for a row; null when its place is not known.
    pub fn value(&self, org: &Org, row: &Row) -> Value {
        let degrees = |path: &Path| path.value(org, row).as_number().and_then(|n| n.to_f64());
        match (degrees(&self.latitude), degrees(&self.longitude)) {
            (Some(latitude), Some(longitude)) => {
                let angle = central_angle((latitude, longitude), self.to);
                Decimal::from_f64(angle * self.radius).map_or(Value::Null, Value::Number)
            }
            _ => Value::Null,
        }
    }
}

/// The path to a part of an address.
fn part(scope: &Scope<'_>, path: &Path, suffix: &str) -> Option<Path> {
    let field = scope.field(path).filter(|f| f.kind == Kind::Address)?;
    let stem = field.name.strip_suffix("Address")?;
    let at = scope
        .schema
        .at(path.object?)
        .position(&format!("{stem}{suffix}"))?;
    Some(Path {
        end: End::Field(at),
        ..path.clone()
    })
}

fn geolocation(call: &Call) -> Option<(f64, f64)> {
    match call.arguments.as_slice() {
        [
            Argument::Value(Literal::Number(a)),
            Argument::Value(Literal::Number(b)),
        ] if call.function.text.eq_ignore_ascii_case("GEOLOCATION") => Some((a.to_f64()?, b.to_f64()?)),
        _ => None,
    }
}

/// The haversine formula, in radians.
fn central_angle(from: (f64, f64), to: (f64, f64)) -> f64 {
    let (a, b) = (from.0.to_radians(), to.0.to_radians());
    let (across, along) = ((b - a) / 2.0, (to.1 - from.1).to_radians() / 2.0);
    let h = across.sin().powi(2) + a.cos() * b.cos() * along.sin().powi(2);
    2.0 * h.clamp(0.0, 1.0).sqrt().asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_berlin_to_munich() {
        let km = central_angle((52.52, 13.405), (48.137, 11.575)) * RADIUS_KM;
        assert!((503.0..506.0).contains(&km), "{km}");
    }
}
