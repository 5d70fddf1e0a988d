//! From tokens to a tree, operators by their precedence.

use super::ast::{Op, Parsed};
use super::lexer::Token;
use crate::org::Value;

/// Deepest nesting; a formula of the longest length nests no deeper in practice.
const DEPTH: usize = 60;

/// The operators from the loosest to the tightest level.
const LEVELS: [&[(&str, Op)]; 7] = [
    &[("||", Op::Or)],
    &[("&&", Op::And)],
    &[
        ("=", Op::Equal),
        ("==", Op::Equal),
        ("<>", Op::Unequal),
        ("!=", Op::Unequal),
    ],
    &[
        ("<", Op::Less),
        ("<=", Op::LessOrEqual),
        (">", Op::Greater),
        (">=", Op::GreaterOrEqual),
    ],
    &[("&", Op::Concatenate)],
    &[("+", Op::Add), ("-", Op::Subtract)],
    &[("*", Op::Multiply), ("/", Op::Divide)],
];

/// The tree of a whole formula.
///
/// # Errors
/// Says which token does not fit.
pub fn parse(tokens: &[Token]) -> Result<Parsed, String> {
    let mut parser = Parser { tokens, at: 0 };
    let parsed = parser.level(0, 0)?;
    match parser.tokens.get(parser.at) {
        None => Ok(parsed),
        Some(token) => Err(format!("unexpected {}", shown(token))),
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Parser<'_> {
    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Sign(s)) if *s == sign);
        self.at += usize::from(found);
        found
    }

    /// Operators of one level, left to right.
    fn level(&mut self, level: usize, depth: usize) -> Result<Parsed, String> {
        if depth > DEPTH {
            return Err("the formula nests too deeply".into());
        }
        let Some(operators) = LEVELS.get(level) else {
            return self.power(depth);
        };
        let mut left = self.level(level + 1, depth)?;
        while let Some((_, op)) = operators.iter().find(|(sign, _)| self.sign(sign)) {
            let right = self.level(level + 1, depth)?;
            left = Parsed::Binary(*op, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn power(&mut self, depth: usize) -> Result<Parsed, String> {
        let mut left = self.single(depth)?;
        while self.sign("^") {
            let right = self.single(depth)?;
            left = Parsed::Binary(Op::Power, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn single(&mut self, depth: usize) -> Result<Parsed, String> {
        if depth > DEPTH {
            return Err("the formula nests too deeply".into());
        }
        if self.sign("-") {
            return self
                .single(depth + 1)
                .map(|inner| Parsed::Negative(Box::new(inner)));
        }
        if self.sign("!") {
            return self.single(depth + 1).map(|inner| Parsed::Not(Box::new(inner)));
        }
        if self.sign("(") {
            let inner = self.level(0, depth + 1)?;
            return self.close().map(|()| inner);
        }
        let token = self.tokens.get(self.at).ok_or("the formula ends too early")?;
        self.at += 1;
        match token {
            Token::Number(number) => Ok(Parsed::Literal(Value::Number(*number))),
            Token::Text(text) => Ok(Parsed::Literal(Value::text(text))),
            Token::Name(name) => self.named(name, depth),
            Token::Sign(_) => Err(format!("unexpected {}", shown(token))),
        }
    }

    fn named(&mut self, name: &str, depth: usize) -> Result<Parsed, String> {
        if self.sign("(") {
            let mut arguments = Vec::new();
            if self.sign(")") {
                return Ok(Parsed::Call(name.to_owned(), arguments));
            }
            loop {
                arguments.push(self.level(0, depth + 1)?);
                if !self.sign(",") {
                    break;
                }
            }
            return self.close().map(|()| Parsed::Call(name.to_owned(), arguments));
        }
        Ok(match name.to_ascii_uppercase().as_str() {
            "TRUE" => Parsed::Literal(Value::Bool(true)),
            "FALSE" => Parsed::Literal(Value::Bool(false)),
            "NULL" => Parsed::Literal(Value::Null),
            _ => Parsed::Name(name.to_owned()),
        })
    }

    fn close(&mut self) -> Result<(), String> {
        if self.sign(")") {
            Ok(())
        } else {
            Err("a parenthesis is not closed".into())
        }
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Number(number) => format!("'{number}'"),
        Token::Text(text) => format!("\"{text}\""),
        Token::Name(name) => format!("'{name}'"),
        Token::Sign(sign) => format!("'{sign}'"),
    }
}
