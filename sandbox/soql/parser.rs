//! Recursive-descent parser of queries (SOQL and SOSL Reference, SOQL SELECT Syntax).

use super::ast::{Argument, Call, Expr, Item, Name, Query, TypeOf};
use super::fault::{malformed, syntax};
use super::lexer::{Token, TokenKind, tokens};
use crate::org::ApiError;

/// Longest query in characters (SOQL and SOSL Reference, SOQL SELECT Syntax).
pub const QUERY_LIMIT: usize = 100_000;
/// Deepest nesting of parentheses and sub-queries; only there to keep the stack bounded.
const DEPTH_LIMIT: usize = 40;

/// Words that end a clause, so that they can be neither fields nor aliases.
const RESERVED: [&str; 24] = [
    "AND", "ASC", "DESC", "EXCLUDES", "FIRST", "FOR", "FROM", "GROUP", "HAVING", "IN", "INCLUDES", "LAST",
    "LIKE", "LIMIT", "NOT", "NULL", "NULLS", "OFFSET", "OR", "ORDER", "SELECT", "USING", "WHERE", "WITH",
];
/// More words that cannot be aliases, because a clause begins with them.
const CLAUSES: [&str; 3] = ["ALL", "SET", "UPDATE"];

/// Parses a query.
///
/// # Errors
/// MALFORMED_QUERY with the token that does not fit.
pub fn parse(query: &str) -> Result<Query, ApiError> {
    if query.len() > QUERY_LIMIT && query.chars().count() > QUERY_LIMIT {
        return Err(malformed(format!(
            "SOQL statements cannot be longer than {QUERY_LIMIT} characters."
        )));
    }
    let mut parser = Parser::new(query)?;
    let parsed = parser.query()?;
    parser.options()?;
    parser.finish()?;
    Ok(parsed)
}

/// The tokens and how far they are read.
pub struct Parser<'q> {
    query: &'q str,
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl<'q> Parser<'q> {
    /// A parser at the first token.
    ///
    /// # Errors
    /// What the lexer says.
    pub fn new(query: &'q str) -> Result<Parser<'q>, ApiError> {
        Ok(Parser {
            query,
            tokens: tokens(query)?,
            next: 0,
            depth: 0,
        })
    }

    /// A parser at the first token from this byte on; places in error texts still count from the first byte.
    ///
    /// # Errors
    /// What the lexer says.
    pub fn from_byte(query: &'q str, at: usize) -> Result<Parser<'q>, ApiError> {
        let rest = query.get(at..).unwrap_or_default();
        let blank = " ".repeat(query.len() - rest.len());
        Ok(Parser {
            query,
            tokens: tokens(&(blank + rest))?,
            next: 0,
            depth: 0,
        })
    }

    /// Everything must have been read.
    ///
    /// # Errors
    /// MALFORMED_QUERY.
    pub fn finish(&self) -> Result<(), ApiError> {
        match self.peek() {
            TokenKind::End => Ok(()),
            _ => Err(self.unexpected()),
        }
    }

    pub(super) fn peek(&self) -> &TokenKind {
        &self.tokens[self.next].kind
    }

    fn peek_second(&self) -> &TokenKind {
        &self.tokens[(self.next + 1).min(self.tokens.len() - 1)].kind
    }

    pub(super) fn at(&self) -> usize {
        self.tokens[self.next].at
    }

    pub(super) fn take(&mut self) -> Token {
        let token = self.tokens[self.next].clone();
        // The end token is never passed, so there is always a next one.
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    /// The token as written.
    fn shown(&self) -> &str {
        let token = &self.tokens[self.next];
        match token.kind {
            TokenKind::End => "<EOF>",
            _ => &self.query[token.at..token.end],
        }
    }

    pub(super) fn unexpected(&self) -> ApiError {
        if self.next == 0 {
            // A text that does not even begin like a query gets no picture.
            return malformed(format!("unexpected token: {}", self.shown()));
        }
        self.refused(&format!("unexpected token: '{}'", self.shown()))
    }

    /// The token does not fit for this reason.
    pub(super) fn refused(&self, reason: &str) -> ApiError {
        syntax(self.query, self.at(), reason)
    }

    /// Something else had to stand here.
    pub(super) fn expecting(&self, what: &str) -> ApiError {
        self.refused(&format!("expecting {what}, found '{}'", self.shown()))
    }

    pub(super) fn at_word(&self, word: &str) -> bool {
        matches!(self.peek(), TokenKind::Word(text) if text.eq_ignore_ascii_case(word))
    }

    /// Whether these two words stand here.
    pub(super) fn at_words(&self, first: &str, second: &str) -> bool {
        self.at_word(first)
            && matches!(self.peek_second(), TokenKind::Word(text) if text.eq_ignore_ascii_case(second))
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let here = self.at_word(word);
        if here {
            self.take();
        }
        here
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Result<(), ApiError> {
        if self.eat_word(word) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    pub(super) fn at_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), TokenKind::Sign(s) if *s == sign)
    }

    pub(super) fn eat_sign(&mut self, sign: &str) -> bool {
        let here = self.at_sign(sign);
        if here {
            self.take();
        }
        here
    }

    pub(super) fn expect_sign(&mut self, sign: &str) -> Result<(), ApiError> {
        if self.eat_sign(sign) {
            return Ok(());
        }
        Err(match sign {
            ")" => self.expecting("a right parentheses"),
            _ => self.unexpected(),
        })
    }

    pub(super) fn name(&mut self) -> Result<Name, ApiError> {
        match self.peek() {
            TokenKind::Word(text) if !is_reserved(text) => self.any_name(),
            _ => Err(self.unexpected()),
        }
    }

    /// A name, whatever word it is.
    pub(super) fn any_name(&mut self) -> Result<Name, ApiError> {
        let TokenKind::Word(text) = self.peek() else {
            return Err(self.unexpected());
        };
        let text = text.clone();
        let at = self.take().at;
        Ok(Name { text, at })
    }

    pub(super) fn optional_alias(&mut self) -> Option<Name> {
        let free = |text: &str| {
            !is_reserved(text) && !text.contains('.') && !CLAUSES.iter().any(|c| text.eq_ignore_ascii_case(c))
        };
        matches!(self.peek(), TokenKind::Word(text) if free(text)).then(|| self.name().ok())?
    }

    /// Goes one level deeper, within the limit.
    pub(super) fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return Err(malformed("the query is nested too deeply"));
        }
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// The select list.
    pub(super) fn items(&mut self) -> Result<Vec<Item>, ApiError> {
        let mut select = vec![self.item()?];
        while self.eat_sign(",") {
            select.push(self.item()?);
        }
        Ok(select)
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
        if self.at_word("FIELDS") && *self.peek_second() == TokenKind::Sign("(") {
            self.take();
            self.take();
            let which = self.any_name()?;
            self.expect_sign(")")?;
            return Ok(Item::Fields(which));
        }
        let expr = self.expr()?;
        Ok(Item::Expr(expr, self.optional_alias()))
    }

    /// A field or, before a parenthesis, a function.
    pub(super) fn expr(&mut self) -> Result<Expr, ApiError> {
        if *self.peek_second() == TokenKind::Sign("(")
            && matches!(self.peek(), TokenKind::Word(w) if !is_reserved(w))
        {
            return self.nested(Parser::call).map(Expr::Call);
        }
        self.name().map(Expr::Field)
    }

    fn call(&mut self) -> Result<Call, ApiError> {
        let function = self.name()?;
        self.expect_sign("(")?;
        let mut arguments = Vec::new();
        if !self.at_sign(")") {
            arguments.push(self.argument()?);
            while self.eat_sign(",") {
                arguments.push(self.argument()?);
            }
        }
        self.expect_sign(")")?;
        Ok(Call { function, arguments })
    }

    fn argument(&mut self) -> Result<Argument, ApiError> {
        match self.peek() {
            TokenKind::Text(_) | TokenKind::Digits(_) => self.literal().map(Argument::Value),
            _ => self.expr().map(Argument::Expr),
        }
    }

    fn type_of(&mut self) -> Result<TypeOf, ApiError> {
        self.expect_word("TYPEOF")?;
        let relationship = self.name()?;
        let mut branches = Vec::new();
        while self.eat_word("WHEN") {
            let object = self.any_name()?;
            self.expect_word("THEN")?;
            branches.push((object, self.names()?));
        }
        if branches.is_empty() {
            return Err(self.unexpected());
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

    /// A number of rows.
    pub(super) fn count(&mut self) -> Result<usize, ApiError> {
        let TokenKind::Digits(text) = self.peek() else {
            return Err(self.expecting("a positive integer"));
        };
        let Ok(number) = text.parse() else {
            return Err(self.expecting("a positive integer"));
        };
        self.take();
        Ok(number)
    }
}

pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|r| word.eq_ignore_ascii_case(r))
}
