//! Parser of conditions: WHERE and HAVING.

use super::ast::{Condition, Expr, Literal, Name, Op};
use super::lexer::TokenKind;
use super::parser::Parser;
use super::relative;
use crate::org::ApiError;
use crate::org::value::parse_instant;
use jiff::civil::Date;
use rust_decimal::Decimal;

impl Parser<'_> {
    /// Conditions joined by AND or by OR; both together need parentheses.
    pub(super) fn conditions(&mut self) -> Result<Condition, ApiError> {
        let first = self.condition()?;
        let word = ["AND", "OR"].into_iter().find(|w| self.at_word(w));
        let Some(word) = word else { return Ok(first) };
        let mut all = vec![first];
        while self.eat_word(word) {
            all.push(self.condition()?);
        }
        if self.at_word("AND") || self.at_word("OR") {
            return Err(self.unexpected());
        }
        Ok(if word == "AND" {
            Condition::And(all)
        } else {
            Condition::Or(all)
        })
    }

    fn condition(&mut self) -> Result<Condition, ApiError> {
        if self.eat_word("NOT") {
            return self
                .nested(Parser::condition)
                .map(|c| Condition::Not(Box::new(c)));
        }
        if self.eat_sign("(") {
            let inner = self.nested(Parser::conditions)?;
            self.expect_sign(")")?;
            return Ok(inner);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Condition, ApiError> {
        let left = self.expr()?;
        let op = self.operator()?;
        match op {
            Op::In | Op::NotIn | Op::Includes | Op::Excludes => self.list(left, op),
            _ => Ok(Condition::Compare(left, op, vec![self.literal()?])),
        }
    }

    fn operator(&mut self) -> Result<Op, ApiError> {
        let words = [
            ("LIKE", Op::Like),
            ("IN", Op::In),
            ("INCLUDES", Op::Includes),
            ("EXCLUDES", Op::Excludes),
        ];
        if let Some((_, op)) = words.iter().find(|(w, _)| self.at_word(w)) {
            self.take();
            return Ok(*op);
        }
        if self.eat_word("NOT") {
            return if self.eat_word("IN") {
                Ok(Op::NotIn)
            } else {
                Err(self.unexpected())
            };
        }
        let signs = [
            ("=", Op::Eq),
            ("!=", Op::Ne),
            ("<", Op::Lt),
            ("<=", Op::Le),
            (">", Op::Gt),
            (">=", Op::Ge),
        ];
        match signs.iter().find(|(sign, _)| self.at_sign(sign)) {
            Some((_, op)) => {
                self.take();
                Ok(*op)
            }
            None => Err(self.unexpected()),
        }
    }

    fn list(&mut self, left: Expr, op: Op) -> Result<Condition, ApiError> {
        self.check_bind()?;
        self.expect_sign("(")?;
        if self.at_word("SELECT") {
            if !matches!(op, Op::In | Op::NotIn) {
                return Err(self.unexpected());
            }
            let query = self.nested(Parser::query)?;
            self.expect_sign(")")?;
            return Ok(Condition::SemiJoin(left, op == Op::NotIn, Box::new(query)));
        }
        let mut values = vec![self.literal()?];
        while self.eat_sign(",") {
            values.push(self.literal()?);
        }
        self.expect_sign(")")?;
        Ok(Condition::Compare(left, op, values))
    }

    fn check_bind(&self) -> Result<(), ApiError> {
        if self.at_sign(":") {
            return Err(self.refused("Bind variables only allowed in Apex code"));
        }
        Ok(())
    }

    /// A value.
    pub(super) fn literal(&mut self) -> Result<Literal, ApiError> {
        self.check_bind()?;
        match self.peek().clone() {
            TokenKind::Text(text) => {
                self.take();
                Ok(Literal::Text(text))
            }
            TokenKind::Digits(text) => {
                let literal = digits(&text).ok_or_else(|| self.unexpected())?;
                self.take();
                Ok(literal)
            }
            TokenKind::Word(word) => self.word_literal(&word),
            _ => Err(self.unexpected()),
        }
    }

    fn word_literal(&mut self, word: &str) -> Result<Literal, ApiError> {
        let fixed = match word.to_ascii_uppercase().as_str() {
            "NULL" => Some(Literal::Null),
            "TRUE" => Some(Literal::Bool(true)),
            "FALSE" => Some(Literal::Bool(false)),
            _ => money(word),
        };
        if let Some(literal) = fixed {
            self.take();
            return Ok(literal);
        }
        if !relative::is_known(word) {
            return Err(self.expecting("a colon"));
        }
        let Name { text, .. } = self.name()?;
        let count = if self.eat_sign(":") {
            let TokenKind::Digits(n) = self.peek() else {
                return Err(self.unexpected());
            };
            let n = n.parse().map_err(|_| self.unexpected())?;
            self.take();
            Some(n)
        } else {
            None
        };
        if relative::is_counted(&text) != count.is_some() {
            return Err(self.expecting("a colon"));
        }
        Ok(Literal::Relative(text.to_ascii_uppercase(), count))
    }
}

/// `USD100.5` (SOQL and SOSL Reference, convertCurrency()).
fn money(word: &str) -> Option<Literal> {
    let (code, amount) = word.split_at_checked(3)?;
    let is_code = code.bytes().all(|b| b.is_ascii_alphabetic());
    let amount = amount
        .starts_with(|c: char| c.is_ascii_digit())
        .then_some(amount)?;
    is_code.then(|| {
        amount
            .parse()
            .ok()
            .map(|n| Literal::Money(code.to_ascii_uppercase(), n))
    })?
}

/// A number, a date, an instant or a time of day.
fn digits(text: &str) -> Option<Literal> {
    if text.contains('T') {
        return parse_instant(text)
            .filter(|at| in_range(at.to_zoned(jiff::tz::TimeZone::UTC).date()))
            .map(Literal::DateTime);
    }
    if text.len() == 10 && text.as_bytes()[4] == b'-' {
        return text
            .parse()
            .ok()
            .filter(|date| in_range(*date))
            .map(Literal::Date);
    }
    if text.contains(':') {
        return time(text).map(Literal::Time);
    }
    let number = text.strip_prefix('+').unwrap_or(text);
    number
        .parse()
        .or_else(|_| Decimal::from_scientific(number))
        .ok()
        .map(Literal::Number)
}

/// Dates from 1700 to 4000 are valid (SOQL and SOSL Reference, Minimum and Maximum Dates); a day more on both ends
/// leaves room for time zones.
fn in_range(date: Date) -> bool {
    (1699..=4000).contains(&date.year())
}

/// The stored form of a time of day.
fn time(text: &str) -> Option<String> {
    let time: jiff::civil::Time = text.trim_end_matches('Z').parse().ok()?;
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    Some(format!(
        "{hour:02}:{minute:02}:{second:02}.{:03}Z",
        time.millisecond()
    ))
}
