//! Parser of what follows the search words of a SOSL search (SOQL and SOSL Reference, SOSL Syntax). What a search returns
//! of an object is a query over the records that were found.

use super::ast::{Expr, Grouping, Item, Name, Query};
use super::lexer::TokenKind;
use super::parser::Parser;
use crate::org::ApiError;

/// Which fields are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Group {
    /// ALL FIELDS
    #[default]
    All,
    /// NAME FIELDS
    Name,
    /// EMAIL FIELDS
    Email,
    /// PHONE FIELDS
    Phone,
    /// SIDEBAR FIELDS
    Sidebar,
}

const GROUPS: [(&str, Group); 5] = [
    ("ALL", Group::All),
    ("NAME", Group::Name),
    ("EMAIL", Group::Email),
    ("PHONE", Group::Phone),
    ("SIDEBAR", Group::Sidebar),
];

/// A search without its words.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tail {
    /// Fields searched.
    pub group: Group,
    /// What is returned, by object; empty when nothing was said.
    pub returning: Vec<Query>,
    /// LIMIT over all objects.
    pub limit: Option<usize>,
}

/// Parses what stands from this byte on.
///
/// # Errors
/// MALFORMED_QUERY with the token that does not fit; for a search, the caller calls that MALFORMED_SEARCH.
pub fn tail(text: &str, at: usize) -> Result<Tail, ApiError> {
    let mut parser = Parser::from_byte(text, at)?;
    let mut tail = Tail::default();
    if parser.eat_word("IN") {
        tail.group = parser.group_name()?;
    }
    if parser.eat_word("RETURNING") {
        tail.returning.push(parser.returned()?);
        while parser.eat_sign(",") {
            tail.returning.push(parser.returned()?);
        }
    }
    while parser.eat_word("WITH") {
        parser.with_clause()?;
    }
    if parser.eat_word("LIMIT") {
        tail.limit = Some(parser.count()?);
    }
    if parser.eat_word("UPDATE") {
        parser.expect_one(&["TRACKING", "VIEWSTAT"])?;
        while parser.eat_sign(",") {
            parser.expect_one(&["TRACKING", "VIEWSTAT"])?;
        }
    }
    parser.finish()?;
    Ok(tail)
}

impl Parser<'_> {
    fn group_name(&mut self) -> Result<Group, ApiError> {
        let found = GROUPS.iter().find(|(word, _)| self.at_word(word));
        let Some((_, group)) = found else {
            return Err(self.unexpected());
        };
        self.take();
        self.expect_word("FIELDS")?;
        Ok(*group)
    }

    fn expect_one(&mut self, words: &[&str]) -> Result<(), ApiError> {
        if words.iter().any(|word| self.eat_word(word)) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// `Account(Name, Phone WHERE … ORDER BY … LIMIT 5)`
    fn returned(&mut self) -> Result<Query, ApiError> {
        let at = self.at();
        let from = self.any_name()?;
        let id = Name {
            text: "Id".to_owned(),
            at: from.at,
        };
        let mut query = Query {
            at,
            select: vec![Item::Expr(Expr::Field(id), None)],
            from,
            alias: None,
            relations: Vec::new(),
            scope: None,
            filter: None,
            group: Vec::new(),
            grouping: Grouping::Plain,
            having: None,
            order: Vec::new(),
            limit: None,
            offset: None,
            for_view: false,
            for_reference: false,
        };
        if !self.eat_sign("(") {
            return Ok(query);
        }
        query.select = self.items()?;
        if self.eat_word("USING") {
            // List views are not kept here; whoever names one means some of the records.
            return Err(self.unexpected());
        }
        if self.eat_word("WHERE") {
            query.filter = Some(self.conditions()?);
        }
        query.order = self.order()?;
        if self.eat_word("LIMIT") {
            query.limit = Some(self.count()?);
        }
        if self.eat_word("OFFSET") {
            query.offset = Some(self.count()?);
        }
        self.expect_sign(")")?;
        Ok(query)
    }

    /// Clauses that choose among things that do not exist here (divisions, networks, articles) or ask for more in the
    /// answer; they are read and have no effect.
    fn with_clause(&mut self) -> Result<(), ApiError> {
        const KNOWN: [&str; 8] = [
            "DIVISION",
            "HIGHLIGHT",
            "METADATA",
            "NETWORK",
            "PricebookId",
            "SNIPPET",
            "SPELL_CORRECTION",
            "DATA",
        ];
        self.expect_one(&KNOWN)?;
        let ends = ["WITH", "LIMIT", "UPDATE"];
        while *self.peek() != TokenKind::End && !ends.iter().any(|word| self.at_word(word)) {
            self.take();
        }
        Ok(())
    }
}
