//! From a literal to the value it means for a field.

use super::ast::Literal;
use super::fault::{malformed, pointing};
use super::lexer;
use super::path::Scope;
use super::relative;
use crate::org::{ApiError, Id, Value};
use crate::schema::Kind;
use jiff::civil::Date;

/// What a condition compares: its name and place for error texts, and its type.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// Name.
    pub name: &'a str,
    /// Byte in the query.
    pub at: usize,
    /// Type.
    pub kind: Kind,
}

impl Target<'_> {
    /// The value that a literal means.
    ///
    /// # Errors
    /// INVALID_FIELD for a literal of another type, INVALID_QUERY_FILTER_OPERATOR for text that is no id.
    pub fn value(&self, scope: &Scope<'_>, literal: &Literal) -> Result<Value, ApiError> {
        match (self.kind, literal) {
            // SOQL and SOSL Reference, Use null in WHERE: null means unticked.
            (Kind::Boolean, Literal::Null) => Ok(Value::Bool(false)),
            (_, Literal::Null) => Ok(Value::Null),
            (Kind::Boolean, Literal::Bool(flag)) => Ok(Value::Bool(*flag)),
            (Kind::Date, Literal::Date(date)) => Ok(Value::Date(*date)),
            (Kind::DateTime, Literal::DateTime(at)) => Ok(Value::DateTime(*at)),
            (Kind::Time, Literal::Time(time)) => Ok(Value::text(time)),
            (Kind::Time, _) => Err(self.wrong_type(scope)),
            (Kind::Id | Kind::Reference, Literal::Text(text)) => self.record_id(scope, text),
            (Kind::Currency, Literal::Money(code, amount)) => self.money(scope, code, *amount),
            (kind, Literal::Number(number)) if kind.is_number() => Ok(Value::Number(*number)),
            (kind, Literal::Text(text)) if kind.is_text() => Ok(Value::text(&lexer::plain(text))),
            _ => Err(self.wrong_type(scope)),
        }
    }

    fn money(&self, scope: &Scope<'_>, code: &str, amount: rust_decimal::Decimal) -> Result<Value, ApiError> {
        let money = &scope.setting.money;
        let known = money.rates.contains_key(code) || !money.is_multiple() && money.corporate == code;
        if !known {
            let reason = format!("Invalid currency code: {code}");
            return Err(pointing(scope.query, self.at, "INVALID_FIELD", &reason));
        }
        Ok(Value::Number(money.to_corporate(amount, code)))
    }

    fn record_id(&self, scope: &Scope<'_>, text: &str) -> Result<Value, ApiError> {
        if text.is_empty() {
            return Ok(Value::Null);
        }
        Id::parse(text).map(Value::Id).ok_or_else(|| {
            let reason = format!("invalid ID field: {text}");
            pointing(scope.query, self.at, "INVALID_QUERY_FILTER_OPERATOR", &reason)
        })
    }

    /// The span that a date literal means: from, and until (not included).
    ///
    /// # Errors
    /// INVALID_FIELD when the field is no date, MALFORMED_QUERY when the span leaves the calendar.
    pub fn span(
        &self,
        scope: &Scope<'_>,
        word: &str,
        count: Option<i64>,
    ) -> Result<(Value, Value), ApiError> {
        if !matches!(self.kind, Kind::Date | Kind::DateTime) {
            return Err(self.wrong_type(scope));
        }
        let span = relative::span(word, count, scope.setting);
        let (from, until) = span.ok_or_else(|| malformed(format!("invalid date literal: {word}")))?;
        let begin = |date: Date| match self.kind {
            Kind::Date => Some(Value::Date(date)),
            _ => scope.setting.midnight(date).map(Value::DateTime),
        };
        let both = begin(from).zip(begin(until));
        both.ok_or_else(|| malformed(format!("invalid date literal: {word}")))
    }

    /// The error for a literal of another type.
    pub fn wrong_type(&self, scope: &Scope<'_>) -> ApiError {
        let quotes = if self.kind.is_text() && self.kind != Kind::Time
            || matches!(self.kind, Kind::Id | Kind::Reference)
        {
            "should be enclosed in quotes"
        } else {
            "should not be enclosed in quotes"
        };
        let reason = format!(
            "value of filter criterion for field '{}' must be of type {} and {quotes}",
            self.name,
            type_name(self.kind)
        );
        pointing(scope.query, self.at, "INVALID_FIELD", &reason)
    }

    /// The error for an operator that does not fit the type.
    pub fn wrong_operator(&self, scope: &Scope<'_>) -> ApiError {
        let reason = format!("invalid operator on {} field", self.kind.name());
        pointing(scope.query, self.at, "INVALID_QUERY_FILTER_OPERATOR", &reason)
    }
}

/// Types as the error text for literals names them.
fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::DateTime => "dateTime",
        Kind::Id | Kind::Reference => "ID",
        kind if kind.is_text() && kind != Kind::Time => "string",
        kind => kind.name(),
    }
}
