//! Parser of conditions: WHERE and HAVING.

use super::ast::{Condition, Literal, Name, Op, Operand};
use super::fault::malformed;
use super::lexer::TokenKind;
use super::parser::Parser;
use crate::org::ApiError;
use crate::org::value::parse_instant;
use rust_decimal::Decimal;

impl Parser {
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
        let left = self.operand()?;
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
        match signs
            .iter()
            .find(|(s, _)| matches!(self.peek(), TokenKind::Sign(sign) if sign == s))
        {
            Some((_, op)) => {
                self.take();
                Ok(*op)
            }
            None => Err(self.unexpected()),
        }
    }

    fn list(&mut self, left: Operand, op: Op) -> Result<Condition, ApiError> {
        self.expect_sign("(")?;
        if self.at_word("SELECT") {
            let query = self.nested(Parser::query)?;
            self.expect_sign(")")?;
            return match (left, op) {
                (Operand::Field(name), Op::In | Op::NotIn) => {
                    Ok(Condition::SemiJoin(name, op == Op::NotIn, Box::new(query)))
                }
                _ => Err(malformed("unexpected token: SELECT")),
            };
        }
        let mut values = vec![self.literal()?];
        while self.eat_sign(",") {
            values.push(self.literal()?);
        }
        self.expect_sign(")")?;
        Ok(Condition::Compare(left, op, values))
    }

    fn literal(&mut self) -> Result<Literal, ApiError> {
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
            TokenKind::Word(word) => {
                let literal = self.word_literal(&word)?;
                Ok(literal)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn word_literal(&mut self, word: &str) -> Result<Literal, ApiError> {
        let fixed = match word.to_ascii_uppercase().as_str() {
            "NULL" => Some(Literal::Null),
            "TRUE" => Some(Literal::Bool(true)),
            "FALSE" => Some(Literal::Bool(false)),
            _ => currency(word),
        };
        if let Some(literal) = fixed {
            self.take();
            return Ok(literal);
        }
        let Name { text, .. } = self.name()?;
        let count = if self.eat_sign(":") {
            let TokenKind::Digits(n) = self.peek().clone() else {
                return Err(self.unexpected());
            };
            let n = n.parse().map_err(|_| self.unexpected())?;
            self.take();
            Some(n)
        } else {
            None
        };
        Ok(Literal::Relative(text.to_ascii_uppercase(), count))
    }
}

/// `USD100.5` in a multi-currency org.
fn currency(word: &str) -> Option<Literal> {
    let (code, amount) = word.split_at_checked(3)?;
    let is_code = code.bytes().all(|b| b.is_ascii_alphabetic());
    (is_code && amount.starts_with(|c: char| c.is_ascii_digit()))
        .then(|| amount.parse().ok().map(Literal::Number))?
}

/// A number, a date or an instant.
fn digits(text: &str) -> Option<Literal> {
    if text.contains('T') {
        return parse_instant(text).map(Literal::DateTime);
    }
    if text.len() == 10 && text.as_bytes()[4] == b'-' {
        return text.parse().ok().map(Literal::Date);
    }
    let number = text.strip_prefix('+').unwrap_or(text);
    number
        .parse()
        .or_else(|_| Decimal::from_scientific(number))
        .ok()
        .map(Literal::Number)
}
