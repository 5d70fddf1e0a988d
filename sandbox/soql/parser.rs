//! Recursive-descent parser of queries (SOQL and SOSL Reference, SOQL SELECT Syntax).

use super::ast::{Call, Item, Name, Operand, Order, Query, TypeOf};
use super::fault::malformed;
use super::lexer::{Token, TokenKind, tokens};
use crate::org::ApiError;

/// Longest query (SOQL and SOSL Reference, limits).
const QUERY_LIMIT: usize = 100_000;
/// Deepest nesting of parentheses and sub-queries; only there to keep the stack bounded.
const DEPTH_LIMIT: usize = 40;

/// Words that end a clause, so that they cannot be aliases.
const RESERVED: [&str; 18] = [
    "FROM", "WHERE", "WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "USING", "ALL", "AND",
    "OR", "NOT", "ASC", "DESC", "NULLS", "UPDATE",
];

/// Parses a query.
///
/// # Errors
/// MALFORMED_QUERY with the token that does not fit.
pub fn parse(query: &str) -> Result<Query, ApiError> {
    if query.len() > QUERY_LIMIT {
        return Err(malformed(format!(
            "SOQL statements cannot be longer than {QUERY_LIMIT} characters."
        )));
    }
    let mut parser = Parser {
        tokens: tokens(query)?,
        next: 0,
        depth: 0,
    };
    let parsed = parser.query()?;
    match parser.peek() {
        TokenKind::End => Ok(parsed),
        _ => Err(parser.unexpected()),
    }
}

/// The tokens and how far they are read.
pub struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    pub(super) fn peek(&self) -> &TokenKind {
        &self.tokens[self.next].kind
    }

    fn peek_second(&self) -> &TokenKind {
        &self.tokens[(self.next + 1).min(self.tokens.len() - 1)].kind
    }

    pub(super) fn take(&mut self) -> Token {
        let token = self.tokens[self.next].clone();
        // The end token is never passed, so there is always a next one.
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    pub(super) fn unexpected(&self) -> ApiError {
        let shown = match self.peek() {
            TokenKind::Word(text) | TokenKind::Digits(text) => text.clone(),
            TokenKind::Text(text) => format!("'{text}'"),
            TokenKind::Sign(sign) => format!("'{sign}'"),
            TokenKind::End => "'<EOF>'".to_owned(),
        };
        malformed(format!("unexpected token: {shown}"))
    }

    pub(super) fn at_word(&self, word: &str) -> bool {
        matches!(self.peek(), TokenKind::Word(text) if text.eq_ignore_ascii_case(word))
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let here = self.at_word(word);
        if here {
            self.take();
        }
        here
    }

    fn expect_word(&mut self, word: &str) -> Result<(), ApiError> {
        if self.eat_word(word) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    pub(super) fn eat_sign(&mut self, sign: &str) -> bool {
        let here = matches!(self.peek(), TokenKind::Sign(s) if *s == sign);
        if here {
            self.take();
        }
        here
    }

    pub(super) fn expect_sign(&mut self, sign: &str) -> Result<(), ApiError> {
        if self.eat_sign(sign) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    pub(super) fn name(&mut self) -> Result<Name, ApiError> {
        match self.peek() {
            TokenKind::Word(text) if !is_reserved(text) => {
                let token = self.take();
                let TokenKind::Word(text) = token.kind else {
                    return Err(self.unexpected());
                };
                Ok(Name { text, at: token.at })
            }
            _ => Err(self.unexpected()),
        }
    }

    fn optional_name(&mut self) -> Option<Name> {
        matches!(self.peek(), TokenKind::Word(text) if !is_reserved(text)).then(|| self.name().ok())?
    }

    /// Goes one level deeper, within the limit.
    pub(super) fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Parser) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return Err(malformed("the query is nested too deeply"));
        }
        let result = inner(self);
        self.depth -= 1;
        result
    }

    pub(super) fn query(&mut self) -> Result<Query, ApiError> {
        self.expect_word("SELECT")?;
        let mut select = vec![self.item()?];
        while self.eat_sign(",") {
            select.push(self.item()?);
        }
        self.expect_word("FROM")?;
        let from = self.name()?;
        self.eat_word("AS");
        let alias = self.optional_name().map(|n| n.text);
        if self.eat_word("USING") {
            self.expect_word("SCOPE")?;
            self.name()?;
        }
        let filter = if self.eat_word("WHERE") {
            Some(self.conditions()?)
        } else {
            None
        };
        self.security_clause()?;
        let group = self.group()?;
        let having = if self.eat_word("HAVING") {
            Some(self.conditions()?)
        } else {
            None
        };
        let order = self.order()?;
        let limit = if self.eat_word("LIMIT") {
            Some(self.count()?)
        } else {
            None
        };
        let offset = if self.eat_word("OFFSET") { self.count()? } else { 0 };
        self.purpose()?;
        Ok(Query {
            select,
            from,
            alias,
            filter,
            group,
            having,
            order,
            limit,
            offset,
        })
    }

    fn item(&mut self) -> Result<Item, ApiError> {
        if self.eat_sign("(") {
            let query = self.nested(Parser::query)?;
            self.expect_sign(")")?;
            return Ok(Item::Children(Box::new(query)));
        }
        if self.at_word("TYPEOF") && matches!(self.peek_second(), TokenKind::Word(_)) {
            return self.type_of().map(Item::TypeOf);
        }
        if *self.peek_second() == TokenKind::Sign("(") {
            let call = self.call()?;
            if call.function.text.eq_ignore_ascii_case("FIELDS") {
                return call.argument.map(Item::Fields).ok_or_else(|| self.unexpected());
            }
            return Ok(Item::Call(call, self.optional_name()));
        }
        Ok(Item::Field(self.name()?, self.optional_name()))
    }

    pub(super) fn call(&mut self) -> Result<Call, ApiError> {
        let token = self.take();
        let TokenKind::Word(text) = token.kind else {
            return Err(self.unexpected());
        };
        self.expect_sign("(")?;
        let argument = if self.at_word("ALL") {
            let at = self.take().at;
            Some(Name {
                text: "ALL".into(),
                at,
            })
        } else if matches!(self.peek(), TokenKind::Sign(")")) {
            None
        } else {
            Some(self.name()?)
        };
        self.expect_sign(")")?;
        Ok(Call {
            function: Name { text, at: token.at },
            argument,
        })
    }

    fn type_of(&mut self) -> Result<TypeOf, ApiError> {
        self.expect_word("TYPEOF")?;
        let relationship = self.name()?;
        let mut branches = Vec::new();
        while self.eat_word("WHEN") {
            let object = self.name()?;
            self.expect_word("THEN")?;
            branches.push((object, self.names()?));
        }
        let otherwise = if self.eat_word("ELSE") {
            self.names()?
        } else {
            Vec::new()
        };
        self.expect_word("END")?;
        Ok(TypeOf {
            relationship,
            branches,
            otherwise,
        })
    }

    fn names(&mut self) -> Result<Vec<Name>, ApiError> {
        let mut names = vec![self.name()?];
        while self.eat_sign(",") {
            names.push(self.name()?);
        }
        Ok(names)
    }

    /// `WITH SECURITY_ENFORCED` and the access modes change nothing here: the one user sees everything.
    fn security_clause(&mut self) -> Result<(), ApiError> {
        if !self.eat_word("WITH") {
            return Ok(());
        }
        let known = ["SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE"];
        if known.iter().any(|mode| self.eat_word(mode)) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn group(&mut self) -> Result<Vec<Name>, ApiError> {
        if !self.eat_word("GROUP") {
            return Ok(Vec::new());
        }
        self.expect_word("BY")?;
        let names = self.names()?;
        if matches!(self.peek(), TokenKind::Sign("(")) {
            return Err(malformed(
                "GROUP BY ROLLUP, GROUP BY CUBE and date functions are not supported here",
            ));
        }
        Ok(names)
    }

    fn order(&mut self) -> Result<Vec<Order>, ApiError> {
        if !self.eat_word("ORDER") {
            return Ok(Vec::new());
        }
        self.expect_word("BY")?;
        let mut order = vec![self.sort_key()?];
        while self.eat_sign(",") {
            order.push(self.sort_key()?);
        }
        Ok(order)
    }

    fn sort_key(&mut self) -> Result<Order, ApiError> {
        let by = self.operand()?;
        let descending = self.eat_word("DESC");
        if !descending {
            self.eat_word("ASC");
        }
        let mut nulls_last = false;
        if self.eat_word("NULLS") {
            nulls_last = self.eat_word("LAST");
            if !nulls_last {
                self.expect_word("FIRST")?;
            }
        }
        Ok(Order {
            by,
            descending,
            nulls_last,
        })
    }

    /// A field or, before a parenthesis, a function.
    pub(super) fn operand(&mut self) -> Result<Operand, ApiError> {
        if *self.peek_second() == TokenKind::Sign("(") {
            return self.call().map(Operand::Call);
        }
        self.name().map(Operand::Field)
    }

    fn count(&mut self) -> Result<usize, ApiError> {
        let TokenKind::Digits(text) = self.peek() else {
            return Err(self.unexpected());
        };
        let Ok(number) = text.parse() else {
            return Err(self.unexpected());
        };
        self.take();
        Ok(number)
    }

    /// `FOR VIEW`, `FOR REFERENCE` and `UPDATE VIEWSTAT` leave marks that nothing here reads.
    fn purpose(&mut self) -> Result<(), ApiError> {
        while self.eat_word("FOR") {
            if !(self.eat_word("VIEW") || self.eat_word("REFERENCE")) {
                return Err(self.unexpected());
            }
        }
        if self.eat_word("UPDATE") && !(self.eat_word("TRACKING") || self.eat_word("VIEWSTAT")) {
            return Err(self.unexpected());
        }
        Ok(())
    }
}

fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|r| word.eq_ignore_ascii_case(r))
}
